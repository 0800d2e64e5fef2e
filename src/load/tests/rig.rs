//! A run on a virtual clock: the real hubs and worlds, the small server, and a network that takes a millisecond.

use std::collections::{BTreeMap, VecDeque};
use std::io::IoSlice;
use std::sync::Arc;

use bytes::BytesMut;
use rand_chacha::ChaCha12Rng;
use rand_core::SeedableRng as _;

use super::server::{Habits, Server};
use crate::engine::{ConnId, Hub, Intent, do_here, fleet};
use crate::load::{LoadPlan, LoadWorld, Mode, Monitor, Scenario, VirtualUser, contacts};
use crate::metrics::{IdsArrive, Summary};
use crate::router::mailbox::MailboxLimits;
use crate::time::Nanos;

const LATENCY_NS: u64 = 1_000_000;
/// How long a reactor takes to get to its mail.
const MAIL_NS: u64 = 30_000;

/// A hub's connection.
type Client = (usize, ConnId);

/// What a test may want to do at some time.
pub(super) type Prank = (Nanos, fn(&mut Rig));

pub(super) struct Rig {
    pub(super) now: Nanos,
    pub(super) hubs: Vec<Hub<VirtualUser>>,
    /// When each hub gets to the mail that it has.
    mail_at: Vec<Option<Nanos>>,
    pub(super) server: Server,
    pub(super) monitor: Arc<Monitor>,
    /// Bytes on the way to a client; `None` is the end of file.
    on_the_way: VecDeque<(Nanos, Client, Option<Vec<u8>>)>,
    /// By the number that the server knows.
    clients: BTreeMap<u32, Client>,
    pub(super) pranks: VecDeque<Prank>,
    /// The driver sleeps through these: no turn begins in them.
    pub(super) asleep: Option<(Nanos, Nanos)>,
    pub(super) connects_fail: Option<std::io::ErrorKind>,
    /// Everything that clients wrote, for one look at the end.
    pub(super) written: Vec<u8>,
}

impl Rig {
    pub(super) fn new(scenario: &str, habits: Habits) -> Self {
        Self::with_reactors(1, scenario, habits)
    }

    pub(super) fn with_reactors(reactors: usize, scenario: &str, habits: Habits) -> Self {
        Self::in_mode(Mode::Run, reactors, scenario, habits)
    }

    pub(super) fn in_mode(mode: Mode, reactors: usize, scenario: &str, habits: Habits) -> Self {
        let scenario = Arc::new(Scenario::parse(scenario).expect("a sound scenario"));
        let users = &scenario.users;
        let graph = match &users.roster {
            Some(spec) => contacts(spec, users.count, scenario.seed),
            None => vec![Vec::new(); users.count as usize],
        };
        let monitor = Arc::new(Monitor::default());
        let plan = LoadPlan {
            scenario,
            target: "127.0.0.1:5222".parse().expect("an address"),
            sources: Vec::new(),
            run: "t".to_owned(),
            ids: (!habits.rewrites_ids).then_some(IdsArrive::PRESERVED),
            monitor: Arc::clone(&monitor),
            mode,
        };
        let worlds = LoadWorld::shares(&plan, reactors);
        let seats = fleet(reactors, MailboxLimits::default());
        let hub = |(world, seat)| Hub::in_fleet(world, ChaCha12Rng::seed_from_u64(2), seat);
        Self {
            now: Nanos(1_000_000_000),
            hubs: worlds.into_iter().zip(seats).map(hub).collect(),
            mail_at: vec![None; reactors],
            server: Server::new(graph, habits),
            monitor,
            on_the_way: VecDeque::new(),
            clients: BTreeMap::new(),
            pranks: VecDeque::new(),
            asleep: None,
            connects_fail: None,
            written: Vec::new(),
        }
    }

    /// Runs to the end, which must come within ten virtual minutes.
    pub(super) fn run(self) -> (Summary, Server) {
        let (worlds, server) = self.run_to_worlds();
        (LoadWorld::summary_of(worlds), server)
    }

    pub(super) fn run_to_worlds(mut self) -> (Vec<LoadWorld>, Server) {
        let end = Nanos(self.now.0 + 600_000_000_000);
        loop {
            self.serve();
            self.exchange_mail();
            if self.hubs.iter().all(Hub::is_done) {
                break;
            }
            let arrival = self.on_the_way.front().map(|(at, ..)| *at);
            let prank = self.pranks.front().map(|(at, _)| *at);
            let mail = self.mail_at.iter().flatten().min().copied();
            let deadline = self.hubs.iter().filter_map(Hub::next_deadline).min();
            let next = [arrival, prank, mail, deadline].into_iter().flatten().min();
            let mut next = next.expect("something is always due until it is done").max(self.now);
            if let Some((from, to)) = self.asleep
                && from <= next
                && next < to
            {
                next = to;
            }
            assert!(next < end, "the run does not end: {:?}", self.hubs[0].world());
            self.now = next;
            while let Some((_, prank)) = self.pranks.pop_front_if_due(self.now) {
                prank(&mut self);
            }
            self.deliver();
            for hub in &mut self.hubs {
                hub.handle_deadline(self.now);
            }
        }
        (self.hubs.into_iter().map(Hub::into_world).collect(), self.server)
    }

    /// Reads the mail that is due and sends off what there is.
    fn exchange_mail(&mut self) {
        for (hub, mail_at) in self.hubs.iter_mut().zip(&mut self.mail_at) {
            if mail_at.take_if(|at| *at <= self.now).is_some() {
                hub.handle_mail(self.now);
            }
        }
        self.serve();
        self.hubs.iter_mut().for_each(Hub::flush_mail);
        for (hub, mail_at) in self.hubs.iter_mut().zip(&mut self.mail_at) {
            if !hub.lie_down() {
                mail_at.get_or_insert(Nanos(self.now.0 + MAIL_NS));
            }
            hub.get_up();
        }
    }

    /// The number that the server knows a connection by.
    fn peer(&self, (hub, conn): Client) -> u32 {
        conn.slot * u32::try_from(self.hubs.len()).expect("few") + u32::try_from(hub).expect("few")
    }

    /// The server's machine is gone.
    pub(super) fn break_all(&mut self) {
        for (peer, client) in std::mem::take(&mut self.clients) {
            self.server.gone(peer);
            self.on_the_way.retain(|(_, c, _)| *c != client);
            self.hubs[client.0].handle_error(client.1, std::io::ErrorKind::ConnectionReset, self.now);
        }
    }

    fn deliver(&mut self) {
        while self.on_the_way.front().is_some_and(|(at, ..)| *at <= self.now) {
            let Some((at, (hub, conn), bytes)) = self.on_the_way.pop_front() else { return };
            let hub = &mut self.hubs[hub];
            match bytes {
                Some(bytes) => {
                    let mut input = BytesMut::from(&bytes[..]);
                    while hub.handle_read(conn, &mut input, at, self.now) {}
                }
                None => hub.handle_eof(conn, self.now),
            }
            self.serve();
        }
    }

    /// Everything that needs no time.
    fn serve(&mut self) {
        for index in 0..self.hubs.len() {
            loop {
                for connect in self.hubs[index].take_connects() {
                    if let Some(kind) = self.connects_fail {
                        self.hubs[index].handle_connect_failed(connect.handler, &kind.into(), self.now);
                        continue;
                    }
                    let conn = self.hubs[index].handle_connected(connect.handler, self.now);
                    let peer = self.peer((index, conn));
                    self.clients.insert(peer, (index, conn));
                    self.server.accept(peer);
                }
                let (hub, now) = (&mut self.hubs[index], self.now);
                while let Some((ticket, work)) = hub.next_job() {
                    hub.handle_answer(ticket, do_here(work), now);
                }
                while let Some(conn) = hub.next_resumed() {
                    while hub.handle_read(conn, &mut BytesMut::new(), now, now) {}
                }
                let Some(conn) = hub.next_listed() else { break };
                self.serve_connection((index, conn));
            }
        }
        for (peer, bytes) in self.server.take_output() {
            let client = self.clients[&peer];
            self.on_the_way.push_back((Nanos(self.now.0 + LATENCY_NS), client, Some(bytes)));
        }
    }

    fn serve_connection(&mut self, client: Client) {
        let (peer, (index, conn)) = (self.peer(client), client);
        let hub = &mut self.hubs[index];
        match hub.intent(conn) {
            Intent::Nothing | Intent::Move => return,
            Intent::Write => {
                let mut slices = [IoSlice::new(&[]); 8];
                let count = hub.slices(conn, &mut slices);
                let bytes: Vec<u8> = slices[..count].iter().flat_map(|s| s.iter().copied()).collect();
                hub.handle_written(conn, bytes.len(), self.now);
                self.server.read(peer, &bytes);
                self.written.extend_from_slice(&bytes);
            }
            Intent::ShutDownWrite => {
                hub.handle_write_shut(conn, self.now);
                self.on_the_way.push_back((Nanos(self.now.0 + LATENCY_NS), client, None));
            }
            Intent::Close | Intent::Reset => {
                self.server.gone(peer);
                self.clients.remove(&peer);
                return hub.remove(conn);
            }
        }
        self.serve_connection(client);
    }
}

trait PopIfDue {
    fn pop_front_if_due(&mut self, now: Nanos) -> Option<Prank>;
}

impl PopIfDue for VecDeque<Prank> {
    fn pop_front_if_due(&mut self, now: Nanos) -> Option<Prank> {
        if self.front()?.0 <= now { self.pop_front() } else { None }
    }
}
