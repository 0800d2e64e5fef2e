//! Clients with stream management (XEP-0198): each enables it, counts what comes and what it writes, resumes, and sends
//! again what the server has not handled.
//!
//! They draw nothing at random. What they judge is what can be said at once: numbers that do not fit, and a stanza that
//! is not the one that had its number before. What became of all stanzas is [`super::receipts`]'.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use xmpp_bench::engine::ConnId;
use xmpp_bench::store::MemoryStore;
use xmpp_bench::time::Nanos;

use super::actor::{End, Got};
use super::safekeeping;
use super::words::Outgoing;

/// How long the end of a path may take to be known at its other side.
pub(crate) const STALLED: Duration = Duration::from_secs(10);
/// How long the server keeps a session at most, as documented.
pub(crate) const WINDOW_MAX: Duration = Duration::from_secs(300);

/// What a link does when it has authenticated.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) account: usize,
    pub(crate) resume: Option<Resume>,
    /// Binds this when nothing is resumed; `None`: it closes.
    pub(crate) bind: Option<Bind>,
    /// Writes as much as it can at once.
    pub(crate) pipelined: bool,
}

/// `<resume/>`.
#[derive(Debug, Clone)]
pub(crate) struct Resume {
    /// The session that is meant.
    pub(crate) session: usize,
    pub(crate) h: H,
    pub(crate) id: Id,
}

/// What a client says that it has handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum H {
    /// All that came.
    All,
    /// So much less, but not less than it has said before.
    Lazy(u32),
    /// Less than it has said before, by so much.
    Stale(u32),
    /// More than there is.
    TooHigh,
}

/// Which id it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Id {
    /// The session's, and the session is the account's.
    Own,
    /// The session's, which is another account's.
    Others,
    /// One that never was.
    Wrong,
}

/// What is bound.
#[derive(Debug, Clone)]
pub(crate) struct Bind {
    pub(crate) resource: String,
    /// Asks that the session can be resumed.
    pub(crate) resumable: bool,
    /// For how many seconds.
    pub(crate) max_s: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Connecting,
    Header,
    Auth,
    Reopen,
    Resuming,
    Binding,
    Enabling,
    /// A session goes on with it.
    Attached,
    Refused,
}

/// What came of a `<resume/>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Resumed,
    Failed(Option<u32>),
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) attempt: Attempt,
    pub(crate) phase: Phase,
    pub(super) conn: Option<ConnId>,
    /// The session that it has, or tries to get.
    pub(crate) session: Option<usize>,
    /// The number of the last stanza that came.
    pub(super) came: usize,
    /// The number of the last stanza that was written.
    pub(super) written: usize,
    /// The highest number that the server has said here.
    pub(super) confirmed: usize,
    /// `<resume/>` was written: when, with which `h`, and what had been confirmed then.
    pub(super) asked: Option<(Nanos, u32, usize)>,
    pub(crate) answer: Option<Answer>,
    /// It has written what binds a resource.
    pub(super) wrote_bind: bool,
    /// Writes nothing any more.
    pub(crate) mute: bool,
    pub(super) wrote_tag: bool,
    /// It closes the stream, or breaks its rules.
    pub(super) has_quit: bool,
    pub(super) error: Option<String>,
    pub(super) tag_came: bool,
    pub(crate) end: Option<(End, Nanos)>,
}

/// A stanza that a client has given to its session.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) id: String,
    pub(crate) stanza: Outgoing,
    pub(crate) at: Nanos,
    /// It was on some link already.
    pub(super) was_written: bool,
}

/// An `h` that was written.
#[derive(Debug)]
pub(crate) struct Ack {
    pub(crate) h: u32,
    link: usize,
    /// How many stanzas were written on the link before it.
    behind: usize,
    /// The server has certainly read it.
    pub(crate) is_certain: bool,
}

/// How a client knows that a session is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    /// It closed it.
    Closed,
    /// The stream ended with an error.
    Error,
    /// It cannot be resumed, and its connection is gone.
    Unresumable,
    /// The server does not know it any more.
    Failed,
}

/// A session, as its client sees it.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) account: usize,
    pub(crate) jid: String,
    /// Its first link, and since when.
    pub(super) first: usize,
    pub(super) begun: Nanos,
    /// What it is resumed with, and for how long.
    pub(crate) id: Option<String>,
    pub(crate) max: Duration,
    /// Stream management has begun.
    pub(crate) is_managed: bool,
    /// What came before it had.
    pub(crate) early: Vec<Got>,
    /// What came since, by number, from 1.
    pub(crate) log: Vec<Got>,
    /// What it wrote, by number, from 1.
    pub(crate) sent: Vec<Sent>,
    pub(crate) acks: Vec<Ack>,
    /// How many of `sent` the server has said to have handled.
    pub(crate) confirmed: usize,
    /// How many it had handled when it ended.
    pub(crate) handled: Option<usize>,
    /// How far what it says is behind what came.
    pub(crate) lag: u32,
    /// The link that it goes on with.
    pub(crate) link: Option<usize>,
    pub(crate) over: Option<Over>,
    /// Since when.
    pub(super) over_at: Nanos,
}

impl Session {
    /// The highest `h` that the server has certainly read, and the highest that it may have read.
    pub(crate) fn acknowledged(&self) -> (usize, usize) {
        let most = |certain: bool| {
            let acks = self.acks.iter().filter(|ack| ack.is_certain || !certain);
            acks.map(|ack| ack.h as usize).max().unwrap_or(0)
        };
        (most(true), most(false))
    }

    /// What the client says when it is asked.
    pub(super) fn h(&self) -> u32 {
        let (_, said) = self.acknowledged();
        let all = u32::try_from(self.log.len()).expect("a run is short");
        all.saturating_sub(self.lag).max(u32::try_from(said).expect("a run is short"))
    }

    pub(super) fn h_of(&self, h: H) -> u32 {
        let number = |n: usize| u32::try_from(n).expect("a run is short");
        let (_, said) = self.acknowledged();
        match h {
            H::All => number(self.log.len()),
            H::Lazy(less) => number(self.log.len()).saturating_sub(less).max(number(said)),
            H::Stale(less) => number(said).saturating_sub(less),
            H::TooHigh => number(self.log.len()) + 1_000_000,
        }
    }

    /// Its client knows that it is over.
    pub(super) fn end(&mut self, over: Over, now: Nanos) {
        if self.over.is_none() {
            (self.over, self.over_at) = (Some(over), now);
        }
    }

    /// Whether the server has handled its stanza of this number. `None`: nobody knows.
    pub(crate) fn has_handled(&self, number: usize) -> Option<bool> {
        match self.handled {
            _ if number <= self.confirmed => Some(true),
            Some(handled) => Some(number <= handled),
            None => None,
        }
    }
}

/// What the clients do and what they saw.
#[derive(Debug, Default)]
pub(crate) struct Devices {
    pub(crate) links: Vec<Link>,
    pub(crate) sessions: Vec<Session>,
    /// What cannot be.
    pub(crate) complaints: Vec<String>,
    /// What has happened, and how often.
    pub(crate) events: BTreeMap<&'static str, usize>,
    /// What the server has saved.
    pub(crate) store: Arc<MemoryStore>,
    /// Those who were away have come: what waited for them is taken out.
    pub(crate) all_here: bool,
    pub(super) connects: Vec<usize>,
    pub(super) commands: Vec<(usize, Command)>,
}

/// What a link is told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    /// Write what the session has to send.
    Flush,
    /// Write half of a stanza, and no more.
    Tear,
    /// Ask for an acknowledgement.
    Ask,
    /// Acknowledge what came.
    Acknowledge,
    /// Acknowledge more than there was.
    Exaggerate,
    /// Write a close tag and wait for the server's.
    Quit,
    /// Close without a word.
    Drop,
    /// Answer nothing from now on.
    Mute,
}

impl Devices {
    /// A new connection; returns its number.
    pub(crate) fn connect(&mut self, attempt: Attempt) -> usize {
        self.links.push(Link {
            session: attempt.resume.as_ref().filter(|r| r.id == Id::Own).map(|r| r.session),
            attempt,
            phase: Phase::Connecting,
            conn: None,
            came: 0,
            written: 0,
            confirmed: 0,
            asked: None,
            answer: None,
            wrote_bind: false,
            mute: false,
            wrote_tag: false,
            has_quit: false,
            error: None,
            tag_came: false,
            end: None,
        });
        self.connects.push(self.links.len() - 1);
        self.links.len() - 1
    }

    pub(crate) fn command(&mut self, link: usize, command: Command) {
        self.commands.push((link, command));
    }

    /// Gives a session something to send, later.
    pub(crate) fn keep(&mut self, session: usize, stanza: Outgoing, at: Nanos) {
        let id = stanza.attr("id").expect("every stanza has one").to_owned();
        self.sessions[session].sent.push(Sent { id, stanza, at, was_written: false });
    }

    /// Gives a session something to send: now if it has a link, or else when it is resumed.
    pub(crate) fn send(&mut self, session: usize, stanza: Outgoing, at: Nanos) {
        self.keep(session, stanza, at);
        if let Some(link) = self.sessions[session].link {
            self.command(link, Command::Flush);
        }
    }

    pub(crate) fn conn(&self, link: usize) -> Option<ConnId> {
        self.links[link].conn
    }

    pub(crate) fn note(&mut self, event: &'static str) {
        *self.events.entry(event).or_default() += 1;
    }

    pub(super) fn complain(&mut self, complaint: String) {
        self.complaints.push(complaint);
    }

    /// Writes an `h` down that a link is about to write.
    pub(super) fn note_ack(&mut self, link: usize, h: u32, is_certain: bool) {
        let behind = self.links[link].written;
        if let Some(session) = self.links[link].session {
            self.sessions[session].acks.push(Ack { h, link, behind, is_certain });
        }
    }

    /// What a link had said with a `<resume/>` was not heard.
    pub(super) fn unsay(&mut self, link: usize, session: usize) {
        self.sessions[session].acks.retain(|ack| ack.link != link);
    }

    /// The server has read everything that was written on this link.
    pub(crate) fn was_read(&mut self, link: usize) {
        if let Some(session) = self.links[link].session {
            let acks = self.sessions[session].acks.iter_mut().filter(|ack| ack.link == link);
            acks.for_each(|ack| ack.is_certain = true);
        }
    }

    /// The server has handled so many stanzas of the link's session.
    pub(super) fn confirm(&mut self, link: usize, h: u32) {
        let Some(session) = self.links[link].session else { return };
        let written = self.sessions[session].sent.iter().take_while(|sent| sent.was_written).count();
        let (h, before) = (h as usize, self.links[link].confirmed);
        if h > written || h < before {
            self.complain(format!(
                "link {link}: the server has handled {h} stanzas of session {session}: {written} are written, \
                 {before} were handled"
            ));
        }
        self.links[link].confirmed = h;
        let session = &mut self.sessions[session];
        session.confirmed = session.confirmed.max(h.min(session.sent.len()));
        // Who has handled a stanza has read what was written before it.
        let acks = session.acks.iter_mut().filter(|ack| ack.link == link && ack.behind < h);
        acks.for_each(|ack| ack.is_certain = true);
        if !self.all_here
            && let Err(complaint) = safekeeping::check(self, &self.store.accounts())
        {
            self.complain(complaint);
        }
    }

    /// Whether a resource of this address ended before it had stream management, or nobody knows.
    pub(crate) fn was_unmanaged(&self, jid: &str) -> bool {
        let has_had = |link: &&Link| link.wrote_bind && link.end.is_some();
        self.links.iter().filter(has_had).any(|link| {
            let bind = link.attempt.bind.as_ref().expect("it has bound");
            let is_it = format!("{}/{}", super::rig::bare(link.attempt.account), bind.resource) == jid;
            let is_managed = link.session.is_some_and(|session| self.sessions[session].is_managed);
            is_it && !is_managed && link.phase != Phase::Refused
        })
    }

    /// Sessions that go on now.
    pub(crate) fn is_live(&self, session: usize) -> bool {
        let link = self.sessions[session].link.map(|link| &self.links[link]);
        link.is_some_and(|link| link.end.is_none() && link.phase == Phase::Attached)
    }
}
