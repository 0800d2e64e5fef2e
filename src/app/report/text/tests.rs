use std::borrow::Cow;
use std::path::Path;

use super::*;
use crate::app::result::tests::sample;
use crate::metrics::{Counts, ErrorCount, HarnessHealth, Invalid, Percentile, PhaseSummary};

fn distribution(count: u64, ns: u64) -> Distribution {
    let names = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)];
    let percentiles = names
        .iter()
        .map(|(name, quantile)| Percentile {
            name: Cow::Borrowed(*name),
            quantile: *quantile,
            ns: (*name != "p99.9").then_some(ns),
            at_least: *name == "max",
            harness_bound: *name == "p99",
        })
        .collect();
    Distribution { count, percentiles, ..Distribution::default() }
}

fn phase(name: &str, measured: bool, actions: usize) -> PhaseSummary {
    let action = |at: usize| ActionSummary {
        action: format!("chat{at}"),
        model: Cow::Borrowed("open"),
        rate_intended: 100.0,
        rate_achieved: 99.96,
        achieved_ratio: 0.9996,
        counts: Counts {
            intended: 500,
            failed: 1,
            timed_out: 1,
            lost: 1,
            required: 10,
            missing: 1,
            ..Counts::default()
        },
        latencies: [
            ("response".to_owned(), distribution(500, 1_234_567)),
            ("send_lag".to_owned(), distribution(500, 9_000)),
        ]
        .into(),
        seconds: Vec::new(),
    };
    PhaseSummary {
        name: name.into(),
        measured,
        planned_ns: 5_000_000_000,
        elapsed_ns: 5_000_000_000,
        drain_ns: 0,
        complete: true,
        actions: (0..actions).map(action).collect(),
    }
}

fn slo(metric: &str, state: SloState) -> SloResult {
    SloResult {
        phase: Some("steady".into()),
        metric: metric.into(),
        bound: "max 5ms".into(),
        measured: "12ms".into(),
        state,
        why: String::new(),
    }
}

fn text(result: &ResultFile) -> String {
    render(result, Path::new("out/sample"), Terminal::from_environment())
}

#[test]
fn verdict_first_command_last() {
    let mut result = sample();
    result.summary.slos = vec![slo("chat.response.p99", SloState::Passed)];
    result.summary.phases = vec![phase("steady", true, 1)];
    result.summary.login.spans = [("sasl".to_owned(), distribution(200, 800_000))].into();
    result.summary.harness = Some(HarnessHealth { busy_ratio: 0.12, cpu_ratio: 0.1 });
    let rendered = text(&result);
    let lines: Vec<&str> = rendered.lines().collect();
    assert_eq!(lines[0], "PASSED  sample: 1 of 1 SLOs met");
    assert_eq!(*lines.last().unwrap(), "repeat    xmpp-bench sample.toml --seed 7");
    for part in [
        "router pinned to core 0, harness to core 1",
        "steady  chat0 response    500      100     100  1.23 ms  1.23 ms  1.23 ms*      -  ≥1.23 ms       2",
        "login   sasl              200",
        "≥: reaches into operations that timed out; *: the harness's own delay",
        "slo       met      steady chat.response.p99: 12ms, max 5ms",
        "delivery  1 lost, 0 duplicated, 0 reordered, 0 late, 0 unexpected; presence: 1 of 10 missing",
        "harness   busy 12.0 %, cpu 10.0 %",
        "send lag p99 9.00 µs",
        "router    steady: 1.00 s CPU (20.0 % of a core), peak memory 12.0 MiB",
    ] {
        assert!(rendered.contains(part), "{part}\n---\n{rendered}");
    }
    assert!(!rendered.contains("not judged"), "{rendered}");
}

#[test]
fn each_verdict_says_why() {
    let cases = [
        (Verdict::SloBroken, "SLO BROKEN  sample: steady a.p99 is 12ms, asked for max 5ms, and 1 more"),
        (Verdict::Invalid, "INVALID  sample: the measurement cannot be trusted: too slow"),
        (Verdict::LoginRefused, "LOGIN REFUSED  sample: not-authorized"),
        (Verdict::TargetUnreachable, "TARGET UNREACHABLE  sample: not-authorized"),
        (Verdict::Interrupted, "INTERRUPTED  sample: a partial result, 1 phases complete"),
    ];
    for (verdict, want) in cases {
        let mut result = sample();
        result.verdict = verdict;
        result.summary.slos =
            vec![slo("b.p99", SloState::Passed), slo("a.p99", SloState::Broken), slo("c", SloState::Broken)];
        result.summary.invalid = vec![Invalid { limit: "lag".into(), what: "too slow".into() }];
        result.summary.failure = Some(Failure::LoginRefused("not-authorized".into()));
        result.summary.phases = vec![phase("warm-up", false, 1)];
        let rendered = text(&result);
        assert_eq!(rendered.lines().next().unwrap(), want);
        assert!(rendered.contains("(warm-up)") && rendered.contains("(phase): not judged"), "{rendered}");
        let first_slo = rendered.lines().find(|line| line.starts_with("slo")).unwrap();
        assert!(first_slo.contains("broken"), "{first_slo}");
    }
}

#[test]
fn never_more_than_forty_lines() {
    let mut result = sample();
    result.summary.slos = vec![slo("chat.response.p99", SloState::Broken); 30];
    result.summary.invalid = vec![Invalid { limit: "lag".into(), what: "too slow".into() }; 10];
    result.summary.phases = vec![phase("warm-up", false, 10), phase("steady", true, 10)];
    result.summary.login.spans = SPANS.map(|span| (span.to_owned(), distribution(200, 800_000))).into();
    result.summary.harness = Some(HarnessHealth::default());
    result.target.cost = vec![result.target.cost[0].clone(); 9];
    let error = ErrorCount {
        what: "bad\nthing".into(),
        example: "<message/>\n".repeat(50),
        first_at_ns: 1,
        count: 2,
    };
    result.summary.errors = vec![error; 20];
    let rendered = text(&result);
    assert!(rendered.lines().count() <= 40, "{} lines\n{rendered}", rendered.lines().count());
    for part in
        ["… and 13 more in result.json", "… and 25 more in result.json", "… and 18 more kinds in result.json"]
    {
        assert!(rendered.contains(part), "{part}\n{rendered}");
    }
    assert!(rendered.lines().all(|line| line.chars().count() <= 160), "{rendered}");
}
