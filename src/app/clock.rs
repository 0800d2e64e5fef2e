//! Wall time, for names, labels and stamps only: no latency is ever computed from it.
//!
//! The calendar is [`Utc`]'s.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::reactor::Clock;
use crate::time::Utc;

/// Now.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "wall time belongs to L6, and this is its only reader")]
pub fn now() -> Utc {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Utc::default() + since
}

/// Wall time at the start of the monotonic clock, as both stand now: from here on, wall time is computed. A step of the
/// system's clock is not followed until the next start.
#[must_use]
pub fn utc_at_zero() -> Utc {
    Utc(now().since(Utc::default() + Clock.now().as_duration()))
}

/// `2024-02-29T12:34:56Z` (RFC 3339): whole seconds.
#[must_use]
pub fn rfc3339(utc: Utc) -> String {
    Utc(utc.seconds() * 1_000).to_string()
}

/// `20240229-123456`, for file names.
#[must_use]
pub fn compact(utc: Utc) -> String {
    let ((year, month, day), (hour, minute, second)) = (utc.date(), utc.time_of_day());
    format!("{year:04}{month:02}{day:02}-{hour:02}{minute:02}{second:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels() {
        let utc = Utc(1_709_210_096_789);
        assert_eq!(rfc3339(utc), "2024-02-29T12:34:56Z");
        assert_eq!(compact(utc), "20240229-123456");
    }

    #[test]
    fn both_clocks_meet() {
        let before = now();
        let computed = utc_at_zero() + Clock.now().as_duration();
        // Coarse enough for a clock that somebody sets meanwhile; a wrong unit or sign is off by years.
        let day = 86_400_000;
        assert!(computed.since(before) < day && before.since(computed) < day, "{computed} {before}");
    }
}
