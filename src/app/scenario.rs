//! From a path and flags to a scenario, or to lines that say where the mistake is.
//!
//! The grammar is not here but in [`crate::load::scenario`].

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::exit::{Complaint, Exit, Failure};
use super::target::Target;
use crate::limits::SCENARIO_FILE_BYTES_MAX;
use crate::load::{Scenario, ScenarioError};

/// What flags change of a scenario.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `--target`
    pub target: Option<String>,
    /// `--domain`
    pub domain: Option<String>,
    /// `--set`, in order.
    pub sets: Vec<(String, String)>,
    /// `--seed`
    pub seed: Option<u64>,
}

impl Overrides {
    /// All as pairs of a dotted path and a TOML value; the flags with a name of their own come last and win.
    #[must_use]
    pub fn pairs(&self) -> Vec<(String, String)> {
        let quoted = |text: &String| toml::Value::String(text.clone()).to_string();
        let named = [
            ("target.server", self.target.as_ref().map(quoted)),
            ("target.domain", self.domain.as_ref().map(quoted)),
            ("seed", self.seed.map(|seed| seed.to_string())),
        ];
        let named = named.into_iter().filter_map(|(path, value)| Some((path.to_owned(), value?)));
        self.sets.iter().cloned().chain(named).collect()
    }

    /// The same as flags, each word ready for a shell.
    #[must_use]
    pub fn flags(&self) -> Vec<String> {
        let mut flags = Vec::new();
        for (path, value) in &self.sets {
            flags.extend(["--set".to_owned(), quote(&format!("{path}={value}"))]);
        }
        if let Some(target) = &self.target {
            flags.extend(["--target".to_owned(), quote(target)]);
        }
        if let Some(domain) = &self.domain {
            flags.extend(["--domain".to_owned(), quote(domain)]);
        }
        if let Some(seed) = self.seed {
            flags.extend(["--seed".to_owned(), seed.to_string()]);
        }
        flags
    }
}

/// A scenario that can be run, and what it is to be run against.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The scenario, overrides applied.
    pub scenario: Scenario,
    /// Its target, understood.
    pub target: Target,
}

/// Reads and validates the scenario at `path`.
///
/// # Errors
/// Exit code 2, with a complaint for each mistake: `path:line:column: …`.
pub fn load(path: &Path, overrides: &Overrides) -> Result<Loaded, Failure> {
    let text = fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
    let mut read_file = |name: &str| read_named(path, name);
    let scenario = Scenario::parse_with_files(&text, &overrides.pairs(), &mut read_file);
    let scenario = scenario.map_err(|errors| Failure {
        exit: Exit::Usage,
        errors: errors.into_iter().map(|error| complaint(path, error)).collect(),
    })?;
    let target = Target::parse(&scenario.target.server).map_err(|mut failure| {
        let replaced = overrides.pairs().iter().any(|(key, _)| key == "target.server" || key == "target");
        if !replaced {
            let (line, column) = scenario.target.server_place;
            for error in &mut failure.errors {
                error.what = format!("{}:{line}:{column}: {}", path.display(), error.what);
            }
        }
        failure
    })?;
    Ok(Loaded { scenario, target })
}

/// Where a file is that the scenario at `scenario` names: a relative path counts from the scenario's folder.
#[must_use]
pub fn place_of(scenario: &Path, name: &str) -> PathBuf {
    scenario.parent().map_or_else(|| PathBuf::from(name), |folder| folder.join(name))
}

/// Reads a file that a scenario names.
fn read_named(scenario: &Path, name: &str) -> Result<String, String> {
    let path = place_of(scenario, name);
    let bytes = fs::metadata(&path).map_err(|error| error.to_string())?.len();
    if bytes > SCENARIO_FILE_BYTES_MAX {
        return Err(format!("it has {bytes} bytes, and at most {SCENARIO_FILE_BYTES_MAX} are read"));
    }
    fs::read_to_string(&path).map_err(|error| error.to_string())
}

fn complaint(path: &Path, error: ScenarioError) -> Complaint {
    let ScenarioError { line, column, what, help, set } = error;
    let place = match set {
        Some(key) => format!("--set {key}"),
        None => format!("{}:{line}:{column}", path.display()),
    };
    Complaint { what: format!("{place}: {what}"), help }
}

/// A file that cannot be read, and the scenarios that could have been meant.
fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let failure = Failure::usage(format!("cannot read scenario {}: {error}", path.display()));
    if error.kind() != io::ErrorKind::NotFound {
        // It is there; no other one was meant.
        return failure;
    }
    let folder =
        path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let mut known = scenarios_in(folder);
    if folder != Path::new("scenarios") {
        known.extend(scenarios_in(Path::new("scenarios")));
    }
    let stem = |path: &Path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let wanted = stem(path);
    let nearest = known.iter().map(|known| (strsim::jaro_winkler(&wanted, &stem(known)), known));
    match nearest.filter(|(likeness, _)| *likeness > 0.8).max_by(|a, b| a.0.total_cmp(&b.0)) {
        Some((_, meant)) => failure.help(format!("did you mean {}?", meant.display())),
        None if known.is_empty() => failure.help("give the path of a scenario file (TOML)"),
        None => {
            let names: Vec<String> = known.iter().take(8).map(|known| known.display().to_string()).collect();
            failure.help(format!("there is: {}", names.join(", ")))
        }
    }
}

fn scenarios_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .filter(|path| {
            !["Cargo.toml", "clippy.toml", "rustfmt.toml"].iter().any(|other| path.ends_with(other))
        })
        .map(|path| path.strip_prefix(".").map(Path::to_path_buf).unwrap_or(path))
        .collect();
    found.sort();
    found
}

/// One word for a POSIX shell.
#[must_use]
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@+,%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_flags_win_and_are_told_again() {
        let overrides = Overrides {
            target: Some("xmpp://h".into()),
            domain: Some("a\"b".into()),
            sets: vec![("users.count".into(), "5".into()), ("name".into(), "two words".into())],
            seed: Some(9),
        };
        let pairs = overrides.pairs();
        let pair = |at: usize| (pairs[at].0.as_str(), pairs[at].1.as_str());
        assert_eq!(pair(0), ("users.count", "5"));
        assert_eq!(pair(2), ("target.server", "\"xmpp://h\""));
        assert_eq!(pair(4), ("seed", "9"));
        let domain: toml::Table = toml::from_str(&format!("domain = {}", pair(3).1)).unwrap();
        assert_eq!(domain["domain"].as_str(), Some("a\"b"));
        assert_eq!(
            overrides.flags().join(" "),
            "--set users.count=5 --set 'name=two words' --target xmpp://h --domain 'a\"b' --seed 9"
        );
    }

    #[test]
    fn a_missing_file_is_answered_with_those_that_are_there() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["smoke.toml", "big_chat.toml", "Cargo.toml", "notes.txt"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let help = |name: &str| {
            let failure = load(&folder.path().join(name), &Overrides::default()).unwrap_err();
            assert_eq!(failure.exit, Exit::Usage);
            failure.errors[0].help.clone().unwrap()
        };
        assert!(help("smok.toml").ends_with("smoke.toml?"), "{}", help("smok.toml"));
        let list = help("zzz.toml");
        assert!(list.contains("big_chat.toml") && !list.contains("Cargo.toml"), "{list}");
    }

    #[test]
    fn a_file_that_is_no_text_is_the_one_that_was_meant() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.toml");
        fs::write(&path, b"name = \"\xff\"").unwrap();
        let failure = load(&path, &Overrides::default()).unwrap_err();
        assert!(failure.errors[0].what.contains("UTF-8"), "{failure:?}");
        assert_eq!((failure.exit, &failure.errors[0].help), (Exit::Usage, &None));
    }

    #[test]
    fn words_for_a_shell() {
        assert_eq!(quote("scenarios/smoke.toml"), "scenarios/smoke.toml");
        assert_eq!(quote("it's"), r"'it'\''s'");
        assert_eq!(quote(""), "''");
        assert_eq!(quote("xmpp://[::1]"), "'xmpp://[::1]'");
    }
}
