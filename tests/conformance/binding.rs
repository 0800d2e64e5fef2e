//! RFC 6120 §7: binding resources.

use super::client::Client;
use super::element::NS_STREAM;
use super::login::{NS_BIND, bind};
use super::target::{User, users};

#[test]
fn the_servers_resource() {
    let juliet = User::new();
    let mut resources = Vec::new();
    for _ in 0..3 {
        let (mut client, _) = Client::authenticated(&juliet);
        client.bind(None);
        let resource = client.jid.strip_prefix(&format!("{}/", juliet.jid)).expect("the full JID").to_owned();
        resources.push((resource, client));
    }
    resources.sort_by(|a, b| a.0.cmp(&b.0));
    resources.dedup_by(|a, b| a.0 == b.0);
    assert_eq!(resources.len(), 3, "each its own");
    assert!(resources.iter().all(|(name, _)| name.len() >= 8), "too short to be hard to guess");
}

#[test]
fn the_clients_resource() {
    let juliet = User::new();
    let (mut client, _) = Client::authenticated(&juliet);
    client.bind(Some("balcony"));
    assert_eq!(client.jid, juliet.full("balcony"));
}

#[test]
fn a_resource_is_prepared() {
    let juliet = User::new();
    let (mut client, _) = Client::authenticated(&juliet);
    // The same under resourceprep and OpaqueString: a letter and its accent become one.
    client.bind(Some("caf\u{65}\u{301}"));
    assert_eq!(client.jid, juliet.full("caf\u{e9}"));
}

#[test]
fn a_taken_resource() {
    let juliet = User::new();
    let mut old = Client::bound(&juliet, "balcony");
    let (mut new, _) = Client::authenticated(&juliet);
    let answer = new.bind(Some("balcony"));
    if answer.kind() == "error" {
        assert_eq!(answer.condition(), "conflict", "the third way");
        old.ping();
    } else if new.jid == old.jid {
        old.expect_stream_error("conflict");
    } else {
        old.ping();
    }
}

#[test]
fn the_new_stream_alone() {
    let [romeo, juliet] = users();
    let mut sender = Client::online(&romeo, "orchard");
    let old = Client::online(&juliet, "balcony");
    let mut new = Client::online(&juliet, "balcony");
    sender.send(&format!("<message id='m' to='{}'><body>b</body></message>", new.jid));
    new.expect("the message", |e| e.is_answer("message", "m"));
    let got = old.rest();
    assert!(got.iter().all(|e| e.id() != "m"), "{got:?}");
}

#[test]
fn too_many_resources() {
    let juliet = User::new();
    let mut clients = Vec::new();
    for _ in 0..40 {
        let (mut client, _) = Client::authenticated(&juliet);
        let answer = client.bind(None);
        if answer.kind() == "error" {
            assert_eq!((answer.condition(), answer.error_type()), ("resource-constraint", "wait"));
            return;
        }
        clients.push(client);
    }
    panic!("40 resources, and no end");
}

#[test]
fn a_second_bind() {
    let mut client = Client::bound(&User::new(), "balcony");
    let answer = client.ask("again", &bind("again", Some("garden")));
    assert_eq!(answer.kind(), "error", "{}", answer.raw);
    let jid = client.jid.clone();
    client.send(&format!("<message id='self' to='{jid}'><body>b</body></message>"));
    client.expect("a message to the first", |e| e.is_answer("message", "self"));
}

/// Neither profile lets a control character in.
const BAD: &str = "<iq type='set' id='bad'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
                   <resource>a&#x9;b</resource></bind></iq>";

#[test]
fn a_bad_resource() {
    let (mut client, _) = Client::authenticated(&User::new());
    let answer = client.ask("bad", BAD);
    assert_eq!((answer.condition(), answer.error_type()), ("bad-request", "modify"), "{}", answer.raw);
    let answer = client.bind(Some("good"));
    assert!(answer.child("bind", NS_BIND).is_some(), "the stream goes on");
}

#[test]
fn failed_binds() {
    let (mut client, _) = Client::authenticated(&User::new());
    for tries in 1..=11 {
        client.send(BAD);
        let answer = client.next();
        if answer.is_in("error", NS_STREAM) {
            client.check(answer.raw.contains("policy-violation"), "the error policy-violation");
            client.check((5..=11).contains(&tries), "after five to ten tries");
            return client.expect_end();
        }
        client.check(answer.condition() == "bad-request", "bad-request");
    }
    client.fail("no end of failed binds");
}
