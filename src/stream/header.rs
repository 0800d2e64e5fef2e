//! Stream headers (RFC 6120 §4.7, §4.8): reading and judging a client's, writing both sides'.
//!
//! This module keeps no state: what was agreed on before a restart is its caller's to compare.

use bytes::Bytes;
use rand_chacha::ChaCha12Rng;
use rand_core::Rng;

use super::{NS_STREAM, StreamCondition};
use crate::limits::STREAM_PREFIXES_MAX;
use crate::stanza::{Jid, JidRef, NS_CLIENT};
use crate::xml::{Open, Scope, escape_attr_into, unescape};

/// Longest language tag that is remembered (RFC 5646 §4.4.1 plans for 35).
const LANG_BYTES_MAX: usize = 35;

/// What a client's header says, as far as it can be answered.
#[derive(Debug, Default)]
pub(super) struct ClientHeader {
    /// Bare address in `from`: our `to` (§4.7.2).
    pub(super) from: Option<Jid>,
    /// `from` is there and no address.
    pub(super) from_malformed: bool,
    /// Default language of the client's stanzas (§4.7.4).
    pub(super) lang: Option<Bytes>,
    /// The client speaks XMPP 1.0 or later, so our header has a `version` (§4.7.5).
    pub(super) versioned: bool,
    /// Why the stream cannot be.
    pub(super) fault: Option<StreamCondition>,
}

/// Reads a client's header. It is always answered with a header (§4.9.1.2), hence the fault inside the result.
///
/// More liberal than it must be: a header without `to` is taken as meant for `domain` (§4.7.2, interoperability note).
/// Less liberal than it could be: the content namespace has to be the default namespace, and the prefix `stream`.
/// A header without `version` is of before XMPP 1.0; such a client knows no SASL, so the stream is refused
/// (`unsupported-version`) behind a header that has no `version` either.
pub(super) fn parse_client_header(open: &Open, domain: &str) -> ClientHeader {
    let tag = open.tag();
    let mut header = ClientHeader::default();
    let mut version = None;
    let mut to = None;
    for attr in tag.attrs() {
        match attr.name {
            "to" => to = Some(attr.raw),
            "from" => match JidRef::parse_attr(attr.raw) {
                Ok(jid) => header.from = Some(jid.jid().bare().to_jid()),
                Err(_) => header.from_malformed = true,
            },
            "version" => version = unescape(attr.raw).ok(),
            "xml:lang" if is_lang(attr.raw) => header.lang = Some(copy_lang(attr.raw)),
            _ => {}
        }
    }
    let version = parse_version(version.as_deref());
    header.versioned = version.is_some_and(|(major, _)| major >= 1);
    header.fault = namespace_fault(tag.prefix(), tag.local(), &open.scope)
        .or_else(|| (!to.is_none_or(|to| is_domain(to, domain))).then_some(StreamCondition::HostUnknown))
        .or_else(|| (!header.versioned).then_some(StreamCondition::UnsupportedVersion));
    header
}

/// §4.8.1, §4.8.2, §4.8.5.
fn namespace_fault(prefix: Option<&str>, local: &str, scope: &Scope) -> Option<StreamCondition> {
    if scope.namespace(prefix.unwrap_or_default()) != Some(NS_STREAM) {
        Some(StreamCondition::InvalidNamespace)
    } else if local != "stream" {
        Some(StreamCondition::BadFormat)
    } else if prefix != Some("stream") {
        Some(StreamCondition::BadNamespacePrefix)
    } else if scope.namespace("") != Some(NS_CLIENT) || scope.declarations().count() > STREAM_PREFIXES_MAX {
        Some(StreamCondition::InvalidNamespace)
    } else {
        None
    }
}

fn is_domain(raw: &str, domain: &str) -> bool {
    JidRef::parse_attr(raw).is_ok_and(|jid| jid.jid().as_str() == domain)
}

/// Major and minor number (§4.7.5): leading zeros mean nothing, and numbers may be long.
fn parse_version(version: Option<&str>) -> Option<(u32, u32)> {
    let number = |digits: &str| {
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        // A number that does not fit is larger than any that is known.
        is_number.then(|| digits.parse().unwrap_or(u32::MAX))
    };
    let (major, minor) = version?.split_once('.')?;
    Some((number(major)?, number(minor)?))
}

fn is_lang(raw: &str) -> bool {
    (1..=LANG_BYTES_MAX).contains(&raw.len())
        && raw.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Nearly all say `en`: those share one copy.
fn copy_lang(lang: &str) -> Bytes {
    if lang == "en" { Bytes::from_static(b"en") } else { Bytes::copy_from_slice(lang.as_bytes()) }
}

/// Appends a server's header (§4.7): `to` only for a client that said `from`, `version` only for one that did.
/// The id is 128 random bits, unpredictable and never used twice (§4.7.3). Our words are English (§4.7.4).
pub(super) fn write_server_header(
    domain: &str,
    header: &ClientHeader,
    rng: &mut ChaCha12Rng,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(b"<?xml version='1.0'?><stream:stream from='");
    escape_attr_into(domain, out);
    out.extend_from_slice(b"' id='");
    write_random_id(rng, out);
    out.extend_from_slice(b"'");
    if let Some(from) = &header.from {
        out.extend_from_slice(b" to='");
        escape_attr_into(from.as_str(), out);
        out.extend_from_slice(b"'");
    }
    if header.versioned {
        out.extend_from_slice(b" version='1.0'");
    }
    write_header_end(out);
}

/// Appends a client's header. Without `from`: the stream is not confidential yet (§4.7.1).
pub fn write_client_header(domain: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"<?xml version='1.0'?><stream:stream to='");
    escape_attr_into(domain, out);
    out.extend_from_slice(b"' version='1.0'");
    write_header_end(out);
}

fn write_header_end(out: &mut Vec<u8>) {
    for part in [" xml:lang='en' xmlns='", NS_CLIENT, "' xmlns:stream='", NS_STREAM, "'>"] {
        out.extend_from_slice(part.as_bytes());
    }
}

/// Why a server's header cannot be gone on with, in words.
pub(super) fn server_header_fault(open: &Open) -> Option<&'static str> {
    let tag = open.tag();
    if tag.local() != "stream" || open.scope.namespace(tag.prefix().unwrap_or_default()) != Some(NS_STREAM) {
        Some("the server's first element is no XMPP stream header")
    } else if open.scope.namespace("") != Some(NS_CLIENT) {
        Some("the server's stream is no client stream (content namespace)")
    } else if parse_version(tag.attr("version")).is_none_or(|(major, _)| major < 1) {
        Some("the server speaks no XMPP 1.0")
    } else {
        None
    }
}

/// 128 random bits as 32 characters.
pub(super) fn write_random_id(rng: &mut ChaCha12Rng, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for _ in 0..2 {
        let bits = rng.next_u64();
        out.extend((0..16).map(|i| DIGITS[(bits >> (4 * i) & 15) as usize]));
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::{ClientHeader, parse_client_header, parse_version};
    use crate::limits::FRAMER_BEFORE_AUTH;
    use crate::xml::{Frame, Framer};

    const GOOD: &str = "<stream:stream to='x.y' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";

    fn parse(text: &str) -> ClientHeader {
        let mut framer = Framer::new(FRAMER_BEFORE_AUTH);
        let Ok(Some(Frame::Open(open))) = framer.next_frame(&mut BytesMut::from(text)) else {
            panic!("{text}")
        };
        parse_client_header(&open, "x.y")
    }

    fn fault(text: &str) -> &'static str {
        parse(text).fault.map_or("none", |fault| fault.as_str())
    }

    #[test]
    fn faults() {
        assert_eq!(fault(GOOD), "none");
        for (from, to, expected) in [
            ("streams'", "other'", "invalid-namespace"),
            ("jabber:client", "jabber:server", "invalid-namespace"),
            (" xmlns='jabber:client'", "", "invalid-namespace"),
            ("stream:stream ", "stream:flood ", "bad-format"),
            ("x.y", "y.x", "host-unknown"),
            ("x.y", "", "host-unknown"),
            ("x.y", "a@x.y", "host-unknown"),
            ("x.y", "x.y/b", "host-unknown"),
            ("x.y", "@", "host-unknown"),
            ("x.y", "X.Y.", "none"),
            (" to='x.y'", "", "none"),
            (" version='1.0'", "", "unsupported-version"),
            ("'1.0'", "'0.9'", "unsupported-version"),
            ("'1.0'", "'one'", "unsupported-version"),
            ("'1.0'", "''", "unsupported-version"),
            ("'1.0'", "'12.3'", "none"),
            ("'1.0'", "'1.99999999999999999999'", "none"),
        ] {
            assert_eq!(fault(&GOOD.replacen(from, to, 1)), expected, "{from} -> {to}");
        }
        let prefixed = GOOD.replace("stream:stream", "s:stream").replace("xmlns:stream", "xmlns:s");
        assert_eq!(fault(&prefixed), "bad-namespace-prefix");
        let extensions = |count| -> String { (0..count).map(|i| format!(" xmlns:x{i}='u'")).collect() };
        assert_eq!(fault(&GOOD.replace(" to=", &format!("{} to=", extensions(6)))), "none");
        assert_eq!(fault(&GOOD.replace(" to=", &format!("{} to=", extensions(7)))), "invalid-namespace");
        let unprefixed = "<stream to='x.y' version='1.0' xmlns='http://etherx.jabber.org/streams'>";
        assert_eq!(fault(unprefixed), "bad-namespace-prefix");
    }

    /// RFC 6120 §4.7.5's own comparison.
    #[test]
    fn versions_are_numbers() {
        let versions = ["0.9", "1.0", "2.4", "2.13", "12.3"].map(|text| parse_version(Some(text)).unwrap());
        assert!(versions.is_sorted());
        assert_eq!(parse_version(Some("6.01")), Some((6, 1)));
        for bad in ["", "1", ".", "1.", ".1", "-1.0", "+1.0", "1.0.0", " 1.0"] {
            assert_eq!(parse_version(Some(bad)), None, "{bad}");
        }
    }

    #[test]
    fn language_and_from() {
        let header = parse(&GOOD.replacen("to=", "xml:lang='de-CH' from='A@x.y/z' to=", 1));
        assert_eq!(header.lang.as_deref(), Some(&b"de-CH"[..]));
        assert_eq!(header.from.unwrap().as_str(), "a@x.y");
        let header = parse(&GOOD.replacen("to=", "xml:lang='d&apos;e' from='@' to=", 1));
        assert!(header.lang.is_none() && header.from.is_none() && header.from_malformed);
    }
}
