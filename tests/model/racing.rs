//! Many things at a time: clients write, come, go and break while stanzas are under way, over a network that stalls and,
//! for some seeds, cuts.
//!
//! What cannot be said while things race is not said: [`super::ledger`] judges each round when the network is quiet again.

use std::time::Duration;

use xmpp_bench::sim::{Digest, Faults};
use xmpp_bench::time::Nanos;

use super::actor::{Command, End, Login, Phase};
use super::copies::Copy;
use super::dice::{Dice, GARBAGE};
use super::ledger::{Closing, Ledger};
use super::reference::{Reference, Session};
use super::rig::Rig;
use super::words::{Outgoing, Query};

/// Long enough for the network to drain, many stalls included.
const QUIET: Duration = Duration::from_secs(60);
/// Long enough for answers when nothing else is under way.
const ANSWERS: Duration = Duration::from_secs(20);
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
        Self { rig: Rig::new(&plan, faults, seed), dice, reference, ledger, hostile, trace }
    }

    pub(crate) fn run(&mut self) -> Result<Digest, String> {
        for round in 0..ROUNDS {
            self.trace.push(format!("-- round {round}"));
            for _ in 0..ACTIONS {
                self.act()?;
            }
            self.settle()?;
        }
        self.everybody_leaves()?;
        // One new client of each account sees what there is, and then what waits for it.
        let first = self.rig.stage().clients.len();
        for account in 0..ACCOUNTS {
            self.enter(Login { account, resource: None, lang: None, pipelined: false, silent: false });
        }
        self.settle()?;
        for client in self.writers() {
            let initial = self.dice.plain_presence();
            let text = self.entered(client, &initial);
            self.rig.command(client, Command::Write(text.into_bytes()));
        }
        self.settle()?;
        self.ledger.check_requests(self.rig.stage(), first)?;
        self.everybody_leaves()?;
        Ok(self.rig.digest())
    }

    fn everybody_leaves(&mut self) -> Result<(), String> {
        self.trace.push("-- everybody leaves".into());
        for client in self.writers() {
            self.close(client, Closing::Tag);
        }
        self.settle()
    }

    /// Somebody of each account asks for its roster, and all who have a copy of it.
    fn ask_for_rosters(&mut self) {
        let mut asked = Vec::new();
        let mut writers = self.writers();
        writers.sort_by_key(|client| !self.ledger.copies.of.contains_key(client));
        for client in writers {
            let account = self.rig.stage().clients[client].login.account;
            if self.ledger.copies.of.contains_key(&client) || !asked.contains(&account) {
                asked.push(account);
                let get = self.dice.whole_roster();
                let text = self.entered(client, &get);
                self.rig.command(client, Command::Write(text.into_bytes()));
            }
        }
    }

    fn settle(&mut self) -> Result<(), String> {
        self.rig.run(QUIET);
        self.ledger.copies.follow(&self.ledger.entries, self.rig.stage())?;
        self.ledger.copies.forget();
        self.ask_for_rosters();
        self.rig.run(ANSWERS);
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
        self.ledger.judge(stage)
    }

    /// Clients that may still write.
    fn writers(&self) -> Vec<usize> {
        let clients = self.rig.stage().clients.iter().zip(&self.ledger.lives).enumerate();
        clients.filter(|(_, (c, life))| c.is_bound() && life.closing.is_none()).map(|(n, _)| n).collect()
    }

    fn act(&mut self) -> Result<(), String> {
        self.look_around()?;
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
        Ok(())
    }

    /// Tells the dice who is there now.
    fn look_around(&mut self) -> Result<(), String> {
        self.ledger.copies.follow(&self.ledger.entries, self.rig.stage())?;
        self.reference.sessions.clear();
        for (client, c) in self.rig.stage().clients.iter().enumerate().filter(|(_, c)| c.is_bound()) {
            let jid = c.jid().expect("it is bound").to_owned();
            let mut session = Session::new(client, c.login.account, jid, c.login.lang);
            session.interested = self.ledger.copies.of.contains_key(&client);
            self.reference.sessions.push(session);
        }
        Ok(())
    }

    fn log_in(&mut self) {
        let login = self.dice.login(ACCOUNTS);
        self.enter(login);
    }

    fn enter(&mut self, login: Login) {
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
            } else if self.dice.percent(30) {
                let change = self.dice.change(client, &self.reference);
                self.with_version(client, change)
            } else {
                self.dice.stanza(client, &self.reference)
            };
            text.push_str(&self.entered(client, &stanza));
        }
        self.rig.command(client, Command::Write(text.into_bytes()));
    }

    /// A request for the roster, mostly with a version that somebody of this account has.
    fn with_version(&mut self, client: usize, change: Outgoing) -> Outgoing {
        let account = |client: &usize| self.rig.stage().clients[*client].login.account;
        let copies = self.ledger.copies.of.iter().filter(|(other, _)| account(other) == account(&client));
        let copies: Vec<Copy> = copies.map(|(_, copy)| copy.clone()).collect();
        let is_get = change.roster.as_ref().is_some_and(|query| query.items.is_empty());
        if !is_get || copies.is_empty() || self.dice.percent(30) {
            return change;
        }
        let copy = copies[self.dice.below(copies.len())].clone();
        let ver = Some(copy.ver.clone());
        let id = change.attr("id").expect("every stanza has one").to_owned();
        self.ledger.copies.bases.insert(id, copy);
        change.with_roster(Query { ver, items: Vec::new() })
    }

    fn entered(&mut self, client: usize, stanza: &Outgoing) -> String {
        let xml = stanza.xml();
        self.note(format!("client {client}: {}", xml.chars().take(200).collect::<String>()));
        let account = self.rig.stage().clients[client].login.account;
        self.ledger.sent(client, account, stanza, self.rig.now());
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
