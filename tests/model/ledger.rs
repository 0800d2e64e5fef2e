//! What everybody has written, and the judgement of what became of it, once the network is quiet.
//!
//! A rule is here only if it holds however things raced: each stanza at most once and only where it was meant to go
//! ([`super::arrivals`]), in its sender's order, and exactly once unless a path broke near it.

use std::collections::BTreeMap;
use std::time::Duration;

use xmpp_bench::time::Nanos;

use super::actor::{End, Got, Phase, Stage};
use super::arrivals::{Outcome, has_waited, outcomes};
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
    homes: usize,
    /// Entries before this number were judged.
    judged: usize,
    /// Frames before this one were judged.
    pub(crate) seen: usize,
}

impl Ledger {
    pub(crate) fn new(plan: &Plan) -> Self {
        let relations = plan.relations.clone();
        Self { lives: Vec::new(), entries: BTreeMap::new(), relations, homes: plan.homes, judged: 0, seen: 0 }
    }

    pub(crate) fn begin(&mut self) {
        let life = Life { closing: None, said: Vec::new(), directed: Vec::new() };
        self.lives.push(life);
    }

    pub(crate) fn sent(&mut self, client: usize, stanza: &Outgoing, at: Nanos) {
        let id = stanza.attr("id").expect("every stanza has one").to_owned();
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

    /// Whether another client has asked for the same address at some time.
    pub(crate) fn has_rival(&self, stage: &Stage, client: usize) -> bool {
        let login = &stage.clients[client].login;
        let mut others = stage.clients.iter().enumerate().filter(|(other, _)| *other != client);
        others.any(|(_, c)| (c.login.account, &c.login.resource) == (login.account, &login.resource))
    }

    /// Judges everything since the last time. Nothing is under way.
    pub(crate) fn judge(&mut self, stage: &Stage, plan: &Plan) -> Result<(), String> {
        let outcomes = outcomes(self, stage)?;
        self.check_order(stage)?;
        let nothing = Outcome::default();
        for (id, entry) in self.entries.iter().filter(|(_, e)| e.number >= self.judged) {
            let outcome = outcomes.get(id).unwrap_or(&nothing);
            self.check_outcome(stage, entry, outcome).map_err(|e| {
                format!("{e}\nof client {}: {}\nbecame of it: {outcome:?}", entry.client, entry.stanza.xml())
            })?;
        }
        self.check_presence(stage, plan)?;
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
            if !is_copy || !is_direct || is_late || entry.stanza.attr("type") == Some("probe") {
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

    /// What an available resource knows last of each contact's resource is how it is.
    fn check_presence(&self, stage: &Stage, plan: &Plan) -> Result<(), String> {
        let sees = |a: usize, b: usize| a == b || plan.relations[a][b].sees();
        for (me, client) in stage.clients.iter().enumerate().filter(|(_, c)| c.is_bound()) {
            let said = &self.lives[me].said;
            if said.last().is_none_or(|s| s.priority.is_none()) {
                continue;
            }
            let known = self.known_presence(stage, me);
            for (other, contact) in stage.clients.iter().enumerate().filter(|(_, c)| c.is_bound()) {
                let jid = contact.jid().expect("it is bound");
                if !sees(client.login.account, contact.login.account)
                    || self.directs(other, client.login.account)
                {
                    continue;
                }
                let is =
                    self.lives[other].said.last().filter(|s| s.priority.is_some()).map(|s| s.id.as_str());
                let last = known.get(jid).copied().flatten();
                if last != is {
                    return Err(format!("client {me} knows {jid} by presence {last:?}, and it is {is:?}"));
                }
            }
            let ghost = known.iter().find(|(jid, last)| {
                let is_held = stage.clients.iter().any(|c| c.is_bound() && c.jid() == Some(jid));
                last.is_some() && !is_held && !self.is_excused(stage, me, jid)
            });
            if let Some((jid, last)) = ghost {
                return Err(format!("client {me} thinks that {jid} is there ({last:?}), and it has gone"));
            }
        }
        Ok(())
    }

    fn directs(&self, client: usize, account: usize) -> bool {
        self.lives[client].directed.iter().any(|(to, _)| bare_of(to) == bare(account))
    }

    /// Who got directed presence hears of the end, unless its own account was seen to go in between.
    fn is_excused(&self, stage: &Stage, me: usize, jid: &str) -> bool {
        let own = stage.clients[me].jid().unwrap_or_default();
        let account = stage.clients[me].login.account;
        let holders = (0..stage.clients.len()).filter(|c| stage.clients[*c].jid() == Some(jid));
        let goes = |(to, _): &(String, Nanos)| bare_of(to) == bare_of(jid);
        let life = &self.lives[me];
        // Directed presence of its own may have said so as well.
        let has_gone = life.said.iter().any(|s| s.priority.is_none()) || life.directed.iter().any(goes);
        let first = self.lives[me].said.first().map(|s| s.id.as_str());
        let echo = stage.got.iter().find(|g| g.client == me && g.attr("id") == first && g.name == "presence");
        holders.flat_map(|c| &self.lives[c].directed).any(|(to, at)| {
            let to_all = *to == bare(account);
            to_all || (to == own && (has_gone || echo.is_none_or(|echo| echo.at > *at)))
        })
    }

    /// By full address: the id of the last presence that `me` got, `None` if it was unavailable. It forgets when it goes,
    /// and listens to nobody until it is back: answers to its last question may still be under way.
    fn known_presence<'a>(&self, stage: &'a Stage, me: usize) -> BTreeMap<&'a str, Option<&'a str>> {
        let own = stage.clients[me].jid();
        let mut known = BTreeMap::new();
        let mut listens = false;
        for got in stage.got.iter().filter(|g| g.client == me && g.name == "presence") {
            let Some(from) = got.attr("from").filter(|from| from.contains('/')) else { continue };
            let (got_type, id) = (got.attr("type"), got.attr("id"));
            let is_said = self.lives[me].said.iter().any(|s| Some(s.id.as_str()) == id);
            if Some(from) == own && is_said {
                listens = got_type.is_none();
                if !listens {
                    known.clear();
                }
            }
            match (got_type, id) {
                (Some("unavailable"), _) if listens => drop(known.insert(from, None)),
                (None, Some(id)) if listens => drop(known.insert(from, Some(id))),
                // Answers to probes of a resource say no more than that it is there.
                _ => {}
            }
        }
        known
    }
}

/// The server's question for a sign of life.
pub(crate) fn is_ping(got: &Got) -> bool {
    got.name == "iq" && got.attr("id") == Some("ping") && got.attr("from") == Some(DOMAIN)
}
