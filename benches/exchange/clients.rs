//! All clients, on one thread: they write messages and time them. Sent to received, the time of this thread's own turn
//! included, which is the same for all ways.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use xmpp_bench::reactor::Clock;
use xmpp_bench::stanza::Jid;

use super::Load;
use super::server::{MESSAGE_BYTES, TIME_BYTES};

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) messages: u64,
    pub(crate) elapsed_ns: u64,
    /// Of all but the first fifth.
    pub(crate) latencies_ns: Vec<u64>,
    /// Of the server's threads.
    pub(crate) cpu_ns: u64,
}

struct Clients<'a> {
    jids: &'a [Jid],
    sockets: Vec<TcpStream>,
    rng: ChaCha8Rng,
    sent: u64,
    received: Vec<u64>,
}

const TIMER: Token = Token(usize::MAX);
/// The clients' timer rings so often at most, and they send all that is due.
const TICK_NS: u64 = 100_000;
/// A message that takes longer is lost, and the bench is wrong.
const LOST: Duration = Duration::from_secs(30);

pub(crate) fn run(jids: &[Jid], sockets: Vec<TcpStream>, load: Load, run_ms: u64) -> Outcome {
    let mut poll = Poll::new().expect("epoll");
    for (user, socket) in sockets.iter().enumerate() {
        let fd = socket.as_raw_fd();
        poll.registry()
            .register(&mut SourceFd(&fd), Token(user), Interest::READABLE)
            .expect("epoll takes a socket");
    }
    let timer = timer(&poll);
    let mut clients =
        Clients { jids, sockets, rng: ChaCha8Rng::seed_from_u64(1), sent: 0, received: Vec::new() };
    let begin = Clock.now();
    let since = || Clock.now().since(begin);
    let end = run_ms * 1_000_000;
    if let Load::InFlight(count) = load {
        for user in 0..jids.len() {
            (0..count).for_each(|_| clients.send(user, 0));
        }
    }
    let mut events = Events::with_capacity(1_024);
    loop {
        let now = since();
        let is_over = now >= end;
        if let Load::Rate(rate) = load
            && !is_over
        {
            while clients.sent < now * rate / 1_000_000_000 {
                let user = usize::try_from(clients.sent).expect("64 bits") % jids.len();
                clients.send(user, now);
            }
        }
        if is_over && clients.received.len() as u64 == clients.sent {
            break;
        }
        poll.poll(&mut events, Some(LOST)).expect("epoll waits");
        assert!(!events.is_empty(), "{} of {} messages came", clients.received.len(), clients.sent);
        for event in &events {
            if event.token() == TIMER {
                // Eight bytes, which say how often it rang.
                let _ = rustix::io::read(&timer, &mut [0; 8]);
                continue;
            }
            let user = event.token().0;
            let count = clients.receive(user, since);
            let now = since();
            if matches!(load, Load::InFlight(_)) && now < end {
                (0..count).for_each(|_| clients.send(user, now));
            }
        }
    }
    let latencies_ns = clients.received.split_off(clients.received.len() / 5);
    Outcome { messages: clients.sent, elapsed_ns: since(), latencies_ns, cpu_ns: 0 }
}

fn timer(poll: &Poll) -> OwnedFd {
    let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK).expect("a timer");
    let tick = Timespec { tv_sec: 0, tv_nsec: i64::try_from(TICK_NS).expect("a second at most") };
    let every = Itimerspec { it_interval: tick, it_value: tick };
    timerfd_settime(timer.as_fd(), TimerfdTimerFlags::empty(), &every).expect("it is set");
    let fd = timer.as_raw_fd();
    poll.registry().register(&mut SourceFd(&fd), TIMER, Interest::READABLE).expect("epoll takes a timer");
    timer
}

impl Clients<'_> {
    fn send(&mut self, user: usize, now: u64) {
        let to = usize::try_from(self.rng.next_u64() % self.jids.len() as u64).expect("below the length");
        let mut message = [b' '; MESSAGE_BYTES];
        message[..TIME_BYTES].copy_from_slice(&now.to_le_bytes());
        let to = self.jids[to].as_str().as_bytes();
        message[TIME_BYTES..TIME_BYTES + to.len()].copy_from_slice(to);
        let written = (&self.sockets[user]).write(&message).expect("the server reads");
        assert_eq!(written, MESSAGE_BYTES, "there is room for what is under way");
        self.sent += 1;
    }

    /// How many came.
    fn receive(&mut self, user: usize, since: impl Fn() -> u64) -> usize {
        let mut count = 0;
        let mut buffer = [0; 64 * MESSAGE_BYTES];
        loop {
            let got = match (&self.sockets[user]).read(&mut buffer) {
                Ok(got) => got,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return count,
                Err(error) => panic!("the server lives: {error}"),
            };
            // Whole messages are written, each small enough that the kernel does not cut it.
            assert!(got > 0 && got % MESSAGE_BYTES == 0, "{got} bytes are no messages");
            let now = since();
            for message in buffer[..got].chunks_exact(MESSAGE_BYTES) {
                let sent = u64::from_le_bytes(*message.first_chunk().expect("long enough"));
                self.received.push(now - sent);
            }
            count += got / MESSAGE_BYTES;
            if got < buffer.len() {
                return count;
            }
        }
    }
}
