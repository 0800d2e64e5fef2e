//! A world and its clients, joined by nothing but effects.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rand_chacha::ChaCha12Rng;
use rand_core::SeedableRng;

use crate::engine::{ConnId, Effect, Effects, Stamp, Target, Ticket, World, do_here};
use crate::router::Subscription;
use crate::server::client_link::{Bound, ClientLink};
use crate::server::client_task::ClientTask;
use crate::server::routing::Origin;
use crate::server::{AccountSpec, ConflictPolicy, ServerConfig, ServerJob, ServerWorld};
use crate::stanza::{Condition, Jid, Stanza, To};
use crate::store::{MemoryStore, Store};
use crate::stream::{Credentials, Mechanism, StreamError};
use crate::time::{Nanos, Utc};
use crate::xml::Element;

/// One client's side.
struct Client {
    bound: Bound,
    jid: Jid,
    /// What it received, oldest first.
    inbox: VecDeque<String>,
    open: bool,
    told: Option<ClientTask>,
    /// How many things are not safe that its answers wait for, and these.
    holds: u32,
    held: Vec<Stanza>,
    /// Its input waits for an answer.
    waits: bool,
}

/// A world with the accounts `romeo`, `juliet`, `nurse` and whatever a test adds, in the domain `d`.
pub(super) struct Rig {
    pub(super) world: ServerWorld,
    effects: Effects<ClientLink>,
    rng: ChaCha12Rng,
    clients: Vec<Client>,
    now: Nanos,
    /// What the world has had saved and not heard of.
    jobs: VecDeque<ServerJob>,
    /// Nothing reaches a socket: readers are slow.
    pub(super) writes_nothing: bool,
}

/// 2026-11-21T18:20:00Z.
pub(super) const START: Utc = Utc(1_795_285_200_000);

/// Index of a client.
pub(super) type Who = usize;

impl Rig {
    pub(super) fn new() -> Self {
        Self::with_policy(ConflictPolicy::Replace)
    }

    pub(super) fn with_policy(conflict: ConflictPolicy) -> Self {
        let mut config = ServerConfig::new("d", vec![Mechanism::Plain, Mechanism::Anonymous], [0; 32]);
        config.conflict = conflict;
        config.admins = vec![Jid::parse("nurse@d").unwrap()];
        Self::with_config(config)
    }

    /// Wall time begins at [`START`].
    pub(super) fn with_config(mut config: ServerConfig) -> Self {
        config.utc_at_zero = START;
        let mut rig = Self {
            world: ServerWorld::new(config),
            now: Nanos::ZERO,
            effects: Effects::default(),
            rng: ChaCha12Rng::seed_from_u64(1),
            clients: Vec::new(),
            jobs: VecDeque::new(),
            writes_nothing: false,
        };
        for name in ["romeo", "juliet", "nurse"] {
            rig.add_account(name, &[]);
        }
        rig
    }

    /// Romeo and Juliet, each in the other's roster.
    pub(super) fn with_friends() -> Self {
        let mut rig = Self::new();
        rig.set_state("romeo@d", "juliet@d", Subscription::Both);
        rig.set_state("juliet@d", "romeo@d", Subscription::Both);
        rig
    }

    pub(super) fn add_account(&mut self, name: &str, roster: &[(&str, Subscription)]) {
        self.add_accounts(&[(name, roster)]);
    }

    pub(super) fn add_accounts(&mut self, accounts: &[(&str, &[(&str, Subscription)])]) {
        let specs = accounts.iter().map(|(name, roster)| AccountSpec {
            localpart: (*name).to_owned(),
            credentials: Credentials::default(),
            roster: roster.iter().map(|(jid, state)| (Jid::parse(jid).unwrap(), *state)).collect(),
        });
        assert_eq!(self.world.provision(specs), Ok(accounts.len()));
    }

    pub(super) fn set_state(&mut self, account: &str, contact: &str, state: Subscription) {
        assert!(!state.is_pending_in(), "requests are sent, not set");
        let id = self.world.shard.find(account).unwrap();
        let contact = Jid::parse(contact).unwrap();
        self.world.shard.account_mut(id).roster_mut().set_state(&contact, state);
    }

    pub(super) fn state(&self, account: &str, contact: &str) -> Subscription {
        let id = self.world.shard.find(account).unwrap();
        self.world.shard.account(id).subscription(Jid::parse(contact).unwrap().as_ref())
    }

    pub(super) fn bind(&mut self, account: &str, resource: Option<&str>) -> Result<Who, Condition> {
        let conn = ConnId { slot: u32::try_from(self.clients.len()).unwrap(), generation: 7 };
        let account = Jid::parse(account).unwrap();
        let bound = self.world.bind(&account, resource, conn, &mut self.rng, &mut self.effects)?;
        let bare_len = u16::try_from(bound.bare_len).unwrap();
        let (jid, bound) = (
            bound.jid,
            Bound { session: bound.session, from: bound.from, bare_len, managed: None, extra: None },
        );
        self.clients.push(Client {
            bound,
            jid,
            inbox: VecDeque::new(),
            open: true,
            told: None,
            holds: 0,
            held: Vec::new(),
            waits: false,
        });
        self.carry_out();
        Ok(self.clients.len() - 1)
    }

    /// Connected, not available.
    pub(super) fn connect(&mut self, full: &str) -> Who {
        let (account, resource) = full.split_once('/').unwrap();
        self.bind(account, Some(resource)).unwrap()
    }

    /// Available and with an empty inbox.
    pub(super) fn login(&mut self, full: &str) -> Who {
        self.login_with(full, "<presence/>")
    }

    pub(super) fn login_with(&mut self, full: &str, presence: &str) -> Who {
        let who = self.connect(full);
        self.send(who, presence);
        self.clear();
        who
    }

    /// And interested.
    pub(super) fn login_interested(&mut self, full: &str) -> Who {
        let who = self.login(full);
        self.send(who, "<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
        self.clear();
        who
    }

    /// Time passes.
    pub(super) fn wait(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.world.set_now(self.now);
    }

    pub(super) fn jid(&self, who: Who) -> &str {
        self.clients[who].jid.as_str()
    }

    pub(super) fn told(&self, who: Who) -> Option<ClientTask> {
        self.clients[who].told
    }

    pub(super) fn send(&mut self, who: Who, text: &str) {
        self.try_send(who, text).unwrap();
    }

    pub(super) fn try_send(&mut self, who: Who, text: &str) -> Result<(), StreamError> {
        let client = &self.clients[who];
        assert!(!client.waits, "its input waits");
        let element = Element::from_own(Bytes::from(text.to_owned()));
        let conn = conn(who);
        let origin = Origin { conn, session: Some(client.bound.session) };
        let result = self.world.on_element(element, &client.bound, origin, &mut self.effects);
        self.carry_out();
        result.map(|management| assert_eq!(management, None))
    }

    /// The connection ends as `Handler::on_closed` would tell.
    pub(super) fn close(&mut self, who: Who) {
        self.clients[who].open = false;
        self.world.end_session(self.clients[who].bound.session, &mut self.effects);
        self.carry_out();
    }

    /// The connection is dead, and nobody has noticed: what is sent to it comes back.
    pub(super) fn break_off(&mut self, who: Who) {
        self.clients[who].open = false;
    }

    /// From now on what changes is kept in the store that this returns, when [`Self::finish_save`] says so.
    pub(super) fn with_store(&mut self) -> Arc<MemoryStore> {
        let store = Arc::new(MemoryStore::default());
        self.world.set_store(Arc::clone(&store) as Arc<dyn Store>);
        store
    }

    /// The oldest save that is under way reaches the store. `false`: there is none.
    pub(super) fn finish_save(&mut self) -> bool {
        let Some(job) = self.jobs.pop_front() else { return false };
        self.world.on_answer(do_here(job), self.now, &mut self.effects);
        self.carry_out();
        true
    }

    /// All connections are gone, and another process serves.
    pub(super) fn restart(&mut self, world: ServerWorld) {
        self.world = world;
        self.jobs.clear();
        self.clients.iter_mut().for_each(|client| client.open = false);
    }

    /// A call into the world, with what comes of it.
    pub(super) fn call(&mut self, call: impl FnOnce(&mut ServerWorld, &mut Effects<ClientLink>)) {
        call(&mut self.world, &mut self.effects);
        self.carry_out();
    }

    /// What the hub hands back.
    pub(super) fn undeliverable(&mut self, text: &str) {
        let stanza = Stanza::from_own(Bytes::from(text.to_owned()));
        let target = Target { conn: ConnId { slot: u32::MAX, generation: 0 }, stamp: Stamp::Kept };
        self.world.on_undeliverable(stanza, target, self.now, &mut self.effects);
        self.carry_out();
    }

    /// Everything that `who` received since it was asked last.
    pub(super) fn received(&mut self, who: Who) -> Vec<String> {
        self.clients[who].inbox.drain(..).collect()
    }

    /// The only stanza that `who` received.
    pub(super) fn one(&mut self, who: Who) -> String {
        let mut received = self.received(who);
        assert_eq!(received.len(), 1, "{received:?}");
        received.remove(0)
    }

    pub(super) fn nothing(&mut self, who: Who) {
        let received = self.received(who);
        assert!(received.is_empty(), "{received:?}");
    }

    pub(super) fn clear(&mut self) {
        for client in &mut self.clients {
            client.inbox.clear();
        }
    }

    fn carry_out(&mut self) {
        loop {
            let effects: Vec<_> = self.effects.drain().collect();
            if effects.is_empty() {
                assert!(self.world.parcels.is_empty(), "parcels are carried before a call returns");
                assert!(self.world.scratch.recipients.is_empty(), "recipients were delivered to");
                return;
            }
            for effect in effects {
                match effect {
                    Effect::Deliver(stanza, range) => {
                        for target in self.effects.targets(range).to_vec() {
                            self.deliver(&stanza, target.conn, target.stamp);
                        }
                    }
                    Effect::Answer(conn, stanza) => {
                        let client = &mut self.clients[conn.slot as usize];
                        if client.holds > 0 {
                            client.held.push(stanza);
                        } else {
                            self.deliver(&stanza, conn, Stamp::Kept);
                        }
                    }
                    Effect::Task(conn, ClientTask::TellWritten) => {
                        // Written at once, unless the connection is dead.
                        let client = &self.clients[conn.slot as usize];
                        if client.open && !self.writes_nothing {
                            self.world.on_flushed(client.bound.session, 1, &mut self.effects);
                        }
                    }
                    Effect::Task(conn, task) | Effect::WhenSafe(_, conn, task) => {
                        let client = &mut self.clients[conn.slot as usize];
                        client.told = Some(task);
                        client.open = false;
                        self.world.end_session(client.bound.session, &mut self.effects);
                    }
                    Effect::Connect(_) => panic!("a server connects to nobody"),
                    Effect::Mail(home, _) => panic!("there is no other home: {home:?}"),
                    Effect::Job(Ticket::World, job @ ServerJob::Derive(_)) => {
                        // A thread's work: done before anything else happens here.
                        self.world.on_answer(do_here(job), self.now, &mut self.effects);
                    }
                    Effect::Job(Ticket::World, job) => self.jobs.push_back(job),
                    Effect::Job(_, work) => panic!("these clients have authenticated: {work:?}"),
                    Effect::Hold(conn) => self.clients[conn.slot as usize].holds += 1,
                    Effect::Release(conn) => self.release(conn),
                    Effect::Wait(conn) => self.clients[conn.slot as usize].waits = true,
                    Effect::GoOn(conn) => self.clients[conn.slot as usize].waits = false,
                }
            }
        }
    }

    fn release(&mut self, conn: ConnId) {
        let client = &mut self.clients[conn.slot as usize];
        client.holds -= 1;
        if client.holds == 0 {
            for stanza in std::mem::take(&mut client.held) {
                self.deliver(&stanza, conn, Stamp::Kept);
            }
        }
    }

    fn deliver(&mut self, stanza: &Stanza, to: ConnId, stamp: Stamp) {
        let client = &mut self.clients[to.slot as usize];
        if !client.open {
            let target = Target { conn: to, stamp };
            return self.world.on_undeliverable(stanza.clone(), target, self.now, &mut self.effects);
        }
        let mut bytes = Vec::new();
        match stamp {
            Stamp::Kept => stanza.write(To::Kept, &mut bytes),
            Stamp::Bare => stanza.write(To::Stamped(client.bound.bare()), &mut bytes),
            Stamp::Full => stanza.write(To::Stamped(&client.bound.from), &mut bytes),
        }
        // What goes out is an element, whatever was stamped.
        let _ = Element::from_own(Bytes::from(bytes.clone()));
        client.inbox.push_back(String::from_utf8(bytes).unwrap());
    }
}

fn conn(who: Who) -> ConnId {
    ConnId { slot: u32::try_from(who).unwrap(), generation: 7 }
}

/// Value of an attribute of a received stanza's start tag.
pub(super) fn attr(stanza: &str, name: &str) -> Option<String> {
    let element = Element::from_own(Bytes::from(stanza.to_owned()));
    element.tag().attr(name).map(str::to_owned)
}

/// `from`, `to` and `type` of a received stanza, as one word each; `-` for none.
pub(super) fn summary(stanza: &str) -> String {
    let value = |name| attr(stanza, name).unwrap_or_else(|| "-".to_owned());
    format!("{} {} {}", value("from"), value("to"), value("type"))
}

/// Summaries of all, in order.
pub(super) fn summaries(stanzas: &[String]) -> Vec<String> {
    stanzas.iter().map(|s| summary(s)).collect()
}

/// Whether it is an error with this condition.
pub(super) fn is_error(stanza: &str, condition: &str) -> bool {
    attr(stanza, "type").as_deref() == Some("error") && stanza.contains(&format!("<{condition} xmlns="))
}
