//! The end of an account: its streams end, its contacts' rosters hold no subscription to it any more, and what it had is
//! gone (XEP-0077 §3.2, XEP-0133 §4.2).
//!
//! Who may do that is the caller's concern.

use super::client_link::ClientLink;
use super::client_task::ClientTask;
use super::world::ServerWorld;
use crate::engine::{ConnId, Effects};
use crate::router::{AccountId, Offline, Sink, Subscription, SubscriptionChange};
use crate::stanza::Jid;
use crate::store::Change;

impl ServerWorld {
    /// Removes an account of this home. The stream of `spare` is left for the caller to end: its session is over.
    ///
    /// Subscribers see each resource go, then every subscription between the account and a contact ends in both
    /// directions, and every request, as if the user had ended it.
    pub(super) fn remove_account(
        &mut self,
        id: AccountId,
        spare: Option<ConnId>,
        out: &mut Effects<ClientLink>,
    ) {
        self.drop_offline(id);
        let sessions: Vec<_> = self.shard.sessions_of(id).map(|(session, _)| session).collect();
        let mut unacknowledged = Vec::new();
        for session in sessions {
            self.end_presence(session, None, out);
            let Some(session) = self.shard.detach(session) else { continue };
            let Sink::Connection(conn) = session.sink();
            unacknowledged.extend(self.management.remove(conn));
            if spare != Some(conn) {
                out.task(conn, ClientTask::Removed);
            }
        }
        let entry = self.shard.account(id);
        let account = entry.jid().clone();
        let mut contacts: Vec<(Jid, Subscription)> = entry
            .roster()
            .items()
            .map(|item| item.jid().clone())
            .map(|jid| (jid, Subscription::None))
            .collect();
        for (contact, state) in &mut contacts {
            *state = entry.subscription(contact.as_ref());
        }
        let is_item = |contact: &Jid| entry.roster().get(contact.as_ref()).is_some();
        let requests = entry.pending().iter().map(|request| request.contact.clone());
        contacts.extend(requests.filter(|c| !is_item(c)).map(|c| (c, Subscription::NonePendingIn)));
        self.set_credentials(id, None);
        self.busiest.forget(id);
        self.shard.remove_account(id);
        self.save(Change::RemoveAccount { account: account.clone() });
        for (contact, state) in contacts {
            if state.has_to() || state.is_pending_out() {
                self.post_change(SubscriptionChange::Unsubscribe, &account, &contact);
            }
            if state.has_from() || state.is_pending_in() {
                self.post_change(SubscriptionChange::Unsubscribed, &account, &contact);
            }
        }
        self.settle(out);
        for managed in unacknowledged {
            // As if it had been sent to an account that is not there.
            self.route_unacknowledged(&managed, out);
        }
    }

    /// Ends the streams of an account, or of one of its resources. `false`: there is none.
    pub(super) fn end_sessions(
        &mut self,
        id: AccountId,
        resource: Option<&str>,
        spare: Option<ConnId>,
        out: &mut Effects<ClientLink>,
    ) -> bool {
        let sessions = self.shard.sessions_of(id);
        let sessions = sessions.filter(|(_, s)| resource.is_none_or(|resource| resource == s.resource()));
        let sessions: Vec<_> = sessions.map(|(session, entry)| (session, entry.sink())).collect();
        let is_any = !sessions.is_empty();
        for (session, Sink::Connection(conn)) in sessions {
            if self.management.hibernates(conn) {
                // It has no stream that could be told.
                self.end_session(session, out);
            } else if spare != Some(conn) {
                out.task(conn, ClientTask::Dismissed);
            }
        }
        is_any
    }

    fn drop_offline(&mut self, id: AccountId) {
        let entry = self.shard.account_mut(id);
        let Some(offline) = entry.offline() else { return };
        self.offline_bytes -= offline.bytes();
        *entry.offline_mut() = Offline::default();
    }
}
