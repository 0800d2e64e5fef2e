//! What routing needs of a stanza: kind, type and four attributes, as ranges of its bytes.
//!
//! This module does not copy, does not resolve addresses, and does not judge whether the stanza makes sense
//! (`check.rs` does).

use super::NS_CLIENT;
use crate::xml::{Element, Span, unescape};

/// Which of the three stanzas (RFC 6120 §8.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `<message/>`
    Message,
    /// `<presence/>`
    Presence,
    /// `<iq/>`
    Iq,
}

impl Kind {
    /// Name of the element.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Presence => "presence",
            Self::Iq => "iq",
        }
    }
}

/// Value of `type`, over all kinds; which ones fit which kind is [`Head::parse`]'s concern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StanzaType {
    /// No `type` attribute (normal message, available presence).
    None,
    /// Message (RFC 6121 §5.2.2).
    Normal,
    /// Message of a conversation.
    Chat,
    /// Message to a room.
    Groupchat,
    /// Message without expected answer.
    Headline,
    /// Any kind: answers a stanza that failed (RFC 6120 §8.3).
    Error,
    /// Presence (RFC 6121 §4.7.1).
    Unavailable,
    /// Presence: asks for a subscription.
    Subscribe,
    /// Presence: grants it.
    Subscribed,
    /// Presence: gives it up.
    Unsubscribe,
    /// Presence: takes it back.
    Unsubscribed,
    /// Presence: asks for the current one.
    Probe,
    /// IQ: asks (RFC 6120 §8.2.3).
    Get,
    /// IQ: changes.
    Set,
    /// IQ: answers.
    Result,
    /// Anything else: a message is then normal (RFC 6121 §5.2.2), an IQ or presence a `bad-request`.
    Unknown,
}

/// Routing fields of a stanza, as spans into its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Which stanza.
    pub kind: Kind,
    /// `type`.
    pub stanza_type: StanzaType,
    /// Raw value of `to`.
    pub to: Option<Span>,
    /// Raw value of `from` as the sender wrote it.
    pub from: Option<Span>,
    /// The whole ` from='…'` attribute with the white space before it.
    pub from_whole: Option<Span>,
    /// Raw value of `id`.
    pub id: Option<Span>,
    /// Raw value of `xml:lang`.
    pub lang: Option<Span>,
    /// Behind the element's name: where attributes may be inserted.
    pub name_end: u32,
    /// Behind the start tag's `>`.
    pub tag_end: u32,
}

impl Head {
    /// Head of `element`; `None` when it is no stanza: another name, a prefix (RFC 6120 §4.8.5), or an own `xmlns`
    /// that is not `jabber:client`.
    #[must_use]
    pub fn parse(element: &Element) -> Option<Self> {
        let tag = element.tag();
        let kind = match tag.name() {
            "message" => Kind::Message,
            "presence" => Kind::Presence,
            "iq" => Kind::Iq,
            _ => return None,
        };
        let name_end = offset(1 + kind.as_str().len());
        let mut head = Self {
            kind,
            stanza_type: StanzaType::None,
            to: None,
            from: None,
            from_whole: None,
            id: None,
            lang: None,
            name_end,
            tag_end: 0,
        };
        let mut attrs_end = name_end;
        for attr in tag.attrs() {
            attrs_end = attr.whole.end;
            match attr.name {
                "to" => head.to = Some(attr.value),
                "from" => (head.from, head.from_whole) = (Some(attr.value), Some(attr.whole)),
                "id" => head.id = Some(attr.value),
                "type" => head.stanza_type = StanzaType::parse(kind, attr.raw),
                "xml:lang" => head.lang = Some(attr.value),
                "xmlns" if !is_client_namespace(attr.raw) => return None,
                _ => {}
            }
        }
        // Behind the last attribute there is only white space, `/` and the `>` looked for.
        let rest = &element.bytes[attrs_end as usize..];
        let close = rest.iter().position(|&byte| byte == b'>').expect("a checked element's tag is closed");
        head.tag_end = attrs_end + offset(close + 1);
        Some(head)
    }
}

fn offset(at: usize) -> u32 {
    u32::try_from(at).expect("stanzas are far below 4 GiB")
}

fn is_client_namespace(raw: &str) -> bool {
    raw == NS_CLIENT || (raw.contains('&') && unescape(raw).is_ok_and(|ns| ns == NS_CLIENT))
}

impl StanzaType {
    /// Type of a `kind` from the attribute's raw value.
    fn parse(kind: Kind, raw: &str) -> Self {
        match (kind, raw) {
            (_, "error") => Self::Error,
            (Kind::Message, "chat") => Self::Chat,
            (Kind::Message, "normal") => Self::Normal,
            (Kind::Message, "groupchat") => Self::Groupchat,
            (Kind::Message, "headline") => Self::Headline,
            (Kind::Presence, "unavailable") => Self::Unavailable,
            (Kind::Presence, "subscribe") => Self::Subscribe,
            (Kind::Presence, "subscribed") => Self::Subscribed,
            (Kind::Presence, "unsubscribe") => Self::Unsubscribe,
            (Kind::Presence, "unsubscribed") => Self::Unsubscribed,
            (Kind::Presence, "probe") => Self::Probe,
            (Kind::Iq, "get") => Self::Get,
            (Kind::Iq, "set") => Self::Set,
            (Kind::Iq, "result") => Self::Result,
            // Two spellings of one value must not be two types, or a filter can be passed.
            (_, raw) if raw.contains('&') => match unescape(raw) {
                Ok(text) if !text.contains('&') => Self::parse(kind, &text),
                _ => Self::Unknown,
            },
            _ => Self::Unknown,
        }
    }

    /// Value on the wire; `None` for no attribute and for the unknown ones.
    #[must_use]
    pub const fn as_str(self) -> Option<&'static str> {
        Some(match self {
            Self::None | Self::Unknown => return None,
            Self::Normal => "normal",
            Self::Chat => "chat",
            Self::Groupchat => "groupchat",
            Self::Headline => "headline",
            Self::Error => "error",
            Self::Unavailable => "unavailable",
            Self::Subscribe => "subscribe",
            Self::Subscribed => "subscribed",
            Self::Unsubscribe => "unsubscribe",
            Self::Unsubscribed => "unsubscribed",
            Self::Probe => "probe",
            Self::Get => "get",
            Self::Set => "set",
            Self::Result => "result",
        })
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{Head, Kind, StanzaType};
    use crate::xml::{Element, Span};

    fn head(text: &str) -> Option<Head> {
        Head::parse(&Element::from_own(Bytes::from(text.to_owned())))
    }

    fn at(text: &str, span: Option<Span>) -> Option<&str> {
        span.map(|span| &text[span.range()])
    }

    #[test]
    fn fields() {
        let text = "<message\n to = \"a@b/c'd\" from='x@y'  id='1&amp;2' xml:lang='de' type='chat' a:b='' xmlns:a='u' >x</message>";
        let head = head(text).unwrap();
        assert_eq!((head.kind, head.stanza_type), (Kind::Message, StanzaType::Chat));
        assert_eq!(at(text, head.to), Some("a@b/c'd"));
        assert_eq!(at(text, head.from), Some("x@y"));
        assert_eq!(at(text, head.from_whole), Some(" from='x@y'"));
        assert_eq!(at(text, head.id), Some("1&amp;2"));
        assert_eq!(at(text, head.lang), Some("de"));
        assert_eq!(&text[..head.name_end as usize], "<message");
        assert_eq!(&text[head.tag_end as usize..], "x</message>");
    }

    #[test]
    fn empty_elements() {
        for text in ["<presence/>", "<presence />", "<presence a='>/'/>", "<presence a='>/' />"] {
            let head = head(text).unwrap();
            assert_eq!((head.kind, head.stanza_type), (Kind::Presence, StanzaType::None));
            assert_eq!(head.tag_end as usize, text.len(), "{text}");
        }
    }

    #[test]
    fn no_stanzas() {
        for text in [
            "<foo/>",
            "<Message/>",
            "<messages/>",
            "<c:message xmlns:c='jabber:client'/>",
            "<message xmlns='jabber:server'/>",
            "<message xmlns=''/>",
            "<iq xmlns='http://etherx.jabber.org/streams'/>",
        ] {
            assert_eq!(head(text), None, "{text}");
        }
        for text in ["<iq xmlns='jabber:client'/>", "<iq xmlns='jabber&#58;client'/>"] {
            assert!(head(text).is_some(), "{text}");
        }
    }

    #[test]
    fn types_belong_to_kinds() {
        for (text, expected) in [
            ("<message type='chat'/>", StanzaType::Chat),
            ("<message type='error'/>", StanzaType::Error),
            ("<message type='get'/>", StanzaType::Unknown),
            ("<message type=''/>", StanzaType::Unknown),
            ("<message type='Chat'/>", StanzaType::Unknown),
            ("<message type='ch&#97;t'/>", StanzaType::Chat),
            ("<message type='ch&amp;#97;t'/>", StanzaType::Unknown),
            ("<presence type='probe'/>", StanzaType::Probe),
            ("<presence type='chat'/>", StanzaType::Unknown),
            ("<iq type='result'/>", StanzaType::Result),
            ("<iq type='subscribe'/>", StanzaType::Unknown),
            ("<iq/>", StanzaType::None),
        ] {
            assert_eq!(head(text).unwrap().stanza_type, expected, "{text}");
        }
    }
}
