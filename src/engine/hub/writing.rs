//! Bytes out: what a connection wants of its driver, and what became of it.

use std::io::IoSlice;

use super::Hub;
use crate::engine::connection::{Held, Phase};
use crate::engine::outbox::Pressure;
use crate::engine::{ConnId, Handler};
use crate::time::Nanos;

/// What a connection wants of its driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intent {
    /// Nothing now.
    Nothing,
    /// Write [`Hub::slices`], then [`Hub::handle_written`].
    Write,
    /// Take its socket off, then [`Hub::send_moving`].
    Move,
    /// Shut down the write side, then [`Hub::handle_write_shut`].
    ShutDownWrite,
    /// Close the socket, then [`Hub::remove`].
    Close,
    /// Close the socket so that the peer gets a reset, then [`Hub::remove`].
    Reset,
}

impl<H: Handler> Hub<H> {
    /// What the connection wants of its driver now.
    #[must_use]
    pub fn intent(&self, conn: ConnId) -> Intent {
        let Some(io) = self.conns.get(conn.slot as usize).map(|c| &c.io) else { return Intent::Nothing };
        if io.generation != conn.generation {
            return Intent::Nothing;
        }
        match io.phase {
            Phase::Dead if io.aborted => Intent::Reset,
            Phase::Dead => Intent::Close,
            // What waits to be written travels too: the socket is written to at its new home.
            Phase::Open if matches!(io.held, Held::Moving(_)) => Intent::Move,
            _ if io.outbox.pending() > 0 => Intent::Write,
            Phase::Flushing { peer_done: true } => Intent::Close,
            Phase::Flushing { peer_done: false } => Intent::ShutDownWrite,
            Phase::Open | Phase::Draining { .. } => Intent::Nothing,
        }
    }

    /// A connection that wants something of the driver; each is named once until it is served.
    pub fn next_listed(&mut self) -> Option<ConnId> {
        let conn = self.listed.pop()?;
        if let Some(io) = self.io(conn) {
            io.listed = false;
        }
        Some(conn)
    }

    /// The next slices to write, as many as `slices` takes. Returns how many were filled in.
    pub fn slices<'a>(&'a self, conn: ConnId, slices: &mut [IoSlice<'a>]) -> usize {
        self.conns
            .get(conn.slot as usize)
            .filter(|c| c.io.generation == conn.generation)
            .map_or(0, |c| c.io.outbox.slices(slices))
    }

    /// The kernel took so many bytes at `now`.
    pub fn handle_written(&mut self, conn: ConnId, bytes: usize, now: Nanos) {
        self.counters.bytes_out += bytes as u64;
        let Some(connection) = self.conns.get_mut(conn.slot as usize) else { return };
        let io = &mut connection.io;
        if io.generation != conn.generation {
            return;
        }
        io.outbox.advance(bytes, &mut self.pool);
        io.blocked = false;
        if io.outbox.pressure() == Pressure::Fine && io.relax() {
            self.resumed.push_back(conn);
        }
        if io.phase == Phase::Open {
            let position = io.outbox.taken();
            self.call(conn, now, now, |handler, cx| handler.on_written(position, cx));
            self.settle(now);
        }
    }

    /// The kernel takes no more for now: what waits, waits for the reader.
    pub fn handle_write_blocked(&mut self, conn: ConnId, now: Nanos) {
        let Some(io) = self.io(conn) else { return };
        io.blocked = true;
        if io.phase == Phase::Open && io.outbox.pressure() != Pressure::Fine {
            self.on_pressure(conn, now);
            self.settle(now);
            self.arm(conn);
        }
    }

    pub(super) fn list_if_wanted(&mut self, conn: ConnId) {
        if self.intent(conn) == Intent::Nothing {
            return;
        }
        if let Some(io) = self.io(conn).filter(|io| !io.listed) {
            io.listed = true;
            self.listed.push(conn);
        }
    }
}
