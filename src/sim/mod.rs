//! L5: the driver without sockets. Queues instead of a network, a virtual clock, and a seed.
//!
//! It knows no XMPP and never waits: a run of an hour takes as long as its work. The same hubs run here as in the
//! reactor: one for each home of the server's side, and one for the clients'. Everything that a network can do to them
//! (delay, cut into pieces, stall, reset, short writes, a full window), and when a hub gets to its mail, is decided by
//! [`Faults`] and the seed, so a failure is replayed by its seed.
//!
//! Guaranteed: bytes of one direction arrive in order, or not at all behind a cut. Not guaranteed: any size of the
//! pieces, any time of arrival. SASL nonces are made by the SASL library; a run that is to be reproducible to the
//! byte logs in with PLAIN.

mod digest;
mod faults;
mod homes;
mod host;
mod link;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::io;
use std::time::Duration;

use bytes::BytesMut;
use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng};

use crate::engine::{ConnId, Handler, Hub, Ticket, World, fleet};
use crate::router::HomeId;
use crate::router::mailbox::MailboxLimits;
use crate::time::Nanos;

pub use digest::Digest;
pub use faults::Faults;

use faults::Fate;
use homes::{Home, JobOf};
use link::{Link, LinkId, Side};

/// The homes of a server, its clients, and the network between them.
#[derive(Debug)]
pub struct Sim<S: World, C: World> {
    now: Nanos,
    /// The server's side: every connection that a client asks for is accepted by one of these.
    homes: Vec<Home<S>>,
    /// The clients' side.
    pub clients: Hub<C::Link>,
    faults: Faults,
    rng: ChaCha12Rng,
    links: BTreeMap<LinkId, Link>,
    next_link: u64,
    of_client: BTreeMap<ConnId, LinkId>,
    /// What the network will do; the number keeps the order of what happens at the same time.
    agenda: BinaryHeap<Reverse<(Nanos, u64, Event)>>,
    next_event: u64,
    connecting: BTreeMap<u64, C::Link>,
    /// Jobs of the server's homes that are being done.
    jobs: BTreeMap<u64, (HomeId, Ticket, JobOf<S>)>,
    /// The same of the clients.
    client_jobs: BTreeMap<u64, (Ticket, JobOf<C>)>,
    digest: Digest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// The server's side of a connection that a client asked for.
    Connect(u64),
    /// Bytes or an end arrive at this side.
    Arrive(LinkId, Side),
    /// The path is lost.
    Cut(LinkId),
    /// A home of the server gets to its mail.
    Turn(HomeId),
    /// A job is done.
    Job(u64),
}

impl<S: World, C: World> Sim<S, C> {
    /// A server with one home and its clients at time 1 s (zero is "never" in too many places), with everything random
    /// from `seed`.
    #[must_use]
    pub fn new(server: S, clients: C, faults: Faults, seed: u64) -> Self {
        Self::with_homes(vec![server], clients, faults, MailboxLimits::default(), seed)
    }

    /// The same with several homes, which accept connections at random.
    #[must_use]
    pub fn with_homes(servers: Vec<S>, clients: C, faults: Faults, limits: MailboxLimits, seed: u64) -> Self {
        let stream = |n: u64| {
            let mut rng = ChaCha12Rng::seed_from_u64(seed);
            rng.set_stream(n);
            rng
        };
        // The first home has the number that a single one has, so that one home more does not change what it draws.
        let number = |home: HomeId| if home == HomeId::FIRST { 1 } else { 3 + home.index() as u64 };
        let seats = fleet(servers.len(), limits);
        let homes = servers.into_iter().zip(seats);
        let homes = homes.map(|(world, seat)| Home::new(world, stream(number(seat.home())), seat)).collect();
        Self {
            now: Nanos(1_000_000_000),
            homes,
            clients: Hub::new(clients, stream(2)),
            faults,
            rng: stream(3),
            links: BTreeMap::new(),
            next_link: 0,
            of_client: BTreeMap::new(),
            agenda: BinaryHeap::new(),
            next_event: 0,
            connecting: BTreeMap::new(),
            jobs: BTreeMap::new(),
            client_jobs: BTreeMap::new(),
            digest: Digest::default(),
        }
    }

    /// The virtual time.
    #[must_use]
    pub const fn now(&self) -> Nanos {
        self.now
    }

    /// A number that two runs share exactly when every byte arrived at the same place and time in both.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The hubs of the server's homes.
    pub fn servers(&self) -> impl Iterator<Item = &Hub<S::Link>> {
        self.homes.iter().map(|home| &home.hub)
    }

    /// Runs until the clients' world is done and nothing is on its way, or `limit` of virtual time has passed.
    /// Returns whether it was done.
    pub fn run(&mut self, limit: Duration) -> bool {
        let end = self.now + limit;
        loop {
            self.serve_hubs();
            if self.clients.is_done() && self.agenda.is_empty() {
                return true;
            }
            let deadlines = self.homes.iter().map(|home| home.hub.next_deadline());
            let deadline = deadlines.chain([self.clients.next_deadline()]).flatten().min();
            let event = self.agenda.peek().map(|Reverse((at, ..))| *at);
            let Some(next) = [deadline, event].into_iter().flatten().min() else { return false };
            if next > end {
                self.now = end;
                return false;
            }
            self.now = self.now.max(next);
            for home in &mut self.homes {
                home.hub.handle_deadline(self.now);
            }
            self.clients.handle_deadline(self.now);
            while let Some(Reverse((at, _, event))) = self.agenda.peek().copied()
                && at <= self.now
            {
                self.agenda.pop();
                self.happen(event);
                self.serve_hubs();
            }
        }
    }

    /// Breaks the path of a client's connection: both sides see a reset.
    pub fn cut(&mut self, client: ConnId) {
        if let Some(link) = self.of_client.get(&client).copied() {
            self.happen(Event::Cut(link));
        }
    }

    /// The network has other habits from now on.
    pub fn set_faults(&mut self, faults: Faults) {
        self.faults = faults;
    }

    /// Ends a client's direction of its connection behind what it has written; it still reads. Bytes that wait for the
    /// window are lost.
    pub fn half_close(&mut self, client: ConnId) {
        if let Some(link) = self.of_client.get(&client).copied() {
            self.end(link, Side::Client);
        }
    }

    /// A client stops reading, until it is told to go on.
    pub fn hold_reading(&mut self, client: ConnId, hold: bool) {
        let Some(id) = self.of_client.get(&client).copied() else { return };
        let Some(link) = self.links.get_mut(&id) else { return };
        link.toward(Side::Client).held = hold;
        self.schedule(self.now, Event::Arrive(id, Side::Client));
    }

    fn schedule(&mut self, at: Nanos, event: Event) {
        self.next_event += 1;
        self.agenda.push(Reverse((at, self.next_event, event)));
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Connect(number) => self.establish(number),
            Event::Arrive(link, side) => self.arrive(link, side),
            Event::Turn(home) => self.turn(home),
            Event::Job(number) => self.answer(number),
            Event::Cut(link) => {
                let Some(link) = self.links.remove(&link) else { return };
                if let Some(conn) = link.conn(Side::Server) {
                    let home = &mut self.homes[link.home.index()];
                    home.links.remove(&conn);
                    home.hub.handle_error(conn, io::ErrorKind::ConnectionReset, self.now);
                }
                if let Some(conn) = link.conn(Side::Client) {
                    self.of_client.remove(&conn);
                    self.clients.handle_error(conn, io::ErrorKind::ConnectionReset, self.now);
                }
            }
        }
    }

    fn establish(&mut self, number: u64) {
        let Some(handler) = self.connecting.remove(&number) else { return };
        let homes = self.homes.len() as u64;
        let draw = if homes == 1 { 0 } else { self.rng.next_u64() % homes };
        let index = usize::try_from(draw).expect("few homes");
        let Some(server) = self.homes[index].hub.handle_accepted(self.now) else {
            let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
            self.clients.handle_connect_failed(handler, &refused, self.now);
            return;
        };
        let client = self.clients.handle_connected(handler, self.now);
        let id = LinkId(self.next_link);
        self.next_link += 1;
        self.links.insert(id, Link::new(HomeId::new(index), server, client));
        self.homes[index].links.insert(server, id);
        self.of_client.insert(client, id);
    }

    /// Lets the hub at `side` read what has arrived, in pieces of the network's choice.
    fn arrive(&mut self, id: LinkId, side: Side) {
        let now = self.now;
        while let Some(link) = self.links.get_mut(&id) {
            let Some(conn) = link.conn(side) else { return };
            let home = link.home;
            let is_held = match side {
                Side::Server => self.homes[home.index()].hub.is_held(conn),
                Side::Client => self.clients.is_held(conn),
            };
            if is_held {
                // It is read when the connection goes on.
                return;
            }
            let piece = self.faults.piece(&mut self.rng);
            let (mut input, eof) = match link.toward(side).take_arrived(piece, now) {
                link::Arrived::Nothing => return,
                link::Arrived::Bytes(bytes) => (BytesMut::from(&bytes[..]), false),
                link::Arrived::End => (BytesMut::new(), true),
            };
            let writer = std::mem::take(&mut link.toward(side).writer_waits);
            let writer = link.conn(side.other()).filter(|_| writer);
            self.digest.note(now, id.0 << 1 | u64::from(side == Side::Server), &input);
            match side {
                Side::Server => read(&mut self.homes[home.index()].hub, conn, &mut input, eof, now),
                Side::Client => read(&mut self.clients, conn, &mut input, eof, now),
            }
            match (writer, side.other()) {
                (Some(writer), Side::Server) => self.serve_server(home, writer),
                (Some(writer), Side::Client) => self.serve_client(writer),
                (None, _) => {}
            }
            self.serve_hubs();
        }
    }

    /// Puts `bytes` of `side` on their way, or breaks the path instead.
    fn launch(&mut self, id: LinkId, side: Side, bytes: &[u8]) {
        let fate = self.faults.fate(&mut self.rng);
        let now = self.now;
        let Some(link) = self.links.get_mut(&id) else { return };
        match fate {
            Fate::Pass(delay) => {
                let at = link.toward(side.other()).push(bytes, now + delay);
                self.schedule(at, Event::Arrive(id, side.other()));
            }
            Fate::Cut(delay) => {
                link.toward(side.other()).broken = true;
                self.schedule(now + delay, Event::Cut(id));
            }
        }
    }
}

fn read<H: Handler>(hub: &mut Hub<H>, conn: ConnId, input: &mut BytesMut, eof: bool, now: Nanos) {
    if eof {
        return hub.handle_eof(conn, now);
    }
    while hub.handle_read(conn, input, now, now) {}
}
