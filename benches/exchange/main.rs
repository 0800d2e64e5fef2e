//! Where a connection lives and who writes to it: three ways for a message from one socket to another.
//!
//! `scripts/exchange.sh FOLDER`, or `cargo bench --bench exchange`. Nothing is framed here, and only chat messages to full
//! addresses are decided about, so that what the ways differ in is most of what is seen. Sockets, mailboxes and the homes'
//! shards are the real ones. CPU is that of the server's threads.
//!
//! - `homes`: a connection is at its account's home; the recipient's home decides; what is for another home is a letter.
//! - `stay`: a connection is where it was accepted; the sender's thread decides with a table that all threads share
//!   (papaya), which knows full addresses and no presence; what is for another thread's connection is a letter.
//! - `locked`: as `stay`, but the sender's thread appends to the recipient's outbox, which has a lock, and writes to its
//!   socket at the end of its turn. There are no letters.

#![allow(missing_docs, reason = "a program")]
#![allow(clippy::print_stdout, reason = "its result")]

mod clients;
mod server;

use std::fmt;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use clients::Outcome;
use server::{Fleet, Way};
use xmpp_bench::router::Homes;
use xmpp_bench::stanza::Jid;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const USERS: usize = 1_000;

/// How messages are sent.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Load {
    /// So many a second, evenly spaced: open.
    Rate(u64),
    /// So many of each user under way at any time: closed.
    InFlight(usize),
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate(rate) => write!(f, "{rate}/s"),
            Self::InFlight(count) => write!(f, "{count} in flight"),
        }
    }
}

/// One figure of each kind.
#[derive(Debug, Clone, Copy)]
struct Figures {
    per_second: f64,
    cpu_us: f64,
    p50_us: f64,
    p99_us: f64,
}

fn main() {
    let is_test = std::env::args().any(|arg| arg == "--test");
    let number = |name: &str, default: u64| {
        std::env::var(name).map_or(default, |n| n.parse().unwrap_or_else(|_| panic!("{name} is a number")))
    };
    let rounds = if is_test { 1 } else { number("XB_ROUNDS", 3) };
    let run_ms = if is_test { 20 } else { number("XB_SECONDS", 3) * 1_000 };
    let loads = [Load::Rate(number("XB_RATE", 10_000)), Load::InFlight(1), Load::InFlight(16)];
    println!("| threads | load | way | messages/s | CPU µs a message | p50 µs | p99 µs |");
    println!("|---|---|---|---|---|---|---|");
    for threads in [1, 2] {
        for load in loads {
            let mut figures = Way::ALL.map(|_| Vec::new());
            // Ways take turns, so that a machine that gets slower is no advantage for one.
            for _ in 0..rounds {
                for (way, figures) in Way::ALL.into_iter().zip(&mut figures) {
                    figures.push(run(way, threads, load, run_ms));
                }
            }
            for (way, figures) in Way::ALL.into_iter().zip(figures) {
                let all = |pick: fn(&Figures) -> f64, digits: usize| {
                    let all = figures.iter().map(|f| format!("{:.digits$}", pick(f)));
                    all.collect::<Vec<_>>().join(", ")
                };
                println!(
                    "| {threads} | {load} | {way:?} | {} | {} | {} | {} |",
                    all(|f| f.per_second, 0),
                    all(|f| f.cpu_us, 2),
                    all(|f| f.p50_us, 0),
                    all(|f| f.p99_us, 0)
                );
            }
        }
    }
}

/// Both ends of a connection of each user: the server's and the client's.
fn connections() -> (Vec<TcpStream>, Vec<TcpStream>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let pair = |_| {
        let client = TcpStream::connect(address).expect("it listens");
        let (server, _) = listener.accept().expect("one has connected");
        for end in [&server, &client] {
            end.set_nodelay(true).expect("TCP");
            end.set_nonblocking(true).expect("a socket");
        }
        (server, client)
    };
    (0..USERS).map(pair).unzip()
}

fn run(way: Way, threads: usize, load: Load, run_ms: u64) -> Figures {
    let jids: Vec<Jid> = (0..USERS)
        .map(|n| Jid::parse(&format!("user-{n:014}@im.verona.example/r")).expect("a good address"))
        .collect();
    let (ours, theirs) = connections();
    let (fleet, members) = Fleet::new(way, Homes::new(threads, 1), &jids, ours);
    let fleet = Arc::new(fleet);
    let Outcome { messages, elapsed_ns, mut latencies_ns, cpu_ns } = thread::scope(|scope| {
        let threads: Vec<_> = members
            .into_iter()
            .map(|member| {
                let fleet = Arc::clone(&fleet);
                scope.spawn(move || member.run(&fleet))
            })
            .collect();
        let mut outcome = clients::run(&jids, theirs, load, run_ms);
        fleet.stop();
        outcome.cpu_ns = threads.into_iter().map(|thread| thread.join().expect("no thread panics")).sum();
        outcome
    });
    latencies_ns.sort_unstable();
    let at = |part: usize| latencies_ns.get(latencies_ns.len() * part / 100).copied().unwrap_or_default();
    Figures {
        per_second: messages as f64 * 1e9 / elapsed_ns as f64,
        cpu_us: cpu_ns as f64 / 1e3 / messages as f64,
        p50_us: at(50) as f64 / 1e3,
        p99_us: at(99) as f64 / 1e3,
    }
}
