//! How the harness itself is doing: its reactors' time, the machine's, its descriptors.
//!
//! It judges nothing ([`crate::metrics::health`] has the thresholds) and measures no latency. It looks about four times a
//! second, from the thread that waits anyway; a phase's drain, in which nothing is begun, is left out.

use std::collections::VecDeque;
use std::time::Duration;

use super::process::{self, MachineTime, ThreadTime};
use crate::load::Snapshot;
use crate::metrics::PhaseHealth;
use crate::reactor::Gauge;
use crate::time::Nanos;

/// What the live numbers are about.
const WINDOW: Duration = Duration::from_secs(1);

/// Follows the harness through a run.
#[derive(Debug)]
pub struct Vitals {
    gauges: Vec<Gauge>,
    /// The youngest that is at least [`WINDOW`] old and all that are younger.
    recent: VecDeque<Sample>,
    /// The running measured phase, and its first sample.
    running: Option<(String, Sample)>,
    /// The latest sample of the running phase, before its drain.
    latest: Option<Sample>,
    done: Vec<PhaseHealth>,
}

/// One look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Sample {
    at: Nanos,
    reactors: Vec<Reactor>,
    machine: MachineTime,
}

/// One reactor's totals.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Reactor {
    busy_ns: u64,
    thread: ThreadTime,
}

impl Vitals {
    /// Follows the reactors that show themselves in `gauges`.
    #[must_use]
    pub const fn new(gauges: Vec<Gauge>) -> Self {
        Self { gauges, recent: VecDeque::new(), running: None, latest: None, done: Vec::new() }
    }

    /// Looks now.
    pub fn observe(&mut self, snapshot: &Snapshot, now: Nanos) {
        let reactor = |gauge: &Gauge| Reactor {
            busy_ns: gauge.busy_ns(),
            thread: gauge.thread().and_then(ThreadTime::of).unwrap_or_default(),
        };
        let reactors = self.gauges.iter().map(reactor).collect();
        self.take(snapshot, Sample { at: now, reactors, machine: MachineTime::now() });
    }

    fn take(&mut self, snapshot: &Snapshot, sample: Sample) {
        let is_old = |second: &Sample| sample.at.since(second.at) >= nanos(WINDOW);
        while self.recent.get(1).is_some_and(is_old) {
            self.recent.pop_front();
        }
        self.recent.push_back(sample.clone());
        let is_running = snapshot.measured && !snapshot.draining;
        if self.running.as_ref().is_some_and(|(phase, _)| !is_running || *phase != snapshot.phase) {
            self.end_phase();
        }
        if is_running && self.running.is_none() {
            self.running = Some((snapshot.phase.clone(), sample.clone()));
        }
        if self.running.is_some() {
            self.latest = Some(sample);
        }
    }

    fn end_phase(&mut self) {
        if let (Some((phase, first)), Some(last)) = (self.running.take(), self.latest.take()) {
            self.done.push(between(phase, &first, &last));
        }
    }

    /// The last second.
    #[must_use]
    pub fn now(&self) -> PhaseHealth {
        let (Some(first), Some(last)) = (self.recent.front(), self.recent.back()) else {
            return PhaseHealth::default();
        };
        between(String::new(), first, last)
    }

    /// Open descriptors and how many there may be, where the kernel says it cheaply.
    #[must_use]
    pub fn descriptors(limit: u64) -> Option<(u64, u64)> {
        Some((process::open_descriptors()?, limit))
    }

    /// Each measured phase.
    #[must_use]
    pub fn finish(mut self) -> Vec<PhaseHealth> {
        self.end_phase();
        self.done
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).expect("a second")
}

/// What happened from `first` to `last`.
fn between(phase: String, first: &Sample, last: &Sample) -> PhaseHealth {
    let elapsed_ns = last.at.since(first.at);
    let worst = |of: fn(&Reactor) -> u64| {
        let pairs = first.reactors.iter().zip(&last.reactors);
        let most = pairs.map(|(first, last)| of(last).saturating_sub(of(first))).max().unwrap_or(0);
        most as f64 / elapsed_ns.max(1) as f64
    };
    PhaseHealth {
        phase,
        elapsed_ns,
        busy_ratio: worst(|reactor| reactor.busy_ns),
        cpu_ratio: worst(|reactor| reactor.thread.cpu_ns),
        wait_ratio: worst(|reactor| reactor.thread.wait_ns),
        stolen_ratio: last.machine.stolen_share_since(first.machine),
        stolen_ns: last.machine.stolen_ns_since(first.machine),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn sample(ms: u64, busy_ms: [u64; 2]) -> Sample {
        let reactor = |busy: u64| Reactor {
            busy_ns: busy * MS,
            thread: ThreadTime { cpu_ns: busy * MS / 2, wait_ns: busy * MS / 4 },
        };
        Sample { at: Nanos(ms * MS), reactors: busy_ms.map(reactor).into(), machine: MachineTime::default() }
    }

    fn snapshot(phase: &str, draining: bool) -> Snapshot {
        Snapshot { phase: phase.into(), measured: phase != "warm-up", draining, ..Snapshot::default() }
    }

    #[test]
    fn phases_are_told_apart_and_drains_left_out() {
        let mut vitals = Vitals::new(Vec::new());
        // The second reactor is the busier one in the first phase, the first one in the second.
        let steps = [
            ("warm-up", false, sample(0, [0, 0])),
            ("a", false, sample(1_000, [900, 900])),
            ("a", false, sample(2_000, [1_000, 1_400])),
            ("a", true, sample(3_000, [1_000, 2_400])),
            ("b", false, sample(4_000, [1_000, 2_400])),
            ("b", false, sample(5_000, [1_800, 2_500])),
        ];
        for (phase, draining, sample) in steps {
            vitals.take(&snapshot(phase, draining), sample);
        }
        let phases = vitals.finish();
        let numbers: Vec<_> = phases
            .iter()
            .map(|p| (p.phase.as_str(), p.elapsed_ns / MS, p.busy_ratio, p.cpu_ratio, p.wait_ratio))
            .collect();
        assert_eq!(numbers, [("a", 1_000, 0.5, 0.25, 0.125), ("b", 1_000, 0.8, 0.4, 0.2)]);
    }

    #[test]
    fn the_last_second_is_a_second() {
        let mut vitals = Vitals::new(Vec::new());
        assert_eq!(vitals.now(), PhaseHealth::default());
        for step in 0..9 {
            // A quarter of the time, then three quarters of it.
            let busy = if step <= 4 { step * 62 } else { 4 * 62 + (step - 4) * 188 };
            vitals.take(&snapshot("a", false), sample(step * 250, [busy, 0]));
        }
        let now = vitals.now();
        assert_eq!((now.elapsed_ns, now.busy_ratio), (1_000 * MS, 0.752));
        assert!(vitals.recent.len() <= 6, "{}", vitals.recent.len());
    }

    #[test]
    fn a_live_reactor_is_seen() {
        let mut vitals = Vitals::new(vec![Gauge::default()]);
        vitals.observe(&snapshot("a", false), Nanos(1));
        vitals.observe(&snapshot("a", false), Nanos(2));
        assert_eq!(vitals.finish()[0].busy_ratio, 0.0, "one that does not run yet was not busy");
    }
}
