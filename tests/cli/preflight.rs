//! Getting in: `check` with one real client, what people meet first and its way out, ids that do not arrive, sources.

use serde_json::Value;

use super::fakes;
use super::program::{Folder, SMALL, small_elsewhere};
use crate::support::router::Router;

/// State of each check by its name; several of one name are joined.
fn states(report: &Value) -> Vec<(String, String)> {
    let text = |finding: &Value, field: &str| finding[field].as_str().expect("text").to_owned();
    let checks = report["checks"].as_array().expect("a list");
    checks.iter().map(|finding| (text(finding, "check"), text(finding, "state"))).collect()
}

#[test]
fn the_embedded_router_is_ready() {
    let folder = Folder::small();
    let ended = folder.run("check small.toml --preflight").exits(0);
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!(lines[0], "small.toml: ok: small: 10 users on embedded, 2 phases (1 s of load), 1 SLOs");
    assert!(lines[1].starts_with("preflight of embedded (127.0.0.1:"), "{}", ended.stdout);
    assert_eq!((lines.last(), ended.stderr.as_str()), (Some(&"READY"), ""), "{}", ended.stdout);

    let ended = folder.run("check small.toml --preflight --json").exits(0);
    let checked: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    let report = &checked[0]["preflight"];
    assert_eq!((&report["ready"], &report["ids"]["message"]), (&true.into(), &"preserved".into()));
    assert_eq!(report["ids"]["presence"], "preserved");
    for name in [
        "descriptors",
        "ports",
        "stream",
        "mechanism",
        "accounts",
        "roster",
        "presence",
        "ping",
        "rate limit",
    ] {
        assert!(states(report).contains(&(name.to_owned(), "ok".to_owned())), "{name}: {report}");
    }
    assert!(!folder.path("out").exists(), "nothing was run");
}

#[test]
fn what_a_server_refuses_is_said_before_the_run() {
    let router = Router::start(10);
    let folder = Folder::with("small.toml", &small_elsewhere());
    let target = format!("--target xmpp://{}", router.address);
    folder.run(&format!("check small.toml {target}")).exits(0);
    let cases: [(&str, &str, &str); 4] = [
        ("--domain other.example", "stream", "stream error: host-unknown"),
        ("--set users.count=20", "accounts", "user u000019: login refused: not-authorized"),
        ("--set users.auth=ANONYMOUS", "mechanism", "server does not offer ANONYMOUS; it offers"),
        ("--set users.create=register", "registration", "registration is not open (XEP-0077)"),
    ];
    for (flags, check, what) in cases {
        let ended = folder.run(&format!("check small.toml --json {target} {flags}")).exits(6);
        let checked: Value = serde_json::from_str(&ended.stdout).expect("JSON");
        let checks = checked[0]["preflight"]["checks"].as_array().expect("a list");
        let failed: Vec<_> = checks.iter().filter(|finding| finding["state"] == "failed").collect();
        assert_eq!(failed.len(), 1, "{flags}: {checks:?}");
        assert_eq!(failed[0]["check"], check, "{flags}");
        assert!(failed[0]["what"].as_str().expect("text").contains(what), "{flags}: {}", failed[0]);
        assert!(failed[0]["fix"].as_str().is_some_and(|fix| !fix.is_empty()), "{flags}: {}", failed[0]);
    }
}

const HEADER: &str = "<?xml version='1.0'?><stream:stream id='1' from='bench.local' version='1.0' \
                      xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";

/// What servers say, what the program makes of it, and a word of the way out.
fn refusals() -> [(&'static [&'static str], &'static str, &'static str); 5] {
    macro_rules! words {
        ($($part:literal)*) => {
            &[concat!(
                "<?xml version='1.0'?><stream:stream id='1' from='bench.local' version='1.0' xmlns='jabber:client' \
                 xmlns:stream='http://etherx.jabber.org/streams'>",
                $($part),*
            )]
        };
    }
    [
        (
            words!(
                "<stream:error><host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>"
            ),
            "host-unknown",
            "--domain",
        ),
        (
            words!(
                "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls></stream:features>"
            ),
            "server demands TLS (STARTTLS), which is not built yet",
            "c2s_require_encryption = false",
        ),
        (
            words!(
                "<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms></stream:features>"
            ),
            "server does not offer SCRAM-SHA-256; it offers PLAIN",
            "users.auth",
        ),
        (
            words!(
                "<stream:error><policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>"
            ),
            "policy-violation",
            "shaper",
        ),
        (&[], "without a close tag", "does XMPP for clients listen on that port"),
    ]
}

#[test]
fn the_first_error_of_a_run_has_its_fix_and_check_says_the_same() {
    assert!(refusals().iter().all(|(words, ..)| words.iter().all(|word| word.starts_with(HEADER))));
    for (words, error, fix) in refusals() {
        let address = fakes::says(words);
        let folder = Folder::with("small.toml", &small_elsewhere());
        let ended = folder.run(&format!("small.toml --quiet --target xmpp://{address}")).exits(6);
        let (what, help) = ended.complaint();
        assert!(what.contains(error) && help.contains(fix), "{}", ended.stderr);
        let checked = folder.run(&format!("check small.toml --target xmpp://{address}")).exits(6);
        assert!(checked.stdout.contains(error) && checked.stdout.contains(fix), "{}", checked.stdout);
        assert_eq!(checked.stdout.lines().last(), Some("NOT READY: 1 failed"), "{}", checked.stdout);
    }
}

#[test]
fn ids_that_do_not_arrive_are_replaced_by_markers() {
    let router = Router::start(10);
    let busy = "do = [{ action = \"chat\", rate = \"40/s\", to = \"online\" }, { action = \"presence\", rate = \"40/s\" }]";
    let text = small_elsewhere()
        .replace("do       = [{ action = \"ping\", rate = \"1/h\" }]", busy)
        .replace("ping.failed", "chat.lost");
    let folder = Folder::with("busy.toml", &text);
    let proxy = fakes::rewrites_ids(router.address);
    let checked = folder.run(&format!("check busy.toml --json --target xmpp://{proxy}")).exits(0);
    let checked: Value = serde_json::from_str(&checked.stdout).expect("JSON");
    assert_eq!(checked[0]["preflight"]["ids"]["message"], "marker");
    for (address, ids) in [(proxy, "marker"), (router.address, "preserved")] {
        let ended = folder.run(&format!("busy.toml --quiet --out o --target xmpp://{address}"));
        let result = folder.result("o");
        // 5 is a busy machine; what was delivered is judged all the same.
        assert!(matches!(ended.code, Some(0 | 5)), "{}\n{}", ended.stdout, ended.stderr);
        assert_eq!(
            (&result["target"]["ids"]["message"], &result["target"]["ids"]["presence"]),
            (&ids.into(), &ids.into())
        );
        assert_eq!(
            ended.stdout.contains("rewrites ids: messages and presence carry markers"),
            ids == "marker",
            "{}",
            ended.stdout
        );
        let steady = &result["summary"]["phases"][1]["actions"];
        for action in steady.as_array().expect("a list") {
            let counts = &action["counts"];
            assert_eq!(counts["done"], counts["sent"], "{counts}");
            assert_eq!(
                (&counts["lost"], &counts["missing"], &counts["unexpected"]),
                (&0.into(), &0.into(), &0.into())
            );
        }
    }
}

#[test]
fn an_invalid_run_is_repeated_and_says_so() {
    // One ping is no 99th percentile, however often it is tried.
    let slo = "[[slo]]\nmetric = \"ping.response.p99\"\nmax = \"1h\"\n";
    let folder = Folder::with("small.toml", &format!("{SMALL}{slo}"));
    let ended = folder.run("small.toml --quiet --out o --on-invalid retry:1").exits(5);
    assert!(
        ended.stderr.starts_with("warning: attempt 1 of 2 is invalid (ping.response.p99: 1 samples"),
        "{}",
        ended.stderr
    );
    assert!(ended.stdout.contains("(attempt 2 of 2; the ones before it were invalid)\n"), "{}", ended.stdout);
    assert_eq!(ended.stdout.matches("INVALID").count(), 1, "the last one is printed: {}", ended.stdout);
    for (out, number) in [("o", 1), ("o-2", 2)] {
        let result = folder.result(out);
        assert_eq!(
            (&result["attempt"]["number"], &result["exit_code"]),
            (&number.into(), &5.into()),
            "{out}"
        );
        // The second one has all cores to share again.
        assert_eq!(result["target"]["cores"], folder.result("o")["target"]["cores"]);
    }
    let good = Folder::small().run("small.toml --quiet --out o --on-invalid retry:3").exits(0);
    assert!(good.stdout.contains("(attempt 1 of 4)\n"), "{}", good.stdout);
    folder.run("small.toml --on-invalid retry:0").exits(2);
    folder.run("small.toml --on-invalid again").exits(2);
}

#[test]
fn loopback_is_spread_over_where_one_address_has_too_few_ports() {
    // A network of its own, in which the kernel gives out 20 ports.
    let script =
        "ip link set lo up && echo 40000 40019 >/proc/sys/net/ipv4/ip_local_port_range && exec \"$@\"";
    let wrapped = |words: &str| {
        let mut command = std::process::Command::new("unshare");
        command.args(["--user", "--map-root-user", "--net", "sh", "-c", script, "sh"]).args(words.split(' '));
        command.output().expect("util-linux is installed")
    };
    if !wrapped("true").status.success() {
        return crate::support::say_skipped("no network namespaces here");
    }
    let folder = Folder::small();
    let (scenario, out) = (folder.path("small.toml"), folder.path("o"));
    let words = format!(
        "{} {} --set users.count=60 --out {}",
        env!("CARGO_BIN_EXE_xmpp-bench"),
        scenario.display(),
        out.display()
    );
    let output = wrapped(&words);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    let note = "120 connections to one address need more than the 20 ports of one source (40000-40019): connecting from 8";
    assert!(stderr.contains(note), "{stderr}");
    let sources = folder.result("o")["harness"]["sources"].as_array().expect("a list").clone();
    assert_eq!((sources.len(), sources[7].as_str()), (8, Some("127.0.0.8")));
}
