//! Slow-path tree of a complete element, built with xmlparser over checked bytes.
//!
//! It checks nothing: xmlparser cannot tell "complete" from "cut", and accepts `<a></b>`; it never sees a byte that
//! the framer has not passed. Whoever only routes reads the [`Tag`](super::Tag) instead.

use std::borrow::Cow;

use xmlparser::{ElementEnd, StrSpan, Token, Tokenizer};

use super::escape::unescape_attr;
use super::framer::XML_NAMESPACE;
use super::{Element, Scope, unescape};

/// An element with resolved namespaces. For negotiation and IQ payloads, never for routing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node<'a> {
    /// Local name.
    pub name: &'a str,
    /// Namespace, `""` when there is none.
    pub ns: Cow<'a, str>,
    /// Attributes: (name as written, unescaped value), namespace declarations left out.
    pub attrs: Vec<(&'a str, Cow<'a, str>)>,
    /// Children in order.
    pub children: Vec<NodeChild<'a>>,
}

/// Child of a [`Node`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeChild<'a> {
    /// Element.
    Element(Node<'a>),
    /// Text, references resolved; CDATA sections and the text around them are one.
    Text(Cow<'a, str>),
}

/// Why `expect` is right everywhere below.
const CHECKED: &str = "the framer has passed these bytes";

impl<'a> Node<'a> {
    /// Tree of `element`; names without prefix and without own `xmlns` are in `default_ns` (`jabber:client`).
    /// Iterative, and cannot fail on what the framer has passed.
    #[must_use]
    pub fn parse(element: &'a Element, default_ns: &'a str) -> Self {
        let text = element.as_str();
        let mut builder = Builder::new(element.scope.as_deref(), default_ns);
        for token in Tokenizer::from_fragment(text, 0..text.len()) {
            if let Some(root) = builder.token(token.expect(CHECKED)) {
                return root;
            }
        }
        unreachable!("{CHECKED}: they are a complete element")
    }

    /// Unescaped value of the attribute written `name`.
    #[must_use]
    pub fn attr(&self, name: &str) -> Option<&str> {
        self.attrs.iter().find(|(written, _)| *written == name).map(|(_, value)| &**value)
    }

    /// Whether name and namespace are these.
    #[must_use]
    pub fn is(&self, name: &str, ns: &str) -> bool {
        self.name == name && self.ns == ns
    }

    /// Child elements.
    pub fn elements(&self) -> impl Iterator<Item = &Self> {
        self.children.iter().filter_map(|child| match child {
            NodeChild::Element(node) => Some(node),
            NodeChild::Text(_) => None,
        })
    }

    /// First child element with this name and namespace.
    #[must_use]
    pub fn child(&self, name: &str, ns: &str) -> Option<&Self> {
        self.elements().find(|child| child.is(name, ns))
    }

    /// Text directly inside, joined.
    #[must_use]
    pub fn text(&self) -> String {
        self.children
            .iter()
            .filter_map(|child| match child {
                NodeChild::Text(text) => Some(&**text),
                NodeChild::Element(_) => None,
            })
            .collect()
    }
}

/// Builds a tree from tokens without recursion.
struct Builder<'a> {
    scope: Option<&'a Scope>,
    default_ns: &'a str,
    /// Elements whose end has not come, outermost first.
    open: Vec<Open<'a>>,
    /// Declarations in scope, innermost last: (depth of the element, prefix, namespace).
    bindings: Vec<(usize, &'a str, Cow<'a, str>)>,
}

struct Open<'a> {
    prefix: &'a str,
    node: Node<'a>,
}

impl<'a> Builder<'a> {
    const fn new(scope: Option<&'a Scope>, default_ns: &'a str) -> Self {
        Self { scope, default_ns, open: Vec::new(), bindings: Vec::new() }
    }

    /// Takes the next token; the tree when it was the last.
    fn token(&mut self, token: Token<'a>) -> Option<Node<'a>> {
        match token {
            Token::ElementStart { prefix, local, .. } => {
                let node = Node {
                    name: local.as_str(),
                    ns: Cow::Borrowed(""),
                    attrs: Vec::new(),
                    children: Vec::new(),
                };
                self.open.push(Open { prefix: prefix.as_str(), node });
            }
            Token::Attribute { prefix, local, value, span } => self.attribute(prefix, local, value, span),
            Token::ElementEnd { end: ElementEnd::Open, .. } => self.start(),
            Token::ElementEnd { end: ElementEnd::Empty, .. } => {
                self.start();
                return self.end();
            }
            Token::ElementEnd { end: ElementEnd::Close(..), .. } => return self.end(),
            Token::Text { text } => self.text(unescape(text.as_str()).expect(CHECKED)),
            Token::Cdata { text, .. } => self.text(Cow::Borrowed(text.as_str())),
            Token::Declaration { .. }
            | Token::ProcessingInstruction { .. }
            | Token::Comment { .. }
            | Token::DtdStart { .. }
            | Token::EmptyDtd { .. }
            | Token::EntityDeclaration { .. }
            | Token::DtdEnd { .. } => unreachable!("{CHECKED}: they are not restricted"),
        }
        None
    }

    fn attribute(&mut self, prefix: StrSpan<'a>, local: StrSpan<'a>, value: StrSpan<'a>, span: StrSpan<'a>) {
        let value = unescape_attr(value.as_str()).expect(CHECKED);
        let depth = self.open.len();
        match (prefix.as_str(), local.as_str()) {
            ("", "xmlns") => self.bindings.push((depth, "", value)),
            ("xmlns", prefix) => self.bindings.push((depth, prefix, value)),
            (prefix, local) => {
                let colon = if prefix.is_empty() { 0 } else { prefix.len() + 1 };
                let name = &span.as_str()[..colon + local.len()];
                self.open.last_mut().expect(CHECKED).node.attrs.push((name, value));
            }
        }
    }

    /// Behind a start tag: its declarations are complete, so its name can be resolved.
    fn start(&mut self) {
        let prefix = self.open.last().expect(CHECKED).prefix;
        let ns = match self.bindings.iter().rfind(|(_, bound, _)| *bound == prefix) {
            Some((_, _, namespace)) => namespace.clone(),
            None if prefix.is_empty() => Cow::Borrowed(self.default_ns),
            None if prefix == "xml" => Cow::Borrowed(XML_NAMESPACE),
            None => Cow::Borrowed(self.scope.and_then(|scope| scope.namespace(prefix)).expect(CHECKED)),
        };
        self.open.last_mut().expect(CHECKED).node.ns = ns;
    }

    /// The innermost element is complete: it goes into its parent, or is the tree.
    fn end(&mut self) -> Option<Node<'a>> {
        while self.bindings.last().is_some_and(|(depth, ..)| *depth == self.open.len()) {
            self.bindings.pop();
        }
        let node = self.open.pop().expect(CHECKED).node;
        match self.open.last_mut() {
            Some(parent) => parent.node.children.push(NodeChild::Element(node)),
            None => return Some(node),
        }
        None
    }

    fn text(&mut self, text: Cow<'a, str>) {
        if text.is_empty() {
            return;
        }
        let children = &mut self.open.last_mut().expect(CHECKED).node.children;
        match children.last_mut() {
            Some(NodeChild::Text(before)) => before.to_mut().push_str(&text),
            _ => children.push(NodeChild::Text(text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;
    use crate::limits::FRAMER_AFTER_AUTH;
    use crate::xml::{Frame, Framer};

    /// The first element behind a header that declares `h`.
    fn element(text: &str) -> Element {
        let mut framer = Framer::new(FRAMER_AFTER_AUTH);
        let mut input = BytesMut::from("<h:h xmlns='jabber:client' xmlns:h='urn:h&amp;'>");
        input.extend_from_slice(text.as_bytes());
        framer.next_frame(&mut input).unwrap();
        let Ok(Some(Frame::Element(element))) = framer.next_frame(&mut input) else {
            panic!("an element: {text}")
        };
        element
    }

    #[test]
    fn names_are_resolved() {
        let element = element(
            "<iq a='1' xml:lang='en'><q xmlns='u'><r/><s xmlns=''/></q><p:t xmlns:p='v' p:b='2'><p:u xmlns:p='w'/></p:t>\
             <h:f/><xml:g/></iq>",
        );
        let iq = Node::parse(&element, "jabber:client");
        assert!(iq.is("iq", "jabber:client"));
        assert_eq!((iq.attr("a"), iq.attr("xml:lang"), iq.attr("lang")), (Some("1"), Some("en"), None));
        let q = iq.child("q", "u").unwrap();
        assert!(q.attrs.is_empty());
        assert!(q.child("r", "u").is_some() && q.child("s", "").is_some());
        let t = iq.child("t", "v").unwrap();
        assert_eq!(t.attr("p:b"), Some("2"));
        assert!(t.child("u", "w").is_some());
        assert!(iq.child("f", "urn:h&").is_some());
        assert!(iq.child("g", "http://www.w3.org/XML/1998/namespace").is_some());
        assert_eq!(iq.elements().count(), 4);
    }

    #[test]
    fn text_and_values_are_resolved() {
        let element = element("<a b='&lt;\t&#9;&quot;'>x &amp; <![CDATA[<y>]]>&#x7A;<b>no</b> end</a>");
        let a = Node::parse(&element, "");
        assert_eq!(a.attr("b"), Some("< \t\""));
        assert_eq!(a.text(), "x & <y>z end");
        assert_eq!(a.children.len(), 3);
        assert_eq!(a.child("b", "").unwrap().text(), "no");
    }

    #[test]
    fn what_needs_no_change_is_borrowed() {
        let element = element("<a b='c'>text</a>");
        let a = Node::parse(&element, "");
        assert!(matches!(a.attrs[0].1, Cow::Borrowed("c")));
        assert!(matches!(a.children[0], NodeChild::Text(Cow::Borrowed("text"))));
    }
}
