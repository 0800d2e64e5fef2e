//! The ways in which a connection ends, and its last steps: flush, shut down, drain, remove.

use std::io;

use super::Hub;
use crate::engine::connection::Phase;
use crate::engine::{CloseReason, ConnId, Ended, Handler, Timer, Timers};
use crate::limits::CLOSE_DRAIN_MAX;
use crate::stream::Blame;
use crate::time::Nanos;

impl<H: Handler> Hub<H> {
    /// The peer sent end of file.
    pub fn handle_eof(&mut self, conn: ConnId, now: Nanos) {
        let Some(io) = self.io(conn) else { return };
        match io.phase {
            Phase::Open => {
                self.call(conn, now, now, |_, cx| {
                    cx.close(CloseReason { blame: Blame::Peer, ended: Ended::Eof })
                });
                if let Some(io) = self.io(conn) {
                    io.phase = Phase::Flushing { peer_done: true };
                }
            }
            Phase::Flushing { .. } => io.phase = Phase::Flushing { peer_done: true },
            Phase::Draining { .. } | Phase::Dead => io.phase = Phase::Dead,
        }
        self.settle(now);
        self.list_if_wanted(conn);
    }

    /// Reading or writing failed; nothing more can be sent or received.
    pub fn handle_error(&mut self, conn: ConnId, error: io::ErrorKind, now: Nanos) {
        let reason = CloseReason { blame: Blame::Network, ended: Ended::Io(error) };
        self.call(conn, now, now, |_, cx| cx.close(reason));
        let Some(connection) = self.connection(conn) else { return };
        connection.io.phase = Phase::Dead;
        self.hand_back_unwritten(conn, now);
        self.settle(now);
        self.list_if_wanted(conn);
    }

    /// The write side is shut down.
    pub fn handle_write_shut(&mut self, conn: ConnId, now: Nanos) {
        let Some(io) = self.io(conn) else { return };
        io.phase = Phase::DRAINING;
        io.timers = Timers::default();
        io.timers.set(Timer::Drain, now + CLOSE_DRAIN_MAX);
        self.arm(conn);
    }

    /// The socket is closed; the connection goes.
    pub fn remove(&mut self, conn: ConnId) {
        if self.io(conn).is_some() {
            let mut connection = self.conns.remove(conn.slot as usize);
            connection.io.outbox.clear(&mut self.pool);
            self.counters.closed += 1;
            if self.open.remove() {
                // The others may be waiting for just that.
                self.mailbox.wake_all();
            }
        }
    }
}
