//! XEP-0191: the list, its pushes, and what is stopped in each direction.

use super::rig::{Rig, Who, attr, is_error, summaries, summary};
use crate::limits::BLOCKED_MAX;
use crate::router::mailbox::Weigh;
use crate::router::{Blocklist, Dropped, Subscription};
use crate::stanza::Jid;

const LIST: &str = "<blocklist xmlns='urn:xmpp:blocking'/>";

fn ask(rig: &mut Rig, who: Who, open: &str, payload: &str) -> String {
    rig.send(who, &format!("<iq id='b' {open}>{payload}</iq>"));
    let mut received = rig.received(who);
    let place = received.iter().position(|stanza| attr(stanza, "id").as_deref() == Some("b"));
    received.remove(place.expect("an answer"))
}

fn change(rig: &mut Rig, who: Who, name: &str, items: &[&str]) -> String {
    let items: String = items.iter().map(|jid| format!("<item jid='{jid}'/>")).collect();
    ask(rig, who, "type='set'", &format!("<{name} xmlns='urn:xmpp:blocking'>{items}</{name}>"))
}

fn block(rig: &mut Rig, who: Who, items: &[&str]) {
    let answer = change(rig, who, "block", items);
    assert_eq!(attr(&answer, "type").as_deref(), Some("result"), "{answer}");
}

fn unblock(rig: &mut Rig, who: Who, items: &[&str]) {
    let answer = change(rig, who, "unblock", items);
    assert_eq!(attr(&answer, "type").as_deref(), Some("result"), "{answer}");
}

/// Juliet and Romeo, friends, both there.
fn pair() -> (Rig, Who, Who) {
    let mut rig = Rig::with_friends();
    let (juliet, romeo) = (rig.login("juliet@d/chamber"), rig.login("romeo@d/orchard"));
    rig.clear();
    (rig, juliet, romeo)
}

/// Examples 3 to 5.
#[test]
fn the_list() {
    let (mut rig, juliet, _) = pair();
    let empty = "<iq from='juliet@d' to='juliet@d/chamber' id='b' type='result'><blocklist xmlns='urn:xmpp:blocking'/></iq>";
    assert_eq!(ask(&mut rig, juliet, "type='get'", LIST), empty);
    block(&mut rig, juliet, &["Romeo@montague.net", "iago@shakespeare.lit", "romeo@MONTAGUE.net"]);
    let list = ask(&mut rig, juliet, "type='get'", LIST);
    let items = "<item jid='iago@shakespeare.lit'/><item jid='romeo@montague.net'/></blocklist></iq>";
    assert!(list.ends_with(items), "prepared, and once each: {list}");
    unblock(&mut rig, juliet, &["iago@SHAKESPEARE.lit", "not@there"]);
    assert!(
        ask(&mut rig, juliet, "type='get'", LIST)
            .ends_with("'><item jid='romeo@montague.net'/></blocklist></iq>")
    );
    unblock(&mut rig, juliet, &[]);
    assert_eq!(ask(&mut rig, juliet, "type='get'", LIST), empty);
}

/// §3.3 to §3.5, examples 8, 12 and 16.
#[test]
fn who_has_asked_is_told_of_changes() {
    let (mut rig, juliet, _) = pair();
    let (balcony, other) = (rig.connect("juliet@d/balcony"), rig.connect("juliet@d/garden"));
    for who in [juliet, balcony] {
        ask(&mut rig, who, "type='get'", LIST);
    }
    rig.clear();
    for (name, items) in
        [("block", "<item jid='a@b'/><item jid='c@d/e'/>"), ("unblock", "<item jid='a@b'/>"), ("unblock", "")]
    {
        rig.send(
            juliet,
            &format!("<iq type='set' id='1'><{name} xmlns='urn:xmpp:blocking'>{items}</{name}></iq>"),
        );
        let push = rig.one(balcony);
        let content = if items.is_empty() {
            format!("><{name} xmlns='urn:xmpp:blocking'/></iq>")
        } else {
            format!("><{name} xmlns='urn:xmpp:blocking'>{items}</{name}></iq>")
        };
        assert!(push.ends_with(&content), "{push}");
        assert_eq!(attr(&push, "type").as_deref(), Some("set"));
        let received = rig.received(juliet);
        assert!(received.len() == 2 && received.contains(&push), "{received:?}");
        rig.nothing(other);
        rig.send(balcony, &format!("<iq type='result' id='{}'/>", attr(&push, "id").unwrap()));
        rig.nothing(balcony);
    }
}

#[test]
fn wrong_requests() {
    let (mut rig, juliet, romeo) = pair();
    for (open, payload, condition) in [
        ("type='set'", LIST, "bad-request"),
        ("type='get'", "<block xmlns='urn:xmpp:blocking'><item jid='a@b'/></block>", "bad-request"),
        ("type='get'", "<unblock xmlns='urn:xmpp:blocking'/>", "bad-request"),
        ("type='set'", "<block xmlns='urn:xmpp:blocking'/>", "bad-request"),
        ("type='set'", "<block xmlns='urn:xmpp:blocking'><item/></block>", "bad-request"),
        ("type='set'", "<block xmlns='urn:xmpp:blocking'><x jid='a@b'/></block>", "bad-request"),
        ("type='set'", "<unblock xmlns='urn:xmpp:blocking'><item/></unblock>", "bad-request"),
        (
            "type='set'",
            "<block xmlns='urn:xmpp:blocking'><item jid='a@b'/><item jid='@'/></block>",
            "jid-malformed",
        ),
        ("type='get' to='romeo@d'", LIST, "forbidden"),
        ("type='set' to='romeo@d'", "<unblock xmlns='urn:xmpp:blocking'/>", "forbidden"),
        ("type='get' to='nobody@d'", LIST, "service-unavailable"),
        ("type='get' to='d'", LIST, "service-unavailable"),
    ] {
        let answer = ask(&mut rig, juliet, open, payload);
        assert!(is_error(&answer, condition), "{open} {payload}: {answer}");
    }
    assert!(ask(&mut rig, juliet, "type='get'", LIST).contains("<blocklist xmlns='urn:xmpp:blocking'/>"));
    rig.nothing(romeo);
    let many: Vec<String> = (0..BLOCKED_MAX).map(|n| format!("u{n}@x")).collect();
    block(&mut rig, juliet, &many.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(is_error(&change(&mut rig, juliet, "block", &["one@more"]), "resource-constraint"));
    block(&mut rig, juliet, &["u1@x"]);
    for to in ["to='d'", ""] {
        let info = ask(
            &mut rig,
            juliet,
            &format!("type='get' {to}"),
            "<query xmlns='http://jabber.org/protocol/disco#info'/>",
        );
        assert_eq!(info.matches("<feature var='urn:xmpp:blocking'/>").count(), 1, "§3.1: {info}");
    }
}

#[test]
fn what_comes_from_the_blocked() {
    let (mut rig, juliet, romeo) = pair();
    block(&mut rig, juliet, &["romeo@d"]);
    assert_eq!(summary(&rig.one(romeo)), "juliet@d/chamber romeo@d unavailable");
    for to in ["juliet@d", "juliet@d/chamber"] {
        for stanza in [
            format!("<message to='{to}' type='chat'><body>hi</body></message>"),
            format!("<message to='{to}' type='headline'/>"),
            format!("<iq to='{to}' type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>"),
            format!("<iq to='{to}' type='set' id='1'><x xmlns='u'/></iq>"),
        ] {
            rig.send(romeo, &stanza);
            assert!(is_error(&rig.one(romeo), "service-unavailable"), "{stanza}");
        }
        for stanza in [
            format!("<message to='{to}' type='error'/>"),
            format!("<iq to='{to}' type='result' id='1'/>"),
            format!("<iq to='{to}' type='error' id='1'/>"),
            format!("<presence to='{to}'/>"),
            format!("<presence to='{to}' type='unavailable'/>"),
            format!("<presence to='{to}' type='probe'/>"),
            format!("<presence to='{to}' type='subscribe'/>"),
            format!("<presence to='{to}' type='unsubscribe'/>"),
        ] {
            rig.send(romeo, &stanza);
            rig.received(romeo).iter().for_each(|s| assert!(s.contains("jabber:iq:roster"), "{stanza}: {s}"));
        }
    }
    rig.send(romeo, "<presence><show>away</show></presence>");
    rig.nothing(juliet);
    assert!(rig.world.counters().dropped(Dropped::Blocked) > 0);
    assert_eq!(rig.state("juliet@d", "romeo@d"), Subscription::Both, "§4: polite");
}

/// §3.3 and example 9.
#[test]
fn what_goes_to_the_blocked() {
    let (mut rig, juliet, romeo) = pair();
    block(&mut rig, juliet, &["romeo@d"]);
    rig.clear();
    rig.send(juliet, "<message to='romeo@d' id='m'><body>Can you hear me now?</body></message>");
    assert_eq!(
        rig.one(juliet),
        "<message from='romeo@d' to='juliet@d/chamber' id='m' type='error'><error type='cancel'>\
         <not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>\
         <blocked xmlns='urn:xmpp:blocking:errors'/></error></message>"
    );
    for stanza in [
        "<iq to='romeo@d/orchard' type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>",
        "<presence to='romeo@d/orchard'/>",
        "<presence to='romeo@d' type='subscribe'/>",
        "<presence to='romeo@d' type='unsubscribed'/>",
    ] {
        rig.send(juliet, stanza);
        let answer = rig.one(juliet);
        assert!(
            is_error(&answer, "not-acceptable") && answer.contains("<blocked xmlns="),
            "{stanza}: {answer}"
        );
    }
    for stanza in [
        "<iq to='romeo@d/orchard' type='result' id='1'/>",
        "<message to='romeo@d' type='error'/>",
        "<presence to='romeo@d' type='probe'/>",
    ] {
        rig.send(juliet, stanza);
        rig.nothing(juliet);
    }
    rig.nothing(romeo);
    assert_eq!(rig.state("juliet@d", "romeo@d"), Subscription::Both);
}

#[test]
fn presence_while_blocked_and_when_unblocked() {
    let (mut rig, juliet, romeo) = pair();
    block(&mut rig, juliet, &["romeo@d"]);
    rig.clear();
    rig.send(juliet, "<presence><show>dnd</show></presence>");
    assert_eq!(summaries(&rig.received(juliet)), ["juliet@d/chamber juliet@d -"], "herself");
    rig.nothing(romeo);
    rig.close(juliet);
    rig.nothing(romeo);
    // Neither sees the other at login.
    let juliet = rig.connect("juliet@d/chamber");
    rig.send(juliet, "<presence/>");
    assert_eq!(summaries(&rig.received(juliet)), ["juliet@d/chamber juliet@d -"]);
    rig.nothing(romeo);
    rig.close(romeo);
    let romeo = rig.connect("romeo@d/orchard");
    rig.send(romeo, "<presence/>");
    assert_eq!(summaries(&rig.received(romeo)), ["romeo@d/orchard romeo@d -"], "nor that he may not know");
    rig.nothing(juliet);
    assert_eq!(rig.state("romeo@d", "juliet@d"), Subscription::Both);
    // §3.4.
    unblock(&mut rig, juliet, &["romeo@d"]);
    assert_eq!(summaries(&rig.received(romeo)), ["juliet@d/chamber romeo@d -"]);
    rig.send(romeo, "<message to='juliet@d'><body>hi</body></message>");
    assert!(rig.one(juliet).contains("<body>hi</body>"));
    unblock(&mut rig, juliet, &["romeo@d"]);
    rig.nothing(romeo);
}

#[test]
fn one_who_is_blocked_twice_is_told_once() {
    let (mut rig, juliet, romeo) = pair();
    block(&mut rig, juliet, &["romeo@d"]);
    block(&mut rig, juliet, &["romeo@d", "romeo@d/orchard"]);
    assert_eq!(rig.received(romeo).len(), 1);
    unblock(&mut rig, juliet, &["romeo@d/orchard"]);
    rig.nothing(romeo);
    unblock(&mut rig, juliet, &[]);
    assert_eq!(summaries(&rig.received(romeo)), ["juliet@d/chamber romeo@d -"]);
}

#[test]
fn only_those_who_may_know_hear_of_it() {
    let mut rig = Rig::new();
    rig.set_state("juliet@d", "romeo@d", Subscription::To);
    rig.set_state("romeo@d", "juliet@d", Subscription::From);
    let (juliet, romeo, nurse) = (rig.login("juliet@d/c"), rig.login("romeo@d/o"), rig.login("nurse@d/n"));
    rig.clear();
    block(&mut rig, juliet, &["romeo@d", "nurse@d", "nurse@d/n"]);
    rig.nothing(romeo);
    rig.nothing(nurse);
    unblock(&mut rig, juliet, &[]);
    rig.nothing(romeo);
    rig.nothing(nurse);
}

#[test]
fn a_single_resource() {
    let (mut rig, juliet, orchard) = pair();
    let garden = rig.login("romeo@d/garden");
    rig.clear();
    block(&mut rig, juliet, &["romeo@d/orchard"]);
    assert_eq!(summary(&rig.one(orchard)), "juliet@d/chamber romeo@d/orchard unavailable");
    rig.nothing(garden);
    rig.send(orchard, "<message to='juliet@d'/>");
    assert!(is_error(&rig.one(orchard), "service-unavailable"));
    rig.send(garden, "<message to='juliet@d'/>");
    assert_eq!(summary(&rig.one(juliet)), "romeo@d/garden juliet@d -");
    rig.send(juliet, "<message to='romeo@d/garden'/>");
    rig.one(garden);
    rig.send(juliet, "<message to='romeo@d/orchard'/>");
    assert!(is_error(&rig.one(juliet), "not-acceptable"));
    unblock(&mut rig, juliet, &["romeo@d/orchard"]);
    assert_eq!(summary(&rig.one(orchard)), "juliet@d/chamber romeo@d/orchard -");
    rig.nothing(garden);
}

#[test]
fn directed_presence_ends() {
    let mut rig = Rig::with_friends();
    let (juliet, nurse) = (rig.login("juliet@d/c"), rig.login("nurse@d/n"));
    let romeo = rig.login("romeo@d/o");
    for to in ["nurse@d/n", "romeo@d/o"] {
        rig.send(juliet, &format!("<presence to='{to}'/>"));
    }
    rig.clear();
    block(&mut rig, juliet, &["nurse@d", "romeo@d/o"]);
    assert_eq!(summary(&rig.one(nurse)), "juliet@d/c nurse@d/n unavailable");
    assert_eq!(summary(&rig.one(romeo)), "juliet@d/c romeo@d/o unavailable");
    unblock(&mut rig, juliet, &["nurse@d"]);
    rig.nothing(nurse);
    rig.send(juliet, "<presence type='unavailable'/>");
    rig.nothing(nurse);
}

/// §5: one's own resources; and the server answers whatever is blocked.
#[test]
fn oneself_and_the_server_cannot_be_blocked() {
    let (mut rig, juliet, romeo) = pair();
    let balcony = rig.login("juliet@d/balcony");
    rig.clear();
    block(&mut rig, juliet, &["d", "juliet@d", "juliet@d/balcony"]);
    let gone = ["juliet@d/chamber romeo@d unavailable", "juliet@d/balcony romeo@d unavailable"];
    assert_eq!(summaries(&rig.received(romeo)), gone, "his domain is blocked");
    rig.clear();
    rig.send(juliet, "<message to='juliet@d/balcony'/>");
    rig.one(balcony);
    rig.send(balcony, "<presence><show>xa</show></presence>");
    assert_eq!(summary(&rig.one(juliet)), "juliet@d/balcony juliet@d -");
    rig.clear();
    let ping = ask(&mut rig, juliet, "type='get' to='d'", "<ping xmlns='urn:xmpp:ping'/>");
    assert_eq!(summary(&ping), "d juliet@d/chamber result");
    rig.send(romeo, "<message to='juliet@d'/>");
    assert!(is_error(&rig.one(romeo), "service-unavailable"));
    rig.nothing(juliet);
}

#[test]
fn a_request_that_waits_is_not_shown_while_its_sender_is_blocked() {
    let mut rig = Rig::new();
    let (juliet, nurse) = (rig.login("juliet@d/c"), rig.login("nurse@d/n"));
    rig.send(nurse, "<presence to='juliet@d' type='subscribe'/>");
    block(&mut rig, juliet, &["nurse@d"]);
    rig.close(juliet);
    let juliet = rig.connect("juliet@d/c");
    rig.clear();
    rig.send(juliet, "<presence/>");
    assert_eq!(summaries(&rig.received(juliet)), ["juliet@d/c juliet@d -"]);
    unblock(&mut rig, juliet, &[]);
    rig.close(juliet);
    let juliet = rig.connect("juliet@d/c");
    rig.send(juliet, "<presence/>");
    let received = summaries(&rig.received(juliet));
    assert!(received.contains(&"nurse@d juliet@d subscribe".to_owned()), "{received:?}");
}

/// What one request leaves for others grows with who is unblocked and with what is shown, not with their product.
#[test]
fn presence_for_many_who_are_unblocked_is_shared() {
    let (mut rig, _, orchard) = pair();
    let status = "x".repeat(10_000);
    for n in 0..4 {
        rig.login_with(&format!("juliet@d/{n}"), &format!("<presence><status>{status}</status></presence>"));
    }
    rig.clear();
    let mut list = Blocklist::default();
    for n in 0..BLOCKED_MAX - 1 {
        list.add(Jid::parse(&format!("romeo@d/{n}")).unwrap());
    }
    list.add(Jid::parse("romeo@d/orchard").unwrap());
    rig.call(|world, out| {
        let juliet = world.shard.find("juliet@d").unwrap();
        world.show_presence_to_unblocked(juliet, &list, &Blocklist::default());
        let bytes: usize = world.parcels.iter().map(Weigh::weight_bytes).sum();
        assert!(bytes < 500_000, "{bytes}");
        world.settle(out);
    });
    let received = rig.received(orchard);
    assert_eq!(received.len(), 5);
    assert!(received.iter().all(|s| attr(s, "to").as_deref() == Some("romeo@d/orchard")), "{received:?}");
}
