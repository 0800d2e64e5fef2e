//! What the target's process costs in each measured phase.
//!
//! It looks about four times a second at the [`Snapshot`] and at `/proc`, from the thread that waits anyway: the run
//! never notices. A phase's edges are therefore known to a quarter of a second.

use super::process::Usage;
use super::result::PhaseCost;
use crate::load::Snapshot;
use crate::time::Nanos;

/// Follows one process through the phases of a run.
#[derive(Debug)]
pub struct CostMeter {
    pid: u32,
    /// Names of the phases that are judged.
    measured: Vec<String>,
    running: Option<Running>,
    done: Vec<PhaseCost>,
    rss_peak_bytes: u64,
}

#[derive(Debug)]
struct Running {
    phase: String,
    since: Nanos,
    before: Usage,
    latest: Usage,
    latest_at: Nanos,
}

impl CostMeter {
    /// Follows `pid` through the phases named `measured`.
    #[must_use]
    pub const fn new(pid: u32, measured: Vec<String>) -> Self {
        Self { pid, measured, running: None, done: Vec::new(), rss_peak_bytes: 0 }
    }

    /// Looks at the process now.
    pub fn observe(&mut self, snapshot: &Snapshot, now: Nanos) {
        if let Some(usage) = Usage::of(self.pid) {
            self.observe_usage(&snapshot.phase, usage, now);
        }
    }

    fn observe_usage(&mut self, phase: &str, usage: Usage, now: Nanos) {
        self.rss_peak_bytes = self.rss_peak_bytes.max(usage.rss_peak_bytes);
        if let Some(running) = &mut self.running {
            running.latest = usage;
            running.latest_at = now;
            if running.phase == phase {
                return;
            }
        }
        self.end_phase();
        if self.measured.iter().any(|measured| measured == phase) {
            let phase = phase.to_owned();
            self.running = Some(Running { phase, since: now, before: usage, latest: usage, latest_at: now });
        }
    }

    fn end_phase(&mut self) {
        if let Some(Running { phase, since, before, latest, latest_at }) = self.running.take() {
            self.done.push(PhaseCost {
                phase,
                elapsed_ns: latest_at.since(since),
                cpu_ns: latest.cpu_ns.saturating_sub(before.cpu_ns),
                rss_bytes: latest.rss_bytes,
            });
        }
    }

    /// The phases, and the most memory that was seen, in bytes.
    #[must_use]
    pub fn finish(mut self) -> (Vec<PhaseCost>, u64) {
        self.end_phase();
        (self.done, self.rss_peak_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_measured_phases_have_a_cost() {
        let mut meter = CostMeter::new(1, vec!["steady".into(), "last".into()]);
        let steps =
            [("", 0), ("login", 5), ("steady", 10), ("steady", 17), ("cool", 18), ("last", 30), ("last", 33)];
        for (second, (phase, cpu)) in (0..).zip(steps) {
            let usage = Usage { cpu_ns: cpu, rss_bytes: 100 + cpu, rss_peak_bytes: 200 + cpu };
            meter.observe_usage(phase, usage, Nanos(second * 1_000));
        }
        let (costs, peak) = meter.finish();
        let cost = |phase: &str, elapsed_ns, cpu_ns, rss_bytes| PhaseCost {
            phase: phase.into(),
            elapsed_ns,
            cpu_ns,
            rss_bytes,
        };
        assert_eq!(costs, [cost("steady", 2_000, 8, 118), cost("last", 1_000, 3, 133)]);
        assert_eq!(peak, 233);
    }
}
