//! A foreign server in a temporary folder, started by `scripts/peers`.

use std::process::{Child, Command, Stdio};

use serde::Deserialize;

/// Exit code of the scripts for "not installed".
const NOT_INSTALLED: i32 = 69;

/// A running server.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) address: Address,
    /// The script. It stops the server when its standard input ends, however this process comes to its end.
    script: Child,
    _folder: tempfile::TempDir,
}

/// What the script says when the server is ready.
#[derive(Debug, Deserialize)]
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) domain: String,
    /// `xmpp+plain://HOST:PORT`
    pub(crate) target: String,
}

impl Peer {
    /// Starts `name` (`prosody`, `ejabberd`) with accounts `u000000` … and passwords `p0` …; `None`, after saying
    /// so, when it is not installed.
    pub(crate) fn start(name: &str, users: u32) -> Option<Self> {
        Self::start_with(name, users, &[])
    }

    /// The same with further options of the script.
    pub(crate) fn start_with(name: &str, users: u32, options: &[&str]) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let mut script = Command::new("bash")
            .arg(super::path(&format!("scripts/peers/{name}.sh")))
            .arg("run")
            .arg(folder.path())
            .args(["--users", &users.to_string()])
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("bash is installed");
        let line = super::first_line(script.stdout.take().expect("stdout is a pipe"));
        let Some(line) = line else {
            drop(script.stdin.take());
            let status = script.wait().expect("the script can be waited for");
            assert_eq!(status.code(), Some(NOT_INSTALLED), "{name} did not start");
            super::skip(&format!("{name} is not installed"));
            return None;
        };
        let address = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{name}: {error}: {line}"));
        Some(Self { address, script, _folder: folder })
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Waiting ends: the script kills a server that does not stop by itself.
        drop(self.script.stdin.take());
        let _ = self.script.wait();
    }
}
