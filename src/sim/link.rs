//! A simulated TCP connection: two pipes that keep order.

use std::collections::VecDeque;

use crate::engine::ConnId;
use crate::router::HomeId;
use crate::time::Nanos;

/// Names a link of one simulation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LinkId(pub(super) u64);

/// Which end of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    Server,
    Client,
}

impl Side {
    pub(super) const fn other(self) -> Self {
        match self {
            Self::Server => Self::Client,
            Self::Client => Self::Server,
        }
    }
}

/// Both ends and both directions.
#[derive(Debug)]
pub(super) struct Link {
    /// Which home the server's end is at; meaningless while it is moving.
    pub(super) home: HomeId,
    server: Option<ConnId>,
    client: Option<ConnId>,
    /// The server's end is between two homes.
    moving: bool,
    to_server: Pipe,
    to_client: Pipe,
}

impl Link {
    pub(super) fn new(home: HomeId, server: ConnId, client: ConnId) -> Self {
        Self {
            home,
            server: Some(server),
            client: Some(client),
            moving: false,
            to_server: Pipe::default(),
            to_client: Pipe::default(),
        }
    }

    /// The connection at `side`, until its socket is closed.
    pub(super) const fn conn(&self, side: Side) -> Option<ConnId> {
        match side {
            Side::Server => self.server,
            Side::Client => self.client,
        }
    }

    /// The socket at `side` is closed.
    pub(super) const fn forget(&mut self, side: Side) {
        match side {
            Side::Server => self.server = None,
            Side::Client => self.client = None,
        }
    }

    /// The server's end leaves its home.
    pub(super) const fn depart(&mut self) {
        self.server = None;
        self.moving = true;
    }

    /// The server's end is at home.
    pub(super) const fn arrive(&mut self, home: HomeId, conn: ConnId) {
        self.home = home;
        self.server = Some(conn);
        self.moving = false;
    }

    /// The pipe that `side` reads.
    pub(super) const fn toward(&mut self, side: Side) -> &mut Pipe {
        match side {
            Side::Server => &mut self.to_server,
            Side::Client => &mut self.to_client,
        }
    }

    pub(super) const fn is_gone(&self) -> bool {
        self.server.is_none() && self.client.is_none() && !self.moving
    }
}

/// One direction.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    /// Pieces with their time of arrival, in order; an empty piece is the end.
    pieces: VecDeque<(Nanos, Vec<u8>)>,
    /// Bytes in `pieces`.
    bytes: usize,
    /// When the last piece arrives; the next one does not arrive before.
    last: Nanos,
    /// The end was put in.
    pub(super) ended: bool,
    /// A piece was lost and the path is about to break: nothing behind it arrives.
    pub(super) broken: bool,
    /// The reader does not read now.
    pub(super) held: bool,
    /// The writer found the window full and wants to know when there is room.
    pub(super) writer_waits: bool,
}

/// What a reader finds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Arrived {
    Nothing,
    Bytes(Vec<u8>),
    End,
}

impl Pipe {
    /// Bytes on the way or unread.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Puts a piece in (empty: the end) and returns when it arrives.
    pub(super) fn push(&mut self, bytes: &[u8], at: Nanos) -> Nanos {
        if self.broken {
            return self.last;
        }
        self.last = self.last.max(at);
        self.bytes += bytes.len();
        self.pieces.push_back((self.last, bytes.to_vec()));
        self.last
    }

    /// Up to `most` bytes of what has arrived by `now`.
    pub(super) fn take_arrived(&mut self, most: usize, now: Nanos) -> Arrived {
        let Some((at, piece)) = self.pieces.front_mut() else { return Arrived::Nothing };
        if *at > now || self.held {
            return Arrived::Nothing;
        }
        if piece.is_empty() {
            self.pieces.pop_front();
            return Arrived::End;
        }
        let taken: Vec<u8> = piece.drain(..most.min(piece.len())).collect();
        if piece.is_empty() {
            self.pieces.pop_front();
        }
        self.bytes -= taken.len();
        Arrived::Bytes(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_keeps_order_whatever_the_delays() {
        let mut pipe = Pipe::default();
        assert_eq!(pipe.push(b"slow", Nanos(100)), Nanos(100));
        assert_eq!(pipe.push(b"fast", Nanos(10)), Nanos(100));
        assert_eq!(pipe.take_arrived(9, Nanos(99)), Arrived::Nothing);
        assert_eq!(pipe.take_arrived(3, Nanos(100)), Arrived::Bytes(b"slo".to_vec()));
        assert_eq!(pipe.take_arrived(9, Nanos(100)), Arrived::Bytes(b"w".to_vec()));
        assert_eq!(pipe.take_arrived(9, Nanos(100)), Arrived::Bytes(b"fast".to_vec()));
        assert_eq!(pipe.bytes(), 0);
    }

    #[test]
    fn nothing_arrives_behind_a_lost_piece() {
        let mut pipe = Pipe::default();
        pipe.push(b"before", Nanos(10));
        pipe.broken = true;
        pipe.push(b"behind", Nanos(20));
        pipe.push(b"", Nanos(30));
        assert_eq!(pipe.take_arrived(9, Nanos(99)), Arrived::Bytes(b"before".to_vec()));
        assert_eq!(pipe.take_arrived(9, Nanos(99)), Arrived::Nothing);
    }
}
