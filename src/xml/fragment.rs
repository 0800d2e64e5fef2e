//! Parts of an element that are to stand alone: their text as it came, with the declarations that they lean on.
//!
//! It judges nothing, and sees only what a framer has passed. A part that declares what it uses comes out byte for byte.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::{Element, Frame, Framer, Tag, escape_attr_into};
use crate::limits::FramerLimits;

/// The text of every descendant of `element` at `depth` (1: its children), in order. Names without prefix and without
/// `xmlns` around them are in `default_ns`.
#[must_use]
pub fn fragments(element: &Element, depth: usize, default_ns: &str) -> Vec<String> {
    let text = element.as_str();
    let mut walk = Walk { element, text, default_ns, bindings: Vec::new(), open: Vec::new(), part: None };
    let mut done = Vec::new();
    let mut at = 0;
    while let Some(found) = text[at..].find('<') {
        at += found;
        let rest = &text[at..];
        if rest.starts_with("<![CDATA[") {
            at += rest.find("]]>").expect("a checked section ends") + 3;
            continue;
        }
        let is_end = rest.starts_with("</");
        let mut closes = is_end;
        if is_end {
            at += rest.find('>').expect("a checked tag is closed") + 1;
        } else {
            let tag = Tag::new(rest);
            walk.start(tag, at, depth);
            closes = tag.is_empty_element();
            at += tag.len();
        }
        if closes {
            done.extend(walk.end(at, depth));
            if walk.open.is_empty() {
                break;
            }
        }
    }
    done
}

/// Whether `bytes` are one element within the limits that hold for every element. What a peer had a part in must be asked
/// about before it is taken for [`Element::from_own`].
#[must_use]
pub fn is_element(bytes: &[u8]) -> bool {
    let limits = FramerLimits { stanza_bytes_max: u32::MAX as usize, elements_max: u32::MAX };
    let mut framer = Framer::inside(limits, Arc::default());
    let mut input = BytesMut::from(Bytes::copy_from_slice(bytes));
    matches!(framer.next_frame(&mut input), Ok(Some(Frame::Element(_)))) && input.is_empty()
}

/// An element that is walked through.
struct Walk<'a> {
    element: &'a Element,
    /// Of the element: looking at it checks it again.
    text: &'a str,
    default_ns: &'a str,
    /// Declarations in scope, innermost last: prefix, and the namespace as it is written.
    bindings: Vec<(&'a str, &'a str)>,
    /// Of each open element, how many bindings there were before it.
    open: Vec<usize>,
    part: Option<Part<'a>>,
}

/// A part that has begun.
struct Part<'a> {
    start: usize,
    /// Behind its name, where declarations go.
    name_end: usize,
    /// Bindings that are not its own.
    outside: usize,
    /// Prefixes that it uses and does not bind.
    missing: Vec<&'a str>,
}

impl<'a> Walk<'a> {
    fn start(&mut self, tag: Tag<'a>, at: usize, depth: usize) {
        let outside = self.bindings.len();
        if self.open.len() == depth {
            let name_end = at + 1 + tag.name().len();
            self.part = Some(Part { start: at, name_end, outside, missing: Vec::new() });
        }
        self.open.push(outside);
        self.bindings.extend(tag.attrs().filter_map(|attr| {
            let prefix = if attr.name == "xmlns" { "" } else { attr.name.strip_prefix("xmlns:")? };
            Some((prefix, attr.raw))
        }));
        self.uses(tag.prefix().unwrap_or_default());
        for (prefix, _) in tag.attrs().filter_map(|attr| attr.name.split_once(':')) {
            if prefix != "xmlns" {
                self.uses(prefix);
            }
        }
    }

    fn uses(&mut self, prefix: &'a str) {
        let Some(part) = &mut self.part else { return };
        let is_bound = self.bindings[part.outside..].iter().any(|(bound, _)| *bound == prefix);
        if !is_bound && prefix != "xml" && !part.missing.contains(&prefix) {
            part.missing.push(prefix);
        }
    }

    /// The innermost element ends at `end`; the part's text, when it was the part.
    fn end(&mut self, end: usize, depth: usize) -> Option<String> {
        self.bindings.truncate(self.open.pop().expect("tags match"));
        if self.open.len() != depth {
            return None;
        }
        let part = self.part.take()?;
        let text = self.text.as_bytes();
        let mut out = text[part.start..part.name_end].to_vec();
        for prefix in part.missing {
            self.declare(prefix, &mut out);
        }
        out.extend_from_slice(&text[part.name_end..end]);
        Some(String::from_utf8(out).expect("text stays text"))
    }

    /// Appends a declaration of the namespace that `prefix` has outside of the part.
    fn declare(&self, prefix: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(b" xmlns");
        if !prefix.is_empty() {
            out.push(b':');
            out.extend_from_slice(prefix.as_bytes());
        }
        out.push(b'=');
        if let Some((_, raw)) = self.bindings.iter().rfind(|(bound, _)| *bound == prefix) {
            let quote = if raw.contains('\'') { b'"' } else { b'\'' };
            out.push(quote);
            out.extend_from_slice(raw.as_bytes());
            out.push(quote);
            return;
        }
        let scope = self.element.scope.as_ref().filter(|_| !prefix.is_empty());
        let namespace = scope.and_then(|scope| scope.namespace(prefix)).unwrap_or(self.default_ns);
        out.push(b'\'');
        escape_attr_into(namespace, out);
        out.push(b'\'');
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::{fragments, is_element};
    use crate::limits::FRAMER_AFTER_AUTH;
    use crate::xml::{Element, Frame, Framer};

    /// The first element behind a header that declares `h`.
    fn element(text: &str) -> Element {
        let mut framer = Framer::new(FRAMER_AFTER_AUTH);
        let mut input = BytesMut::from("<h:h xmlns='jabber:client' xmlns:h='urn:h&apos;'>");
        input.extend_from_slice(text.as_bytes());
        framer.next_frame(&mut input).unwrap();
        let Ok(Some(Frame::Element(element))) = framer.next_frame(&mut input) else {
            panic!("an element: {text}")
        };
        element
    }

    #[test]
    fn parts_stand_alone() {
        for (text, depth, parts) in [
            (
                "<iq><a xmlns='u' b = \"'\"> <c/>&amp;</a> <d xmlns=\"v\"/></iq>",
                1,
                vec!["<a xmlns='u' b = \"'\"> <c/>&amp;</a>", "<d xmlns=\"v\"/>"],
            ),
            (
                "<iq><q xmlns='u'>x<a/>y<b xmlns='v'><c/></b></q></iq>",
                2,
                vec!["<a xmlns='u'/>", "<b xmlns='v'><c/></b>"],
            ),
            (
                "<iq xmlns:p=\"o'\"><q xmlns='u' xmlns:r='w'><p:a p:b='' xml:lang='de'><r:c/><d/></p:a></q></iq>",
                2,
                vec!["<p:a xmlns:p=\"o'\" xmlns:r='w' xmlns='u' p:b='' xml:lang='de'><r:c/><d/></p:a>"],
            ),
            // Inner declarations hide outer ones, and only where they hold.
            (
                "<iq xmlns:p='1'><q xmlns:p='2'><a xmlns='u'><b xmlns:p='3'><p:c/></b></a><p:a/></q></iq>",
                2,
                vec!["<a xmlns='u'><b xmlns:p='3'><p:c/></b></a>", "<p:a xmlns:p='2'/>"],
            ),
            (
                "<iq><q xmlns='u'><p:a xmlns:p='v'><b/></p:a><c><![CDATA[</c><d/>]]></c></q></iq>",
                2,
                vec!["<p:a xmlns='u' xmlns:p='v'><b/></p:a>", "<c xmlns='u'><![CDATA[</c><d/>]]></c>"],
            ),
            ("<iq><a/><h:b/></iq>", 1, vec!["<a xmlns='jabber:client'/>", "<h:b xmlns:h='urn:h&apos;'/>"]),
            ("<iq><a xmlns='' ><b/></a></iq>", 2, vec!["<b xmlns=''/>"]),
            ("<iq><a b='/>'></a ></iq>", 1, vec!["<a xmlns='jabber:client' b='/>'></a >"]),
            ("<iq/>", 1, vec![]),
            ("<iq><a/></iq>", 2, vec![]),
        ] {
            let found = fragments(&element(text), depth, "jabber:client");
            assert_eq!(found, parts, "{text}");
            assert!(found.iter().all(|part| is_element(part.as_bytes())), "{text}");
        }
    }

    #[test]
    fn what_is_no_element() {
        for bad in ["", "x", "<a>", "<a/><b/>", "<a/> ", "<p:a/>", "<a b='1' b='2'/>"] {
            assert!(!is_element(bad.as_bytes()), "{bad}");
        }
    }
}
