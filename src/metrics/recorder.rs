//! Samples in, quantiles out.
//!
//! It does not know what it records. A value is never clamped in silence: what is above the histogram is counted, and
//! what never came is recorded as the lower bound that it is.

use base64::Engine as _;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer as _, V2DeflateSerializer};

use super::buckets::Buckets;
use super::health;
use super::summary::{Distribution, Percentile, QUANTILES};

/// Smallest difference that is told apart.
const LOW_NS: u64 = 1_000;
/// Largest value inside the histogram; what is above is counted as overflow.
pub(super) const HIGH_NS: u64 = 60_000_000_000;
const DIGITS: u8 = 3;
/// Width of the narrowest bucket: the largest power of two up to [`LOW_NS`].
pub(super) const STEP_NS: u64 = 512;

/// A histogram of nanoseconds: 3 significant digits, 1 µs to 60 s, about 150 KB once it holds a sample.
#[derive(Debug, Clone, Default)]
pub struct Recorder {
    histogram: Option<Box<Histogram<u64>>>,
    overflow: u64,
    timed_out: u64,
    /// Smallest value that is only a lower bound; valid when `timed_out` > 0.
    timed_out_min_ns: u64,
}

/// A quantile's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quantile {
    /// Nanoseconds.
    pub ns: u64,
    /// The true value may be higher.
    pub at_least: bool,
}

impl Recorder {
    /// Takes a sample.
    pub fn record(&mut self, ns: u64) {
        if ns > HIGH_NS || self.histogram_mut().record(ns).is_err() {
            self.overflow += 1;
        }
    }

    fn histogram_mut(&mut self) -> &mut Histogram<u64> {
        self.histogram.get_or_insert_with(|| {
            let bounds = Histogram::new_with_bounds(LOW_NS, HIGH_NS, DIGITS);
            Box::new(bounds.expect("the bounds are those of this module"))
        })
    }

    /// Takes a sample that had not ended after `ns`.
    pub fn record_timed_out(&mut self, ns: u64) {
        if self.timed_out == 0 || ns < self.timed_out_min_ns {
            self.timed_out_min_ns = ns;
        }
        self.timed_out += 1;
        self.record(ns);
    }

    /// Adds the samples of `other`.
    pub fn merge(&mut self, other: &Self) {
        if let Some(theirs) = &other.histogram {
            match &mut self.histogram {
                Some(own) => own.add(theirs.as_ref()).expect("both have the bounds of this module"),
                None => self.histogram = Some(theirs.clone()),
            }
        }
        if other.timed_out > 0 && (self.timed_out == 0 || other.timed_out_min_ns < self.timed_out_min_ns) {
            self.timed_out_min_ns = other.timed_out_min_ns;
        }
        self.overflow += other.overflow;
        self.timed_out += other.timed_out;
    }

    /// What it holds in little room: each bucket that is not empty as (its highest value in units of [`STEP_NS`], samples),
    /// ascending. What is above the histogram has a value above it, too; what timed out is not told apart.
    pub(super) fn to_sparse(&self) -> Vec<(u32, u32)> {
        let narrow = |wide: u64| u32::try_from(wide).unwrap_or(u32::MAX);
        let buckets = self.histogram.iter().flat_map(|h| h.iter_recorded());
        let mut sparse: Vec<_> = buckets
            .map(|b| (narrow(b.value_iterated_to() / STEP_NS), narrow(b.count_since_last_iteration())))
            .collect();
        if self.overflow > 0 {
            sparse.push((u32::MAX, narrow(self.overflow)));
        }
        sparse
    }

    /// The same for a reader elsewhere: one walk over the histogram, some ten microseconds.
    #[must_use]
    pub fn buckets(&self) -> Buckets {
        Buckets::new(self.to_sparse())
    }

    /// Adds what [`Self::to_sparse`] gave.
    pub(super) fn add_sparse(&mut self, sparse: &[(u32, u32)]) {
        for (value, count) in sparse {
            let count = u64::from(*count);
            let inside = *value != u32::MAX
                && self.histogram_mut().record_n(u64::from(*value) * STEP_NS, count).is_ok();
            if !inside {
                self.overflow += count;
            }
        }
    }

    /// Forgets all samples and keeps the memory.
    pub fn clear(&mut self) {
        if let Some(histogram) = &mut self.histogram {
            histogram.reset();
        }
        (self.overflow, self.timed_out, self.timed_out_min_ns) = (0, 0, 0);
    }

    /// Samples taken.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.inside() + self.overflow
    }

    fn inside(&self) -> u64 {
        self.histogram.as_ref().map_or(0, |h| h.len())
    }

    /// The smallest value that a share `quantile` of all samples does not exceed, however few there are; `None` when
    /// there are none.
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> Option<Quantile> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rank, clamped to the count"
        )]
        let rank = ((count as f64 * quantile).ceil() as u64).clamp(1, count);
        let inside = self.inside();
        if rank > inside {
            return Some(Quantile { ns: HIGH_NS, at_least: true });
        }
        let histogram = self.histogram.as_ref()?;
        // Half a rank off the edge: rounding can then not reach the neighbour.
        let ns = histogram.value_at_quantile((rank as f64 - 0.5) / inside as f64);
        let at_least = self.timed_out > 0 && ns >= histogram.lowest_equivalent(self.timed_out_min_ns);
        Some(Quantile { ns, at_least })
    }

    /// As [`Self::quantile`], but `None` when there are too few samples to print it: 1 / (1 − q), 1000 for p99.9.
    #[must_use]
    pub fn printable(&self, quantile: f64) -> Option<Quantile> {
        if quantile < 1.0 && (self.count() as f64) < (1.0 / (1.0 - quantile)).round() {
            return None;
        }
        self.quantile(quantile)
    }

    /// The largest lag of `lags` at `quantile` that makes this percentile harness-bound.
    #[must_use]
    pub fn binding_lag_ns(&self, quantile: f64, lags: &[&Self]) -> Option<u64> {
        let own = self.quantile(quantile)?.ns;
        let lags = lags.iter().filter_map(|lag| lag.quantile(quantile));
        lags.map(|lag| lag.ns).filter(|lag| health::is_harness_bound(*lag, own)).max()
    }

    /// Everything that is printed of it. `lags` are those of the harness in the same operations.
    #[must_use]
    pub fn distribution(&self, lags: &[&Self]) -> Distribution {
        let percentile = |&(name, quantile): &(&'static str, f64)| {
            let value = self.printable(quantile);
            Percentile {
                name: name.into(),
                quantile,
                ns: value.map(|v| v.ns),
                at_least: value.is_some_and(|v| v.at_least),
                harness_bound: value.is_some() && self.binding_lag_ns(quantile, lags).is_some(),
            }
        };
        let histogram = self.histogram.as_ref();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a mean of 0 to 60e9")]
        let mean_ns = histogram.map_or(0, |h| h.mean().round() as u64);
        Distribution {
            count: self.count(),
            overflow: self.overflow,
            timed_out: self.timed_out,
            min_ns: histogram.map_or(0, |h| h.min()),
            mean_ns,
            percentiles: QUANTILES.iter().map(percentile).collect(),
            hdr: self.to_base64(),
        }
    }

    /// HdrHistogram V2 with deflate, base64; empty without samples.
    fn to_base64(&self) -> String {
        let Some(histogram) = self.histogram.as_ref().filter(|h| !h.is_empty()) else { return String::new() };
        let mut bytes = Vec::new();
        V2DeflateSerializer::new()
            .serialize(histogram, &mut bytes)
            .expect("a histogram of our bounds can be written to memory");
        base64::engine::general_purpose::STANDARD.encode(bytes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sparse_loses_nothing(samples in proptest::collection::vec(0u64..70_000_000_000, 0..200)) {
            let (mut whole, mut parts) = (Recorder::default(), Recorder::default());
            for half in samples.chunks(samples.len() / 2 + 1) {
                let mut part = Recorder::default();
                half.iter().for_each(|ns| {
                    whole.record(*ns);
                    part.record(*ns);
                });
                parts.add_sparse(&part.to_sparse());
            }
            prop_assert_eq!(parts.count(), whole.count());
            for quantile in [0.0, 0.01, 0.3, 0.5, 0.77, 0.9, 0.99, 1.0] {
                prop_assert_eq!(parts.quantile(quantile), whole.quantile(quantile));
            }
        }
    }

    #[test]
    fn nothing_is_printed_from_too_few() {
        let mut recorder = Recorder::default();
        assert_eq!(recorder.quantile(0.5), None);
        for n in 1..=1000u64 {
            recorder.record(n * 1_000_000);
            for (_, quantile) in QUANTILES {
                let needed = if quantile < 1.0 { (1.0 / (1.0 - quantile)).round() } else { 1.0 };
                assert_eq!(recorder.printable(quantile).is_some(), n as f64 >= needed, "{n} {quantile}");
            }
        }
    }

    #[test]
    fn overflow_is_counted_and_shown_as_a_lower_bound() {
        let mut recorder = Recorder::default();
        recorder.record(1_000_000);
        recorder.record(61_000_000_000);
        let distribution = recorder.distribution(&[]);
        assert_eq!((distribution.count, distribution.overflow), (2, 1));
        let max = distribution.percentile("max").unwrap();
        assert_eq!((max.ns, max.at_least), (Some(HIGH_NS), true));
        assert!(!distribution.percentile("p50").unwrap().at_least);
    }

    #[test]
    fn only_percentiles_that_touch_a_timeout_are_lower_bounds() {
        let mut recorder = Recorder::default();
        for _ in 0..98 {
            recorder.record(2_000_000);
        }
        recorder.record_timed_out(5_000_000_000);
        // Slower than the timed-out one: where it stands in the order depends on when that would have ended.
        recorder.record(6_000_000_000);
        let distribution = recorder.distribution(&[]);
        let at_least: Vec<bool> = distribution.percentiles.iter().map(|p| p.at_least).collect();
        let names: Vec<&str> = distribution.percentiles.iter().map(|p| p.name.as_ref()).collect();
        assert_eq!(names, ["p50", "p90", "p99", "p99.9", "max"]);
        assert_eq!(at_least, [false, false, true, false, true], "p99.9 has too few samples to be printed");
        assert_eq!(distribution.timed_out, 1);
    }

    #[test]
    fn lag_marks_the_quantile_that_it_reaches() {
        let (mut response, mut lag) = (Recorder::default(), Recorder::default());
        for n in 0..100 {
            response.record(1_000_000);
            lag.record(if n < 95 { 50_000 } else { 900_000 });
        }
        let distribution = response.distribution(&[&lag]);
        let bound = |name| distribution.percentile(name).unwrap().harness_bound;
        assert!(!bound("p50") && !bound("p90") && bound("p99") && bound("max"));
    }

    #[test]
    fn serialised_histogram_reads_back() {
        let mut recorder = Recorder::default();
        (1..=500u64).for_each(|n| recorder.record(n * 10_000));
        let bytes = base64::engine::general_purpose::STANDARD.decode(recorder.to_base64()).unwrap();
        let mut reader = hdrhistogram::serialization::Deserializer::new();
        let back: Histogram<u64> = reader.deserialize(&mut bytes.as_slice()).unwrap();
        assert_eq!(back.len(), 500);
        assert_eq!(back.value_at_quantile(0.5), recorder.quantile(0.5).unwrap().ns);
    }

    proptest! {
        /// Against a sorted list: never below the exact value, and above by less than the histogram's width.
        #[test]
        fn quantiles_are_exact_to_three_digits(
            mut samples in prop::collection::vec(1_000u64..HIGH_NS, 1..400),
            split in 0usize..400,
            per_mille in 1u32..=1000,
        ) {
            let (mut one, mut two) = (Recorder::default(), Recorder::default());
            for (i, sample) in samples.iter().enumerate() {
                if i < split { one.record(*sample) } else { two.record(*sample) }
            }
            one.merge(&two);
            samples.sort_unstable();
            let quantile = f64::from(per_mille) / 1000.0;
            let below = |rank: &usize| (*rank as f64) < samples.len() as f64 * quantile;
            let rank = (1..samples.len()).find(|rank| !below(rank)).unwrap_or(samples.len());
            let exact = samples[rank - 1];
            let measured = one.quantile(quantile).unwrap().ns;
            prop_assert!(measured + 512 >= exact, "{measured} {exact}");
            prop_assert!(measured as f64 <= exact as f64 * 1.001 + 512.0, "{measured} {exact}");
        }
    }
}
