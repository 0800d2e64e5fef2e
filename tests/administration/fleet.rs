//! A server with several homes in one thread: bytes in and out of each connection, mail between the homes, stores that
//! answer when a test says so.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use bytes::BytesMut;
use rand_chacha::ChaCha12Rng;
use rand_core::SeedableRng;
use xmpp_bench::engine::{Answerer, ConnId, Hub, Intent, Job, Ticket, fleet};
use xmpp_bench::limits::SCRAM_ITERATIONS;
use xmpp_bench::router::mailbox::MailboxLimits;
use xmpp_bench::server::{AccountSpec, ClientLink, ServerAnswer, ServerConfig, ServerWorld};
use xmpp_bench::stanza::Jid;
use xmpp_bench::store::{Change, MemoryStore, Saved, Store};
use xmpp_bench::stream::{Credentials, Mechanism};
use xmpp_bench::time::Nanos;

/// Secret of the server's process.
const SECRET: [u8; 32] = [3; 32];
/// A client's stream header.
pub(crate) const HEADER: &str = "<stream:stream to='d' version='1.0' xmlns='jabber:client' \
                                 xmlns:stream='http://etherx.jabber.org/streams'>";

/// Homes of a server.
pub(crate) const HOMES: usize = 3;
/// Passes over all homes in which everything comes to rest that a test begins.
const PASSES: usize = 40;

/// Index of a client.
pub(crate) type Who = usize;
type Answers = Arc<Mutex<VecDeque<(usize, Ticket, ServerAnswer)>>>;

/// A server, and what its clients have read.
pub(crate) struct Fleet {
    hubs: Vec<Hub<ClientLink>>,
    pub(crate) now: Nanos,
    /// Where each client's connection is now.
    places: Vec<Option<(usize, ConnId)>>,
    written: Vec<String>,
    /// Answers of jobs that are done.
    answers: Answers,
}

/// A store that saves when it is told to.
#[derive(Default)]
pub(crate) struct Slow {
    pub(crate) kept: MemoryStore,
    waiting: Mutex<VecDeque<(Vec<Change>, Saved)>>,
}

impl std::fmt::Debug for Slow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slow").finish_non_exhaustive()
    }
}

impl Store for Slow {
    fn save(&self, changes: Vec<Change>, saved: Saved) {
        self.waiting.lock().unwrap().push_back((changes, saved));
    }

    fn is_up(&self) -> bool {
        true
    }
}

impl Slow {
    /// Saves what was asked for until now. `false`: that is nothing.
    pub(crate) fn finish(&self) -> bool {
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap());
        let is_any = !waiting.is_empty();
        for (changes, saved) in waiting {
            self.kept.save(changes, saved);
        }
        is_any
    }

    pub(crate) fn has(&self, account: &str) -> bool {
        self.kept.accounts().iter().any(|record| record.account.as_str() == account)
    }
}

/// Settings with registration and the administrator `admin@d`.
pub(crate) fn config() -> ServerConfig {
    let mut config = ServerConfig::new("d", vec![Mechanism::Plain], SECRET);
    config.registration = true;
    config.registrations_per_minute = None;
    config.admins = vec![Jid::parse("admin@d").unwrap()];
    config
}

impl Fleet {
    pub(crate) fn new(config: ServerConfig) -> Self {
        Self::with_users(config, &[])
    }

    /// With accounts, each a name and a password.
    pub(crate) fn with_users(config: ServerConfig, users: &[(&str, &str)]) -> Self {
        let mut worlds = ServerWorld::homes(config, HOMES);
        let specs = users.iter().map(|(name, password)| AccountSpec {
            localpart: (*name).to_owned(),
            credentials: Credentials::derive(
                password,
                &[Mechanism::Plain],
                b"salt",
                SCRAM_ITERATIONS,
                &SECRET,
            ),
            roster: Vec::new(),
        });
        ServerWorld::provision_homes(&mut worlds, specs).unwrap();
        let seats = fleet(HOMES, MailboxLimits::default());
        let hubs = worlds.into_iter().zip(seats).zip(1..);
        let hub = |((world, seat), seed)| Hub::in_fleet(world, ChaCha12Rng::seed_from_u64(seed), seat);
        Self {
            hubs: hubs.map(hub).collect(),
            now: Nanos(1_000_000_000),
            places: Vec::new(),
            written: Vec::new(),
            answers: Answers::default(),
        }
    }

    /// From now on what changes is kept in one store for all homes.
    pub(crate) fn set_store(&mut self) -> Arc<Slow> {
        let store = Arc::new(Slow::default());
        for hub in &mut self.hubs {
            hub.world_mut().set_store(Arc::clone(&store) as Arc<dyn Store>);
        }
        store
    }

    /// A client whose stream is open; it has read the features, which are returned as well.
    pub(crate) fn connect(&mut self) -> (Who, String) {
        let who = self.places.len();
        let home = who % HOMES;
        let conn = self.hubs[home].handle_accepted(self.now).expect("the server accepts");
        self.places.push(Some((home, conn)));
        self.written.push(String::new());
        let features = self.ask(who, HEADER);
        (who, features)
    }

    /// Sends without looking at what comes of it.
    pub(crate) fn send(&mut self, who: Who, text: &str) {
        let Some((home, conn)) = self.places[who] else { return };
        let mut bytes = BytesMut::from(text);
        while self.hubs[home].handle_read(conn, &mut bytes, self.now, self.now) {}
        self.rest();
    }

    /// Sends, and what `who` was sent since it was asked last.
    pub(crate) fn ask(&mut self, who: Who, text: &str) -> String {
        self.send(who, text);
        self.take(who)
    }

    pub(crate) fn take(&mut self, who: Who) -> String {
        std::mem::take(&mut self.written[who])
    }

    pub(crate) fn home(&self, who: Who) -> Option<usize> {
        self.places[who].map(|(home, _)| home)
    }

    /// The client's machine is gone.
    pub(crate) fn break_off(&mut self, who: Who) {
        let Some((home, conn)) = self.places[who] else { return };
        self.hubs[home].handle_error(conn, std::io::ErrorKind::ConnectionReset, self.now);
        self.rest();
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now += time;
        for home in 0..HOMES {
            self.hubs[home].handle_deadline(self.now);
        }
        self.rest();
    }

    /// Sends a PLAIN message; what the server says.
    pub(crate) fn authenticate(&mut self, who: Who, user: &str, password: &str) -> String {
        let plain = base64::engine::general_purpose::STANDARD.encode(format!("\0{user}\0{password}"));
        self.ask(
            who,
            &format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{plain}</auth>"),
        )
    }

    /// A client that is available and has read everything.
    pub(crate) fn log_in(&mut self, user: &str, password: &str) -> Who {
        let (who, _) = self.connect();
        let said = self.authenticate(who, user, password);
        assert!(said.contains("<success"), "{user}: {said}");
        self.ask(who, HEADER);
        let bind = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
                    <resource>r</resource></bind></iq>";
        let bound = self.ask(who, bind);
        assert!(bound.contains(&format!("<jid>{user}@d/r</jid>")), "{bound}");
        self.send(who, "<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq><presence/>");
        self.written.iter_mut().for_each(String::clear);
        who
    }

    /// Serves all homes until nothing is left to do.
    pub(crate) fn rest(&mut self) {
        for _ in 0..PASSES {
            for home in 0..HOMES {
                self.serve(home);
            }
            let answers = std::mem::take(&mut *self.answers.lock().unwrap());
            for (home, ticket, answer) in answers {
                self.hubs[home].handle_answer(ticket, answer, self.now);
            }
        }
    }

    fn serve(&mut self, home: usize) {
        let now = self.now;
        self.hubs[home].handle_mail(now);
        while let Some((conn, luggage)) = self.hubs[home].next_arrival() {
            let who = *luggage.downcast::<Who>().expect("clients travel with their index");
            self.places[who] = Some((home, conn));
        }
        while let Some(conn) = self.hubs[home].next_resumed() {
            while self.hubs[home].handle_read(conn, &mut BytesMut::new(), now, now) {}
        }
        while let Some((ticket, job)) = self.hubs[home].next_job() {
            let answers = Arc::clone(&self.answers);
            let give = move |answer| answers.lock().unwrap().push_back((home, ticket, answer));
            if let Some(errand) = job.begin(Answerer::new(give)) {
                errand();
            }
        }
        while let Some(conn) = self.hubs[home].next_listed() {
            self.serve_connection(home, conn);
        }
        self.hubs[home].flush_mail();
    }

    fn serve_connection(&mut self, home: usize, conn: ConnId) {
        let Some(who) = self.places.iter().position(|place| *place == Some((home, conn))) else {
            return self.hubs[home].remove(conn);
        };
        loop {
            match self.hubs[home].intent(conn) {
                Intent::Nothing => return,
                Intent::Move => return self.hubs[home].send_moving(conn, Box::new(who), self.now),
                Intent::Write => {
                    let mut slices = [IoSlice::new(&[]); 8];
                    let count = self.hubs[home].slices(conn, &mut slices);
                    let bytes: Vec<u8> = slices[..count].iter().flat_map(|s| s.to_vec()).collect();
                    self.hubs[home].handle_written(conn, bytes.len(), self.now);
                    self.written[who].push_str(std::str::from_utf8(&bytes).expect("the server writes UTF-8"));
                }
                Intent::ShutDownWrite => self.hubs[home].handle_write_shut(conn, self.now),
                Intent::Close | Intent::Reset => {
                    self.places[who] = None;
                    return self.hubs[home].remove(conn);
                }
            }
        }
    }
}
