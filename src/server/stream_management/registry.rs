//! Which sessions have stream management, and how each stands.
//!
//! Nothing is sent from here, and no session is ended.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::num::NonZeroU32;
use std::time::Duration;

use bytes::Bytes;
use foldhash::fast::FixedState;
use slab::Slab;

use super::queue::{Acknowledged, Unacknowledged};
use crate::engine::ConnId;
use crate::limits::{
    SM_ASK_BYTES, SM_ASK_STANZAS, SM_ASK_WAIT, SM_BURST_BYTES_MAX, SM_BURST_MAX, SM_BURST_STANZAS_MAX,
    SM_ENDED_REMEMBERED_MAX, SM_QUEUE_BYTES_MAX, SM_QUEUE_STANZAS_MAX,
};
use crate::router::{AccountId, SessionId};
use crate::stanza::{Stanza, To};
use crate::time::Nanos;

/// Names one session of the registry. Its place is used again: who asks says which connection it is, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::server) struct ManagedId(NonZeroU32);

impl ManagedId {
    fn new(slot: usize) -> Self {
        let slot = u32::try_from(slot).expect("fewer sessions than connections");
        Self(NonZeroU32::MIN.saturating_add(slot))
    }

    const fn slot(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// What a stream is resumed with: 128 bits that nobody can guess (XEP-0198 §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::server) struct ResumptionId(pub(super) u128);

impl ResumptionId {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let is_id = text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        is_id.then(|| u128::from_str_radix(text, 16).ok().map(Self)).flatten()
    }
}

impl std::fmt::Display for ResumptionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// A session with stream management.
#[derive(Debug)]
pub(in crate::server) struct Managed {
    pub(super) session: SessionId,
    /// Its connection, or the last one that it had: the name under which its deliveries come.
    pub(super) conn: ConnId,
    /// The one before, if it was resumed: what was on its way there when it was is for it, too.
    former: Option<ConnId>,
    /// Full JID, escaped, and how much of it is the bare JID.
    pub(super) from: Bytes,
    pub(super) bare_len: u16,
    /// What it can be resumed with, and for how long after its connection's end.
    pub(super) resumption: Option<(ResumptionId, Duration)>,
    /// Without a connection, and until when.
    pub(super) hibernates_until: Option<Nanos>,
    /// Stanzas of the client that were taken, modulo 2^32.
    pub(super) handled: u32,
    pub(super) queue: Unacknowledged,
    /// `<r/>` was sent and not answered.
    asked: bool,
    /// The timer runs after which it is asked.
    will_ask: bool,
    /// The timer runs until which the queue may be longer than it should be.
    in_burst: bool,
}

/// What is to be done for a session's stream after its queue has changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::server) struct Wish {
    /// Ask for an acknowledgement.
    pub(super) ask: bool,
    /// Set the timer.
    pub(super) timer: Option<Duration>,
    /// Clear it.
    pub(super) no_timer: bool,
    /// End it: the queue is full.
    pub(super) full: bool,
}

impl Managed {
    fn push(&mut self, stanza: &Stanza, to: To<'_>, now: Nanos) {
        if stanza.is_kept_elsewhere() && to == To::Kept {
            self.queue.push_kept(stanza.element().bytes.clone(), now);
        } else {
            self.queue.push(|bytes| stanza.write(to, bytes), now);
        }
    }

    /// A stanza for a session without a connection: it waits. Returns whether it is one more than may.
    pub(super) fn keep(&mut self, stanza: &Stanza, to: To<'_>, now: Nanos) -> bool {
        self.push(stanza, to, now);
        self.is_over()
    }

    fn is_over(&self) -> bool {
        self.queue.own_len() > SM_QUEUE_STANZAS_MAX || self.queue.own_bytes() > SM_QUEUE_BYTES_MAX
    }

    /// It was asked for an acknowledgement for another reason.
    pub(super) const fn set_asked(&mut self) {
        self.asked = true;
    }

    /// What the queue's length asks for. `may_ask`: now, if there is much; a client that has just said that it has handled
    /// nothing more would say so again.
    fn wish(&mut self, may_ask: bool) -> Wish {
        let mut wish = Wish {
            full: self.queue.own_len() > SM_BURST_STANZAS_MAX || self.queue.own_bytes() > SM_BURST_BYTES_MAX,
            ..Wish::default()
        };
        let much = self.queue.len() >= SM_ASK_STANZAS || self.queue.own_bytes() >= SM_ASK_BYTES;
        if much && may_ask && !self.asked {
            self.asked = true;
            wish.ask = true;
        }
        if self.is_over() {
            if !self.in_burst {
                self.in_burst = true;
                wish.timer = Some(SM_BURST_MAX);
            }
        } else if !self.asked && !self.will_ask && !self.queue.is_empty() {
            self.will_ask = true;
            wish.timer = Some(SM_ASK_WAIT);
        }
        wish
    }

    /// The client has handled `h` stanzas.
    pub(super) fn on_acknowledgement(&mut self, h: u32) -> (Acknowledged, Wish) {
        let acknowledged = self.queue.acknowledge(h);
        let reads_on = matches!(acknowledged, Acknowledged::Stanzas { count: 1.., .. });
        let no_timer = reads_on && (self.in_burst || self.will_ask);
        if reads_on {
            // Whatever runs begins anew.
            (self.in_burst, self.will_ask) = (false, false);
        }
        self.asked = false;
        (acknowledged, Wish { no_timer, ..self.wish(reads_on) })
    }

    /// Everything in the queue was written again.
    pub(super) fn on_resumed(&mut self) -> Wish {
        let any = !self.queue.is_empty();
        self.asked = any;
        Wish { ask: any, ..self.wish(false) }
    }

    /// The timer has passed.
    pub(super) fn on_timer(&mut self) -> Wish {
        self.will_ask = false;
        if std::mem::take(&mut self.in_burst) && self.is_over() {
            return Wish { full: true, ..Wish::default() };
        }
        let ask = !self.asked && !self.queue.is_empty();
        self.asked |= ask;
        Wish { ask, ..Wish::default() }
    }
}

/// All sessions with stream management of one home.
#[derive(Debug, Default)]
pub(in crate::server) struct Registry {
    managed: Slab<Managed>,
    by_conn: HashMap<ConnId, ManagedId, FixedState>,
    by_resumption: HashMap<ResumptionId, ManagedId, FixedState>,
    /// When hibernating sessions end.
    deadlines: BTreeSet<(Nanos, u32)>,
    /// Whose sessions are over, and what had been handled of each, oldest first.
    ended: VecDeque<(ResumptionId, AccountId, u32)>,
}

impl Registry {
    pub(super) fn insert(
        &mut self,
        session: SessionId,
        conn: ConnId,
        (from, bare_len): (Bytes, u16),
        resumption: Option<(ResumptionId, Duration)>,
    ) -> ManagedId {
        let id = ManagedId::new(self.managed.insert(Managed {
            session,
            conn,
            former: None,
            from,
            bare_len,
            resumption,
            hibernates_until: None,
            handled: 0,
            queue: Unacknowledged::default(),
            asked: false,
            will_ask: false,
            in_burst: false,
        }));
        self.by_conn.insert(conn, id);
        if let Some((resumption, _)) = resumption {
            self.by_resumption.insert(resumption, id);
        }
        id
    }

    /// A stanza of the client was taken.
    pub(in crate::server) fn count_handled(&mut self, id: ManagedId, conn: ConnId) {
        if let Some(managed) = self.get(id, conn) {
            managed.handled = managed.handled.wrapping_add(1);
        }
    }

    /// The session, if it is still this connection's.
    pub(super) fn get(&mut self, id: ManagedId, conn: ConnId) -> Option<&mut Managed> {
        self.managed.get_mut(id.slot()).filter(|managed| managed.conn == conn)
    }

    /// The session that has this connection, or had it last or before that.
    pub(super) fn of_conn(&mut self, conn: ConnId) -> Option<&mut Managed> {
        // Usually there is none at all.
        let id = if self.by_conn.is_empty() { None } else { self.by_conn.get(&conn) }?;
        Some(&mut self.managed[id.slot()])
    }

    /// The session that can be resumed so.
    pub(super) fn resumable(&mut self, resumption: ResumptionId) -> Option<&mut Managed> {
        let id = self.by_resumption.get(&resumption)?;
        Some(&mut self.managed[id.slot()])
    }

    /// What had been handled of a session of this account that is over.
    pub(super) fn handled_of_ended(&self, resumption: ResumptionId, account: AccountId) -> Option<u32> {
        let mut ended = self.ended.iter().rev();
        let found = ended.find(|(id, owner, _)| (*id, *owner) == (resumption, account));
        found.map(|(.., handled)| *handled)
    }

    /// A stanza was written to a session's stream.
    pub(in crate::server) fn sent(
        &mut self,
        id: ManagedId,
        conn: ConnId,
        stanza: &Stanza,
        to: To<'_>,
        now: Nanos,
    ) -> Wish {
        self.get(id, conn).map_or_else(Wish::default, |managed| {
            managed.push(stanza, to, now);
            managed.wish(true)
        })
    }

    /// The session's connection ends, and it stays: until when. `None`: it cannot be resumed, or has too much in its queue.
    /// One that `is_brief` may, since it goes on at once.
    pub(super) fn hibernate(
        &mut self,
        id: ManagedId,
        conn: ConnId,
        now: Nanos,
        is_brief: bool,
    ) -> Option<Nanos> {
        let managed = self.get(id, conn)?;
        let (_, window) = managed.resumption.filter(|_| is_brief || !managed.is_over())?;
        let until = now + window;
        managed.hibernates_until = Some(until);
        (managed.asked, managed.will_ask, managed.in_burst) = (false, false, false);
        self.deadlines.insert((until, id.0.get()));
        Some(until)
    }

    /// The session goes on with `conn`.
    pub(super) fn wake(
        &mut self,
        resumption: ResumptionId,
        conn: ConnId,
    ) -> Option<(ManagedId, &mut Managed)> {
        let id = *self.by_resumption.get(&resumption)?;
        let managed = &mut self.managed[id.slot()];
        let until = managed.hibernates_until.take()?;
        self.deadlines.remove(&(until, id.0.get()));
        if let Some(former) = managed.former.replace(managed.conn) {
            self.by_conn.remove(&former);
        }
        self.by_conn.insert(conn, id);
        managed.conn = conn;
        Some((id, managed))
    }

    /// Takes out the session that has, or had last, this connection.
    pub(in crate::server) fn remove(&mut self, conn: ConnId) -> Option<Managed> {
        let id = if self.by_conn.is_empty() { None } else { self.by_conn.remove(&conn) }?;
        let managed = self.managed.remove(id.slot());
        if let Some(former) = managed.former {
            self.by_conn.remove(&former);
        }
        if let Some(until) = managed.hibernates_until {
            self.deadlines.remove(&(until, id.0.get()));
        }
        if let Some((resumption, _)) = managed.resumption {
            self.by_resumption.remove(&resumption);
            if self.ended.len() >= SM_ENDED_REMEMBERED_MAX {
                self.ended.pop_front();
            }
            self.ended.push_back((resumption, managed.session.account, managed.handled));
        }
        Some(managed)
    }

    /// When the next hibernating session ends.
    pub(in crate::server) fn next_deadline(&self) -> Option<Nanos> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Whether the session that had this connection last has none now.
    pub(in crate::server) fn hibernates(&self, conn: ConnId) -> bool {
        let id = self.by_conn.get(&conn);
        id.is_some_and(|id| self.managed[id.slot()].hibernates_until.is_some())
    }

    /// A hibernating session whose time has come by `now`.
    pub(super) fn due(&self, now: Nanos) -> Option<SessionId> {
        let (at, id) = *self.deadlines.first()?;
        (at <= now).then(|| self.managed[id as usize - 1].session)
    }
}
