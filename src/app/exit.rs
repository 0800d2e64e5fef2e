//! How the program ends: exit codes, and what is said to the operator when it ends badly.
//!
//! It does not print; [`super::terminal::Terminal`] does. The codes are part of the program's interface: scripts and
//! CI jobs branch on them, so a number never changes its meaning.

use std::process::ExitCode;

/// What the exit code says. Invalid is never a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Every SLO held and the measurement can be trusted.
    Passed = 0,
    /// Our own bug, or the machine failed us (a full disk, a lost thread).
    Internal = 1,
    /// The command line, the scenario or the configuration is wrong. Nothing was sent.
    Usage = 2,
    /// An SLO was broken.
    SloBroken = 3,
    /// The measurement cannot be trusted: the harness was the limit, or the target rate was missed.
    Invalid = 5,
    /// The target cannot be reached, refused the login, or went away.
    Unreachable = 6,
    /// SIGINT (128 + 2). A partial result is written and marked.
    Interrupted = 130,
    /// SIGTERM (128 + 15). A partial result is written and marked.
    Terminated = 143,
}

impl Exit {
    /// The number that the shell sees.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// What an interrupting signal's number means; SIGTERM is 15, everything else counts as SIGINT.
    #[must_use]
    pub const fn from_signal(signal: i32) -> Self {
        if signal == signal_hook::consts::SIGTERM { Self::Terminated } else { Self::Interrupted }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why the program ends without a result: `error: …` lines, then `help: …` lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// One line each; at least one. Several when a file has several mistakes.
    pub errors: Vec<Complaint>,
}

/// One mistake and its way out, each on one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// What is wrong, and where.
    pub what: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Failure {
    /// A failure with one line.
    #[must_use]
    pub fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self { exit, errors: vec![Complaint { what: what.into(), help: None }] }
    }

    /// The operator's mistake (exit code 2).
    #[must_use]
    pub fn usage(what: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what)
    }

    /// Our own fault or the machine's (exit code 1).
    #[must_use]
    pub fn internal(what: impl Into<String>) -> Self {
        Self::new(Exit::Internal, what)
    }

    /// The target's fault (exit code 6).
    #[must_use]
    pub fn unreachable(what: impl Into<String>) -> Self {
        Self::new(Exit::Unreachable, what)
    }

    /// Adds the way out to the last complaint.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        if let Some(last) = self.errors.last_mut() {
            last.help = Some(help.into());
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_the_interface() {
        let codes: Vec<u8> = [
            Exit::Passed,
            Exit::Internal,
            Exit::Usage,
            Exit::SloBroken,
            Exit::Invalid,
            Exit::Unreachable,
            Exit::Interrupted,
            Exit::Terminated,
        ]
        .map(Exit::code)
        .to_vec();
        assert_eq!(codes, [0, 1, 2, 3, 5, 6, 130, 143]);
        assert_eq!(Exit::from_signal(2), Exit::Interrupted);
        assert_eq!(Exit::from_signal(15), Exit::Terminated);
    }
}
