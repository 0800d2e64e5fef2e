use super::*;
use crate::metrics::{Failure, HarnessHealth, IdsArrive, LoginTimes, PhaseHealth, Records, Times, Verdict};
use crate::time::Nanos;

const MS: u64 = 1_000_000;

fn slo(phase: Option<&str>, metric: &str, bound: Bound) -> Slo {
    Slo { phase: phase.map(str::to_owned), metric: Metric::parse(metric).unwrap(), bound }
}

/// A phase with `responses` in milliseconds, each operation sent `lag_us` after its intended start.
fn phase(name: &str, measured: bool, responses: &[u64], lag_us: u64) -> PhaseRecord {
    let begin = Nanos(1_000 * MS);
    let mut action = ActionRecord::new("chat", 10.0, false, begin);
    for response in responses {
        let intended = begin;
        let sent = Nanos(begin.0 + lag_us * 1_000);
        action.intended(intended);
        action.sent(intended, sent, true);
        action.done(Times { intended, sent: Some(sent) }, Nanos(begin.0 + response * MS));
    }
    PhaseRecord {
        name: name.to_owned(),
        measured,
        begin,
        planned_ns: 1_000 * MS,
        end: Some(Nanos(2_000 * MS)),
        drained: Some(Nanos(2_100 * MS)),
        actions: vec![action],
        reconnect: None,
        lost_connections: 0,
    }
}

fn judged(slo: Slo, phases: &[PhaseRecord]) -> SloResult {
    slos(&[slo], phases, &LoginRecord::new(1)).remove(0)
}

fn records(phases: Vec<PhaseRecord>) -> Records {
    Records {
        scenario: "t".to_owned(),
        seed: 1,
        run: "t".to_owned(),
        begin: Nanos(MS),
        end: Nanos(3_000 * MS),
        login: LoginRecord::new(1),
        phases,
        closes: Vec::new(),
        errors: Vec::new(),
        other: std::collections::BTreeMap::new(),
        software: None,
        ids: IdsArrive::default(),
        invalid: Vec::new(),
        failure: None,
        interrupted: false,
        complete: true,
    }
}

#[test]
fn bounds_hold_up_to_the_bound() {
    let phases = [phase("a", true, &[10; 100], 10)];
    for (metric, bound, state) in [
        ("chat.response.p99", Bound::MaxNs(11 * MS), SloState::Passed),
        ("chat.response.p99", Bound::MaxNs(9 * MS), SloState::Broken),
        ("chat.lost", Bound::Max(0.0), SloState::Passed),
        ("chat.lost", Bound::Min(1.0), SloState::Broken),
        ("achieved_ratio", Bound::Min(1.0), SloState::Passed),
        ("chat.achieved_ratio", Bound::Max(0.5), SloState::Broken),
    ] {
        let result = judged(slo(Some("a"), metric, bound), &phases);
        assert_eq!(result.state, state, "{metric} {bound}: {}", result.measured);
    }
}

#[test]
fn without_a_phase_all_measured_ones_count_together() {
    let phases = [
        phase("warm-up", false, &[900; 100], 10),
        phase("a", true, &[10; 50], 10),
        phase("b", true, &[40; 50], 10),
    ];
    let p50 = judged(slo(None, "chat.response.p50", Bound::MaxNs(20 * MS)), &phases);
    assert_eq!((p50.state, p50.measured.as_str()), (SloState::Passed, "10ms"));
    let p99 = judged(slo(None, "chat.response.p99", Bound::MaxNs(20 * MS)), &phases);
    assert_eq!((p99.state, p99.measured.as_str()), (SloState::Broken, "40ms"), "100 samples only together");
}

#[test]
fn too_few_samples_are_neither_met_nor_broken() {
    let phases = [phase("a", true, &[10; 99], 10)];
    let result = judged(slo(None, "chat.response.p99", Bound::MaxNs(MS)), &phases);
    assert_eq!(result.state, SloState::Invalid);
    assert_eq!(result.why, "99 samples, 100 are needed");
}

#[test]
fn what_timed_out_meets_no_maximum() {
    let mut phases = [phase("a", true, &[1; 99], 10)];
    let begin = phases[0].begin;
    phases[0].actions[0].timed_out(Times { intended: begin, sent: None }, Nanos(begin.0 + 5 * MS));
    let result = judged(slo(None, "chat.response.max", Bound::MaxNs(10_000 * MS)), &phases);
    assert_eq!((result.state, result.measured.as_str()), (SloState::Broken, "≥5ms"));
    let p90 = judged(slo(None, "chat.response.p90", Bound::MaxNs(10 * MS)), &phases);
    assert_eq!(p90.state, SloState::Passed);
}

/// Response of 10 ms in every row: the lag within it decides what may be said.
#[test]
fn lag_of_the_harness_makes_an_slo_invalid_where_it_may_have_decided() {
    for (lag_us, bound_ms, state) in [
        (90, 1, SloState::Broken),     // Below a fifth: the target's own 9.9 ms.
        (2_500, 9, SloState::Invalid), // A quarter: without it, it might have been met.
        (2_500, 1, SloState::Invalid),
        (2_500, 11, SloState::Passed), // Met with the harness's delay, so met without.
    ] {
        let phases = [phase("a", true, &[10; 100], lag_us)];
        let result = judged(slo(None, "chat.response.p99", Bound::MaxNs(bound_ms * MS)), &phases);
        assert_eq!(result.state, state, "{lag_us} {bound_ms} {}", result.why);
    }
    // Service is counted from the send, so a late one is no part of it.
    let phases = [phase("a", true, &[10; 100], 2_500)];
    let service = judged(slo(None, "chat.service.p99", Bound::MaxNs(8 * MS)), &phases);
    assert_eq!(service.state, SloState::Passed);
}

#[test]
fn a_rate_that_was_not_reached_is_invalid_in_measured_phases_only() {
    let missed = |measured| {
        let mut phase = phase("a", measured, &[10; 98], 10);
        (0..2).for_each(|_| phase.actions[0].intended(Nanos(1_500 * MS)));
        records(vec![phase]).into_summary(&[])
    };
    let summary = missed(true);
    assert_eq!(summary.verdict(), Verdict::Invalid);
    assert_eq!(summary.invalid[0].limit, "achieved_ratio");
    assert_eq!(
        summary.invalid[0].what,
        "phase a: chat was sent in time 98 times of 100 (98.0 %, at least 99 % is needed)"
    );
    assert_eq!(missed(false).verdict(), Verdict::Passed);
}

#[test]
fn the_worst_verdict_wins() {
    let broken = slo(None, "chat.response.p50", Bound::MaxNs(MS));
    let summary = |change: fn(&mut Records)| {
        let mut records = records(vec![phase("a", true, &[10; 100], 10)]);
        change(&mut records);
        records.into_summary(std::slice::from_ref(&broken))
    };
    let invalid = |r: &mut Records| {
        r.invalid.push(Invalid { limit: "ports".to_owned(), what: "none left".to_owned() });
    };
    assert_eq!(summary(|_| {}).verdict(), Verdict::SloBroken);
    assert_eq!(summary(invalid).verdict(), Verdict::Invalid);
    let refused = summary(|r| r.failure = Some(Failure::LoginRefused("u".to_owned())));
    assert_eq!(refused.verdict(), Verdict::LoginRefused);
    let incomplete = summary(|r| r.complete = false);
    assert_eq!((incomplete.verdict(), incomplete.slos.len()), (Verdict::Invalid, 0));
    let interrupted = summary(|r| {
        r.failure = Some(Failure::TargetUnreachable("u".to_owned()));
        r.interrupted = true;
    });
    assert_eq!((interrupted.verdict(), interrupted.slos.len()), (Verdict::Interrupted, 0));
}

/// A response of 10 ms in every row.
#[test]
fn what_the_host_took_excuses_a_latency_and_nothing_else() {
    let stolen = PhaseHealth {
        phase: "a".to_owned(),
        elapsed_ns: 5_000_000_000,
        stolen_ratio: 0.021,
        stolen_ns: 210_000_000,
        ..PhaseHealth::default()
    };
    let broken = Bound::MaxNs(9 * MS);
    let p99 = "chat.response.p99";
    for (health, metric, bound, state) in [
        (stolen.clone(), p99, broken, SloState::Invalid),
        (stolen.clone(), p99, Bound::MaxNs(11 * MS), SloState::Passed), // In spite of it.
        (stolen.clone(), "chat.lost", Bound::Min(1.0), SloState::Broken), // A host loses nothing.
        (PhaseHealth { stolen_ratio: 0.02, ..stolen.clone() }, p99, broken, SloState::Broken),
        // A tick or two of a short phase.
        (PhaseHealth { stolen_ns: 90_000_000, ..stolen.clone() }, p99, broken, SloState::Broken),
        (PhaseHealth { elapsed_ns: 999_999_999, ..stolen.clone() }, p99, broken, SloState::Broken),
        (PhaseHealth { phase: "b".to_owned(), ..stolen }, p99, broken, SloState::Broken),
    ] {
        let phases = vec![phase("a", true, &[10; 100], 10), phase("b", true, &[10; 100], 10)];
        let mut summary = records(phases).into_summary(&[slo(Some("a"), metric, bound)]);
        summary.set_harness_health(HarnessHealth::default(), vec![health.clone()]);
        assert_eq!(summary.slos[0].state, state, "{metric} {bound}, {health:?}");
        let limits: Vec<&str> = summary.invalid.iter().map(|invalid| invalid.limit.as_str()).collect();
        let is_invalid = state == SloState::Invalid;
        assert_eq!(limits, if is_invalid { vec!["steal"] } else { vec![] });
        assert_eq!(summary.verdict() == Verdict::Invalid, is_invalid);
    }
}

#[test]
fn a_limit_of_the_harness_is_invalid_where_it_is_judged() {
    let sound = PhaseHealth { phase: "a".to_owned(), elapsed_ns: 5_000_000_000, ..PhaseHealth::default() };
    let busy = PhaseHealth { busy_ratio: 0.86, ..sound.clone() };
    let cases: [(PhaseHealth, &[&str]); 4] = [
        (PhaseHealth { busy_ratio: 0.85, cpu_ratio: 0.99, wait_ratio: 0.5, ..sound }, &[]),
        (busy.clone(), &["busy"]),
        (PhaseHealth { elapsed_ns: 999_999_999, ..busy.clone() }, &[]),
        (PhaseHealth { phase: "warm-up".to_owned(), ..busy }, &[]),
    ];
    for (health, limits) in cases {
        let phases = vec![phase("a", true, &[10; 100], 10), phase("warm-up", false, &[10; 100], 10)];
        let mut summary = records(phases).into_summary(&[]);
        summary.set_harness_health(HarnessHealth { busy_ratio: 0.99, cpu_ratio: 0.9 }, vec![health.clone()]);
        let met: Vec<&str> = summary.invalid.iter().map(|invalid| invalid.limit.as_str()).collect();
        assert_eq!(met, limits, "{health:?}");
        assert_eq!(summary.verdict() == Verdict::Invalid, !limits.is_empty());
    }
    // Nobody asks about the logins of the first run, somebody does of the second.
    let mut login = phase("a", true, &[], 10);
    login.actions.clear();
    let slo = slo(None, "login.total.max", Bound::MaxNs(1_000));
    for (slos, limits) in [(vec![], vec![]), (vec![slo], vec!["slo", "busy"])] {
        let mut summary = records(vec![login.clone()]).into_summary(&slos);
        summary.set_harness_health(HarnessHealth::default(), vec![busy.clone()]);
        let met: Vec<&str> = summary.invalid.iter().map(|invalid| invalid.limit.as_str()).collect();
        assert_eq!(met, limits);
    }
}

#[test]
fn a_summary_survives_json() {
    let summary = records(vec![phase("a", true, &[10; 100], 10)]).into_summary(&[]);
    let text = serde_json::to_string(&summary).unwrap();
    let back: crate::metrics::Summary = serde_json::from_str(&text).unwrap();
    assert_eq!(back, summary);
    assert!(text.contains("\"name\":\"p99\""));
}

#[test]
fn durations_have_three_digits() {
    for (ns, text) in [
        (0, "0ns"),
        (850, "850ns"),
        (1_000, "1µs"),
        (12_340, "12.3µs"),
        (999_600, "1ms"),
        (1_500_000, "1.5ms"),
        (250_000_000, "250ms"),
        (59_999_999_999, "60s"),
    ] {
        assert_eq!(format_ns(ns), text);
    }
}

/// A break 200 ms before the end of a phase whose drain takes another 100: of ten, these come back after so many ms.
fn broken(name: &str, back_ms: &[u64]) -> PhaseRecord {
    let mut phase = phase(name, true, &[1; 100], 0);
    let mut record = ReconnectRecord::new(Nanos(1_800 * MS));
    (record.broken, record.attempts, record.failed) = (10, 12, 2);
    for ms in back_ms {
        let at = |before: u64| Nanos((1_800 + ms - before) * MS);
        let times = LoginTimes {
            intended: at(5),
            began: at(5),
            connected: at(4),
            authenticated: at(3),
            bound: at(2),
            ready: at(0),
        };
        record.back(&times);
    }
    phase.reconnect = Some(record);
    phase
}

#[test]
fn a_break_is_judged_by_who_came_back_and_when() {
    let some = [broken("a", &[10, 20, 30, 40, 50, 60, 70, 80, 90]), phase("b", true, &[1; 100], 0)];
    for (metric, bound, state, measured) in [
        ("reconnect.to_90_percent", Bound::MaxNs(90 * MS), SloState::Passed, "90ms"),
        ("reconnect.to_90_percent", Bound::MaxNs(89 * MS), SloState::Broken, "90ms"),
        // The tenth may have come back after the 300 ms that were waited for, or never.
        ("reconnect.to_99_percent", Bound::MaxNs(1_000 * MS), SloState::Broken, "≥300ms"),
        ("reconnect.missing", Bound::Max(0.0), SloState::Broken, "1"),
        ("reconnect.failed", Bound::Max(2.0), SloState::Passed, "2"),
        ("reconnect.broken", Bound::Min(10.0), SloState::Passed, "10"),
    ] {
        let result = judged(slo(None, metric, bound), &some);
        assert_eq!((result.state, result.measured.as_str()), (state, measured), "{metric} {bound}");
    }
    let socket = judged(slo(Some("a"), "reconnect.socket.max", Bound::MaxNs(87 * MS)), &some);
    assert_eq!(socket.state, SloState::Passed, "{}", socket.measured);

    // The slowest of several breaks, and the sum of who is missing.
    let two = [some[0].clone(), broken("c", &[100; 10])];
    let worst = judged(slo(None, "reconnect.to_90_percent", Bound::MaxNs(95 * MS)), &two);
    assert_eq!((worst.state, worst.measured.as_str()), (SloState::Broken, "100ms"));
    assert_eq!(judged(slo(None, "reconnect.missing", Bound::Max(1.0)), &two).state, SloState::Passed);
    assert_eq!(judged(slo(None, "reconnect.bound.p90", Bound::MaxNs(99 * MS)), &two).state, SloState::Passed);

    let none = judged(slo(Some("b"), "reconnect.to_all", Bound::MaxNs(MS)), &some);
    assert_eq!(none.state, SloState::Invalid, "{}", none.measured);
}
