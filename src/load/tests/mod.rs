//! Whole runs against a small server with bad habits: what it does wrong must be in the result, and nothing else.

mod breaks;
mod rig;
mod server;
mod setup;
mod shares;

use rig::Rig;
use server::Habits;

use crate::metrics::{ActionSummary, Failure, IdsArrive, SloState, Summary, Survival, Verdict};
use crate::time::Nanos;

const SCENARIO: &str = r#"
name   = "test"
seed   = 7
target = { server = "embedded", domain = "bench.local" }
users  = { count = 20, account = { user = "u{n}", password = "pw" }, auth = "PLAIN", roster = { graph = "ring", contacts = 4 } }
phase  = [
  { name = "login", arrive = { rate = "50/s", shape = "poisson", timeout = "10s" } },
  { name = "warm-up", duration = "1s", measure = false, do = [{ action = "ping", rate = "10/s" }] },
  { name = "steady", duration = "4s", drain = "3s", do = [
    { action = "chat", rate = "100/s" },
    { action = "presence", rate = "20/s", shape = "poisson" },
    { action = "ping", rate = "50/s" },
  ] },
]
slo = [
  { metric = "chat.lost", max = 0 },
  { metric = "presence.missing", max = 0 },
  { phase = "steady", metric = "chat.response.p99", max = "50ms" },
  { metric = "achieved_ratio", min = 0.99 },
  { metric = "login.total.p50", max = "1s" },
]
"#;

fn run(habits: Habits) -> Summary {
    Rig::new(SCENARIO, habits).run().0
}

fn action<'s>(summary: &'s Summary, name: &str) -> &'s ActionSummary {
    let steady = summary.phases.iter().find(|p| p.name == "steady").expect("the phase was begun");
    steady.actions.iter().find(|a| a.action == name).expect("the action was begun")
}

#[test]
fn a_good_server_passes() {
    let summary = run(Habits::default());
    assert_eq!(summary.verdict(), Verdict::Passed, "{:#?} {:#?}", summary.slos, summary.errors);
    assert_eq!((summary.login.ready, summary.login.failed), (20, 0));
    let chat = action(&summary, "chat");
    assert_eq!((chat.counts.intended, chat.counts.sent_in_time, chat.counts.done), (400, 400, 400));
    // One network's way there and none back: the small server is not slow.
    let p50 = chat.headline().unwrap().percentile("p50").unwrap();
    assert!((1_000_000..1_003_000).contains(&p50.ns.unwrap()) && !p50.at_least && !p50.harness_bound);
    let presence = action(&summary, "presence");
    assert_eq!(presence.counts.required, presence.counts.intended * 5, "four contacts and oneself");
    assert_eq!(presence.counts.delivered, presence.counts.required);
    assert_eq!(presence.counts.done, presence.counts.intended);
    assert!(presence.latencies["fanout_each"].count == presence.counts.delivered);
    for name in ["chat", "presence", "ping"] {
        let counts = action(&summary, name).counts;
        let faults = [
            counts.failed,
            counts.timed_out,
            counts.unsent,
            counts.lost,
            counts.duplicated,
            counts.reordered,
            counts.late,
            counts.unexpected,
            counts.missing,
            counts.optional,
        ];
        assert_eq!(faults, [0; 10], "{name}");
        let seconds = &action(&summary, name).seconds;
        assert_eq!(seconds.iter().map(|s| s.intended).sum::<u64>(), counts.intended);
        assert_eq!(seconds.iter().map(|s| s.done).sum::<u64>(), counts.done);
        assert!(seconds.iter().filter(|s| s.done > 0).all(|s| s.max_ns.is_some()), "{name} {seconds:?}");
    }
    assert_eq!(summary.closes.len(), 1);
    assert_eq!((summary.closes[0].blame.as_str(), summary.closes[0].count), ("us", 20));
    for span in ["tcp", "sasl", "bind", "ready", "total"] {
        assert_eq!(summary.login.spans[span].count, 20, "{span}");
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    assert_eq!(run(Habits::default()), run(Habits::default()));
}

#[test]
fn lost_messages_are_loud() {
    let summary = run(Habits { drops_message: Some(100), ..Habits::default() });
    let chat = action(&summary, "chat");
    assert_eq!((chat.counts.lost, chat.counts.timed_out, chat.counts.done), (4, 4, 396));
    let headline = chat.headline().unwrap();
    assert!(headline.percentile("max").unwrap().at_least, "what never came is a lower bound");
    assert!(headline.percentile("max").unwrap().ns > Some(3_000_000_000), "recorded at the drain's end");
    assert!(!headline.percentile("p90").unwrap().at_least);
    assert_eq!(summary.verdict(), Verdict::SloBroken);
    assert_eq!(summary.slos[0].state, SloState::Broken);
    assert_eq!((summary.slos[0].bound.as_str(), summary.slos[0].measured.as_str()), ("max 0", "4"));
    assert_eq!(summary.slos[1].state, SloState::Passed);
}

#[test]
fn doubled_messages_are_counted_and_harm_nothing_else() {
    let summary = run(Habits { doubles_message: Some(50), ..Habits::default() });
    let chat = action(&summary, "chat");
    assert_eq!((chat.counts.duplicated, chat.counts.done, chat.counts.lost), (8, 400, 0));
}

#[test]
fn ids_that_do_not_arrive_are_replaced_by_markers() {
    let rewriting = Habits { rewrites_ids: true, ..Habits::default() };
    for reactors in [1, 3] {
        let summary = Rig::with_reactors(reactors, SCENARIO, rewriting.clone()).run().0;
        let marker = IdsArrive { message: Survival::Marker, presence: Survival::Marker };
        assert_eq!((summary.ids, summary.verdict()), (marker, Verdict::Passed), "{:?}", summary.errors);
        let (chat, presence) = (action(&summary, "chat").counts, action(&summary, "presence").counts);
        assert_eq!((chat.done, chat.lost, chat.unexpected, chat.duplicated), (400, 0, 0, 0));
        assert_eq!((presence.missing, presence.unexpected), (0, 0));
        assert_eq!(presence.delivered, presence.intended * 5);
        assert_eq!((summary.other["probed"], summary.login.ready), (1, 20));
        assert_eq!(summary.closes.iter().map(|close| close.count).sum::<u64>(), 20, "the probe is no user");
    }
    // Lost ones are lost with markers, too. The probe's message is one of the 401.
    let summary = run(Habits { rewrites_ids: true, drops_message: Some(100), ..Habits::default() });
    assert_eq!(action(&summary, "chat").counts.lost, 4);
}

#[test]
fn presence_that_does_not_reach_a_contact_is_missing() {
    let good = run(Habits::default());
    let summary = run(Habits { forgets_contact: Some(30), ..Habits::default() });
    let (presence, good) = (action(&summary, "presence").counts, action(&good, "presence").counts);
    // Initial presence is among the thirty, but is no change that is measured.
    assert!(presence.missing > 0 && presence.missing <= good.intended / 30 + 1, "{presence:?}");
    assert_eq!(presence.missing + presence.delivered, presence.required);
    assert_eq!(presence.timed_out, presence.missing);
    assert_eq!(summary.verdict(), Verdict::SloBroken);
}

#[test]
fn presence_to_strangers_is_unexpected() {
    let summary = run(Habits { shouts: true, ..Habits::default() });
    let presence = action(&summary, "presence").counts;
    assert_eq!(presence.unexpected, presence.intended * 15, "20 users less 4 contacts and oneself");
    assert_eq!((presence.missing, presence.duplicated), (0, 0));
}

#[test]
fn nobody_is_ready_without_its_own_presence() {
    let summary = run(Habits { hides_reflection: true, ..Habits::default() });
    assert_eq!(summary.verdict(), Verdict::TargetUnreachable);
    let Some(Failure::TargetUnreachable(what)) = &summary.failure else { panic!("{:?}", summary.failure) };
    assert!(what.starts_with("0 of 20 users were ready in time; the first one that was not is u0"), "{what}");
    assert_eq!(summary.phases.len(), 1, "nothing was measured");
}

#[test]
fn a_refused_login_ends_the_run_at_once() {
    let summary = run(Habits { refuses: Some("u3".to_owned()), ..Habits::default() });
    assert_eq!(summary.verdict(), Verdict::LoginRefused);
    let Some(Failure::LoginRefused(what)) = &summary.failure else { panic!("{:?}", summary.failure) };
    assert!(what.contains("user u3") && what.contains("not-authorized"), "{what}");
    assert!(summary.elapsed_ns < 1_000_000_000, "{}", summary.elapsed_ns);
}

#[test]
fn a_server_that_is_not_there() {
    let mut rig = Rig::new(SCENARIO, Habits::default());
    rig.connects_fail = Some(std::io::ErrorKind::ConnectionRefused);
    let summary = rig.run().0;
    assert_eq!(summary.verdict(), Verdict::TargetUnreachable);
    assert!(summary.errors[0].example.contains("connection refused"), "{:?}", summary.errors);
}

#[test]
fn ports_that_run_out_are_the_harness_limit() {
    let mut rig = Rig::new(SCENARIO, Habits::default());
    rig.connects_fail = Some(std::io::ErrorKind::AddrNotAvailable);
    let summary = rig.run().0;
    assert_eq!(summary.verdict(), Verdict::Invalid);
    assert_eq!((summary.invalid[0].limit.as_str(), summary.invalid.len()), ("ports", 1));
}

#[test]
fn a_broken_stream_is_blamed_and_told() {
    let summary = run(Habits { kills_at_message: Some(200), ..Habits::default() });
    let close = summary.closes.iter().find(|c| c.reason == "stream error: policy-violation").expect("listed");
    assert_eq!((close.blame.as_str(), close.count), ("peer", 1));
    assert_eq!(summary.errors[0].what, "stream error");
    // The message that killed it is lost; later ones are written by others.
    assert_eq!(action(&summary, "chat").counts.lost, 1);
    assert_eq!(action(&summary, "chat").counts.intended, 400);
    assert_eq!(lost_connections(&summary), [0, 0, 1]);
}

/// By phase.
fn lost_connections(summary: &Summary) -> Vec<u64> {
    summary.phases.iter().map(|phase| phase.lost_connections).collect()
}

#[test]
fn a_server_that_sends_users_away_does_not_pass() {
    let habits = Habits { dismisses: Some(60), ..Habits::default() };
    let summary = run(habits.clone());
    assert_eq!(lost_connections(&summary), [0, 0, 6]);
    let slo = summary.slos.iter().find(|slo| slo.metric == "connections.lost").expect("every run has it");
    assert_eq!((slo.bound.as_str(), slo.measured.as_str(), slo.state), ("max 0", "6", SloState::Broken));
    let error = summary.errors.iter().find(|error| error.what == "stream closed by the server").unwrap();
    assert_eq!(error.count, 6);
    // Who says how many it may be has said it.
    let allowed = SCENARIO.replace("slo = [", r#"slo = [{ metric = "connections.lost", max = 6 },"#);
    let summary = Rig::new(&allowed, habits).run().0;
    let of_it: Vec<_> = summary.slos.iter().filter(|slo| slo.metric == "connections.lost").collect();
    assert_eq!(of_it.iter().map(|slo| slo.state).collect::<Vec<_>>(), [SloState::Passed]);
}

#[test]
fn a_harness_that_sleeps_measures_from_the_intended_start_and_is_found_out() {
    let mut rig = Rig::new(SCENARIO, Habits::default());
    // Somewhere inside the steady phase, for 300 ms of its 4 s.
    rig.asleep = Some((Nanos(4_000_000_000), Nanos(4_300_000_000)));
    let summary = rig.run().0;
    let chat = action(&summary, "chat");
    assert_eq!((chat.counts.intended, chat.counts.done), (400, 400), "no start was skipped");
    let p99 = chat.headline().unwrap().percentile("p99").unwrap();
    assert!(p99.ns > Some(250_000_000), "waiting counts: {p99:?}");
    assert!(p99.harness_bound);
    let service = chat.latencies["service"].percentile("p99").unwrap();
    assert!(service.ns < Some(2_000_000), "{service:?}");
    assert_eq!(summary.verdict(), Verdict::Invalid);
    let slo = summary.slos.iter().find(|s| s.metric == "chat.response.p99").unwrap();
    assert_eq!(slo.state, SloState::Invalid);
    assert!(slo.why.starts_with("harness-bound"), "{}", slo.why);
}

#[test]
fn a_stop_is_an_orderly_partial_result() {
    let mut rig = Rig::new(SCENARIO, Habits::default());
    rig.pranks.push_back((Nanos(4_000_000_000), |rig| rig.hubs[0].handle_stop(rig.now)));
    let monitor = std::sync::Arc::clone(&rig.monitor);
    let summary = rig.run().0;
    assert_eq!(summary.verdict(), Verdict::Interrupted);
    let steady = summary.phases.last().unwrap();
    assert!(!steady.complete && steady.elapsed_ns < 4_000_000_000);
    assert!(action(&summary, "chat").counts.done > 0);
    assert_eq!(summary.closes[0].reason, "stream closed");
    assert_eq!(monitor.read().phase, "logout");
    assert!(summary.slos.is_empty(), "what was not carried out is not judged");
}

#[test]
fn clients_behave() {
    let mut rig = Rig::new(SCENARIO, Habits::default());
    rig.pranks.push_back((Nanos(4_000_000_000), |rig| {
        rig.written.clear();
        rig.server.tell_all(
            "<iq type='get' id='p' from='bench.local'><ping xmlns='urn:xmpp:ping'/></iq>\
             <iq type='get' id='d' from='a@b/c'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>\
             <iq type='set' id='r'><query xmlns='jabber:iq:roster'><item jid='x@y' subscription='none'/></query></iq>\
             <iq type='set' id='f' from='evil@b'><query xmlns='jabber:iq:roster'/></iq>\
             <iq type='get' id='u' from='bench.local'><query xmlns='urn:unknown'/></iq>\
             <presence type='subscribe' from='x@y'/><message from='bench.local'><body>welcome</body></message>",
        );
    }));
    rig.pranks.push_back((Nanos(4_100_000_000), |rig| {
        let written = String::from_utf8(rig.written.clone()).unwrap();
        for (answer, count) in [
            ("id='p' type='result'/>", 20),
            ("id='d' type='result'><query xmlns='http://jabber.org/protocol/disco#info'>", 20),
            ("id='r' type='result'/>", 20),
            ("id='f' type='error'>", 20),
            ("id='u' type='error'>", 20),
            ("type='subscribed'", 0),
        ] {
            assert_eq!(written.matches(answer).count(), count, "{answer}");
        }
    }));
    let summary = rig.run().0;
    for (word, count) in [
        ("ping", 20),
        ("disco_info", 20),
        ("roster_push", 20),
        ("request_refused", 40),
        ("subscription_request", 20),
        ("message", 20),
    ] {
        assert_eq!(summary.other[word], count, "{word}");
    }
    assert_eq!(summary.verdict(), Verdict::Passed, "{:#?}", summary.slos);
}

#[test]
fn a_roster_that_is_not_the_scenarios_makes_the_run_invalid() {
    let text = SCENARIO.replace("graph = \"ring\", contacts = 4", "graph = \"random\", contacts = 4");
    let mut rig = Rig::new(&text, Habits::default());
    rig.server = server::Server::new(vec![Vec::new(); 20], Habits::default());
    let summary = rig.run().0;
    assert_eq!(summary.verdict(), Verdict::Invalid);
    assert_eq!((summary.invalid[0].limit.as_str(), summary.invalid.len()), ("roster", 1));
    assert_eq!(summary.phases.len(), 1, "nothing behind the login is worth its time");
}

#[test]
fn without_a_roster_messages_go_to_anybody() {
    let text = SCENARIO.replace(", roster = { graph = \"ring\", contacts = 4 }", "");
    let summary = Rig::new(&text, Habits::default()).run().0;
    let (chat, presence) = (action(&summary, "chat").counts, action(&summary, "presence").counts);
    assert_eq!((chat.done, chat.unsent), (400, 0));
    assert_eq!(presence.required, presence.intended, "only oneself");
    assert_eq!(summary.verdict(), Verdict::Passed);
}

#[test]
fn everybody_at_once() {
    let text = SCENARIO.replace("rate = \"50/s\", shape = \"poisson\"", "at_once = true");
    let summary = Rig::new(&text, Habits::default()).run().0;
    assert_eq!(summary.verdict(), Verdict::Passed);
    assert!(summary.login.elapsed_ns < 100_000_000, "{}", summary.login.elapsed_ns);
}

fn registering() -> String {
    SCENARIO.replace("auth = \"PLAIN\",", "auth = \"PLAIN\", create = \"register\",")
}

/// The stream layer's server does not offer registration; a client that is told so must say so.
#[test]
fn registration_that_is_not_offered_is_named() {
    let summary = Rig::new(&registering(), Habits::default()).run().0;
    assert_eq!(summary.verdict(), Verdict::LoginRefused);
    let Some(Failure::LoginRefused(what)) = &summary.failure else { panic!("{:?}", summary.failure) };
    assert!(what.contains("does not offer registration"), "{what}");
}

#[test]
fn accounts_are_registered_before_anybody_logs_in() {
    // An account that exists is as good as a new one.
    for (error, word) in [(None, "registered"), (Some("conflict"), "registered_before")] {
        let habits = Habits { registers: Some(error), ..Habits::default() };
        let (summary, server) = Rig::new(&registering(), habits).run();
        assert_eq!(server.registered.len(), 20);
        assert_eq!(summary.other[word], 20);
        assert_eq!(summary.verdict(), Verdict::Passed, "{:?}", summary.failure);
        assert_eq!(summary.login.spans["tcp"].count, 20, "registrations are no logins");
        assert_eq!(summary.closes.iter().map(|c| c.count).sum::<u64>(), 20);
    }
}

#[test]
fn a_limit_on_registrations_is_named_with_its_setting() {
    let habits = Habits { registers: Some(Some("resource-constraint")), ..Habits::default() };
    let summary = Rig::new(&registering(), habits).run().0;
    let Some(Failure::LoginRefused(what)) = &summary.failure else { panic!("{:?}", summary.failure) };
    assert!(what.contains("registration_timeout: infinity"), "{what}");
}

/// PBKDF2 costs 1.5 ms: no login of a measured phase may compute it.
#[test]
fn salted_passwords_are_computed_before_the_login_phase() {
    // Who looks at its roster first has logged in for that.
    for (create, word, count) in [("provision", "rehearsed", 1), ("existing", "rosters_right_before", 20)] {
        let auth = format!("auth = \"SCRAM-SHA-256\", create = \"{create}\",");
        let summary = Rig::new(&SCENARIO.replace("auth = \"PLAIN\",", &auth), Habits::default()).run().0;
        assert_eq!(summary.verdict(), Verdict::Passed, "{:?}", summary.failure);
        assert_eq!(summary.other[word], count, "{create}");
        assert_eq!((summary.login.spans["sasl"].count, summary.closes[0].count), (20, 20));
    }
}

#[test]
fn a_server_that_dies_is_not_the_harness_fault() {
    let mut rig = Rig::new(SCENARIO, Habits::default());
    rig.pranks.push_back((Nanos(4_000_000_000), |rig| rig.break_all()));
    let summary = rig.run().0;
    assert_eq!(summary.verdict(), Verdict::TargetUnreachable);
    let Some(Failure::TargetUnreachable(what)) = &summary.failure else { panic!("{:?}", summary.failure) };
    assert!(what.starts_with("every connection was lost"), "{what}");
    assert_eq!((summary.closes[0].blame.as_str(), summary.closes[0].count), ("network", 20));
}

#[test]
fn a_user_that_is_lost_while_others_log_in_fails_the_login() {
    let mut rig = Rig::new(SCENARIO, Habits::default());
    rig.pranks.push_back((Nanos(1_100_000_000), |rig| rig.break_all()));
    let summary = rig.run().0;
    assert_eq!(summary.verdict(), Verdict::TargetUnreachable);
    assert!(summary.elapsed_ns < 1_000_000_000, "nobody waits for the timeout: {}", summary.elapsed_ns);
}

/// A million users are a matter of bytes: what a user costs while it is idle, buffers aside (it has none).
#[test]
fn an_idle_user_is_small() {
    let bytes = size_of::<crate::load::VirtualUser>() + size_of::<crate::load::users::User>();
    assert!(bytes <= 192, "{bytes}");
}
