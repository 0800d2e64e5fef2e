//! Our router as a process of its own: `xmpp-bench serve`.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::process::{Child, Stdio};

const DOMAIN: &str = "bench.local";

/// A running router.
#[derive(Debug)]
pub(crate) struct Router {
    pub(crate) address: SocketAddr,
    pub(crate) domain: &'static str,
    child: Child,
}

impl Router {
    /// Starts it with accounts `u000000` … and passwords `p0` …, as [`super::peer::Peer::start`] does.
    pub(crate) fn start(users: u32) -> Self {
        let mut config = format!("listen = \"127.0.0.1:0\"\ndomain = \"{DOMAIN}\"\nstore = \"memory\"\n");
        for n in 0..users {
            write!(config, "[[users]]\nname = \"u{n:06}\"\npassword = \"p{n}\"\n")
                .expect("a string takes it");
        }
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let file = folder.path().join("serve.toml");
        std::fs::write(&file, config).expect("the configuration can be written");
        Self::start_with(&[file.as_os_str()])
    }

    /// Starts it as suites of tests have it: without accounts but the administrator's, `admin` with that password.
    pub(crate) fn for_test_suites() -> Self {
        let words = ["--test-suite", "--listen", "127.0.0.1:0", "--domain", DOMAIN];
        Self::start_with(&words.map(OsStr::new))
    }

    fn start_with(words: &[&OsStr]) -> Self {
        let mut child = super::xmpp_bench()
            .arg("serve")
            .args(words)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let line = super::first_line(child.stdout.take().expect("stdout is a pipe"));
        let Some(line) = line else {
            let _ = child.kill();
            panic!("`serve` said nothing: {:?}", child.wait());
        };
        // "listening on 127.0.0.1:40123, domain bench.local, …"
        let address =
            line.strip_prefix("listening on ").and_then(|rest| rest.split(',').next()?.parse().ok());
        let Some(address) = address else {
            let _ = child.kill();
            let _ = child.wait();
            panic!("no address in: {line}");
        };
        Self { address, domain: DOMAIN, child }
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
