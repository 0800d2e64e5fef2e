//! What the homes of a server send each other.
//!
//! Stanzas for the other's accounts are [`Parcel`]s; the rest is about saving ([`super::saving`]) and about what one home
//! asks of another ([`super::calls`]).

use super::calls::{Call, CallId, Returned};
use crate::engine::ConnId;
use crate::router::mailbox::Weigh;
use crate::router::{HomeId, Parcel};

/// A letter between two homes.
#[derive(Debug, Clone)]
pub enum Mail {
    /// A stanza for accounts there.
    Parcel(Parcel),
    /// Tell me when everything is safe that my letters before this one made you save.
    Sync {
        /// Who asks.
        from: HomeId,
        /// What waits for it there.
        who: SyncFor,
    },
    /// Nothing follows from here that a connection caused: the end of a server is near.
    Goodbye {
        /// How often this was said before.
        round: usize,
    },
    /// It is.
    Synced {
        /// What waited.
        who: SyncFor,
    },
    /// Do this.
    Call {
        /// Who asks.
        from: HomeId,
        /// Names the answer.
        id: CallId,
        /// What.
        call: Box<Call>,
    },
    /// What came of it.
    Return {
        /// The call's.
        id: CallId,
        /// The answer.
        returned: Box<Returned>,
    },
}

/// What waits for another home's store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncFor {
    /// A connection's answers.
    Stream(ConnId),
    /// The answer to a call, by its number here.
    Call(u64),
}

/// A letter without a stanza.
const NOTE_BYTES: usize = 64;

impl Weigh for Mail {
    fn weight_bytes(&self) -> usize {
        match self {
            Self::Parcel(parcel) => parcel.weight_bytes(),
            Self::Sync { .. } | Self::Synced { .. } | Self::Goodbye { .. } => NOTE_BYTES,
            Self::Call { call, .. } => NOTE_BYTES + call.weight_bytes(),
            Self::Return { returned, .. } => NOTE_BYTES + returned.weight_bytes(),
        }
    }
}
