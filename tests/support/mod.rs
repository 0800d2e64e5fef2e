//! What the interop tests share: foreign servers, our router as a process, and what to do when a peer is missing.
//!
//! It speaks no XMPP. Whatever is started here dies with the value that stands for it, and with this process.

#![allow(dead_code, reason = "each test file is a program of its own and uses a part")]

pub(crate) mod peer;
pub(crate) mod router;

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{ChildStdout, Command};
use std::sync::mpsc;
use std::time::Duration;

/// How long a process may take until it says its first line. The peers' scripts give up after a minute themselves.
const FIRST_LINE_MAX: Duration = Duration::from_secs(90);

/// Says that a test did nothing, and why. Where peers are required, as in CI, that is a failure.
pub(crate) fn skip(why: &str) {
    let required = std::env::var_os("XB_REQUIRE_PEERS").is_some_and(|value| value == "1");
    assert!(!required, "XB_REQUIRE_PEERS=1 and {why}");
    say_skipped(why);
}

/// Says that a test did nothing because the machine does not let it, which nobody can require.
#[expect(clippy::print_stderr, reason = "a skipped test says so to whoever reads the log")]
pub(crate) fn say_skipped(why: &str) {
    eprintln!("skipped: {why}");
}

/// A path of this repository.
pub(crate) fn path(relative: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(relative)
}

/// The program under test.
pub(crate) fn xmpp_bench() -> Command {
    Command::new(env!("CARGO_BIN_EXE_xmpp-bench"))
}

/// The first line of a child, without its end; `None` when it closed its output or stayed silent.
///
/// The reader goes on draining, so that the child never blocks on a full pipe.
fn first_line(stdout: ChildStdout) -> Option<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            // Nobody listens for the second line.
            let _ = sender.send(line);
        }
    });
    receiver.recv_timeout(FIRST_LINE_MAX).ok()
}
