//! Statements that need settings of our own server. Peers are not asked.

use super::client::Client;
use super::element::Element;
use super::login::{NS_BIND, NS_SASL};
use super::target::{Target, User, ours};

#[test]
fn assign_other() {
    let (target, juliet) = own("conflict = \"assign-other\"");
    let mut old = Client::bound_at(&target, &juliet, "balcony");
    let mut new = Client::authenticated_at(&target, &juliet).0;
    let answer = new.bind(Some("balcony"));
    assert_eq!(answer.kind(), "result");
    assert!(new.jid != old.jid && new.jid.starts_with(&format!("{}/", juliet.jid)), "{}", new.jid);
    old.ping();
}

#[test]
fn refuse() {
    let (target, juliet) = own("conflict = \"refuse\"");
    let mut old = Client::bound_at(&target, &juliet, "balcony");
    let mut new = Client::authenticated_at(&target, &juliet).0;
    let answer = new.bind(Some("balcony"));
    assert_eq!((answer.condition(), answer.error_type()), ("conflict", "cancel"), "{}", answer.raw);
    old.ping();
    assert!(new.bind(Some("garden")).child("bind", NS_BIND).is_some(), "another try");
}

#[test]
fn anonymous() {
    let (target, _) = own("anonymous = true");
    let log_in = || {
        let mut client = Client::connect_to(&target);
        let features = client.open();
        let offered = features.child("mechanisms", NS_SASL).unwrap();
        assert!(offered.children.iter().any(|m| m.text == "ANONYMOUS"), "{}", features.raw);
        client.send(&format!("<auth xmlns='{NS_SASL}' mechanism='ANONYMOUS'/>"));
        let answer: Element = client.next();
        if answer.is_in("challenge", NS_SASL) {
            client.send(&format!("<response xmlns='{NS_SASL}'/>"));
            client.expect_success();
        } else {
            client.check(answer.is_in("success", NS_SASL), "the login succeeds");
            client.restart();
        }
        client.open();
        client.bind(None);
        client
    };
    let (mut one, two) = (log_in(), log_in());
    let bare = |client: &Client| client.jid.split('/').next().unwrap().to_owned();
    assert_ne!(bare(&one), bare(&two), "each its own account");
    one.ping();
}

#[test]
fn a_server_that_stops_says_so() {
    let (target, juliet) = own("");
    let mut bound = Client::bound_at(&target, &juliet, "balcony");
    bound.ping();
    let mut negotiating = Client::connect_to(&target);
    negotiating.open();
    target.stop();
    bound.expect_stream_error("system-shutdown");
    negotiating.expect_stream_error("system-shutdown");
}

/// A server of this test alone, with two accounts.
fn own(settings: &str) -> (Target, User) {
    let target = ours(settings, 2);
    let juliet =
        User { name: "u000001".into(), password: "p1".into(), jid: format!("u000001@{}", target.domain) };
    (target, juliet)
}
