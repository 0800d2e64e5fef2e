//! Connections that a phase breaks on purpose, and how their users come back.
//!
//! It writes nothing and owns no connection: a user is told to break its own, and a new one is asked for when its time has
//! come. Who is broken and how long everybody waits before each attempt are pure functions of the seed, so they are the
//! same on any number of reactors.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::random::{Purpose, Random};
use super::scenario::{Break, How, Reconnect};
use super::share::Share;
use super::world::LoadWorld;
use super::{Task, VirtualUser};
use crate::engine::Effects;
use crate::limits::STARTS_PER_DEADLINE_MAX;
use crate::metrics::{LoginTimes, ReconnectRecord};
use crate::time::Nanos;

/// One attempt to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Attempt {
    /// Index of the phase that broke the connection.
    phase: u16,
    /// How many came before it.
    number: u32,
}

/// The break of the phase under way, as far as this share goes.
#[derive(Debug, Default)]
pub(super) struct Reconnects {
    /// Nothing when the phase breaks nothing, or is over.
    under_way: Option<UnderWay>,
    /// Own users whose connection is still to be broken, the first one last.
    to_break: Vec<u32>,
    /// When who tries again.
    retries: BinaryHeap<Reverse<(Nanos, u32, u32)>>,
    /// Own users that were broken and are not back.
    away: u32,
}

#[derive(Debug, Clone, Copy)]
struct UnderWay {
    phase: u16,
    at: Nanos,
    how: How,
    reconnect: Reconnect,
}

impl Reconnects {
    /// Nothing is broken and nobody tried any more.
    pub(super) fn close(&mut self) {
        *self = Self::default();
    }

    /// Own users that are to come back.
    pub(super) const fn away(&self) -> u32 {
        self.away
    }

    /// When the phase under way breaks connections, or has.
    pub(super) fn at(&self) -> Option<Nanos> {
        self.under_way.map(|under_way| under_way.at)
    }

    /// When connections are still to be broken.
    pub(super) fn break_at(&self) -> Option<Nanos> {
        self.under_way.filter(|_| !self.to_break.is_empty()).map(|under_way| under_way.at)
    }

    /// When something is to be done next.
    pub(super) fn next(&self) -> Option<Nanos> {
        self.break_at().or_else(|| self.retries.peek().map(|Reverse((at, ..))| *at))
    }

    /// Whether users are away because they were sent away, or may be.
    pub(super) fn has_begun(&self, now: Nanos) -> bool {
        self.under_way.is_some_and(|under_way| under_way.at <= now)
    }
}

/// Users that a phase breaks, in their order: as many as `share` of `count` amounts to, rounded down but one at least, each
/// equally likely.
pub(super) fn chosen(share: f64, count: u32, seed: u64, phase: u32) -> Vec<u32> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of a 32-bit count")]
    // A share is written in decimals: 0.29 of 100 are 29, whatever they are in binary.
    let wanted = ((f64::from(count) * share + 1e-6) as usize).max(1);
    let mut random = Random::new(seed, Purpose::Break(phase));
    let mut users: Vec<u32> = (0..count).collect();
    for place in 0..wanted {
        let left = u32::try_from(users.len() - place).expect("at most `count`");
        users.swap(place, place + random.below(left) as usize);
    }
    users.truncate(wanted);
    users.sort_unstable();
    users
}

/// How long `user` waits before its attempt, in nanoseconds.
fn wait_ns(reconnect: &Reconnect, seed: u64, user: u32, attempt: Attempt) -> u64 {
    let step = match (reconnect.at_once, attempt.number) {
        (true, 0) => return 0,
        (true, number) => number - 1,
        (false, number) => number,
    };
    // 2^40 times the shortest wait is above any longest one.
    let most = reconnect.first.as_nanos().saturating_mul(1 << step.min(40)).min(reconnect.longest.as_nanos());
    let most = u64::try_from(most).expect("at most PHASE_DURATION_MAX");
    if !reconnect.jitter {
        return most;
    }
    let purpose = Purpose::Backoff { phase: attempt.phase, user, attempt: attempt.number };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of a 64-bit number")]
    let part = (most as f64 * Random::new(seed, purpose).unit()) as u64;
    part
}

impl LoadWorld {
    /// A phase that breaks connections begins at `begin`; its record.
    pub(super) fn plan_break(&mut self, phase: u16, spec: &Break, begin: Nanos) -> ReconnectRecord {
        let at = begin + spec.at;
        let all = chosen(spec.share, self.users.count(), self.plan.scenario.seed, u32::from(phase));
        self.users.set_broken(&all);
        let share: Share = self.share;
        let own = all.into_iter().rev().filter(|user| share.has(*user)).collect();
        let under_way = Some(UnderWay { phase, at, how: spec.how, reconnect: spec.reconnect });
        self.reconnects = Reconnects { under_way, to_break: own, ..Reconnects::default() };
        ReconnectRecord::new(at)
    }

    /// Breaks the connections that are due, or else has users try again, as many as one call may.
    pub(super) fn reconnect_due(&mut self, now: Nanos, effects: &mut Effects<VirtualUser>) {
        let Some(under_way) = self.reconnects.under_way else { return };
        if self.reconnects.break_at().is_some() {
            if now < under_way.at {
                return;
            }
            for _ in 0..STARTS_PER_DEADLINE_MAX {
                let Some(user) = self.reconnects.to_break.pop() else { break };
                if let Some(conn) = self.users.get(user).conn {
                    effects.task(conn, Task::Break(under_way.how));
                }
            }
            return;
        }
        for _ in 0..STARTS_PER_DEADLINE_MAX {
            let Some(Reverse((at, user, number))) = self.reconnects.retries.peek().copied() else { return };
            if at > now {
                return;
            }
            self.reconnects.retries.pop();
            if let Some(record) = self.reconnect_record() {
                record.attempts += 1;
            }
            let attempt = Attempt { phase: under_way.phase, number };
            let former = self.users.take_former(user);
            let negotiation = self.login_negotiation(user, former.as_deref());
            let handler = VirtualUser::coming_back(user, negotiation, at, now, attempt, former);
            self.connect(handler, effects);
        }
    }

    fn reconnect_record(&mut self) -> Option<&mut ReconnectRecord> {
        self.journal.phase_mut()?.reconnect.as_mut()
    }

    /// A user has broken its connection, as it was told.
    pub(super) fn was_broken(&mut self, user: u32, now: Nanos) {
        let Some(under_way) = self.reconnects.under_way else { return };
        if let Some(record) = self.reconnect_record() {
            record.broken += 1;
        }
        self.reconnects.away += 1;
        self.try_again(user, Attempt { phase: under_way.phase, number: 0 }, now);
    }

    fn try_again(&mut self, user: u32, attempt: Attempt, now: Nanos) {
        let Some(under_way) = &self.reconnects.under_way else { return };
        let wait = wait_ns(&under_way.reconnect, self.plan.scenario.seed, user, attempt);
        self.reconnects.retries.push(Reverse((Nanos(now.0.saturating_add(wait)), user, attempt.number)));
    }

    /// Whether the phase that this attempt belongs to still waits for it.
    fn is_awaited(&self, attempt: Attempt) -> bool {
        self.reconnects.under_way.is_some_and(|under_way| under_way.phase == attempt.phase)
    }

    /// An attempt came to nothing: `what` is one line. The user tries again until its phase is over.
    pub(super) fn come_back_failed(&mut self, user: u32, attempt: Attempt, what: &str, now: Nanos) {
        if self.is_over() {
            return;
        }
        self.tally.error("reconnection failed", what, now);
        if self.is_awaited(attempt) {
            if let Some(record) = self.reconnect_record() {
                record.failed += 1;
            }
            self.try_again(user, Attempt { number: attempt.number + 1, ..attempt }, now);
        }
    }

    /// A user is ready again.
    pub(super) fn came_back(&mut self, attempt: Attempt, times: &LoginTimes) {
        if self.is_awaited(attempt) {
            self.reconnects.away -= 1;
            if let Some(record) = self.reconnect_record() {
                record.back(times);
            }
        } else {
            self.tally.other("came_back_late");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const BACKOFF: Reconnect = Reconnect {
        first: Duration::from_secs(1),
        longest: Duration::from_secs(30),
        jitter: false,
        at_once: false,
    };

    fn waits(reconnect: &Reconnect) -> Vec<u64> {
        let attempt = |number| Attempt { phase: 1, number };
        (0..7).map(|number| wait_ns(reconnect, 7, 3, attempt(number)) / 1_000_000_000).collect()
    }

    #[test]
    fn waits_double_up_to_the_longest() {
        assert_eq!(waits(&BACKOFF), [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(waits(&Reconnect { at_once: true, ..BACKOFF }), [0, 1, 2, 4, 8, 16, 30]);
        let far = Attempt { phase: 1, number: u32::MAX };
        assert_eq!(wait_ns(&BACKOFF, 7, 3, far), 30_000_000_000);
    }

    proptest! {
        #[test]
        fn jitter_spreads_below_the_wait(user: u32, number in 0u32..9, seed: u64) {
            let jittered = Reconnect { jitter: true, ..BACKOFF };
            let attempt = Attempt { phase: 2, number };
            let wait = wait_ns(&jittered, seed, user, attempt);
            prop_assert!(wait <= wait_ns(&BACKOFF, seed, user, attempt));
            prop_assert_eq!(wait, wait_ns(&jittered, seed, user, attempt));
            prop_assert_ne!(wait, wait_ns(&jittered, seed, user ^ 1, attempt));
            prop_assert_ne!(wait, wait_ns(&jittered, seed, user, Attempt { phase: 3, ..attempt }));
        }

        #[test]
        fn the_share_is_chosen_by_the_seed(count in 1u32..300, percent in 1u32..=100, seed: u64) {
            let share = f64::from(percent) / 100.0;
            let users = chosen(share, count, seed, 1);
            let wanted = f64::from(count) * share;
            prop_assert!(users.len() == 1 || (wanted - users.len() as f64).abs() < 1.0);
            prop_assert!(users.windows(2).all(|w| w[0] < w[1]) && users.iter().all(|user| *user < count));
            prop_assert!(percent == 100 || count == 1 || users.len() < count as usize, "somebody stays");
            prop_assert_eq!(&users, &chosen(share, count, seed, 1));
        }
    }

    #[test]
    fn everybody_is_as_likely() {
        let mut times = [0u32; 10];
        (0..2_000).flat_map(|seed| chosen(0.3, 10, seed, 1)).for_each(|user| times[user as usize] += 1);
        assert!(times.iter().all(|times| (500..700).contains(times)), "{times:?}");
        assert_ne!(chosen(0.5, 100, 1, 1), chosen(0.5, 100, 1, 2), "each phase has others");
    }
}
