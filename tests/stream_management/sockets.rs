//! Resumption over real sockets, with accounts on two reactors.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;

use base64::Engine;
use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng};
use socket2::SockRef;
use xmpp_bench::reactor::{Fleet, ReactorConfig};
use xmpp_bench::server::{AccountSpec, ServerConfig, ServerWorld};
use xmpp_bench::stream::{Credentials, Mechanism};

use super::{R, a, attr};

const MESSAGES: usize = 10_000;
/// Messages that the recipient has not seen: fewer than a session's queue takes.
const UNSEEN_MAX: usize = 400;
const USERS: usize = 16;
const HEADER: &str = "<stream:stream to='d' version='1.0' xmlns='jabber:client' \
                      xmlns:stream='http://etherx.jabber.org/streams'>";

struct Client {
    stream: TcpStream,
    /// What was read and not looked at yet.
    text: String,
}

impl Client {
    /// Authenticates; the features have been read.
    fn new(server: SocketAddr, user: usize) -> Self {
        let mut client = Self { stream: TcpStream::connect(server).unwrap(), text: String::new() };
        client.stream.set_nodelay(true).unwrap();
        let plain = base64::engine::general_purpose::STANDARD.encode(format!("\0u{user}\0pw"));
        let auth = format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{plain}</auth>");
        client.send(&format!("{HEADER}{auth}{HEADER}"));
        client.expect("<success");
        client.expect("</stream:features>");
        client
    }

    /// With stream management. Returns the id of its stream as well.
    fn managed(server: SocketAddr, user: usize) -> (Self, String) {
        let mut client = Self::new(server, user);
        let bind = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
                    <resource>r</resource></bind></iq>";
        client.send(&format!("{bind}<enable xmlns='urn:xmpp:sm:3' resume='true'/>"));
        client.expect("</iq>");
        let enabled = client.expect("/>");
        (client, attr(&enabled, "enabled", "id").unwrap().to_owned())
    }

    fn resumed(server: SocketAddr, user: usize, id: &str, h: usize) -> Self {
        let mut client = Self::new(server, user);
        client.send(&format!("<resume xmlns='urn:xmpp:sm:3' h='{h}' previd='{id}'/>"));
        let resumed = client.expect("/>");
        assert_eq!(attr(&resumed, "resumed", "previd"), Some(id), "{resumed}");
        assert_eq!(attr(&resumed, "resumed", "h"), Some("0"), "{resumed}");
        client
    }

    fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).unwrap();
    }

    /// Reads at most `most` bytes. Returns how many.
    fn read(&mut self, most: usize) -> usize {
        let mut buffer = vec![0; most];
        let count = self.stream.read(&mut buffer).unwrap();
        assert!(count > 0, "the server has hung up: {}", self.text);
        self.text.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
        count
    }

    /// Everything up to and with `end`.
    fn expect(&mut self, end: &str) -> String {
        loop {
            if let Some(at) = self.text.find(end) {
                let rest = self.text.split_off(at + end.len());
                return std::mem::replace(&mut self.text, rest);
            }
            self.read(4_096);
        }
    }

    /// Takes what is complete of what was read: the number of a message, or `None` for a question.
    fn next(&mut self) -> Option<Option<usize>> {
        let end = if self.text.starts_with("<message ") { "</message>" } else { "/>" };
        let at = self.text.find(end)? + end.len();
        let rest = self.text.split_off(at);
        let element = std::mem::replace(&mut self.text, rest);
        if element == R {
            return Some(None);
        }
        Some(Some(attr(&element, "message", "id").unwrap_or_else(|| panic!("{element}")).parse().unwrap()))
    }

    /// Ends as a machine does that loses its network.
    fn reset(self) {
        SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).unwrap();
    }
}

/// Reads messages and is cut off again and again. Returns what it got, and how often it was cut off.
fn receive(
    server: SocketAddr,
    user: usize,
    (mut client, id): (Client, String),
    permits: &Receiver<()>,
) -> (Vec<usize>, usize) {
    let mut rng = ChaCha12Rng::seed_from_u64(user as u64);
    let (mut got, mut cuts) = (Vec::new(), 0);
    // Connections that the server has not seen end.
    let mut left = Vec::new();
    while got.len() < MESSAGES {
        // Anywhere within a message, and after none to some hundred of them.
        let mut bytes = usize::try_from(rng.next_u64() % 8_000).unwrap();
        loop {
            // The first of them came with the answer to the resumption.
            while let Some(element) = client.next() {
                match element {
                    Some(message) => {
                        got.push(message);
                        permits.recv().unwrap();
                    }
                    None => client.send(&a(u32::try_from(got.len()).unwrap())),
                }
            }
            if bytes == 0 || got.len() == MESSAGES {
                break;
            }
            bytes -= client.read(bytes.min(1_500));
        }
        let new = Client::new(server, user);
        let old = std::mem::replace(&mut client, new);
        if rng.next_u64() % 3 == 0 {
            left.push(old);
        } else {
            old.reset();
        }
        client = Client::resumed(server, user, &id, got.len());
        cuts += 1;
    }
    client.send(&format!("{}</stream:stream>", a(u32::try_from(got.len()).unwrap())));
    client.expect("</stream:stream>");
    (got, cuts)
}

#[test]
fn ten_thousand_messages_to_a_client_that_is_cut_off_again_and_again() {
    let mechanisms = vec![Mechanism::Plain];
    let secret = [7; 32];
    let credentials = Credentials::derive("pw", &mechanisms, b"salt", 4_096, &secret);
    let mut homes = ServerWorld::homes(ServerConfig::new("d", mechanisms, secret), 2);
    let account =
        |n| AccountSpec { localpart: format!("u{n}"), credentials: credentials.clone(), roster: Vec::new() };
    // By home.
    let mut users = [Vec::new(), Vec::new()];
    for n in 0..USERS {
        let before = homes[0].account_count();
        ServerWorld::provision_homes(&mut homes, [account(n)]).unwrap();
        users[usize::from(homes[0].account_count() == before)].push(n);
    }
    let mut fleet = Fleet::new(homes, &vec![ReactorConfig::default(); 2]).unwrap();
    let server = fleet.listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let stopper = fleet.stopper();
    let reactors = thread::spawn(move || fleet.run());

    for (sender, recipient) in [(users[0][0], users[1][0]), (users[1][1], users[1][2])] {
        let (give, permits) = sync_channel(UNSEEN_MAX);
        let client = Client::managed(server, recipient);
        let recipient_thread = thread::spawn(move || receive(server, recipient, client, &permits));
        let (mut sender, _) = Client::managed(server, sender);
        for n in 0..MESSAGES {
            give.send(()).unwrap();
            sender.send(&format!("<message to='u{recipient}@d/r' id='{n}'><body>{n}</body></message>"));
        }
        sender.send(R);
        assert_eq!(sender.expect("/>"), a(u32::try_from(MESSAGES).unwrap()));
        let (got, cuts) = recipient_thread.join().unwrap();
        let wrong = got.iter().enumerate().find(|(n, message)| n != *message);
        assert_eq!(wrong, None, "in order, none lost, none twice");
        assert!(cuts > 60, "{cuts}");
    }
    stopper.stop();
    let worlds = reactors.join().unwrap().unwrap();
    assert!(worlds.iter().map(|(world, _)| world.counters().resumed).sum::<u64>() > 120);
}
