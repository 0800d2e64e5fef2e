//! Examples of RFC 6120 §§4, 8 and RFC 6121 §§2–5, 8, played on real streams: `plays/*.txt`.
//!
//! A line is a resource, who speaks, and a stanza: `juliet/balcony C: <presence/>` is said by the client, and what follows
//! `S:` must come to it. An expected stanza names what matters: attributes and children that it has not are not looked at,
//! and a value `*` is any. Behind `S=` none of its own children may come that is not named. `S: nothing behind
//! romeo/orchard` is that nothing comes, up to a message from there; `S: the end` is the end of stream and connection.
//! `@online`, `@interested` and `@bound` bring a resource; `@subscribed juliet romeo` lets the first see the second;
//! `@settle` waits until what two resources have caused at each other's has come, `@forget` drops what has come to one;
//! `@replace juliet/balcony` binds that resource once more, and `juliet/balcony(old)` is who had it.
//! A value `{ver}` is any and is kept, and is said again where the client says `{ver}`; `{2000}` is a text of 2,000 letters.
//! The RFC's addresses become accounts of the server. `----` ends a play.

use std::collections::BTreeMap;

use super::client::{Client, settle, tell};
use super::element::{Element, NS_STREAM, Reader, Unit};
use super::target::{User, target};

/// Domains of the RFCs' accounts; the longer ones first, which end like others.
const DOMAINS: [&str; 5] =
    ["im.example.com", "muc.example.com", "shakespeare.example.com", "example.com", "example.net"];

#[test]
fn streams() {
    play(include_str!("plays/streams.txt"));
}

#[test]
fn stanzas() {
    play(include_str!("plays/stanzas.txt"));
}

#[test]
fn rosters() {
    play(include_str!("plays/rosters.txt"));
}

#[test]
fn subscriptions() {
    play(include_str!("plays/subscriptions.txt"));
}

#[test]
fn presence() {
    play(include_str!("plays/presence.txt"));
}

#[test]
fn messages() {
    play(include_str!("plays/messages.txt"));
}

fn play(text: &str) {
    for play in text.split("----\n") {
        let mut stage = Stage::default();
        for line in play.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
            stage.perform(line);
        }
    }
}

#[derive(Default)]
struct Stage {
    users: BTreeMap<String, User>,
    clients: BTreeMap<String, Client>,
    /// What the server chose, by the name that the play gives it.
    kept: BTreeMap<String, String>,
}

impl Stage {
    fn user(&mut self, name: &str) -> User {
        self.users.entry(name.to_owned()).or_insert_with(User::new).clone()
    }

    fn perform(&mut self, line: &str) {
        if let Some(directive) = line.strip_prefix('@') {
            return self.prepare(directive);
        }
        let mut words = line.splitn(3, ' ');
        let (who, speaker) = (words.next().unwrap(), words.next().unwrap());
        let text = self.localised(words.next().unwrap());
        if let Some(other) = text.strip_prefix("nothing behind ") {
            return self.expect_nothing(who, other);
        }
        let client = self.clients.get_mut(who).unwrap_or_else(|| panic!("who is {who}? {line}"));
        if speaker == "C:" {
            return client.send(&text);
        }
        if text == "the end" {
            return client.expect_end();
        }
        assert!(["S:", "S="].contains(&speaker), "{line}");
        let (wanted, is_exact) = (parse(&text), speaker == "S=");
        let came = client.expect(&text, |element| is_like(element, &wanted, is_exact));
        self.keep(&came, &wanted);
    }

    fn keep(&mut self, came: &Element, wanted: &Element) {
        for (ns, name, value) in wanted.attrs() {
            if let Some(kept) = kept_name(value) {
                self.kept.insert(kept.to_owned(), came.attr_in(name, ns).to_owned());
            }
        }
        for child in &wanted.children {
            let like = came.children.iter().find(|other| is_like(other, child, false));
            self.keep(like.expect("it was found before"), child);
        }
    }

    fn expect_nothing(&mut self, who: &str, other: &str) {
        let mut from = self.clients.remove(other).unwrap();
        let client = self.clients.get_mut(who).unwrap();
        tell(&mut from, client);
        let came = client.drain();
        assert!(came.is_empty(), "{who}: {came:?}");
        self.clients.insert(other.to_owned(), from);
    }

    fn prepare(&mut self, directive: &str) {
        let words: Vec<_> = directive.split(' ').collect();
        match words[..] {
            ["online" | "interested" | "bound", who] => {
                let (name, resource) = who.split_once('/').unwrap();
                let user = self.user(name);
                let come = match words[0] {
                    "online" => Client::online,
                    "interested" => Client::interested,
                    _ => Client::bound,
                };
                self.clients.insert(who.to_owned(), come(&user, resource));
            }
            ["subscribed", who, whom] => {
                let (a, b) = (self.user(who), self.user(whom));
                let (mut from, mut to) = (Client::online(&a, "pact"), Client::online(&b, "pact"));
                from.send(&format!("<presence to='{}' type='subscribe'/>", b.jid));
                settle(&mut from, &mut to);
                to.send(&format!("<presence to='{}' type='subscribed'/>", a.jid));
                settle(&mut to, &mut from);
                from.close();
                to.close();
            }
            ["settle", one, other] => {
                let mut from = self.clients.remove(one).unwrap();
                settle(&mut from, self.clients.get_mut(other).unwrap());
                self.clients.insert(one.to_owned(), from);
            }
            ["forget", who] => self.clients.get_mut(who).unwrap().forget(),
            ["replace", who] => {
                let (name, resource) = who.split_once('/').unwrap();
                let newer = Client::bound(&self.user(name), resource);
                let older = self.clients.insert(who.to_owned(), newer).unwrap();
                self.clients.insert(format!("{who}(old)"), older);
            }
            ["leave", who] => drop(self.clients.remove(who).unwrap().close()),
            _ => panic!("@{directive}"),
        }
    }

    /// The accounts' addresses for the RFC's.
    fn localised(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, user) in &self.users {
            for domain in DOMAINS {
                text = text.replace(&format!("{name}@{domain}"), &user.jid);
            }
        }
        for (name, value) in &self.kept {
            text = text.replace(&format!("{{{name}}}"), value);
        }
        for long in [2_000, 300_000] {
            text = text.replace(&format!("{{{long}}}"), &"x".repeat(long));
        }
        let domain = &target().domain;
        text.replace("im.example.com", domain).replace("example.com", domain).replace("example.net", domain)
    }
}

/// A stanza of a play.
fn parse(text: &str) -> Element {
    let mut reader = Reader::new();
    reader.push(format!("<stream:stream xmlns:stream='{NS_STREAM}' xmlns='jabber:client'>{text}").as_bytes());
    loop {
        match reader.next().unwrap_or_else(|e| panic!("{e}: {text}")) {
            Some(Unit::Element(element)) => return element,
            Some(Unit::Open(_)) => {}
            other => panic!("{other:?}: {text}"),
        }
    }
}

/// The name of a value that is kept.
fn kept_name(value: &str) -> Option<&str> {
    value.strip_prefix('{')?.strip_suffix('}')
}

/// Children that count where they are to be the same: a server may add content of other namespaces to what it routes, and
/// a request or an answer has one child or none (RFC 6120 §8.2.3).
fn counted(element: &Element) -> usize {
    element.children.iter().filter(|child| element.name == "iq" || child.ns == element.ns).count()
}

/// Whether `element` has all that is wanted, and no child more if `is_exact`. A wanted `type` that is missing must be
/// missing.
fn is_like(element: &Element, wanted: &Element, is_exact: bool) -> bool {
    element.is_in(&wanted.name, &wanted.ns)
        && (wanted.has_attr("type") || wanted.name == "error" || !element.has_attr("type"))
        && wanted.attrs().all(|(ns, name, value)| match value {
            value if value == "*" || kept_name(value).is_some() => !element.attr_in(name, ns).is_empty(),
            value => element.attr_in(name, ns) == value,
        })
        && (wanted.text.trim().is_empty() || wanted.text.trim() == element.text.trim())
        && (!is_exact || counted(element) == counted(wanted))
        && wanted
            .children
            .iter()
            .all(|child| element.children.iter().any(|other| is_like(other, child, is_exact)))
}
