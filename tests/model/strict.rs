//! One thing at a time: a client does something, the network drains, and every client must have seen exactly what the
//! reference says, no more, no less, and byte for byte.
//!
//! The network cuts and delays but loses nothing here; what overtakes what is `racing`'s.

use std::collections::BTreeMap;
use std::time::Duration;

use xmpp_bench::sim::{Digest, Faults};

use super::actor::{Command, End, Got, Login, Phase};
use super::compare::Comparison;
use super::dice::{Dice, GARBAGE};
use super::presence::DIRECTED_MAX;
use super::reference::{Binding, Inner, Reference, Want, Wants};
use super::rig::{DOMAIN, Plan, Rig, bare};
use super::words::Outgoing;

/// Long enough for the network to drain.
const QUIET: Duration = Duration::from_secs(2);
/// Steps of a run.
const STEPS: usize = 60;
/// Clients that are bound at one time, as a rule.
const CLIENTS: usize = 7;

/// One run.
pub(crate) struct Strict {
    rig: Rig,
    reference: Reference,
    dice: Dice,
    /// Every step, for whoever reads a failure.
    pub(crate) trace: Vec<String>,
    homes: usize,
    crowd: bool,
    /// Per cent of stanzas that change a roster or a subscription.
    changes: usize,
    /// A slow reader is still to come. It takes long, so few runs have one.
    slow: bool,
}

/// What one step must lead to.
#[derive(Default)]
struct Expect {
    /// Per stanza, in order.
    groups: Vec<Wants>,
    ends: BTreeMap<usize, End>,
}

/// Where the record stood before a step.
struct Mark {
    got: usize,
    ended: Vec<bool>,
}

impl Strict {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        // Some runs fill one account to its limit.
        let crowd = seed.is_multiple_of(20);
        // Others are about few accounts that change what they are to each other.
        let social = seed.is_multiple_of(2) && !crowd;
        let accounts = if crowd { 2 } else { 4 - 2 * usize::from(social) };
        let plan: Plan = dice.plan(accounts, false);
        let faults = Faults {
            delay: (Duration::from_micros(20), Duration::from_millis(5)),
            piece_bytes: (1, 1_200),
            stalls_per_million: 0,
            window_bytes: 16_384,
            ..Faults::rough()
        };
        let homes = plan.homes;
        let trace = vec![format!("{homes} homes, {:?} {:?}", plan.conflict, plan.relations)];
        let reference = Reference::new(&plan);
        Self {
            rig: Rig::new(&plan, faults, seed),
            reference,
            dice,
            trace,
            homes,
            crowd,
            changes: if social { 70 } else { 15 },
            slow: seed % 25 == 3,
        }
    }

    pub(crate) fn run(&mut self) -> Result<Digest, String> {
        for step in 0..STEPS {
            self.trace.push(format!("-- step {step} at {:?}", self.rig.now()));
            self.step()?;
            let (has, must) = (self.rig.session_count(), self.reference.sessions.len());
            if has != must {
                return Err(format!("the server has {has} sessions, and should have {must}"));
            }
        }
        Ok(self.rig.digest())
    }

    fn step(&mut self) -> Result<(), String> {
        let bound: Vec<usize> = self.reference.sessions.iter().map(|s| s.client).collect();
        let most = if self.crowd { 18 } else { CLIENTS };
        if bound.len() < 2 || (bound.len() < most && self.dice.percent(if self.crowd { 70 } else { 15 })) {
            return self.log_in();
        }
        let client = self.dice.pick(&bound);
        if std::mem::take(&mut self.slow) {
            return self.slow_reader(client, &bound);
        }
        match self.dice.below(1_000) {
            0..120 => self.end(client),
            120..125 => self.silence(client, &bound),
            125..128 => self.flood(client),
            128..131 => self.oversize(client),
            131..136 => self.never_logs_in(),
            _ => {
                let burst = self.burst(client, true);
                self.write(client, burst)
            }
        }
    }

    fn mark(&self) -> Mark {
        let stage = self.rig.stage();
        Mark { got: stage.got.len(), ended: stage.clients.iter().map(|c| c.end.is_some()).collect() }
    }

    fn log_in(&mut self) -> Result<(), String> {
        let mut login = self.dice.login(self.reference.accounts.len());
        if self.crowd && self.dice.percent(80) {
            (login.account, login.resource) = (0, None);
        }
        let mark = self.mark();
        let (account, lang) = (login.account, login.lang);
        let resource = login.resource.clone();
        let binding = self.reference.binding(account, resource.as_deref());
        let client = self.rig.connect(login.clone());
        self.trace.push(format!("client {client}: {login:?}, should become {binding:?}"));
        self.rig.run(QUIET);
        let mut expect = Expect::default();
        let phase = self.rig.stage().clients[client].phase.clone();
        let jid = match (&phase, &binding) {
            (Phase::Bound(jid, _), Binding::Asked(asked)) if jid == asked => Some(jid.clone()),
            (Phase::Bound(jid, _), Binding::Replacing(asked, old)) if jid == asked => {
                expect.groups.push(self.reference.end(*old));
                expect.ends.insert(*old, End::Tag(Some("conflict".into())));
                Some(jid.clone())
            }
            (Phase::Bound(jid, _), Binding::Other) => {
                let is_new = self.reference.by_jid(jid).is_none();
                let given = jid.strip_prefix(&format!("{}/", bare(account)));
                let is_random = given.is_some_and(|r| r.len() >= 16);
                (is_new && is_random).then(|| jid.clone())
            }
            (Phase::Refused(condition), Binding::Refused(must)) if condition == must => {
                expect.ends.insert(client, End::Tag(None));
                return self.check(&mark, &expect);
            }
            _ => None,
        };
        let jid = jid.ok_or_else(|| format!("client {client} came to {phase:?}, should be {binding:?}"))?;
        self.reference.bind(client, account, jid, lang);
        self.check(&mark, &expect)
    }

    /// Some stanzas. Requests only where their answers can come back.
    fn burst(&mut self, client: usize, with_iqs: bool) -> Vec<Outgoing> {
        let count = if self.dice.percent(70) { 1 } else { 2 + self.dice.below(4) };
        let mut burst = Vec::new();
        for _ in 0..count {
            let stanza = if with_iqs && self.dice.percent(self.changes) {
                self.dice.change(client, &self.reference)
            } else if with_iqs {
                self.dice.stanza(client, &self.reference)
            } else if self.dice.percent(60) {
                self.dice.message(&self.reference)
            } else {
                self.dice.presence(client, &self.reference)
            };
            // What other homes answer to presence, the next presence and the next push would race with.
            let races = |s: &Outgoing| s.name == "presence" || s.roster.is_some();
            if self.homes == 1 || !races(&stanza) || !burst.iter().any(races) {
                burst.push(stanza);
            }
        }
        burst
    }

    fn write(&mut self, client: usize, burst: Vec<Outgoing>) -> Result<(), String> {
        let mark = self.mark();
        let (text, expect) = self.hear(client, &burst);
        self.rig.command(client, Command::Write(text.into_bytes()));
        self.rig.run(QUIET);
        self.check(&mark, &expect)
    }

    /// The bytes of a burst, with white space here and there, and what it must lead to.
    fn hear(&mut self, client: usize, burst: &[Outgoing]) -> (String, Expect) {
        let mut text = String::new();
        let mut expect = Expect::default();
        for stanza in burst {
            let xml = stanza.xml();
            let shown: String = xml.chars().take(300).collect();
            self.trace.push(format!("client {client}: {shown}"));
            text.push_str(&xml);
            if self.dice.percent(10) {
                text.push_str("\n ");
            }
            expect.groups.push(self.reference.hear(client, stanza));
            self.trace.append(&mut self.reference.cells);
        }
        (text, expect)
    }

    /// A client's stream ends, in one of many ways.
    fn end(&mut self, client: usize) -> Result<(), String> {
        let mark = self.mark();
        let burst = if self.dice.percent(50) { self.burst(client, false) } else { Vec::new() };
        let (mut text, mut expect) = self.hear(client, &burst);
        let partial = ["", "", "<", "<message to='u0@model.test' id='partial'><body>h", "</stream:strea"];
        // Who has begun a stanza cannot answer a push.
        let asks = |(to, want): &(usize, Want)| *to == client && want.name == "iq";
        let must_answer = expect.groups.iter().flatten().any(asks);
        let partial = if must_answer { "" } else { self.dice.pick(&partial) };
        // Who is being given what waited reads it first: whether it was written in time is not known otherwise.
        let waited = expect.groups.iter().flatten().any(|(_, want)| matches!(want.inner, Inner::Delayed(_)));
        let (end, name) = match if waited { 4 } else { self.dice.below(5) } {
            0 => {
                let (garbage, condition) = self.dice.pick(&GARBAGE);
                text.push_str(garbage);
                (End::Tag(Some(condition.to_owned())), garbage)
            }
            1 => (End::Tag(None), "close tag"),
            2 => (End::Eof, "half-close"),
            3 => (End::Lost, "drop"),
            _ => (End::Lost, "cut"),
        };
        self.trace.push(format!("client {client}: {name}, after {partial:?}"));
        if matches!(name, "half-close" | "drop" | "cut") {
            text.push_str(partial);
        }
        self.rig.command(client, Command::Write(text.into_bytes()));
        match name {
            "close tag" => self.rig.command(client, Command::Quit),
            "drop" => self.rig.command(client, Command::Drop),
            "half-close" => {
                self.rig.run(QUIET);
                assert!(self.rig.half_close(client), "the network has drained");
            }
            "cut" => {
                self.rig.run(QUIET);
                assert!(self.rig.cut(client), "it is connected");
            }
            _ => {}
        }
        self.rig.run(QUIET);
        expect.groups.push(self.reference.end(client));
        expect.ends.insert(client, end);
        self.check(&mark, &expect)
    }

    /// Everybody is asked for a sign of life; one client gives none.
    fn silence(&mut self, client: usize, bound: &[usize]) -> Result<(), String> {
        let mark = self.mark();
        self.trace.push(format!("client {client} falls silent"));
        self.rig.command(client, Command::Mute);
        self.rig.run(Duration::from_secs(335));
        let got = &self.rig.stage().got[mark.got..];
        let silent = bound.iter().find(|c| !got.iter().any(|g| g.client == **c && is_ping(g)));
        if let Some(silent) = silent {
            return Err(format!("client {silent} was not asked for a sign of life"));
        }
        let mut expect = Expect::default();
        expect.groups.push(self.reference.end(client));
        expect.ends.insert(client, End::Tag(Some("connection-timeout".into())));
        self.check(&mark, &expect)
    }

    /// More directed presence than is remembered.
    fn flood(&mut self, client: usize) -> Result<(), String> {
        self.trace.push(format!("client {client} floods"));
        let before = self.trace.len();
        let flood = |n| {
            Outgoing::new("presence").with("to", format!("ghost@{DOMAIN}/{n}")).with("id", format!("f{n}"))
        };
        let burst = (0..=DIRECTED_MAX).map(flood).collect();
        self.write(client, burst)?;
        self.trace.truncate(before);
        Ok(())
    }

    fn oversize(&mut self, client: usize) -> Result<(), String> {
        let mark = self.mark();
        self.trace.push(format!("client {client} writes a stanza beyond all measure"));
        let text = format!("<message to='{}'><body>{}", bare(0), "x".repeat(262_144));
        self.rig.command(client, Command::Write(text.into_bytes()));
        self.rig.run(QUIET * 3);
        let mut expect = Expect::default();
        expect.groups.push(self.reference.end(client));
        expect.ends.insert(client, End::Tag(Some("policy-violation".into())));
        self.check(&mark, &expect)
    }

    fn never_logs_in(&mut self) -> Result<(), String> {
        let mark = self.mark();
        let login = Login { account: 0, resource: None, lang: None, pipelined: false, silent: true };
        let client = self.rig.connect(login);
        self.trace.push(format!("client {client} never logs in"));
        self.rig.run(Duration::from_secs(29));
        if self.rig.stage().clients[client].end.is_some() {
            return Err(format!("client {client} had less time to log in than promised"));
        }
        self.rig.run(Duration::from_secs(3));
        let mut expect = Expect::default();
        expect.ends.insert(client, End::Tag(Some("connection-timeout".into())));
        self.check(&mark, &expect)
    }

    /// A client reads nothing while another writes to it, until the server gives it up. Then it reads on. Each message was
    /// for it or comes back; nobody else notices anything but its end.
    fn slow_reader(&mut self, slow: usize, bound: &[usize]) -> Result<(), String> {
        let others: Vec<usize> = bound.iter().copied().filter(|client| *client != slow).collect();
        let sender = self.dice.pick(&others);
        let mark = self.mark();
        self.trace.push(format!("client {slow} stops reading, and client {sender} writes to it"));
        let to = self.reference.session(slow).expect("it is bound").jid.clone();
        let body = format!("<body>{}</body>", "slow".repeat(50_000));
        let message =
            |n| Outgoing::new("message").with("to", &to).with("id", format!("s{n}")).with_inner(&body);
        let messages: Vec<Outgoing> = (0..7).map(message).collect();
        self.rig.hold_reading(slow, true);
        for message in &messages {
            self.rig.command(sender, Command::Write(message.xml().into_bytes()));
        }
        self.rig.run(Duration::from_secs(15));
        self.rig.hold_reading(slow, false);
        self.rig.run(QUIET * 10);
        let read = self.rig.stage().got[mark.got..]
            .iter()
            .filter(|g| g.client == slow && g.name == "message")
            .count();
        if read == 0 || read == messages.len() {
            return Err(format!("client {slow} read {read} messages, neither some nor all of them"));
        }
        let mut expect = Expect::default();
        for message in &messages[..read] {
            expect.groups.push(self.reference.hear(sender, message));
        }
        expect.groups.push(self.reference.end(slow));
        expect.ends.insert(slow, End::Tag(Some("resource-constraint".into())));
        for message in &messages[read..] {
            expect.groups.push(self.reference.hear(sender, message));
        }
        self.check(&mark, &expect)
    }

    fn check(&mut self, mark: &Mark, expect: &Expect) -> Result<(), String> {
        let stage = self.rig.stage();
        for (index, client) in stage.clients.iter().enumerate() {
            let was_over = mark.ended.get(index).copied().unwrap_or(false);
            let end = client.end.as_ref().filter(|_| !was_over).map(|(end, _)| end);
            let must = expect.ends.get(&index);
            if end != must {
                return Err(format!("client {index}: its end is {end:?}, should be {must:?}"));
            }
            let reads_no_more = must == Some(&End::Lost);
            // One who ends may still hear of its own end, in the server's words.
            let is_own = |g: &Got| {
                let own = must.is_some() && g.attr("from") == client.jid();
                own && g.attr("type") == Some("unavailable") && g.attr("id").is_none()
            };
            let got = stage.got[mark.got..].iter().filter(|g| g.client == index);
            let got: Vec<&Got> = got.filter(|g| !is_ping(g) && !is_own(g)).collect();
            if !reads_no_more {
                let (homes, has_ended) = (self.homes, must.is_some());
                let groups = &expect.groups;
                let comparison = Comparison { client: index, got: &got, groups, homes, has_ended };
                for (want, got) in comparison.run()? {
                    self.reference.versions.learn(want, got)?;
                }
            }
        }
        Ok(())
    }
}

/// The server's question for a sign of life.
fn is_ping(got: &Got) -> bool {
    got.name == "iq" && got.attr("id") == Some("ping") && got.attr("from") == Some(DOMAIN)
}
