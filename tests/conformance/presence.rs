//! RFC 6121 §4: presence and directed presence. Probes are in `probes`.

use super::client::{Client, settle, tell, unique};
use super::element::Element;
use super::target::{User, users};

pub(crate) fn is_presence(stanza: &Element, kind: &str, from: &str) -> bool {
    stanza.is("presence") && stanza.kind() == kind && stanza.from() == from
}

/// Presence of this type from this address.
pub(crate) fn all_of(stanzas: &[Element], kind: &str, from: &str) -> Vec<Element> {
    stanzas.iter().filter(|e| is_presence(e, kind, from)).cloned().collect()
}

/// `from` is subscribed to `to`.
fn subscribe(from: &User, to: &User) {
    let (mut a, mut b) = (Client::online(from, "pact"), Client::online(to, "pact"));
    a.send(&format!("<presence to='{}' type='subscribe'/>", to.jid));
    settle(&mut a, &mut b);
    b.send(&format!("<presence to='{}' type='subscribed'/>", from.jid));
    settle(&mut b, &mut a);
    a.close();
    b.close();
}

/// Juliet sees Romeo's presence.
pub(crate) fn subscribed() -> (User, User) {
    let [romeo, juliet] = users();
    subscribe(&juliet, &romeo);
    (romeo, juliet)
}

#[test]
fn initial_presence_reaches_subscribers() {
    let (romeo, juliet) = subscribed();
    let nurse = User::new();
    // Romeo sees the nurse; she does not see him.
    subscribe(&romeo, &nurse);
    let mut subscriber = Client::online(&juliet, "balcony");
    let mut stranger = Client::online(&nurse, "hall");
    let mut r = Client::online(&romeo, "orchard");
    for client in [&mut subscriber, &mut stranger] {
        tell(&mut r, client);
    }
    let told = subscriber.drain();
    assert_eq!(all_of(&told, "", &r.jid).len(), 1, "{told:?}");
    let told = stranger.drain();
    assert!(all_of(&told, "", &r.jid).is_empty(), "{told:?}");
}

#[test]
fn later_presence() {
    let (romeo, juliet) = subscribed();
    subscribe(&romeo, &juliet);
    let mut j = Client::online(&juliet, "balcony");
    let mut r = Client::online(&romeo, "orchard");
    settle(&mut r, &mut j);
    r.forget();
    j.forget();
    r.send("<presence><show>xa</show></presence>");
    settle(&mut r, &mut j);
    let told = j.drain();
    let changes = all_of(&told, "", &r.jid);
    assert_eq!(changes.iter().map(|e| e.child_text("show")).collect::<Vec<_>>(), ["xa"]);
    let told = r.drain();
    assert!(all_of(&told, "", &j.jid).is_empty(), "nobody is asked again: {told:?}");
}

/// Romeo has a subscriber, another resource of his own, a stranger whom he sent directed presence, and goes by `act`. Each of
/// them must be told once.
fn told_once(act: impl FnOnce(Client)) {
    let (romeo, juliet) = subscribed();
    let tybalt = User::new();
    let mut r = Client::online(&romeo, "orchard");
    let jid = r.jid.clone();
    let mut own = Client::online(&romeo, "cellar");
    let mut watchers = [Client::online(&juliet, "balcony"), Client::online(&tybalt, "square")];
    r.send(&format!("<presence to='{}'/>", watchers[1].jid));
    // The subscriber got directed presence as well, and is told once all the same.
    r.send(&format!("<presence to='{}'/>", watchers[0].jid));
    for client in &mut watchers {
        tell(&mut r, client);
        client.forget();
    }
    own.forget();
    act(r);
    for client in watchers.iter_mut().chain([&mut own]) {
        let is_it = |e: &Element| is_presence(e, "unavailable", &jid);
        client.expect("unavailable", is_it);
    }
    // A second one would have been sent with the first, or behind what comes now.
    let mut last = Client::online(&romeo, "orchard");
    for client in watchers.iter_mut().chain([&mut own]) {
        tell(&mut last, client);
        let more = all_of(&client.drain(), "unavailable", &jid);
        assert!(more.is_empty(), "twice: {more:?}");
    }
}

#[test]
fn unavailable_is_told_once() {
    told_once(|mut r| {
        r.send("<presence type='unavailable'/>");
        r.ping();
        // The end of its stream is no further news.
        r.close();
    });
}

#[test]
fn the_servers_unavailable_is_told_once() {
    told_once(Client::cut);
}

#[test]
fn a_second_unavailable() {
    let (romeo, juliet) = subscribed();
    let mut r = Client::online(&romeo, "orchard");
    let mut j = Client::online(&juliet, "balcony");
    for _ in 0..2 {
        r.send("<presence type='unavailable'/>");
    }
    tell(&mut r, &mut j);
    let told = j.drain();
    assert_eq!(all_of(&told, "unavailable", &r.jid).len(), 1, "{told:?}");
}

#[test]
fn directed_presence_makes_nobody_available() {
    let (romeo, juliet) = subscribed();
    let tybalt = User::new();
    let mut j = Client::online(&juliet, "balcony");
    let mut t = Client::online(&tybalt, "square");
    let mut r = Client::bound(&romeo, "orchard");
    r.send(&format!("<presence to='{}'/>", t.jid));
    t.expect("directed presence", |e| is_presence(e, "", &r.jid));
    tell(&mut r, &mut j);
    j.send(&format!("<presence type='probe' to='{}'/>", romeo.jid));
    settle(&mut j, &mut r);
    let told = j.drain();
    assert!(all_of(&told, "", &r.jid).is_empty(), "{told:?}");
    // A message to its account finds no resource.
    t.send(&format!("<message type='headline' id='none' to='{}'><body>b</body></message>", romeo.jid));
    tell(&mut t, &mut r);
    assert!(r.drain().iter().all(|e| e.id() != "none"));
}

/// Romeo sends Tybalt directed presence.
fn directed() -> (Client, Client) {
    let [romeo, tybalt] = users();
    let mut r = Client::online(&romeo, "orchard");
    let mut t = Client::online(&tybalt, "square");
    r.send(&format!("<presence to='{}'/>", t.jid));
    t.expect("directed presence", |e| is_presence(e, "", &r.jid));
    (r, t)
}

#[test]
fn targets_are_told_of_the_end() {
    let (r, mut t) = directed();
    let jid = r.jid.clone();
    r.close();
    let told = t.expect("unavailable", |e| is_presence(e, "unavailable", &jid));
    assert!(told.to().is_empty() || told.to() == t.jid, "{}", told.raw);
    let (mut r, mut t) = directed();
    r.send("<presence type='unavailable'/>");
    t.expect("unavailable", |e| is_presence(e, "unavailable", &r.jid));
}

#[test]
fn directed_unavailable_ends_it() {
    let (mut r, mut t) = directed();
    r.send(&format!("<presence type='unavailable' to='{}'/>", t.jid));
    t.expect("unavailable", |e| is_presence(e, "unavailable", &r.jid));
    r.send("<presence type='unavailable'/>");
    tell(&mut r, &mut t);
    let more = all_of(&t.drain(), "unavailable", &r.jid);
    assert!(more.is_empty(), "{more:?}");
}

#[test]
fn a_target_that_went_is_forgotten() {
    let (mut r, mut t) = directed();
    // The target answered with presence of its own, and so its end is Romeo's to hear.
    t.send(&format!("<presence to='{}'/>", r.jid));
    t.send("<presence type='unavailable'/>");
    r.expect("the target's end", |e| is_presence(e, "unavailable", &t.jid));
    r.send("<presence type='unavailable'/>");
    tell(&mut r, &mut t);
    let more = all_of(&t.drain(), "unavailable", &r.jid);
    assert!(more.is_empty(), "{more:?}");
}

#[test]
fn a_bad_priority() {
    for priority in ["128", "-129", "high", "1.5", ""] {
        let mut client = Client::bound(&User::new(), "balcony");
        let id = unique("p");
        client.send(&format!("<presence id='{id}'><priority>{priority}</priority></presence>"));
        let answer = client.expect("an answer", |e| e.is_answer("presence", &id));
        assert_eq!((answer.condition(), answer.error_type()), ("bad-request", "modify"), "{priority:?}");
    }
}

#[test]
fn the_default_priority() {
    let [romeo, juliet] = users();
    let mut sender = Client::online(&romeo, "orchard");
    let mut zero = Client::online(&juliet, "zero");
    let mut below = Client::online_at(&juliet, "below", -1);
    let mut above = Client::online_at(&juliet, "above", 1);
    let chat =
        |id: &str| format!("<message type='chat' id='{id}' to='{}'><body>b</body></message>", juliet.jid);
    sender.send(&chat("higher"));
    above.expect("the message", |e| e.is_answer("message", "higher"));
    above.close();
    sender.send(&chat("default"));
    zero.expect("the message", |e| e.is_answer("message", "default"));
    tell(&mut sender, &mut below);
    assert!(below.drain().iter().all(|e| e.id() != "default"));
}

#[test]
fn content_is_kept() {
    let (romeo, juliet) = subscribed();
    let mut j = Client::online(&juliet, "balcony");
    let mut r = Client::bound(&romeo, "orchard");
    let content = "<show>dnd</show><status>Wooing</status><status xml:lang='cs'>Dvořím se</status>\
                   <priority>1</priority><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='n' ver='v'/>";
    r.send(&format!("<presence>{content}</presence>"));
    let told = j.expect("Romeo's presence", |e| is_presence(e, "", &r.jid));
    let statuses: Vec<_> = told.children.iter().filter(|c| c.name == "status").map(|c| &*c.text).collect();
    assert_eq!(statuses, ["Wooing", "Dvořím se"]);
    assert_eq!((told.child_text("show"), told.child_text("priority")), ("dnd", "1"));
    let caps = told.child("c", "http://jabber.org/protocol/caps").expect("the extension");
    assert_eq!((caps.attr("ver"), caps.attr("hash")), ("v", "sha-1"));
}

#[test]
fn an_unknown_type() {
    let mut client = Client::online(&User::new(), "balcony");
    client.send("<presence id='odd' type='available'/>");
    let answer = client.expect("an answer", |e| e.is_answer("presence", "odd"));
    assert_eq!(answer.condition(), "bad-request", "{}", answer.raw);
}

#[test]
fn ones_own_resources() {
    let romeo = User::new();
    let mut other = Client::online(&romeo, "cellar");
    let mut r = Client::bound(&romeo, "orchard");
    for show in ["", "<show>away</show>"] {
        r.send(&format!("<presence>{show}</presence>"));
        for client in [&mut r, &mut other] {
            let jid = romeo.full("orchard");
            let wanted = if show.is_empty() { "" } else { "away" };
            client.expect("presence of its own", |e| {
                is_presence(e, "", &jid) && e.child_text("show") == wanted
            });
        }
    }
}

#[test]
fn a_new_resource_sees_the_others() {
    let romeo = User::new();
    let mut first = Client::bound(&romeo, "cellar");
    first.send("<presence><show>chat</show></presence>");
    first.ping();
    let mut r = Client::bound(&romeo, "orchard");
    r.send("<presence/>");
    let told = r.expect("the other's presence", |e| is_presence(e, "", &first.jid));
    assert_eq!(told.child_text("show"), "chat");
}

#[test]
fn who_is_blocked() {
    let (romeo, juliet) = subscribed();
    let mut j = Client::online(&juliet, "balcony");
    let mut r = Client::online(&romeo, "orchard");
    tell(&mut r, &mut j);
    j.forget();
    let block = |id: &str, name: &str| {
        format!(
            "<iq type='set' id='{id}'><{name} xmlns='urn:xmpp:blocking'><item jid='{}'/></{name}></iq>",
            juliet.jid
        )
    };
    let answer = r.ask("block", &block("block", "block"));
    assert_eq!(answer.kind(), "result", "{}", answer.raw);
    j.expect("unavailable", |e| is_presence(e, "unavailable", &r.jid));
    r.send("<presence><show>away</show></presence><presence><show>dnd</show></presence>");
    r.ping();
    // Unblocked again, what follows shows what came before; the current presence may come with that.
    let answer = r.ask("unblock", &block("unblock", "unblock"));
    assert_eq!(answer.kind(), "result", "{}", answer.raw);
    tell(&mut r, &mut j);
    let told = j.drain();
    assert!(told.iter().all(|e| e.child_text("show") != "away"), "{told:?}");
    // XEP-0191 §3.4: the current presence comes to who is unblocked.
    assert_eq!(all_of(&told, "", &r.jid).iter().map(|e| e.child_text("show")).collect::<Vec<_>>(), ["dnd"]);
}
