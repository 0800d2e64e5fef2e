//! The server's side of one SASL exchange.
//!
//! It does not look for the account: it says whose login it is, and gets the keys.

use std::sync::Arc;

use rsasl::callback::{Context, Request as Query, SessionCallback, SessionData};
use rsasl::mechanisms::scram::properties::ScramStoredPassword;
use rsasl::prelude::{MessageSent, Session, SessionError, State, Validation};
use rsasl::property::Password;
use rsasl::validate::{Validate, ValidationError};

use super::{Failure, Mechanism, message, server_session};
use crate::stanza::{Jid, JidRef};
use crate::stream::{Credentials, ServerSettings};

/// A client's first message, read as far as it can be without the account.
#[derive(Debug)]
pub(in crate::stream) struct Request {
    mechanism: Mechanism,
    message: Vec<u8>,
    /// Bare address of the account that is asked for.
    pub(in crate::stream) account: Jid,
}

impl Request {
    /// Reads the first message of a client at `domain`. For ANONYMOUS the account is a new one, named `fresh_name`.
    ///
    /// An authorization identity must be the account's own bare address (RFC 6120 §6.3.8): nobody acts for others here.
    pub(in crate::stream) fn parse(
        mechanism: Mechanism,
        message: Vec<u8>,
        domain: &str,
        fresh_name: impl FnOnce() -> String,
    ) -> Result<Self, Failure> {
        let names = message::names(mechanism, &message)?;
        let username = if mechanism == Mechanism::Anonymous { fresh_name() } else { names.username };
        // A name that is no localpart is nobody's: no reason to say more than for one that does not exist.
        let account = Jid::from_parts(Some(&username), domain, None).map_err(|_| Failure::NotAuthorized)?;
        if let Some(authzid) = names.authzid {
            let own = JidRef::parse(&authzid).is_ok_and(|authzid| authzid.jid() == account.as_ref());
            if !own {
                return Err(Failure::InvalidAuthzid);
            }
        }
        Ok(Self { mechanism, message, account })
    }

    /// Whether the first step has to salt the password: PLAIN, for an account without the shortcut, or for one that does not
    /// exist where others have none.
    pub(in crate::stream) fn takes_long(
        &self,
        credentials: Option<&Credentials>,
        settings: &ServerSettings,
    ) -> bool {
        self.mechanism == Mechanism::Plain
            && credentials.map_or(!settings.plain_proofs, |credentials| credentials.plain.is_none())
    }

    pub(in crate::stream) fn is_anonymous(&self) -> bool {
        self.mechanism == Mechanism::Anonymous
    }
}

/// What comes after a message of the client.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::stream) enum Next {
    /// This goes into a challenge.
    Challenge(Vec<u8>),
    /// The client is who it says; this goes along with the success, if anything.
    Success(Option<Vec<u8>>),
}

/// An exchange whose account is known.
pub(in crate::stream) struct ServerExchange {
    session: Session<Outcome>,
    /// Bare address of the account.
    pub(in crate::stream) account: Jid,
}

impl ServerExchange {
    /// Begins an exchange with a request's message. An account that does not exist, and one without keys for the
    /// mechanism, goes on with made up keys until its proof is refused (RFC 6120 §6.5.10).
    pub(in crate::stream) fn start(
        request: Request,
        credentials: Option<Arc<Credentials>>,
        settings: &Arc<ServerSettings>,
    ) -> Result<(Self, Next), Failure> {
        let Request { mechanism, message, account } = request;
        let usable = credentials.filter(|credentials| match mechanism {
            Mechanism::ScramSha1 => credentials.sha1.is_some(),
            Mechanism::ScramSha256 => credentials.sha256.is_some(),
            Mechanism::Plain | Mechanism::Anonymous => true,
        });
        let exists = usable.is_some() || mechanism == Mechanism::Anonymous;
        let credentials = usable.unwrap_or_else(|| {
            let username = account.as_ref().local().unwrap_or_default();
            Arc::new(Credentials::fake(username, &settings.process_secret, settings.plain_proofs))
        });
        let secrets = Secrets { mechanism, exists, credentials, settings: settings.clone() };
        let session = server_session(mechanism, secrets);
        let mut exchange = Self { session, account };
        let next = exchange.run(&message)?;
        Ok((exchange, next))
    }

    /// Takes a client's response. After an error the exchange is over.
    pub(in crate::stream) fn step(&mut self, message: &[u8]) -> Result<Next, Failure> {
        if message::is_scram(message) { self.run(message) } else { Err(Failure::MalformedRequest) }
    }

    /// Hands `rsasl` a message that was read before.
    fn run(&mut self, message: &[u8]) -> Result<Next, Failure> {
        let mut answer = Vec::new();
        match self.session.step(Some(message), &mut answer) {
            Ok(State::Running) => Ok(Next::Challenge(answer)),
            Ok(State::Finished(sent)) => match self.session.validation() {
                Some(true) => Ok(Next::Success((sent == MessageSent::Yes).then_some(answer))),
                // The reason that SCRAM would give (`e=`) has no place in a failure.
                Some(false) | None => Err(Failure::NotAuthorized),
            },
            Err(
                SessionError::ValidationError(_) | SessionError::CallbackError(_) | SessionError::NoValidate,
            ) => Err(Failure::NotAuthorized),
            Err(_) => Err(Failure::MalformedRequest),
        }
    }
}

impl std::fmt::Debug for ServerExchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerExchange").field("account", &self.account).finish_non_exhaustive()
    }
}

/// Whether the login is good.
struct Outcome;
impl Validation for Outcome {
    type Value = bool;
}

/// What `rsasl` asks for.
struct Secrets {
    mechanism: Mechanism,
    /// Made up keys are never good, not even if they were met.
    exists: bool,
    credentials: Arc<Credentials>,
    settings: Arc<ServerSettings>,
}

impl SessionCallback for Secrets {
    fn callback(
        &self,
        _session: &SessionData,
        _context: &Context<'_>,
        query: &mut Query<'_>,
    ) -> Result<(), SessionError> {
        let keys = match self.mechanism {
            Mechanism::ScramSha1 => &self.credentials.sha1,
            Mechanism::ScramSha256 => &self.credentials.sha256,
            Mechanism::Plain | Mechanism::Anonymous => &None,
        };
        if let Some(keys) = keys {
            query.satisfy::<ScramStoredPassword<'static>>(&ScramStoredPassword::new(
                keys.iterations,
                &keys.salt,
                &keys.stored_key,
                &keys.server_key,
            ))?;
        }
        Ok(())
    }

    fn validate(
        &self,
        _session: &SessionData,
        context: &Context<'_>,
        validate: &mut Validate<'_>,
    ) -> Result<(), ValidationError> {
        let accepted = match self.mechanism {
            // rsasl has checked the proof before it asks.
            Mechanism::ScramSha1 | Mechanism::ScramSha256 | Mechanism::Anonymous => true,
            Mechanism::Plain => {
                let password =
                    context.get_ref::<Password>().ok_or(ValidationError::MissingRequiredProperty)?;
                self.credentials.accept_password(password, &self.settings.process_secret)
            }
        };
        validate.with::<Outcome, _>(|| Ok(accepted && self.exists))?;
        Ok(())
    }
}
