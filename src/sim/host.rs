//! Carries out what the hubs want: writes, shut-downs, closes, new connections.

use std::io::IoSlice;

use super::link::Side;
use super::{Event, Sim};
use crate::engine::{ConnId, Connect, Handler, Hub, Intent, World};
use crate::limits::OUTBOX_SLICES_MAX;

impl<S: World, C: World> Sim<S, C> {
    /// Serves both hubs until neither wants anything that the network can give it now.
    pub(super) fn serve_hubs(&mut self) {
        loop {
            if let Some(conn) = self.server.next_listed() {
                self.serve(Side::Server, conn);
            } else if let Some(conn) = self.clients.next_listed() {
                self.serve(Side::Client, conn);
            } else {
                break;
            }
        }
        for Connect { handler, .. } in self.clients.take_connects() {
            self.next_event += 1;
            let number = self.next_event;
            self.connecting.insert(number, handler);
            self.schedule(self.now + self.faults.delay.0, Event::Connect(number));
        }
    }

    pub(super) fn serve(&mut self, side: Side, conn: ConnId) {
        loop {
            let intent = match side {
                Side::Server => self.server.intent(conn),
                Side::Client => self.clients.intent(conn),
            };
            match intent {
                Intent::Nothing => return,
                Intent::Write => {
                    if !self.write(side, conn) {
                        return;
                    }
                }
                Intent::ShutDownWrite => {
                    self.end(side, conn);
                    match side {
                        Side::Server => self.server.handle_write_shut(conn, self.now),
                        Side::Client => self.clients.handle_write_shut(conn, self.now),
                    }
                }
                Intent::Close => return self.close(side, conn),
            }
        }
    }

    /// Writes one piece as large as the network takes. `false`: the window is full, the reader will make room.
    fn write(&mut self, side: Side, conn: ConnId) -> bool {
        let ids = if side == Side::Server { &self.of_server } else { &self.of_client };
        let Some(id) = ids.get(&conn).copied() else { return false };
        let Some(link) = self.links.get_mut(&id) else { return false };
        let room = self.faults.window_bytes.saturating_sub(link.toward(side.other()).bytes());
        if room == 0 {
            link.toward(side.other()).writer_waits = true;
            return false;
        }
        let most = room.min(self.faults.piece(&mut self.rng));
        let piece = match side {
            Side::Server => front(&self.server, conn, most),
            Side::Client => front(&self.clients, conn, most),
        };
        self.launch(id, side, &piece);
        match side {
            Side::Server => self.server.handle_written(conn, piece.len(), self.now),
            Side::Client => self.clients.handle_written(conn, piece.len(), self.now),
        }
        true
    }

    /// Sends the end of `side`'s direction, once.
    fn end(&mut self, side: Side, conn: ConnId) {
        let ids = if side == Side::Server { &self.of_server } else { &self.of_client };
        let Some(id) = ids.get(&conn).copied() else { return };
        let now = self.now + self.faults.delay.0;
        let Some(link) = self.links.get_mut(&id) else { return };
        let pipe = link.toward(side.other());
        if !std::mem::replace(&mut pipe.ended, true) {
            let at = pipe.push(&[], now);
            self.schedule(at, Event::Arrive(id, side.other()));
        }
    }

    fn close(&mut self, side: Side, conn: ConnId) {
        self.end(side, conn);
        let id = match side {
            Side::Server => {
                self.server.remove(conn);
                self.of_server.remove(&conn)
            }
            Side::Client => {
                self.clients.remove(conn);
                self.of_client.remove(&conn)
            }
        };
        if let Some(id) = id
            && let Some(link) = self.links.get_mut(&id)
        {
            link.forget(side);
            if link.is_gone() {
                self.links.remove(&id);
            }
        }
    }
}

/// Up to `most` bytes from the front of a connection's outbox.
fn front<H: Handler>(hub: &Hub<H>, conn: ConnId, most: usize) -> Vec<u8> {
    let mut slices = [IoSlice::new(&[]); OUTBOX_SLICES_MAX];
    let count = hub.slices(conn, &mut slices);
    let mut piece = Vec::new();
    for slice in &slices[..count] {
        piece.extend_from_slice(&slice[..slice.len().min(most - piece.len())]);
    }
    piece
}
