//! What the preflight found out, one line each.
//!
//! It judges nothing; how a line is shown is the reader's concern.

use serde::{Deserialize, Serialize};

use crate::load::advice;

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckState {
    /// As the scenario needs it.
    Ok,
    /// Nothing that a run needs, but worth knowing.
    Info,
    /// A run is possible, and its figures would say less than they seem to.
    Warning,
    /// A run is not possible.
    Failed,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What was looked at: `mechanism`, `accounts`, …
    pub check: String,
    /// How it came out.
    pub state: CheckState,
    /// What was seen.
    pub what: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fix: Option<String>,
}

impl Finding {
    /// A line with its way out.
    #[must_use]
    pub fn new(check: &str, state: CheckState, what: impl Into<String>, fix: Option<&str>) -> Self {
        Self { check: check.to_owned(), state, what: what.into(), fix: fix.map(str::to_owned) }
    }

    /// As the scenario needs it.
    #[must_use]
    pub fn ok(check: &str, what: impl Into<String>) -> Self {
        Self::new(check, CheckState::Ok, what, None)
    }

    /// Worth knowing.
    #[must_use]
    pub fn info(check: &str, what: impl Into<String>) -> Self {
        Self::new(check, CheckState::Info, what, None)
    }

    /// Nothing can be run. The way out is what [`advice`] knows.
    #[must_use]
    pub fn failed(check: &str, what: impl Into<String>) -> Self {
        let what = what.into();
        let fix = advice(&what);
        Self::new(check, CheckState::Failed, what, fix)
    }
}
