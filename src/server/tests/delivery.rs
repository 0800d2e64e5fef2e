//! RFC 6121 §8.5 as clients see it: table 1 cell by cell, then presence and IQ.

use super::rig::{Rig, attr, is_error};

/// What the account `juliet` looks like.
#[derive(Debug, Clone, Copy)]
enum Condition {
    NoAccount,
    NoResource,
    Connected,
    Negative,
    One,
    Two,
}

/// Letters of table 1, with this server's choices: `E` error, `S` silence, `D` delivered to the match, `M` to the most
/// available, `A` to all non-negative, `O` kept for who comes later.
const TYPES: [&str; 6] = ["", "normal", "chat", "groupchat", "headline", "error"];
const TABLE: [(Condition, &str, &str); 15] = [
    (Condition::NoAccount, "bare", "E E E E S S"),
    (Condition::NoAccount, "full", "E E E E E S"),
    (Condition::NoResource, "bare", "O O O E S S"),
    (Condition::NoResource, "full", "E E O E E S"),
    (Condition::Connected, "bare", "O O O E S S"),
    (Condition::Connected, "match", "D D D D D D"),
    (Condition::Negative, "bare", "O O O E S S"),
    (Condition::Negative, "match", "D D D D D D"),
    (Condition::Negative, "full", "E E O E E S"),
    (Condition::One, "bare", "M M M E A S"),
    (Condition::One, "match", "D D D D D D"),
    (Condition::One, "full", "E E M E E S"),
    (Condition::Two, "bare", "M M M E A S"),
    (Condition::Two, "match", "D D D D D D"),
    (Condition::Two, "full", "E E M E E S"),
];

#[test]
fn table_1_cell_by_cell() {
    for (condition, address, row) in TABLE {
        for (stanza_type, expected) in TYPES.into_iter().zip(row.split(' ')) {
            let got = cell(condition, address, stanza_type);
            assert_eq!(got, expected, "{condition:?}, {address}, type {stanza_type:?}");
        }
    }
}

/// Resources of Juliet: `match` is what a full address matches, `top` and `low` are non-negative, `neg` is negative.
fn cell(condition: Condition, address: &str, stanza_type: &str) -> &'static str {
    let mut rig = Rig::new();
    let romeo = rig.login("romeo@d/orchard");
    let low = "<presence><priority>1</priority></presence>";
    let top = "<presence><priority>5</priority></presence>";
    let neg = "<presence><priority>-1</priority></presence>";
    let resources: Vec<(&str, usize)> = match condition {
        Condition::NoAccount | Condition::NoResource => vec![],
        Condition::Connected => vec![("match", rig.connect("juliet@d/match"))],
        Condition::Negative => vec![("match", rig.login_with("juliet@d/match", neg))],
        Condition::One => vec![("top", rig.login_with("juliet@d/match", top))],
        Condition::Two => vec![
            ("match", rig.login_with("juliet@d/match", low)),
            ("top", rig.login_with("juliet@d/top", top)),
            ("neg", rig.login_with("juliet@d/neg", neg)),
        ],
    };
    rig.clear();
    let name = if matches!(condition, Condition::NoAccount) { "nobody" } else { "juliet" };
    let to = match address {
        "bare" => format!("{name}@d"),
        "match" => format!("{name}@d/match"),
        _ => format!("{name}@d/elsewhere"),
    };
    let stanza_type = if stanza_type.is_empty() { String::new() } else { format!(" type='{stanza_type}'") };
    rig.send(romeo, &format!("<message to='{to}'{stanza_type}><body>x</body></message>"));
    let mut got = Vec::new();
    for (role, who) in resources {
        for copy in rig.received(who) {
            assert_eq!(attr(&copy, "to").as_deref(), Some(&*to), "`to` is never rewritten");
            assert_eq!(attr(&copy, "from").as_deref(), Some("romeo@d/orchard"));
            got.push(role);
        }
    }
    let back = rig.received(romeo);
    let waits = matches!(condition, Condition::NoResource | Condition::Connected | Condition::Negative);
    if waits && got.is_empty() && back.is_empty() {
        let later = rig.connect("juliet@d/later");
        rig.send(later, "<presence/>");
        let messages = rig.received(later).into_iter().filter(|s| s.starts_with("<message"));
        let messages: Vec<_> = messages.collect();
        assert!(messages.iter().all(|message| message.contains("<delay xmlns='urn:xmpp:delay' from='d'")));
        return if messages.is_empty() { "S" } else { "O" };
    }
    match (&*got, back.as_slice()) {
        ([], []) => "S",
        ([], [error]) if is_error(error, "service-unavailable") => "E",
        (["match"], []) if address == "match" => "D",
        (["top"], []) if address == "match" => "D",
        (["top"], []) if stanza_type.contains("headline") => "A",
        (["match", "top"], []) => "A",
        (["top"], []) => "M",
        _ => panic!("{got:?} {back:?}"),
    }
}

#[test]
fn of_equal_priorities_the_newest_presence_is_most_available() {
    let mut rig = Rig::new();
    let romeo = rig.login("romeo@d/r");
    let (a, b) = (rig.login("juliet@d/a"), rig.login("juliet@d/b"));
    rig.send(romeo, "<message to='juliet@d'/>");
    rig.nothing(a);
    rig.one(b);
    rig.send(a, "<presence><show>chat</show></presence>");
    rig.clear();
    rig.send(romeo, "<message to='juliet@d'/>");
    rig.one(a);
    rig.nothing(b);
}

#[test]
fn a_message_without_to_is_for_the_own_account() {
    let mut rig = Rig::new();
    let a = rig.login("romeo@d/a");
    rig.send(a, "<message id='1'><body>note</body></message>");
    assert_eq!(rig.one(a), "<message from='romeo@d/a' to='romeo@d' id='1'><body>note</body></message>");
}

#[test]
fn other_domains_and_bad_addresses() {
    let mut rig = Rig::new();
    let a = rig.login("romeo@d/a");
    rig.send(a, "<message to='x@elsewhere'/>");
    assert!(is_error(&rig.one(a), "remote-server-not-found"));
    rig.send(a, "<message to='a@@b'/>");
    let error = rig.one(a);
    assert!(is_error(&error, "jid-malformed"), "{error}");
    rig.send(a, "<message to='d'/>");
    assert!(is_error(&rig.one(a), "service-unavailable"));
    for silent in [
        "<message to='x@elsewhere' type='error'/>",
        "<iq to='x@elsewhere' type='result' id='1'/>",
        "<presence to='x@elsewhere' type='probe'/>",
        "<presence to='d'/>",
    ] {
        rig.send(a, silent);
        rig.nothing(a);
    }
}

#[test]
fn addresses_are_prepared_before_they_are_looked_up() {
    let mut rig = Rig::new();
    let romeo = rig.login("romeo@d/r");
    let juliet = rig.login("juliet@d/b");
    rig.send(romeo, "<message to='Juliet@D/b'/>");
    assert_eq!(attr(&rig.one(juliet), "to").as_deref(), Some("Juliet@D/b"), "and not rewritten");
}

#[test]
fn iq_to_a_resource_needs_shared_presence() {
    for (friends, directed) in [(false, false), (true, false), (false, true)] {
        let mut rig = if friends { Rig::with_friends() } else { Rig::new() };
        let romeo = rig.login("romeo@d/r");
        let juliet = rig.login("juliet@d/b");
        if directed {
            rig.send(juliet, "<presence to='romeo@d/r'/>");
        }
        rig.clear();
        rig.send(romeo, "<iq type='get' id='1' to='juliet@d/b'><ping xmlns='urn:xmpp:ping'/></iq>");
        if friends || directed {
            assert!(rig.one(juliet).contains("urn:xmpp:ping"));
            rig.nothing(romeo);
        } else {
            assert!(is_error(&rig.one(romeo), "service-unavailable"));
            rig.nothing(juliet);
        }
        // Answers always arrive.
        rig.send(romeo, "<iq type='result' id='2' to='juliet@d/b'/>");
        assert_eq!(attr(&rig.one(juliet), "id").as_deref(), Some("2"));
    }
}

#[test]
fn an_own_resource_may_be_asked() {
    let mut rig = Rig::new();
    let (a, b) = (rig.login("romeo@d/a"), rig.connect("romeo@d/b"));
    rig.send(a, "<iq type='get' id='1' to='romeo@d/b'><ping xmlns='urn:xmpp:ping'/></iq>");
    rig.one(b);
}

#[test]
fn iq_that_matches_nobody() {
    let mut rig = Rig::with_friends();
    let romeo = rig.login("romeo@d/r");
    for to in ["juliet@d/none", "nobody@d/x", "nobody@d", "juliet@d"] {
        rig.send(romeo, &format!("<iq type='get' id='1' to='{to}'><x xmlns='u'/></iq>"));
        assert!(is_error(&rig.one(romeo), "service-unavailable"), "{to}");
        rig.send(romeo, &format!("<iq type='result' id='1' to='{to}'/>"));
        rig.nothing(romeo);
    }
}

#[test]
fn what_came_back_is_routed_again() {
    let mut rig = Rig::with_friends();
    let romeo = rig.login("romeo@d/r");
    let (a, b) = (rig.login("juliet@d/a"), rig.login("juliet@d/b"));
    rig.break_off(a);
    rig.close(a);
    rig.clear();
    rig.undeliverable("<message from='romeo@d/r' to='juliet@d/a' type='chat' id='1'/>");
    assert_eq!(attr(&rig.one(b), "to").as_deref(), Some("juliet@d/a"));
    rig.undeliverable("<message from='romeo@d/r' to='juliet@d/a' id='2'/>");
    assert!(is_error(&rig.one(romeo), "service-unavailable"));
    rig.undeliverable("<iq type='get' from='romeo@d/r' to='juliet@d/a' id='3'><x xmlns='u'/></iq>");
    assert!(is_error(&rig.one(romeo), "service-unavailable"));
    for lost in [
        "<presence from='romeo@d/r' to='juliet@d/a'/>",
        "<message type='headline' from='romeo@d/r' to='juliet@d'/>",
        "<iq type='set' id='push-1'/>",
    ] {
        rig.undeliverable(lost);
        rig.nothing(romeo);
        rig.nothing(b);
    }
    assert_eq!(rig.world.counters().dropped(crate::router::Dropped::Undeliverable), 3);
}
