//! Which elements are in-band registration before authentication (XEP-0077 §3.1.1).
//!
//! What they mean is the owner's concern.

use crate::stanza::{Head, Kind, NS_CLIENT, StanzaType};
use crate::stream::NS_REGISTER;
use crate::xml::{Element, Node};

/// Whether `element` is an IQ request with a registration query in it. Everything else has to wait for authentication.
pub(super) fn is_registration(element: &Element) -> bool {
    let is_request = Head::parse(element).is_some_and(|head| {
        head.kind == Kind::Iq && matches!(head.stanza_type, StanzaType::Get | StanzaType::Set)
    });
    is_request && Node::parse(element, NS_CLIENT).child("query", NS_REGISTER).is_some()
}
