//! XEP-0054: vcard-temp.
//!
//! A vCard is kept as it came and not read: what is in it is between clients.

use super::iq::{Extension, Request, told_only};
use crate::limits::VCARD_BYTES_MAX;
use crate::stanza::{Condition, NS_CLIENT};
use crate::store::ValueKind;
use crate::xml::{fragments, is_element};

const NS: &str = "vcard-temp";

pub(super) const EXTENSION: Extension = Extension {
    name: "vCard",
    ns: NS,
    feature: Some(NS),
    for_server: Some(told_only),
    for_account: Some(answer),
};

fn answer(request: &mut Request<'_>) -> Result<(), Condition> {
    if request.is_set { set(request) } else { get(request) }
}

/// §3.1, §3.3: everybody may see it (§5). One who has none gets `item-not-found`; others get the same as for an account
/// that does not exist.
fn get(request: &mut Request<'_>) -> Result<(), Condition> {
    let is_own = request.own_account().is_some();
    let none = if is_own { Condition::ItemNotFound } else { Condition::ServiceUnavailable };
    let account = request.account.ok_or(none)?;
    let vcard = request.world.shard.account(account).vcard().ok_or(none)?;
    request.reply.extend_from_slice(vcard.as_bytes());
    Ok(())
}

/// §3.2: one's own; an empty one is none.
fn set(request: &mut Request<'_>) -> Result<(), Condition> {
    let account = request.own_account().ok_or(Condition::Forbidden)?;
    let vcard = fragments(request.stanza.element(), 1, NS_CLIENT).pop().ok_or(Condition::BadRequest)?;
    if vcard.len() > VCARD_BYTES_MAX || !is_element(format!("<iq>{vcard}</iq>").as_bytes()) {
        return Err(Condition::NotAcceptable);
    }
    let is_empty = request.payload.children.is_empty();
    let vcard = Some(vcard).filter(|_| !is_empty);
    request.world.save_value(account, ValueKind::VCard, "", vcard.as_deref());
    request.world.shard.account_mut(account).set_vcard(vcard.map(String::into_boxed_str));
    Ok(())
}
