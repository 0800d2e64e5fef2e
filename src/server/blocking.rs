//! XEP-0191: Blocking Command: the list, its changes, and whom they are told to.
//!
//! Stanzas from who is blocked are stopped where they arrive: [`crate::router::Shard::decide`], and here for what is not
//! asked there. Subscriptions stay as they are ("polite blocking", §4).

use bytes::Bytes;

use super::client_link::ClientLink;
use super::iq::{Extension, Request, told_only};
use super::presence::contacts;
use super::routing::Origin;
use super::world::ServerWorld;
use super::write::{attr, escaped};
use crate::engine::Effects;
use crate::limits::BLOCKED_MAX;
use crate::router::{AccountId, Audience, Blocklist, Dropped, Session, SessionId, Shard, Subscription};
use crate::stanza::{Condition, ErrorType, Jid, JidRef, Stanza, StanzaType, write_error_reply_with};
use crate::store::ValueKind;

const NS: &str = "urn:xmpp:blocking";
/// §3.3: beside `not-acceptable`.
const BLOCKED: &str = "<blocked xmlns='urn:xmpp:blocking:errors'/>";

pub(super) const LIST: Extension = Extension {
    name: "blocklist",
    ns: NS,
    feature: Some(NS),
    for_server: Some(told_only),
    for_account: Some(list),
};

pub(super) const BLOCK: Extension =
    Extension { name: "block", ns: NS, feature: None, for_server: None, for_account: Some(block) };

pub(super) const UNBLOCK: Extension =
    Extension { name: "unblock", ns: NS, feature: None, for_server: None, for_account: Some(unblock) };

/// §3.2. Who has asked is told of changes from now on.
fn list(request: &mut Request<'_>) -> Result<(), Condition> {
    let account = request.own_account().ok_or(Condition::Forbidden)?;
    if request.is_set {
        return Err(Condition::BadRequest);
    }
    let session = request.origin.and_then(|origin| origin.session);
    if let Some(session) = session.and_then(|id| request.world.shard.session_mut(id)) {
        session.set_follows_blocklist();
    }
    let blocklist = request.world.shard.account(account).blocklist();
    let items = blocklist.into_iter().flat_map(Blocklist::items);
    write("blocklist", items, request.reply);
    Ok(())
}

/// §3.3.
fn block(request: &mut Request<'_>) -> Result<(), Condition> {
    let (account, items) = items_of(request)?;
    if items.is_empty() {
        return Err(Condition::BadRequest);
    }
    let world = &mut *request.world;
    let old = world.shard.account(account).blocklist().cloned().unwrap_or_default();
    let mut next = old.clone();
    for item in &items {
        next.add(item.clone());
    }
    if next.items().len() > BLOCKED_MAX {
        return Err(Condition::ResourceConstraint);
    }
    world.end_presence_to_blocked(account, &old, &next);
    world.set_blocklist(account, &old, next);
    world.push_blocking(account, "block", &items, request.out);
    Ok(())
}

/// §3.4, and §3.5: without items it is all of them.
fn unblock(request: &mut Request<'_>) -> Result<(), Condition> {
    let (account, items) = items_of(request)?;
    let world = &mut *request.world;
    let old = world.shard.account(account).blocklist().cloned().unwrap_or_default();
    let mut next = if items.is_empty() { Blocklist::default() } else { old.clone() };
    for item in &items {
        next.remove(item.as_ref());
    }
    world.set_blocklist(account, &old, next.clone());
    world.push_blocking(account, "unblock", &items, request.out);
    world.show_presence_to_unblocked(account, &old, &next);
    Ok(())
}

/// Whose list, and the items of a set.
fn items_of(request: &Request<'_>) -> Result<(AccountId, Vec<Jid>), Condition> {
    let account = request.own_account().ok_or(Condition::Forbidden)?;
    if !request.is_set {
        return Err(Condition::BadRequest);
    }
    let mut items: Vec<Jid> = Vec::new();
    for element in request.payload.elements() {
        let jid = element.attr("jid").filter(|_| element.is("item", NS)).ok_or(Condition::BadRequest)?;
        let jid = Jid::parse(jid).map_err(|_| Condition::JidMalformed)?;
        if !items.contains(&jid) {
            items.push(jid);
        }
    }
    Ok((account, items))
}

fn write<'a>(name: &str, items: impl Iterator<Item = &'a Jid>, out: &mut Vec<u8>) {
    let mut items = items.peekable();
    out.push(b'<');
    out.extend_from_slice(name.as_bytes());
    attr("xmlns", NS, out);
    if items.peek().is_none() {
        return out.extend_from_slice(b"/>");
    }
    out.push(b'>');
    for item in items {
        out.extend_from_slice(b"<item");
        attr("jid", item.as_str(), out);
        out.extend_from_slice(b"/>");
    }
    out.extend_from_slice(b"</");
    out.extend_from_slice(name.as_bytes());
    out.push(b'>');
}

impl ServerWorld {
    fn set_blocklist(&mut self, account: AccountId, old: &Blocklist, next: Blocklist) {
        for item in next.items().filter(|item| !old.has(item)) {
            self.save_value(account, ValueKind::Blocked, item.as_str(), Some(""));
        }
        for item in old.items().filter(|item| !next.has(item)) {
            self.save_value(account, ValueKind::Blocked, item.as_str(), None);
        }
        self.shard.account_mut(account).set_blocklist(next);
    }

    /// Tells resources that have asked for the list of a change (§3.3 to §3.5). Like a roster push, it has no addresses.
    fn push_blocking(
        &mut self,
        account: AccountId,
        change: &str,
        items: &[Jid],
        out: &mut Effects<ClientLink>,
    ) {
        let mut bytes = b"<iq type='set'".to_vec();
        self.pushes += 1;
        attr("id", &format!("push-{}", self.pushes), &mut bytes);
        bytes.push(b'>');
        write(change, items.iter(), &mut bytes);
        bytes.extend_from_slice(b"</iq>");
        let stanza = Stanza::from_own(Bytes::from(bytes));
        self.deliver_to(stanza, account, Shard::blocklist_followers, out);
    }

    /// §3.3: whoever is about to be blocked and knows the account's presence sees it go: subscribers, single resources of
    /// theirs, and targets of directed presence, which is forgotten.
    fn end_presence_to_blocked(&mut self, account: AccountId, old: &Blocklist, next: &Blocklist) {
        for contact in self.newly_meant(account, old, next) {
            self.send_unavailable_to(account, &contact);
        }
        let resources = self.subscribers_resources(account, old, next);
        let sessions: Vec<_> = self.shard.sessions_of(account).map(|(id, _)| id).collect();
        for id in sessions {
            let Some(session) = self.shard.session(id) else { continue };
            let (is_available, from) = (session.available().is_some(), escaped(session.jid().as_ref()));
            let mut unavailable = self.unavailable.clone();
            unavailable.stamp_from(from);
            let own = self.shard.account(account);
            let is_meant = |jid: &&Jid| next.contains(jid.as_ref()) && !own.is_unblockable(jid.as_ref());
            let targets: Vec<Jid> = session.directed().iter().filter(is_meant).cloned().collect();
            for target in &targets {
                // With all their resources, subscribers were told above.
                let is_told = is_available && next.contains(target.as_ref().bare());
                self.end_directed(&unavailable, std::slice::from_ref(target), is_told.then_some(account));
                if let Some(session) = self.shard.session_mut(id) {
                    session.remove_directed(target.as_ref());
                }
            }
            let others = resources.iter().filter(|jid| is_available && !targets.contains(jid));
            self.post_to(&unavailable, others.cloned().collect(), Audience::Directed);
        }
    }

    /// §3.4: subscribers who were blocked get the current presence, and so do single resources of theirs.
    pub(super) fn show_presence_to_unblocked(
        &mut self,
        account: AccountId,
        old: &Blocklist,
        next: &Blocklist,
    ) {
        let subscribers = self.newly_meant(account, next, old);
        let resources = self.subscribers_resources(account, next, old);
        // One copy of each presence, however many are meant.
        for stanza in self.presences_of(account) {
            self.post_to(&stanza, subscribers.clone(), Audience::Each);
            self.post_to(&stanza, resources.clone(), Audience::Directed);
        }
    }

    /// Subscribers who are meant by `more`, and not by `less`.
    fn newly_meant(&self, account: AccountId, less: &Blocklist, more: &Blocklist) -> Vec<Jid> {
        let subscribers = contacts(self.shard.account(account).roster().items(), Subscription::has_from);
        subscribers.filter(|jid| more.contains(jid.as_ref()) && !less.contains(jid.as_ref())).collect()
    }

    /// Items that are single resources of subscribers, and alone in being meant by `more` and not by `less`.
    fn subscribers_resources(&self, account: AccountId, less: &Blocklist, more: &Blocklist) -> Vec<Jid> {
        let own = self.shard.account(account);
        let is_one = |item: &&Jid| {
            let jid = item.as_ref();
            let is_resource = jid.local().is_some() && !jid.is_bare();
            is_resource
                && !less.contains(jid)
                && !more.contains(jid.bare())
                && own.shows_presence_to(jid)
                && !own.is_unblockable(jid)
        };
        more.items().filter(is_one).cloned().collect()
    }

    /// Whether a stanza is for who its sender has blocked; then it is answered with an error (§3.3), if it may be.
    pub(super) fn refuse_to_blocked(
        &mut self,
        stanza: &Stanza,
        sender: SessionId,
        origin: Origin,
        out: &mut Effects<ClientLink>,
    ) -> bool {
        if !self.shard.session(sender).is_some_and(Session::is_guarded) {
            return false;
        }
        let entry = self.shard.account(sender.account);
        let is_blocked = match stanza.to().map(JidRef::parse_attr) {
            Some(Ok(to)) => entry.blocks(to.jid()),
            None | Some(Err(_)) => false,
        };
        if is_blocked {
            self.bounce_blocked(stanza, origin, out);
        }
        is_blocked
    }

    fn bounce_blocked(&mut self, stanza: &Stanza, origin: Origin, out: &mut Effects<ClientLink>) {
        let mut bytes = std::mem::take(&mut self.scratch.bytes);
        let error = (Condition::NotAcceptable, ErrorType::Cancel, BLOCKED);
        // A probe must not cause an error (RFC 6121 §4.3).
        let is_probe = stanza.head().stanza_type == StanzaType::Probe;
        if !is_probe && write_error_reply_with(stanza, error, &self.settings.domain, &mut bytes) {
            self.counters.bounced += 1;
            self.reply(&bytes, Some(origin), out);
        } else {
            self.counters.count_drop(Dropped::Blocked);
        }
        bytes.clear();
        self.scratch.bytes = bytes;
    }

    /// Whether an account has blocked the sender of `stanza`.
    pub(super) fn is_from_blocked(&self, stanza: &Stanza, account: AccountId) -> bool {
        self.shard.account(account).blocks_sender(stanza)
    }
}
