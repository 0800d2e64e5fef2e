//! The real router and the real harness on a simulated network, joined without a socket.
//! The real router and the real harness on a simulated network, joined without a socket.
//!
//! Each seed is one network: pieces of any size, uneven delays, stalls, broken paths. What is said here holds for each.

use std::sync::Arc;
use std::time::Duration;

use xmpp_bench::load::{LoadPlan, LoadWorld, Mode, Monitor, Scenario, contacts};
use xmpp_bench::metrics::{IdsArrive, Summary};
use xmpp_bench::router::Subscription;
use xmpp_bench::router::mailbox::MailboxLimits;
use xmpp_bench::server::{AccountSpec, ServerConfig, ServerWorld};
use xmpp_bench::sim::{Digest, Faults, Sim};
use xmpp_bench::stanza::Jid;
use xmpp_bench::stream::{Credentials, Mechanism};

const SCENARIO: &str = r#"
name = "simulated"
seed = 7
[target]
server = "embedded"
domain = "bench.local"
[users]
count   = 24
account = { user = "u{n:06}", password = "p" }
create  = "provision"
auth    = "PLAIN"
roster  = { graph = "small-world", contacts = 4 }
[[phase]]
name   = "login"
arrive = { rate = "100/s", until = "all-ready" }
[[phase]]
name     = "steady"
duration = "10s"
do = [
  { action = "chat", rate = "40/s", to = "contact", size = "200B" },
  { action = "presence", rate = "10/s", show = ["chat", "away", "dnd"] },
  { action = "ping", rate = "5/s" },
]
"#;

/// Lanes between homes that a few stanzas fill.
const NARROW: MailboxLimits = MailboxLimits { lane_bytes_max: 4_096, batch_bytes_max: 1_024 };

/// One to four homes.
fn homes_of(seed: u64) -> usize {
    usize::try_from(seed % 4).expect("below four") + 1
}

/// Runs the scenario over a network with these habits; what was measured, the digest of every byte, and how many sessions
/// are left.
fn run(homes: usize, faults: Faults, seed: u64) -> (Summary, Digest, u64) {
    let mut sim = simulation(SCENARIO, homes, faults, seed, Mechanism::Plain);
    assert!(sim.run(Duration::from_secs(600)), "seed {seed}: the run does not end");
    let (digest, left) = (sim.digest(), sim.servers().map(|hub| hub.world().session_count()).sum::<usize>());
    let sessions = u64::try_from(left).expect("few");
    (sim.clients.into_world().into_summary(), digest, sessions)
}

/// The server keeps what `keys` needs: for SCRAM these are salted keys, against which PLAIN takes work elsewhere.
fn simulation(
    text: &str,
    homes: usize,
    faults: Faults,
    seed: u64,
    keys: Mechanism,
) -> Sim<ServerWorld, LoadWorld> {
    let scenario = Arc::new(Scenario::parse(text).expect("the scenario is right"));
    let secret = [3; 32];
    let config = ServerConfig::new("bench.local", vec![Mechanism::Plain], secret);
    let mut servers = ServerWorld::homes(config, homes);
    let credentials = Credentials::derive("p", &[keys], b"salt", 4096, &secret);
    let jid = |n: u32| {
        let user = scenario.users.username(n as usize);
        Jid::from_parts(Some(&user), "bench.local", None).expect("the pattern is good")
    };
    let roster = scenario.users.roster.as_ref().expect("the scenario has one");
    let graph = contacts(roster, scenario.users.count, scenario.seed);
    let specs = graph.iter().zip(0..).map(|(contacts, n)| AccountSpec {
        localpart: scenario.users.username(n),
        credentials: credentials.clone(),
        roster: contacts.iter().map(|c| (jid(*c), Subscription::Both)).collect(),
    });
    ServerWorld::provision_homes(&mut servers, specs).expect("the names are good");
    let clients = LoadWorld::new(LoadPlan {
        scenario: Arc::clone(&scenario),
        target: "127.0.0.1:5222".parse().expect("an address"),
        sources: Vec::new(),
        run: "sim".into(),
        ids: Some(IdsArrive::PRESERVED),
        monitor: Arc::new(Monitor::default()),
        mode: Mode::Run,
    });
    Sim::with_homes(servers, clients, faults, NARROW, seed)
}

/// (done, lost, duplicated, reordered, missing, unexpected) of an action in the steady phase.
fn counts(summary: &Summary, action: &str) -> [u64; 6] {
    let phase = summary.phases.iter().find(|p| p.name == "steady").expect("the phase was run");
    let action = phase.actions.iter().find(|a| a.action == action).expect("the action was run");
    let c = &action.counts;
    [c.done, c.lost, c.duplicated, c.reordered, c.missing, c.unexpected]
}

#[test]
fn a_calm_network_loses_nothing() {
    let (summary, _, sessions) = run(1, Faults::none(), 1);
    assert_eq!(counts(&summary, "chat"), [400, 0, 0, 0, 0, 0]);
    assert_eq!(counts(&summary, "presence"), [100, 0, 0, 0, 0, 0]);
    assert_eq!(counts(&summary, "ping"), [50, 0, 0, 0, 0, 0]);
    let software = summary.software.expect("the router says what it is");
    assert!(software.starts_with("xmpp-bench "), "{software}");
    assert_eq!(sessions, 0, "every session has ended with its connection");
}

#[test]
fn several_homes_lose_nothing_either() {
    for homes in 2..=4 {
        let (summary, _, sessions) = run(homes, Faults::none(), 1);
        assert_eq!(counts(&summary, "chat"), [400, 0, 0, 0, 0, 0], "{homes} homes");
        assert_eq!(counts(&summary, "presence"), [100, 0, 0, 0, 0, 0], "{homes} homes");
        assert_eq!(counts(&summary, "ping"), [50, 0, 0, 0, 0, 0], "{homes} homes");
        assert_eq!(sessions, 0, "{homes} homes");
    }
}

/// Far more than the lanes between homes hold: connections are parked, and all of it arrives, once and in order.
#[test]
fn a_flood_through_narrow_lanes_waits_and_arrives() {
    let flood = SCENARIO.replace("40/s", "4000/s").replace("\"10s\"", "\"2s\"");
    for homes in [2, 3] {
        let faults = Faults { turn: Duration::from_millis(20), ..Faults::none() };
        let mut sim = simulation(&flood, homes, faults, 1, Mechanism::Plain);
        assert!(sim.run(Duration::from_secs(600)), "{homes} homes: the flood does not end");
        let parked: u64 = sim.servers().map(|hub| hub.counters().parked).sum();
        assert!(parked > 100, "{homes} homes: {parked}; the lanes were never full");
        let summary = sim.clients.into_world().into_summary();
        assert_eq!(counts(&summary, "chat"), [8_000, 0, 0, 0, 0, 0], "{homes} homes");
        assert_eq!(counts(&summary, "presence"), [20, 0, 0, 0, 0, 0], "{homes} homes");
    }
}

/// Every login waits for work that is done elsewhere and comes back late, over all kinds of networks.
#[test]
fn work_that_comes_back_late_loses_nothing() {
    for (seed, faults) in [(1, Faults::none()), (2, Faults::rough()), (3, Faults::rough())] {
        let mut sim = simulation(SCENARIO, homes_of(seed), faults, seed, Mechanism::ScramSha256);
        assert!(sim.run(Duration::from_secs(600)), "seed {seed}: the run does not end");
        assert_eq!(sim.servers().map(|hub| hub.counters().jobs).sum::<u64>(), 24, "seed {seed}");
        let summary = sim.clients.into_world().into_summary();
        assert_eq!(counts(&summary, "chat"), [400, 0, 0, 0, 0, 0], "seed {seed}");
        assert_eq!(counts(&summary, "presence"), [100, 0, 0, 0, 0, 0], "seed {seed}");
    }
}

#[test]
fn a_rough_network_delays_and_cuts_but_loses_nothing() {
    for seed in 0..6 {
        let (summary, _, sessions) = run(homes_of(seed), Faults::rough(), seed);
        assert_eq!(counts(&summary, "chat"), [400, 0, 0, 0, 0, 0], "seed {seed}");
        assert_eq!(counts(&summary, "presence"), [100, 0, 0, 0, 0, 0], "seed {seed}");
        assert_eq!(sessions, 0, "seed {seed}");
    }
}

/// Paths break here, and without stream management what was on them is lost; but nothing comes twice, out of order, or
/// to somebody else, and no session outlives its connection.
#[test]
fn a_hostile_network_breaks_paths_but_no_promise() {
    let mut broken = 0;
    for seed in 0..12 {
        let (summary, _, sessions) = run(homes_of(seed), Faults::hostile(), seed);
        assert_eq!(sessions, 0, "seed {seed}");
        let steady = summary.phases.iter().any(|p| p.name == "steady");
        if !steady {
            broken += 1;
            continue;
        }
        for action in ["chat", "presence"] {
            let [_, lost, duplicated, reordered, _, unexpected] = counts(&summary, action);
            assert_eq!([duplicated, reordered, unexpected], [0; 3], "seed {seed}: {action}");
            broken += lost;
        }
    }
    assert!(broken > 0, "no path was broken: the test would pass without a router");
}

/// Four of five connections are reset in the middle of the load, and come back. Between those who stay nothing is lost, what
/// was under way to the others is told apart, and the server keeps no session of theirs.
#[test]
fn a_storm_of_resets_ends_with_everybody_back() {
    let storm =
        "break = { share = 0.8, how = \"tcp-reset\", at = \"3s\", reconnect = { backoff = \"1s..4s\" } }";
    let text = SCENARIO.replace("duration = \"10s\"\n", &format!("duration = \"10s\"\n{storm}\n"));
    for seed in 0..6 {
        let faults = if seed == 0 { Faults::none() } else { Faults::rough() };
        let mut sim = simulation(&text, homes_of(seed), faults, seed, Mechanism::Plain);
        assert!(sim.run(Duration::from_secs(600)), "seed {seed}: the run does not end");
        let left = sim.servers().map(|hub| hub.world().session_count()).sum::<usize>();
        assert_eq!(left, 0, "seed {seed}");
        let summary = sim.clients.into_world().into_summary();
        for action in ["chat", "presence"] {
            let [_, lost, duplicated, reordered, missing, unexpected] = counts(&summary, action);
            assert_eq!([lost, duplicated, reordered, missing, unexpected], [0; 5], "seed {seed}: {action}");
        }
        let phase = summary.phases.last().expect("the phase was run");
        let back = phase.reconnect.as_ref().expect("it breaks connections");
        assert_eq!((back.broken, back.back, back.missing), (19, 19, 0), "seed {seed}");
        for action in &phase.actions {
            let c = &action.counts;
            assert_eq!(c.intended, c.done + c.failed + c.unsure, "seed {seed}: {} {c:?}", action.action);
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_at_the_same_times() {
    let (_, first, _) = run(3, Faults::rough(), 42);
    let (_, again, _) = run(3, Faults::rough(), 42);
    let (_, other, _) = run(3, Faults::rough(), 43);
    assert_eq!(first, again);
    assert_ne!(first, other);
}
