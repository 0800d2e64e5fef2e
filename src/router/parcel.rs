//! What a sender's side hands to its recipients' home.
//!
//! A parcel holds nothing of the sender's shard: everything that the home needs is in the stanza. Today both sides
//! are one shard and parcels wait in a queue; a mailbox between reactors carries the same value.

use crate::stanza::{Jid, Stanza};

/// Whom a parcel is for.
#[derive(Debug, Clone)]
pub enum Audience {
    /// The address in the stanza's own `to`.
    To,
    /// A stanza without `to` for all of these: one entry for each destination home, however many recipients.
    Each(Vec<Jid>),
}

/// A stanza under way: its `from` is stamped and checked, its sender's own half is done.
#[derive(Debug, Clone)]
pub struct Parcel {
    /// What.
    pub stanza: Stanza,
    /// For whom.
    pub audience: Audience,
}

impl Parcel {
    /// For the address in the stanza's own `to`.
    #[must_use]
    pub const fn addressed(stanza: Stanza) -> Self {
        Self { stanza, audience: Audience::To }
    }
}
