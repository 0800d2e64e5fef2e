//! The part of the routing table that one owner holds: accounts and their sessions.
//!
//! A shard decides nothing here (`delivery` does) and is shared with nobody, so nothing in it is locked. No order that
//! can be seen on the wire comes from the index: it is only ever asked for one address.

use std::hint::black_box;

use slab::Slab;

use super::index::Index;
use super::{Account, JidHash, JidHasher, Roster, Session, SessionId, Sink};
use crate::stanza::{Jid, JidRef};

/// Addresses that are looked ahead for at once: what they touch fits the first cache, and a core fetches no more lines at
/// a time.
pub const LOOK_AHEAD: usize = 32;

/// Names one account of one shard; used only while the account is known to exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId(u32);

impl AccountId {
    /// Index, dense from 0: for what an owner keeps beside the account.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Accounts and sessions of one owner. `C` names a connection.
#[derive(Debug)]
pub struct Shard<C> {
    hasher: JidHasher,
    /// Bare JID to account.
    index: Index,
    /// With their sessions inside: from an address to its connection it is two steps in memory, index and account.
    accounts: Slab<Account<C>>,
    session_count: usize,
    /// Accounts that end with their last session.
    temporary_count: usize,
    /// Accounts with a session.
    online_count: usize,
    /// Sessions so far: the next one's generation.
    generation: u32,
    /// Presence stanzas so far: the next one's order.
    presences: u64,
}

impl<C: Copy> Shard<C> {
    /// An empty one. `hasher` is the one that the home was found with.
    #[must_use]
    pub fn new(hasher: JidHasher) -> Self {
        Self {
            hasher,
            index: Index::default(),
            accounts: Slab::new(),
            session_count: 0,
            temporary_count: 0,
            online_count: 0,
            generation: 0,
            presences: 0,
        }
    }

    /// Makes room for more accounts at once.
    pub fn reserve(&mut self, accounts: usize) {
        self.index.reserve(accounts);
        self.accounts.reserve(accounts);
    }

    /// Adds an account under its bare JID; `None` when there is one already.
    pub fn add_account(&mut self, jid: Jid, roster: Roster, temporary: bool) -> Option<AccountId> {
        let hash = self.hash(jid.as_str());
        if self.find_hashed(jid.as_str(), hash).is_some() {
            return None;
        }
        let slot = self.accounts.insert(Account::new(jid, roster, temporary));
        let id = AccountId(u32::try_from(slot).expect("fewer accounts than 2^32"));
        self.index.insert(hash, id.0);
        self.temporary_count += usize::from(temporary);
        Some(id)
    }

    /// Removes an account that has no session.
    pub fn remove_account(&mut self, id: AccountId) {
        let account = self.accounts.remove(id.index());
        assert!(account.sessions.is_empty(), "sessions end before their account");
        let hash = self.hash(account.jid().as_str());
        self.index.remove(hash, id.0);
        self.temporary_count -= usize::from(account.is_temporary());
    }

    /// Hash of a prepared bare JID.
    #[must_use]
    pub fn hash(&self, bare: &str) -> JidHash {
        self.hasher.hash(bare)
    }

    /// The account with this bare JID.
    #[must_use]
    pub fn find(&self, bare: &str) -> Option<AccountId> {
        self.find_hashed(bare, self.hash(bare))
    }

    /// As [`Self::find`], when the hash is known already.
    #[must_use]
    pub fn find_hashed(&self, bare: &str, hash: JidHash) -> Option<AccountId> {
        self.index.find(hash, |slot| self.accounts[slot as usize].is(bare)).map(AccountId)
    }

    /// The account with this address' bare JID, and with its resource the session. For a session that is there one text is
    /// compared, the whole address.
    pub(super) fn find_session(
        &self,
        to: JidRef<'_>,
        hash: JidHash,
    ) -> (Option<AccountId>, Option<&Session<C>>) {
        let mut matched = None;
        let account = self.index.find(hash, |slot| {
            let account = &self.accounts[slot as usize];
            matched = account.sessions.iter().find(|s| s.jid().as_str() == to.as_str());
            matched.is_some() || account.is(to.bare().as_str())
        });
        (account.map(AccountId), matched)
    }

    /// Has the memory fetched that decisions about these addresses read: what one waits for, the others wait for at the same
    /// time. Best for [`LOOK_AHEAD`] at once; nothing is changed.
    pub fn touch(&self, hashes: &[JidHash]) {
        for hashes in hashes.chunks(LOOK_AHEAD) {
            let mut slots = [u32::MAX; LOOK_AHEAD];
            let lines = hashes.iter().map(|hash| self.index.touch(*hash));
            black_box(lines.fold(0, |sum, line| sum ^ line));
            for (hash, slot) in hashes.iter().zip(&mut slots) {
                *slot = self.index.find(*hash, |_| true).unwrap_or(u32::MAX);
            }
            let accounts = || slots.iter().filter_map(|slot| self.accounts.get(*slot as usize));
            black_box(accounts().fold(0, |sum, account| sum ^ account.touch()));
            black_box(accounts().fold(0, |sum, account| sum ^ account.touch_text()));
        }
    }

    /// The same address, sharing the account's copy of it when there is one.
    #[must_use]
    pub fn intern(&self, bare: Jid) -> Jid {
        self.find(bare.as_str()).map_or(bare, |id| self.account(id).jid().clone())
    }

    /// An account.
    #[must_use]
    pub fn account(&self, id: AccountId) -> &Account<C> {
        &self.accounts[id.index()]
    }

    /// An account, to be changed.
    pub fn account_mut(&mut self, id: AccountId) -> &mut Account<C> {
        &mut self.accounts[id.index()]
    }

    /// How many accounts there are.
    #[must_use]
    pub fn account_count(&self) -> usize {
        self.accounts.len()
    }

    /// How many accounts there are that do not end with their last session.
    #[must_use]
    pub fn registered_count(&self) -> usize {
        self.accounts.len() - self.temporary_count
    }

    /// How many accounts have a session.
    #[must_use]
    pub const fn online_count(&self) -> usize {
        self.online_count
    }

    /// All accounts, in an order that says nothing.
    pub fn account_ids(&self) -> impl Iterator<Item = AccountId> {
        self.accounts
            .iter()
            .map(|(slot, _)| AccountId(u32::try_from(slot).expect("fewer accounts than 2^32")))
    }

    /// How many sessions there are.
    #[must_use]
    pub const fn session_count(&self) -> usize {
        self.session_count
    }

    /// Binds a resource: from now on stanzas for its full JID go to `sink`.
    pub fn attach(&mut self, account: AccountId, jid: Jid, sink: Sink<C>) -> SessionId {
        let generation = self.generation;
        self.generation = generation.wrapping_add(1);
        self.session_count += 1;
        let entry = &mut self.accounts[account.index()];
        debug_assert_eq!(
            jid.as_ref().bare().as_str(),
            entry.jid().as_str(),
            "a session has its account's address"
        );
        self.online_count += usize::from(entry.sessions.is_empty());
        let mut session = Session::new(generation, jid, sink);
        session.set_guarded(entry.blocklist().is_some());
        entry.sessions.push(session);
        SessionId { account, generation }
    }

    /// Ends a session; `None` when it has ended before. Telling its contacts is the caller's part.
    pub fn detach(&mut self, id: SessionId) -> Option<Session<C>> {
        let sessions = &mut self.accounts.get_mut(id.account.index())?.sessions;
        let place = sessions.iter().position(|s| s.generation == id.generation)?;
        let session = sessions.remove(place);
        if sessions.len() <= 1 {
            sessions.shrink_to_fit();
        }
        self.online_count -= usize::from(sessions.is_empty());
        self.session_count -= 1;
        Some(session)
    }

    /// A session, unless it has ended.
    #[must_use]
    pub fn session(&self, id: SessionId) -> Option<&Session<C>> {
        let account = self.accounts.get(id.account.index())?;
        account.sessions.iter().find(|s| s.generation == id.generation)
    }

    /// A session, to be changed, unless it has ended.
    pub fn session_mut(&mut self, id: SessionId) -> Option<&mut Session<C>> {
        let account = self.accounts.get_mut(id.account.index())?;
        account.sessions.iter_mut().find(|s| s.generation == id.generation)
    }

    /// Sessions of an account, oldest first.
    pub fn sessions_of(&self, account: AccountId) -> impl Iterator<Item = (SessionId, &Session<C>)> {
        let sessions = self.accounts[account.index()].sessions.iter();
        sessions.map(move |session| (SessionId { account, generation: session.generation }, session))
    }

    /// Calls `change` with each session of an account, oldest first.
    pub fn for_sessions_of(&mut self, account: AccountId, change: impl FnMut(&mut Session<C>)) {
        self.accounts[account.index()].sessions.iter_mut().for_each(change);
    }

    /// The session of an account with this resource.
    #[must_use]
    pub fn resource(&self, account: AccountId, resource: &str) -> Option<(SessionId, &Session<C>)> {
        self.sessions_of(account).find(|(_, s)| s.resource() == resource)
    }

    /// The order of a presence that came in just now ([`super::Available::new`]).
    pub const fn next_presence(&mut self) -> u64 {
        self.presences += 1;
        self.presences
    }
}

#[cfg(test)]
mod tests {
    use super::{Shard, Sink};
    use crate::router::{JidHasher, Roster};
    use crate::stanza::Jid;

    #[test]
    fn a_stale_session_id_reaches_nobody() {
        let mut shard: Shard<u8> = Shard::new(JidHasher::new(1));
        let jid = Jid::parse("u@d").unwrap();
        let account = shard.add_account(jid, Roster::default(), false).unwrap();
        let full = Jid::parse("u@d/r").unwrap();
        let old = shard.attach(account, full.clone(), Sink::Connection(1));
        assert!(shard.detach(old).is_some());
        let new = shard.attach(account, full, Sink::Connection(2));
        assert_ne!(old, new);
        assert!(shard.session(old).is_none());
        assert!(shard.detach(old).is_none());
        assert_eq!(shard.session(new).unwrap().sink(), Sink::Connection(2));
        assert_eq!(shard.resource(account, "r").unwrap().0, new);
        assert!(shard.resource(account, "R").is_none(), "resources are case-sensitive");
    }

    #[test]
    fn accounts_are_found_by_bare_jid_and_share_it() {
        let mut shard: Shard<u8> = Shard::new(JidHasher::new(1));
        let jid = Jid::parse("u@d").unwrap();
        let id = shard.add_account(jid.clone(), Roster::default(), true).unwrap();
        assert!(shard.add_account(jid.clone(), Roster::default(), false).is_none());
        assert_eq!(shard.find("u@d"), Some(id));
        let shared = shard.intern(Jid::parse("u@d").unwrap());
        assert!(std::ptr::eq(shared.as_str(), jid.as_str()));
        shard.remove_account(id);
        assert_eq!(shard.find("u@d"), None);
    }

    #[test]
    fn looking_ahead_is_for_any_number_of_any_addresses() {
        let mut shard: Shard<u8> = Shard::new(JidHasher::new(1));
        let hashes: Vec<_> = (0..100).map(|n| shard.hash(&format!("u{n}@d"))).collect();
        shard.touch(&hashes);
        for n in 0..50 {
            let jid = Jid::parse(&format!("u{n}@d")).unwrap();
            let account = shard.add_account(jid.clone(), Roster::default(), false).unwrap();
            if n % 2 == 0 {
                shard.attach(account, jid.with_resource("r").unwrap(), Sink::Connection(1));
            }
        }
        shard.touch(&hashes);
        shard.touch(&[]);
        assert_eq!((shard.account_count(), shard.session_count()), (50, 25));
    }

    #[test]
    fn accounts_whose_hashes_meet_are_told_apart() {
        // With 2^32 tags, 200,000 accounts meet about five times.
        let mut shard: Shard<u32> = Shard::new(JidHasher::new(1));
        let jid = |n: u32| Jid::parse(&format!("u{n}@d")).unwrap();
        for n in 0..200_000 {
            let account = shard.add_account(jid(n), Roster::default(), false).unwrap();
            if n % 2 == 0 {
                shard.attach(account, jid(n).with_resource("r").unwrap(), Sink::Connection(n));
            }
        }
        for n in 0..200_000 {
            let full = jid(n).with_resource("r").unwrap();
            let (account, session) = shard.find_session(full.as_ref(), shard.hash(jid(n).as_str()));
            assert_eq!(shard.account(account.unwrap()).jid(), &jid(n));
            assert_eq!(session.map(crate::router::Session::jid), (n % 2 == 0).then_some(&full));
            assert_eq!(account, shard.find(jid(n).as_str()));
        }
        assert!(shard.find("u200000@d").is_none());
    }
}
