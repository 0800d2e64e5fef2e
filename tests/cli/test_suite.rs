//! `serve --test-suite` as a suite of conformance tests uses it: accounts by registration over one stream that stays open
//! and by an administrator, logins with PLAIN and SCRAM-SHA-1, and everything removed at the end.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use bytes::BytesMut;
use rand_chacha::ChaCha12Rng;
use rand_core::SeedableRng;
use rustix::process::Signal;
use xmpp_bench::limits::FRAMER_CLIENT;
use xmpp_bench::stream::{
    ClientNegotiation, ClientSettings, ClientStep, LoginError, Mechanism, SaltedPasswordCache,
    WantedManagement,
};
use xmpp_bench::xml::Framer;

use super::program::{Folder, PATIENCE};

const DOMAIN: &str = "xmpp.test";

/// A client's connection; what it reads is looked at as text.
struct Wire {
    stream: TcpStream,
    read: String,
}

impl Wire {
    fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        Self { stream, read: String::new() }
    }

    fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).expect("the server reads");
    }

    /// Everything up to and with `part`, which is waited for.
    fn until(&mut self, part: &str) -> String {
        loop {
            if let Some(at) = self.read.find(part) {
                let rest = self.read.split_off(at + part.len());
                return std::mem::replace(&mut self.read, rest);
            }
            let mut bytes = [0; 4096];
            let count = self.stream.read(&mut bytes).expect("the server answers");
            assert_ne!(count, 0, "the server closed before `{part}`: {}", self.read);
            self.read.push_str(std::str::from_utf8(&bytes[..count]).expect("ASCII, in this test"));
        }
    }

    /// Sends an IQ with this id, and what comes until it is answered.
    fn ask(&mut self, id: &str, iq: &str) -> String {
        assert!(iq.contains(&format!(" id='{id}'")));
        self.send(iq);
        let before = self.until(&format!(" id='{id}'"));
        let rest = self.until(">");
        // An answer with content ends with its own tag, one without was read whole.
        let content = if rest.ends_with("/>") { String::new() } else { self.until("</iq>") };
        before + &rest + &content
    }

    fn log_in(
        address: SocketAddr,
        user: &str,
        password: &str,
        mechanism: Mechanism,
    ) -> Result<Self, LoginError> {
        let mut wire = Self::connect(address);
        let mut negotiation = ClientNegotiation::new(ClientSettings {
            domain: DOMAIN.into(),
            mechanism,
            username: user.to_owned(),
            password: password.into(),
            resource: Some("r".to_owned()),
            cache: SaltedPasswordCache::default(),
            management: WantedManagement::None,
        });
        let mut rng = ChaCha12Rng::seed_from_u64(1);
        let mut framer = Framer::new(FRAMER_CLIENT);
        let (mut out, mut input) = (Vec::new(), BytesMut::new());
        negotiation.handle_connected(&mut out);
        loop {
            wire.stream.write_all(&out).expect("the server reads");
            out.clear();
            let Some(frame) = framer.next_frame(&mut input).expect("the server speaks XMPP") else {
                let mut bytes = [0; 4096];
                let count = wire.stream.read(&mut bytes).expect("the server answers");
                assert_ne!(count, 0, "{user}: the server closed");
                input.extend_from_slice(&bytes[..count]);
                continue;
            };
            let mut step = negotiation.handle_frame(frame, &mut out, &mut rng)?;
            if let ClientStep::Work(work) = step {
                step = negotiation.handle_worked(work.run(), &mut out)?;
            }
            match step {
                ClientStep::Continue => {}
                ClientStep::Authenticated => framer.restart(),
                ClientStep::Bound { .. } => {
                    wire.read = String::from_utf8(input.to_vec()).expect("text");
                    return Ok(wire);
                }
                other @ (ClientStep::Work(_)
                | ClientStep::Resumed { .. }
                | ClientStep::Element(_)
                | ClientStep::Close(_)) => {
                    panic!("{user}: {other:?}")
                }
            }
        }
    }
}

fn register(name: &str) -> String {
    format!(
        "<iq type='set' id='{name}'><query xmlns='jabber:iq:register'><username>{name}</username>\
         <password>pw-{name}</password></query></iq>"
    )
}

/// Runs an administrator's command with its form.
fn command(admin: &mut Wire, name: &str, fields: &str) -> String {
    let command = |session: &str, form: &str| {
        format!(
            "<iq type='set' id='cmd' to='{DOMAIN}'><command xmlns='http://jabber.org/protocol/commands' \
             node='http://jabber.org/protocol/admin#{name}'{session}>{form}</command></iq>"
        )
    };
    let form = admin.ask("cmd", &command("", ""));
    let session = form.split(" sessionid='").nth(1).expect("a session").split('\'').next().expect("its id");
    let form = format!("<x xmlns='jabber:x:data' type='submit'>{fields}</x>");
    admin.ask("cmd", &command(&format!(" sessionid='{session}' action='next'"), &form))
}

fn field(var: &str, value: &str) -> String {
    format!("<field var='{var}'><value>{value}</value></field>")
}

#[test]
fn a_suite_makes_accounts_uses_them_and_removes_them() {
    let words = format!("serve --test-suite --listen 127.0.0.1:0 --domain {DOMAIN} --reactors 3");
    let mut program = Folder::new().start(&words);
    let line = program.wait_stdout("listening on ");
    let address = line["listening on ".len()..].split(',').next().and_then(|text| text.parse().ok());
    let address: SocketAddr = address.unwrap_or_else(|| panic!("no address in {line:?}"));
    assert!(line.ends_with(&format!(", domain {DOMAIN}, 1 account, SCRAM-SHA-1 PLAIN")), "{line}");
    program.wait_stdout(&format!("host 127.0.0.1, port {}, domain {DOMAIN}", address.port()));
    program.wait_stdout(&format!("admin admin@{DOMAIN}, password admin"));

    // Three accounts over a stream that stays open.
    let mut open = Wire::connect(address);
    open.send(&format!(
        "<stream:stream to='{DOMAIN}' version='1.0' xmlns='jabber:client' \
         xmlns:stream='http://etherx.jabber.org/streams'>"
    ));
    let features = open.until("</stream:features>");
    assert!(features.contains("<register xmlns='http://jabber.org/features/iq-register'/>"), "{features}");
    for name in ["one", "two", "three"] {
        assert!(open.ask(name, &register(name)).contains("type='result'"));
    }
    assert!(open.ask("two", &register("two")).contains("<conflict "));

    // One more by the administrator.
    let mut admin = Wire::log_in(address, "admin", "admin", Mechanism::ScramSha1).expect("it is there");
    let jid = format!("four@{DOMAIN}");
    let fields =
        field("accountjid", &jid) + &field("password", "pw-four") + &field("password-verify", "pw-four");
    let done = command(&mut admin, "add-user", &fields);
    assert!(done.contains("status='completed'"), "{done}");

    let log_in = |name: &str, mechanism| Wire::log_in(address, name, &format!("pw-{name}"), mechanism);
    let mut one = log_in("one", Mechanism::Plain).expect("it was registered");
    let mut two = log_in("two", Mechanism::ScramSha1).expect("it was registered");
    let mut four = log_in("four", Mechanism::ScramSha1).expect("it was added");
    for (name, wire) in [("one", &mut one), ("two", &mut two), ("four", &mut four)] {
        wire.send("<presence/>");
        wire.until(&format!("from='{name}@{DOMAIN}/r'"));
    }
    four.send(&format!("<message to='one@{DOMAIN}/r' type='chat' id='m'><body>hello</body></message>"));
    one.until("<body>hello</body>");

    // A subscription, which ends with the account.
    one.ask("roster", "<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>");
    one.send(&format!("<presence type='subscribe' to='two@{DOMAIN}'/>"));
    two.until("type='subscribe'");
    two.send(&format!("<presence type='subscribed' to='one@{DOMAIN}'/>"));
    one.until("subscription='to'");
    let done = command(&mut admin, "delete-user", &field("accountjids", &format!("two@{DOMAIN}")));
    assert!(done.contains("status='completed'"), "{done}");
    two.until("<stream:error><not-authorized ");
    two.until("</stream:stream>");
    one.until("subscription='none'");
    let roster = one.ask("again", "<iq type='get' id='again'><query xmlns='jabber:iq:roster'/></iq>");
    assert!(roster.contains(&format!("<item jid='two@{DOMAIN}' subscription='none'/>")), "{roster}");
    assert!(matches!(log_in("two", Mechanism::ScramSha1), Err(LoginError::Refused { .. })));

    // One removes itself.
    let remove = format!(
        "<iq type='set' id='bye' to='{DOMAIN}'><query xmlns='jabber:iq:register'><remove/></query></iq>"
    );
    assert!(one.ask("bye", &remove).contains("type='result'"));
    one.until("<stream:error><not-authorized ");
    one.until("</stream:stream>");
    assert!(matches!(log_in("one", Mechanism::Plain), Err(LoginError::Refused { .. })));

    // The first stream is still there.
    assert!(open.ask("one", &register("one")).contains("type='result'"));
    let users = command(&mut admin, "get-registered-users-list", "");
    let names: Vec<_> =
        ["admin", "four", "one", "three"].map(|name| format!("<value>{name}@{DOMAIN}</value>")).into();
    assert!(users.contains(&names.concat()), "{users}");
    program.signal(Signal::INT);
    program.finish().exits(0);
}

#[test]
fn the_profile_and_a_configuration_exclude_each_other() {
    let ended = Folder::with("serve.toml", "").run("serve serve.toml --test-suite").exits(2);
    assert!(ended.stderr.contains("--test-suite"), "{}", ended.stderr);
}
