//! Work that is done elsewhere, its answers, and what waits for them.
//!
//! What a connection *requests* holds its input: later stanzas must not overtake this one's effect (RFC 6120 §10.1). What
//! the world stores on its behalf does not, but closes the accept barrier: answers to later stanzas of the same stream wait
//! until everything before them is safe, so whoever sees an answer knows that what came before it will not be lost.

use super::Hub;
use crate::engine::connection::{Held, Phase};
use crate::engine::{ConnId, Handler, Job, Stamp, Target, World};
use crate::limits::{BARRIER_ANSWERS_MAX, BARRIER_BYTES_MAX};
use crate::stanza::{Stanza, To};
use crate::time::Nanos;

/// What a job of a hub's world comes to.
pub type AnswerOf<H> = <<<H as Handler>::World as World>::Job as Job>::Answer;

/// A job of a hub's world.
pub type JobOf<H> = <<H as Handler>::World as World>::Job;

/// Whose job it is; the answer needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ticket {
    /// A connection's, whose input waits.
    Connection(ConnId),
    /// The world's.
    World,
}

/// What is not safe yet that a connection's answers wait for, and these answers, oldest first.
#[derive(Debug)]
pub(in crate::engine) struct Barrier<H: Handler> {
    uncommitted: u32,
    waiting: Vec<Waiting<H>>,
    /// Bytes of the answers in `waiting`.
    bytes: usize,
}

/// What waits at a barrier.
#[derive(Debug)]
enum Waiting<H: Handler> {
    /// An answer to a stanza of the barrier's own connection.
    Answer(Stanza),
    /// Something that is asked of a connection.
    Task(ConnId, H::Task),
}

impl<H: Handler> Default for Barrier<H> {
    fn default() -> Self {
        Self { uncommitted: 0, waiting: Vec::new(), bytes: 0 }
    }
}

impl<H: Handler> Hub<H> {
    /// Jobs that connections asked for, oldest first, for the driver to have done.
    pub fn next_job(&mut self) -> Option<(Ticket, JobOf<H>)> {
        self.jobs.pop_front()
    }

    /// A job is done. If the connection's input waited for it, it goes on ([`Hub::next_resumed`]). A connection that has
    /// ended meanwhile is not told.
    pub fn handle_answer(&mut self, ticket: Ticket, answer: AnswerOf<H>, now: Nanos) {
        let conn = match ticket {
            Ticket::Connection(conn) => conn,
            Ticket::World => {
                self.world.on_answer(answer, now, &mut self.effects);
                return self.settle(now);
            }
        };
        let Some(io) = self.io(conn).filter(|io| io.phase == Phase::Open) else { return };
        debug_assert!(io.held == Held::Answer, "a request holds the input");
        self.full = None;
        self.release(conn);
        self.call(conn, now, now, |handler, cx| handler.on_answer(answer, cx));
        self.settle(now);
        self.park_if_full(conn);
    }

    /// News from the driver's owner, for the world.
    pub fn handle_news(&mut self, news: <H::World as World>::News, now: Nanos) {
        self.world.on_news(news, now, &mut self.effects);
        self.settle(now);
    }

    /// [`crate::engine::Effects::hold`]. On a stream that has ended nothing is answered any more, but something may wait for it.
    pub(super) fn hold(&mut self, conn: ConnId) {
        if let Some(connection) = self.connection(conn).filter(|c| c.io.phase == Phase::Open) {
            connection.barrier.get_or_insert_default().uncommitted += 1;
        } else {
            self.orphans.entry(conn).or_default().uncommitted += 1;
        }
    }

    /// [`crate::engine::Effects::wait`].
    pub(super) fn wait(&mut self, conn: ConnId) {
        if let Some(io) = self.io(conn).filter(|io| io.phase == Phase::Open) {
            io.held = Held::Answer;
        }
    }

    /// The world's answer to a stanza of `conn`; it waits at a closed barrier.
    pub(super) fn answer(&mut self, conn: ConnId, stanza: Stanza, now: Nanos) {
        match self.barrier(conn) {
            Some(barrier) => {
                barrier.bytes += stanza.written_len(To::Kept);
                barrier.waiting.push(Waiting::Answer(stanza));
                self.hold_if_many_wait(conn);
            }
            None => self.deliver(&stanza, Target { conn, stamp: Stamp::Kept }, now),
        }
    }

    /// [`crate::engine::Effects::when_safe`].
    pub(super) fn when_safe(&mut self, stream: ConnId, conn: ConnId, task: H::Task, now: Nanos) {
        match self.barrier(stream) {
            Some(barrier) => {
                barrier.waiting.push(Waiting::Task(conn, task));
                self.hold_if_many_wait(stream);
            }
            None => self.call(conn, now, now, |handler, cx| handler.on_task(task, cx)),
        }
    }

    /// The closed barrier of a connection, which may have ended.
    fn barrier(&mut self, conn: ConnId) -> Option<&mut Barrier<H>> {
        let connection = self.conns.get_mut(conn.slot as usize);
        let own = connection.filter(|c| c.io.generation == conn.generation).and_then(|c| c.barrier.as_mut());
        own.or_else(|| self.orphans.get_mut(&conn)).map(|barrier| &mut **barrier)
    }

    fn hold_if_many_wait(&mut self, conn: ConnId) {
        let Some(connection) = self.connection(conn) else { return };
        let is_much = |b: &Barrier<H>| b.waiting.len() >= BARRIER_ANSWERS_MAX || b.bytes >= BARRIER_BYTES_MAX;
        let many = connection.barrier.as_deref().is_some_and(is_much);
        if many && connection.io.held == Held::Free {
            connection.io.held = Held::Barrier;
        }
    }

    /// [`crate::engine::Effects::release`]. What waited for a stream that has ended is handed back.
    pub(super) fn commit(&mut self, conn: ConnId, now: Nanos) {
        let Some(barrier) = self.barrier(conn) else { return };
        barrier.uncommitted -= 1;
        if barrier.uncommitted > 0 {
            return;
        }
        let own = self.connection(conn).and_then(|connection| connection.barrier.take());
        let waiting = own.or_else(|| self.orphans.remove(&conn)).map_or_else(Vec::new, |b| b.waiting);
        if self.io(conn).is_some_and(|io| io.held == Held::Barrier) {
            self.release(conn);
        }
        for waiting in waiting {
            match waiting {
                Waiting::Answer(stanza) => self.deliver(&stanza, Target { conn, stamp: Stamp::Kept }, now),
                Waiting::Task(conn, task) => {
                    self.call(conn, now, now, |handler, cx| handler.on_task(task, cx));
                }
            }
        }
    }
}
