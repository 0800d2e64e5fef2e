//! What a server counts. What came in was routed, answered, bounced or dropped for a reason that has a number here.

use crate::router::Dropped;
use crate::stanza::Kind;

/// Counts since the server began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ServerCounters {
    /// Messages that clients sent.
    pub messages_in: u64,
    /// Presence stanzas that clients sent.
    pub presences_in: u64,
    /// IQs that clients sent.
    pub iqs_in: u64,
    /// Stanzas, the server's own included, that had at least one recipient.
    pub routed: u64,
    /// Copies for recipients.
    pub copies: u64,
    /// IQ requests that the server answered with a result.
    pub answered: u64,
    /// Stanzas that were answered with an error.
    pub bounced: u64,
    /// Stanzas whose connection ended first, and that were routed again.
    pub rerouted: u64,
    /// Messages that were kept for an account that nobody took them for.
    pub kept_offline: u64,
    /// Resources bound.
    pub bound: u64,
    /// Streams that a newer one of the same resource replaced.
    pub replaced: u64,
    /// Sessions that got stream management.
    pub managed: u64,
    /// Sessions whose connection ended, and that waited for another one.
    pub hibernated: u64,
    /// Of these, those that got one.
    pub resumed: u64,
    /// Of these, those that waited in vain.
    pub expired: u64,
    /// Sessions that ended because their clients acknowledged too little.
    pub overfull: u64,
    /// Stanzas that were ignored, by reason.
    dropped: [u64; Dropped::COUNT],
}

impl ServerCounters {
    /// Stanzas that were ignored for this reason.
    #[must_use]
    pub const fn dropped(&self, reason: Dropped) -> u64 {
        self.dropped[reason as usize]
    }

    /// Stanzas that were ignored, by reason.
    pub fn drops(&self) -> impl Iterator<Item = (Dropped, u64)> {
        Dropped::ALL.into_iter().map(|reason| (reason, self.dropped(reason)))
    }

    pub(super) const fn count_in(&mut self, kind: Kind) {
        match kind {
            Kind::Message => self.messages_in += 1,
            Kind::Presence => self.presences_in += 1,
            Kind::Iq => self.iqs_in += 1,
        }
    }

    pub(super) const fn count_drop(&mut self, reason: Dropped) {
        self.dropped[reason as usize] += 1;
    }
}
