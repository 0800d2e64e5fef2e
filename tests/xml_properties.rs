//! The framer and the element reader against generated streams, their mutations, and rxml as a strict second parser.
//!
//! Where the two parsers may differ, and why (all of it outside of what is compared here):
//!
//! - rxml refuses white space or a byte order mark before an XML declaration, XML 1.1 and `standalone='no'`; ours passes
//!   them over (RFC 6120 §11.5, §11.6).
//! - Limits: a name or value above 8 KiB in rxml, those of `limits.rs` in ours.
//! - rxml turns line ends in text into newlines (XML 1.0 §2.11); ours leaves text as it was sent.
//! - rxml 0.14 refuses or loses a carriage return inside a value; ours makes a blank of it (XML 1.0 §3.3.3). So there are
//!   none in mutants.

mod xml_documents;

use bytes::BytesMut;
use proptest::collection::vec;
use proptest::prelude::*;
use xml_documents::{Child, HEADER, TRAILER, Tree, stream, unix_lines};
use xmpp_bench::limits::FRAMER_AFTER_AUTH;
use xmpp_bench::xml::{Frame, Framer, Node, XmlError, escape_attr_into, escape_text_into, unescape};

/// What ours makes of a stream: elements as bytes and trees, and whether it was closed.
#[derive(Debug, PartialEq, Eq)]
struct Ours {
    elements: Vec<(Vec<u8>, Tree)>,
    closed: bool,
}

fn ours(input: &[u8], cuts: &[usize]) -> (Ours, Result<(), XmlError>) {
    let mut framer = Framer::new(FRAMER_AFTER_AUTH);
    let mut buffer = BytesMut::new();
    let mut seen = Ours { elements: Vec::new(), closed: false };
    let mut from = 0;
    for &to in cuts.iter().chain([&input.len()]) {
        buffer.extend_from_slice(&input[from..to]);
        from = to;
        loop {
            match framer.next_frame(&mut buffer) {
                Ok(Some(Frame::Element(element))) => {
                    let tree = Tree::of(&Node::parse(&element, "jabber:client"));
                    seen.elements.push((element.bytes.to_vec(), tree));
                }
                Ok(Some(Frame::Open(_))) => {}
                Ok(Some(Frame::Close)) => seen.closed = true,
                Ok(None) => break,
                Err(error) => return (seen, Err(error)),
            }
        }
    }
    (seen, Ok(()))
}

/// What rxml makes of a whole stream: the elements inside of the header.
fn rxml(mut input: &[u8]) -> Result<Vec<Tree>, String> {
    use rxml::{Event, Parse as _, Parser};
    let mut parser = Parser::new();
    let mut open: Vec<Tree> = Vec::new();
    while let Some(event) = parser.parse(&mut input, true).map_err(|error| format!("{error:?}"))? {
        match event {
            Event::XmlDeclaration(..) => {}
            Event::StartElement(_, (ns, name), attrs) => {
                let mut attrs: Vec<_> =
                    attrs.iter().map(|((_, name), value)| (name.to_string(), value.clone())).collect();
                attrs.sort();
                open.push(Tree { ns: ns.to_string(), name: name.to_string(), attrs, children: Vec::new() });
            }
            Event::Text(_, text) => open.last_mut().expect("text is inside an element").push_text(&text),
            Event::EndElement(_) => {
                let mut done = open.pop().expect("an end has its start");
                for child in &mut done.children {
                    if let Child::Text(text) = child {
                        *text = unix_lines(text);
                    }
                }
                match open.last_mut() {
                    Some(parent) => parent.children.push(Child::Element(done)),
                    None => return Ok(elements(done)),
                }
            }
        }
    }
    Err("cut".to_owned())
}

fn elements(root: Tree) -> Vec<Tree> {
    let elements = root.children.into_iter().filter_map(|child| match child {
        Child::Element(tree) => Some(tree),
        Child::Text(_) => None,
    });
    elements.collect()
}

/// Cuts at these parts of the length.
fn cuts(parts: &[prop::sample::Index], len: usize) -> Vec<usize> {
    let mut cuts: Vec<_> = parts.iter().map(|part| part.index(len + 1)).collect();
    cuts.sort_unstable();
    cuts
}

/// What is put into mutants.
fn token() -> impl Strategy<Value = Vec<u8>> {
    let tokens: [&[u8]; 26] = [
        b"<",
        b">",
        b"/",
        b"'",
        b"\"",
        b"&",
        b";",
        b"=",
        b":",
        b" ",
        b"\n",
        b"<a>",
        b"</a>",
        b"<a/>",
        b" xmlns='u'",
        b" xmlns:p='u'",
        b" p:a=''",
        b" a=''",
        b"xml:",
        b"]]>",
        b"<![CDATA[",
        b"&amp;",
        b"&#0;",
        b"\xC3\xA9",
        b"\xEF\xBF\xBF",
        b"\x0B",
    ];
    prop_oneof![
        prop::sample::select(tokens.to_vec()).prop_map(<[u8]>::to_vec),
        any::<u8>().prop_map(|byte| vec![byte]),
        Just(Vec::new()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// What is well-formed is accepted and read as what it was made from, however it is cut; rxml agrees.
    #[test]
    fn documents(choices in vec(any::<u8>(), 0..400), parts in vec(any::<prop::sample::Index>(), 0..6)) {
        let (text, trees) = stream(&choices);
        let (whole, end) = ours(text.as_bytes(), &[]);
        prop_assert_eq!(end, Ok(()));
        prop_assert!(whole.closed);
        prop_assert_eq!(whole.elements.iter().map(|(_, tree)| tree).collect::<Vec<_>>(), trees.iter().collect::<Vec<_>>());
        prop_assert_eq!(rxml(text.as_bytes()), Ok(trees));
        let (cut, end) = ours(text.as_bytes(), &cuts(&parts, text.len()));
        prop_assert_eq!(end, Ok(()));
        prop_assert_eq!(cut, whole);
    }

    /// What we accept of a damaged stream, rxml accepts, and both read the same; cuts change nothing.
    #[test]
    fn mutants(
        choices in vec(any::<u8>(), 0..200),
        damage in vec((any::<prop::sample::Index>(), 0..4_usize, token()), 1..4),
        parts in vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let (text, _) = stream(&choices);
        let inside = HEADER.len()..text.len() - TRAILER.len();
        let mut mutant = text.as_bytes()[inside].to_vec();
        for (place, len, token) in damage {
            let from = place.index(mutant.len() + 1);
            let to = (from + len).min(mutant.len());
            mutant.splice(from..to, token);
        }
        mutant.retain(|&byte| byte != b'\r');
        let mutant = [HEADER.as_bytes(), &mutant, TRAILER.as_bytes()].concat();
        let whole = ours(&mutant, &[]);
        prop_assert_eq!(&ours(&mutant, &cuts(&parts, mutant.len())), &whole);
        let (seen, end) = whole;
        if end.is_ok() && seen.closed {
            let trees: Vec<_> = seen.elements.into_iter().map(|(_, tree)| tree).collect();
            prop_assert_eq!(rxml(&mutant), Ok(trees), "{:?}", String::from_utf8_lossy(&mutant));
        }
    }

    /// What is escaped comes back.
    #[test]
    fn escaping(text in any::<String>()) {
        let mut out = Vec::new();
        escape_text_into(&text, &mut out);
        prop_assert_eq!(unescape(std::str::from_utf8(&out).unwrap()).unwrap(), &*text);
        out.clear();
        escape_attr_into(&text, &mut out);
        prop_assert_eq!(unescape(std::str::from_utf8(&out).unwrap()).unwrap(), &*text);
        prop_assert!(!out.iter().any(|byte| b"<>'\"\t\r\n".contains(byte)));
    }
}
