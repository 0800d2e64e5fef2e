//! What only some tags need: prefixes, their declarations, and the exact check that attributes are unique.
//!
//! The scan calls this at the end of a start tag that declares a prefix, uses one other than `xml`, declares a
//! suspicious default namespace, or may have two attributes of one name. Everything is Namespaces in XML 1.0, section
//! numbers in this file are its own.

use std::borrow::Cow;

use super::Scope;
use crate::limits::{XML_ATTRS_MAX, XML_NAMESPACES_IN_SCOPE_MAX, XML_NAMESPACES_PER_ELEMENT_MAX};
use crate::xml::escape::unescape_attr;
use crate::xml::scan;
use crate::xml::{Span, Tag, XmlError};

/// The namespace that `xml` is always bound to, and nothing else may be (§3).
pub(in crate::xml) const XML: &str = "http://www.w3.org/XML/1998/namespace";
/// The namespace of `xmlns`, which nothing may be bound to (§3).
pub(in crate::xml) const XMLNS: &str = "http://www.w3.org/2000/xmlns/";

/// Too many attributes.
pub(super) const ATTRS: XmlError = XmlError::Limit("attributes");

/// Declarations `xmlns:prefix='namespace'` of the elements that are open in a unit, innermost last.
#[derive(Debug, Default)]
pub(super) struct Bindings(Vec<Binding>);

#[derive(Debug)]
struct Binding {
    prefix: Span,
    /// Raw value.
    namespace: Span,
    /// Of the namespace's name: two of the same length differ quickly, whatever they have in common.
    hash: u32,
    /// Depth of the element that declares it, 0 for the top.
    depth: u8,
}

/// What a prefix stands for.
#[derive(Clone, Copy)]
enum Bound {
    /// To a binding of this unit.
    Here(usize),
    /// To this declaration of the stream header.
    Header(usize),
}

/// What else the resolution of a tag has found out.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Leaning {
    /// Every prefix is declared inside the unit.
    OnNothing,
    /// A prefix is the stream header's.
    OnHeader,
}

impl Bindings {
    /// Forgets the declarations of elements at `depth` and deeper.
    pub(super) fn leave(&mut self, depth: u8) {
        while self.0.last().is_some_and(|binding| binding.depth >= depth) {
            self.0.pop();
        }
    }

    /// Declares and resolves everything in the start tag at `unit[start..end]`, whose element is at `depth`.
    pub(super) fn resolve_tag(
        &mut self,
        unit: &[u8],
        start: usize,
        end: usize,
        depth: u8,
        scope: Option<&Scope>,
    ) -> Result<Leaning, XmlError> {
        let text = std::str::from_utf8(&unit[start..end]).expect("names and values are checked");
        let tag = Tag::new(text);
        let mut names = [""; XML_ATTRS_MAX];
        let mut count = 0;
        let mut declared = 0;
        for attr in tag.attrs() {
            *names.get_mut(count).ok_or(ATTRS)? = attr.name;
            count += 1;
            declared += usize::from(attr.name == "xmlns" || attr.name.starts_with("xmlns:"));
            if declared > XML_NAMESPACES_PER_ELEMENT_MAX {
                return Err(XmlError::Limit("namespace declarations"));
            }
            if attr.name == "xmlns" {
                check_namespace("", attr.raw)?;
            } else if let Some(prefix) = attr.name.strip_prefix("xmlns:") {
                let namespace = check_namespace(prefix, attr.raw)?;
                let name = scan::skip_space(unit, start + attr.whole.range().start);
                let value = start + attr.value.range().start;
                self.0.push(Binding {
                    prefix: Span::new(name + "xmlns:".len(), name + attr.name.len()),
                    namespace: Span::new(value, value + attr.raw.len()),
                    hash: fnv1a(namespace.as_bytes()),
                    depth,
                });
            }
        }
        if self.0.len() > XML_NAMESPACES_IN_SCOPE_MAX {
            return Err(XmlError::Limit("namespaces in scope"));
        }
        let names = &names[..count];
        for (at, name) in names.iter().enumerate() {
            if names[..at].contains(name) {
                return Err(XmlError::NotWellFormed("attribute twice"));
            }
        }
        self.resolve(unit, tag.name(), names, scope)
    }

    /// Resolves the prefixes of an element and its attributes; no two attributes may get the same expanded name (§6.3).
    fn resolve(
        &self,
        unit: &[u8],
        element: &str,
        names: &[&str],
        scope: Option<&Scope>,
    ) -> Result<Leaning, XmlError> {
        let mut leaning = Leaning::OnNothing;
        let mut resolved = [("", Bound::Here(0)); XML_ATTRS_MAX];
        let mut count = 0;
        if let Some((prefix, _)) = element.split_once(':') {
            if prefix == "xmlns" {
                return Err(XmlError::NotWellFormed("element with the prefix xmlns"));
            }
            if prefix != "xml" && matches!(self.lookup(unit, prefix, scope)?, Bound::Header(_)) {
                leaning = Leaning::OnHeader;
            }
        }
        for name in names {
            let Some((prefix, local)) = name.split_once(':') else { continue };
            // `xml` can be the only prefix of its namespace, so the names as written say whether it is unique.
            if prefix == "xml" || prefix == "xmlns" {
                continue;
            }
            let bound = self.lookup(unit, prefix, scope)?;
            if matches!(bound, Bound::Header(_)) {
                leaning = Leaning::OnHeader;
            }
            for &(other_local, other) in &resolved[..count] {
                if other_local == local && self.same_namespace(unit, bound, other, scope) {
                    return Err(XmlError::NotWellFormed("attribute twice in one namespace"));
                }
            }
            resolved[count] = (local, bound);
            count += 1;
        }
        Ok(leaning)
    }

    fn lookup(&self, unit: &[u8], prefix: &str, scope: Option<&Scope>) -> Result<Bound, XmlError> {
        if let Some(at) =
            self.0.iter().rposition(|binding| &unit[binding.prefix.range()] == prefix.as_bytes())
        {
            return Ok(Bound::Here(at));
        }
        scope
            .and_then(|scope| scope.declarations().position(|(declared, _)| declared == prefix))
            .map(Bound::Header)
            .ok_or(XmlError::NotWellFormed("undeclared prefix"))
    }

    fn same_namespace(&self, unit: &[u8], a: Bound, b: Bound, scope: Option<&Scope>) -> bool {
        if let (Bound::Here(a), Bound::Here(b)) = (a, b)
            && self.0[a].hash != self.0[b].hash
        {
            return false;
        }
        self.namespace(unit, a, scope) == self.namespace(unit, b, scope)
    }

    fn namespace<'a>(&self, unit: &'a [u8], bound: Bound, scope: Option<&'a Scope>) -> Cow<'a, str> {
        match bound {
            Bound::Here(at) => {
                let raw = std::str::from_utf8(&unit[self.0[at].namespace.range()]).expect("checked");
                unescape_attr(raw).expect("checked")
            }
            Bound::Header(at) => Cow::Borrowed(
                scope.and_then(|scope| scope.declarations().nth(at)).map_or("", |(_, name)| name),
            ),
        }
    }
}

/// The namespace named by `raw`, if `prefix` may be bound to it (§3, and §2.2 for the empty name).
fn check_namespace<'a>(prefix: &str, raw: &'a str) -> Result<Cow<'a, str>, XmlError> {
    let namespace = unescape_attr(raw)?;
    match (prefix, &*namespace) {
        ("xmlns", _) => Err(XmlError::NotWellFormed("prefix xmlns declared")),
        ("xml", XML) => Ok(namespace),
        ("xml", _) | (_, XML) => Err(XmlError::NotWellFormed("prefix xml bound anew")),
        (_, XMLNS) => Err(XmlError::NotWellFormed("namespace of xmlns bound")),
        ("", "") => Ok(namespace),
        (_, "") => Err(XmlError::NotWellFormed("prefix bound to nothing")),
        _ => Ok(namespace),
    }
}

/// Hash of Fowler, Noll and Vo, 32 bits, variant 1a.
fn fnv1a(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811C_9DC5, |hash, &byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
