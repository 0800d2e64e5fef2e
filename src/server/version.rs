//! XEP-0092: Software Version. The operating system is not told (§5).

use super::iq::{Extension, Request};
use crate::stanza::Condition;

const NS: &str = "jabber:iq:version";

pub(super) const EXTENSION: Extension =
    Extension { name: "query", ns: NS, feature: Some(NS), for_server: Some(answer), for_account: None };

fn answer(request: &mut Request<'_>) -> Result<(), Condition> {
    if request.is_set {
        return Err(Condition::BadRequest);
    }
    request.push("<query xmlns='jabber:iq:version'><name>");
    request.push(env!("CARGO_PKG_NAME"));
    request.push("</name><version>");
    request.push(env!("CARGO_PKG_VERSION"));
    request.push("</version></query>");
    Ok(())
}
