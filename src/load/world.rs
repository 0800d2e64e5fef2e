//! A run: its users, its journal, and what the engine asks of the world that they share.
//!
//! What happens when is [`super::stage`]'s concern, what a stanza means [`super::user`]'s, and what several of them do
//! together [`super::together`]'s.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use rand_chacha::ChaCha12Rng;

use super::ids::{Run, StanzaId};
use super::journal::{Journal, Kind};
use super::mail::Mail;
use super::markers::are_marked;
use super::reconnect::{Attempt, Reconnects};
use super::scenario::{ActionSpec, Create, Pace, PhaseKind};
use super::setup::Mode;
use super::share::Share;
use super::stage::Stage;
use super::tally::Tally;
use super::together::Together;
use super::user::managed::Former;
use super::users::Users;
use super::{Monitor, Scenario, VirtualUser, stanzas};
use crate::engine::{Answerer, Connect, Effects, Errand, Job, Never, Target, World};
use crate::limits::{HOMES_MAX, SALTED_PASSWORDS_MAX};
use crate::metrics::{Failure, IdsArrive, Invalid, LoginRecord, LoginTimes};
use crate::stanza::{self, JidRef, Stanza};
use crate::stream::{
    ClientNegotiation, ClientSettings, ClientWork, ClientWorked, Mechanism, SaltedPasswordCache,
    WantedManagement,
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
    /// What becomes of ids on their way through the target; where that is not known, the run finds out.
    pub ids: Option<IdsArrive>,
    /// Where progress is shown.
    pub monitor: Arc<Monitor>,
    /// How much of the scenario is carried out.
    pub mode: Mode,
}

/// A run, or one reactor's share of it.
#[derive(Debug)]
pub struct LoadWorld {
    pub(super) plan: LoadPlan,
    /// The users that live here.
    pub(super) share: Share,
    pub(super) together: Together,
    pub(super) run: Run,
    pub(super) domain: Arc<str>,
    pub(super) stage: Stage,
    pub(super) users: Users,
    pub(super) journal: Journal,
    pub(super) reconnects: Reconnects,
    pub(super) tally: Tally,
    pub(super) login: LoginRecord,
    /// Why the run cannot be carried out, and since when.
    pub(super) failure: Option<(Nanos, Failure)>,
    pub(super) interrupted: bool,
    pub(super) invalid: Vec<Invalid>,
    /// The latest time that the engine told.
    pub(super) now: Nanos,
    /// When [`Monitor`] is written next.
    pub(super) monitor_at: Nanos,
    /// A buffer that users write to before they write to their outbox.
    pub(super) scratch: Vec<u8>,
    /// Contacts that the scenario's graph gives each user of this share, taken when its roster comes.
    pub(super) graph: Vec<Vec<u32>>,
    /// Users of this share that later errands leave alone: the roster was the graph's before set-up, or the account is not
    /// ours.
    pub(super) settled: Vec<bool>,
    /// What the server says it is (XEP-0092), once it has.
    pub(super) software: Option<String>,
    /// What becomes of ids; the same for all shares from each step's beginning on.
    pub(super) ids: IdsArrive,
    /// Users whose roster was not the graph's.
    pub(super) roster_mismatches: u32,
    /// Body of messages: as long as the longest.
    body: Vec<u8>,
    /// The password that all users share, unless each has its own.
    shared_password: Option<Arc<str>>,
    cache: SaltedPasswordCache,
    connects: usize,
}

impl LoadWorld {
    /// A run on one reactor that has not begun: it begins at the first [`World::on_deadline`].
    #[must_use]
    pub fn new(plan: LoadPlan) -> Self {
        Self::shares(&plan, 1).pop().expect("one share was asked for")
    }

    /// The same run on `count` reactors of one fleet, in the fleet's order. User `n` lives on reactor `n % count`; what
    /// is done by whom, to whom and when does not depend on `count`.
    ///
    /// # Panics
    /// Without a reactor, or with more of them than a fleet has.
    #[must_use]
    pub fn shares(plan: &LoadPlan, count: usize) -> Vec<Self> {
        assert!((1..=HOMES_MAX).contains(&count), "a fleet has 1 to HOMES_MAX reactors");
        let count = u32::try_from(count).expect("HOMES_MAX fits");
        let users = &plan.scenario.users;
        let graph = users.roster.as_ref().map(|spec| super::contacts(spec, users.count, plan.scenario.seed));
        let mut graphs = vec![Vec::new(); count as usize];
        for (user, contacts) in graph.into_iter().flatten().enumerate() {
            graphs[user % count as usize].push(contacts);
        }
        // What one user's login has computed, others find wherever they live.
        let cache = SaltedPasswordCache::default();
        let world = |(share, graph)| Self::share(plan.clone(), share, graph, cache.clone());
        Share::all(count).zip(graphs).map(world).collect()
    }

    fn share(plan: LoadPlan, share: Share, graph: Vec<Vec<u32>>, cache: SaltedPasswordCache) -> Self {
        let scenario = &plan.scenario;
        let count = scenario.users.count;
        let shared_password = scenario.users.accounts.shared_password().map(Into::into);
        let body_bytes = scenario.phases.iter().flat_map(|p| p.actions()).map(|a| a.size_bytes).max();
        Self {
            share,
            together: Together::default(),
            run: Run::new(&plan.run),
            domain: scenario.target.domain.as_str().into(),
            stage: Stage::Begin,
            users: Users::new(count, share),
            journal: Journal::default(),
            reconnects: Reconnects::default(),
            tally: Tally::default(),
            login: LoginRecord::new(share.part_of(count).into()),
            failure: None,
            interrupted: false,
            invalid: Vec::new(),
            now: Nanos::ZERO,
            monitor_at: Nanos::ZERO,
            scratch: Vec::new(),
            graph,
            settled: vec![false; share.part_of(count) as usize],
            software: None,
            ids: plan.ids.unwrap_or_default(),
            roster_mismatches: 0,
            body: b"The quick brown fox jumps over the lazy dog. "
                .iter()
                .copied()
                .cycle()
                .take(body_bytes.unwrap_or(0) as usize)
                .collect(),
            shared_password,
            cache,
            connects: share.index() as usize,
            plan,
        }
    }

    pub(super) fn username(&self, user: u32) -> String {
        self.plan.scenario.users.username(user as usize)
    }

    /// The bare JID that a user has unless its server says otherwise.
    pub(super) fn planned_jid(&self, user: u32) -> String {
        format!("{}@{}", self.username(user), self.domain)
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
        let number = self.plan.scenario.users.accounts.number(jid.local()?);
        number.filter(|user| *user < self.users.count())
    }

    /// Whether only logouts are left.
    pub(super) const fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Logout { .. } | Stage::Over)
    }

    /// What a login of this user needs that will take part: `former`, again.
    pub(super) fn login_negotiation(&self, user: u32, former: Option<&Former>) -> ClientNegotiation {
        self.negotiation_with(
            user,
            match former {
                Some(former) => former.wanted(),
                None if self.plan.scenario.users.stream_management => WantedManagement::Offered,
                None => WantedManagement::None,
            },
        )
    }

    /// What a login of this user needs that goes away again.
    pub(super) fn negotiation(&self, user: u32) -> ClientNegotiation {
        self.negotiation_with(user, WantedManagement::None)
    }

    fn negotiation_with(&self, user: u32, management: WantedManagement) -> ClientNegotiation {
        let users = &self.plan.scenario.users;
        let password = self.shared_password.clone();
        let settings = ClientSettings {
            domain: Arc::clone(&self.domain),
            mechanism: users.auth,
            username: users.username(user as usize),
            password: password.unwrap_or_else(|| users.password(user as usize).into()),
            resource: users.resource(user as usize),
            cache: self.cache.clone(),
            management,
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
        // Shares go through the addresses side by side.
        self.connects += self.share.count() as usize;
        effects.connect(Connect { remote: self.plan.target, local, handler });
    }

    /// A user has its roster and its own presence; `attempt`: again.
    pub(super) fn user_ready(
        &mut self,
        user: u32,
        contacts: Vec<u32>,
        times: &LoginTimes,
        attempt: Option<Attempt>,
        effects: &mut Effects<VirtualUser>,
    ) {
        self.users.set_ready(user, times.ready);
        let as_planned = if let Some(attempt) = attempt {
            // Its contacts stay what they were: changes under way know them by their places.
            self.came_back(attempt, times);
            true
        } else {
            self.login.done(times);
            self.users.set_contacts(user, contacts);
            self.plan.scenario.users.roster.is_none() || self.check_roster(user, times.ready)
        };
        self.tell_ready(user, times.ready, as_planned, effects);
    }

    /// A user's session goes on as if it had never been away.
    pub(super) fn user_resumed(
        &mut self,
        user: u32,
        since: Nanos,
        times: &LoginTimes,
        attempt: Option<Attempt>,
        effects: &mut Effects<VirtualUser>,
    ) {
        self.users.set_ready(user, since);
        if let Some(attempt) = attempt {
            self.came_back(attempt, times);
        }
        self.tally.other("resumed");
        self.tell_ready(user, since, true, effects);
    }

    /// Whether a user's contacts are those of the scenario's graph.
    fn check_roster(&mut self, user: u32, now: Nanos) -> bool {
        let planned = std::mem::take(&mut self.graph[self.share.slot(user)]);
        let actual = &self.users.get(user).contacts;
        let as_planned = **actual == *planned;
        if !as_planned {
            let who = self.username(user);
            let (have, want) = (self.users.get(user).contacts.len(), planned.len());
            let what =
                format!("user {who}: {have} contacts get its presence, the graph has {want}, or others");
            self.tally.error("the roster is not the scenario's", &what, now);
            self.roster_mismatches += 1;
        }
        as_planned
    }

    /// A login cannot succeed any more, so neither can the run.
    pub(super) fn login_failed(&mut self, failure: Failure, now: Nanos, effects: &mut Effects<VirtualUser>) {
        self.login.failed += 1;
        self.fail(failure, now, effects);
    }

    /// A ready user lost its connection. Without any the target cannot be asked for more, and while others still log
    /// in it can no longer happen that all are ready.
    pub(super) fn connection_lost(&mut self, what: &str, now: Nanos, effects: &mut Effects<VirtualUser>) {
        if let Some(phase) = self.journal.phase_mut() {
            phase.lost_connections += 1;
        }
        if self.users.ready_count() == 0 && !self.reconnects.has_begun(now) {
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
            self.failure = Some((now, failure));
            self.end_run(now, effects);
        }
    }

    /// Writes the stanza of an operation.
    pub(super) fn write_operation(&self, seq: u64, out: &mut Vec<u8>) {
        let Some(operation) = self.journal.get(seq) else { return };
        let id = StanzaId { user: operation.user, seq };
        match &operation.kind {
            Kind::Chat { to } => {
                let spec = self.spec_of(operation.phase, operation.action);
                let body = &self.body[..spec.size_bytes as usize];
                let marked = are_marked(self.ids, stanza::Kind::Message);
                match self.users.bare_jid(*to) {
                    Some(jid) => stanzas::chat(&self.run, id, jid, body, marked, out),
                    None => stanzas::chat(&self.run, id, &self.planned_jid(*to), body, marked, out),
                }
            }
            Kind::Ping => stanzas::ping(&self.run, id, &self.domain, out),
            Kind::RosterGet => stanzas::roster_get(&self.run, id, out),
            Kind::Presence(_) => {
                let show = &self.spec_of(operation.phase, operation.action).show;
                let turn = usize::try_from(operation.k % show.len() as u64).expect("below a length");
                let marked = are_marked(self.ids, stanza::Kind::Presence);
                stanzas::presence(&self.run, id, show[turn], marked, out);
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

    fn begin(self, answer: Answerer<ClientWorked>) -> Option<Errand> {
        Some(Box::new(move || answer.give(self.run())))
    }
}

impl World for LoadWorld {
    type Link = VirtualUser;
    type Mail = Mail;
    type Job = ClientWork;
    type News = Never;

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
        if let Some(attempt) = link.attempt().filter(|_| harness_limit(error).is_none()) {
            return self.come_back_failed(link.index(), attempt, &what, now);
        }
        self.tally.error("connection failed", &what, now);
        if let Some(limit) = harness_limit(error) {
            self.invalid.push(Invalid { limit: limit.to_owned(), what });
            self.login.failed += 1;
            if !self.is_over() {
                self.end_run(now, effects);
            }
        } else {
            self.login_failed(Failure::TargetUnreachable(what), now, effects);
        }
    }

    fn on_undeliverable(
        &mut self,
        _stanza: Stanza,
        _target: Target,
        _now: Nanos,
        _effects: &mut Effects<VirtualUser>,
    ) {
        unreachable!("synthetic clients reach each other through the server only");
    }

    fn on_mail(&mut self, mail: Mail, now: Nanos, effects: &mut Effects<VirtualUser>) {
        self.now = self.now.max(now);
        self.read_letter(mail.0, now, effects);
    }

    fn on_stop(&mut self, now: Nanos, effects: &mut Effects<VirtualUser>) {
        if !self.is_over() {
            self.interrupted = true;
            self.end_run(now, effects);
        }
    }

    fn is_done(&self) -> bool {
        match self.stage {
            Stage::Logout { .. } => self.users.connected_count() == 0,
            Stage::Over => true,
            Stage::Begin
            | Stage::Prepare(_)
            | Stage::Login { .. }
            | Stage::Load { .. }
            | Stage::Drain { .. }
            | Stage::Waiting => false,
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
    pub(super) fn timed_actions(&self) -> impl Iterator<Item = (&ActionSpec, Pace)> {
        self.actions().iter().filter_map(|a| Some((a, a.rate?)))
    }
}
