//! A run: its users, its journal, and what the engine asks of the world that they share.
//!
//! What happens when is [`super::stage`]'s concern, what a stanza means [`super::user`]'s.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use rand_chacha::ChaCha12Rng;

use super::ids::{Run, StanzaId};
use super::journal::{Journal, Kind};
use super::register::Registered;
use super::scenario::{ActionSpec, Create, PhaseKind};
use super::stage::Stage;
use super::tally::Tally;
use super::users::Users;
use super::{Monitor, Scenario, VirtualUser, stanzas};
use crate::engine::{Connect, Effects, Job, Never, World};
use crate::limits::SALTED_PASSWORDS_MAX;
use crate::metrics::{Failure, Invalid, LoginRecord, LoginTimes, Records, Summary};
use crate::stanza::{JidRef, Stanza};
use crate::stream::{
    ClientNegotiation, ClientSettings, ClientWork, ClientWorked, Mechanism, SaltedPasswordCache,
};
use crate::time::Nanos;

/// What a run needs to know.
#[derive(Debug, Clone)]
pub struct LoadPlan {
    /// What is to be done.
    pub scenario: Arc<Scenario>,
    /// Where the server listens.
    pub target: SocketAddr,
    /// Local addresses to connect from, in turn; the kernel's choice when empty.
    pub sources: Vec<IpAddr>,
    /// Run id: prefix of the stanza ids. Letters and digits count, the first 5 of them.
    pub run: String,
    /// Where progress is shown.
    pub monitor: Arc<Monitor>,
}

/// A run.
#[derive(Debug)]
pub struct LoadWorld {
    pub(super) plan: LoadPlan,
    pub(super) run: Run,
    pub(super) domain: Arc<str>,
    pub(super) stage: Stage,
    pub(super) users: Users,
    pub(super) journal: Journal,
    pub(super) tally: Tally,
    pub(super) login: LoginRecord,
    pub(super) failure: Option<Failure>,
    pub(super) interrupted: bool,
    pub(super) invalid: Vec<Invalid>,
    /// The latest time that the engine told.
    pub(super) now: Nanos,
    /// When [`Monitor`] is written next.
    pub(super) monitor_at: Nanos,
    /// A buffer that users write to before they write to their outbox.
    pub(super) scratch: Vec<u8>,
    /// Contacts that the scenario's graph gives each user, taken when its roster comes.
    graph: Vec<Vec<u32>>,
    /// What the server says it is (XEP-0092), once it has.
    pub(super) software: Option<String>,
    /// Users whose roster was not the graph's.
    roster_mismatches: u32,
    /// Body of messages: as long as the longest.
    body: Vec<u8>,
    /// The password that all users share, unless each has its own.
    shared_password: Option<Arc<str>>,
    cache: SaltedPasswordCache,
    connects: usize,
}

impl LoadWorld {
    /// A run that has not begun: it begins at the first [`World::on_deadline`].
    #[must_use]
    pub fn new(plan: LoadPlan) -> Self {
        let scenario = &plan.scenario;
        let count = scenario.users.count;
        let graph = scenario.users.roster.map(|spec| super::contacts(&spec, count, scenario.seed));
        let password = &scenario.users.password;
        let shared_password = (!password.is_numbered()).then(|| password.expand(0).into());
        let body_bytes = scenario.phases.iter().flat_map(|p| p.actions()).map(|a| a.size_bytes).max();
        Self {
            run: Run::new(&plan.run),
            domain: scenario.target.domain.as_str().into(),
            stage: Stage::Begin,
            users: Users::new(count),
            journal: Journal::default(),
            tally: Tally::default(),
            login: LoginRecord::new(u64::from(count)),
            failure: None,
            interrupted: false,
            invalid: Vec::new(),
            now: Nanos::ZERO,
            monitor_at: Nanos::ZERO,
            scratch: Vec::new(),
            graph: graph.unwrap_or_default(),
            software: None,
            roster_mismatches: 0,
            body: b"The quick brown fox jumps over the lazy dog. "
                .iter()
                .copied()
                .cycle()
                .take(body_bytes.unwrap_or(0) as usize)
                .collect(),
            shared_password,
            cache: SaltedPasswordCache::default(),
            connects: 0,
            plan,
        }
    }

    /// What it measured. Call it once the driver has returned the world.
    #[must_use]
    pub fn into_summary(mut self) -> Summary {
        if self.roster_mismatches > 0 {
            let (wrong, count) = (self.roster_mismatches, self.users.count());
            let what = format!(
                "{wrong} of {count} users have other contacts on the server than in the scenario's graph; leave \
                 `roster` away to take them as they are"
            );
            self.invalid.push(Invalid { limit: "roster".to_owned(), what });
        }
        let begin = self.tally.begin;
        let phases = self.journal.phases();
        let complete = phases.len() == self.plan.scenario.phases.len()
            && phases.last().is_some_and(|p| p.drained.is_some());
        let (closes, errors, other) = self.tally.into_parts();
        let records = Records {
            scenario: self.plan.scenario.name.clone(),
            seed: self.plan.scenario.seed,
            run: self.run.as_str().to_owned(),
            begin,
            end: self.now,
            login: self.login,
            phases: self.journal.into_phases(),
            closes,
            errors,
            other,
            software: self.software,
            invalid: self.invalid,
            failure: self.failure,
            interrupted: self.interrupted,
            complete,
        };
        records.into_summary(&self.plan.scenario.slos)
    }

    pub(super) fn username(&self, user: u32) -> String {
        self.plan.scenario.users.username(user as usize)
    }

    pub(super) fn password(&self, user: u32) -> String {
        self.plan.scenario.users.password(user as usize)
    }

    /// The user that a bare JID belongs to.
    pub(super) fn user_of(&self, jid: &str) -> Option<u32> {
        let parsed = JidRef::parse(jid).ok()?;
        let jid = parsed.jid();
        if jid.domain() != &*self.domain {
            return None;
        }
        let number = self.plan.scenario.users.user.number(jid.local()?)?;
        u32::try_from(number).ok().filter(|user| *user < self.users.count())
    }

    /// Whether only logouts are left.
    pub(super) const fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Logout { .. } | Stage::Over)
    }

    /// What a login of this user needs.
    pub(super) fn negotiation(&self, user: u32) -> ClientNegotiation {
        let users = &self.plan.scenario.users;
        let password = self.shared_password.clone();
        let settings = ClientSettings {
            domain: Arc::clone(&self.domain),
            mechanism: users.auth,
            username: users.username(user as usize),
            password: password.unwrap_or_else(|| users.password(user as usize).into()),
            resource: users.resource(user as usize),
            cache: self.cache.clone(),
        };
        ClientNegotiation::new(settings)
    }

    /// How many users log in once before the first phase, so that no salted password (1.5 ms each) is computed in
    /// it. Users that share password and salt, as those of the embedded server may, need only one.
    pub(super) fn rehearsals(&self) -> u32 {
        let users = &self.plan.scenario.users;
        match users.auth {
            Mechanism::Plain | Mechanism::Anonymous => 0,
            Mechanism::ScramSha1 | Mechanism::ScramSha256 => {
                let one_salt = users.create == Create::Provision && self.shared_password.is_some();
                let remembered = u32::try_from(SALTED_PASSWORDS_MAX).unwrap_or(u32::MAX);
                if one_salt { 1 } else { users.count.min(remembered) }
            }
        }
    }

    /// Asks for a connection, from the next source address.
    pub(super) fn connect(&mut self, handler: VirtualUser, effects: &mut Effects<VirtualUser>) {
        let sources = &self.plan.sources;
        let local = (!sources.is_empty()).then(|| sources[self.connects % sources.len()]);
        self.connects += 1;
        effects.connect(Connect { remote: self.plan.target, local, handler });
    }

    /// A user has its roster and its own presence.
    pub(super) fn user_ready(&mut self, user: u32, contacts: Vec<u32>, times: &LoginTimes) {
        self.login.done(times);
        self.users.set_contacts(user, contacts);
        self.users.set_ready(user, times.ready);
        if self.plan.scenario.users.roster.is_none() {
            return;
        }
        let planned = std::mem::take(&mut self.graph[user as usize]);
        let actual = &self.users.get(user).contacts;
        if **actual != *planned {
            let who = self.username(user);
            let (have, want) = (self.users.get(user).contacts.len(), planned.len());
            let what =
                format!("user {who}: {have} contacts get its presence, the graph has {want}, or others");
            self.tally.error("the roster is not the scenario's", &what, times.ready);
            self.roster_mismatches += 1;
        }
    }

    /// Whether somebody's roster was not the scenario's.
    pub(super) const fn has_other_rosters(&self) -> bool {
        self.roster_mismatches > 0
    }

    /// A login cannot succeed any more, so neither can the run.
    pub(super) fn login_failed(&mut self, failure: Failure, now: Nanos, effects: &mut Effects<VirtualUser>) {
        self.login.failed += 1;
        self.fail(failure, now, effects);
    }

    /// A ready user lost its connection. Without any the target cannot be asked for more, and while others still log
    /// in it can no longer happen that all are ready.
    pub(super) fn connection_lost(&mut self, what: &str, now: Nanos, effects: &mut Effects<VirtualUser>) {
        if self.users.ready_count() == 0 {
            let what = format!("every connection was lost; the last one of {what}");
            self.fail(Failure::TargetUnreachable(what), now, effects);
        } else if matches!(self.stage, Stage::Login { .. }) {
            let what = format!("a connection was lost before all users were ready: {what}");
            self.fail(Failure::TargetUnreachable(what), now, effects);
        }
    }

    /// Ends the run; the first reason stands.
    pub(super) fn fail(&mut self, failure: Failure, now: Nanos, effects: &mut Effects<VirtualUser>) {
        if !self.is_over() {
            self.failure = Some(failure);
            self.begin_logout(now, effects);
        }
    }

    /// An account was made, or not.
    pub(super) fn registered(&mut self, outcome: Registered, now: Nanos, effects: &mut Effects<VirtualUser>) {
        match outcome {
            Registered::Created => self.errand_done("registered"),
            Registered::Exists => self.errand_done("registered_before"),
            Registered::Failed(what) => {
                self.tally.error("registration failed", &what, now);
                self.fail(Failure::LoginRefused(what), now, effects);
            }
        }
    }

    /// A user came back from what it was sent for before the first phase.
    pub(super) fn errand_done(&mut self, word: &'static str) {
        self.tally.other(word);
        if let Stage::Prepare { active, .. } = &mut self.stage {
            *active -= 1;
        }
    }

    /// Writes the stanza of an operation.
    pub(super) fn write_operation(&self, seq: u64, out: &mut Vec<u8>) {
        let Some(operation) = self.journal.get(seq) else { return };
        let id = StanzaId { user: operation.user, seq };
        match &operation.kind {
            Kind::Chat { to } => {
                let jid = self.users.get(*to).jid.as_ref().expect("a recipient was ready once");
                let spec = self.spec_of(operation.phase, operation.action);
                let body = &self.body[..spec.size_bytes as usize];
                stanzas::chat(&self.run, id, jid.as_ref().bare().as_str(), body, out);
            }
            Kind::Ping => stanzas::ping(&self.run, id, &self.domain, out),
            Kind::Presence(_) => {
                let show = &self.spec_of(operation.phase, operation.action).show;
                let turn = usize::try_from(operation.k % show.len() as u64).expect("below a length");
                stanzas::presence(&self.run, id, show[turn], out);
            }
        }
    }

    /// The action of a phase by its place among those that have a record. Phases are begun in the scenario's order.
    fn spec_of(&self, phase: u16, action: u16) -> &ActionSpec {
        let phase = &self.plan.scenario.phases[usize::from(phase)];
        phase.timed_actions().nth(usize::from(action)).expect("a record was made of an action").0
    }
}

impl Job for ClientWork {
    type Answer = ClientWorked;

    fn run(self) -> ClientWorked {
        Self::run(self)
    }
}

impl World for LoadWorld {
    type Link = VirtualUser;
    type Mail = Never;
    type Job = ClientWork;

    fn on_accept(&mut self, _now: Nanos) -> Option<VirtualUser> {
        None
    }

    fn next_deadline(&self) -> Option<Nanos> {
        self.stage_deadline().map(|at| at.min(self.monitor_at))
    }

    fn on_deadline(&mut self, now: Nanos, effects: &mut Effects<VirtualUser>, _rng: &mut ChaCha12Rng) {
        self.now = self.now.max(now);
        self.advance(now, effects);
        if now >= self.monitor_at {
            self.write_monitor(now);
        }
    }

    fn on_connect_failed(
        &mut self,
        link: VirtualUser,
        error: &io::Error,
        now: Nanos,
        effects: &mut Effects<VirtualUser>,
    ) {
        let who = self.username(link.index());
        let what = format!("user {who}: {} cannot be reached: {error}", self.plan.target);
        self.tally.error("connection failed", &what, now);
        if let Some(limit) = harness_limit(error) {
            self.invalid.push(Invalid { limit: limit.to_owned(), what });
            self.login.failed += 1;
            if !self.is_over() {
                self.begin_logout(now, effects);
            }
        } else {
            self.login_failed(Failure::TargetUnreachable(what), now, effects);
        }
    }

    fn on_undeliverable(&mut self, _stanza: Stanza, _now: Nanos, _effects: &mut Effects<VirtualUser>) {
        unreachable!("synthetic clients reach each other through the server only");
    }

    fn on_mail(&mut self, mail: Never, _now: Nanos, _effects: &mut Effects<VirtualUser>) {
        match mail {}
    }

    fn on_stop(&mut self, now: Nanos, effects: &mut Effects<VirtualUser>) {
        if !self.is_over() {
            self.interrupted = true;
            self.begin_logout(now, effects);
        }
    }

    fn is_done(&self) -> bool {
        match self.stage {
            Stage::Logout { .. } => self.users.connected_count() == 0,
            Stage::Over => true,
            Stage::Begin
            | Stage::Prepare { .. }
            | Stage::Login { .. }
            | Stage::Load { .. }
            | Stage::Drain { .. } => false,
        }
    }
}

/// Which limit of this machine a failed connect met, if it was one.
fn harness_limit(error: &io::Error) -> Option<&'static str> {
    /// `ENFILE` and `EMFILE` of Linux and the BSDs: no descriptors, on the machine or in the process.
    const NO_DESCRIPTORS: [i32; 2] = [23, 24];
    if matches!(error.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::AddrInUse) {
        return Some("ports");
    }
    error.raw_os_error().filter(|code| NO_DESCRIPTORS.contains(code)).map(|_| "descriptors")
}

impl super::scenario::Phase {
    /// What it does; nothing in a login phase.
    pub(super) fn actions(&self) -> &[ActionSpec] {
        match &self.kind {
            PhaseKind::Login(_) => &[],
            PhaseKind::Load { actions, .. } => actions,
        }
    }

    /// Actions that operations are started of, with their rate.
    pub(super) fn timed_actions(&self) -> impl Iterator<Item = (&ActionSpec, super::scenario::Rate)> {
        self.actions().iter().filter_map(|a| Some((a, a.rate?)))
    }
}
