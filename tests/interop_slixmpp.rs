//! slixmpp, a client library that nobody here wrote, talks through our router, and through Prosody and ejabberd.
//!
//! The play is `tests/support/slixmpp_talk.py`: it knows no server. That the two peers pass it as well is what makes
//! it a judge of ours.

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

fn talk_through(name: &str) {
    if let Some(peer) = Peer::start(name, 3) {
        talk(&peer.address.host, peer.address.port, &peer.address.domain);
    }
}

fn talk(host: &str, port: u16, domain: &str) {
    // CI keeps slixmpp in an environment of its own.
    let python = std::env::var_os("XB_PYTHON").unwrap_or_else(|| "python3".into());
    let output = Command::new(python)
        .arg(path("tests/support/slixmpp_talk.py"))
        .args([host, &port.to_string(), domain, "u000000:p0", "u000001:p1", "u000002:p2"])
        .output();
    let Ok(output) = output else { return skip("python3 is not installed") };
    let said = String::from_utf8_lossy(&output.stdout);
    match output.status.code() {
        Some(0) => assert!(said.lines().any(|line| line == "ok goodbye"), "it ended early:\n{said}"),
        Some(NOT_INSTALLED) => skip("slixmpp is not installed"),
        _ => panic!("{}\n{said}\n{}", output.status, String::from_utf8_lossy(&output.stderr)),
    }
}
