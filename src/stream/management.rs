//! The elements of stream management (XEP-0198), of both sides.
//!
//! Nothing is counted or kept here: this is how they are read and written.

use std::io::Write as _;

use crate::stanza::{Condition, NS_CLIENT, NS_STANZAS};
use crate::xml::{Element, Node, escape_attr_into};

/// Namespace of stream management.
pub const NS_SM: &str = "urn:xmpp:sm:3";

/// A first-level element of stream management. Counts of stanzas (`h`) are modulo 2^32 (§4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Management {
    /// The client wants acknowledgements (§3).
    Enable {
        /// And to be able to resume.
        resume: bool,
        /// For how many seconds at most, as far as it has a wish.
        max_s: Option<u32>,
    },
    /// The server grants it.
    Enabled {
        /// What the stream is resumed with; none: it cannot be.
        id: Option<String>,
        /// For how many seconds.
        max_s: Option<u32>,
    },
    /// The client wants its former session back (§5).
    Resume {
        /// What it has handled of that.
        h: u32,
        /// Id of that.
        previd: String,
    },
    /// The server grants it.
    Resumed {
        /// What it had handled.
        h: u32,
        /// Id of the former stream; it goes on being this one's.
        previd: String,
    },
    /// The server grants it not (§6).
    Failed {
        /// Why.
        condition: Condition,
        /// What the server had handled of a session that is over (§5).
        h: Option<u32>,
    },
    /// `<r/>`: how many have you handled?
    Request,
    /// `<a/>`: so many.
    Acknowledgement(u32),
    /// In the namespace, and none of these, or without what it must have.
    Malformed,
}

impl Management {
    /// `None` when `element` is not in the namespace.
    #[must_use]
    pub fn parse(element: &Element) -> Option<Self> {
        let node = Node::parse(element, NS_CLIENT);
        (node.ns == NS_SM).then(|| Self::of(&node).unwrap_or(Self::Malformed))
    }

    fn of(node: &Node<'_>) -> Option<Self> {
        let number = |name| node.attr(name).and_then(|value| value.trim().parse::<u32>().ok());
        let text = |name| node.attr(name).map(str::to_owned);
        let resume = matches!(node.attr("resume").map(str::trim), Some("true" | "1"));
        let max_s = number("max").filter(|max| *max > 0);
        Some(match node.name {
            "enable" => Self::Enable { resume, max_s },
            "enabled" => Self::Enabled { id: text("id").filter(|_| resume), max_s },
            "resume" => Self::Resume { h: number("h")?, previd: text("previd")? },
            "resumed" => Self::Resumed { h: number("h")?, previd: text("previd")? },
            "failed" => {
                let condition = node.elements().find(|child| child.ns == NS_STANZAS && child.name != "text");
                let condition = condition.and_then(|child| Condition::parse(child.name));
                let condition = condition.unwrap_or(Condition::UndefinedCondition);
                Self::Failed { condition, h: number("h") }
            }
            "r" => Self::Request,
            "a" => Self::Acknowledgement(number("h")?),
            _ => return None,
        })
    }

    /// Appends it. [`Management::Malformed`] is never written.
    pub fn write(&self, out: &mut Vec<u8>) {
        let open = |name: &str, out: &mut Vec<u8>| {
            for part in ["<", name, " xmlns='", NS_SM, "'"] {
                out.extend_from_slice(part.as_bytes());
            }
        };
        match self {
            Self::Enable { resume, max_s } => {
                open("enable", out);
                resume.then(|| out.extend_from_slice(b" resume='true'"));
                number_into("max", *max_s, out);
            }
            Self::Enabled { id, max_s } => {
                open("enabled", out);
                if let Some(id) = id {
                    text_into("id", id, out);
                    out.extend_from_slice(b" resume='true'");
                }
                number_into("max", *max_s, out);
            }
            Self::Resume { h, previd } => {
                open("resume", out);
                number_into("h", Some(*h), out);
                text_into("previd", previd, out);
            }
            Self::Resumed { h, previd } => {
                open("resumed", out);
                number_into("h", Some(*h), out);
                text_into("previd", previd, out);
            }
            Self::Failed { condition, h } => {
                open("failed", out);
                number_into("h", *h, out);
                for part in ["><", condition.as_str(), " xmlns='", NS_STANZAS, "'/></failed>"] {
                    out.extend_from_slice(part.as_bytes());
                }
                return;
            }
            Self::Request => open("r", out),
            Self::Acknowledgement(h) => {
                open("a", out);
                number_into("h", Some(*h), out);
            }
            Self::Malformed => return,
        }
        out.extend_from_slice(b"/>");
    }
}

fn number_into(name: &str, value: Option<u32>, out: &mut Vec<u8>) {
    if let Some(value) = value {
        write!(out, " {name}='{value}'").expect("a vector takes everything");
    }
}

fn text_into(name: &str, value: &str, out: &mut Vec<u8>) {
    for part in [" ", name, "='"] {
        out.extend_from_slice(part.as_bytes());
    }
    escape_attr_into(value, out);
    out.push(b'\'');
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::Management;
    use crate::stanza::Condition;
    use crate::xml::Element;

    fn parse(text: &str) -> Option<Management> {
        Management::parse(&Element::from_own(Bytes::from(text.to_owned())))
    }

    #[test]
    fn all_round_trip() {
        let id = || "an 'id' & more".to_owned();
        for management in [
            Management::Enable { resume: false, max_s: None },
            Management::Enable { resume: true, max_s: Some(60) },
            Management::Enabled { id: None, max_s: None },
            Management::Enabled { id: Some(id()), max_s: Some(300) },
            Management::Resume { h: 0, previd: id() },
            Management::Resumed { h: u32::MAX, previd: id() },
            Management::Failed { condition: Condition::ItemNotFound, h: None },
            Management::Failed { condition: Condition::UnexpectedRequest, h: Some(7) },
            Management::Request,
            Management::Acknowledgement(u32::MAX),
        ] {
            let mut out = Vec::new();
            management.write(&mut out);
            assert_eq!(parse(&String::from_utf8(out).unwrap()), Some(management));
        }
    }

    #[test]
    fn what_others_write() {
        for (text, expected) in [
            ("<enable xmlns='urn:xmpp:sm:3' resume='1'/>", Management::Enable { resume: true, max_s: None }),
            ("<enable xmlns='urn:xmpp:sm:3' max='0'/>", Management::Enable { resume: false, max_s: None }),
            // An id without `resume` resumes nothing (§5).
            ("<enabled xmlns='urn:xmpp:sm:3' id='x'/>", Management::Enabled { id: None, max_s: None }),
            ("<s:a xmlns:s='urn:xmpp:sm:3' h=' 5 '/>", Management::Acknowledgement(5)),
            ("<a xmlns='urn:xmpp:sm:3'/>", Management::Malformed),
            ("<a xmlns='urn:xmpp:sm:3' h='-1'/>", Management::Malformed),
            ("<a xmlns='urn:xmpp:sm:3' h='4294967296'/>", Management::Malformed),
            ("<resume xmlns='urn:xmpp:sm:3' h='1'/>", Management::Malformed),
            ("<x xmlns='urn:xmpp:sm:3'/>", Management::Malformed),
            (
                "<failed xmlns='urn:xmpp:sm:3'/>",
                Management::Failed { condition: Condition::UndefinedCondition, h: None },
            ),
        ] {
            assert_eq!(parse(text), Some(expected), "{text}");
        }
        assert_eq!(parse("<r xmlns='urn:xmpp:sm:2'/>"), None);
        assert_eq!(parse("<r/>"), None);
    }
}
