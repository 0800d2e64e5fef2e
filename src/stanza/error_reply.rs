//! Answers to stanzas: errors (RFC 6120 §8.3) and IQ results (§8.2.3).
//!
//! This module does not decide whether an answer is due for other reasons than looping: presence to a stranger, for
//! one, is its caller's concern.

use super::{Condition, ErrorType, Kind, NS_STANZAS, Stanza, StanzaType};
use crate::xml::{escape_attr_into, escape_text_into};

/// Appends the error stanza that answers `stanza`: same kind and id, `from` = the stanza's `to` (or `from_if_no_to`,
/// unescaped), `to` = its stamped `from`. Returns whether something was written: nothing is for `error` and IQ `result`
/// (RFC 6120 §8.3.1 rule 8, §8.2.3 rule 4).
///
/// Where the condition is `jid-malformed`, `from` is `from_if_no_to` too: a malformed address is not repeated in an
/// address's place (§8.3.1 rule 2). The original payload is not returned (rule 6 leaves it open).
pub fn write_error_reply(
    stanza: &Stanza,
    condition: Condition,
    text: Option<&str>,
    from_if_no_to: &str,
    out: &mut Vec<u8>,
) -> bool {
    write_reply(stanza, condition, from_if_no_to, out, |out| write_error(condition, text, out))
}

/// As [`write_error_reply`], with this type in place of the recommended one and an application's own condition (XML, RFC
/// 6120 §8.3.4) beside the defined one.
pub fn write_error_reply_with(
    stanza: &Stanza,
    (condition, error_type, application): (Condition, ErrorType, &str),
    from_if_no_to: &str,
    out: &mut Vec<u8>,
) -> bool {
    write_reply(stanza, condition, from_if_no_to, out, |out| {
        write_error_parts(condition, (error_type, None), None, application, out);
    })
}

/// As [`write_error_reply`], with the code that errors had before they had conditions (XEP-0086), with an application's own
/// condition (XML) beside the defined one, and with `payload` (XML) before the error.
pub fn write_error_reply_coded(
    stanza: &Stanza,
    (condition, application): (Condition, &str),
    payload: &str,
    from_if_no_to: &str,
    out: &mut Vec<u8>,
) -> bool {
    let code = Some(condition.legacy_code());
    write_reply(stanza, condition, from_if_no_to, out, |out| {
        out.extend_from_slice(payload.as_bytes());
        write_error_parts(condition, (condition.default_type(), code), None, application, out);
    })
}

fn write_reply(
    stanza: &Stanza,
    condition: Condition,
    from_if_no_to: &str,
    out: &mut Vec<u8>,
    write_error: impl FnOnce(&mut Vec<u8>),
) -> bool {
    let stanza_type = stanza.head().stanza_type;
    if stanza_type == StanzaType::Error || (stanza.kind() == Kind::Iq && stanza_type == StanzaType::Result) {
        return false;
    }
    let to = stanza.to().filter(|_| condition != Condition::JidMalformed);
    write_reply_open(stanza, "error", to, from_if_no_to, out);
    out.extend_from_slice(b">");
    write_error(out);
    out.extend_from_slice(b"</");
    out.extend_from_slice(stanza.kind().as_str().as_bytes());
    out.extend_from_slice(b">");
    true
}

/// Appends `<error type='…'>…</error>` (RFC 6120 §8.3.2) with an optional text in English, unescaped.
pub fn write_error(condition: Condition, text: Option<&str>, out: &mut Vec<u8>) {
    write_error_parts(condition, (condition.default_type(), None), text, "", out);
}

fn write_error_parts(
    condition: Condition,
    (error_type, code): (ErrorType, Option<u16>),
    text: Option<&str>,
    application: &str,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(b"<error");
    if let Some(code) = code {
        out.extend_from_slice(format!(" code='{code}'").as_bytes());
    }
    for part in [" type='", error_type.as_str(), "'><", condition.as_str(), " xmlns='", NS_STANZAS, "'/>"] {
        out.extend_from_slice(part.as_bytes());
    }
    if let Some(text) = text {
        for part in ["<text xmlns='", NS_STANZAS, "' xml:lang='en'>"] {
            out.extend_from_slice(part.as_bytes());
        }
        escape_text_into(text, out);
        out.extend_from_slice(b"</text>");
    }
    out.extend_from_slice(application.as_bytes());
    out.extend_from_slice(b"</error>");
}

/// Appends `<iq type='result'/>` answering `stanza`, without payload.
pub fn write_iq_result_empty(stanza: &Stanza, from_if_no_to: &str, out: &mut Vec<u8>) {
    write_reply_open(stanza, "result", stanza.to(), from_if_no_to, out);
    out.extend_from_slice(b"/>");
}

/// Appends the start tag of `<iq type='result'>` answering `stanza`; the caller writes the payload and `</iq>`.
pub fn write_iq_result_open(stanza: &Stanza, from_if_no_to: &str, out: &mut Vec<u8>) {
    write_reply_open(stanza, "result", stanza.to(), from_if_no_to, out);
    out.extend_from_slice(b">");
}

/// Appends `<kind from= to= id= type=` with the addresses swapped.
fn write_reply_open(
    stanza: &Stanza,
    reply_type: &str,
    to: Option<&str>,
    from_if_no_to: &str,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(b"<");
    out.extend_from_slice(stanza.kind().as_str().as_bytes());
    match to {
        Some(raw) => write_raw_attr("from", raw, out),
        // Who does not know its address yet leaves it to the server (RFC 6120 §8.1.2.1).
        None if from_if_no_to.is_empty() => {}
        None => {
            out.extend_from_slice(b" from='");
            escape_attr_into(from_if_no_to, out);
            out.extend_from_slice(b"'");
        }
    }
    if let Some(raw) = stanza.from() {
        write_raw_attr("to", raw, out);
    }
    // RFC 6120 §8.3.1 rule 3: an IQ's answer has an id even where the request had none.
    match (stanza.id(), stanza.kind()) {
        (Some(raw), _) => write_raw_attr("id", raw, out),
        (None, Kind::Iq) => out.extend_from_slice(b" id=''"),
        (None, Kind::Message | Kind::Presence) => {}
    }
    for part in [" type='", reply_type, "'"] {
        out.extend_from_slice(part.as_bytes());
    }
}

/// Appends ` name='raw'`, an attribute whose raw value comes from another one. That one's quotes are unknown here: a value that has
/// one kind of quote inside stood between the other kind.
pub fn write_raw_attr(name: &str, raw: &str, out: &mut Vec<u8>) {
    let quote: &[u8] = if raw.contains('\'') { b"\"" } else { b"'" };
    for part in [b" ", name.as_bytes(), b"=", quote, raw.as_bytes(), quote] {
        out.extend_from_slice(part);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{write_error_reply, write_error_reply_with, write_iq_result_empty, write_iq_result_open};
    use crate::stanza::{Condition, ErrorType, Head, Stanza};
    use crate::xml::Element;

    fn stanza(text: &str) -> Stanza {
        let element = Element::from_own(Bytes::from(text.to_owned()));
        let head = Head::parse(&element).unwrap();
        let mut stanza = Stanza::new(element, head);
        stanza.stamp_from(Bytes::from_static(b"juliet@example.com/o&apos;balcony"));
        stanza
    }

    fn error(text: &str, condition: Condition, words: Option<&str>) -> Option<String> {
        let mut out = Vec::new();
        let written = write_error_reply(&stanza(text), condition, words, "example.com", &mut out);
        assert_eq!(written, !out.is_empty());
        if written {
            // It must be an element, and one that never causes another error.
            let again = Element::from_own(Bytes::from(out.clone()));
            let again = Stanza::new(again.clone(), Head::parse(&again).unwrap());
            assert!(!write_error_reply(&again, condition, None, "example.com", &mut Vec::new()));
        }
        written.then(|| String::from_utf8(out).unwrap())
    }

    #[test]
    fn errors_swap_addresses_and_keep_ids() {
        assert_eq!(
            error("<message to='r@m/x' id='1' from='e@vil'/>", Condition::ServiceUnavailable, None).unwrap(),
            "<message from='r@m/x' to='juliet@example.com/o&apos;balcony' id='1' type='error'>\
             <error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"
        );
        assert_eq!(
            error("<presence to=\"r@m/o'x\"/>", Condition::NotAcceptable, Some("a < b")).unwrap(),
            "<presence from=\"r@m/o'x\" to='juliet@example.com/o&apos;balcony' type='error'>\
             <error type='modify'><not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>\
             <text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas' xml:lang='en'>a &lt; b</text></error></presence>"
        );
    }

    #[test]
    fn errors_without_to_or_id() {
        let reply = error("<iq type='get'/>", Condition::BadRequest, None).unwrap();
        assert!(
            reply.starts_with("<iq from='example.com' to='juliet@example.com/o&apos;balcony' id='' type=")
        );
        let reply = error("<message/>", Condition::BadRequest, None).unwrap();
        assert!(!reply.contains(" id="));
        // RFC 6120 §8.3.3.8.
        let reply = error("<presence to='c@@muc.example.com/J'/>", Condition::JidMalformed, None).unwrap();
        assert!(reply.starts_with("<presence from='example.com' "));
    }

    #[test]
    fn what_is_never_answered() {
        for text in [
            "<message type='error'/>",
            "<presence type='error'/>",
            "<iq type='error' id='1'/>",
            "<iq type='result' id='1'/>",
        ] {
            assert_eq!(error(text, Condition::ServiceUnavailable, None), None, "{text}");
        }
        // Type `result` means nothing elsewhere.
        assert!(error("<message type='result'/>", Condition::ServiceUnavailable, None).is_some());
    }

    /// Example 8 of XEP-0191, without its body.
    #[test]
    fn errors_of_an_application() {
        let error =
            (Condition::NotAcceptable, ErrorType::Cancel, "<blocked xmlns='urn:xmpp:blocking:errors'/>");
        let mut out = Vec::new();
        assert!(write_error_reply_with(&stanza("<message to='romeo@montague.net'/>"), error, "d", &mut out));
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "<message from='romeo@montague.net' to='juliet@example.com/o&apos;balcony' type='error'>\
             <error type='cancel'><not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>\
             <blocked xmlns='urn:xmpp:blocking:errors'/></error></message>"
        );
        assert!(!write_error_reply_with(&stanza("<iq type='result'/>"), error, "d", &mut Vec::new()));
    }

    #[test]
    fn results() {
        let iq = stanza("<iq type='set' to='example.com' id='&quot;'/>");
        let mut out = Vec::new();
        write_iq_result_empty(&iq, "x", &mut out);
        let start = "<iq from='example.com' to='juliet@example.com/o&apos;balcony' id='&quot;' type='result'";
        assert_eq!(String::from_utf8(out).unwrap(), format!("{start}/>"));
        let mut out = Vec::new();
        write_iq_result_open(&iq, "x", &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), format!("{start}>"));
        let mut out = Vec::new();
        write_iq_result_empty(&stanza("<iq type='set' id='1'/>"), "", &mut out);
        assert!(!String::from_utf8(out).unwrap().contains(" from="), "not even an empty one");
        let iq = stanza("<iq type='set' id='1'/>");
        let mut out = Vec::new();
        write_iq_result_empty(&iq, "o'x@example.com", &mut out);
        assert!(!String::from_utf8(out).unwrap().contains("o'x"));
    }
}
