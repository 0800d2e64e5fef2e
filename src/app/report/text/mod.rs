//! The final summary: the verdict first, the command to repeat it last, never more than 40 lines.
//!
//! What does not fit stands in `result.json`, and the text says so.

mod cost;

use std::path::Path;

use super::numbers::{bytes, columns, count, duration, rate};
use crate::app::result::{Attempt, ResultFile};
use crate::app::setup;
use crate::app::terminal::{Colour, Terminal};
use crate::metrics::{
    ActionSummary, Distribution, ErrorCount, Failure, IdsArrive, SloResult, SloState, Survival, Verdict,
};

const LINES_MAX: usize = 40;
/// Lines of actions, SLOs, costs, errors and limits that there is room for in any case: four measured phases with three
/// actions each are all shown.
const LINES_MIN: [usize; 5] = [12, 3, 1, 1, 1];
/// And that are worth reading when there is more room.
const LINES_WORTH: [usize; 5] = [20, 6, 4, 4, 3];
/// The spans of a login, in their order.
const SPANS: [&str; 6] = ["tcp", "tls", "sasl", "bind", "ready", "total"];
/// Columns of the latency tables.
const PERCENTILES: [&str; 5] = ["p50", "p90", "p99", "p99.9", "max"];

/// Renders `result`, which stands in `folder`.
#[must_use]
pub(super) fn render(result: &ResultFile, folder: &Path, terminal: Terminal) -> String {
    let actions = result.summary.phases.iter().map(|phase| phase.actions.len()).sum();
    let (slos, costs, errors) = (slos(result, terminal), cost::phases(result), errors(result));
    let invalid: Vec<_> =
        result.summary.invalid.iter().map(|invalid| fact("invalid", invalid.what.clone())).collect();
    let measured = [
        delivery(result),
        reconnect(result),
        cost::health(result),
        cost::logins(result),
        cost::memory(result),
    ];
    let set_up = setup::made(&result.summary.other).into_iter().map(|line| fact("set-up", line));
    let once: Vec<_> = set_up.chain(measured.into_iter().flatten()).collect();
    let last = [
        fact("files", format!("{}{}", folder.display(), attempt(result))),
        fact("repeat", result.command.clone()),
    ];
    let mut lines = vec![verdict(result, terminal), String::new()];
    lines.extend(subject(result));
    lines.extend(needed(result));
    lines.push(String::new());
    // An empty line behind the table.
    let taken = lines.len() + latencies(result, 0).len() + 1 + once.len() + last.len();
    let wanted = [actions, slos.len(), costs.len(), errors.len(), invalid.len()];
    let room = share(wanted, LINES_MAX.saturating_sub(taken));
    lines.extend(latencies(result, room[0]));
    lines.push(String::new());
    let facts = [
        capped(slos, room[1]),
        capped(invalid, room[4]),
        once,
        capped(costs, room[2]),
        capped(errors, room[3]),
    ];
    let facts = facts.into_iter().flatten().chain(last);
    lines.extend(facts.map(|(name, text)| format!("{name:<9} {text}").trim_end().to_owned()));
    lines.join("\n")
}

/// How many of `room` lines each kind gets.
fn share(wanted: [usize; 5], room: usize) -> [usize; 5] {
    let mut given = [0; 5];
    let mut left = room;
    for most in [LINES_MIN, LINES_WORTH] {
        for ((given, wanted), most) in given.iter_mut().zip(wanted).zip(most) {
            let more = wanted.min(most).saturating_sub(*given).min(left);
            *given += more;
            left -= more;
        }
    }
    given
}

/// The first ones of `facts`; the last of them says how many more there are.
fn capped(mut facts: Vec<(String, String)>, max: usize) -> Vec<(String, String)> {
    let more = facts.len().saturating_sub(max);
    facts.truncate(max);
    if let Some((_, text)) = facts.last_mut().filter(|_| more > 0) {
        text.push_str(&format!(" … and {} more in result.json", count(more as u64)));
    }
    facts
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
        format!(
            "target    {} ({}), domain {}, {software}{}",
            target.url,
            target.address,
            target.domain,
            marked(target.ids)
        ),
        format!(
            "machine   {}, {} of {} cores, {}{pinned}",
            environment.cpu, environment.cores_allowed, environment.cores, environment.kernel
        ),
        format!("program   {} {} ({}){debug}", program.name, program.version, program.commit),
    ]
}

/// The files that the scenario names, and whether the run can be repeated with them.
fn needed(result: &ResultFile) -> impl Iterator<Item = String> {
    let scenario = Path::new(&result.scenario.file);
    result.scenario.files.iter().map(move |file| {
        format!(
            "needs     {}, {}, sha256 {:.12}, {}",
            file.path,
            bytes(file.bytes),
            file.sha256,
            file.state(scenario)
        )
    })
}

fn cores(list: &[usize]) -> Option<String> {
    let names: Vec<String> = list.iter().map(ToString::to_string).collect();
    match names.len() {
        0 => None,
        1 => Some(format!("core {}", names[0])),
        _ => Some(format!("cores {}", names.join(","))),
    }
}

/// One table: a span of the login or an action of a phase in each row, at most `actions_max` of these.
fn latencies(result: &ResultFile, actions_max: usize) -> Vec<String> {
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
    if all > actions_max {
        // What is judged is shown before what is not.
        actions.sort_by_key(|(phase, _)| !phase.measured);
        actions.truncate(actions_max);
    }
    for (phase, action) in &actions {
        let name = if phase.measured { phase.name.clone() } else { format!("({})", phase.name) };
        rows.push(action_row(name, action));
    }
    let mut lines = columns(&rows, 2);
    let legend = legend(&lines);
    let more = (all > actions.len()).then(|| format!("… and {} more in result.json", all - actions.len()));
    let behind: Vec<String> = more.into_iter().chain(legend).collect();
    if !behind.is_empty() {
        lines.push(behind.join("; "));
    }
    lines
}

/// What the marks and the parentheses in `lines` mean, if there are any.
fn legend(lines: &[String]) -> Option<String> {
    let has = |mark: &str| lines.iter().any(|line| line.contains(mark));
    let meanings = [
        ("(", "(phase): not judged"),
        ("≥", "≥: reaches into operations that timed out or took over 60 s"),
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
    let line = |slo: &&SloResult| {
        let word = match slo.state {
            SloState::Passed => terminal.paint_out(Colour::Green, "met    "),
            SloState::Broken => terminal.paint_out(Colour::Red, "broken "),
            SloState::Invalid => terminal.paint_out(Colour::Yellow, "invalid"),
        };
        let why = if slo.why.is_empty() { String::new() } else { format!(" ({})", slo.why) };
        fact("slo", format!("{word}  {}: {}, {}{why}", slo_name(slo), slo.measured, slo.bound))
    };
    slos.iter().map(line).collect()
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
    let unsure = sum(|a| a.counts.unsure);
    if unsure > 0 {
        text.push_str(&format!(", {} unsure", count(unsure)));
    }
    let required = sum(|a| a.counts.required);
    if required > 0 {
        let missing = sum(|a| a.counts.missing);
        text.push_str(&format!("; presence: {} of {} missing", count(missing), count(required)));
    }
    Some(fact("delivery", text))
}

/// What became of the connections that the last break broke.
fn reconnect(result: &ResultFile) -> Option<(String, String)> {
    let broken = result.summary.phases.iter().rev().filter_map(|p| Some((p, p.reconnect.as_ref()?)));
    let (phase, record) = { broken }.next()?;
    let after = |ns: Option<u64>| ns.map_or_else(|| "never".to_owned(), duration);
    let text = format!(
        "{}: {} broken, {} missing; 90 % back after {}, 99 % {}, all {}; {} attempts, {} failed",
        phase.name,
        count(record.broken),
        count(record.missing),
        after(record.to_90_percent_ns),
        after(record.to_99_percent_ns),
        after(record.to_all_ns),
        count(record.attempts),
        count(record.failed)
    );
    Some(fact("reconnect", text))
}

/// Only where runs are repeated.
fn attempt(result: &ResultFile) -> String {
    let Some(Attempt { number, attempts }) = result.attempt else { return String::new() };
    let before = if number > 1 { "; the ones before it were invalid" } else { "" };
    format!(" (attempt {number} of {attempts}{before})")
}

/// Only where ids do not arrive.
fn marked(ids: IdsArrive) -> &'static str {
    match (ids.message == Survival::Marker, ids.presence == Survival::Marker) {
        (true, true) => ", rewrites ids: messages and presence carry markers",
        (true, false) => ", rewrites ids: messages carry markers",
        (false, true) => ", rewrites ids: presence carries markers",
        (false, false) => "",
    }
}

fn errors(result: &ResultFile) -> Vec<(String, String)> {
    let errors = &result.summary.errors;
    let one_line = |text: &str, characters: usize| {
        text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(characters).collect::<String>()
    };
    let line = |error: &ErrorCount| {
        let (what, example) = (one_line(&error.what, 60), one_line(&error.example, 70));
        let first = if example.is_empty() { String::new() } else { format!("; first: {example}") };
        fact("error", format!("{} × {what}{first}", count(error.count)))
    };
    errors.iter().map(line).collect()
}

#[cfg(test)]
mod tests;
