//! The server that is asked: ours, or the peer that `XB_CONFORMANCE_TARGET` names.
//!
//! One server serves all tests of a run, and each test takes accounts that no other has. It ends with this process,
//! however that ends: its shell reads our end of a pipe.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::support::path;

/// Accounts there are; a run of everything needs some two for each test.
const USERS: u32 = 1_500;
/// How long our own server may take to answer: as long as a busy machine can make it.
const PATIENCE: Duration = Duration::from_secs(20);
/// The peers fail many tests by saying nothing, and a whole run has to end in minutes.
const PATIENCE_WITH_PEERS: Duration = Duration::from_secs(4);

/// A running server.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) domain: String,
    /// How long an answer may take.
    pub(crate) patience: Duration,
    /// The shell that ends the server when this process ends.
    shell: Child,
}

impl Target {
    /// Asks it to end, and waits until it has.
    pub(crate) fn stop(mut self) {
        drop(self.shell.stdin.take());
        self.shell.wait().unwrap();
    }
}

/// An account that nobody else uses.
#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) password: String,
    /// Bare JID.
    pub(crate) jid: String,
}

impl User {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        assert!(n < account_count(), "the suite has outgrown its accounts: make USERS larger");
        let name = format!("u{n:06}");
        let jid = format!("{name}@{}", target().domain);
        Self { name, password: format!("p{n}"), jid }
    }

    /// Its address with this resource.
    pub(crate) fn full(&self, resource: &str) -> String {
        format!("{}/{resource}", self.jid)
    }
}

/// As many accounts as are asked for.
pub(crate) fn users<const N: usize>() -> [User; N] {
    std::array::from_fn(|_| User::new())
}

/// How long an answer may take; `XB_CONFORMANCE_WAIT_S` says otherwise where faults are put in on purpose.
fn patience(usual: Duration) -> Duration {
    let said = std::env::var("XB_CONFORMANCE_WAIT_S").ok();
    said.map_or(usual, |seconds| Duration::from_secs(seconds.parse().expect("a number")))
}

/// How many accounts there are; `XB_CONFORMANCE_USERS` says otherwise where the server starts often, for a few tests each.
fn account_count() -> u32 {
    let said = std::env::var("XB_CONFORMANCE_USERS").ok();
    said.map_or(USERS, |count| count.parse().expect("a number"))
}

/// The server of this run.
pub(crate) fn target() -> &'static Target {
    static TARGET: OnceLock<Target> = OnceLock::new();
    TARGET.get_or_init(|| match std::env::var("XB_CONFORMANCE_TARGET").as_deref() {
        Err(_) | Ok("" | "ours") => ours("", account_count()),
        Ok(peer @ ("prosody" | "ejabberd")) => theirs(peer),
        Ok(other) => panic!("XB_CONFORMANCE_TARGET={other}: there is ours, prosody, ejabberd"),
    })
}

/// Our server with further lines of configuration and this many accounts.
pub(crate) fn ours(settings: &str, users: u32) -> Target {
    let domain = "bench.local";
    let mut config = format!("listen = \"127.0.0.1:0\"\ndomain = \"{domain}\"\nreactors = 2\n{settings}\n");
    for n in 0..users {
        write!(config, "[[users]]\nname = \"u{n:06}\"\npassword = \"p{n}\"\n").unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("serve.toml");
    std::fs::write(&file, config).unwrap();
    let script = "\"$1\" serve \"$2\" & read -r _; kill $!; wait";
    let (shell, line) = start(script, &[Path::new(env!("CARGO_BIN_EXE_xmpp-bench")), &file]);
    // "listening on 127.0.0.1:40123, domain bench.local, …"
    let address = line.strip_prefix("listening on ").and_then(|rest| rest.split(',').next()?.parse().ok());
    let address = address.unwrap_or_else(|| panic!("`serve` said {line:?}"));
    Target { address, domain: domain.to_owned(), patience: patience(PATIENCE), shell }
}

fn theirs(peer: &str) -> Target {
    let folder = std::env::temp_dir().join(format!("xb-conformance-{peer}-{}", std::process::id()));
    let script = format!("bash \"$1\" run \"$2\" --users {}; rm -rf \"$2\"", account_count());
    let (shell, line) = start(&script, &[&path(&format!("scripts/peers/{peer}.sh")), &folder]);
    let said: serde_json::Value =
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("{peer}: {e}: {line}"));
    let host = said["host"].as_str().unwrap();
    let port = u16::try_from(said["port"].as_u64().unwrap()).unwrap();
    Target {
        address: (host, port).to_socket_addrs().unwrap().next().unwrap(),
        domain: said["domain"].as_str().unwrap().to_owned(),
        patience: patience(PATIENCE_WITH_PEERS),
        shell,
    }
}

/// Runs a shell script whose standard input ends with this process, and reads its first line.
fn start(script: &str, arguments: &[&Path]) -> (Child, String) {
    let mut shell = Command::new("sh")
        .env("XB_LOG", "warn")
        .args(["-c", script, "sh"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("there is a shell");
    let mut lines = BufReader::new(shell.stdout.take().unwrap());
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    assert!(!line.is_empty(), "the server did not start");
    // What else it says is drained, or it would stop at a full pipe.
    std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
    (shell, line.trim_end().to_owned())
}
