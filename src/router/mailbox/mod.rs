//! Mail between homes: lock-free, bounded in bytes, in order for each sender (DESIGN section 5).
//!
//! A mailbox does not know what is in a letter, and never blocks. From each home to each other there are two lanes:
//! *requests*, caused by sockets, and *replies*, caused by draining requests. Draining replies causes no mail. So
//! replies can always be drained, so requests can be drained as soon as there is room for what they cause, so whoever waits
//! for room in a request lane is served: nothing waits in a circle.
//!
//! What does not fit into a lane waits at its sender, in order. [`Mailbox::send`] then says [`Sent::Full`], and who sent it
//! parks the connection that caused it: what waits is at most one stanza's letters for each parked connection.
//!
//! Guaranteed: letters from one home to another are read in the order in which they were sent, each once, whichever lanes
//! they took. A reply says how many requests were sent before it; one that is taken before all of these waits beside the
//! lanes (`incoming.rs`), where it is in nobody's way. Who has too many of those is as good as full for requests to their
//! sender, so there are soon no more. Not guaranteed: an order between letters of different homes.

mod bell;
mod incoming;
mod lane;
mod outgoing;
#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};

use bell::Bell;
use incoming::Incoming;
use lane::{Batch, Lane};
use outgoing::{Outgoing, has_room};

use super::HomeId;
use crate::limits::{MAILBOX_BATCH_BYTES_MAX, MAILBOX_LANE_BYTES_MAX};

/// What a letter counts against a lane's bound.
pub trait Weigh {
    /// Bytes that it holds, about.
    fn weight_bytes(&self) -> usize;
}

/// Wakes a home that sleeps; given by the driver.
pub trait Wake: std::fmt::Debug + Send + Sync {
    /// Ends its sleep, or its next one if it is awake.
    fn wake(&self);
}

/// Which lane a letter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Caused by a socket, a timer or the operator.
    Request,
    /// Caused by a request of another home.
    Reply,
}

/// Whether there was room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Sent {
    /// Nobody needs to care.
    Fine,
    /// The lane is full: what caused this letter should cause no more until [`Mailbox::has_room`].
    Full,
}

/// Bounds of a fleet's lanes.
#[derive(Debug, Clone, Copy)]
pub struct MailboxLimits {
    /// Bytes of one lane. One letter that is larger may pass when the lane is empty.
    pub lane_bytes_max: usize,
    /// Bytes that are pushed, and taken, in one piece.
    pub batch_bytes_max: usize,
}

impl Default for MailboxLimits {
    fn default() -> Self {
        Self { lane_bytes_max: MAILBOX_LANE_BYTES_MAX, batch_bytes_max: MAILBOX_BATCH_BYTES_MAX }
    }
}

/// What a mailbox did since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MailCounters {
    /// Letters to other homes.
    pub sent: u64,
    /// Letters from other homes.
    pub received: u64,
    /// Other homes that were woken.
    pub wakes: u64,
    /// How often a lane had no room for everything.
    pub full: u64,
    /// Letters that waited for others, sent before them by another lane.
    pub early: u64,
}

/// The lanes from one home to one other.
#[derive(Debug)]
struct Pair<T> {
    requests: Lane<T>,
    replies: Lane<T>,
    /// The sender waits here for room, for what it could not push.
    room: Bell,
    /// The sender waits here for the reserve of its reply lane, without which it takes no requests. A bell of its own: the
    /// end of a turn takes back the wait for room, and must not take back this one.
    reserve: Bell,
}

impl<T> Pair<T> {
    const fn lane(&self, class: Class) -> &Lane<T> {
        match class {
            Class::Request => &self.requests,
            Class::Reply => &self.replies,
        }
    }
}

#[derive(Debug)]
struct Shared<T> {
    homes: usize,
    limits: MailboxLimits,
    /// From home `a` to home `b`: at `a * homes + b`.
    pairs: Vec<Pair<T>>,
    /// Each home sleeps here.
    bells: Vec<Bell>,
    wakers: Vec<OnceLock<Arc<dyn Wake>>>,
}

/// A batch that was taken; [`Mailbox::give_back`] wants it when its letters are done with.
#[derive(Debug)]
pub struct Taken<T> {
    /// The letters, in order.
    pub letters: Vec<T>,
    /// Who sent them.
    pub from: HomeId,
    /// Which lane they took.
    pub class: Class,
    bytes: usize,
}

/// One home's end of a fleet's mail.
#[derive(Debug)]
pub struct Mailbox<T> {
    me: HomeId,
    shared: Arc<Shared<T>>,
    outgoing: Vec<Outgoing<T>>,
    incoming: Vec<Incoming<T>>,
    counters: MailCounters,
    /// The sender that is looked at first; moves on with each turn.
    first: usize,
}

/// One mailbox for each home of a fleet.
#[must_use]
pub fn fleet<T: Weigh>(homes: usize, limits: MailboxLimits) -> Vec<Mailbox<T>> {
    let pair = || Pair {
        requests: Lane::new(),
        replies: Lane::new(),
        room: Bell::default(),
        reserve: Bell::default(),
    };
    let shared = Arc::new(Shared {
        homes,
        limits,
        // A home has no lanes to itself: alone, it has none at all.
        pairs: if homes == 1 { Vec::new() } else { (0..homes * homes).map(|_| pair()).collect() },
        bells: (0..homes).map(|_| Bell::default()).collect(),
        wakers: (0..homes).map(|_| OnceLock::new()).collect(),
    });
    let mailbox = |home| Mailbox {
        me: HomeId::new(home),
        shared: Arc::clone(&shared),
        outgoing: (0..homes).map(|_| Outgoing::default()).collect(),
        incoming: (0..homes).map(|_| Incoming::default()).collect(),
        counters: MailCounters::default(),
        first: 0,
    };
    (0..homes).map(mailbox).collect()
}

impl<T: Weigh> Mailbox<T> {
    /// Whose it is.
    #[must_use]
    pub const fn me(&self) -> HomeId {
        self.me
    }

    /// How many homes there are.
    #[must_use]
    pub fn homes(&self) -> usize {
        self.shared.homes
    }

    /// What it did so far.
    #[must_use]
    pub const fn counters(&self) -> MailCounters {
        self.counters
    }

    /// How this home is woken, once for all.
    ///
    /// # Panics
    /// When it was said before.
    pub fn set_waker(&self, waker: Arc<dyn Wake>) {
        assert!(self.shared.wakers[self.me.index()].set(waker).is_ok(), "a home has one waker");
    }

    /// Puts a letter behind the others for `to`; it leaves with [`Self::flush`].
    ///
    /// # Panics
    /// When `to` is this home.
    pub fn send(&mut self, to: HomeId, class: Class, letter: T) -> Sent {
        assert_ne!(to, self.me, "a home does not write to itself");
        self.counters.sent += 1;
        self.outgoing[to.index()].send(class, letter);
        if class == Class::Request && self.is_full(to) {
            self.counters.full += 1;
            return Sent::Full;
        }
        Sent::Fine
    }

    /// Whether the request lane to `to` is full, what waits for it included, or too many of its replies wait here.
    #[must_use]
    pub fn is_full(&self, to: HomeId) -> bool {
        let lane = self.shared.pair(self.me, to).requests.bytes();
        lane + self.outgoing[to.index()].requests.bytes > self.shared.limits.lane_bytes_max
            || self.has_too_many_early(to)
    }

    /// Whether nothing waits for the request lane to `to`: who was parked for it may go on.
    #[must_use]
    pub fn has_room(&self, to: HomeId) -> bool {
        self.outgoing[to.index()].requests.is_empty() && !self.has_too_many_early(to)
    }

    /// Whether replies of `from` that wait for its requests are as many as a lane may hold. They become fewer when this home
    /// reads on, so a turn that ends looks again.
    fn has_too_many_early(&self, from: HomeId) -> bool {
        self.incoming[from.index()].early_bytes() > self.shared.limits.lane_bytes_max
    }

    /// Begins a turn's draining: requests that come later belong to the next turn.
    pub fn begin_drain(&mut self) {
        let homes = self.shared.homes;
        self.first = (self.first + 1) % homes;
        for from in self.others() {
            self.incoming[from.index()].quota = self.shared.pair(from, self.me).requests.len();
        }
    }

    /// The next batch to be read: replies first, then as many requests as there were when the turn began. Their number was
    /// read before the replies are, so a request is never read before a reply that was sent before it.
    pub fn take(&mut self) -> Option<Taken<T>> {
        let (homes, first) = (self.shared.homes, self.first);
        (0..homes).map(|step| HomeId::new((first + step) % homes)).find_map(|from| self.take_from(from))
    }

    fn take_from(&mut self, from: HomeId) -> Option<Taken<T>> {
        if from == self.me {
            return None;
        }
        if let Some(batch) = self.incoming[from.index()].ripe() {
            return Some(self.taken(batch.letters, 0, from, Class::Reply));
        }
        while let Some(batch) = self.shared.pair(from, self.me).replies.pop() {
            if !self.incoming[from.index()].is_early(&batch) {
                return Some(self.taken(batch.letters, batch.bytes, from, Class::Reply));
            }
            self.put_aside(batch, from);
        }
        if self.incoming[from.index()].quota == 0 || !self.has_reserve(from) {
            return None;
        }
        let batch = self.shared.pair(from, self.me).requests.pop()?;
        self.incoming[from.index()].note_requests(&batch);
        Some(self.taken(batch.letters, batch.bytes, from, Class::Request))
    }

    fn taken(&mut self, letters: Vec<T>, bytes: usize, from: HomeId, class: Class) -> Taken<T> {
        self.counters.received += letters.len() as u64;
        Taken { letters, from, class, bytes }
    }

    /// Keeps replies that came too early, and frees their room in the lane.
    fn put_aside(&mut self, replies: Batch<T>, from: HomeId) {
        self.counters.early += replies.letters.len() as u64;
        self.shared.pair(from, self.me).replies.unload(replies.bytes);
        self.incoming[from.index()].put_aside(replies);
        self.tell_of_room(from);
    }

    /// Whether the reply lane to `to` has room for what a batch of its requests may cause.
    fn has_reserve(&self, to: HomeId) -> bool {
        let lane = self.shared.pair(self.me, to).replies.bytes();
        lane + self.outgoing[to.index()].replies.bytes <= self.shared.limits.lane_bytes_max / 2
    }

    /// A batch is done with: its room is free, and its sender hears of that if it waits.
    pub fn give_back(&mut self, taken: Taken<T>) {
        let Taken { letters, from, class, bytes } = taken;
        self.shared.pair(from, self.me).lane(class).give_back(letters, bytes);
        self.tell_of_room(from);
    }

    /// There is more room in a lane from there: at the end of the turn it hears of that, if it waits.
    fn tell_of_room(&mut self, from: HomeId) {
        let pair = self.shared.pair(from, self.me);
        // Both, whatever the first one says.
        if pair.room.ring() | pair.reserve.ring() {
            self.outgoing[from.index()].ring = true;
        }
    }

    /// Ends a turn: what was sent goes into the lanes as far as there is room, and whoever sleeps and has something to
    /// read, or waits for room that there is now, is woken, once.
    pub fn flush(&mut self) {
        for to in self.others() {
            self.flush_to(to);
            if std::mem::take(&mut self.outgoing[to.index()].ring) && self.shared.bells[to.index()].ring() {
                self.counters.wakes += 1;
                if let Some(waker) = self.shared.wakers[to.index()].get() {
                    waker.wake();
                }
            }
        }
    }

    fn flush_to(&mut self, to: HomeId) {
        let shared = &*self.shared;
        let outgoing = &mut self.outgoing[to.index()];
        let pair = shared.pair(self.me, to);
        while let Some(class) = outgoing.fill(pair, shared.limits) {
            let next = outgoing.next_bytes(class);
            if pair.room.lie_down(|| has_room(pair.lane(class), next, true, shared.limits)) {
                return;
            }
        }
        pair.room.get_up();
    }

    /// Whether this home may sleep. `false`: there is something to read, drain first. Who may sleep is woken from now
    /// on, until [`Self::get_up`].
    #[must_use]
    pub fn lie_down(&self) -> bool {
        self.shared.bells[self.me.index()].lie_down(|| self.others().any(|from| self.can_take(from)))
    }

    /// Whether `from` has sent what can be read now. Requests that wait for the reply lane's reserve cannot, and are told
    /// of its room as letters are.
    fn can_take(&self, from: HomeId) -> bool {
        let pair = self.shared.pair(from, self.me);
        !pair.replies.is_empty()
            || (!pair.requests.is_empty()
                && !self.shared.pair(self.me, from).reserve.lie_down(|| self.has_reserve(from)))
    }

    /// This home is awake and needs no waking.
    pub fn get_up(&self) {
        self.shared.bells[self.me.index()].get_up();
    }

    /// Whether anything is on its way to or from this home.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.others().all(|other| {
            let (here, away) = (self.shared.pair(other, self.me), self.shared.pair(self.me, other));
            let outgoing = &self.outgoing[other.index()];
            [here, away].iter().all(|pair| pair.requests.is_empty() && pair.replies.is_empty())
                && outgoing.requests.is_empty()
                && outgoing.replies.is_empty()
                && self.incoming[other.index()].is_empty()
        })
    }

    /// Wakes every other home that sleeps.
    pub fn wake_all(&mut self) {
        for to in self.others() {
            self.outgoing[to.index()].ring = true;
        }
        self.flush();
    }

    fn others(&self) -> impl Iterator<Item = HomeId> + use<T> {
        let me = self.me;
        (0..self.shared.homes).map(HomeId::new).filter(move |home| *home != me)
    }
}

impl<T> Shared<T> {
    fn pair(&self, from: HomeId, to: HomeId) -> &Pair<T> {
        &self.pairs[from.index() * self.homes + to.index()]
    }
}
