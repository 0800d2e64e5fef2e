//! Work that is done elsewhere, its answers, and what waits for them.
//!
//! What a connection *requests* holds its input: later stanzas must not overtake this one's effect (RFC 6120 §10.1). What
//! the world stores on its behalf does not, but closes the accept barrier: answers to later stanzas of the same stream wait
//! until everything before them is safe, so whoever sees an answer knows that what came before it will not be lost.

use super::Hub;
use crate::engine::connection::{Held, Phase};
use crate::engine::{ConnId, Handler, Job, Stamp, Target, World};
use crate::limits::BARRIER_ANSWERS_MAX;
use crate::stanza::Stanza;
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

/// What is not safe yet that a connection's answers wait for, and these answers.
#[derive(Debug, Default)]
pub(in crate::engine) struct Barrier {
    pub(in crate::engine) uncommitted: u32,
    answers: Vec<Stanza>,
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

    /// [`crate::engine::Effects::hold`].
    pub(super) fn hold(&mut self, conn: ConnId) {
        if let Some(io) = self.io(conn).filter(|io| io.phase == Phase::Open) {
            io.barrier.get_or_insert_default().uncommitted += 1;
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
        if let Some(io) = self.io(conn)
            && let Some(barrier) = &mut io.barrier
        {
            barrier.answers.push(stanza);
            if barrier.answers.len() >= BARRIER_ANSWERS_MAX && io.held == Held::Free {
                io.held = Held::Barrier;
            }
            return;
        }
        self.deliver(&stanza, Target { conn, stamp: Stamp::Kept }, now);
    }

    /// [`crate::engine::Effects::release`].
    pub(super) fn commit(&mut self, conn: ConnId, now: Nanos) {
        let Some(io) = self.io(conn) else { return };
        let Some(barrier) = &mut io.barrier else { return };
        barrier.uncommitted -= 1;
        if barrier.uncommitted > 0 {
            return;
        }
        let answers = io.barrier.take().map_or_else(Vec::new, |barrier| barrier.answers);
        if io.held == Held::Barrier {
            self.release(conn);
        }
        for stanza in answers {
            self.deliver(&stanza, Target { conn, stamp: Stamp::Kept }, now);
        }
    }
}
