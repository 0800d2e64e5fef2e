//! Which accounts get the most: a sketch of few counters, so that an account that is most of its home's work can be seen.
//!
//! Nothing is decided by it, and it is an estimate: one delivery in [`EVERY`] is looked at, at irregular distances, so that
//! traffic with a rhythm is not seen at one beat alone. The counters are those of Space-Saving (Metwally, Agrawal, El Abbadi:
//! Efficient Computation of Frequent and Top-k Elements in Data Streams, 2005): whoever gets more than one sample in [`KEPT`] is
//! certainly among them, and each knows by how much it may be too high.

use super::AccountId;

/// Counters. An account with less than a sixteenth of a home's deliveries is nobody's trouble.
const KEPT: usize = 16;
/// Deliveries for each sample, on average: what a sample costs is then less than one instruction in a thousand.
const EVERY: u32 = 64;

/// An account among the busiest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Busy {
    /// Which.
    pub account: AccountId,
    /// Samples that certainly were its own.
    pub samples_min: u64,
}

/// The sketch of one home.
#[derive(Debug)]
pub struct Busiest {
    /// Deliveries until the next sample.
    wait: u32,
    /// Where the next distance comes from. Nothing that must not be guessed depends on it.
    dice: u64,
    samples: u64,
    /// At most [`KEPT`]; made with the first sample.
    kept: Vec<Counter>,
}

#[derive(Debug)]
struct Counter {
    account: AccountId,
    count: u64,
    /// Samples of others in `count`, at most.
    others: u64,
}

impl Default for Busiest {
    fn default() -> Self {
        Self { wait: EVERY, dice: 1, samples: 0, kept: Vec::with_capacity(KEPT) }
    }
}

impl Busiest {
    /// One more delivery. Whether it is a sample: then [`Self::note`] is called with whose it is.
    #[inline]
    pub fn is_due(&mut self) -> bool {
        self.wait -= 1;
        self.wait == 0 && self.begin_again()
    }

    /// Between 1 and 127 deliveries until the next sample: 64 on average.
    #[cold]
    fn begin_again(&mut self) -> bool {
        self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.wait = 1 + u32::try_from(self.dice >> 32).expect("half of a u64") % (2 * EVERY - 1);
        true
    }

    /// A sample was this account's.
    pub fn note(&mut self, account: AccountId) {
        self.samples += 1;
        if let Some(counter) = self.kept.iter_mut().find(|counter| counter.account == account) {
            counter.count += 1;
        } else if self.kept.len() < KEPT {
            self.kept.push(Counter { account, count: 1, others: 0 });
        } else if let Some(least) = self.kept.iter_mut().min_by_key(|counter| counter.count) {
            *least = Counter { account, count: least.count + 1, others: least.count };
        }
    }

    /// An account is gone, and its name may be another's.
    pub fn forget(&mut self, account: AccountId) {
        self.kept.retain(|counter| counter.account != account);
    }

    /// Samples so far.
    #[must_use]
    pub const fn samples(&self) -> u64 {
        self.samples
    }

    /// Those that certainly had a sample, busiest first.
    #[must_use]
    pub fn list(&self) -> Vec<Busy> {
        let certain = self.kept.iter().map(|c| Busy { account: c.account, samples_min: c.count - c.others });
        let mut list: Vec<_> = certain.filter(|busy| busy.samples_min > 0).collect();
        list.sort_by_key(|busy| std::cmp::Reverse(busy.samples_min));
        list
    }
}

#[cfg(test)]
mod tests {
    use super::{Busiest, EVERY, KEPT};
    use crate::router::{AccountId, JidHasher, Roster, Shard};
    use crate::stanza::Jid;

    fn accounts(count: usize) -> Vec<AccountId> {
        let mut shard: Shard<u8> = Shard::new(JidHasher::new(1));
        let jid = |n| Jid::parse(&format!("u{n}@d")).unwrap();
        (0..count).map(|n| shard.add_account(jid(n), Roster::default(), false).unwrap()).collect()
    }

    fn deliver(busiest: &mut Busiest, account: AccountId) {
        if busiest.is_due() {
            busiest.note(account);
        }
    }

    #[test]
    fn who_gets_a_fifth_stands_out_among_many() {
        let accounts = accounts(1_000);
        let mut busiest = Busiest::default();
        for n in 0..500_000 {
            let account = if n % 5 == 0 { accounts[7] } else { accounts[n * 31 % 1_000] };
            deliver(&mut busiest, account);
        }
        let list = busiest.list();
        assert_eq!(list[0].account, accounts[7]);
        let share = list[0].samples_min as f64 / busiest.samples() as f64;
        assert!((0.1..0.25).contains(&share), "{share}");
        assert!(list[1..].iter().all(|busy| busy.samples_min < list[0].samples_min / 2), "{list:?}");
    }

    /// Sixty-four accounts in turn: with samples at equal distances one of them would be all that is seen.
    #[test]
    fn a_rhythm_is_not_taken_for_one_account() {
        let accounts = accounts(EVERY as usize);
        let mut busiest = Busiest::default();
        for n in 0..640_000 {
            deliver(&mut busiest, accounts[n % accounts.len()]);
        }
        let (samples, list) = (busiest.samples(), busiest.list());
        assert!((9_000..11_000).contains(&samples), "{samples}");
        assert!(list.iter().all(|busy| busy.samples_min < samples / 16), "{list:?}");
    }

    #[test]
    fn nothing_is_claimed_that_is_not_certain() {
        let accounts = accounts(KEPT + 1);
        let mut busiest = Busiest::default();
        accounts.iter().for_each(|account| busiest.note(*account));
        assert_eq!(busiest.list().len(), KEPT);
        assert!(busiest.list().iter().all(|busy| busy.samples_min == 1));
        busiest.forget(accounts[KEPT]);
        assert!(busiest.list().iter().all(|busy| busy.account != accounts[KEPT]));
    }
}
