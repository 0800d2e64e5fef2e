//! The routing table at a million accounts: our shard beside `papaya` and `dashmap`, on one thread and on two.
//!
//! A shard has one owner, so two threads have two, and each is asked for its own addresses only; the hop that an
//! address of the other home costs is not in these figures. The maps are shared by both threads. All use the same hasher,
//! the same keys, and values of four bytes. Times are CPU time of one operation on one thread.
//!
//! Each question waits for the answer to the one before it, as in a router, where what follows a lookup is longer than
//! a processor looks ahead. In `in batches` of decisions a batch waits for the one before it.

use std::collections::VecDeque;
use std::hint::black_box;
use std::slice;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use criterion::Criterion;
use rustix::time::{ClockId, clock_gettime};
use xmpp_bench::router::{JidHash, Verdict};
use xmpp_bench::stanza::{JidRef, Stanza};

use super::population::{HALVES, Part, WHOLE};
use super::routes::{DashMap, Map, Papaya, Routes, Shared, home};

/// One of so many operations in `churn` is a bind and an unbind, the others are lookups.
const OPERATIONS_PER_BIND: u64 = 10;
/// Churn holds one of so many accounts online a second time, so that a session is in no cache when it ends.
const ACCOUNTS_PER_SECOND_SESSION: usize = 8;

/// What is measured of a table.
#[derive(Debug, Clone, Copy)]
enum Work {
    LookupBare,
    LookupFull,
    Churn,
}

/// Addresses, asked for again and again in the same order.
#[derive(Debug)]
struct Questions {
    jids: &'static [JidRef<'static>],
    at: usize,
    /// 0, which the compiler must not know.
    nothing: u32,
}

impl Questions {
    fn new(jids: &'static [JidRef<'static>], at: usize) -> Self {
        Self { jids, at, nothing: black_box(0) }
    }

    fn next(&mut self) -> JidRef<'static> {
        let jid = self.jids[self.at];
        self.at = if self.at + 1 == self.jids.len() { 0 } else { self.at + 1 };
        jid
    }

    /// The next question needs this answer.
    fn wait_for(&mut self, answer: u32) {
        self.at += (answer & self.nothing) as usize;
    }
}

/// A thread's view of a table.
struct Worker<R: Routes> {
    routes: R,
    asked: Questions,
    second: Questions,
    /// Second sessions, oldest first: they end in that order.
    bound: VecDeque<R::Bound>,
    operations: u64,
}

impl<R: Routes> Worker<R> {
    fn new(routes: R, asked: Questions, second: &'static [JidRef<'static>]) -> Self {
        let second = Questions::new(second, 0);
        Self { routes, asked, second, bound: VecDeque::new(), operations: 0 }
    }

    fn prepare(&mut self, work: Work) {
        let held = match work {
            Work::Churn => self.second.jids.len() / ACCOUNTS_PER_SECOND_SESSION,
            Work::LookupBare | Work::LookupFull => 0,
        };
        while self.bound.len() < held {
            self.bind();
        }
    }

    fn work(&mut self, work: Work, times: u64) {
        match work {
            Work::LookupBare => (0..times).for_each(|_| self.ask_bare()),
            Work::LookupFull => (0..times).for_each(|_| self.ask_full()),
            Work::Churn => (0..times).for_each(|_| self.churn()),
        }
    }

    fn ask_bare(&mut self) {
        let account = self.routes.account(self.asked.next().bare().as_str());
        self.asked.wait_for(account);
    }

    fn ask_full(&mut self) {
        let connection = self.routes.connection(self.asked.next());
        self.asked.wait_for(connection);
    }

    fn churn(&mut self) {
        self.operations += 1;
        if !self.operations.is_multiple_of(OPERATIONS_PER_BIND) {
            return self.ask_full();
        }
        self.bind();
        let oldest = self.bound.pop_front().expect("one was bound just now");
        self.routes.unbind(oldest);
    }

    fn bind(&mut self) {
        self.bound.push_back(self.routes.bind(self.second.next(), 0));
    }
}

/// Lookups and churn in each table.
pub(crate) fn tables(c: &mut Criterion) {
    let worker = |part: &'static Part| Worker::new(home(part), Questions::new(&part.asked, 0), &part.second);
    rows(c, "shard, 1 thread", vec![worker(&WHOLE)]);
    shared::<Papaya>(c, "papaya, 1 thread", 1);
    shared::<DashMap>(c, "dashmap, 1 thread", 1);
    rows(c, "shard, 2 threads", HALVES.iter().map(worker).collect());
    shared::<Papaya>(c, "papaya, 2 threads", 2);
    shared::<DashMap>(c, "dashmap, 2 threads", 2);
}

/// Every thread asks for every address. Each binds for a half of its own: nobody logs in twice at the same time.
fn shared<M: Map>(c: &mut Criterion, name: &str, threads: usize) {
    let table = Shared::<M>::new(&WHOLE);
    let first = |thread| Questions::new(&WHOLE.asked, thread * WHOLE.asked.len() / threads);
    let parts = if threads == 1 { slice::from_ref(&*WHOLE) } else { &*HALVES };
    let worker = |(n, part): (usize, &'static Part)| Worker::new(&table, first(n), &part.second);
    rows(c, name, parts.iter().enumerate().map(worker).collect());
}

/// The tables are filled already, even for rows that a filter leaves out: inside, it would be taken for the warm-up.
fn rows<R: Routes>(c: &mut Criterion, table: &str, mut workers: Vec<Worker<R>>) {
    let rows = [("lookup bare", Work::LookupBare), ("lookup full", Work::LookupFull), ("churn", Work::Churn)];
    for (row, work) in rows {
        c.bench_function(&format!("{row}/{table}"), |b| {
            b.iter_custom(|times| run(&mut workers, work, times));
        });
    }
}

/// Time of `times` operations on each thread; the mean of the threads.
fn run<R: Routes>(workers: &mut [Worker<R>], work: Work, times: u64) -> Duration {
    let count = u32::try_from(workers.len()).expect("a few");
    let start = &Barrier::new(workers.len());
    let total: Duration = thread::scope(|scope| {
        let threads: Vec<_> = workers
            .iter_mut()
            .map(|worker| {
                scope.spawn(move || {
                    worker.prepare(work);
                    start.wait();
                    timed(|| worker.work(work, times))
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no thread panics")).sum()
    });
    total / count
}

/// On this thread's CPU, so that other programs disturb it little. Waiting for a lock counts as far as it spins.
fn timed(work: impl FnOnce()) -> Duration {
    let now = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).expect("it counts from 0");
    let start = now();
    work();
    now() - start
}

/// The whole decision about a chat message (RFC 6121 §8.5), its address' hash included. In a batch, as a home decides about
/// the letters that it takes from a lane.
pub(crate) fn decide(c: &mut Criterion) {
    let table = home(&WHOLE);
    let message =
        "<message from='a@b/c' to='d@e/f' type='chat' id='m1'><body>Art thou not Romeo?</body></message>";
    let message = Stanza::from_own(Bytes::from_static(message.as_bytes()));
    let mut asked = Questions::new(&WHOLE.asked, 0);
    let mut recipients = Vec::new();
    let mut decided = |to: JidRef<'_>, hash: JidHash| {
        recipients.clear();
        let verdict = table.decide(&message, to, hash, &mut recipients);
        assert_eq!(verdict, Verdict::Deliver);
        recipients[0]
    };
    for (row, is_bare) in [("decide", false), ("decide, to a bare JID", true)] {
        let next = |asked: &mut Questions| {
            let to = asked.next();
            (if is_bare { to.bare() } else { to }, table.hash(to.bare().as_str()))
        };
        c.bench_function(&format!("{row}/one at a time"), |b| {
            b.iter_custom(|times| {
                timed(|| {
                    for _ in 0..times {
                        let (to, hash) = next(&mut asked);
                        let connection = decided(to, hash);
                        asked.wait_for(connection);
                    }
                })
            });
        });
        for size in [4, 16, 32] {
            let (mut tos, mut hashes) = (Vec::new(), Vec::new());
            c.bench_function(&format!("{row}/in batches of {size}"), |b| {
                b.iter_custom(|times| {
                    timed(|| {
                        for _ in 0..times.div_ceil(size) {
                            for _ in 0..size {
                                let (to, hash) = next(&mut asked);
                                tos.push(to);
                                hashes.push(hash);
                            }
                            table.touch(&hashes);
                            let answers = tos.drain(..).zip(hashes.drain(..));
                            let sum = answers.fold(0, |sum, (to, hash)| sum ^ decided(to, hash));
                            // A batch waits for the one before it.
                            asked.wait_for(sum);
                        }
                    })
                });
            });
        }
    }
}
