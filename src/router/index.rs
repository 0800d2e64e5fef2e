//! From the hash of a bare JID to a slot: open addressing in lines of the cache, eight entries each.
//!
//! The index knows no address: where several have one tag it offers each, and its owner compares. An entry is 32 bits of
//! the hash and a slot. The same bits say where the entry belongs, so it can be moved without its hash, and entries are
//! sorted by them (but for what wraps around the end):
//!
//! ```text
//! place(tag) = tag * len / 2^32        an entry stands at its place or right behind a full run from there
//! ```

use super::JidHash;

/// An entry without a slot.
const EMPTY: u32 = u32::MAX;
/// Entries of an index that is not empty, at least.
const ENTRIES_MIN: usize = 8;

#[derive(Debug, Clone, Copy)]
struct Entry {
    tag: u32,
    /// Or [`EMPTY`].
    slot: u32,
}

/// Slots by hash.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// None, or a power of two of which at most three quarters are taken.
    entries: Vec<Entry>,
    taken: usize,
}

impl Index {
    /// Makes room for more at once.
    pub(super) fn reserve(&mut self, more: usize) {
        let wanted = ((self.taken + more) * 4 / 3 + 1).next_power_of_two().max(ENTRIES_MIN);
        if wanted > self.entries.len() {
            let old = std::mem::replace(&mut self.entries, vec![Entry { tag: 0, slot: EMPTY }; wanted]);
            for entry in old.into_iter().filter(|entry| entry.slot != EMPTY) {
                self.place(entry);
            }
        }
    }

    /// Adds a slot that is not there.
    pub(super) fn insert(&mut self, hash: JidHash, slot: u32) {
        assert_ne!(slot, EMPTY, "fewer accounts than 2^32 - 1");
        if (self.taken + 1) * 4 > self.entries.len() * 3 {
            self.reserve(1);
        }
        self.place(Entry { tag: tag(hash), slot });
        self.taken += 1;
    }

    /// Takes out a slot that is there.
    pub(super) fn remove(&mut self, hash: JidHash, slot: u32) {
        let mut hole = self.home(tag(hash));
        while self.entries[hole].slot != slot {
            assert_ne!(self.entries[hole].slot, EMPTY, "the slot is there");
            hole = self.next(hole);
        }
        self.taken -= 1;
        // Whoever stands behind the hole and may stand in it moves there, so that each run stays full.
        let mut at = self.next(hole);
        while self.entries[at].slot != EMPTY {
            if self.distance(self.home(self.entries[at].tag), at) >= self.distance(hole, at) {
                self.entries[hole] = self.entries[at];
                hole = at;
            }
            at = self.next(at);
        }
        self.entries[hole].slot = EMPTY;
    }

    /// The slot of this hash that `is_it` takes.
    pub(super) fn find(&self, hash: JidHash, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        if self.entries.is_empty() {
            return None;
        }
        let tag = tag(hash);
        let mut at = self.home(tag);
        loop {
            let entry = self.entries[at];
            if entry.slot == EMPTY {
                return None;
            }
            if entry.tag == tag && is_it(entry.slot) {
                return Some(entry.slot);
            }
            at = self.next(at);
        }
    }

    /// What stands where this hash belongs. No branch waits for the answer, so several are fetched at once.
    pub(super) fn touch(&self, hash: JidHash) -> u32 {
        self.entries.get(self.home(tag(hash))).map_or(EMPTY, |entry| entry.slot)
    }

    fn place(&mut self, entry: Entry) {
        let mut at = self.home(entry.tag);
        while self.entries[at].slot != EMPTY {
            at = self.next(at);
        }
        self.entries[at] = entry;
    }

    /// Where a tag belongs.
    fn home(&self, tag: u32) -> usize {
        let scaled = (u64::from(tag) * self.entries.len() as u64) >> 32;
        usize::try_from(scaled).expect("below the length")
    }

    fn next(&self, at: usize) -> usize {
        (at + 1) & (self.entries.len() - 1)
    }

    /// Steps from one place to another.
    fn distance(&self, from: usize, to: usize) -> usize {
        to.wrapping_sub(from) & (self.entries.len() - 1)
    }
}

/// The low half: the high one has named the home, so it is not evenly spread in one.
fn tag(hash: JidHash) -> u32 {
    (hash.0 & 0xffff_ffff) as u32
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::Index;
    use crate::router::{JidHash, JidHasher};

    fn found(index: &Index, hash: JidHash, slot: u32) -> bool {
        index.find(hash, |s| s == slot) == Some(slot)
    }

    /// Beside a plain map, with so few tags that runs are long, meet, and wrap around the end.
    #[test]
    fn it_holds_what_was_put_in_and_not_taken_out() {
        let random = JidHasher::new(1);
        let mut index = Index::default();
        let mut all: BTreeMap<u32, JidHash> = BTreeMap::new();
        for n in 0..20_000_u32 {
            let JidHash(bits) = random.hash(&n.to_string());
            let slot = (bits >> 32) as u32 % 512;
            // The last of 2^32 tags are the end of the table, whatever its length.
            let hash = JidHash(u64::from(u32::MAX - (bits % 64) as u32 * 0x0100_0000));
            match all.remove(&slot) {
                Some(hash) => index.remove(hash, slot),
                None => {
                    index.insert(hash, slot);
                    all.insert(slot, hash);
                }
            }
            if n % 64 == 0 {
                assert_eq!(index.taken, all.len());
                assert!(all.iter().all(|(slot, hash)| found(&index, *hash, *slot)), "{n}");
                let gone = (0..512).filter(|slot| !all.contains_key(slot));
                assert!(gone.into_iter().all(|slot| !found(&index, hash, slot)), "{n}");
            }
        }
        for (slot, hash) in all {
            index.remove(hash, slot);
        }
        assert!(index.entries.iter().all(|entry| entry.slot == super::EMPTY));
    }

    #[test]
    fn an_empty_one_has_nothing() {
        let index = Index::default();
        assert_eq!(index.find(JidHash(7), |_| true), None);
        assert_eq!(index.touch(JidHash(7)), super::EMPTY);
    }
}
