//! XEP-0198: acknowledgements, and streams that are taken up again.

use super::client::{Client, tell};
use super::element::Element;
use super::login::header;
use super::target::{User, target, users};

const NS_SM: &str = "urn:xmpp:sm:3";
const NS_STANZAS: &str = super::element::NS_STANZAS;

impl Client {
    /// Enables stream management with resumption, and returns the id.
    fn enable(&mut self) -> String {
        self.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
        let enabled = self.expect("enabled", |e| e.is_in("enabled", NS_SM));
        self.check(matches!(enabled.attr("resume"), "true" | "1"), "it can be resumed");
        enabled.id().to_owned()
    }

    /// What the server has handled of this stream's stanzas.
    fn handled(&mut self) -> u32 {
        self.send("<r xmlns='urn:xmpp:sm:3'/>");
        self.expect("an acknowledgement", |e| e.is_in("a", NS_SM)).attr("h").parse().expect("a number")
    }

    /// Tries to take a stream up; the answer.
    fn resume(&mut self, id: &str, handled: u32) -> Element {
        self.send(&format!("<resume xmlns='urn:xmpp:sm:3' previd='{id}' h='{handled}'/>"));
        self.expect("an answer", |e| e.is_in("resumed", NS_SM) || e.is_in("failed", NS_SM))
    }
}

/// Romeo's resource, and Juliet's with its id for resumption.
fn pair() -> (Client, Client, String, User) {
    let [romeo, juliet] = users();
    let r = Client::online(&romeo, "orchard");
    let mut j = Client::bound(&juliet, "balcony");
    let id = j.enable();
    j.send("<presence/>");
    j.ping();
    (r, j, id, juliet)
}

fn is_failed(answer: &Element, condition: &str) {
    assert!(answer.is_in("failed", NS_SM) && answer.child(condition, NS_STANZAS).is_some(), "{}", answer.raw);
}

#[test]
fn enabling() {
    let (mut client, features) = Client::authenticated(&User::new());
    assert!(features.child("sm", NS_SM).is_some(), "{}", features.raw);
    client.bind(Some("balcony"));
    let first = client.enable();
    let mut other = Client::bound(&User::new(), "balcony");
    assert!(first.len() >= 8 && other.enable() != first, "an id that cannot be guessed: {first}");
}

#[test]
fn enabling_before_binding() {
    let (mut client, _) = Client::authenticated(&User::new());
    client.send("<enable xmlns='urn:xmpp:sm:3'/>");
    let answer = client.expect("a failure", |e| e.is_in("failed", NS_SM));
    is_failed(&answer, "unexpected-request");
}

#[test]
fn counting() {
    let mut client = Client::bound(&User::new(), "balcony");
    client.enable();
    assert_eq!(client.handled(), 0);
    client.send(" \n <presence/> \n");
    client.ping();
    assert_eq!(client.handled(), 2, "stanzas count, white space and nonzas do not");
    client.send("<message to='nobody@elsewhere.invalid'><body>b</body></message>");
    assert_eq!(client.handled(), 3);
}

#[test]
fn too_high_a_count() {
    let (_, mut j, _, _) = pair();
    j.send("<a xmlns='urn:xmpp:sm:3' h='4000'/>");
    let error = j.expect_stream_error_of(&["undefined-condition"]);
    assert!(error.child("handled-count-too-high", NS_SM).is_some(), "{}", error.raw);
}

#[test]
fn nothing_is_lost() {
    let (mut r, mut j, id, juliet) = pair();
    let message =
        |n: u32| format!("<message type='chat' id='n{n}' to='{}'><body>{n}</body></message>", juliet.jid);
    r.send(&(0..10).map(message).collect::<String>());
    j.expect("the tenth", |e| e.is_answer("message", "n9"));
    // Everything before the messages was handled, and of them the first five.
    let before = j.handled_before("n0");
    j.cut();
    r.send(&(10..20).map(message).collect::<String>());
    r.ping_account(&juliet.jid);
    let (mut again, _) = Client::authenticated(&juliet);
    let answer = again.resume(&id, before + 5);
    again.check(answer.is_in("resumed", NS_SM), "resumed");
    for n in 5..20 {
        let next = again.expect("the next message", |e| e.is("message"));
        assert_eq!(next.id(), format!("n{n}"));
    }
    again.jid = juliet.full("balcony");
    tell(&mut r, &mut again);
    assert!(again.drain().iter().all(|e| !e.is("message")), "none comes twice");
}

#[test]
fn nobody_sees_it() {
    let (mut r, mut j, id, juliet) = pair();
    // Directed presence: Romeo would be told of the end.
    j.send(&format!("<presence to='{}'/>", r.jid));
    tell(&mut j, &mut r);
    r.forget();
    let handled = j.handled_before("none");
    j.cut();
    let (mut again, _) = Client::authenticated(&juliet);
    let answer = again.resume(&id, handled);
    again.check(answer.is_in("resumed", NS_SM), "resumed");
    again.jid = juliet.full("balcony");
    tell(&mut again, &mut r);
    let told = r.drain();
    assert!(told.iter().all(|e| !e.is("presence")), "{told:?}");
}

#[test]
fn an_unknown_id() {
    let juliet = User::new();
    let (mut client, _) = Client::authenticated(&juliet);
    let answer = client.resume("never-heard-of", 0);
    is_failed(&answer, "item-not-found");
    let answer = client.bind(Some("balcony"));
    client.check(answer.kind() == "result", "the stream goes on");
}

#[test]
fn another_accounts_id() {
    let (_, j, id, _) = pair();
    j.cut();
    // Several: an account whose part of the server is another than Juliet's has no chance anyway.
    for thief in users::<12>() {
        let (mut thief, _) = Client::authenticated(&thief);
        let answer = thief.resume(&id, 0);
        is_failed(&answer, "item-not-found");
    }
}

#[test]
fn what_was_not_acknowledged() {
    let (mut r, mut j, _, juliet) = pair();
    r.send(&format!("<message type='chat' id='lost' to='{}'><body>b</body></message>", juliet.jid));
    j.expect("the message", |e| e.is_answer("message", "lost"));
    // The stream ends and was not resumed: what its client never acknowledged is for another resource, or waits.
    j.close();
    let mut later = Client::bound(&juliet, "garden");
    later.send("<presence/>");
    later.expect("the message again", |e| e.is_answer("message", "lost"));
}

#[test]
fn messages_that_waited_are_kept_until_they_are_acknowledged() {
    let [romeo, juliet] = users();
    let mut r = Client::online(&romeo, "orchard");
    r.send(&format!("<message type='chat' id='waits' to='{}'><body>b</body></message>", juliet.jid));
    r.ping_account(&juliet.jid);
    let mut j = Client::bound(&juliet, "balcony");
    let id = j.enable();
    j.send("<presence/>");
    j.expect("the message", |e| e.is_answer("message", "waits"));
    j.cut();
    let (mut again, _) = Client::authenticated(&juliet);
    let answer = again.resume(&id, 0);
    again.check(answer.is_in("resumed", NS_SM), "resumed");
    again.expect("the message again", |e| e.is_answer("message", "waits"));
}

impl Client {
    /// How many stanzas came on this stream since it enabled, before the one with this `id`.
    fn handled_before(&self, id: &str) -> u32 {
        let said = self.said_by_server();
        let since = said.iter().position(|line| line.starts_with("<enabled")).expect("it enabled");
        let stanza =
            |line: &&&str| ["<message", "<presence", "<iq"].iter().any(|name| line.starts_with(name));
        let ids = [format!("id='{id}'"), format!("id=\"{id}\"")];
        let before = said[since..].iter().take_while(|line| !ids.iter().any(|id| line.contains(id)));
        u32::try_from(before.filter(stanza).count()).unwrap()
    }
}

#[test]
fn resuming_needs_a_login() {
    let (_, j, id, juliet) = pair();
    j.cut();
    let mut client = Client::connect();
    client.send(&header(&target().domain));
    client.expect_header();
    client.expect_features();
    // Resumption needs a login: without, nothing of the account is told.
    client.send(&format!("<resume xmlns='urn:xmpp:sm:3' previd='{id}' h='0'/>"));
    let answer = client.next();
    let is_refused = answer.is_in("failed", NS_SM) || answer.is_in("error", super::element::NS_STREAM);
    client.check(is_refused, "refused");
    assert!(!answer.raw.contains(&juliet.name), "{}", answer.raw);
}
