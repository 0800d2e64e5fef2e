//! What became of connections that a phase broke: who came back, and how long it took.
//!
//! It breaks nothing and knows no user. All times count from the moment that the scenario intends for the break, the same
//! for everybody: waiting before a new attempt is part of them, as it is of what people notice.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Distribution, LoginRecord, LoginSummary, LoginTimes, Recorder};
use crate::time::Nanos;

/// Shares of the broken connections that are waited for, with the names of their metrics.
pub(super) const MILESTONES: [(&str, f64); 3] =
    [("to_90_percent", 0.90), ("to_99_percent", 0.99), ("to_all", 1.0)];

/// The connections that one phase broke.
#[derive(Debug, Clone, Default)]
pub struct ReconnectRecord {
    /// When the break was intended.
    pub at: Nanos,
    /// Connections that were broken.
    pub broken: u64,
    /// Attempts to come back.
    pub attempts: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// From the break until ready again, of each user that came back in time, in no order.
    back_ns: Vec<u64>,
    socket: Recorder,
    bound: Recorder,
    ready: Recorder,
    login: LoginRecord,
}

impl ReconnectRecord {
    /// A break that is intended for `at`.
    #[must_use]
    pub fn new(at: Nanos) -> Self {
        Self { at, ..Self::default() }
    }

    /// A user is ready again.
    pub fn back(&mut self, times: &LoginTimes) {
        self.back_ns.push(times.ready.since(self.at));
        self.socket.record(times.connected.since(self.at));
        self.bound.record(times.bound.since(self.at));
        self.ready.record(times.ready.since(self.at));
        self.login.done(times);
    }

    /// Users that came back in time.
    #[must_use]
    pub fn came_back(&self) -> u64 {
        self.back_ns.len() as u64
    }

    /// Users that did not.
    #[must_use]
    pub fn missing(&self) -> u64 {
        self.broken - self.came_back()
    }

    /// Adds what another reactor saw of the same break.
    pub(super) fn join(&mut self, other: Self) {
        self.broken += other.broken;
        self.attempts += other.attempts;
        self.failed += other.failed;
        self.back_ns.extend(other.back_ns);
        self.login.merge(&other.login);
        for (own, theirs) in [
            (&mut self.socket, &other.socket),
            (&mut self.bound, &other.bound),
            (&mut self.ready, &other.ready),
        ] {
            own.merge(theirs);
        }
    }

    /// From the break until that share of the broken connections was back; `None` when fewer came back, or none was broken.
    #[must_use]
    pub fn until_back_ns(&self, share: f64) -> Option<u64> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank up to the count")]
        let rank = (self.broken as f64 * share).ceil() as usize;
        let mut sorted = self.back_ns.clone();
        sorted.sort_unstable();
        sorted.get(rank.checked_sub(1)?).copied()
    }

    /// Spans from the break by name.
    fn series(&self) -> [(&'static str, &Recorder); 3] {
        [("socket", &self.socket), ("bound", &self.bound), ("ready", &self.ready)]
    }

    /// A span from the break; a late attempt of the harness is part of it.
    pub(super) fn latency(&self, name: &str) -> Option<(&Recorder, Vec<&Recorder>)> {
        let found = self.series().into_iter().find(|(n, _)| *n == name)?.1;
        Some((found, vec![self.login.send_lag()]))
    }

    /// The count of that name; 0 for a name that is none.
    pub(super) fn count(&self, name: &str) -> u64 {
        match name {
            "broken" => self.broken,
            "missing" => self.missing(),
            "attempts" => self.attempts,
            "failed" => self.failed,
            _ => 0,
        }
    }

    pub(super) fn summary(&self) -> ReconnectSummary {
        let [to_90, to_99, to_all] = MILESTONES.map(|(_, share)| self.until_back_ns(share));
        let span = |(name, recorder): (&str, &Recorder)| {
            (name.to_owned(), recorder.distribution(&[self.login.send_lag()]))
        };
        let mut login = self.login.summary();
        (login.asked, login.failed) = (self.attempts, self.failed);
        ReconnectSummary {
            broken: self.broken,
            back: self.came_back(),
            missing: self.missing(),
            attempts: self.attempts,
            failed: self.failed,
            to_90_percent_ns: to_90,
            to_99_percent_ns: to_99,
            to_all_ns: to_all,
            spans: self.series().into_iter().map(span).collect(),
            login,
        }
    }
}

/// The connections that one phase broke.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ReconnectSummary {
    /// Connections that were broken.
    pub broken: u64,
    /// Users that were ready again before the phase's drain was over.
    pub back: u64,
    /// Users that were not.
    pub missing: u64,
    /// Attempts to come back.
    pub attempts: u64,
    /// Attempts that failed; each was followed by another one while there was time.
    pub failed: u64,
    /// From the break until 90 % of the broken users were ready again; null when they never were.
    pub to_90_percent_ns: Option<u64>,
    /// The same for 99 %.
    pub to_99_percent_ns: Option<u64>,
    /// The same for all.
    pub to_all_ns: Option<u64>,
    /// From the break: `socket` (TCP is up), `bound`, `ready`, each of the attempt that succeeded.
    pub spans: BTreeMap<String, Distribution>,
    /// The logins that succeeded, as in [`super::Summary::login`] and never mixed with them; `asked` and `failed` are
    /// attempts.
    pub login: LoginSummary,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(ready_ms: u64) -> LoginTimes {
        let at = |ms: u64| Nanos(ms * 1_000_000);
        LoginTimes {
            intended: at(ready_ms - 9),
            began: at(ready_ms - 9),
            connected: at(ready_ms - 6),
            authenticated: at(ready_ms - 4),
            bound: at(ready_ms - 2),
            ready: at(ready_ms),
        }
    }

    #[test]
    fn milestones_count_from_the_break_and_over_all_that_were_broken() {
        let mut halves =
            [ReconnectRecord::new(Nanos(1_000_000_000)), ReconnectRecord::new(Nanos(1_000_000_000))];
        for n in (1..=100).rev() {
            let half = &mut halves[n % 2];
            half.broken += 1;
            half.attempts += 1;
            half.back(&times(1_000 + 10 * n as u64));
        }
        let [mut whole, other] = halves;
        whole.join(other);
        for (share, ms) in [(0.9, 900), (0.99, 990), (1.0, 1_000)] {
            assert_eq!(whole.until_back_ns(share), Some(ms * 1_000_000));
        }
        let summary = whole.summary();
        assert_eq!((summary.broken, summary.back, summary.missing), (100, 100, 0));
        assert_eq!(summary.login.spans["total"].count, 100);
        let max = summary.spans["socket"].percentile("max").unwrap().ns.unwrap();
        assert!((993_000_000..996_000_000).contains(&max), "{max}");
        // Ten more that never come back: nine in ten did, but not ninety-nine in a hundred.
        whole.broken += 10;
        assert_eq!(whole.until_back_ns(0.9), Some(990_000_000));
        assert_eq!((whole.until_back_ns(0.99), whole.until_back_ns(1.0), whole.missing()), (None, None, 10));
    }

    #[test]
    fn nothing_broken_has_no_milestone() {
        assert_eq!(ReconnectRecord::default().until_back_ns(0.9), None);
    }
}
