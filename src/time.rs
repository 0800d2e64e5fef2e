//! Time as a number: monotonic for everything that is measured or waited for, wall time for what people read.
//!
//! This module does not read a clock: the drivers in `reactor` and `sim` do, and hand the result down. It knows no
//! leap second and no time zone but UTC: offsets are resolved when text is read.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

/// Nanoseconds since an arbitrary start of the driver's clock; monotonic, never wall time.
///
/// Two values may be compared only when they come from the same driver. 2⁶⁴ ns are 584 years.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nanos(pub u64);

impl Nanos {
    /// The start of the driver's clock.
    pub const ZERO: Self = Self(0);
    /// Later than everything: "no deadline" in comparisons.
    pub const MAX: Self = Self(u64::MAX);

    /// Nanoseconds from `earlier` to `self`, 0 when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Whole and fractional seconds since the clock's start.
    #[must_use]
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// This time as a duration since the clock's start.
    #[must_use]
    pub const fn as_duration(self) -> Duration {
        Duration::from_nanos(self.0)
    }
}

impl Add<Duration> for Nanos {
    type Output = Self;
    /// Saturates: a deadline past the end of time is [`Nanos::MAX`].
    fn add(self, rhs: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(rhs.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl AddAssign<Duration> for Nanos {
    fn add_assign(&mut self, rhs: Duration) {
        *self = *self + rhs;
    }
}

impl Sub for Nanos {
    type Output = Duration;
    /// The time between two readings, zero when `rhs` is the later one.
    fn sub(self, rhs: Self) -> Duration {
        Duration::from_nanos(self.since(rhs))
    }
}

impl fmt::Debug for Nanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.9}s", self.as_secs_f64())
    }
}

/// Wall time: milliseconds since 1970-01-01T00:00:00Z, without leap seconds. No latency is ever computed from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Utc(pub u64);

/// The first millisecond that has no text: XEP-0082 §2 knows four-digit years.
const YEAR_10000: u64 = 253_402_300_800_000;
const SECONDS_PER_DAY: u64 = 86_400;

impl Utc {
    /// Whole seconds since 1970.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        self.0 / 1_000
    }

    /// Milliseconds from `earlier` to `self`, 0 when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Year, month and day of the month, each from 1.
    #[must_use]
    pub const fn date(self) -> (u64, u64, u64) {
        // Counted from 1 March 0000, so that the leap day comes last in its year, in eras of 400 years (146,097 days).
        let days = self.seconds() / SECONDS_PER_DAY + 719_468;
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        (era * 400 + year_of_era + (month <= 2) as u64, month, day)
    }

    /// Hour, minute and second.
    #[must_use]
    pub const fn time_of_day(self) -> (u64, u64, u64) {
        let second = self.seconds() % SECONDS_PER_DAY;
        (second / 3_600, second / 60 % 60, second % 60)
    }

    /// Parses a DateTime (XEP-0082 §3.2): a fraction of any length, of which milliseconds count, and `Z` or an offset.
    /// `None` for everything else, for days that no calendar has, and for times before 1970.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (date, rest) = text.split_at_checked(10)?;
        let (time, mut rest) = rest.strip_prefix('T')?.split_at_checked(8)?;
        let days = days_since_1970(numbers(date, '-', [4, 2, 2])?)?;
        let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let mut ms = 0;
        if let Some(fraction) = rest.strip_prefix('.') {
            let end = fraction.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(fraction.len());
            let digits = fraction[..end].bytes().chain(*b"00").take(3);
            if end == 0 {
                return None;
            }
            ms = digits.fold(0, |ms, digit| ms * 10 + u64::from(digit - b'0'));
            rest = &fraction[end..];
        }
        let local = (days * SECONDS_PER_DAY + hour * 3_600 + minute * 60 + second) * 1_000 + ms;
        let utc = match rest.split_at_checked(1)? {
            ("Z", "") => Some(local),
            ("+", offset) => local.checked_sub(offset_ms(offset)?),
            ("-", offset) => local.checked_add(offset_ms(offset)?),
            _ => None,
        };
        utc.filter(|ms| *ms < YEAR_10000).map(Self)
    }
}

impl Add<Duration> for Utc {
    type Output = Self;
    /// Saturates. Fractions of milliseconds do not count.
    fn add(self, rhs: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(rhs.as_millis()).unwrap_or(u64::MAX)))
    }
}

impl fmt::Display for Utc {
    /// `2026-11-21T18:20:00Z`, or `2026-11-21T18:20:00.123Z` where there are milliseconds (XEP-0082 §3.2).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ((year, month, day), (hour, minute, second)) = (self.date(), self.time_of_day());
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        match self.0 % 1_000 {
            0 => f.write_str("Z"),
            ms => write!(f, ".{ms:03}Z"),
        }
    }
}

/// Numbers of these lengths with this separator between them, and nothing else.
fn numbers(text: &str, separator: char, lengths: [usize; 3]) -> Option<[u64; 3]> {
    let mut parts = text.split(separator);
    let mut numbers = [0; 3];
    for (number, length) in numbers.iter_mut().zip(lengths) {
        *number = digits(parts.next()?, length)?;
    }
    parts.next().is_none().then_some(numbers)
}

/// A number of exactly so many digits; `parse` alone would take a sign.
fn digits(text: &str, length: usize) -> Option<u64> {
    let is_number = text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

/// `hh:mm` behind a sign.
fn offset_ms(text: &str) -> Option<u64> {
    let (hours, minutes) = text.split_once(':')?;
    let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
    (hours < 24 && minutes < 60).then_some((hours * 60 + minutes) * 60_000)
}

/// The inverse of [`Utc::date`], by the same count.
fn days_since_1970([year, month, day]: [u64; 3]) -> Option<u64> {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u64::from(is_leap),
        _ => return None,
    };
    if year < 1970 || day == 0 || day > length {
        return None;
    }
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, year_of_era) = (year / 400, year % 400);
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    Some(era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468)
}

#[cfg(test)]
mod tests {
    use super::{Nanos, Utc, YEAR_10000};

    const CASES: &[(u64, &str)] = &[
        (0, "1970-01-01T00:00:00Z"),
        (1, "1970-01-01T00:00:00.001Z"),
        (951_782_399_000, "2000-02-28T23:59:59Z"),
        (951_782_400_000, "2000-02-29T00:00:00Z"),
        (951_868_800_000, "2000-03-01T00:00:00Z"),
        (1_709_210_096_500, "2024-02-29T12:34:56.500Z"),
        (1_795_285_200_123, "2026-11-21T18:20:00.123Z"),
        (1_798_761_599_999, "2026-12-31T23:59:59.999Z"),
        (4_107_542_399_000, "2100-02-28T23:59:59Z"), // 2100 is no leap year
        (4_107_542_400_000, "2100-03-01T00:00:00Z"),
        (YEAR_10000 - 1, "9999-12-31T23:59:59.999Z"),
    ];

    #[test]
    fn times_are_written_and_read_back() {
        for (ms, text) in CASES {
            assert_eq!(Utc(*ms).to_string(), *text);
            assert_eq!(Utc::parse(text), Some(Utc(*ms)), "{text}");
        }
        for day in (0..YEAR_10000 / 86_400_000).step_by(13) {
            let utc = Utc(day * 86_400_000 + 1);
            assert_eq!(Utc::parse(&utc.to_string()), Some(utc));
        }
    }

    #[test]
    fn offsets_and_fractions() {
        // The examples of XEP-0082 §3.2.
        assert_eq!(Utc::parse("1969-07-21T02:56:15Z"), None, "before 1970");
        let at = |text| Utc::parse(text).unwrap_or_else(|| panic!("{text}"));
        assert_eq!(at("2002-09-10T23:41:07Z"), at("2002-09-10T17:41:07-06:00"));
        assert_eq!(at("2002-09-11T01:11:07+01:30"), at("2002-09-10T23:41:07Z"));
        assert_eq!(at("2002-09-10T23:41:07.1Z"), Utc(at("2002-09-10T23:41:07Z").0 + 100));
        assert_eq!(at("2002-09-10T23:41:07.1239999Z"), Utc(at("2002-09-10T23:41:07Z").0 + 123));
        assert_eq!(at("1970-01-01T00:00:00-01:00"), Utc(3_600_000));
    }

    #[test]
    fn what_is_no_time() {
        for bad in [
            "",
            "2002-09-10",
            "2002-09-10T23:41:07",
            "2002-09-10 23:41:07Z",
            "2002-09-10T23:41:07z",
            "2002-09-10T23:41:07.Z",
            "2002-09-10T23:41:07Z ",
            "2002-09-10T23:41:07+0100",
            "2002-09-10T23:41:07+24:00",
            "2002-09-10T24:00:00Z",
            "2002-09-10T23:60:00Z",
            "2002-09-10T23:59:60Z",
            "2002-13-10T23:41:07Z",
            "2002-00-10T23:41:07Z",
            "2002-09-31T23:41:07Z",
            "2002-09-00T23:41:07Z",
            "2001-02-29T23:41:07Z",
            "2100-02-29T23:41:07Z",
            "+002-09-10T23:41:07Z",
            "2002-9-100T23:41:07Z",
            "20020910T23:41:07",
            "1970-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
            "２００２-09-10T23:41:07Z",
        ] {
            assert_eq!(Utc::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn wall_time_follows_the_monotonic_clock() {
        let start = Utc(1_000);
        assert_eq!(start + Nanos(2_500_000).as_duration(), Utc(1_002));
        assert_eq!((Utc(5).since(Utc(3)), Utc(3).since(Utc(5))), (2, 0));
        assert_eq!(Utc(u64::MAX) + Nanos::MAX.as_duration(), Utc(u64::MAX));
    }
}
