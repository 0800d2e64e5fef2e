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

/// A [`Snapshot`] for a reader on another thread, from each reactor of a run.
#[derive(Debug, Default)]
pub struct Monitor {
    snapshots: Mutex<Vec<Snapshot>>,
}

impl Monitor {
    /// The latest snapshot: the sum of what the reactors last wrote. Percentiles are those of the reactor that has the
    /// highest; the result has the true ones.
    #[must_use]
    pub fn read(&self) -> Snapshot {
        let snapshots = self.snapshots.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((first, others)) = snapshots.split_first() else { return Snapshot::default() };
        let mut sum = first.clone();
        others.iter().for_each(|other| sum.add(other));
        sum
    }

    /// Replaces that of one reactor; the first one's phase is the run's.
    pub(super) fn write(&self, reactor: u32, snapshot: Snapshot) {
        let mut snapshots = self.snapshots.lock().unwrap_or_else(PoisonError::into_inner);
        let place = reactor as usize;
        if snapshots.len() <= place {
            snapshots.resize_with(place + 1, Snapshot::default);
        }
        snapshots[place] = snapshot;
    }
}

impl Snapshot {
    /// Adds another reactor's numbers. Those of an earlier phase say nothing about this one.
    fn add(&mut self, other: &Self) {
        self.users_ready += other.users_ready;
        self.users_target += other.users_target;
        self.lost += other.lost;
        self.timed_out += other.timed_out;
        self.login_failures += other.login_failures;
        self.first_error = self.first_error.take().or_else(|| other.first_error.clone());
        if other.phase == self.phase {
            for (own, theirs) in self.actions.iter_mut().zip(&other.actions) {
                own.intended += theirs.intended;
                own.sent += theirs.sent;
                own.done += theirs.done;
                own.p50_ns = own.p50_ns.max(theirs.p50_ns);
                own.p99_ns = own.p99_ns.max(theirs.p99_ns);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reactors_are_added_up() {
        let monitor = Monitor::default();
        assert_eq!(monitor.read(), Snapshot::default());
        let snapshot = |phase: &str, done, p99_ns| Snapshot {
            phase: phase.to_owned(),
            users_ready: 5,
            users_target: 6,
            actions: vec![ActionProgress { done, p99_ns, ..ActionProgress::default() }],
            lost: 1,
            ..Snapshot::default()
        };
        monitor.write(2, snapshot("steady", 3, Some(9)));
        monitor.write(0, snapshot("steady", 4, None));
        let read = monitor.read();
        assert_eq!(
            (read.phase.as_str(), read.users_ready, read.users_target, read.lost),
            ("steady", 10, 12, 2)
        );
        assert_eq!((read.actions[0].done, read.actions[0].p99_ns), (7, Some(9)));
        monitor.write(0, snapshot("next", 1, None));
        assert_eq!(monitor.read().actions[0].done, 1, "the other one is still in the phase before");
    }
}
