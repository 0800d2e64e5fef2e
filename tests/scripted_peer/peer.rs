//! The peer's loop: sockets, deliveries that wait, and the stall.
//!
//! One thread does everything, so that its log is in the order of what it did. What stanzas mean is
//! [`super::routing`]'s concern.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread::JoinHandle;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, Signal, kill_process};
use rustix::time::{ClockId, Timespec, clock_gettime};

use super::client::Client;
use super::log::{Delay, Delivery, Form, Log};
use super::script::Script;

/// `CLOCK_MONOTONIC` in nanoseconds: the clock that the harness reads, too.
pub(crate) fn now_ns() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    let part = |number: i64| u64::try_from(number).expect("a monotonic clock is never negative");
    part(time.tv_sec) * 1_000_000_000 + part(time.tv_nsec)
}

fn timespec(ns: u64) -> Timespec {
    let part = |number: u64| i64::try_from(number).expect("a wait is shorter than an age");
    Timespec { tv_sec: part(ns / 1_000_000_000), tv_nsec: part(ns % 1_000_000_000) }
}

/// A peer that listens.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    /// The loop ends when this end is closed.
    stop: UnixStream,
    thread: JoinHandle<Log>,
}

impl Peer {
    /// A peer for `users` users; `harness` will hold the harness's process id. What is to come late comes so many nanoseconds behind the first operation.
    pub(crate) fn start(script: Script, users: u32, late_ns: u64, harness: Arc<AtomicI32>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        listener.set_nonblocking(true).expect("a socket can be made non-blocking");
        let address = listener.local_addr().expect("it is bound");
        let (stop, stopped) = UnixStream::pair().expect("a pair of sockets can be made");
        let state = Loop {
            script,
            users,
            late_ns,
            listener,
            stopped,
            clients: Vec::new(),
            ids: Vec::new(),
            waiting: BinaryHeap::new(),
            held: 0,
            stalled_until: 0,
            harness,
            harness_stands: false,
            log: Log::default(),
        };
        Self { address, stop, thread: std::thread::spawn(move || state.run()) }
    }

    /// Ends it; what it saw and did.
    pub(crate) fn finish(self) -> Log {
        drop(self.stop);
        self.thread.join().expect("the peer does not panic")
    }
}

/// A delivery that waits; ordered by time, then by the order in which they were put in.
pub(crate) type Waiting = Reverse<(u64, u64, Held)>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Held {
    pub(crate) op: usize,
    pub(crate) by: u32,
    pub(crate) form: Form,
    pub(crate) delay: Delay,
}

#[derive(Debug)]
pub(crate) struct Loop {
    pub(crate) script: Script,
    pub(crate) users: u32,
    late_ns: u64,
    listener: TcpListener,
    stopped: UnixStream,
    pub(crate) clients: Vec<Client>,
    /// Stanza id of each operation in the log.
    pub(crate) ids: Vec<String>,
    waiting: BinaryHeap<Waiting>,
    held: u64,
    pub(crate) stalled_until: u64,
    harness: Arc<AtomicI32>,
    /// It was stopped, until the log's `paused` is over.
    pub(crate) harness_stands: bool,
    pub(crate) log: Log,
}

impl Loop {
    fn run(mut self) -> Log {
        while self.turn() {}
        if !self.waiting.is_empty() {
            self.log.faults.push(format!("{} deliveries still waited at the end", self.waiting.len()));
        }
        self.log
    }

    /// Waits and does what is due; `false` at the end.
    fn turn(&mut self) -> bool {
        let now = now_ns();
        if now < self.stalled_until {
            let mut fds = [PollFd::new(&self.stopped, PollFlags::IN)];
            poll(&mut fds, Some(&timespec(self.stalled_until - now))).expect("descriptors can be polled");
            return fds[0].revents().is_empty();
        }
        self.deliver_due(now);
        let resume = self.log.paused.filter(|_| self.harness_stands).map(|(_, until)| until);
        if let Some(until) = resume.filter(|until| *until <= now) {
            self.harness_stands = false;
            let from = self.log.paused.map_or(until, |(from, _)| from);
            self.log.paused = Some((from, now_ns()));
            self.signal_harness(Signal::CONT);
        }
        // What was read before a stall and not looked at.
        (0..self.clients.len()).for_each(|client| self.pump(client));
        let resume = self.log.paused.filter(|_| self.harness_stands).map(|(_, until)| until);
        let due = self.waiting.peek().map(|Reverse((due, ..))| *due).into_iter().chain(resume).min();
        let wait = match due {
            _ if self.stalled_until > now => Some(timespec(0)),
            Some(due) => Some(timespec(due.saturating_sub(now_ns()))),
            None => None,
        };
        let mut fds =
            vec![PollFd::new(&self.stopped, PollFlags::IN), PollFd::new(&self.listener, PollFlags::IN)];
        let wanted = |client: &Client| match (client.gone, client.is_blocked()) {
            (true, _) => PollFlags::empty(),
            (false, true) => PollFlags::IN | PollFlags::OUT,
            (false, false) => PollFlags::IN,
        };
        let present: Vec<usize> = (0..self.clients.len()).filter(|at| !self.clients[*at].gone).collect();
        fds.extend(
            present.iter().map(|at| PollFd::new(&self.clients[*at].socket, wanted(&self.clients[*at]))),
        );
        poll(&mut fds, wait.as_ref()).expect("descriptors can be polled");
        let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        drop(fds);
        if ready[0] {
            return false;
        }
        if ready[1] {
            while let Ok((socket, _)) = self.listener.accept() {
                self.clients.push(Client::new(socket));
            }
        }
        for (_, at) in ready[2..].iter().zip(present).filter(|(ready, _)| **ready) {
            if now_ns() < self.stalled_until {
                break;
            }
            self.clients[at].flush();
            self.clients[at].read();
            self.pump(at);
        }
        true
    }

    /// Looks at what a client has sent, unless it was meanwhile asked to stall.
    fn pump(&mut self, client: usize) {
        while now_ns() >= self.stalled_until {
            match self.clients[client].next_stanza() {
                Ok(Some(stanza)) => self.on_stanza(client, &stanza),
                Ok(None) => return,
                Err(what) => {
                    self.clients[client].gone = true;
                    return self.log.faults.push(what);
                }
            }
        }
    }

    pub(crate) fn signal_harness(&mut self, signal: Signal) {
        let sent = Pid::from_raw(self.harness.load(Ordering::Acquire)).map(|pid| kill_process(pid, signal));
        if sent != Some(Ok(())) {
            self.log.faults.push(format!("the harness could not be sent {signal:?}: {sent:?}"));
        }
    }

    /// Has a delivery wait.
    pub(crate) fn hold(&mut self, held: Held) {
        let due = match held.delay {
            Delay::Nanos(ns) => self.log.ops[held.op].at + ns,
            Delay::Drain => self.log.ops[0].at + self.late_ns,
        };
        self.held += 1;
        self.waiting.push(Reverse((due, self.held, held)));
    }

    fn deliver_due(&mut self, now: u64) {
        while let Some(Reverse((due, ..))) = self.waiting.peek()
            && *due <= now
            && let Some(Reverse((.., held))) = self.waiting.pop()
        {
            if self.log.departed == Some(held.by) {
                continue;
            }
            let text = self.text(held);
            let Held { op, by, form, delay } = held;
            let receiver = self.clients.iter_mut().find(|client| client.user == Some(by) && !client.gone);
            match receiver {
                Some(receiver) => {
                    self.log.deliveries.push(Delivery { op, by, form, delay, at: now_ns() });
                    receiver.write(&text);
                }
                None => self.log.faults.push(format!("u{by} was not there for {text}")),
            }
        }
    }
}
