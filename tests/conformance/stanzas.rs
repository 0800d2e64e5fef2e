//! RFC 6120 §8: addresses, requests, errors, content and language of stanzas.

use super::client::{Client, settle};
use super::element::Element;
use super::target::{User, target, users};

const NS_XML: &str = "http://www.w3.org/XML/1998/namespace";

/// Romeo's resource and Juliet's.
fn pair() -> (Client, Client) {
    let [romeo, juliet] = users();
    (Client::online(&romeo, "orchard"), Client::online(&juliet, "balcony"))
}

/// Sends a message with these attributes and this content, and returns the copy that arrives.
fn copied(attributes: &str, content: &str) -> (Element, Client) {
    let (mut r, mut j) = pair();
    let attributes = attributes.replace("ROMEO", &r.jid).replace("BARE", r.jid.split('/').next().unwrap());
    r.send(&format!("<message id='m' to='{}' {attributes}>{content}</message>", j.jid));
    (j.expect("the message", |e| e.is_answer("message", "m")), r)
}

#[test]
fn no_from() {
    let (copy, sender) = copied("", "<body>b</body>");
    assert_eq!(copy.from(), sender.jid);
}

#[test]
fn no_from_of_a_subscription() {
    let [romeo, juliet] = users();
    let (mut r, mut j) = (Client::interested(&romeo, "orchard"), Client::interested(&juliet, "balcony"));
    for kind in ["subscribe", "unsubscribe"] {
        r.send(&format!("<presence type='{kind}' to='{}'/>", juliet.jid));
        let got = j.expect(kind, |e| e.is("presence") && e.kind() == kind);
        assert_eq!(got.from(), romeo.jid);
        settle(&mut j, &mut r);
    }
}

#[test]
fn ones_own_bare_from() {
    let (copy, sender) = copied("from='BARE'", "<body>b</body>");
    assert_eq!(copy.from(), sender.jid);
}

#[test]
fn ones_own_full_from() {
    // The client's parser would refuse a second `from`.
    let (copy, sender) = copied("from='ROMEO'", "<body>b</body>");
    assert_eq!(copy.from(), sender.jid);
}

#[test]
fn another_ones_from() {
    for stanza in ["<message to='TO' from='FROM'><body>b</body></message>", "<presence from='FROM'/>"] {
        let (mut r, j) = pair();
        r.send(&stanza.replace("FROM", &j.jid).replace("TO", &j.jid));
        r.expect_stream_error("invalid-from");
    }
}

#[test]
fn another_resources_from() {
    let romeo = User::new();
    let mut client = Client::online(&romeo, "orchard");
    let other = Client::online(&romeo, "cellar");
    client.send(&format!("<message to='{}' from='{}'><body>b</body></message>", other.jid, other.jid));
    client.expect_stream_error("invalid-from");
}

#[test]
fn a_message_without_to() {
    let mut client = Client::online(&User::new(), "orchard");
    client.send("<message id='self'><body>b</body></message>");
    let copy = client.expect("the message", |e| e.is_answer("message", "self"));
    assert_eq!((copy.kind(), copy.from()), ("", &*client.jid), "{}", copy.raw);
}

#[test]
fn an_iq_without_to() {
    let romeo = User::new();
    let mut client = Client::online(&romeo, "orchard");
    client.roster();
    let answer = client.ask("own", "<iq type='get' id='own'><query xmlns='urn:conformance:unknown'/></iq>");
    assert_eq!(answer.condition(), "service-unavailable", "{}", answer.raw);
    assert!(!answer.has_attr("from") || answer.from() == romeo.jid, "{}", answer.raw);
}

/// Asks the server, and returns the payload of its result.
fn ask_server(payload: &str) -> Element {
    let mut client = Client::online(&User::new(), "orchard");
    let domain = &target().domain;
    let answer = client.ask("q", &format!("<iq type='get' id='q' to='{domain}'>{payload}</iq>"));
    assert_eq!(
        (answer.kind(), answer.from(), answer.to()),
        ("result", &**domain, &*client.jid),
        "{}",
        answer.raw
    );
    answer.children.into_iter().next().unwrap_or_default()
}

#[test]
fn the_server_answers() {
    ask_server("<ping xmlns='urn:xmpp:ping'/>");
    let info = ask_server("<query xmlns='http://jabber.org/protocol/disco#info'/>");
    let is_server = info.children.iter().any(|c| c.name == "identity" && c.attr("category") == "server");
    let has_discovery =
        info.children.iter().any(|c| c.attr("var") == "http://jabber.org/protocol/disco#info");
    assert!(is_server && has_discovery, "{info:?}");
    ask_server("<query xmlns='http://jabber.org/protocol/disco#items'/>");
    let version = ask_server("<query xmlns='jabber:iq:version'/>");
    assert!(
        !version.child_text("name").is_empty() && !version.child_text("version").is_empty(),
        "{version:?}"
    );
}

#[test]
fn an_unknown_request() {
    let mut client = Client::online(&User::new(), "orchard");
    let domain = &target().domain;
    for kind in ["get", "set"] {
        let answer = client
            .ask("u", &format!("<iq type='{kind}' id='u' to='{domain}'><query xmlns='urn:unknown'/></iq>"));
        assert_eq!(
            (answer.condition(), answer.error_type()),
            ("service-unavailable", "cancel"),
            "{}",
            answer.raw
        );
    }
}

/// A stanza that is answered with `bad-request`, to the server and to another client.
fn is_bad_request(iq: &str) {
    let (mut r, j) = pair();
    for to in [&*target().domain, &*j.jid] {
        r.send(&iq.replace("TO", to));
        let answer = r.expect("an error", |e| e.is("iq") && e.kind() == "error");
        assert_eq!(
            (answer.condition(), answer.error_type()),
            ("bad-request", "modify"),
            "{iq}: {}",
            answer.raw
        );
    }
}

#[test]
fn an_iq_without_id() {
    is_bad_request("<iq type='get' to='TO'><ping xmlns='urn:xmpp:ping'/></iq>");
}

#[test]
fn an_iq_of_no_type() {
    is_bad_request("<iq id='i' to='TO'><ping xmlns='urn:xmpp:ping'/></iq>");
    is_bad_request("<iq id='i' type='subscribe' to='TO'><ping xmlns='urn:xmpp:ping'/></iq>");
}

#[test]
fn an_iq_with_no_child_or_two() {
    is_bad_request("<iq id='i' type='get' to='TO'/>");
    is_bad_request(
        "<iq id='i' type='set' to='TO'><ping xmlns='urn:xmpp:ping'/><ping xmlns='urn:xmpp:ping'/></iq>",
    );
}

#[test]
fn an_iq_is_answered_once() {
    let mut client = Client::online(&User::new(), "orchard");
    let domain = &target().domain;
    let ask = |id: &str| format!("<iq type='get' id='{id}' to='{domain}'><ping xmlns='urn:xmpp:ping'/></iq>");
    // The same id again is another request.
    client.send(&(ask("a&amp;'\"b".replace('\'', "&apos;").as_str()) + &ask("same") + &ask("same")));
    let answers = client.drain();
    let count = |id: &str| answers.iter().filter(|e| e.is_answer("iq", id)).count();
    assert_eq!((count("a&'\"b"), count("same"), answers.len()), (1, 2, 3), "{answers:?}");
    assert!(answers.iter().all(|e| e.from() == domain && e.to() == client.jid), "{answers:?}");
}

#[test]
fn answers_are_not_answered() {
    let (mut r, j) = pair();
    let bare = j.jid.split('/').next().unwrap().to_owned();
    for to in [&*target().domain, &*bare, "someone@elsewhere.invalid"] {
        for kind in ["result", "error"] {
            r.send(&format!("<iq type='{kind}' id='unasked' to='{to}'/>"));
        }
    }
    r.ping_account(&bare);
    let got = r.drain();
    assert!(got.is_empty(), "{got:?}");
}

const ERROR: &str =
    "<error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";

#[test]
fn an_error_is_not_answered() {
    let (mut r, j) = pair();
    let bare = j.jid.split('/').next().unwrap().to_owned();
    let nobody = bare.replace('@', "-nobody@");
    for to in [&*nobody, &format!("{nobody}/none"), &bare, "someone@elsewhere.invalid", "@", &target().domain]
    {
        for name in ["message", "presence", "iq"] {
            r.send(&format!("<{name} type='error' id='e' to='{to}'>{ERROR}</{name}>"));
        }
    }
    r.ping_account(&nobody);
    r.ping_account(&bare);
    let got = r.drain();
    assert!(got.is_empty(), "{got:?}");
}

#[test]
fn the_form_of_an_error() {
    let (mut r, j) = pair();
    let none = format!("{}/none", j.jid.split('/').next().unwrap());
    let answer =
        r.ask("form", &format!("<iq type='get' id='form' to='{none}'><query xmlns='urn:unknown'/></iq>"));
    assert_eq!((answer.from(), answer.to(), answer.kind()), (&*none, &*r.jid, "error"), "{}", answer.raw);
    let error = answer.child("error", "jabber:client").expect("an error");
    let defined =
        error.children.iter().filter(|c| c.ns == super::element::NS_STANZAS && c.name != "text").count();
    assert_eq!((error.attr("type"), defined), ("cancel", 1), "{}", answer.raw);
}

#[test]
fn content_is_routed_as_it_came() {
    let content = "<body>a &lt; b &amp; c &#x1F339;</body>\
                   <p:x xmlns:p='urn:p' xmlns:q='urn:q' p:one='1' q:one='2' one='&quot;3&quot;'><q:y/><z xmlns=''/></p:x>\
                   <x xmlns='jabber:x:data' type='form'><field var='&apos;'><value> kept </value></field></x>";
    let (copy, _) = copied("p:own='4' xmlns:p='urn:p'", content);
    assert_eq!(copy.child_text("body"), "a < b & c \u{1F339}");
    assert_eq!(copy.attr_in("own", "urn:p"), "4", "{}", copy.raw);
    let x = copy.child("x", "urn:p").expect("a prefixed child");
    let ones = (x.attr_in("one", "urn:p"), x.attr_in("one", "urn:q"), x.attr("one"));
    assert_eq!(ones, ("1", "2", "\"3\""), "{}", copy.raw);
    assert!(x.child("y", "urn:q").is_some() && x.child("z", "").is_some(), "{}", copy.raw);
    let field = copy.child("x", "jabber:x:data").and_then(|x| x.child("field", "jabber:x:data"));
    let field = field.expect("a field");
    assert_eq!((field.attr("var"), field.child_text("value")), ("'", " kept "), "{}", copy.raw);
}

#[test]
fn a_message_to_another_domain() {
    let mut client = Client::online(&User::new(), "orchard");
    client.send("<message id='far' to='someone@elsewhere.invalid'><body>b</body></message>");
    let answer = client.expect("an error", |e| e.is_answer("message", "far"));
    assert_eq!(
        (answer.condition(), answer.error_type()),
        ("remote-server-not-found", "cancel"),
        "{}",
        answer.raw
    );
}

#[test]
fn an_iq_to_another_domain() {
    let mut client = Client::online(&User::new(), "orchard");
    let to = "elsewhere.invalid";
    client.send(&format!(
        "<iq type='result' id='no' to='{to}'/><iq type='error' id='no' to='{to}'>{ERROR}</iq>"
    ));
    let answer =
        client.ask("far", &format!("<iq type='get' id='far' to='{to}'><ping xmlns='urn:xmpp:ping'/></iq>"));
    assert_eq!(answer.condition(), "remote-server-not-found", "{}", answer.raw);
    let got = client.drain();
    assert!(got.is_empty(), "{got:?}");
}

#[test]
fn the_streams_language() {
    let (copy, _) = copied("", "<body>b</body>");
    assert_eq!(copy.attr_in("lang", NS_XML), "en", "{}", copy.raw);
}

#[test]
fn a_stanzas_own_language() {
    let (copy, _) = copied("xml:lang='cs'", "<body xml:lang='de'>b</body>");
    assert_eq!(copy.attr_in("lang", NS_XML), "cs", "{}", copy.raw);
    assert_eq!(copy.child("body", "jabber:client").unwrap().attr_in("lang", NS_XML), "de", "{}", copy.raw);
}

#[test]
fn the_server_tells_the_time() {
    let time = ask_server("<time xmlns='urn:xmpp:time'/>");
    assert!(time.child_text("utc").ends_with('Z') && !time.child_text("tzo").is_empty(), "{time:?}");
    let last = ask_server("<query xmlns='jabber:iq:last'/>");
    assert!(last.attr("seconds").parse::<u64>().is_ok(), "{last:?}");
}

#[test]
fn an_iq_to_ones_own_account() {
    let romeo = User::new();
    let mut client = Client::online(&romeo, "orchard");
    let get = format!("<iq type='get' id='own' to='{}'><query xmlns='jabber:iq:roster'/></iq>", romeo.jid);
    let answer = client.ask("own", &get);
    assert!(
        answer.kind() == "result" && answer.child("query", "jabber:iq:roster").is_some(),
        "{}",
        answer.raw
    );
    assert!(!answer.has_attr("from") || answer.from() == romeo.jid, "{}", answer.raw);
}
