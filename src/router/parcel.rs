//! What a sender's side hands to its recipients' home.
//!
//! A parcel holds nothing of the sender's shard: everything that the home needs is in it. Between accounts of one home it
//! waits in a queue, to another home it is a letter.

use super::JidHash;
use super::mailbox::Weigh;
use crate::stanza::{Jid, Stanza, To};

/// Whom a parcel is for.
#[derive(Debug, Clone)]
pub enum Audience {
    /// The address in the stanza's own `to`.
    To,
    /// The same, whose bare JID has this hash and the home that the parcel was sent to: neither is looked for again.
    Here(JidHash),
    /// A stanza without `to` for all of these: one entry for each destination home, however many recipients.
    Each(Vec<Jid>),
    /// The same for one resource, if it is still there.
    Resource(Jid),
    /// A resource, whose full JID the stanza's `from` is, asks for the presence of all of these (RFC 6121 §4.3).
    Asked(Vec<Jid>),
    /// A stanza without `to` for each of these, bare or full JIDs, as if it had been directed to each (§4.6): one entry for
    /// each destination home. Resources that are not there get nothing.
    Directed(Vec<Jid>),
    /// As [`Audience::Directed`], except to those that have heard of it by a broadcast: all available resources of their
    /// accounts have (§4.6.3).
    Unheard(Vec<Jid>),
    /// As [`Audience::To`], an answer to a probe (§4.3.2): it tells that somebody is not there, not that somebody goes.
    Answer,
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

/// What a parcel takes beside its stanza's bytes, and each address in it.
const PARCEL_BYTES: usize = 256;
const ADDRESS_BYTES: usize = 64;

impl Weigh for Parcel {
    fn weight_bytes(&self) -> usize {
        let addresses = match &self.audience {
            Audience::Each(contacts)
            | Audience::Asked(contacts)
            | Audience::Directed(contacts)
            | Audience::Unheard(contacts) => contacts.len(),
            Audience::To | Audience::Here(_) | Audience::Resource(_) | Audience::Answer => 1,
        };
        PARCEL_BYTES + self.stanza.written_len(To::Kept) + addresses * ADDRESS_BYTES
    }
}
