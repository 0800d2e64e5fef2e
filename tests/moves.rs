//! Logins that move to their account's home, on real sockets: several reactors, everything in one segment, cut anywhere.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;

use base64::Engine;
use xmpp_bench::reactor::{Fleet, ReactorConfig, ReactorReport, Stopper};
use xmpp_bench::router::Subscription;
use xmpp_bench::server::{AccountSpec, ServerConfig, ServerWorld};
use xmpp_bench::stanza::Jid;
use xmpp_bench::stream::{Credentials, Mechanism};

const HOMES: usize = 3;
const USERS: usize = 12;
const HEADER: &str = "<stream:stream to='d' version='1.0' xmlns='jabber:client' \
                      xmlns:stream='http://etherx.jabber.org/streams'>";

/// A server on a free port, with the accounts `u0` to `u11`, all in each other's rosters, and `u12`, whose password is
/// only kept salted.
struct Server {
    address: SocketAddr,
    stopper: Stopper,
    thread: thread::JoinHandle<std::io::Result<Vec<(ServerWorld, ReactorReport)>>>,
}

impl Server {
    fn start() -> Self {
        let mechanisms = vec![Mechanism::Plain, Mechanism::Anonymous];
        let secret = [7; 32];
        let credentials = Credentials::derive("pw", &mechanisms, b"salt", 4_096, &secret);
        let mut homes = ServerWorld::homes(ServerConfig::new("d", mechanisms, secret), HOMES);
        let jid = |n: usize| Jid::parse(&format!("u{n}@d")).expect("an address");
        let accounts = (0..USERS).map(|n| AccountSpec {
            localpart: format!("u{n}"),
            credentials: credentials.clone(),
            roster: (0..USERS).filter(|m| *m != n).map(|m| (jid(m), Subscription::Both)).collect(),
        });
        let salted = Credentials::derive("pw", &[Mechanism::ScramSha256], b"salt", 4_096, &secret);
        let salted = AccountSpec { localpart: format!("u{USERS}"), credentials: salted, roster: Vec::new() };
        ServerWorld::provision_homes(&mut homes, accounts.chain([salted])).expect("new names");
        assert!(homes.iter().all(|home| home.account_count() > 0), "every home has accounts");
        let mut fleet = Fleet::new(homes, &vec![ReactorConfig::default(); HOMES]).expect("a fleet");
        let address = fleet.listen("127.0.0.1:0".parse().expect("an address")).expect("a free port");
        let stopper = fleet.stopper();
        Self { address, stopper, thread: thread::spawn(move || fleet.run()) }
    }

    fn stop(self) -> Vec<(ServerWorld, ReactorReport)> {
        self.stopper.stop();
        self.thread.join().expect("no reactor panics").expect("no reactor fails")
    }

    fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.address).expect("the server listens");
        stream.set_nodelay(true).expect("a socket option");
        Client { stream, read: String::new() }
    }

    /// A client that has bound as `user`/r.
    fn log_in(&self, user: usize) -> Client {
        let mut client = self.connect();
        client.send(&login(user, "r"));
        client.expect("</jid></bind></iq>");
        client
    }
}

struct Client {
    stream: TcpStream,
    /// What was read and not expected yet.
    read: String,
}

impl Client {
    fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).expect("the server reads");
    }

    /// Reads up to and with the next `end`; returns it.
    fn expect(&mut self, end: &str) -> String {
        let mut buffer = [0; 4_096];
        loop {
            if let Some(at) = self.read.find(end) {
                let rest = self.read.split_off(at + end.len());
                return std::mem::replace(&mut self.read, rest);
            }
            let count = self.stream.read(&mut buffer).expect("the server writes");
            assert!(count > 0, "closed before `{end}`: {}", self.read);
            self.read.push_str(std::str::from_utf8(&buffer[..count]).expect("ASCII in these tests"));
        }
    }

    /// Once it has answered, its reactor has read everything that was sent to it before.
    fn ping(&mut self) {
        self.send("<iq type='get' id='barrier' to='d'><ping xmlns='urn:xmpp:ping'/></iq>");
        self.expect("id='barrier'");
        self.expect(">");
    }
}

/// Everything that a login sends, as one text: nothing waits for an answer.
fn login(user: usize, resource: &str) -> String {
    let plain = base64::engine::general_purpose::STANDARD.encode(format!("\0u{user}\0pw"));
    format!(
        "{HEADER}<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{plain}</auth>{HEADER}\
         <iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
         <resource>{resource}</resource></bind></iq>"
    )
}

/// Clients whose connections, together, are on every reactor: their answers are a barrier for all of them.
fn one_on_each_home(server: &Server) -> Vec<Client> {
    (0..USERS).map(|user| server.log_in(user)).collect()
}

/// Bind, roster, presence and a message in one segment behind the login, the whole cut in two at every byte. Before the
/// second part every reactor has read what there was, so the move itself happens at every byte.
#[test]
fn a_login_may_be_cut_anywhere() {
    let server = Server::start();
    let mut barrier = one_on_each_home(&server);
    for user in [0, 1, 2] {
        let text = format!(
            "{}<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq><presence id='p'/>\
             <message to='u{user}@d/cut' id='m'><body>to myself</body></message>",
            login(user, "cut")
        );
        for cut in 0..text.len() {
            let mut client = server.connect();
            client.send(&text[..cut]);
            for other in &mut barrier {
                other.ping();
            }
            client.send(&text[cut..]);
            client.expect("<success");
            let bound = client.expect("</iq>");
            assert!(bound.contains(&format!("<jid>u{user}@d/cut</jid>")), "cut at {cut}: {bound}");
            let roster = client.expect("</query></iq>");
            assert_eq!(roster.matches("<item ").count(), USERS - 1, "cut at {cut}: {roster}");
            client.expect("id='p'");
            client.expect("<body>to myself</body>");
            client.send("</stream:stream>");
            let rest = client.expect("</stream:stream>");
            assert!(!rest.contains("error"), "cut at {cut}: {rest}");
        }
    }
    drop(barrier);
    let homes = server.stop();
    let moved: u64 = homes.iter().map(|(_, report)| report.counters.moved_here).sum();
    assert!(moved > 500, "two in three logins begin elsewhere: {moved}");
    for (world, report) in &homes {
        assert_eq!(world.session_count(), 0);
        assert_eq!(
            report.counters.accepted + report.counters.moved_here,
            report.counters.closed + report.counters.moved_away
        );
    }
}

/// Anonymous accounts are made at their home as well, and end there.
#[test]
fn anonymous_logins_move_too() {
    let server = Server::start();
    let mut clients: Vec<Client> = (0..30).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.send(&format!(
            "{HEADER}<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'/>{HEADER}\
             <iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq><presence id='p'/>"
        ));
    }
    for client in &mut clients {
        client.expect("</jid>");
        client.expect("id='p'");
        client.send("</stream:stream>");
        client.expect("</stream:stream>");
    }
    drop(clients);
    let homes = server.stop();
    assert!(homes.iter().map(|(_, report)| report.counters.moved_here).sum::<u64>() > 0);
    assert_eq!(homes.iter().map(|(world, _)| world.account_count()).sum::<usize>(), USERS + 1);
}

/// Every pair of accounts talks, whatever their homes; each message comes once and in order, and presence reaches everybody.
#[test]
fn accounts_of_all_homes_reach_each_other() {
    const MESSAGES: usize = 50;
    let server = Server::start();
    let mut clients: Vec<Client> = (0..USERS).map(|user| server.log_in(user)).collect();
    for (user, client) in clients.iter_mut().enumerate() {
        client.send(&format!("<presence id='p{user}'/>"));
        client.expect(&format!("id='p{user}'"));
    }
    for (user, client) in clients.iter_mut().enumerate() {
        // Who came later announced itself; who was there already answered the probe.
        let mut seen = client.read.clone();
        for other in (0..USERS).filter(|other| *other != user) {
            while !seen.contains(&format!("id='p{other}'")) {
                seen.push_str(&client.expect(">"));
            }
        }
    }
    for n in 0..MESSAGES {
        for (user, client) in clients.iter_mut().enumerate() {
            let text: String =
                (0..USERS).map(|to| format!("<message to='u{to}@d/r' id='{user}-{n}'/>")).collect();
            client.send(&text);
        }
    }
    for client in &mut clients {
        let mut next = [0; USERS];
        while next.iter().any(|n| *n < MESSAGES) {
            let stanza = client.expect(">");
            let Some(id) = stanza.split(" id='").nth(1).filter(|_| stanza.contains("<message ")) else {
                continue;
            };
            let (from, n) = id.split_once('-').expect("ids are ours");
            let n: usize = n.split('\'').next().and_then(|n| n.parse().ok()).expect("a number");
            let from: usize = from.parse().expect("a number");
            assert_eq!(n, next[from], "in order, and once");
            next[from] += 1;
        }
    }
    drop(clients);
    let homes = server.stop();
    assert!(homes.iter().all(|(_, report)| report.mail.sent > 0), "homes wrote to each other");
}

/// Passwords that are only kept salted are checked by the workers, after the move.
#[test]
fn passwords_are_checked_by_workers() {
    /// Fewer than `RESOURCES_PER_ACCOUNT_MAX`.
    const CLIENTS: usize = 12;
    let server = Server::start();
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.send(&login(USERS, "salted").replace("<resource>salted</resource>", ""));
    }
    for client in &mut clients {
        client.expect("<success");
        let bound = client.expect("</jid>");
        assert!(bound.contains(&format!("<jid>u{USERS}@d/")), "{bound}");
        client.send("</stream:stream>");
        client.expect("</stream:stream>");
    }
    drop(clients);
    let homes = server.stop();
    assert_eq!(homes.iter().map(|(_, report)| report.counters.jobs).sum::<u64>(), CLIENTS as u64);
}

/// Two servers on one port would share the connections in silence.
#[test]
fn a_port_in_use_is_refused() {
    let server = Server::start();
    let config = ServerConfig::new("d", vec![Mechanism::Plain], [7; 32]);
    let mut second =
        Fleet::new(ServerWorld::homes(config, 2), &vec![ReactorConfig::default(); 2]).expect("a fleet");
    let error = second.listen(server.address).expect_err("the port is taken");
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    server.stop();
}
