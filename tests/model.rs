//! The real server under the simulator, held against a small reference model (docs/simulation.md).
//!
//! Each seed is one run of random steps. `XB_SEEDS=10000` runs that many, `XB_SEED=n` one, with its trace.

use std::panic::{AssertUnwindSafe, catch_unwind};

use model::racing::Racing;
use model::strict::Strict;

mod model {
    pub(crate) mod actor;
    pub(crate) mod arrivals;
    pub(crate) mod dice;
    pub(crate) mod ledger;
    pub(crate) mod presence;
    pub(crate) mod racing;
    pub(crate) mod reference;
    pub(crate) mod rig;
    pub(crate) mod strict;
    pub(crate) mod words;
}

/// Seeds of a usual run, for each way of running.
const SEEDS: u64 = 150;

/// The seeds to run.
fn seeds() -> std::ops::Range<u64> {
    let number = |name| std::env::var(name).ok().map(|n| n.parse::<u64>().expect("a number"));
    match (number("XB_SEED"), number("XB_SEEDS")) {
        (Some(seed), _) => seed..seed + 1,
        (None, count) => 0..count.unwrap_or(SEEDS),
    }
}

#[test]
fn every_step_has_exactly_its_consequences() {
    for seed in seeds() {
        let mut run = Strict::new(seed);
        let outcome = catch_unwind(AssertUnwindSafe(|| run.run()));
        report(seed, &run.trace, outcome.map(|o| o.map(drop)));
    }
}

#[test]
fn what_races_is_neither_lost_nor_doubled_nor_misdelivered() {
    for seed in seeds() {
        let mut run = Racing::new(seed);
        let outcome = catch_unwind(AssertUnwindSafe(|| run.run()));
        report(seed, &run.trace, outcome.map(|o| o.map(drop)));
    }
}

/// Fails with everything that is needed to find and repeat it.
fn report(seed: u64, trace: &[String], outcome: std::thread::Result<Result<(), String>>) {
    let shown = if std::env::var("XB_SEED").is_ok() { trace.len() } else { 12 };
    let last = trace[trace.len().saturating_sub(shown)..].join("\n  ");
    match outcome {
        Ok(Ok(())) if shown == trace.len() && std::env::var("XB_SEED").is_ok() => println!("  {last}"),
        Ok(Ok(())) => {}
        Ok(Err(complaint)) => {
            panic!(
                "seed {seed}: {complaint}\nlast events:\n  {last}\nagain: XB_SEED={seed} cargo test --test model"
            );
        }
        Err(_) => panic!(
            "seed {seed}: a panic (above)\nlast events:\n  {last}\nagain: XB_SEED={seed} cargo test --test model"
        ),
    }
}
