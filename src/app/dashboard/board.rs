//! What is shown of a run at one moment: plain data, for the screen and for the lines of a pipe.
//!
//! It knows no terminal and reads no clock: [`super::super::watch`] fills it in.

use crate::load::SetUpProgress;
use crate::metrics::health::{ACHIEVED_RATIO_MIN, BUSY_RATIO_MAX, STOLEN_RATIO_MAX};
use crate::metrics::{Buckets, Counts, Light, PhaseHealth};

/// A run at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Board {
    /// The scenario's name.
    pub scenario: String,
    /// The running phase; empty before anything runs.
    pub phase: String,
    /// How far set-up is, while it lasts.
    pub set_up: Option<SetUpProgress>,
    /// Whether only answers are waited for.
    pub draining: bool,
    /// Nanoseconds since the phase began.
    pub elapsed_ns: u64,
    /// Its planned length; of a login phase, its timeout.
    pub planned_ns: u64,
    /// Connections now.
    pub connected: u64,
    /// Users ready now.
    pub ready: u64,
    /// Users asked for.
    pub target: u64,
    /// Logins that ended well in the last second.
    pub logins_per_second: f64,
    /// Failed logins so far.
    pub login_failures: u64,
    /// The actions of the running phase, and the recipients of those that have an audience.
    pub rows: Vec<Row>,
    /// Counts of the whole run.
    pub counts: Counts,
    /// The first error.
    pub first_error: Option<String>,
    /// p99 of the slowest action, second by second, in nanoseconds; the latest last.
    pub p99_history: Vec<u64>,
    /// Operations sent per second, second by second; the latest last.
    pub rate_history: Vec<u64>,
    /// The harness in the last second, and what it may use.
    pub harness: Harness,
    /// The target's processes, if they may be looked at.
    pub server: Option<Server>,
    /// SLOs in the scenario's order.
    pub lights: Vec<(String, Light)>,
}

/// One action, or the recipients of one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Row {
    /// `chat`, `presence each`
    pub name: String,
    /// Operations or deliveries that were due per second.
    pub intended_rate: f64,
    /// Operations sent, or deliveries, in the last second.
    pub achieved_rate: f64,
    /// The last second.
    pub second: Latencies,
    /// The phase so far.
    pub phase: Latencies,
    /// Operations that failed, timed out or could not be sent.
    pub errors: u64,
}

/// p50, p90, p99, p99.9 and max in nanoseconds; `None` where there are too few samples.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Latencies(pub [Option<u64>; 5]);

/// Headings of [`Latencies`], and their quantiles.
pub const QUANTILES: [(&str, f64); 5] =
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)];

/// The harness itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Harness {
    /// Its threads and its machine in the last second.
    pub health: PhaseHealth,
    /// p99 of intended start to write in the last second, of the latest action.
    pub send_lag_p99_ns: Option<u64>,
    /// Share of what the phase intended that was sent in time, of the worst action.
    pub sent_ratio: Option<f64>,
    /// Open descriptors, and how many there may be.
    pub descriptors: Option<(u64, u64)>,
    /// Resident memory, in bytes.
    pub rss_bytes: u64,
}

/// The target's processes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Server {
    /// `router`, `beam.smp`
    pub name: String,
    /// Cores that it used in the last second.
    pub cpu_ratio: f64,
    /// Resident memory, in bytes.
    pub rss_bytes: u64,
}

impl Latencies {
    /// Of `buckets`; a percentile from fewer samples than it needs is left out.
    #[must_use]
    pub fn of(buckets: &Buckets) -> Self {
        let count = buckets.count() as f64;
        Self(QUANTILES.map(|(_, quantile)| {
            let enough = quantile >= 1.0 || count >= (1.0 / (1.0 - quantile)).round();
            buckets.quantile(quantile).filter(|_| enough)
        }))
    }

    /// The p99, or the maximum of what is too little for one.
    #[must_use]
    pub fn p99_or_max(&self) -> Option<u64> {
        self.0[2].or(self.0[4])
    }
}

impl Board {
    /// What went wrong with deliveries, in the words of the result; zeros too.
    #[must_use]
    pub const fn strays(&self) -> [(&'static str, u64); 7] {
        let counts = &self.counts;
        [
            ("lost", counts.lost),
            ("missing", counts.missing),
            ("duplicated", counts.duplicated),
            ("reordered", counts.reordered),
            ("unexpected", counts.unexpected),
            ("late", counts.late),
            ("timed out", counts.timed_out),
        ]
    }
}

impl Harness {
    /// Which threshold of [`crate::metrics::health`] is passed now, in a word.
    #[must_use]
    pub fn limit(&self) -> Option<&'static str> {
        match self {
            Self { health, .. } if health.busy_ratio > BUSY_RATIO_MAX => Some("busy"),
            Self { health, .. } if health.stolen_ratio > STOLEN_RATIO_MAX => Some("steal"),
            Self { sent_ratio: Some(ratio), .. } if *ratio < ACHIEVED_RATIO_MIN => Some("rate missed"),
            Self { descriptors: Some((open, most)), .. } if open >= most => Some("descriptors"),
            Self { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Recorder;

    #[test]
    fn no_percentile_of_too_few() {
        let mut recorder = Recorder::default();
        (1..=20).for_each(|ms| recorder.record(ms * 1_000_000));
        let latencies = Latencies::of(&recorder.buckets());
        assert_eq!(latencies.0.map(|ns| ns.is_some()), [true, true, false, false, true]);
        assert_eq!(latencies.p99_or_max(), latencies.0[4]);
        assert_eq!(Latencies::of(&Buckets::default()), Latencies::default());
    }

    #[test]
    fn each_threshold_is_named() {
        let health =
            |busy_ratio, stolen_ratio| PhaseHealth { busy_ratio, stolen_ratio, ..PhaseHealth::default() };
        let cases = [
            (Harness { health: health(0.85, 0.02), sent_ratio: Some(0.99), ..Harness::default() }, None),
            (Harness { health: health(0.86, 0.5), ..Harness::default() }, Some("busy")),
            (Harness { health: health(0.1, 0.03), ..Harness::default() }, Some("steal")),
            (Harness { sent_ratio: Some(0.98), ..Harness::default() }, Some("rate missed")),
            (Harness { descriptors: Some((20_000, 20_000)), ..Harness::default() }, Some("descriptors")),
        ];
        for (harness, want) in cases {
            assert_eq!(harness.limit(), want, "{harness:?}");
        }
    }
}
