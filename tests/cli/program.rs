//! Starts the program in a folder of its own, and waits for what it says.

use std::io::{BufRead, BufReader, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde_json::Value;
use tempfile::TempDir;

use super::processes::ends;
use crate::support::xmpp_bench;

/// How long anything may take before a test gives up. Nothing is measured with it.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Ten users in a ring, one second, one ping: the shortest run that is a measurement. It does not depend on speed.
pub(super) const SMALL: &str = r#"name = "small"
seed = 7

[target]
server = "embedded"
domain = "bench.local"

[users]
count   = 10
account = { user = "u{n:06}", password = "p{n}" }
roster  = { graph = "ring", contacts = 2 }

[[phase]]
name   = "login"
arrive = { at_once = true, timeout = "30s" }

[[phase]]
name     = "steady"
duration = "1s"
do       = [{ action = "ping", rate = "1/h" }]

[[slo]]
metric = "ping.failed"
max    = 0
"#;

/// [`SMALL`] for a server that knows the accounts and nothing of their rosters.
pub(super) fn small_elsewhere() -> String {
    SMALL.replace("roster  = { graph = \"ring\", contacts = 2 }\n", "create  = \"existing\"\n")
}

/// A folder that the program is started in.
#[derive(Debug)]
pub(super) struct Folder(TempDir);

impl Folder {
    /// An empty one.
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder can be made"))
    }

    /// One that holds `name` with `text`.
    pub(super) fn with(name: &str, text: &str) -> Self {
        let folder = Self::new();
        folder.write(name, text);
        folder
    }

    /// One that holds [`SMALL`] as `small.toml`.
    pub(super) fn small() -> Self {
        Self::with("small.toml", SMALL)
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("the file can be written");
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Starts the program here; `words` are split at blanks.
    pub(super) fn start(&self, words: &str) -> Program {
        self.start_args(&words.split_whitespace().collect::<Vec<_>>(), &[])
    }

    /// Runs the program here to its end.
    pub(super) fn run(&self, words: &str) -> Ended {
        self.start(words).finish()
    }

    /// Starts the program with these arguments and environment.
    pub(super) fn start_args(&self, args: &[&str], environment: &[(&str, &str)]) -> Program {
        Program::start(self.0.path(), args, environment)
    }

    /// `result.json` of the result in `out`.
    pub(super) fn result(&self, out: &str) -> Value {
        let path = self.path(out).join("result.json");
        let text = std::fs::read_to_string(&path).expect("a result was written");
        serde_json::from_str(&text).expect("it is JSON")
    }
}

/// The running program. Dropping it kills it.
#[derive(Debug)]
pub(super) struct Program {
    /// Stands for the process even after its id was given to another.
    process: OwnedFd,
    pub(super) pid: Pid,
    stdout: Lines,
    stderr: Lines,
    exit: Receiver<ExitStatus>,
}

/// What the program left behind.
#[derive(Debug)]
pub(super) struct Ended {
    /// `None`: a signal killed it.
    pub(super) code: Option<i32>,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Ended {
    /// The exit code must be `code`; the whole output is shown if it is another.
    #[track_caller]
    pub(super) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    pub(super) fn stdout_line(&self) -> &str {
        self.stdout.lines().next().unwrap_or_default()
    }

    /// The first `error:` line and the first `help:` line.
    pub(super) fn complaint(&self) -> (&str, &str) {
        let line = |start: &str| self.stderr.lines().find(|line| line.starts_with(start)).unwrap_or_default();
        (line("error: "), line("help: "))
    }
}

impl Program {
    fn start(folder: &Path, args: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut child = xmpp_bench()
            .args(args)
            .current_dir(folder)
            .env_remove("NO_COLOR")
            .env_remove("XB_LOG")
            .env("XDG_DATA_HOME", folder)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let pid = Pid::from_child(&child);
        let process = pidfd_open(pid, PidfdFlags::empty()).expect("it has not been waited for");
        let stdout = Lines::of(child.stdout.take().expect("stdout is a pipe"));
        let stderr = Lines::of(child.stderr.take().expect("stderr is a pipe"));
        let (sender, exit) = mpsc::channel();
        thread::spawn(move || {
            // The test may have ended and listen no more.
            let _ = sender.send(child.wait().expect("a child can be waited for"));
        });
        Self { process, pid, stdout, stderr, exit }
    }

    pub(super) fn signal(&self, signal: Signal) {
        pidfd_send_signal(&self.process, signal).expect("the program is running");
    }

    /// Waits for a line on stderr that starts with `start`.
    #[track_caller]
    pub(super) fn wait_stderr(&mut self, start: &str) -> String {
        self.stderr.wait(start)
    }

    /// Waits for a line on stderr that has `text` in it.
    #[track_caller]
    pub(super) fn wait_log(&mut self, text: &str) -> String {
        self.stderr.wait_for(text, |line| line.contains(text))
    }

    /// Waits for a line on stdout that starts with `start`.
    #[track_caller]
    pub(super) fn wait_stdout(&mut self, start: &str) -> String {
        self.stdout.wait(start)
    }

    /// Waits until the process itself has ended; others may still hold its streams.
    #[track_caller]
    pub(super) fn wait_gone(&self) {
        assert!(ends(&self.process), "the program is still there");
    }

    /// Waits for the end: of both streams, so that no process it started still holds them, and of the process.
    #[track_caller]
    pub(super) fn finish(mut self) -> Ended {
        let (stdout, stderr) = (self.stdout.rest(), self.stderr.rest());
        let status = self.exit.recv_timeout(PATIENCE).expect("it closed its streams, so it ends");
        Ended { code: status.code(), stdout, stderr }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Fails when it has ended, which is as good.
        let _ = pidfd_send_signal(&self.process, Signal::KILL);
    }
}

/// A test's patience with a program that says much and never what is waited for.
#[derive(Debug)]
struct Patience(std::time::Instant);

#[expect(clippy::disallowed_methods, reason = "a test that hangs ends by the clock; nothing is measured")]
impl Patience {
    fn begins() -> Self {
        Self(std::time::Instant::now())
    }

    fn left(&self) -> Duration {
        PATIENCE.saturating_sub(self.0.elapsed())
    }
}

/// Lines of a stream as they come.
#[derive(Debug)]
struct Lines {
    coming: Receiver<String>,
    seen: String,
}

impl Lines {
    fn of(stream: impl Read + Send + 'static) -> Self {
        let (sender, coming) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                // The stream is drained to its end also when nobody listens: the program must not block on it.
                let _ = sender.send(line);
            }
        });
        Self { coming, seen: String::new() }
    }

    /// The next line; `None` at the end.
    #[track_caller]
    fn next(&mut self, patience: &Patience) -> Option<String> {
        match self.coming.recv_timeout(patience.left()) {
            Ok(line) => {
                self.seen.push_str(&line);
                self.seen.push('\n');
                Some(line)
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => None,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                panic!("silent for {PATIENCE:?}; it had said:\n{}", self.seen)
            }
        }
    }

    #[track_caller]
    fn wait(&mut self, start: &str) -> String {
        self.wait_for(start, |line| line.starts_with(start))
    }

    #[track_caller]
    fn wait_for(&mut self, what: &str, is_it: impl Fn(&str) -> bool) -> String {
        let patience = Patience::begins();
        while let Some(line) = self.next(&patience) {
            if is_it(&line) {
                return line;
            }
        }
        panic!("no line with {what:?}:\n{}", self.seen);
    }

    /// Everything, from the first line to the last.
    #[track_caller]
    fn rest(&mut self) -> String {
        let patience = Patience::begins();
        while self.next(&patience).is_some() {}
        std::mem::take(&mut self.seen)
    }
}
