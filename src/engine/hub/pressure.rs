//! The slow-reader policy: a budget for each outbox, first soft, then hard.
//!
//! Senders are never blocked by a recipient (DESIGN section 6). What was not offered to a socket yet says nothing of its reader:
//! until the socket takes no more, the hard budget is not for it.

use super::Hub;
use crate::engine::connection::Phase;
use crate::engine::outbox::Pressure;
use crate::engine::{CloseReason, ConnId, Ended, Handler, Stamp, Target, Timer, World};
use crate::limits::OUTBOX_SOFT_MAX;
use crate::stanza::Stanza;
use crate::stream::Blame;
use crate::time::Nanos;

impl<H: Handler> Hub<H> {
    pub(super) fn on_pressure(&mut self, conn: ConnId, now: Nanos) {
        let Some(io) = self.io(conn) else { return };
        let pressure = io.outbox.pressure();
        if pressure == Pressure::Burst || (pressure == Pressure::Hard && io.blocked) {
            self.relieve(conn, now);
        } else if io.timers.get(Timer::Outbox) == Nanos::MAX {
            io.timers.set(Timer::Outbox, now + OUTBOX_SOFT_MAX);
        }
    }

    /// A reader was too slow: drops what a newer presence superseded, and closes when that is not enough.
    pub(super) fn relieve(&mut self, conn: ConnId, now: Nanos) {
        let Some(io) = self.io(conn) else { return };
        let before = io.outbox.pressure();
        let superseded = io.outbox.supersede();
        let after = io.outbox.pressure();
        self.counters.superseded += superseded;
        if after == Pressure::Fine || (before >= Pressure::Hard && after == Pressure::Soft) {
            self.on_relieved(conn, after, now);
            return;
        }
        self.counters.slow_readers += 1;
        self.call(conn, now, now, |handler, cx| {
            handler.on_slow_reader(cx);
            cx.close(CloseReason { blame: Blame::Peer, ended: Ended::SlowReader });
        });
        self.hand_back_unwritten(conn, now);
    }

    pub(super) fn on_relieved(&mut self, conn: ConnId, after: Pressure, now: Nanos) {
        let Some(io) = self.io(conn) else { return };
        if after == Pressure::Fine {
            if io.relax() {
                self.resumed.push_back(conn);
            }
        } else if io.timers.get(Timer::Outbox) == Nanos::MAX {
            io.timers.set(Timer::Outbox, now + OUTBOX_SOFT_MAX);
        }
    }

    /// A copy of a stanza that its connection will not write.
    pub(super) fn hand_back(&mut self, stanza: Stanza, target: Target, now: Nanos) {
        self.counters.undeliverable += 1;
        self.world.on_undeliverable(stanza, target, now, &mut self.effects);
    }

    /// Tells the world of each stanza that still waited whole in an outbox that nobody will read.
    pub(super) fn hand_back_unwritten(&mut self, conn: ConnId, now: Nanos) {
        let Some(io) = self.io(conn) else { return };
        if io.phase == Phase::Open {
            return;
        }
        for stanza in io.outbox.take_unwritten() {
            self.hand_back(stanza, Target { conn, stamp: Stamp::Kept }, now);
        }
    }
}
