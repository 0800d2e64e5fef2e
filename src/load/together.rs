//! What the shares of a run do together: begin a step at one time, and tell each other who is there and what came in.
//!
//! It starts no operation. The first share conducts: it alone decides when a step begins, and a step begins only when
//! every share has told that its part of the last one is over. A run on one reactor is its own conductor, and waits for
//! nobody.

use std::time::Duration;

use super::VirtualUser;
use super::ids::StanzaId;
use super::journal::{Matched, Received, What};
use super::mail::{Errand, Letter, Mail, Step, StepKind};
use super::setup::Mode;
use super::stage::Stage;
use super::tally::ended_text;
use super::world::LoadWorld;
use crate::engine::{Effects, Ended};
use crate::limits::STEP_LEAD;
use crate::metrics::Failure;
use crate::router::HomeId;
use crate::time::Nanos;

/// How far the shares have come.
#[derive(Debug, Default)]
pub(super) struct Together {
    /// The step under way; 0 before the first.
    step: u32,
    /// What it is.
    what: Option<StepKind>,
    /// Shares that are done with it, as far as the conductor has heard.
    done: u32,
    /// Whether another share's user has a roster that is not the scenario's.
    other_rosters: bool,
}

impl LoadWorld {
    /// The conductor begins the run.
    pub(super) fn begin(&mut self, now: Nanos, effects: &mut Effects<VirtualUser>) {
        self.tally.begin = now;
        self.conduct_errand(None, now, effects);
    }

    /// The errand behind `last`; behind the last of all, what the run is for.
    fn conduct_errand(&mut self, last: Option<Errand>, now: Nanos, effects: &mut Effects<VirtualUser>) {
        let errands = self.plan.mode.errands(&self.plan.scenario.users, self.plan.ids.is_some());
        let next =
            last.and_then(|last| errands.iter().position(|errand| *errand == last)).map_or(0, |i| i + 1);
        let what = match (errands.get(next), self.plan.mode) {
            (Some(errand), _) => StepKind::Errand(*errand),
            (None, Mode::Run) => StepKind::Login,
            (None, Mode::SetUpOnly | Mode::Teardown) => StepKind::Logout,
        };
        self.conduct(what, now, effects);
    }

    /// Has every share begin a step.
    fn conduct(&mut self, what: StepKind, now: Nanos, effects: &mut Effects<VirtualUser>) {
        let lead = if self.share.count() == 1 { Duration::ZERO } else { STEP_LEAD };
        let step = Step {
            number: self.together.step + 1,
            what,
            at: now + lead,
            run_begin: self.tally.begin,
            ids: self.ids,
        };
        for other in self.share.others() {
            effects.mail(other, Mail(Letter::Step(step)));
        }
        self.begin_step(step, now, effects);
    }

    fn begin_step(&mut self, step: Step, now: Nanos, effects: &mut Effects<VirtualUser>) {
        (self.tally.begin, self.ids) = (step.run_begin, step.ids);
        (self.together.step, self.together.what, self.together.done) = (step.number, Some(step.what), 0);
        match step.what {
            StepKind::Errand(errand) => self.send_on(errand, step.at),
            StepKind::Login => self.begin_login(step.at),
            StepKind::Phase => self.begin_next_phase(step.at),
            StepKind::Logout => self.begin_logout(now, effects),
        }
    }

    /// This share's part of the step under way is over.
    pub(super) fn part_done(&mut self, now: Nanos, effects: &mut Effects<VirtualUser>) {
        self.stage = Stage::Waiting;
        let number = self.together.step;
        if self.share.conducts() {
            self.note_done(number, now, effects);
        } else {
            effects.mail(HomeId::FIRST, Mail(Letter::Done { number }));
        }
    }

    fn note_done(&mut self, number: u32, now: Nanos, effects: &mut Effects<VirtualUser>) {
        assert!(self.share.conducts() && number == self.together.step, "shares go step by step");
        self.together.done += 1;
        if self.together.done < self.share.count() || self.is_over() {
            return;
        }
        match self.together.what {
            Some(StepKind::Errand(errand)) => self.conduct_errand(Some(errand), now, effects),
            Some(StepKind::Login) => self.everybody_logged_in(now, effects),
            Some(StepKind::Phase) => {
                if let Some(phase) = self.journal.phase_mut() {
                    phase.drained = Some(now);
                }
                if self.users.ready_count() == 0 {
                    let what = "nobody is connected any more".to_owned();
                    return self.fail(Failure::TargetUnreachable(what), now, effects);
                }
                self.conduct_next_phase(now, effects);
            }
            Some(StepKind::Logout) | None => unreachable!("nothing follows, nothing came before"),
        }
    }

    /// Everybody is ready, and every share knows it: who must see a change is the same for all.
    fn everybody_logged_in(&mut self, now: Nanos, effects: &mut Effects<VirtualUser>) {
        if let Some(phase) = self.journal.phase_mut() {
            (phase.end, phase.drained) = (Some(now), Some(now));
        }
        if self.roster_mismatches > 0 || self.together.other_rosters {
            // Presence would go to others than the scenario says: nothing behind this is worth its time.
            return self.end_run(now, effects);
        }
        self.conduct_next_phase(now, effects);
    }

    fn conduct_next_phase(&mut self, now: Nanos, effects: &mut Effects<VirtualUser>) {
        let what = if self.has_next_phase() { StepKind::Phase } else { StepKind::Logout };
        self.conduct(what, now, effects);
    }

    /// Ends the run, whatever is under way, and has the other shares end it.
    pub(super) fn end_run(&mut self, now: Nanos, effects: &mut Effects<VirtualUser>) {
        for other in self.share.others() {
            effects.mail(other, Mail(Letter::End));
        }
        self.begin_logout(now, effects);
    }

    /// A user of this share is ready.
    pub(super) fn tell_ready(
        &self,
        user: u32,
        since: Nanos,
        as_planned: bool,
        effects: &mut Effects<VirtualUser>,
    ) {
        if self.share.count() == 1 {
            return;
        }
        let planned = self.planned_jid(user);
        let jid = self.users.get(user).jid.as_ref().filter(|jid| jid.as_ref().bare().as_str() != planned);
        for other in self.share.others() {
            let jid = jid.cloned().map(Box::new);
            effects.mail(other, Mail(Letter::Ready { user, since, jid, as_planned }));
        }
    }

    /// A user of this share was ready and is not any more.
    pub(super) fn tell_gone(&self, user: u32, ended: Ended, lost: bool, effects: &mut Effects<VirtualUser>) {
        if self.is_over() {
            return;
        }
        for other in self.share.others() {
            effects.mail(other, Mail(Letter::Gone { user, ended, lost }));
        }
    }

    /// A stanza of an operation came in: it is matched where its operation was begun.
    pub(super) fn arrived(
        &mut self,
        what: What,
        id: StanzaId,
        received: Received,
        effects: &mut Effects<VirtualUser>,
    ) -> Matched {
        if self.share.has(id.user) {
            return self.journal.arrived(what, id, received, &self.users);
        }
        effects.mail(self.share.home_of(id.user), Mail(Letter::Arrived { what, id, received }));
        // It is counted there.
        Matched::Yes
    }

    /// Reads what another share writes.
    pub(super) fn read_letter(&mut self, letter: Letter, now: Nanos, effects: &mut Effects<VirtualUser>) {
        match letter {
            Letter::Arrived { what, id, received } => {
                let matched = self.journal.arrived(what, id, received, &self.users);
                if let Matched::Other(word) = matched {
                    self.tally.other(word);
                }
            }
            Letter::Ready { user, since, jid, as_planned } => {
                self.users.set_ready_elsewhere(user, since, jid.map(|jid| *jid));
                self.together.other_rosters |= !as_planned;
            }
            Letter::Gone { user, ended, lost } => {
                self.users.set_gone_elsewhere(user);
                // Each share saw others ready when it lost its own last one; the conductor hears of all.
                let nobody_left = self.users.ready_count() == 0 && !self.reconnects.has_begun(now);
                if lost && self.share.conducts() && nobody_left {
                    let who = self.username(user);
                    let what = format!(
                        "every connection was lost; the last one of user {who}: {}",
                        ended_text(&ended)
                    );
                    self.fail(Failure::TargetUnreachable(what), now, effects);
                }
            }
            // A run that is over here is over for all.
            _ if self.is_over() => {}
            Letter::Step(step) => self.begin_step(step, now, effects),
            Letter::Done { number } => self.note_done(number, now, effects),
            Letter::End => self.begin_logout(now, effects),
        }
    }
}
