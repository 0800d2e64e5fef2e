//! XEP-0199: XMPP Ping, in both directions.
//!
//! When a client is asked, and what happens when it does not answer, is `client_link`'s.

use super::iq::{Extension, Request};
use crate::stanza::Condition;

const NS: &str = "urn:xmpp:ping";

pub(super) const EXTENSION: Extension = Extension {
    name: "ping",
    ns: NS,
    feature: Some(NS),
    for_server: Some(answer),
    for_account: Some(answer_for_account),
};

fn answer(request: &mut Request<'_>) -> Result<(), Condition> {
    if request.is_set { Err(Condition::BadRequest) } else { Ok(()) }
}

/// §4.2: the server answers for a bare JID, as far as the asker may know that it exists.
fn answer_for_account(request: &mut Request<'_>) -> Result<(), Condition> {
    request.shown_account().ok_or(Condition::ServiceUnavailable)?;
    answer(request)
}

/// Appends the ping (§4.1) of `domain` to a client whose full JID is `to`, both escaped. One is under way at a time, so one
/// id does.
pub(super) fn write_request(domain: &[u8], to: &[u8], out: &mut Vec<u8>) {
    for part in
        [b"<iq from='", domain, b"' to='", to, b"' id='ping' type='get'><ping xmlns='urn:xmpp:ping'/></iq>"]
    {
        out.extend_from_slice(part);
    }
}
