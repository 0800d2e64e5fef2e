//! RFC 7622, and RFC 6122 where peers still follow it: addresses as they are written and as they are compared.

use super::client::{Client, tell, unique};
use super::element::Element;
use super::target::{User, target, users};

/// What a message to this address comes back with; `None`: it arrives at Juliet's resource `balcony`.
fn sent_to(juliet: &User, address: &str) -> Option<Element> {
    let mut sender = Client::online(&User::new(), "orchard");
    let mut recipient = Client::online(juliet, "balcony");
    let id = unique("m");
    sender.send(&format!("<message id='{id}' type='chat' to='{address}'><body>b</body></message>"));
    sender.ping_account(&juliet.jid);
    tell(&mut sender, &mut recipient);
    let is_it = |e: &Element| e.is_answer("message", &id);
    let arrived = recipient.drain().into_iter().filter(is_it).count();
    let answers: Vec<_> = sender.drain().into_iter().filter(is_it).collect();
    assert_eq!(arrived + answers.len(), 1, "it arrives once, or comes back: {address}: {answers:?}");
    answers.into_iter().next()
}

fn arrives(juliet: &User, address: &str) {
    let answer = sent_to(juliet, address);
    assert!(answer.is_none(), "{address}: {answer:?}");
}

fn is_malformed(address: &str) {
    let answer = sent_to(&User::new(), address).expect("it comes back");
    assert_eq!(
        (answer.condition(), answer.error_type()),
        ("jid-malformed", "modify"),
        "{address}: {}",
        answer.raw
    );
}

#[test]
fn empty_parts() {
    let domain = &target().domain;
    for address in
        [format!("@{domain}"), format!("juliet@{domain}/"), format!("{domain}/"), "juliet@".to_owned()]
    {
        is_malformed(&address);
    }
}

#[test]
fn the_first_slash() {
    let [romeo, juliet] = users();
    let mut recipient = Client::online(&juliet, "a@b/c@d");
    assert_eq!(recipient.jid, juliet.full("a@b/c@d"));
    let mut sender = Client::online(&romeo, "orchard");
    tell(&mut sender, &mut recipient);
}

#[test]
fn too_long_a_part() {
    let domain = &target().domain;
    let long = "x".repeat(1_024);
    is_malformed(&format!("{long}@{domain}"));
    is_malformed(&format!("juliet@{domain}/{long}"));
    let [romeo, juliet] = users();
    let mut recipient = Client::online(&juliet, &long[1..]);
    tell(&mut Client::online(&romeo, "orchard"), &mut recipient);
}

#[test]
fn localparts_have_no_case() {
    let juliet = User::new();
    let (local, domain) = juliet.jid.split_once('@').unwrap();
    arrives(&juliet, &format!("{}@{domain}", local.to_uppercase()));
}

#[test]
fn forbidden_characters() {
    let domain = &target().domain;
    for local in ["a b", "a&amp;b", "a&quot;b", "a&apos;b", "a:b", "a&lt;b", "a&gt;b"] {
        is_malformed(&format!("{local}@{domain}"));
    }
}

#[test]
fn domains_have_no_case() {
    let juliet = User::new();
    let (local, domain) = juliet.jid.split_once('@').unwrap();
    arrives(&juliet, &format!("{local}@{}/balcony", domain.to_uppercase()));
}

#[test]
fn a_trailing_dot() {
    let juliet = User::new();
    arrives(&juliet, &format!("{}.", juliet.jid));
}

#[test]
fn resources_have_case() {
    let [romeo, juliet] = users();
    let mut sender = Client::online(&romeo, "orchard");
    let mut lower = Client::online(&juliet, "balcony");
    let mut upper = Client::online(&juliet, "Balcony");
    tell(&mut sender, &mut lower);
    tell(&mut sender, &mut upper);
    lower.ping();
}

#[test]
fn mapping_beyond_ascii() {
    // Fullwidth letters: nodeprep and UsernameCaseMapped map both to their ordinary forms.
    let juliet = User::new();
    let (local, domain) = juliet.jid.split_once('@').unwrap();
    let wide: String = local.chars().map(|c| char::from_u32(c as u32 + 0xFEE0).unwrap()).collect();
    arrives(&juliet, &format!("{wide}@{domain}"));
}
