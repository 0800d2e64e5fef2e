//! RFC 6120 §6: SASL, with PLAIN (RFC 4616) and SCRAM (RFC 5802, RFC 7677).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::client::Client;
use super::element::{Element, NS_STREAM};
use super::login::{NS_SASL, plain as plain_message};
use super::scram::{Hash, Scram};
use super::target::{User, users};

/// Names of the mechanisms that the server offers.
fn offered(features: &Element) -> Vec<String> {
    let mechanisms = features.child("mechanisms", NS_SASL).expect("mechanisms are offered");
    mechanisms.children.iter().map(|m| m.text.clone()).collect()
}

fn auth(mechanism: &str, message: &str) -> String {
    format!("<auth xmlns='{NS_SASL}' mechanism='{mechanism}'>{message}</auth>")
}

#[test]
fn mechanisms() {
    let offered = offered(&Client::connect().open());
    let place = |name: &str| offered.iter().position(|m| m == name);
    let (sha_1, sha_256) = (place("SCRAM-SHA-1"), place("SCRAM-SHA-256"));
    assert!(sha_1.is_some() && sha_256.is_some(), "{offered:?}");
    assert!(sha_256 < sha_1, "in order of preference: {offered:?}");
}

#[test]
fn plain() {
    let (_, features) = Client::authenticated(&User::new());
    assert!(features.child("bind", super::login::NS_BIND).is_some());
}

#[test]
fn scram_sha_1() {
    scram(Hash::Sha1);
}

#[test]
fn scram_sha_256() {
    scram(Hash::Sha256);
}

/// Logs in, checks the server's signature, and opens the new stream.
fn scram(hash: Hash) {
    let juliet = User::new();
    let mut client = Client::opened();
    let scram = Scram::new(hash, &juliet.name, &juliet.password);
    let challenge = client.challenge(&auth(hash.mechanism(), &STANDARD.encode(scram.first())));
    let (message, signature) = scram.last(&challenge, "biws");
    client.send(&format!("<response xmlns='{NS_SASL}'>{}</response>", STANDARD.encode(message)));
    let success = client.next();
    client.check(success.is_in("success", NS_SASL), "the login succeeds");
    let proof = String::from_utf8(STANDARD.decode(success.text.trim()).unwrap()).unwrap();
    assert_eq!(proof.split(',').next(), Some(&*format!("v={signature}")), "the server's proof");
    client.restart();
    client.open();
}

#[test]
fn iterations() {
    let juliet = User::new();
    let scram = Scram::new(Hash::Sha1, &juliet.name, &juliet.password);
    let challenge = Client::opened().challenge(&auth("SCRAM-SHA-1", &STANDARD.encode(scram.first())));
    let iterations: u32 = challenge.rsplit("i=").next().unwrap().parse().unwrap();
    assert!(iterations >= 4_096, "{challenge}");
}

#[test]
fn a_wrong_channel_binding() {
    let juliet = User::new();
    let mut client = Client::opened();
    let scram = Scram::new(Hash::Sha1, &juliet.name, &juliet.password);
    let challenge = client.challenge(&auth("SCRAM-SHA-1", &STANDARD.encode(scram.first())));
    // "y,," where "n,," was said before; the proof is right for it.
    let (message, _) = scram.last(&challenge, "eSws");
    client.send(&format!("<response xmlns='{NS_SASL}'>{}</response>", STANDARD.encode(message)));
    let answer = client.next();
    client.check(answer.is_in("failure", NS_SASL), "refused");
}

#[test]
fn an_unknown_mechanism() {
    let mut client = Client::opened();
    client.send(&auth("PIGEON", "="));
    client.expect_failure("invalid-mechanism");
}

#[test]
fn abort() {
    let juliet = User::new();
    let mut client = Client::opened();
    let scram = Scram::new(Hash::Sha1, &juliet.name, &juliet.password);
    client.challenge(&auth("SCRAM-SHA-1", &STANDARD.encode(scram.first())));
    client.send(&format!("<abort xmlns='{NS_SASL}'/>"));
    client.expect_failure("aborted");
    client.send(&plain_message("", &juliet.name, &juliet.password));
    client.expect_success();
}

#[test]
fn no_base64() {
    let mut client = Client::opened();
    client.send(&auth("PLAIN", "!!!"));
    client.expect_failure("incorrect-encoding");
}

#[test]
fn an_empty_message() {
    let mut client = Client::opened();
    client.send(&auth("PLAIN", "="));
    let answer = client.next();
    client.check(answer.is_in("failure", NS_SASL), "a failure");
    let wrong = answer.child("incorrect-encoding", NS_SASL).is_some();
    client.check(!wrong, "the encoding of an empty message is correct");
}

#[test]
fn a_malformed_message() {
    let mut client = Client::opened();
    client.send(&auth("PLAIN", &STANDARD.encode("no zero bytes")));
    client.expect_failure("malformed-request");
}

#[test]
fn another_ones_authzid() {
    let [romeo, juliet] = users();
    let mut client = Client::opened();
    client.send(&plain_message(&juliet.jid, &romeo.name, &romeo.password));
    client.expect_failure("invalid-authzid");
}

#[test]
fn ones_own_authzid() {
    let juliet = User::new();
    let mut client = Client::opened();
    client.send(&plain_message(&juliet.jid, &juliet.name, &juliet.password));
    client.expect_success();
}

#[test]
fn a_wrong_password() {
    let mut client = Client::opened();
    client.send(&plain_message("", &User::new().name, "wrong"));
    client.expect_failure("not-authorized");
}

#[test]
fn an_unknown_user_fails_like_a_wrong_password() {
    let mut client = Client::opened();
    client.send(&plain_message("", "nobody", "wrong"));
    client.expect_failure("not-authorized");
}

#[test]
fn an_unknown_user_gets_a_salt() {
    let known = User::new().name;
    let challenge = |name: &str| {
        let scram = Scram::new(Hash::Sha256, name, "wrong");
        let challenge = Client::opened().challenge(&auth("SCRAM-SHA-256", &STANDARD.encode(scram.first())));
        let (_, rest) = challenge.split_once(",s=").expect("a salt");
        let (salt, iterations) = rest.split_once(',').expect("a count");
        (salt.to_owned(), iterations.to_owned())
    };
    let (first, again, other) = (challenge("nobody-1"), challenge("nobody-1"), challenge("nobody-2"));
    assert_eq!(first, again, "an account that exists keeps its salt");
    assert_ne!(first.0, other.0, "and no other has it");
    let real = challenge(&known);
    assert_eq!((real.0.len(), real.1), (first.0.len(), first.1), "nothing tells which account exists");
}

#[test]
fn retries() {
    let name = User::new().name;
    let mut client = Client::opened();
    for tries in 1..=7 {
        client.send(&plain_message("", &name, "wrong"));
        let Some(answer) = client.next_or_end() else { client.fail("the stream ends with policy-violation") };
        if answer.is_in("error", NS_STREAM) {
            client.check(answer.raw.contains("policy-violation"), "the error policy-violation");
            client.check((3..=7).contains(&tries), "after two to five retries");
            return client.expect_end();
        }
        client.check(answer.is_in("failure", NS_SASL), "a failure");
    }
    client.fail("no end of retries");
}

impl Client {
    /// Begins SASL, and returns the text of the server's challenge.
    fn challenge(&mut self, auth: &str) -> String {
        self.send(auth);
        let challenge = self.next();
        self.check(challenge.is_in("challenge", NS_SASL), "a challenge");
        String::from_utf8(STANDARD.decode(challenge.text.trim()).unwrap()).unwrap()
    }
}
