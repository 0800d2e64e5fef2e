//! The lines on what a run cost, and on the harness itself: target and harness apart.
//!
//! A rate per delivery is of a whole phase: where several actions share one, it is of their mix.

use super::fact;
use crate::app::report::numbers::{bytes, count, duration, percent, rate};
use crate::app::result::{PhaseCost, ResultFile};
use crate::metrics::PhaseHealth;

type Fact = (String, String);

/// The harness in the worst of its measured phases; over the whole run where phases were not looked at.
pub(super) fn health(result: &ResultFile) -> Option<Fact> {
    let whole = result.summary.harness?;
    let phases = &result.summary.harness_phases;
    let worst = |of: fn(&PhaseHealth) -> f64| phases.iter().map(of).reduce(f64::max);
    let lag = |name: &str| {
        let phases = result.summary.phases.iter().filter(|phase| phase.measured);
        let lags = phases.flat_map(|phase| &phase.actions).filter_map(|action| action.latencies.get(name));
        let worst = lags.filter_map(|lag| lag.percentile("p99")?.ns).max();
        worst.map_or_else(|| "-".to_owned(), duration)
    };
    let wait = worst(|h| h.wait_ratio).map_or_else(|| "-".to_owned(), percent);
    Some(fact(
        "harness",
        format!(
            "busy {}, CPU {}, waited for a core {wait}, steal {}, send lag p99 {}, receive lag p99 {}",
            percent(worst(|h| h.busy_ratio).unwrap_or(whole.busy_ratio)),
            percent(worst(|h| h.cpu_ratio).unwrap_or(whole.cpu_ratio)),
            percent(worst(|h| h.stolen_ratio).unwrap_or(result.harness.stolen_ratio)),
            lag("send_lag"),
            lag("receive_lag"),
        ),
    ))
}

/// What a login cost.
pub(super) fn logins(result: &ResultFile) -> Option<Fact> {
    let login = &result.summary.login;
    if login.ready == 0 || login.elapsed_ns == 0 {
        return None;
    }
    let per_second = login.ready as f64 * 1e9 / login.elapsed_ns as f64;
    let mut text =
        format!("{} in {}, {}/s", count(login.ready), duration(login.elapsed_ns), rate(per_second));
    let cpu = |costs: &[PhaseCost]| costs.iter().find_map(|cost| cost.cpu_ns_per_login).map(duration);
    text.push_str(&apart(result, "CPU each", cpu(&result.target.cost), cpu(&result.harness.cost)));
    let memory = |memory: &Option<_>| memory.as_ref().map(crate::app::result::LoginMemory::bytes_per_user);
    let (target, harness) = (memory(&result.target.login_memory), memory(&result.harness.login_memory));
    text.push_str(&apart(result, "memory each", target.map(bytes), harness.map(bytes)));
    Some(fact("logins", text))
}

/// Most memory.
pub(super) fn memory(result: &ResultFile) -> Option<Fact> {
    let harness = Some(result.harness.rss_peak_bytes).filter(|bytes| *bytes > 0);
    let text = apart(result, "at most", result.target.rss_peak_bytes.map(bytes), harness.map(bytes));
    (!text.is_empty()).then(|| fact("memory", text.trim_start_matches("; ")))
}

/// What each phase with operations cost.
pub(super) fn phases(result: &ResultFile) -> Vec<Fact> {
    let of = |phase: &str, costs: &[PhaseCost]| {
        let cost = costs.iter().find(|cost| cost.phase == phase)?;
        let cores = percent(cost.cpu_ns as f64 / cost.elapsed_ns.max(1) as f64);
        Some(format!("{} ({cores} of a core)", duration(cost.cpu_ns_per_delivery?)))
    };
    let phases = result.summary.phases.iter().filter(|phase| phase.measured && !phase.actions.is_empty());
    let line = |phase: &crate::metrics::PhaseSummary| {
        let (target, harness) = (of(&phase.name, &result.target.cost), of(&phase.name, &result.harness.cost));
        let text = apart(result, "CPU per delivery", target, harness);
        (!text.is_empty()).then(|| fact("cost", format!("{}{}", phase.name, text.replacen(';', ":", 1))))
    };
    phases.filter_map(line).collect()
}

/// `; CPU each: router 180 µs, harness 60.0 µs`
fn apart(result: &ResultFile, what: &str, target: Option<String>, harness: Option<String>) -> String {
    let name = result.target.process.as_deref().unwrap_or("router");
    let halves = [target.map(|text| format!("{name} {text}")), harness.map(|text| format!("harness {text}"))];
    let halves: Vec<String> = halves.into_iter().flatten().collect();
    if halves.is_empty() { String::new() } else { format!("; {what}: {}", halves.join(", ")) }
}
