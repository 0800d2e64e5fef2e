//! Which connections are open, so that each can be told of the end.
//!
//! It does not know what they do; the hub owns them.

use crate::engine::ConnId;

/// Open connections, by slot: an order that is the same in every run.
#[derive(Debug, Default)]
pub(super) struct Connections {
    generations: Vec<Option<u32>>,
}

impl Connections {
    pub(super) fn add(&mut self, conn: ConnId) {
        let slot = conn.slot as usize;
        if self.generations.len() <= slot {
            self.generations.resize(slot + 1, None);
        }
        let old = self.generations[slot].replace(conn.generation);
        assert!(old.is_none(), "a slot is reused only after its connection's end");
    }

    pub(super) fn remove(&mut self, conn: ConnId) {
        let old = self.generations.get_mut(conn.slot as usize).and_then(Option::take);
        assert_eq!(old, Some(conn.generation), "a connection ends once, after it began");
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = ConnId> {
        self.generations.iter().zip(0..).filter_map(|(generation, slot)| {
            let generation = (*generation)?;
            Some(ConnId { slot, generation })
        })
    }
}
