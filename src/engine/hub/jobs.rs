//! Work that is done elsewhere, and its answers.

use super::Hub;
use crate::engine::connection::{Held, Phase};
use crate::engine::{ConnId, Handler, Job, World};
use crate::time::Nanos;

/// What a job of a hub's world comes to.
pub type AnswerOf<H> = <<<H as Handler>::World as World>::Job as Job>::Answer;

/// A job of a hub's world.
pub type JobOf<H> = <<H as Handler>::World as World>::Job;

impl<H: Handler> Hub<H> {
    /// Jobs that connections asked for, oldest first, for the driver to have done.
    pub fn next_job(&mut self) -> Option<(ConnId, JobOf<H>)> {
        self.jobs.pop_front()
    }

    /// A job is done. Its connection's input goes on ([`Hub::next_resumed`]); one that has ended meanwhile is not told.
    pub fn handle_answer(&mut self, conn: ConnId, answer: AnswerOf<H>, now: Nanos) {
        let Some(io) = self.io(conn).filter(|io| io.phase == Phase::Open) else { return };
        debug_assert!(matches!(io.held, Held::Answer), "one job at a time, and it holds the input");
        self.full = None;
        self.release(conn);
        self.call(conn, now, now, |handler, cx| handler.on_answer(answer, cx));
        self.settle(now);
        self.park_if_full(conn);
    }
}
