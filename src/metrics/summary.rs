//! What is left of a run: plain data, ready to be rendered or written as `result.json`.
//!
//! Nothing is measured here and no file is written. Times are nanoseconds, rates are per second.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Failure, HarnessHealth, IdsArrive, Invalid, LoginRecord, PhaseHealth, PhaseRecord, ReconnectSummary, Slo,
    SloResult, SloState, Verdict, judge,
};
use crate::time::Nanos;

/// Percentiles that are printed, in order.
pub(super) const QUANTILES: [(&str, f64); 5] =
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)];

/// A duration with three significant digits: `850ns`, `12.3ms`, `1.5s`.
#[must_use]
pub fn format_ns(ns: u64) -> String {
    let (value, unit) = match ns {
        0..1_000 => return format!("{ns}ns"),
        1_000..999_500 => (ns as f64 / 1e3, "µs"),
        999_500..999_500_000 => (ns as f64 / 1e6, "ms"),
        _ => (ns as f64 / 1e9, "s"),
    };
    let digits = if value < 9.995 { 2 } else { usize::from(value < 99.95) };
    let number = format!("{value:.digits$}");
    let number =
        if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { &number };
    format!("{number}{unit}")
}

/// One quantile of a [`Distribution`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Percentile {
    /// `p50`, `p90`, `p99`, `p99.9` or `max`.
    pub name: Cow<'static, str>,
    /// 0.5 for `p50`; 1 for `max`.
    pub quantile: f64,
    /// The value; `None` when there are too few samples to tell.
    pub ns: Option<u64>,
    /// The true value may be higher: the quantile reaches into samples that timed out or overflowed (`≥`).
    pub at_least: bool,
    /// The harness itself was a notable part of the value (see [`super::health`]).
    pub harness_bound: bool,
}

/// A merged histogram, summed up.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// Samples, timed-out and overflowed ones included.
    pub count: u64,
    /// Samples above 60 s: in the count, beyond the histogram.
    pub overflow: u64,
    /// Samples recorded at the drain's end because nothing came until then.
    pub timed_out: u64,
    /// Smallest sample.
    pub min_ns: u64,
    /// Mean of what is inside the histogram.
    pub mean_ns: u64,
    /// p50, p90, p99, p99.9, max.
    pub percentiles: Vec<Percentile>,
    /// The histogram: HdrHistogram V2 with deflate, base64.
    pub hdr: String,
}

impl Distribution {
    /// The percentile of that name.
    #[must_use]
    pub fn percentile(&self, name: &str) -> Option<&Percentile> {
        self.percentiles.iter().find(|p| p.name == name)
    }
}

/// Operations and deliveries of one action in one phase.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Operations whose intended start lay in the phase and was reached.
    pub intended: u64,
    /// Operations whose last byte the kernel took.
    pub sent: u64,
    /// Of these, before the phase (plus a hundredth of it) was over.
    pub sent_in_time: u64,
    /// Operations that were answered, delivered, or reached all their required recipients.
    pub done: u64,
    /// Operations answered with an error; not in `done`.
    pub failed: u64,
    /// Operations that had no end when the drain was over.
    pub timed_out: u64,
    /// Operations that could not start: no user was ready to carry them out.
    pub unsent: u64,
    /// Messages that were sent and never arrived.
    pub lost: u64,
    /// Deliveries seen again.
    pub duplicated: u64,
    /// Deliveries behind a newer one of the same pair (RFC 4737 §3.3), late ones left out.
    pub reordered: u64,
    /// First deliveries after their phase's drain; neither lost nor missing, and timed out all the same.
    pub late: u64,
    /// Deliveries to somebody who must not get them.
    pub unexpected: u64,
    /// Presence: deliveries to required recipients that were due: delivered, late, missing, or of a change never sent.
    pub required: u64,
    /// Presence: required recipients that the change reached.
    pub delivered: u64,
    /// Presence: required recipients that the change did not reach, of changes that were sent.
    pub missing: u64,
    /// Deliveries that were neither required nor forbidden: presence, and messages that are `unsure`.
    pub optional: u64,
    /// Operations whose sender's or recipient's connection the harness broke while they were under way: nobody promises
    /// that they arrive, for the core of XMPP acknowledges nothing. In no other count of ends.
    #[serde(default)]
    pub unsure: u64,
}

impl Counts {
    /// The count of that name; 0 for a name that is none.
    #[must_use]
    pub fn get(&self, name: &str) -> u64 {
        match name {
            "intended" => self.intended,
            "sent" => self.sent,
            "sent_in_time" => self.sent_in_time,
            "done" => self.done,
            "failed" => self.failed,
            "timed_out" => self.timed_out,
            "unsent" => self.unsent,
            "lost" => self.lost,
            "duplicated" => self.duplicated,
            "reordered" => self.reordered,
            "late" => self.late,
            "unexpected" => self.unexpected,
            "required" => self.required,
            "delivered" => self.delivered,
            "missing" => self.missing,
            "optional" => self.optional,
            "unsure" => self.unsure,
            _ => 0,
        }
    }

    /// Adds each count of `other`.
    pub fn add(&mut self, other: &Self) {
        self.intended += other.intended;
        self.sent += other.sent;
        self.sent_in_time += other.sent_in_time;
        self.done += other.done;
        self.failed += other.failed;
        self.timed_out += other.timed_out;
        self.unsent += other.unsent;
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.reordered += other.reordered;
        self.late += other.late;
        self.unexpected += other.unexpected;
        self.required += other.required;
        self.delivered += other.delivered;
        self.missing += other.missing;
        self.optional += other.optional;
        self.unsure += other.unsure;
    }
}

/// One second of one action.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Second {
    /// Seconds since the phase began.
    pub at: u32,
    /// Intended starts in this second.
    pub intended: u64,
    /// Operations that ended in this second.
    pub done: u64,
    /// Median response of those, if any.
    pub p50_ns: Option<u64>,
    /// p99 of those, if there were enough.
    pub p99_ns: Option<u64>,
    /// Slowest of those, if any.
    pub max_ns: Option<u64>,
}

/// One action of one phase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActionSummary {
    /// `chat`, `presence`, `ping`, `roster_get`.
    pub action: String,
    /// `open`: operations start on schedule whether or not earlier ones have ended.
    pub model: Cow<'static, str>,
    /// Rate asked for, per second; of a ramp, its mean over the phase.
    pub rate_intended: f64,
    /// `sent_in_time` per second of the phase.
    pub rate_achieved: f64,
    /// `sent_in_time` / `intended`; 1 when nothing was intended.
    pub achieved_ratio: f64,
    /// Counts.
    pub counts: Counts,
    /// By name: `response` (chat, ping, roster_get) or `fanout_first`, `fanout_each`, `fanout_complete` (presence), then
    /// `service`, `send_lag`, `receive_lag`.
    pub latencies: BTreeMap<String, Distribution>,
    /// By second of the phase and its drain.
    pub seconds: Vec<Second>,
}

impl ActionSummary {
    /// Name of the distribution that stands for the action.
    #[must_use]
    pub fn headline_name(&self) -> &'static str {
        if self.latencies.contains_key("fanout_complete") { "fanout_complete" } else { "response" }
    }

    /// The distribution that stands for the action.
    #[must_use]
    pub fn headline(&self) -> Option<&Distribution> {
        self.latencies.get(self.headline_name())
    }
}

/// One phase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PhaseSummary {
    /// Its name.
    pub name: String,
    /// Whether it is judged.
    pub measured: bool,
    /// From its start to its end as planned.
    pub planned_ns: u64,
    /// From its start to its end, drain not included.
    pub elapsed_ns: u64,
    /// The drain behind it.
    pub drain_ns: u64,
    /// Whether it ran to its end.
    pub complete: bool,
    /// Its actions; empty for a login phase.
    pub actions: Vec<ActionSummary>,
    /// Connections that it broke; null when it breaks none.
    #[serde(default)]
    pub reconnect: Option<ReconnectSummary>,
    /// Connections of ready users that ended though the phase did not break them: SLO `connections.lost`.
    #[serde(default)]
    pub lost_connections: u64,
}

/// How the users logged in.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LoginSummary {
    /// Users asked for.
    pub asked: u64,
    /// Users that became ready.
    pub ready: u64,
    /// Logins that failed.
    pub failed: u64,
    /// From the first intended login to the last user ready.
    pub elapsed_ns: u64,
    /// `tcp`, `sasl`, `bind`, `ready`, and `total` from the intended start; `send_lag` as everywhere. A `tls` span is
    /// absent: every transport is plain today.
    pub spans: BTreeMap<String, Distribution>,
}

/// Connections that ended in the same way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloseCount {
    /// `closed`, `stream error: conflict`, `end of file`, …
    pub reason: String,
    /// Who broke it: `peer`, `us`, `network`.
    pub blame: String,
    /// How many.
    pub count: u64,
}

/// Errors of the same text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorCount {
    /// What happened.
    pub what: String,
    /// The first one in full: who it was, or the stanza.
    pub example: String,
    /// Nanoseconds from the run's start to the first.
    pub first_at_ns: u64,
    /// How many.
    pub count: u64,
}

/// The numbers of one run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Scenario's name.
    pub scenario: String,
    /// Seed that was used.
    pub seed: u64,
    /// Prefix of the stanza ids.
    pub run: String,
    /// From the first deadline to the last logout.
    pub elapsed_ns: u64,
    /// Logins.
    pub login: LoginSummary,
    /// Phases that were begun, in order.
    pub phases: Vec<PhaseSummary>,
    /// How connections ended.
    pub closes: Vec<CloseCount>,
    /// Errors, the first one first.
    pub errors: Vec<ErrorCount>,
    /// What came from the server unasked or is not counted elsewhere, by kind.
    pub other: BTreeMap<String, u64>,
    /// Name and version of the server's software, if it told (XEP-0092).
    pub software: Option<String>,
    /// What becomes of ids on their way through the target.
    #[serde(default)]
    pub ids: IdsArrive,
    /// SLOs in the scenario's order.
    pub slos: Vec<SloResult>,
    /// Why the measurement is invalid; empty when it is sound.
    pub invalid: Vec<Invalid>,
    /// Why the run could not be carried out.
    pub failure: Option<Failure>,
    /// Whether the operator ended it.
    pub interrupted: bool,
    /// The harness itself over the whole run, once the driver has told.
    pub harness: Option<HarnessHealth>,
    /// The harness itself in each measured phase. Absent from results of versions that did not look by phase.
    #[serde(default)]
    pub harness_phases: Vec<PhaseHealth>,
}

/// Everything that a run wrote down, to be summed up once it is over.
#[derive(Debug)]
pub struct Records {
    /// Scenario's name.
    pub scenario: String,
    /// Seed that was used.
    pub seed: u64,
    /// Prefix of the stanza ids.
    pub run: String,
    /// When the run began.
    pub begin: Nanos,
    /// When it was over.
    pub end: Nanos,
    /// Logins.
    pub login: LoginRecord,
    /// Phases that were begun.
    pub phases: Vec<PhaseRecord>,
    /// How connections ended.
    pub closes: Vec<CloseCount>,
    /// Errors, the first one first.
    pub errors: Vec<ErrorCount>,
    /// What came unasked, by kind.
    pub other: BTreeMap<String, u64>,
    /// Name and version of the server's software, if it told.
    pub software: Option<String>,
    /// What becomes of ids on their way through the target.
    pub ids: IdsArrive,
    /// Limits of the harness that were met on the way.
    pub invalid: Vec<Invalid>,
    /// Why the run could not be carried out.
    pub failure: Option<Failure>,
    /// Whether the operator ended it.
    pub interrupted: bool,
    /// Whether every phase of the scenario ran to its end.
    pub complete: bool,
}

impl Records {
    /// Sums up and judges.
    #[must_use]
    pub fn into_summary(mut self, slos: &[Slo]) -> Summary {
        // What was not carried out is not judged: what ended it says enough.
        let judged = self.complete && self.failure.is_none() && !self.interrupted;
        let slos = if judged { judge::slos(slos, &self.phases, &self.login) } else { Vec::new() };
        if judged {
            self.invalid.extend(judge::invalid(&self.phases, &slos));
        } else if self.failure.is_none() && !self.interrupted && self.invalid.is_empty() {
            // Nothing that is known of ended it, so nothing that is known of speaks for it.
            let what = "not every phase ran to its end".to_owned();
            self.invalid.push(Invalid { limit: "incomplete".to_owned(), what });
        }
        let end = self.end;
        Summary {
            scenario: self.scenario,
            seed: self.seed,
            run: self.run,
            elapsed_ns: end.since(self.begin),
            login: self.login.summary(),
            phases: self.phases.iter_mut().map(|p| p.summary(end)).collect(),
            closes: self.closes,
            errors: self.errors,
            other: self.other,
            software: self.software,
            ids: self.ids,
            slos,
            invalid: self.invalid,
            failure: self.failure,
            interrupted: self.interrupted,
            harness: None,
            harness_phases: Vec::new(),
        }
    }
}

impl Summary {
    /// The one answer: interrupted, else failed, else invalid, else broken, else passed. Invalid is never a pass.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match &self.failure {
            _ if self.interrupted => Verdict::Interrupted,
            Some(Failure::LoginRefused(_)) => Verdict::LoginRefused,
            Some(Failure::TargetUnreachable(_)) => Verdict::TargetUnreachable,
            None if !self.invalid.is_empty() => Verdict::Invalid,
            None if self.slos.iter().any(|s| s.state != SloState::Passed) => Verdict::SloBroken,
            None => Verdict::Passed,
        }
    }

    /// Takes the driver's word on the harness itself, over the whole run and by phase; adds to [`Summary::invalid`] what
    /// was the limit in a phase whose numbers are judged: a measured one with operations, and the login phase if an SLO
    /// is about logins. Where the machine's host took too much, latencies that broke their SLO are invalid instead.
    pub fn set_harness_health(&mut self, whole: HarnessHealth, phases: Vec<PhaseHealth>) {
        self.harness = Some(whole);
        let logins = self.slos.iter().any(|slo| slo.metric.starts_with("login."));
        let is_judged = |health: &&PhaseHealth| {
            let phase = self.phases.iter().find(|phase| phase.name == health.phase);
            phase.is_some_and(|phase| phase.measured && (logins || !phase.actions.is_empty()))
        };
        for health in phases.iter().filter(is_judged) {
            self.invalid.extend(judge::busy(health));
            self.invalid.extend(judge::stolen(health, &mut self.slos));
        }
        self.harness_phases = phases;
    }
}
