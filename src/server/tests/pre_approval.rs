//! RFC 6121 §3.4: a request that is approved before it is made.

use super::rig::{Rig, attr};
use crate::router::Subscription;

/// Pushed items of an interested resource, as (contact, state, approved).
fn items(stanzas: &[String]) -> Vec<String> {
    let value = |item: &str, name: &str| {
        item.split(&format!(" {name}='")).nth(1).map_or("-", |v| v.split('\'').next().unwrap()).to_owned()
    };
    let pushed = stanzas.iter().filter(|s| s.starts_with("<iq type='set'"));
    let word = |stanza: &String| {
        let item = stanza.split("<item").nth(1).unwrap();
        format!("{} {} {}", value(item, "jid"), value(item, "subscription"), value(item, "approved"))
    };
    pushed.map(word).collect()
}

#[test]
fn a_request_is_answered_and_not_shown() {
    for (state, then) in [
        (Subscription::None, Subscription::From),
        (Subscription::NonePendingOut, Subscription::FromPendingOut),
        (Subscription::To, Subscription::Both),
    ] {
        let mut rig = Rig::new();
        rig.set_state("romeo@d", "juliet@d", state);
        if state == Subscription::To {
            rig.set_state("juliet@d", "romeo@d", Subscription::From);
        }
        let (romeo, juliet) = (rig.login_interested("romeo@d/r"), rig.login_interested("juliet@d/b"));
        rig.send(romeo, "<presence type='subscribed' to='juliet@d/b'/>");
        rig.nothing(juliet);
        let shown = state.as_str();
        assert_eq!(items(&rig.received(romeo)), [format!("juliet@d {shown} true")], "{state:?}");
        // Saying it again says nothing.
        rig.send(romeo, "<presence type='subscribed' to='juliet@d'/>");
        rig.nothing(romeo);
        rig.send(juliet, "<presence type='subscribe' to='romeo@d' id='ask'/>");
        assert_eq!(rig.state("romeo@d", "juliet@d"), then, "{state:?}");
        let received = rig.received(romeo);
        assert!(!received.iter().any(|s| attr(s, "type").as_deref() == Some("subscribe")), "{received:?}");
        assert_eq!(items(&received), [format!("juliet@d {} -", then.as_str())], "{state:?}");
        let answers: Vec<_> = rig.received(juliet).iter().filter_map(|s| attr(s, "type")).collect();
        assert!(answers.contains(&"subscribed".to_owned()), "{answers:?}");
    }
}

#[test]
fn the_requester_gets_presence_at_once() {
    let mut rig = Rig::new();
    let romeo = rig.login_with("romeo@d/r", "<presence><show>away</show></presence>");
    let juliet = rig.login_interested("juliet@d/b");
    rig.send(romeo, "<presence type='subscribed' to='juliet@d'/>");
    rig.send(juliet, "<presence type='subscribe' to='romeo@d'/>");
    let received = rig.received(juliet);
    assert!(received.iter().any(|s| s.contains("<show>away</show>")), "{received:?}");
}

#[test]
fn unsubscribed_takes_it_back() {
    let mut rig = Rig::new();
    let (romeo, juliet) = (rig.login_interested("romeo@d/r"), rig.login_interested("juliet@d/b"));
    rig.send(romeo, "<presence type='subscribed' to='juliet@d'/>");
    rig.send(romeo, "<presence type='unsubscribed' to='juliet@d'/>");
    assert_eq!(items(&rig.received(romeo)), ["juliet@d none true", "juliet@d none -"]);
    rig.nothing(juliet);
    rig.send(juliet, "<presence type='subscribe' to='romeo@d'/>");
    assert_eq!(rig.state("romeo@d", "juliet@d"), Subscription::NonePendingIn);
    assert_eq!(attr(&rig.one(romeo), "type").as_deref(), Some("subscribe"));
}

#[test]
fn who_is_subscribed_needs_none() {
    for state in [Subscription::From, Subscription::FromPendingOut, Subscription::Both] {
        let mut rig = Rig::new();
        rig.set_state("romeo@d", "juliet@d", state);
        let romeo = rig.login_interested("romeo@d/r");
        rig.send(romeo, "<presence type='subscribed' to='juliet@d'/>");
        rig.nothing(romeo);
    }
}
