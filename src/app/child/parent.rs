//! The parent's side: start the router, hear from it, end it.
//!
//! It waits for nothing by itself: what the child says arrives through the closure given to [`Router::start`].

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use super::{End, Order, Ready, SUBCOMMAND};
use crate::app::exit::Failure;

/// How long a router may take to end after its pipe was closed.
const END_MAX: Duration = Duration::from_secs(5);

/// What the child's stdout said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// It listens, or cannot.
    Ready(Ready),
    /// Its stdout has ended: it is gone, or about to be.
    Gone,
}

/// A running router. Dropping it kills it.
#[derive(Debug)]
pub struct Router {
    child: Child,
    /// Open as long as the child is to live.
    stdin: Option<ChildStdin>,
    end: Receiver<End>,
}

impl Router {
    /// Starts this program again with `order`. `hear` is called in a thread of its own.
    ///
    /// # Errors
    /// Exit code 1: the process cannot be started.
    pub fn start(order: &Order, hear: impl Fn(Heard) + Send + 'static) -> Result<Self, Failure> {
        let failed =
            |error: std::io::Error| Failure::internal(format!("cannot start the embedded router: {error}"));
        let mut child = Command::new(std::env::current_exe().map_err(failed)?)
            .arg(SUBCOMMAND)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Ctrl-C goes to the whole foreground group, and the router must outlive the logout of its clients.
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        let mut stdin = child.stdin.take().expect("stdin was asked for");
        let stdout = child.stdout.take().expect("stdout was asked for");
        let (sender, end) = mpsc::channel();
        let mut line = serde_json::to_string(order).expect("an order is plain data");
        line.push('\n');
        thread::Builder::new()
            .name("router-stdout".into())
            .spawn(move || {
                for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                    if let Ok(ready) = serde_json::from_str::<Ready>(&line) {
                        hear(Heard::Ready(ready));
                    } else if let Ok(last) = serde_json::from_str::<End>(&line) {
                        let _ = sender.send(last);
                    }
                }
                hear(Heard::Gone);
            })
            .map_err(failed)?;
        // A child that died at once breaks the pipe; `Heard::Gone` tells that better than an error here.
        let _ = stdin.write_all(line.as_bytes());
        Ok(Self { child, stdin: Some(stdin), end })
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it, and says what it counted (`None`: it left no last word) and how it ended, in words. For a router that
    /// is gone already, this tells what it died of.
    #[must_use]
    pub fn stop(mut self) -> (Option<End>, String) {
        drop(self.stdin.take());
        match self.end.recv_timeout(END_MAX) {
            Err(RecvTimeoutError::Timeout) => {
                (None, format!("it did not end within {} s", END_MAX.as_secs()))
            }
            last_word => {
                if last_word.is_err() {
                    // Its stdout has ended, so it does not live long; a kill makes that certain, and changes nothing
                    // of how it ended.
                    let _ = self.child.kill();
                }
                let how = self.child.wait().map_or_else(|error| error.to_string(), describe);
                (last_word.ok(), how)
            }
        }
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        drop(self.stdin.take());
        // It has said its last word or is out of time.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn describe(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("it was killed by signal {signal}"),
        (None, Some(code)) => format!("it exited with code {code}"),
        (None, None) => "it ended".to_owned(),
    }
}
