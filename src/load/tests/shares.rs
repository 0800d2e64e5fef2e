//! The same run on one reactor and on several: what is done does not change, and neither does what comes out.

use super::rig::Rig;
use super::server::{Habits, Server};
use super::{SCENARIO, action};
use crate::metrics::{Counts, Failure, Summary, Verdict};
use crate::time::Nanos;

const REACTORS: [usize; 4] = [1, 2, 3, 7];

fn run(reactors: usize, habits: Habits) -> Summary {
    Rig::with_reactors(reactors, SCENARIO, habits).run().0
}

fn counts(summary: &Summary) -> [Counts; 3] {
    ["chat", "presence", "ping"].map(|name| action(summary, name).counts)
}

/// Everything that does not depend on when a phase began: each run of this network ends the same way.
fn samples(summary: &Summary) -> Vec<(String, u64, Vec<Option<u64>>)> {
    let mut samples = Vec::new();
    for name in ["chat", "presence", "ping"] {
        for (series, distribution) in &action(summary, name).latencies {
            let values = distribution.percentiles.iter().map(|p| p.ns).collect();
            samples.push((format!("{name}.{series}"), distribution.count, values));
        }
    }
    samples
}

#[test]
fn the_schedule_does_not_depend_on_the_number_of_reactors() {
    for text in [SCENARIO.to_owned(), SCENARIO.replace("rate = \"100/s\"", "rate = \"100/s\", to = \"any\"")]
    {
        let begun = |reactors| {
            let (worlds, _) = Rig::with_reactors(reactors, &text, Habits::default()).run_to_worlds();
            assert_eq!(worlds.len(), reactors);
            let mut begun: Vec<_> = worlds.iter().flat_map(|world| world.journal.begun()).collect();
            begun.sort_unstable();
            begun
        };
        let one = begun(1);
        assert_eq!(one.iter().filter(|(_, action, ..)| *action == 0).count(), 410, "400 chats and 10 pings");
        for reactors in REACTORS {
            assert_eq!(begun(reactors), one, "{reactors} reactors");
        }
    }
}

#[test]
fn a_good_server_is_measured_the_same() {
    let one = run(1, Habits::default());
    for reactors in REACTORS {
        let summary = run(reactors, Habits::default());
        assert_eq!(summary.verdict(), Verdict::Passed, "{:#?} {:#?}", summary.slos, summary.errors);
        assert_eq!((summary.login.asked, summary.login.ready, summary.login.failed), (20, 20, 0));
        assert_eq!(summary.login.spans, one.login.spans, "{reactors} reactors");
        assert_eq!(counts(&summary), counts(&one), "{reactors} reactors");
        assert_eq!(samples(&summary), samples(&one), "{reactors} reactors");
        for name in ["chat", "presence", "ping"] {
            assert_eq!(action(&summary, name).seconds, action(&one, name).seconds, "{reactors}: {name}");
        }
        assert_eq!((&summary.closes, &summary.other), (&one.closes, &one.other));
    }
}

#[test]
fn faults_are_counted_exactly() {
    for reactors in REACTORS {
        let lost = counts(&run(reactors, Habits { drops_message: Some(100), ..Habits::default() }))[0];
        assert_eq!((lost.lost, lost.timed_out, lost.done), (4, 4, 396), "{reactors} reactors");
        let doubled = counts(&run(reactors, Habits { doubles_message: Some(50), ..Habits::default() }))[0];
        assert_eq!((doubled.duplicated, doubled.done, doubled.lost), (8, 400, 0), "{reactors} reactors");
        let shouted = counts(&run(reactors, Habits { shouts: true, ..Habits::default() }))[1];
        assert_eq!(shouted.unexpected, shouted.intended * 15, "{reactors} reactors");
        assert_eq!((shouted.missing, shouted.duplicated, shouted.delivered), (0, 0, shouted.required));
    }
    // Which change is the thirtieth depends on who was first to log in, and that is the same here.
    let forgotten = |reactors| run(reactors, Habits { forgets_contact: Some(30), ..Habits::default() });
    let one = counts(&forgotten(1))[1];
    assert!(one.missing > 0);
    for reactors in REACTORS {
        assert_eq!(counts(&forgotten(reactors))[1], one, "{reactors} reactors");
    }
}

#[test]
fn what_overtakes_is_found_between_reactors() {
    let chat = |reactors| {
        let habits = Habits { swaps_messages: true, ..Habits::default() };
        let summary = Rig::with_reactors(reactors, &two_users(), habits).run().0;
        action(&summary, "chat").counts
    };
    let one = chat(1);
    // Of two hundred that are held up, the next message is of the same pair in about half of the cases.
    assert!(one.done == 400 && (50..150).contains(&one.reordered), "{one:?}");
    for reactors in [2, 3] {
        assert_eq!(chat(reactors), one, "{reactors} reactors");
    }
}

/// Two users that write to each other.
fn two_users() -> String {
    SCENARIO
        .replace("count = 20", "count = 2")
        .replace("graph = \"ring\", contacts = 4", "graph = \"random\", contacts = 1")
}

#[test]
fn a_user_that_goes_is_missed_by_nobody() {
    for reactors in REACTORS {
        let summary = run(reactors, Habits { kills_at_message: Some(200), ..Habits::default() });
        let [chat, presence, ping] = counts(&summary);
        assert_eq!((chat.lost, chat.intended), (1, 400), "{reactors} reactors");
        assert_eq!((chat.unsent, presence.unsent, ping.unsent), (0, 0, 0), "others of its reactor write");
        assert_eq!(presence.missing, 0, "{reactors} reactors");
    }
}

#[test]
fn whoever_fails_ends_the_run_for_all() {
    for reactors in REACTORS {
        let refused = run(reactors, Habits { refuses: Some("u3".to_owned()), ..Habits::default() });
        let Some(Failure::LoginRefused(what)) = &refused.failure else { panic!("{:?}", refused.failure) };
        assert!(what.contains("user u3"), "{what}");
        assert!(refused.elapsed_ns < 1_000_000_000, "{reactors}: {}", refused.elapsed_ns);

        let hidden = run(reactors, Habits { hides_reflection: true, ..Habits::default() });
        let Some(Failure::TargetUnreachable(what)) = &hidden.failure else { panic!("{:?}", hidden.failure) };
        assert!(what.starts_with("0 of 20 users were ready in time"), "{what}");
        assert_eq!((hidden.login.failed, hidden.phases.len()), (20, 1));

        let mut dies = Rig::with_reactors(reactors, SCENARIO, Habits::default());
        dies.pranks.push_back((Nanos(4_000_000_000), |rig| rig.break_all()));
        let died = dies.run().0;
        let Some(Failure::TargetUnreachable(what)) = &died.failure else { panic!("{:?}", died.failure) };
        assert!(what.starts_with("every connection was lost"), "{reactors}: {what}");
        assert_eq!((died.closes[0].blame.as_str(), died.closes[0].count), ("network", 20));

        let mut stopped = Rig::with_reactors(reactors, SCENARIO, Habits::default());
        stopped.pranks.push_back((Nanos(4_000_000_000), |rig| {
            let last = rig.hubs.len() - 1;
            rig.hubs[last].handle_stop(rig.now);
        }));
        let monitor = std::sync::Arc::clone(&stopped.monitor);
        let stopped = stopped.run().0;
        assert_eq!(stopped.verdict(), Verdict::Interrupted, "{reactors} reactors");
        assert_eq!(stopped.closes.iter().map(|c| c.count).sum::<u64>(), 20);
        assert_eq!((monitor.read().phase.as_str(), monitor.read().users_target), ("logout", 20));
    }
}

#[test]
fn foreign_rosters_are_found_wherever_they_are() {
    let text = SCENARIO.replace("graph = \"ring\", contacts = 4", "graph = \"random\", contacts = 4");
    for reactors in REACTORS {
        let mut rig = Rig::with_reactors(reactors, &text, Habits::default());
        rig.server = Server::new(vec![Vec::new(); 20], Habits::default());
        let summary = rig.run().0;
        assert_eq!((summary.invalid[0].limit.as_str(), summary.invalid.len()), ("roster", 1));
        assert!(summary.invalid[0].what.starts_with("20 of 20 users"), "{}", summary.invalid[0].what);
        assert_eq!(summary.phases.len(), 1, "nothing behind the login is worth its time");
    }
}

#[test]
fn accounts_are_made_and_passwords_salted_once() {
    for reactors in REACTORS {
        let text = SCENARIO.replace("auth = \"PLAIN\",", "auth = \"PLAIN\", create = \"register\",");
        let habits = Habits { registers: Some(None), ..Habits::default() };
        let (summary, server) = Rig::with_reactors(reactors, &text, habits).run();
        let mut registered = server.registered;
        registered.sort_unstable();
        registered.dedup();
        assert_eq!((registered.len(), summary.other["registered"]), (20, 20), "{reactors} reactors");
        assert_eq!(summary.verdict(), Verdict::Passed, "{:?}", summary.failure);
        for (create, word, count) in [("provision", "rehearsed", 1), ("existing", "rosters_right_before", 20)]
        {
            let auth = format!("auth = \"SCRAM-SHA-256\", create = \"{create}\",");
            let text = SCENARIO.replace("auth = \"PLAIN\",", &auth);
            let summary = Rig::with_reactors(reactors, &text, Habits::default()).run().0;
            assert_eq!(summary.other[word], count, "{reactors} reactors, {create}");
            assert_eq!(summary.verdict(), Verdict::Passed, "{:?}", summary.failure);
        }
    }
}
