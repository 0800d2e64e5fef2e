//! Listeners, and what to do when the process has no descriptor left for a new connection.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry};
use socket2::{Domain, Protocol, Type};

use super::socket::Socket;
use super::{Reactor, token};
use crate::engine::World;
use crate::limits::{ACCEPTS_PER_TURN_MAX, LISTEN_BACKLOG};
use crate::time::Nanos;

/// How long a listener rests when no descriptor is left: connections end by themselves, so trying again helps.
const STARVED_REST: Duration = Duration::from_millis(100);

/// A listening socket.
#[derive(Debug)]
pub(super) struct Listener {
    socket: TcpListener,
    /// Connections may wait in its backlog.
    pub(super) ready: bool,
    /// Until then nothing is accepted.
    pub(super) rests_until: Nanos,
}

impl Listener {
    pub(super) fn bind(
        addr: SocketAddr,
        registry: &Registry,
        index: usize,
        shared: bool,
    ) -> io::Result<Self> {
        let socket = socket2::Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(shared)?;
        socket.set_nonblocking(true)?;
        socket.bind(&addr.into())?;
        socket.listen(LISTEN_BACKLOG)?;
        let mut socket = TcpListener::from_std(socket.into());
        registry.register(&mut socket, token::listener(index), Interest::READABLE)?;
        Ok(Self { socket, ready: false, rests_until: Nanos::ZERO })
    }

    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}

/// Fails when another process listens on `addr`, whether or not it would share.
pub(super) fn probe(addr: SocketAddr) -> io::Result<()> {
    let socket = socket2::Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&addr.into())
}

impl<W: World> Reactor<W> {
    /// Accepts from each ready listener, up to the turn's budget.
    pub(super) fn accept_ready(&mut self, now: Nanos) {
        for index in 0..self.listeners.len() {
            for _ in 0..ACCEPTS_PER_TURN_MAX {
                let listener = &mut self.listeners[index];
                if !listener.ready || listener.rests_until > now {
                    break;
                }
                match listener.socket.accept() {
                    Ok((stream, _)) => self.accepted(stream, now),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => listener.ready = false,
                    Err(error) => self.on_accept_error(index, &error, now),
                }
            }
        }
    }

    fn accepted(&mut self, stream: TcpStream, now: Nanos) {
        // A stanza is small and somebody waits for it. A socket that refuses is dead and says so on its first read.
        let _ = stream.set_nodelay(true);
        if let Some(conn) = self.hub.handle_accepted(now) {
            self.adopt_stream(conn, stream, false, now);
        }
    }

    /// Registers and keeps a connection's stream; a connection whose stream cannot be registered ends.
    pub(super) fn adopt_stream(
        &mut self,
        conn: crate::engine::ConnId,
        stream: TcpStream,
        registered: bool,
        now: Nanos,
    ) {
        match Socket::register(self.poll.registry(), stream, conn, registered) {
            Ok(socket) => self.adopt(conn, socket),
            Err(error) => self.hub.handle_error(conn, error.kind(), now),
        }
    }

    fn on_accept_error(&mut self, index: usize, error: &io::Error, now: Nanos) {
        let starved = [rustix::io::Errno::MFILE, rustix::io::Errno::NFILE]
            .iter()
            .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()));
        if starved {
            self.report.accept_starved += 1;
            self.listeners[index].rests_until = now + STARVED_REST;
            tracing::warn!("no descriptor left for a new connection: {error}; raise `ulimit -n`");
        }
        // Anything else concerns the one connection that was about to be accepted (ECONNABORTED and the like).
    }

    /// When a resting listener wants to try again.
    pub(super) fn next_accept(&self) -> Option<Nanos> {
        self.listeners.iter().filter(|l| l.ready && l.rests_until > Nanos::ZERO).map(|l| l.rests_until).min()
    }

    /// Whether a listener can be accepted from at `now`.
    pub(super) fn can_accept(&self, now: Nanos) -> bool {
        self.listeners.iter().any(|l| l.ready && l.rests_until <= now)
    }
}
