//! XEP-0030: Service Discovery, of the server and of accounts.
//!
//! Clients answer for themselves. The only nodes are the server's commands (XEP-0050 §2.2), for administrators, at the server and
//! at their own accounts: asking for another one is `item-not-found` (§7).

use std::sync::Arc;

use super::administration::COMMANDS;
use super::iq::{Answer, Extension, Request, TABLE};
use super::write::attr;
use super::{commands, forms};
use crate::stanza::Condition;
use crate::xml::Node;

const NS_INFO: &str = "http://jabber.org/protocol/disco#info";
const NS_ITEMS: &str = "http://jabber.org/protocol/disco#items";

pub(super) const INFO: Extension = Extension {
    name: "query",
    ns: NS_INFO,
    feature: Some(NS_INFO),
    for_server: Some(server_info),
    for_account: Some(account_info),
};

pub(super) const ITEMS: Extension = Extension {
    name: "query",
    ns: NS_ITEMS,
    feature: Some(NS_ITEMS),
    for_server: Some(server_items),
    for_account: Some(account_items),
};

/// What the server does without being asked: messages wait (XEP-0160 §4).
const FEATURES: &[&str] = &["msgoffline"];

fn server_info(request: &mut Request<'_>) -> Result<(), Condition> {
    if let Some(node) = node_of(request) {
        return command_info(request, &node);
    }
    check(request)?;
    let form = Arc::clone(&request.world.contact_form);
    let identity = "<identity category='server' type='im' name='xmpp-bench'/>";
    write_info(request, (identity, FEATURES), |e| e.for_server, &form);
    Ok(())
}

/// The node of a request that names one.
fn node_of(request: &Request<'_>) -> Option<String> {
    let node = request.payload.attr("node").filter(|node| !node.is_empty() && !request.is_set);
    node.map(str::to_owned)
}

/// XEP-0050 §2.2: the list of commands, and each of them.
fn command_info(request: &mut Request<'_>, node: &str) -> Result<(), Condition> {
    if node == commands::NS {
        return write_node(request, node, "Commands", "command-list", &[commands::NS]);
    }
    let command = commands::find(node).ok_or(Condition::ItemNotFound)?;
    if !request.is_admin() {
        return Err(Condition::Forbidden);
    }
    write_node(request, node, command.label, "command-node", &[commands::NS, forms::NS])
}

/// XEP-0050 §2.2: who may not execute them sees none.
fn command_items(request: &mut Request<'_>, node: &str) -> Result<(), Condition> {
    let is_admin = request.is_admin();
    match commands::find(node) {
        Some(_) if !is_admin => return Err(Condition::Forbidden),
        None if node != commands::NS => return Err(Condition::ItemNotFound),
        Some(_) | None => {}
    }
    open_node(request, NS_ITEMS, node);
    if is_admin && node == commands::NS {
        let domain = request.host();
        for command in COMMANDS {
            request.reply.extend_from_slice(b"<item");
            attr("jid", &domain, request.reply);
            attr("node", command.node, request.reply);
            attr("name", command.label, request.reply);
            request.reply.extend_from_slice(b"/>");
        }
    }
    request.push("</query>");
    Ok(())
}

fn write_node(
    request: &mut Request<'_>,
    node: &str,
    name: &str,
    kind: &str,
    features: &[&str],
) -> Result<(), Condition> {
    open_node(request, NS_INFO, node);
    request.push("<identity category='automation'");
    attr("type", kind, request.reply);
    attr("name", name, request.reply);
    request.push("/>");
    for feature in features {
        request.push("<feature");
        attr("var", feature, request.reply);
        request.push("/>");
    }
    request.push("</query>");
    Ok(())
}

fn open_node(request: &mut Request<'_>, ns: &str, node: &str) {
    request.push("<query");
    attr("xmlns", ns, request.reply);
    attr("node", node, request.reply);
    request.push(">");
}

/// §8: who may not know the account's presence is told nothing, as if there were none.
fn account_info(request: &mut Request<'_>) -> Result<(), Condition> {
    request.shown_account().ok_or(Condition::ServiceUnavailable)?;
    if let Some(node) = node_of(request).filter(|_| request.own_account().is_some()) {
        return command_info(request, &node);
    }
    check(request)?;
    write_info(request, ("<identity category='account' type='registered'/>", &[]), |e| e.for_account, "");
    Ok(())
}

fn server_items(request: &mut Request<'_>) -> Result<(), Condition> {
    if let Some(node) = node_of(request) {
        return command_items(request, &node);
    }
    check(request)?;
    request.push("<query xmlns='http://jabber.org/protocol/disco#items'/>");
    Ok(())
}

/// §4.5: the available resources, for who may know them; §8: others see none, as if there were no account.
fn account_items(request: &mut Request<'_>) -> Result<(), Condition> {
    let Some(account) = request.shown_account() else {
        if request.is_set {
            return Err(Condition::ServiceUnavailable);
        }
        no_items(request.payload, request.reply);
        return Ok(());
    };
    if let Some(node) = node_of(request).filter(|_| request.own_account().is_some()) {
        return command_items(request, &node);
    }
    check(request)?;
    request.push("<query xmlns='http://jabber.org/protocol/disco#items'>");
    for (_, session) in request.world.shard.sessions_of(account) {
        if session.available().is_some() {
            request.reply.extend_from_slice(b"<item");
            attr("jid", session.jid().as_str(), request.reply);
            request.reply.extend_from_slice(b"/>");
        }
    }
    request.push("</query>");
    Ok(())
}

/// The answer to a `query` for items where nothing may be told.
pub(super) fn no_items(query: &Node<'_>, reply: &mut Vec<u8>) {
    reply.extend_from_slice(b"<query");
    attr("xmlns", NS_ITEMS, reply);
    if let Some(node) = query.attr("node") {
        attr("node", node, reply);
    }
    reply.extend_from_slice(b"/>");
}

fn check(request: &Request<'_>) -> Result<(), Condition> {
    if request.is_set {
        Err(Condition::BadRequest)
    } else if request.payload.attr("node").is_some_and(|node| !node.is_empty()) {
        Err(Condition::ItemNotFound)
    } else {
        Ok(())
    }
}

/// Identity, features, and forms that extend them (XEP-0128).
fn write_info(
    request: &mut Request<'_>,
    (identity, others): (&str, &[&str]),
    is_for: fn(&Extension) -> Option<Answer>,
    forms: &str,
) {
    request.push("<query xmlns='http://jabber.org/protocol/disco#info'>");
    request.push(identity);
    let features = TABLE.iter().filter(|e| is_for(e).is_some()).filter_map(|e| e.feature);
    for feature in features.chain(others.iter().copied()) {
        request.reply.extend_from_slice(b"<feature");
        attr("var", feature, request.reply);
        request.reply.extend_from_slice(b"/>");
    }
    request.push(forms);
    request.push("</query>");
}
