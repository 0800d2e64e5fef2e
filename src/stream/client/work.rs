//! The part of a login that takes a millisecond: salting the password.
//!
//! Nothing is decided here. The owner has it run where nobody waits for the thread, and hands back what came of it.

use super::auth::{ExpectSuccess, login_error, write_response};
use super::{ClientSettings, ClientStep, State, Transition};
use crate::stream::sasl::{ClientExchange, ClientFault};

/// A step of an exchange that costs a PBKDF2 (1.5 ms at 4,096 rounds). See [`ClientStep::Work`].
#[derive(Debug)]
pub struct ClientWork {
    pub(super) exchange: ClientExchange,
    pub(super) challenge: Vec<u8>,
}

/// What came of a [`ClientWork`], for [`super::ClientNegotiation::handle_worked`].
#[derive(Debug)]
pub struct ClientWorked {
    exchange: ClientExchange,
    response: Result<Vec<u8>, ClientFault>,
}

impl ClientWork {
    /// Does it, on any thread.
    #[must_use]
    pub fn run(mut self) -> ClientWorked {
        let response = self.exchange.step(&self.challenge);
        ClientWorked { exchange: self.exchange, response }
    }
}

/// The answer to a [`ClientWork`].
#[derive(Debug)]
pub(super) struct ExpectWorked {
    pub(super) settings: Box<ClientSettings>,
}

impl ExpectWorked {
    pub(super) fn handle_worked(self, worked: ClientWorked, out: &mut Vec<u8>) -> Transition {
        let ClientWorked { exchange, response } = worked;
        write_response(&response.map_err(login_error)?, out);
        let state = ExpectSuccess { settings: self.settings, exchange };
        Ok((State::ExpectSuccess(Box::new(state)), ClientStep::Continue))
    }
}
