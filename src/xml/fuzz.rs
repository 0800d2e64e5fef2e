//! Bodies of the fuzz targets: what must hold for any bytes.
//!
//! They find no input themselves: `fuzz/` hands them libFuzzer's, `tests/fuzz_corpus.rs` a corpus and its mutations.

use bytes::BytesMut;

use super::{Element, Frame, Framer, Node, XmlError, escape_attr_into, escape_text_into, unescape};
use crate::limits::FramerLimits;

const HEADER: &[u8] =
    b"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' \
                        xmlns:ext='urn:ext'>";
const LIMITS: FramerLimits = FramerLimits { stanza_bytes_max: 4_000, elements_max: 50 };

/// Frames do not depend on where the bytes are cut, and what is accepted can be read by all who read it.
///
/// The first byte says how often to cut (0 to 7) and, from 8 on, that a stream header goes before; then follows a byte
/// for each cut; the rest is the stream.
pub fn fuzz_framer(data: &[u8]) {
    let Some((&first, rest)) = data.split_first() else { return };
    let Some((cuts, stream)) = rest.split_at_checked(usize::from(first % 8)) else { return };
    let stream = if first >= 8 { [HEADER, stream].concat() } else { stream.to_vec() };
    let mut cuts: Vec<_> = cuts.iter().map(|&cut| usize::from(cut) * stream.len() / 255).collect();
    cuts.sort_unstable();
    let whole = frames(&stream, &[]);
    assert_eq!(whole, frames(&stream, &cuts), "cut at {cuts:?}");
}

/// Frames as text, and how it ends.
fn frames(stream: &[u8], cuts: &[usize]) -> (Vec<String>, Result<Vec<u8>, XmlError>) {
    let mut framer = Framer::new(LIMITS);
    let mut input = BytesMut::new();
    let mut frames = Vec::new();
    let mut from = 0;
    for &to in cuts.iter().chain([&stream.len()]) {
        input.extend_from_slice(&stream[from..to]);
        from = to;
        loop {
            match framer.next_frame(&mut input) {
                Ok(Some(Frame::Element(element))) => frames.push(read(&element)),
                Ok(Some(frame)) => frames.push(format!("{frame:?}")),
                Ok(None) => break,
                Err(error) => return (frames, Err(error)),
            }
        }
    }
    (frames, Ok(input.to_vec()))
}

/// Reads an element in every way there is.
fn read(element: &Element) -> String {
    let node = Node::parse(element, "jabber:client");
    let tag = element.tag();
    assert_eq!(tag.local(), node.name);
    let declares = |name: &str| name == "xmlns" || name.starts_with("xmlns:");
    let names: Vec<_> = tag.attrs().map(|attr| attr.name).filter(|name| !declares(name)).collect();
    assert!(node.attrs.iter().map(|(name, _)| *name).eq(names));
    assert_eq!(tag.attr("xmlns").is_some(), element.has_xmlns);
    if element.scope.is_none() {
        // It means the same anywhere.
        let alone = Element::from_own(element.bytes.clone());
        assert_eq!(Node::parse(&alone, "jabber:client"), node);
    }
    format!("{} {} {node:?}", element.as_str(), element.has_xmlns)
}

/// What is escaped comes back, through the framer and the element reader as well.
pub fn fuzz_escape(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // Any text may be no escaped text, but it is no reason to panic.
    let _ = unescape(text);
    if !text.chars().all(super::escape::is_char) {
        return;
    }
    let mut xml = b"<a b=\"".to_vec();
    escape_attr_into(text, &mut xml);
    xml.extend_from_slice(b"\" c='");
    escape_attr_into(text, &mut xml);
    xml.extend_from_slice(b"'>");
    escape_text_into(text, &mut xml);
    xml.extend_from_slice(b"</a>");
    let element = Element::from_own(xml.into());
    let node = Node::parse(&element, "");
    assert_eq!((node.attr("b"), node.attr("c"), &*node.text()), (Some(text), Some(text), text));
}
