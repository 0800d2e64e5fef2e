//! Rosters: get, set, remove, push (RFC 6121 §2). Versioning (§2.6) is not offered.

use bytes::Bytes;

use super::client_link::ClientLink;
use super::iq::{Extension, Request};
use super::world::ServerWorld;
use super::write::{attr, presence};
use crate::engine::Effects;
use crate::limits::{ROSTER_GROUPS_MAX, ROSTER_ITEMS_MAX, ROSTER_NAME_BYTES_MAX};
use crate::router::{AccountId, RosterDetails, RosterItem, SubscriptionChange};
use crate::stanza::{Condition, Jid, JidRef, Stanza};
use crate::xml::{Node, escape_text_into};

const NS: &str = "jabber:iq:roster";

pub(super) const EXTENSION: Extension =
    Extension { name: "query", ns: NS, feature: Some(NS), for_server: None, for_account: Some(answer) };

fn answer(request: &mut Request<'_>) -> Result<(), Condition> {
    // §2.3.3: an account's roster is its own affair.
    let account = request.own_account().ok_or(Condition::Forbidden)?;
    if request.is_set { set(request, account) } else { get(request, account) }
}

/// §2.1.3, §2.1.4. Who has asked is interested from now on (§2.2).
fn get(request: &mut Request<'_>, account: AccountId) -> Result<(), Condition> {
    if request.payload.elements().next().is_some() {
        return Err(Condition::BadRequest);
    }
    let session = request.origin.and_then(|origin| origin.session);
    if let Some(session) = session.and_then(|id| request.world.shard.session_mut(id)) {
        session.set_interested();
    }
    request.push("<query xmlns='jabber:iq:roster'>");
    for item in request.world.shard.account(account).roster().items() {
        write_item(item, request.reply);
    }
    request.push("</query>");
    Ok(())
}

/// §2.1.5, §2.3, §2.4, §2.5.
fn set(request: &mut Request<'_>, account: AccountId) -> Result<(), Condition> {
    let mut items = request.payload.elements();
    let item = items.next().filter(|item| item.is("item", NS)).ok_or(Condition::BadRequest)?;
    if items.next().is_some() {
        return Err(Condition::BadRequest);
    }
    let jid = item.attr("jid").ok_or(Condition::BadRequest)?;
    let contact = Jid::parse(jid).map_err(|_| Condition::JidMalformed)?.to_bare();
    let world = &mut *request.world;
    if contact.as_str() == world.shard.account(account).jid().as_str() {
        return Err(Condition::NotAllowed);
    }
    if item.attr("subscription") == Some("remove") {
        return world.remove_item(account, &contact, request.out);
    }
    let details = details_of(item)?;
    let roster = world.shard.account(account).roster();
    if roster.len() >= ROSTER_ITEMS_MAX && roster.get(contact.as_ref()).is_none() {
        return Err(Condition::ResourceConstraint);
    }
    let contact = world.shard.intern(contact);
    world.shard.account_mut(account).roster_mut().set_details(&contact, details);
    world.push_item(account, &contact, request.out);
    Ok(())
}

/// §2.3.3: what is wrong with an item, if anything.
fn details_of(item: &Node<'_>) -> Result<RosterDetails, Condition> {
    let name = item.attr("name").unwrap_or_default();
    let mut groups: Vec<Box<str>> = Vec::new();
    for group in item.elements().filter(|child| child.is("group", NS)) {
        let group = group.text();
        if group.is_empty() || group.len() > ROSTER_NAME_BYTES_MAX || groups.len() >= ROSTER_GROUPS_MAX {
            return Err(Condition::NotAcceptable);
        }
        if groups.iter().any(|g| **g == *group) {
            return Err(Condition::BadRequest);
        }
        groups.push(group.into());
    }
    if name.len() > ROSTER_NAME_BYTES_MAX {
        return Err(Condition::NotAcceptable);
    }
    Ok(RosterDetails { name: name.into(), groups })
}

impl ServerWorld {
    /// §2.5.2: the item goes, and with it every subscription and request between the two.
    fn remove_item(
        &mut self,
        account: AccountId,
        contact: &Jid,
        out: &mut Effects<ClientLink>,
    ) -> Result<(), Condition> {
        let entry = self.shard.account_mut(account);
        let state = entry.subscription(contact.as_ref());
        entry.roster_mut().remove(contact.as_ref()).ok_or(Condition::ItemNotFound)?;
        let own = entry.jid().clone();
        entry.remove_pending(contact.as_ref());
        self.push(account, |out| write_removed(contact.as_ref(), out), out);
        if state.has_to() || state.is_pending_out() {
            self.post_change(SubscriptionChange::Unsubscribe, &own, contact);
        }
        if state.has_from() {
            self.send_unavailable_to(account, contact);
        }
        if state.has_from() || state.is_pending_in() {
            self.post_change(SubscriptionChange::Unsubscribed, &own, contact);
        }
        Ok(())
    }

    fn post_change(&mut self, change: SubscriptionChange, own: &Jid, contact: &Jid) {
        let stanza = presence(Some(change.as_str()), own.as_ref(), Some(contact.as_ref()), None);
        self.post(crate::router::Parcel::addressed(stanza));
    }

    /// Pushes a contact's item to every interested resource (§2.1.6).
    pub(super) fn push_item(&mut self, account: AccountId, contact: &Jid, out: &mut Effects<ClientLink>) {
        let mut bytes = Vec::new();
        if let Some(item) = self.shard.account(account).roster().get(contact.as_ref()) {
            write_item(item, &mut bytes);
        }
        self.push(account, |out| out.extend_from_slice(&bytes), out);
    }

    /// One push: it has neither `from` (so it is the account's own, RFC 6120 §8.1.2.1) nor `to`, and so is the same for all.
    fn push(&mut self, account: AccountId, item: impl FnOnce(&mut Vec<u8>), out: &mut Effects<ClientLink>) {
        self.shard.interested(account, &mut self.scratch.recipients);
        if self.scratch.recipients.is_empty() {
            return;
        }
        self.pushes += 1;
        let mut bytes = b"<iq type='set'".to_vec();
        attr("id", &format!("push-{}", self.pushes), &mut bytes);
        bytes.extend_from_slice(b"><query xmlns='jabber:iq:roster'>");
        item(&mut bytes);
        bytes.extend_from_slice(b"</query></iq>");
        self.deliver(Stanza::from_own(Bytes::from(bytes)), crate::engine::Stamp::Kept, out);
    }
}

/// §2.1.2.
fn write_item(item: &RosterItem, out: &mut Vec<u8>) {
    out.extend_from_slice(b"<item");
    attr("jid", item.jid().as_str(), out);
    if !item.name().is_empty() {
        attr("name", item.name(), out);
    }
    attr("subscription", item.state().as_str(), out);
    if item.state().is_pending_out() {
        attr("ask", "subscribe", out);
    }
    let mut groups = item.groups().peekable();
    if groups.peek().is_none() {
        return out.extend_from_slice(b"/>");
    }
    out.push(b'>');
    for group in groups {
        out.extend_from_slice(b"<group>");
        escape_text_into(group, out);
        out.extend_from_slice(b"</group>");
    }
    out.extend_from_slice(b"</item>");
}

fn write_removed(contact: JidRef<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"<item");
    attr("jid", contact.as_str(), out);
    attr("subscription", "remove", out);
    out.extend_from_slice(b"/>");
}
