//! What is written down while a run is under way: counts and histograms of one action, one phase, the logins.
//!
//! It matches nothing and knows no stanza: whoever calls it has decided what happened.

use std::collections::BTreeMap;

use super::seconds::Seconds;
use super::summary::{ActionSummary, Counts, LoginSummary, PhaseSummary};
use super::{ActionProgress, ReconnectRecord, Recorder};
use crate::time::Nanos;

pub(super) const SECOND_NS: u64 = 1_000_000_000;

/// One operation's times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// When it ought to have begun.
    pub intended: Nanos,
    /// When the kernel took its last byte, if it did.
    pub sent: Option<Nanos>,
}

/// One action of one phase.
#[derive(Debug, Clone, Default)]
pub struct ActionRecord {
    name: &'static str,
    rate: f64,
    /// The action has an audience: `complete` is the last required recipient, not an answer.
    fan_out: bool,
    /// Counts, for the caller to add to.
    pub counts: Counts,
    complete: Recorder,
    first: Recorder,
    each: Recorder,
    service: Recorder,
    send_lag: Recorder,
    receive_lag: Recorder,
    seconds: Seconds,
}

impl ActionRecord {
    /// An action named `name` at `rate` per second, in a phase that begins at `begin`.
    #[must_use]
    pub fn new(name: &'static str, rate: f64, fan_out: bool, begin: Nanos) -> Self {
        Self { name, rate, fan_out, seconds: Seconds::new(begin), ..Self::default() }
    }

    /// The same for one of several reactors that will be [`PhaseRecord::join`]ed.
    #[must_use]
    pub fn for_joining(mut self) -> Self {
        self.seconds = self.seconds.for_joining();
        self
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The latency that stands for the action: of the answer, or of the last required recipient.
    #[must_use]
    pub const fn headline(&self) -> &Recorder {
        &self.complete
    }

    /// The rate asked for, per second.
    #[must_use]
    pub const fn rate(&self) -> f64 {
        self.rate
    }

    /// Whether it has an audience.
    #[must_use]
    pub const fn has_audience(&self) -> bool {
        self.fan_out
    }

    /// Intended start to each required recipient; empty without an audience.
    #[must_use]
    pub const fn each(&self) -> &Recorder {
        &self.each
    }

    /// Intended start to the write.
    #[must_use]
    pub const fn send_lag(&self) -> &Recorder {
        &self.send_lag
    }

    /// A start was due.
    pub fn intended(&mut self, at: Nanos) {
        self.counts.intended += 1;
        self.seconds.at(at).intended += 1;
    }

    /// The kernel took an operation's last byte at `now`.
    pub fn sent(&mut self, intended: Nanos, now: Nanos, in_time: bool) {
        self.counts.sent += 1;
        self.counts.sent_in_time += u64::from(in_time);
        self.send_lag.record(now.since(intended));
    }

    /// A stanza of the action was read `lag_ns` after its socket had become readable.
    pub fn received(&mut self, lag_ns: u64) {
        self.receive_lag.record(lag_ns);
    }

    /// An audience's member was reached.
    pub fn reached(&mut self, intended: Nanos, now: Nanos, is_first: bool) {
        self.counts.delivered += 1;
        self.each.record(now.since(intended));
        if is_first {
            self.first.record(now.since(intended));
        }
    }

    /// An operation ended well at `now`.
    pub fn done(&mut self, times: Times, now: Nanos) {
        self.counts.done += 1;
        let response = now.since(times.intended);
        self.complete.record(response);
        if let Some(sent) = times.sent {
            self.service.record(now.since(sent));
        }
        self.seconds.done(now, response);
    }

    /// An operation had not ended when its drain was over.
    pub fn timed_out(&mut self, times: Times, now: Nanos) {
        self.counts.timed_out += 1;
        self.complete.record_timed_out(now.since(times.intended));
        if let Some(sent) = times.sent {
            self.service.record_timed_out(now.since(sent));
        }
    }

    /// So many required recipients were not reached when the drain was over; `any`: another one was.
    pub fn missed(&mut self, intended: Nanos, now: Nanos, recipients: u32, any: bool) {
        for _ in 0..recipients {
            self.each.record_timed_out(now.since(intended));
        }
        if recipients > 0 && !any {
            self.first.record_timed_out(now.since(intended));
        }
    }

    /// Latency series by name.
    fn series(&self) -> Vec<(&'static str, &Recorder)> {
        let mut series = match self.fan_out {
            true => vec![
                ("fanout_first", &self.first),
                ("fanout_each", &self.each),
                ("fanout_complete", &self.complete),
            ],
            false => vec![("response", &self.complete)],
        };
        series.extend([
            ("service", &self.service),
            ("send_lag", &self.send_lag),
            ("receive_lag", &self.receive_lag),
        ]);
        series
    }

    /// Series of that name, and the lags of the harness that may be part of it.
    pub(super) fn latency(&self, name: &str) -> Option<(&Recorder, Vec<&Recorder>)> {
        let found = self.series().into_iter().find(|(n, _)| *n == name)?.1;
        let lags = match name {
            "send_lag" | "receive_lag" => vec![],
            // Counted from the send: a late one is no part of it.
            "service" => vec![&self.receive_lag],
            _ => vec![&self.send_lag, &self.receive_lag],
        };
        Some((found, lags))
    }

    /// The series of that name, which must exist.
    #[cfg(test)]
    pub(crate) fn latency_for_test(&self, name: &str) -> &Recorder {
        self.latency(name).expect("a series of this action").0
    }

    /// Share of the intended operations that were sent in time; 1 when nothing was intended.
    #[must_use]
    pub fn achieved_ratio(&self) -> f64 {
        match self.counts.intended {
            0 => 1.0,
            intended => self.counts.sent_in_time as f64 / intended as f64,
        }
    }

    /// Adds what the same action did in another phase; seconds are not kept.
    pub(super) fn merge(&mut self, other: &Self) {
        self.counts.add(&other.counts);
        for (own, theirs) in [
            (&mut self.complete, &other.complete),
            (&mut self.first, &other.first),
            (&mut self.each, &other.each),
            (&mut self.service, &other.service),
            (&mut self.send_lag, &other.send_lag),
            (&mut self.receive_lag, &other.receive_lag),
        ] {
            own.merge(theirs);
        }
    }

    /// Adds what the same action did in the same phase on another reactor.
    fn join(&mut self, other: Self) {
        self.merge(&other);
        self.seconds.join(other.seconds);
    }

    fn summary(&mut self, elapsed_ns: u64) -> ActionSummary {
        let latencies: BTreeMap<String, _> = self
            .series()
            .into_iter()
            .filter_map(|(name, recorder)| {
                let (_, lags) = self.latency(name)?;
                Some((name.to_owned(), recorder.distribution(&lags)))
            })
            .collect();
        let seconds = elapsed_ns as f64 / SECOND_NS as f64;
        ActionSummary {
            action: self.name.to_owned(),
            model: "open".into(),
            rate_intended: self.rate,
            rate_achieved: if elapsed_ns > 0 { self.counts.sent_in_time as f64 / seconds } else { 0.0 },
            achieved_ratio: self.achieved_ratio(),
            counts: self.counts,
            latencies,
            seconds: self.seconds.summary(),
        }
    }
}

/// One phase.
#[derive(Debug, Clone)]
pub struct PhaseRecord {
    /// Its name.
    pub name: String,
    /// Whether it is judged.
    pub measured: bool,
    /// When it began.
    pub begin: Nanos,
    /// Its planned length.
    pub planned_ns: u64,
    /// When it ended, drain not included.
    pub end: Option<Nanos>,
    /// When its drain ended.
    pub drained: Option<Nanos>,
    /// Its actions, in the scenario's order, `idle` left out.
    pub actions: Vec<ActionRecord>,
    /// Connections that it broke, if it breaks any.
    pub reconnect: Option<ReconnectRecord>,
    /// Connections of ready users that ended though the phase did not break them.
    pub lost_connections: u64,
}

impl PhaseRecord {
    /// Adds what another reactor did in the same phase.
    ///
    /// # Panics
    /// When it is another phase.
    pub fn join(&mut self, other: Self) {
        assert!(
            self.name == other.name && self.begin == other.begin && self.actions.len() == other.actions.len(),
            "reactors go through the same phases at the same times"
        );
        for (own, theirs) in self.actions.iter_mut().zip(other.actions) {
            own.join(theirs);
        }
        if let (Some(own), Some(theirs)) = (&mut self.reconnect, other.reconnect) {
            own.join(theirs);
        }
        self.lost_connections += other.lost_connections;
    }

    pub(super) fn summary(&mut self, now: Nanos) -> PhaseSummary {
        let end = self.end.unwrap_or(now);
        let elapsed_ns = end.since(self.begin);
        PhaseSummary {
            name: self.name.clone(),
            measured: self.measured,
            planned_ns: self.planned_ns,
            elapsed_ns,
            drain_ns: self.drained.map_or(0, |at| at.since(end)),
            complete: self.drained.is_some(),
            actions: self.actions.iter_mut().map(|a| a.summary(elapsed_ns)).collect(),
            reconnect: self.reconnect.as_ref().map(ReconnectRecord::summary),
            lost_connections: self.lost_connections,
        }
    }
}

/// The steps of one login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoginTimes {
    /// When it ought to have begun.
    pub intended: Nanos,
    /// When the connection was asked for.
    pub began: Nanos,
    /// When TCP was up.
    pub connected: Nanos,
    /// When the stream was authenticated.
    pub authenticated: Nanos,
    /// When the resource was bound.
    pub bound: Nanos,
    /// When roster and own presence had arrived.
    pub ready: Nanos,
}

/// All logins.
#[derive(Debug, Clone, Default)]
pub struct LoginRecord {
    /// Users asked for.
    pub asked: u64,
    /// Users that became ready.
    pub ready: u64,
    /// Logins that failed.
    pub failed: u64,
    first: Option<Nanos>,
    last: Nanos,
    tcp: Recorder,
    sasl: Recorder,
    bind: Recorder,
    join: Recorder,
    total: Recorder,
    send_lag: Recorder,
}

impl LoginRecord {
    /// Nobody has logged in; `asked` users will.
    #[must_use]
    pub fn new(asked: u64) -> Self {
        Self { asked, ..Self::default() }
    }

    /// What was written down so far, as an action named `login`.
    #[must_use]
    pub fn progress(&self) -> ActionProgress {
        ActionProgress {
            action: "login",
            counts: Counts { done: self.ready, failed: self.failed, ..Counts::default() },
            response: self.total.buckets(),
            send_lag: self.send_lag.buckets(),
            ..ActionProgress::default()
        }
    }

    /// A user is ready.
    pub fn done(&mut self, times: &LoginTimes) {
        self.ready += 1;
        self.first = Some(self.first.map_or(times.intended, |first| first.min(times.intended)));
        self.last = self.last.max(times.ready);
        self.send_lag.record(times.began.since(times.intended));
        self.tcp.record(times.connected.since(times.began));
        self.sasl.record(times.authenticated.since(times.connected));
        self.bind.record(times.bound.since(times.authenticated));
        self.join.record(times.ready.since(times.bound));
        self.total.record(times.ready.since(times.intended));
    }

    /// Adds another reactor's logins.
    pub fn merge(&mut self, other: &Self) {
        self.asked += other.asked;
        self.ready += other.ready;
        self.failed += other.failed;
        self.first = [self.first, other.first].into_iter().flatten().min();
        self.last = self.last.max(other.last);
        for (own, theirs) in [
            (&mut self.tcp, &other.tcp),
            (&mut self.sasl, &other.sasl),
            (&mut self.bind, &other.bind),
            (&mut self.join, &other.join),
            (&mut self.total, &other.total),
            (&mut self.send_lag, &other.send_lag),
        ] {
            own.merge(theirs);
        }
    }

    /// How late logins were begun.
    pub(super) const fn send_lag(&self) -> &Recorder {
        &self.send_lag
    }

    fn series(&self) -> [(&'static str, &Recorder); 6] {
        [
            ("tcp", &self.tcp),
            ("sasl", &self.sasl),
            ("bind", &self.bind),
            ("ready", &self.join),
            ("total", &self.total),
            ("send_lag", &self.send_lag),
        ]
    }

    pub(super) fn latency(&self, name: &str) -> Option<(&Recorder, Vec<&Recorder>)> {
        let found = self.series().into_iter().find(|(n, _)| *n == name)?.1;
        // Only the total is counted from the intended start.
        Some((found, if name == "total" { vec![&self.send_lag] } else { vec![] }))
    }

    /// The numbers of it.
    #[must_use]
    pub(super) fn summary(&self) -> LoginSummary {
        let spans = self.series().into_iter().filter_map(|(name, recorder)| {
            let (_, lags) = self.latency(name)?;
            Some((name.to_owned(), recorder.distribution(&lags)))
        });
        LoginSummary {
            asked: self.asked,
            ready: self.ready,
            failed: self.failed,
            elapsed_ns: self.first.map_or(0, |first| self.last.since(first)),
            spans: spans.collect(),
        }
    }
}
