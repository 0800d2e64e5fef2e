use std::borrow::Cow;
use std::path::Path;

use super::*;
use crate::app::result::tests::sample;
use crate::app::result::{HarnessRecord, PhaseCost};
use crate::metrics::{
    Counts, ErrorCount, HarnessHealth, Invalid, Percentile, PhaseHealth, PhaseSummary, ReconnectSummary,
};

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
        reconnect: None,
        lost_connections: 0,
    }
}

fn health(phase: &str, busy_ratio: f64) -> PhaseHealth {
    PhaseHealth {
        phase: phase.into(),
        elapsed_ns: 5_000_000_000,
        busy_ratio,
        cpu_ratio: busy_ratio / 2.0,
        wait_ratio: busy_ratio / 10.0,
        stolen_ratio: busy_ratio / 100.0,
        stolen_ns: 1,
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
    result.summary.phases[0].reconnect = Some(ReconnectSummary {
        broken: 800,
        back: 790,
        missing: 10,
        attempts: 812,
        failed: 12,
        to_90_percent_ns: Some(1_500_000_000),
        ..ReconnectSummary::default()
    });
    result.summary.login.spans = [("sasl".to_owned(), distribution(200, 800_000))].into();
    result.summary.harness = Some(HarnessHealth { busy_ratio: 0.12, cpu_ratio: 0.1 });
    let (slow, fast) = (health("steady", 0.3), health("more", 0.2));
    result.summary.harness_phases = vec![slow, fast];
    (result.summary.login.ready, result.summary.login.elapsed_ns) = (1_024, 2_000_000_000);
    result.harness.rss_peak_bytes = 20 << 20;
    result.harness.cost = vec![
        PhaseCost { phase: "login".into(), cpu_ns_per_login: Some(60_000), ..PhaseCost::default() },
        PhaseCost { cpu_ns_per_delivery: Some(6_000), ..result.target.cost[0].clone() },
    ];
    let rendered = text(&result);
    let lines: Vec<&str> = rendered.lines().collect();
    assert_eq!(lines[0], "PASSED  sample: 1 of 1 SLOs met");
    assert_eq!(*lines.last().unwrap(), "repeat    xmpp-bench sample.toml --seed 7");
    for part in [
        "router pinned to core 0, harness to core 1",
        "steady  chat0 response    500      100     100  1.23 ms  1.23 ms  1.23 ms*      -  ≥1.23 ms       2",
        "login   sasl              200",
        "≥: reaches into operations that timed out or took over 60 s; *: the harness's own delay",
        "slo       met      steady chat.response.p99: 12ms, max 5ms",
        "delivery  1 lost, 0 duplicated, 0 reordered, 0 late, 0 unexpected; presence: 1 of 10 missing",
        "reconnect steady: 800 broken, 10 missing; 90 % back after 1.50 s, 99 % never, all never; 812 attempts, 12 failed",
        "harness   busy 30.0 %, CPU 15.0 %, waited for a core 3.0 %, steal 0.3 %, send lag p99 9.00 µs, receive lag",
        "logins    1,024 in 2.00 s, 512/s; CPU each: harness 60.0 µs; memory each: router 1.00 KiB\n",
        "memory    at most: router 12.0 MiB, harness 20.0 MiB",
        "cost      steady: CPU per delivery: router 4.50 µs (20.0 % of a core), harness 6.00 µs (20.0 % of a core)",
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

/// A result with something to say in every line: `phases` measured ones with `actions` each.
fn full(phases: usize, actions: usize) -> ResultFile {
    let mut result = sample();
    result.summary.phases = vec![phase("warm-up", false, 1)];
    result.summary.phases.extend((0..phases).map(|n| phase(&format!("steady{n}"), true, actions)));
    result.summary.login.spans = SPANS.map(|span| (span.to_owned(), distribution(200, 800_000))).into();
    (result.summary.login.ready, result.summary.login.elapsed_ns) = (200, 1_000_000_000);
    result.summary.harness = Some(HarnessHealth::default());
    let cost = |n| PhaseCost { phase: format!("steady{n}"), ..result.target.cost[0].clone() };
    result.target.cost = (0..phases).map(cost).collect();
    result.harness = HarnessRecord {
        cost: result.target.cost.clone(),
        login_memory: result.target.login_memory,
        rss_peak_bytes: 1 << 30,
        ..result.harness
    };
    result
}

#[test]
fn four_phases_with_three_actions_are_all_shown() {
    let mut result = full(4, 3);
    result.summary.login.spans.remove("tls");
    result.summary.slos = vec![slo("chat.response.p99", SloState::Passed); 3];
    let rendered = text(&result);
    assert!(rendered.lines().count() <= 40, "{} lines\n{rendered}", rendered.lines().count());
    for phase in 0..4 {
        for action in 0..3 {
            assert!(rendered.contains(&format!("\nsteady{phase}    chat{action} response ")), "{rendered}");
        }
    }
    assert!(rendered.contains("; … and 1 more") || rendered.contains("… and 1 more"), "{rendered}");
}

#[test]
fn never_more_than_forty_lines() {
    let mut result = full(10, 10);
    result.summary.slos = vec![slo("chat.response.p99", SloState::Broken); 30];
    result.summary.invalid = vec![Invalid { limit: "lag".into(), what: "too slow".into() }; 10];
    let error = ErrorCount {
        what: "bad\nthing".into(),
        example: "<message/>\n".repeat(50),
        first_at_ns: 1,
        count: 2,
    };
    result.summary.errors = vec![error; 20];
    let rendered = text(&result);
    assert!(rendered.lines().count() <= 40, "{} lines\n{rendered}", rendered.lines().count());
    let more = rendered.matches(" more in result.json").count();
    assert_eq!(more, 5, "actions, slos, limits, costs and errors say how many more there are\n{rendered}");
    assert!(rendered.lines().all(|line| line.chars().count() <= 170), "{rendered}");
    assert!(rendered.lines().last().unwrap().starts_with("repeat "));
}

#[test]
fn room_is_shared() {
    // What is there in any case, then what is worth reading.
    assert_eq!(share([12, 30, 9, 9, 9], 18), LINES_MIN);
    assert_eq!(share([2, 1, 0, 9, 0], 10), [2, 1, 0, 4, 0]);
    assert_eq!(share([30, 30, 30, 30, 30], 5), [5, 0, 0, 0, 0]);
    assert_eq!(share([30, 30, 30, 30, 30], 100), LINES_WORTH);
    let facts = |count: usize| vec![fact("a", "b"); count];
    assert_eq!(capped(facts(3), 2)[1].1, "b … and 1 more in result.json");
    assert_eq!((capped(facts(2), 2), capped(facts(2), 0)), (facts(2), vec![]));
}
