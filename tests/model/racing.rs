//! Many things at a time: clients write, come, go and break while stanzas are under way, over a network that stalls and,
//! for some seeds, cuts.
//!
//! What cannot be said while things race is not said: [`super::ledger`] judges each round when the network is quiet again.

use std::time::Duration;

use xmpp_bench::sim::{Digest, Faults};
use xmpp_bench::time::Nanos;

use super::actor::{Command, End, Phase};
use super::dice::{Dice, GARBAGE};
use super::ledger::{Closing, Ledger};
use super::reference::{Reference, Session};
use super::rig::{Plan, Rig};
use super::words::Outgoing;

/// Long enough for the network to drain, many stalls included.
const QUIET: Duration = Duration::from_secs(60);
const ROUNDS: usize = 3;
const ACTIONS: usize = 45;
/// Clients that are connected at one time.
const CLIENTS: usize = 8;
const ACCOUNTS: usize = 4;

/// One run.
pub(crate) struct Racing {
    rig: Rig,
    dice: Dice,
    /// Who is bound: for the dice, who want to know to whom to write.
    reference: Reference,
    ledger: Ledger,
    plan: Plan,
    /// The network breaks paths by itself.
    hostile: bool,
    /// Every action, for whoever reads a failure.
    pub(crate) trace: Vec<String>,
}

impl Racing {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let plan = dice.plan(ACCOUNTS, true);
        let hostile = dice.percent(30);
        let faults = if hostile { Faults::hostile() } else { Faults::rough() };
        let trace = vec![format!(
            "{} homes, {:?} {:?}, hostile: {hostile}",
            plan.homes, plan.conflict, plan.relations
        )];
        let (reference, ledger) = (Reference::new(&plan), Ledger::new(&plan));
        Self { rig: Rig::new(&plan, faults, seed), dice, reference, ledger, plan, hostile, trace }
    }

    pub(crate) fn run(&mut self) -> Result<Digest, String> {
        for round in 0..ROUNDS {
            self.trace.push(format!("-- round {round}"));
            for _ in 0..ACTIONS {
                self.act();
            }
            self.settle()?;
        }
        self.trace.push("-- everybody leaves".into());
        for client in self.writers() {
            self.close(client, Closing::Tag);
        }
        self.settle()?;
        Ok(self.rig.digest())
    }

    fn settle(&mut self) -> Result<(), String> {
        self.rig.run(QUIET);
        let stage = self.rig.stage();
        let is_bound = stage.clients.iter().filter(|c| c.is_bound()).count();
        if self.rig.session_count() != is_bound {
            let count = self.rig.session_count();
            return Err(format!("the server has {count} sessions, and {is_bound} clients are bound"));
        }
        for (index, client) in stage.clients.iter().enumerate() {
            let closing = self.ledger.lives[index].closing;
            let is_explained = match (&client.end, closing) {
                (None, None) => matches!(client.phase, Phase::Bound(..)),
                (None, Some(_)) => false,
                (Some((End::Lost, _)), closing) => self.hostile || closing == Some(Closing::Lost),
                (Some((End::Eof, _)), closing) => closing == Some(Closing::Eof),
                (Some((End::Tag(None), _)), closing) => {
                    closing == Some(Closing::Tag) || matches!(client.phase, Phase::Refused(_))
                }
                (Some((End::Tag(Some(error)), _)), Some(Closing::Garbage(must))) if error == must => true,
                // It had begun a stanza, and then answered a request.
                (Some((End::Tag(Some(error)), _)), Some(Closing::Lost | Closing::Eof))
                    if error == "not-well-formed" =>
                {
                    true
                }
                (Some((End::Tag(Some(error)), _)), _) => {
                    error == "conflict" && self.ledger.has_rival(stage, index)
                }
            };
            if !is_explained {
                let (end, phase) = (&client.end, &client.phase);
                return Err(format!("client {index} in {phase:?} ended {end:?} after {closing:?}"));
            }
        }
        self.ledger.judge(stage, &self.plan)
    }

    /// Clients that may still write.
    fn writers(&self) -> Vec<usize> {
        let clients = self.rig.stage().clients.iter().zip(&self.ledger.lives).enumerate();
        clients.filter(|(_, (c, life))| c.is_bound() && life.closing.is_none()).map(|(n, _)| n).collect()
    }

    fn act(&mut self) {
        self.look_around();
        let writers = self.writers();
        let stage = self.rig.stage();
        let alive = stage.clients.iter().filter(|c| c.end.is_none()).count();
        if alive < CLIENTS && (writers.len() < 2 || self.dice.percent(12)) {
            self.log_in();
        } else if self.dice.percent(2) {
            self.cut_somebody();
        } else if !writers.is_empty() {
            let client = self.dice.pick(&writers);
            self.write(client);
            if self.dice.percent(8) {
                let (_, condition) = self.dice.pick(&GARBAGE);
                let closings =
                    [Closing::Tag, Closing::Tag, Closing::Eof, Closing::Lost, Closing::Garbage(condition)];
                let closing = self.dice.pick(&closings);
                self.close(client, closing);
            }
        }
        let pauses = [0, 0, 0, 1, 5, 20, 60, 200];
        let pause = if self.dice.percent(3) { 3_000 } else { self.dice.pick(&pauses) };
        self.rig.run(Duration::from_millis(pause));
    }

    /// Tells the dice who is there now.
    fn look_around(&mut self) {
        self.reference.sessions.clear();
        for (client, c) in self.rig.stage().clients.iter().enumerate().filter(|(_, c)| c.is_bound()) {
            let jid = c.jid().expect("it is bound").to_owned();
            self.reference.sessions.push(Session::new(client, c.login.account, jid, c.login.lang));
        }
    }

    fn log_in(&mut self) {
        let login = self.dice.login(ACCOUNTS);
        let client = self.rig.connect(login.clone());
        self.note(format!("client {client}: {login:?}"));
        self.ledger.begin();
    }

    fn write(&mut self, client: usize) {
        let count = if self.dice.percent(60) { 1 } else { 2 + self.dice.below(4) };
        let mut text = String::new();
        for _ in 0..count {
            let stanza = if self.ledger.lives[client].said.is_empty() && self.dice.percent(60) {
                self.dice.initial()
            } else {
                self.dice.stanza(client, &self.reference)
            };
            // A probe where a request waits for its answer would withdraw the request (RFC 6121 §4.3.2), and one where
            // the other knows of no subscription would end it.
            if stanza.attr("type") != Some("probe") {
                text.push_str(&self.entered(client, &stanza));
            }
        }
        self.rig.command(client, Command::Write(text.into_bytes()));
    }

    fn entered(&mut self, client: usize, stanza: &Outgoing) -> String {
        let xml = stanza.xml();
        self.note(format!("client {client}: {}", xml.chars().take(200).collect::<String>()));
        self.ledger.sent(client, stanza, self.rig.now());
        xml
    }

    fn cut_somebody(&mut self) {
        let client = self.dice.below(self.rig.stage().clients.len());
        if self.rig.stage().clients[client].end.is_none() {
            self.note(format!("client {client}: cut"));
            self.ledger.lives[client].closing = Some(Closing::Lost);
            if !self.rig.cut(client) {
                // Not even connected: it goes as soon as it is.
                self.ledger.lives[client].closing = None;
            }
        }
    }

    fn close(&mut self, client: usize, closing: Closing) {
        let partial = self.dice.pick(&["", "<", "<message to='u0@model.test' id='partial'><body>h"]);
        self.note(format!("client {client}: {closing:?}, after {partial:?} where it may"));
        match closing {
            Closing::Tag => self.rig.command(client, Command::Quit),
            Closing::Garbage(condition) => {
                let is_it = |(_, c): &&(&str, &str)| *c == condition;
                let (garbage, _) = GARBAGE.iter().find(is_it).expect("it is from there");
                self.rig.command(client, Command::Write(garbage.as_bytes().to_vec()));
            }
            Closing::Eof => {
                self.rig.command(client, Command::Write(partial.as_bytes().to_vec()));
                self.rig.run(Duration::ZERO);
                // With a full window the end would come before what is written.
                if !self.rig.half_close(client) {
                    self.rig.cut(client);
                    self.ledger.lives[client].closing = Some(Closing::Lost);
                    return;
                }
            }
            Closing::Lost => {
                self.rig.command(client, Command::Write(partial.as_bytes().to_vec()));
                if self.dice.percent(50) {
                    self.rig.command(client, Command::Drop);
                } else {
                    self.rig.run(Duration::from_millis(self.dice.pick(&[0, 1, 30])));
                    self.rig.cut(client);
                }
            }
        }
        self.ledger.lives[client].closing = Some(closing);
    }

    fn note(&mut self, event: String) {
        let Nanos(now) = self.rig.now();
        self.trace.push(format!("{}.{:03} {event}", now / 1_000_000_000, now / 1_000_000 % 1_000));
    }
}
