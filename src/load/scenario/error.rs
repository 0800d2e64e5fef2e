//! What is wrong with a scenario file, and where.

use std::fmt;

/// One fault, with its place and, where there is one, a way out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ScenarioError {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The fault.
    pub what: String,
    /// The way out: `did you mean …`.
    pub help: Option<String>,
    /// The `--set` path that caused it; then the place is of no use to anybody and not printed.
    pub set: Option<String>,
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.set {
            Some(path) => write!(f, "--set {path}: {}", self.what)?,
            None => write!(f, "line {}, column {}: {}", self.line, self.column, self.what)?,
        }
        match &self.help {
            Some(help) => write!(f, "; {help}"),
            None => Ok(()),
        }
    }
}
