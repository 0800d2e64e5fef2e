//! RFC 6121 §4.3: presence probes, those of clients and the server's own at login.

use super::client::{Client, settle, tell};
use super::element::Element;
use super::presence::{all_of, is_presence, subscribed};
use super::target::{User, users};

#[test]
fn contacts_presence_comes_at_login() {
    let (romeo, juliet) = subscribed();
    let mut r = Client::bound(&romeo, "orchard");
    r.send("<presence id='last'><show>dnd</show><status>busy</status></presence>");
    r.ping();
    let mut j = Client::online(&juliet, "balcony");
    tell(&mut r, &mut j);
    let mut again = Client::bound(&juliet, "garden");
    again.send("<presence/>");
    let told = again.expect("Romeo's presence", |e| is_presence(e, "", &r.jid));
    assert_eq!((told.child_text("show"), told.child_text("status")), ("dnd", "busy"));
}

#[test]
fn a_probe_gets_the_last_full_presence() {
    let (romeo, juliet) = subscribed();
    let mut first = Client::bound(&romeo, "orchard");
    first.send("<presence><show>away</show><x xmlns='urn:rose'/></presence>");
    first.ping();
    let mut second = Client::online(&romeo, "cellar");
    let mut j = Client::online(&juliet, "balcony");
    settle(&mut second, &mut j);
    j.forget();
    j.send(&format!("<presence type='probe' to='{}'/>", romeo.jid));
    settle(&mut j, &mut first);
    let told = j.drain();
    let answer = all_of(&told, "", &first.jid);
    assert_eq!(answer.len(), 1, "{told:?}");
    assert!(
        answer[0].child_text("show") == "away" && answer[0].child("x", "urn:rose").is_some(),
        "{answer:?}"
    );
    assert_eq!(all_of(&told, "", &second.jid).len(), 1, "{told:?}");
    assert!(first.drain().iter().all(|e| e.kind() != "probe"), "the server answers");
}

#[test]
fn a_probe_of_who_is_not_there() {
    let (romeo, juliet) = subscribed();
    let mut j = Client::online(&juliet, "balcony");
    j.send(&format!("<presence type='probe' to='{}'/>", romeo.jid));
    j.ping_account(&romeo.jid);
    let told = j.drain();
    let is_allowed = |e: &Element| e.kind() == "unavailable" && e.from().starts_with(&romeo.jid);
    assert!(told.len() <= 1 && told.iter().all(is_allowed), "{told:?}");
}

#[test]
fn a_strangers_probe() {
    let [romeo, juliet] = users();
    let mut r = Client::online(&romeo, "orchard");
    let mut j = Client::online(&juliet, "balcony");
    j.send(&format!("<presence type='probe' to='{}'/>", romeo.jid));
    settle(&mut j, &mut r);
    let told = j.drain();
    assert!(told.len() <= 1 && told.iter().all(|e| is_presence(e, "unsubscribed", &romeo.jid)), "{told:?}");
}

#[test]
fn a_probe_gets_no_error() {
    let romeo = User::new();
    let mut client = Client::online(&romeo, "orchard");
    let nobody = romeo.jid.replace('@', "-nobody@");
    for to in [&*nobody, &format!("{nobody}/none"), "someone@elsewhere.invalid", "elsewhere.invalid"] {
        client.send(&format!("<presence type='probe' to='{to}'/>"));
    }
    client.ping_account(&nobody);
    let told = client.drain();
    assert!(told.iter().all(|e| e.kind() != "error"), "{told:?}");
}

#[test]
fn ids_of_answers() {
    let (romeo, juliet) = subscribed();
    let mut j = Client::online(&juliet, "balcony");
    j.send(&format!("<presence type='probe' id='nobody-there' to='{}'/>", romeo.jid));
    j.ping_account(&romeo.jid);
    for answer in j.drain() {
        assert_eq!(answer.id(), "nobody-there", "{}", answer.raw);
    }
    let mut r = Client::bound(&romeo, "orchard");
    r.send("<presence id='romeos'/>");
    settle(&mut r, &mut j);
    j.forget();
    j.send(&format!("<presence type='probe' id='mine' to='{}'/>", romeo.jid));
    settle(&mut j, &mut r);
    let told = j.drain();
    let ids: Vec<_> = told.iter().filter(|e| is_presence(e, "", &r.jid)).map(Element::id).collect();
    assert_eq!(ids, ["romeos"], "{told:?}");
}

#[test]
fn a_probe_to_a_full_jid() {
    let (romeo, juliet) = subscribed();
    let mut first = Client::online(&romeo, "orchard");
    let mut second = Client::online(&romeo, "cellar");
    let mut j = Client::online(&juliet, "balcony");
    settle(&mut second, &mut j);
    j.forget();
    j.send(&format!("<presence type='probe' to='{}'/>", first.jid));
    settle(&mut j, &mut first);
    let told = j.drain();
    assert_eq!(all_of(&told, "", &first.jid).len(), 1, "{told:?}");
    assert!(all_of(&told, "", &second.jid).is_empty(), "that resource alone: {told:?}");
}

#[test]
fn a_probe_after_directed_presence() {
    let [romeo, juliet] = users();
    let mut r = Client::online(&romeo, "orchard");
    let mut other = Client::online(&romeo, "cellar");
    let mut j = Client::online(&juliet, "balcony");
    r.send(&format!("<presence to='{}'><status>for you alone</status></presence>", j.jid));
    settle(&mut r, &mut j);
    j.forget();
    for to in [&*romeo.jid, &*r.jid] {
        j.send(&format!("<presence type='probe' to='{to}'/>"));
    }
    settle(&mut j, &mut r);
    tell(&mut other, &mut j);
    let told = j.drain();
    assert!(!all_of(&told, "", &r.jid).is_empty(), "it is told that the resource is there: {told:?}");
    assert!(told.iter().all(|e| e.from() != other.jid), "and of no other: {told:?}");
}
