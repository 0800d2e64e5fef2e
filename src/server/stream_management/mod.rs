//! XEP-0198: acknowledgements, and sessions that outlive their connections.
//!
//! What the elements look like is `stream`'s; where a `<resume/>` may stand is its negotiation's.
//!
//! - A session with stream management has an entry in the [`Registry`] of its home: what its client was sent and has not
//!   acknowledged (`queue`), and how many of the client's stanzas were taken.
//! - An `<a/>` is an answer like any other: it waits at the accept barrier until everything before it is safe.
//! - **Hibernation.** When its connection ends without a close tag, a resumable session stays as it is for a while: present,
//!   and addressed by the name of the connection that it had. No connection will ever have that name again, so the hub hands
//!   each delivery back ([`ServerWorld::keep_for_hibernating`]), and it goes to the queue. The router knows nothing of it.
//! - **Resumption** happens at one home, since a stream moves to its account's home before it authenticates. A session whose
//!   connection seems to live is hibernated first, so there is one way to come back.
//! - **Death**: a session ends when its window is over, its queue is full, its resource is bound anew or its stream is closed.
//!   What is not acknowledged is routed again, as if the resource had not been there.

mod link;
mod queue;
mod registry;

use std::time::Duration;

use bytes::Bytes;
use rand_chacha::ChaCha12Rng;
use rand_core::Rng as _;

pub(super) use link::Resuming;
use queue::Acknowledged;
use registry::ResumptionId;
pub(super) use registry::{Managed, ManagedId, Registry};

use super::client_link::ClientLink;
use super::client_task::ClientTask;
use super::routing::Origin;
use super::world::ServerWorld;
use crate::engine::{ConnId, Effects, Stamp, Target};
use crate::limits::SM_RESUME_MAX;
use crate::router::{AccountId, SessionId, Sink};
use crate::stanza::{Condition, Jid, Stanza, To};
use crate::stream::{Management, StreamError};

/// Feature of an authenticated stream (XEP-0198 §2).
pub(super) const FEATURE: &str = "<sm xmlns='urn:xmpp:sm:3'/>";

/// Why a session is not resumed.
#[derive(Debug)]
enum Refusal {
    /// `<failed/>`, and with it what had been handled of a session that is over.
    Failed(Option<u32>),
    /// The stream ends.
    Error(StreamError),
}

/// A session that can be resumed.
#[derive(Debug)]
struct Former {
    /// With the connection that it has, or had last.
    origin: Origin,
    /// Whether that seems to live.
    lives: bool,
}

/// A session that goes on with another connection.
#[derive(Debug)]
struct Resumed {
    session: SessionId,
    managed: ManagedId,
    jid: Jid,
    /// `jid`, escaped; its first `bare_len` bytes are the bare JID.
    from: Bytes,
    bare_len: u16,
}

impl ServerWorld {
    /// Gives a session stream management. Returns what answers the client.
    fn enable_management(
        &mut self,
        session: SessionId,
        conn: ConnId,
        from: (Bytes, u16),
        (resume, max_s): (bool, Option<u32>),
        rng: &mut ChaCha12Rng,
    ) -> (ManagedId, Management) {
        // Who is anonymous cannot log in as the same account again.
        let resume = resume && !self.shard.account(session.account).is_temporary();
        let resumption = resume.then(|| {
            let id = ResumptionId((u128::from(rng.next_u64()) << 64) | u128::from(rng.next_u64()));
            let wanted = max_s.map_or(SM_RESUME_MAX, |seconds| Duration::from_secs(seconds.into()));
            (id, wanted.min(SM_RESUME_MAX))
        });
        let managed = self.management.insert(session, conn, from, resumption);
        self.counters.managed += 1;
        let max_s = resumption.map(|(_, window)| u32::try_from(window.as_secs()).expect("some minutes"));
        let id = resumption.map(|(id, _)| id.to_string());
        (managed, Management::Enabled { id, max_s })
    }

    /// The connection of a session with stream management has ended without a close tag. Returns whether the session goes on
    /// without one: for a moment, if it `is_brief`.
    pub(super) fn hibernate(&mut self, managed: ManagedId, conn: ConnId, is_brief: bool) -> bool {
        if self.is_stopping() {
            return false;
        }
        let hibernates = self.management.hibernate(managed, conn, self.now(), is_brief).is_some();
        self.counters.hibernated += u64::from(hibernates);
        hibernates
    }

    /// A delivery that no connection takes: it is kept if a hibernating session waits for it, and goes on if that has been
    /// resumed just now.
    pub(super) fn keep_for_hibernating(
        &mut self,
        stanza: Stanza,
        target: Target,
        out: &mut Effects<ClientLink>,
    ) {
        let now = self.now();
        let managed = self.management.of_conn(target.conn);
        if let Some(managed) =
            managed.as_ref().filter(|m| m.conn != target.conn && m.hibernates_until.is_none())
        {
            out.deliver(stanza, [Target { conn: managed.conn, ..target }]);
            return;
        }
        let Some(managed) = managed.filter(|m| m.hibernates_until.is_some()) else {
            if !stanza.is_kept_elsewhere() {
                self.route_again(stanza, out);
            }
            return;
        };
        let full = managed.from.clone();
        let bare = full.slice(..usize::from(managed.bare_len));
        let to = match target.stamp {
            Stamp::Kept => To::Kept,
            Stamp::Bare => To::Stamped(&bare),
            Stamp::Full => To::Stamped(&full),
        };
        if managed.keep(&stanza, to, now) {
            let session = managed.session;
            self.counters.overfull += 1;
            self.end_session(session, out);
        }
    }

    /// Tells a client that `handled` of its stanzas were taken, when they are safe.
    fn acknowledge(&mut self, session: SessionId, conn: ConnId, handled: u32, out: &mut Effects<ClientLink>) {
        self.close_barrier(Origin { conn, session: Some(session) }, out);
        out.when_safe(conn, conn, ClientTask::Acknowledge(handled));
    }

    /// Whether `account` may resume `previd` with a client that has handled `h` stanzas. Nothing is changed.
    fn may_resume(&mut self, account: &Jid, previd: &str, h: u32) -> Result<Former, Refusal> {
        let id = ResumptionId::parse(previd).ok_or(Refusal::Failed(None))?;
        // An id is of no use to another account, nor does that learn that there is or was one.
        let own = self.shard.find(account.as_str());
        let handled = own.and_then(|own| self.management.handled_of_ended(id, own));
        let managed = self.management.resumable(id).ok_or(Refusal::Failed(handled))?;
        if self.shard.account(managed.session.account).jid() != account {
            return Err(Refusal::Failed(None));
        }
        match managed.queue.judge(h) {
            Acknowledged::Stanzas { .. } => Ok(Former {
                origin: Origin { conn: managed.conn, session: Some(managed.session) },
                lives: managed.hibernates_until.is_none(),
            }),
            // What it has lost since it acknowledged it is not here either.
            Acknowledged::Before => Err(Refusal::Failed(Some(managed.handled))),
            Acknowledged::TooMany => {
                Err(Refusal::Error(StreamError::handled_count_too_high(h, managed.queue.sent())))
            }
        }
    }

    /// A hibernating session goes on with `conn`, and its client has handled `h` stanzas.
    fn resume(
        &mut self,
        account: &Jid,
        resuming: &Resuming,
        conn: ConnId,
        out: &mut Effects<ClientLink>,
    ) -> Result<Resumed, Refusal> {
        self.may_resume(account, &resuming.previd, resuming.h)?;
        let id = ResumptionId::parse(&resuming.previd).ok_or(Refusal::Failed(None))?;
        let (managed_id, managed) = self.management.wake(id, conn).ok_or(Refusal::Failed(None))?;
        let acknowledged = managed.queue.acknowledge(resuming.h);
        let (session, from, bare_len) = (managed.session, managed.from.clone(), managed.bare_len);
        let entry = self.shard.session_mut(session).expect("what hibernates has not ended");
        entry.set_sink(Sink::Connection(conn));
        let jid = entry.jid().clone();
        self.counters.resumed += 1;
        self.take_flushed(session, acknowledged, out);
        Ok(Resumed { session, managed: managed_id, jid, from, bare_len })
    }

    /// Messages that had waited for a client, and that it has acknowledged, need not be kept any more.
    fn take_flushed(
        &mut self,
        session: SessionId,
        acknowledged: Acknowledged,
        out: &mut Effects<ClientLink>,
    ) {
        if let Acknowledged::Stanzas { kept: kept @ 1.., .. } = acknowledged {
            self.on_flushed(session, kept, out);
        }
    }

    /// What a session that has ended had not been acknowledged is routed again: messages to wherever they go without that
    /// resource, saying since when they are late (§4, XEP-0203), and requests to an error.
    pub(super) fn route_unacknowledged(&mut self, managed: &Managed, out: &mut Effects<ClientLink>) {
        for (stanza, at) in managed.queue.stanzas() {
            if !stanza.is_kept_elsewhere() {
                self.failed_at = Some(self.utc_at(at));
                self.route_again(stanza, out);
            }
        }
        self.failed_at = None;
    }

    /// Ends the hibernating sessions whose time is over.
    pub(super) fn end_hibernating(&mut self, out: &mut Effects<ClientLink>) {
        while let Some(session) = self.management.due(self.now()) {
            self.counters.expired += 1;
            self.end_session(session, out);
        }
    }

    /// The server stops: no session waits for anybody any more.
    pub(super) fn end_all_hibernating(&mut self, out: &mut Effects<ClientLink>) {
        while let Some(session) = self.management.due(crate::time::Nanos::MAX) {
            self.end_session(session, out);
        }
    }

    /// Ends the oldest hibernating session of an account, if it has one: who binds is not kept out by those that were left.
    pub(super) fn end_oldest_hibernating(&mut self, account: AccountId, out: &mut Effects<ClientLink>) {
        let oldest = self.shard.sessions_of(account).find_map(|(id, session)| {
            let Sink::Connection(conn) = session.sink();
            self.management.hibernates(conn).then_some(id)
        });
        if let Some(session) = oldest {
            self.end_session(session, out);
        }
    }
}

const fn failed(condition: Condition, h: Option<u32>) -> Management {
    Management::Failed { condition, h }
}
