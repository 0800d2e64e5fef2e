//! The part of the routing table that one owner holds: accounts and their sessions.
//!
//! A shard decides nothing here (`delivery` does) and is shared with nobody, so nothing in it is locked. No order that
//! can be seen on the wire comes from the hash map: it is only ever asked for one key.

use std::collections::HashMap;

use foldhash::quality::RandomState;
use slab::Slab;

use super::{Account, Roster, Session, SessionId, Sink};
use crate::stanza::Jid;

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
    /// Bare JID to account. Seeded per process: peers choose the keys.
    by_jid: HashMap<Jid, AccountId, RandomState>,
    accounts: Slab<Account>,
    sessions: Slab<Session<C>>,
    /// Sessions so far: the next one's generation.
    generation: u32,
    /// Presence stanzas so far: the next one's order.
    presences: u64,
}

impl<C> Default for Shard<C> {
    fn default() -> Self {
        Self {
            by_jid: HashMap::default(),
            accounts: Slab::new(),
            sessions: Slab::new(),
            generation: 0,
            presences: 0,
        }
    }
}

impl<C: Copy> Shard<C> {
    /// Makes room for more accounts at once.
    pub fn reserve(&mut self, accounts: usize) {
        self.by_jid.reserve(accounts);
        self.accounts.reserve(accounts);
    }

    /// Adds an account under its bare JID; `None` when there is one already.
    pub fn add_account(&mut self, jid: Jid, roster: Roster, temporary: bool) -> Option<AccountId> {
        if self.by_jid.contains_key(jid.as_str()) {
            return None;
        }
        let slot = self.accounts.insert(Account::new(jid.clone(), roster, temporary));
        let id = AccountId(u32::try_from(slot).expect("fewer accounts than 2^32"));
        self.by_jid.insert(jid, id);
        Some(id)
    }

    /// Removes an account that has no session.
    pub fn remove_account(&mut self, id: AccountId) {
        let account = self.accounts.remove(id.index());
        assert!(account.sessions.is_empty(), "sessions end before their account");
        self.by_jid.remove(account.jid().as_str());
    }

    /// The account with this bare JID.
    #[must_use]
    pub fn find(&self, bare: &str) -> Option<AccountId> {
        self.by_jid.get(bare).copied()
    }

    /// The same address, sharing the account's copy of it when there is one.
    #[must_use]
    pub fn intern(&self, bare: Jid) -> Jid {
        self.by_jid.get_key_value(bare.as_str()).map(|(jid, _)| jid.clone()).unwrap_or(bare)
    }

    /// An account.
    #[must_use]
    pub fn account(&self, id: AccountId) -> &Account {
        &self.accounts[id.index()]
    }

    /// An account, to be changed.
    pub fn account_mut(&mut self, id: AccountId) -> &mut Account {
        &mut self.accounts[id.index()]
    }

    /// How many accounts there are.
    #[must_use]
    pub fn account_count(&self) -> usize {
        self.accounts.len()
    }

    /// How many sessions there are.
    #[must_use]
    pub fn session_count(&self) -> usize {
        self.sessions.len()
    }

    /// Binds a resource: from now on stanzas for its full JID go to `sink`.
    pub fn attach(&mut self, account: AccountId, jid: Jid, sink: Sink<C>) -> SessionId {
        let generation = self.generation;
        self.generation = generation.wrapping_add(1);
        let slot = self.sessions.insert(Session::new(account, generation, jid, sink));
        let slot = u32::try_from(slot).expect("fewer sessions than 2^32");
        self.accounts[account.index()].sessions.push(slot);
        SessionId { slot, generation }
    }

    /// Ends a session; `None` when it has ended before. Telling its contacts is the caller's part.
    pub fn detach(&mut self, id: SessionId) -> Option<Session<C>> {
        self.session(id)?;
        let session = self.sessions.remove(id.slot as usize);
        let sessions = &mut self.accounts[session.account().index()].sessions;
        sessions.retain(|slot| *slot != id.slot);
        if sessions.is_empty() {
            sessions.shrink_to_fit();
        }
        Some(session)
    }

    /// A session, unless it has ended.
    #[must_use]
    pub fn session(&self, id: SessionId) -> Option<&Session<C>> {
        self.sessions.get(id.slot as usize).filter(|s| s.generation == id.generation)
    }

    /// A session, to be changed, unless it has ended.
    pub fn session_mut(&mut self, id: SessionId) -> Option<&mut Session<C>> {
        self.sessions.get_mut(id.slot as usize).filter(|s| s.generation == id.generation)
    }

    /// Sessions of an account, oldest first.
    pub fn sessions_of(&self, account: AccountId) -> impl Iterator<Item = (SessionId, &Session<C>)> {
        self.accounts[account.index()].sessions.iter().map(|slot| {
            let session = &self.sessions[*slot as usize];
            (SessionId { slot: *slot, generation: session.generation }, session)
        })
    }

    /// Calls `change` with each session of an account, oldest first.
    pub fn for_sessions_of(&mut self, account: AccountId, mut change: impl FnMut(&mut Session<C>)) {
        for slot in &self.accounts[account.index()].sessions {
            change(&mut self.sessions[*slot as usize]);
        }
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
    use crate::router::Roster;
    use crate::stanza::Jid;

    #[test]
    fn a_stale_session_id_reaches_nobody() {
        let mut shard: Shard<u8> = Shard::default();
        let jid = Jid::parse("u@d").unwrap();
        let account = shard.add_account(jid, Roster::default(), false).unwrap();
        let full = Jid::parse("u@d/r").unwrap();
        let old = shard.attach(account, full.clone(), Sink::Connection(1));
        assert!(shard.detach(old).is_some());
        let new = shard.attach(account, full, Sink::Connection(2));
        assert_eq!(old.slot, new.slot, "the slab reuses the slot");
        assert!(shard.session(old).is_none());
        assert!(shard.detach(old).is_none());
        assert_eq!(shard.session(new).unwrap().sink(), Sink::Connection(2));
        assert_eq!(shard.resource(account, "r").unwrap().0, new);
        assert!(shard.resource(account, "R").is_none(), "resources are case-sensitive");
    }

    #[test]
    fn accounts_are_found_by_bare_jid_and_share_it() {
        let mut shard: Shard<u8> = Shard::default();
        let jid = Jid::parse("u@d").unwrap();
        let id = shard.add_account(jid.clone(), Roster::default(), true).unwrap();
        assert!(shard.add_account(jid.clone(), Roster::default(), false).is_none());
        assert_eq!(shard.find("u@d"), Some(id));
        let shared = shard.intern(Jid::parse("u@d").unwrap());
        assert!(std::ptr::eq(shared.as_str(), jid.as_str()));
        shard.remove_account(id);
        assert_eq!(shard.find("u@d"), None);
    }
}
