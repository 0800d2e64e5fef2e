//! Service level objectives: which number, and what it must be.
//!
//! Nothing is judged here; [`super::summary`]'s builder does, where the histograms are.

use std::fmt;

use super::reconnect::MILESTONES;
use super::summary::QUANTILES;

/// Name of an action, its latencies and its counts.
struct Known {
    action: &'static str,
    latencies: &'static [&'static str],
    counts: &'static [&'static str],
    /// Times that have no distribution.
    times: &'static [&'static str],
}

const KNOWN: &[Known] = &[
    Known {
        action: "chat",
        latencies: &["response", "service", "send_lag", "receive_lag"],
        counts: &[
            "lost",
            "duplicated",
            "reordered",
            "late",
            "unexpected",
            "timed_out",
            "failed",
            "unsent",
            "unsure",
        ],
        times: &[],
    },
    Known {
        action: "presence",
        latencies: &["fanout_first", "fanout_each", "fanout_complete", "service", "send_lag", "receive_lag"],
        counts: &[
            "missing",
            "duplicated",
            "reordered",
            "late",
            "unexpected",
            "timed_out",
            "failed",
            "unsent",
            "unsure",
        ],
        times: &[],
    },
    Known {
        action: "ping",
        latencies: &["response", "service", "send_lag", "receive_lag"],
        counts: REQUEST_COUNTS,
        times: &[],
    },
    Known {
        action: "roster_get",
        latencies: &["response", "service", "send_lag", "receive_lag"],
        counts: REQUEST_COUNTS,
        times: &[],
    },
    Known {
        action: "reconnect",
        latencies: &["socket", "bound", "ready"],
        counts: &["broken", "missing", "attempts", "failed"],
        times: &["to_90_percent", "to_99_percent", "to_all"],
    },
    Known {
        action: "login",
        latencies: &["tcp", "sasl", "bind", "ready", "total", "send_lag"],
        counts: &[],
        times: &[],
    },
    Known { action: CONNECTIONS, latencies: &[], counts: &["lost"], times: &[] },
];

/// What every run does, whatever its phases: not an action.
const CONNECTIONS: &str = "connections";

/// Actions that have no rate of their own.
const UNTIMED: [&str; 3] = ["login", "reconnect", CONNECTIONS];

const REQUEST_COUNTS: &[&str] =
    &["duplicated", "late", "unexpected", "timed_out", "failed", "unsent", "unsure"];

const RATIO: &str = "achieved_ratio";

/// What kind of number a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Nanoseconds, written `50ms`.
    Duration,
    /// A count or a ratio.
    Number,
}

/// A number of the result, by name: `chat.response.p99`, `presence.missing`, `login.ready.p99`,
/// `chat.achieved_ratio`, and `achieved_ratio` for the worst action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metric {
    name: String,
}

/// Why a metric's name is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown metric `{name}`")]
pub struct MetricError {
    /// As written.
    pub name: String,
    /// The nearest valid name.
    pub nearest: Option<String>,
}

/// What a metric's name says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Parts<'m> {
    /// A quantile of one latency of an action.
    Latency { action: &'m str, series: &'m str, quantile: f64, percentile: &'m str },
    /// A count of an action.
    Count { action: &'m str, count: &'m str },
    /// Connections of ready users that ended by themselves.
    LostConnections,
    /// From a phase's break until that share of the broken users was back; `name` is the metric's last word.
    Back { name: &'m str, share: f64 },
    /// Share of the intended operations that were sent in time; of the worst action without one.
    AchievedRatio { action: Option<&'m str> },
}

impl Metric {
    /// `connections.lost`: ready users whose connection ended though nothing here ended it. Every run has it.
    #[must_use]
    pub fn lost_connections() -> Self {
        Self { name: format!("{CONNECTIONS}.lost") }
    }

    /// Every valid name.
    pub fn names() -> impl Iterator<Item = String> {
        let of_action = |known: &'static Known| {
            let latencies = known.latencies.iter().flat_map(move |series| {
                QUANTILES.iter().map(move |(quantile, _)| format!("{}.{series}.{quantile}", known.action))
            });
            let counts = known.counts.iter().map(move |count| format!("{}.{count}", known.action));
            let times = known.times.iter().map(move |time| format!("{}.{time}", known.action));
            let ratio = (!UNTIMED.contains(&known.action)).then(|| format!("{}.{RATIO}", known.action));
            latencies.chain(counts).chain(times).chain(ratio)
        };
        KNOWN.iter().flat_map(of_action).chain([RATIO.to_owned()])
    }

    /// Metric of that name.
    ///
    /// # Errors
    /// The name is none, with the nearest one that is.
    pub fn parse(name: &str) -> Result<Self, MetricError> {
        if Self::names().any(|n| n == name) {
            return Ok(Self { name: name.to_owned() });
        }
        let near = |n: &String| strsim::damerau_levenshtein(name, n);
        let nearest = Self::names().min_by_key(near).filter(|n| near(n) <= 2 + name.len() / 3);
        Err(MetricError { name: name.to_owned(), nearest })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The action it is about, `login` and `reconnect` included; none when it is about all.
    #[must_use]
    pub fn action(&self) -> Option<&str> {
        match self.parts() {
            Parts::Latency { action, .. } | Parts::Count { action, .. } => Some(action),
            Parts::Back { .. } => Some("reconnect"),
            Parts::AchievedRatio { action } => action,
            Parts::LostConnections => None,
        }
    }

    /// What kind of number it is.
    #[must_use]
    pub fn unit(&self) -> Unit {
        match self.parts() {
            Parts::Latency { .. } | Parts::Back { .. } => Unit::Duration,
            Parts::Count { .. } | Parts::LostConnections | Parts::AchievedRatio { .. } => Unit::Number,
        }
    }

    pub(super) fn parts(&self) -> Parts<'_> {
        let Some((action, rest)) = self.name.split_once('.') else {
            return Parts::AchievedRatio { action: None };
        };
        // `p99.9` has a dot of its own, so the quantile is what is behind the second one.
        match rest.split_once('.') {
            Some((series, percentile)) => {
                let known = QUANTILES.iter().find(|(name, _)| *name == percentile);
                let quantile = known.expect("only names of the table are accepted").1;
                Parts::Latency { action, series, quantile, percentile }
            }
            None if rest == RATIO => Parts::AchievedRatio { action: Some(action) },
            None if action == CONNECTIONS => Parts::LostConnections,
            None => match MILESTONES.iter().find(|(name, _)| *name == rest) {
                Some((name, share)) => Parts::Back { name, share: *share },
                None => Parts::Count { action, count: rest },
            },
        }
    }
}

/// What a metric must be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// At most this many nanoseconds.
    MaxNs(u64),
    /// At most this number.
    Max(f64),
    /// At least this number.
    Min(f64),
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MaxNs(ns) => write!(f, "max {}", super::format_ns(*ns)),
            Self::Max(number) => write!(f, "max {number}"),
            Self::Min(number) => write!(f, "min {number}"),
        }
    }
}

/// One objective.
#[derive(Debug, Clone, PartialEq)]
pub struct Slo {
    /// Phase it is about; all measured phases without.
    pub phase: Option<String>,
    /// Which number.
    pub metric: Metric,
    /// What it must be.
    pub bound: Bound,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for name in Metric::names() {
            let metric = Metric::parse(&name).unwrap();
            let again = match metric.parts() {
                Parts::Latency { action, series, percentile, .. } => {
                    format!("{action}.{series}.{percentile}")
                }
                Parts::Count { action, count } => format!("{action}.{count}"),
                Parts::LostConnections => "connections.lost".to_owned(),
                Parts::Back { name, .. } => format!("reconnect.{name}"),
                Parts::AchievedRatio { action: Some(action) } => format!("{action}.achieved_ratio"),
                Parts::AchievedRatio { action: None } => "achieved_ratio".to_owned(),
            };
            assert_eq!(again, name);
        }
    }

    #[test]
    fn unknown_names_get_the_nearest() {
        for (name, nearest) in [
            ("chat.respone.p99", Some("chat.response.p99")),
            ("presence.fanout_complet.p99", Some("presence.fanout_complete.p99")),
            ("presence.lost", Some("presence.late")),
            ("chat.response.p98", Some("chat.response.p90")),
            ("achieved-ratio", Some("achieved_ratio")),
            ("weather", None),
        ] {
            let error = Metric::parse(name).unwrap_err();
            assert_eq!(error.nearest.as_deref(), nearest, "{name}");
        }
    }
}
