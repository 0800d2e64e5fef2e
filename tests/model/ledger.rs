//! What everybody has written, and the judgement of what became of it, once the network is quiet.
//!
//! A rule is here only if it holds however things raced: each stanza at most once and only where it was meant to go
//! ([`super::arrivals`]), in its sender's order, and exactly once unless a path broke near it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use xmpp_bench::time::Nanos;

use super::actor::{End, Got, Phase, Stage};
use super::arrivals::{Outcome, has_waited, outcomes};
use super::copies::Copies;
use super::rig::{DOMAIN, Plan, Relation, bare};
use super::words::{Outgoing, Payload, Place, bare_of, prepared};

/// How late the server may learn that a client has dropped its connection: behind some stalls.
const STALLED: Duration = Duration::from_secs(10);

/// How a client was made to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closing {
    Tag,
    Eof,
    /// Cut or dropped.
    Lost,
    /// With the stream error that answers garbage.
    Garbage(&'static str),
}

/// A stanza that a client has written.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) client: usize,
    pub(crate) at: Nanos,
    /// Grows with everything that anybody writes.
    pub(crate) number: usize,
    pub(crate) stanza: Outgoing,
}

impl Entry {
    /// Whether this is a request for its sender's own roster that is answered with it.
    pub(crate) fn is_roster_get(&self) -> bool {
        let query = self.stanza.roster.as_ref().filter(|query| query.items.is_empty());
        query.is_some() && self.stanza.attr("type") == Some("get")
    }
}

/// What a client has said of its presence to everybody.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) id: String,
    pub(crate) at: Nanos,
    /// `None`: unavailable.
    pub(crate) priority: Option<i8>,
}

/// A client, from its connection to its end.
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) closing: Option<Closing>,
    pub(crate) said: Vec<Said>,
    /// To whom it sent directed presence, prepared, and when.
    pub(crate) directed: Vec<(String, Nanos)>,
}

/// Everything that was written.
#[derive(Debug)]
pub(crate) struct Ledger {
    pub(crate) lives: Vec<Life>,
    pub(crate) entries: BTreeMap<String, Entry>,
    pub(crate) relations: Vec<Vec<Relation>>,
    /// Who has ever said `subscribed` to whom: bare addresses.
    pub(crate) approvals: BTreeSet<(String, String)>,
    /// Who has ever ended something with whom, in either direction.
    pub(crate) partings: BTreeSet<(String, String)>,
    pub(crate) copies: Copies,
    pub(crate) homes: usize,
    /// Entries before this number were judged.
    judged: usize,
    /// Frames before this one were judged.
    pub(crate) seen: usize,
}

impl Ledger {
    pub(crate) fn new(plan: &Plan) -> Self {
        let relations = plan.relations.clone();
        Self {
            lives: Vec::new(),
            entries: BTreeMap::new(),
            relations,
            approvals: BTreeSet::new(),
            partings: BTreeSet::new(),
            copies: Copies::default(),
            homes: plan.homes,
            judged: 0,
            seen: 0,
        }
    }

    pub(crate) fn begin(&mut self) {
        let life = Life { closing: None, said: Vec::new(), directed: Vec::new() };
        self.lives.push(life);
    }

    pub(crate) fn sent(&mut self, client: usize, account: usize, stanza: &Outgoing, at: Nanos) {
        let id = stanza.attr("id").expect("every stanza has one").to_owned();
        self.note_change(&bare(account), stanza);
        let life = &mut self.lives[client];
        if stanza.name == "presence" {
            let priority =
                if let Payload::Priority(p) = stanza.payload { i8::try_from(p).ok() } else { Some(0) };
            match (stanza.attr("type"), stanza.attr("to"), priority) {
                (None, None, Some(p)) => life.said.push(Said { id: id.clone(), at, priority: Some(p) }),
                (Some("unavailable"), None, _) => {
                    life.said.push(Said { id: id.clone(), at, priority: None });
                }
                (None | Some("unavailable"), Some(to), _) => life.directed.push((prepared(to), at)),
                _ => {}
            }
        }
        let number = self.entries.len();
        self.entries.insert(id, Entry { client, at, number, stanza: stanza.clone() });
    }

    fn note_change(&mut self, own: &str, stanza: &Outgoing) {
        let contact = |address: &str| bare_of(&prepared(address)).to_owned();
        let to = stanza.attr("to").map(contact).unwrap_or_default();
        match stanza.attr("type") {
            Some("subscribed") => drop(self.approvals.insert((own.to_owned(), to))),
            Some("unsubscribe" | "unsubscribed") => self.note_parting(own, &to),
            _ => {
                let items = stanza.roster.iter().flat_map(|query| &query.items);
                let removed = items.filter(|item| item.subscription == Some("remove"));
                for jid in removed.filter_map(|item| item.jid.as_deref()) {
                    self.note_parting(own, &contact(jid));
                }
            }
        }
    }

    fn note_parting(&mut self, a: &str, b: &str) {
        self.partings.extend([(a.to_owned(), b.to_owned()), (b.to_owned(), a.to_owned())]);
    }

    /// Whether another client has asked for the same address at some time.
    pub(crate) fn has_rival(&self, stage: &Stage, client: usize) -> bool {
        let login = &stage.clients[client].login;
        let mut others = stage.clients.iter().enumerate().filter(|(other, _)| *other != client);
        others.any(|(_, c)| (c.login.account, &c.login.resource) == (login.account, &login.resource))
    }

    /// Judges everything since the last time. Nothing is under way.
    pub(crate) fn judge(&mut self, stage: &Stage) -> Result<(), String> {
        let outcomes = outcomes(self, stage)?;
        self.check_order(stage)?;
        let nothing = Outcome::default();
        for (id, entry) in self.entries.iter().filter(|(_, e)| e.number >= self.judged) {
            let outcome = outcomes.get(id).unwrap_or(&nothing);
            self.check_outcome(stage, entry, outcome).map_err(|e| {
                format!("{e}\nof client {}: {}\nbecame of it: {outcome:?}", entry.client, entry.stanza.xml())
            })?;
        }
        self.copies.follow(&self.entries, stage)?;
        self.copies.judge(stage)?;
        self.check_presence(stage)?;
        self.judged = self.entries.len();
        self.seen = stage.got.len();
        Ok(())
    }

    /// What one client wrote to another comes in the order in which it was written.
    fn check_order(&self, stage: &Stage) -> Result<(), String> {
        let mut last: BTreeMap<(usize, usize), (usize, &str)> = BTreeMap::new();
        for got in &stage.got[self.seen..] {
            let Some(entry) = got.attr("id").and_then(|id| self.entries.get(id)) else { continue };
            let is_copy = got.name == entry.stanza.name && got.attr("type") == entry.stanza.attr("type");
            let me = stage.clients[got.client].jid();
            // A chat message for a resource that is gone may have found another one late; presence may be asked for again.
            let is_direct =
                entry.stanza.attr("to").is_some_and(|to| !to.contains('/') || Some(&*prepared(to)) == me);
            // What had to wait for a resource to take messages may come behind what was for that resource.
            let is_late = has_waited(got, &entry.stanza.inner);
            // A request is shown again until it is answered.
            let comes_again = matches!(entry.stanza.attr("type"), Some("probe" | "subscribe"));
            if !is_copy || !is_direct || is_late || comes_again {
                continue;
            }
            let before = last.insert((entry.client, got.client), (entry.number, &got.raw));
            if let Some((_, raw)) = before.filter(|(number, _)| *number > entry.number) {
                return Err(format!(
                    "client {} got\n  {raw}\nand then\n  {}\nwhich was written first",
                    got.client, got.raw
                ));
            }
        }
        Ok(())
    }

    /// Whether the server has certainly read everything that this client wrote.
    fn was_read(&self, stage: &Stage, client: usize) -> bool {
        match (&stage.clients[client].end, self.lives[client].closing) {
            (None, _)
            | (Some((End::Tag(None), _)), Some(Closing::Tag))
            | (Some((End::Eof, _)), Some(Closing::Eof)) => true,
            (Some((End::Tag(Some(error)), _)), Some(Closing::Garbage(must))) => error == must,
            _ => false,
        }
    }

    fn check_outcome(&self, stage: &Stage, entry: &Entry, outcome: &Outcome) -> Result<(), String> {
        let stanza = &entry.stanza;
        let is_here = stage.clients[entry.client].end.is_none();
        if !self.was_read(stage, entry.client) || stanza.name == "presence" {
            return Ok(());
        }
        let own = bare(stage.clients[entry.client].login.account);
        let to = stanza.attr("to").unwrap_or(&own);
        let stanza_type = stanza.attr("type").unwrap_or("normal");
        let is_request = stanza.name == "iq" && matches!(stanza_type, "get" | "set");
        let account = (0..self.relations.len()).find(|a| bare(*a) == bare_of(&prepared(to)));
        let is_account = account.is_some();
        // Without an answer where none is due: errors, results, headlines that nobody takes, and what waits for somebody
        // who takes it (whether anybody would have is looked at below).
        let must_answer = match (stanza.name, stanza_type) {
            ("iq", _) => is_request,
            (_, "error") => false,
            (_, "headline") => to.contains('/') || !matches!(Place::of(to), Place::Account { .. }),
            (_, "chat") => !is_account,
            (_, "normal") => to.contains('/') || !is_account,
            _ => true,
        };
        let is_gone = |client: &super::actor::Client| {
            let may_lose = |end: &End| *end == End::Lost || is_request;
            client.end.as_ref().is_some_and(|(end, at)| *at + STALLED >= entry.at && may_lose(end))
        };
        let may_be_lost = stage.clients.iter().any(|c| Some(c.login.account) == account && is_gone(c))
            || (!is_here && (self.homes > 1 || is_request));
        let ends = if is_request {
            outcome.answers + outcome.bounces.len()
        } else {
            outcome.copies.len() + outcome.bounces.len()
        };
        if must_answer && ends == 0 && !may_be_lost {
            return Err("lost: neither delivered nor answered".into());
        }
        let Some(account) = account else { return Ok(()) };
        if stanza.name == "message" {
            self.check_stable(stage, entry, account, to, outcome)?;
        }
        Ok(())
    }

    /// Resources that were there and willing all the time get what is for them.
    fn check_stable(
        &self,
        stage: &Stage,
        entry: &Entry,
        account: usize,
        to: &str,
        outcome: &Outcome,
    ) -> Result<(), String> {
        let stanza_type = entry.stanza.attr("type").unwrap_or("normal");
        let is_there = |client: &&usize| {
            let c = &stage.clients[**client];
            let bound = matches!(c.phase, Phase::Bound(_, at) if at <= entry.at);
            c.login.account == account && bound && c.end.is_none()
        };
        let clients: Vec<usize> = (0..stage.clients.len()).collect();
        if to.contains('/') {
            let target =
                clients.iter().filter(is_there).find(|c| stage.clients[**c].jid() == Some(&prepared(to)));
            return match target {
                Some(target) if outcome.copies != [*target] => {
                    Err(format!("it was for client {target}, which was there"))
                }
                _ => Ok(()),
            };
        }
        let willing: Vec<usize> = clients
            .iter()
            .filter(is_there)
            .filter(|c| self.is_willing(stage, **c, entry.at))
            .copied()
            .collect();
        match stanza_type {
            "headline" => match willing.iter().find(|c| !outcome.copies.contains(c)) {
                Some(missing) => Err(format!("client {missing} takes headlines, and got none")),
                None => Ok(()),
            },
            "chat" | "normal" if !willing.is_empty() && outcome.copies.is_empty() => {
                let is_lost = |c: &super::actor::Client| {
                    c.end.as_ref().is_some_and(|(e, at)| *e == End::Lost && *at + STALLED >= entry.at)
                };
                let may_be_lost = stage.clients.iter().any(|c| c.login.account == account && is_lost(c));
                if may_be_lost && outcome.bounces.is_empty() {
                    return Ok(());
                }
                Err(format!("clients {willing:?} take messages, and none got it"))
            }
            "groupchat" if !outcome.copies.is_empty() => Err("it was delivered to somebody".into()),
            _ => Ok(()),
        }
    }

    /// Whether a client was available with a priority that takes messages, for certain, from `since` on.
    fn is_willing(&self, stage: &Stage, client: usize, since: Nanos) -> bool {
        let from = self.known_at(stage, client, since);
        let said = &self.lives[client].said;
        from.is_some_and(|from| said[from..].iter().all(|s| s.priority.is_some_and(|p| p >= 0)))
    }

    /// The last of a client's presences that the server had taken for certain at that time: its echo had come.
    fn known_at(&self, stage: &Stage, client: usize, at: Nanos) -> Option<usize> {
        let echoed = |said: &Said| {
            stage.got.iter().any(|g| {
                g.client == client && g.at <= at && g.attr("id") == Some(&said.id) && g.name == "presence"
            })
        };
        self.lives[client].said.iter().rposition(echoed)
    }

    /// Whether a client may have been one that takes messages to its account, at some time in between.
    pub(crate) fn may_take(&self, stage: &Stage, client: usize, since: Nanos, until: Nanos) -> bool {
        let from = self.known_at(stage, client, since).unwrap_or(0);
        let said = &self.lives[client].said[from..];
        said.iter().any(|s| s.at <= until && s.priority.is_some_and(|p| p >= 0))
    }
}

/// The server's question for a sign of life.
pub(crate) fn is_ping(got: &Got) -> bool {
    got.name == "iq" && got.attr("id") == Some("ping") && got.attr("from") == Some(DOMAIN)
}
