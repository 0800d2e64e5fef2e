//! What those who are in say to the server and to each other, and what becomes of it.
//!
//! Nothing is timed that a result could hold; the burst is timed to see a rate limit, nothing else.

use std::time::Duration;

use super::entry::condition;
use super::scout::{Errand, Role, Scout};
use super::{CheckState, Finding, PreflightWorld, Step, milliseconds};
use crate::engine::Effects;
use crate::limits::{PREFLIGHT_BURST_MAX, PREFLIGHT_BURST_PINGS, PREFLIGHT_PING_BYTES, PREFLIGHT_STEP_MAX};
use crate::load::ids::{Run, StanzaId};
use crate::load::markers;
use crate::load::stanzas::{self, NS_DELAY, NS_ROSTER, VERSION_ID};
use crate::load::user::login::software;
use crate::metrics::Survival;
use crate::stanza::{Jid, NS_CLIENT};
use crate::time::Nanos;
use crate::xml::{Element, Node, escape_attr_into};

/// Numbers of the stanzas; the burst's pings have those behind.
const JOIN: u64 = 0;
const MESSAGE: u64 = 1;
const PRESENCE: u64 = 2;
const IQ: u64 = 3;
const PING: u64 = 4;
const BURST: u64 = 5;
const BODY: &str = "xmpp-bench looks whether messages arrive";
/// A server that answers all pings of the burst faster has no rate limit that a run would feel.
const BURST_FREE: Duration = Duration::from_secs(1);

/// What was heard so far.
#[derive(Debug, Default)]
pub(super) struct Talk {
    /// Planned contacts that are in the roster, all contacts that get presence, by probe.
    rosters: Vec<Option<(usize, usize)>>,
    /// Whether own presence came back, by probe.
    reflected: Vec<bool>,
    message: Option<Arrived>,
    presence: Option<Arrived>,
    /// The answer of the last one to the first one's IQ, or its error.
    iq: Option<Result<(), String>>,
    ping: Option<Result<(), String>>,
    version: bool,
    asked_at: Nanos,
    /// When each answer of the burst came.
    burst: Vec<Nanos>,
}

/// How a stanza came through.
#[derive(Debug, PartialEq, Eq)]
enum Arrived {
    AsSent,
    /// With another id, and the marker.
    Marked,
    /// With another id and without the marker.
    Stripped,
    Bounced(String),
}

fn run() -> Run {
    Run::new("check")
}

fn id(probe: usize, seq: u64) -> StanzaId {
    StanzaId { user: u32::try_from(probe).expect("three at most"), seq }
}

impl PreflightWorld {
    /// The last one that is in; the first one talks to it.
    fn last(&self) -> usize {
        self.probes.len() - 1
    }

    fn jid(&self, probe: usize) -> &Jid {
        &self.probes[probe].bound.as_ref().expect("whoever talks is bound").1
    }

    fn say(&self, probe: usize, words: Vec<u8>, effects: &mut Effects<Scout>) {
        let (conn, _) = self.probes[probe].bound.as_ref().expect("whoever talks is bound");
        effects.task(*conn, Errand::Write(words));
    }

    pub(super) fn join(&mut self, effects: &mut Effects<Scout>) {
        self.talk.rosters = vec![None; self.probes.len()];
        self.talk.reflected = vec![false; self.probes.len()];
        for probe in 0..self.probes.len() {
            let mut out = Vec::new();
            stanzas::roster_get(&run(), id(probe, JOIN), &mut out);
            stanzas::initial_presence(&run(), id(probe, JOIN).user, &mut out);
            self.say(probe, out, effects);
        }
    }

    fn maybe_joined(&mut self, now: Nanos, effects: &mut Effects<Scout>) {
        let talk = &self.talk;
        if talk.rosters.iter().all(Option::is_some) && talk.reflected.iter().all(|came| *came) {
            self.tell_rosters();
            self.tell(Finding::ok("presence", "comes back to its sender"));
            self.enter(Step::Exchange, now, effects);
        }
    }

    fn tell_rosters(&mut self) {
        let (planned, actual) = self
            .talk
            .rosters
            .iter()
            .flatten()
            .fold((0, 0), |(planned, actual), (own, all)| (planned + own, actual + all));
        let Some(wanted) = self.wanted_contacts() else {
            let what = format!("{actual} contacts get presence; the scenario takes rosters as they are");
            return self.tell(Finding::info("roster", what));
        };
        let finding = if planned == wanted && actual == wanted {
            Finding::ok("roster", format!("the {wanted} contacts that the graph gives these users"))
        } else {
            let what = format!(
                "{planned} of the graph's {wanted} contacts of these users are there, {actual} in all"
            );
            Finding::info("roster", what)
        };
        self.tell(finding);
    }

    /// Contacts that the graph gives the probes together.
    fn wanted_contacts(&self) -> Option<usize> {
        self.probes.iter().map(|probe| probe.contacts.as_ref().map(Vec::len)).sum()
    }

    /// Who is in a roster: contacts of the graph that get presence (`from`, `both`), and all that do.
    fn count_contacts(&self, probe: usize, roster: &Node<'_>) -> (usize, usize) {
        let users = &self.plan.scenario.users;
        let planned: Vec<String> = self.probes[probe]
            .contacts
            .iter()
            .flatten()
            .map(|user| format!("{}@{}", users.username(*user as usize), self.domain))
            .collect();
        let Some(query) = roster.child("query", NS_ROSTER) else { return (0, 0) };
        let seen = query.elements().filter(|item| matches!(item.attr("subscription"), Some("from" | "both")));
        let seen: Vec<_> = seen.filter_map(|item| item.attr("jid")).collect();
        (seen.iter().filter(|jid| planned.iter().any(|planned| planned == *jid)).count(), seen.len())
    }

    pub(super) fn not_joined(&mut self, now: Nanos, effects: &mut Effects<Scout>) {
        let seconds = PREFLIGHT_STEP_MAX.as_secs();
        let finding = if self.talk.rosters.iter().any(Option::is_none) {
            Finding::failed("roster", format!("no answer to a roster get within {seconds} s"))
        } else {
            let what =
                format!("own presence did not come back within {seconds} s, so no user would ever be ready");
            let fix = "RFC 6121 §4.2.2 has a server send it to the sender's own resources; look for a module that \
                       filters presence";
            Finding::new("presence", CheckState::Failed, what, Some(fix))
        };
        self.give_up(finding, now, effects);
    }

    /// The first one sends a message to the last one, asks it, and changes its presence.
    pub(super) fn exchange(&self, effects: &mut Effects<Scout>) {
        let (mut out, last) = (Vec::new(), self.jid(self.last()));
        // With one user the message goes to the own resource: its bare address would be as good, but not on every server.
        let bare = last.as_ref().bare();
        let to = if self.last() == 0 { last.as_str() } else { bare.as_str() };
        let tag = |kind: &str, seq: u64, attributes: &[(&str, &str)], out: &mut Vec<u8>| {
            out.extend_from_slice(format!("<{kind} id='").as_bytes());
            run().write(id(0, seq), out);
            for (name, value) in attributes {
                out.extend_from_slice(format!("' {name}='").as_bytes());
                escape_attr_into(value, out);
            }
            out.extend_from_slice(b"'>");
        };
        tag("message", MESSAGE, &[("type", "chat"), ("to", to)], &mut out);
        out.extend_from_slice(format!("<body>{BODY}</body>").as_bytes());
        markers::write_marker(&run(), id(0, MESSAGE), &mut out);
        out.extend_from_slice(b"</message>");
        tag("iq", IQ, &[("type", "get"), ("to", last.as_str())], &mut out);
        out.extend_from_slice(b"<ping xmlns='urn:xmpp:ping'/></iq>");
        tag("presence", PRESENCE, &[], &mut out);
        out.extend_from_slice(b"<show>away</show>");
        markers::write_marker(&run(), id(0, PRESENCE), &mut out);
        out.extend_from_slice(b"</presence>");
        self.say(0, out, effects);
    }

    /// Everything has come back, or the time is over.
    pub(super) fn exchanged(&mut self, now: Nanos, effects: &mut Effects<Scout>) {
        let (message, presence, iq) =
            (self.talk.message.take(), self.talk.presence.take(), self.talk.iq.take());
        self.result.ids.message = survival(message.as_ref());
        self.result.ids.presence = survival(presence.as_ref());
        let mut fails = false;
        for (kind, arrived) in [("message", message), ("presence", presence)] {
            let finding = id_finding(kind, arrived);
            fails |= finding.state == CheckState::Failed;
            self.tell(finding);
        }
        self.tell(match iq {
            Some(Ok(())) => Finding::ok("iq", "a request of one user is answered by another"),
            Some(Err(what)) => {
                Finding::info("iq", format!("a request of one user to another is refused: {what}"))
            }
            None => Finding::info("iq", "a request of one user to another is not answered"),
        });
        self.enter(if fails { Step::Leave } else { Step::Ask }, now, effects);
    }

    /// Software and ping.
    pub(super) fn ask(&self, effects: &mut Effects<Scout>) {
        let mut out = Vec::new();
        stanzas::version(&self.domain, &mut out);
        stanzas::ping(&run(), id(0, PING), &self.domain, &mut out);
        self.say(0, out, effects);
    }

    pub(super) fn asked(&mut self, now: Nanos, effects: &mut Effects<Scout>) {
        let mut actions = self.plan.scenario.phases.iter().flat_map(|phase| phase.actions());
        let pings = actions.any(|action| action.action == crate::load::scenario::Action::Ping);
        let fix = "load the ping module (Prosody: ping; ejabberd: mod_ping), or leave the action `ping` away";
        let bad = if pings { CheckState::Failed } else { CheckState::Info };
        let finding = match self.talk.ping.take() {
            Some(Ok(())) => Finding::ok("ping", "answered (XEP-0199)"),
            Some(Err(what)) => Finding::new("ping", bad, format!("refused: {what}"), Some(fix)),
            None => Finding::new("ping", bad, "not answered", Some(fix)),
        };
        self.tell(finding);
        let software = self.result.software.clone().unwrap_or_else(|| "the server does not tell".to_owned());
        self.tell(Finding::info("software", software));
        self.enter(Step::Second, now, effects);
    }

    /// Many pings at once, each filled up with white space.
    pub(super) fn burst(&mut self, now: Nanos, effects: &mut Effects<Scout>) {
        self.talk.asked_at = now;
        let mut out = Vec::new();
        for (number, end) in (0..PREFLIGHT_BURST_PINGS).zip(1..) {
            stanzas::ping(&run(), id(0, BURST + u64::from(number)), &self.domain, &mut out);
            out.resize(out.len().max(end * PREFLIGHT_PING_BYTES), b' ');
        }
        self.say(0, out, effects);
    }

    /// All pings are answered, or the time is over.
    pub(super) fn burst_over(&mut self, now: Nanos, effects: &mut Effects<Scout>) {
        let times = std::mem::take(&mut self.talk.burst);
        let (count, all) = (times.len(), PREFLIGHT_BURST_PINGS as usize);
        let since = |at: Nanos| Duration::from_nanos(at.since(self.talk.asked_at));
        let rate = |answers: usize, took: Duration| {
            answers as f64 * PREFLIGHT_PING_BYTES as f64 / took.as_secs_f64().max(1e-3)
        };
        let fix = "lift the limit for the test, or the run measures it (ejabberd: shaper: normal/fast, or c2s_shaper: \
                   none in shaper_rules; Prosody: limits = { c2s = { rate = … } }, or without the module limits)";
        let what = match times.last() {
            Some(last) if count == all && since(*last) <= BURST_FREE => {
                let took = milliseconds(since(*last));
                self.tell(Finding::ok(
                    "rate limit",
                    format!("none is felt: {all} pings at once took {took}"),
                ));
                return self.enter(Step::Leave, now, effects);
            }
            Some(last) if count == all => {
                // What a limit lets through at once says nothing about its rate.
                let (half, rest) = (times[all / 2 - 1], all - all / 2);
                let per_second = rate(rest, Duration::from_nanos(last.since(half)));
                let (took, count) = (milliseconds(since(*last)), per_second / PREFLIGHT_PING_BYTES as f64);
                format!(
                    "{all} pings at once took {took}: about {per_second:.0} bytes/s, {count:.0} stanzas/s"
                )
            }
            _ => {
                let seconds = PREFLIGHT_BURST_MAX.as_secs();
                let per_second = rate(count, PREFLIGHT_BURST_MAX);
                format!(
                    "{count} of {all} pings at once were answered in {seconds} s: below {per_second:.0} bytes/s"
                )
            }
        };
        self.tell(Finding::new("rate limit", CheckState::Warning, what, Some(fix)));
        self.enter(Step::Leave, now, effects);
    }

    /// A stanza that is no request.
    pub(super) fn on_stanza(
        &mut self,
        role: Role,
        element: &Element,
        now: Nanos,
        effects: &mut Effects<Scout>,
    ) {
        let Role::Probe(probe) = role else { return };
        let node = Node::parse(element, NS_CLIENT);
        let seq = node.attr("id").and_then(|id| run().parse(id)).map(|id| id.seq);
        match (self.step, node.name) {
            (Step::Join, "iq") if seq == Some(JOIN) => {
                self.talk.rosters[probe] = Some(self.count_contacts(probe, &node));
                self.maybe_joined(now, effects);
            }
            (Step::Join, "presence")
                if node.attr("type").is_none() && node.attr("from") == Some(self.jid(probe).as_str()) =>
            {
                self.talk.reflected[probe] = true;
                self.maybe_joined(now, effects);
            }
            (Step::Exchange, name) => {
                self.on_exchange(name, probe, seq, &node);
                let talk = &self.talk;
                if talk.message.is_some() && talk.presence.is_some() && talk.iq.is_some() {
                    self.exchanged(now, effects);
                }
            }
            (Step::Ask, "iq") => {
                if node.attr("id") == Some(VERSION_ID) {
                    self.result.software = software(element);
                    self.talk.version = true;
                } else if seq == Some(PING) {
                    self.talk.ping = Some(answer(&node));
                }
                if self.talk.version && self.talk.ping.is_some() {
                    self.asked(now, effects);
                }
            }
            (Step::Burst, "iq") if seq.is_some_and(|seq| seq >= BURST) => {
                self.talk.burst.push(now);
                if self.talk.burst.len() == PREFLIGHT_BURST_PINGS as usize {
                    self.burst_over(now, effects);
                }
            }
            _ => {}
        }
    }

    fn on_exchange(&mut self, name: &str, probe: usize, seq: Option<u64>, node: &Node<'_>) {
        let arrived = |want: u64| match markers::survival(&run(), id(0, want), node) {
            Survival::Preserved => Arrived::AsSent,
            Survival::Marker => Arrived::Marked,
            Survival::Unknown => Arrived::Stripped,
        };
        let is_error = node.attr("type") == Some("error");
        let has =
            |name: &str, text: &str| node.child(name, NS_CLIENT).is_some_and(|child| child.text() == text);
        match name {
            "message" if is_error && probe == 0 => {
                self.talk.message = Some(Arrived::Bounced(condition(node).to_owned()));
            }
            "message" if probe == self.last() && has("body", BODY) && self.talk.message.is_none() => {
                self.talk.message = Some(arrived(MESSAGE));
                self.tell_rewriting(node);
            }
            "presence" if is_error && probe == 0 => {
                self.talk.presence = Some(Arrived::Bounced(condition(node).to_owned()));
            }
            "presence" if probe == 0 && has("show", "away") && self.talk.presence.is_none() => {
                self.talk.presence = Some(arrived(PRESENCE));
            }
            "iq" if seq == Some(IQ) && probe == 0 => self.talk.iq = Some(answer(node)),
            _ => {}
        }
    }

    /// What the server adds to a message.
    fn tell_rewriting(&mut self, message: &Node<'_>) {
        if message.child("delay", NS_DELAY).is_some() {
            let what = "a message to a user that is there came with <delay/> (XEP-0203), as if from storage";
            self.tell(Finding::new("rewriting", CheckState::Warning, what, None));
        }
        let own = |child: &&Node<'_>| !(child.is("body", NS_CLIENT) || child.ns == markers::NS_MARKER);
        let added: Vec<_> =
            message.elements().filter(own).map(|child| format!("<{}/>", child.name)).collect();
        let what = match added.join(", ") {
            none if none.is_empty() => {
                return self.tell(Finding::ok("rewriting", "messages arrive as they were sent"));
            }
            some => format!("the server adds to messages: {some}"),
        };
        self.tell(Finding::info("rewriting", what));
    }
}

fn answer(iq: &Node<'_>) -> Result<(), String> {
    if iq.attr("type") == Some("result") { Ok(()) } else { Err(condition(iq).to_owned()) }
}

fn survival(arrived: Option<&Arrived>) -> Survival {
    match arrived {
        Some(Arrived::AsSent) => Survival::Preserved,
        Some(Arrived::Marked) => Survival::Marker,
        Some(Arrived::Stripped | Arrived::Bounced(_)) | None => Survival::Unknown,
    }
}

fn id_finding(kind: &str, arrived: Option<Arrived>) -> Finding {
    let check = format!("{kind} id");
    let failed = |what: &str, fix: Option<&str>| Finding::new(&check, CheckState::Failed, what, fix);
    match arrived {
        Some(Arrived::AsSent) => Finding::ok(&check, "arrives as it was sent"),
        Some(Arrived::Marked) => Finding::info(
            &check,
            format!("is another one at the recipient's; a run has a marker child in each {kind}"),
        ),
        Some(Arrived::Stripped) => failed(
            "is another one at the recipient's, and the marker child that would replace it is gone",
            Some("look for a module that rewrites or filters stanzas"),
        ),
        Some(Arrived::Bounced(what)) => failed(
            &format!("it bounced: {what}"),
            Some(
                "look for what keeps strangers apart (ejabberd: mod_block_strangers; Prosody: block_strangers, firewall)",
            ),
        ),
        None => failed(
            "it did not arrive",
            Some(
                "look for what keeps strangers apart (ejabberd: mod_block_strangers; Prosody: block_strangers, firewall)",
            ),
        ),
    }
}
