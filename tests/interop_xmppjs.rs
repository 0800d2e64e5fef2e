//! @xmpp/client, a client library for Node.js that nobody here wrote, talks through our router and resumes its stream.
//!
//! The play is `tests/support/xmppjs_talk.mjs`: it knows no server.

mod support;

use std::process::Command;

use support::router::Router;
use support::{path, skip};

/// Exit code of the script for "the library is not installed".
const NOT_INSTALLED: i32 = 69;

#[test]
fn xmppjs_talks_through_our_router() {
    let router = Router::start(2);
    // CI keeps the library beside its other tools.
    let modules = std::env::var_os("XB_NODE_MODULES").unwrap_or_else(|| path("target/ci/node").into());
    let output = Command::new("node")
        .arg(path("tests/support/xmppjs_talk.mjs"))
        .args([&router.address.ip().to_string(), &router.address.port().to_string(), router.domain])
        .args(["u000000:p0", "u000001:p1"])
        .env("XB_NODE_MODULES", modules)
        .output();
    let Ok(output) = output else { return skip("node is not installed") };
    let said = String::from_utf8_lossy(&output.stdout);
    match output.status.code() {
        Some(0) => {
            for step in ["ok what waits", "ok resumption", "ok goodbye"] {
                assert!(said.lines().any(|line| line == step), "no {step}:\n{said}");
            }
        }
        Some(NOT_INSTALLED) => skip("@xmpp/client is not installed"),
        _ => panic!("{}\n{said}\n{}", output.status, String::from_utf8_lossy(&output.stderr)),
    }
}
