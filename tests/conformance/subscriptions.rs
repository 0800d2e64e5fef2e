//! RFC 6121 §3: what asking, approving, cancelling and giving up look like. The states are in `appendix_a`.

use super::client::{Client, settle, tell, unique};
use super::element::Element;
use super::target::{User, users};

const NS_ROSTER: &str = "jabber:iq:roster";

/// Two accounts, each with a resource that is available and follows its roster.
struct Pair {
    romeo: User,
    juliet: User,
    r: Client,
    j: Client,
}

impl Pair {
    fn new() -> Self {
        let [romeo, juliet] = users();
        let (r, j) = (Client::interested(&romeo, "orchard"), Client::interested(&juliet, "balcony"));
        Self { romeo, juliet, r, j }
    }

    /// Romeo is subscribed to Juliet, and nothing waits to be read.
    fn subscribed() -> Self {
        let mut pair = Self::new();
        pair.romeo_says("subscribe");
        pair.juliet_says("subscribed");
        pair.r.forget();
        pair.j.forget();
        pair
    }

    fn romeo_says(&mut self, change: &str) {
        self.r.send(&format!("<presence type='{change}' to='{}'/>", self.juliet.jid));
        settle(&mut self.r, &mut self.j);
    }

    fn juliet_says(&mut self, change: &str) {
        self.j.send(&format!("<presence type='{change}' to='{}'/>", self.romeo.jid));
        settle(&mut self.j, &mut self.r);
    }
}

fn is_presence(stanza: &Element, kind: &str, from: &str) -> bool {
    stanza.is("presence") && stanza.kind() == kind && stanza.from() == from
}

/// `subscription` and `ask` of each roster push, and the types of presence in between, in the order in which they came.
fn story(stanzas: &[Element]) -> Vec<String> {
    let tell = |stanza: &Element| {
        if stanza.is("presence") {
            return Some(stanza.kind().to_owned());
        }
        let item = stanza.child("query", NS_ROSTER)?.children.first()?;
        Some(format!("push {} {}", item.attr("subscription"), item.attr("ask")).trim_end().to_owned())
    };
    stanzas.iter().filter_map(tell).collect()
}

#[test]
fn stanzas_are_from_bare_to_bare() {
    let mut pair = Pair::new();
    let (romeo, juliet) = (pair.romeo.jid.clone(), pair.juliet.jid.clone());
    pair.r.send(&format!("<presence type='subscribe' to='{juliet}/balcony'/>"));
    let request = pair.j.expect("the request", |e| e.kind() == "subscribe");
    assert_eq!((request.from(), request.to()), (&*romeo, &*juliet));
    pair.j.send(&format!("<presence type='subscribed' to='{romeo}/orchard'/>"));
    let answer = pair.r.expect("the answer", |e| e.kind() == "subscribed");
    assert_eq!((answer.from(), answer.to()), (&*juliet, &*romeo));
}

#[test]
fn changes_are_pushed() {
    let mut pair = Pair::new();
    pair.romeo_says("subscribe");
    assert_eq!(story(&pair.r.drain()), ["push none subscribe"]);
    pair.juliet_says("subscribed");
    let told = story(&pair.r.drain());
    assert_eq!(told.iter().filter(|t| t.starts_with("push")).collect::<Vec<_>>(), ["push to"]);
    let told = story(&pair.j.drain());
    assert_eq!(told.iter().filter(|t| t.starts_with("push")).collect::<Vec<_>>(), ["push from"]);
    pair.juliet_says("unsubscribed");
    assert!(story(&pair.j.drain()).contains(&"push none".to_owned()));
    assert!(story(&pair.r.drain()).contains(&"push none".to_owned()));
}

/// Romeo asks, with words and an extension, while nobody is there at Juliet's.
fn asked_in_absence() -> (User, User, Client) {
    let [romeo, juliet] = users();
    let mut r = Client::online(&romeo, "orchard");
    r.send(&format!(
        "<presence type='subscribe' id='ask' to='{}'><status>It is I</status><x xmlns='urn:rose' n='5'>petal</x>\
         </presence>",
        juliet.jid
    ));
    r.ping_account(&juliet.jid);
    (romeo, juliet, r)
}

#[test]
fn a_request_is_kept() {
    let (romeo, juliet, _r) = asked_in_absence();
    for visit in ["first", "second"] {
        let mut j = Client::bound(&juliet, visit);
        j.send("<presence/>");
        let request = j.expect("the request", |e| is_presence(e, "subscribe", &romeo.jid));
        assert_eq!(request.child_text("status"), "It is I", "{}", request.raw);
        let extension = request.child("x", "urn:rose").expect("the extension");
        assert_eq!((&*extension.text, extension.attr("n")), ("petal", "5"));
    }
}

#[test]
fn an_answered_request_is_gone() {
    for answer in ["subscribed", "unsubscribed"] {
        let (romeo, juliet, mut r) = asked_in_absence();
        let mut j = Client::online(&juliet, "first");
        j.send(&format!("<presence type='{answer}' to='{}'/>", romeo.jid));
        settle(&mut j, &mut r);
        let mut j = Client::bound(&juliet, "second");
        j.send("<presence/>");
        tell(&mut r, &mut j);
        let again: Vec<_> = j.drain().into_iter().filter(|e| e.kind() == "subscribe").collect();
        assert!(again.is_empty(), "{again:?}");
    }
}

#[test]
fn approval_shows_presence() {
    let mut pair = Pair::new();
    let mut other = Client::online_at(&pair.juliet, "garden", -3);
    other.send("<presence><show>away</show><priority>-3</priority></presence>");
    other.ping();
    pair.romeo_says("subscribe");
    pair.juliet_says("subscribed");
    tell(&mut other, &mut pair.r);
    let told = pair.r.drain();
    let from = |resource: &str| {
        let jid = pair.juliet.full(resource);
        told.iter().filter(|e| is_presence(e, "", &jid)).cloned().collect::<Vec<_>>()
    };
    assert_eq!(from("balcony").len(), 1, "{told:?}");
    assert_eq!(from("garden").iter().map(|e| e.child_text("show")).collect::<Vec<_>>(), ["away"]);
}

/// Juliet has two resources; what each of them sends to Romeo when `act` is done.
fn unavailable_after(act: impl FnOnce(&mut Pair)) {
    let mut pair = Pair::subscribed();
    let mut other = Client::online(&pair.juliet, "garden");
    tell(&mut other, &mut pair.r);
    pair.r.forget();
    act(&mut pair);
    tell(&mut other, &mut pair.r);
    let told = pair.r.drain();
    for resource in ["balcony", "garden"] {
        let jid = pair.juliet.full(resource);
        let count = told.iter().filter(|e| is_presence(e, "unavailable", &jid)).count();
        assert_eq!(count, 1, "{resource}: {told:?}");
    }
}

#[test]
fn cancelling_shows_unavailable() {
    unavailable_after(|pair| pair.juliet_says("unsubscribed"));
}

#[test]
fn unsubscribing_shows_unavailable() {
    unavailable_after(|pair| pair.romeo_says("unsubscribe"));
}

/// What `stanzas` tell of a change and the push that it causes.
fn change_and_push(stanzas: &[Element], change: &str) -> Vec<String> {
    story(stanzas).into_iter().filter(|word| word == change || word.starts_with("push")).collect()
}

#[test]
fn subscribed_before_its_push() {
    let mut pair = Pair::new();
    pair.romeo_says("subscribe");
    pair.r.forget();
    pair.juliet_says("subscribed");
    assert_eq!(change_and_push(&pair.r.drain(), "subscribed"), ["subscribed", "push to"]);
}

#[test]
fn unsubscribed_before_its_push() {
    let mut pair = Pair::subscribed();
    pair.juliet_says("unsubscribed");
    assert_eq!(change_and_push(&pair.r.drain(), "unsubscribed"), ["unsubscribed", "push none"]);
}

#[test]
fn unsubscribe_before_its_push() {
    let mut pair = Pair::subscribed();
    pair.romeo_says("unsubscribe");
    assert_eq!(change_and_push(&pair.j.drain(), "unsubscribe"), ["unsubscribe", "push none"]);
}

#[test]
fn who_is_not_interested_is_not_told() {
    let mut pair = Pair::new();
    let mut other = Client::online(&pair.romeo, "cellar");
    pair.romeo_says("subscribe");
    pair.juliet_says("subscribed");
    tell(&mut pair.j, &mut other);
    let told: Vec<_> = other.drain().into_iter().filter(|e| e.kind() == "subscribed").collect();
    assert!(told.is_empty(), "{told:?}");
}

#[test]
fn an_approval_is_taken_back() {
    let mut pair = Pair::new();
    pair.juliet_says("subscribed");
    pair.juliet_says("unsubscribed");
    pair.j.forget();
    let id = unique("ask");
    pair.r.send(&format!("<presence type='subscribe' id='{id}' to='{}'/>", pair.juliet.jid));
    pair.j.expect("the request", |e| is_presence(e, "subscribe", &pair.romeo.jid));
}

#[test]
fn an_answer_to_a_probe_keeps_an_approval() {
    let mut pair = Pair::new();
    pair.juliet_says("subscribed");
    // Romeo may not know yet: the server's `unsubscribed` is no word of Juliet's.
    pair.romeo_says("probe");
    pair.j.forget();
    pair.r.forget();
    pair.romeo_says("subscribe");
    pair.r.expect("the server's approval", |e| is_presence(e, "subscribed", &pair.juliet.jid));
    assert!(pair.j.drain().iter().all(|e| e.kind() != "subscribe"));
}
