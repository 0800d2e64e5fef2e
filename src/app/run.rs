//! `xmpp-bench run`: a scenario, from its file to its verdict.
//!
//! The load runs in a thread of its own, on a reactor; this thread only waits: for the end, for a signal, for news of
//! the router, and four times a second for something to show. It measures nothing.

use std::path::{Path, PathBuf};

use super::conduct::{self, Conducted};
use super::environment::{Environment, Program};
use super::exit::{Exit, Failure};
use super::report::{self, Format};
use super::result::{
    Attempt, FileRecord, HarnessRecord, ResultFile, SCHEMA_VERSION, ScenarioRecord, TargetRecord,
};
use super::scenario::{self, Loaded, Overrides, quote};
use super::target::Target;
use super::terminal::Terminal;
use super::watch::Watched;
use super::{clock, cores, descriptors, process, setup};
pub use crate::load::Mode;
use crate::load::advice;
use crate::load::scenario::Create;
use crate::metrics::Verdict;
use crate::reactor::ReactorReport;
use crate::time::Utc;

/// How often a run may be repeated: one that is invalid eleven times will not be valid the twelfth time.
pub const RETRIES_MAX: u32 = 10;

/// What the command line asks for.
#[derive(Debug, Clone)]
pub struct Options {
    /// The scenario's file.
    pub scenario: PathBuf,
    /// What is changed of it.
    pub overrides: Overrides,
    /// Folder of the result; `out/<name>-<time>` without.
    pub out: Option<PathBuf>,
    /// Print JSON.
    pub json: bool,
    /// Show no progress.
    pub quiet: bool,
    /// A public address is the operator's own.
    pub mine: bool,
    /// How often a run that came out invalid is repeated at most.
    pub retries_if_invalid: u32,
    /// Threads of the harness; as many as it has cores without.
    pub harness_reactors: Option<usize>,
    /// How much of the scenario is carried out.
    pub mode: Mode,
}

/// Runs a scenario, writes `result.json` and prints the summary; repeats a run that came out invalid as often as the
/// options allow, and prints the last one.
///
/// # Errors
/// No result: the scenario is wrong (2), the target cannot be reached (6), the machine failed us (1).
pub fn run(options: &Options, terminal: Terminal) -> Result<Exit, Failure> {
    let loaded = scenario::load(&options.scenario, &options.overrides)?;
    if options.mode != Mode::Run {
        return setup::set_up(options, &loaded, terminal);
    }
    let open_files = descriptors::raise();
    preflight(&loaded, open_files)?;
    options.out.as_deref().map_or(Ok(()), can_be_folder)?;
    let cores = cores::allowed();
    let attempts = options.retries_if_invalid + 1;
    for number in 1..attempts {
        let attempt = Attempt { number, attempts };
        if let Some(exit) = run_once(options, &loaded, attempt, terminal)? {
            return Ok(exit);
        }
        // The halves of the next one are of all cores again.
        if let Err(error) = cores::pin(&cores) {
            terminal.warn(&format!("cannot give the harness its cores back: {error}"));
        }
    }
    let last = Attempt { number: attempts, attempts };
    Ok(run_once(options, &loaded, last, terminal)?.expect("nothing follows the last attempt"))
}

/// Runs it once. `None`: it came out invalid, and another attempt follows.
fn run_once(
    options: &Options,
    loaded: &Loaded,
    attempt: Attempt,
    terminal: Terminal,
) -> Result<Option<Exit>, Failure> {
    let started = clock::now();
    let conducted = conduct::conduct(loaded, options, terminal)?;
    let exit = exit_of(&conducted);
    let mut result = assemble(options, loaded, &conducted, started, exit);
    result.attempt = (attempt.attempts > 1).then_some(attempt);
    let folder = match &options.out {
        Some(out) => attempt.folder(out),
        None => default_folder(&loaded.scenario.name, started),
    };
    // A full disk costs the file, not the numbers: they are printed all the same.
    let written = result.write(&folder);
    if exit == Exit::Invalid && attempt.number < attempt.attempts {
        written?;
        let Attempt { number, attempts } = attempt;
        let why = result.summary.invalid.first().map_or("an SLO could not be judged", |limit| &limit.what);
        let place = folder.display();
        terminal
            .warn(&format!("attempt {number} of {attempts} is invalid ({why}), and repeated; see {place}"));
        return Ok(None);
    }
    report::print(&result, &folder, if options.json { Format::Json } else { Format::Text }, terminal)?;
    written?;
    if let Some(failure) = complaint(&result, exit) {
        terminal.fail(&failure);
    }
    Ok(Some(exit))
}

/// What can be known to fail before anything was started.
fn preflight(loaded: &Loaded, open_files: descriptors::OpenFiles) -> Result<(), Failure> {
    descriptors::preflight(u64::from(loaded.scenario.users.count), open_files)?;
    provisioned_only_here(loaded)
}

/// The embedded router makes no accounts for clients.
pub(super) fn provisioned_only_here(loaded: &Loaded) -> Result<(), Failure> {
    if loaded.target == Target::Embedded && loaded.scenario.users.create != Create::Provision {
        return Err(Failure::usage(
            "the embedded router has the accounts that it is provisioned with, and no others",
        )
        .help("set users.create to \"provision\", or name a target"));
    }
    Ok(())
}

/// A result has a place: an hour of measuring must not end with a typing error. Nothing is made yet.
fn can_be_folder(out: &Path) -> Result<(), Failure> {
    match out.ancestors().find(|part| part.exists()) {
        Some(part) if !part.is_dir() => {
            Err(Failure::usage(format!("--out {}: {} is no folder", out.display(), part.display())))
        }
        Some(_) | None => Ok(()),
    }
}

fn exit_of(conducted: &Conducted) -> Exit {
    match conducted.summary.verdict() {
        Verdict::Passed => Exit::Passed,
        Verdict::SloBroken => Exit::SloBroken,
        Verdict::Invalid => Exit::Invalid,
        Verdict::LoginRefused | Verdict::TargetUnreachable => Exit::Unreachable,
        Verdict::Interrupted => conducted.signal.map_or(Exit::Interrupted, Exit::from_signal),
    }
}

fn assemble(
    options: &Options,
    loaded: &Loaded,
    conducted: &Conducted,
    started: Utc,
    exit: Exit,
) -> ResultFile {
    let scenario = &loaded.scenario;
    let program = Program::this();
    let Watched { harness, server, .. } = &conducted.watched;
    let total = |of: fn(&ReactorReport) -> u64| conducted.reports.iter().map(of).sum();
    ResultFile {
        schema_version: SCHEMA_VERSION,
        verdict: conducted.summary.verdict(),
        exit_code: exit.code(),
        started_at: clock::rfc3339(started),
        attempt: None,
        command: command(options),
        scenario: ScenarioRecord {
            file: options.scenario.display().to_string(),
            name: scenario.name.clone(),
            seed: scenario.seed,
            overrides: options.overrides.pairs(),
            sha256: ScenarioRecord::hash(&scenario.text),
            text: scenario.text.clone(),
            files: scenario.files.iter().map(FileRecord::of).collect(),
        },
        target: TargetRecord {
            url: loaded.target.to_string(),
            address: conducted.address.to_string(),
            domain: scenario.target.domain.clone(),
            // The embedded router is this very program, of which more is known than it says of itself.
            software: match loaded.target {
                Target::Embedded => {
                    Some(format!("{} {} ({})", program.name, program.version, program.commit))
                }
                Target::Server(_) => conducted.summary.software.clone(),
            },
            ids: conducted.summary.ids,
            cores: conducted.halves.router.clone(),
            process: server.as_ref().map(|(name, _)| name.clone()),
            rss_peak_bytes: server.as_ref().map(|(_, cost)| cost.rss_peak_bytes),
            cost: server.as_ref().map(|(_, cost)| cost.phases.clone()).unwrap_or_default(),
            login_memory: server.as_ref().and_then(|(_, cost)| cost.memory),
            router: conducted.router.clone(),
        },
        program,
        environment: Environment::read(descriptors::raise()),
        harness: HarnessRecord {
            cores: conducted.halves.harness.clone(),
            stolen_ratio: conducted.stolen_ratio,
            sources: conducted.sources.clone(),
            rss_peak_bytes: process::Usage::of(std::process::id()).map_or(0, |usage| usage.rss_peak_bytes),
            cost: harness.phases.clone(),
            login_memory: harness.memory,
            reactors: conducted.reports.iter().map(conduct::health).collect(),
            turns: total(|report| report.turns),
            connections: total(|report| report.counters.connected),
            bytes_in: total(|report| report.counters.bytes_in),
            bytes_out: total(|report| report.counters.bytes_out),
        },
        summary: conducted.summary.clone(),
    }
}

/// The words that repeat this run.
fn command(options: &Options) -> String {
    let mut words = vec!["xmpp-bench".to_owned(), quote(&options.scenario.display().to_string())];
    words.extend(options.overrides.flags());
    if let Some(reactors) = options.harness_reactors {
        words.extend(["--harness-reactors".to_owned(), reactors.to_string()]);
    }
    if options.mine {
        words.push("--yes-this-is-my-server".to_owned());
    }
    words.join(" ")
}

/// `out/10k-presence-20240229-123456`
fn default_folder(name: &str, started: Utc) -> PathBuf {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let slug = words.collect::<Vec<_>>().join("-").to_ascii_lowercase();
    let folder = PathBuf::from("out").join(format!("{slug}-{}", clock::compact(started)));
    // Two runs may begin in one second; neither replaces the other's result.
    let mut number = 1;
    let mut free = folder.clone();
    while free.exists() {
        number += 1;
        free = folder.with_file_name(format!("{slug}-{}-{number}", clock::compact(started)));
    }
    free
}

/// The line for stderr when the target was at fault.
fn complaint(result: &ResultFile, exit: Exit) -> Option<Failure> {
    use crate::metrics::Failure as Reason;
    let (what, otherwise) = match result.summary.failure.as_ref()? {
        _ if exit != Exit::Unreachable => return None,
        Reason::LoginRefused(what) => {
            (what, "do the accounts of [users] exist there, with these passwords and for this domain?")
        }
        Reason::TargetUnreachable(what) => {
            (what, "a partial result was written; it says how far the run came")
        }
    };
    let failure = Failure::unreachable(format!("target {}: {what}", result.target.url));
    // What went wrong with a router of our own is not its configuration.
    let known = if result.is_embedded() { None } else { advice(what) };
    Some(failure.help(known.unwrap_or(otherwise)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> Options {
        Options {
            scenario: "a dir/x.toml".into(),
            overrides: Overrides { seed: Some(3), ..Overrides::default() },
            out: None,
            json: false,
            quiet: false,
            mine: true,
            retries_if_invalid: 0,
            harness_reactors: Some(2),
            mode: Mode::Run,
        }
    }

    #[test]
    fn a_run_can_be_repeated() {
        assert_eq!(
            command(&options()),
            "xmpp-bench 'a dir/x.toml' --seed 3 --harness-reactors 2 --yes-this-is-my-server"
        );
    }

    #[test]
    fn folders_have_plain_names() {
        let folder = default_folder("10k  presence/ünï!", clock::now());
        let name = folder.file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with("10k-presence-n-2"), "{name}");
        assert!(folder.starts_with("out"));
    }
}
