//! L5: the driver with real sockets and the real clock.
//!
//! It knows no XMPP: a [`Reactor`] is one thread with one `epoll`, which tells a [`Hub`] what happened and carries
//! out what the hub wants. It is edge-triggered and keeps its own ready list, so a socket whose budget ran out is
//! read again without a new event from the kernel.
//!
//! One turn: wait → read each ready socket within a budget → accept → timers → connect → one write for each
//! connection that got something.

mod accept;
mod clock;
mod connect;
mod entropy;
mod report;
mod socket;
mod stopper;
#[cfg(test)]
mod tests;
mod timer_fd;
mod token;
mod turn;

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;

use bytes::BytesMut;
use mio::{Events, Poll, Waker};
use rustix::thread::{CpuSet, sched_setaffinity};
use slab::Slab;

use crate::engine::{ConnId, Hub, World};
use crate::limits::{EVENTS_PER_TURN_MAX, READ_BYTES_PER_TURN_MAX};
use crate::time::Nanos;

pub use clock::Clock;
pub use report::ReactorReport;
pub use stopper::Stopper;

use accept::Listener;
use connect::Connecting;
use socket::Socket;
use timer_fd::TimerFd;

/// How a reactor runs.
#[derive(Debug, Clone, Default)]
pub struct ReactorConfig {
    /// Core to pin the thread to; the scheduler's choice without.
    pub core: Option<usize>,
}

/// A thread's event loop around one world.
#[derive(Debug)]
pub struct Reactor<W: World> {
    poll: Poll,
    clock: Clock,
    hub: Hub<W::Link>,
    /// Sockets by slot of their connection.
    sockets: Vec<Option<Socket>>,
    connecting: Slab<Connecting<W::Link>>,
    listeners: Vec<Listener>,
    timer: TimerFd,
    stopper: Stopper,
    /// Connections whose sockets may have something to read.
    ready: VecDeque<ConnId>,
    /// What sockets are read into. Frames are split off it, and it is whole again when they are gone.
    scratch: BytesMut,
    /// How much the next read asks for; follows what the last ones gave.
    read_bytes: usize,
    config: ReactorConfig,
    report: ReactorReport,
}

impl<W: World> Reactor<W> {
    /// A reactor around `world`; nothing runs yet.
    ///
    /// # Errors
    /// When the kernel refuses an epoll instance, a timer or random numbers.
    pub fn new(world: W, config: ReactorConfig) -> io::Result<Self> {
        let poll = Poll::new()?;
        let timer = TimerFd::new(poll.registry())?;
        let stopper = Stopper::new(Waker::new(poll.registry(), token::WAKER)?);
        Ok(Self {
            poll,
            clock: Clock,
            hub: Hub::new(world, entropy::generator()?),
            sockets: Vec::new(),
            connecting: Slab::new(),
            listeners: Vec::new(),
            timer,
            stopper,
            ready: VecDeque::new(),
            scratch: BytesMut::with_capacity(READ_BYTES_PER_TURN_MAX),
            read_bytes: turn::READ_BYTES_MIN,
            config,
            report: ReactorReport::default(),
        })
    }

    /// Listens on `addr` (port 0: any) and returns the address that was bound.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub fn listen(&mut self, addr: SocketAddr) -> io::Result<SocketAddr> {
        let listener = Listener::bind(addr, self.poll.registry(), self.listeners.len())?;
        let bound = listener.local_addr()?;
        self.listeners.push(listener);
        Ok(bound)
    }

    /// A handle that ends [`Reactor::run`] from elsewhere.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Runs until the world is done and every connection is closed; returns the world.
    ///
    /// # Errors
    /// When the kernel fails the event loop itself. Faults of one socket end that connection only.
    pub fn run(mut self) -> io::Result<(W, ReactorReport)> {
        if let Some(core) = self.config.core {
            let mut set = CpuSet::new();
            set.set(core);
            sched_setaffinity(None, &set)?;
        }
        let started = self.clock.now();
        let mut events = Events::with_capacity(EVENTS_PER_TURN_MAX);
        while !self.hub.is_done() {
            self.turn(&mut events)?;
        }
        self.report.elapsed_ns = self.clock.now().since(started);
        self.report.cpu_ns = Clock::thread_cpu().0;
        self.report.counters = *self.hub.counters();
        Ok((self.hub.into_world(), self.report))
    }

    fn socket(&mut self, conn: ConnId) -> Option<&mut Socket> {
        self.sockets.get_mut(conn.slot as usize)?.as_mut().filter(|s| s.generation == conn.generation)
    }

    /// Gives `conn` its socket. Its first event comes from the kernel at once.
    fn adopt(&mut self, conn: ConnId, socket: Socket) {
        let slot = conn.slot as usize;
        if self.sockets.len() <= slot {
            self.sockets.resize_with(slot + 1, || None);
        }
        debug_assert!(self.sockets[slot].is_none(), "a slot is free before it is used again");
        self.sockets[slot] = Some(socket);
    }

    /// Puts a connection on the ready list, once.
    fn mark_ready(&mut self, conn: ConnId, ready_at: Nanos) {
        if let Some(socket) = self.socket(conn)
            && !std::mem::replace(&mut socket.listed, true)
        {
            socket.ready_at = ready_at;
            self.ready.push_back(conn);
        }
    }
}
