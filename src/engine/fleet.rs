//! What hubs of one fleet share, and what they send each other: mail of their worlds, and connections that move.
//!
//! A fleet of one is the usual case in tests, and sends nothing. Where an address has its home is `router`'s
//! ([`crate::router::Homes`]); how threads are made is the driver's.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Connection, Handler, World};
use crate::router::HomeId;
use crate::router::mailbox::{self, Mailbox, MailboxLimits, Weigh};

/// What a driver sends along with a connection that moves: its socket.
pub type Luggage = Box<dyn Any + Send>;

/// A connection between two hubs: its bytes that are not framed yet, its outbox and its timers travel with it.
#[derive(Debug)]
pub struct Moving<H: Handler> {
    pub(super) connection: Connection<H>,
    pub(super) luggage: Luggage,
}

/// What one hub sends another.
#[derive(Debug)]
pub enum Letter<H: Handler> {
    /// For the other's world.
    Mail(<H::World as World>::Mail),
    /// A connection that has its home there.
    Moving(Box<Moving<H>>),
}

/// A connection's own part of a [`Letter::Moving`]'s weight, buffers aside.
const MOVING_BYTES: usize = 2_048;

impl<H: Handler> Weigh for Letter<H> {
    fn weight_bytes(&self) -> usize {
        match self {
            Self::Mail(mail) => mail.weight_bytes(),
            Self::Moving(moving) => {
                let io = &moving.connection.io;
                MOVING_BYTES + io.unread.len() + io.outbox.pending()
            }
        }
    }
}

/// Nothing: the mail of worlds that have none, the jobs of worlds that have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Never {}

impl Weigh for Never {
    fn weight_bytes(&self) -> usize {
        match *self {}
    }
}

/// One hub's place in a fleet.
#[derive(Debug)]
pub struct Seat<H: Handler> {
    pub(super) mailbox: Mailbox<Letter<H>>,
    pub(super) open: OpenCount,
}

impl<H: Handler> Seat<H> {
    /// Which home it is.
    #[must_use]
    pub const fn home(&self) -> HomeId {
        self.mailbox.me()
    }
}

/// Connections of a whole fleet, those that are moving included: a hub may end only when there are none, or it could
/// miss one that is on its way.
#[derive(Debug, Clone, Default)]
pub(super) struct OpenCount(Arc<AtomicUsize>);

impl OpenCount {
    pub(super) fn add(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    /// Returns whether it was the last one.
    pub(super) fn remove(&self) -> bool {
        self.0.fetch_sub(1, Ordering::SeqCst) == 1
    }

    pub(super) fn is_zero(&self) -> bool {
        self.0.load(Ordering::SeqCst) == 0
    }
}

/// Seats for so many hubs.
#[must_use]
pub fn fleet<H: Handler>(homes: usize, limits: MailboxLimits) -> Vec<Seat<H>> {
    let open = OpenCount::default();
    let seat = |mailbox| Seat { mailbox, open: open.clone() };
    mailbox::fleet(homes, limits).into_iter().map(seat).collect()
}
