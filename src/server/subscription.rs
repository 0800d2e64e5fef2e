//! Subscriptions: what the user's stanza does at its own home, and what it does at the contact's (RFC 6121 §3).
//!
//! The tables are [`crate::router::Subscription`]'s; here are the order of things and who is told. Decisions where the
//! RFC leaves or contradicts itself:
//!
//! - A request to a local account that does not exist is ignored (§8.5.1), not answered with an error (§3.1.2): the user
//!   sees a pending request, exactly as with an account that is offline.
//! - An approval that was made before the request (§3.4) is used up by it: no record of it is kept.

use super::client_link::ClientLink;
use super::routing::Origin;
use super::world::ServerWorld;
use super::write::{detached, presence};
use crate::engine::Effects;
use crate::router::{
    AccountId, Dropped, Parcel, PendingRequest, RosterDetails, RosterItem, SessionId, Shard, Subscription,
    SubscriptionChange,
};
use crate::stanza::{Condition, Jid, JidRef, Stanza, To};
use crate::store::Change;

impl ServerWorld {
    /// The user's half (§3.1.2, §3.1.5, §3.2.2, §3.3.2): `stanza` is stamped with the bare JID.
    pub(super) fn on_subscription(
        &mut self,
        stanza: Stanza,
        change: SubscriptionChange,
        session: SessionId,
        origin: Origin,
        out: &mut Effects<ClientLink>,
    ) {
        if self.shard.session(session).is_none() {
            return;
        }
        let account = session.account;
        let contact = match stanza.to().map(JidRef::parse_attr) {
            None => return self.bounce(&stanza, Condition::BadRequest, Some(origin), out),
            Some(Err(_)) => return self.bounce(&stanza, Condition::JidMalformed, Some(origin), out),
            Some(Ok(to)) => self.shard.intern(to.into_jid().to_bare()),
        };
        if contact.as_str() == self.shard.account(account).jid().as_str() {
            // An account is subscribed to itself (§4.2.2).
            return self.counters.count_drop(Dropped::ForServer);
        }
        let refusal = self.refusal(account, change, &contact);
        if let Some(condition) = refusal {
            return self.bounce(&stanza, condition, Some(origin), out);
        }
        let full =
            stanza.to().map(JidRef::parse_attr).is_some_and(|to| to.is_ok_and(|to| !to.jid().is_bare()));
        let stanza = if full { stanza.readdressed(contact.as_str()) } else { stanza };
        self.send_subscription(stanza, change, account, &contact, out);
    }

    /// A request that can never be answered changes nothing (§3.1.2), nor does what needs one item too many. All else only
    /// gives something up, and is done here even when the contact cannot be told.
    fn refusal(&self, account: AccountId, change: SubscriptionChange, contact: &Jid) -> Option<Condition> {
        if !self.can_save() {
            return Some(Condition::ResourceConstraint);
        }
        let roster = self.shard.account(account).roster();
        let is_full = || {
            let contact = contact.as_ref();
            roster.get(contact).is_none() && !roster.has_room_for(contact, &RosterDetails::default())
        };
        if change == SubscriptionChange::Subscribed && is_full() {
            return Some(Condition::ResourceConstraint);
        }
        if change != SubscriptionChange::Subscribe {
            return None;
        }
        if !self.is_local(contact.as_ref().domain()) {
            Some(Condition::RemoteServerNotFound)
        } else if contact.as_ref().local().is_none() {
            Some(Condition::ServiceUnavailable)
        } else if is_full() {
            Some(Condition::ResourceConstraint)
        } else {
            None
        }
    }

    /// Appendix A.2, then: who loses the user's presence hears that it is gone before it hears why (§3.2.2), the stanza
    /// goes, the user's resources see the new state, who gains its presence gets it (§3.1.5).
    pub(super) fn send_subscription(
        &mut self,
        stanza: Stanza,
        change: SubscriptionChange,
        account: AccountId,
        contact: &Jid,
        out: &mut Effects<ClientLink>,
    ) {
        let old = self.shard.account(account).subscription(contact.as_ref());
        let outbound = old.outbound(change);
        if !outbound.route {
            return self.set_approval(account, contact, old, change, out);
        }
        if old.has_from() && !outbound.next.has_from() {
            self.send_unavailable_to(account, contact);
        }
        self.post(Parcel::addressed(stanza));
        self.set_subscription(account, contact, old, outbound.next, out);
        if change == SubscriptionChange::Subscribed {
            self.send_presence_to(account, contact);
        }
    }

    /// What goes no further may approve a request that has not been made yet (§3.4.2), or take that back (§3.2.2).
    fn set_approval(
        &mut self,
        account: AccountId,
        contact: &Jid,
        state: Subscription,
        change: SubscriptionChange,
        out: &mut Effects<ClientLink>,
    ) {
        let approve = change == SubscriptionChange::Subscribed;
        let roster = self.shard.account_mut(account).roster_mut();
        let is_approved = roster.get(contact.as_ref()).is_some_and(RosterItem::is_approved);
        if !state.can_be_approved() || approve == is_approved {
            return self.counters.count_drop(Dropped::NoChange);
        }
        roster.set_approved(contact, approve);
        self.push_item(account, contact, out);
    }

    /// The contact's half (§3.1.3, §3.1.6, §3.2.3, §3.3.3), at its home. From the table's point of view the contact is
    /// "the user", and the stanza's sender "the contact".
    pub(super) fn receive_subscription(
        &mut self,
        stanza: &Stanza,
        change: SubscriptionChange,
        to: JidRef<'_>,
        out: &mut Effects<ClientLink>,
    ) {
        let Some(account) = self.shard.find(to.bare().as_str()) else {
            return self.counters.count_drop(Dropped::NoSuchUser);
        };
        if self.is_from_blocked(stanza, account) {
            return self.counters.count_drop(Dropped::Blocked);
        }
        let is_there = |resource| self.shard.resource(account, resource).is_some();
        if change != SubscriptionChange::Subscribe && to.resource().is_some_and(|r| !is_there(r)) {
            // §8.5.3.2.2; a local sender's address was made bare before.
            return self.counters.count_drop(Dropped::NoResource);
        }
        let Some(Ok(from)) = stanza.from().map(JidRef::parse_attr) else { return };
        let sender = self.shard.intern(from.jid().bare().to_jid());
        let old = self.shard.account(account).subscription(sender.as_ref());
        let item = self.shard.account(account).roster().get(sender.as_ref());
        let is_approved = item.is_some_and(RosterItem::is_approved) && old.can_be_approved();
        let inbound = if is_approved && change == SubscriptionChange::Subscribe {
            old.inbound_approved()
        } else {
            old.inbound(change)
        };
        if change == SubscriptionChange::Subscribe
            && inbound.deliver
            && !self.keep_request(stanza, account, &sender)
        {
            return self.counters.count_drop(Dropped::TooManyRequests);
        }
        if inbound.deliver {
            // A request is for who is there (§3.1.3, rule 3), all else for who follows the roster (§3.1.6).
            let stanza = detached(stanza, To::Kept);
            if change == SubscriptionChange::Subscribe {
                self.deliver_to(stanza, account, Shard::available, out);
            } else {
                self.deliver_to(stanza, account, Shard::interested, out);
            }
        } else if inbound.reply.is_none() {
            self.counters.count_drop(Dropped::NoChange);
        }
        if inbound.next != old {
            self.set_subscription(account, &sender, old, inbound.next, out);
        }
        if old.has_from() && !inbound.next.has_from() {
            self.send_unavailable_to(account, &sender);
        }
        if let Some(reply) = inbound.reply {
            let reply = presence(Some(reply.as_str()), to.bare(), Some(sender.as_ref()), stanza.id());
            self.post(Parcel::addressed(reply));
            if inbound.next.has_from() {
                self.send_presence_to(account, &sender);
            }
        }
    }

    /// §3.1.3, rule 4: the complete stanza is kept until the user answers, also when a resource sees it now.
    fn keep_request(&mut self, stanza: &Stanza, account: AccountId, contact: &Jid) -> bool {
        let stanza = detached(stanza, To::Kept);
        let text = stanza.element().as_str().to_owned();
        let entry = self.shard.account_mut(account);
        let (account, contact) = (entry.jid().clone(), contact.clone());
        let is_kept = entry.add_pending(PendingRequest { contact: contact.clone(), stanza });
        if is_kept {
            self.save(Change::PutRequest { account, contact, stanza: text });
        }
        is_kept
    }

    /// A contact's request is answered or withdrawn.
    pub(super) fn forget_request(&mut self, account: AccountId, contact: &Jid) {
        let entry = self.shard.account_mut(account);
        if entry.subscription(contact.as_ref()).is_pending_in() {
            entry.remove_pending(contact.as_ref());
            let account = entry.jid().clone();
            self.save(Change::RemoveRequest { account, contact: contact.clone() });
        }
    }

    /// Sets a state and pushes it, if a roster shows it (Appendix A.1: the contact's request alone makes no item).
    fn set_subscription(
        &mut self,
        account: AccountId,
        contact: &Jid,
        old: Subscription,
        next: Subscription,
        out: &mut Effects<ClientLink>,
    ) {
        if !next.is_pending_in() {
            self.forget_request(account, contact);
        }
        let is_shown = old.without_pending_in() != next.without_pending_in();
        if is_shown {
            self.shard.account_mut(account).roster_mut().set_state(contact, next);
            self.push_item(account, contact, out);
        }
    }
}
