//! The real server under the simulator, held against a small reference model (docs/simulation.md).
//!
//! Each seed is one run of random steps. `XB_SEEDS=10000` runs that many, `XB_SEED=n` one, with its trace.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use model::crash::Crash;
use model::racing::Racing;
use model::resumption::{EVENTS, Resumption};
use model::strict::Strict;
use model::subscription::CELLS;
use xmpp_bench::sim::Digest;

mod model {
    pub(crate) mod actor;
    pub(crate) mod arrivals;
    mod bugs;
    pub(crate) mod compare;
    pub(crate) mod copies;
    pub(crate) mod crash;
    pub(crate) mod device;
    mod device_link;
    mod device_login;
    pub(crate) mod dice;
    pub(crate) mod glimpses;
    mod homecoming;
    pub(crate) mod ledger;
    mod lifetimes;
    pub(crate) mod presence;
    pub(crate) mod racing;
    pub(crate) mod receipts;
    pub(crate) mod reference;
    pub(crate) mod resumption;
    pub(crate) mod rig;
    pub(crate) mod roster;
    pub(crate) mod safekeeping;
    pub(crate) mod sight;
    pub(crate) mod strict;
    pub(crate) mod subscription;
    pub(crate) mod words;
}

/// Seeds of a usual run, for each way of running.
const SEEDS: u64 = 250;

/// The seeds to run.
fn seeds() -> std::ops::Range<u64> {
    let number = |name| std::env::var(name).ok().map(|n| n.parse::<u64>().expect("a number"));
    match (number("XB_SEED"), number("XB_SEEDS")) {
        (Some(seed), _) => seed..seed + 1,
        (None, count) => 0..count.unwrap_or(SEEDS),
    }
}

/// Runs a seed: its trace, and how it went.
type Run = fn(u64) -> (Vec<String>, std::thread::Result<Result<Digest, String>>);

fn strict(seed: u64) -> (Vec<String>, std::thread::Result<Result<Digest, String>>) {
    let mut run = Strict::new(seed);
    let outcome = catch_unwind(AssertUnwindSafe(|| run.run()));
    (run.trace, outcome)
}

fn racing(seed: u64) -> (Vec<String>, std::thread::Result<Result<Digest, String>>) {
    let mut run = Racing::new(seed);
    let outcome = catch_unwind(AssertUnwindSafe(|| run.run()));
    (run.trace, outcome)
}

fn crash(seed: u64) -> (Vec<String>, std::thread::Result<Result<Digest, String>>) {
    let mut run = Crash::new(seed);
    let outcome = catch_unwind(AssertUnwindSafe(|| run.run()));
    (run.trace, outcome)
}

fn resumption(seed: u64) -> (Vec<String>, std::thread::Result<Result<Digest, String>>) {
    let mut run = Resumption::new(seed);
    let outcome = catch_unwind(AssertUnwindSafe(|| run.run()));
    (run.trace, outcome)
}

#[test]
fn whoever_resumes_has_missed_nothing() {
    let mut events: BTreeMap<String, usize> = BTreeMap::new();
    for seed in seeds() {
        let (trace, _) = succeed("resumption", resumption, seed);
        for event in trace.iter().filter_map(|line| line.strip_prefix("event ")) {
            let (count, event) = event.split_once(' ').expect("how often, and what");
            *events.entry(event.to_owned()).or_default() += count.parse::<usize>().expect("a number");
        }
    }
    if seeds().end >= SEEDS && seeds().start == 0 {
        let often = events.values().filter(|count| **count >= 20).count();
        assert_eq!(often, EVENTS, "of all kinds of events that must come, only these came: {events:#?}");
    }
}

#[test]
fn what_was_answered_for_outlives_the_server() {
    for seed in seeds() {
        succeed("crash", crash, seed);
    }
}

#[test]
fn every_step_has_exactly_its_consequences() {
    let mut cells = BTreeSet::new();
    for seed in seeds() {
        let (trace, _) = succeed("strict", strict, seed);
        cells.extend(trace.into_iter().filter(|line| line.starts_with("table ")));
    }
    if seeds() == (0..SEEDS) {
        assert_eq!(cells.len(), CELLS, "only these cells of Appendix A came up: {cells:#?}");
    }
}

#[test]
fn what_races_is_neither_lost_nor_doubled_nor_misdelivered() {
    for seed in seeds() {
        succeed("racing", racing, seed);
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for (name, run) in [("strict", strict as Run), ("racing", racing), ("resumption", resumption)] {
        for seed in [1, 2, 3] {
            assert_eq!(succeed(name, run, seed), succeed(name, run, seed), "{name} seed {seed}");
        }
        assert_ne!(succeed(name, run, 1), succeed(name, run, 2), "{name}");
    }
}

/// Fails with everything that is needed to find and repeat it.
#[expect(clippy::print_stdout, reason = "the trace of the one seed that was asked for")]
fn succeed(name: &str, run: Run, seed: u64) -> (Vec<String>, Digest) {
    let (trace, outcome) = run(seed);
    let is_one = std::env::var("XB_SEED").is_ok();
    let shown = if is_one { trace.len() } else { 12 };
    let last = trace[trace.len().saturating_sub(shown)..].join("\n  ");
    let complaint = match outcome {
        Ok(Ok(digest)) => {
            if is_one {
                println!("{name} seed {seed}: {digest:?}\n  {last}");
            }
            return (trace, digest);
        }
        Ok(Err(complaint)) => complaint,
        Err(_) => "a panic, above".to_owned(),
    };
    panic!(
        "\n{name} seed {seed}: {complaint}\nlast events:\n  {last}\nagain: XB_SEED={seed} cargo test --test model"
    );
}
