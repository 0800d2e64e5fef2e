//! What a call into the engine wants done beyond its own outbox.
//!
//! Effects are carried out in order, right after the call that caused them and before the next frame of the same
//! connection, so a stanza's consequences never overtake each other.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use super::{ConnId, Handler, JobOf, Ticket, World};
use crate::router::HomeId;
use crate::stanza::Stanza;

/// Which `to` a delivered copy carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stamp {
    /// As its sender wrote it; `to` is never rewritten.
    Kept,
    /// The sender wrote none (presence broadcast): the recipient's bare JID.
    Bare,
    /// The sender wrote none, and this resource alone is meant: its full JID.
    Full,
}

/// One recipient of a delivery.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Connection.
    pub conn: ConnId,
    /// Its `to`.
    pub stamp: Stamp,
}

/// A connection to be made.
#[derive(Debug)]
pub struct Connect<H> {
    /// Where to.
    pub remote: SocketAddr,
    /// Source address; the kernel's choice without.
    pub local: Option<IpAddr>,
    /// Whose it is.
    pub handler: H,
}

/// One thing to be done.
#[derive(Debug)]
pub enum Effect<H: Handler> {
    /// Copies of a stanza for [`Effects::targets`] in this range.
    Deliver(Stanza, Range<usize>),
    /// [`Handler::on_task`] of a connection.
    Task(ConnId, H::Task),
    /// A new connection.
    Connect(Connect<H>),
    /// [`World::on_mail`] of another hub's world.
    Mail(HomeId, <H::World as World>::Mail),
    /// Something to be done elsewhere.
    Job(Ticket, JobOf<H>),
    /// One thing more is to be safe before a connection's answers go out.
    Hold(ConnId),
    /// One thing is safe that a connection's answers waited for.
    Release(ConnId),
    /// A connection's input waits.
    Wait(ConnId),
    /// It goes on.
    GoOn(ConnId),
    /// An answer to a stanza of a connection.
    Answer(ConnId, Stanza),
    /// A task of the second connection, when everything is safe that the first one's answers wait for.
    WhenSafe(ConnId, ConnId, H::Task),
}

/// The sink of effects; owned by the hub and reused, so that nothing is allocated after warm-up.
#[derive(Debug)]
pub struct Effects<H: Handler> {
    pub(super) queue: VecDeque<Effect<H>>,
    pub(super) targets: Vec<Target>,
}

impl<H: Handler> Default for Effects<H> {
    fn default() -> Self {
        Self { queue: VecDeque::new(), targets: Vec::new() }
    }
}

impl<H: Handler> Effects<H> {
    /// Sends a copy of `stanza` to each target, in order. Returns how many there were.
    pub fn deliver(&mut self, stanza: Stanza, targets: impl IntoIterator<Item = Target>) -> usize {
        let start = self.targets.len();
        self.targets.extend(targets);
        let end = self.targets.len();
        if end > start {
            self.queue.push_back(Effect::Deliver(stanza, start..end));
        }
        end - start
    }

    /// Answers a stanza of `conn`: as [`Effects::deliver`] with [`Stamp::Kept`], but not before everything is safe that
    /// its answers were held for ([`Effects::hold`]).
    pub fn answer(&mut self, conn: ConnId, stanza: Stanza) {
        self.queue.push_back(Effect::Answer(conn, stanza));
    }

    /// Asks something of `conn` as soon as everything is safe that the answers of `stream` are held for: behind those that
    /// wait already, before those that come later. `stream` may have ended meanwhile.
    pub fn when_safe(&mut self, stream: ConnId, conn: ConnId, task: H::Task) {
        self.queue.push_back(Effect::WhenSafe(stream, conn, task));
    }

    /// Closes the accept barrier of `conn`: what is answered from now on waits for one [`Effects::release`] for each of
    /// these.
    pub fn hold(&mut self, conn: ConnId) {
        self.queue.push_back(Effect::Hold(conn));
    }

    /// What [`Effects::hold`] was for is safe; with the last one the barrier opens.
    pub fn release(&mut self, conn: ConnId) {
        self.queue.push_back(Effect::Release(conn));
    }

    /// Hands over no further frame of `conn` until [`Effects::go_on`]: later stanzas must not overtake this one's effect
    /// (RFC 6120 §10.1).
    pub fn wait(&mut self, conn: ConnId) {
        self.queue.push_back(Effect::Wait(conn));
    }

    /// Ends [`Effects::wait`].
    pub fn go_on(&mut self, conn: ConnId) {
        self.queue.push_back(Effect::GoOn(conn));
    }

    /// Has a job done elsewhere for the world; [`World::on_answer`] gets what comes of it.
    pub fn job(&mut self, job: JobOf<H>) {
        self.queue.push_back(Effect::Job(Ticket::World, job));
    }

    /// Asks something of a connection; nothing happens when it is gone.
    pub fn task(&mut self, conn: ConnId, task: H::Task) {
        self.queue.push_back(Effect::Task(conn, task));
    }

    /// Asks for a new connection; [`Handler::on_connected`] or [`super::World::on_connect_failed`] answers.
    pub fn connect(&mut self, connect: Connect<H>) {
        self.queue.push_back(Effect::Connect(connect));
    }

    /// Sends mail to the world of another hub. What one call sends to one home arrives in order; see
    /// [`crate::router::mailbox`] for what is guaranteed beyond that.
    pub fn mail(&mut self, to: HomeId, mail: <H::World as World>::Mail) {
        self.queue.push_back(Effect::Mail(to, mail));
    }

    /// Whether nothing is to be done.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// What is to be done, in order (for drivers and tests of a world without a hub).
    pub fn drain(&mut self) -> impl Iterator<Item = Effect<H>> + '_ {
        self.queue.drain(..)
    }

    /// Targets of an [`Effect::Deliver`] (for drivers and tests of a world without a hub).
    #[must_use]
    pub fn targets(&self, range: Range<usize>) -> &[Target] {
        &self.targets[range]
    }
}
