//! What became of each message and request of clients with stream management, when all is over.
//!
//! What a client got and acknowledged has arrived. What it got and did not acknowledge before its session's end must come
//! again: to another resource, from where messages wait, or back to its sender as an error (XEP-0198 §4). So each that the
//! server had handled has *one* end, and one that it had not handled has none and was seen by nobody.

use std::collections::BTreeMap;

use super::actor::Got;
use super::arrivals::has_waited;
use super::device::{Devices, Sent, Session};
use super::rig::DOMAIN;
use super::words::bare_of;

/// How certain it is that what came needs not come again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    /// It was acknowledged.
    Final,
    /// Its acknowledgement may have been lost.
    Maybe,
    /// It was not acknowledged before the session's end.
    Again,
}

/// A stanza that came.
#[derive(Debug)]
struct Receipt<'a> {
    session: usize,
    /// Its place in the log; what came before stream management has none.
    number: Option<usize>,
    weight: Weight,
    got: &'a Got,
}

/// What came of a stanza.
#[derive(Debug, Default)]
struct Outcome<'a> {
    /// As it was written.
    copies: Vec<Receipt<'a>>,
    /// Results and errors.
    answers: Vec<Receipt<'a>>,
}

/// Everything that came, by what it came of.
#[derive(Debug)]
pub(crate) struct Receipts<'a> {
    world: &'a Devices,
    outcomes: BTreeMap<&'a str, Outcome<'a>>,
    /// By id: session and number, from 1. Answers have their request's id, and are not here.
    sent: BTreeMap<&'a str, (usize, usize)>,
}

impl<'a> Receipts<'a> {
    /// # Errors
    /// Something came that nobody has written.
    pub(crate) fn new(world: &'a Devices) -> Result<Self, String> {
        let mut sent = BTreeMap::new();
        for (number, session) in world.sessions.iter().enumerate() {
            let written =
                session.sent.iter().enumerate().filter(|(_, s)| s.stanza.attr("type") != Some("result"));
            sent.extend(written.map(|(n, s)| (s.id.as_str(), (number, n + 1))));
        }
        let mut this = Self { world, outcomes: BTreeMap::new(), sent };
        for (number, session) in world.sessions.iter().enumerate() {
            let early = session.early.iter().map(|got| (None, got));
            let log = session.log.iter().enumerate().map(|(n, got)| (Some(n + 1), got));
            for (place, got) in early.chain(log).filter(|(_, got)| got.name != "presence") {
                this.add(number, place, got)?;
            }
        }
        Ok(this)
    }

    fn add(&mut self, session: usize, number: Option<usize>, got: &'a Got) -> Result<(), String> {
        let known = got.attr("id").and_then(|id| self.sent.get_key_value(id));
        let (id, (from, place)) = known.ok_or_else(|| format!("nobody has written {}", got.raw))?;
        let (me, sender) = (&self.world.sessions[session], &self.world.sessions[*from]);
        let sent = &sender.sent[place - 1];
        let weight = match number {
            _ if self.world.is_live(session) => Weight::Final,
            Some(number) if number > me.acknowledged().1 => Weight::Again,
            Some(number) if number > me.acknowledged().0 => Weight::Maybe,
            Some(_) | None => Weight::Final,
        };
        let receipt = Receipt { session, number, weight, got };
        let is_copy = got.name == sent.stanza.name && got.attr("type") == sent.stanza.attr("type");
        let outcome = self.outcomes.entry(id).or_default();
        if is_copy {
            check_copy(me, sender, sent, got)?;
            outcome.copies.push(receipt);
        } else {
            check_answer(me, sender, sent, got)?;
            outcome.answers.push(receipt);
        }
        Ok(())
    }

    pub(crate) fn judge(&self) -> Result<(), String> {
        let nothing = Outcome::default();
        for (id, (session, number)) in &self.sent {
            let sent = &self.world.sessions[*session].sent[number - 1];
            let outcome = self.outcomes.get(id).unwrap_or(&nothing);
            let judged = match sent.stanza.name {
                "message" => self.judge_message(*session, *number, sent, outcome),
                "iq" => self.judge_request(*session, *number, sent, outcome),
                _ => Ok(()),
            };
            judged.map_err(|complaint| {
                let handled = self.world.sessions[*session].has_handled(*number);
                format!(
                    "{complaint}\nit is stanza {number} of session {session}, handled: {handled:?}\n{}\n{outcome:#?}",
                    sent.stanza.xml()
                )
            })?;
        }
        for session in 0..self.world.sessions.len() {
            self.check_order(session)?;
        }
        self.check_acknowledged()
    }

    /// In the end the server has handled everything that was written to it.
    fn check_acknowledged(&self) -> Result<(), String> {
        let live = (0..self.world.sessions.len()).filter(|session| self.world.is_live(*session));
        let mut live = live.map(|session| (session, &self.world.sessions[session]));
        match live.find(|(_, s)| s.confirmed != s.sent.len()) {
            Some((session, s)) => {
                Err(format!("session {session}: {} of {} stanzas were handled", s.confirmed, s.sent.len()))
            }
            None => Ok(()),
        }
    }

    fn judge_message(
        &self,
        session: usize,
        number: usize,
        sent: &Sent,
        outcome: &Outcome<'_>,
    ) -> Result<(), String> {
        let all = || outcome.copies.iter().chain(&outcome.answers);
        let count = |weight: Weight| all().filter(|receipt| receipt.weight == weight).count();
        let handled = self.world.sessions[session].has_handled(number);
        if handled == Some(false) && all().next().is_some() {
            return Err("the server says that it has not handled it, and somebody got it".into());
        }
        if count(Weight::Final) > 1 {
            return Err("it has arrived twice".into());
        }
        for receipt in &outcome.copies {
            let is_same = |other: &&Receipt<'_>| other.session == receipt.session;
            if outcome.copies.iter().filter(is_same).count() > 1 {
                return Err("a session got it twice".into());
            }
        }
        // Every copy but the first says that it comes late (XEP-0198 §4).
        let mut prompt = outcome.copies.iter().filter(|copy| !has_waited(copy.got, &sent.stanza.inner));
        let first = prompt.next();
        let is_again = |copy: &Receipt<'_>| copy.weight == Weight::Again;
        let is_last = first.is_some_and(|first| first.weight == Weight::Final);
        if prompt.next().is_some() || (is_last && outcome.copies.iter().any(is_again)) {
            return Err("it comes again, and does not say since when".into());
        }
        let has_end = count(Weight::Final) + count(Weight::Maybe) > 0;
        if handled == Some(true) && !has_end && !self.may_vanish(session, sent) {
            return Err("it is lost".into());
        }
        Ok(())
    }

    /// Whether what this session sent may end with nobody: its sender has gone before the error came, or the recipient's
    /// stream ended when it had no stream management yet.
    fn may_vanish(&self, session: usize, sent: &Sent) -> bool {
        let to = sent.stanza.attr("to").unwrap_or_default();
        let is_ghost = to.starts_with("ghost");
        let is_normal = sent.stanza.attr("type").is_none();
        let may_bounce = is_ghost || (is_normal && to.contains('/'));
        let sender_is_gone = may_bounce && !self.world.is_live(session);
        sender_is_gone || self.world.was_unmanaged(to)
    }

    /// A request to a resource or to the server.
    fn judge_request(
        &self,
        session: usize,
        number: usize,
        sent: &Sent,
        outcome: &Outcome<'_>,
    ) -> Result<(), String> {
        let is_unmanaged = self.world.was_unmanaged(sent.stanza.attr("to").unwrap_or_default());
        let handled = self.world.sessions[session].has_handled(number);
        let answers =
            |weight: Weight| outcome.answers.iter().filter(|answer| answer.weight == weight).count();
        // Who got it and did not acknowledge it may have answered it. Who binds the same resource gets it again.
        let again = outcome.copies.iter().filter(|copy| copy.weight != Weight::Final).count();
        if handled == Some(false) && outcome.answers.len() + outcome.copies.len() > 0 {
            return Err("the server says that it has not handled it, and somebody got it".into());
        }
        if outcome.copies.len() > 1 + again {
            return Err("it came twice".into());
        }
        if answers(Weight::Final) > 1 + again {
            return Err("it is answered twice".into());
        }
        // Who said that it has it may have gone before it said what came of it.
        let is_taken = |copy: &Receipt<'_>| copy.weight != Weight::Again && !self.world.is_live(copy.session);
        let may_vanish = is_unmanaged || outcome.copies.iter().any(is_taken) || !self.world.is_live(session);
        if handled == Some(true) && answers(Weight::Final) == 0 && !may_vanish {
            return Err("it is not answered".into());
        }
        Ok(())
    }

    /// What one session sent to one address comes in that order; so does what comes again, of which another session had
    /// had both.
    fn check_order(&self, session: usize) -> Result<(), String> {
        let mut last: BTreeMap<(usize, &str), (usize, &Got)> = BTreeMap::new();
        let mut again: BTreeMap<(usize, &str, usize), (usize, usize, &Got)> = BTreeMap::new();
        for got in &self.world.sessions[session].log {
            let Some((id, (from, place))) = got.attr("id").and_then(|id| self.sent.get_key_value(id)) else {
                continue;
            };
            let sent = &self.world.sessions[*from].sent[place - 1].stanza;
            let is_copy = got.name == sent.name && got.attr("type") == sent.attr("type");
            let Some(to) = sent.attr("to").filter(|_| is_copy) else { continue };
            let wrong = if has_waited(got, &sent.inner) {
                let before = self.outcomes[id].copies.iter().filter(|copy| copy.session != session);
                // What was late there already may be among what waits, and that is given out by itself.
                let is_prompt = |copy: &&Receipt<'_>| !has_waited(copy.got, &sent.inner);
                let numbered = before.filter(|copy| copy.weight == Weight::Again).filter(is_prompt);
                let mut numbered = numbered.filter_map(|copy| Some((copy.session, copy.number?)));
                numbered
                    .find_map(|(other, number)| {
                        let before = again.insert((*from, to, other), (number, *place, got));
                        before.filter(|(before, earlier, _)| *before > number && earlier > place)
                    })
                    .map(|(.., before)| before)
            } else {
                let before = last.insert((*from, to), (*place, got));
                before.filter(|(before, _)| before > place).map(|(_, before)| before)
            };
            if let Some(before) = wrong {
                return Err(format!(
                    "session {session} got\n  {}\nand then\n  {}\nwhich was written first",
                    before.raw, got.raw
                ));
            }
        }
        Ok(())
    }

    /// What has happened, that only the end shows.
    pub(crate) fn events(&self) -> Vec<&'static str> {
        let mut events = Vec::new();
        for outcome in self.outcomes.values() {
            let is_again = |receipt: &Receipt<'_>| receipt.weight == Weight::Again;
            if !outcome.copies.iter().any(is_again) {
                continue;
            }
            let sent = outcome.copies.first().map_or("", |copy| copy.got.name.as_str());
            let ends = outcome.copies.iter().filter(|copy| copy.weight == Weight::Final);
            for end in ends {
                let dead = outcome.copies.iter().filter(|copy| is_again(copy)).map(|copy| copy.session).max();
                let is_newer = dead.is_some_and(|dead| dead < end.session);
                events.push(if is_newer {
                    "comes again to a newer session"
                } else {
                    "comes again to another one"
                });
            }
            if outcome.answers.iter().any(|answer| answer.got.error.is_some()) {
                events.push(if sent == "iq" { "a request comes back" } else { "a message comes back" });
            }
        }
        events
    }
}

/// A copy is what was written, and has come to whom it was for.
fn check_copy(me: &Session, sender: &Session, sent: &Sent, got: &Got) -> Result<(), String> {
    let to = sent.stanza.attr("to").unwrap_or_default();
    let is_chat = sent.stanza.name == "message" && sent.stanza.attr("type") == Some("chat");
    let is_mine = if to.contains('/') && !is_chat { to == me.jid } else { bare_of(to) == bare_of(&me.jid) };
    let is_same = got.inner == sent.stanza.inner || has_waited(got, &sent.stanza.inner);
    let is_stamped = got.attr("from") == Some(&sender.jid) && got.attr("to") == Some(to);
    if is_mine && is_same && is_stamped {
        Ok(())
    } else {
        Err(format!("{} got\n  {}\nof\n  {}", me.jid, got.raw, sent.stanza.xml()))
    }
}

/// An answer has come to who asked, from whom it was asked.
fn check_answer(me: &Session, sender: &Session, sent: &Sent, got: &Got) -> Result<(), String> {
    let to = sent.stanza.attr("to").unwrap_or_default();
    let is_error = got.error.as_ref().is_some_and(|(_, condition)| condition == "service-unavailable");
    let is_result = sent.stanza.name == "iq" && got.attr("type") == Some("result");
    let may_fail = to != DOMAIN && (to.contains('/') || to.starts_with("ghost"));
    let fits = got.name == sent.stanza.name && got.attr("from") == Some(to) && me.jid == sender.jid;
    if fits && (is_result || (is_error && may_fail)) {
        Ok(())
    } else {
        Err(format!("{} got\n  {}\nfor\n  {}", me.jid, got.raw, sent.stanza.xml()))
    }
}
