//! A run on a virtual clock: the real hub and world, the small server, and a network that takes a millisecond.

use std::collections::{BTreeMap, VecDeque};
use std::io::IoSlice;
use std::sync::Arc;

use bytes::BytesMut;
use rand_chacha::ChaCha12Rng;
use rand_core::SeedableRng as _;

use super::server::{Habits, Server};
use crate::engine::{ConnId, Hub, Intent};
use crate::load::{LoadPlan, LoadWorld, Monitor, Scenario, VirtualUser, contacts};
use crate::metrics::Summary;
use crate::time::Nanos;

const LATENCY_NS: u64 = 1_000_000;

/// What a test may want to do at some time.
pub(super) type Prank = (Nanos, fn(&mut Rig));

pub(super) struct Rig {
    pub(super) now: Nanos,
    pub(super) hub: Hub<VirtualUser>,
    pub(super) server: Server,
    pub(super) monitor: Arc<Monitor>,
    /// Bytes on the way to a client; `None` is the end of file.
    on_the_way: VecDeque<(Nanos, ConnId, Option<Vec<u8>>)>,
    conns: BTreeMap<u32, ConnId>,
    pub(super) pranks: VecDeque<Prank>,
    /// The driver sleeps through these: no turn begins in them.
    pub(super) asleep: Option<(Nanos, Nanos)>,
    pub(super) connects_fail: Option<std::io::ErrorKind>,
    /// Everything that clients wrote, for one look at the end.
    pub(super) written: Vec<u8>,
}

impl Rig {
    pub(super) fn new(scenario: &str, habits: Habits) -> Self {
        let scenario = Arc::new(Scenario::parse(scenario).expect("a sound scenario"));
        let users = &scenario.users;
        let graph = match &users.roster {
            Some(spec) => contacts(spec, users.count, scenario.seed),
            None => vec![Vec::new(); users.count as usize],
        };
        let monitor = Arc::new(Monitor::default());
        let world = LoadWorld::new(LoadPlan {
            scenario,
            target: "127.0.0.1:5222".parse().expect("an address"),
            sources: Vec::new(),
            run: "t".to_owned(),
            monitor: Arc::clone(&monitor),
        });
        Self {
            now: Nanos(1_000_000_000),
            hub: Hub::new(world, ChaCha12Rng::seed_from_u64(2)),
            server: Server::new(graph, habits),
            monitor,
            on_the_way: VecDeque::new(),
            conns: BTreeMap::new(),
            pranks: VecDeque::new(),
            asleep: None,
            connects_fail: None,
            written: Vec::new(),
        }
    }

    /// Runs to the end, which must come within ten virtual minutes.
    pub(super) fn run(mut self) -> (Summary, Server) {
        let end = Nanos(self.now.0 + 600_000_000_000);
        loop {
            self.serve();
            if self.hub.is_done() {
                break;
            }
            let arrival = self.on_the_way.front().map(|(at, ..)| *at);
            let prank = self.pranks.front().map(|(at, _)| *at);
            let next = [arrival, prank, self.hub.next_deadline()].into_iter().flatten().min();
            let mut next = next.expect("something is always due until it is done").max(self.now);
            if let Some((from, to)) = self.asleep
                && from <= next
                && next < to
            {
                next = to;
            }
            assert!(next < end, "the run does not end: {:?}", self.hub.world());
            self.now = next;
            while let Some((_, prank)) = self.pranks.pop_front_if_due(self.now) {
                prank(&mut self);
            }
            self.deliver();
            self.hub.handle_deadline(self.now);
        }
        (self.hub.into_world().into_summary(), self.server)
    }

    /// The server's machine is gone.
    pub(super) fn break_all(&mut self) {
        for conn in std::mem::take(&mut self.conns).into_values() {
            self.server.gone(conn.slot);
            self.on_the_way.retain(|(_, c, _)| *c != conn);
            self.hub.handle_error(conn, std::io::ErrorKind::ConnectionReset, self.now);
        }
    }

    fn deliver(&mut self) {
        while self.on_the_way.front().is_some_and(|(at, ..)| *at <= self.now) {
            let Some((at, conn, bytes)) = self.on_the_way.pop_front() else { return };
            match bytes {
                Some(bytes) => {
                    let mut input = BytesMut::from(&bytes[..]);
                    while self.hub.handle_read(conn, &mut input, at, self.now) {}
                }
                None => self.hub.handle_eof(conn, self.now),
            }
            self.serve();
        }
    }

    /// Everything that needs no time.
    fn serve(&mut self) {
        loop {
            for connect in self.hub.take_connects() {
                if let Some(kind) = self.connects_fail {
                    self.hub.handle_connect_failed(connect.handler, &kind.into(), self.now);
                    continue;
                }
                let conn = self.hub.handle_connected(connect.handler, self.now);
                self.conns.insert(conn.slot, conn);
                self.server.accept(conn.slot);
            }
            while let Some((ticket, work)) = self.hub.next_job() {
                self.hub.handle_answer(ticket, work.run(), self.now);
            }
            while let Some(conn) = self.hub.next_resumed() {
                while self.hub.handle_read(conn, &mut BytesMut::new(), self.now, self.now) {}
            }
            let Some(conn) = self.hub.next_listed() else { break };
            self.serve_connection(conn);
        }
        for (slot, bytes) in self.server.take_output() {
            let conn = self.conns[&slot];
            self.on_the_way.push_back((Nanos(self.now.0 + LATENCY_NS), conn, Some(bytes)));
        }
    }

    fn serve_connection(&mut self, conn: ConnId) {
        match self.hub.intent(conn) {
            Intent::Nothing | Intent::Move => return,
            Intent::Write => {
                let mut slices = [IoSlice::new(&[]); 8];
                let count = self.hub.slices(conn, &mut slices);
                let bytes: Vec<u8> = slices[..count].iter().flat_map(|s| s.iter().copied()).collect();
                self.hub.handle_written(conn, bytes.len(), self.now);
                self.server.read(conn.slot, &bytes);
                self.written.extend_from_slice(&bytes);
            }
            Intent::ShutDownWrite => {
                self.hub.handle_write_shut(conn, self.now);
                self.on_the_way.push_back((Nanos(self.now.0 + LATENCY_NS), conn, None));
            }
            Intent::Close => {
                self.server.gone(conn.slot);
                self.conns.remove(&conn.slot);
                self.hub.remove(conn);
                return;
            }
        }
        self.serve_connection(conn);
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
