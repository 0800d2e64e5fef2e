//! Resource binding (RFC 6120 §7) and, where a server insists, the session of RFC 3921 §3.
//!
//! Stanzas that come before the answer are dropped: they are for nobody yet.

use super::{ClientSettings, ClientStep, LoginError, State, Transition, WantedManagement, unexpected};
use crate::stanza::{Jid, NS_CLIENT, NS_STANZAS};
use crate::stream::features::Features;
use crate::stream::{Management, NS_BIND, NS_SESSION, NS_SM};
use crate::xml::{Element, Node, escape_text_into};

/// Ids of the two requests.
const BIND_ID: &str = "bind";
const SESSION_ID: &str = "session";

/// The features of the second header.
#[derive(Debug)]
pub(super) struct ExpectBindFeatures {
    pub(super) settings: Box<ClientSettings>,
}

/// The answer to a resumption (XEP-0198 §5).
#[derive(Debug)]
pub(super) struct ExpectResumed {
    settings: Box<ClientSettings>,
    session_required: bool,
}

/// The answer to bind.
#[derive(Debug)]
pub(super) struct ExpectBindResult {
    session_required: bool,
}

/// The answer to the session request.
#[derive(Debug)]
pub(super) struct ExpectSessionResult {
    jid: Jid,
}

impl ExpectBindFeatures {
    pub(super) fn handle_element(self, node: &Node<'_>, out: &mut Vec<u8>) -> Transition {
        let features = Features::parse(node).ok_or_else(|| unexpected(node, "stream features"))?;
        if !features.bind {
            return Err(LoginError::Protocol("the server does not offer to bind a resource".into()));
        }
        let Self { settings } = self;
        if settings.management != WantedManagement::None && !features.management {
            return Err(LoginError::Protocol("the server does not offer stream management".into()));
        }
        let session_required = features.session_required;
        if let WantedManagement::Resumed { h, previd } = &settings.management {
            Management::Resume { h: *h, previd: previd.clone() }.write(out);
            let state = ExpectResumed { settings, session_required };
            return Ok((State::ExpectResumed(state), ClientStep::Continue));
        }
        bind(&settings, session_required, out)
    }
}

impl ExpectResumed {
    /// Whatever comes before the answer is dropped: there is no session yet.
    pub(super) fn handle_element(self, node: &Node<'_>, element: &Element, out: &mut Vec<u8>) -> Transition {
        if node.ns != NS_SM {
            return Ok((State::ExpectResumed(self), ClientStep::Continue));
        }
        if let Some(Management::Resumed { h, .. }) = Management::parse(element) {
            return Ok((State::Bound, ClientStep::Resumed { h }));
        }
        bind(&self.settings, self.session_required, out)
    }
}

fn bind(settings: &ClientSettings, session_required: bool, out: &mut Vec<u8>) -> Transition {
    write_request(BIND_ID, "bind", NS_BIND, out);
    match &settings.resource {
        Some(resource) => {
            out.extend_from_slice(b"><resource>");
            escape_text_into(resource, out);
            out.extend_from_slice(b"</resource></bind></iq>");
        }
        None => out.extend_from_slice(b"/></iq>"),
    }
    Ok((State::ExpectBindResult(ExpectBindResult { session_required }), ClientStep::Continue))
}

impl ExpectBindResult {
    pub(super) fn handle_element(self, node: &Node<'_>, out: &mut Vec<u8>) -> Transition {
        if !is_answer(node, BIND_ID)? {
            return Ok((State::ExpectBindResult(self), ClientStep::Continue));
        }
        let text = node.child("bind", NS_BIND).and_then(|bind| bind.child("jid", NS_BIND)).map(Node::text);
        let jid = text.as_deref().and_then(|text| Jid::parse(text.trim()).ok());
        let jid = jid
            .filter(|jid| jid.as_ref().resource().is_some())
            .ok_or_else(|| LoginError::Protocol("the server's answer to bind has no full address".into()))?;
        if !self.session_required {
            return Ok((State::Bound, ClientStep::Bound { jid }));
        }
        write_request(SESSION_ID, "session", NS_SESSION, out);
        out.extend_from_slice(b"/></iq>");
        Ok((State::ExpectSessionResult(Box::new(ExpectSessionResult { jid })), ClientStep::Continue))
    }
}

impl ExpectSessionResult {
    pub(super) fn handle_element(self, node: &Node<'_>) -> Transition {
        if !is_answer(node, SESSION_ID)? {
            return Ok((State::ExpectSessionResult(Box::new(self)), ClientStep::Continue));
        }
        Ok((State::Bound, ClientStep::Bound { jid: self.jid }))
    }
}

/// Appends `<iq …><name xmlns='ns'`, not closed.
fn write_request(id: &str, name: &str, ns: &str, out: &mut Vec<u8>) {
    for part in ["<iq id='", id, "' type='set'><", name, " xmlns='", ns, "'"] {
        out.extend_from_slice(part.as_bytes());
    }
}

/// Whether `node` is the result of the request `id`.
fn is_answer(node: &Node<'_>, id: &str) -> Result<bool, LoginError> {
    if !node.is("iq", NS_CLIENT) || node.attr("id") != Some(id) {
        return Ok(false);
    }
    match node.attr("type") {
        Some("result") => Ok(true),
        Some("error") => {
            let error = node.child("error", NS_CLIENT);
            let condition =
                error.and_then(|error| error.elements().find(|e| e.ns == NS_STANZAS && e.name != "text"));
            let condition = condition.map_or("no condition", |condition| condition.name);
            Err(LoginError::Bind { condition: condition.into() })
        }
        _ => Ok(false),
    }
}
