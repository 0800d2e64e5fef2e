//! `xmpp-bench check`: mistakes in scenarios, without running anything; with a target also what one client finds there.
//!
//! It loads nothing, and without a target it opens no socket.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::exit::{Exit, Failure};
use super::preflight::{PreflightReport, preflight};
use super::scenario::{self, Overrides};
use super::terminal::Terminal;
use crate::load::Scenario;
use crate::load::scenario::PhaseKind;

/// What the command line asks for.
#[derive(Debug, Clone)]
pub struct Options {
    /// The scenarios' files.
    pub scenarios: Vec<PathBuf>,
    /// What is changed of them.
    pub overrides: Overrides,
    /// Try the target with one client, also where no flag names it.
    pub preflight: bool,
    /// Print JSON.
    pub json: bool,
    /// A public address is the operator's own.
    pub mine: bool,
}

/// One scenario in JSON.
#[derive(Debug, Serialize)]
struct Checked {
    file: String,
    /// Null when the scenario has mistakes.
    scenario: Option<String>,
    mistakes: Vec<String>,
    preflight: Option<PreflightReport>,
}

/// Validates each scenario, one line each on stdout, mistakes on stderr; and tries its target, if that was asked for.
///
/// # Errors
/// Exit code 2: the mistakes of all files. Exit code 1: a preflight could not be made.
pub fn check(options: &Options, terminal: Terminal) -> Result<Exit, Failure> {
    let print =
        |text: &str| terminal.out(text).map_err(|error| Failure::internal(format!("cannot write: {error}")));
    let (mut mistakes, mut all, mut worst) = (Vec::new(), Vec::new(), Exit::Passed);
    for path in &options.scenarios {
        let checked = match one(path, options) {
            Ok(checked) => checked,
            Err(failure) if failure.exit == Exit::Usage => {
                let lines = failure.errors.iter().map(|complaint| complaint.what.clone()).collect();
                mistakes.extend(failure.errors);
                Checked { file: path.display().to_string(), scenario: None, mistakes: lines, preflight: None }
            }
            Err(failure) => return Err(failure),
        };
        if let Some(report) = &checked.preflight
            && worst == Exit::Passed
        {
            worst = report.exit();
        }
        if !options.json {
            if let Some(scenario) = &checked.scenario {
                print(&format!("{}: ok: {scenario}", checked.file))?;
            }
            if let Some(report) = &checked.preflight {
                print(&report.text(terminal))?;
            }
        }
        all.push(checked);
    }
    if options.json {
        print(&serde_json::to_string_pretty(&all).expect("plain data with text keys is always JSON"))?;
    }
    if mistakes.is_empty() { Ok(worst) } else { Err(Failure { exit: Exit::Usage, errors: mistakes }) }
}

fn one(path: &Path, options: &Options) -> Result<Checked, Failure> {
    let loaded = scenario::load(path, &options.overrides)?;
    let wanted = options.preflight || options.overrides.target.is_some();
    let preflight = if wanted { Some(preflight(&loaded, options.mine)?) } else { None };
    Ok(Checked {
        file: path.display().to_string(),
        scenario: Some(describe(&loaded.scenario)),
        mistakes: Vec::new(),
        preflight,
    })
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
