//! What the server answers: XEP-0030, XEP-0092, XEP-0199, and what it does not.

use super::rig::{Rig, attr, is_error, summary};
use crate::router::Subscription;

fn ask(rig: &mut Rig, who: usize, to: &str, payload: &str) -> String {
    let to = if to.is_empty() { String::new() } else { format!(" to='{to}'") };
    rig.send(who, &format!("<iq type='get' id='q'{to}>{payload}</iq>"));
    let answer = rig.one(who);
    assert_eq!(attr(&answer, "id").as_deref(), Some("q"));
    answer
}

const PING: &str = "<ping xmlns='urn:xmpp:ping'/>";
const INFO: &str = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
const ITEMS: &str = "<query xmlns='http://jabber.org/protocol/disco#items'/>";
const VERSION: &str = "<query xmlns='jabber:iq:version'/>";

#[test]
fn the_server_answers_for_itself() {
    let mut rig = Rig::new();
    let romeo = rig.login("romeo@d/r");
    assert_eq!(ask(&mut rig, romeo, "d", PING), "<iq from='d' to='romeo@d/r' id='q' type='result'/>");
    assert!(ask(&mut rig, romeo, "d", VERSION).contains("<name>xmpp-bench</name><version>"));
    assert!(ask(&mut rig, romeo, "d", ITEMS).contains("disco#items'/>"));
    let info = ask(&mut rig, romeo, "d", INFO);
    assert!(info.contains("category='server' type='im'"));
    for feature in
        ["urn:xmpp:ping", "jabber:iq:version", "http://jabber.org/protocol/disco#info", "msgoffline"]
    {
        assert!(info.contains(&format!("<feature var='{feature}'/>")), "{info}");
    }
    assert!(!info.contains("jabber:iq:roster"), "rosters are the accounts': {info}");
}

#[test]
fn unknown_payloads_and_wrong_kinds() {
    let mut rig = Rig::new();
    let romeo = rig.login("romeo@d/r");
    for to in ["", "d", "romeo@d"] {
        let answer = ask(&mut rig, romeo, to, "<x xmlns='unknown'/>");
        assert!(is_error(&answer, "service-unavailable"), "{answer}");
    }
    rig.send(romeo, "<iq type='set' id='q' to='d'><ping xmlns='urn:xmpp:ping'/></iq>");
    assert!(is_error(&rig.one(romeo), "bad-request"));
    let node = "<query xmlns='http://jabber.org/protocol/disco#info' node='n'/>";
    assert!(is_error(&ask(&mut rig, romeo, "d", node), "item-not-found"));
    assert!(is_error(&ask(&mut rig, romeo, "d/x", PING), "service-unavailable"));
    assert!(is_error(&ask(&mut rig, romeo, "", VERSION), "service-unavailable"));
}

#[test]
fn accounts_are_answered_for_and_not_disclosed() {
    let mut rig = Rig::with_friends();
    let romeo = rig.login("romeo@d/r");
    let nurse = rig.login("nurse@d/n");
    let juliet = rig.login("juliet@d/b");
    rig.clear();
    assert_eq!(summary(&ask(&mut rig, romeo, "juliet@d", PING)), "juliet@d romeo@d/r result");
    assert!(ask(&mut rig, romeo, "juliet@d", INFO).contains("category='account'"));
    assert!(ask(&mut rig, romeo, "juliet@d", ITEMS).contains("<item jid='juliet@d/b'/>"));
    let of_node = "<query xmlns='http://jabber.org/protocol/disco#items' node='n'/>";
    for payload in [PING, INFO, VERSION, ITEMS, of_node] {
        let known = ask(&mut rig, nurse, "juliet@d", payload);
        let unknown = ask(&mut rig, nurse, "nobody@d", payload);
        assert_eq!(known.replace("juliet", "nobody"), unknown, "a stranger cannot tell the two apart");
        // XEP-0030 §8.
        match payload == ITEMS || payload == of_node {
            false => assert!(is_error(&known, "service-unavailable")),
            true => assert!(known.contains(" type='result'") && known.contains(payload), "{known}"),
        }
    }
    rig.send(nurse, &format!("<iq type='set' id='q' to='nobody@d'>{ITEMS}</iq>"));
    assert!(is_error(&rig.one(nurse), "service-unavailable"));
    assert!(is_error(&ask(&mut rig, nurse, "nobody@d/r", ITEMS), "service-unavailable"));
    rig.nothing(juliet);
}

#[test]
fn one_who_is_asked_for_only_one_way_is_not_shown() {
    let mut rig = Rig::new();
    // Romeo watches Juliet in his own roster alone: she does not show him anything.
    rig.set_state("romeo@d", "juliet@d", Subscription::To);
    let romeo = rig.login("romeo@d/r");
    assert!(is_error(&ask(&mut rig, romeo, "juliet@d", INFO), "service-unavailable"));
}

#[test]
fn what_belongs_before_the_session() {
    let mut rig = Rig::new();
    let romeo = rig.login("romeo@d/r");
    rig.send(romeo, "<iq type='set' id='s'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>");
    assert_eq!(summary(&rig.one(romeo)), "romeo@d romeo@d/r result");
    rig.send(romeo, "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
    assert!(is_error(&rig.one(romeo), "not-allowed"));
    assert_eq!(rig.world.session_count(), 1);
}

#[test]
fn ids_are_returned_as_they_were() {
    let mut rig = Rig::new();
    let romeo = rig.login("romeo@d/r");
    rig.send(romeo, "<iq type='get' id=\"it's &lt;\" to='d'><ping xmlns='urn:xmpp:ping'/></iq>");
    assert_eq!(attr(&rig.one(romeo), "id").as_deref(), Some("it's &lt;"));
}
