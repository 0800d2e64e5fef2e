//! What the homes of a server send each other.
//!
//! Stanzas for the other's accounts are [`Parcel`]s; the rest is about saving ([`super::saving`]).

use crate::engine::ConnId;
use crate::router::mailbox::Weigh;
use crate::router::{HomeId, Parcel};

/// A letter between two homes.
#[derive(Debug, Clone)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all letters are parcels; a box for each would cost more"
)]
pub enum Mail {
    /// A stanza for accounts there.
    Parcel(Parcel),
    /// Tell me when everything is safe that my letters before this one made you save.
    Sync {
        /// Who asks.
        from: HomeId,
        /// Its connection that waits for it.
        conn: ConnId,
    },
    /// Nothing follows from here that a connection caused ([`super::ending`]).
    Goodbye {
        /// How often this was said before.
        round: usize,
    },
    /// It is.
    Synced {
        /// Whose answers waited.
        conn: ConnId,
    },
}

/// A letter without a stanza.
const NOTE_BYTES: usize = 64;

impl Weigh for Mail {
    fn weight_bytes(&self) -> usize {
        match self {
            Self::Parcel(parcel) => parcel.weight_bytes(),
            Self::Sync { .. } | Self::Synced { .. } | Self::Goodbye { .. } => NOTE_BYTES,
        }
    }
}
