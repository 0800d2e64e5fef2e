//! Progress of a run, for a reader on another thread. Written about four times a second, never waited for.
//!
//! It judges nothing and computes no percentile: a reactor hands over what its histograms hold, and the reader, who has
//! time, makes percentiles and rates of it.

use std::sync::{Arc, Mutex, PoisonError};

use crate::metrics::{ActionProgress, Counts};

/// A step of set-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetUpProgress {
    /// `register`, `ask`, `approve`, `rehearse`; of a teardown `clear`, `remove`.
    pub step: &'static str,
    /// Users that are through with it.
    pub done: u64,
    /// Users that are to go through it.
    pub of: u64,
}

/// Where a run stands.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshot {
    /// Name of the running phase; `set-up` and `logout` before the first and behind the last one, empty before both.
    pub phase: String,
    /// Whether the phase is judged.
    pub measured: bool,
    /// Whether the phase is over and its drain runs.
    pub draining: bool,
    /// Nanoseconds since the phase began.
    pub elapsed_ns: u64,
    /// Its planned length; of a login phase, its timeout.
    pub planned_ns: u64,
    /// Connections now.
    pub users_connected: u64,
    /// Users ready now.
    pub users_ready: u64,
    /// Users asked for.
    pub users_target: u64,
    /// How far set-up is, while it lasts.
    pub set_up: Option<SetUpProgress>,
    /// Logins that ended well so far.
    pub logins: u64,
    /// Failed logins so far.
    pub login_failures: u64,
    /// While users log in, their logins as an action named `login`.
    pub login: Option<ActionProgress>,
    /// Actions of the running phase.
    pub actions: Vec<ActionProgress>,
    /// Counts of all actions of all phases so far.
    pub counts: Counts,
    /// The first error.
    pub first_error: Option<String>,
}

/// A [`Snapshot`] for a reader on another thread, from each reactor of a run.
#[derive(Debug, Default)]
pub struct Monitor {
    /// Behind an `Arc` each, so that a reactor waits for no copy.
    snapshots: Mutex<Vec<Arc<Snapshot>>>,
}

impl Monitor {
    /// The latest snapshot: the sum of what the reactors last wrote.
    #[must_use]
    pub fn read(&self) -> Snapshot {
        let snapshots = self.snapshots.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some((first, others)) = snapshots.split_first() else { return Snapshot::default() };
        let mut sum = Snapshot::clone(first);
        others.iter().for_each(|other| sum.add(other));
        sum
    }

    /// Replaces that of one reactor; the first one's phase is the run's.
    pub(super) fn write(&self, reactor: u32, snapshot: Snapshot) {
        let snapshot = Arc::new(snapshot);
        let mut snapshots = self.snapshots.lock().unwrap_or_else(PoisonError::into_inner);
        let place = reactor as usize;
        if snapshots.len() <= place {
            snapshots.resize_with(place + 1, Arc::default);
        }
        snapshots[place] = snapshot;
    }
}

impl Snapshot {
    /// Adds another reactor's numbers. Those of an earlier phase say nothing about this one.
    fn add(&mut self, other: &Self) {
        self.users_connected += other.users_connected;
        self.users_ready += other.users_ready;
        self.users_target += other.users_target;
        self.logins += other.logins;
        self.login_failures += other.login_failures;
        if let (Some(own), Some(theirs)) = (&mut self.login, &other.login) {
            own.join(theirs);
        }
        self.counts.add(&other.counts);
        self.first_error = self.first_error.take().or_else(|| other.first_error.clone());
        if let (Some(own), Some(theirs)) = (&mut self.set_up, &other.set_up)
            && own.step == theirs.step
        {
            own.done += theirs.done;
            own.of += theirs.of;
        }
        if other.phase == self.phase {
            for (own, theirs) in self.actions.iter_mut().zip(&other.actions) {
                own.join(theirs);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Recorder;

    #[test]
    fn reactors_are_added_up() {
        let monitor = Monitor::default();
        assert_eq!(monitor.read(), Snapshot::default());
        let snapshot = |phase: &str, done, ms: u64| {
            let mut recorder = Recorder::default();
            recorder.record(ms * 1_000_000);
            let counts = Counts { done, lost: 1, ..Counts::default() };
            Snapshot {
                phase: phase.to_owned(),
                users_ready: 5,
                users_target: 6,
                actions: vec![ActionProgress {
                    counts,
                    response: recorder.buckets(),
                    ..ActionProgress::default()
                }],
                counts,
                ..Snapshot::default()
            }
        };
        monitor.write(2, snapshot("steady", 3, 9));
        monitor.write(0, snapshot("steady", 4, 1));
        let read = monitor.read();
        assert_eq!(
            (read.phase.as_str(), read.users_ready, read.users_target, read.counts.lost),
            ("steady", 10, 12, 2)
        );
        let action = &read.actions[0];
        assert_eq!((action.counts.done, action.response.count()), (7, 2));
        let ms = |quantile| action.response.quantile(quantile).unwrap() / 1_000_000;
        assert_eq!((ms(0.5), ms(1.0)), (1, 9), "percentiles are those of all reactors together");
        monitor.write(0, snapshot("next", 1, 1));
        let read = monitor.read();
        assert_eq!(read.actions[0].counts.done, 1, "the other one is still in the phase before");
        assert_eq!(read.counts.done, 4);
    }
}
