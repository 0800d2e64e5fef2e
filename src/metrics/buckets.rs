//! A histogram in little room: what a [`Recorder`](super::Recorder) holds at one moment, for a reader on another thread.
//!
//! It takes no samples. It is exact to the recorder's own buckets: what several reactors hold is added up, and what came
//! since an earlier moment is the difference of two. What timed out is not told apart.

use super::recorder::{HIGH_NS, STEP_NS};

/// Buckets that are not empty, ascending: highest value in units of 512 ns ([`u32::MAX`]: above the histogram), and
/// how many samples.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Buckets(Vec<(u32, u32)>);

impl Buckets {
    pub(super) const fn new(sparse: Vec<(u32, u32)>) -> Self {
        Self(sparse)
    }

    /// Samples in it.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.iter().map(|(_, count)| u64::from(*count)).sum()
    }

    /// The value at `quantile` (0 to 1) in nanoseconds, with the rank that
    /// [`Recorder::quantile`](super::Recorder::quantile) has; 60 s for what is above. `None` without samples.
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> Option<u64> {
        let count = self.count();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rank, clamped to the count"
        )]
        let rank = ((count as f64 * quantile).ceil() as u64).clamp(1, count.max(1));
        let mut below = 0;
        let (value, _) = self.0.iter().find(|(_, count)| {
            below += u64::from(*count);
            below >= rank
        })?;
        Some(if *value == u32::MAX { HIGH_NS } else { (u64::from(*value) + 1) * STEP_NS - 1 })
    }

    /// Adds the samples of `other`.
    pub fn join(&mut self, other: &Self) {
        if !other.0.is_empty() {
            self.0 = combined(&self.0, &other.0, u32::saturating_add);
        }
    }

    /// What was recorded since `earlier`, an older state of the same recorder.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self(combined(&self.0, &earlier.0, u32::saturating_sub))
    }
}

/// Each bucket of either side, with what `with` makes of its two counts; none that comes to nothing.
fn combined(own: &[(u32, u32)], theirs: &[(u32, u32)], with: fn(u32, u32) -> u32) -> Vec<(u32, u32)> {
    let mut all = Vec::with_capacity(own.len().max(theirs.len()));
    let (mut own, mut theirs) = (own.iter().copied().peekable(), theirs.iter().copied().peekable());
    loop {
        let value = match (own.peek(), theirs.peek()) {
            (Some((a, _)), Some((b, _))) => *a.min(b),
            (Some((value, _)), None) | (None, Some((value, _))) => *value,
            (None, None) => return all,
        };
        let left = own.next_if(|(own, _)| *own == value).map_or(0, |(_, count)| count);
        let right = theirs.next_if(|(theirs, _)| *theirs == value).map_or(0, |(_, count)| count);
        let count = with(left, right);
        if count > 0 {
            all.push((value, count));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Recorder;

    const QUANTILES: [f64; 6] = [0.01, 0.5, 0.9, 0.99, 0.999, 1.0];

    proptest! {
        /// What two reactors recorded has the quantiles of one that recorded all, and what came later those of a recorder
        /// that recorded only that.
        #[test]
        fn sums_and_differences_are_exact(
            samples in prop::collection::vec(0u64..70_000_000_000, 1..300),
            split in 0usize..300,
        ) {
            let split = split.min(samples.len());
            let (mut first, mut second) = (Recorder::default(), Recorder::default());
            samples[..split].iter().for_each(|ns| first.record(*ns));
            samples[split..].iter().for_each(|ns| second.record(*ns));
            let mut sum = first.buckets();
            sum.join(&second.buckets());
            let later = sum.since(&first.buckets());
            let mut whole = first;
            whole.merge(&second);
            for quantile in QUANTILES {
                prop_assert_eq!(sum.quantile(quantile), whole.quantile(quantile).map(|value| value.ns));
                prop_assert_eq!(later.quantile(quantile), second.quantile(quantile).map(|value| value.ns));
            }
            prop_assert_eq!((sum.count(), later.count()), (whole.count(), second.count()));
        }
    }
}
