//! Which home a bare JID has.
//!
//! This module moves nothing. It answers the one question on which all homes must agree, and they do because they
//! share the seed.

use super::{JidHash, JidHasher};

/// One home of a fleet: a reactor with its shard (DESIGN section 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HomeId(u16);

impl HomeId {
    /// The first home, and the only one of a fleet of one.
    pub const FIRST: Self = Self(0);

    /// The home with this index.
    ///
    /// # Panics
    /// Above 65,535; a fleet has at most [`crate::limits::HOMES_MAX`].
    #[must_use]
    pub fn new(index: usize) -> Self {
        Self(u16::try_from(index).expect("HOMES_MAX fits"))
    }

    /// Index, dense from 0.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// How bare JIDs are spread over the homes of one fleet.
#[derive(Debug, Clone)]
pub struct Homes {
    count: u16,
    hasher: JidHasher,
}

impl Homes {
    /// A fleet of `count` homes.
    ///
    /// # Panics
    /// Without a home, or with more than [`crate::limits::HOMES_MAX`].
    #[must_use]
    pub fn new(count: usize, seed: u64) -> Self {
        assert!((1..=crate::limits::HOMES_MAX).contains(&count), "a fleet has 1 to HOMES_MAX homes");
        Self { count: HomeId::new(count).0, hasher: JidHasher::new(seed) }
    }

    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.count as usize
    }

    /// What all of them hash addresses with.
    #[must_use]
    pub const fn hasher(&self) -> &JidHasher {
        &self.hasher
    }

    /// Home of a prepared bare JID.
    #[must_use]
    pub fn of(&self, bare: &str) -> HomeId {
        if self.count == 1 { HomeId::FIRST } else { self.of_hash(self.hasher.hash(bare)) }
    }

    /// Home of the bare JID that has this hash.
    #[must_use]
    pub fn of_hash(&self, hash: JidHash) -> HomeId {
        // The high half of the product spreads evenly for any count, without a division.
        let scaled = (u128::from(hash.0) * u128::from(self.count)) >> 64;
        HomeId(u16::try_from(scaled).expect("below the count"))
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = HomeId> + use<> {
        (0..self.count).map(HomeId)
    }
}

#[cfg(test)]
mod tests {
    use super::Homes;

    #[test]
    fn names_are_spread_evenly_and_always_the_same() {
        let homes = Homes::new(3, 7);
        let mut counts = [0_u32; 3];
        for n in 0..3_000 {
            let bare = format!("u{n:06}@bench.local");
            let home = homes.of(&bare);
            assert_eq!(home, homes.clone().of(&bare));
            counts[home.index()] += 1;
        }
        assert!(counts.iter().all(|count| (850..1_150).contains(count)), "{counts:?}");
        let other = Homes::new(3, 8);
        assert!((0..100).any(|n| homes.of(&n.to_string()) != other.of(&n.to_string())), "the seed counts");
    }
}
