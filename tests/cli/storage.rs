//! What the router keeps: after an orderly end, after a kill, and while its database is gone.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::net::SocketAddr;
use std::path::Path;

use rustix::process::Signal;

use super::login::{Client, ping};
use super::program::{Folder, Program};

const CONFIG: &str = "listen = \"127.0.0.1:0\"\ndomain = \"d\"\nmechanisms = [\"PLAIN\"]\n\
    users = [{ name = \"a\", password = \"pa\" }, { name = \"b\", password = \"pb\" }]\n";

/// Starts the router; its address.
fn serve(folder: &Folder, store: Option<&str>) -> (Program, SocketAddr) {
    let flag = store.map(|url| format!(" --store {url}")).unwrap_or_default();
    let mut program = folder.start(&format!("serve serve.toml{flag}"));
    let line = program.wait_stdout("listening on ");
    let address = line["listening on ".len()..].split(',').next().unwrap().parse().unwrap();
    (program, address)
}

/// Ids of the messages in what was received, in order.
fn ids(text: &str) -> Vec<usize> {
    let messages = text.split("<message ").skip(1);
    messages.map(|m| m.split("id='m").nth(1).unwrap().split('\'').next().unwrap().parse().unwrap()).collect()
}

#[test]
fn an_orderly_end_keeps_everything_and_users_may_change_meanwhile() {
    let folder = Folder::with("serve.toml", CONFIG);
    let (program, address) = serve(&folder, None);
    let mut a = Client::login(address, "a");
    a.send("<iq type='set' id='r'><query xmlns='jabber:iq:roster'><item jid='c@d' name='C &amp; D'/></query></iq>");
    a.send("<message to='b@d' id='m1'><body>&lt;</body></message>");
    a.ping("p");
    folder.run("user add c --password pc --config serve.toml").exits(0);
    folder.run("user password a --password new --config serve.toml").exits(0);
    program.signal(Signal::TERM);
    program.finish().exits(0);
    let listed = folder.run("user list --config serve.toml").exits(0);
    assert_eq!(listed.stdout, "a@d\nb@d\nc@d\n");

    let (_program, address) = serve(&folder, None);
    Client::log_in(address, "a", "pa").expect_err("the old password is void");
    let mut a = Client::log_in(address, "a", "new").unwrap();
    a.send("<iq type='get' id='g'><query xmlns='jabber:iq:roster'/></iq>");
    assert!(a.until("</iq>").contains("jid='c@d' name='C &amp; D'"));
    let mut b = Client::login(address, "b");
    b.send("<presence/>");
    let received = b.ping("p");
    assert_eq!(ids(&received), [1], "{received}");
    assert!(received.contains("<body>&lt;</body><delay "), "{received}");
    Client::login(address, "c");
}

#[test]
fn a_running_router_hears_of_changed_accounts() {
    let folder = Folder::with("serve.toml", CONFIG);
    let (mut program, address) = serve(&folder, None);
    let mut b = Client::login(address, "b");
    folder.run("user add c --password pc --config serve.toml").exits(0);
    program.wait_log("accounts were changed");
    // News are in the queue of every home before the line is written for the next.
    folder.run("user remove b --config serve.toml").exits(0);
    assert!(b.until("</stream:stream>").contains("<not-authorized"));
    Client::login(address, "c");
    Client::log_in(address, "b", "pb").expect_err("it is gone");
    folder.run("user remove b --config serve.toml").exits(2);
    let second = folder.run("serve serve.toml").exits(2);
    assert!(second.complaint().0.contains("another router has it open"), "{}", second.stderr);
}

/// Offline messages with a ping after each few; the router is killed while some are under way.
fn nothing_answered_for_is_lost(folder: &Folder, store: Option<&str>) {
    const EACH: usize = 20;
    let (program, address) = serve(folder, store);
    let mut a = Client::login(address, "a");
    let batch = |number: usize| {
        let messages = (number * EACH..(number + 1) * EACH)
            .map(|id| format!("<message to='b@d' id='m{id}'><body>x</body></message>"));
        messages.collect::<String>() + &ping(&format!("p{number}"))
    };
    // Four are always under way.
    (0..4).for_each(|number| a.send(&batch(number)));
    for number in 0..10 {
        a.until(&format!(" id='p{number}'"));
        a.send(&batch(number + 4));
    }
    program.signal(Signal::KILL);
    program.wait_gone();
    let (_program, address) = serve(folder, store);
    let mut b = Client::login(address, "b");
    b.send("<presence/>");
    let received = ids(&b.ping("p"));
    assert!(received.len() >= 10 * EACH, "{} of at least {} came", received.len(), 10 * EACH);
    assert_eq!(received, (0..received.len()).collect::<Vec<_>>(), "each once and in order");
}

#[test]
fn what_was_answered_for_survives_a_kill_with_sqlite() {
    nothing_answered_for_is_lost(&Folder::with("serve.toml", CONFIG), None);
}

#[test]
fn what_was_answered_for_survives_a_kill_with_postgresql() {
    let Some(postgres) = Postgres::start() else { return };
    nothing_answered_for_is_lost(&Folder::with("serve.toml", CONFIG), Some(&postgres.url()));
}

#[test]
fn without_its_database_it_routes_and_saves_when_it_is_back() {
    let Some(postgres) = Postgres::start() else { return };
    let config = CONFIG.replace("\"pb\" }]", "\"pb\" }, { name = \"c\", password = \"pc\" }]");
    let folder = Folder::with("serve.toml", &config);
    let (mut program, address) = serve(&folder, Some(&postgres.url()));
    let (mut a, mut b) = (Client::login(address, "a"), Client::login(address, "b"));
    b.send("<presence/>");
    b.ping("p");
    postgres.control("stop");
    program.wait_log("the store cannot be reached");
    // It was shut down; now it is not there.
    program.wait_log("the store still cannot be reached");
    a.send("<message to='b@d' id='m1'/>");
    b.until("id='m1'");
    let refused = Client::log_in(address, "c", "pc").expect_err("nobody new is let in");
    assert!(refused.contains("<temporary-auth-failure"), "{refused}");
    a.send("<message to='c@d' id='m2'/>");
    postgres.control("start");
    program.wait_log("the store is there again");
    a.ping("p");
    program.signal(Signal::KILL);
    let log = program.finish().stderr;
    assert!(!log.contains("already exists"), "{log}");
    let (_program, address) = serve(&folder, Some(&postgres.url()));
    let mut c = Client::login(address, "c");
    c.send("<presence/>");
    assert_eq!(ids(&c.ping("p")), [2]);
}

#[test]
fn nobody_can_store_what_stops_postgresql() {
    let Some(postgres) = Postgres::start() else { return };
    let folder = Folder::with("serve.toml", CONFIG);
    let (program, address) = serve(&folder, Some(&postgres.url()));
    let mut a = Client::login(address, "a");
    // Too much for one row of an index, whatever comes of compressing it.
    let namespace: String =
        (0..1_000_u32).map(|n| format!("{:04x}", n.wrapping_mul(2_654_435_761) >> 16)).collect();
    let private = |inner: &str| format!("<query xmlns='jabber:iq:private'>{inner}</query></iq>");
    a.send(&format!("<iq type='set' id='s'>{}", private(&format!("<x xmlns='{namespace}'>kept</x>"))));
    let answer = a.ping("p");
    assert!(answer.contains("type='result'"), "{answer}");
    Client::login(address, "b");
    program.signal(Signal::KILL);
    program.wait_gone();
    let (_program, address) = serve(&folder, Some(&postgres.url()));
    let mut a = Client::login(address, "a");
    a.send(&format!("<iq type='get' id='g'>{}", private(&format!("<x xmlns='{namespace}'/>"))));
    assert!(a.until("</iq>").contains(">kept</x>"));
}

/// PostgreSQL in a temporary folder; stopped when it is dropped.
struct Postgres(tempfile::TempDir);

impl Postgres {
    /// `None`, with a line, where there is none to be started.
    #[expect(clippy::print_stderr, reason = "a skipped test says so to whoever reads the log")]
    fn start() -> Option<Self> {
        let postgres = Self(tempfile::tempdir().unwrap());
        let required = std::env::var_os("XB_REQUIRE_PEERS").is_some_and(|value| value == "1");
        match postgres.script("start").code() {
            Some(0) => Some(postgres),
            Some(69) if !required => {
                eprintln!("skipped: PostgreSQL is not installed");
                None
            }
            code => panic!("PostgreSQL does not start: {code:?}"),
        }
    }

    fn url(&self) -> String {
        format!("postgres://xmpp@localhost/postgres?host={}", self.0.path().display())
    }

    fn control(&self, word: &str) {
        assert!(self.script(word).success(), "{word}");
    }

    fn script(&self, word: &str) -> std::process::ExitStatus {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/peers/postgres.sh");
        std::process::Command::new(script).arg(word).arg(self.0.path()).status().unwrap()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.script("stop");
    }
}
