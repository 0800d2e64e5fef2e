//! The stream errors (RFC 6120 §4.9.3): on the wire, from XML faults, and off the wire.
//!
//! This module closes nothing: whoever gets a [`StreamError`] writes it and ends the stream (§4.9.1.1).

use std::fmt;

use super::{NS_SM, NS_STREAM, NS_STREAMS};
use crate::xml::{Node, XmlError, escape_text_into};

/// Whose fault the end of a stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Blame {
    /// The other side.
    Peer,
    /// This program.
    Us,
    /// The path between: reset, refused, timed out.
    Network,
}

/// The conditions, each with its name and RFC section: one table for all functions.
macro_rules! conditions {
    ($($variant:ident $name:literal $doc:literal;)*) => {
        /// Defined stream error condition (RFC 6120 §4.9.3). The comment says who sends it here, or why nobody does yet.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum StreamCondition {
            $(#[doc = $doc] $variant,)*
        }

        impl StreamCondition {
            /// All of them, in the RFC's order.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Name on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Condition of that name. A receiver takes an unknown one for [`StreamCondition::UndefinedCondition`]
            /// (RFC 6120 §4.9.2).
            #[must_use]
            pub fn parse(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

conditions! {
    BadFormat "bad-format" "§4.9.3.1: text between stanzas, or a header that is no `stream`.";
    BadNamespacePrefix "bad-namespace-prefix" "§4.9.3.2: the header's prefix is not `stream`, or a stanza has one.";
    Conflict "conflict" "§4.9.3.3: a new stream has bound the same resource.";
    ConnectionTimeout "connection-timeout" "§4.9.3.4: no login in time, or no answer to a ping.";
    HostGone "host-gone" "§4.9.3.5: sent by nobody here, a domain is never taken away while serving.";
    HostUnknown "host-unknown" "§4.9.3.6: the header's `to` is not served here.";
    ImproperAddressing "improper-addressing" "§4.9.3.7: stanzas between servers; with the issue that builds them.";
    InternalServerError "internal-server-error" "§4.9.3.8: a fault of ours.";
    InvalidFrom "invalid-from" "§4.9.3.9: a `from` that is not the client's.";
    InvalidNamespace "invalid-namespace" "§4.9.3.10: another stream or content namespace.";
    InvalidXml "invalid-xml" "§4.9.3.11: validation against schemas, which nobody here does.";
    NotAuthorized "not-authorized" "§4.9.3.12: stanzas before login and bind.";
    NotWellFormed "not-well-formed" "§4.9.3.13: XML or its namespaces are ill-formed.";
    PolicyViolation "policy-violation" "§4.9.3.14: a limit is passed.";
    RemoteConnectionFailed "remote-connection-failed" "§4.9.3.15: a remote authority; with the issue that has one.";
    Reset "reset" "§4.9.3.16: features or certificates have changed; nothing does while serving.";
    ResourceConstraint "resource-constraint" "§4.9.3.17: out of room, or a reader that is too slow.";
    RestrictedXml "restricted-xml" "§4.9.3.18: comment, processing instruction, DTD, entity.";
    SeeOtherHost "see-other-host" "§4.9.3.19: only after TLS; with the issue that builds it.";
    SystemShutdown "system-shutdown" "§4.9.3.20: the server stops.";
    UndefinedCondition "undefined-condition" "§4.9.3.21: with an extension's own condition.";
    UnsupportedEncoding "unsupported-encoding" "§4.9.3.22: not UTF-8.";
    UnsupportedFeature "unsupported-feature" "§4.9.3.23: a client's word for features it cannot do.";
    UnsupportedStanzaType "unsupported-stanza-type" "§4.9.3.24: a first-level element that nobody knows.";
    UnsupportedVersion "unsupported-version" "§4.9.3.25: a header of before XMPP 1.0.";
}

impl fmt::Display for StreamCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What an extension adds to `undefined-condition` (RFC 6120 §4.9.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SpecificCondition {
    /// XEP-0198 §6: more is acknowledged than was sent.
    HandledCountTooHigh {
        /// So many.
        h: u32,
        /// That was sent.
        send_count: u32,
    },
}

impl SpecificCondition {
    fn write(self, out: &mut Vec<u8>) {
        let Self::HandledCountTooHigh { h, send_count } = self;
        let element = format!("<handled-count-too-high xmlns='{NS_SM}' h='{h}' send-count='{send_count}'/>");
        out.extend_from_slice(element.as_bytes());
    }
}

/// A stream error: what goes on the wire, and who broke.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{}", condition.as_str(), text.as_deref().map(|text| format!(" ({text})")).unwrap_or_default())]
pub struct StreamError {
    /// Condition on the wire.
    pub condition: StreamCondition,
    /// `<text/>`.
    pub text: Option<String>,
    /// An extension's own condition; written, not read.
    pub specific: Option<SpecificCondition>,
    /// Whose fault.
    pub blame: Blame,
}

impl StreamError {
    /// The peer's fault.
    #[must_use]
    pub fn peer(condition: StreamCondition) -> Self {
        Self { condition, text: None, specific: None, blame: Blame::Peer }
    }

    /// Our own doing.
    #[must_use]
    pub fn us(condition: StreamCondition) -> Self {
        Self { condition, text: None, specific: None, blame: Blame::Us }
    }

    /// XEP-0198 §6: the peer acknowledges `h` stanzas and was sent `send_count`.
    #[must_use]
    pub const fn handled_count_too_high(h: u32, send_count: u32) -> Self {
        Self {
            condition: StreamCondition::UndefinedCondition,
            text: None,
            specific: Some(SpecificCondition::HandledCountTooHigh { h, send_count }),
            blame: Blame::Peer,
        }
    }

    /// With `<text/>`.
    #[must_use]
    pub fn with_text(mut self, text: impl Into<String>) -> Self {
        self.text = Some(text.into());
        self
    }

    /// Appends `<stream:error>…</stream:error></stream:stream>`.
    pub fn write(&self, out: &mut Vec<u8>) {
        for part in ["<stream:error><", self.condition.as_str(), " xmlns='", NS_STREAMS, "'/>"] {
            out.extend_from_slice(part.as_bytes());
        }
        if let Some(text) = &self.text {
            for part in ["<text xmlns='", NS_STREAMS, "' xml:lang='en'>"] {
                out.extend_from_slice(part.as_bytes());
            }
            escape_text_into(text, out);
            out.extend_from_slice(b"</text>");
        }
        if let Some(specific) = self.specific {
            specific.write(out);
        }
        out.extend_from_slice(b"</stream:error></stream:stream>");
    }

    /// The error that a server has sent; `None` when `node` is no `<stream:error/>`. One without a condition that is
    /// known here is `undefined-condition` (RFC 6120 §4.9.2).
    #[must_use]
    pub fn parse(node: &Node<'_>) -> Option<Self> {
        if !node.is("error", NS_STREAM) {
            return None;
        }
        let mut error = Self::peer(StreamCondition::UndefinedCondition);
        for child in node.elements().filter(|child| child.ns == NS_STREAMS) {
            match StreamCondition::parse(child.name) {
                Some(condition) => error.condition = condition,
                None if child.name == "text" => error.text = Some(child.text()),
                None => {}
            }
        }
        Some(error)
    }
}

impl From<XmlError> for StreamError {
    fn from(error: XmlError) -> Self {
        let (condition, text) = match error {
            XmlError::NotWellFormed(text) => (StreamCondition::NotWellFormed, text),
            XmlError::Restricted(text) => (StreamCondition::RestrictedXml, text),
            XmlError::UnsupportedEncoding(text) => (StreamCondition::UnsupportedEncoding, text),
            XmlError::BadFormat(text) => (StreamCondition::BadFormat, text),
            XmlError::Limit(text) => (StreamCondition::PolicyViolation, text),
        };
        Self::peer(condition).with_text(text)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{StreamCondition, StreamError};
    use crate::xml::{Element, Node, XmlError};

    #[test]
    fn all_25_round_trip() {
        assert_eq!(StreamCondition::ALL.len(), 25);
        for condition in StreamCondition::ALL {
            assert_eq!(StreamCondition::parse(condition.as_str()), Some(*condition));
        }
        // Named in RFC 3920 only.
        assert_eq!(StreamCondition::parse("invalid-id"), None);
        assert!(StreamCondition::ALL.is_sorted_by_key(|condition| condition.as_str()));
    }

    #[test]
    fn written_and_read() {
        for condition in StreamCondition::ALL {
            for text in [None, Some("1 < 2")] {
                let mut error = StreamError::peer(*condition);
                error.text = text.map(Into::into);
                let mut out = Vec::new();
                error.write(&mut out);
                let written = String::from_utf8(out).unwrap();
                let element = written.strip_suffix("</stream:stream>").unwrap();
                let declared =
                    element.replacen("error", "error xmlns:stream='http://etherx.jabber.org/streams'", 1);
                let element = Element::from_own(Bytes::from(declared));
                assert_eq!(StreamError::parse(&Node::parse(&element, "jabber:client")), Some(error));
            }
        }
    }

    /// XEP-0198 §6, example 14 without its text.
    #[test]
    fn an_extensions_own_condition() {
        let mut out = Vec::new();
        StreamError::handled_count_too_high(10, 8).write(&mut out);
        let expected = "<stream:error><undefined-condition xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>\
                        <handled-count-too-high xmlns='urn:xmpp:sm:3' h='10' send-count='8'/></stream:error>\
                        </stream:stream>";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn unknown_conditions() {
        let parse = |text: &'static str| {
            let element = Element::from_own(Bytes::from_static(text.as_bytes()));
            StreamError::parse(&Node::parse(&element, "jabber:client"))
        };
        let undefined = Some(StreamError::peer(StreamCondition::UndefinedCondition));
        assert_eq!(parse("<error xmlns='http://etherx.jabber.org/streams'/>"), undefined);
        let new = "<error xmlns='http://etherx.jabber.org/streams'>\
                   <new xmlns='urn:ietf:params:xml:ns:xmpp-streams'/><conflict xmlns='urn:x'/></error>";
        assert_eq!(parse(new), undefined);
        assert_eq!(parse("<error/>"), None);
    }

    #[test]
    fn xml_faults() {
        for (fault, expected) in [
            (XmlError::NotWellFormed("x"), "not-well-formed (x)"),
            (XmlError::Restricted("x"), "restricted-xml (x)"),
            (XmlError::UnsupportedEncoding("x"), "unsupported-encoding (x)"),
            (XmlError::BadFormat("x"), "bad-format (x)"),
            (XmlError::Limit("x"), "policy-violation (x)"),
        ] {
            assert_eq!(StreamError::from(fault).to_string(), expected);
        }
    }
}
