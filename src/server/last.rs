//! XEP-0012: Last Activity, of the server and of accounts.
//!
//! Resources answer for themselves (§4): a request to a full JID is routed like every other.

use super::iq::{Extension, Request};
use super::world::ServerWorld;
use super::write::attr;
use crate::router::{AccountId, LastSeen};
use crate::stanza::{Condition, NS_CLIENT, Stanza};
use crate::xml::{Node, escape_text_into};

const NS: &str = "jabber:iq:last";

pub(super) const EXTENSION: Extension = Extension {
    name: "query",
    ns: NS,
    feature: Some(NS),
    for_server: Some(answer),
    for_account: Some(answer_for_account),
};

/// §5: how long the server has been running.
fn answer(request: &mut Request<'_>) -> Result<(), Condition> {
    if request.is_set {
        return Err(Condition::BadRequest);
    }
    let seconds = request.world.uptime().as_secs();
    write(seconds, "", request.reply);
    Ok(())
}

/// §3: who may not know the account's presence gets `forbidden`; of an account that has never been there, nothing is
/// known.
fn answer_for_account(request: &mut Request<'_>) -> Result<(), Condition> {
    let account = request.shown_account().ok_or(Condition::Forbidden)?;
    if request.is_set {
        return Err(Condition::BadRequest);
    }
    let entry = request.world.shard.account(account);
    if entry.session_count() > 0 {
        write(0, "", request.reply);
        return Ok(());
    }
    let LastSeen { at, status } = entry.last_seen().ok_or(Condition::ItemNotFound)?;
    write(request.world.utc_now().since(*at) / 1_000, status, request.reply);
    Ok(())
}

fn write(seconds: u64, status: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"<query xmlns='jabber:iq:last'");
    attr("seconds", &seconds.to_string(), out);
    out.push(b'>');
    escape_text_into(status, out);
    out.extend_from_slice(b"</query>");
}

impl ServerWorld {
    /// A resource's presence ends: its last words are the account's, if it had any (§3).
    pub(super) fn note_unavailable(&mut self, account: AccountId, said: Option<&Stanza>) {
        let status = said.and_then(status_of).unwrap_or_default();
        let old = self.shard.account(account).last_seen();
        if !status.is_empty() || old.is_some_and(|old| !old.status.is_empty()) {
            self.set_last_seen(account, LastSeen::new(self.utc_now(), &status));
        }
    }

    /// A session has ended. What counts is the last one.
    pub(super) fn note_logout(&mut self, account: AccountId) {
        let entry = self.shard.account(account);
        if entry.session_count() == 0 && !entry.is_temporary() {
            let status = entry.last_seen().map_or("", |last| &*last.status);
            let last = LastSeen::new(self.utc_now(), status);
            self.set_last_seen(account, last);
        }
    }

    fn set_last_seen(&mut self, account: AccountId, last: LastSeen) {
        self.save_last(account, &last);
        self.shard.account_mut(account).set_last_seen(Some(last));
    }
}

/// Text of the first `<status/>`.
fn status_of(presence: &Stanza) -> Option<String> {
    if !presence.element().as_str().contains("status") {
        return None;
    }
    Node::parse(presence.element(), NS_CLIENT).child("status", NS_CLIENT).map(Node::text)
}
