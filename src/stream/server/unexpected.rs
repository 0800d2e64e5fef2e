//! Which stream error an element earns that nobody waits for.
//!
//! This module does not decide that it is unexpected.

use crate::stanza::{Head, NS_CLIENT};
use crate::stream::{StreamCondition, StreamError};
use crate::xml::{Element, Node};

/// Content namespace of servers' streams (RFC 6120 §4.8.2).
const NS_SERVER: &str = "jabber:server";

/// The error for a first-level element that is no stanza and that no extension knows: a stanza's name in a namespace
/// that was given a prefix (`bad-namespace-prefix`, RFC 6120 §4.8.5), a stanza of another content namespace
/// (`invalid-namespace`, §4.8.3), or else `unsupported-stanza-type` (§4.9.3.24).
#[must_use]
pub fn unexpected_element(element: &Element) -> StreamError {
    let node = Node::parse(element, NS_CLIENT);
    let is_stanza_name = matches!(node.name, "message" | "presence" | "iq");
    StreamError::peer(match &*node.ns {
        NS_CLIENT if is_stanza_name => StreamCondition::BadNamespacePrefix,
        NS_SERVER if is_stanza_name => StreamCondition::InvalidNamespace,
        _ => StreamCondition::UnsupportedStanzaType,
    })
}

/// The same before bind, where most stanzas are refused too (`not-authorized`, RFC 6120 §4.3.5, §7.1).
pub(super) fn refuse_before_bind(element: &Element) -> StreamError {
    match Head::parse(element) {
        Some(_) => StreamError::peer(StreamCondition::NotAuthorized),
        None => unexpected_element(element),
    }
}
