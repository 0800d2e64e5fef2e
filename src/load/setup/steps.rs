//! Who is sent when, and what comes back: the world's part of set-up.
//!
//! Which step follows which for all shares is [`super::super::together`]'s concern.

use std::time::Duration;

use super::{Registered, Visit, Visited};
use crate::engine::Effects;
use crate::limits::ERRANDS_AT_ONCE_MAX;
use crate::load::VirtualUser;
use crate::load::mail::Errand;
use crate::load::monitor::SetUpProgress;
use crate::load::stage::Stage;
use crate::load::world::LoadWorld;
use crate::metrics::{Failure, Invalid};
use crate::time::Nanos;

/// A step of set-up under way: users of this share are sent on an errand, a few at a time.
#[derive(Debug)]
pub(in crate::load) struct Errands {
    errand: Errand,
    /// The next user to be looked at.
    next: u32,
    /// The first user that is not sent.
    last: u32,
    /// Users on their way.
    active: u32,
    /// Users of this share that are back or need not go, and all of them.
    done: u32,
    of: u32,
    /// When the next one may go, and how long after it the one behind it.
    at: Nanos,
    gap: Duration,
}

impl LoadWorld {
    /// Sends this share's users on an errand, the first one at `now`.
    pub(in crate::load) fn send_on(&mut self, errand: Errand, now: Nanos) {
        let users = &self.plan.scenario.users;
        let last = match errand {
            Errand::Rehearse => self.rehearsals(),
            Errand::ProbeIds => 1,
            Errand::Register | Errand::Ask | Errand::Approve | Errand::Clear | Errand::Remove => {
                self.users.count()
            }
        };
        // Shares keep the rate together, each a part of it.
        let gap = users.setup_rate.map_or(0.0, |rate| f64::from(self.share.count()) / rate.0);
        let gap = Duration::from_secs_f64(gap);
        let of = self.share.part_of(last);
        self.stage = Stage::Prepare(Errands { errand, next: 0, last, active: 0, done: 0, of, at: now, gap });
    }

    /// When [`Self::prepare_some`] has something to do.
    pub(in crate::load) fn next_errand_at(&self, errands: &Errands) -> Nanos {
        match errands {
            Errands { next, last, active: 0, .. } if next == last => Nanos::ZERO,
            Errands { next, last, active, at, .. } if next < last && *active < self.errands_at_once() => *at,
            _ => Nanos::MAX,
        }
    }

    /// Users of this share that may be on their way at one time.
    const fn errands_at_once(&self) -> u32 {
        let part = self.share.part_of(ERRANDS_AT_ONCE_MAX);
        if part == 0 { 1 } else { part }
    }

    /// Sends who may go now, and ends the step when everybody is back.
    pub(in crate::load) fn prepare_some(&mut self, now: Nanos, effects: &mut Effects<VirtualUser>) {
        let at_once = self.errands_at_once();
        loop {
            let Stage::Prepare(errands) = &mut self.stage else { return };
            if errands.next == errands.last || errands.active >= at_once || now < errands.at {
                break;
            }
            let (errand, user) = (errands.errand, errands.next);
            errands.next += 1;
            if !self.share.has(user) {
                continue;
            }
            if matches!(errand, Errand::Approve | Errand::Remove) && self.settled[self.share.slot(user)] {
                errands.done += 1;
                continue;
            }
            errands.active += 1;
            errands.at = now + errands.gap;
            let handler = match errand {
                Errand::Register => VirtualUser::registering(user),
                Errand::Rehearse => VirtualUser::rehearsing(user, self.negotiation(user)),
                Errand::ProbeIds => VirtualUser::probing(user, self.negotiation(user)),
                Errand::Ask | Errand::Approve | Errand::Clear | Errand::Remove => {
                    VirtualUser::visiting(user, Visit::new(user, errand, self.negotiation(user)))
                }
            };
            self.connect(handler, effects);
        }
        if let Stage::Prepare(Errands { next, last, active: 0, .. }) = &self.stage
            && next == last
        {
            self.part_done(now, effects);
        }
    }

    /// How far the step under way has come here.
    pub(in crate::load) const fn errands_progress(errands: &Errands) -> SetUpProgress {
        SetUpProgress { step: errands.errand.as_str(), done: errands.done as u64, of: errands.of as u64 }
    }

    /// A user came back from what it was sent for.
    pub(in crate::load) fn errand_done(&mut self, word: &'static str) {
        self.tally.other(word);
        if let Stage::Prepare(errands) = &mut self.stage {
            errands.active -= 1;
            errands.done += 1;
        }
    }

    /// An account was made, or not.
    pub(in crate::load) fn registered(
        &mut self,
        outcome: Registered,
        now: Nanos,
        effects: &mut Effects<VirtualUser>,
    ) {
        match outcome {
            Registered::Created => self.errand_done("registered"),
            Registered::Exists => self.errand_done("registered_before"),
            Registered::Failed(what) => {
                self.tally.error("registration failed", &what, now);
                self.fail(Failure::LoginRefused(what), now, effects);
            }
        }
    }

    /// A user was on the server for the sake of its roster or its account.
    pub(in crate::load) fn visited(
        &mut self,
        user: u32,
        visited: Visited,
        now: Nanos,
        effects: &mut Effects<VirtualUser>,
    ) {
        match visited {
            Visited::Asked(0) => {
                self.settled[self.share.slot(user)] = true;
                self.errand_done("rosters_right_before");
            }
            Visited::Asked(asked) => {
                self.tally.others("subscriptions_asked", asked);
                self.errand_done("rosters_made");
            }
            Visited::Approved(approved) => {
                self.tally.others("subscriptions_approved", approved);
                self.errand_done("rosters_approved");
            }
            Visited::Cleared { removed, refused } => {
                self.tally.others("contacts_removed", removed);
                self.tally.others("contacts_not_removed", refused);
                self.errand_done("rosters_cleared");
            }
            Visited::Removed => self.errand_done("accounts_removed"),
            Visited::NotOurs => {
                self.settled[self.share.slot(user)] = true;
                self.errand_done("accounts_skipped");
            }
            Visited::Refused(what) => {
                let what = format!("user {}: {what}", self.username(user));
                self.tally.error("set-up was refused", &what, now);
                self.errand_done("set_up_refused");
                // One account that stays is no reason to leave the others; a roster that is wrong is.
                if self.plan.mode != super::Mode::Teardown && !self.is_over() {
                    self.invalid.push(Invalid { limit: "roster".to_owned(), what });
                    self.end_run(now, effects);
                }
            }
            Visited::Cut(what) => {
                let what = format!("user {}: {what}", self.username(user));
                self.tally.error("connection lost while setting up", &what, now);
                self.login_failed(Failure::TargetUnreachable(what), now, effects);
            }
        }
    }

    /// Contacts that the scenario's graph gives a user of this share; none once it has logged in for the run.
    pub(in crate::load) fn planned_contacts(&self, user: u32) -> &[u32] {
        self.graph.get(self.share.slot(user)).map_or(&[], Vec::as_slice)
    }
}
