//! Progress of a run, for a reader on another thread. Written about four times a second, never waited for.

use std::sync::{Mutex, PoisonError};

/// One action of the running phase.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ActionProgress {
    /// `chat`, `presence`, `ping`.
    pub action: String,
    /// Operations due so far in this phase.
    pub intended: u64,
    /// Operations written so far.
    pub sent: u64,
    /// Operations ended well so far.
    pub done: u64,
    /// Median response so far, nanoseconds.
    pub p50_ns: Option<u64>,
    /// p99 so far, nanoseconds.
    pub p99_ns: Option<u64>,
}

/// Where a run stands.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshot {
    /// Name of the running phase; `logout` behind the last one, empty before the first.
    pub phase: String,
    /// Whether the phase is over and its drain runs.
    pub draining: bool,
    /// Nanoseconds since the phase began.
    pub elapsed_ns: u64,
    /// Its planned length; of a login phase, its timeout.
    pub planned_ns: u64,
    /// Users ready now.
    pub users_ready: u64,
    /// Users asked for.
    pub users_target: u64,
    /// Actions of the running phase.
    pub actions: Vec<ActionProgress>,
    /// Lost messages and missing presence so far.
    pub lost: u64,
    /// Operations timed out so far.
    pub timed_out: u64,
    /// Failed logins so far.
    pub login_failures: u64,
    /// The first error.
    pub first_error: Option<String>,
}

/// A [`Snapshot`] that two threads share.
#[derive(Debug, Default)]
pub struct Monitor {
    snapshot: Mutex<Snapshot>,
}

impl Monitor {
    /// The latest snapshot.
    #[must_use]
    pub fn read(&self) -> Snapshot {
        self.snapshot.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces it.
    pub(super) fn write(&self, snapshot: Snapshot) {
        *self.snapshot.lock().unwrap_or_else(PoisonError::into_inner) = snapshot;
    }
}
