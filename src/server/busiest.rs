//! Whose stanzas are most of this home's work. Nothing is limited here: it is for the operator, when the router stops.

use super::world::ServerWorld;
use crate::router::{AccountId, JidHash};
use crate::stanza::JidRef;

/// Smaller parts of a home's deliveries are not worth a word.
const SHARE_MIN: f64 = 0.01;
/// With fewer samples nothing is said: about 6,400 deliveries.
const SAMPLES_MIN: u64 = 100;

/// An account and its part of what its home delivered.
#[derive(Debug, Clone, PartialEq)]
pub struct BusyAccount {
    /// Its bare JID.
    pub jid: String,
    /// Of all stanzas for accounts of this home, at least this part was for it: 0 to 1, an estimate.
    pub share_ratio: f64,
}

impl ServerWorld {
    /// One more stanza for an address of this home, or one that nobody has.
    #[inline]
    pub(super) fn count_busy(&mut self, to: JidRef<'_>, hash: JidHash) {
        if self.busiest.is_due()
            && let Some(account) = self.shard.find_hashed(to.bare().as_str(), hash)
        {
            self.busiest.note(account);
        }
    }

    /// The same of an account that is known.
    #[inline]
    pub(super) fn count_busy_account(&mut self, account: AccountId) {
        if self.busiest.is_due() {
            self.busiest.note(account);
        }
    }

    /// Accounts that certainly had one in a hundred of this home's deliveries, busiest first; as samples tell.
    #[must_use]
    pub fn busiest(&self) -> Vec<BusyAccount> {
        let samples = self.busiest.samples();
        if samples < SAMPLES_MIN {
            return Vec::new();
        }
        let busy = self.busiest.list().into_iter().map(|busy| BusyAccount {
            jid: self.shard.account(busy.account).jid().as_str().to_owned(),
            share_ratio: busy.samples_min as f64 / samples as f64,
        });
        busy.filter(|busy| busy.share_ratio >= SHARE_MIN).collect()
    }
}
