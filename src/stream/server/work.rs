//! The part of a login that takes a millisecond: checking a password against salted keys.
//!
//! Nothing is decided here. The owner has it run where nobody waits for the thread, and hands back what came of it.

use std::sync::Arc;

use super::auth::{Attempts, go_on};
use super::{ServerSettings, Transition};
use crate::stream::Credentials;
use crate::stream::sasl::{Failure, Next, Request, ServerExchange};

/// An exchange whose first step costs a PBKDF2 (1.5 ms at 4,096 rounds). See [`super::ServerStep::Work`].
#[derive(Debug)]
pub struct ServerWork {
    pub(super) request: Request,
    pub(super) credentials: Option<Arc<Credentials>>,
    pub(super) settings: Arc<ServerSettings>,
}

/// What came of a [`ServerWork`], for [`super::ServerNegotiation::handle_worked`].
#[derive(Debug)]
pub struct ServerWorked(Result<(ServerExchange, Next), Failure>);

impl ServerWork {
    /// Does it, on any thread.
    #[must_use]
    pub fn run(self) -> ServerWorked {
        ServerWorked(ServerExchange::start(self.request, self.credentials, &self.settings))
    }
}

/// The answer to a [`ServerWork`].
#[derive(Debug)]
pub(super) struct ExpectWorked {
    pub(super) attempts: Attempts,
}

impl ExpectWorked {
    pub(super) fn handle_worked(self, worked: ServerWorked, out: &mut Vec<u8>) -> Transition {
        match worked.0 {
            Ok((exchange, next)) => go_on(self.attempts, exchange, next, false, out),
            Err(failure) => self.attempts.fail(failure, out),
        }
    }
}
