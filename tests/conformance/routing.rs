//! RFC 6121 §8.5: who gets presence and IQs. Messages are in `delivery`.

use super::client::{Client, settle, tell, unique};
use super::element::Element;
use super::target::{User, target, users};

fn is_presence_of(stanza: &Element, from: &str, kind: &str) -> bool {
    stanza.is("presence") && stanza.from() == from && stanza.kind() == kind
}

/// Juliet has an ordinary resource, a negative one, and one without presence; Romeo sends her this, and each resource
/// that got it is named.
fn presence_to(resource: &str, attributes: &str) -> Vec<&'static str> {
    let [romeo, juliet] = users();
    let mut sender = Client::online(&romeo, "orchard");
    let mut recipients = [
        ("balcony", Client::online(&juliet, "balcony")),
        ("below", Client::online_at(&juliet, "below", -5)),
        ("silent", Client::bound(&juliet, "silent")),
    ];
    recipients.iter_mut().for_each(|(_, client)| client.forget());
    let address = format!("{}{resource}", juliet.jid);
    let id = unique("p");
    sender.send(&format!("<presence to='{address}' id='{id}' {attributes}/>"));
    let mut got = Vec::new();
    for (name, client) in &mut recipients {
        tell(&mut sender, client);
        let copies: Vec<_> = client.drain().into_iter().filter(|e| e.is_answer("presence", &id)).collect();
        assert!(copies.len() <= 1, "once: {copies:?}");
        for copy in copies {
            client.check(copy.to() == address, "`to` is as the sender wrote it");
            got.push(*name);
        }
    }
    let errors: Vec<_> = sender.drain().into_iter().filter(|e| e.kind() == "error").collect();
    assert!(errors.is_empty(), "{errors:?}");
    got
}

#[test]
fn presence_to_a_bare_jid() {
    assert_eq!(presence_to("", ""), ["balcony", "below"]);
}

#[test]
fn unavailable_to_a_bare_jid() {
    assert_eq!(presence_to("", "type='unavailable'"), ["balcony", "below"]);
}

#[test]
fn presence_to_a_full_jid() {
    assert_eq!(presence_to("/balcony", ""), ["balcony"]);
    assert_eq!(presence_to("/below", "type='unavailable'"), ["below"]);
}

#[test]
fn presence_to_no_match() {
    assert_eq!(presence_to("/none", ""), [""; 0]);
    assert_eq!(presence_to("/none", "type='unavailable'"), [""; 0]);
}

#[test]
fn presence_to_nobody() {
    let [romeo, juliet] = users();
    let mut sender = Client::online(&romeo, "orchard");
    for attributes in ["", "type='unavailable'"] {
        sender.send(&format!("<presence to='{}' {attributes}/>", juliet.jid));
        sender.ping_account(&juliet.jid);
    }
    let answers = sender.drain();
    assert!(answers.is_empty(), "{answers:?}");
}

#[test]
fn presence_to_no_account() {
    let romeo = User::new();
    let mut sender = Client::interested(&romeo, "orchard");
    let nobody = romeo.jid.replace('@', "-nobody@");
    for kind in ["", "unavailable", "subscribed", "unsubscribe", "unsubscribed", "probe"] {
        let attribute = if kind.is_empty() { String::new() } else { format!("type='{kind}'") };
        for address in [nobody.clone(), format!("{nobody}/none")] {
            sender.send(&format!("<presence to='{address}' {attribute}/>"));
            sender.ping_account(&nobody);
            let answers = sender.drain();
            let is_allowed = |e: &Element| kind == "probe" && is_presence_of(e, &nobody, "unsubscribed");
            // An approval in advance changes the sender's own roster.
            let of_roster = |e: &Element| e.is("iq") && e.kind() == "set";
            let is_silent = answers.iter().all(|e| is_allowed(e) || of_roster(e));
            assert!(is_silent, "{kind:?} to {address}: {answers:?}");
        }
    }
}

#[test]
fn a_request_to_no_account() {
    let romeo = User::new();
    let mut sender = Client::interested(&romeo, "orchard");
    let nobody = romeo.jid.replace('@', "-nobody@");
    sender.send(&format!("<presence to='{nobody}' type='subscribe'/>"));
    sender.ping_account(&nobody);
    let stanzas: Vec<_> = sender.drain().into_iter().filter(|e| e.is("presence")).collect();
    let is_allowed = |e: &Element| is_presence_of(e, &nobody, "unsubscribed");
    assert!(stanzas.len() <= 1 && stanzas.iter().all(is_allowed), "{stanzas:?}");
}

/// An IQ request with a payload that no server knows.
fn request(id: &str, to: &str) -> String {
    format!("<iq type='get' id='{id}' to='{to}'><query xmlns='urn:conformance:unknown'/></iq>")
}

#[test]
fn an_iq_to_a_bare_jid() {
    let [romeo, juliet] = users();
    let mut sender = Client::online(&romeo, "orchard");
    let mut recipient = Client::online(&juliet, "balcony");
    for kind in ["get", "set"] {
        let answer = sender.ask("bare", &request("bare", &juliet.jid).replace("get", kind));
        assert_eq!(answer.condition(), "service-unavailable", "{}", answer.raw);
        assert_eq!((answer.from(), answer.to()), (&*juliet.jid, &*sender.jid));
    }
    tell(&mut sender, &mut recipient);
    let got: Vec<_> = recipient.drain().into_iter().filter(|e| e.is("iq")).collect();
    assert!(got.is_empty(), "never delivered: {got:?}");
}

#[test]
fn an_iq_to_no_account() {
    let romeo = User::new();
    let mut sender = Client::online(&romeo, "orchard");
    let nobody = romeo.jid.replace('@', "-nobody@");
    let payloads = [
        "<vCard xmlns='vcard-temp'/>",
        "<query xmlns='http://jabber.org/protocol/disco#info'/>",
        "<query xmlns='jabber:iq:last'/>",
        "<query xmlns='jabber:iq:roster'/>",
        "<ping xmlns='urn:xmpp:ping'/>",
        "<query xmlns='urn:conformance:unknown'/>",
    ];
    for (n, payload) in payloads.iter().enumerate() {
        for resource in ["", "/none"] {
            let id = format!("n{n}{resource}");
            let answer =
                sender.ask(&id, &format!("<iq type='get' id='{id}' to='{nobody}{resource}'>{payload}</iq>"));
            assert_eq!(answer.condition(), "service-unavailable", "{payload}: {}", answer.raw);
        }
    }
}

/// XEP-0030 §8: neither where there is no account nor where one may not see its resources.
#[test]
fn no_items_for_strangers() {
    let [romeo, juliet] = users();
    let mut asker = Client::online(&romeo, "orchard");
    let _online = Client::online(&juliet, "balcony");
    let nobody = romeo.jid.replace('@', "-nobody@");
    for (id, to) in [("known", &juliet.jid), ("unknown", &nobody)] {
        let ns = "http://jabber.org/protocol/disco#items";
        let answer = asker.ask(id, &format!("<iq type='get' id='{id}' to='{to}'><query xmlns='{ns}'/></iq>"));
        assert_eq!((answer.kind(), answer.from()), ("result", &**to), "{}", answer.raw);
        let query = answer.child("query", ns).expect("a list");
        assert!(query.children.is_empty(), "{}", answer.raw);
    }
}

/// Romeo's resource and Juliet's, who sees Romeo's presence and shows him hers.
fn friends() -> (Client, Client) {
    let [romeo, juliet] = users();
    let (mut r, mut j) = (Client::online(&romeo, "orchard"), Client::online(&juliet, "balcony"));
    for change in ["subscribe", "subscribed"] {
        r.send(&format!("<presence to='{}' type='{change}'/>", juliet.jid));
        settle(&mut r, &mut j);
        j.send(&format!("<presence to='{}' type='{change}'/>", romeo.jid));
        settle(&mut j, &mut r);
    }
    r.forget();
    j.forget();
    (r, j)
}

#[test]
fn an_iq_to_a_full_jid() {
    let (mut r, mut j) = friends();
    r.send(&request("full", &j.jid));
    let asked = j.expect("the request", |e| e.is_answer("iq", "full"));
    assert_eq!((asked.kind(), asked.from(), asked.to()), ("get", &*r.jid, &*j.jid));
    j.send(&format!("<iq type='result' id='full' to='{}'><answer xmlns='urn:a'/></iq>", r.jid));
    let answer = r.answer("full");
    assert!(answer.kind() == "result" && answer.from() == j.jid, "{}", answer.raw);
    assert!(answer.child("answer", "urn:a").is_some(), "{}", answer.raw);
}

#[test]
fn an_iq_from_a_stranger() {
    let [romeo, juliet] = users();
    let mut sender = Client::online(&romeo, "orchard");
    let mut recipient = Client::online(&juliet, "balcony");
    sender.send(&request("stranger", &recipient.jid));
    tell(&mut sender, &mut recipient);
    let got: Vec<_> = recipient.drain().into_iter().filter(|e| e.is("iq")).collect();
    assert!(got.is_empty(), "a stranger's request is not delivered: {got:?}");
    let answer = sender.answer("stranger");
    assert_eq!(answer.condition(), "service-unavailable", "{}", answer.raw);
}

#[test]
fn an_iq_to_no_match() {
    let [romeo, juliet] = users();
    let mut sender = Client::online(&romeo, "orchard");
    let _recipient = Client::online(&juliet, "balcony");
    for kind in ["get", "set"] {
        let answer = sender.ask("gone", &request("gone", &juliet.full("none")).replace("get", kind));
        assert_eq!(answer.condition(), "service-unavailable", "{}", answer.raw);
    }
}

#[test]
fn an_answer_to_no_match() {
    let [romeo, juliet] = users();
    let mut sender = Client::online(&romeo, "orchard");
    let mut recipient = Client::online(&juliet, "balcony");
    for (resource, kind) in [("none", "result"), ("none", "error")] {
        sender.send(&format!("<iq type='{kind}' id='answer' to='{}/{resource}'/>", juliet.jid));
    }
    sender.ping_account(&juliet.jid);
    tell(&mut sender, &mut recipient);
    assert!(recipient.drain().iter().all(|e| !e.is("iq")));
    let got = sender.drain();
    assert!(got.is_empty(), "{got:?}");
}

#[test]
fn a_message_to_the_domain() {
    let mut sender = Client::online(&User::new(), "orchard");
    let domain = &target().domain;
    sender.send(&format!("<message id='m' to='{domain}'><body>b</body></message>"));
    let got = sender.drain();
    let is_allowed =
        |e: &Element| e.is_answer("message", "m") && e.kind() == "error" && !e.condition().is_empty();
    assert!(got.len() <= 1 && got.iter().all(is_allowed), "{got:?}");
}
