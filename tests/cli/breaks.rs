//! Connections that are broken on real sockets, and the users that come back to the embedded router.

use super::program::{Folder, SMALL};

/// Eight of ten users are cut off two tenths of a second into the phase. Nothing here depends on speed.
fn storm(how: &str) -> String {
    let phase = format!(
        "duration = \"1s\"\ndrain    = \"30s\"\nbreak    = {{ share = 0.8, how = \"{how}\", at = \"200ms\", reconnect = \
         {{ backoff = \"100ms..1s\" }} }}"
    );
    let slo = "\n[[slo]]\nmetric = \"reconnect.missing\"\nmax    = 0\n\n[[slo]]\nmetric = \"reconnect.to_all\"\nmax    = \"30s\"\n";
    format!("{}{slo}", SMALL.replace("duration = \"1s\"", &phase))
}

#[test]
fn everybody_comes_back_however_many_reactors_play() {
    for (how, reactors) in [("tcp-reset", 1), ("tcp-reset", 3), ("tcp-close", 2), ("stream-close", 2)] {
        let folder = Folder::with("storm.toml", &storm(how));
        let ended = folder.run(&format!("storm.toml --quiet --out o --harness-reactors {reactors}")).exits(0);
        assert_eq!(ended.stdout_line(), "PASSED  small: 3 of 3 SLOs met", "{how}");
        assert!(ended.stdout.contains("\nreconnect steady: 8 broken, 0 missing; "), "{}", ended.stdout);
        let result = folder.result("o");
        let back = &result["summary"]["phases"][1]["reconnect"];
        for (field, want) in [("broken", 8), ("back", 8), ("missing", 0)] {
            assert_eq!(back[field], want, "{how}, {reactors} reactors: {field}");
        }
        assert_eq!(back["login"]["spans"]["total"]["count"], 8);
        assert_eq!(result["summary"]["login"]["spans"]["total"]["count"], 10, "the login phase has its own");
        // The router saw as many connections as were made, and none of them is left.
        assert_eq!(result["harness"]["connections"], result["target"]["router"]["accepted"]);
        let closed = if how == "tcp-reset" { "connection reset" } else { "" };
        let closes = result["summary"]["closes"].as_array().expect("a list");
        assert!(
            closed.is_empty()
                || closes.iter().any(|c| c["reason"] == closed && c["blame"] == "us" && c["count"] == 8),
            "{closes:?}"
        );
    }
}

/// XEP-0198: whoever is cut off resumes; nothing of what was under way is lost, and nothing is excused.
#[test]
fn sessions_are_resumed() {
    for reactors in [1, 2] {
        let scenario = storm("tcp-reset").replace(
            "do       = [{ action = \"ping\", rate = \"1/h\" }]",
            "do       = [{ action = \"ping\", rate = \"20/s\" }, { action = \"chat\", rate = \"200/s\" }, \
             { action = \"presence\", rate = \"50/s\" }]",
        );
        let scenario = scenario.replace("[users]\n", "[users]\nstream_management = true\n");
        let folder = Folder::with("storm.toml", &scenario);
        let ended = folder.run(&format!("storm.toml --quiet --out o --harness-reactors {reactors}"));
        let result = folder.result("o");
        let phase = &result["summary"]["phases"][1];
        assert_eq!(phase["reconnect"]["back"], 8, "{}", ended.stdout);
        assert_eq!(result["summary"]["other"]["resumed"], 8, "{}", result["summary"]["other"]);
        let counts = |action: usize, name: &str| phase["actions"][action]["counts"][name].as_u64();
        for action in 0..3 {
            for name in ["lost", "missing", "duplicated", "reordered", "unexpected", "unsure"] {
                assert!(counts(action, name).unwrap_or(0) == 0, "{name}: {}", phase["actions"][action]);
            }
        }
    }
}
