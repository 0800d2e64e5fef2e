//! XEP-0077 with an account: what is on file, another password, the end. Registration without one is in
//! `tests/administration`.

use super::rig::{Rig, attr, is_error, summaries};
use crate::router::Subscription;
use crate::stream::Account;

fn query(content: &str) -> String {
    format!("<iq type='set' id='q'><query xmlns='jabber:iq:register'>{content}</query></iq>")
}

/// Example 4 (§3.1), without an address, which nobody has been asked for.
#[test]
fn who_has_an_account_is_told_so() {
    let mut rig = Rig::new();
    let romeo = rig.login("romeo@d/r");
    for to in ["", " to='d'", " to='romeo@d'"] {
        rig.send(romeo, &format!("<iq type='get' id='reg1'{to}><query xmlns='jabber:iq:register'/></iq>"));
        let answer = rig.one(romeo);
        assert!(answer.contains("<registered/><username>romeo</username><password/>"), "{answer}");
    }
    rig.send(romeo, "<iq type='get' id='1' to='juliet@d'><query xmlns='jabber:iq:register'/></iq>");
    assert!(is_error(&rig.one(romeo), "forbidden"));
}

/// §3.3 and its table of errors.
#[test]
fn a_password_is_changed_by_its_owner_alone() {
    let mut rig = Rig::new();
    let romeo = rig.login("romeo@d/r");
    let credentials = |rig: &Rig| match rig.world.login_account("romeo@d") {
        Account::Known(credentials) => credentials,
        Account::Unknown | Account::Unavailable => panic!("romeo is there"),
    };
    let before = credentials(&rig);
    for (content, condition) in [
        ("<username>romeo</username>", "bad-request"),
        ("<username>romeo</username><password/>", "bad-request"),
        ("<username>romeo</username><password></password>", "bad-request"),
        ("<password>new</password>", "bad-request"),
        ("", "bad-request"),
        ("<username>romeo</username><username>romeo</username><password>new</password>", "bad-request"),
        ("<username>juliet</username><password>new</password>", "not-allowed"),
        ("<username>new</username><password>new</password>", "not-allowed"),
        ("<username>a b</username><password>new</password>", "jid-malformed"),
        // SASLprep refuses it (RFC 4013 §2.3).
        ("<username>romeo</username><password>\u{200e}</password>", "not-acceptable"),
    ] {
        rig.send(romeo, &query(content));
        let answer = rig.one(romeo);
        assert!(is_error(&answer, condition) && answer.contains(" code='4"), "{content}: {answer}");
        assert!(!answer.contains("new<"), "what was sent does not come back: {answer}");
    }
    assert_eq!(credentials(&rig), before);
    rig.send(romeo, &query("<username>ROMEO</username><password>new</password>"));
    assert_eq!(rig.one(romeo), "<iq from='romeo@d' to='romeo@d/r' id='q' type='result'/>");
    assert_ne!(credentials(&rig), before);
    assert_eq!(rig.told(romeo), None, "its stream stays");
}

#[test]
fn an_administrator_may_register_others() {
    let mut rig = Rig::new();
    let nurse = rig.login("nurse@d/n");
    rig.send(nurse, &query("<username>Tybalt</username><password>x</password>"));
    assert!(rig.one(nurse).contains("type='result'"));
    assert!(rig.world.shard.find("tybalt@d").is_some());
    rig.send(nurse, &query("<username>romeo</username><password>x</password>"));
    assert!(is_error(&rig.one(nurse), "conflict"));
}

/// §3.2: the result, then the end of every stream; contacts see it go, and nothing is left.
#[test]
fn an_account_that_is_removed_was_never_there() {
    let mut rig = Rig::with_friends();
    let (romeo, other) = (rig.login("romeo@d/r"), rig.login("romeo@d/o"));
    let juliet = rig.login_interested("juliet@d/j");
    rig.send(romeo, "<presence type='subscribe' to='nurse@d'/>");
    rig.clear();
    rig.send(romeo, &query("<remove/>"));
    let received = rig.received(romeo);
    assert_eq!(attr(received.last().unwrap(), "type").as_deref(), Some("result"), "{received:?}");
    assert_eq!(attr(received.last().unwrap(), "from").as_deref(), Some("romeo@d"));
    assert_eq!(rig.told(romeo), Some(crate::server::ClientTask::Removed));
    assert_eq!(rig.told(other), Some(crate::server::ClientTask::Removed));
    let received = rig.received(juliet);
    let presences: Vec<_> = received.iter().filter(|s| s.starts_with("<presence")).cloned().collect();
    assert_eq!(
        summaries(&presences),
        [
            "romeo@d/r juliet@d unavailable",
            "romeo@d/o juliet@d unavailable",
            "romeo@d juliet@d unsubscribe",
            "romeo@d juliet@d unsubscribed"
        ]
    );
    assert_eq!(rig.state("juliet@d", "romeo@d"), Subscription::None);
    assert_eq!(rig.state("nurse@d", "romeo@d"), Subscription::None, "no request is left");
    assert_eq!(rig.world.session_count(), 1);
    for (name, ns) in [("query", "http://jabber.org/protocol/disco#info"), ("vCard", "vcard-temp")] {
        rig.send(juliet, &format!("<iq type='get' id='1' to='romeo@d'><{name} xmlns='{ns}'/></iq>"));
        assert!(is_error(&rig.one(juliet), "service-unavailable"));
    }
    // Whoever takes the name next has nothing of it.
    rig.add_account("romeo", &[]);
    let romeo = rig.login_interested("romeo@d/r");
    rig.send(romeo, "<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>");
    assert!(!rig.one(romeo).contains("<item"));
    rig.send(juliet, "<presence/>");
    rig.nothing(romeo);
}

#[test]
fn messages_that_wait_go_with_their_account() {
    let mut rig = Rig::new();
    let (nurse, romeo) = (rig.login("nurse@d/n"), rig.connect("romeo@d/r"));
    rig.send(nurse, "<message to='romeo@d' id='1'/>");
    assert!(rig.world.offline_bytes > 0);
    rig.writes_nothing = true;
    rig.send(romeo, "<presence/>");
    rig.clear();
    rig.send(romeo, &query("<remove/>"));
    rig.close(romeo);
    assert_eq!(rig.world.offline_bytes, 0);
    assert!(rig.world.shard.find("romeo@d").is_none());
}

/// §3.2's table.
#[test]
fn removals_that_are_refused() {
    let mut rig = Rig::new();
    let romeo = rig.login("romeo@d/r");
    rig.send(romeo, &query("<remove/><username>romeo</username>"));
    assert!(is_error(&rig.one(romeo), "bad-request"));
    rig.send(romeo, &query("<remove/>").replace("<iq", "<iq to='juliet@d'"));
    assert!(is_error(&rig.one(romeo), "forbidden"));
    let anonymous = crate::stanza::Jid::parse("temp@d").unwrap();
    rig.world.add_temporary(&anonymous).unwrap();
    let temporary = rig.login("temp@d/r");
    rig.send(temporary, &query("<remove/>"));
    assert!(is_error(&rig.one(temporary), "registration-required"));
    rig.send(temporary, "<iq type='get' id='1' to='d'><query xmlns='jabber:iq:register'/></iq>");
    assert!(!rig.one(temporary).contains("<registered/>"));
    assert!(rig.world.shard.find("romeo@d").is_some() && rig.world.shard.find("juliet@d").is_some());
}

/// Whoever sees the result knows that it is safe.
#[test]
fn the_result_waits_for_the_store() {
    let mut rig = Rig::new();
    let store = rig.with_store();
    rig.add_account("mercutio", &[]);
    let (mercutio, nurse) = (rig.login("mercutio@d/r"), rig.login("nurse@d/n"));
    while rig.finish_save() {}
    let is_stored = || store.accounts().iter().any(|record| record.account.as_str() == "mercutio@d");
    assert!(is_stored());
    rig.send(nurse, &query("<username>tybalt</username><password>x</password>"));
    rig.nothing(nurse);
    assert!(rig.finish_save());
    assert!(rig.one(nurse).contains("type='result'"));
    rig.send(mercutio, &query("<remove/>"));
    rig.nothing(mercutio);
    assert_eq!(rig.told(mercutio), None);
    while rig.finish_save() {}
    assert!(!is_stored());
    assert!(rig.one(mercutio).contains("type='result'"));
    assert_eq!(rig.told(mercutio), Some(crate::server::ClientTask::Removed));
}
