//! The server as clients' streams see it: bytes in, bytes out, and a clock, through the engine's hub.

#![allow(dead_code, reason = "each test program uses a part")]

use std::collections::BTreeMap;
use std::io::IoSlice;
use std::time::Duration;

use base64::Engine;
use bytes::BytesMut;
use rand_chacha::ChaCha12Rng;
use rand_core::SeedableRng;
use xmpp_bench::engine::{ConnId, Hub, Intent};
use xmpp_bench::limits::SCRAM_ITERATIONS;
use xmpp_bench::router::Subscription;
use xmpp_bench::server::{AccountSpec, ClientLink, ServerConfig, ServerWorld};
use xmpp_bench::stanza::Jid;
use xmpp_bench::stream::{Credentials, Mechanism};
use xmpp_bench::time::Nanos;

pub(crate) const HEADER: &str = "<stream:stream to='d' version='1.0' xml:lang='de' xmlns='jabber:client' \
                      xmlns:stream='http://etherx.jabber.org/streams' xmlns:x='urn:x'>";
pub(crate) const SECRET: [u8; 32] = [3; 32];

/// A server whose accounts `romeo` and `juliet` are in each other's rosters.
pub(crate) struct Wire {
    pub(crate) hub: Hub<ClientLink>,
    pub(crate) now: Nanos,
    /// What was written to each connection since it was asked last.
    pub(crate) written: BTreeMap<ConnId, String>,
    /// Connections that the server has shut.
    pub(crate) shut: Vec<ConnId>,
}

impl Wire {
    pub(crate) fn new() -> Self {
        let mut world =
            ServerWorld::new(ServerConfig::new("d", vec![Mechanism::Plain, Mechanism::Anonymous], SECRET));
        let credentials = Credentials::derive("pw", &[Mechanism::Plain], b"salt", SCRAM_ITERATIONS, &SECRET);
        let spec = |(name, contact): (&str, &str)| AccountSpec {
            localpart: name.into(),
            credentials: credentials.clone(),
            roster: vec![(Jid::parse(contact).expect("an address"), Subscription::Both)],
        };
        world.provision([("romeo", "juliet@d"), ("juliet", "romeo@d")].map(spec)).expect("new names");
        // Salted keys only: checking a password takes a millisecond.
        let salted = Credentials::derive("pw", &[Mechanism::ScramSha256], b"salt", SCRAM_ITERATIONS, &SECRET);
        let nurse = AccountSpec { localpart: "nurse".into(), credentials: salted, roster: Vec::new() };
        world.provision([nurse]).expect("a new name");
        let hub = Hub::new(world, ChaCha12Rng::seed_from_u64(5));
        Self { hub, now: Nanos(1_000_000_000), written: BTreeMap::new(), shut: Vec::new() }
    }

    pub(crate) fn accept(&mut self) -> ConnId {
        let conn = self.hub.handle_accepted(self.now).expect("the server accepts");
        self.serve();
        conn
    }

    pub(crate) fn send(&mut self, conn: ConnId, text: &str) {
        let mut bytes = BytesMut::from(text);
        while self.hub.handle_read(conn, &mut bytes, self.now, self.now) {}
        self.serve();
    }

    /// What `conn` was sent since it was asked last.
    pub(crate) fn take(&mut self, conn: ConnId) -> String {
        self.written.remove(&conn).unwrap_or_default()
    }

    /// Sends and takes.
    pub(crate) fn ask(&mut self, conn: ConnId, text: &str) -> String {
        self.send(conn, text);
        self.take(conn)
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now += time;
        self.hub.handle_deadline(self.now);
        self.serve();
    }

    pub(crate) fn serve(&mut self) {
        while let Some(conn) = self.hub.next_listed() {
            loop {
                match self.hub.intent(conn) {
                    Intent::Nothing | Intent::Move => break,
                    Intent::Write => {
                        let mut slices = [IoSlice::new(&[]); 8];
                        let count = self.hub.slices(conn, &mut slices);
                        let bytes: Vec<u8> = slices[..count].iter().flat_map(|s| s.to_vec()).collect();
                        self.hub.handle_written(conn, bytes.len(), self.now);
                        let text = String::from_utf8(bytes).expect("the server writes UTF-8");
                        self.written.entry(conn).or_default().push_str(&text);
                    }
                    Intent::ShutDownWrite => {
                        self.shut.push(conn);
                        self.hub.handle_write_shut(conn, self.now);
                    }
                    Intent::Close | Intent::Reset => self.hub.remove(conn),
                }
            }
        }
    }

    pub(crate) fn log_in(&mut self, user: &str, resource: &str) -> ConnId {
        let conn = self.authenticate(user, "pw");
        let bind = format!(
            "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
             <resource>{resource}</resource></bind></iq>"
        );
        let bound = self.ask(conn, &bind);
        assert!(bound.contains(&format!("<jid>{user}@d/{resource}</jid>")), "{bound}");
        self.send(conn, "<presence/>");
        self.written.clear();
        conn
    }

    pub(crate) fn authenticate(&mut self, user: &str, password: &str) -> ConnId {
        let conn = self.accept();
        let features = self.ask(conn, HEADER);
        assert!(features.contains("<mechanism>PLAIN</mechanism>"), "{features}");
        let plain = base64::engine::general_purpose::STANDARD.encode(format!("\0{user}\0{password}"));
        let auth = format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{plain}</auth>");
        self.send(conn, &auth);
        if self.written[&conn].contains("<success") {
            self.written.clear();
            let features = self.ask(conn, HEADER);
            assert!(features.contains("<bind"), "{features}");
        }
        conn
    }
}
