//! Rosters: get, set, remove, push, and bringing a client's older copy up to date (RFC 6121 §2).
//!
//! Subscriptions between the two are `subscription`'s. A version on the wire is this process's tag and a number: a copy
//! from another process of the server, whose rosters began anew, is never taken for a known one.

use bytes::Bytes;

use super::client_link::ClientLink;
use super::iq::{Extension, Request};
use super::world::ServerWorld;
use super::write::{attr, presence};
use crate::engine::Effects;
use crate::limits::{ROSTER_GROUPS_MAX, ROSTER_NAME_BYTES_MAX};
use crate::router::{AccountId, Roster, RosterChange, RosterDetails, RosterItem, SubscriptionChange};
use crate::stanza::{Condition, Jid, JidRef, Stanza};
use crate::store::{Change, ItemRecord};
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
    let world = &*request.world;
    let roster = world.shard.account(account).roster();
    if let Some(changes) = world.known_version(request.payload, roster) {
        // As good as pushes that the client would have had meanwhile: it is told nothing else (§2.6.3).
        let id = |version| format!("push-{}-{version}", world.roster_tag);
        let pushes = changes.into_iter().map(|(version, change)| {
            let mut bytes = Vec::new();
            world.write_push(&id(version), version, change, &mut bytes);
            Stanza::from_own(Bytes::from(bytes))
        });
        request.after.extend(pushes);
        return Ok(());
    }
    let tag = &world.roster_tag;
    request.reply.extend_from_slice(b"<query xmlns='jabber:iq:roster'");
    attr("ver", &format!("{tag}-{}", roster.version()), request.reply);
    request.reply.push(b'>');
    for item in roster.items() {
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
    if !world.shard.account(account).roster().has_room_for(contact.as_ref(), &details) {
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
        self.forget_request(account, contact);
        self.push_removal(account, contact, out);
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

    pub(super) fn post_change(&mut self, change: SubscriptionChange, own: &Jid, contact: &Jid) {
        let stanza = presence(Some(change.as_str()), own.as_ref(), Some(contact.as_ref()), None);
        self.post(crate::router::Parcel::addressed(stanza));
    }

    /// What a client's copy of its roster lacks, if the request names a version that this roster once had (§2.6.2).
    fn known_version<'r>(
        &self,
        query: &Node<'_>,
        roster: &'r Roster,
    ) -> Option<Vec<(u32, RosterChange<'r>)>> {
        let version = query.attr("ver")?.strip_prefix(&*self.roster_tag)?.strip_prefix('-')?;
        roster.changes_since(version.parse().ok()?)
    }

    /// Saves a contact's item, which has changed, and pushes it to every interested resource (§2.1.6).
    pub(super) fn push_item(&mut self, account: AccountId, contact: &Jid, out: &mut Effects<ClientLink>) {
        self.save_item(account, contact);
        let roster = self.shard.account(account).roster();
        let Some(item) = roster.get(contact.as_ref()) else { return };
        let mut bytes = std::mem::take(&mut self.scratch.bytes);
        self.write_push(&self.next_push_id(), roster.version(), RosterChange::Item(item), &mut bytes);
        self.push(account, bytes, out);
    }

    /// Has a contact's item saved as it is now.
    pub(super) fn save_item(&mut self, account: AccountId, contact: &Jid) {
        let entry = self.shard.account(account);
        let Some(item) = entry.roster().get(contact.as_ref()) else { return };
        let item = ItemRecord {
            contact: item.jid().clone(),
            name: item.name().to_owned(),
            groups: item.groups().map(str::to_owned).collect(),
            state: item.state(),
            approved: item.is_approved(),
        };
        self.save(Change::PutItem { account: entry.jid().clone(), item });
    }

    fn push_removal(&mut self, account: AccountId, contact: &Jid, out: &mut Effects<ClientLink>) {
        let removal = Change::RemoveItem {
            account: self.shard.account(account).jid().clone(),
            contact: contact.clone(),
        };
        self.save(removal);
        let version = self.shard.account(account).roster().version();
        let mut bytes = std::mem::take(&mut self.scratch.bytes);
        self.write_push(&self.next_push_id(), version, RosterChange::Removed(contact), &mut bytes);
        self.push(account, bytes, out);
    }

    fn next_push_id(&self) -> String {
        format!("push-{}", self.pushes + 1)
    }

    /// One push: it has neither `from` (so it is the account's own, RFC 6120 §8.1.2.1) nor `to`, and so is the same for all.
    fn push(&mut self, account: AccountId, mut bytes: Vec<u8>, out: &mut Effects<ClientLink>) {
        self.shard.interested(account, &mut self.scratch.recipients);
        if !self.scratch.recipients.is_empty() {
            self.pushes += 1;
            let stanza = Stanza::from_own(Bytes::copy_from_slice(&bytes));
            self.deliver(stanza, crate::engine::Stamp::Kept, out);
        }
        bytes.clear();
        self.scratch.bytes = bytes;
    }

    fn write_push(&self, id: &str, version: u32, change: RosterChange<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(b"<iq type='set'");
        attr("id", id, out);
        out.extend_from_slice(b"><query xmlns='jabber:iq:roster'");
        attr("ver", &format!("{}-{version}", self.roster_tag), out);
        out.push(b'>');
        match change {
            RosterChange::Item(item) => write_item(item, out),
            RosterChange::Removed(contact) => write_removed(contact.as_ref(), out),
        }
        out.extend_from_slice(b"</query></iq>");
    }
}

/// §2.1.2.
pub(super) fn write_item(item: &RosterItem, out: &mut Vec<u8>) {
    out.extend_from_slice(b"<item");
    attr("jid", item.jid().as_str(), out);
    if !item.name().is_empty() {
        attr("name", item.name(), out);
    }
    attr("subscription", item.state().as_str(), out);
    if item.is_approved() {
        attr("approved", "true", out);
    }
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
