//! The client's side of a stream (RFC 6120 §§4, 6, 7), the same shape as the server's: one struct for each element that
//! is awaited.
//!
//! It does not choose among mechanisms (a load test names the one it wants), and tries none again: what the
//! server refuses is an error.

mod auth;
mod bind;
mod open;
mod work;

use std::sync::Arc;

use rand_chacha::ChaCha12Rng;

use super::header::write_client_header;
use super::{Mechanism, NS_STREAM, SaltedPasswordCache, StreamError};
use crate::stanza::{Jid, NS_CLIENT};
use crate::xml::{Element, Frame, Node};
use auth::{ExpectFeatures, ExpectSuccess};
use bind::{ExpectBindFeatures, ExpectBindResult, ExpectResumed, ExpectSessionResult};
use open::{ExpectOpen, ExpectReopen};
use work::ExpectWorked;

pub use work::{ClientWork, ClientWorked};

/// Who logs in, and how. Shared where it can be.
#[derive(Clone)]
pub struct ClientSettings {
    /// Domain in `to`.
    pub domain: Arc<str>,
    /// Mechanism to use; the login fails if it is not offered.
    pub mechanism: Mechanism,
    /// Localpart.
    pub username: String,
    /// Password.
    pub password: Arc<str>,
    /// Resource to ask for; the server's choice without.
    pub resource: Option<String>,
    /// Salted passwords already computed.
    pub cache: SaltedPasswordCache,
    /// What is wanted of stream management (XEP-0198).
    pub management: WantedManagement,
}

/// What a client wants of stream management. It enables it itself, once bound.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum WantedManagement {
    /// Nothing.
    #[default]
    None,
    /// That it is offered; the login fails if it is not.
    Offered,
    /// The same, and its former session, or else a new one.
    Resumed {
        /// What the client has handled of it.
        h: u32,
        /// Its id.
        previd: String,
    },
}

impl std::fmt::Debug for ClientSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientSettings")
            .field("domain", &self.domain)
            .field("mechanism", &self.mechanism)
            .field("username", &self.username)
            .field("resource", &self.resource)
            .finish_non_exhaustive()
    }
}

/// Why a login failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// The features name other mechanisms.
    #[error("server does not offer {wanted}; it offers {offered}")]
    MechanismNotOffered {
        /// The one that was to be used.
        wanted: &'static str,
        /// The ones there are, or `nothing`.
        offered: String,
    },
    /// SASL failure (RFC 6120 §6.5).
    #[error("login refused: {condition}{}", in_brackets(text.as_deref()))]
    Refused {
        /// Name of the condition.
        condition: String,
        /// The server's words.
        text: Option<String>,
    },
    /// Wrong or missing server signature (RFC 5802 §3).
    #[error("server could not prove that it knows the password")]
    ServerSignature,
    /// STARTTLS is required (RFC 6120 §5.3.1).
    #[error("server demands TLS (STARTTLS), which is not built yet")]
    TlsRequired,
    /// Stanza error in answer to bind or session.
    #[error("bind refused: {condition}")]
    Bind {
        /// Name of the condition.
        condition: String,
    },
    /// Stream error (RFC 6120 §4.9).
    #[error("stream error: {condition}{}", in_brackets(text.as_deref()))]
    Stream {
        /// Name of the condition.
        condition: String,
        /// The server's words.
        text: Option<String>,
    },
    /// The server does not do what the RFC says, or the settings cannot be sent.
    #[error("protocol error: {0}")]
    Protocol(String),
}

fn in_brackets(text: Option<&str>) -> String {
    text.map(|text| format!(" ({text})")).unwrap_or_default()
}

/// What the owner must do after a frame.
#[derive(Debug)]
pub enum ClientStep {
    /// More is awaited.
    Continue,
    /// This takes a millisecond: have it run elsewhere, and call `handle_worked` before the next frame.
    Work(Box<ClientWork>),
    /// Authenticated: `Framer::restart` NOW; a new header was written.
    Authenticated,
    /// Bound; the session may begin.
    Bound {
        /// Full JID.
        jid: Jid,
    },
    /// The former session goes on.
    Resumed {
        /// Stanzas of the client that the server has handled.
        h: u32,
    },
    /// After bind: an element for the owner.
    Element(Element),
    /// The server closed the stream (with the error it gave, if any).
    Close(Option<StreamError>),
}

/// Negotiation of a client's stream (RFC 6120 §§4, 6, 7). One word once bound.
#[derive(Debug)]
pub struct ClientNegotiation {
    state: State,
}

/// What is awaited. The settings travel along in a box until they are not needed any more.
#[derive(Debug)]
enum State {
    Unconnected(Box<ClientSettings>),
    ExpectOpen(ExpectOpen),
    ExpectFeatures(ExpectFeatures),
    ExpectSuccess(Box<ExpectSuccess>),
    ExpectWorked(ExpectWorked),
    ExpectReopen(ExpectReopen),
    ExpectBindFeatures(ExpectBindFeatures),
    ExpectResumed(ExpectResumed),
    ExpectBindResult(ExpectBindResult),
    ExpectSessionResult(Box<ExpectSessionResult>),
    Bound,
    /// The login has failed.
    Spent,
}

/// The next state, and what the owner must do.
type Transition = Result<(State, ClientStep), LoginError>;

impl ClientNegotiation {
    /// Nothing is written yet.
    #[must_use]
    pub fn new(settings: ClientSettings) -> Self {
        Self { state: State::Unconnected(Box::new(settings)) }
    }

    /// The connection is up: writes the header.
    pub fn handle_connected(&mut self, out: &mut Vec<u8>) {
        let state = std::mem::replace(&mut self.state, State::Spent);
        let State::Unconnected(settings) = state else { unreachable!("a connection comes up once") };
        write_client_header(&settings.domain, out);
        self.state = State::ExpectOpen(ExpectOpen { settings });
    }

    /// Takes a frame; answers are appended to `out`. After an error nothing is read any more.
    ///
    /// # Errors
    /// The login has failed; the owner closes the stream.
    pub fn handle_frame(
        &mut self,
        frame: Frame,
        out: &mut Vec<u8>,
        _rng: &mut ChaCha12Rng,
    ) -> Result<ClientStep, LoginError> {
        if let State::Bound = self.state {
            return Ok(handle_bound(frame));
        }
        let state = std::mem::replace(&mut self.state, State::Spent);
        let (state, step) = match frame {
            Frame::Open(open) => match state {
                State::ExpectOpen(state) => state.handle_open(&open)?,
                State::ExpectReopen(state) => state.handle_open(&open)?,
                State::Spent => (State::Spent, ClientStep::Continue),
                State::Unconnected(_)
                | State::ExpectFeatures(_)
                | State::ExpectSuccess(_)
                | State::ExpectWorked(_)
                | State::ExpectBindFeatures(_)
                | State::ExpectResumed(_)
                | State::ExpectBindResult(_)
                | State::ExpectSessionResult(_)
                | State::Bound => unreachable!("a stream has one header"),
            },
            Frame::Element(element) => handle_element(state, &element, out)?,
            Frame::Close => (State::Spent, ClientStep::Close(None)),
        };
        self.state = state;
        if let (State::Spent, ClientStep::Close(None)) = (&self.state, &step) {
            return Err(LoginError::Protocol("the server closed the stream during the login".into()));
        }
        Ok(step)
    }
}

impl ClientNegotiation {
    /// Answers [`ClientStep::Work`].
    ///
    /// # Errors
    /// As [`ClientNegotiation::handle_frame`].
    pub fn handle_worked(
        &mut self,
        worked: ClientWorked,
        out: &mut Vec<u8>,
    ) -> Result<ClientStep, LoginError> {
        let state = std::mem::replace(&mut self.state, State::Spent);
        let State::ExpectWorked(state) = state else { unreachable!("no work was given out") };
        let (state, step) = state.handle_worked(worked, out)?;
        self.state = state;
        Ok(step)
    }
}

/// An element during negotiation.
fn handle_element(state: State, element: &Element, out: &mut Vec<u8>) -> Transition {
    let node = Node::parse(element, NS_CLIENT);
    if let Some(error) = StreamError::parse(&node) {
        return Err(LoginError::Stream { condition: error.condition.as_str().into(), text: error.text });
    }
    match state {
        State::ExpectFeatures(state) => state.handle_element(&node, out),
        State::ExpectSuccess(state) => state.handle_element(&node, out),
        State::ExpectBindFeatures(state) => state.handle_element(&node, out),
        State::ExpectResumed(state) => state.handle_element(&node, element, out),
        State::ExpectBindResult(state) => state.handle_element(&node, out),
        State::ExpectSessionResult(state) => state.handle_element(&node),
        State::Spent => Ok((State::Spent, ClientStep::Continue)),
        State::ExpectWorked(_) => unreachable!("the owner answers before the next frame"),
        State::Unconnected(_) | State::ExpectOpen(_) | State::ExpectReopen(_) | State::Bound => {
            unreachable!("a stream's first frame is its header")
        }
    }
}

/// A frame of a bound stream. Stanzas have no prefix; a stream error does.
fn handle_bound(frame: Frame) -> ClientStep {
    match frame {
        Frame::Element(element) => match stream_error(&element) {
            Some(error) => ClientStep::Close(Some(error)),
            None => ClientStep::Element(element),
        },
        Frame::Close => ClientStep::Close(None),
        Frame::Open(_) => unreachable!("a stream has one header"),
    }
}

fn stream_error(element: &Element) -> Option<StreamError> {
    let tag = element.tag();
    if tag.local() != "error" || (tag.prefix().is_none() && !element.has_xmlns) {
        return None;
    }
    StreamError::parse(&Node::parse(element, NS_CLIENT))
}

/// An error about an element that was not expected.
fn unexpected(node: &Node<'_>, awaited: &str) -> LoginError {
    let ns = if node.ns == NS_STREAM { "stream" } else { &*node.ns };
    LoginError::Protocol(format!("the server sent <{}/> ({ns}) instead of {awaited}", node.name))
}

#[cfg(test)]
mod tests;
