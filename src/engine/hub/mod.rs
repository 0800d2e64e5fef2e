//! All connections of one driver, and the world that they share.
//!
//! The hub opens no socket and reads no clock. Its driver calls `handle_*` with what happened, then serves the
//! connections that [`Hub::next_listed`] names as [`Hub::intent`] says, and calls [`Hub::handle_deadline`] when
//! [`Hub::next_deadline`] has come. Handlers are told one thing at a time; what they want done to others is carried
//! out before the hub looks at the next frame.

mod dispatch;
mod ending;
mod jobs;
mod mail;
mod pressure;
mod reading;
#[cfg(test)]
mod tests;
mod timing;
mod writing;

pub(super) use jobs::Barrier;
pub use jobs::{AnswerOf, JobOf, Ticket};
pub use writing::Intent;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::io;

use foldhash::fast::FixedState;
use rand_chacha::ChaCha12Rng;
use slab::Slab;

use super::connection::Io;
use super::fleet::OpenCount;
use super::{
    BufferPool, ConnId, Connect, Connection, Counters, Effects, Handler, Letter, Luggage, Seat, World, fleet,
};
use crate::limits::CONNECTIONS_PER_REACTOR_MAX;
use crate::router::HomeId;
use crate::router::mailbox::{Class, Mailbox, MailboxLimits};
use crate::time::Nanos;

/// All connections of one driver, and the world that they share.
#[derive(Debug)]
pub struct Hub<H: Handler> {
    conns: Slab<Connection<H>>,
    next_generation: u32,
    world: H::World,
    effects: Effects<H>,
    rng: ChaCha12Rng,
    pool: BufferPool,
    counters: Counters,
    /// Deadlines; an entry counts only while its connection's `armed` equals it.
    heap: BinaryHeap<Reverse<(Nanos, ConnId)>>,
    /// Connections that want something of the driver, each once.
    listed: Vec<ConnId>,
    /// Connections to be made.
    connects: Vec<Connect<H>>,
    mailbox: Mailbox<Letter<H>>,
    /// Connections of the fleet.
    open: OpenCount,
    /// Which lane mail takes that is sent now.
    class: Class,
    /// The home whose lane was found full since this was looked at last.
    full: Option<HomeId>,
    /// Connections that wait for room, by the home that they wait for.
    parked: Vec<Vec<ConnId>>,
    /// Connections whose input may go on.
    resumed: VecDeque<ConnId>,
    /// Connections that have moved here and whose sockets the driver has not taken yet.
    arrivals: VecDeque<(ConnId, Luggage)>,
    /// Barriers that were closed when their connections ended: what waits there is not lost with them.
    orphans: HashMap<ConnId, Box<Barrier<H>>, FixedState>,
    /// Jobs that the driver has not taken yet.
    jobs: VecDeque<(Ticket, JobOf<H>)>,
}

impl<H: Handler> Hub<H> {
    /// A hub without connections, alone.
    #[must_use]
    pub fn new(world: H::World, rng: ChaCha12Rng) -> Self {
        let seat = fleet(1, MailboxLimits::default()).pop().expect("a fleet of one");
        Self::in_fleet(world, rng, seat)
    }

    /// A hub without connections, in its place of a fleet.
    #[must_use]
    pub fn in_fleet(world: H::World, rng: ChaCha12Rng, seat: Seat<H>) -> Self {
        Self {
            conns: Slab::new(),
            next_generation: 0,
            world,
            effects: Effects::default(),
            rng,
            pool: BufferPool::default(),
            counters: Counters::default(),
            heap: BinaryHeap::new(),
            listed: Vec::new(),
            connects: Vec::new(),
            parked: (0..seat.mailbox.homes()).map(|_| Vec::new()).collect(),
            mailbox: seat.mailbox,
            open: seat.open,
            class: Class::Request,
            full: None,
            resumed: VecDeque::new(),
            arrivals: VecDeque::new(),
            orphans: HashMap::default(),
            jobs: VecDeque::new(),
        }
    }

    /// What the connections share.
    #[must_use]
    pub fn world(&self) -> &H::World {
        &self.world
    }

    /// What the connections share, for set-up and for tests.
    pub fn world_mut(&mut self) -> &mut H::World {
        &mut self.world
    }

    /// The world, when the driver is done.
    #[must_use]
    pub fn into_world(self) -> H::World {
        self.world
    }

    /// What was counted so far.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Bytes copied in user space: into outboxes, and of units that came in pieces. The rest passed untouched.
    #[must_use]
    pub const fn bytes_copied(&self) -> u64 {
        self.pool.bytes_copied
    }

    /// Connections that are not removed yet.
    #[must_use]
    pub fn len(&self) -> usize {
        self.conns.len()
    }

    /// Whether there is no connection.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.conns.is_empty()
    }

    /// Whether the world has nothing left to do and every connection of the fleet is gone.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.world.is_done() && self.open.is_zero() && self.connects.is_empty()
    }

    /// A listener accepted a connection. `None`: refused, close the socket.
    pub fn handle_accepted(&mut self, now: Nanos) -> Option<ConnId> {
        if self.conns.len() >= CONNECTIONS_PER_REACTOR_MAX {
            return None;
        }
        let handler = self.world.on_accept(now)?;
        self.counters.accepted += 1;
        Some(self.insert(handler, now))
    }

    /// A connection that was asked for is up.
    pub fn handle_connected(&mut self, handler: H, now: Nanos) -> ConnId {
        self.counters.connected += 1;
        self.insert(handler, now)
    }

    /// A connection that was asked for could not be made.
    pub fn handle_connect_failed(&mut self, handler: H, error: &io::Error, now: Nanos) {
        self.counters.connect_failed += 1;
        self.world.on_connect_failed(handler, error, now, &mut self.effects);
        self.settle(now);
    }

    fn insert(&mut self, handler: H, now: Nanos) -> ConnId {
        self.open.add();
        let conn = self.seat(Connection::new(handler));
        self.call(conn, now, now, |handler, cx| handler.on_connected(cx));
        self.settle(now);
        conn
    }

    /// The operator wants the end.
    pub fn handle_stop(&mut self, now: Nanos) {
        self.world.on_stop(now, &mut self.effects);
        self.settle(now);
    }

    /// Tells the world when there is no connection in the fleet. For every turn.
    pub fn handle_emptiness(&mut self, now: Nanos) {
        if self.open.is_zero() {
            self.world.on_empty(now, &mut self.effects);
            self.settle(now);
        }
    }

    /// Connections that the world asked for, for the driver to make.
    pub fn take_connects(&mut self) -> Vec<Connect<H>> {
        std::mem::take(&mut self.connects)
    }

    fn connection(&mut self, conn: ConnId) -> Option<&mut Connection<H>> {
        self.conns.get_mut(conn.slot as usize).filter(|c| c.io.generation == conn.generation)
    }

    fn io(&mut self, conn: ConnId) -> Option<&mut Io> {
        self.connection(conn).map(|c| &mut c.io)
    }
}
