//! What a run does when: register, log in, one phase after the other with its drain, log out.
//!
//! Starts come from [`super::schedule`] and are pure functions of the seed; a late call of [`LoadWorld::advance`]
//! starts late what was due and moves nothing. Every share of a run goes through the whole schedule and starts what its
//! own users begin; when a stage begins and ends for all is [`super::together`]'s concern.

use std::time::Duration;

use super::audience::Audience;
use super::journal::Kind;
use super::random::{Purpose, Random};
use super::scenario::{Action, Arrival, Phase, PhaseKind, Recipients};
use super::schedule::{Course, Schedule};
use super::setup::Errands;
use super::share::Share;
use super::users::Users;
use super::world::LoadWorld;
use super::{Snapshot, Task, VirtualUser};
use crate::engine::Effects;
use crate::limits::{LOGOUT_MAX, STARTS_PER_DEADLINE_MAX};
use crate::metrics::{ActionRecord, Failure, PhaseRecord};
use crate::time::Nanos;

/// How often progress is shown.
const MONITOR_EVERY: Duration = Duration::from_millis(250);

/// Where a run stands.
#[derive(Debug)]
pub(super) enum Stage {
    /// Nothing has happened.
    Begin,
    /// Users are sent on an errand before the first phase.
    Prepare(Errands),
    /// Users log in.
    Login { arrivals: Arrivals, next: u32, timeout: Nanos },
    /// Operations are started.
    Load { end: Nanos, actions: Vec<Running> },
    /// Operations are waited for.
    Drain { until: Nanos },
    /// Nothing is left to do here before the next step.
    Waiting,
    /// Users log out.
    Logout { until: Nanos },
    /// Nothing more will happen.
    Over,
}

/// When users arrive.
#[derive(Debug)]
pub(super) enum Arrivals {
    /// All at this time.
    Once(Nanos),
    /// One by one.
    Spread(Box<Schedule>),
}

/// An action under way.
#[derive(Debug)]
pub(super) struct Running {
    action: Action,
    to: Recipients,
    /// Index of its record.
    record: u16,
    schedule: Schedule,
    choice: Random,
    /// Operations looked at, those of other shares included.
    k: u64,
    /// The next one that this share begins.
    next: Option<Start>,
}

/// An operation that is to be begun.
#[derive(Debug, Clone, Copy)]
struct Start {
    /// Which one of its action it is, from 0.
    k: u64,
    intended: Nanos,
    /// Who begins it if it is ready.
    user: u32,
    /// Decides who gets it.
    lot: u32,
}

impl Running {
    /// Looks ahead to the next operation that one of `share`'s users begins. As many lots are drawn for every operation:
    /// who happens to be away does not shift what follows, and neither does who plays whom. From a break on, others act for
    /// those that it sends away, back or not: when somebody is back is the server's to decide, who does what is not.
    fn look_ahead(&mut self, share: Share, users: &Users, break_at: Option<Nanos>) {
        self.next = None;
        while let Some(intended) = self.schedule.take_due(Nanos::MAX) {
            let k = self.k;
            self.k += 1;
            let (mut user, lot) = (self.choice.below(users.count()), self.choice.below(u32::MAX));
            if break_at.is_some_and(|at| at <= intended) {
                user = users.left_alone_from(user);
            }
            if share.has(user) {
                self.next = Some(Start { k, intended, user, lot });
                return;
            }
        }
    }

    fn next_at(&self) -> Option<Nanos> {
        self.next.map(|start| start.intended)
    }
}

impl LoadWorld {
    /// When [`Self::advance`] has something to do.
    pub(super) fn stage_deadline(&self) -> Option<Nanos> {
        match &self.stage {
            Stage::Begin if self.share.conducts() => Some(Nanos::ZERO),
            Stage::Begin | Stage::Waiting => Some(Nanos::MAX),
            Stage::Prepare(errands) => Some(self.next_errand_at(errands)),
            Stage::Login { .. } if self.everybody_is_ready() => Some(Nanos::ZERO),
            Stage::Login { arrivals, next, timeout } => {
                let arrival = match arrivals {
                    Arrivals::Once(at) => Some(*at),
                    Arrivals::Spread(schedule) => schedule.next(),
                };
                let arrival = arrival.filter(|_| *next < self.users.count());
                Some(arrival.unwrap_or(Nanos::MAX).min(*timeout))
            }
            Stage::Load { end, actions } => {
                let starts = actions.iter().filter_map(Running::next_at);
                Some(starts.chain(self.reconnects.next()).min().map_or(*end, |next| next.min(*end)))
            }
            Stage::Drain { until } => {
                Some(self.reconnects.next().unwrap_or(Nanos::MAX).min(self.drained_at(*until)))
            }
            Stage::Logout { until } => Some(*until),
            Stage::Over => None,
        }
    }

    /// Does what is due at `now`.
    pub(super) fn advance(&mut self, now: Nanos, effects: &mut Effects<VirtualUser>) {
        match &self.stage {
            Stage::Begin if self.share.conducts() => self.begin(now, effects),
            Stage::Prepare(_) => self.prepare_some(now, effects),
            Stage::Login { .. } => self.log_in_due(now, effects),
            Stage::Load { .. } => {
                // What is due before a break is begun before it, however late both are.
                let until = self.reconnects.break_at().map_or(now, |at| now.min(Nanos(at.0 - 1)));
                self.start_due(until, now, effects);
                self.reconnect_due(now, effects);
            }
            Stage::Drain { until } => {
                if now >= self.drained_at(*until) {
                    self.journal.give_up(now, &self.users);
                    self.reconnects.close();
                    self.part_done(now, effects);
                } else {
                    self.reconnect_due(now, effects);
                }
            }
            Stage::Logout { until } => {
                if now >= *until {
                    self.stage = Stage::Over;
                }
            }
            Stage::Begin | Stage::Waiting | Stage::Over => {}
        }
    }

    /// When the drain ends: with what was waited for and a little quiet behind it, or else at `until`.
    fn drained_at(&self, until: Nanos) -> Nanos {
        let quiet = self.journal.quiet_at().filter(|_| self.reconnects.away() == 0);
        quiet.map_or(until, |quiet| quiet.min(until))
    }

    fn everybody_is_ready(&self) -> bool {
        self.users.ready_count() == self.users.count()
    }

    fn phase_spec(&self, index: usize) -> Option<&Phase> {
        self.plan.scenario.phases.get(index)
    }

    /// The first phase begins at `now`.
    pub(super) fn begin_login(&mut self, now: Nanos) {
        let seed = self.plan.scenario.seed;
        let phase = self.phase_spec(0).expect("a scenario has a first phase");
        let PhaseKind::Login(Arrival { rate, shape, timeout }) = phase.kind else {
            unreachable!("the first phase logs in");
        };
        let arrivals = match rate {
            Some(pace) => {
                let course = Course::new(pace, Course::time_for(pace, self.users.count()));
                let schedule = Schedule::new(now, Nanos::MAX, course, shape, seed, Purpose::Arrival);
                Arrivals::Spread(Box::new(schedule))
            }
            None => Arrivals::Once(now),
        };
        let record = new_phase(phase, now, timeout, Vec::new());
        self.journal.begin_phase(record);
        // The conductor's clock decides for all.
        let timeout = if self.share.conducts() { now + timeout } else { Nanos::MAX };
        self.stage = Stage::Login { arrivals, next: 0, timeout };
    }

    fn log_in_due(&mut self, now: Nanos, effects: &mut Effects<VirtualUser>) {
        if self.everybody_is_ready() {
            return self.part_done(now, effects);
        }
        let count = self.users.count();
        for _ in 0..STARTS_PER_DEADLINE_MAX {
            let Stage::Login { arrivals, next, timeout } = &mut self.stage else { return };
            if now >= *timeout {
                return self.login_timed_out(now, effects);
            }
            let due = match arrivals {
                Arrivals::Once(at) => Some(*at),
                Arrivals::Spread(schedule) => schedule.take_due(now),
            };
            let Some(intended) = due.filter(|_| *next < count) else { return };
            let user = *next;
            *next += 1;
            if !self.share.has(user) {
                continue;
            }
            let handler = VirtualUser::logging_in(user, self.login_negotiation(user, None), intended, now);
            self.connect(handler, effects);
        }
    }

    fn login_timed_out(&mut self, now: Nanos, effects: &mut Effects<VirtualUser>) {
        let (ready, count) = (self.users.ready_count(), self.users.count());
        let first = (0..count).find(|user| !self.users.is_ready(*user)).unwrap_or(0);
        let first = self.username(first);
        let what =
            format!("{ready} of {count} users were ready in time; the first one that was not is {first}");
        self.tally.error("login timed out", &what, now);
        self.login.failed += u64::from(count - ready);
        self.fail(Failure::TargetUnreachable(what), now, effects);
    }

    /// Whether the scenario has a phase behind the last one that was begun.
    pub(super) fn has_next_phase(&self) -> bool {
        self.phase_spec(self.journal.phases().len()).is_some()
    }

    /// The phase behind the last one that was begun begins at `now`.
    pub(super) fn begin_next_phase(&mut self, now: Nanos) {
        let index = self.journal.phases().len();
        let seed = self.plan.scenario.seed;
        let phase = self.phase_spec(index).expect("the conductor has seen that there is one");
        let PhaseKind::Load { duration, .. } = &phase.kind else {
            unreachable!("only the first phase logs in");
        };
        let (duration, end, breaks) = (*duration, now + *duration, phase.breaks);
        let phase_number = u32::try_from(index).expect("at most PHASES_MAX");
        self.users.set_none_broken();
        let number = u16::try_from(index).expect("at most PHASES_MAX");
        let reconnect = breaks.map(|spec| self.plan_break(number, &spec, now));
        let break_at = self.reconnects.at();
        let phase = self.phase_spec(index).expect("it was there before");
        let (mut actions, mut records) = (Vec::new(), Vec::new());
        for (record, (spec, pace)) in (0u16..).zip(phase.timed_actions()) {
            // By the action's kind and not its place: another action in the file does not shift this one's numbers.
            let kind = spec.action as u32;
            let (starts, course) = (Purpose::Starts(phase_number, kind), Course::new(pace, duration));
            let mut running = Running {
                action: spec.action,
                to: spec.to,
                record,
                schedule: Schedule::new(now, end, course, spec.shape, seed, starts),
                choice: Random::new(seed, Purpose::Choice(phase_number, kind)),
                k: 0,
                next: None,
            };
            running.look_ahead(self.share, &self.users, break_at);
            actions.push(running);
            let fan_out = spec.action == Action::Presence;
            let record = ActionRecord::new(spec.action.as_str(), course.mean_rate(duration), fan_out, now);
            records.push(if self.share == Share::WHOLE { record } else { record.for_joining() });
        }
        let mut record = new_phase(phase, now, duration, records);
        record.reconnect = reconnect;
        self.journal.begin_phase(record);
        self.stage = Stage::Load { end, actions };
    }

    /// Starts the operations that are due by `until`, as many as one call may.
    fn start_due(&mut self, until: Nanos, now: Nanos, effects: &mut Effects<VirtualUser>) {
        let Stage::Load { end, actions } = &mut self.stage else { return };
        let (end, mut actions) = (*end, std::mem::take(actions));
        let mut budget = STARTS_PER_DEADLINE_MAX;
        for running in &mut actions {
            while budget > 0
                && let Some(start) = running.next.filter(|start| start.intended <= until)
            {
                budget -= 1;
                running.look_ahead(self.share, &self.users, self.reconnects.at());
                self.start(running, start, now, effects);
            }
        }
        let is_begun = self.reconnects.break_at().is_none() && actions.iter().all(|a| a.next.is_none());
        let is_over = now >= end && is_begun;
        if !is_over {
            self.stage = Stage::Load { end, actions };
            return;
        }
        let drain = self.phase_spec(self.journal.phases().len() - 1).map_or(Duration::ZERO, |p| p.drain);
        if let Some(phase) = self.journal.phase_mut() {
            phase.end = Some(end);
        }
        self.stage = Stage::Drain { until: now + drain };
    }

    fn start(&mut self, running: &Running, start: Start, now: Nanos, effects: &mut Effects<VirtualUser>) {
        let Start { k, intended, .. } = start;
        let record = usize::from(running.record);
        let chosen = self.choose(running, start);
        let Some(phase) = self.journal.phase_mut() else { return };
        phase.actions[record].intended(intended);
        let Some((user, kind)) = chosen else {
            phase.actions[record].counts.unsent += 1;
            return;
        };
        let seq = self.journal.begin((running.record, k, intended), user, kind, now, &self.users);
        if let Some(conn) = self.users.get(user).conn {
            effects.task(conn, Task::Start(seq));
        }
    }

    /// Who carries it out, and what is then waited for. A user that is away is replaced by one of its reactor. `None`:
    /// nobody is there who could.
    fn choose(&self, running: &Running, start: Start) -> Option<(u32, Kind)> {
        let users = &self.users;
        let user = users.own_ready_by(start.user)?;
        let contacts = &users.get(user).contacts;
        let kind = match running.action {
            Action::Ping => Kind::Ping,
            Action::RosterGet => Kind::RosterGet,
            Action::Presence => Kind::Presence(Audience::new(contacts.len() + 1, |place| {
                contacts.get(place).is_none_or(|contact| users.is_ready(*contact))
            })),
            Action::Chat if running.to == Recipients::Any => {
                Kind::Chat { to: users.any_by(start.lot, user)? }
            }
            Action::Chat => {
                let contact = (running.to == Recipients::Contact).then(|| {
                    let first = start.lot as usize % contacts.len().max(1);
                    let turned = contacts.iter().cycle().skip(first).take(contacts.len());
                    turned.copied().find(|contact| users.is_ready(*contact))
                });
                Kind::Chat { to: contact.flatten().or_else(|| users.ready_by(start.lot, user))? }
            }
            Action::Idle => unreachable!("idle has no operations"),
        };
        Some((user, kind))
    }

    /// Everybody here logs out (RFC 6121 §4.5.2, RFC 6120 §4.4); what is under way stays as it is.
    pub(super) fn begin_logout(&mut self, now: Nanos, effects: &mut Effects<VirtualUser>) {
        self.stage = Stage::Logout { until: now + LOGOUT_MAX };
        self.reconnects.close();
        for conn in self.users.connections() {
            effects.task(conn, Task::Logout);
        }
        // The last word on the numbers.
        self.monitor_at = now;
    }

    /// Shows progress.
    pub(super) fn write_monitor(&mut self, now: Nanos) {
        self.monitor_at = now + MONITOR_EVERY;
        let mut snapshot = Snapshot {
            draining: matches!(self.stage, Stage::Drain { .. } | Stage::Waiting),
            users_connected: u64::from(self.users.connected_count()),
            users_ready: u64::from(self.users.own_ready_count()),
            users_target: self.login.asked,
            logins: self.login.ready,
            login_failures: self.login.failed,
            first_error: self.tally.first_error(),
            ..Snapshot::default()
        };
        for action in self.journal.phases().iter().flat_map(|p| &p.actions) {
            snapshot.counts.add(&action.counts);
        }
        if let Some(phase) = self.journal.phase() {
            snapshot.phase.clone_from(&phase.name);
            snapshot.measured = phase.measured;
            snapshot.elapsed_ns = now.since(phase.begin);
            snapshot.planned_ns = phase.planned_ns;
            snapshot.actions = phase.actions.iter().map(ActionRecord::progress).collect();
        }
        let outside = match &self.stage {
            Stage::Logout { .. } | Stage::Over => Some("logout"),
            Stage::Prepare(errands) => {
                snapshot.set_up = Some(Self::errands_progress(errands));
                Some("set-up")
            }
            Stage::Waiting if snapshot.phase.is_empty() => Some("set-up"),
            Stage::Login { .. } => {
                snapshot.login = Some(self.login.progress());
                None
            }
            Stage::Begin | Stage::Load { .. } | Stage::Drain { .. } | Stage::Waiting => None,
        };
        if let Some(name) = outside {
            (snapshot.phase, snapshot.measured) = (name.to_owned(), false);
            snapshot.draining &= name != "set-up";
        }
        self.plan.monitor.write(self.share.index(), snapshot);
    }
}

fn new_phase(spec: &Phase, begin: Nanos, planned: Duration, actions: Vec<ActionRecord>) -> PhaseRecord {
    PhaseRecord {
        name: spec.name.clone(),
        measured: spec.measure,
        begin,
        planned_ns: u64::try_from(planned.as_nanos()).expect("at most PHASE_DURATION_MAX"),
        end: None,
        drained: None,
        actions,
        reconnect: None,
        lost_connections: 0,
    }
}
