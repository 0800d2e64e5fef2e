//! When a session with stream management may be over, and when it must be (XEP-0198 §5, §7).
//!
//! The server may learn of a path's end [`STALLED`] later or earlier than the client.

use xmpp_bench::time::Nanos;

use super::actor::End;
use super::device::{Command, Devices, Link, Over, Phase, STALLED};

/// It has acknowledged more before.
pub(super) const STALE: &str = "stale";
/// What the server says to who acknowledges more than there was (XEP-0198 §6).
const TOO_HIGH: &str = "undefined-condition handled-count-too-high";

impl Devices {
    /// Links, other than this one, that the session has or may have had.
    fn users(&self, session: usize, link: usize) -> impl Iterator<Item = &Link> {
        let others = self.links.iter().enumerate().filter(move |(other, _)| *other != link);
        let of_it = others.map(|(_, other)| other).filter(move |other| other.session == Some(session));
        of_it.filter(|other| other.wrote_bind || other.asked.is_some())
    }

    /// Until when a session certainly had a link.
    fn left_at(&self, session: usize, link: usize, now: Nanos) -> Nanos {
        let had =
            self.users(session, link).filter(|user| matches!(user.phase, Phase::Enabling | Phase::Attached));
        let ends = had.map(|user| user.end.as_ref().map_or(now, |(_, at)| *at));
        ends.max().expect("it began with one")
    }

    /// Why a session that is to be resumed with `h` may be refused. `None`: it must be resumed.
    pub(super) fn excuse(&self, link: usize, session: usize, h: u32, now: Nanos) -> Option<&'static str> {
        let s = &self.sessions[session];
        if s.acknowledged().1 > h as usize {
            // Whether it is over besides, nobody can say.
            Some(STALE)
        } else if s.over.is_some() || self.users(session, link).any(|user| user.has_quit) {
            Some("a session that is over is not resumed")
        } else if self.has_rival(session) {
            Some("a session that was replaced is not resumed")
        } else if now + STALLED >= self.left_at(session, link, now) + s.max {
            Some("a session that has expired is not resumed")
        } else {
            None
        }
    }

    /// Whether another link has bound the session's resource since, or may have.
    fn has_rival(&self, session: usize) -> bool {
        let s = &self.sessions[session];
        let resource = s.jid.split_once('/').expect("a full address").1;
        let rivals = self.links.iter().enumerate().filter(|(link, l)| {
            let bind = l.attempt.bind.as_ref().filter(|_| l.wrote_bind && l.attempt.account == s.account);
            *link != s.first && bind.is_some_and(|bind| bind.resource == resource)
        });
        let mut rivals = rivals.map(|(link, l)| {
            let bound = self.sessions.iter().find(|s| s.first == link).map(|s| s.begun);
            bound.or_else(|| l.end.as_ref().map(|(_, at)| *at)).unwrap_or(Nanos::MAX)
        });
        rivals.any(|at| at + STALLED >= s.begun)
    }

    /// Whether a session was over for certain when `link` asked for it.
    pub(super) fn must_be_over(&self, link: usize, session: usize, asked: Nanos) -> bool {
        let s = &self.sessions[session];
        let is_past = |l: &Link| l.end.as_ref().is_some_and(|(_, at)| *at + STALLED + s.max < asked);
        s.over_at < asked || self.users(session, link).all(is_past)
    }

    /// A link has ended.
    pub(super) fn on_link_end(&mut self, link: usize, now: Nanos) {
        let l = &self.links[link];
        let (end, phase, has_quit, mute) = (l.end.clone().map(|(end, _)| end), l.phase, l.has_quit, l.mute);
        let Some(session) = l.session else { return };
        match (end, phase) {
            (Some(End::Tag(Some(error))), Phase::Resuming) if error == TOO_HIGH => {
                self.note("too high an h is refused");
                self.links[link].session = None;
            }
            (Some(End::Tag(Some(error))), Phase::Attached) if error == TOO_HIGH && has_quit => {
                self.note("too high an h ends a session");
                self.sessions[session].end(Over::Error, now);
            }
            // It was taken over or replaced, and whoever comes for it will learn which.
            (Some(End::Tag(Some(error))), Phase::Attached | Phase::Enabling) if error == "conflict" => {
                self.note("a stream ends with a conflict");
            }
            (Some(End::Tag(Some(error))), Phase::Attached) if error == "connection-timeout" && mute => {
                self.note("a stream falls silent");
            }
            (Some(End::Tag(None)), Phase::Attached) if has_quit => {
                // All that was written was read (RFC 6120 §4.4). That it is safe, nobody has said.
                self.note("a session is closed");
                self.was_read(link);
                let written = self.links[link].written;
                let session = &mut self.sessions[session];
                session.end(Over::Closed, now);
                session.handled = Some(written);
            }
            (Some(End::Tag(None)), Phase::Refused) | (Some(End::Lost | End::Eof), _) => {}
            (end, phase) => self.complain(format!("link {link} ended {end:?} in {phase:?}")),
        }
        let had = matches!(phase, Phase::Enabling | Phase::Attached);
        let s = &mut self.sessions[session];
        if had && s.id.is_none() {
            s.end(Over::Unresumable, now);
        }
        if s.link == Some(link) {
            // Of two that resumed, the one that is left.
            let is_left =
                |l: &Link| l.session == Some(session) && l.end.is_none() && l.phase == Phase::Attached;
            let left = self.links.iter().rposition(is_left);
            self.sessions[session].link = left;
            if let Some(left) = left {
                self.command(left, Command::Flush);
            }
        }
    }
}
