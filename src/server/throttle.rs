//! How often something may be done, by all homes together.
//!
//! It reads no clock and refuses nothing itself. One number is all there is: when the next one would be due if all came at
//! the even rate; who is further ahead of it than a minute has to wait.

use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::time::Nanos;

const MINUTE: Duration = Duration::from_secs(60);

/// So many a minute, all at once if need be. Its clones count together.
#[derive(Debug, Clone, Default)]
pub(super) struct Throttle {
    /// Time that one costs, in nanoseconds; 0: nothing is counted.
    cost_ns: u64,
    /// When all that were allowed are paid for.
    paid_ns: Arc<AtomicU64>,
}

impl Throttle {
    /// `None`: any number.
    pub(super) fn new(per_minute: Option<NonZero<u32>>) -> Self {
        let minute = u64::try_from(MINUTE.as_nanos()).expect("a minute fits");
        let cost_ns = per_minute.map_or(0, |count| minute / u64::from(count.get()));
        Self { cost_ns, paid_ns: Arc::default() }
    }

    /// Counts one, if it may be done now.
    pub(super) fn take(&self, now: Nanos) -> bool {
        let limit = (now + MINUTE).0;
        let next = |paid: u64| Some(paid.max(now.0) + self.cost_ns).filter(|next| *next <= limit);
        // Nothing else depends on what is read here.
        self.paid_ns.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_as_allowed_at_once_and_then_at_the_rate() {
        let throttle = Throttle::new(NonZero::new(3));
        let other = throttle.clone();
        let mut now = Nanos(5_000_000_000);
        assert_eq!([(); 5].map(|()| throttle.take(now)), [true, true, true, false, false]);
        assert!(!other.take(now), "clones count together");
        now += Duration::from_secs(20);
        assert!(other.take(now) && !throttle.take(now));
        now += Duration::from_secs(1_000);
        assert_eq!([(); 4].map(|()| throttle.take(now)), [true, true, true, false]);
        let open = Throttle::new(None);
        assert!((0..10_000).all(|_| open.take(now)));
    }
}
