//! Whom an account has blocked (XEP-0191).
//!
//! What blocking does to a stanza is `delivery`'s and the server's; here is only whether an address is meant.

use std::collections::BTreeSet;

use crate::stanza::{Jid, JidRef};

/// Blocked addresses, prepared, in alphabetical order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Blocklist {
    items: BTreeSet<Jid>,
}

impl Blocklist {
    /// Whether `jid` is meant by an item (§5): itself, its account, or its domain with everybody in it.
    #[must_use]
    pub fn contains(&self, jid: JidRef<'_>) -> bool {
        self.items.contains(jid.as_str())
            || self.items.contains(jid.bare().as_str())
            || (jid.local().is_some() && self.items.contains(jid.domain()))
    }

    /// Whether this very address is on the list.
    #[must_use]
    pub fn has(&self, item: &Jid) -> bool {
        self.items.contains(item)
    }

    /// Adds an item; `false` when it was there.
    pub fn add(&mut self, item: Jid) -> bool {
        self.items.insert(item)
    }

    /// Removes an item; `false` when it was not there.
    pub fn remove(&mut self, item: JidRef<'_>) -> bool {
        self.items.remove(item.as_str())
    }

    /// All items, in alphabetical order.
    pub fn items(&self) -> impl ExactSizeIterator<Item = &Jid> {
        self.items.iter()
    }

    /// Whether nobody is blocked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::Blocklist;
    use crate::stanza::Jid;

    #[test]
    fn what_an_item_means() {
        for (item, meant, others) in [
            ("u@d/r", vec!["u@d/r"], vec!["u@d", "u@d/R", "d", "d/r"]),
            ("u@d", vec!["u@d", "u@d/r", "u@d/d"], vec!["v@d", "d", "u@e", "e/u@d"]),
            ("d/r", vec!["d/r"], vec!["d", "u@d/r", "d/s"]),
            ("d", vec!["d", "d/r", "u@d", "u@d/r"], vec!["e", "u@e/d", "d@e", "sub.d"]),
            ("U@D", vec!["u@d", "u@D/r"], vec!["uu@d"]),
        ] {
            let mut list = Blocklist::default();
            assert!(list.add(Jid::parse(item).unwrap()));
            assert!(!list.add(Jid::parse(item).unwrap()));
            let means = |jid: &&str| list.contains(Jid::parse(jid).unwrap().as_ref());
            assert!(meant.iter().all(means), "{item}: {meant:?}");
            assert!(!others.iter().any(means), "{item}: {others:?}");
            assert!(list.remove(Jid::parse(item).unwrap().as_ref()) && list.is_empty());
        }
    }
}
