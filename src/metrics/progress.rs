//! An action while its phase runs: counts and histograms so far, and what they say about an SLO.
//!
//! It is no verdict: that is given at the end, of everything, with the harness's lags in view.

use super::slo::{Bound, Parts, Slo};
use super::{ActionRecord, Buckets, Counts};

/// One action of a phase, so far.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ActionProgress {
    /// `chat`, `presence`, `ping`; `login` for all logins.
    pub action: &'static str,
    /// The rate asked for, operations per second.
    pub rate: f64,
    /// Whether an operation has an audience.
    pub fan_out: bool,
    /// Everything that was counted.
    pub counts: Counts,
    /// Response times; with an audience, of the last required recipient; of logins, the total.
    pub response: Buckets,
    /// Intended start to each required recipient; empty without an audience.
    pub each: Buckets,
    /// Intended start to the write.
    pub send_lag: Buckets,
}

impl ActionProgress {
    /// Adds another reactor's part of the same action.
    pub fn join(&mut self, other: &Self) {
        self.counts.add(&other.counts);
        self.response.join(&other.response);
        self.each.join(&other.each);
        self.send_lag.join(&other.send_lag);
    }

    fn achieved_ratio(&self) -> Option<f64> {
        let intended = self.counts.intended;
        (intended > 0).then(|| self.counts.sent_in_time as f64 / intended as f64)
    }
}

impl ActionRecord {
    /// What was written down so far.
    #[must_use]
    pub fn progress(&self) -> ActionProgress {
        ActionProgress {
            action: self.name(),
            rate: self.rate(),
            fan_out: self.has_audience(),
            counts: self.counts,
            response: self.headline().buckets(),
            each: self.each().buckets(),
            send_lag: self.send_lag().buckets(),
        }
    }
}

/// How an SLO stands while a run is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Light {
    /// Nothing can be said yet.
    Unknown,
    /// Met by what came so far.
    Green,
    /// Not met by what came so far.
    Red,
}

impl Slo {
    /// How it stands after `actions`, those of the phases that it is about. A minimum that may still be reached and a series
    /// that is not shown while a run lasts say nothing.
    #[must_use]
    pub fn light(&self, actions: &[&ActionProgress]) -> Light {
        let is = |met: bool| if met { Light::Green } else { Light::Red };
        let of = |name: &str| actions.iter().filter(move |a| a.action == name).copied().collect::<Vec<_>>();
        match (self.metric.parts(), self.bound) {
            (Parts::Latency { action, series, quantile, .. }, Bound::MaxNs(max)) => {
                let mut sum = Buckets::default();
                for action in of(action) {
                    match series {
                        "response" | "fanout_complete" | "total" => sum.join(&action.response),
                        "fanout_each" => sum.join(&action.each),
                        "send_lag" => sum.join(&action.send_lag),
                        _ => {}
                    }
                }
                let enough = quantile >= 1.0 || sum.count() as f64 >= (1.0 / (1.0 - quantile)).round();
                sum.quantile(quantile).filter(|_| enough).map_or(Light::Unknown, |ns| is(ns <= max))
            }
            (Parts::Count { action, count }, bound) => {
                let actions = of(action);
                let sum = actions.iter().map(|action| action.counts.get(count)).sum::<u64>() as f64;
                match bound {
                    _ if actions.is_empty() => Light::Unknown,
                    Bound::Max(max) => is(sum <= max),
                    Bound::Min(min) if sum < min => Light::Unknown,
                    Bound::Min(_) => Light::Green,
                    Bound::MaxNs(_) => Light::Unknown,
                }
            }
            (Parts::AchievedRatio { action }, Bound::Min(min)) => {
                let wanted = actions.iter().filter(|a| action.is_none_or(|name| a.action == name));
                let worst = wanted.filter_map(|a| a.achieved_ratio()).reduce(f64::min);
                worst.map_or(Light::Unknown, |ratio| is(ratio >= min))
            }
            (
                Parts::Latency { .. }
                | Parts::AchievedRatio { .. }
                | Parts::LostConnections
                | Parts::Back { .. },
                _,
            ) => Light::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Metric, Recorder};

    fn light(metric: &str, bound: Bound, actions: &[&ActionProgress]) -> Light {
        Slo { phase: None, metric: Metric::parse(metric).unwrap(), bound }.light(actions)
    }

    #[test]
    fn lights_follow_what_came_so_far() {
        let mut recorder = Recorder::default();
        (0..100).for_each(|_| recorder.record(2_000_000));
        let counts = Counts { intended: 100, sent_in_time: 98, lost: 1, ..Counts::default() };
        let chat =
            ActionProgress { action: "chat", counts, response: recorder.buckets(), ..Default::default() };
        let ping = ActionProgress {
            action: "ping",
            counts: Counts { intended: 10, sent_in_time: 10, ..Counts::default() },
            ..Default::default()
        };
        let ms = |ms: u64| Bound::MaxNs(ms * 1_000_000);
        let cases = [
            ("chat.response.p99", ms(3), Light::Green),
            ("chat.response.p99", ms(1), Light::Red),
            ("chat.response.p99.9", ms(1), Light::Unknown), // needs 1,000
            ("chat.service.p50", ms(1), Light::Unknown),
            ("presence.fanout_each.p50", ms(1), Light::Unknown),
            ("chat.lost", Bound::Max(0.0), Light::Red),
            ("chat.lost", Bound::Max(1.0), Light::Green),
            ("chat.lost", Bound::Min(2.0), Light::Unknown),
            ("chat.late", Bound::Max(0.0), Light::Green),
            ("presence.missing", Bound::Max(0.0), Light::Unknown),
            ("achieved_ratio", Bound::Min(0.99), Light::Red),
            ("ping.achieved_ratio", Bound::Min(0.99), Light::Green),
            ("presence.achieved_ratio", Bound::Min(0.99), Light::Unknown),
        ];
        for (metric, bound, want) in cases {
            assert_eq!(light(metric, bound, &[&chat, &ping]), want, "{metric} {bound}");
        }
        // Two phases together are slower than the first.
        let mut slow = Recorder::default();
        (0..10).for_each(|_| slow.record(9_000_000));
        let second = ActionProgress { action: "chat", response: slow.buckets(), ..Default::default() };
        assert_eq!(light("chat.response.p99", ms(3), &[&chat, &second]), Light::Red);
    }
}
