//! When the harness itself was the limit. Every threshold of that question stands here.
//!
//! This module measures nothing; it judges what [`super::Recorder`]s and the driver hand in.

/// Share of the intended operations that must have been written before the phase (plus its own hundredth) was over.
pub const ACHIEVED_RATIO_MIN: f64 = 0.99;

/// A percentile is *harness-bound* when send lag or receive lag at the same quantile exceed this share of it.
pub const LAG_RATIO_MAX: f64 = 0.20;

/// Lag below this never makes a percentile harness-bound, in nanoseconds. A wake-up through timerfd or epoll costs
/// 50 to 100 µs on an idle virtual machine; on loopback that alone can be a fifth of a response.
pub const LAG_FLOOR_NS: u64 = 100_000;

/// A reactor of the harness that is busier than this in a run cannot be punctual.
pub const BUSY_RATIO_MAX: f64 = 0.85;

/// When the machine's host gives more than this share of its CPU time to others, it may be them who made a latency exceed
/// its maximum. Latencies that met theirs met it in spite of them.
pub const STOLEN_RATIO_MAX: f64 = 0.02;

/// Stolen time below this is never judged, in nanoseconds, all cores together: the kernel counts it in ticks of 10 ms, and
/// one tick is more than a fiftieth of a short phase.
pub const STOLEN_FLOOR_NS: u64 = 100_000_000;

/// Phases that were looked at for less than this say too little about the harness, in nanoseconds: it is looked at four
/// times a second.
pub const PHASE_JUDGED_NS_MIN: u64 = 1_000_000_000;

/// Whether so much time was stolen that a latency's excess says nothing.
#[must_use]
pub fn is_stolen(ratio: f64, stolen_ns: u64) -> bool {
    ratio > STOLEN_RATIO_MAX && stolen_ns >= STOLEN_FLOOR_NS
}

/// Whether `lag_ns` at some quantile makes `response_ns` at the same quantile harness-bound.
#[must_use]
pub fn is_harness_bound(lag_ns: u64, response_ns: u64) -> bool {
    lag_ns > LAG_FLOOR_NS && lag_ns as f64 > response_ns as f64 * LAG_RATIO_MAX
}

/// Whether the harness's own delay may have decided about a maximum of `max_ns`. What is measured contains it, so a bound
/// that is met is met all the more without; one that is broken may have been broken by the harness alone.
#[must_use]
pub const fn lag_decides(measured_ns: u64, max_ns: u64) -> bool {
    measured_ns > max_ns
}
