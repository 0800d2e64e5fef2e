//! Streams made of choices, and the trees that they mean.
//!
//! A choice is a byte; when they run out, all further ones are 0. So proptest shrinks a document by shrinking a list of
//! bytes. What comes out is well-formed and within all limits.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fmt::Write as _;

use xmpp_bench::xml::{Node, NodeChild, escape_attr_into, escape_text_into};

/// What every stream begins with.
pub(crate) const HEADER: &str = "<s:s xmlns='jabber:client' xmlns:s='urn:streams' xmlns:h='urn:&lt;header'>";
/// And ends with.
pub(crate) const TRAILER: &str = "</s:s>";

/// An element, as far as two parsers have to agree on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tree {
    pub(crate) ns: String,
    pub(crate) name: String,
    /// (local name, value), sorted.
    pub(crate) attrs: Vec<(String, String)>,
    pub(crate) children: Vec<Child>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Child {
    Element(Tree),
    Text(String),
}

impl Tree {
    /// What our element reader says.
    pub(crate) fn of(node: &Node<'_>) -> Self {
        let local = |name: &str| name.rsplit(':').next().unwrap().to_owned();
        let mut attrs: Vec<_> =
            node.attrs.iter().map(|(name, value)| (local(name), value.to_string())).collect();
        attrs.sort();
        let children = node.children.iter().map(|child| match child {
            NodeChild::Element(node) => Child::Element(Self::of(node)),
            // The element reader leaves line ends as they are.
            NodeChild::Text(text) => Child::Text(unix_lines(text)),
        });
        Self { ns: node.ns.to_string(), name: node.name.to_owned(), attrs, children: children.collect() }
    }

    /// Appends text, joined with text before it.
    pub(crate) fn push_text(&mut self, text: &str) {
        match self.children.last_mut() {
            Some(Child::Text(before)) => before.push_str(text),
            _ if text.is_empty() => {}
            _ => self.children.push(Child::Text(text.to_owned())),
        }
    }
}

/// Each line end as one newline.
pub(crate) fn unix_lines(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

/// A stream of some elements, and what they mean.
pub(crate) fn stream(choices: &[u8]) -> (String, Vec<Tree>) {
    let mut writer = Writer { choices: choices.iter(), out: HEADER.to_owned(), elements: 0 };
    let scope = [("h".to_owned(), "urn:<header".to_owned()), ("s".to_owned(), "urn:streams".to_owned())];
    let mut trees = Vec::new();
    while !writer.choices.as_slice().is_empty() && trees.len() < 8 {
        let space = writer.space(0);
        writer.out.push_str(&space);
        trees.push(writer.element(0, "jabber:client", &scope));
    }
    (writer.out + TRAILER, trees)
}

const NAMES: [&str; 8] =
    ["a", "message", "x-y.z_0", "é日", "body", "xmlnsx", "_", "a-name-that-is-longer-than-sixteen-bytes"];
const NAMESPACES: [&str; 6] = [
    "u",
    "v w",
    "http://jabber.org/protocol/caps",
    "é&<'\">",
    "http://www.w3.org/XML/1998/namespacf",
    "urn:<header",
];
const PREFIXES: [&str; 4] = ["p", "q", "h", "é"];
const TEXTS: [&str; 12] = [
    "",
    "x",
    "Wherefore art thou?",
    "<&>'\"",
    "]]>",
    " \t\n ",
    "é日😀\u{FFFD}",
    "]]",
    ">",
    "a\r\nb\rc",
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789",
    "\u{7F}\u{80}\u{FEFF}",
];

struct Writer<'a> {
    choices: std::slice::Iter<'a, u8>,
    out: String,
    elements: usize,
}

impl Writer<'_> {
    fn choose(&mut self, bound: usize) -> usize {
        usize::from(*self.choices.next().unwrap_or(&0)) % bound
    }

    fn one_of(&mut self, list: &[&str]) -> String {
        let at = self.choose(list.len());
        list[at].to_owned()
    }

    fn space(&mut self, least: usize) -> String {
        let list = ["", " ", "\n", "\t ", "  \r\n"];
        let at = least + self.choose(list.len() - least);
        list[at].to_owned()
    }

    /// Writes an element inside of `scope`, innermost declaration first.
    fn element(&mut self, depth: usize, default_ns: &str, scope: &[(String, String)]) -> Tree {
        self.elements += 1;
        let mut scope = scope.to_vec();
        let mut default_ns = default_ns.to_owned();
        let mut written: Vec<(String, String)> = Vec::new();
        if self.choose(4) == 1 {
            default_ns = if self.choose(5) == 1 { String::new() } else { self.one_of(&NAMESPACES) };
            written.push(("xmlns".to_owned(), default_ns.clone()));
        }
        for _ in 0..self.choose(4) {
            let (prefix, namespace) = (self.one_of(&PREFIXES), self.one_of(&NAMESPACES));
            let name = format!("xmlns:{prefix}");
            if written.iter().all(|(other, _)| *other != name) {
                written.push((name, namespace.clone()));
                scope.insert(0, (prefix, namespace));
            }
        }
        let mut expanded = Vec::new();
        for _ in 0..self.choose(6) {
            let local = self.one_of(&NAMES);
            let (name, ns) = match self.choose(4) {
                0 => (format!("xml:{local}"), "xml".to_owned()),
                1 => {
                    let (prefix, ns) = self.bound(&scope);
                    (format!("{prefix}:{local}"), ns)
                }
                _ => (local.clone(), String::new()),
            };
            if !expanded.contains(&(ns.clone(), local.clone())) {
                expanded.push((ns, local));
                let value = self.one_of(&TEXTS);
                let place = self.choose(written.len() + 1);
                written.insert(place, (name, value));
            }
        }
        let local = self.one_of(&NAMES);
        let (name, ns) = match self.choose(3) {
            1 => {
                let (prefix, ns) = self.bound(&scope);
                (format!("{prefix}:{local}"), ns)
            }
            _ => (local.clone(), default_ns.clone()),
        };
        let mut attrs: Vec<_> = written
            .iter()
            .filter(|(name, _)| name != "xmlns" && !name.starts_with("xmlns:"))
            .map(|(name, value)| (name.rsplit(':').next().unwrap().to_owned(), value.clone()))
            .collect();
        attrs.sort();
        let mut tree = Tree { ns, name: local, attrs, children: Vec::new() };
        self.tag(&name, &written);
        self.content(depth, &name, &mut tree, &default_ns, &scope);
        tree
    }

    /// A prefix that is bound, and to what.
    fn bound(&mut self, scope: &[(String, String)]) -> (String, String) {
        let at = self.choose(scope.len());
        let prefix = &scope[at].0;
        scope.iter().find(|(other, _)| other == prefix).expect("it is in there").clone()
    }

    /// A start tag without its end.
    fn tag(&mut self, name: &str, attrs: &[(String, String)]) {
        write!(self.out, "<{name}").unwrap();
        for (name, value) in attrs {
            let quote = if self.choose(2) == 0 { '\'' } else { '"' };
            let (before, left, right) = (self.space(1), self.space(0), self.space(0));
            let mut raw = Vec::new();
            escape_attr_into(value, &mut raw);
            let raw = String::from_utf8(raw).unwrap();
            write!(self.out, "{before}{name}{left}={right}{quote}{raw}{quote}").unwrap();
        }
        let space = self.space(0);
        self.out.push_str(&space);
    }

    fn content(
        &mut self,
        depth: usize,
        name: &str,
        tree: &mut Tree,
        default_ns: &str,
        scope: &[(String, String)],
    ) {
        let parts = self.choose(5);
        if parts == 0 && self.choose(2) == 0 {
            self.out.push_str("/>");
            return;
        }
        self.out.push('>');
        for _ in 0..parts {
            match self.choose(3) {
                0 if depth < 12 && self.elements < 60 => {
                    let child = self.element(depth + 1, default_ns, scope);
                    tree.children.push(Child::Element(child));
                }
                1 => {
                    let text = self.one_of(&TEXTS);
                    if !text.contains("]]>") {
                        write!(self.out, "<![CDATA[{text}]]>").unwrap();
                        tree.push_text(&unix_lines(&text));
                    }
                }
                _ => {
                    let text = self.one_of(&TEXTS);
                    let mut raw = Vec::new();
                    escape_text_into(&text, &mut raw);
                    self.out.push_str(&String::from_utf8(raw).unwrap());
                    // The carriage returns are references, but `Tree::of` cannot tell.
                    tree.push_text(&unix_lines(&text));
                }
            }
        }
        let space = self.space(0);
        write!(self.out, "</{name}{space}>").unwrap();
    }
}
