//! A roster in memory, and what changed in it when (RFC 6121 §2).
//!
//! It writes no XML and knows no pending request of a contact: that one is the account's, because it must not make
//! an item (Appendix A.1, state 3). Items are sorted by address, so that answers are the same in every run.
//!
//! Every change has a version, counted from 1 (§2.6): an item knows the one that changed it last, and the newest
//! [`ROSTER_REMOVALS_MAX`] removals are remembered.

use super::Subscription;
use crate::limits::{ROSTER_BYTES_MAX, ROSTER_ITEMS_MAX, ROSTER_REMOVALS_MAX};
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
    /// The version that changed it last.
    version: u32,
    state: Subscription,
    approved: bool,
}

/// One account's contacts.
#[derive(Debug, Clone, Default)]
pub struct Roster {
    /// Sorted by address, none twice.
    items: Vec<RosterItem>,
    /// None as long as nothing has changed: most rosters of a busy server are only read.
    history: Option<Box<History>>,
}

/// What is remembered of a roster's changes.
#[derive(Debug, Clone, Default)]
struct History {
    /// Changes so far.
    version: u32,
    /// Version and address of contacts that were removed, oldest first.
    removals: Vec<(u32, Jid)>,
    /// The newest removal that was forgotten: what was known before it cannot be brought up to date.
    forgotten: u32,
}

/// One difference between two versions of a roster.
#[derive(Debug, Clone, Copy)]
pub enum RosterChange<'r> {
    /// The item is new, or is now like this.
    Item(&'r RosterItem),
    /// The contact was removed.
    Removed(&'r Jid),
}

/// What an item takes beside its texts when it is sent, and each group of it.
const ITEM_BYTES: usize = 64;
const GROUP_BYTES: usize = 15;

/// Bytes of an item as it is sent, about: nothing is escaped.
fn item_bytes(contact: JidRef<'_>, details: Option<&RosterDetails>) -> usize {
    let groups =
        |details: &RosterDetails| details.groups.iter().map(|g| GROUP_BYTES + g.len()).sum::<usize>();
    ITEM_BYTES + contact.as_str().len() + details.map_or(0, |details| details.name.len() + groups(details))
}

impl RosterItem {
    fn bytes(&self) -> usize {
        item_bytes(self.jid.as_ref(), self.details.as_deref())
    }

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

    /// Whether a request of the contact is approved before it is made (§3.4).
    #[must_use]
    pub const fn is_approved(&self) -> bool {
        self.approved
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
            .map(|(jid, state)| RosterItem {
                jid,
                details: None,
                version: 0,
                state: state.without_pending_in(),
                approved: false,
            })
            .collect();
        items.sort_by(|a, b| a.jid.as_str().cmp(b.jid.as_str()));
        items.dedup_by(|b, a| a.jid.as_str() == b.jid.as_str());
        items.shrink_to_fit();
        Self { items, history: None }
    }

    /// Puts in a contact as a store had it. No change: this is where the roster begins.
    pub fn restore(&mut self, contact: Jid, details: RosterDetails, state: Subscription, approved: bool) {
        let details = (details != RosterDetails::default()).then(|| Box::new(details));
        let state = state.without_pending_in();
        if let Err(index) = self.find(contact.as_ref()) {
            self.items.insert(index, RosterItem { jid: contact, details, version: 0, state, approved });
        }
    }

    /// How often it was changed.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.history.as_ref().map_or(0, |history| history.version)
    }

    /// What is different from what `version` was, oldest change first, with the version of each (§2.6.3). `None`: this
    /// roster never had that version, or what was removed since is forgotten.
    #[must_use]
    pub fn changes_since(&self, version: u32) -> Option<Vec<(u32, RosterChange<'_>)>> {
        let forgotten = self.history.as_ref().map_or(0, |history| history.forgotten);
        if version > self.version() || version < forgotten {
            return None;
        }
        let items = self.items.iter().map(|item| (item.version, RosterChange::Item(item)));
        let removals = self.history.iter().flat_map(|history| &history.removals);
        let removals = removals.map(|(version, jid)| (*version, RosterChange::Removed(jid)));
        let mut changes: Vec<_> = items.chain(removals).filter(|(changed, _)| *changed > version).collect();
        changes.sort_unstable_by_key(|(changed, _)| *changed);
        Some(changes)
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

    /// Whether a contact may have these details in place of what it has now: the roster is not too long then, or at least
    /// not longer than before.
    #[must_use]
    pub fn has_room_for(&self, contact: JidRef<'_>, details: &RosterDetails) -> bool {
        let bytes = item_bytes(contact, Some(details));
        let others = || self.items().map(RosterItem::bytes).sum::<usize>();
        match self.get(contact) {
            Some(old) => bytes <= old.bytes() || others() - old.bytes() + bytes <= ROSTER_BYTES_MAX,
            None => self.len() < ROSTER_ITEMS_MAX && others() + bytes <= ROSTER_BYTES_MAX,
        }
    }

    /// Sets a contact's state; makes the item when there is none. Who is subscribed needs no approval any more.
    pub fn set_state(&mut self, contact: &Jid, state: Subscription) {
        let item = self.changed(contact);
        item.state = state.without_pending_in();
        item.approved &= !state.has_from();
    }

    /// Sets a contact's handle and groups; makes the item when there is none.
    pub fn set_details(&mut self, contact: &Jid, details: RosterDetails) {
        let details = (details != RosterDetails::default()).then(|| Box::new(details));
        self.changed(contact).details = details;
    }

    /// Approves a contact's request before it is made, or takes that back (§3.4); makes the item when there is none.
    pub fn set_approved(&mut self, contact: &Jid, approved: bool) {
        self.changed(contact).approved = approved;
    }

    /// Takes a contact out.
    pub fn remove(&mut self, contact: JidRef<'_>) -> Option<RosterItem> {
        let index = self.find(contact).ok()?;
        let item = self.items.remove(index);
        let history = self.history.get_or_insert_default();
        history.version += 1;
        if history.removals.len() >= ROSTER_REMOVALS_MAX {
            history.forgotten = history.removals.remove(0).0;
        }
        history.removals.push((history.version, item.jid.clone()));
        Some(item)
    }

    fn find(&self, contact: JidRef<'_>) -> Result<usize, usize> {
        self.items.binary_search_by(|item| item.jid.as_str().cmp(contact.as_str()))
    }

    /// A contact's item, made when there is none, marked as changed now.
    fn changed(&mut self, contact: &Jid) -> &mut RosterItem {
        let index = self.find(contact.as_ref());
        let history = self.history.get_or_insert_default();
        history.version += 1;
        let index = index.unwrap_or_else(|index| {
            history.removals.retain(|(_, jid)| jid.as_str() != contact.as_str());
            let (state, approved) = (Subscription::None, false);
            let item = RosterItem { jid: contact.clone(), details: None, version: 0, state, approved };
            self.items.insert(index, item);
            index
        });
        let item = &mut self.items[index];
        item.version = history.version;
        item
    }
}

#[cfg(test)]
mod tests;
