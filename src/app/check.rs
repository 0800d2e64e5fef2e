//! `xmpp-bench check`: mistakes in scenarios, without running anything.
//!
//! It opens no socket: a preflight with one real client is not built yet.

use std::path::PathBuf;

use super::exit::{Exit, Failure};
use super::scenario::{self, Overrides};
use super::terminal::Terminal;
use crate::load::Scenario;
use crate::load::scenario::PhaseKind;

/// Validates each of `files`; one line per file on stdout, mistakes on stderr.
///
/// # Errors
/// Exit code 2: the mistakes of all files.
pub fn check(files: &[PathBuf], overrides: &Overrides, terminal: Terminal) -> Result<Exit, Failure> {
    let mut mistakes = Vec::new();
    for path in files {
        match scenario::load(path, overrides) {
            Ok(loaded) => terminal
                .out(&format!("{}: ok: {}", path.display(), describe(&loaded.scenario)))
                .map_err(|error| Failure::internal(format!("cannot write: {error}")))?,
            Err(failure) => mistakes.extend(failure.errors),
        }
    }
    if mistakes.is_empty() { Ok(Exit::Passed) } else { Err(Failure { exit: Exit::Usage, errors: mistakes }) }
}

/// `smoke: 200 users on embedded, 3 phases (5 s of load), 4 SLOs`
fn describe(scenario: &Scenario) -> String {
    let load: f64 = scenario
        .phases
        .iter()
        .map(|phase| match &phase.kind {
            PhaseKind::Login(_) => 0.0,
            PhaseKind::Load { duration, .. } => duration.as_secs_f64(),
        })
        .sum();
    format!(
        "{}: {} users on {}, {} phases ({load} s of load), {} SLOs",
        scenario.name,
        scenario.users.count,
        scenario.target.server,
        scenario.phases.len(),
        scenario.slos.len()
    )
}
