//! SASL negotiation (RFC 6120 §6.4): `<auth/>`, challenges and responses, success and failure.
//!
//! What the messages mean is `stream/sasl`'s concern.

use std::sync::Arc;

use rand_chacha::ChaCha12Rng;

use super::open::ExpectReopen;
use super::unexpected::refuse_before_bind;
use super::work::{ExpectWorked, ServerWork};
use super::{Account, ServerSettings, ServerStep, State, Transition};
use crate::limits::SASL_ATTEMPTS_MAX;
use crate::stanza::NS_CLIENT;
use crate::stream::header::write_random_id;
use crate::stream::sasl::{Failure, Next, Request, ServerExchange, decode, encode_into};
use crate::stream::{Mechanism, NS_SASL, StreamCondition, StreamError};
use crate::xml::{Element, Node};

/// An `<auth/>`.
#[derive(Debug, Default)]
pub(super) struct ExpectAuth {
    attempts: Attempts,
}

/// The message that an `<auth/>` came without.
#[derive(Debug)]
pub(super) struct ExpectInitialResponse {
    attempts: Attempts,
    mechanism: Mechanism,
}

/// The owner's word on the account.
#[derive(Debug)]
pub(super) struct ExpectAccount {
    attempts: Attempts,
    request: Request,
}

/// The answer to a challenge.
#[derive(Debug)]
pub(super) struct ExpectResponse {
    attempts: Attempts,
    exchange: ServerExchange,
}

/// Failed attempts of this stream (RFC 6120 §6.4.5).
#[derive(Debug, Default)]
pub(super) struct Attempts(u8);

/// What a client may say during SASL.
enum Word {
    Auth { mechanism: Option<Mechanism>, text: String },
    Response { text: String },
    Abort,
}

impl Word {
    fn parse(element: &Element) -> Result<Self, StreamError> {
        let node = Node::parse(element, NS_CLIENT);
        match node.name {
            _ if node.ns != NS_SASL => Err(refuse_before_bind(element)),
            "auth" => {
                let mechanism = node.attr("mechanism").and_then(Mechanism::parse);
                Ok(Self::Auth { mechanism, text: node.text() })
            }
            "response" => Ok(Self::Response { text: node.text() }),
            "abort" => Ok(Self::Abort),
            _ => Err(refuse_before_bind(element)),
        }
    }
}

impl ExpectAuth {
    pub(super) fn handle_element(
        self,
        element: &Element,
        settings: &Arc<ServerSettings>,
        out: &mut Vec<u8>,
        rng: &mut ChaCha12Rng,
    ) -> Transition {
        match Word::parse(element)? {
            Word::Auth { mechanism, text } => begin(self.attempts, mechanism, &text, settings, out, rng),
            Word::Response { .. } => self.attempts.fail(Failure::MalformedRequest, out),
            Word::Abort => self.attempts.fail(Failure::Aborted, out),
        }
    }
}

impl ExpectInitialResponse {
    pub(super) fn handle_element(
        self,
        element: &Element,
        settings: &Arc<ServerSettings>,
        out: &mut Vec<u8>,
        rng: &mut ChaCha12Rng,
    ) -> Transition {
        match Word::parse(element)? {
            Word::Auth { mechanism, text } => {
                begin(self.attempts.discard()?, mechanism, &text, settings, out, rng)
            }
            Word::Response { text } => match decode(&text) {
                Ok(message) => {
                    let message = message.unwrap_or_default();
                    request(self.attempts, self.mechanism, message, settings, out, rng)
                }
                Err(failure) => self.attempts.fail(failure, out),
            },
            Word::Abort => self.attempts.fail(Failure::Aborted, out),
        }
    }
}

impl ExpectAccount {
    pub(super) fn handle_account(
        self,
        account: Account,
        settings: &Arc<ServerSettings>,
        out: &mut Vec<u8>,
    ) -> Transition {
        let credentials = match account {
            Account::Known(credentials) => Some(credentials),
            Account::Unknown => None,
            Account::Unavailable => return self.attempts.fail(Failure::TemporaryAuthFailure, out),
        };
        if self.request.takes_long(credentials.as_deref(), settings) {
            let work = ServerWork { request: self.request, credentials, settings: Arc::clone(settings) };
            let state = State::ExpectWorked(ExpectWorked { attempts: self.attempts });
            return Ok((state, ServerStep::Work(Box::new(work))));
        }
        match ServerExchange::start(self.request, credentials, settings) {
            Ok((exchange, next)) => go_on(self.attempts, exchange, next, false, out),
            Err(failure) => self.attempts.fail(failure, out),
        }
    }
}

impl ExpectResponse {
    pub(super) fn handle_element(
        mut self,
        element: &Element,
        settings: &Arc<ServerSettings>,
        out: &mut Vec<u8>,
        rng: &mut ChaCha12Rng,
    ) -> Transition {
        match Word::parse(element)? {
            Word::Auth { mechanism, text } => {
                begin(self.attempts.discard()?, mechanism, &text, settings, out, rng)
            }
            Word::Response { text } => {
                let message = decode(&text).map(Option::unwrap_or_default);
                match message.and_then(|message| self.exchange.step(&message)) {
                    Ok(next) => go_on(self.attempts, self.exchange, next, false, out),
                    Err(failure) => self.attempts.fail(failure, out),
                }
            }
            Word::Abort => self.attempts.fail(Failure::Aborted, out),
        }
    }
}

/// An `<auth/>` (§6.4.2). Without an initial response an empty challenge asks for it, save for ANONYMOUS, whose clients
/// may have nothing to say (XEP-0175 §3).
fn begin(
    attempts: Attempts,
    mechanism: Option<Mechanism>,
    text: &str,
    settings: &Arc<ServerSettings>,
    out: &mut Vec<u8>,
    rng: &mut ChaCha12Rng,
) -> Transition {
    let Some(mechanism) = mechanism.filter(|mechanism| settings.mechanisms.contains(mechanism)) else {
        return attempts.fail(Failure::InvalidMechanism, out);
    };
    match decode(text) {
        Ok(None) if mechanism != Mechanism::Anonymous => {
            write_sasl("challenge", None, out);
            let state = ExpectInitialResponse { attempts, mechanism };
            Ok((State::ExpectInitialResponse(state), ServerStep::Continue))
        }
        Ok(message) => request(attempts, mechanism, message.unwrap_or_default(), settings, out, rng),
        Err(failure) => attempts.fail(failure, out),
    }
}

/// The first message of a mechanism: it names the account.
fn request(
    attempts: Attempts,
    mechanism: Mechanism,
    message: Vec<u8>,
    settings: &Arc<ServerSettings>,
    out: &mut Vec<u8>,
    rng: &mut ChaCha12Rng,
) -> Transition {
    let fresh_name = || {
        let mut name = Vec::new();
        write_random_id(rng, &mut name);
        String::from_utf8(name).expect("an id is ASCII")
    };
    let request = match Request::parse(mechanism, message, &settings.domain, fresh_name) {
        Ok(request) => request,
        Err(failure) => return attempts.fail(failure, out),
    };
    if request.is_anonymous() {
        return match ServerExchange::start(request, None, settings) {
            Ok((exchange, next)) => go_on(attempts, exchange, next, true, out),
            Err(failure) => attempts.fail(failure, out),
        };
    }
    let account = request.account.clone();
    let state = ExpectAccount { attempts, request };
    Ok((State::ExpectAccount(Box::new(state)), ServerStep::NeedAccount { account }))
}

/// Writes what comes next of an exchange.
pub(super) fn go_on(
    attempts: Attempts,
    exchange: ServerExchange,
    next: Next,
    anonymous: bool,
    out: &mut Vec<u8>,
) -> Transition {
    match next {
        Next::Challenge(data) => {
            write_sasl("challenge", Some(&data), out);
            let state = ExpectResponse { attempts, exchange };
            Ok((State::ExpectResponse(Box::new(state)), ServerStep::Continue))
        }
        Next::Success(data) => {
            write_sasl("success", data.as_deref(), out);
            let account = exchange.account;
            let state = ExpectReopen { account: account.clone(), anonymous };
            Ok((State::ExpectReopen(state), ServerStep::Authenticated { account, anonymous }))
        }
    }
}

impl Attempts {
    /// Writes a failure; the last one that is borne ends the stream too.
    pub(super) fn fail(self, failure: Failure, out: &mut Vec<u8>) -> Transition {
        for part in ["<failure xmlns='", NS_SASL, "'><", failure.as_str(), "/></failure>"] {
            out.extend_from_slice(part.as_bytes());
        }
        let attempts = self.discard()?;
        Ok((State::ExpectAuth(ExpectAuth { attempts }), ServerStep::Continue))
    }

    /// Counts an exchange that came to nothing, one that a new `<auth/>` replaced among them: each may have cost a look
    /// at an account.
    fn discard(self) -> Result<Self, StreamError> {
        let count = self.0 + 1;
        if count >= SASL_ATTEMPTS_MAX {
            return Err(
                StreamError::peer(StreamCondition::PolicyViolation).with_text("too many failed logins")
            );
        }
        Ok(Self(count))
    }
}

fn write_sasl(name: &str, data: Option<&[u8]>, out: &mut Vec<u8>) {
    for part in ["<", name, " xmlns='", NS_SASL, "'"] {
        out.extend_from_slice(part.as_bytes());
    }
    let Some(data) = data else {
        out.extend_from_slice(b"/>");
        return;
    };
    out.extend_from_slice(b">");
    encode_into(data, out);
    for part in ["</", name, ">"] {
        out.extend_from_slice(part.as_bytes());
    }
}
