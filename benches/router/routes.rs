//! Three tables that know where an address is connected: our shard, and two maps that all threads share.
//!
//! The maps hold what a router without homes would ask: bare JID to account, and full JID to connection. They hold no
//! presence, so who decides by it (RFC 6121 §8.5) would still have to look elsewhere.

use bytes::Bytes;
use foldhash::quality::RandomState;
use xmpp_bench::router::{Available, JidHasher, Roster, SessionId, Shard, Sink};
use xmpp_bench::stanza::{Jid, JidRef, Stanza};

use super::population::Part;

/// What a table is asked, by one thread.
pub(crate) trait Routes: Send {
    /// Names a session that was bound.
    type Bound: Send;

    /// The account with this bare JID, which exists.
    fn account(&self, bare: &str) -> u32;
    /// The connection of this full JID, which is bound.
    fn connection(&self, full: JidRef<'_>) -> u32;
    /// Binds a resource of an account.
    fn bind(&mut self, full: JidRef<'static>, connection: u32) -> Self::Bound;
    /// Ends a session.
    fn unbind(&mut self, bound: Self::Bound);
}

/// One home. `u32` names a connection.
pub(crate) type Home = Shard<u32>;

/// A shard with these accounts, and an available session of each.
pub(crate) fn home(part: &Part) -> Home {
    let mut shard = Shard::new(JidHasher::new(1));
    shard.reserve(part.accounts.len());
    for jid in &part.accounts {
        shard.add_account(jid.clone(), Roster::default(), false).expect("each address once");
    }
    for (connection, full) in (0..).zip(&part.online) {
        let id = shard.bind(*full, connection);
        let presence = Stanza::from_own(Bytes::from(format!("<presence from='{full}'/>")));
        let available = Available::new(&presence, 0, shard.next_presence());
        shard.session_mut(id).expect("just bound").set_available(available);
    }
    shard
}

impl Routes for Home {
    type Bound = SessionId;

    fn account(&self, bare: &str) -> u32 {
        u32::try_from(self.find(bare).expect("it exists").index()).expect("fewer than 2^32")
    }

    fn connection(&self, full: JidRef<'_>) -> u32 {
        let account = self.find(full.bare().as_str()).expect("it exists");
        let resource = full.resource().expect("it is full");
        let Sink::Connection(connection) = self.resource(account, resource).expect("it is bound").1.sink();
        connection
    }

    fn bind(&mut self, full: JidRef<'static>, connection: u32) -> SessionId {
        let account = self.find(full.bare().as_str()).expect("it exists");
        self.attach(account, full.to_jid(), Sink::Connection(connection))
    }

    fn unbind(&mut self, bound: SessionId) {
        self.detach(bound).expect("it is bound");
    }
}

/// A map that many threads may use at once.
pub(crate) trait Map: Send + Sync {
    /// An empty one.
    fn with_room(entries: usize) -> Self;
    /// Adds an entry that is not there.
    fn put(&self, jid: Jid, value: u32);
    /// An entry that is there.
    fn value(&self, jid: &str) -> u32;
    /// Removes an entry that is there.
    fn take(&self, jid: &str);
}

/// One table for all threads.
#[derive(Debug)]
pub(crate) struct Shared<M> {
    accounts: M,
    sessions: M,
}

impl<M: Map> Shared<M> {
    /// A table with these accounts, and a session of each.
    pub(crate) fn new(part: &Part) -> Self {
        let shared =
            Self { accounts: M::with_room(part.accounts.len()), sessions: M::with_room(part.online.len()) };
        (0..).zip(&part.accounts).for_each(|(n, jid)| shared.accounts.put(jid.clone(), n));
        (0..).zip(&part.online).for_each(|(n, jid)| shared.sessions.put(jid.to_jid(), n));
        shared
    }
}

impl<M: Map> Routes for &Shared<M> {
    type Bound = JidRef<'static>;

    fn account(&self, bare: &str) -> u32 {
        self.accounts.value(bare)
    }

    fn connection(&self, full: JidRef<'_>) -> u32 {
        self.sessions.value(full.as_str())
    }

    fn bind(&mut self, full: JidRef<'static>, connection: u32) -> JidRef<'static> {
        self.sessions.put(full.to_jid(), connection);
        full
    }

    fn unbind(&mut self, bound: JidRef<'static>) {
        self.sessions.take(bound.as_str());
    }
}

pub(crate) type Papaya = papaya::HashMap<Jid, u32, RandomState>;

impl Map for Papaya {
    fn with_room(entries: usize) -> Self {
        Self::with_capacity_and_hasher(entries, RandomState::default())
    }

    fn put(&self, jid: Jid, value: u32) {
        assert!(self.pin().insert(jid, value).is_none());
    }

    fn value(&self, jid: &str) -> u32 {
        *self.pin().get(jid).expect("it is there")
    }

    fn take(&self, jid: &str) {
        self.pin().remove(jid).expect("it is there");
    }
}

pub(crate) type DashMap = dashmap::DashMap<Jid, u32, RandomState>;

impl Map for DashMap {
    fn with_room(entries: usize) -> Self {
        Self::with_capacity_and_hasher(entries, RandomState::default())
    }

    fn put(&self, jid: Jid, value: u32) {
        assert!(self.insert(jid, value).is_none());
    }

    fn value(&self, jid: &str) -> u32 {
        *self.get(jid).expect("it is there")
    }

    fn take(&self, jid: &str) {
        self.remove(jid).expect("it is there");
    }
}
