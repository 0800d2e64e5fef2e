//! A roster in memory (RFC 6121 §2).
//!
//! It writes no XML and knows no pending request of a contact: that one is the account's, because it must not make
//! an item (Appendix A.1, state 3). Items are sorted by address, so that answers are the same in every run.

use super::Subscription;
use crate::stanza::{Jid, JidRef};

/// What few items have; kept apart so that an item without it stays small.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RosterDetails {
    /// Handle (RFC 6121 §2.1.2.4), unescaped; empty when there is none.
    pub name: Box<str>,
    /// Groups (§2.1.2.6), unescaped, none twice.
    pub groups: Vec<Box<str>>,
}

/// One contact: 40 bytes, and the address is shared with the contact's account.
#[derive(Debug, Clone)]
pub struct RosterItem {
    jid: Jid,
    details: Option<Box<RosterDetails>>,
    state: Subscription,
}

/// One account's contacts.
#[derive(Debug, Clone, Default)]
pub struct Roster {
    /// Sorted by address, none twice.
    items: Vec<RosterItem>,
}

impl RosterItem {
    /// The contact's bare JID.
    #[must_use]
    pub const fn jid(&self) -> &Jid {
        &self.jid
    }

    /// State without the contact's request ([`Subscription::without_pending_in`]).
    #[must_use]
    pub const fn state(&self) -> Subscription {
        self.state
    }

    /// Handle, empty when there is none.
    #[must_use]
    pub fn name(&self) -> &str {
        self.details.as_ref().map_or("", |d| &d.name)
    }

    /// Groups.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        self.details.iter().flat_map(|d| d.groups.iter().map(AsRef::as_ref))
    }
}

impl Roster {
    /// From items in any order; of two with one address the first stands.
    #[must_use]
    pub fn from_states(states: impl IntoIterator<Item = (Jid, Subscription)>) -> Self {
        let mut items: Vec<_> = states
            .into_iter()
            .map(|(jid, state)| RosterItem { jid, details: None, state: state.without_pending_in() })
            .collect();
        items.sort_by(|a, b| a.jid.as_str().cmp(b.jid.as_str()));
        items.dedup_by(|b, a| a.jid.as_str() == b.jid.as_str());
        items.shrink_to_fit();
        Self { items }
    }

    /// Contacts, sorted by address.
    pub fn items(&self) -> impl ExactSizeIterator<Item = &RosterItem> {
        self.items.iter()
    }

    /// How many contacts.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is no contact.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The contact with this bare JID.
    #[must_use]
    pub fn get(&self, contact: JidRef<'_>) -> Option<&RosterItem> {
        self.find(contact).ok().map(|index| &self.items[index])
    }

    /// Sets a contact's state; makes the item when there is none.
    pub fn set_state(&mut self, contact: &Jid, state: Subscription) {
        self.item_mut(contact).state = state.without_pending_in();
    }

    /// Sets a contact's handle and groups; makes the item when there is none.
    pub fn set_details(&mut self, contact: &Jid, details: RosterDetails) {
        let details = (details != RosterDetails::default()).then(|| Box::new(details));
        self.item_mut(contact).details = details;
    }

    /// Takes a contact out.
    pub fn remove(&mut self, contact: JidRef<'_>) -> Option<RosterItem> {
        self.find(contact).ok().map(|index| self.items.remove(index))
    }

    fn find(&self, contact: JidRef<'_>) -> Result<usize, usize> {
        self.items.binary_search_by(|item| item.jid.as_str().cmp(contact.as_str()))
    }

    fn item_mut(&mut self, contact: &Jid) -> &mut RosterItem {
        let index = self.find(contact.as_ref()).unwrap_or_else(|index| {
            let item = RosterItem { jid: contact.clone(), details: None, state: Subscription::None };
            self.items.insert(index, item);
            index
        });
        &mut self.items[index]
    }
}

#[cfg(test)]
mod tests;
