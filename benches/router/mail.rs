//! What a hop from one home to another costs: the letter, and the wake of who sleeps.
//!
//! The stanza is not touched here; its parsing and its copy are the same with and without a hop.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use criterion::{Criterion, Throughput};
use mio::{Events, Poll, Token, Waker};
use xmpp_bench::reactor::Clock;
use xmpp_bench::router::HomeId;
use xmpp_bench::router::mailbox::{Class, Mailbox, MailboxLimits, Sent, Wake, Weigh, fleet};

/// As large as what a hop carries.
#[derive(Debug)]
struct Letter([u64; 24]);

impl Weigh for Letter {
    fn weight_bytes(&self) -> usize {
        size_of::<Self>() + 200
    }
}

fn two() -> (Mailbox<Letter>, Mailbox<Letter>) {
    let mut homes = fleet(2, MailboxLimits::default());
    let second = homes.pop().expect("two homes");
    (homes.pop().expect("two homes"), second)
}

fn read(mailbox: &mut Mailbox<Letter>) -> u64 {
    let mut sum = 0;
    mailbox.begin_drain();
    while let Some(mut taken) = mailbox.take() {
        sum += taken.letters.drain(..).map(|letter| letter.0[0]).sum::<u64>();
        mailbox.give_back(taken);
    }
    sum
}

/// One thread plays both homes, so nothing is fetched from another core's cache: the work alone.
pub(crate) fn letters(c: &mut Criterion) {
    let mut group = c.benchmark_group("letters of one turn, one thread");
    for count in [1, 16, 64] {
        let (mut a, mut b) = two();
        group.throughput(Throughput::Elements(count));
        group.bench_function(count.to_string(), |bencher| {
            bencher.iter(|| {
                for n in 0..count {
                    assert_eq!(a.send(b.me(), Class::Request, Letter([n; 24])), Sent::Fine);
                }
                a.flush();
                read(&mut b)
            });
        });
    }
    group.finish();
}

#[derive(Debug)]
struct Bell(Waker);

impl Wake for Bell {
    fn wake(&self) {
        self.0.wake().expect("an eventfd takes a wake");
    }
}

/// A thread that sleeps in epoll as a reactor does.
struct Sleeper {
    poll: Poll,
    events: Events,
    bell: Arc<Bell>,
}

impl Sleeper {
    fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        let bell = Arc::new(Bell(Waker::new(poll.registry(), Token(0))?));
        Ok(Self { poll, events: Events::with_capacity(8), bell })
    }

    fn sleep(&mut self) {
        self.poll.poll(&mut self.events, None).expect("epoll waits");
    }
}

/// Two threads that each sleep until the other has written: the time for both ways.
pub(crate) fn wakes(c: &mut Criterion) {
    let mut group = c.benchmark_group("there and back, two threads that sleep");
    group.bench_function("a wake alone", |bencher| bencher.iter_custom(bare_wakes));
    group.bench_function("a letter with its wake", |bencher| bencher.iter_custom(letters_with_wakes));
    group.finish();
}

fn bare_wakes(rounds: u64) -> Duration {
    let (mut here, mut there) = (Sleeper::new().expect("epoll"), Sleeper::new().expect("epoll"));
    let (to_here, to_there) = (Arc::clone(&here.bell), Arc::clone(&there.bell));
    thread::scope(|scope| {
        scope.spawn(move || {
            for _ in 0..rounds {
                there.sleep();
                to_here.wake();
            }
        });
        let begin = Clock.now();
        for _ in 0..rounds {
            to_there.wake();
            here.sleep();
        }
        Duration::from_nanos(Clock.now().since(begin))
    })
}

fn letters_with_wakes(rounds: u64) -> Duration {
    let (mut a, b) = two();
    let (mut here, there) = (Sleeper::new().expect("epoll"), Sleeper::new().expect("epoll"));
    a.set_waker(Arc::clone(&here.bell) as Arc<dyn Wake>);
    b.set_waker(Arc::clone(&there.bell) as Arc<dyn Wake>);
    thread::scope(|scope| {
        scope.spawn(move || echo(b, there, rounds));
        let begin = Clock.now();
        for _ in 0..rounds {
            let _ = a.send(HomeId::new(1), Class::Request, Letter([1; 24]));
            a.flush();
            await_letters(&mut a, &mut here, 1);
        }
        Duration::from_nanos(Clock.now().since(begin))
    })
}

fn echo(mut mailbox: Mailbox<Letter>, mut sleeper: Sleeper, rounds: u64) {
    for _ in 0..rounds {
        await_letters(&mut mailbox, &mut sleeper, 1);
        let _ = mailbox.send(HomeId::FIRST, Class::Request, Letter([1; 24]));
        mailbox.flush();
    }
}

fn await_letters(mailbox: &mut Mailbox<Letter>, sleeper: &mut Sleeper, count: u64) {
    let mut got = 0;
    while got < count {
        got += read(mailbox);
        if got < count && mailbox.lie_down() {
            sleeper.sleep();
        }
        mailbox.get_up();
    }
}
