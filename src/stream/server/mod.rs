//! The server's side of a stream with a client (RFC 6120 §§4, 6, 7): one struct for each element that is awaited.
//!
//! It knows no account and no session: [`ServerStep`] says what it needs to know. It does not time out, and it does
//! not close: an `Err` is for the caller to write.

mod auth;
mod bind;
mod hosts;
mod open;
mod register;
mod unexpected;
mod work;

use std::sync::Arc;

use bytes::Bytes;
use rand_chacha::ChaCha12Rng;

use super::credentials::hmac_sha256;
use super::{Credentials, Management, Mechanism, SALT_BYTES, StreamError};
use crate::stanza::{Condition, Jid};
use crate::xml::{Element, Frame, Open};
use auth::{ExpectAccount, ExpectAuth, ExpectInitialResponse, ExpectResponse};
use bind::{Bound, ExpectBind, ExpectBindAnswer, ExpectResumeAnswer};
use open::{ExpectOpen, ExpectReopen};
use register::is_registration;
use work::ExpectWorked;

pub use hosts::Hosts;
pub use unexpected::unexpected_element;
pub use work::{ServerWork, ServerWorked};

/// What a listener offers. Shared by its connections.
#[derive(Clone)]
pub struct ServerSettings {
    /// Domain served, prepared. A server of several has settings for each ([`Hosts`]).
    pub domain: String,
    /// Mechanisms in order of preference.
    pub mechanisms: Vec<Mechanism>,
    /// Secret of this process: PLAIN proofs, fake salts of unknown users.
    pub process_secret: [u8; 32],
    /// Whether accounts have [`Credentials::plain`]. PLAIN for an account that does not exist then takes as long as for
    /// one that does.
    pub plain_proofs: bool,
    /// Features of the owner (XML), offered beside the mechanisms.
    pub features_before_auth: String,
    /// Features of the owner (XML), offered beside bind.
    pub features_after_auth: String,
    /// Whether accounts may be registered before authentication (XEP-0077).
    pub registration: bool,
}

impl ServerSettings {
    /// Ten hexadecimal digits that tell this process from another one, and nothing of its secret.
    #[must_use]
    pub fn process_tag(&self, purpose: &str) -> String {
        let hash = hmac_sha256(&self.process_secret, &[b"tag\0", purpose.as_bytes()]);
        hash.iter().take(5).map(|byte| format!("{byte:02x}")).collect()
    }

    /// A salt that no other account of this process, and no other password of this account, gets: `number` counts up at
    /// each home. Nobody can guess it.
    #[must_use]
    pub fn salt(&self, home: usize, number: u64, account: &str) -> [u8; SALT_BYTES] {
        let place = format!("{home} {number} ");
        let hash = hmac_sha256(&self.process_secret, &[b"salt\0", place.as_bytes(), account.as_bytes()]);
        *hash.first_chunk().expect("a hash is longer")
    }
}

impl std::fmt::Debug for ServerSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("ServerSettings");
        debug.field("domain", &self.domain).field("mechanisms", &self.mechanisms).finish_non_exhaustive()
    }
}

/// Answer to [`ServerStep::NeedAccount`].
#[derive(Debug, Clone)]
pub enum Account {
    /// It exists.
    Known(Arc<Credentials>),
    /// It does not; the exchange goes on with fake keys and fails like a wrong password.
    Unknown,
    /// It cannot be read now (`temporary-auth-failure`).
    Unavailable,
}

/// Answer to [`ServerStep::Bind`].
#[derive(Debug, Clone)]
pub enum BindAnswer {
    /// Bound to this full JID.
    Bound(Jid),
    /// Refused; the stream goes on until `BIND_ATTEMPTS_MAX`.
    Refused(Condition),
}

/// Answer to [`ServerStep::Resume`].
#[derive(Debug, Clone)]
pub enum ResumeAnswer {
    /// The stream goes on as the one of this full JID. The owner writes `<resumed/>`, and what comes behind it.
    Resumed(Jid),
    /// It does not; the client may bind, or resume another one, until `BIND_ATTEMPTS_MAX`.
    Failed {
        /// Why.
        condition: Condition,
        /// What had been handled of a session that is over.
        h: Option<u32>,
    },
}

/// What the owner must do after a frame.
#[derive(Debug)]
pub enum ServerStep {
    /// Nothing: an answer was written, or more is awaited.
    Continue,
    /// The client named its account. Call `handle_account` before the next frame.
    NeedAccount {
        /// Bare JID.
        account: Jid,
    },
    /// This takes a millisecond: have it run elsewhere, and call `handle_worked` before the next frame.
    Work(Box<ServerWork>),
    /// `<success/>` is written. Call `Framer::restart` and lift the limits; the next frame is a new header.
    Authenticated {
        /// Bare JID.
        account: Jid,
        /// ANONYMOUS: the account has to be made.
        anonymous: bool,
    },
    /// A request of in-band registration came before authentication, and the settings allow it: answer it before the next
    /// frame. More of them may follow.
    Register(Element),
    /// The client asks for a resource (raw text, unprepared) or for any. Call `handle_bind`.
    Bind {
        /// Asked for.
        resource: Option<String>,
    },
    /// The client wants a former session back in place of binding (XEP-0198 §5). Call `handle_resume` before the next frame.
    Resume {
        /// What it has handled of that.
        h: u32,
        /// Id of that, as the client wrote it.
        previd: String,
    },
    /// Bound and something that is not negotiation came: hand it on. Also IQs to the server before bind (§7.1).
    Element(Element),
    /// `</stream:stream>`: deliver what is queued, answer with a close tag.
    Close,
}

/// Negotiation of a server's stream with a client (RFC 6120 §§4, 6, 7). Small once bound: the rest was boxed or is gone.
#[derive(Debug)]
pub struct ServerNegotiation {
    settings: Arc<ServerSettings>,
    state: State,
}

/// What is awaited.
#[derive(Debug)]
enum State {
    ExpectOpen(ExpectOpen),
    ExpectAuth(ExpectAuth),
    ExpectInitialResponse(ExpectInitialResponse),
    ExpectAccount(Box<ExpectAccount>),
    ExpectWorked(ExpectWorked),
    ExpectResponse(Box<ExpectResponse>),
    ExpectReopen(ExpectReopen),
    ExpectBind(ExpectBind),
    ExpectBindAnswer(Box<ExpectBindAnswer>),
    ExpectResumeAnswer(Box<ExpectResumeAnswer>),
    Bound(Bound),
    /// An error was returned; whatever comes now is not read.
    Spent,
}

/// The next state, and what the owner must do.
type Transition = Result<(State, ServerStep), StreamError>;

impl ServerNegotiation {
    /// Awaits the first header.
    #[must_use]
    pub fn new(hosts: impl Into<Hosts>) -> Self {
        let hosts = hosts.into();
        let settings = Arc::clone(hosts.main());
        Self { settings, state: State::ExpectOpen(ExpectOpen { hosts }) }
    }

    /// The domain that the stream is for; until there is a header, the server's first one.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.settings.domain
    }

    /// Takes a frame; answers are appended to `out`.
    ///
    /// # Errors
    /// The caller writes the error (and closes): if our header was not sent yet, this call has written it.
    pub fn handle_frame(
        &mut self,
        frame: Frame,
        out: &mut Vec<u8>,
        rng: &mut ChaCha12Rng,
    ) -> Result<ServerStep, StreamError> {
        match (frame, &self.state) {
            (Frame::Element(element), State::Bound(bound)) => {
                bound.handle_element(element, &self.settings, out)
            }
            // XEP-0198 §3: too early is no reason to end the stream.
            (
                Frame::Element(element),
                State::ExpectAuth(_) | State::ExpectInitialResponse(_) | State::ExpectResponse(_),
            ) if Management::parse(&element).is_some() => {
                Management::Failed { condition: Condition::UnexpectedRequest, h: None }.write(out);
                Ok(ServerStep::Continue)
            }
            (Frame::Element(element), _) => self.advance(|state, settings| match state {
                State::ExpectAuth(state) if settings.registration && is_registration(&element) => {
                    Ok((State::ExpectAuth(state), ServerStep::Register(element)))
                }
                State::ExpectAuth(state) => state.handle_element(&element, settings, out, rng),
                State::ExpectInitialResponse(state) => state.handle_element(&element, settings, out, rng),
                State::ExpectResponse(state) => state.handle_element(&element, settings, out, rng),
                State::ExpectBind(state) => state.handle_element(element, settings, out),
                State::Spent => Ok((State::Spent, ServerStep::Continue)),
                State::ExpectOpen(_) | State::ExpectReopen(_) => {
                    unreachable!("a stream's first frame is its header")
                }
                State::ExpectAccount(_)
                | State::ExpectWorked(_)
                | State::ExpectBindAnswer(_)
                | State::ExpectResumeAnswer(_)
                | State::Bound(_) => {
                    unreachable!("the owner answers before the next frame")
                }
            }),
            (Frame::Open(open), state) => {
                if let State::ExpectOpen(ExpectOpen { hosts }) = state {
                    self.settings = Arc::clone(hosts.asked_for(&open));
                }
                self.handle_open(&open, out, rng)
            }
            (Frame::Close, _) => Ok(ServerStep::Close),
        }
    }

    fn handle_open(
        &mut self,
        open: &Open,
        out: &mut Vec<u8>,
        rng: &mut ChaCha12Rng,
    ) -> Result<ServerStep, StreamError> {
        self.advance(|state, settings| match state {
            State::ExpectOpen(_) => open::handle_open(open, settings, out, rng),
            State::ExpectReopen(state) => state.handle_open(open, settings, out, rng),
            State::Spent => Ok((State::Spent, ServerStep::Continue)),
            State::ExpectAuth(_)
            | State::ExpectInitialResponse(_)
            | State::ExpectAccount(_)
            | State::ExpectWorked(_)
            | State::ExpectResponse(_)
            | State::ExpectBind(_)
            | State::ExpectBindAnswer(_)
            | State::ExpectResumeAnswer(_)
            | State::Bound(_) => unreachable!("a stream has one header"),
        })
    }

    /// Answers [`ServerStep::NeedAccount`].
    ///
    /// # Errors
    /// As [`ServerNegotiation::handle_frame`].
    pub fn handle_account(
        &mut self,
        account: Account,
        out: &mut Vec<u8>,
        _rng: &mut ChaCha12Rng,
    ) -> Result<ServerStep, StreamError> {
        self.advance(|state, settings| {
            let State::ExpectAccount(state) = state else { unreachable!("no account was asked for") };
            state.handle_account(account, settings, out)
        })
    }

    /// Answers [`ServerStep::Work`].
    ///
    /// # Errors
    /// As [`ServerNegotiation::handle_frame`].
    pub fn handle_worked(
        &mut self,
        worked: ServerWorked,
        out: &mut Vec<u8>,
    ) -> Result<ServerStep, StreamError> {
        self.advance(|state, _| {
            let State::ExpectWorked(state) = state else { unreachable!("no work was given out") };
            state.handle_worked(worked, out)
        })
    }

    /// Answers [`ServerStep::Bind`].
    ///
    /// # Errors
    /// As [`ServerNegotiation::handle_frame`].
    pub fn handle_bind(&mut self, answer: BindAnswer, out: &mut Vec<u8>) -> Result<ServerStep, StreamError> {
        self.advance(|state, _| {
            let State::ExpectBindAnswer(state) = state else { unreachable!("no resource was asked for") };
            state.handle_bind(answer, out)
        })
    }

    /// Answers [`ServerStep::Resume`].
    ///
    /// # Errors
    /// As [`ServerNegotiation::handle_frame`].
    pub fn handle_resume(
        &mut self,
        answer: ResumeAnswer,
        out: &mut Vec<u8>,
    ) -> Result<ServerStep, StreamError> {
        self.advance(|state, _| {
            let State::ExpectResumeAnswer(state) = state else { unreachable!("nothing was to be resumed") };
            state.handle_resume(answer, out)
        })
    }

    /// Writes our header first if it was not sent yet (for errors that come from outside: limits, XML faults,
    /// timeouts). The negotiation is over then.
    pub fn ensure_header(&mut self, out: &mut Vec<u8>, rng: &mut ChaCha12Rng) {
        if matches!(self.state, State::ExpectOpen(_) | State::ExpectReopen(_)) {
            open::write_header_unasked(&self.settings, out, rng);
            self.state = State::Spent;
        }
    }

    /// The authenticated account.
    #[must_use]
    pub fn account(&self) -> Option<&Jid> {
        match &self.state {
            State::ExpectReopen(state) => Some(&state.account),
            State::ExpectBind(state) => Some(&state.account),
            State::ExpectBindAnswer(state) => Some(&state.bind.account),
            State::ExpectResumeAnswer(state) => Some(&state.bind.account),
            State::Bound(state) => Some(&state.account),
            State::ExpectOpen(_)
            | State::ExpectAuth(_)
            | State::ExpectInitialResponse(_)
            | State::ExpectAccount(_)
            | State::ExpectWorked(_)
            | State::ExpectResponse(_)
            | State::Spent => None,
        }
    }

    /// Bound full JID.
    #[must_use]
    pub fn bound(&self) -> Option<&Jid> {
        self.as_bound().map(|state| &state.jid)
    }

    /// Default language of a bound client's stanzas, if its header named one (RFC 6120 §4.7.4): for
    /// [`crate::stanza::Stanza::stamp_lang`].
    #[must_use]
    pub fn lang(&self) -> Option<&Bytes> {
        self.as_bound().and_then(|state| state.lang.as_ref())
    }

    fn as_bound(&self) -> Option<&Bound> {
        if let State::Bound(state) = &self.state { Some(state) } else { None }
    }

    /// Replaces the state by what `next` makes of it; an error leaves it spent.
    fn advance(
        &mut self,
        next: impl FnOnce(State, &Arc<ServerSettings>) -> Transition,
    ) -> Result<ServerStep, StreamError> {
        let state = std::mem::replace(&mut self.state, State::Spent);
        let (state, step) = next(state, &self.settings)?;
        self.state = state;
        Ok(step)
    }
}

#[cfg(test)]
mod tests;
