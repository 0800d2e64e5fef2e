//! The preflight: one real client (and a second as its recipient) tries everything that a run will need of its target.
//!
//! It measures nothing and judges no server: each [`Finding`] says what was seen and what to do about it. It looks at the
//! stream's features first, makes the accounts if the scenario does, logs in the first, the middle and the last user, and
//! then has the first one talk: to the server, to the last one, and for a moment faster than a rate limit would allow.

mod entry;
mod finding;
mod scout;
mod talk;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rand_chacha::ChaCha12Rng;

pub use finding::{CheckState, Finding};
pub use scout::{Errand, Scout};

use super::{Scenario, contacts};
use crate::engine::{ConnId, Connect, Effects, Never, Target, World};
use crate::limits::{LOGOUT_ANSWER_MAX, PREFLIGHT_BURST_MAX, PREFLIGHT_STEP_MAX};
use crate::metrics::IdsArrive;
use crate::router::mailbox::Weigh;
use crate::stanza::{Jid, Stanza};
use crate::stream::{ClientWork, SaltedPasswordCache};
use crate::time::Nanos;
use scout::Role;
use talk::Talk;

/// What a preflight needs to know.
#[derive(Debug, Clone)]
pub struct PreflightPlan {
    /// What is to be run.
    pub scenario: Arc<Scenario>,
    /// Where the server listens.
    pub target: SocketAddr,
    /// Local address to connect from; the kernel's choice without.
    pub source: Option<IpAddr>,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Preflight {
    /// In the order in which they were found.
    pub findings: Vec<Finding>,
    /// Whether ids survive.
    pub ids: IdsArrive,
    /// Name and version of the server's software, if it told (XEP-0092).
    pub software: Option<String>,
}

/// Nobody writes to anybody: there is one reactor.
#[derive(Debug)]
pub enum NoMail {}

impl Weigh for NoMail {
    fn weight_bytes(&self) -> usize {
        match *self {}
    }
}

/// One account that is tried.
#[derive(Debug)]
struct Probe {
    /// Number of the user.
    user: u32,
    /// Its contacts in the scenario's graph, if it has one.
    contacts: Option<Vec<u32>>,
    /// Its connection and address, once it has a resource.
    bound: Option<(ConnId, Jid)>,
}

/// Where the preflight stands; a step that takes too long ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Begin,
    /// The features of a stream.
    Look,
    /// The account of this probe.
    Register(usize),
    /// The login of this probe.
    LogIn(usize),
    /// Rosters, and everybody's own presence.
    Join,
    /// One message, one presence and one IQ through the server.
    Exchange,
    /// The server's software, and a ping.
    Ask,
    /// The first account once more.
    Second,
    /// Many pings at once.
    Burst,
    Leave,
    Over,
}

/// A preflight, to be driven like a run.
#[derive(Debug)]
pub struct PreflightWorld {
    plan: PreflightPlan,
    domain: Arc<str>,
    /// The first, the middle and the last user; fewer when there are fewer.
    probes: Vec<Probe>,
    step: Step,
    /// When the step has taken too long.
    until: Nanos,
    talk: Talk,
    /// Accounts that were made, and that were there.
    registered: (u32, u32),
    /// Connections that are open.
    connected: u32,
    cache: SaltedPasswordCache,
    result: Preflight,
}

impl PreflightWorld {
    /// Begins at the first [`World::on_deadline`].
    #[must_use]
    pub fn new(plan: PreflightPlan) -> Self {
        let last = plan.scenario.users.count.saturating_sub(1);
        let mut users = vec![0, last / 2, last];
        users.dedup();
        let spec = &plan.scenario.users;
        let mut graph = spec.roster.as_ref().map(|roster| contacts(roster, spec.count, plan.scenario.seed));
        let mut probe = |user: u32| Probe {
            user,
            contacts: graph.as_mut().map(|graph| std::mem::take(&mut graph[user as usize])),
            bound: None,
        };
        Self {
            domain: plan.scenario.target.domain.as_str().into(),
            probes: users.into_iter().map(&mut probe).collect(),
            plan,
            step: Step::Begin,
            until: Nanos::ZERO,
            talk: Talk::default(),
            registered: (0, 0),
            connected: 0,
            cache: SaltedPasswordCache::default(),
            result: Preflight::default(),
        }
    }

    /// What it found. Call it once the driver has returned the world.
    #[must_use]
    pub fn into_result(self) -> Preflight {
        self.result
    }

    fn domain(&self) -> &str {
        &self.domain
    }

    const fn is_over(&self) -> bool {
        matches!(self.step, Step::Leave | Step::Over)
    }

    fn tell(&mut self, finding: Finding) {
        self.result.findings.push(finding);
    }

    fn connect(&self, scout: Scout, effects: &mut Effects<Scout>) {
        effects.connect(Connect { remote: self.plan.target, local: self.plan.source, handler: scout });
    }

    /// Begins a step.
    fn enter(&mut self, step: Step, now: Nanos, effects: &mut Effects<Scout>) {
        self.step = step;
        self.until = now
            + match step {
                Step::Burst => PREFLIGHT_BURST_MAX,
                Step::Leave => LOGOUT_ANSWER_MAX,
                Step::Begin
                | Step::Look
                | Step::Register(_)
                | Step::LogIn(_)
                | Step::Join
                | Step::Exchange
                | Step::Ask
                | Step::Second
                | Step::Over => PREFLIGHT_STEP_MAX,
            };
        match step {
            Step::Begin | Step::Over => {}
            Step::Look => self.connect(Scout::looking(), effects),
            Step::Register(probe) => self.connect(Scout::registering(probe), effects),
            Step::LogIn(probe) => {
                let scout = Scout::logging_in(Role::Probe(probe), self.negotiation(probe, true));
                self.connect(scout, effects);
            }
            Step::Join => self.join(effects),
            Step::Exchange => self.exchange(effects),
            Step::Ask => self.ask(effects),
            Step::Second => {
                let scout = Scout::logging_in(Role::Second, self.negotiation(0, false));
                self.connect(scout, effects);
            }
            Step::Burst => self.burst(now, effects),
            Step::Leave => {
                for (conn, _) in self.probes.iter().filter_map(|probe| probe.bound.as_ref()) {
                    effects.task(*conn, Errand::Leave);
                }
            }
        }
    }

    /// Nothing further can be tried.
    fn give_up(&mut self, finding: Finding, now: Nanos, effects: &mut Effects<Scout>) {
        if !self.is_over() {
            self.tell(finding);
            self.enter(Step::Leave, now, effects);
        }
    }

    /// A step has taken too long.
    fn timed_out(&mut self, now: Nanos, effects: &mut Effects<Scout>) {
        let seconds = PREFLIGHT_STEP_MAX.as_secs();
        let silent = |what: &str| format!("timed out: {what} within {seconds} s");
        match self.step {
            Step::Begin => self.enter(Step::Look, now, effects),
            Step::Look => self.give_up(Finding::failed("stream", silent("no stream opens")), now, effects),
            Step::Register(_) => {
                let finding = Finding::failed("registration", silent("a registration is not answered"));
                self.give_up(finding, now, effects);
            }
            Step::LogIn(probe) => {
                let who = self.account(probe).0;
                let what = silent(&format!("user {who} is not logged in"));
                self.give_up(Finding::failed("accounts", what), now, effects);
            }
            Step::Join => self.not_joined(now, effects),
            Step::Exchange => self.exchanged(now, effects),
            Step::Ask => self.asked(now, effects),
            Step::Second => {
                self.tell(Finding::info("sessions", silent("a second session is not answered")));
                self.enter(Step::Burst, now, effects);
            }
            Step::Burst => self.burst_over(now, effects),
            Step::Leave | Step::Over => self.step = Step::Over,
        }
    }
}

impl World for PreflightWorld {
    type Link = Scout;
    type Mail = NoMail;
    type Job = ClientWork;
    type News = Never;

    fn on_accept(&mut self, _now: Nanos) -> Option<Scout> {
        None
    }

    fn next_deadline(&self) -> Option<Nanos> {
        (self.step != Step::Over).then_some(self.until)
    }

    fn on_deadline(&mut self, now: Nanos, effects: &mut Effects<Scout>, _rng: &mut ChaCha12Rng) {
        self.timed_out(now, effects);
    }

    fn on_connect_failed(
        &mut self,
        link: Scout,
        error: &io::Error,
        now: Nanos,
        effects: &mut Effects<Scout>,
    ) {
        let what = format!("{} cannot be reached: {error}", self.plan.target);
        match link.role() {
            Role::Second => self.refused(Role::Second, &what, now, effects),
            Role::Look | Role::Register(_) | Role::Probe(_) => {
                self.give_up(Finding::failed("address", what), now, effects);
            }
        }
    }

    fn on_undeliverable(
        &mut self,
        _stanza: Stanza,
        _target: Target,
        _now: Nanos,
        _effects: &mut Effects<Scout>,
    ) {
        unreachable!("clients reach each other through the server only");
    }

    fn on_mail(&mut self, mail: NoMail, _now: Nanos, _effects: &mut Effects<Scout>) {
        match mail {}
    }

    fn on_stop(&mut self, now: Nanos, effects: &mut Effects<Scout>) {
        if !self.is_over() {
            self.enter(Step::Leave, now, effects);
        }
    }

    fn is_done(&self) -> bool {
        self.step == Step::Over || (self.step == Step::Leave && self.connected == 0)
    }
}

/// `1.5 ms`
fn milliseconds(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1e3)
}
