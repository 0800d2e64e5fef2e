//! SLOs and the soundness of a measurement: numbers in, verdicts out.
//!
//! Thresholds stand in [`super::health`]; what is valid to ask stands in [`super::slo`].

use std::borrow::Cow;

use super::health::{self, ACHIEVED_RATIO_MIN, BUSY_RATIO_MAX};
use super::slo::{Bound, Metric, Parts, Slo, Unit};
use super::verdict::{Invalid, PhaseHealth, SloResult, SloState};
use super::{ActionRecord, LoginRecord, PhaseRecord, ReconnectRecord, Recorder, format_ns};

/// Judges every SLO, in order. A run that lost users by the way was another run than the scenario's: unless an SLO says how
/// many it may lose, none is one that every scenario has, shown when it is broken.
pub(super) fn slos(slos: &[Slo], phases: &[PhaseRecord], login: &LoginRecord) -> Vec<SloResult> {
    let metric = Metric::lost_connections();
    let unsaid = !slos.iter().any(|slo| slo.metric == metric);
    let lost: u64 = phases.iter().map(|phase| phase.lost_connections).sum();
    let mut results = judge(slos, phases, login);
    if unsaid && lost > 0 {
        results.push(SloResult {
            phase: None,
            metric: metric.name().to_owned(),
            bound: Bound::Max(0.0).to_string(),
            measured: lost.to_string(),
            state: SloState::Broken,
            why: String::new(),
        });
    }
    results
}

fn judge(slos: &[Slo], phases: &[PhaseRecord], login: &LoginRecord) -> Vec<SloResult> {
    let judged = |slo: &Slo| {
        let measured = measure(slo, phases, login);
        let (state, why) = match &measured {
            Measured::Doubtful { why, .. } => (SloState::Invalid, why.clone()),
            Measured::Nanos { ns, at_least } => (is_met(slo.bound, *ns as f64, *at_least), String::new()),
            Measured::Number(number) => (is_met(slo.bound, *number, false), String::new()),
        };
        SloResult {
            phase: slo.phase.clone(),
            metric: slo.metric.name().to_owned(),
            bound: slo.bound.to_string(),
            measured: measured.to_text(),
            state,
            why,
        }
    };
    slos.iter().map(judged).collect()
}

/// Why the run says less than it seems to; `slos` are the results of [`slos`].
pub(super) fn invalid(phases: &[PhaseRecord], slos: &[SloResult]) -> Vec<Invalid> {
    let mut invalid = Vec::new();
    for phase in phases.iter().filter(|p| p.measured) {
        for action in &phase.actions {
            let ratio = action.achieved_ratio();
            if ratio < ACHIEVED_RATIO_MIN {
                let (sent, intended) = (action.counts.sent_in_time, action.counts.intended);
                let what = format!(
                    "phase {}: {} was sent in time {sent} times of {intended} ({:.1} %, at least {:.0} % is needed)",
                    phase.name,
                    action.name(),
                    ratio * 100.0,
                    ACHIEVED_RATIO_MIN * 100.0
                );
                invalid.push(Invalid { limit: "achieved_ratio".to_owned(), what });
            }
        }
    }
    for slo in slos.iter().filter(|s| s.state == SloState::Invalid) {
        let what = format!("{}{}: {}", phase_prefix(slo.phase.as_deref()), slo.metric, slo.why);
        invalid.push(Invalid { limit: "slo".to_owned(), what });
    }
    invalid
}

/// Why the harness was the limit in a phase; nothing of a phase too short to tell.
pub(super) fn busy(health: &PhaseHealth) -> Option<Invalid> {
    if health.elapsed_ns < health::PHASE_JUDGED_NS_MIN || health.busy_ratio <= BUSY_RATIO_MAX {
        return None;
    }
    let what = format!(
        "phase {}: a reactor of the harness was busy {:.0} % of the time, {:.0} % at most can be punctual",
        health.phase,
        health.busy_ratio * 100.0,
        BUSY_RATIO_MAX * 100.0
    );
    Some(Invalid { limit: "busy".to_owned(), what })
}

/// Takes back which latencies broke their SLO in a phase in which the machine's host gave too much time to others: it may
/// have been the host alone. What was met was met in spite of it, since time that is stolen only makes latencies longer.
pub(super) fn stolen(health: &PhaseHealth, slos: &mut [SloResult]) -> Vec<Invalid> {
    if health.elapsed_ns < health::PHASE_JUDGED_NS_MIN
        || !health::is_stolen(health.stolen_ratio, health.stolen_ns)
    {
        return Vec::new();
    }
    let is_hit = |slo: &&mut SloResult| {
        let is_latency = Metric::parse(&slo.metric).is_ok_and(|metric| metric.unit() == Unit::Duration);
        let is_here = slo.phase.as_ref().is_none_or(|phase| *phase == health.phase);
        slo.state == SloState::Broken && is_latency && is_here
    };
    let take_back = |slo: &mut SloResult| {
        slo.state = SloState::Invalid;
        slo.why = format!(
            "the host of this machine gave {:.1} % of its CPU time to others (steal), {:.0} % at most",
            health.stolen_ratio * 100.0,
            health::STOLEN_RATIO_MAX * 100.0
        );
        let what = format!("phase {}: {} is {}: {}", health.phase, slo.metric, slo.measured, slo.why);
        Invalid { limit: "steal".to_owned(), what }
    };
    slos.iter_mut().filter(is_hit).map(take_back).collect()
}

fn phase_prefix(phase: Option<&str>) -> String {
    phase.map(|p| format!("phase {p}: ")).unwrap_or_default()
}

/// Met, or broken. A lower bound of what was measured does not show that a maximum was met: what timed out is the
/// target's to answer for.
fn is_met(bound: Bound, measured: f64, at_least: bool) -> SloState {
    let met = match bound {
        Bound::MaxNs(max) => measured <= max as f64 && !at_least,
        Bound::Max(max) => measured <= max,
        Bound::Min(min) => measured >= min,
    };
    if met { SloState::Passed } else { SloState::Broken }
}

enum Measured {
    Nanos {
        ns: u64,
        at_least: bool,
    },
    Number(f64),
    /// Neither good nor bad.
    Doubtful {
        ns: Option<u64>,
        why: String,
    },
}

impl Measured {
    fn to_text(&self) -> String {
        match self {
            Self::Nanos { ns, at_least } => format!("{}{}", if *at_least { "≥" } else { "" }, format_ns(*ns)),
            Self::Number(number) => format!("{}", (number * 1e4).round() / 1e4),
            Self::Doubtful { ns: Some(ns), .. } => format_ns(*ns),
            Self::Doubtful { ns: None, .. } => "-".to_owned(),
        }
    }
}

fn measure(slo: &Slo, phases: &[PhaseRecord], login: &LoginRecord) -> Measured {
    match slo.metric.parts() {
        Parts::AchievedRatio { action } => {
            let actions = actions(slo, phases, action);
            let worst = actions.iter().map(|a| a.achieved_ratio()).fold(f64::INFINITY, f64::min);
            match worst.is_finite() {
                true => Measured::Number(worst),
                false => nothing(&slo.metric),
            }
        }
        Parts::LostConnections => {
            Measured::Number(considered(slo, phases).map(|phase| phase.lost_connections).sum::<u64>() as f64)
        }
        Parts::Count { action: "reconnect", count } => {
            let records = reconnects(slo, phases);
            match records.is_empty() {
                true => nothing(&slo.metric),
                false => Measured::Number(records.iter().map(|(r, _)| r.count(count)).sum::<u64>() as f64),
            }
        }
        Parts::Back { share, .. } => back(&reconnects(slo, phases), share, &slo.metric),
        Parts::Latency { action: "reconnect", series, quantile, .. } => {
            let mut records = reconnects(slo, phases).into_iter().map(|(record, _)| record);
            let Some(mut sum) = records.next().cloned() else { return nothing(&slo.metric) };
            records.for_each(|record| sum.join(record.clone()));
            let (recorder, lags) = sum.latency(series).expect("a metric's series exist");
            latency(recorder, &lags, quantile, slo.bound)
        }
        Parts::Count { action, count } => match merged(&actions(slo, phases, Some(action))) {
            Some(record) => Measured::Number(record.counts.get(count) as f64),
            None => nothing(&slo.metric),
        },
        Parts::Latency { action: "login", series, quantile, .. } => {
            let (recorder, lags) = login.latency(series).expect("a metric's series exist");
            latency(recorder, &lags, quantile, slo.bound)
        }
        Parts::Latency { action, series, quantile, .. } => {
            let Some(record) = merged(&actions(slo, phases, Some(action))) else {
                return nothing(&slo.metric);
            };
            let (recorder, lags) = record.latency(series).expect("a metric's series exist");
            latency(recorder, &lags, quantile, slo.bound)
        }
    }
}

/// Breaks that an SLO is about, and how long each phase waited for who was broken.
fn reconnects<'r>(slo: &Slo, phases: &'r [PhaseRecord]) -> Vec<(&'r ReconnectRecord, u64)> {
    let waited = |p: &'r PhaseRecord| {
        let record = p.reconnect.as_ref()?;
        Some((record, p.drained.or(p.end).map_or(0, |end| end.since(record.at))))
    };
    considered(slo, phases).filter_map(waited).collect()
}

/// The slowest of several breaks. Who did not come back while the phase waited may have come at any time after it.
fn back(records: &[(&ReconnectRecord, u64)], share: f64, metric: &Metric) -> Measured {
    let until = |(record, waited): &(&ReconnectRecord, u64)| match record.until_back_ns(share) {
        Some(ns) => (ns, false),
        None => (*waited, true),
    };
    let broken = records.iter().filter(|(record, _)| record.broken > 0);
    match broken.map(until).max_by_key(|(ns, at_least)| (*at_least, *ns)) {
        Some((ns, at_least)) => Measured::Nanos { ns, at_least },
        None => nothing(metric),
    }
}

fn nothing(metric: &Metric) -> Measured {
    let what = metric.action().unwrap_or("any action");
    Measured::Doubtful { ns: None, why: format!("no measured phase got as far as {what}") }
}

fn latency(recorder: &Recorder, lags: &[&Recorder], quantile: f64, bound: Bound) -> Measured {
    let Some(value) = recorder.printable(quantile) else {
        let count = recorder.count();
        let needed = (1.0 / (1.0 - quantile)).round();
        let why = match count {
            0 => "no samples".to_owned(),
            _ => format!("{count} samples, {needed:.0} are needed"),
        };
        return Measured::Doubtful { ns: None, why };
    };
    let (ns, at_least) = (value.ns, value.at_least);
    if let (Some(lag), Bound::MaxNs(max)) = (recorder.binding_lag_ns(quantile, lags), bound)
        && health::lag_decides(ns, max)
    {
        let why = format!("harness-bound: {} of {} are the harness' own lag", format_ns(lag), format_ns(ns));
        return Measured::Doubtful { ns: Some(ns), why };
    }
    Measured::Nanos { ns, at_least }
}

/// The records that an SLO is about.
fn actions<'r>(slo: &Slo, phases: &'r [PhaseRecord], action: Option<&str>) -> Vec<&'r ActionRecord> {
    let of_phase = |p: &'r PhaseRecord| p.actions.iter();
    let wanted = |a: &&ActionRecord| action.is_none_or(|name| a.name() == name);
    considered(slo, phases).flat_map(of_phase).filter(wanted).collect()
}

/// The phases that an SLO is about.
fn considered<'r>(slo: &Slo, phases: &'r [PhaseRecord]) -> impl Iterator<Item = &'r PhaseRecord> {
    phases.iter().filter(move |p| match &slo.phase {
        Some(name) => p.name == *name,
        None => p.measured,
    })
}

fn merged<'r>(records: &[&'r ActionRecord]) -> Option<Cow<'r, ActionRecord>> {
    let (first, rest) = records.split_first()?;
    if rest.is_empty() {
        return Some(Cow::Borrowed(first));
    }
    let mut sum = ActionRecord::clone(first);
    rest.iter().for_each(|record| sum.merge(record));
    Some(Cow::Owned(sum))
}

#[cfg(test)]
mod tests;
