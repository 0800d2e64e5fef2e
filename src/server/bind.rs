//! Resource binding and the ends of sessions (RFC 6120 §7).
//!
//! The requests' and answers' XML is `stream`'s. Here is what binding means: one full JID has one session, whatever
//! happens.

use bytes::Bytes;
use rand_chacha::ChaCha12Rng;
use rand_core::Rng;

use super::client_link::ClientLink;
use super::client_task::ClientTask;
use super::config::ConflictPolicy;
use super::stream_management::Managed;
use super::world::ServerWorld;
use super::write::escaped;
use crate::engine::{ConnId, Effects};
use crate::limits::RESOURCES_PER_ACCOUNT_MAX;
use crate::router::{AccountId, Session, SessionId, Sink};
use crate::stanza::{Condition, Jid};

/// A resource that has just been bound.
#[derive(Debug)]
pub(super) struct BoundResource {
    pub(super) session: SessionId,
    pub(super) jid: Jid,
    /// `jid`, escaped; its first `bare_len` bytes are the bare JID.
    pub(super) from: Bytes,
    pub(super) bare_len: usize,
}

impl ServerWorld {
    /// Binds `resource`, or one of the server's choice, for `conn`.
    ///
    /// # Errors
    /// `not-authorized` when the account was removed meanwhile, `bad-request` when the resource cannot be prepared
    /// (§7.7.2.1), `conflict` under [`ConflictPolicy::Refuse`], `resource-constraint` when the account has
    /// `RESOURCES_PER_ACCOUNT_MAX` (§7.6.2.1).
    pub(super) fn bind(
        &mut self,
        account: &Jid,
        resource: Option<&str>,
        conn: ConnId,
        rng: &mut ChaCha12Rng,
        out: &mut Effects<ClientLink>,
    ) -> Result<BoundResource, Condition> {
        let id = self.shard.find(account.as_str()).ok_or(Condition::NotAuthorized)?;
        let mut jid = match resource.filter(|r| !r.is_empty()) {
            Some(resource) => account.with_resource(resource).map_err(|_| Condition::BadRequest)?,
            None => self.unused_resource(id, account, rng),
        };
        let mut replaced = None;
        if let Some((old, session)) = self.shard.resource(id, resource_of(&jid)) {
            let Sink::Connection(of_old) = session.sink();
            match self.conflict {
                // Nobody is there any more for whom the resource could be kept.
                _ if self.management.hibernates(of_old) => replaced = self.replace(old, of_old, out),
                ConflictPolicy::Replace => replaced = self.replace(old, of_old, out),
                ConflictPolicy::AssignOther => jid = self.unused_resource(id, account, rng),
                ConflictPolicy::Refuse => return Err(Condition::Conflict),
            }
        }
        if self.shard.account(id).session_count() >= RESOURCES_PER_ACCOUNT_MAX {
            self.end_oldest_hibernating(id, out);
        }
        if self.shard.account(id).session_count() >= RESOURCES_PER_ACCOUNT_MAX {
            return Err(Condition::ResourceConstraint);
        }
        let (from, bare_len) = (escaped(jid.as_ref()), escaped(account.as_ref()).len());
        self.shard.account_mut(id).set_last_seen(None);
        let session = self.shard.attach(id, jid.clone(), Sink::Connection(conn));
        self.counters.bound += 1;
        // Only now: what was for this full JID is for the new session.
        if let Some(replaced) = replaced {
            self.route_unacknowledged(&replaced, out);
        }
        Ok(BoundResource { session, jid, from, bare_len })
    }

    /// Ends a session because its connection has ended; nothing happens when it was replaced before.
    pub(super) fn end_session(&mut self, session: SessionId, out: &mut Effects<ClientLink>) {
        let Some(Sink::Connection(conn)) = self.shard.session(session).map(Session::sink) else { return };
        self.end_presence(session, None, out);
        self.shard.detach(session);
        self.stop_flush(session, out);
        self.note_logout(session.account);
        self.settle(out);
        if let Some(managed) = self.management.remove(conn) {
            self.route_unacknowledged(&managed, out);
        }
        self.remove_if_temporary(session.account);
    }

    /// §7.7.2.2, first choice. The old session ends before the new one begins, so no stanza can reach the dying stream
    /// once the new one's bind result is under way, and its contacts see it go.
    /// Returns what it was managed with.
    fn replace(&mut self, old: SessionId, conn: ConnId, out: &mut Effects<ClientLink>) -> Option<Managed> {
        self.end_presence(old, None, out);
        self.shard.detach(old);
        out.task(conn, ClientTask::Conflict);
        self.stop_flush(old, out);
        self.counters.replaced += 1;
        self.settle(out);
        self.management.remove(conn)
    }

    /// §7.6: 100 bits that nobody can guess.
    fn unused_resource(&self, id: AccountId, account: &Jid, rng: &mut ChaCha12Rng) -> Jid {
        loop {
            let resource = random_name(rng);
            if self.shard.resource(id, &resource).is_none() {
                return account.with_resource(&resource).expect("letters and digits need no preparation");
            }
        }
    }
}

fn resource_of(jid: &Jid) -> &str {
    jid.as_ref().resource().expect("bound addresses are full")
}

fn random_name(rng: &mut ChaCha12Rng) -> String {
    const DIGITS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut bits = (u128::from(rng.next_u64()) << 64) | u128::from(rng.next_u64());
    let mut name = String::with_capacity(20);
    for _ in 0..20 {
        name.push(char::from(DIGITS[(bits & 31) as usize]));
        bits >>= 5;
    }
    name
}
