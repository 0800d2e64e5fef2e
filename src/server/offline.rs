//! Messages for accounts that nobody takes them for now (RFC 6121 §8.5.2.2.1; XEP-0160; XEP-0203).
//!
//! Which messages come here is [`crate::router::Shard::decide`]'s. They are given to the first resource that takes messages
//! (available, priority not negative), all at once, so that nothing can come in between. A message goes from the queue
//! when it was written to that resource's connection; if the stream ends before, it is given again.

use bytes::Bytes;

use super::client_link::ClientLink;
use super::client_task::ClientTask;
use super::delay::{is_delayed_by, write_delay};
use super::hints::wants_storage;
use super::routing::Origin;
use super::world::ServerWorld;
use super::write::escaped;
use crate::engine::{Effects, Stamp};
use crate::limits::OFFLINE_BYTES_PER_HOME_MAX;
use crate::router::{AccountId, SessionId, Sink};
use crate::stanza::{Condition, JidRef, Stanza, To};
use crate::store::{Change, OfflineRecord};
use crate::time::Utc;

impl ServerWorld {
    /// A message that has to wait.
    pub(super) fn keep_offline(
        &mut self,
        stanza: &Stanza,
        id: AccountId,
        origin: Option<Origin>,
        out: &mut Effects<ClientLink>,
    ) {
        let account = self.shard.account(id);
        if account.is_temporary() {
            return self.bounce(stanza, Condition::ServiceUnavailable, origin, out);
        }
        if !wants_storage(stanza) {
            // RFC 6121 §8.5.2.2.1: what is not kept is answered.
            return self.bounce(stanza, Condition::ServiceUnavailable, origin, out);
        }
        let text = self.delayed(stanza, id);
        let room = account.offline().is_none_or(|offline| offline.has_room(text.len()));
        if !room || self.offline_bytes + text.len() > OFFLINE_BYTES_PER_HOME_MAX {
            // XEP-0160 §2: as if there were no storage.
            return self.bounce(stanza, Condition::ServiceUnavailable, origin, out);
        }
        if !self.can_save() {
            return self.bounce(stanza, Condition::ResourceConstraint, origin, out);
        }
        self.offline_bytes += text.len();
        self.counters.kept_offline += 1;
        let record = String::from_utf8(text.to_vec()).expect("the framer checked it");
        let entry = self.shard.account_mut(id);
        let number = entry.offline_mut().push(text);
        let account = entry.jid().clone();
        let message = OfflineRecord { number, stanza: record };
        self.save(Change::AddOffline { account, message });
    }

    /// Gives the next messages to a resource that takes them, if there are both.
    pub(super) fn flush_offline(&mut self, id: AccountId, out: &mut Effects<ClientLink>) {
        let Some(offline) = self.shard.account(id).offline() else { return };
        if offline.is_empty() || offline.flushing().is_some() {
            return;
        }
        let Some((session, Sink::Connection(conn))) =
            self.shard.most_available(id).map(|(session, entry)| (session, entry.sink()))
        else {
            return;
        };
        let given = self.shard.account_mut(id).offline_mut().give(session);
        for text in given {
            self.scratch.recipients.push(conn);
            self.deliver(Stanza::from_own(text).kept_elsewhere(), Stamp::Kept, out);
            out.task(conn, ClientTask::TellWritten);
        }
    }

    /// A resource has so many more of what it was given.
    pub(super) fn on_flushed(&mut self, session: SessionId, count: usize, out: &mut Effects<ClientLink>) {
        let id = session.account;
        if self.shard.session(session).is_none() {
            return;
        }
        let entry = self.shard.account_mut(id);
        let before = entry.offline().map_or(0, crate::router::Offline::bytes);
        let Some(through) = entry.offline_mut().taken(session, count) else { return };
        self.offline_bytes -= before - entry.offline().map_or(0, crate::router::Offline::bytes);
        entry.drop_offline_if_empty();
        let account = entry.jid().clone();
        self.save(Change::RemoveOffline { account, through });
        self.flush_offline(id, out);
        self.settle(out);
    }

    /// A session has ended: what it was given and has not taken is for another one.
    pub(super) fn stop_flush(&mut self, session: SessionId, out: &mut Effects<ClientLink>) {
        let entry = self.shard.account_mut(session.account);
        if entry.offline().is_none_or(|offline| offline.flushing() != Some(session)) {
            return;
        }
        entry.offline_mut().stop(session);
        self.flush_offline(session.account, out);
    }

    /// The stanza as it will be given out: complete, with its address and its delay.
    fn delayed(&self, stanza: &Stanza, id: AccountId) -> Bytes {
        let at = self.failed_at.unwrap_or_else(|| self.utc_now());
        if stanza.to().is_some() {
            return self.with_delay(stanza, To::Kept, at);
        }
        self.with_delay(stanza, To::Stamped(&escaped(self.shard.account(id).jid().as_ref())), at)
    }

    /// The stanza, and that it has waited since then. One that says so already was late before, and says since when: that is
    /// said once (XEP-0203 §2).
    pub(super) fn with_delay(&self, stanza: &Stanza, to: To<'_>, at: Utc) -> Bytes {
        let mut text = Vec::with_capacity(stanza.written_len(to) + 128);
        stanza.write(to, &mut text);
        let address = stanza.to().or_else(|| stanza.from()).and_then(|raw| JidRef::parse_attr(raw).ok());
        let from = address.as_ref().map_or_else(|| self.domain(), |address| address.jid().domain());
        if is_delayed_by(from, stanza) {
            return Bytes::from(text);
        }
        let end = if stanza.element().bytes.len() == stanza.head().tag_end as usize {
            // `<message …/>`: it has content from now on.
            text.truncate(text.len() - b"/>".len());
            text.push(b'>');
            let name = &stanza.element().bytes[1..stanza.head().name_end as usize];
            [b"</", name, b">"].concat()
        } else {
            let end =
                text.iter().rposition(|byte| *byte == b'<').expect("an element with content has an end tag");
            text.split_off(end)
        };
        write_delay(from, at, &mut text);
        text.extend_from_slice(&end);
        Bytes::from(text)
    }
}
