//! Broken connections: who is, who comes back and when, and what is lost, doubled or nobody's to answer for.

use super::rig::Rig;
use super::server::Habits;
use super::{SCENARIO, action};
use crate::metrics::{Failure, ReconnectSummary, Summary, Verdict};
use crate::time::Nanos;

const REACTORS: [usize; 3] = [1, 2, 3];

/// The scenario with a break of sixteen of twenty users a second into its last phase.
fn with_break(how: &str, reconnect: &str) -> String {
    let text = SCENARIO.replace(
        "drain = \"3s\",",
        &format!(
            "drain = \"3s\", break = {{ share = 0.8, how = \"{how}\", at = \"1s\", reconnect = {{ {reconnect} }} }},"
        ),
    );
    assert_ne!(text, SCENARIO);
    text.replace(
        "slo = [",
        "slo = [\n  { metric = \"reconnect.to_all\", max = \"2s\" },\n  { metric = \"reconnect.missing\", max = 0 },",
    )
}

fn run(reactors: usize, text: &str, habits: Habits) -> Summary {
    Rig::with_reactors(reactors, text, habits).run().0
}

fn reconnect(summary: &Summary) -> &ReconnectSummary {
    summary.phases.last().and_then(|phase| phase.reconnect.as_ref()).expect("the phase breaks connections")
}

#[test]
fn who_is_broken_comes_back_whatever_broke_it() {
    for how in ["tcp-reset", "tcp-close", "stream-close"] {
        for reactors in REACTORS {
            let summary = run(reactors, &with_break(how, "backoff = \"500ms..4s\""), Habits::default());
            let back = reconnect(&summary);
            assert_eq!((back.broken, back.back, back.missing), (16, 16, 0), "{how}, {reactors} reactors");
            assert_eq!((back.attempts, back.failed, back.login.ready), (16, 0, 16));
            let times = [back.to_90_percent_ns, back.to_99_percent_ns, back.to_all_ns].map(Option::unwrap);
            assert!(times.is_sorted() && times[2] < 600_000_000, "{times:?}");
            assert_eq!(back.spans["ready"].count, 16);
            assert_eq!((summary.login.ready, summary.login.spans["total"].count), (20, 20), "not mixed");
            assert_eq!(
                summary.verdict(),
                Verdict::Passed,
                "{how}: {:#?} {:#?}",
                summary.slos,
                summary.invalid
            );
            let broken = summary.closes.iter().find(|c| c.count == 16 && c.blame == "us");
            assert!(broken.is_some() || how == "stream-close", "{:?}", summary.closes);
            assert_eq!(summary.closes.iter().map(|c| c.count).sum::<u64>(), 36, "{:?}", summary.closes);
        }
    }
}

#[test]
fn the_break_does_not_depend_on_the_number_of_reactors() {
    let text = with_break("tcp-reset", "backoff = \"1s..4s\", jitter = \"full\"");
    let one = run(1, &text, Habits::default());
    for reactors in REACTORS {
        let summary = run(reactors, &text, Habits::default());
        assert_eq!(reconnect(&summary).to_all_ns, reconnect(&one).to_all_ns, "{reactors} reactors");
        assert_eq!(reconnect(&summary).spans, reconnect(&one).spans, "{reactors} reactors");
    }
}

#[test]
fn without_jitter_everybody_waits_as_long() {
    let text = with_break("tcp-reset", "backoff = \"1s..4s\", jitter = \"none\"");
    let back = run(1, &text, Habits::default());
    let first = reconnect(&back).spans["socket"].min_ns;
    assert!((999_000_000..1_001_000_000).contains(&first), "{first}");
    let text = with_break("tcp-reset", "backoff = \"1s..4s\", at_once = true");
    let back = run(1, &text, Habits::default());
    assert!(reconnect(&back).to_all_ns < Some(50_000_000), "{:?}", reconnect(&back).to_all_ns);
}

/// Who acts does not depend on how fast somebody is back, nor on who plays whom.
#[test]
fn the_same_users_act_on_any_number_of_reactors() {
    let text = with_break("tcp-reset", "backoff = \"500ms..4s\"")
        .replace("rate = \"100/s\"", "rate = \"100/s\", to = \"any\"");
    let begun = |reactors| {
        let (worlds, _) = Rig::with_reactors(reactors, &text, Habits::default()).run_to_worlds();
        let mut begun: Vec<_> = worlds.iter().flat_map(|world| world.journal.begun()).collect();
        begun.sort_unstable();
        begun
    };
    let one = begun(1);
    let actors = one
        .iter()
        .filter(|(phase, .., at)| *phase == 2 && *at >= 1_000_000_000)
        .map(|(_, _, _, user, ..)| *user);
    let actors: std::collections::BTreeSet<u32> = actors.collect();
    assert_eq!(actors.len(), 4, "who was never away");
    for reactors in REACTORS {
        assert_eq!(begun(reactors), one, "{reactors} reactors");
    }
}

/// Every operation has one end, and what the break made uncertain is told apart from what the server lost.
#[test]
fn operations_across_the_break_are_accounted_for() {
    for how in ["tcp-reset", "tcp-close", "stream-close"] {
        for reactors in REACTORS {
            let summary = run(reactors, &with_break(how, "backoff = \"500ms..4s\""), Habits::default());
            for name in ["chat", "presence", "ping"] {
                let c = action(&summary, name).counts;
                assert_eq!(c.intended, c.done + c.failed + c.timed_out + c.unsent + c.unsure, "{name} {c:?}");
                assert_eq!(
                    (c.timed_out, c.lost, c.duplicated, c.unexpected, c.missing),
                    (0, 0, 0, 0, 0),
                    "{c:?}"
                );
                assert_eq!(c.delivered, c.required, "{name} {c:?}");
                assert!(c.unsure < 4, "a millisecond's worth: {c:?}");
            }
        }
    }
}

#[test]
fn what_a_server_loses_stays_lost_in_a_storm() {
    let habits = || Habits { drops_message: Some(100), ..Habits::default() };
    let text = with_break("tcp-reset", "at_once = true");
    let chat = action(&run(1, &text, habits()), "chat").counts;
    assert!((3..=4).contains(&chat.lost), "{chat:?}");
    assert_eq!((chat.intended, chat.timed_out), (400, chat.lost), "{chat:?}");
    assert_eq!(chat.done + chat.failed + chat.timed_out + chat.unsure, 400, "{chat:?}");
}

#[test]
fn messages_to_the_absent_are_stored_or_bounced() {
    let text = with_break("tcp-reset", "backoff = \"1s..4s\", jitter = \"none\"")
        .replace("rate = \"100/s\"", "rate = \"100/s\", to = \"any\"");
    for reactors in REACTORS {
        let stored = run(reactors, &text, Habits { stores: true, ..Habits::default() });
        let stored = action(&stored, "chat").counts;
        // For a second, four messages of five are for somebody who is away.
        assert!(stored.unsure > 50 && stored.optional > 50 && stored.optional <= stored.unsure, "{stored:?}");
        assert_eq!((stored.lost, stored.failed, stored.duplicated), (0, 0, 0), "{stored:?}");
        assert_eq!(stored.done + stored.unsure, 400, "{stored:?}");

        let bounced = run(reactors, &text, Habits::default());
        let bounced = action(&bounced, "chat").counts;
        assert!(bounced.failed > 50 && bounced.lost == 0, "{bounced:?}");
        assert_eq!(bounced.done + bounced.failed + bounced.unsure, 400, "{bounced:?}");
    }
}

#[test]
fn who_is_refused_tries_again_until_the_drain_is_over() {
    // Twenty logins, and the first ten that come back.
    let habits = || Habits { refuses_after: Some(30), ..Habits::default() };
    let text = with_break("tcp-reset", "backoff = \"100ms..1s\", jitter = \"none\"");
    for reactors in REACTORS {
        let summary = run(reactors, &text, habits());
        let back = reconnect(&summary);
        assert_eq!((back.broken, back.back, back.missing), (16, 10, 6), "{reactors} reactors");
        // 100, 200, 400, 800 ms, then once a second, for three seconds and the drain's three.
        assert!((6 * 6..6 * 9).contains(&back.failed), "{back:?}");
        assert_eq!(back.attempts, back.failed + back.back);
        assert_eq!((back.to_90_percent_ns, back.to_all_ns), (None, None));
        assert_eq!(summary.verdict(), Verdict::SloBroken);
        let slo = &summary.slos[0];
        assert_eq!((slo.metric.as_str(), slo.measured.as_str()), ("reconnect.to_all", "≥6s"));
        assert_eq!(summary.slos[1].measured, "6");
        assert!(summary.errors.iter().any(|e| e.what == "reconnection refused"), "{:?}", summary.errors);
    }
}

#[test]
fn a_target_that_nobody_comes_back_to_is_unreachable() {
    let text = with_break("tcp-close", "backoff = \"100ms..1s\"");
    for reactors in REACTORS {
        let summary = run(reactors, &text, Habits { refuses_after: Some(20), ..Habits::default() });
        assert_eq!(summary.verdict(), Verdict::TargetUnreachable);
        let Some(Failure::TargetUnreachable(what)) = &summary.failure else {
            panic!("{:?}", summary.failure)
        };
        assert_eq!(what, "phase steady: none of the 16 users whose connections were broken came back");
    }
}

#[test]
fn a_server_that_dies_in_a_storm_is_unreachable() {
    let text = with_break("tcp-reset", "backoff = \"100ms..1s\"");
    for reactors in REACTORS {
        let mut rig = Rig::with_reactors(reactors, &text, Habits::default());
        rig.pranks.push_back((Nanos(4_000_000_000), |rig| {
            rig.connects_fail = Some(std::io::ErrorKind::ConnectionRefused);
            rig.break_all();
        }));
        let summary = rig.run().0;
        assert_eq!(summary.verdict(), Verdict::TargetUnreachable, "{:?}", summary.invalid);
    }
}

#[test]
fn everybody_may_be_broken_when_nobody_acts() {
    let text = with_break("tcp-reset", "backoff = \"200ms..1s\"").replace("share = 0.8", "share = 1.0");
    assert!(crate::load::Scenario::parse(&text).is_err(), "nobody would be left to act");
    let (head, rest) = text.split_once(", do = [\n    { action = \"chat\"").expect("the last phase acts");
    let (_, tail) = rest.split_once("] },\n]\nslo").expect("the phases end");
    let quiet = format!("{head} }},\n]\nslo{tail}");
    let quiet: String = quiet
        .lines()
        .filter(|line| ["chat.", "presence.", "achieved"].iter().all(|word| !line.contains(word)))
        .map(|line| format!("{line}\n"))
        .collect();
    for reactors in REACTORS {
        let summary = run(reactors, &quiet, Habits::default());
        assert_eq!(summary.verdict(), Verdict::Passed, "{:?} {:?}", summary.failure, summary.slos);
        assert_eq!((reconnect(&summary).broken, reconnect(&summary).back), (20, 20));
    }
}

#[test]
fn rosters_are_asked_for_and_counted() {
    let text =
        SCENARIO.replace("action = \"ping\", rate = \"50/s\"", "action = \"roster_get\", rate = \"50/s\"");
    let summary = run(1, &text, Habits::default());
    let counts = action(&summary, "roster_get").counts;
    assert_eq!((counts.intended, counts.done, counts.failed), (200, 200, 0));
    assert_eq!(action(&summary, "roster_get").latencies["response"].count, 200);
}

#[test]
fn a_ramp_is_the_same_on_any_number_of_reactors() {
    let text = SCENARIO.replace("rate = \"100/s\"", "rate = { from = \"20/s\", to = \"180/s\" }").replace(
        "rate = \"50/s\", shape = \"poisson\", timeout",
        "rate = { from = \"10/s\", to = \"90/s\" }, timeout",
    );
    let begun = |reactors| {
        let (worlds, _) = Rig::with_reactors(reactors, &text, Habits::default()).run_to_worlds();
        let mut begun: Vec<_> = worlds.iter().flat_map(|world| world.journal.begun()).collect();
        begun.sort_unstable();
        begun
    };
    let one = begun(1);
    let chats = |from: u64, to: u64| {
        let inside = |at: &u64| (from * 1_000_000_000..to * 1_000_000_000).contains(at);
        one.iter().filter(|(phase, action, .., at)| (*phase, *action) == (2, 0) && inside(at)).count()
    };
    assert_eq!([chats(0, 1), chats(1, 2), chats(2, 3), chats(3, 4)], [40, 80, 120, 160]);
    for reactors in [2, 3] {
        assert_eq!(begun(reactors), one, "{reactors} reactors");
    }
    let summary = run(1, &text, Habits::default());
    assert_eq!(
        (action(&summary, "chat").rate_intended, action(&summary, "chat").model.as_ref()),
        (100.0, "open")
    );
    // Twenty users between 10 and 90 a second: 400 ms, and the last one is there with the ramp's end.
    assert!((380_000_000..420_000_000).contains(&summary.login.elapsed_ns), "{}", summary.login.elapsed_ns);
}
