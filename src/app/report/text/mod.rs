//! The final summary: the verdict first, the command to repeat it last, never more than 40 lines.
//!
//! What does not fit stands in `result.json`, and the text says so.

use std::path::Path;

use super::numbers::{bytes, columns, count, duration, percent, rate};
use crate::app::result::ResultFile;
use crate::app::terminal::{Colour, Terminal};
use crate::metrics::{ActionSummary, Distribution, Failure, SloResult, SloState, Verdict};

/// Rows of each table. Their sum and the fixed lines stay below 40.
const ACTIONS_MAX: usize = 7;
const SLOS_MAX: usize = 5;
const INVALID_MAX: usize = 2;
const ERRORS_MAX: usize = 2;
/// The spans of a login, in their order.
const SPANS: [&str; 6] = ["tcp", "tls", "sasl", "bind", "ready", "total"];
/// Columns of the latency tables.
const PERCENTILES: [&str; 5] = ["p50", "p90", "p99", "p99.9", "max"];

/// Renders `result`, which stands in `folder`.
#[must_use]
pub(super) fn render(result: &ResultFile, folder: &Path, terminal: Terminal) -> String {
    let mut lines = vec![verdict(result, terminal), String::new()];
    lines.extend(subject(result));
    lines.push(String::new());
    lines.extend(latencies(result));
    lines.push(String::new());
    let mut facts = Vec::new();
    facts.extend(slos(result, terminal));
    facts.extend(delivery(result));
    facts.extend(health(result));
    facts.extend(cost(result));
    facts.extend(errors(result));
    facts.push(fact("files", folder.display().to_string()));
    facts.push(fact("repeat", result.command.clone()));
    lines.extend(facts.iter().map(|(name, text)| format!("{name:<9} {text}").trim_end().to_owned()));
    lines.join("\n")
}

fn fact(name: &str, text: impl Into<String>) -> (String, String) {
    (name.to_owned(), text.into())
}

/// `PASSED  smoke: 4 of 4 SLOs met`
fn verdict(result: &ResultFile, terminal: Terminal) -> String {
    let summary = &result.summary;
    let (colour, word) = match result.verdict {
        Verdict::Passed => (Colour::Green, "PASSED"),
        Verdict::SloBroken => (Colour::Red, "SLO BROKEN"),
        Verdict::Invalid => (Colour::Yellow, "INVALID"),
        Verdict::LoginRefused => (Colour::Red, "LOGIN REFUSED"),
        Verdict::TargetUnreachable => (Colour::Red, "TARGET UNREACHABLE"),
        Verdict::Interrupted => (Colour::Yellow, "INTERRUPTED"),
    };
    let why = match result.verdict {
        Verdict::Passed if summary.slos.is_empty() => "it asks for nothing (no SLO)".to_owned(),
        Verdict::Passed => format!("{0} of {0} SLOs met", summary.slos.len()),
        Verdict::SloBroken => broken(&summary.slos),
        Verdict::Invalid => summary.invalid.first().map_or_else(
            || "an SLO could not be judged".to_owned(),
            |invalid| format!("the measurement cannot be trusted: {}", invalid.what),
        ),
        Verdict::LoginRefused | Verdict::TargetUnreachable => match &summary.failure {
            Some(Failure::LoginRefused(what) | Failure::TargetUnreachable(what)) => what.clone(),
            None => String::new(),
        },
        Verdict::Interrupted => {
            let complete = summary.phases.iter().filter(|phase| phase.complete).count();
            format!("a partial result, {complete} phases complete")
        }
    };
    format!("{}  {}: {why}", terminal.paint_out(colour, word), result.scenario.name)
}

fn broken(slos: &[SloResult]) -> String {
    let mut broken = slos.iter().filter(|slo| slo.state == SloState::Broken);
    let Some(first) = broken.next() else { return String::new() };
    let more = match broken.count() {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    format!("{} is {}, asked for {}{more}", slo_name(first), first.measured, first.bound)
}

fn slo_name(slo: &SloResult) -> String {
    match &slo.phase {
        Some(phase) => format!("{phase} {}", slo.metric),
        None => slo.metric.clone(),
    }
}

/// What was run, against what, where, by what.
fn subject(result: &ResultFile) -> [String; 4] {
    let ResultFile { scenario, target, environment, program, summary, .. } = result;
    let software = target.software.as_deref().unwrap_or("software unknown");
    let pinned = match (cores(&target.cores), cores(&result.harness.cores)) {
        (Some(router), Some(harness)) => format!("; router pinned to {router}, harness to {harness}"),
        _ if result.is_embedded() => "; nothing pinned".to_owned(),
        _ => String::new(),
    };
    let debug =
        if program.profile == "release" { "" } else { ", debug build: its figures are worth nothing" };
    [
        format!(
            "scenario  {}, seed {}, sha256 {:.12}, {} users, {}, begun {}",
            scenario.file,
            scenario.seed,
            scenario.sha256,
            count(summary.login.asked),
            duration(summary.elapsed_ns),
            result.started_at
        ),
        format!("target    {} ({}), domain {}, {software}", target.url, target.address, target.domain),
        format!(
            "machine   {}, {} of {} cores, {}{pinned}",
            environment.cpu, environment.cores_allowed, environment.cores, environment.kernel
        ),
        format!("program   {} {} ({}){debug}", program.name, program.version, program.commit),
    ]
}

fn cores(list: &[usize]) -> Option<String> {
    let names: Vec<String> = list.iter().map(ToString::to_string).collect();
    match names.len() {
        0 => None,
        1 => Some(format!("core {}", names[0])),
        _ => Some(format!("cores {}", names.join(","))),
    }
}

/// One table: an action of a phase or a span of the login in each row.
fn latencies(result: &ResultFile) -> Vec<String> {
    let summary = &result.summary;
    let mut head: Vec<String> = ["phase", "", "count", "asked/s", "sent/s"].map(str::to_owned).to_vec();
    head.extend(PERCENTILES.map(str::to_owned));
    head.push("failed".to_owned());
    let mut rows = vec![head];
    for span in SPANS {
        if let Some(distribution) = summary.login.spans.get(span) {
            let mut row = vec!["login".to_owned(), span.to_owned(), count(distribution.count)];
            row.extend([String::new(), String::new()]);
            row.extend(percentiles(distribution));
            row.push(if span == "total" { count(summary.login.failed) } else { String::new() });
            rows.push(row);
        }
    }
    let mut actions: Vec<_> = summary
        .phases
        .iter()
        .flat_map(|phase| phase.actions.iter().map(move |action| (phase, action)))
        .collect();
    let all = actions.len();
    if all > ACTIONS_MAX {
        // What is judged is shown before what is not.
        actions.sort_by_key(|(phase, _)| !phase.measured);
        actions.truncate(ACTIONS_MAX);
    }
    for (phase, action) in &actions {
        let name = if phase.measured { phase.name.clone() } else { format!("({})", phase.name) };
        rows.push(action_row(name, action));
    }
    let mut lines = columns(&rows, 2);
    if all > actions.len() {
        lines.push(format!("… and {} more in result.json", all - actions.len()));
    }
    lines.extend(legend(&lines));
    lines
}

/// What the marks and the parentheses in `lines` mean, if there are any.
fn legend(lines: &[String]) -> Option<String> {
    let has = |mark: &str| lines.iter().any(|line| line.contains(mark));
    let meanings = [
        ("(", "(phase): not judged"),
        ("≥", "≥: reaches into operations that timed out"),
        ("*", "*: the harness's own delay is a notable part of it"),
    ];
    let used: Vec<&str> =
        meanings.iter().filter(|(mark, _)| has(mark)).map(|(_, meaning)| *meaning).collect();
    if used.is_empty() { None } else { Some(used.join("; ")) }
}

fn action_row(phase: String, action: &ActionSummary) -> Vec<String> {
    let counts = &action.counts;
    let mut row = vec![
        phase,
        format!("{} {}", action.action, action.headline_name()),
        count(counts.intended),
        rate(action.rate_intended),
        rate(action.rate_achieved),
    ];
    match action.headline() {
        Some(distribution) => row.extend(percentiles(distribution)),
        None => row.extend(PERCENTILES.map(|_| "-".to_owned())),
    }
    row.push(count(counts.failed + counts.timed_out + counts.unsent));
    row
}

fn percentiles(distribution: &Distribution) -> [String; 5] {
    PERCENTILES.map(|name| match distribution.percentile(name) {
        None => "-".to_owned(),
        Some(percentile) => percentile.ns.map_or_else(
            || "-".to_owned(),
            |ns| {
                let more = if percentile.at_least { "≥" } else { "" };
                let bound = if percentile.harness_bound { "*" } else { "" };
                format!("{more}{}{bound}", duration(ns))
            },
        ),
    })
}

/// Broken ones first: they are what the reader looks for.
fn slos(result: &ResultFile, terminal: Terminal) -> Vec<(String, String)> {
    let mut slos: Vec<&SloResult> = result.summary.slos.iter().collect();
    slos.sort_by_key(|slo| match slo.state {
        SloState::Broken => 0,
        SloState::Invalid => 1,
        SloState::Passed => 2,
    });
    let mut facts: Vec<_> = slos
        .iter()
        .take(SLOS_MAX)
        .map(|slo| {
            let word = match slo.state {
                SloState::Passed => terminal.paint_out(Colour::Green, "met    "),
                SloState::Broken => terminal.paint_out(Colour::Red, "broken "),
                SloState::Invalid => terminal.paint_out(Colour::Yellow, "invalid"),
            };
            let why = if slo.why.is_empty() { String::new() } else { format!(" ({})", slo.why) };
            fact("slo", format!("{word}  {}: {}, {}{why}", slo_name(slo), slo.measured, slo.bound))
        })
        .collect();
    if slos.len() > SLOS_MAX {
        facts.push(fact("", format!("… and {} more in result.json", slos.len() - SLOS_MAX)));
    }
    facts.extend(
        result.summary.invalid.iter().take(INVALID_MAX).map(|invalid| fact("invalid", invalid.what.clone())),
    );
    facts
}

/// Everything that did not arrive as it should, over all phases.
fn delivery(result: &ResultFile) -> Option<(String, String)> {
    let actions = || result.summary.phases.iter().flat_map(|phase| &phase.actions);
    actions().next()?;
    let sum = |field: fn(&ActionSummary) -> u64| actions().map(field).sum::<u64>();
    let mut text = format!(
        "{} lost, {} duplicated, {} reordered, {} late, {} unexpected",
        count(sum(|a| a.counts.lost)),
        count(sum(|a| a.counts.duplicated)),
        count(sum(|a| a.counts.reordered)),
        count(sum(|a| a.counts.late)),
        count(sum(|a| a.counts.unexpected))
    );
    let required = sum(|a| a.counts.required);
    if required > 0 {
        let missing = sum(|a| a.counts.missing);
        text.push_str(&format!("; presence: {} of {} missing", count(missing), count(required)));
    }
    Some(fact("delivery", text))
}

fn health(result: &ResultFile) -> Option<(String, String)> {
    let health = result.summary.harness?;
    let lag = |name: &str| {
        let phases = result.summary.phases.iter().filter(|phase| phase.measured);
        let lags = phases.flat_map(|phase| &phase.actions).filter_map(|action| action.latencies.get(name));
        let worst = lags.filter_map(|lag| lag.percentile("p99")?.ns).max();
        worst.map_or_else(|| "-".to_owned(), duration)
    };
    Some(fact(
        "harness",
        format!(
            "busy {}, cpu {}, stolen {}, send lag p99 {}, receive lag p99 {}, memory {}",
            percent(health.busy_ratio),
            percent(health.cpu_ratio),
            percent(result.harness.stolen_ratio),
            lag("send_lag"),
            lag("receive_lag"),
            bytes(result.harness.rss_peak_bytes)
        ),
    ))
}

fn cost(result: &ResultFile) -> Option<(String, String)> {
    let peak = result.target.rss_peak_bytes?;
    let mut parts: Vec<String> = result
        .target
        .cost
        .iter()
        .take(2)
        .map(|cost| {
            let ratio = cost.cpu_ns as f64 / cost.elapsed_ns.max(1) as f64;
            format!("{}: {} CPU ({} of a core)", cost.phase, duration(cost.cpu_ns), percent(ratio))
        })
        .collect();
    parts.push(format!("peak memory {}", bytes(peak)));
    Some(fact("router", parts.join(", ")))
}

fn errors(result: &ResultFile) -> Vec<(String, String)> {
    let errors = &result.summary.errors;
    let one_line = |text: &str, characters: usize| {
        text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(characters).collect::<String>()
    };
    let mut facts: Vec<_> = errors
        .iter()
        .take(ERRORS_MAX)
        .map(|error| {
            let (what, example) = (one_line(&error.what, 60), one_line(&error.example, 70));
            let first = if example.is_empty() { String::new() } else { format!("; first: {example}") };
            fact("error", format!("{} × {what}{first}", count(error.count)))
        })
        .collect();
    if errors.len() > ERRORS_MAX {
        facts.push(fact("", format!("… and {} more kinds in result.json", errors.len() - ERRORS_MAX)));
    }
    facts
}

#[cfg(test)]
mod tests;
