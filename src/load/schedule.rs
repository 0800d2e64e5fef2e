//! Intended starts: when an operation ought to begin, whatever the harness is doing at that time.
//!
//! A pure function of (seed, phase, action, k). No clock is read, and being late changes nothing: the next intended
//! start does not move.

use super::random::{Purpose, Random};
use super::scenario::{Rate, Shape};
use crate::time::Nanos;

/// The intended starts of one action in one phase, in order.
#[derive(Debug, Clone)]
pub(super) struct Schedule {
    begin: Nanos,
    end: Nanos,
    rate: Rate,
    /// `None`: evenly spread.
    random: Option<Random>,
    /// Starts taken.
    taken: u64,
    next: Nanos,
}

impl Schedule {
    /// From `begin` on and before `end`. Evenly spread, operation `k` starts `k / rate` after `begin`; in a Poisson
    /// process the first one comes after the first gap.
    pub(super) fn new(
        begin: Nanos,
        end: Nanos,
        rate: Rate,
        shape: Shape,
        seed: u64,
        purpose: Purpose,
    ) -> Self {
        let random = match shape {
            Shape::Constant => None,
            Shape::Poisson => Some(Random::new(seed, purpose)),
        };
        let mut schedule = Self { begin, end, rate, random, taken: 0, next: begin };
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
        self.taken += 1;
        self.step();
        Some(due)
    }

    fn step(&mut self) {
        self.next = match &mut self.random {
            // From k and not from the last one: a billion rounded gaps would add up to another rate.
            None => Nanos(self.begin.0.saturating_add(to_ns(self.taken as f64 / self.rate.0))),
            Some(random) => Nanos(self.next.0.saturating_add(to_ns(-random.unit().ln() / self.rate.0))),
        };
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

    fn starts(rate: f64, shape: Shape, seconds: u64, seed: u64) -> Vec<u64> {
        let (begin, end) = (Nanos(5 * SECOND), Nanos((5 + seconds) * SECOND));
        let mut schedule = Schedule::new(begin, end, Rate(rate), shape, seed, Purpose::Starts(1, 2));
        std::iter::from_fn(|| schedule.take_due(Nanos::MAX)).map(|at| at.0).collect()
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

        /// Late or early, in one go or step by step: the same starts.
        #[test]
        fn starts_do_not_depend_on_when_they_are_taken(seed: u64, step in 1u64..SECOND) {
            let all = starts(300.0, Shape::Poisson, 3, seed);
            let (begin, end) = (Nanos(5 * SECOND), Nanos(8 * SECOND));
            let mut schedule =
                Schedule::new(begin, end, Rate(300.0), Shape::Poisson, seed, Purpose::Starts(1, 2));
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
    fn seeds_and_purposes_differ() {
        assert_ne!(starts(100.0, Shape::Poisson, 2, 1), starts(100.0, Shape::Poisson, 2, 2));
        let first = |purpose| {
            Schedule::new(Nanos(0), Nanos::MAX, Rate(1.0), Shape::Poisson, 1, purpose).next().unwrap()
        };
        assert_ne!(first(Purpose::Starts(1, 2)), first(Purpose::Starts(1, 3)));
        assert_ne!(first(Purpose::Starts(1, 2)), first(Purpose::Starts(2, 2)));
    }
}
