//! XEP-0202: Entity Time, of the server. Its time zone is UTC, wherever it stands (§5 warns of telling where).

use super::iq::{Extension, Request};
use crate::stanza::Condition;

const NS: &str = "urn:xmpp:time";

pub(super) const EXTENSION: Extension =
    Extension { name: "time", ns: NS, feature: Some(NS), for_server: Some(answer), for_account: None };

fn answer(request: &mut Request<'_>) -> Result<(), Condition> {
    if request.is_set {
        return Err(Condition::BadRequest);
    }
    let now = request.world.utc_now();
    request.push("<time xmlns='urn:xmpp:time'><tzo>+00:00</tzo><utc>");
    request.push(&now.to_string());
    request.push("</utc></time>");
    Ok(())
}
