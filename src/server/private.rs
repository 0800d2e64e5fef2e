//! XEP-0049: Private XML Storage.
//!
//! Elements are kept as they came, by namespace and name. Namespaces that the XEP reserves (§2.1) are not refused: clients
//! store theirs there.

use super::iq::{Extension, Request, told_only};
use super::values::private_key;
use super::write::attr;
use crate::limits::{PRIVATE_BYTES_MAX, PRIVATE_ITEMS_MAX};
use crate::router::PrivateStorage;
use crate::stanza::{Condition, NS_CLIENT};
use crate::store::ValueKind;
use crate::xml::{Node, fragments, is_element};

const NS: &str = "jabber:iq:private";

pub(super) const EXTENSION: Extension = Extension {
    name: "query",
    ns: NS,
    feature: Some(NS),
    for_server: Some(told_only),
    for_account: Some(answer),
};

fn answer(request: &mut Request<'_>) -> Result<(), Condition> {
    // §2.1, §3: nobody else's, whatever is asked for.
    request.own_account().ok_or(Condition::Forbidden)?;
    if request.is_set { set(request) } else { get(request) }
}

/// One namespace at a time; what is not there is an empty element.
fn get(request: &mut Request<'_>) -> Result<(), Condition> {
    let account = request.own_account().ok_or(Condition::Forbidden)?;
    let first = request.payload.elements().next().ok_or(Condition::BadRequest)?;
    if !request.payload.elements().all(|element| element.ns == first.ns) {
        return Err(Condition::BadRequest);
    }
    request.push("<query xmlns='jabber:iq:private'>");
    for element in request.payload.elements() {
        let stored = request.world.shard.account(account).private();
        match stored.and_then(|stored| stored.get(&element.ns, element.name)) {
            Some(xml) => request.reply.extend_from_slice(xml.as_bytes()),
            None => write_empty(element, request.reply),
        }
    }
    request.push("</query>");
    Ok(())
}

fn write_empty(element: &Node<'_>, out: &mut Vec<u8>) {
    out.push(b'<');
    out.extend_from_slice(element.name.as_bytes());
    attr("xmlns", &element.ns, out);
    out.extend_from_slice(b"/>");
}

/// All of the elements are stored or none. Several of one namespace and name are stored together; an element without
/// attributes and content, which is what a `get` of nothing returns, removes.
fn set(request: &mut Request<'_>) -> Result<(), Condition> {
    let id = request.own_account().ok_or(Condition::Forbidden)?;
    let texts = fragments(request.stanza.element(), 2, NS_CLIENT);
    let mut stored: Vec<(&Node<'_>, String)> = Vec::new();
    for (element, text) in request.payload.elements().zip(texts) {
        // "scoped by its own namespace" (§2).
        let is_proper = !element.ns.is_empty() && element.ns != NS;
        if !is_proper || !is_element(format!("<iq><query xmlns='{NS}'>{text}</query></iq>").as_bytes()) {
            return Err(Condition::NotAcceptable);
        }
        let text = if element.children.is_empty() && element.attrs.is_empty() { String::new() } else { text };
        match stored.iter_mut().find(|(known, _)| known.ns == element.ns && known.name == element.name) {
            Some((_, texts)) => texts.push_str(&text),
            None => stored.push((element, text)),
        }
    }
    if stored.is_empty() {
        return Err(Condition::NotAcceptable);
    }
    let account = request.world.shard.account_mut(id);
    let mut next: PrivateStorage = account.private().cloned().unwrap_or_default();
    for (element, xml) in &stored {
        next.set(&element.ns, element.name, xml);
    }
    if next.items().len() > PRIVATE_ITEMS_MAX || next.bytes() > PRIVATE_BYTES_MAX {
        return Err(Condition::ResourceConstraint);
    }
    account.set_private(next);
    for (element, xml) in &stored {
        let key = private_key(&element.ns, element.name);
        let value = Some(xml.as_str()).filter(|xml| !xml.is_empty());
        request.world.save_value(id, ValueKind::Private, &key, value);
    }
    Ok(())
}
