//! What one home asks of another about accounts, from the side that asks.
//!
//! Nothing is done to an account here: `serving` does, at its home. A request of a connection that concerns other homes
//! becomes calls, one letter each ([`Mail::Call`]); each is answered once ([`Mail::Return`]), and not before what it changed
//! is safe. With the last answer the request is answered, once. Until then the connection's input waits: later stanzas
//! must not overtake this one's effect (RFC 6120 §10.1). If the connection ends first, what was asked is done all the same,
//! and the answer is dropped.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;

use super::administration::{self, Running};
use super::client_link::ClientLink;
use super::client_task::ClientTask;
use super::mail::Mail;
use super::register;
use super::routing::Origin;
use super::serving::Serving;
use super::world::ServerWorld;
use crate::engine::{ConnId, Effects, Stamp};
use crate::router::HomeId;
use crate::stanza::{
    Condition, Jid, Stanza, To, write_error_reply_coded, write_iq_result_empty, write_iq_result_open,
};

/// A password on its way to its keys; never shown.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    pub(super) const fn new(password: String) -> Self {
        Self(password)
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Names a call among those of the home that made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallId {
    /// The request that it is for.
    pub(super) number: u64,
    /// Which of that request's calls.
    pub(super) part: u16,
}

/// What is asked of an account's home, or of every home. Accounts are bare JIDs.
#[derive(Debug, Clone)]
pub enum Call {
    /// Make an account.
    Add {
        /// Whose address is free.
        account: Jid,
        /// Its password.
        password: Secret,
    },
    /// Check an account's logins against another password.
    ChangePassword {
        /// Whose.
        account: Jid,
        /// The new one.
        password: Secret,
    },
    /// Remove an account.
    Remove {
        /// Which.
        account: Jid,
        /// A stream that its caller ends: the one that asks.
        spare: Option<ConnId>,
    },
    /// End the sessions of an account, or one of them.
    EndSessions {
        /// Bare or full JID.
        address: Jid,
        /// A stream that its caller ends: the one that asks.
        spare: Option<ConnId>,
    },
    /// How many accounts there are.
    Count {
        /// Of this domain.
        domain: String,
        /// Which of them.
        which: Which,
    },
    /// Some accounts, at most so many.
    List {
        /// Of this domain.
        domain: String,
        /// Which of them.
        which: Which,
        /// At most.
        max: usize,
    },
    /// What is known of an account's use of the server.
    Statistics(Jid),
    /// An account's roster.
    Roster(Jid),
    /// A message for everybody who is there.
    Announce {
        /// Of this domain.
        domain: String,
        /// The message.
        stanza: Stanza,
    },
}

/// Accounts of a kind (XEP-0133 §4.13 to §4.22).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// All but temporary ones.
    Registered,
    /// With a session.
    Online,
    /// Online, and one of their resources is available.
    Active,
    /// Online, and none of their resources is.
    Idle,
}

/// What came of a call.
#[derive(Debug, Clone)]
pub enum Returned {
    /// It is done, and safe.
    Done,
    /// It is not done.
    Refused(Condition),
    /// So many accounts of that home.
    Count(usize),
    /// Bare JIDs.
    Accounts(Vec<Jid>),
    /// Of one account.
    Statistics {
        /// Contacts.
        roster_size: usize,
        /// Resources that are connected.
        resources: Vec<String>,
    },
    /// Items of a roster, as XML, at most [`crate::limits::COMMAND_LIST_MAX`].
    Roster(String),
}

/// What a letter's address takes.
const ADDRESS_BYTES: usize = 64;

impl Call {
    pub(super) fn weight_bytes(&self) -> usize {
        match self {
            Self::Announce { stanza, .. } => stanza.written_len(To::Kept),
            Self::Add { password, .. } | Self::ChangePassword { password, .. } => {
                ADDRESS_BYTES + password.as_str().len()
            }
            Self::Remove { .. }
            | Self::EndSessions { .. }
            | Self::Count { .. }
            | Self::List { .. }
            | Self::Statistics(_)
            | Self::Roster(_) => ADDRESS_BYTES,
        }
    }
}

impl Returned {
    pub(super) fn weight_bytes(&self) -> usize {
        match self {
            Self::Done | Self::Refused(_) | Self::Count(_) => 0,
            Self::Accounts(accounts) => accounts.len() * ADDRESS_BYTES,
            Self::Statistics { resources, .. } => resources.iter().map(String::len).sum(),
            Self::Roster(items) => items.len(),
        }
    }
}

/// Why a request is refused: a condition, and perhaps an application's own (XML, RFC 6120 §8.3.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) condition: Condition,
    pub(super) application: &'static str,
    /// What stands beside the error (XML): the command that failed, without what was filled in.
    pub(super) payload: String,
}

impl From<Condition> for Refusal {
    fn from(condition: Condition) -> Self {
        Self { condition, application: "", payload: String::new() }
    }
}

/// A request that waits for the answers to its calls.
#[derive(Debug)]
pub(super) struct Asking {
    /// The request: its answer has its id.
    pub(super) stanza: Stanza,
    pub(super) origin: Origin,
    /// Who answers, if the request has no `to`.
    pub(super) answerer: String,
    pub(super) purpose: Purpose,
}

/// What the answers are for.
#[derive(Debug)]
pub(super) enum Purpose {
    /// XEP-0077 §3.1: an account, over a stream that has none yet.
    Register,
    /// XEP-0077 §3.3, and an administrator's registration: done or not.
    Plain,
    /// XEP-0077 §3.2: the stream that asks ends as well.
    Cancel,
    /// XEP-0133.
    Command(Running),
}

#[derive(Debug)]
struct Waiting {
    asking: Asking,
    /// By part.
    answers: Vec<Option<Returned>>,
    left: usize,
}

/// Calls under way: at most one request of each connection, since its input waits.
#[derive(Debug, Default)]
pub(super) struct Calls {
    /// Requests and served calls so far.
    next: u64,
    waiting: BTreeMap<u64, Waiting>,
    /// Calls of other homes, and of this one, that wait for something here.
    pub(super) serving: BTreeMap<u64, Serving>,
}

impl Calls {
    /// A number that names one request or one served call of this home.
    pub(super) const fn next_number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

impl ServerWorld {
    /// Makes `calls` for a request, which is answered when all of them are.
    pub(super) fn begin_asking(
        &mut self,
        asking: Asking,
        calls: Vec<(HomeId, Call)>,
        out: &mut Effects<ClientLink>,
    ) {
        debug_assert!(!calls.is_empty(), "a request without calls is answered at once");
        out.wait(asking.origin.conn);
        let number = self.calls.next_number();
        let waiting = Waiting { asking, answers: vec![None; calls.len()], left: calls.len() };
        self.calls.waiting.insert(number, waiting);
        for ((home, call), part) in calls.into_iter().zip(0..) {
            let id = CallId { number, part };
            if home == self.me {
                self.serve_call(home, id, call, out);
            } else {
                out.mail(home, Mail::Call { from: self.me, id, call: Box::new(call) });
            }
        }
    }

    /// The homes whose concern `call` is if it is every home's.
    pub(super) fn to_all_homes(&self, call: &Call) -> Vec<(HomeId, Call)> {
        self.homes.iter().map(|home| (home, call.clone())).collect()
    }

    /// One call is answered.
    pub(super) fn on_return(&mut self, id: CallId, returned: Returned, out: &mut Effects<ClientLink>) {
        let Some(waiting) = self.calls.waiting.get_mut(&id.number) else { return };
        let answer = &mut waiting.answers[usize::from(id.part)];
        debug_assert!(answer.is_none(), "a call is answered once");
        *answer = Some(returned);
        waiting.left -= 1;
        if waiting.left > 0 {
            return;
        }
        let Some(Waiting { asking, answers, .. }) = self.calls.waiting.remove(&id.number) else { return };
        self.finish_asking(asking, answers.into_iter().flatten().collect(), out);
    }

    fn finish_asking(&mut self, asking: Asking, answers: Vec<Returned>, out: &mut Effects<ClientLink>) {
        let Asking { stanza, origin, answerer, purpose } = asking;
        let conn = origin.conn;
        let mut after = None;
        let result = match purpose {
            Purpose::Register => {
                let result = register::outcome(&answers);
                after = result.is_ok().then_some(ClientTask::Registered);
                result
            }
            Purpose::Plain => register::outcome(&answers),
            Purpose::Cancel => {
                let result = register::outcome(&answers);
                after = result.is_ok().then_some(ClientTask::Removed);
                result
            }
            Purpose::Command(running) => {
                after = running.after;
                administration::outcome(running, answers, &mut self.commands)
            }
        };
        match result {
            Ok(payload) => {
                let mut bytes = Vec::with_capacity(payload.len() + 256);
                if payload.is_empty() {
                    write_iq_result_empty(&stanza, &answerer, &mut bytes);
                } else {
                    write_iq_result_open(&stanza, &answerer, &mut bytes);
                    bytes.extend_from_slice(payload.as_bytes());
                    bytes.extend_from_slice(b"</iq>");
                }
                self.counters.answered += 1;
                self.reply(&bytes, Some(origin), out);
                if let Some(task) = after {
                    out.when_safe(conn, conn, task);
                }
                if matches!(after, Some(ClientTask::Removed | ClientTask::Dismissed)) {
                    // Nothing of that stream is read any more.
                    return;
                }
            }
            Err(refusal) => self.refuse(&stanza, refusal, &answerer, origin, out),
        }
        out.go_on(conn);
    }

    /// Answers a request with an error that has a code as well, also to a client that has no address yet.
    pub(super) fn refuse(
        &mut self,
        stanza: &Stanza,
        Refusal { condition, application, payload }: Refusal,
        answerer: &str,
        origin: Origin,
        out: &mut Effects<ClientLink>,
    ) {
        let mut bytes = Vec::with_capacity(256);
        if write_error_reply_coded(stanza, (condition, application), &payload, answerer, &mut bytes) {
            self.counters.bounced += 1;
            self.scratch.recipients.push(origin.conn);
            self.deliver(Stanza::from_own(Bytes::from(bytes)), Stamp::Kept, out);
        }
    }
}
