//! A stanza in three parts: a head and a tail that all recipients share, and a middle that is written for each.
//!
//! Nothing here rebuilds a stanza: what is between the stamped attributes goes out byte for byte as it came.

use bytes::{Bytes, BytesMut};

use super::{Head, Kind};
use crate::limits::FramerLimits;
use crate::xml::{Element, Frame, Framer, Span, escape_attr_into};

/// Which `to` a copy of a stanza carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To<'a> {
    /// As the sender wrote it (`to` is never rewritten).
    Kept,
    /// The sender wrote none: this escaped address is stamped (presence broadcasts).
    Stamped(&'a [u8]),
}

/// A stanza in at most three parts: shared head, middle written per recipient, shared tail. Cloning shares the bytes.
///
/// ```text
/// <message    from='…' to='…' xml:lang='…'    to='…' id='…'   (from='…')   ><body>…</message>
/// head        middle: what is stamped         as the sender wrote it, without its own `from`
/// ```
#[derive(Debug, Clone)]
pub struct Stanza {
    element: Element,
    head: Head,
    /// Escaped `from` to stamp; replaces the sender's own.
    from: Option<Bytes>,
    /// Escaped `xml:lang` to stamp; only when the sender wrote none.
    lang: Option<Bytes>,
    /// Somebody keeps it until it is known to have arrived.
    kept: bool,
}

const FROM: &[u8] = b" from='";
const TO: &[u8] = b" to='";
const LANG: &[u8] = b" xml:lang='";
const QUOTE: &[u8] = b"'";

impl Stanza {
    /// A stanza as its sender wrote it. An element that leans on its stream header is rewritten with its own
    /// declarations (RFC 6120 §4.8.5): the others' streams do not have that header. One that [`leans_too_much`] is
    /// kept as it is and must not be routed.
    #[must_use]
    pub fn new(element: Element, head: Head) -> Self {
        match redeclared(&element) {
            None => Self { element, head, from: None, lang: None, kept: false },
            Some(element) => {
                let head = Head::parse(&element).expect("declarations do not make another element of it");
                Self { element, head, from: None, lang: None, kept: false }
            }
        }
    }

    /// A stanza that this program wrote, complete with `from` and `to`. Panics if it is none.
    #[must_use]
    pub fn from_own(bytes: Bytes) -> Self {
        let element = Element::from_own(bytes);
        let head = Head::parse(&element).expect("this program wrote a stanza");
        Self { element, head, from: None, lang: None, kept: false }
    }

    /// A stanza that this program wrote once and kept elsewhere; `None` when it is none any more.
    #[must_use]
    pub fn parse_own(bytes: &[u8]) -> Option<Self> {
        let element = check(bytes)?;
        let head = Head::parse(&element)?;
        Some(Self { element, head, from: None, lang: None, kept: false })
    }

    /// Stamps `from` (escaped attribute text); the sender's own `from` attribute is cut.
    pub fn stamp_from(&mut self, from: Bytes) {
        self.from = Some(from);
    }

    /// Stamps the language of the sender's stream (escaped attribute text) on a message or presence that has none and
    /// carries something (RFC 6120 §8.1.5). One that is there is never changed.
    pub fn stamp_lang(&mut self, lang: Bytes) {
        let carries = self.element.bytes.len() > self.head.tag_end as usize;
        if self.head.lang.is_none() && self.head.kind != Kind::Iq && carries {
            self.lang = Some(lang);
        }
    }

    /// The same stanza to another address (unescaped): subscription requests go to the bare address, whatever their sender
    /// wrote (RFC 6121 §3.1.2). Builds it anew; without `to` there is nothing to replace.
    #[must_use]
    pub fn readdressed(&self, to: &str) -> Self {
        let whole = self.element.tag().attrs().find(|attr| attr.name == "to").map(|attr| attr.whole);
        let Some(whole) = whole else { return self.clone() };
        let mut bytes = self.element.bytes[..whole.start as usize].to_vec();
        bytes.extend_from_slice(TO);
        escape_attr_into(to, &mut bytes);
        bytes.extend_from_slice(QUOTE);
        bytes.extend_from_slice(&self.element.bytes[whole.end as usize..]);
        let Some(element) = check(&bytes) else { return self.clone() };
        let head = Head::parse(&element).expect("another address does not make another element of it");
        Self { element, head, from: self.from.clone(), lang: self.lang.clone(), kept: self.kept }
    }

    /// The same stanza, which somebody keeps until it is known to have arrived: who cannot deliver it forgets it.
    #[must_use]
    pub const fn kept_elsewhere(mut self) -> Self {
        self.kept = true;
        self
    }

    /// Whether somebody keeps it until it is known to have arrived.
    #[must_use]
    pub const fn is_kept_elsewhere(&self) -> bool {
        self.kept
    }

    /// Which kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.head.kind
    }

    /// Routing fields, as spans of [`Stanza::element`].
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The element as its sender wrote it.
    #[must_use]
    pub fn element(&self) -> &Element {
        &self.element
    }

    /// Raw `to`.
    #[must_use]
    pub fn to(&self) -> Option<&str> {
        self.raw(self.head.to)
    }

    /// Raw `from`: the stamped one, else the sender's.
    #[must_use]
    pub fn from(&self) -> Option<&str> {
        match &self.from {
            Some(from) => Some(std::str::from_utf8(from).expect("an escaped address is text")),
            None => self.sender_from(),
        }
    }

    /// Raw `from` as the sender wrote it.
    #[must_use]
    pub fn sender_from(&self) -> Option<&str> {
        self.raw(self.head.from)
    }

    /// Raw `id`.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.raw(self.head.id)
    }

    /// Bytes that [`Stanza::write`] appends.
    #[must_use]
    pub fn written_len(&self, to: To<'_>) -> usize {
        let stamped = |name: &[u8], value: &[u8]| name.len() + value.len() + QUOTE.len();
        self.element.bytes.len() - self.cut().map_or(0, Span::len)
            + self.from.as_ref().map_or(0, |from| stamped(FROM, from))
            + self.lang.as_ref().map_or(0, |lang| stamped(LANG, lang))
            + match to {
                To::Kept => 0,
                To::Stamped(to) => stamped(TO, to),
            }
    }

    /// Appends the copy for one recipient. Copies each byte once, and reserves once.
    pub fn write(&self, to: To<'_>, out: &mut Vec<u8>) {
        out.reserve(self.written_len(to));
        let tail_start = self.write_until_tail(to, out);
        out.extend_from_slice(&self.element.bytes[tail_start..]);
    }

    /// Appends head and middle, and returns the tail, which is shared instead of copied.
    #[must_use]
    pub fn write_front(&self, to: To<'_>, out: &mut Vec<u8>) -> Bytes {
        let tail_start = self.write_until_tail(to, out);
        self.element.bytes.slice(tail_start..)
    }

    /// Appends what comes before the tail; returns where the tail begins.
    fn write_until_tail(&self, to: To<'_>, out: &mut Vec<u8>) -> usize {
        debug_assert!(to == To::Kept || self.head.to.is_none(), "`to` is never rewritten");
        let bytes = &self.element.bytes;
        let name_end = self.head.name_end as usize;
        out.extend_from_slice(&bytes[..name_end]);
        if let Some(from) = &self.from {
            write_stamp(FROM, from, out);
        }
        if let To::Stamped(to) = to {
            write_stamp(TO, to, out);
        }
        if let Some(lang) = &self.lang {
            write_stamp(LANG, lang, out);
        }
        match self.cut() {
            Some(cut) => {
                out.extend_from_slice(&bytes[name_end..cut.start as usize]);
                cut.end as usize
            }
            None => name_end,
        }
    }

    /// The sender's own `from`, when another is stamped.
    fn cut(&self) -> Option<Span> {
        self.head.from_whole.filter(|_| self.from.is_some())
    }

    fn raw(&self, span: Option<Span>) -> Option<&str> {
        // Only the value is checked as text again, not the whole stanza.
        span.map(|span| {
            std::str::from_utf8(&self.element.bytes[span.range()]).expect("the framer checked it")
        })
    }
}

fn write_stamp(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name);
    out.extend_from_slice(value);
    out.extend_from_slice(QUOTE);
}

/// Whether `element` uses so many prefixes of its stream header that it would pass the framer's limits if it declared
/// them itself. No client does that; its stream is closed with `invalid-namespace`, as RFC 6120 §4.8.5 recommends for
/// any extension namespace in a header.
#[must_use]
pub fn leans_too_much(element: &Element) -> bool {
    element.scope.is_some() && redeclared(element).is_none()
}

/// `element` with the declarations that it lacks; `None` when it lacks none, or when it would pass a limit with them.
fn redeclared(element: &Element) -> Option<Element> {
    element.scope.as_ref()?;
    let name_end = 1 + element.tag().name().len();
    let mut bytes = element.bytes[..name_end].to_vec();
    for (prefix, namespace) in missing_declarations(element) {
        bytes.extend_from_slice(format!(" xmlns:{prefix}='").as_bytes());
        escape_attr_into(namespace, &mut bytes);
        bytes.extend_from_slice(QUOTE);
    }
    bytes.extend_from_slice(&element.bytes[name_end..]);
    check(&bytes)
}

/// Puts bytes that a peer had a part in through a framer once more. Our own (`Element::from_own`) must be right; these
/// may fail at a limit.
fn check(bytes: &[u8]) -> Option<Element> {
    let mut framer =
        Framer::new(FramerLimits { stanza_bytes_max: u32::MAX as usize, elements_max: u32::MAX });
    let mut input = BytesMut::from(&b"<stream xmlns='jabber:client'>"[..]);
    input.extend_from_slice(bytes);
    match (framer.next_frame(&mut input), framer.next_frame(&mut input)) {
        (Ok(Some(Frame::Open(_))), Ok(Some(Frame::Element(element)))) => {
            Some(element).filter(|element| element.scope.is_none())
        }
        _ => None,
    }
}

/// The stream header's declarations of the prefixes that `element` mentions and does not declare at its top. A prefix
/// that is only mentioned in text costs a declaration too many, which means nothing.
fn missing_declarations(element: &Element) -> impl Iterator<Item = (&str, &str)> {
    let declarations = element.scope.iter().flat_map(|scope| scope.declarations());
    declarations.filter(|(prefix, _)| {
        let declares = |name: &str| name.strip_prefix("xmlns:") == Some(prefix);
        !prefix.is_empty()
            && element.as_str().contains(&format!("{prefix}:"))
            && !element.tag().attrs().any(|attr| declares(attr.name))
    })
}

#[cfg(test)]
mod tests;
