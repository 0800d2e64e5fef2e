//! `result.json`: everything that a figure needs to be believed, in one file.
//!
//! It renders nothing. The configuration is inside, as fields that must be there: a result without its scenario, seed,
//! machine and target does not parse, and one whose text was edited does not pass its own hash.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::child::End;
use super::environment::{Environment, Program};
use super::exit::{Exit, Failure};
use super::scenario::place_of;
use super::target::Target;
use crate::load::scenario::ScenarioFile;
use crate::metrics::{HarnessHealth, IdsArrive, Summary, Verdict};

/// Version of the file's shape. Fields may be added under one number; nothing changes its meaning.
pub const SCHEMA_VERSION: u32 = 1;
/// Name of the file in the result's folder.
pub const FILE_NAME: &str = "result.json";
/// Its name until it is complete.
const UNFINISHED_NAME: &str = "result.json.unfinished";

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResultFile {
    /// [`SCHEMA_VERSION`]
    pub schema_version: u32,
    /// The one answer.
    pub verdict: Verdict,
    /// What the program exited with.
    pub exit_code: u8,
    /// When the run began, RFC 3339, UTC.
    pub started_at: String,
    /// Which attempt it is, if runs that come out invalid are repeated (`--on-invalid`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<Attempt>,
    /// Command line that repeats the run.
    pub command: String,
    /// This program.
    pub program: Program,
    /// What was asked for.
    pub scenario: ScenarioRecord,
    /// Who answered, and at what cost.
    pub target: TargetRecord,
    /// Where it was measured.
    pub environment: Environment,
    /// The harness's own state.
    pub harness: HarnessRecord,
    /// The numbers.
    pub summary: Summary,
}

/// One of several attempts at a run; those before it were invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// From 1.
    pub number: u32,
    /// How many there may be.
    pub attempts: u32,
}

impl Attempt {
    /// Folder of this attempt's result: `out`, then `out-2`, `out-3`, …
    #[must_use]
    pub fn folder(self, out: &Path) -> PathBuf {
        let mut name = out.as_os_str().to_owned();
        if self.number > 1 {
            name.push(format!("-{}", self.number));
        }
        name.into()
    }
}

/// The scenario as it was run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScenarioRecord {
    /// Path as it was given.
    pub file: String,
    /// Its name.
    pub name: String,
    /// The seed that was used.
    pub seed: u64,
    /// Dotted path and value of each override; they are applied in `text`.
    pub overrides: Vec<(String, String)>,
    /// SHA-256 of `text`, hexadecimal.
    pub sha256: String,
    /// The whole file as it was run.
    pub text: String,
    /// The files that it names. Absent from results of versions that knew none.
    #[serde(default)]
    pub files: Vec<FileRecord>,
}

/// A file that the scenario names. What it holds is not here, since it may be people's passwords: whoever repeats the
/// run needs the file itself, and the hash tells whether it is the same one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// Path as the scenario names it, counted from the scenario's folder.
    pub path: String,
    /// Bytes of its text.
    pub bytes: u64,
    /// SHA-256 of its text, hexadecimal.
    pub sha256: String,
}

/// The target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetRecord {
    /// `embedded` or a URL.
    pub url: String,
    /// Where it was.
    pub address: String,
    /// XMPP domain.
    pub domain: String,
    /// Name and version of its software; null when it did not tell (XEP-0092).
    pub software: Option<String>,
    /// What becomes of ids on their way through it; absent from results of versions that did not look.
    #[serde(default)]
    pub ids: IdsArrive,
    /// Cores it was pinned to; empty when nothing was pinned or it ran elsewhere.
    pub cores: Vec<usize>,
    /// Name of the process that was watched; null when none was: it runs elsewhere, or may not be looked at.
    #[serde(default)]
    pub process: Option<String>,
    /// Most memory its process ever held, in bytes; null when none was watched.
    pub rss_peak_bytes: Option<u64>,
    /// What its process cost, per measured phase (drain included).
    pub cost: Vec<PhaseCost>,
    /// Its memory around the login; null when none was watched or nobody became ready.
    #[serde(default)]
    pub login_memory: Option<LoginMemory>,
    /// What its event loop counted; null when it is not our child or did not end well.
    pub router: Option<End>,
}

/// Cost of one half of a run, the target's processes or the harness's, in one phase.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PhaseCost {
    /// The phase.
    pub phase: String,
    /// Wall time, in nanoseconds; taken about four times a second, so it may be a quarter of a second off.
    pub elapsed_ns: u64,
    /// CPU time in it, user and system, in nanoseconds.
    pub cpu_ns: u64,
    /// Resident memory at its end, in bytes.
    pub rss_bytes: u64,
    /// `cpu_ns` by everything that was delivered in it: messages, presence to each recipient, answers. Null without any.
    #[serde(default)]
    pub cpu_ns_per_delivery: Option<u64>,
    /// `cpu_ns` by the logins, in the login phase.
    #[serde(default)]
    pub cpu_ns_per_login: Option<u64>,
}

/// What resident memory of one half of a run grew by while users logged in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginMemory {
    /// At the first look after logins began, in bytes; before all of them when most were there by then.
    pub before_bytes: u64,
    /// As late in the login phase as it was looked at, in bytes.
    pub after_bytes: u64,
    /// Users that became ready in between.
    pub users: u64,
}

impl LoginMemory {
    /// What one idle client more costs, in bytes. Of few users it says little: memory comes in pages and arenas.
    #[must_use]
    pub const fn bytes_per_user(&self) -> u64 {
        let grown = self.after_bytes.saturating_sub(self.before_bytes);
        match grown.checked_div(self.users) {
            Some(bytes) => bytes,
            None => 0,
        }
    }
}

/// What the harness knows of itself beside [`Summary::harness`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct HarnessRecord {
    /// Cores it was pinned to; empty when nothing was pinned.
    pub cores: Vec<usize>,
    /// Share of the machine's CPU time that its host gave to others during the run, 0 to 1.
    pub stolen_ratio: f64,
    /// Local addresses that it connected from, in turn; empty: the kernel's choice.
    #[serde(default)]
    pub sources: Vec<IpAddr>,
    /// Most memory it ever held, in bytes.
    pub rss_peak_bytes: u64,
    /// What it cost, per measured phase (drain included).
    #[serde(default)]
    pub cost: Vec<PhaseCost>,
    /// Its memory around the login; null when nobody became ready.
    #[serde(default)]
    pub login_memory: Option<LoginMemory>,
    /// Each of its reactors, a thread with an event loop; the worst of them is in [`Summary::harness`]. Absent from
    /// results of versions that had one.
    #[serde(default)]
    pub reactors: Vec<HarnessHealth>,
    /// Turns of its event loops.
    pub turns: u64,
    /// Connections made.
    pub connections: u64,
    /// Bytes read.
    pub bytes_in: u64,
    /// Bytes written.
    pub bytes_out: u64,
}

impl FileRecord {
    /// What is remembered of a file.
    #[must_use]
    pub fn of(file: &ScenarioFile) -> Self {
        let (path, text) = (file.path.clone(), &*file.text);
        Self { path, bytes: text.len() as u64, sha256: ScenarioRecord::hash(text) }
    }

    /// Whether the file is still what it was, for a scenario that was read from `scenario`: `unchanged`, `changed since`,
    /// `not there any more`.
    #[must_use]
    pub fn state(&self, scenario: &Path) -> &'static str {
        match fs::read_to_string(place_of(scenario, &self.path)) {
            Ok(text) if ScenarioRecord::hash(&text) == self.sha256 => "unchanged",
            Ok(_) => "changed since",
            Err(_) => "not there any more",
        }
    }
}

impl ScenarioRecord {
    /// SHA-256 of `text`, hexadecimal.
    #[must_use]
    pub fn hash(text: &str) -> String {
        Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl ResultFile {
    /// Whether the target was this program's own router.
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        self.target.url == Target::Embedded.to_string()
    }

    /// The file's text, ending in a line feed.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("plain data with text keys is always JSON");
        text.push('\n');
        text
    }

    /// Writes the file into `folder`, which is made. A result that is there is replaced, at one stroke: whoever reads sees the
    /// old one or the new one, whole.
    ///
    /// # Errors
    /// Exit code 1: the folder cannot be made or the file not be written.
    pub fn write(&self, folder: &Path) -> Result<PathBuf, Failure> {
        let (path, unfinished) = (folder.join(FILE_NAME), folder.join(UNFINISHED_NAME));
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&unfinished, self.to_json()))
            .and_then(|()| fs::rename(&unfinished, &path))
            .map_err(|error| Failure::internal(format!("cannot write {}: {error}", path.display())))?;
        Ok(path)
    }

    /// Reads a result's folder, or the file itself.
    ///
    /// # Errors
    /// Exit code 2: it is not there, from another version, incomplete or edited.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let path = if path.is_dir() { path.join(FILE_NAME) } else { path.to_path_buf() };
        let text = fs::read_to_string(&path)
            .map_err(|error| Failure::usage(format!("cannot read result {}: {error}", path.display())))?;
        Self::parse(&text).map_err(|what| {
            Failure::new(Exit::Usage, format!("{}: {what}", path.display())).help(format!(
                "a result is what `xmpp-bench run` writes: {FILE_NAME}, schema version {SCHEMA_VERSION}"
            ))
        })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let value: serde_json::Value =
            serde_json::from_str(text).map_err(|error| format!("no JSON: {error}"))?;
        match value.get("schema_version").and_then(serde_json::Value::as_u64) {
            None => return Err("no result: it has no schema_version".to_owned()),
            Some(version) if version != u64::from(SCHEMA_VERSION) => {
                return Err(format!("schema version {version} is not known here"));
            }
            Some(_) => {}
        }
        let result: Self = serde_json::from_value(value).map_err(|error| format!("incomplete: {error}"))?;
        if ScenarioRecord::hash(&result.scenario.text) != result.scenario.sha256 {
            return Err("the scenario inside was edited: its hash is another".to_owned());
        }
        Ok(result)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::app::descriptors;

    /// A result with a short scenario and an empty summary.
    pub(in crate::app) fn sample() -> ResultFile {
        let text = "name = \"sample\"\n";
        ResultFile {
            schema_version: SCHEMA_VERSION,
            verdict: Verdict::Passed,
            exit_code: 0,
            started_at: "2024-02-29T12:34:56Z".into(),
            attempt: None,
            command: "xmpp-bench sample.toml --seed 7".into(),
            program: Program::this(),
            scenario: ScenarioRecord {
                file: "sample.toml".into(),
                name: "sample".into(),
                seed: 7,
                overrides: vec![("seed".into(), "7".into())],
                sha256: ScenarioRecord::hash(text),
                text: text.into(),
                files: Vec::new(),
            },
            target: TargetRecord {
                url: "embedded".into(),
                address: "127.0.0.1:40000".into(),
                domain: "bench.local".into(),
                software: Some("xmpp-bench 0.1.0".into()),
                ids: IdsArrive::PRESERVED,
                cores: vec![0],
                process: Some("router".into()),
                rss_peak_bytes: Some(12 << 20),
                login_memory: Some(LoginMemory { before_bytes: 4 << 20, after_bytes: 5 << 20, users: 1024 }),
                cost: vec![PhaseCost {
                    phase: "steady".into(),
                    elapsed_ns: 5_000_000_000,
                    cpu_ns: 1_000_000_000,
                    rss_bytes: 10 << 20,
                    cpu_ns_per_delivery: Some(4_500),
                    cpu_ns_per_login: None,
                }],
                router: Some(End { accepted: 200, ..End::default() }),
            },
            environment: Environment::read(descriptors::raise()),
            harness: HarnessRecord { cores: vec![1], ..HarnessRecord::default() },
            summary: Summary { scenario: "sample".into(), seed: 7, ..Summary::default() },
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        let result = sample();
        let path = result.write(&inner).unwrap();
        assert_eq!(ResultFile::read(&path).unwrap(), result);
        assert_eq!(ResultFile::read(&inner).unwrap(), result);
        assert!(ResultFile::read(folder.path()).unwrap_err().errors[0].what.contains("cannot read result"));
    }

    #[test]
    fn a_result_replaces_another_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (sample(), ResultFile { exit_code: 5, ..sample() });
        let path = first.write(folder.path()).unwrap();
        // Who has the first one open goes on reading it.
        let reader = folder.path().join("reader");
        fs::hard_link(&path, &reader).unwrap();
        second.write(folder.path()).unwrap();
        assert_eq!((ResultFile::read(&reader).unwrap(), ResultFile::read(&path).unwrap()), (first, second));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_result_without_its_configuration_is_refused() {
        let whole: serde_json::Value = serde_json::from_str(&sample().to_json()).unwrap();
        for field in ["scenario", "target", "environment", "program", "command", "summary", "verdict"] {
            let mut part = whole.clone();
            part.as_object_mut().unwrap().remove(field);
            let error = ResultFile::parse(&part.to_string()).unwrap_err();
            assert!(error.contains("incomplete") && error.contains(field), "{field}: {error}");
        }
        let mut part = whole.clone();
        part["scenario"].as_object_mut().unwrap().remove("text");
        assert!(ResultFile::parse(&part.to_string()).unwrap_err().contains("text"));

        let mut edited = whole.clone();
        edited["scenario"]["text"] = "name = \"better\"\n".into();
        assert!(ResultFile::parse(&edited.to_string()).unwrap_err().contains("edited"));
        let mut newer = whole;
        newer["schema_version"] = 2.into();
        assert!(ResultFile::parse(&newer.to_string()).unwrap_err().contains("version 2"));
        assert!(ResultFile::parse("{}").unwrap_err().contains("schema_version"));
        assert!(ResultFile::parse("[").unwrap_err().contains("no JSON"));
    }

    #[test]
    fn a_file_that_is_needed_again_is_recognised() {
        let folder = tempfile::tempdir().unwrap();
        let scenario = folder.path().join("a.toml");
        let record = FileRecord::of(&ScenarioFile { path: "users.csv".into(), text: "a,b\n".into() });
        assert_eq!((record.bytes, record.sha256), (4, ScenarioRecord::hash("a,b\n")));
        let record = FileRecord::of(&ScenarioFile { path: "users.csv".into(), text: "a,b\n".into() });
        assert_eq!(record.state(&scenario), "not there any more");
        fs::write(folder.path().join("users.csv"), "a,b\n").unwrap();
        assert_eq!(record.state(&scenario), "unchanged");
        fs::write(folder.path().join("users.csv"), "a,c\n").unwrap();
        assert_eq!(record.state(&scenario), "changed since");
    }

    #[test]
    fn hash_is_sha256() {
        assert!(ScenarioRecord::hash("abc").starts_with("ba7816bf8f01cfea")); // FIPS 180-2, appendix B.1
    }
}
