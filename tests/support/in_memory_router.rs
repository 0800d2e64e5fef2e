//! The router without sockets: bytes go in by hand and come out by hand.

use std::io::IoSlice;

use bytes::BytesMut;
use rand_chacha::ChaCha12Rng;
use rand_core::SeedableRng;
use xmpp_bench::engine::{ConnId, Hub, Intent};
use xmpp_bench::limits::{READ_BYTES_PER_TURN_MAX, SCRAM_ITERATIONS};
use xmpp_bench::server::{AccountSpec, ClientLink, ServerConfig, ServerWorld};
use xmpp_bench::stream::{Credentials, Mechanism};
use xmpp_bench::time::Nanos;

/// A client's stream header.
const HEADER: &str = "<stream:stream to='bench.local' version='1.0' xmlns='jabber:client' \
                      xmlns:stream='http://etherx.jabber.org/streams'>";

/// A router with its connections, and the buffer that a reactor would read into.
pub(crate) struct InMemoryRouter {
    /// The engine.
    pub(crate) hub: Hub<ClientLink>,
    scratch: BytesMut,
    now: Nanos,
}

impl InMemoryRouter {
    /// A router with these accounts; their password is `pencil`.
    pub(crate) fn new(users: &[&str]) -> Self {
        let secret = [7; 32];
        let mut world = ServerWorld::new(ServerConfig::new("bench.local", vec![Mechanism::Plain], secret));
        let credentials =
            Credentials::derive("pencil", &[Mechanism::Plain], b"salt", SCRAM_ITERATIONS, &secret);
        let spec = |user: &&str| AccountSpec {
            localpart: (*user).to_owned(),
            credentials: credentials.clone(),
            roster: Vec::new(),
        };
        world.provision(users.iter().map(spec)).expect("the names are good");
        let hub = Hub::new(world, ChaCha12Rng::seed_from_u64(1));
        Self { hub, scratch: BytesMut::with_capacity(READ_BYTES_PER_TURN_MAX), now: Nanos(1_000_000_000) }
    }

    /// Hands over bytes as one read of a socket brings them.
    pub(crate) fn read(&mut self, conn: ConnId, bytes: &[u8]) {
        self.scratch.resize(bytes.len(), 0);
        self.scratch.copy_from_slice(bytes);
        while self.hub.handle_read(conn, &mut self.scratch, self.now, self.now) {}
    }

    /// Takes everything that is to be written, as sockets would, and says how much of it was for `conn`.
    pub(crate) fn write_all(&mut self, conn: ConnId) -> usize {
        let mut of_conn = 0;
        while let Some(listed) = self.hub.next_listed() {
            while self.hub.intent(listed) == Intent::Write {
                let mut slices = [IoSlice::new(&[]); 8];
                let count = self.hub.slices(listed, &mut slices);
                let bytes = slices[..count].iter().map(|s| s.len()).sum();
                of_conn += if listed == conn { bytes } else { 0 };
                self.hub.handle_written(listed, bytes, self.now);
            }
        }
        of_conn
    }

    /// Logs `user` in with PLAIN and makes it available.
    pub(crate) fn log_in(&mut self, user: &str) -> ConnId {
        use base64::Engine;
        let conn = self.hub.handle_accepted(self.now).expect("the router accepts");
        let plain = base64::engine::general_purpose::STANDARD.encode(format!("\0{user}\0pencil"));
        let auth = format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{plain}</auth>");
        let bind = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
                    <resource>r</resource></bind></iq>";
        for step in [HEADER, &auth, HEADER, bind, "<presence/>"] {
            self.read(conn, step.as_bytes());
            self.write_all(conn);
        }
        assert_eq!(self.hub.intent(conn), Intent::Nothing, "{user} is logged in");
        conn
    }
}
