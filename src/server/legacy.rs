//! What belongs before the session and is sometimes sent in it.
//!
//! Binding itself is `bind`'s; here it comes too late.

use super::iq::{Extension, Request};
use crate::stanza::Condition;
use crate::stream::{NS_BIND, NS_SESSION};

/// RFC 3921 §3: old clients ask for a session. It is there already.
pub(super) const SESSION: Extension =
    Extension { name: "session", ns: NS_SESSION, feature: None, for_server: Some(ok), for_account: Some(ok) };

/// RFC 6120 §7.1: a stream binds one resource; the first stays.
pub(super) const BIND: Extension = Extension {
    name: "bind",
    ns: NS_BIND,
    feature: None,
    for_server: Some(refuse),
    for_account: Some(refuse),
};

fn ok(request: &mut Request<'_>) -> Result<(), Condition> {
    if request.is_set && request.origin.is_some() { Ok(()) } else { Err(Condition::ServiceUnavailable) }
}

fn refuse(request: &mut Request<'_>) -> Result<(), Condition> {
    Err(if request.origin.is_some() { Condition::NotAllowed } else { Condition::ServiceUnavailable })
}
