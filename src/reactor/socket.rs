//! One TCP socket with what the reactor must remember of its readiness.

use std::io;

use mio::net::TcpStream;
use mio::{Interest, Registry};

use super::token;
use crate::engine::ConnId;
use crate::time::Nanos;

/// A connected socket.
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) stream: TcpStream,
    /// Generation of the connection that it belongs to.
    pub(super) generation: u32,
    /// Whether it is on the ready list.
    pub(super) listed: bool,
    /// When the kernel reported what has not been read yet.
    pub(super) ready_at: Nanos,
    /// The peer's end of file is known to wait behind the unread bytes; a short read is then not the last one.
    pub(super) eof_waits: bool,
    /// Frames were left over when the last turn's budget ran out.
    pub(super) frames_left: bool,
    /// The last write was cut short; a writable event will come.
    pub(super) blocked: bool,
}

impl Socket {
    /// Registers a connected stream for `conn`, or moves its registration there.
    pub(super) fn register(
        registry: &Registry,
        mut stream: TcpStream,
        conn: ConnId,
        registered: bool,
    ) -> io::Result<Self> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        if registered {
            registry.reregister(&mut stream, token::connection(conn), interest)?;
        } else {
            registry.register(&mut stream, token::connection(conn), interest)?;
        }
        Ok(Self {
            stream,
            generation: conn.generation,
            listed: false,
            ready_at: Nanos::ZERO,
            eof_waits: false,
            frames_left: false,
            blocked: false,
        })
    }
}
