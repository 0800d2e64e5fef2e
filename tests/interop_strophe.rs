//! libstrophe, the C library behind profanity, talks through our router and resumes its stream.
//!
//! The play is `tests/support/strophe_talk.c`: it knows no server. It is compiled here.

mod support;

use std::process::Command;

use support::router::Router;
use support::{path, skip};

#[test]
fn libstrophe_talks_through_our_router() {
    let header = Command::new("cc")
        .args(["-E", "-include", "strophe.h", "-x", "c", "/dev/null", "-o", "/dev/null"])
        .output();
    match header {
        Err(_) => return skip("no C compiler is installed"),
        Ok(output) if !output.status.success() => return skip("libstrophe is not installed"),
        Ok(_) => {}
    }
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let play = folder.path().join("strophe_talk");
    // The way to a connection's socket is deprecated in favour of one that older versions do not have.
    let built = Command::new("cc")
        .args(["-Wall", "-Wextra", "-Werror", "-Wno-deprecated-declarations", "-o"])
        .arg(&play)
        .arg(path("tests/support/strophe_talk.c"))
        .arg("-lstrophe")
        .output()
        .expect("it was there a moment ago");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let router = Router::start(2);
    let jid = |n: u32| format!("u{n:06}@{}", router.domain);
    let output = Command::new(&play)
        .args([&router.address.ip().to_string(), &router.address.port().to_string()])
        .args([&jid(0), "p0", &jid(1), "p1"])
        .output()
        .expect("the play can be started");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}\n{said}", output.status);
    for step in ["login", "roster", "subscription", "chat", "what waits", "resumption", "goodbye"] {
        assert!(said.lines().any(|line| line == format!("ok {step}")), "no {step}:\n{said}");
    }
}
