//! The harness prepares servers over XMPP: accounts and the roster graph on Prosody and ejabberd, which nobody here wrote, and
//! on our router; made from nothing, again, from a half, and removed.
//!
//! No latency is judged. What decides here is what the servers say: rosters as the run's own check reads them.

mod support;

use std::path::Path;
use std::process::Output;

use serde_json::Value;
use support::peer::Peer;
use support::router::Router;
use support::{path, xmpp_bench};

/// Users of `tests/support/rosters.toml`, and ends of the edges between them.
const USERS: u64 = 20;
const ENDS: u64 = 80;

#[test]
fn prosody_is_set_up_and_torn_down() {
    play("prosody");
}

#[test]
fn ejabberd_is_set_up_and_torn_down() {
    play("ejabberd");
}

#[test]
fn our_router_is_set_up_and_torn_down() {
    let router = Router::for_test_suites();
    prepare_twice("our router", &format!("xmpp+plain://{}", router.address));
}

fn play(name: &str) {
    if let Some(peer) = Peer::start(name, 0) {
        prepare_twice(name, &peer.address.target);
    }
}

fn prepare_twice(name: &str, target: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");

    // From nothing: a run that needs both, and its result.
    let out = folder.path().join("first");
    let summary = run(target, &out);
    let counts = |words: [&str; 4]| words.map(|word| summary["other"][word].as_u64().unwrap_or(0));
    let made = counts(["registered", "rosters_made", "subscriptions_asked", "subscriptions_approved"]);
    assert_eq!(made, [USERS, USERS, ENDS, ENDS], "{name}: {}", summary["other"]);

    // Again: nothing is left to do.
    let again = run(target, &folder.path().join("again"));
    assert_eq!(again["other"]["registered_before"], USERS, "{name}: {}", again["other"]);
    assert_eq!(again["other"]["rosters_right_before"], USERS, "{name}: {}", again["other"]);
    assert_eq!(again["other"]["rosters_made"], Value::Null, "{name}");

    // From a half: the nearer neighbours of everybody are gone.
    let half = ["--teardown", "--set", "users.create=existing", "--set", "users.roster.contacts=2"];
    let said = prepare(target, &half, 0);
    assert!(said.starts_with("removed 40 contacts from 20 rosters\n"), "{name}: {said}");
    let said = prepare(target, &["--setup-only"], 0);
    let made = "rosters: 20 made (40 subscriptions asked, 40 approved), 0 were right before";
    assert!(said.contains(made), "{name}: {said}");

    // Away, and again.
    let said = prepare(target, &["--teardown"], 0);
    assert!(said.starts_with("removed 80 contacts from 20 rosters\nremoved 20 accounts\n"), "{name}: {said}");
    let said = prepare(target, &["--teardown"], 0);
    assert!(said.starts_with("skipped 20 accounts that are not there"), "{name}: {said}");
    // Nothing was left behind that an account of the same name would find.
    let said = prepare(target, &["--setup-only"], 0);
    assert!(
        said.starts_with("accounts: 20 registered, 0 were there before\nrosters: 20 made (80 "),
        "{name}: {said}"
    );
}

/// Runs the scenario, and gives the result's summary.
fn run(target: &str, out: &Path) -> Value {
    let output = xmpp_bench()
        .arg("run")
        .arg(path("tests/support/rosters.toml"))
        .args(["--quiet", "--target", target, "--harness-reactors", "2", "--out"])
        .arg(out)
        .output()
        .expect("the program starts");
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    let text = std::fs::read_to_string(out.join("result.json")).expect("a result was written");
    let mut result: Value = serde_json::from_str(&text).expect("the result is JSON");
    let presence = result["summary"]["phases"]
        .as_array()
        .and_then(|phases| phases.iter().find(|phase| phase["name"] == "steady"))
        .and_then(|phase| phase["actions"].as_array())
        .and_then(|actions| actions.iter().find(|action| action["action"] == "presence"))
        .expect("presence was sent");
    let counts = &presence["counts"];
    let intended = counts["intended"].as_u64().expect("a number");
    assert!(intended > 0, "{counts}");
    assert_eq!(counts["required"], intended * 5, "four contacts and oneself: {counts}");
    assert_eq!((&counts["missing"], &counts["unexpected"]), (&0.into(), &0.into()), "{counts}");
    result["summary"].take()
}

/// Runs `--setup-only` or `--teardown`, and gives what it says.
fn prepare(target: &str, words: &[&str], code: i32) -> String {
    let output = xmpp_bench()
        .arg("run")
        .arg(path("tests/support/rosters.toml"))
        .args(["--quiet", "--target", target])
        .args(words)
        .output()
        .expect("the program starts");
    assert_eq!(output.status.code(), Some(code), "{words:?}: {}", told(&output));
    String::from_utf8(output.stdout).expect("it is text")
}

fn told(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes)).concat()
}
