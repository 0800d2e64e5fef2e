//! Set-up and teardown against a server that keeps rosters: from nothing, again, from a half, and away.

use super::SCENARIO;
use super::rig::Rig;
use super::server::{Habits, Server};
use crate::load::scenario::Scenario;
use crate::load::{Mode, contacts};
use crate::metrics::{Summary, Verdict};
use crate::time::Nanos;

const REACTORS: [usize; 3] = [1, 2, 7];
/// Contacts of 20 users in a ring with 4 each.
const ENDS: u64 = 80;

fn scenario(create: &str) -> String {
    SCENARIO.replace("auth = \"PLAIN\",", &format!("auth = \"PLAIN\", create = \"{create}\","))
}

fn habits() -> Habits {
    Habits { keeps_rosters: true, registers: Some(None), ..Habits::default() }
}

fn go(mode: Mode, reactors: usize, scenario: &str, server: Option<Server>) -> (Summary, Server) {
    let mut rig = Rig::in_mode(mode, reactors, scenario, habits());
    if let Some(mut server) = server {
        server.logins = 0;
        rig.server = server;
    }
    rig.run()
}

fn other(summary: &Summary, word: &str) -> u64 {
    summary.other.get(word).copied().unwrap_or(0)
}

fn assert_has_graph(server: &Server) {
    let parsed = Scenario::parse(SCENARIO).unwrap();
    let graph = contacts(parsed.users.roster.as_ref().unwrap(), 20, parsed.seed);
    let ends =
        (0u32..).zip(graph).flat_map(|(user, list)| list.into_iter().map(move |contact| (user, contact)));
    assert_eq!(server.subscriptions.granted, ends.collect());
    assert!(server.subscriptions.asked.is_empty());
}

#[test]
fn from_nothing_and_again() {
    for reactors in REACTORS {
        let (summary, server) = go(Mode::Run, reactors, &scenario("register"), None);
        assert_eq!(summary.verdict(), Verdict::Passed, "{:?} {:?}", summary.failure, summary.errors);
        let made = ["registered", "rosters_made", "subscriptions_asked", "subscriptions_approved"];
        assert_eq!(made.map(|word| other(&summary, word)), [20, 20, ENDS, ENDS], "{reactors} reactors");
        assert_eq!(server.logins, 60, "twice for the roster, once for the run");
        assert_eq!(summary.login.spans["tcp"].count, 20, "logins of set-up are not measured");
        assert_has_graph(&server);

        let (again, server) = go(Mode::Run, reactors, &scenario("register"), Some(server));
        assert_eq!(again.verdict(), Verdict::Passed);
        let skipped = ["registered_before", "rosters_right_before", "registered", "rosters_made"];
        assert_eq!(skipped.map(|word| other(&again, word)), [20, 20, 0, 0]);
        assert_eq!(server.logins, 40, "who has nothing to approve does not come back");
        assert_has_graph(&server);
    }
}

#[test]
fn set_up_alone_runs_nothing() {
    let (summary, server) = go(Mode::SetUpOnly, 2, &scenario("register"), None);
    assert_eq!(summary.verdict(), Verdict::Passed, "{:?}", summary.invalid);
    assert!(summary.phases.is_empty() && summary.slos.is_empty());
    assert_eq!(server.logins, 40);
    assert_has_graph(&server);
}

/// Wherever it is interrupted, the next one brings it to its end.
#[test]
fn an_interrupted_set_up_is_taken_up() {
    let mut lengths = std::collections::BTreeSet::new();
    for reactors in [1, 2] {
        for ms in 2..60 {
            let mut rig = Rig::in_mode(Mode::SetUpOnly, reactors, &scenario("register"), habits());
            let stop = |rig: &mut Rig| (0..rig.hubs.len()).for_each(|hub| rig.hubs[hub].handle_stop(rig.now));
            rig.pranks.push_back((Nanos(1_000_000_000 + ms * 1_000_000), stop));
            let (summary, server) = rig.run();
            if summary.verdict() == Verdict::Passed {
                break; // It was over before.
            }
            assert_eq!(summary.verdict(), Verdict::Interrupted, "after {ms} ms");
            lengths.insert((server.registered.len(), server.subscriptions.granted.len()));
            let (summary, server) = go(Mode::Run, reactors, &scenario("register"), Some(server));
            assert_eq!(summary.verdict(), Verdict::Passed, "after {ms} ms: {:?}", summary.invalid);
            assert_has_graph(&server);
        }
    }
    assert!(lengths.iter().any(|(_, granted)| (1..80).contains(granted)), "{lengths:?}");
    assert!(lengths.iter().any(|(accounts, _)| (1..20).contains(accounts)), "{lengths:?}");
}

#[test]
fn a_server_that_is_slow_to_approve_is_asked_again() {
    let habits = Habits { loses_approvals: 90, ..habits() };
    let (summary, server) = Rig::in_mode(Mode::Run, 1, &scenario("register"), habits).run();
    assert_eq!(summary.verdict(), Verdict::Passed, "{:?}", summary.invalid);
    assert_has_graph(&server);
}

#[test]
fn a_server_that_takes_no_approval_is_named() {
    for reactors in REACTORS {
        let habits = Habits { loses_approvals: u32::MAX, ..habits() };
        let (summary, _) = Rig::in_mode(Mode::Run, reactors, &scenario("register"), habits).run();
        assert_eq!(summary.verdict(), Verdict::Invalid);
        assert_eq!(summary.invalid[0].limit, "roster");
        assert!(summary.invalid[0].what.contains("does not take its approval of u"), "{:?}", summary.invalid);
        assert!(summary.phases.is_empty(), "nobody logs in for that");
    }
}

#[test]
fn a_teardown_leaves_nothing_and_can_be_repeated() {
    for reactors in REACTORS {
        let (_, server) = go(Mode::SetUpOnly, reactors, &scenario("register"), None);
        let (summary, server) = go(Mode::Teardown, reactors, &scenario("register"), Some(server));
        assert_eq!(summary.verdict(), Verdict::Passed, "{:?}", summary.errors);
        assert_eq!((other(&summary, "accounts_removed"), other(&summary, "accounts_skipped")), (20, 0));
        assert!(
            server.registered.is_empty() && server.subscriptions.is_empty(),
            "{:?}",
            server.subscriptions
        );

        let (summary, _) = go(Mode::Teardown, reactors, &scenario("register"), Some(server));
        assert_eq!(summary.verdict(), Verdict::Passed);
        assert_eq!((other(&summary, "accounts_removed"), other(&summary, "accounts_skipped")), (0, 20));
    }
}

#[test]
fn accounts_that_existed_lose_the_graphs_contacts_only() {
    let (_, mut server) = go(Mode::SetUpOnly, 1, &scenario("register"), None);
    // Not of the ring.
    server.subscriptions.granted.insert((3, 13));
    let (summary, server) = go(Mode::Teardown, 2, &scenario("existing"), Some(server));
    assert_eq!(summary.verdict(), Verdict::Passed, "{:?}", summary.errors);
    assert_eq!((other(&summary, "contacts_removed"), other(&summary, "accounts_removed")), (ENDS, 0));
    assert_eq!(server.registered.len(), 20);
    assert_eq!(server.subscriptions.granted.into_iter().collect::<Vec<_>>(), [(3, 13)]);
    assert!(server.subscriptions.left_over.is_empty());
}

/// Nobody logs in as fast as that here by itself: 60 errands take less than a second.
#[test]
fn set_up_keeps_its_rate() {
    for reactors in [1, 3] {
        let slow = scenario("register").replace("create =", "setup_rate = \"10/s\", create =");
        let (summary, _) = go(Mode::SetUpOnly, reactors, &slow, None);
        assert_eq!(summary.verdict(), Verdict::Passed);
        assert!((5_500_000_000..7_000_000_000).contains(&summary.elapsed_ns), "{}", summary.elapsed_ns);
        let (summary, _) = go(Mode::SetUpOnly, reactors, &scenario("register"), None);
        assert!(summary.elapsed_ns < 1_000_000_000, "{}", summary.elapsed_ns);
    }
}

#[test]
fn progress_counts_users() {
    let slow = scenario("register").replace("create =", "setup_rate = \"10/s\", create =");
    let mut rig = Rig::in_mode(Mode::SetUpOnly, 2, &slow, habits());
    let seen = std::sync::Arc::clone(&rig.monitor);
    rig.pranks.push_back((Nanos(2_100_000_000), |rig| rig.hubs[0].handle_stop(rig.now)));
    rig.pranks.push_front((Nanos(2_000_000_000), |rig| {
        let snapshot = rig.monitor.read();
        let set_up = snapshot.set_up.expect("set-up is under way");
        assert_eq!((snapshot.phase.as_str(), set_up.step, set_up.of), ("set-up", "register", 20));
        assert!((5..12).contains(&set_up.done), "{set_up:?}");
    }));
    let (summary, _) = rig.run();
    assert_eq!(summary.verdict(), Verdict::Interrupted);
    assert_eq!(seen.read().phase, "logout");
}
