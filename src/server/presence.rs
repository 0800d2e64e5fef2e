//! Presence that a client sends to everybody who may know (RFC 6121 §4.2, §4.4, §4.5), and its end.
//!
//! Directed presence is in `directed`, probes in `probe`, subscriptions in `subscription`.

use super::client_link::ClientLink;
use super::routing::Origin;
use super::world::ServerWorld;
use super::write::escaped;
use crate::engine::{Effects, Stamp};
use crate::limits::PRESENCE_BYTES_MAX;
use crate::router::{
    AccountId, Audience, Available, Dropped, Parcel, RosterItem, SessionId, Sink, Subscription,
    SubscriptionChange,
};
use crate::stanza::{Condition, Jid, NS_CLIENT, Stanza, StanzaType};
use crate::xml::Node;

impl ServerWorld {
    /// A checked presence stanza of a client of this home.
    pub(super) fn on_presence(
        &mut self,
        stanza: Stanza,
        session: SessionId,
        origin: Origin,
        out: &mut Effects<ClientLink>,
    ) {
        let stanza_type = stanza.head().stanza_type;
        let has_to = stanza.to().is_some();
        if is_kept(stanza_type, has_to) && stanza.element().bytes.len() > PRESENCE_BYTES_MAX {
            self.bounce(&stanza, Condition::PolicyViolation, Some(origin), out);
        } else if let Some(change) = SubscriptionChange::of(stanza_type) {
            self.on_subscription(stanza, change, session, origin, out);
        } else if stanza_type == StanzaType::None && !has_to {
            self.on_available(stanza, session, origin, out);
        } else if stanza_type == StanzaType::Unavailable && !has_to {
            self.end_presence(session, Some(stanza), out);
        } else if matches!(stanza_type, StanzaType::None | StanzaType::Unavailable) {
            self.on_directed(stanza, session, origin, out);
        } else if has_to {
            self.route(stanza, Some(origin), out);
        } else {
            // An error or a probe for nobody. A probe must not cause an error (§4.3).
            self.counters.count_drop(Dropped::ForServer);
        }
    }

    /// Initial presence (§4.2.2) and later presence (§4.4.2).
    fn on_available(&mut self, stanza: Stanza, id: SessionId, origin: Origin, out: &mut Effects<ClientLink>) {
        let Some(priority) = priority(&stanza) else {
            return self.bounce(&stanza, Condition::BadRequest, Some(origin), out);
        };
        let order = self.shard.next_presence();
        let session = self.shard.session_mut(id).expect("a client that is heard has its session");
        let account = id.account;
        let is_initial = session.set_available(Available::new(&stanza, priority, order));
        self.broadcast(stanza, account);
        if is_initial {
            self.settle(out);
            self.on_initial(id, account, out);
        }
        self.flush_offline(account, out);
    }

    /// What a resource that has just become available is told: its account's other resources, its contacts (§4.3.1;
    /// they are asked in memory), and the requests that wait for an answer (§3.1.3, rule 4).
    fn on_initial(&mut self, id: SessionId, account: AccountId, out: &mut Effects<ClientLink>) {
        let Some(session) = self.shard.session(id) else { return };
        let Sink::Connection(conn) = session.sink();
        let others = self.shard.sessions_of(account).filter(|(other, _)| *other != id);
        let others: Vec<_> = others.filter_map(|(_, s)| s.available().map(Available::stanza)).collect();
        for presence in others {
            self.scratch.recipients.push(conn);
            self.deliver(presence, Stamp::Bare, out);
        }
        self.probe_contacts(id, account, conn, out);
        for request in self.shard.account(account).pending().to_vec() {
            if self.shard.account(account).blocks(request.contact.as_ref()) {
                continue;
            }
            self.scratch.recipients.push(conn);
            self.deliver(request.stanza, Stamp::Kept, out);
        }
    }

    /// Ends a session's presence, if it has any (§4.5.2): subscribers, the account's resources and everybody who was sent
    /// directed presence (§4.6.3) are told, once. `said` is the client's own stanza; without, the server makes one.
    pub(super) fn end_presence(
        &mut self,
        id: SessionId,
        said: Option<Stanza>,
        out: &mut Effects<ClientLink>,
    ) {
        let Some(session) = self.shard.session_mut(id) else { return };
        let was_available = session.take_available().is_some();
        let directed = session.take_directed();
        if !was_available && directed.is_empty() {
            if said.is_some() {
                self.counters.count_drop(Dropped::NoChange);
            }
            return;
        }
        let account = id.account;
        let Sink::Connection(conn) = session.sink();
        let from = escaped(session.jid().as_ref());
        let is_said = said.is_some();
        if was_available {
            self.note_unavailable(account, said.as_ref());
        }
        let stanza = said.unwrap_or_else(|| {
            let mut stanza = self.unavailable.clone();
            stanza.stamp_from(from);
            stanza
        });
        if was_available {
            self.broadcast(stanza.clone(), account);
        }
        self.end_directed(&stanza, &directed, was_available.then_some(account));
        self.settle(out);
        if was_available && is_said {
            // The resource that sent it is told as well, and no longer among the available ones.
            self.scratch.recipients.push(conn);
            self.deliver(stanza, Stamp::Bare, out);
        }
    }

    /// Leaves a parcel with presence of an account's resource for all subscribers and the account itself (§4.2.2).
    pub(super) fn broadcast(&mut self, stanza: Stanza, account: AccountId) {
        let mut audience = std::mem::take(&mut self.scratch.audience);
        let account = self.shard.account(account);
        audience.push(account.jid().clone());
        audience.extend(contacts(account.roster().items(), Subscription::has_from));
        if account.is_guarded() {
            audience.retain(|contact| !account.blocks(contact.as_ref()));
        }
        self.post(Parcel { stanza, audience: Audience::Each(audience) });
    }

    /// Leaves parcels with the current presence of each available resource for one contact (§3.1.5).
    pub(super) fn send_presence_to(&mut self, account: AccountId, contact: &Jid) {
        if self.shard.account(account).blocks(contact.as_ref()) {
            return;
        }
        for stanza in self.presences_of(account) {
            self.post(Parcel { stanza, audience: Audience::Each(vec![contact.clone()]) });
        }
    }

    /// Leaves parcels that say that each available resource is unavailable, for one contact (§3.2.2, §3.3.3).
    pub(super) fn send_unavailable_to(&mut self, account: AccountId, contact: &Jid) {
        if self.shard.account(account).blocks(contact.as_ref()) {
            return;
        }
        let available = self.shard.sessions_of(account).filter(|(_, s)| s.available().is_some());
        let froms: Vec<_> = available.map(|(_, s)| escaped(s.jid().as_ref())).collect();
        for from in froms {
            let mut stanza = self.unavailable.clone();
            stanza.stamp_from(from);
            self.post(Parcel { stanza, audience: Audience::Each(vec![contact.clone()]) });
        }
    }
}

/// Addresses of the contacts whose state is as wanted.
pub(super) fn contacts<'a>(
    items: impl Iterator<Item = &'a RosterItem>,
    is_wanted: fn(Subscription) -> bool,
) -> impl Iterator<Item = Jid> {
    items.filter(move |item| is_wanted(item.state())).map(|item| item.jid().clone())
}

/// Whether such presence is told again, to whoever comes later.
const fn is_kept(stanza_type: StanzaType, has_to: bool) -> bool {
    matches!(stanza_type, StanzaType::Subscribe) || (matches!(stanza_type, StanzaType::None) && !has_to)
}

/// Value of `<priority/>`, 0 without (§4.7.2.3); `None` when it is none between −128 and 127, or there are two. The
/// RFC names no error for that; it is `bad-request` here.
fn priority(stanza: &Stanza) -> Option<i8> {
    let content = &stanza.element().as_str()[stanza.head().tag_end as usize..];
    if !content.contains("priority") {
        return Some(0);
    }
    let presence = Node::parse(stanza.element(), NS_CLIENT);
    let mut priorities = presence.elements().filter(|child| child.is("priority", NS_CLIENT));
    let Some(priority) = priorities.next() else { return Some(0) };
    if priorities.next().is_some() || priority.elements().next().is_some() {
        return None;
    }
    priority.text().trim().parse().ok()
}
