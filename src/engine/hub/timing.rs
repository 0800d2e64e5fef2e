//! Deadlines of connections and of the world.

use std::cmp::Reverse;

use super::Hub;
use crate::engine::connection::Phase;
use crate::engine::{ConnId, Handler, Timer, World};
use crate::time::Nanos;

impl<H: Handler> Hub<H> {
    /// When [`Hub::handle_deadline`] wants to be called, if ever.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Nanos> {
        let of_conns = self.heap.peek().map(|Reverse((at, _))| *at);
        [of_conns, self.world.next_deadline()].into_iter().flatten().min()
    }

    /// Serves every timer that is due at `now`.
    pub fn handle_deadline(&mut self, now: Nanos) {
        if self.world.next_deadline().is_some_and(|at| at <= now) {
            self.world.on_deadline(now, &mut self.effects, &mut self.rng);
            self.settle(now);
        }
        while let Some(&Reverse((at, conn))) = self.heap.peek()
            && at <= now
        {
            self.heap.pop();
            let Some(io) = self.io(conn).filter(|io| io.armed == at) else { continue };
            io.armed = std::mem::replace(&mut io.armed_later, Nanos::MAX);
            while let Some(timer) = self.io(conn).and_then(|io| io.timers.take_due(now)) {
                self.on_timer(conn, timer, now);
                self.settle(now);
            }
            self.arm(conn);
        }
    }

    pub(super) fn on_timer(&mut self, conn: ConnId, timer: Timer, now: Nanos) {
        match timer {
            Timer::Outbox => self.relieve(conn, now),
            Timer::Flush | Timer::Drain => {
                if let Some(io) = self.io(conn) {
                    io.phase = Phase::Dead;
                }
                self.hand_back_unwritten(conn, now);
                self.list_if_wanted(conn);
            }
            Timer::Negotiation
            | Timer::Idle
            | Timer::PingAnswer
            | Timer::Acknowledgement
            | Timer::CloseTag => {
                self.call(conn, now, now, |handler, cx| handler.on_timer(timer, cx));
            }
        }
    }

    /// Makes sure that the heap wakes this connection in time.
    pub(super) fn arm(&mut self, conn: ConnId) {
        let Some(io) = self.io(conn) else { return };
        let next = io.timers.next();
        if next < io.armed {
            // Of two that stay in the heap the more distant one is remembered: the other is gone sooner.
            if io.armed_later == Nanos::MAX {
                io.armed_later = io.armed;
            }
            io.armed = next;
            self.heap.push(Reverse((next, conn)));
        }
    }
}
