//! Bytes in: frames to the handler, what is incomplete kept.

use bytes::{Buf, BytesMut};

use super::Hub;
use crate::engine::connection::{Held, Io, Phase};
use crate::engine::outbox::Pressure;
use crate::engine::{CloseReason, ConnId, Ended, Handler};
use crate::limits::FRAMES_PER_TURN_MAX;
use crate::stream::{Blame, StreamError};
use crate::time::Nanos;

impl<H: Handler> Hub<H> {
    /// Bytes were read; `now` was taken just before, `ready_at` when the driver learnt that there were some.
    /// `input` is consumed; capacity that no frame holds on to stays in it. Returns whether frames are left for
    /// another turn: then call again, with empty input, when the others had theirs.
    pub fn handle_read(&mut self, conn: ConnId, input: &mut BytesMut, ready_at: Nanos, now: Nanos) -> bool {
        self.counters.bytes_in += input.len() as u64;
        let Some(io) = self.io(conn) else {
            input.clear();
            return false;
        };
        if !input.is_empty() {
            io.last_read = now;
        }
        if io.phase != Phase::Open {
            drain_unwanted(io, input.len());
            input.clear();
            self.list_if_wanted(conn);
            return false;
        }
        let input = io.transport.unwrap_read(input);
        if io.unread.is_empty() {
            let more = self.read_frames(conn, input, ready_at, now);
            self.keep_unread(conn, input);
            return more;
        }
        let mut unread = std::mem::take(&mut io.unread);
        unread.extend_from_slice(input);
        self.pool.bytes_copied += input.len() as u64;
        input.clear();
        let more = self.read_frames(conn, &mut unread, ready_at, now);
        if let Some(io) = self.io(conn).filter(|io| io.phase == Phase::Open && !unread.is_empty()) {
            io.unread = unread;
        }
        more
    }

    /// Keeps what is left of the driver's buffer in a buffer of its own, as small as it can be.
    pub(super) fn keep_unread(&mut self, conn: ConnId, input: &mut BytesMut) {
        if input.has_remaining()
            && let Some(io) = self.io(conn).filter(|io| io.phase == Phase::Open)
        {
            io.unread = BytesMut::from(&input[..]);
            self.pool.bytes_copied += input.len() as u64;
        }
        input.clear();
    }

    pub(super) fn read_frames(
        &mut self,
        conn: ConnId,
        input: &mut BytesMut,
        ready_at: Nanos,
        now: Nanos,
    ) -> bool {
        self.full = None;
        for _ in 0..FRAMES_PER_TURN_MAX {
            let Some(io) = self.io(conn).filter(|io| io.phase == Phase::Open && !io.is_held()) else {
                return false;
            };
            if H::WAITS_FOR_READER && io.outbox.pressure() != Pressure::Fine {
                // Who asks faster than it reads waits; nobody else is to be blamed for what it is answered.
                io.held = Held::Outbox;
                return false;
            }
            match io.framer.next_frame(input) {
                Ok(Some(frame)) => {
                    self.counters.frames += 1;
                    self.call(conn, ready_at, now, |handler, cx| handler.on_frame(frame, cx));
                }
                Ok(None) => return false,
                Err(error) => {
                    self.call(conn, ready_at, now, |handler, cx| {
                        handler.on_xml_error(error, cx);
                        // The framer is spent; a handler that forgot to close would hang.
                        cx.close(CloseReason {
                            blame: Blame::Peer,
                            ended: Ended::StreamError(StreamError::from(error).condition),
                        });
                    });
                }
            }
            self.settle(now);
            self.park_if_full(conn);
        }
        input.has_remaining() && !self.is_held(conn)
    }
}

/// Counts bytes that a closed connection's peer still sends.
fn drain_unwanted(io: &mut Io, bytes: usize) {
    if let Phase::Draining { bytes_left } = &mut io.phase {
        match bytes_left.checked_sub(bytes) {
            Some(left) => *bytes_left = left,
            None => io.phase = Phase::Dead,
        }
    }
}
