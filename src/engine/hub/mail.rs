//! Mail to and from the other hubs of the fleet; connections that wait for a lane's room, or move.
//!
//! Which lane a letter takes depends on what caused it: while requests are drained everything sent is a reply.

use super::Hub;
use crate::engine::connection::{Held, Io, Phase};
use crate::engine::{ConnId, Connection, Handler, Letter, Luggage, Moving, World};
use crate::router::mailbox::{Class, MailCounters, Sent};
use crate::router::{HomeId, LOOK_AHEAD};
use crate::time::Nanos;

impl<H: Handler> Hub<H> {
    /// Which home this hub is.
    #[must_use]
    pub const fn home(&self) -> HomeId {
        self.mailbox.me()
    }

    /// What its mailbox counted.
    #[must_use]
    pub const fn mail_counters(&self) -> MailCounters {
        self.mailbox.counters()
    }

    /// Gives the mailbox the means to wake this hub's driver, once.
    pub fn set_waker(&self, waker: std::sync::Arc<dyn crate::router::mailbox::Wake>) {
        self.mailbox.set_waker(waker);
    }

    /// Whether the driver may wait for events. `false`: there is mail. Mail that comes later wakes it, until
    /// [`Hub::get_up`].
    #[must_use]
    pub fn lie_down(&self) -> bool {
        self.mailbox.lie_down()
    }

    /// The driver is awake.
    pub fn get_up(&self) {
        self.mailbox.get_up();
    }

    /// Reads the mail that there is. Connections that arrive are in [`Hub::next_arrival`].
    pub fn handle_mail(&mut self, now: Nanos) {
        self.mailbox.begin_drain();
        while let Some(mut taken) = self.mailbox.take() {
            self.class = Class::Reply;
            let mut letters = taken.letters.drain(..);
            while let ahead @ [_, ..] = letters.as_slice() {
                let ahead = ahead.iter().take(LOOK_AHEAD).filter_map(|letter| match letter {
                    Letter::Mail(mail) => Some(mail),
                    Letter::Moving(_) => None,
                });
                self.world.expect_mail(ahead);
                for letter in letters.by_ref().take(LOOK_AHEAD) {
                    match letter {
                        Letter::Mail(mail) => {
                            self.world.on_mail(mail, now, &mut self.effects);
                            self.settle(now);
                        }
                        Letter::Moving(moving) => self.arrive(*moving, now),
                    }
                }
            }
            drop(letters);
            self.class = Class::Request;
            self.mailbox.give_back(taken);
        }
    }

    /// Ends a turn: hands over what was sent to other hubs, wakes them, and lets connections go on that waited for room.
    pub fn flush_mail(&mut self) {
        self.mailbox.flush();
        for home in 0..self.parked.len() {
            if self.parked[home].is_empty() || !self.mailbox.has_room(HomeId::new(home)) {
                continue;
            }
            for conn in std::mem::take(&mut self.parked[home]) {
                self.release(conn);
            }
        }
    }

    /// A connection whose input may be read again: call [`Hub::handle_read`], with empty input first.
    pub fn next_resumed(&mut self) -> Option<ConnId> {
        while let Some(conn) = self.resumed.pop_front() {
            // One that is lost has nothing to read any more.
            if self.io(conn).is_some_and(|io| io.phase != Phase::Dead) {
                return Some(conn);
            }
        }
        None
    }

    /// Whether a connection's input waits for something: nothing is read from its socket until [`Hub::next_resumed`]
    /// names it.
    #[must_use]
    pub fn is_held(&self, conn: ConnId) -> bool {
        let connection = self.conns.get(conn.slot as usize);
        connection.is_some_and(|c| c.io.generation == conn.generation && c.io.is_held())
    }

    pub(super) fn send(&mut self, to: HomeId, letter: Letter<H>) {
        if self.mailbox.send(to, self.class, letter) == Sent::Full {
            self.full = Some(to);
        }
    }

    /// A frame was carried out. If it found a lane full, its connection causes no more until there is room.
    pub(super) fn park_if_full(&mut self, conn: ConnId) {
        let Some(home) = self.full.take() else { return };
        let Some(io) = self.io(conn).filter(|io| io.phase == Phase::Open && !io.is_held()) else { return };
        io.held = Held::Lane;
        self.counters.parked += 1;
        self.parked[home.index()].push(conn);
    }

    /// Ends the wait of a connection's input.
    pub(super) fn release(&mut self, conn: ConnId) {
        if let Some(io) =
            self.io(conn).filter(|io| matches!(io.held, Held::Lane | Held::Answer | Held::Barrier))
        {
            io.held = Held::Free;
            self.resumed.push_back(conn);
        }
    }

    /// Takes a connection out and sends it to its home, its socket with it ([`super::Intent::Move`]).
    pub fn send_moving(&mut self, conn: ConnId, luggage: Luggage, now: Nanos) {
        let Some(Held::Moving(to)) = self.io(conn).map(|io| io.held) else { return };
        self.call(conn, now, now, H::on_departure);
        let mut connection = self.conns.remove(conn.slot as usize);
        connection.io.listed = false;
        (connection.io.armed, connection.io.armed_later) = (Nanos::MAX, Nanos::MAX);
        self.counters.moved_away += 1;
        self.send(to, Letter::Moving(Box::new(Moving { connection, luggage })));
        // It is the connection itself that found the lane full; there is nothing left to park.
        self.full = None;
    }

    fn arrive(&mut self, moving: Moving<H>, now: Nanos) {
        let Moving { connection, luggage } = moving;
        self.counters.moved_here += 1;
        let conn = self.seat(connection);
        if let Some(io) = self.io(conn) {
            io.held = Held::Free;
        }
        self.call(conn, now, now, H::on_arrival);
        self.settle(now);
        self.arm(conn);
        self.arrivals.push_back((conn, luggage));
        self.resumed.push_back(conn);
    }

    /// A connection that has moved here, with its luggage; it is among the resumed ones, too.
    pub fn next_arrival(&mut self) -> Option<(ConnId, Luggage)> {
        self.arrivals.pop_front()
    }

    /// Gives a connection a slot and a generation of this hub.
    pub(super) fn seat(&mut self, mut connection: Connection<H>) -> ConnId {
        let generation = self.next_generation;
        // The two highest are left to the drivers for their own tokens.
        self.next_generation = if generation == u32::MAX - 2 { 0 } else { generation + 1 };
        connection.io.generation = generation;
        let slot = self.conns.insert(connection);
        ConnId { slot: u32::try_from(slot).expect("CONNECTIONS_PER_REACTOR_MAX fits"), generation }
    }
}

impl Io {
    /// Whether no further frame may be handed to the handler now.
    pub(in crate::engine) const fn is_held(&self) -> bool {
        !matches!(self.held, Held::Free)
    }
}
