//! What synthetic clients write, byte by byte. It decides nothing.

use super::ids::{Run, StanzaId};
use super::markers::write_marker;
use super::scenario::Show;
use crate::xml::escape_attr_into;

/// XMPP ping (XEP-0199).
pub(super) const NS_PING: &str = "urn:xmpp:ping";
/// Rosters (RFC 6121 §2).
pub(super) const NS_ROSTER: &str = "jabber:iq:roster";
/// Service discovery (XEP-0030).
pub(super) const NS_DISCO_INFO: &str = "http://jabber.org/protocol/disco#info";
/// Software version (XEP-0092).
pub(super) const NS_VERSION: &str = "jabber:iq:version";
/// Delayed delivery (XEP-0203).
pub(super) const NS_DELAY: &str = "urn:xmpp:delay";

/// The end of our stream.
pub(super) const CLOSE: &[u8] = b"</stream:stream>";

/// Initial presence, behind the roster get (RFC 6121 §2.2 asks for this order; neither waits for the other).
pub(super) fn initial_presence(run: &Run, user: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(b"<presence id='");
    run.write(StanzaId { user, seq: 0 }, out);
    out.extend_from_slice(b"'/>");
}

/// Unavailable presence and the end of our stream (RFC 6121 §4.5.2, RFC 6120 §4.4).
pub(super) fn leave(out: &mut Vec<u8>) {
    out.extend_from_slice(b"<presence type='unavailable'/>");
    out.extend_from_slice(CLOSE);
}

/// A chat message of `body` bytes, which need no escaping; `marked`: with a marker child.
pub(super) fn chat(run: &Run, id: StanzaId, to: &str, body: &[u8], marked: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(b"<message type='chat' to='");
    escape_attr_into(to, out);
    out.extend_from_slice(b"' id='");
    run.write(id, out);
    out.extend_from_slice(b"'><body>");
    out.extend_from_slice(body);
    out.extend_from_slice(b"</body>");
    if marked {
        write_marker(run, id, out);
    }
    out.extend_from_slice(b"</message>");
}

/// A presence change; `marked`: with a marker child.
pub(super) fn presence(run: &Run, id: StanzaId, show: Show, marked: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(b"<presence id='");
    run.write(id, out);
    let show: &[u8] = match show {
        Show::Available if !marked => return out.extend_from_slice(b"'/>"),
        Show::Available => b"'>",
        Show::Away => b"'><show>away</show>",
        Show::Chat => b"'><show>chat</show>",
        Show::Dnd => b"'><show>dnd</show>",
        Show::Xa => b"'><show>xa</show>",
    };
    out.extend_from_slice(show);
    if marked {
        write_marker(run, id, out);
    }
    out.extend_from_slice(b"</presence>");
}

/// A ping to the server.
pub(super) fn ping(run: &Run, id: StanzaId, domain: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"<iq type='get' to='");
    escape_attr_into(domain, out);
    out.extend_from_slice(b"' id='");
    run.write(id, out);
    out.extend_from_slice(b"'><ping xmlns='urn:xmpp:ping'/></iq>");
}

/// A request for the own roster (RFC 6121 §2.2).
pub(super) fn roster_get(run: &Run, id: StanzaId, out: &mut Vec<u8>) {
    out.extend_from_slice(b"<iq type='get' id='");
    run.write(id, out);
    out.extend_from_slice(b"'><query xmlns='jabber:iq:roster'/></iq>");
}

/// Id of the question for the server's software; no operation's id has this form.
pub(super) const VERSION_ID: &str = "software-version";

/// Asks the server for its software (XEP-0092): a result without it is worth little.
pub(super) fn version(domain: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"<iq type='get' to='");
    escape_attr_into(domain, out);
    out.extend_from_slice(b"' id='");
    out.extend_from_slice(VERSION_ID.as_bytes());
    out.extend_from_slice(b"'><query xmlns='jabber:iq:version'/></iq>");
}

/// Payload of the answer to a disco#info query: the least that a client says of itself (XEP-0030 §3.1).
pub(super) const DISCO_INFO: &[u8] = b"<query xmlns='http://jabber.org/protocol/disco#info'>\
<identity category='client' type='bot' name='xmpp-bench'/>\
<feature var='http://jabber.org/protocol/disco#info'/><feature var='urn:xmpp:ping'/></query></iq>";
