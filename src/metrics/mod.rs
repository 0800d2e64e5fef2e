//! Any layer: what was measured, as numbers. No socket, no clock, no file.
//!
//! A [`Recorder`] takes samples and merges; a [`Summary`] is what is left of a run: numbers, their doubts
//! ([`Percentile::at_least`], [`Percentile::harness_bound`]) and the [`Verdict`] on them. What makes a
//! measurement invalid stands in [`health`], and nowhere else.

mod buckets;
pub mod health;
mod ids;
mod judge;
mod progress;
mod reconnect;
mod record;
mod recorder;
mod seconds;
mod slo;
mod summary;
mod verdict;

pub use buckets::Buckets;
pub use ids::{IdsArrive, Survival};
pub use progress::{ActionProgress, Light};
pub use reconnect::{ReconnectRecord, ReconnectSummary};
pub use record::{ActionRecord, LoginRecord, LoginTimes, PhaseRecord, Times};
pub use recorder::{Quantile, Recorder};
pub use slo::{Bound, Metric, MetricError, Slo, Unit};
pub use summary::{
    ActionSummary, CloseCount, Counts, Distribution, ErrorCount, LoginSummary, Percentile, PhaseSummary,
    Records, Second, Summary, format_ns,
};
pub use verdict::{Failure, HarnessHealth, Invalid, PhaseHealth, SloResult, SloState, Verdict};
