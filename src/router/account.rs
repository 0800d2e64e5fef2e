//! What a home keeps of one of its bare JIDs.
//!
//! Credentials are not here: the router does not log anybody in.

use smallvec::SmallVec;

use super::{Roster, Subscription};
use crate::limits::SUBSCRIBE_REQUESTS_PER_ACCOUNT_MAX;
use crate::stanza::{Jid, JidRef, Stanza};

/// A contact's request that the user has not answered (RFC 6121 §3.1.3, rule 4).
#[derive(Debug, Clone)]
pub struct PendingRequest {
    /// The contact's bare JID.
    pub contact: Jid,
    /// The complete stanza, in bytes of its own.
    pub stanza: Stanza,
}

/// One account.
#[derive(Debug)]
pub struct Account {
    jid: Jid,
    /// Contacts.
    pub(super) roster: Roster,
    /// Slots of its sessions, oldest first; at most `RESOURCES_PER_ACCOUNT_MAX`.
    ///
    /// Up to four are in place: no larger than a `Vec`, and a lookup misses the cache once less.
    pub(super) sessions: SmallVec<[u32; 4]>,
    /// Requests of contacts, oldest first. An entry is the "Pending In" of Appendix A.1, and its only record.
    #[expect(clippy::box_collection, reason = "few accounts have any: 8 bytes for the others, not 24")]
    pending: Option<Box<Vec<PendingRequest>>>,
    /// Ends with its last session (ANONYMOUS, XEP-0175).
    temporary: bool,
}

impl Account {
    pub(super) const fn new(jid: Jid, roster: Roster, temporary: bool) -> Self {
        Self { jid, roster, sessions: SmallVec::new_const(), pending: None, temporary }
    }

    /// Bare JID.
    #[must_use]
    pub const fn jid(&self) -> &Jid {
        &self.jid
    }

    /// Contacts.
    #[must_use]
    pub const fn roster(&self) -> &Roster {
        &self.roster
    }

    /// Contacts, to be changed.
    pub const fn roster_mut(&mut self) -> &mut Roster {
        &mut self.roster
    }

    /// Whether it ends with its last session.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        self.temporary
    }

    /// How many resources are connected.
    #[must_use]
    pub fn session_count(&self) -> usize {
        self.sessions.len()
    }

    /// State towards a contact (bare JID): its roster item, and whether it waits for an answer.
    #[must_use]
    pub fn subscription(&self, contact: JidRef<'_>) -> Subscription {
        let state = self.roster.get(contact).map_or(Subscription::None, super::RosterItem::state);
        if self.pending().iter().any(|p| p.contact.as_str() == contact.as_str()) {
            state.with_pending_in()
        } else {
            state
        }
    }

    /// Whether `entity` may know this account's presence: a subscriber (RFC 6121 §3), or the account itself (§4.2.2).
    #[must_use]
    pub fn shows_presence_to(&self, entity: JidRef<'_>) -> bool {
        let bare = entity.bare();
        bare.as_str() == self.jid.as_str() || self.roster.get(bare).is_some_and(|i| i.state().has_from())
    }

    /// Requests of contacts, oldest first.
    #[must_use]
    pub fn pending(&self) -> &[PendingRequest] {
        self.pending.as_deref().map_or(&[], Vec::as_slice)
    }

    /// Keeps a contact's request. `false`: there are too many already.
    pub fn add_pending(&mut self, request: PendingRequest) -> bool {
        let pending = self.pending.get_or_insert_default();
        if pending.len() >= SUBSCRIBE_REQUESTS_PER_ACCOUNT_MAX {
            return false;
        }
        pending.push(request);
        true
    }

    /// Forgets a contact's request: it was answered or withdrawn.
    pub fn remove_pending(&mut self, contact: JidRef<'_>) {
        let Some(pending) = &mut self.pending else { return };
        pending.retain(|p| p.contact.as_str() != contact.as_str());
        if pending.is_empty() {
            self.pending = None;
        }
    }
}
