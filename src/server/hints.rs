//! What a message says about being kept: XEP-0334 (hints), XEP-0085 (chat states), XEP-0160 §3 (offline storage).
//!
//! Nothing is kept here. A message whose text has none of the needles is not parsed, so a namespace that is spelt with
//! character references is not seen: its sender gets the ordinary treatment.

use crate::stanza::{Kind, NS_CLIENT, Stanza, StanzaType};
use crate::xml::Node;

const NS_HINTS: &str = "urn:xmpp:hints";
const NS_CHAT_STATES: &str = "http://jabber.org/protocol/chatstates";
/// Ids (XEP-0359), which say nothing by themselves.
const NS_IDS: &str = "urn:xmpp:sid:0";

/// Hints of a message (XEP-0334 §4). None of a message of type `error` counts (§5).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(dead_code, reason = "archives and copies to other resources are for later")]
pub(super) struct Hints {
    /// §4.1: no archive, though it may wait for who is offline.
    pub(super) no_permanent_store: bool,
    /// §4.2: neither an archive, nor for who is offline.
    pub(super) no_store: bool,
    /// §4.3: no copies to others than its address.
    pub(super) no_copy: bool,
    /// §4.4: to be kept, though it may not look so.
    pub(super) store: bool,
}

/// The hints of a message.
pub(super) fn hints_of(message: &Stanza) -> Hints {
    if !content(message).contains(NS_HINTS) || message.head().stanza_type == StanzaType::Error {
        return Hints::default();
    }
    let node = Node::parse(message.element(), NS_CLIENT);
    let has = |name| node.child(name, NS_HINTS).is_some();
    Hints {
        no_permanent_store: has("no-permanent-store"),
        no_store: has("no-store"),
        no_copy: has("no-copy"),
        store: has("store"),
    }
}

/// Whether a message has a `<body/>` (RFC 6121 §5.2.3).
#[allow(dead_code, reason = "for archives and for clients that are inactive")]
pub(super) fn has_body(message: &Stanza) -> bool {
    content(message).contains("body")
        && Node::parse(message.element(), NS_CLIENT).child("body", NS_CLIENT).is_some()
}

/// Whether a message is a standalone notification (XEP-0085 §2): it has a chat state, and beside it nothing but a thread,
/// hints and ids.
pub(super) fn is_chat_state_only(message: &Stanza) -> bool {
    if !content(message).contains(NS_CHAT_STATES) {
        return false;
    }
    let node = Node::parse(message.element(), NS_CLIENT);
    let adds_nothing = |child: &Node<'_>| {
        child.ns == NS_CHAT_STATES
            || child.ns == NS_HINTS
            || child.ns == NS_IDS
            || child.is("thread", NS_CLIENT)
    };
    node.elements().any(|child| child.ns == NS_CHAT_STATES) && node.elements().all(adds_nothing)
}

/// Whether a message may wait until its recipient comes back (XEP-0160 §3). Of the hints, `no-store` forbids it, also
/// beside `store`; `no-permanent-store` does not (XEP-0334 §4.1); `store` forces a chat state to be kept.
pub(super) fn wants_storage(message: &Stanza) -> bool {
    if message.kind() != Kind::Message {
        return false;
    }
    let is_chat = match message.head().stanza_type {
        StanzaType::Groupchat | StanzaType::Headline | StanzaType::Error => return false,
        StanzaType::Chat => true,
        // Any other type is a normal message's (RFC 6121 §5.2.2).
        StanzaType::None
        | StanzaType::Normal
        | StanzaType::Unavailable
        | StanzaType::Subscribe
        | StanzaType::Subscribed
        | StanzaType::Unsubscribe
        | StanzaType::Unsubscribed
        | StanzaType::Probe
        | StanzaType::Get
        | StanzaType::Set
        | StanzaType::Result
        | StanzaType::Unknown => false,
    };
    let hints = hints_of(message);
    !hints.no_store && (hints.store || !is_chat || !is_chat_state_only(message))
}

/// What stands behind the start tag.
fn content(message: &Stanza) -> &str {
    &message.element().as_str()[message.head().tag_end as usize..]
}
