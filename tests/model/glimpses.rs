//! What clients with stream management see of each other's presence: a session that is resumed has never been away, and one
//! that dies goes once (XEP-0198 §5, RFC 6121 §4.5).
//!
//! All accounts that are used see each other. A presence may be told twice to who came just then: once because it was
//! sent, and once because it was asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use xmpp_bench::time::Nanos;

use super::device::{Devices, STALLED, Session};
use super::resumption::AWAY;
use super::rig::bare;
use super::words::bare_of;

/// How long letters between homes may take.
const LETTERS: Duration = Duration::from_secs(1);

/// What a session has seen of one resource.
#[derive(Debug, Default)]
struct Seen {
    /// The session and the number of its presence.
    now: Option<(usize, usize)>,
    /// Sessions that have gone.
    gone: BTreeSet<usize>,
    /// How often each presence came.
    copies: BTreeMap<usize, usize>,
    any: bool,
}

/// # Errors
/// Somebody saw what was not so.
pub(crate) fn judge(world: &Devices) -> Result<(), String> {
    let mut sent = BTreeMap::new();
    for (index, session) in world.sessions.iter().enumerate() {
        let presences = session.sent.iter().enumerate().filter(|(_, s)| s.stanza.name == "presence");
        sent.extend(presences.map(|(n, s)| (s.id.as_str(), (index, n + 1))));
    }
    for (index, session) in world.sessions.iter().enumerate() {
        let mut seen: BTreeMap<&str, Seen> = BTreeMap::new();
        for got in session.log.iter().filter(|got| got.name == "presence") {
            let from = got.attr("from").unwrap_or_default();
            let seen = seen.entry(from).or_default();
            let of = got.attr("id").and_then(|id| sent.get(id)).copied();
            see(world, index, seen, got.attr("type"), of).map_err(|complaint| {
                format!(
                    "session {index} ({}) of {from}: {complaint}\n  {}\nseen: {seen:?}",
                    session.jid, got.raw
                )
            })?;
        }
        if world.is_live(index) && !AWAY.contains(&session.account) {
            check_last(world, index, &seen)?;
        }
    }
    Ok(())
}

fn see(
    world: &Devices,
    me: usize,
    seen: &mut Seen,
    stanza_type: Option<&str>,
    of: Option<(usize, usize)>,
) -> Result<(), String> {
    let any = std::mem::replace(&mut seen.any, true);
    match (stanza_type, of, seen.now) {
        // It went just when it was asked for.
        (Some("unavailable"), None, None) if !any => Ok(()),
        (Some("unavailable"), None, None) => Err("it goes twice".into()),
        (Some("unavailable"), None, Some((session, _))) => {
            seen.now = None;
            seen.copies.clear();
            seen.gone.insert(session);
            Ok(())
        }
        (None, Some((session, number)), now) => {
            if seen.gone.contains(&session) {
                return Err("it comes back from the dead".into());
            }
            if let Some((before, last)) = now
                && (before != session || last > number)
            {
                return Err(format!("before it stands presence {last} of session {before}"));
            }
            let copies = seen.copies.entry(number).or_default();
            *copies += 1;
            let close = if me != session && is_close(world, me, session, number) { 1 } else { 0 };
            let most = 1 + close + predecessors(world, me);
            seen.now = Some((session, number));
            if *copies > most { Err(format!("it comes {copies} times, not {most}")) } else { Ok(()) }
        }
        _ => Err("nobody has said that".into()),
    }
}

/// Whether `me` may have become available while this presence of another session was told.
fn is_close(world: &Devices, me: usize, session: usize, number: usize) -> bool {
    let initial = world.sessions[me].sent.iter().position(|sent| sent.stanza.name == "presence");
    let (from, until) = span(&world.sessions[me], initial.map_or(1, |at| at + 1));
    let (others_from, others_until) = span(&world.sessions[session], number);
    // What it asks for may be under way to another home when it has its echo.
    from <= others_until + LETTERS && others_from <= until + LETTERS
}

/// How many had the same address just before: what they asked for comes to who has it now.
fn predecessors(world: &Devices, me: usize) -> usize {
    let own = &world.sessions[me];
    let others = world.sessions[..me].iter().chain(&world.sessions[me + 1..]);
    others.filter(|other| other.jid == own.jid && is_about(other.begun, own.begun)).count()
}

fn is_about(a: Nanos, b: Nanos) -> bool {
    a + STALLED >= b && b + STALLED >= a
}

/// From when to when the server may have taken a presence: it tells it to its sender, too.
fn span(session: &Session, number: usize) -> (Nanos, Nanos) {
    let sent = &session.sent[number - 1];
    let is_echo = |id: Option<&str>| id == Some(sent.id.as_str());
    let echo = session.log.iter().find(|got| got.name == "presence" && is_echo(got.attr("id")));
    (sent.at, echo.map_or(Nanos::MAX, |got| got.at))
}

/// In the end everybody sees those who are there, as they are, and nobody else.
fn check_last(world: &Devices, me: usize, seen: &BTreeMap<&str, Seen>) -> Result<(), String> {
    let is_used = |session: &&Session| !AWAY.map(bare).contains(&bare_of(&session.jid).to_owned());
    let live = (0..world.sessions.len()).filter(|session| world.is_live(*session));
    let live = live.map(|session| (session, &world.sessions[session])).filter(|(_, s)| is_used(s));
    let mut there = BTreeMap::new();
    for (session, s) in live {
        let last = s.sent.iter().rposition(|sent| sent.stanza.name == "presence").map(|at| (session, at + 1));
        there.insert(s.jid.as_str(), last.expect("whoever is there has said so"));
    }
    let shown: BTreeMap<&str, (usize, usize)> =
        seen.iter().filter_map(|(jid, seen)| Some((*jid, seen.now?))).collect();
    if shown == there { Ok(()) } else { Err(format!("session {me} sees {shown:?}, and there are {there:?}")) }
}
