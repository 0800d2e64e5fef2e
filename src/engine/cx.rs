//! What a handler sees of its connection and of the hub during one call.

use rand_chacha::ChaCha12Rng;

use super::connection::{Held, Io};
use super::{CloseReason, ConnId, Effect, Effects, Handler, JobOf, Ticket, Timer};
use crate::limits::FramerLimits;
use crate::router::HomeId;
use crate::stanza::{Stanza, To};
use crate::time::Nanos;

/// The connection that is being served, its world, and the sink for everything else.
#[derive(Debug)]
pub struct Cx<'a, H: Handler> {
    /// The time of this call: for a frame, just before the read that completed it.
    pub now: Nanos,
    /// When the driver learnt that the socket was readable; `now` outside reads. `now` − `ready_at` is the receive lag.
    pub ready_at: Nanos,
    /// This connection.
    pub me: ConnId,
    /// What all connections of the hub share.
    pub world: &'a mut H::World,
    /// What else is to be done.
    pub effects: &'a mut Effects<H>,
    /// The driver's random numbers: unpredictable in the reactor, seeded in the simulator.
    pub rng: &'a mut ChaCha12Rng,
    pub(super) io: &'a mut Io,
    pub(super) pool: &'a mut super::BufferPool,
}

impl<H: Handler> Cx<'_, H> {
    /// Appends bytes to the outbox through `write`.
    pub fn write(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.io.outbox.write(self.pool, write);
    }

    /// Appends a copy of `stanza`. It is large or the reader slow: it is referenced instead.
    pub fn send(&mut self, stanza: &Stanza, to: To<'_>) {
        self.io.outbox.send(self.pool, stanza, to);
    }

    /// Bytes appended so far; [`Handler::on_written`] says how many of them the kernel took.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.io.outbox.position()
    }

    /// From now on the handler answers for each stanza of this connection that is not written (stream management counts
    /// them and has them all): none is superseded, and none is handed to [`super::World::on_undeliverable`] when the
    /// connection has ended with it in its outbox.
    pub fn answer_for_unwritten(&mut self) {
        self.io.outbox.set_answered_for();
    }

    /// The next frame is a stream header again (RFC 6120 §4.3.3).
    pub fn restart_stream(&mut self) {
        self.io.framer.restart();
    }

    /// Limits from the next frame on.
    pub fn set_framer_limits(&mut self, limits: FramerLimits) {
        self.io.framer.set_limits(limits);
    }

    /// Sets or moves a timer.
    pub fn set_timer(&mut self, timer: Timer, at: Nanos) {
        self.io.timers.set(timer, at);
    }

    /// Forgets a timer.
    pub fn clear_timer(&mut self, timer: Timer) {
        self.io.timers.clear(timer);
    }

    /// When the peer last sent anything; white space between stanzas counts (RFC 6120 §4.6.1).
    #[must_use]
    pub fn last_read(&self) -> Nanos {
        self.io.last_read
    }

    /// Sends the connection to another hub: no further frame is handed over here, [`Handler::on_departure`] follows,
    /// and then [`Handler::on_arrival`] there. If it ends first, it does not move.
    pub fn move_to(&mut self, home: HomeId) {
        self.io.held = Held::Moving(home);
    }

    /// Has a job done elsewhere. No further frame is handed over until [`Handler::on_answer`]: later stanzas must not
    /// overtake this one's effect (RFC 6120 §10.1).
    pub fn request(&mut self, job: JobOf<H>) {
        self.io.held = Held::Answer;
        self.effects.queue.push_back(Effect::Job(Ticket::Connection(self.me), job));
    }

    /// Ends the connection: [`Handler::on_closed`] follows at once, then what the outbox holds is flushed, the write
    /// side shut down, and the socket drained and closed. The first reason stands.
    pub fn close(&mut self, reason: CloseReason) {
        self.io.closing.get_or_insert(reason);
    }

    /// Ends the connection as a machine does that loses its power and comes back: [`Handler::on_closed`] follows at once,
    /// nothing is flushed, and the peer gets a reset. A connection that was closed before goes on closing in order.
    pub fn abort(&mut self, reason: CloseReason) {
        if self.io.closing.is_none() {
            self.io.closing = Some(reason);
            self.io.aborted = true;
        }
    }
}
