//! slixmpp, a client library that nobody here wrote, talks through our router, and through Prosody and ejabberd.
//!
//! The plays are `tests/support/slixmpp_talk.py` and `slixmpp_resume.py` (XEP-0198): they know no server. That the two
//! peers pass them as well is what makes them judges of ours. `slixmpp_accounts.py` has the library's own idea of
//! registration and administration.

mod support;

use std::process::Command;

use support::peer::Peer;
use support::router::Router;
use support::{path, skip};

/// Exit code of the script for "slixmpp is not installed".
const NOT_INSTALLED: i32 = 69;

#[test]
fn slixmpp_talks_through_our_router() {
    let router = Router::start(3);
    talk(&router.address.ip().to_string(), router.address.port(), router.domain);
}

#[test]
fn slixmpp_talks_through_prosody() {
    talk_through("prosody");
}

#[test]
fn slixmpp_talks_through_ejabberd() {
    talk_through("ejabberd");
}

#[test]
fn slixmpp_resumes_its_stream_on_our_router() {
    let router = Router::start(2);
    resume(&router.address.ip().to_string(), router.address.port(), router.domain);
}

#[test]
fn slixmpp_resumes_its_stream_on_prosody() {
    resume_on("prosody");
}

#[test]
fn slixmpp_resumes_its_stream_on_ejabberd() {
    resume_on("ejabberd");
}

/// Accounts made and removed by a client library that knows XEP-0077, XEP-0050 and XEP-0133.
#[test]
fn slixmpp_registers_and_administrates() {
    let router = Router::for_test_suites();
    let address = router.address;
    play("slixmpp_accounts.py", &address.ip().to_string(), address.port(), router.domain, &["admin:admin"]);
}

fn talk_through(name: &str) {
    if let Some(peer) = Peer::start(name, 3) {
        talk(&peer.address.host, peer.address.port, &peer.address.domain);
    }
}

fn resume_on(name: &str) {
    if let Some(peer) = Peer::start(name, 2) {
        resume(&peer.address.host, peer.address.port, &peer.address.domain);
    }
}

fn talk(host: &str, port: u16, domain: &str) {
    play("slixmpp_talk.py", host, port, domain, &["u000000:p0", "u000001:p1", "u000002:p2"]);
}

fn resume(host: &str, port: u16, domain: &str) {
    play("slixmpp_resume.py", host, port, domain, &["u000000:p0", "u000001:p1"]);
}

fn play(script: &str, host: &str, port: u16, domain: &str, accounts: &[&str]) {
    // CI keeps slixmpp in an environment of its own.
    let python = std::env::var_os("XB_PYTHON").unwrap_or_else(|| "python3".into());
    let output = Command::new(python)
        .arg(path(&format!("tests/support/{script}")))
        .args([host, &port.to_string(), domain])
        .args(accounts)
        .output();
    let Ok(output) = output else { return skip("python3 is not installed") };
    let said = String::from_utf8_lossy(&output.stdout);
    match output.status.code() {
        Some(0) => assert!(said.lines().any(|line| line == "ok goodbye"), "it ended early:\n{said}"),
        Some(NOT_INSTALLED) => skip("slixmpp is not installed"),
        _ => panic!("{}\n{said}\n{}", output.status, String::from_utf8_lossy(&output.stderr)),
    }
}
