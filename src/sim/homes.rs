//! The server's homes: their mail, their turns, connections that move between them, and jobs done elsewhere.
//!
//! Each home lies down after every turn and sleeps until its bell is rung, as a reactor does: a wake that is lost leaves its
//! mail unread for ever, and the model that watches notices.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::BytesMut;
use rand_chacha::ChaCha12Rng;

use super::link::{LinkId, Side};
use super::{Event, Sim, faults};
use crate::engine::{ConnId, Hub, Seat, World, do_here};
use crate::router::HomeId;
use crate::router::mailbox::Wake;

pub(super) type JobOf<W> = <W as World>::Job;

/// One home of the server.
#[derive(Debug)]
pub(super) struct Home<S: World> {
    pub(super) hub: Hub<S::Link>,
    /// The links of its connections.
    pub(super) links: BTreeMap<ConnId, LinkId>,
    bell: Arc<Doorbell>,
    /// Whether it waits for its bell; else its next turn is on the agenda.
    asleep: bool,
}

#[derive(Debug, Default)]
struct Doorbell {
    rung: AtomicBool,
}

impl Wake for Doorbell {
    fn wake(&self) {
        self.rung.store(true, Ordering::Relaxed);
    }
}

impl<S: World> Home<S> {
    pub(super) fn new(world: S, rng: ChaCha12Rng, seat: Seat<S::Link>) -> Self {
        let hub = Hub::in_fleet(world, rng, seat);
        let bell = Arc::new(Doorbell::default());
        hub.set_waker(Arc::clone(&bell) as Arc<dyn Wake>);
        // It has just been made and has no mail.
        let asleep = hub.lie_down();
        Self { hub, links: BTreeMap::new(), bell, asleep }
    }
}

impl<S: World, C: World> Sim<S, C> {
    /// Ends a turn of every home: hands over its mail, lets go on who waited for room, and lies down. Whoever was woken
    /// gets its turn later.
    pub(super) fn flush_homes(&mut self) {
        for index in 0..self.homes.len() {
            self.homes[index].hub.flush_mail();
            self.resume(HomeId::new(index));
            self.take_jobs(HomeId::new(index));
        }
        for index in 0..self.homes.len() {
            let home = &mut self.homes[index];
            if home.asleep && home.bell.rung.swap(false, Ordering::Relaxed) {
                home.asleep = false;
                let delay = faults::up_to(self.faults.turn, &mut self.rng);
                self.schedule(self.now + delay, Event::Turn(HomeId::new(index)));
            }
        }
    }

    /// A home reads its mail.
    pub(super) fn turn(&mut self, id: HomeId) {
        let now = self.now;
        let home = &mut self.homes[id.index()];
        home.hub.get_up();
        home.hub.handle_mail(now);
        while let Some((conn, luggage)) = home.hub.next_arrival() {
            let link_id = *luggage.downcast::<LinkId>().expect("homes send links along");
            match self.links.get_mut(&link_id) {
                Some(link) => {
                    link.arrive(id, conn);
                    home.links.insert(conn, link_id);
                }
                // The path broke meanwhile.
                None => home.hub.handle_error(conn, std::io::ErrorKind::ConnectionReset, now),
            }
        }
        self.serve_home(id);
        let home = &mut self.homes[id.index()];
        home.hub.flush_mail();
        home.asleep = home.hub.lie_down();
        if !home.asleep {
            let delay = faults::up_to(self.faults.turn, &mut self.rng);
            self.schedule(now + delay, Event::Turn(id));
        }
        self.resume(id);
    }

    /// Connections whose input may go on: first what was left in memory, then what has arrived meanwhile.
    fn resume(&mut self, id: HomeId) {
        while let Some(conn) = self.homes[id.index()].hub.next_resumed() {
            let home = &mut self.homes[id.index()];
            let mut nothing = BytesMut::new();
            while home.hub.handle_read(conn, &mut nothing, self.now, self.now) {}
            if let Some(link) = home.links.get(&conn).copied() {
                self.schedule(self.now, Event::Arrive(link, Side::Server));
            }
        }
    }

    /// Puts a connection that moves on its way.
    pub(super) fn send_away(&mut self, id: HomeId, conn: ConnId) {
        let home = &mut self.homes[id.index()];
        let Some(link_id) = home.links.remove(&conn) else { return };
        if let Some(link) = self.links.get_mut(&link_id) {
            link.depart();
        }
        home.hub.send_moving(conn, Box::new(link_id), self.now);
    }

    fn take_jobs(&mut self, id: HomeId) {
        while let Some((ticket, job)) = self.homes[id.index()].hub.next_job() {
            let delay = faults::up_to(self.faults.job, &mut self.rng);
            self.schedule(self.now + delay, Event::Job(self.next_event + 1));
            self.jobs.insert(self.next_event, (id, ticket, job));
        }
    }

    pub(super) fn take_client_jobs(&mut self) {
        while let Some((ticket, job)) = self.clients.next_job() {
            let delay = faults::up_to(self.faults.job, &mut self.rng);
            self.schedule(self.now + delay, Event::Job(self.next_event + 1));
            self.client_jobs.insert(self.next_event, (ticket, job));
        }
        while let Some(conn) = self.clients.next_resumed() {
            let mut nothing = BytesMut::new();
            while self.clients.handle_read(conn, &mut nothing, self.now, self.now) {}
            if let Some(link) = self.of_client.get(&conn).copied() {
                self.schedule(self.now, Event::Arrive(link, Side::Client));
            }
        }
    }

    /// A job is done.
    pub(super) fn answer(&mut self, number: u64) {
        if let Some((home, ticket, job)) = self.jobs.remove(&number) {
            self.homes[home.index()].hub.handle_answer(ticket, do_here(job), self.now);
        }
        if let Some((ticket, job)) = self.client_jobs.remove(&number) {
            self.clients.handle_answer(ticket, do_here(job), self.now);
        }
    }
}
