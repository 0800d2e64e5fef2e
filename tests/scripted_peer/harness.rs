//! Runs the built program against a peer and reads what it reports.

use std::fs::File;
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use rustix::time::Timespec;
use serde_json::Value;

use super::expect::{Expected, Load, Starts, Times, expected};
use super::log::Log;
use super::peer::Peer;
use super::script::{Action, Script};

/// How long a run may take before a test gives up; it takes a quarter of a minute. Nothing is measured with it.
const PATIENCE: Timespec = Timespec { tv_sec: 180, tv_nsec: 0 };

/// Exit code for "the measurement is invalid": the harness says that the machine was too busy.
const INVALID: i32 = 5;
const ATTEMPTS_MAX: u32 = 3;

const USERS: u32 = 24;
const PHASE_S: u64 = 5;
const DRAIN_S: u64 = 5;
/// Behind the drain, what is late can come: in the middle of an idle phase.
const AFTER_S: u64 = 4;

/// One run: what the peer did and what the harness reported.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) log: Log,
    pub(crate) load: Load,
    pub(crate) result: Value,
    pub(crate) exit_code: i32,
    one_reactor: bool,
}

impl Run {
    /// Runs `rates` against a peer with `script`. Only a run that says itself that it is invalid is repeated.
    pub(crate) fn of(script: Script, rates: &[(Action, u64)], reactors: u32) -> Self {
        let mut attempt = 1;
        loop {
            let run = Self::once(script, rates, reactors);
            if run.exit_code != INVALID || attempt == ATTEMPTS_MAX {
                assert!(
                    matches!(run.exit_code, 0 | 3),
                    "exit code {}: {}",
                    run.exit_code,
                    run.result["summary"]
                );
                assert_eq!(run.log.faults, [""; 0]);
                return run;
            }
            attempt += 1;
        }
    }

    fn once(script: Script, rates: &[(Action, u64)], reactors: u32) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        std::fs::write(folder.path().join("s.toml"), scenario(rates)).expect("the scenario can be written");
        let late_ns = (PHASE_S + DRAIN_S) * 1_000_000_000 + AFTER_S * 500_000_000;
        let pid = Arc::new(AtomicI32::new(0));
        let peer = Peer::start(script, USERS, late_ns, Arc::clone(&pid));
        let file = |name: &str| File::create(folder.path().join(name)).expect("a file can be made");
        let mut child = Command::new(env!("CARGO_BIN_EXE_xmpp-bench"))
            .args(["s.toml", "--quiet", "--out", "o", "--harness-reactors", &reactors.to_string()])
            .args(["--target", &format!("xmpp://{}", peer.address)])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(file("stdout"))
            .stderr(file("stderr"))
            .spawn()
            .expect("the program starts");
        pid.store(Pid::from_child(&child).as_raw_pid(), Ordering::Release);
        let process =
            pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).expect("it was not waited for");
        let mut fds = [PollFd::from_borrowed_fd(process.as_fd(), PollFlags::IN)];
        if poll(&mut fds, Some(&PATIENCE)).expect("a process can be waited for") == 0 {
            child.kill().expect("it is running");
        }
        let status = child.wait().expect("a child can be waited for");
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap_or_default();
        let exit_code = status.code().unwrap_or(-1);
        let result = serde_json::from_str(&read("o/result.json")).unwrap_or_else(|error| {
            panic!("no result ({error}), exit code {exit_code}:\n{}{}", read("stdout"), read("stderr"))
        });
        let load =
            Load { users: USERS, rates: rates.to_vec(), drained_ns: (PHASE_S + DRAIN_S) * 1_000_000_000 };
        Self { log: peer.finish(), load, result, exit_code, one_reactor: reactors == 1 }
    }

    /// What a true report says of `action`.
    pub(crate) fn expected(&self, action: Action, times: Times) -> Expected {
        let starts = Starts::of(&self.log, &self.load, self.one_reactor);
        expected(action, &self.log, &self.load, &starts, times)
    }

    /// What this one says.
    pub(crate) fn report(&self, action: Action) -> &Value {
        let find = |list: &'_ Value, key: &str, name: &str| {
            list.as_array().into_iter().flatten().position(|item| item[key] == name)
        };
        let phases = &self.result["summary"]["phases"];
        let phase = &phases[find(phases, "name", "steady").expect("the phase was begun")];
        let actions = &phase["actions"];
        &actions[find(actions, "action", action.name()).expect("the action was begun")]
    }
}

fn scenario(rates: &[(Action, u64)]) -> String {
    let actions = rates
        .iter()
        .map(|(action, rate)| format!("  {{ action = \"{}\", rate = \"{rate}/s\" }},\n", action.name()));
    let actions: String = actions.collect();
    let slo = |(action, _): &(Action, u64)| {
        let count = if *action == Action::Presence { "missing" } else { "timed_out" };
        format!("[[slo]]\nphase = \"steady\"\nmetric = \"{}.{count}\"\nmax = 0\n", action.name())
    };
    let slos: String = rates.iter().map(slo).collect();
    format!(
        r#"name = "scripted"
seed = 11

[target]
server = "xmpp://127.0.0.1:1"
domain = "peer.test"

[users]
count   = {USERS}
account = {{ user = "u{{n}}", password = "p" }}
create  = "existing"
auth    = "PLAIN"
roster  = {{ graph = "ring", contacts = 4 }}

[[phase]]
name   = "login"
arrive = {{ at_once = true, timeout = "60s" }}

[[phase]]
name     = "steady"
duration = "{PHASE_S}s"
drain    = "{DRAIN_S}s"
do = [
{actions}]

[[phase]]
name     = "after"
duration = "{AFTER_S}s"
measure  = false
do       = [{{ action = "idle" }}]

{slos}"#
    )
}
