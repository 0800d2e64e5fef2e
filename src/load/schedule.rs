//! Intended starts: when an operation ought to begin, whatever the harness is doing at that time.
//!
//! A pure function of (seed, phase, action, k). No clock is read, and being late changes nothing: the next intended
//! start does not move.

use std::time::Duration;

use super::random::{Purpose, Random};
use super::scenario::{Pace, Rate, Shape};
use crate::time::Nanos;

/// How many operations ought to have begun by when: a rate that goes evenly from one value to another and stays there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Course {
    from: f64,
    to: f64,
    /// Seconds until `to` is reached; 0: `from` is.
    over: f64,
}

impl Course {
    /// The course of `pace`, whose ramp takes as long as `over` unless it says itself.
    pub(super) fn new(pace: Pace, over: Duration) -> Self {
        match pace {
            Pace::Steady(Rate(rate)) => Self { from: rate, to: rate, over: 0.0 },
            Pace::Ramp { from, to, over: own } => {
                Self { from: from.0, to: to.0, over: own.unwrap_or(over).as_secs_f64() }
            }
        }
    }

    /// How long a ramp of `pace` takes that ends with the `count`th operation.
    pub(super) fn time_for(pace: Pace, count: u32) -> Duration {
        match pace {
            Pace::Steady(_) => Duration::ZERO,
            Pace::Ramp { from, to, .. } => Duration::from_secs_f64(2.0 * f64::from(count) / (from.0 + to.0)),
        }
    }

    /// Operations that ought to have begun `seconds` after the beginning.
    fn count_at(self, seconds: f64) -> f64 {
        let ramp = seconds.min(self.over);
        let slope = if self.over > 0.0 { (self.to - self.from) / self.over } else { 0.0 };
        ramp * (self.from + slope * ramp / 2.0) + (seconds - ramp) * self.to
    }

    /// Operations per second, on average over that long.
    pub(super) fn mean_rate(self, span: Duration) -> f64 {
        self.count_at(span.as_secs_f64()) / span.as_secs_f64()
    }

    /// When `count` operations ought to have begun, in seconds after the beginning: the inverse of [`Self::count_at`].
    fn seconds_to(self, count: f64) -> f64 {
        let in_ramp = self.count_at(self.over);
        if count >= in_ramp {
            return self.over + (count - in_ramp) / self.to;
        }
        // The root of s/2 t² + a t = n in the form that loses no digits when s is small.
        let slope = (self.to - self.from) / self.over;
        2.0 * count / (self.from + (self.from * self.from + 2.0 * slope * count).max(0.0).sqrt())
    }
}

/// The intended starts of one action in one phase, in order.
#[derive(Debug, Clone)]
pub(super) struct Schedule {
    begin: Nanos,
    end: Nanos,
    course: Course,
    /// `None`: evenly spread.
    random: Option<Random>,
    /// Where the next start stands on the course: k when evenly spread, the k-th event of a Poisson process of rate 1
    /// otherwise.
    place: f64,
    next: Nanos,
}

impl Schedule {
    /// From `begin` on and before `end`. Evenly spread, operation `k` starts when the course has come to `k`; in a Poisson
    /// process the first one comes after the first gap.
    pub(super) fn new(
        begin: Nanos,
        end: Nanos,
        course: Course,
        shape: Shape,
        seed: u64,
        purpose: Purpose,
    ) -> Self {
        let random = match shape {
            Shape::Constant => None,
            Shape::Poisson => Some(Random::new(seed, purpose)),
        };
        let mut schedule = Self { begin, end, course, random, place: 0.0, next: begin };
        if schedule.random.is_some() {
            schedule.step();
        }
        schedule
    }

    /// The next intended start; none behind the last.
    pub(super) fn next(&self) -> Option<Nanos> {
        (self.next < self.end).then_some(self.next)
    }

    /// Takes the next start if it is due at `now`.
    pub(super) fn take_due(&mut self, now: Nanos) -> Option<Nanos> {
        let due = self.next().filter(|at| *at <= now)?;
        self.step();
        Some(due)
    }

    /// A Poisson process of any rate is one of rate 1 on another clock (time change), so both shapes ask the course alone.
    /// Nothing is added up in nanoseconds: a billion rounded gaps would be another rate.
    fn step(&mut self) {
        self.place += match &mut self.random {
            None => 1.0,
            Some(random) => -random.unit().ln(),
        };
        let at = Nanos(self.begin.0.saturating_add(to_ns(self.course.seconds_to(self.place))));
        self.next = at.max(self.next);
    }
}

fn to_ns(seconds: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "saturates, and is never negative"
    )]
    let ns = (seconds * 1e9).round() as u64;
    ns
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn steady(rate: f64) -> Course {
        Course::new(Pace::Steady(Rate(rate)), Duration::ZERO)
    }

    fn ramp(from: f64, to: f64, seconds: u64) -> Course {
        let pace = Pace::Ramp { from: Rate(from), to: Rate(to), over: None };
        Course::new(pace, Duration::from_secs(seconds))
    }

    fn starts_of(course: Course, shape: Shape, seconds: u64, seed: u64) -> Vec<u64> {
        let (begin, end) = (Nanos(5 * SECOND), Nanos((5 + seconds) * SECOND));
        let mut schedule = Schedule::new(begin, end, course, shape, seed, Purpose::Starts(1, 2));
        std::iter::from_fn(|| schedule.take_due(Nanos::MAX)).map(|at| at.0).collect()
    }

    fn starts(rate: f64, shape: Shape, seconds: u64, seed: u64) -> Vec<u64> {
        starts_of(steady(rate), shape, seconds, seed)
    }

    /// Operations between two times of a ramp, by the area below it.
    fn area(from: f64, to: f64, seconds: u64, a: f64, b: f64) -> f64 {
        let rate = |t: f64| from + (to - from) * t / seconds as f64;
        (rate(a) + rate(b)) / 2.0 * (b - a)
    }

    proptest! {
        #[test]
        fn constant_has_exactly_the_rate(rate in 1u32..5_000, seconds in 1u64..20) {
            let starts = starts(f64::from(rate), Shape::Constant, seconds, 0);
            prop_assert_eq!(starts.len() as u64, u64::from(rate) * seconds);
            for (k, at) in starts.iter().enumerate() {
                let exact = 5.0 * 1e9 + k as f64 * 1e9 / f64::from(rate);
                prop_assert!((*at as f64 - exact).abs() <= 1.0);
            }
        }

        /// Within five standard deviations of a Poisson count; more often wrong than right would take a universe.
        #[test]
        fn poisson_has_the_rate_on_average(rate in 100u32..2_000, seed: u64) {
            let starts = starts(f64::from(rate), Shape::Poisson, 20, seed);
            let expected = f64::from(rate) * 20.0;
            prop_assert!((starts.len() as f64 - expected).abs() < 6.0 * expected.sqrt());
            prop_assert!(starts.windows(2).all(|w| w[0] <= w[1]));
        }

        /// Start k is where the area below the ramp has come to k: up, down or flat.
        #[test]
        fn an_even_ramp_has_the_area_below_it(from in 1u32..3_000, to in 1u32..3_000, seconds in 1u64..20) {
            let (a, b) = (f64::from(from), f64::from(to));
            let starts = starts_of(ramp(a, b, seconds), Shape::Constant, seconds, 0);
            let all = (a + b) / 2.0 * seconds as f64;
            prop_assert!((starts.len() as f64 - all).abs() <= 1.0, "{} of {all}", starts.len());
            for (k, at) in starts.iter().enumerate() {
                let until = (*at - 5 * SECOND) as f64 / 1e9;
                prop_assert!((area(a, b, seconds, 0.0, until) - k as f64).abs() < 1e-4, "{k} at {until}");
            }
            prop_assert!(starts.windows(2).all(|w| w[0] <= w[1]));
        }

        /// Each quarter of a ramp has its share on average: within six standard deviations.
        #[test]
        fn a_poisson_ramp_has_the_rate_of_each_time(from in 100u32..2_000, to in 100u32..2_000, seed: u64) {
            let (a, b) = (f64::from(from), f64::from(to));
            let starts = starts_of(ramp(a, b, 20), Shape::Poisson, 20, seed);
            for quarter in 0..4u64 {
                let bounds = (5 + quarter * 5) * SECOND..(10 + quarter * 5) * SECOND;
                let count = starts.iter().filter(|at| bounds.contains(at)).count() as f64;
                let expected = area(a, b, 20, quarter as f64 * 5.0, quarter as f64 * 5.0 + 5.0);
                prop_assert!((count - expected).abs() < 6.0 * expected.sqrt(), "{count} of {expected}");
            }
        }

        /// What a ramp has reached, it keeps.
        #[test]
        fn behind_a_ramp_the_rate_stays(from in 1u32..500, to in 1u32..500) {
            let (a, b) = (f64::from(from), f64::from(to));
            let starts = starts_of(ramp(a, b, 4), Shape::Constant, 10, 0);
            let behind = starts.iter().filter(|at| **at >= 9 * SECOND).count() as f64;
            prop_assert!((behind - 6.0 * b).abs() <= 1.0, "{behind}");
            prop_assert!((ramp(a, b, 4).mean_rate(Duration::from_secs(10)) - starts.len() as f64 / 10.0).abs() <= 0.1);
        }

        /// Late or early, in one go or step by step: the same starts.
        #[test]
        fn starts_do_not_depend_on_when_they_are_taken(seed: u64, step in 1u64..SECOND, to in 1u32..900) {
            let course = ramp(300.0, f64::from(to), 3);
            let all = starts_of(course, Shape::Poisson, 3, seed);
            let (begin, end) = (Nanos(5 * SECOND), Nanos(8 * SECOND));
            let mut schedule = Schedule::new(begin, end, course, Shape::Poisson, seed, Purpose::Starts(1, 2));
            let (mut now, mut stepped) = (begin, Vec::new());
            while schedule.next().is_some() {
                while let Some(at) = schedule.take_due(now) {
                    prop_assert!(at <= now);
                    stepped.push(at.0);
                }
                now = Nanos(now.0 + step);
            }
            prop_assert_eq!(all, stepped);
        }
    }

    #[test]
    fn gaps_of_a_poisson_process_are_exponential() {
        let starts = starts(1_000.0, Shape::Poisson, 60, 42);
        let gaps: Vec<f64> = starts.windows(2).map(|w| (w[1] - w[0]) as f64 / 1e6).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|g| (g - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        assert!((mean - 1.0).abs() < 0.03 && (variance - 1.0).abs() < 0.06, "{mean} {variance}");
    }

    #[test]
    fn a_ramp_can_end_with_the_last_of_them() {
        let pace = Pace::Ramp { from: Rate(10.0), to: Rate(30.0), over: None };
        assert_eq!(Course::time_for(pace, 100), Duration::from_secs(5));
    }

    #[test]
    fn seeds_and_purposes_differ() {
        assert_ne!(starts(100.0, Shape::Poisson, 2, 1), starts(100.0, Shape::Poisson, 2, 2));
        let first = |purpose| {
            Schedule::new(Nanos(0), Nanos::MAX, steady(1.0), Shape::Poisson, 1, purpose).next().unwrap()
        };
        assert_ne!(first(Purpose::Starts(1, 2)), first(Purpose::Starts(1, 3)));
        assert_ne!(first(Purpose::Starts(1, 2)), first(Purpose::Starts(2, 2)));
    }
}
