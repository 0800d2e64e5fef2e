//! RFC 6120 §4: streams, their ends and errors. The XML that they may be made of is in `xml`.

use super::client::{Client, tell};
use super::element::NS_STREAM;
use super::login::{bind, header, plain};
use super::target::{User, target, users};

/// A stream header with these attributes.
fn header_with(attributes: &str) -> String {
    format!("<stream:stream {attributes} xmlns='jabber:client' xmlns:stream='{NS_STREAM}'>")
}

#[test]
fn a_header_is_answered() {
    let domain = &target().domain;
    let mut client = Client::saying(&header(domain));
    let answer = client.expect_header();
    assert_eq!((answer.from(), answer.attr("version")), (&**domain, "1.0"));
    assert!(answer.has_attr("id"));
    client.expect_features();
}

#[test]
fn ids_are_fresh() {
    let mut ids: Vec<String> = Vec::new();
    for _ in 0..8 {
        let mut client = Client::saying(&header(&target().domain));
        ids.push(client.expect_header().id().to_owned());
    }
    assert!(ids.iter().all(|id| id.len() >= 8), "too short to be hard to guess: {ids:?}");
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 8);
}

#[test]
fn a_header_has_a_language() {
    let mut client = Client::saying(&header(&target().domain));
    let answer = client.expect_header();
    assert!(!answer.attr_in("lang", "http://www.w3.org/XML/1998/namespace").is_empty(), "{answer:?}");
}

#[test]
fn a_header_is_for_who_said_who_it_is() {
    let domain = &target().domain;
    let mut client = Client::saying(&header(domain));
    assert!(!client.expect_header().has_attr("to"));
    let juliet = User::new();
    let mut client =
        Client::saying(&header_with(&format!("to='{domain}' from='{}' version='1.0'", juliet.jid)));
    assert_eq!(client.expect_header().to(), juliet.jid);
}

#[test]
fn an_unknown_domain() {
    let mut client = Client::saying(&header("elsewhere.invalid"));
    client.expect_header();
    client.expect_stream_error("host-unknown");
}

#[test]
fn a_wrong_namespace() {
    let domain = &target().domain;
    let mut client = Client::saying(&format!(
        "<stream:stream to='{domain}' version='1.0' xmlns='jabber:client' xmlns:stream='urn:other'>"
    ));
    client.expect_header();
    client.expect_stream_error("invalid-namespace");
}

#[test]
fn a_wrong_prefix() {
    let domain = &target().domain;
    let mut client = Client::saying(&format!(
        "<flow:stream to='{domain}' version='1.0' xmlns='jabber:client' xmlns:flow='{NS_STREAM}'>"
    ));
    client.expect_header();
    let answer = client.next();
    if !answer.is_in("features", NS_STREAM) {
        client.check(answer.raw.contains("bad-namespace-prefix"), "the error bad-namespace-prefix");
        client.expect_end();
    }
}

#[test]
fn a_wrong_content_namespace() {
    let domain = &target().domain;
    let mut client = Client::saying(&format!(
        "<stream:stream to='{domain}' version='1.0' xmlns='urn:content' xmlns:stream='{NS_STREAM}'>"
    ));
    client.expect_header();
    client.expect_stream_error("invalid-namespace");
}

#[test]
fn a_higher_version() {
    let mut client = Client::saying(&header_with(&format!("to='{}' version='2.0'", target().domain)));
    assert_eq!(client.expect_header().attr("version"), "1.0");
    let answer = client.next();
    if !answer.is_in("features", NS_STREAM) {
        client
            .check(answer.raw.contains("unsupported-version"), "features, or the error unsupported-version");
    }
}

#[test]
fn a_higher_minor_version() {
    let mut client = Client::saying(&header_with(&format!("to='{}' version='1.10'", target().domain)));
    assert_eq!(client.expect_header().attr("version"), "1.0");
    client.expect_features();
}

#[test]
fn no_version() {
    let mut client = Client::saying(&header_with(&format!("to='{}'", target().domain)));
    let answer = client.expect_header();
    if answer.has_attr("version") {
        client.expect_stream_error("unsupported-version");
        return;
    }
    // What asks for the next answer gets an answer, and there were no features before.
    client.send("<presence/>");
    let next = client.next();
    client.check(next.is_in("error", NS_STREAM), "no features, and then an error");
}

#[test]
fn an_error_ends_the_stream() {
    let mut client = Client::opened();
    client.send("<unknown xmlns='urn:unknown'/><unknown xmlns='urn:unknown'/>");
    let error = client.next();
    client.check(error.is_in("error", NS_STREAM), "a stream error");
    client.expect_end();
    assert!(client.inbox().is_empty(), "one error, and nothing behind it");
}

#[test]
fn an_error_has_its_header_first() {
    let mut client = Client::saying("<?xml version='1.0'?><!DOCTYPE x><x>");
    client.expect_header();
    client.expect_stream_error_of(&["restricted-xml", "not-well-formed"]);
}

#[test]
fn an_error_arrives_in_spite_of_unread_input() {
    let [juliet] = users();
    let mut client = Client::online(&juliet, "balcony");
    let behind = "<message to='nobody@nowhere.invalid'><body>too late</body></message>".repeat(900);
    client.send(&format!("<unknown xmlns='urn:unknown'/>{behind}"));
    client.expect_stream_error("unsupported-stanza-type");
}

#[test]
fn a_closing_tag_is_answered_behind_the_rest() {
    let [juliet] = users();
    let mut client = Client::online(&juliet, "balcony");
    let domain = &target().domain;
    client.send(&format!(
        "<iq type='get' id='last' to='{domain}'><ping xmlns='urn:xmpp:ping'/></iq></stream:stream>"
    ));
    client.answer("last");
    client.expect_end();
}

/// Juliet sees Romeo, who has another resource that stays.
fn watched() -> (Client, Client) {
    let [romeo, juliet] = users();
    let mut watcher = Client::online(&juliet, "balcony");
    let mut watched = Client::online(&romeo, "orchard");
    watched.send(&format!("<presence to='{}'/>", watcher.jid));
    watcher.expect("presence", |e| e.is("presence") && e.from() == watched.jid);
    (watched, watcher)
}

#[test]
fn a_closed_stream_makes_unavailable() {
    let (watched, mut watcher) = watched();
    let jid = watched.jid.clone();
    watched.close();
    watcher.expect("unavailable", |e| e.is("presence") && e.kind() == "unavailable" && e.from() == jid);
}

#[test]
fn a_cut_connection_makes_unavailable() {
    let (watched, mut watcher) = watched();
    let jid = watched.jid.clone();
    watched.cut();
    watcher.expect("unavailable", |e| e.is("presence") && e.kind() == "unavailable" && e.from() == jid);
}

#[test]
fn white_space_is_a_keepalive() {
    let [juliet] = users();
    let mut client = Client::online(&juliet, "balcony");
    client.send(" \n\t\r\n ");
    client.ping();
    client.send("\n");
    client.ping();
}

#[test]
fn no_white_space_during_sasl() {
    let [juliet] = users();
    let (client, _) = Client::authenticated(&juliet);
    assert_eq!(client.blanks(), 0, "white space where negotiation is under way");
}

#[test]
fn a_restart_begins_a_new_stream() {
    let [juliet] = users();
    let domain = &target().domain;
    let mut client = Client::saying(&header(domain));
    let first = client.expect_header();
    client.expect_features();
    client.send(&plain("", &juliet.name, &juliet.password));
    client.expect_success();
    client.send(&header(domain));
    let second = client.expect_header();
    assert_ne!(first.id(), second.id());
    assert_eq!((second.from(), second.attr("version")), (&**domain, "1.0"));
    client.expect_features();
}

#[test]
fn the_new_stream_may_follow_at_once() {
    let [juliet] = users();
    let domain = &target().domain;
    let mut client = Client::opened();
    let login = plain("", &juliet.name, &juliet.password);
    client.send(&format!("{login}{}{}", header(domain), bind("b", Some("balcony"))));
    client.expect_success();
    client.expect_header();
    client.expect_features();
    let answer = client.answer("b");
    client.check(answer.kind() == "result", "bound");
}

#[test]
fn features_match_the_step() {
    let names = |features: &super::element::Element| {
        features.children.iter().map(|child| child.name.clone()).collect::<Vec<_>>()
    };
    let mut client = Client::connect();
    let before = client.open();
    assert!(names(&before).contains(&"mechanisms".to_owned()), "{}", before.raw);
    assert!(!names(&before).contains(&"bind".to_owned()), "{}", before.raw);
    let (_, after) = Client::authenticated(&User::new());
    assert!(!names(&after).contains(&"mechanisms".to_owned()), "{}", after.raw);
    assert!(names(&after).contains(&"bind".to_owned()), "{}", after.raw);
    let session = after.child("session", "urn:ietf:params:xml:ns:xmpp-session");
    assert!(session.is_none_or(|s| s.children.iter().any(|c| c.name == "optional")), "{}", after.raw);
}

#[test]
fn an_unknown_element() {
    super::xml::is_refused("<unknown xmlns='urn:unknown'/>", &["unsupported-stanza-type"]);
}

#[test]
fn a_stanza_before_sasl() {
    let mut client = Client::opened();
    client.send("<message to='nobody@nowhere.invalid'><body>b</body></message>");
    client.expect_stream_error("not-authorized");
}

#[test]
fn a_stanza_before_binding() {
    let [romeo, juliet] = users();
    let (mut client, _) = Client::authenticated(&romeo);
    client.send(&format!("<message to='{}'><body>b</body></message>", juliet.jid));
    client.expect_stream_error("not-authorized");
}

#[test]
fn a_request_before_binding() {
    let (mut client, _) = Client::authenticated(&User::new());
    let domain = &target().domain;
    let answer = client
        .ask("early", &format!("<iq type='get' id='early' to='{domain}'><ping xmlns='urn:xmpp:ping'/></iq>"));
    client.check(answer.kind() == "result", "the server answers before a resource is bound");
}

#[test]
fn order_is_kept() {
    let [romeo, juliet] = users();
    let mut sender = Client::online(&romeo, "orchard");
    let mut recipient = Client::online(&juliet, "balcony");
    let message = |n: u32| format!("<message id='n{n}' to='{}'><body>{n}</body></message>", recipient.jid);
    let all: String = (0..200).map(message).collect();
    sender.send(&all);
    for n in 0..200 {
        let copy = recipient.next();
        assert_eq!(copy.id(), format!("n{n}"));
    }
}

#[test]
fn a_later_stanza_sees_an_earlier_one() {
    let mut client = Client::bound(&User::new(), "balcony");
    let item = |n: u32| {
        format!(
            "<iq type='set' id='s{n}'><query xmlns='jabber:iq:roster'><item jid='c{n}@contacts.invalid'/></query></iq>\
             <iq type='get' id='g{n}'><query xmlns='jabber:iq:roster'/></iq>"
        )
    };
    client.send(&(1..=5).map(item).collect::<String>());
    for n in 1..=5 {
        client.answer(&format!("s{n}"));
        let roster = client.answer(&format!("g{n}"));
        assert_eq!(roster.child("query", "jabber:iq:roster").unwrap().children.len(), n, "{}", roster.raw);
    }
}

#[test]
fn ten_thousand_bytes() {
    let [romeo, juliet] = users();
    let mut sender = Client::online(&romeo, "orchard");
    let mut recipient = Client::online(&juliet, "balcony");
    let around = format!("<message id='big' to='{}'><body></body></message>", recipient.jid).len();
    let body = "x".repeat(10_000 - around);
    sender.send(&format!("<message id='big' to='{}'><body>{body}</body></message>", recipient.jid));
    let copy = recipient.expect("the message", |e| e.is_answer("message", "big"));
    assert_eq!(copy.child_text("body"), body);
}

#[test]
fn a_stanza_beyond_the_limit() {
    let mut client = Client::online(&User::new(), "balcony");
    // More than any server's limit that is a limit, and no end: it must be noticed while it arrives.
    client.send(&format!("<message to='nobody@nowhere.invalid'><body>{}", "x".repeat(2_000_000)));
    client.expect_stream_error("policy-violation");
}

#[test]
fn a_stanza_with_a_prefix() {
    let [romeo, juliet] = users();
    let mut sender = Client::online(&romeo, "orchard");
    let mut recipient = Client::online(&juliet, "balcony");
    sender.send(&format!(
        "<c:message xmlns:c='jabber:client' to='{}' id='odd'><c:body>b</c:body></c:message>",
        recipient.jid
    ));
    sender.send("<iq type='get' id='after'><ping xmlns='urn:xmpp:ping'/></iq>");
    let answer = sender.next();
    if answer.is_in("error", NS_STREAM) {
        sender.check(answer.raw.contains("bad-namespace-prefix"), "the error bad-namespace-prefix");
        return sender.expect_end();
    }
    tell(&mut sender, &mut recipient);
    for copy in recipient.drain().into_iter().filter(|e| e.id() == "odd") {
        recipient.check(!copy.raw.contains("c:message"), "it is corrected, or not routed");
    }
}

#[test]
fn a_namespace_of_the_header() {
    let [romeo, juliet] = users();
    let domain = &target().domain;
    let mut recipient = Client::online(&juliet, "balcony");
    let (mut sender, own) = (Client::connect(), " xmlns:rose='urn:rose'");
    let header = header(domain).replace(" xml:lang", &format!("{own} xml:lang"));
    sender.send(&header);
    sender.expect_header();
    let features = sender.next();
    if features.is_in("error", NS_STREAM) {
        sender.check(features.raw.contains("invalid-namespace"), "features, or the error invalid-namespace");
        return;
    }
    sender.send(&plain("", &romeo.name, &romeo.password));
    sender.expect_success();
    sender.send(&header);
    sender.expect_header();
    sender.expect_features();
    sender.bind(Some("orchard"));
    sender.send(&format!("<message to='{}' id='rose'><rose:petal rose:count='5'/></message>", recipient.jid));
    let copy = recipient.expect("the message", |e| e.is_answer("message", "rose"));
    let petal = copy.child("petal", "urn:rose").expect("the prefix is declared where it is used");
    assert_eq!(petal.attr_in("count", "urn:rose"), "5");
}

#[test]
fn bad_format() {
    let mut client = Client::online(&User::new(), "balcony");
    client.send(&header(&target().domain)["<?xml version='1.0'?>".len()..]);
    client.expect_stream_error_of(&[
        "bad-format",
        "not-well-formed",
        "invalid-xml",
        "unsupported-stanza-type",
    ]);
    let mut client = Client::online(&User::new(), "balcony");
    client.send("text between stanzas<presence/>");
    client.expect_stream_error_of(&["bad-format", "not-well-formed", "invalid-xml"]);
}

#[test]
fn limits_are_announced() {
    const NS: &str = "urn:xmpp:stream-limits:0";
    let (_, features) = Client::authenticated(&User::new());
    let limits = features.child("limits", NS).expect("limits");
    let number = |name: &str| limits.child(name, NS).map(|c| c.text.parse::<u64>().expect("a number"));
    assert!(number("max-bytes").is_some_and(|bytes| bytes >= 10_000), "{}", features.raw);
}

#[test]
fn a_restart_cannot_change_the_domain() {
    let juliet = User::new();
    let mut client = Client::opened();
    client.send(&plain("", &juliet.name, &juliet.password));
    client.expect_success();
    client.send(&header("elsewhere.invalid"));
    client.expect_header();
    client.expect_stream_error("host-unknown");
}
