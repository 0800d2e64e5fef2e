//! The proof that the harness's numbers are right: a server that plays a script, and reports that are held against it.
//!
//! Nothing of the program under test is used but its XML reader; it runs as users run it. The peer drops, doubles,
//! delays, reorders, misdelivers and stalls as its script says, and writes down what it did. From that log alone
//! [`expect`] computes every count and every percentile; [`compare`] names what `result.json` says otherwise.
//! `docs/measuring.md` has the method.

#![allow(clippy::unwrap_used, reason = "a test")]

mod client;
mod compare;
mod expect;
mod harness;
mod log;
mod peer;
mod routing;
mod script;

use compare::{counts, differences, sums};
use expect::Times;
use harness::Run;
use script::{Action, Script, Stall};

/// Above a thousand operations in five seconds: enough for a p99.9.
const RATE: u64 = 240;
const ALL: [(Action, u64); 3] = [(Action::Chat, 240), (Action::Presence, 220), (Action::Ping, 210)];

/// Each count is at least this: an expectation of zero would show nothing.
fn assert_happened(run: &Run, action: Action, names: &[&str]) {
    let expected = run.expected(action, Times::Written);
    for name in names {
        assert!(expected.counts[name] > 0, "{action:?}: {name} did not happen");
    }
}

fn assert_true(run: &Run, action: Action, times: Times) {
    let expected = run.expected(action, times);
    assert_eq!(differences(&expected, run.report(action)), [""; 0], "{action:?} by {times:?} times");
}

fn replayed(run: &Run) -> u64 {
    run.result["summary"]["other"]["presence_replayed"].as_u64().unwrap_or(0)
}

const CHAT_FAULTS: [&str; 7] =
    ["lost", "duplicated", "reordered", "late", "unexpected", "timed_out", "failed"];
const PRESENCE_FAULTS: [&str; 6] = ["missing", "duplicated", "reordered", "late", "unexpected", "timed_out"];
const PING_FAULTS: [&str; 5] = ["duplicated", "late", "unexpected", "timed_out", "failed"];

#[test]
fn chat_is_reported_as_it_was() {
    let mut run = Run::of(Script::faulty(1), &[(Action::Chat, RATE)], 1);
    assert_happened(&run, Action::Chat, &CHAT_FAULTS);
    assert_true(&run, Action::Chat, Times::Written);
    assert_eq!(run.exit_code, 3, "lost messages break the SLO");

    // The same report, held against what another script would have done.
    let mut wrong = run.expected(Action::Chat, Times::Written);
    *wrong.counts.get_mut("lost").unwrap() += 1;
    assert_eq!(differences(&wrong, run.report(Action::Chat)).len(), 1);
    run.log.deliveries.remove(0);
    let wrong = run.expected(Action::Chat, Times::Written);
    assert!(!differences(&wrong, run.report(Action::Chat)).is_empty());
}

#[test]
fn presence_is_reported_as_it_was() {
    let run = Run::of(Script::faulty(2), &[(Action::Presence, RATE)], 1);
    assert_happened(&run, Action::Presence, &PRESENCE_FAULTS);
    assert_true(&run, Action::Presence, Times::Written);
    let expected = run.expected(Action::Presence, Times::Written);
    assert!(expected.replayed > 0);
    assert_eq!(replayed(&run), expected.replayed);
}

#[test]
fn pings_are_reported_as_they_were() {
    let run = Run::of(Script::faulty(3), &[(Action::Ping, RATE)], 1);
    assert_happened(&run, Action::Ping, &PING_FAULTS);
    assert_true(&run, Action::Ping, Times::Written);
}

/// Everything at once, with a peer that neither reads nor writes for two seconds.
#[test]
fn a_stall_among_faults_is_reported_as_it_was() {
    let stall = Some(Stall { action: Action::Chat, at: 360, ms: 2_000 });
    let run = Run::of(Script { stall, ..Script::faulty(4) }, &ALL, 1);
    for (action, faults) in
        [(Action::Chat, &CHAT_FAULTS[..]), (Action::Presence, &PRESENCE_FAULTS), (Action::Ping, &PING_FAULTS)]
    {
        assert_happened(&run, action, faults);
        assert_true(&run, action, Times::Written);
    }
    assert_eq!(replayed(&run), run.expected(Action::Presence, Times::Written).replayed);
}

/// Every operation that was due in the stall carries its wait: the expectation is made of the intended starts, the
/// script's delays, and when the stall was; of nothing that was read late because of it.
#[test]
fn a_stall_is_in_the_percentiles_of_what_was_due_in_it() {
    let stall = Some(Stall { action: Action::Chat, at: 300, ms: 2_000 });
    let run = Run::of(Script { stall, ..Script::faultless(5) }, &ALL, 1);
    for action in Action::ALL {
        assert_true(&run, action, Times::Scripted);
        assert_true(&run, action, Times::Written);
        let report = run.report(action);
        assert_eq!(report["counts"]["done"], report["counts"]["intended"]);
    }
    assert_eq!(run.exit_code, 0, "{}", run.result["summary"]["slos"]);
    // Without the wait, as if each operation had begun when it was read, nothing would be above the script's delays.
    let p99 = &run.report(Action::Ping)["latencies"]["response"]["percentiles"][2];
    assert!(p99["ns"].as_u64().unwrap() > 3_500_000_000, "{p99}");
}

/// A harness that was stopped for a second sends late what was due meanwhile, and counts it from when it was due.
#[test]
fn a_late_harness_counts_from_the_intended_start() {
    let pause = Some(Stall { action: Action::Ping, at: 420, ms: 1_000 });
    let run = Run::of(Script { pause, ..Script::faultless(9) }, &ALL, 1);
    for action in Action::ALL {
        assert_true(&run, action, Times::Written);
        let latencies = &run.report(action)["latencies"];
        let max = |series: &str| latencies[series]["percentiles"][4]["ns"].as_u64().unwrap();
        assert!(max("send_lag") > 900_000_000, "it was late: {}", latencies["send_lag"]);
    }
}

/// Several reactors tell each other what came in, and nothing gets lost or is counted twice between them.
#[test]
fn several_reactors_count_as_one() {
    let run = Run::of(Script::faulty(6), &ALL, 3);
    for action in Action::ALL {
        let expected = run.expected(action, Times::Written);
        assert_eq!(counts(&expected, run.report(action)), [""; 0], "{action:?}");
        assert_eq!(sums(run.report(action)), [""; 0], "{action:?}");
    }
    assert_eq!(replayed(&run), run.expected(Action::Presence, Times::Written).replayed);
}

/// Who is sent away is required no more, and nobody waits for it.
#[test]
fn who_leaves_is_not_missed() {
    let script = Script { departs: Some((5, 500)), ..Script::faultless(8) };
    let run = Run::of(script, &[(Action::Presence, RATE)], 1);
    let expected = run.expected(Action::Presence, Times::Written);
    assert!(expected.counts["required"] < 5 * expected.counts["intended"]);
    assert_eq!(differences(&expected, run.report(Action::Presence)), [""; 0]);
    assert_eq!(expected.counts["missing"], 0);
    // A server that sends its users away does not pass, and nothing else is held against it.
    let slos = run.result["summary"]["slos"].as_array().unwrap();
    let broken: Vec<_> = slos.iter().filter(|slo| slo["state"] != "passed").collect();
    assert_eq!((run.exit_code, broken.len()), (3, 1), "{slos:?}");
    assert_eq!(broken[0]["metric"], "connections.lost");
}
