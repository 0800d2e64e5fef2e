//! Runs against the embedded router: the verdicts, the exit codes, and what is kept of a run.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::program::{Folder, SMALL};

/// A load with every action, for which a busy machine may be too slow.
const BUSY: &str = r#"do = [
  { action = "chat", rate = "200/s", shape = "poisson" },
  { action = "presence", rate = "50/s", show = ["away", "dnd"] },
  { action = "ping", rate = "50/s" },
]

[[slo]]
metric = "chat.lost"
max    = 0

[[slo]]
metric = "presence.missing"
max    = 0
"#;

#[test]
fn a_run_that_meets_its_slos_passes() {
    let folder = Folder::small();
    let ended = folder.run("small.toml").exits(0);
    assert_eq!(ended.stdout_line(), "PASSED  small: 1 of 1 SLOs met");
    assert!(ended.stderr.starts_with("starting the router with 10 accounts\n"), "{}", ended.stderr);
    assert!(ended.stderr.contains("\nsteady "), "progress is told: {}", ended.stderr);
    // Without --out the folder is named for the scenario and the time.
    let name = std::fs::read_dir(folder.path("out")).unwrap().next().unwrap().unwrap().file_name();
    let name = name.to_str().unwrap();
    assert!(name.starts_with("small-2"), "{name}");
    assert!(ended.stdout.contains(&format!("\nfiles     out/{name}\n")), "{}", ended.stdout);
    assert_eq!(folder.result(&format!("out/{name}"))["verdict"], "passed");
}

#[test]
fn a_broken_slo_is_3() {
    let folder = Folder::with("small.toml", &SMALL.replace("max    = 0", "min    = 1"));
    let ended = folder.run("small.toml --quiet --out o").exits(3);
    assert_eq!(ended.stdout_line(), "SLO BROKEN  small: ping.failed is 0, asked for min 1");
    assert_eq!(ended.stderr, "", "--quiet is quiet");
    let result = folder.result("o");
    assert_eq!((&result["verdict"], &result["exit_code"]), (&"slo-broken".into(), &3.into()));
    assert_eq!(result["summary"]["slos"][0]["state"], "broken");
}

#[test]
fn an_slo_that_cannot_be_judged_is_no_pass() {
    // One ping is no 99th percentile, and a broken SLO beside it does not make the run any better.
    let slo = "[[slo]]\nmetric = \"ping.response.p99\"\nmax = \"1h\"\n";
    let folder = Folder::with("small.toml", &format!("{}{slo}", SMALL.replace("max    = 0", "min    = 1")));
    let ended = folder.run("small.toml --quiet --out o").exits(5);
    assert_eq!(
        ended.stdout_line(),
        "INVALID  small: the measurement cannot be trusted: ping.response.p99: 1 samples, 100 are needed"
    );
    let result = folder.result("o");
    assert_eq!((&result["verdict"], &result["exit_code"]), (&"invalid".into(), &5.into()));
    assert_eq!(result["summary"]["invalid"][0]["limit"], "slo");
}

#[test]
fn every_user_acts_and_nothing_is_lost() {
    let text = SMALL.replace("do       = [{ action = \"ping\", rate = \"1/h\" }]\n", BUSY);
    let folder = Folder::with("busy.toml", &text);
    // An override of every kind, and JSON on stdout.
    let args = ["busy.toml", "--json", "--out", "o", "--set", "users.count=20", "--seed", "9"];
    let ended = folder.start_args(&args, &[]).finish();
    let result = folder.result("o");
    assert_eq!(serde_json::from_str::<Value>(&ended.stdout).unwrap(), result, "stdout is the file");
    assert_eq!(ended.code, result["exit_code"].as_i64().map(|code| i32::try_from(code).unwrap()));
    match ended.code {
        Some(0) => assert_eq!(result["verdict"], "passed"),
        // A busy machine: the limit must be the harness's own.
        Some(5) => {
            let limit = &result["summary"]["invalid"][0]["limit"];
            assert!(limit == "achieved_ratio" || limit == "busy", "{}", result["summary"]["invalid"]);
        }
        code => panic!("{code:?}: {}", ended.stderr),
    }
    assert_deliveries(&result["summary"]);
    assert_origin(&result, &text);
    assert_report_agrees(&folder, &result);
}

/// Twenty users are ready, every operation is done, every copy arrives once.
fn assert_deliveries(summary: &Value) {
    assert_eq!(summary["login"]["asked"], 20);
    assert_eq!((&summary["login"]["ready"], &summary["login"]["failed"]), (&20.into(), &0.into()));
    let steady = &summary["phases"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|phase| phase["name"] == "steady")
        .expect("it was run");
    assert_eq!(steady["complete"], true);
    let actions = steady["actions"].as_array().expect("a list");
    let names: Vec<&Value> = actions.iter().map(|action| &action["action"]).collect();
    assert_eq!(names, ["chat", "presence", "ping"]);
    for action in actions {
        let counts = &action["counts"];
        assert!(counts["intended"].as_u64().expect("a count") >= 40, "{action}");
        assert_eq!(counts["done"], counts["intended"], "{counts}");
        for bad in
            ["lost", "missing", "duplicated", "reordered", "unexpected", "failed", "timed_out", "unsent"]
        {
            assert_eq!(counts[bad], 0, "{bad}: {counts}");
        }
    }
    // Two contacts and the sender itself see each change.
    let presence = &actions[1]["counts"];
    assert_eq!(
        presence["required"].as_u64().expect("a count"),
        3 * presence["intended"].as_u64().expect("a count")
    );
    assert_eq!(presence["delivered"], presence["required"]);
}

/// The result says what was run, where, against what and by what.
fn assert_origin(result: &Value, text: &str) {
    let scenario = &result["scenario"];
    let as_run = text.replace("count   = 10", "count   = 20").replace("seed = 7", "seed = 9");
    assert_eq!(scenario["text"], as_run.as_str(), "the overrides are in the text");
    let hash: String = Sha256::digest(as_run.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(scenario["sha256"], hash.as_str());
    assert_eq!(scenario["seed"], 9);
    assert_eq!(result["command"], "xmpp-bench busy.toml --set users.count=20 --seed 9");
    assert_eq!(result["schema_version"], 1);
    assert_eq!(result["program"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(result["target"]["url"], "embedded");
    assert_eq!(result["target"]["domain"], "bench.local");
    assert!(result["target"]["software"].as_str().expect("text").starts_with("xmpp-bench "));
    assert!(result["target"]["router"]["accepted"].as_u64().expect("a count") >= 20, "{}", result["target"]);
    assert_eq!(result["harness"]["connections"], result["target"]["router"]["accepted"]);
    for field in ["cpu", "kernel"] {
        assert!(!result["environment"][field].as_str().expect("text").is_empty(), "{field}");
    }
    assert!(
        result["environment"]["open_files"]["soft"].as_u64().expect("a count") > 0,
        "{}",
        result["environment"]
    );
}

/// `report` prints the same result, as text and as JSON, with no colour into a pipe.
fn assert_report_agrees(folder: &Folder, result: &Value) {
    let json = folder.run("report o/result.json --format json").exits(0);
    assert_eq!(&serde_json::from_str::<Value>(&json.stdout).expect("JSON"), result);
    for environment in [&[][..], &[("NO_COLOR", "1")], &[("TERM", "xterm-256color")]] {
        let text = folder.start_args(&["report", "o"], environment).finish().exits(0);
        let word = if result["verdict"] == "passed" { "PASSED" } else { "INVALID" };
        assert!(text.stdout.starts_with(&format!("{word}  small: ")), "{}", text.stdout);
        assert!(text.stdout.lines().count() <= 40, "{}", text.stdout);
        assert!(!text.stdout.contains('\x1b'), "{:?}", text.stdout);
        assert_eq!(text.stderr, "");
    }
}

#[test]
fn a_result_that_was_edited_is_refused() {
    let folder = Folder::small();
    folder.run("small.toml --quiet --out o").exits(0);
    let path = folder.path("o/result.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let edited = text.replace("count   = 10", "count   = 90");
    assert_ne!(edited, text);
    std::fs::write(&path, edited).unwrap();
    let error = folder.run("report o").exits(2);
    let want = "error: o/result.json: the scenario inside was edited: its hash is another";
    assert_eq!(error.complaint().0, want);
}
