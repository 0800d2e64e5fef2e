//! The server's side of one SASL exchange.
//!
//! It does not look for the account: it says whose login it is, and gets the keys.

use std::sync::Arc;

use rsasl::callback::{Context, SessionCallback, SessionData};
use rsasl::prelude::{MessageSent, Session, SessionError, State, Validation};
use rsasl::property::Password;
use rsasl::validate::{Validate, ValidationError};

use super::scram::ScramServer;
use super::{Failure, Mechanism, message, server_session};
use crate::stanza::{Jid, JidRef};
use crate::stream::credentials::Hash;
use crate::stream::{Credentials, ServerSettings};

/// A client's first message, read as far as it can be without the account.
#[derive(Debug)]
pub(in crate::stream) struct Request {
    mechanism: Mechanism,
    message: Vec<u8>,
    /// The server's part of SCRAM's nonce.
    nonce: String,
    /// Bare address of the account that is asked for.
    pub(in crate::stream) account: Jid,
}

impl Request {
    /// Reads the first message of a client at `domain`. `fresh_name` is letters and digits that nobody can guess: the name
    /// of the new account for ANONYMOUS, the server's part of the nonce for SCRAM (RFC 5802 §5.1).
    ///
    /// An authorization identity must be the account's own bare address (RFC 6120 §6.3.8): nobody acts for others here.
    pub(in crate::stream) fn parse(
        mechanism: Mechanism,
        message: Vec<u8>,
        domain: &str,
        fresh_name: impl FnOnce() -> String,
    ) -> Result<Self, Failure> {
        let names = message::names(mechanism, &message)?;
        let mut nonce = String::new();
        let username = match mechanism {
            Mechanism::Anonymous => fresh_name(),
            Mechanism::Plain => names.username,
            Mechanism::ScramSha1 | Mechanism::ScramSha256 => {
                nonce = fresh_name();
                names.username
            }
        };
        // A name that is no localpart is nobody's: no reason to say more than for one that does not exist.
        let account = Jid::from_parts(Some(&username), domain, None).map_err(|_| Failure::NotAuthorized)?;
        if let Some(authzid) = names.authzid {
            let own = JidRef::parse(&authzid).is_ok_and(|authzid| authzid.jid() == account.as_ref());
            if !own {
                return Err(Failure::InvalidAuthzid);
            }
        }
        Ok(Self { mechanism, message, nonce, account })
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
    session: Run,
    /// Bare address of the account.
    pub(in crate::stream) account: Jid,
}

/// Who runs an exchange.
enum Run {
    Library(Session<Outcome>),
    Scram {
        server: ScramServer,
        /// Made up keys are never good, not even if they were met.
        exists: bool,
    },
}

impl ServerExchange {
    /// Begins an exchange with a request's message. An account that does not exist, and one without keys for the
    /// mechanism, goes on with made up keys until its proof is refused (RFC 6120 §6.5.10).
    pub(in crate::stream) fn start(
        request: Request,
        credentials: Option<Arc<Credentials>>,
        settings: &Arc<ServerSettings>,
    ) -> Result<(Self, Next), Failure> {
        let Request { mechanism, message, nonce, account } = request;
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
        let keys = match mechanism {
            Mechanism::ScramSha1 => credentials.sha1.as_ref().map(|keys| (Hash::Sha1, keys)),
            Mechanism::ScramSha256 => credentials.sha256.as_ref().map(|keys| (Hash::Sha256, keys)),
            Mechanism::Plain | Mechanism::Anonymous => None,
        };
        if let Some((hash, keys)) = keys {
            let (server, answer) = ScramServer::begin(hash, &message, keys, &nonce)?;
            let session = Run::Scram { server, exists };
            return Ok((Self { session, account }, Next::Challenge(answer)));
        }
        let is_plain = mechanism == Mechanism::Plain;
        let secrets = Secrets { is_plain, exists, credentials, settings: settings.clone() };
        let session = Run::Library(server_session(mechanism, secrets));
        let mut exchange = Self { session, account };
        let next = exchange.run(&message)?;
        Ok((exchange, next))
    }

    /// Takes a client's response. After an error the exchange is over.
    pub(in crate::stream) fn step(&mut self, message: &[u8]) -> Result<Next, Failure> {
        if message::is_scram(message) { self.run(message) } else { Err(Failure::MalformedRequest) }
    }

    /// Takes a message whose form was looked at before.
    fn run(&mut self, message: &[u8]) -> Result<Next, Failure> {
        let session = match &mut self.session {
            Run::Library(session) => session,
            Run::Scram { server, exists } => {
                let signature = server.finish(message)?;
                return if *exists {
                    Ok(Next::Success(Some(signature)))
                } else {
                    Err(Failure::NotAuthorized)
                };
            }
        };
        let mut answer = Vec::new();
        match session.step(Some(message), &mut answer) {
            Ok(State::Running) => Ok(Next::Challenge(answer)),
            Ok(State::Finished(sent)) => match session.validation() {
                Some(true) => Ok(Next::Success((sent == MessageSent::Yes).then_some(answer))),
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
    is_plain: bool,
    /// Made up keys are never good, not even if they were met.
    exists: bool,
    credentials: Arc<Credentials>,
    settings: Arc<ServerSettings>,
}

impl SessionCallback for Secrets {
    fn validate(
        &self,
        _session: &SessionData,
        context: &Context<'_>,
        validate: &mut Validate<'_>,
    ) -> Result<(), ValidationError> {
        let accepted = if self.is_plain {
            let password = context.get_ref::<Password>().ok_or(ValidationError::MissingRequiredProperty)?;
            self.credentials.accept_password(password, &self.settings.process_secret)
        } else {
            true
        };
        validate.with::<Outcome, _>(|| Ok(accepted && self.exists))?;
        Ok(())
    }
}
