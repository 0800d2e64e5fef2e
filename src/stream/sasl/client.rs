//! The client's side of one SASL exchange.
//!
//! It derives no keys that the cache has, and believes no server that has not proven that it knows them.

use std::sync::Arc;

use rsasl::callback::{Context, Request as Query, SessionCallback, SessionData};
use rsasl::mechanisms::scram::properties::{Iterations, Salt, SaltedPassword};
use rsasl::prelude::{SASLClient, Session, SessionError};
use rsasl::property::{AuthId, Password};

use super::{Mechanism, config, message, saslprep};
use crate::limits::SCRAM_ITERATIONS_MAX;
use crate::stream::ClientSettings;
use crate::stream::credentials::Hash;

/// Why a client gives an exchange up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::stream) enum ClientFault {
    /// The server does not know the password, or did not say that it does.
    ServerSignature,
    /// The server asks for more rounds than [`SCRAM_ITERATIONS_MAX`].
    Iterations(u32),
    /// What the server said is no message of the mechanism.
    Malformed,
    /// The username or password cannot be sent.
    Unusable,
}

/// How far the exchange is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaited {
    /// SCRAM: salt and rounds.
    ServerFirst,
    /// SCRAM: the server's signature.
    ServerFinal,
    /// Only the success.
    Nothing,
}

pub(in crate::stream) struct ClientExchange {
    session: Session,
    awaited: Awaited,
    mechanism: Mechanism,
}

impl ClientExchange {
    /// Begins an exchange; returns the initial response, if the mechanism has one.
    pub(in crate::stream) fn start(
        settings: &ClientSettings,
    ) -> Result<(Self, Option<Vec<u8>>), ClientFault> {
        let login = Login {
            mechanism: settings.mechanism,
            username: settings.username.clone(),
            password: settings.password.clone(),
            cache: settings.cache.clone(),
        };
        let mut session = SASLClient::new(config(login))
            .start_suggested_iter([settings.mechanism.name()])
            .expect("the mechanism is registered");
        let mut response = Vec::new();
        session.step(None, &mut response).map_err(|_| ClientFault::Unusable)?;
        let awaited = match settings.mechanism {
            Mechanism::ScramSha1 | Mechanism::ScramSha256 => Awaited::ServerFirst,
            Mechanism::Plain | Mechanism::Anonymous => Awaited::Nothing,
        };
        // Without a trace, ANONYMOUS has nothing to say (XEP-0175 §3).
        let response = (settings.mechanism != Mechanism::Anonymous).then_some(response);
        Ok((Self { session, awaited, mechanism: settings.mechanism }, response))
    }

    /// Whether the next step has to salt the password: the cache does not have it for what this challenge asks for.
    pub(in crate::stream) fn takes_long(&self, challenge: &[u8], settings: &ClientSettings) -> bool {
        let hash = match self.mechanism {
            Mechanism::ScramSha1 => Hash::Sha1,
            Mechanism::ScramSha256 => Hash::Sha256,
            Mechanism::Plain | Mechanism::Anonymous => return false,
        };
        let asked = message::scram_salt(challenge).zip(message::scram_iterations(challenge));
        self.awaited == Awaited::ServerFirst
            && asked.is_some_and(|(salt, iterations)| {
                iterations <= SCRAM_ITERATIONS_MAX
                    && !settings.cache.has(hash, &settings.password, &salt, iterations)
            })
    }

    /// Takes a challenge; returns the response.
    pub(in crate::stream) fn step(&mut self, challenge: &[u8]) -> Result<Vec<u8>, ClientFault> {
        let mut response = Vec::new();
        match self.awaited {
            Awaited::ServerFirst => {
                let iterations = message::scram_iterations(challenge).ok_or(ClientFault::Malformed)?;
                if iterations > SCRAM_ITERATIONS_MAX {
                    return Err(ClientFault::Iterations(iterations));
                }
                self.session.step(Some(challenge), &mut response).map_err(|error| {
                    let is_ours = matches!(error, SessionError::CallbackError(_));
                    if is_ours { ClientFault::Unusable } else { ClientFault::Malformed }
                })?;
                self.awaited = Awaited::ServerFinal;
            }
            Awaited::ServerFinal => {
                if !message::is_scram(challenge) {
                    return Err(ClientFault::Malformed);
                }
                self.session
                    .step(Some(challenge), &mut response)
                    .map_err(|_| ClientFault::ServerSignature)?;
                self.awaited = Awaited::Nothing;
            }
            Awaited::Nothing => return Err(ClientFault::Malformed),
        }
        Ok(response)
    }

    /// Takes the success and what came with it. The server's signature may come there, or in a challenge before.
    pub(in crate::stream) fn finish(mut self, data: Option<&[u8]>) -> Result<(), ClientFault> {
        if let Some(data) = data.filter(|data| !data.is_empty()) {
            if self.awaited == Awaited::ServerFirst {
                return Err(ClientFault::ServerSignature);
            }
            self.step(data)?;
        }
        if self.awaited == Awaited::Nothing { Ok(()) } else { Err(ClientFault::ServerSignature) }
    }
}

impl std::fmt::Debug for ClientExchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientExchange").field("awaited", &self.awaited).finish_non_exhaustive()
    }
}

/// What `rsasl` asks for.
struct Login {
    mechanism: Mechanism,
    username: String,
    password: Arc<str>,
    cache: crate::stream::SaltedPasswordCache,
}

impl SessionCallback for Login {
    fn callback(
        &self,
        _session: &SessionData,
        context: &Context<'_>,
        query: &mut Query<'_>,
    ) -> Result<(), SessionError> {
        query.satisfy::<AuthId>(&self.username)?;
        let hash = match self.mechanism {
            Mechanism::ScramSha1 => Hash::Sha1,
            Mechanism::ScramSha256 => Hash::Sha256,
            Mechanism::Plain => {
                if let Some(password) = saslprep(&self.password) {
                    query.satisfy::<Password>(password.as_bytes())?;
                }
                return Ok(());
            }
            Mechanism::Anonymous => return Ok(()),
        };
        if let (true, Some(salt), Some(iterations)) =
            (query.is::<SaltedPassword>(), context.get_ref::<Salt>(), context.get_ref::<Iterations>())
            && let Some(salted) = self.cache.salted(hash, &self.password, salt, *iterations)
        {
            query.satisfy::<SaltedPassword>(&salted)?;
        }
        Ok(())
    }
}
