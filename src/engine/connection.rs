//! One connection: its handler, and the framer, outbox, timers and unread bytes that every role needs.
//!
//! It does not know its socket. The [`super::Hub`] calls it; a driver never does.

use bytes::BytesMut;

use super::hub::Barrier;
use super::{CloseReason, Handler, Outbox, Timer, Timers, Transport};
use crate::limits::CLOSE_DRAIN_BYTES_MAX;
use crate::router::HomeId;
use crate::time::Nanos;
use crate::xml::Framer;

/// A connection in the role that `H` gives it: `Connection<ClientLink>` is a server's connection to a client,
/// `Connection<VirtualUser>` a synthetic client's to a server.
#[derive(Debug)]
pub struct Connection<H: Handler> {
    pub(super) handler: H,
    pub(super) io: Io,
    /// Closed while something is being stored. Few connections have one, so it is no part of all of them.
    pub(super) barrier: Option<Box<Barrier<H>>>,
}

/// What is the same in every role.
#[derive(Debug)]
pub(super) struct Io {
    /// Tells this connection from earlier ones in the same slot.
    pub(super) generation: u32,
    pub(super) transport: Transport,
    pub(super) phase: Phase,
    /// Whether the hub's list of connections with something to do for the driver has it.
    pub(super) listed: bool,
    pub(super) framer: Framer,
    /// Bytes of a unit that is not complete, or of units beyond the turn's budget.
    pub(super) unread: BytesMut,
    pub(super) outbox: Outbox,
    /// The socket took no more when it was written to last.
    pub(super) blocked: bool,
    pub(super) timers: Timers,
    /// The time for which the hub's heap has an entry that counts; [`Nanos::MAX`] when it has none.
    pub(super) armed: Nanos,
    /// A later one for which it has an entry that will count when the first has passed; [`Nanos::MAX`] for none. Without it a
    /// deadline that comes and goes before a distant one would leave an entry for the distant one each time.
    pub(super) armed_later: Nanos,
    /// When the peer last sent anything, white space included.
    pub(super) last_read: Nanos,
    /// Whether frames wait, and for what.
    pub(super) held: Held,
    /// Set once by [`super::Cx::close`] or by the driver's news.
    pub(super) closing: Option<CloseReason>,
    /// [`super::Cx::abort`]: its end is a reset, and nothing is flushed.
    pub(super) aborted: bool,
}

/// What a connection's input waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    /// Nothing.
    Free,
    /// Room in the lane that its last stanza found full.
    Lane,
    /// The answer to a job.
    Answer,
    /// The accept barrier: too many answers wait behind it.
    Barrier,
    /// The peer, to read what it was written ([`Handler::WAITS_FOR_READER`]).
    Outbox,
    /// Its arrival at this home.
    Moving(HomeId),
}

/// How far a connection's end has come. It only moves down this list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Frames are read and stanzas delivered.
    Open,
    /// `on_closed` was called; the outbox is written. With `peer_done` the peer's end of file was seen.
    Flushing { peer_done: bool },
    /// Our side is shut down; so many more bytes are read and thrown away, so that the kernel does not send a reset
    /// that would destroy our last words on their way (RFC 6120 §4.9.1.1 asks that they arrive).
    Draining { bytes_left: usize },
    /// The socket can be closed.
    Dead,
}

impl Phase {
    pub(super) const DRAINING: Self = Self::Draining { bytes_left: CLOSE_DRAIN_BYTES_MAX };
}

impl Io {
    /// The outbox is within its budget again. Returns whether the input waited for that, and may go on.
    pub(super) fn relax(&mut self) -> bool {
        self.timers.clear(Timer::Outbox);
        let waited = self.held == Held::Outbox;
        if waited {
            self.held = Held::Free;
        }
        waited
    }
}

impl<H: Handler> Connection<H> {
    pub(super) fn new(handler: H) -> Self {
        let io = Io {
            generation: 0,
            transport: Transport::Plain,
            phase: Phase::Open,
            listed: false,
            framer: Framer::new(H::FRAMER_LIMITS),
            unread: BytesMut::new(),
            outbox: Outbox::default(),
            blocked: false,
            timers: Timers::default(),
            armed: Nanos::MAX,
            armed_later: Nanos::MAX,
            last_read: Nanos::ZERO,
            held: Held::Free,
            closing: None,
            aborted: false,
        };
        Self { handler, io, barrier: None }
    }
}
