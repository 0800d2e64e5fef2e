//! L5: the driver with real sockets and the real clock.
//!
//! It knows no XMPP: a [`Reactor`] is one thread with one `epoll` (a [`Fleet`] is several), which tells a [`Hub`] what happened and carries
//! out what the hub wants. It is edge-triggered and keeps its own ready list, so a socket whose budget ran out is
//! read again without a new event from the kernel.
//!
//! One turn: wait → read each ready socket within a budget → read the mail of other reactors → accept → timers →
//! connect → hand over mail and wake its readers → one write for each connection that got something.

mod accept;
mod clock;
mod connect;
mod entropy;
mod fleet;
mod gauge;
mod messenger;
mod report;
mod socket;
mod stopper;
#[cfg(test)]
mod tests;
mod timer_fd;
mod token;
mod travel;
mod turn;
mod workers;

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use bytes::BytesMut;
use mio::{Events, Poll, Waker};
use rustix::thread::{CpuSet, sched_setaffinity};
use slab::Slab;

use crate::engine::{ConnId, Hub, Seat, World, fleet as seats};
use crate::limits::{EVENTS_PER_TURN_MAX, READ_BYTES_PER_TURN_MAX};
use crate::router::mailbox::{MailboxLimits, Wake};
use crate::time::Nanos;

pub use clock::Clock;
pub use fleet::Fleet;
pub use gauge::Gauge;
pub use messenger::Messenger;
pub use report::ReactorReport;
pub use stopper::Stopper;

use accept::Listener;
use connect::Connecting;
use messenger::Heard;
use socket::Socket;
use stopper::Handle;
use timer_fd::TimerFd;
use workers::Workers;

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
    handle: Arc<Handle>,
    /// Connections whose sockets may have something to read.
    ready: VecDeque<ConnId>,
    /// What sockets are read into. Frames are split off it, and it is whole again when they are gone.
    scratch: BytesMut,
    /// How much the next read asks for; follows what the last ones gave.
    read_bytes: usize,
    workers: Workers,
    heard: Receiver<Heard<W>>,
    queue: Sender<Heard<W>>,
    config: ReactorConfig,
    report: ReactorReport,
    gauge: Gauge,
    /// When it began to run.
    started: Nanos,
}

impl<W: World> Reactor<W> {
    /// A reactor around `world`, alone; nothing runs yet.
    ///
    /// # Errors
    /// When the kernel refuses an epoll instance, a timer or random numbers.
    pub fn new(world: W, config: ReactorConfig) -> io::Result<Self> {
        let seat = seats(1, MailboxLimits::default()).pop().expect("a fleet of one");
        Self::in_fleet(world, config, seat, Workers::default())
    }

    /// The same in its place of a fleet.
    fn in_fleet(world: W, config: ReactorConfig, seat: Seat<W::Link>, workers: Workers) -> io::Result<Self> {
        let poll = Poll::new()?;
        let timer = TimerFd::new(poll.registry())?;
        let handle = Arc::new(Handle::new(Waker::new(poll.registry(), token::WAKER)?));
        let hub = Hub::in_fleet(world, entropy::generator()?, seat);
        hub.set_waker(Arc::clone(&handle) as Arc<dyn Wake>);
        let (queue, heard) = channel();
        Ok(Self {
            poll,
            clock: Clock,
            hub,
            sockets: Vec::new(),
            connecting: Slab::new(),
            listeners: Vec::new(),
            timer,
            handle,
            ready: VecDeque::new(),
            scratch: BytesMut::with_capacity(READ_BYTES_PER_TURN_MAX),
            read_bytes: turn::READ_BYTES_MIN,
            workers,
            heard,
            queue,
            config,
            report: ReactorReport::default(),
            gauge: Gauge::default(),
            started: Nanos::ZERO,
        })
    }

    /// Listens on `addr` (port 0: any) and returns the address that was bound.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub fn listen(&mut self, addr: SocketAddr) -> io::Result<SocketAddr> {
        self.add_listener(addr, false)
    }

    /// The same on an address that other reactors of this fleet listen on, too.
    fn listen_shared(&mut self, addr: SocketAddr) -> io::Result<SocketAddr> {
        self.add_listener(addr, true)
    }

    fn add_listener(&mut self, addr: SocketAddr, shared: bool) -> io::Result<SocketAddr> {
        let listener = Listener::bind(addr, self.poll.registry(), self.listeners.len(), shared)?;
        let bound = listener.local_addr()?;
        self.listeners.push(listener);
        Ok(bound)
    }

    /// A handle that ends [`Reactor::run`] from elsewhere.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        Stopper::of(Arc::clone(&self.handle))
    }

    /// A handle that tells its world news while it runs.
    #[must_use]
    pub fn messenger(&self) -> Messenger<W> {
        Messenger { queue: self.queue.clone(), handle: Arc::clone(&self.handle) }
    }

    /// What it shows of itself while it runs.
    #[must_use]
    pub fn gauge(&self) -> Gauge {
        self.gauge.clone()
    }

    /// Runs until the world is done and every connection is closed; returns the world.
    ///
    /// # Errors
    /// When the kernel fails the event loop itself. Faults of one socket end that connection only.
    pub fn run(self) -> io::Result<(W, ReactorReport)> {
        self.run_unless(&AtomicBool::new(false))
    }

    /// The same until `failed`, whatever is still open then.
    fn run_unless(mut self, failed: &AtomicBool) -> io::Result<(W, ReactorReport)> {
        if let Some(core) = self.config.core {
            let mut set = CpuSet::new();
            set.set(core);
            sched_setaffinity(None, &set)?;
        }
        self.gauge.set_thread();
        self.started = self.clock.now();
        let mut events = Events::with_capacity(EVENTS_PER_TURN_MAX);
        while !self.hub.is_done() && !failed.load(Ordering::Acquire) {
            self.turn(&mut events)?;
        }
        self.sum_up(self.clock.now());
        Ok((self.hub.into_world(), self.report))
    }

    /// Brings the report up to date with what others count.
    fn sum_up(&mut self, now: Nanos) {
        self.report.elapsed_ns = now.since(self.started);
        self.report.cpu_ns = Clock::thread_cpu().0;
        self.report.counters = *self.hub.counters();
        self.report.mail = self.hub.mail_counters();
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
