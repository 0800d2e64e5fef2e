//! Mistakes in files and overrides: one clear line with its place, the way out, exit code 2, and nothing is started.

use super::program::{Folder, SMALL};

/// What is changed in [`SMALL`], and the complaint that follows.
const MISTAKES: [(&str, &str, &str, &str); 13] = [
    ("seed = 7", "sede = 7", "small.toml:2:1: unknown key `sede`", "did you mean `seed`?"),
    (
        "roster  = { graph = \"ring\"",
        "roster  = { grpah = \"ring\", graph = \"ring\"",
        "small.toml:11:13: unknown key `grpah`",
        "did you mean `graph`?",
    ),
    ("count   = 10", "count = \"ten\"", "small.toml:9:9: `count` must be a whole number, not text", ""),
    ("\"bench.local\"", "\"a b\"", "small.toml:6:10: `a b` is no domain", ""),
    ("\"bench.local\"", "\"a@b\"", "small.toml:6:10: `a@b` is no domain", ""),
    ("\"1s\"", "1", "small.toml:19:12: `duration`: `1` is no duration; write a number with", ""),
    ("\"1/h\"", "\"fast\"", "small.toml:20:39: `rate`: `fast` is no rate; write a number per s", ""),
    ("\"ring\"", "\"rign\"", "small.toml:11:21: unknown graph value `rign`", "did you mean `ring`?"),
    (
        "\"ping\"",
        "\"muc_join\"",
        "small.toml:20:24: action value `muc_join` is not built yet",
        "supported: chat",
    ),
    (
        "ping.failed",
        "ping.faild",
        "small.toml:23:10: unknown metric `ping.faild`",
        "did you mean `ping.failed`?",
    ),
    (
        "\"embedded\"",
        "\"wss://a/ws\"",
        "small.toml:5:10: target `wss://a/ws`: WebSocket over TLS is not",
        "supported",
    ),
    ("count   = 10", "count   = 2", "small.toml:11:40: 2 contacts each need at least 3 users, not 2", ""),
    ("name = \"small\"", "name = \"small", "small.toml:1:", ""),
];

#[test]
fn a_mistake_is_shown_where_it_stands() {
    for (from, to, what, help) in MISTAKES {
        assert_eq!(SMALL.matches(from).count(), 1, "{from}");
        let folder = Folder::with("small.toml", &SMALL.replace(from, to));
        for words in ["small.toml", "check small.toml"] {
            let ended = folder.run(words).exits(2);
            assert!(ended.stderr.starts_with(&format!("error: {what}")), "{to}:\n{}", ended.stderr);
            assert!(ended.complaint().1.contains(help), "{to}:\n{}", ended.stderr);
            assert_eq!(ended.stdout, "", "{to}");
        }
        assert!(!folder.path("out").exists(), "nothing was run: {to}");
    }
}

#[test]
fn every_mistake_is_told_at_once() {
    let text = SMALL.replace("seed = 7", "sede = 7").replace("\"ring\"", "\"rign\"");
    let ended = Folder::with("small.toml", &text).run("small.toml").exits(2);
    let lines: Vec<&str> = ended.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(
        lines,
        ["error: small.toml:2:1: unknown key `sede`", "error: small.toml:11:21: unknown graph value `rign`"]
    );
}

#[test]
fn an_override_that_does_not_fit_names_itself() {
    let folder = Folder::small();
    let domain = ["small.toml", "--domain", "a b"];
    let ended = folder.start_args(&domain, &[]).finish().exits(2);
    assert_eq!(ended.complaint().0, "error: --set target.domain: `a b` is no domain");
    let cases = [
        ("users.coutn=1", "error: --set users.coutn: unknown key `coutn`", "help: did you mean `count`?"),
        ("users.count=many", "error: --set users.count: `count` must be a whole number, not text", ""),
        (
            "phase.stedy.drain=1s",
            "error: --set phase.stedy.drain: `phase` has no `stedy`",
            "help: did you mean `steady`?",
        ),
        ("users.count=1000000", "error: ", "help: "),
    ];
    for (set, error, help) in cases {
        let ended = folder.run(&format!("small.toml --set {set}")).exits(2);
        let (what, way_out) = ended.complaint();
        assert!(what.starts_with(error) && way_out.starts_with(help), "{set}:\n{}", ended.stderr);
        assert_eq!(ended.stdout, "", "{set}");
    }
    assert!(!folder.path("out").exists(), "nothing was run");
}

#[test]
fn a_missing_scenario_is_answered_with_the_one_that_was_meant() {
    let ended = Folder::small().run("smal.toml").exits(2);
    let error = "error: cannot read scenario smal.toml: No such file or directory (os error 2)";
    assert_eq!(ended.complaint(), (error, "help: did you mean small.toml?"));
}

#[test]
fn check_reads_every_file_and_runs_none() {
    let folder = Folder::small();
    let good = folder.run("check small.toml --set users.count=20").exits(0);
    let line = "small.toml: ok: small: 20 users on embedded, 2 phases (1 s of load), 1 SLOs\n";
    assert_eq!((good.stdout.as_str(), good.stderr.as_str()), (line, ""));

    folder.write("wrong.toml", &SMALL.replace("seed", "sede"));
    let mixed = folder.run("check wrong.toml small.toml nowhere.toml").exits(2);
    assert!(
        mixed.stdout.starts_with("small.toml: ok: ") && mixed.stdout.lines().count() == 1,
        "{}",
        mixed.stdout
    );
    let errors: Vec<&str> = mixed.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 2, "{}", mixed.stderr);
    assert_eq!(errors[0], "error: wrong.toml:2:1: unknown key `sede`");
    assert!(errors[1].starts_with("error: cannot read scenario nowhere.toml: "), "{}", errors[1]);
    assert!(!folder.path("out").exists(), "nothing was run");
}

#[test]
fn a_result_that_cannot_be_kept_is_known_before_the_run() {
    let folder = Folder::small();
    let ended = folder.run("small.toml --out small.toml/x").exits(2);
    assert_eq!(ended.complaint().0, "error: --out small.toml/x: small.toml is no folder");
    assert_eq!((ended.stdout.as_str(), ended.stderr.lines().count()), ("", 1), "nothing was run");
}

#[test]
fn a_result_that_cannot_be_written_is_printed_all_the_same() {
    let folder = Folder::small();
    std::fs::create_dir_all(folder.path("o/result.json")).unwrap();
    let ended = folder.run("small.toml --quiet --out o").exits(1);
    assert!(ended.complaint().0.starts_with("error: cannot write o/result.json: "), "{}", ended.stderr);
    assert!(ended.stdout.contains("small.toml, seed 7"), "{}", ended.stdout);
}

#[test]
fn only_a_whole_result_is_reported() {
    let folder = Folder::new();
    let missing = folder.run("report o").exits(2);
    assert_eq!(missing.complaint().0, "error: cannot read result o: No such file or directory (os error 2)");
    folder.write("a.json", "{\"schema_version\": 1}");
    let part = folder.run("report a.json").exits(2);
    let (error, help) = part.complaint();
    assert!(error.starts_with("error: a.json: incomplete: missing field "), "{error}");
    assert_eq!(help, "help: a result is what `xmpp-bench run` writes: result.json, schema version 1");
}
