//! How a good client answers what a server asks: pings, roster pushes, discovery, and anything else with an error.

use super::super::stanzas::{DISCO_INFO, NS_DISCO_INFO, NS_PING, NS_ROSTER};
use crate::stanza::{
    Condition, Head, Jid, NS_CLIENT, Stanza, StanzaType, write_error_reply, write_iq_result_empty,
    write_iq_result_open,
};
use crate::xml::{Element, Node};

/// Answers an IQ `get` or `set`; a word for the count of others. Every such IQ is answered (RFC 6120 §8.2.3).
pub(in crate::load) fn answer(
    jid: Option<&Jid>,
    element: Element,
    head: Head,
    out: &mut Vec<u8>,
) -> &'static str {
    let own = jid.map_or("", Jid::as_str);
    let word = {
        let node = Node::parse(&element, NS_CLIENT);
        let is_get = head.stanza_type == StanzaType::Get;
        let payload = node.elements().next().map(|p| (p.name, p.ns.as_ref()));
        match payload {
            Some(("ping", NS_PING)) if is_get => "ping",
            Some(("query", NS_DISCO_INFO)) if is_get => "disco_info",
            // A push that does not come from the own account is refused (RFC 6121 §2.1.6).
            Some(("query", NS_ROSTER)) if !is_get && is_own_account(node.attr("from"), jid) => "roster_push",
            _ => "request_refused",
        }
    };
    let stanza = Stanza::new(element, head);
    match word {
        "ping" | "roster_push" => write_iq_result_empty(&stanza, own, out),
        "disco_info" => {
            write_iq_result_open(&stanza, own, out);
            out.extend_from_slice(DISCO_INFO);
        }
        _ => {
            write_error_reply(&stanza, Condition::ServiceUnavailable, None, own, out);
        }
    }
    word
}

fn is_own_account(from: Option<&str>, jid: Option<&Jid>) -> bool {
    match (from, jid) {
        (None, _) => true,
        (Some(from), Some(jid)) => jid.as_ref().bare().as_str() == from || jid.as_str() == from,
        (Some(_), None) => false,
    }
}
