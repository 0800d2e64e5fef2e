//! RFC 6121 §2 and §3.4: rosters, their pushes and versions, and approvals in advance.

use super::client::{Client, settle, unique};
use super::element::Element;
use super::target::{User, users};

const NS: &str = "jabber:iq:roster";

/// A roster set with this content of the query.
fn set(id: &str, content: &str) -> String {
    format!("<iq type='set' id='{id}'><query xmlns='jabber:iq:roster'>{content}</query></iq>")
}

fn is_push(stanza: &Element) -> bool {
    stanza.is("iq") && stanza.kind() == "set" && stanza.child("query", NS).is_some()
}

/// The only item of a push.
fn pushed(push: &Element) -> Element {
    let items = &push.child("query", NS).unwrap().children;
    assert_eq!(items.len(), 1, "a push has one item: {}", push.raw);
    items[0].clone()
}

impl Client {
    /// Sets, and returns the answer.
    fn set(&mut self, content: &str) -> Element {
        let id = unique("set");
        self.ask(&id, &set(&id, content))
    }

    fn expect_push(&mut self) -> Element {
        self.expect("a roster push", is_push)
    }

    /// The roster's item of a contact.
    fn item(&mut self, jid: &str) -> Option<Element> {
        self.roster().children.into_iter().find(|item| item.attr("jid") == jid)
    }
}

const CONTACT: &str = "nurse@contacts.invalid";

fn item(content: &str) -> String {
    format!("<item jid='{CONTACT}' name='Nurse'>{content}</item>")
}

/// A resource whose set fails with this, and whose roster stays empty.
fn is_refused(content: &str, conditions: &[&str]) {
    let mut client = Client::interested(&User::new(), "balcony");
    let answer = client.set(content);
    assert!(conditions.contains(&answer.condition()), "{conditions:?}: {}", answer.raw);
    assert!(client.roster().children.is_empty());
    assert!(!client.drain().iter().any(is_push), "nothing is pushed");
}

#[test]
fn a_roster_has_its_items() {
    let mut client = Client::interested(&User::new(), "balcony");
    client.set(&item("<group>Servants</group><group>Friends</group>"));
    let item = client.item(CONTACT).expect("the item");
    assert_eq!((item.attr("name"), item.attr("subscription")), ("Nurse", "none"));
    let mut groups: Vec<_> = item.children.iter().map(|group| &*group.text).collect();
    groups.sort_unstable();
    assert_eq!(groups, ["Friends", "Servants"]);
}

#[test]
fn who_only_asked_is_no_item() {
    let [romeo, juliet] = users();
    let (mut r, mut j) = (Client::online(&romeo, "orchard"), Client::online(&juliet, "balcony"));
    r.send(&format!("<presence to='{}' type='subscribe'/>", juliet.jid));
    settle(&mut r, &mut j);
    assert!(j.roster().children.is_empty());
}

#[test]
fn who_has_not_asked_gets_no_pushes() {
    let juliet = User::new();
    let mut silent = Client::online(&juliet, "garden");
    let mut client = Client::interested(&juliet, "balcony");
    client.set(&item(""));
    client.expect_push();
    settle(&mut client, &mut silent);
    assert!(!silent.drain().iter().any(is_push));
}

#[test]
fn no_item_or_two() {
    is_refused("", &["bad-request"]);
    is_refused(&format!("{}<item jid='friar@contacts.invalid'/>", item("")), &["bad-request"]);
}

#[test]
fn a_subscription_cannot_be_set() {
    let mut client = Client::interested(&User::new(), "balcony");
    for state in ["both", "to", "from"] {
        let answer = client.set(&format!("<item jid='{CONTACT}' subscription='{state}' ask='subscribe'/>"));
        assert_eq!(answer.kind(), "result");
        let item = client.item(CONTACT).expect("the item");
        assert_eq!((item.attr("subscription"), item.attr("ask")), ("none", ""), "{state} was asked for");
    }
}

#[test]
fn a_group_twice() {
    is_refused(&item("<group>Friends</group><group>Friends</group>"), &["bad-request"]);
}

#[test]
fn an_empty_group() {
    is_refused(&item("<group/>"), &["not-acceptable"]);
}

#[test]
fn too_long_a_name() {
    let long = "x".repeat(20_000);
    is_refused(&format!("<item jid='{CONTACT}' name='{long}'/>"), &["not-acceptable"]);
    is_refused(&item(&format!("<group>{long}</group>")), &["not-acceptable"]);
}

#[test]
fn another_ones_roster() {
    let [romeo, juliet] = users();
    let mut client = Client::interested(&romeo, "orchard");
    for (kind, content) in [("set", "<item jid='nurse@contacts.invalid'/>"), ("get", "")] {
        let id = unique("theirs");
        let request = format!(
            "<iq type='{kind}' id='{id}' to='{}'><query xmlns='jabber:iq:roster'>{content}</query></iq>",
            juliet.jid
        );
        let answer = client.ask(&id, &request);
        assert_eq!((answer.condition(), answer.error_type()), ("forbidden", "auth"), "{}", answer.raw);
    }
    assert!(Client::bound(&juliet, "balcony").roster().children.is_empty());
}

#[test]
fn a_set_is_pushed() {
    let juliet = User::new();
    let mut other = Client::interested(&juliet, "garden");
    let mut client = Client::interested(&juliet, "balcony");
    let answer = client.set(&item("<group>Servants</group>"));
    assert_eq!((answer.kind(), answer.children.len()), ("result", 0), "{}", answer.raw);
    for client in [&mut client, &mut other] {
        let item = pushed(&client.expect_push());
        assert_eq!((item.attr("jid"), item.attr("name")), (CONTACT, "Nurse"));
        assert_eq!(item.child_text("group"), "Servants");
    }
}

#[test]
fn removing_what_is_not_there() {
    let mut client = Client::interested(&User::new(), "balcony");
    let answer = client.set(&format!("<item jid='{CONTACT}' subscription='remove'/>"));
    assert_eq!(answer.condition(), "item-not-found", "{}", answer.raw);
}

#[test]
fn a_removal_is_pushed() {
    let mut client = Client::interested(&User::new(), "balcony");
    client.set(&item(""));
    client.forget();
    let answer = client.set(&format!("<item jid='{CONTACT}' subscription='remove'/>"));
    assert_eq!(answer.kind(), "result", "{}", answer.raw);
    let item = pushed(&client.expect_push());
    assert_eq!((item.attr("jid"), item.attr("subscription")), (CONTACT, "remove"));
    assert!(client.roster().children.is_empty());
}

/// Romeo is subscribed to Juliet (`to`), she to him (`from`), or both; he removes her, and she gets these.
fn removed(relations: &[&str], expected: &[&str]) {
    let [romeo, juliet] = users();
    let (mut r, mut j) = (Client::interested(&romeo, "orchard"), Client::interested(&juliet, "balcony"));
    for relation in relations {
        let (a, b) = if *relation == "to" { (&mut r, &mut j) } else { (&mut j, &mut r) };
        let bare = |client: &Client| client.jid.split('/').next().unwrap().to_owned();
        let (a_jid, b_jid) = (bare(a), bare(b));
        a.send(&format!("<presence to='{b_jid}' type='subscribe'/>"));
        settle(a, b);
        b.send(&format!("<presence to='{a_jid}' type='subscribed'/>"));
        settle(b, a);
    }
    r.forget();
    j.forget();
    r.set(&format!("<item jid='{}' subscription='remove'/>", juliet.jid));
    settle(&mut r, &mut j);
    let told = j.drain().into_iter().filter(|e| e.is("presence") && e.from() == romeo.jid);
    let mut told: Vec<_> = told.map(|e| e.kind().to_owned()).collect();
    told.sort_unstable();
    assert_eq!(told, expected);
    let item = j.item(&romeo.jid).expect("Juliet keeps her item");
    assert_eq!(item.attr("subscription"), "none");
}

#[test]
fn removing_unsubscribes() {
    removed(&["to"], &["unsubscribe"]);
}

#[test]
fn removing_cancels() {
    removed(&["from"], &["unsubscribed"]);
}

#[test]
fn removing_ends_both() {
    removed(&["to", "from"], &["unsubscribe", "unsubscribed"]);
}

#[test]
fn the_form_of_a_push() {
    let juliet = User::new();
    let mut client = Client::interested(&juliet, "balcony");
    client.set(&item(""));
    let push = client.expect_push();
    assert!(!push.has_attr("from") || push.from() == juliet.jid, "{}", push.raw);
    assert!(!push.id().is_empty(), "{}", push.raw);
    assert!(push.to().is_empty() || push.to() == client.jid || push.to() == juliet.jid, "{}", push.raw);
}

#[test]
fn pushes_are_told_apart() {
    let mut client = Client::interested(&User::new(), "balcony");
    let (mut ids, mut versions) = (Vec::new(), Vec::new());
    for n in 0..4 {
        client.set(&format!("<item jid='c{n}@contacts.invalid'/>"));
        let push = client.expect_push();
        assert_eq!(pushed(&push).attr("jid"), format!("c{n}@contacts.invalid"), "in order");
        ids.push(push.id().to_owned());
        versions.push(push.child("query", NS).unwrap().attr("ver").to_owned());
    }
    for list in [&mut ids, &mut versions] {
        list.sort_unstable();
        list.dedup();
    }
    assert_eq!(ids.len(), 4);
    // Without versioning there is none to tell apart.
    assert!(versions.len() == 4 || versions == [""], "{versions:?}");
}

#[test]
fn an_error_to_a_push_is_ignored() {
    let mut client = Client::interested(&User::new(), "balcony");
    client.set(&item(""));
    let push = client.expect_push();
    client.send(&format!(
        "<iq type='error' id='{}'><error type='cancel'>\
         <service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>",
        push.id()
    ));
    let got = client.drain();
    assert!(got.is_empty(), "{got:?}");
    client.set("<item jid='friar@contacts.invalid'/>");
    client.expect_push();
}

#[test]
fn versioning_is_announced() {
    let (_, features) = Client::authenticated(&User::new());
    assert!(features.child("ver", "urn:xmpp:features:rosterver").is_some(), "{}", features.raw);
}

impl Client {
    /// Asks for the roster that the client has in this version.
    fn roster_since(&mut self, version: &str) -> Element {
        let id = unique("since");
        self.ask(
            &id,
            &format!("<iq type='get' id='{id}'><query xmlns='jabber:iq:roster' ver='{version}'/></iq>"),
        )
    }
}

#[test]
fn an_empty_version() {
    let mut client = Client::interested(&User::new(), "balcony");
    client.set(&item(""));
    let answer = client.roster_since("");
    let query = answer.child("query", NS).expect("a roster");
    assert!(!query.attr("ver").is_empty(), "{}", answer.raw);
    assert_eq!(query.children.len(), 1, "{}", answer.raw);
}

#[test]
fn a_known_version() {
    let juliet = User::new();
    let mut client = Client::interested(&juliet, "balcony");
    client.set(&item(""));
    let answer = client.roster_since("");
    let known = answer.child("query", NS).unwrap().attr("ver").to_owned();
    client.check(!known.is_empty(), "a version");
    let mut later = Client::bound(&juliet, "garden");
    let answer = later.roster_since(&known);
    assert_eq!((answer.kind(), answer.children.len()), ("result", 0), "nothing has changed: {}", answer.raw);
    for contact in ["b", "a"] {
        client.set(&format!("<item jid='{contact}@contacts.invalid'/>"));
    }
    let mut later = Client::bound(&juliet, "cellar");
    let answer = later.roster_since(&known);
    if answer.children.is_empty() {
        let pushes = later.drain().into_iter().filter(is_push);
        let jids: Vec<_> = pushes.map(|push| pushed(&push).attr("jid").to_owned()).collect();
        assert_eq!(jids, ["b@contacts.invalid", "a@contacts.invalid"], "in order of modification");
    } else {
        // §2.6.3 lets a server answer with the whole roster.
        assert_eq!(answer.child("query", NS).unwrap().children.len(), 3, "{}", answer.raw);
    }
}

#[test]
fn an_unknown_version() {
    let mut client = Client::interested(&User::new(), "balcony");
    client.set(&item(""));
    let answer = client.roster_since("never-heard-of");
    let query = answer.child("query", NS).expect("the whole roster");
    assert_eq!((query.children.len(), query.attr("ver").is_empty()), (1, false), "{}", answer.raw);
}

#[test]
fn pre_approval_is_announced() {
    let (_, features) = Client::authenticated(&User::new());
    assert!(features.child("sub", "urn:xmpp:features:pre-approval").is_some(), "{}", features.raw);
}

#[test]
fn an_approval_is_shown() {
    let [romeo, juliet] = users();
    let mut client = Client::interested(&juliet, "balcony");
    client.send(&format!("<presence to='{}' type='subscribed'/>", romeo.jid));
    let item = pushed(&client.expect_push());
    assert_eq!((item.attr("subscription"), item.attr("approved")), ("none", "true"));
    assert_eq!(client.item(&romeo.jid).expect("the item").attr("approved"), "true");
}

#[test]
fn an_approved_request() {
    let [romeo, juliet] = users();
    let (mut r, mut j) = (Client::interested(&romeo, "orchard"), Client::interested(&juliet, "balcony"));
    j.send(&format!("<presence to='{}' type='subscribed'/>", romeo.jid));
    settle(&mut j, &mut r);
    r.forget();
    j.forget();
    r.send(&format!("<presence to='{}' type='subscribe'/>", juliet.jid));
    settle(&mut r, &mut j);
    assert!(j.drain().iter().all(|e| e.kind() != "subscribe"), "not delivered");
    r.expect("the server's approval", |e| {
        e.is("presence") && e.kind() == "subscribed" && e.from() == juliet.jid
    });
    assert_eq!(j.item(&romeo.jid).expect("the item").attr("subscription"), "from");
}
