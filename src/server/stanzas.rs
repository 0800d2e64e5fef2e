//! The sender's side: whose is a stanza, and is it sound (RFC 6120 §8.1, §10.3).
//!
//! Nothing here knows whether a recipient exists.

use super::client_link::{Bound, ClientLink};
use super::routing::Origin;
use super::world::ServerWorld;
use super::write::escaped;
use crate::engine::{ConnId, Effects};
use crate::router::SubscriptionChange;
use crate::stanza::{Head, Jid, Kind, Stanza, StanzaType, leans_too_much};
use crate::stream::{Management, StreamCondition, StreamError, unexpected_element};
use crate::xml::Element;

impl ServerWorld {
    /// A first-level element of a bound client. One of stream management is handed back.
    ///
    /// # Errors
    /// The stream ends with this: the element is no stanza (§4.9.3.24), or claims to be another's (§8.1.2.1).
    pub(super) fn on_element(
        &mut self,
        element: Element,
        bound: &Bound,
        origin: Origin,
        out: &mut Effects<ClientLink>,
    ) -> Result<Option<Management>, StreamError> {
        let mut stanza = match stanza_of(element) {
            Ok(stanza) => stanza,
            Err(NotStanza::Management(management)) => return Ok(Some(management)),
            Err(NotStanza::Fault(error)) => return Err(error),
        };
        if stanza.head().from.is_some() {
            let session = self.shard.session(bound.session).expect("a replaced stream is closed at once");
            if !stanza.is_from(session.jid().as_ref()) {
                return Err(StreamError::peer(StreamCondition::InvalidFrom));
            }
        }
        stanza.stamp_from(if is_from_bare(&stanza) {
            bound.from.slice(..usize::from(bound.bare_len))
        } else {
            bound.from.clone()
        });
        if let Some(lang) = bound.lang() {
            stanza.stamp_lang(lang.clone());
        }
        self.counters.count_in(stanza.kind());
        self.begin_acting(origin);
        if let Err(condition) = stanza.check() {
            self.bounce(&stanza, condition, Some(origin), out);
        } else if self.refuse_to_blocked(&stanza, bound.session, origin, out) {
            // Nothing is left to be done.
        } else if stanza.kind() == Kind::Presence {
            self.on_presence(stanza, bound.session, origin, out);
        } else {
            self.route(stanza, Some(origin), out);
        }
        self.settle(out);
        self.end_acting(out);
        Ok(None)
    }

    /// An element of a client that has authenticated and not bound: requests to the server or to its own account are
    /// answered, everything else ends the stream (§7.1).
    ///
    /// # Errors
    /// `not-authorized` for everything else.
    pub(super) fn on_early_element(
        &mut self,
        element: Element,
        account: &Jid,
        conn: ConnId,
        out: &mut Effects<ClientLink>,
    ) -> Result<(), StreamError> {
        let Ok(mut stanza) = stanza_of(element) else {
            return Err(StreamError::peer(StreamCondition::NotAuthorized));
        };
        let is_request = matches!(stanza.head().stanza_type, StanzaType::Get | StanzaType::Set);
        let is_near = match stanza.to().map(crate::stanza::JidRef::parse_attr) {
            None => true,
            Some(Ok(to)) => {
                to.jid().as_str() == account.as_str() || to.jid().as_str() == account.as_ref().domain()
            }
            Some(Err(_)) => false,
        };
        if !(is_request && is_near && stanza.is_from(account.as_ref())) {
            return Err(StreamError::peer(StreamCondition::NotAuthorized));
        }
        stanza.stamp_from(escaped(account.as_ref()));
        self.counters.count_in(stanza.kind());
        let origin = Origin { conn, session: None };
        self.begin_acting(origin);
        match stanza.check() {
            Ok(()) => self.route(stanza, Some(origin), out),
            Err(condition) => self.bounce(&stanza, condition, Some(origin), out),
        }
        self.settle(out);
        self.end_acting(out);
        Ok(())
    }
}

/// Subscriptions belong to the account, and so do probes (§8.1.2.1, RFC 6121 §3, §4.3).
fn is_from_bare(stanza: &Stanza) -> bool {
    let stanza_type = stanza.head().stanza_type;
    stanza_type == StanzaType::Probe || SubscriptionChange::of(stanza_type).is_some()
}

/// An element that is no stanza.
enum NotStanza {
    Management(Management),
    Fault(StreamError),
}

fn stanza_of(element: Element) -> Result<Stanza, NotStanza> {
    if element.scope.is_some() && leans_too_much(&element) {
        return Err(NotStanza::Fault(StreamError::peer(StreamCondition::InvalidNamespace)));
    }
    match Head::parse(&element) {
        Some(head) => Ok(Stanza::new(element, head)),
        None => Err(match Management::parse(&element) {
            Some(management) => NotStanza::Management(management),
            None => NotStanza::Fault(unexpected_element(&element)),
        }),
    }
}
