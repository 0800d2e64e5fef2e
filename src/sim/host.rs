//! Carries out what the hubs want: writes, shut-downs, closes, new connections.

use std::io::IoSlice;

use super::link::{LinkId, Side};
use super::{Event, Sim};
use crate::engine::{ConnId, Connect, Handler, Hub, Intent, World};
use crate::limits::OUTBOX_SLICES_MAX;
use crate::router::HomeId;
use crate::time::Nanos;

impl<S: World, C: World> Sim<S, C> {
    /// Serves all hubs until none wants anything that the network can give it now.
    pub(super) fn serve_hubs(&mut self) {
        for index in 0..self.homes.len() {
            self.serve_home(HomeId::new(index));
        }
        while let Some(conn) = self.clients.next_listed() {
            self.serve_client(conn);
        }
        for Connect { handler, .. } in self.clients.take_connects() {
            self.next_event += 1;
            let number = self.next_event;
            self.connecting.insert(number, handler);
            self.schedule(self.now + self.faults.delay.0, Event::Connect(number));
        }
        self.take_client_jobs();
        self.flush_homes();
    }

    pub(super) fn serve_home(&mut self, home: HomeId) {
        while let Some(conn) = self.homes[home.index()].hub.next_listed() {
            self.serve_server(home, conn);
        }
    }

    pub(super) fn serve_server(&mut self, home: HomeId, conn: ConnId) {
        loop {
            let index = home.index();
            match self.homes[index].hub.intent(conn) {
                Intent::Nothing => return,
                Intent::Move => return self.send_away(home, conn),
                Intent::Write => {
                    let Some(link) = self.homes[index].links.get(&conn).copied() else { return };
                    let Some(most) = self.room(link, Side::Server) else {
                        return self.homes[index].hub.handle_write_blocked(conn, self.now);
                    };
                    let piece = front(&self.homes[index].hub, conn, most);
                    self.launch(link, Side::Server, &piece);
                    self.homes[index].hub.handle_written(conn, piece.len(), self.now);
                }
                Intent::ShutDownWrite => {
                    if let Some(link) = self.homes[index].links.get(&conn).copied() {
                        self.end(link, Side::Server);
                    }
                    self.homes[index].hub.handle_write_shut(conn, self.now);
                }
                intent @ (Intent::Close | Intent::Reset) => {
                    let link = self.homes[index].links.remove(&conn);
                    self.close(link, Side::Server, intent);
                    return self.homes[index].hub.remove(conn);
                }
            }
        }
    }

    pub(super) fn serve_client(&mut self, conn: ConnId) {
        loop {
            match self.clients.intent(conn) {
                Intent::Nothing => return,
                Intent::Move => unreachable!("the clients have one hub"),
                Intent::Write => {
                    let Some(link) = self.of_client.get(&conn).copied() else { return };
                    let Some(most) = self.room(link, Side::Client) else {
                        return self.clients.handle_write_blocked(conn, self.now);
                    };
                    let piece = front(&self.clients, conn, most);
                    self.launch(link, Side::Client, &piece);
                    self.clients.handle_written(conn, piece.len(), self.now);
                }
                Intent::ShutDownWrite => {
                    if let Some(link) = self.of_client.get(&conn).copied() {
                        self.end(link, Side::Client);
                    }
                    self.clients.handle_write_shut(conn, self.now);
                }
                intent @ (Intent::Close | Intent::Reset) => {
                    let link = self.of_client.remove(&conn);
                    self.close(link, Side::Client, intent);
                    return self.clients.remove(conn);
                }
            }
        }
    }

    /// How many bytes the network takes of `side` now. `None`: the window is full, the reader will make room.
    fn room(&mut self, id: LinkId, side: Side) -> Option<usize> {
        let link = self.links.get_mut(&id)?;
        let room = self.faults.window_bytes.saturating_sub(link.toward(side.other()).bytes());
        if room == 0 {
            link.toward(side.other()).writer_waits = true;
            return None;
        }
        Some(room.min(self.faults.piece(&mut self.rng)))
    }

    /// Sends the end of `side`'s direction, once.
    pub(super) fn end(&mut self, id: LinkId, side: Side) {
        let now: Nanos = self.now + self.faults.delay.0;
        let Some(link) = self.links.get_mut(&id) else { return };
        let pipe = link.toward(side.other());
        if !std::mem::replace(&mut pipe.ended, true) {
            let at = pipe.push(&[], now);
            self.schedule(at, Event::Arrive(id, side.other()));
        }
    }

    /// The socket at `side` is closed. A reset overtakes what is under way in both directions.
    fn close(&mut self, link: Option<LinkId>, side: Side, how: Intent) {
        let Some(id) = link else { return };
        if how == Intent::Reset {
            if let Some(link) = self.links.get_mut(&id) {
                link.forget(side);
            }
            return self.schedule(self.now + self.faults.delay.0, Event::Cut(id));
        }
        self.end(id, side);
        if let Some(link) = self.links.get_mut(&id) {
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
