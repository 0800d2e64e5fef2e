//! RFC 6121 §8.5.2.2.1, XEP-0160 and XEP-0203: messages that wait until somebody takes them.

use super::client::{Client, tell, unique};
use super::element::Element;
use super::target::{User, target, users};

const NS_DELAY: &str = "urn:xmpp:delay";

/// A sender, and an account that nobody is at.
fn absent() -> (Client, User) {
    let [romeo, juliet] = users();
    (Client::online(&romeo, "orchard"), juliet)
}

/// Sends a message, and waits until Juliet's home has it.
fn send(sender: &mut Client, juliet: &User, id: &str, kind: &str, content: &str) {
    sender.send(&format!("<message id='{id}' type='{kind}' to='{}'>{content}</message>", juliet.jid));
    sender.ping_account(&juliet.jid);
}

/// Juliet comes, and these messages have waited for her.
fn found(sender: &mut Client, juliet: &User, resource: &str, priority: i8) -> Vec<Element> {
    let mut client = Client::bound(juliet, resource);
    client.send(&format!("<presence><priority>{priority}</priority></presence>"));
    client.ping();
    tell(sender, &mut client);
    client.drain().into_iter().filter(|e| e.is("message")).collect()
}

fn ids(messages: &[Element]) -> Vec<&str> {
    messages.iter().map(Element::id).collect()
}

const BODY: &str = "<body>Wherefore art thou?</body>";

#[test]
fn what_is_stored() {
    let (mut sender, juliet) = absent();
    for kind in ["normal", "groupchat", "chat", "headline"] {
        send(&mut sender, &juliet, kind, kind, BODY);
    }
    let error = "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
    send(&mut sender, &juliet, "error", "error", error);
    let refused: Vec<_> = sender.drain().into_iter().filter(|e| e.is("message")).collect();
    assert!(ids(&refused).iter().all(|id| matches!(*id, "groupchat" | "headline")), "{refused:?}");
    assert_eq!(ids(&found(&mut sender, &juliet, "balcony", 0)), ["normal", "chat"]);
}

#[test]
fn it_is_discovered() {
    let mut client = Client::online(&User::new(), "orchard");
    let domain = &target().domain;
    let query = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
    let answer = client.ask("d", &format!("<iq type='get' id='d' to='{domain}'>{query}</iq>"));
    let info = answer.children.first().expect("a result");
    assert!(info.children.iter().any(|c| c.attr("var") == "msgoffline"), "{}", answer.raw);
}

#[test]
fn what_is_not_worth_storing() {
    let (mut sender, juliet) = absent();
    let hint = format!("{BODY}<no-store xmlns='urn:xmpp:hints'/>");
    send(&mut sender, &juliet, "hint", "chat", &hint);
    let state = "<composing xmlns='http://jabber.org/protocol/chatstates'/>";
    send(&mut sender, &juliet, "state", "chat", state);
    let kept = format!("{BODY}<active xmlns='http://jabber.org/protocol/chatstates'/>");
    send(&mut sender, &juliet, "kept", "chat", &kept);
    assert_eq!(ids(&found(&mut sender, &juliet, "balcony", 0)), ["kept"]);
}

#[test]
fn a_full_store() {
    let (mut sender, juliet) = absent();
    // Our limit is 1,000; a server without any does not pass.
    let message =
        |n| format!("<message id='n{n}' type='chat' to='{}'><body>{n}</body></message>", juliet.jid);
    sender.send(&(0..1_100).map(message).collect::<String>());
    sender.ping_account(&juliet.jid);
    let refused: Vec<_> = sender.drain().into_iter().filter(|e| e.is("message")).collect();
    assert!(
        !refused.is_empty() && refused.iter().all(|e| e.condition() == "service-unavailable"),
        "{refused:?}"
    );
    let kept = found(&mut sender, &juliet, "balcony", 0);
    assert_eq!(kept.len() + refused.len(), 1_100, "each is kept or refused");
    assert!(!kept.is_empty());
}

#[test]
fn order_and_delay() {
    let (mut sender, juliet) = absent();
    for n in 0..5 {
        send(&mut sender, &juliet, &format!("n{n}"), "chat", BODY);
    }
    let messages = found(&mut sender, &juliet, "balcony", 0);
    assert_eq!(ids(&messages), ["n0", "n1", "n2", "n3", "n4"]);
    for message in &messages {
        let delay = message.child("delay", NS_DELAY).expect("a delay");
        assert!(delay.from() == target().domain && delay.attr("stamp").ends_with('Z'), "{}", message.raw);
        assert_eq!((message.from(), message.to()), (&*sender.jid, &*juliet.jid), "{}", message.raw);
    }
}

#[test]
fn a_negative_resource_gets_nothing() {
    let (mut sender, juliet) = absent();
    send(&mut sender, &juliet, "waits", "chat", BODY);
    assert_eq!(ids(&found(&mut sender, &juliet, "cellar", -1)), [""; 0]);
    assert_eq!(ids(&found(&mut sender, &juliet, "balcony", 0)), ["waits"]);
}

#[test]
fn once() {
    let (mut sender, juliet) = absent();
    let id = unique("once");
    send(&mut sender, &juliet, &id, "chat", BODY);
    let mut clients: Vec<_> = (0..4).map(|n| Client::bound(&juliet, &format!("r{n}"))).collect();
    clients.iter_mut().for_each(|client| client.send("<presence/>"));
    let mut copies = 0;
    for client in &mut clients {
        client.ping();
        tell(&mut sender, client);
        copies += client.drain().iter().filter(|e| e.is_answer("message", &id)).count();
    }
    assert_eq!(copies, 1);
    clients.into_iter().for_each(|client| drop(client.close()));
    assert_eq!(ids(&found(&mut sender, &juliet, "late", 0)), [""; 0]);
}

#[test]
fn before_live_messages() {
    let (mut sender, juliet) = absent();
    let message =
        |n| format!("<message id='n{n}' type='chat' to='{}'><body>{n}</body></message>", juliet.jid);
    sender.send(&(0..50).map(message).collect::<String>());
    sender.ping_account(&juliet.jid);
    let mut client = Client::bound(&juliet, "balcony");
    client.send("<presence/>");
    sender.send(&(50..100).map(message).collect::<String>());
    for n in 0..100 {
        let next = client.expect("the next message", |e| e.is("message"));
        assert_eq!(next.id(), format!("n{n}"));
    }
}
