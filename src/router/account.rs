//! What a home keeps of one of its bare JIDs.
//!
//! Credentials are not here: the router does not log anybody in.

use smallvec::SmallVec;

use super::{Blocklist, LastSeen, Offline, PrivateStorage, Roster, Session, Subscription};
use crate::limits::{SUBSCRIBE_REQUEST_BYTES_PER_ACCOUNT_MAX, SUBSCRIBE_REQUESTS_PER_ACCOUNT_MAX};
use crate::stanza::{Jid, JidRef, Stanza};

/// A contact's request that the user has not answered (RFC 6121 §3.1.3, rule 4).
#[derive(Debug, Clone)]
pub struct PendingRequest {
    /// The contact's bare JID.
    pub contact: Jid,
    /// The complete stanza, in bytes of its own.
    pub stanza: Stanza,
}

/// One account: two lines of the cache. The first one is its session, if it has only one, so that a decision about it reads
/// no more; of two and more a heap block is.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Account<C> {
    /// Oldest first; at most `RESOURCES_PER_ACCOUNT_MAX`.
    pub(super) sessions: SmallVec<[Session<C>; 1]>,
    jid: Jid,
    /// Contacts.
    pub(super) roster: Roster,
    /// What few accounts have: 8 bytes for the others.
    rare: Option<Box<Rare>>,
}

/// What few accounts have.
#[derive(Debug, Default)]
struct Rare {
    /// Requests of contacts, oldest first. An entry is the "Pending In" of Appendix A.1, and its only record.
    pending: Vec<PendingRequest>,
    /// Messages that wait.
    offline: Offline,
    /// Ends with its last session (ANONYMOUS, XEP-0175).
    temporary: bool,
    /// Cleared while it is connected.
    last_seen: Option<LastSeen>,
    /// XEP-0049; not there when empty.
    private: Option<Box<PrivateStorage>>,
    /// XEP-0054, as text.
    vcard: Option<Box<str>>,
    /// XEP-0191; not there when empty.
    blocklist: Option<Box<Blocklist>>,
}

impl Rare {
    /// Whether it says nothing that its absence would not say.
    fn is_default(&self) -> bool {
        let Self { pending, offline, temporary, last_seen, private, vcard, blocklist } = self;
        let is_bare = pending.is_empty() && offline.is_empty() && !*temporary && last_seen.is_none();
        is_bare && private.is_none() && vcard.is_none() && blocklist.is_none()
    }
}

impl<C: Copy> Account<C> {
    pub(super) fn new(jid: Jid, roster: Roster, temporary: bool) -> Self {
        let rare = temporary.then(|| Box::new(Rare { temporary, ..Rare::default() }));
        Self { sessions: SmallVec::new_const(), jid, roster, rare }
    }

    /// Whether this is the account's address. A session's says so too, and is on the line that is needed anyway.
    pub(super) fn is(&self, bare: &str) -> bool {
        match self.sessions.first() {
            Some(session) => session.jid().as_ref().bare().as_str() == bare,
            None => self.jid.as_str() == bare,
        }
    }

    /// Reads what a decision about this account reads of it first.
    pub(super) fn touch(&self) -> usize {
        self.sessions.first().map_or(self.jid.as_str().len(), |session| session.jid().as_str().len())
    }

    /// Reads the text that [`Self::is`] compares.
    pub(super) fn touch_text(&self) -> u8 {
        let jid = self.sessions.first().map_or(&self.jid, Session::jid).as_str().as_bytes();
        jid[0] ^ jid[jid.len() - 1]
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
    pub fn is_temporary(&self) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.temporary)
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
        self.rare.as_ref().map_or(&[], |rare| &rare.pending)
    }

    /// Keeps a contact's request. `false`: there are too many already, or too long ones.
    pub fn add_pending(&mut self, request: PendingRequest) -> bool {
        let len = |request: &PendingRequest| request.stanza.element().bytes.len();
        let bytes = self.pending().iter().map(len).sum::<usize>() + len(&request);
        if self.pending().len() >= SUBSCRIBE_REQUESTS_PER_ACCOUNT_MAX
            || bytes > SUBSCRIBE_REQUEST_BYTES_PER_ACCOUNT_MAX
        {
            return false;
        }
        self.restore_pending(request);
        true
    }

    /// Puts in a contact's request as a store had it: what was accepted once stays.
    pub fn restore_pending(&mut self, request: PendingRequest) {
        self.rare.get_or_insert_default().pending.push(request);
    }

    /// Forgets a contact's request: it was answered or withdrawn.
    pub fn remove_pending(&mut self, contact: JidRef<'_>) {
        let Some(rare) = &mut self.rare else { return };
        rare.pending.retain(|p| p.contact.as_str() != contact.as_str());
        self.rare.take_if(|rare| rare.is_default());
    }

    /// Messages that wait, if any ever did.
    #[must_use]
    pub fn offline(&self) -> Option<&Offline> {
        self.rare.as_ref().map(|rare| &rare.offline)
    }

    /// Messages that wait, to be changed.
    pub fn offline_mut(&mut self) -> &mut Offline {
        &mut self.rare.get_or_insert_default().offline
    }

    /// Gives memory back when no message waits any more.
    pub fn drop_offline_if_empty(&mut self) {
        self.rare.take_if(|rare| rare.is_default());
    }

    /// When it was last there; `None` while it is, and if it has never been.
    #[must_use]
    pub fn last_seen(&self) -> Option<&LastSeen> {
        self.rare.as_ref()?.last_seen.as_ref()
    }

    /// Remembers when it was last there, or forgets it.
    pub fn set_last_seen(&mut self, last_seen: Option<LastSeen>) {
        if last_seen.is_some() || self.rare.is_some() {
            self.edit_rare(|rare| rare.last_seen = last_seen);
        }
    }

    /// Its private XML (XEP-0049), if it has any.
    #[must_use]
    pub fn private(&self) -> Option<&PrivateStorage> {
        self.rare.as_ref()?.private.as_deref()
    }

    /// Replaces its private XML.
    pub fn set_private(&mut self, private: PrivateStorage) {
        let private = (!private.items().is_empty()).then(|| Box::new(private));
        self.edit_rare(|rare| rare.private = private);
    }

    /// Its vCard (XEP-0054): one element, complete in itself.
    #[must_use]
    pub fn vcard(&self) -> Option<&str> {
        self.rare.as_ref()?.vcard.as_deref()
    }

    /// Replaces its vCard.
    pub fn set_vcard(&mut self, vcard: Option<Box<str>>) {
        self.edit_rare(|rare| rare.vcard = vcard);
    }

    /// Whom it has blocked (XEP-0191), if anybody.
    #[must_use]
    pub fn blocklist(&self) -> Option<&Blocklist> {
        self.rare.as_ref()?.blocklist.as_deref()
    }

    /// Replaces the list of whom it has blocked.
    pub fn set_blocklist(&mut self, blocklist: Blocklist) {
        let blocklist = (!blocklist.is_empty()).then(|| Box::new(blocklist));
        let is_guarded = blocklist.is_some();
        self.edit_rare(|rare| rare.blocklist = blocklist);
        self.sessions.iter_mut().for_each(|session| session.set_guarded(is_guarded));
    }

    /// Whether it may have blocked somebody. A session says so too, and is on the line that is needed anyway.
    #[must_use]
    pub fn is_guarded(&self) -> bool {
        self.sessions.first().map_or_else(|| self.rare.is_some(), Session::is_guarded)
    }

    /// Whether it has blocked `entity`.
    #[must_use]
    pub fn blocks(&self, entity: JidRef<'_>) -> bool {
        self.is_guarded()
            && self.blocklist().is_some_and(|list| list.contains(entity))
            && !self.is_unblockable(entity)
    }

    /// Whether it has blocked the sender of a stamped stanza.
    #[must_use]
    pub fn blocks_sender(&self, stanza: &Stanza) -> bool {
        self.is_guarded()
            && self.blocklist().is_some()
            && stanza
                .from()
                .map(JidRef::parse_attr)
                .is_some_and(|from| from.is_ok_and(|from| self.blocks(from.jid())))
    }

    /// Whether no list stops it: the account's own resources (XEP-0191 §5) and its server.
    #[must_use]
    pub fn is_unblockable(&self, entity: JidRef<'_>) -> bool {
        let own = self.jid.as_ref();
        entity.bare().as_str() == own.as_str()
            || (entity.local().is_none() && entity.domain() == own.domain())
    }

    /// Changes what few accounts have; what is left empty is freed.
    fn edit_rare<T>(&mut self, edit: impl FnOnce(&mut Rare) -> T) -> T {
        let result = edit(self.rare.get_or_insert_default());
        self.rare.take_if(|rare| rare.is_default());
        result
    }
}

#[cfg(test)]
mod tests {
    use super::Account;

    /// For names of connections that are as long as the engine's.
    #[test]
    fn an_account_with_one_session_is_two_lines() {
        assert_eq!(size_of::<Account<(u32, u32)>>(), 128);
        assert_eq!(size_of::<Option<Account<(u32, u32)>>>(), 128, "no byte for whether a place is taken");
    }
}
