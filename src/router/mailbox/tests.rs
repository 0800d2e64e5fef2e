//! Order, bounds and room; and the whole between two real threads.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use proptest::prelude::*;

use super::{Class, HomeId, MailboxLimits, Sent, Wake, Weigh, fleet};

/// A letter of the given weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Letter(u32, usize);

impl Weigh for Letter {
    fn weight_bytes(&self) -> usize {
        self.1
    }
}

type Mailbox = super::Mailbox<Letter>;

const LIMITS: MailboxLimits = MailboxLimits { lane_bytes_max: 100, batch_bytes_max: 50 };

fn two() -> (Mailbox, Mailbox) {
    let mut homes = fleet(2, LIMITS);
    let second = homes.pop().unwrap();
    (homes.pop().unwrap(), second)
}

/// Everything that can be read in one turn: class and number.
fn read(mailbox: &mut Mailbox) -> Vec<(Class, u32)> {
    let mut all = Vec::new();
    mailbox.begin_drain();
    while let Some(mut taken) = mailbox.take() {
        let class = taken.class;
        all.extend(taken.letters.drain(..).map(|letter| (class, letter.0)));
        mailbox.give_back(taken);
    }
    all
}

fn requests(numbers: impl IntoIterator<Item = u32>) -> Vec<(Class, u32)> {
    numbers.into_iter().map(|n| (Class::Request, n)).collect()
}

#[test]
fn letters_arrive_in_order_once_and_only_when_flushed() {
    let (mut a, mut b) = two();
    for n in 0..3 {
        assert_eq!(a.send(b.me(), Class::Request, Letter(n, 10)), Sent::Fine);
    }
    assert_eq!(read(&mut b), []);
    a.flush();
    assert_eq!(read(&mut b), requests(0..3));
    assert_eq!(read(&mut b), []);
    assert!(a.is_idle() && b.is_idle());
}

#[test]
fn what_does_not_fit_waits_in_order() {
    let (mut a, mut b) = two();
    let sent: Vec<_> = (0..8).map(|n| a.send(b.me(), Class::Request, Letter(n, 30))).collect();
    assert_eq!(&sent[..4], [Sent::Fine, Sent::Fine, Sent::Fine, Sent::Full]);
    a.flush();
    assert!(!a.has_room(b.me()));
    assert_eq!(read(&mut b), requests(0..3));
    a.flush();
    assert_eq!(read(&mut b), requests(3..6));
    a.flush();
    assert!(a.has_room(b.me()));
    assert_eq!(read(&mut b), requests(6..8));
}

#[test]
fn a_letter_above_the_bound_passes_alone() {
    let (mut a, mut b) = two();
    assert_eq!(a.send(b.me(), Class::Request, Letter(0, 1_000)), Sent::Full);
    assert_eq!(a.send(b.me(), Class::Request, Letter(1, 1_000)), Sent::Full);
    a.flush();
    assert_eq!(read(&mut b), requests([0]));
    a.flush();
    assert_eq!(read(&mut b), requests([1]));
}

#[test]
fn a_reply_is_not_overtaken_by_a_later_request() {
    let (mut a, mut b) = two();
    for n in 0..5 {
        let _ = a.send(b.me(), Class::Reply, Letter(n, 40));
    }
    assert_eq!(a.send(b.me(), Class::Request, Letter(9, 1)), Sent::Fine);
    let mut seen = Vec::new();
    for _ in 0..5 {
        a.flush();
        seen.extend(read(&mut b));
    }
    let replies = (0..5).map(|n| (Class::Reply, n));
    assert_eq!(seen, replies.chain(requests([9])).collect::<Vec<_>>());
}

#[test]
fn a_reply_waits_for_the_requests_before_it() {
    let (mut a, mut b) = two();
    let classes = [Class::Request, Class::Reply, Class::Reply, Class::Request, Class::Request, Class::Reply];
    let sent: Vec<_> = classes.into_iter().zip(0..).collect();
    for (class, n) in &sent {
        let _ = a.send(b.me(), *class, Letter(*n, 10));
    }
    a.flush();
    assert_eq!(read(&mut b), sent);
    assert_eq!(b.counters().early, 3);
    assert!(a.is_idle() && b.is_idle());
}

#[test]
fn who_has_too_many_early_replies_is_full_for_their_sender() {
    let (mut a, mut b) = two();
    // `b` reads no requests before `a` has taken this.
    let _ = b.send(a.me(), Class::Reply, Letter(0, 60));
    b.flush();
    let _ = a.send(b.me(), Class::Request, Letter(1, 10));
    for n in 2..6 {
        let _ = a.send(b.me(), Class::Reply, Letter(n, 40));
        a.flush();
        assert_eq!(read(&mut b), [], "their lane is emptied, but they are not read");
        let is_too_many = n > 3;
        assert_eq!((b.is_full(a.me()), !b.has_room(a.me())), (is_too_many, is_too_many));
    }
    assert!(!b.is_idle());
    assert_eq!(read(&mut a), [(Class::Reply, 0)]);
    a.flush();
    let replies = (2..6).map(|n| (Class::Reply, n));
    assert_eq!(read(&mut b), requests([1]).into_iter().chain(replies).collect::<Vec<_>>());
    assert!(!b.is_full(a.me()) && b.has_room(a.me()));
}

proptest! {
    /// Letters and turns as they come, through lanes that hold few letters: what arrives is what was sent, in that order.
    #[test]
    fn letters_are_read_in_the_order_of_sending(
        acts in prop::collection::vec((0..2_usize, 0..4_u8, 1..60_usize), 1..200),
    ) {
        let (a, b) = two();
        let mut homes = [a, b];
        let mut sent = [Vec::new(), Vec::new()];
        let mut seen = [Vec::new(), Vec::new()];
        for ((who, act, bytes), n) in acts.into_iter().zip(0..) {
            let to = HomeId::new(1 - who);
            match act {
                0 | 1 => {
                    let class = if act == 0 { Class::Request } else { Class::Reply };
                    let _ = homes[who].send(to, class, Letter(n, bytes));
                    sent[1 - who].push((class, n));
                }
                2 => homes[who].flush(),
                _ => seen[who].extend(read(&mut homes[who])),
            }
        }
        // Each turn of both empties at least one place of a lane.
        for _ in 0..400 {
            for who in 0..2 {
                seen[who].extend(read(&mut homes[who]));
                homes[who].flush();
            }
        }
        prop_assert_eq!(seen, sent);
        prop_assert!(homes.iter().all(Mailbox::is_idle));
    }
}

#[test]
fn requests_wait_for_the_reserve_of_replies() {
    let (mut a, mut b) = two();
    let _ = b.send(a.me(), Class::Reply, Letter(0, 60));
    b.flush();
    let _ = a.send(b.me(), Class::Request, Letter(1, 10));
    a.flush();
    assert_eq!(read(&mut b), [], "what it causes might not fit");
    assert!(b.lie_down(), "there is nothing that it could do now");
    assert_eq!(read(&mut a), [(Class::Reply, 0)]);
    a.flush();
    assert_eq!(a.counters().wakes, 1, "it waits for that room");
    b.get_up();
    assert_eq!(read(&mut b), requests([1]));
}

#[derive(Debug, Default)]
struct Doorbell {
    rung: Mutex<bool>,
    changed: Condvar,
    count: AtomicUsize,
}

impl Wake for Doorbell {
    fn wake(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
        *self.rung.lock().unwrap() = true;
        self.changed.notify_one();
    }
}

impl Doorbell {
    fn wait(&self) {
        let mut rung = self.rung.lock().unwrap();
        while !*rung {
            rung = self.changed.wait(rung).unwrap();
        }
        *rung = false;
    }
}

#[test]
fn one_wake_for_a_turn_and_none_for_who_is_awake() {
    let (mut a, b) = two();
    let bell = Arc::new(Doorbell::default());
    b.set_waker(Arc::clone(&bell) as Arc<dyn Wake>);
    let _ = a.send(b.me(), Class::Request, Letter(0, 1));
    a.flush();
    assert_eq!(bell.count.load(Ordering::Relaxed), 0);
    assert!(!b.lie_down(), "there is something to read");
    let mut b = b;
    read(&mut b);
    assert!(b.lie_down());
    for n in 1..4 {
        let _ = a.send(b.me(), Class::Request, Letter(n, 1));
        let _ = a.send(b.me(), Class::Reply, Letter(n, 1));
    }
    a.flush();
    a.flush();
    assert_eq!(bell.count.load(Ordering::Relaxed), 1);
}

/// Two homes that send each other as much as they can through lanes that hold three letters, each request answered.
/// Neither order nor number is lost, and nobody sleeps for ever.
#[test]
fn two_threads_exchange_everything_through_narrow_lanes() {
    const REQUESTS: u32 = 20_000;
    let run = |mut mine: Mailbox, bell: Arc<Doorbell>| {
        mine.set_waker(Arc::clone(&bell) as Arc<dyn Wake>);
        let peer = HomeId::new(1 - mine.me().index());
        let (mut sent, mut received, mut answered) = (0, 0, 0);
        loop {
            mine.begin_drain();
            while let Some(mut taken) = mine.take() {
                for letter in taken.letters.drain(..) {
                    if taken.class == Class::Request {
                        assert_eq!(letter.0, received);
                        received += 1;
                        let _ = mine.send(peer, Class::Reply, letter);
                    } else {
                        assert_eq!(letter.0, answered);
                        answered += 1;
                    }
                }
                mine.give_back(taken);
            }
            while sent < REQUESTS && !mine.is_full(peer) {
                let _ = mine.send(peer, Class::Request, Letter(sent, 30));
                sent += 1;
            }
            mine.flush();
            // The peer may still wait for the room that this side's last reading made: the flush above has told it.
            if (sent, received, answered) == (REQUESTS, REQUESTS, REQUESTS) && mine.is_idle() {
                return mine.counters();
            }
            let can_send = sent < REQUESTS && !mine.is_full(peer);
            let is_done = (sent, received, answered) == (REQUESTS, REQUESTS, REQUESTS);
            if !can_send && !is_done && mine.lie_down() {
                bell.wait();
            }
            mine.get_up();
        }
    };
    let (a, b) = two();
    thread::scope(|scope| {
        let one = scope.spawn(|| run(a, Arc::default()));
        let other = scope.spawn(|| run(b, Arc::default()));
        for counters in [one.join().unwrap(), other.join().unwrap()] {
            assert_eq!(
                (counters.sent, counters.received),
                (2 * u64::from(REQUESTS), 2 * u64::from(REQUESTS))
            );
        }
    });
}
