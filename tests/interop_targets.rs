//! The harness drives servers that nobody here wrote: Prosody and ejabberd, with accounts that exist and with accounts
//! that it registers itself.
//!
//! No latency is judged: only that everybody logs in, that nothing is lost, and that the result says so.

mod support;

use std::path::Path;

use serde_json::Value;
use support::peer::Peer;
use support::{path, xmpp_bench};

const USERS: u64 = 20;

#[test]
fn prosody_as_target() {
    drive("prosody");
}

#[test]
fn ejabberd_as_target() {
    drive("ejabberd");
}

#[test]
fn limits_of_prosody_are_seen() {
    look_for_limits("prosody", "registration is not open");
}

#[test]
fn limits_of_ejabberd_are_seen() {
    look_for_limits("ejabberd", "registration refused: resource-constraint");
}

/// What stops a load on a server as its package configures it is said by `check`, each with its setting.
fn look_for_limits(name: &str, registration: &str) {
    let Some(peer) = Peer::start_with(name, 20, &["--limits", "shipped"]) else { return };
    let report = check(&peer.address.target, &[], 0);
    let limit = finding(&report, "rate limit");
    assert_eq!(limit["state"], "warning", "{name}: {limit}");
    assert!(limit["what"].as_str().expect("text").contains("bytes/s"), "{name}: {limit}");
    assert!(limit["fix"].as_str().expect("text").contains("shaper"), "{name}: {limit}");
    let sets = ["users.create=register", r#"users.account={ user = "new{n:06}", password = "n{n}" }"#];
    let refused = check(&peer.address.target, &sets, 6);
    let what = finding(&refused, "registration");
    assert_eq!(what["state"], "failed", "{name}: {what}");
    assert!(what["what"].as_str().expect("text").contains(registration), "{name}: {what}");
}

/// The preflight's report on `target`.
fn check(target: &str, sets: &[&str], code: i32) -> Value {
    let mut command = xmpp_bench();
    command.arg("check").arg(path("tests/support/foreign.toml")).args(["--json", "--target", target]);
    for set in sets {
        command.args(["--set", set]);
    }
    let output = command.output().expect("the program starts");
    assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stdout));
    let checked: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    checked[0]["preflight"].clone()
}

fn finding<'r>(report: &'r Value, name: &str) -> &'r Value {
    let checks = report["checks"].as_array().expect("a list");
    checks.iter().find(|finding| finding["check"] == name).unwrap_or_else(|| panic!("no {name}: {report}"))
}

/// What people get wrong first, on a server that nobody here wrote.
fn get_in(name: &str, target: &str) {
    let ready = check(target, &[], 0);
    assert_eq!(
        (&ready["ids"]["message"], &ready["ids"]["presence"]),
        (&"preserved".into(), &"preserved".into())
    );
    let software = ready["software"].as_str().expect("text").to_lowercase();
    assert!(software.starts_with(name), "{software}");
    let wrong_password = r#"users.account={ user = "u{n:06}", password = "wrong" }"#;
    for (set, check_name, what) in [
        ("target.domain=other.example", "stream", "host-unknown"),
        ("users.count=40", "accounts", "user u000039: login refused: not-authorized"),
        (wrong_password, "accounts", "user u000000: login refused: not-authorized"),
        ("users.auth=ANONYMOUS", "mechanism", "does not offer ANONYMOUS"),
    ] {
        let report = check(target, &[set], 6);
        let checks = report["checks"].as_array().expect("a list");
        let failed = checks.iter().find(|finding| finding["state"] == "failed").expect("it is not ready");
        assert_eq!(failed["check"], check_name, "{name}, {set}: {failed}");
        let same = failed["what"].as_str().expect("text").contains(what);
        assert!(same && failed["fix"].is_string(), "{name}, {set}: {failed}");
    }
}

fn drive(name: &str) {
    let Some(peer) = Peer::start(name, 20) else { return };
    get_in(name, &peer.address.target);
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    for (run, sets) in [
        ("existing", vec![]),
        ("plain", vec!["users.auth=PLAIN"]),
        (
            "registered",
            vec!["users.create=register", r#"users.account={ user = "new{n:06}", password = "n{n}" }"#],
        ),
    ] {
        let out = folder.path().join(run);
        drive_once(&peer.address.target, &sets, &out);
        judge(&out, &format!("{name}, {run}"));
    }
}

fn drive_once(target: &str, sets: &[&str], out: &Path) {
    let mut command = xmpp_bench();
    command.arg("run").arg(path("tests/support/foreign.toml")).args(["--quiet", "--target", target]);
    command.arg("--out").arg(out);
    for set in sets {
        command.args(["--set", set]);
    }
    let output = command.output().expect("the program starts");
    let code = output.status.code();
    // 5 is "the measurement was disturbed", which a busy machine does; what was delivered is judged all the same.
    assert!(
        matches!(code, Some(0 | 5)),
        "exit {code:?}\n{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// `result.json` says that everybody was there and everything arrived.
fn judge(out: &Path, what: &str) {
    let text = std::fs::read_to_string(out.join("result.json")).expect("a result was written");
    let result: Value = serde_json::from_str(&text).expect("the result is JSON");
    let summary = &result["summary"];
    assert_eq!(summary["login"]["ready"], USERS, "{what}: {}", summary["login"]);
    assert_eq!(summary["errors"], Value::Array(Vec::new()), "{what}");
    assert_eq!(result["target"]["ids"]["message"], "preserved", "{what}");
    let phases = summary["phases"].as_array().expect("phases is a list");
    let steady = phases.iter().find(|phase| phase["name"] == "steady").expect("the phase is in the result");
    let actions = steady["actions"].as_array().expect("actions is a list");
    assert_eq!(actions.len(), 3, "{what}: {actions:?}");
    for action in actions {
        let counts = &action["counts"];
        assert!(counts["done"].as_u64() > Some(0), "{what}: {action:?}");
        assert_eq!(counts["done"], counts["sent"], "{what}: {counts}");
        for bad in ["lost", "duplicated", "reordered", "timed_out", "failed", "missing", "unexpected"] {
            assert_eq!(counts[bad], 0, "{what}: {bad}: {counts}");
        }
    }
}
