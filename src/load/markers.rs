//! The marker child: carries an id to the recipient where the target does not.
//!
//! RFC 6120 §8.1.3 promises an id only in the answer to a request. Most servers leave the ids of messages and presence
//! alone; one that writes its own would make every operation lost and every arrival a stranger. Nothing is decided
//! here: [`super::user`]'s probe finds out.

use super::ids::{Run, StanzaId};
use crate::metrics::{IdsArrive, Survival};
use crate::stanza::{Kind, NS_CLIENT};
use crate::xml::{Element, Node};

/// Namespace of the marker child, `<x xmlns='urn:xmpp-bench:marker:0' id='…'/>`.
pub(super) const NS_MARKER: &str = "urn:xmpp-bench:marker:0";

/// Whether stanzas of this kind carry a marker.
pub(super) fn are_marked(ids: IdsArrive, kind: Kind) -> bool {
    match kind {
        Kind::Message => ids.message == Survival::Marker,
        Kind::Presence => ids.presence == Survival::Marker,
        // The answer to a request has its id.
        Kind::Iq => false,
    }
}

/// Appends the marker child.
pub(super) fn write_marker(run: &Run, id: StanzaId, out: &mut Vec<u8>) {
    out.extend_from_slice(b"<x xmlns='urn:xmpp-bench:marker:0' id='");
    run.write(id, out);
    out.extend_from_slice(b"'/>");
}

/// The id of this run in a stanza's marker child.
pub(super) fn marker_id(run: &Run, stanza: &Element) -> Option<StanzaId> {
    marker_of(run, &Node::parse(stanza, NS_CLIENT))
}

/// The same of a stanza that was read already.
pub(super) fn marker_of(run: &Run, stanza: &Node<'_>) -> Option<StanzaId> {
    run.parse(stanza.child("x", NS_MARKER)?.attr("id")?)
}

/// How a stanza that had both id and marker has arrived; [`Survival::Unknown`]: with neither.
pub(super) fn survival(run: &Run, sent: StanzaId, stanza: &Node<'_>) -> Survival {
    if stanza.attr("id").and_then(|id| run.parse(id)) == Some(sent) {
        Survival::Preserved
    } else if marker_of(run, stanza) == Some(sent) {
        Survival::Marker
    } else {
        Survival::Unknown
    }
}
