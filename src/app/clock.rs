//! Wall time, for names and labels only: no latency is ever computed from it.
//!
//! UTC, proleptic Gregorian calendar, whole seconds.

use std::time::{SystemTime, UNIX_EPOCH};

/// A second of wall time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Utc {
    year: u64,
    month: u64,
    day: u64,
    second_of_day: u64,
}

impl Utc {
    /// This second.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "wall time belongs to L6, and this is its only reader")]
    pub fn now() -> Self {
        Self::from_unix(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
    }

    /// From seconds since 1970. The calendar is counted from 1 March 0000, so that the leap day comes last in its
    /// year, in eras of 400 years (146,097 days).
    fn from_unix(seconds: u64) -> Self {
        let days = seconds / 86_400 + 719_468;
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = era * 400 + year_of_era + u64::from(month <= 2);
        Self { year, month, day, second_of_day: seconds % 86_400 }
    }

    const fn time(self) -> (u64, u64, u64) {
        (self.second_of_day / 3_600, self.second_of_day / 60 % 60, self.second_of_day % 60)
    }

    /// `2024-02-29T12:34:56Z` (RFC 3339).
    #[must_use]
    pub fn rfc3339(self) -> String {
        let (hour, minute, second) = self.time();
        format!("{:04}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z", self.year, self.month, self.day)
    }

    /// `20240229-123456`, for file names.
    #[must_use]
    pub fn compact(self) -> String {
        let (hour, minute, second) = self.time();
        format!("{:04}{:02}{:02}-{hour:02}{minute:02}{second:02}", self.year, self.month, self.day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calendar() {
        let cases = [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_709_210_096, "2024-02-29T12:34:56Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"), // 2100 is no leap year
            (4_107_542_399, "2100-02-28T23:59:59Z"),
        ];
        for (seconds, want) in cases {
            assert_eq!(Utc::from_unix(seconds).rfc3339(), want);
        }
        assert_eq!(Utc::from_unix(1_709_210_096).compact(), "20240229-123456");
    }
}
