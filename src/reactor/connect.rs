//! Outgoing connections, from the wish to the connected socket.

use std::io;
use std::net::SocketAddr;

use mio::net::TcpStream;
use mio::{Interest, Registry};
use socket2::{Domain, Protocol, Type};

use super::{Reactor, token};
use crate::engine::{Connect, World};
use crate::time::Nanos;

/// A socket whose handshake is under way.
#[derive(Debug)]
pub(super) struct Connecting<H> {
    stream: TcpStream,
    handler: H,
}

impl<W: World> Reactor<W> {
    /// Begins every connection that the world asked for.
    pub(super) fn begin_connects(&mut self, now: Nanos) {
        for Connect { remote, local, handler } in self.hub.take_connects() {
            let entry = self.connecting.vacant_entry();
            let local = local.map(|ip| SocketAddr::new(ip, 0));
            match begin(self.poll.registry(), remote, local, entry.key()) {
                Ok(stream) => {
                    entry.insert(Connecting { stream, handler });
                }
                Err(error) => self.hub.handle_connect_failed(handler, &error, now),
            }
        }
    }

    /// The kernel says that a handshake has come to an end, one way or the other.
    pub(super) fn finish_connect(&mut self, index: usize, now: Nanos) {
        let Some(connecting) = self.connecting.get(index) else { return };
        match outcome(&connecting.stream) {
            Ok(false) => {}
            Ok(true) => {
                let Connecting { stream, handler } = self.connecting.remove(index);
                let conn = self.hub.handle_connected(handler, now);
                self.adopt_stream(conn, stream, true, now);
            }
            Err(error) => {
                let Connecting { mut stream, handler } = self.connecting.remove(index);
                // The descriptor is closed right away, which ends its registration too.
                let _ = self.poll.registry().deregister(&mut stream);
                self.hub.handle_connect_failed(handler, &error, now);
            }
        }
    }
}

fn begin(
    registry: &Registry,
    remote: SocketAddr,
    local: Option<SocketAddr>,
    index: usize,
) -> io::Result<TcpStream> {
    let socket = socket2::Socket::new(Domain::for_address(remote), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    if let Some(local) = local {
        socket.bind(&local.into())?;
    }
    match socket.connect(&remote.into()) {
        Ok(()) => {}
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {}
        Err(error) => return Err(error),
    }
    let mut stream = TcpStream::from_std(socket.into());
    registry.register(&mut stream, token::connecting(index), Interest::WRITABLE)?;
    Ok(stream)
}

/// Whether the handshake is done, or why it failed.
fn outcome(stream: &TcpStream) -> io::Result<bool> {
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    match stream.peer_addr() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
        Err(error) => Err(error),
    }
}
