//! One action by the seconds of its phase: how many operations were due and ended, and how fast the ended ones were.
//!
//! It keeps no histogram of a second that is over, unless it is to be joined with another reactor's: then it keeps
//! the buckets that are not empty, some kilobytes per second.

use std::collections::VecDeque;

use super::Recorder;
use super::record::SECOND_NS;
use super::summary::Second;
use crate::time::Nanos;

/// Seconds whose responses are still being recorded when several reactors tell of them: the news of one may be a moment
/// older than those of another, and a moment may be an edge.
const OPEN_MAX: usize = 2;

/// The seconds of one action.
#[derive(Debug, Clone, Default)]
pub(super) struct Seconds {
    begin: Nanos,
    all: Vec<Second>,
    /// Seconds that are being recorded, ascending.
    open: VecDeque<(usize, Recorder)>,
    /// Responses of each second that is over: see [`Recorder::to_sparse`].
    kept: Option<Vec<Vec<(u32, u32)>>>,
}

impl Seconds {
    pub(super) fn new(begin: Nanos) -> Self {
        Self { begin, ..Self::default() }
    }

    /// Keeps what [`Self::join`] needs.
    pub(super) fn for_joining(mut self) -> Self {
        self.kept = Some(Vec::new());
        self
    }

    fn index(&self, at: Nanos) -> usize {
        usize::try_from(at.since(self.begin) / SECOND_NS).expect("a phase is shorter than 2^32 s")
    }

    /// The second of `at`.
    pub(super) fn at(&mut self, at: Nanos) -> &mut Second {
        let index = self.index(at);
        self.second(index)
    }

    fn second(&mut self, index: usize) -> &mut Second {
        while self.all.len() <= index {
            let at = u32::try_from(self.all.len()).expect("a phase is shorter than 2^32 s");
            self.all.push(Second { at, ..Second::default() });
        }
        &mut self.all[index]
    }

    /// An operation ended at `now`.
    pub(super) fn done(&mut self, now: Nanos, response_ns: u64) {
        let index = self.index(now);
        self.second(index).done += 1;
        self.open(index).record(response_ns);
    }

    /// The recorder of a second; of the oldest that is still open when that one is over.
    fn open(&mut self, index: usize) -> &mut Recorder {
        let open_max = if self.kept.is_some() { OPEN_MAX } else { 1 };
        let place = match self.open.binary_search_by_key(&index, |(at, _)| *at) {
            Ok(place) => place,
            Err(0) if !self.open.is_empty() => 0,
            Err(place) => {
                let mut recorder = Recorder::default();
                let mut place = place;
                if self.open.len() >= open_max
                    && let Some((at, full)) = self.open.pop_front()
                {
                    recorder = self.close(at, full);
                    place -= 1;
                }
                self.open.insert(place, (index, recorder));
                place
            }
        };
        &mut self.open[place].1
    }

    /// Sums up a second that is over; returns its recorder, empty.
    fn close(&mut self, index: usize, mut recorder: Recorder) -> Recorder {
        sum_up(self.second(index), &recorder);
        if let Some(kept) = &mut self.kept {
            kept.resize_with(kept.len().max(index + 1), Vec::new);
            kept[index].extend(recorder.to_sparse());
        }
        recorder.clear();
        recorder
    }

    fn close_all(&mut self) {
        while let Some((index, recorder)) = self.open.pop_front() {
            self.close(index, recorder);
        }
    }

    /// Adds the seconds of the same action on another reactor. Both were made to be joined.
    pub(super) fn join(&mut self, mut other: Self) {
        self.close_all();
        other.close_all();
        for (index, theirs) in other.all.iter().enumerate() {
            let own = self.second(index);
            own.intended += theirs.intended;
            own.done += theirs.done;
        }
        let (Some(mut kept), Some(theirs)) = (self.kept.take(), other.kept) else {
            unreachable!("seconds of several reactors are kept")
        };
        kept.resize_with(kept.len().max(theirs.len()), Vec::new);
        let mut recorder = Recorder::default();
        for (index, buckets) in theirs.into_iter().enumerate().filter(|(_, buckets)| !buckets.is_empty()) {
            kept[index].extend(buckets);
            recorder.clear();
            recorder.add_sparse(&kept[index]);
            sum_up(self.second(index), &recorder);
        }
        self.kept = Some(kept);
    }

    pub(super) fn summary(&mut self) -> Vec<Second> {
        self.close_all();
        self.all.clone()
    }
}

fn sum_up(second: &mut Second, recorder: &Recorder) {
    second.p50_ns = recorder.printable(0.5).map(|q| q.ns);
    second.p99_ns = recorder.printable(0.99).map(|q| q.ns);
    second.max_ns = recorder.printable(1.0).map(|q| q.ns);
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn joined_seconds_are_those_of_one_reactor() {
        let begin = Nanos(5_000 * MS);
        let mut whole = Seconds::new(begin);
        let mut parts = [(); 3].map(|()| Seconds::new(begin).for_joining());
        for (n, third) in (0..2_000u64).zip([0, 1, 2].into_iter().cycle()) {
            // A second without any in the middle.
            let ms = if n < 1_000 { n * 2 } else { 1_000 + n * 2 };
            let (now, response) = (Nanos(begin.0 + ms * MS), (n * 7_919 % 1_000) * MS / 10);
            let part = &mut parts[third];
            for seconds in [&mut whole, part] {
                seconds.at(now).intended += 1;
                seconds.done(now, response);
            }
        }
        let [mut sum, second, third] = parts;
        sum.join(second);
        sum.join(third);
        let want = whole.summary();
        assert_eq!(want.len(), 5);
        assert!(want[2].done == 0 && want[0].p99_ns.is_some());
        assert_eq!(sum.summary(), want);
    }

    /// Two reactors' news of the same edge come in either order.
    #[test]
    fn a_moment_late_is_not_another_second() {
        let at = |ms| Nanos(ms * MS);
        let mut seconds = Seconds::new(at(0)).for_joining();
        for (ms, response) in [(990, 1), (1_001, 2), (999, 3), (2_500, 4)] {
            seconds.done(at(ms), response * MS);
        }
        let summary = seconds.summary();
        assert_eq!(summary.iter().map(|s| s.done).collect::<Vec<_>>(), [2, 1, 1]);
        let slowest: Vec<_> = summary.iter().map(|s| s.max_ns.map(|ns| ns / MS)).collect();
        assert_eq!(slowest, [Some(3), Some(2), Some(4)]);
    }
}
