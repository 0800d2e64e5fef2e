//! What the reactors of one run tell each other.
//!
//! Nothing here crosses a network: all of them are threads of one process and read the same clock, so a time in a letter
//! means the same at its reader. Letters that sockets cause arrive in the order in which they were sent, so what one
//! reactor received is matched in the order in which it was received.

use super::ids::StanzaId;
use super::journal::{Received, What};
use crate::engine::Ended;
use crate::metrics::IdsArrive;
use crate::router::mailbox::Weigh;
use crate::stanza::Jid;
use crate::time::Nanos;

/// A letter from one reactor of the harness to another.
#[derive(Debug)]
pub struct Mail(pub(super) Letter);

#[derive(Debug)]
pub(super) enum Letter {
    /// The conductor has everybody begin a step.
    Step(Step),
    /// This reactor's part of that step is over.
    Done { number: u32 },
    /// A user takes part from `since` on. `jid` only where the scenario does not tell; `as_planned`: its roster is the
    /// scenario's.
    Ready { user: u32, since: Nanos, jid: Option<Box<Jid>>, as_planned: bool },
    /// A user that was ready has no connection any more; `lost`: it did not leave by itself, nor was it sent away.
    Gone { user: u32, ended: Ended, lost: bool },
    /// A stanza of an operation came in that a user of the reader began.
    Arrived { what: What, id: StanzaId, received: Received },
    /// The run is over, whatever was under way.
    End,
}

/// What all reactors do at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    /// Counted from 1 over the run.
    pub(super) number: u32,
    pub(super) what: StepKind,
    /// When it begins, for all: a little ahead, so that the letter is there in time.
    pub(super) at: Nanos,
    /// When the run began.
    pub(super) run_begin: Nanos,
    /// What is known of the target's ids.
    pub(super) ids: IdsArrive,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StepKind {
    /// Before the first phase.
    Errand(Errand),
    /// The first phase.
    Login,
    /// The next phase.
    Phase,
    /// The end.
    Logout,
}

/// What users are sent for before the first phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Errand {
    /// To make their accounts.
    Register,
    /// To ask their contacts of the graph for their presence.
    Ask,
    /// To approve who asked them.
    Approve,
    /// To log in once: the salted passwords are then known.
    Rehearse,
    /// To find out whether ids arrive; the first user does.
    ProbeIds,
    /// To remove their contacts of the graph.
    Clear,
    /// To remove their accounts.
    Remove,
}

impl Errand {
    /// Its word in progress.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::Ask => "ask",
            Self::Approve => "approve",
            Self::Rehearse => "rehearse",
            Self::ProbeIds => "probe ids",
            Self::Clear => "clear",
            Self::Remove => "remove",
        }
    }
}

impl Weigh for Mail {
    fn weight_bytes(&self) -> usize {
        let jid = match &self.0 {
            Letter::Ready { jid: Some(jid), .. } => jid.as_str().len(),
            Letter::Ready { .. }
            | Letter::Step(_)
            | Letter::Done { .. }
            | Letter::Gone { .. }
            | Letter::Arrived { .. }
            | Letter::End => 0,
        };
        size_of::<Self>() + jid
    }
}
