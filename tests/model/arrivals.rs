//! Every frame that arrived in a round: it must be explained by something that was written, to whom it came.
//!
//! What should have arrived and did not is `ledger`'s.

use std::collections::BTreeMap;

use super::actor::{Got, Stage};
use super::copies::is_push;
use super::ledger::{Entry, Ledger, is_ping};
use super::reference::without_delay;
use super::rig::{DOMAIN, Relation, bare};
use super::subscription::CHANGES;
use super::words::{Outgoing, Place, bare_of, prepared};

/// What became of a stanza.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Clients that got a copy.
    pub(crate) copies: Vec<usize>,
    /// Conditions of errors that came back.
    pub(crate) bounces: Vec<String>,
    /// Results that came back.
    pub(crate) answers: usize,
}

/// By id, what became of the stanzas of this round.
pub(crate) fn outcomes(ledger: &Ledger, stage: &Stage) -> Result<BTreeMap<String, Outcome>, String> {
    let mut outcomes: BTreeMap<String, Outcome> = BTreeMap::new();
    for got in stage.got[ledger.seen..].iter().filter(|g| !is_ping(g) && !is_push(g)) {
        let fail = |why: &str| format!("client {}: {why}: {}", got.client, got.raw);
        let me = stage.clients[got.client].jid().expect("only bound clients record");
        // A chat message may have been for another resource.
        if got.attr("to").is_none_or(|to| bare_of(&prepared(to)) != bare_of(me)) {
            return Err(fail("an address that is not its own"));
        }
        let entry = got.attr("id").and_then(|id| ledger.entries.get(id));
        let Some(entry) = entry else {
            explain_server_presence(ledger, stage, got).map_err(|why| fail(&why))?;
            continue;
        };
        let id = got.attr("id").unwrap_or_default().to_owned();
        let outcome = outcomes.entry(id).or_default();
        // Whoever was being given it may have ended before it was known to be written; then it is given again.
        let may_come_again = has_waited(got, &entry.stanza.inner) && stage.clients[got.client].end.is_some();
        match explain(ledger, stage, got, entry) {
            Ok(Role::Copy) if may_come_again => {}
            Ok(Role::Copy) => outcome.copies.push(got.client),
            Ok(Role::Bounce(condition)) => outcome.bounces.push(condition),
            Ok(Role::Answer) => outcome.answers += 1,
            Ok(Role::Presence) => {}
            Err(why) => return Err(fail(&why)),
        }
        let is_to_many = entry.stanza.name == "presence" || entry.stanza.attr("type") == Some("headline");
        let copies = outcome.copies.iter().filter(|c| **c == got.client).count();
        // A request is delivered, and then its answer comes.
        let delivered = if entry.stanza.name == "iq" { 0 } else { outcome.copies.len() };
        let ends = outcome.bounces.len() + outcome.answers + delivered;
        if copies > 1 || (!is_to_many && (ends > 1 || outcome.copies.len() > 1)) {
            return Err(fail("a second time"));
        }
    }
    Ok(outcomes)
}

/// What a frame is to the stanza whose id it has.
enum Role {
    Copy,
    Bounce(String),
    Answer,
    /// Broadcast presence, and answers to probes: it may come again when it is asked for.
    Presence,
}

fn explain(ledger: &Ledger, stage: &Stage, got: &Got, entry: &Entry) -> Result<Role, String> {
    let stanza = &entry.stanza;
    let sender = stage.clients[entry.client].jid().expect("only bound clients write");
    let own = bare_of(sender);
    let to = stanza.attr("to").unwrap_or(own);
    let (got_type, sent_type) = (got.attr("type"), stanza.attr("type"));
    if sent_type.is_some_and(|sent_type| CHANGES.contains(&sent_type)) {
        return explain_change(stage, got, stanza, own);
    }
    // An answer is for an address, which another stream may have by now.
    let is_back = stage.clients[got.client].jid() == Some(sender)
        && got.attr("from").map(prepared).is_some_and(|from| from == prepared(to) || from == DOMAIN);
    if got_type == Some("error") && sent_type != Some("error") {
        let condition = got.error.as_ref().map_or("", |(_, condition)| condition.as_str());
        let must = match Place::of(to) {
            Place::Malformed => "jid-malformed",
            Place::Remote => "remote-server-not-found",
            Place::Server { .. } | Place::Account { .. } => "service-unavailable",
        };
        let of_roster = ["item-not-found", "jid-malformed", "not-acceptable", "not-allowed"];
        let is_other = stanza.name != "message" && matches!(condition, "bad-request" | "forbidden")
            || stanza.roster.is_some() && of_roster.contains(&condition);
        return if is_back && (condition == must || is_other) {
            Ok(Role::Bounce(condition.to_owned()))
        } else {
            Err(format!("an error for {sender}, who expects {must}"))
        };
    }
    if stanza.name == "iq" && got_type == Some("result") && sent_type != Some("result") {
        return if is_back { Ok(Role::Answer) } else { Err(format!("an answer for {sender}")) };
    }
    let me = stage.clients[got.client].jid().expect("only bound clients record");
    if sent_type == Some("probe") {
        let from = got.attr("from").unwrap_or_default();
        if bare_of(me) == own && got_type == Some("unsubscribed") && from == bare_of(&prepared(to)) {
            // It was no subscriber (RFC 6121 §4.3.2, rule 1).
            return Ok(Role::Presence);
        }
        let is_mine = bare_of(me) == own && from == prepared(to);
        return if is_mine && got_type == Some("unavailable") && sees(ledger, own, bare_of(from)) {
            Ok(Role::Presence)
        } else {
            Err("no answer to a probe of its own".into())
        };
    }
    if got.attr("from") != Some(sender)
        || got.name != stanza.name
        || (got.inner != stanza.inner && !has_waited(got, &stanza.inner))
        || got_type != sent_type
    {
        return Err(format!("not what {sender} wrote: {}", stanza.xml()));
    }
    if stanza.name == "presence" && stanza.attr("to").is_none() {
        let is_told = got_type == Some("unavailable") && was_directed(ledger, stage, sender, bare_of(me));
        let is_seen = is_told || sees(ledger, bare_of(me), own);
        return if is_seen { Ok(Role::Presence) } else { Err(format!("presence of {sender}, a stranger")) };
    }
    let is_full = to.contains('/');
    let is_for_me = if is_full && !(stanza.name == "message" && sent_type == Some("chat")) {
        prepared(to) == me
    } else {
        bare_of(&prepared(to)) == bare_of(me)
    };
    let by_account = stanza.name == "message" && prepared(to) != me;
    if !is_for_me {
        Err(format!("it is for {to}"))
    } else if by_account && !ledger.may_take(stage, got.client, entry.at, got.at) {
        Err("it takes no messages to its account".into())
    } else {
        // Directed presence to an account has as many copies as there are resources.
        Ok(if stanza.name == "presence" && !is_full { Role::Presence } else { Role::Copy })
    }
}

/// Whether it is a message that had to wait, and else what was written.
pub(crate) fn has_waited(got: &Got, inner: &str) -> bool {
    got.name == "message" && without_delay(&got.inner) == Some(inner)
}

/// What a stanza that changes a subscription leads to, for both sides.
fn explain_change(stage: &Stage, got: &Got, stanza: &Outgoing, own: &str) -> Result<Role, String> {
    let me = bare_of(stage.clients[got.client].jid().expect("only bound clients record"));
    let to = stanza.attr("to").unwrap_or_default();
    let contact = bare_of(&prepared(to)).to_owned();
    let (sent_type, from) = (stanza.attr("type"), got.attr("from").unwrap_or_default());
    let condition = got.error.as_ref().map_or("", |(_, condition)| condition.as_str());
    let may_fail = match Place::of(to) {
        Place::Malformed => condition == "jid-malformed",
        Place::Remote if to.is_empty() => condition == "bad-request",
        Place::Remote => condition == "remote-server-not-found",
        Place::Server { .. } => condition == "service-unavailable",
        Place::Account { .. } => false,
    };
    match (sent_type, got.attr("type")) {
        (_, Some("error")) if me == own && may_fail => Ok(Role::Presence),
        (sent, got_type) if sent == got_type && me == contact && from == own && got.inner == stanza.inner => {
            // A request is shown again until it is answered.
            Ok(if sent == Some("subscribe") { Role::Presence } else { Role::Copy })
        }
        (Some("subscribe"), Some("subscribed")) | (Some("unsubscribe"), Some("unsubscribed"))
            if me == own && from == contact && got.inner.is_empty() =>
        {
            Ok(Role::Copy)
        }
        _ => Err(format!("not what comes of {}", stanza.xml())),
    }
}

/// Presence without an id is the server's own.
fn explain_server_presence(ledger: &Ledger, stage: &Stage, got: &Got) -> Result<(), String> {
    let me = bare_of(stage.clients[got.client].jid().expect("only bound clients record"));
    let from = got.attr("from").unwrap_or_default();
    if got.name != "presence" || got.attr("id").is_some() {
        return Err("nobody wrote this".into());
    }
    match got.attr("type") {
        Some("subscribe") if relation(ledger, me, from).is_some_and(Relation::was_asked) => return Ok(()),
        Some("unsubscribe" | "unsubscribed")
            if ledger.partings.contains(&(me.to_owned(), from.to_owned())) =>
        {
            return Ok(());
        }
        None | Some("unavailable") => {}
        _ => return Err("the server has no reason to say this".into()),
    }
    if sees(ledger, me, bare_of(from)) || was_directed(ledger, stage, from, me) {
        Ok(())
    } else {
        Err(format!("presence of {from}, a stranger"))
    }
}

/// Whether somebody with this full address has sent directed presence to the account `me`.
fn was_directed(ledger: &Ledger, stage: &Stage, from: &str, me: &str) -> bool {
    let mut holders = (0..stage.clients.len()).filter(|c| stage.clients[*c].jid() == Some(from));
    holders.any(|c| ledger.lives[c].directed.iter().any(|(to, _)| bare_of(to) == me))
}

fn relation(ledger: &Ledger, of: &str, to: &str) -> Option<Relation> {
    let account = |name: &str| (0..ledger.relations.len()).find(|a| bare(*a) == name);
    Some(ledger.relations[account(of)?][account(to)?])
}

/// Whether `me` may have seen the presence of `other` at some time, both bare.
fn sees(ledger: &Ledger, me: &str, other: &str) -> bool {
    let is_approved = ledger.approvals.contains(&(other.to_owned(), me.to_owned()));
    me == other || is_approved || relation(ledger, me, other).is_some_and(Relation::sees)
}
