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
//! Guaranteed: letters of one class from one home to another arrive in the order in which they were sent, each once; a
//! reply is never overtaken by a request that the same home sent later. Not guaranteed: that a reply does not overtake
//! requests that the same home sent earlier.

mod bell;
mod lane;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

use bell::Bell;
use lane::{Batch, Lane};

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

/// What waits at its sender for a place in a lane.
#[derive(Debug)]
struct Waiting<T> {
    letters: VecDeque<T>,
    bytes: usize,
}

impl<T> Default for Waiting<T> {
    fn default() -> Self {
        Self { letters: VecDeque::new(), bytes: 0 }
    }
}

/// What one home has for one other.
#[derive(Debug)]
struct Outgoing<T> {
    requests: Waiting<T>,
    replies: Waiting<T>,
    /// Whether it must hear of this turn: of new batches, or of room that it waits for.
    ring: bool,
}

impl<T> Outgoing<T> {
    const fn waiting(&mut self, class: Class) -> &mut Waiting<T> {
        match class {
            Class::Request => &mut self.requests,
            Class::Reply => &mut self.replies,
        }
    }
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
    counters: MailCounters,
    /// How many request batches of each sender may be taken in this turn.
    quota: Vec<usize>,
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
    let outgoing = || Outgoing { requests: Waiting::default(), replies: Waiting::default(), ring: false };
    let mailbox = |home| Mailbox {
        me: HomeId::new(home),
        shared: Arc::clone(&shared),
        outgoing: (0..homes).map(|_| outgoing()).collect(),
        counters: MailCounters::default(),
        quota: vec![0; homes],
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
        let waiting = self.outgoing[to.index()].waiting(class);
        waiting.bytes += letter.weight_bytes();
        waiting.letters.push_back(letter);
        if class == Class::Request && self.is_full(to) {
            self.counters.full += 1;
            return Sent::Full;
        }
        Sent::Fine
    }

    /// Whether the request lane to `to` is full, what waits for it included.
    #[must_use]
    pub fn is_full(&self, to: HomeId) -> bool {
        let lane = self.shared.pair(self.me, to).requests.bytes();
        lane + self.outgoing[to.index()].requests.bytes > self.shared.limits.lane_bytes_max
    }

    /// Whether nothing waits for the request lane to `to`: who was parked for it may go on.
    #[must_use]
    pub fn has_room(&self, to: HomeId) -> bool {
        self.outgoing[to.index()].requests.letters.is_empty()
    }

    /// Begins a turn's draining: requests that come later belong to the next turn.
    pub fn begin_drain(&mut self) {
        let homes = self.shared.homes;
        self.first = (self.first + 1) % homes;
        for from in self.others() {
            self.quota[from.index()] = self.shared.pair(from, self.me).requests.len();
        }
    }

    /// The next batch to be read: replies first, then as many requests as there were when the turn began. Their number was
    /// read before the replies are, so a request is never read before a reply that was sent before it.
    pub fn take(&mut self) -> Option<Taken<T>> {
        let homes = self.shared.homes;
        for step in 0..homes {
            let from = HomeId::new((self.first + step) % homes);
            if from == self.me {
                continue;
            }
            let pair = self.shared.pair(from, self.me);
            if let Some(batch) = pair.replies.pop() {
                return Some(self.taken(batch, from, Class::Reply));
            }
            if self.quota[from.index()] > 0
                && self.has_reserve(from)
                && let Some(batch) = pair.requests.pop()
            {
                self.quota[from.index()] -= 1;
                return Some(self.taken(batch, from, Class::Request));
            }
        }
        None
    }

    fn taken(&mut self, batch: Batch<T>, from: HomeId, class: Class) -> Taken<T> {
        self.counters.received += batch.letters.len() as u64;
        Taken { letters: batch.letters, from, class, bytes: batch.bytes }
    }

    /// Whether the reply lane to `to` has room for what a batch of its requests may cause.
    fn has_reserve(&self, to: HomeId) -> bool {
        let lane = self.shared.pair(self.me, to).replies.bytes();
        lane + self.outgoing[to.index()].replies.bytes <= self.shared.limits.lane_bytes_max / 2
    }

    /// A batch is done with: its room is free, and its sender hears of that if it waits.
    pub fn give_back(&mut self, taken: Taken<T>) {
        let Taken { letters, from, class, bytes } = taken;
        let pair = self.shared.pair(from, self.me);
        pair.lane(class).give_back(Batch { letters, bytes });
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
        // Replies first, and no request before all of them: see the module's guarantee.
        while !outgoing.fill(Class::Reply, pair, shared.limits)
            || !outgoing.fill(Class::Request, pair, shared.limits)
        {
            let class = if outgoing.replies.letters.is_empty() { Class::Request } else { Class::Reply };
            let next = outgoing.waiting(class).letters.front().map_or(0, Weigh::weight_bytes);
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
                && outgoing.requests.letters.is_empty()
                && outgoing.replies.letters.is_empty()
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

impl<T: Weigh> Outgoing<T> {
    /// Moves letters into a lane until none waits (`true`) or there is no room.
    fn fill(&mut self, class: Class, pair: &Pair<T>, limits: MailboxLimits) -> bool {
        let lane = pair.lane(class);
        while !self.waiting(class).letters.is_empty() {
            let waiting = self.waiting(class);
            let mut batch = Batch { letters: Vec::new(), bytes: 0 };
            while let Some(letter) = waiting.letters.front() {
                let bytes = letter.weight_bytes();
                let is_first = batch.letters.is_empty();
                if !is_first && batch.bytes + bytes > limits.batch_bytes_max {
                    break;
                }
                if !has_room(lane, batch.bytes + bytes, is_first, limits) {
                    break;
                }
                if is_first {
                    batch.letters = lane.blank();
                }
                batch.letters.extend(waiting.letters.pop_front());
                batch.bytes += bytes;
            }
            if batch.letters.is_empty() {
                return false;
            }
            waiting.bytes -= batch.bytes;
            lane.push(batch);
            self.ring = true;
        }
        true
    }
}

/// Whether a lane takes so many bytes more. An empty one takes any first letter, or a large one would wait for ever.
fn has_room<T>(lane: &Lane<T>, bytes: usize, is_first: bool, limits: MailboxLimits) -> bool {
    let under_way = lane.bytes();
    lane.has_place() && (under_way + bytes <= limits.lane_bytes_max || (under_way == 0 && is_first))
}
