//! The server's headers.
//!
//! What they say of the server is not compared with the domain: `from` may be another of its names (RFC 6120 §4.7.1).

use super::auth::ExpectFeatures;
use super::bind::ExpectBindFeatures;
use super::{ClientSettings, ClientStep, LoginError, State, Transition};
use crate::stream::header::server_header_fault;
use crate::xml::Open;

/// The first header.
#[derive(Debug)]
pub(super) struct ExpectOpen {
    pub(super) settings: Box<ClientSettings>,
}

/// The header behind SASL's success.
#[derive(Debug)]
pub(super) struct ExpectReopen {
    pub(super) settings: Box<ClientSettings>,
}

impl ExpectOpen {
    pub(super) fn handle_open(self, open: &Open) -> Transition {
        check(open)?;
        Ok((State::ExpectFeatures(ExpectFeatures { settings: self.settings }), ClientStep::Continue))
    }
}

impl ExpectReopen {
    pub(super) fn handle_open(self, open: &Open) -> Transition {
        check(open)?;
        Ok((State::ExpectBindFeatures(ExpectBindFeatures { settings: self.settings }), ClientStep::Continue))
    }
}

fn check(open: &Open) -> Result<(), LoginError> {
    server_header_fault(open).map_or(Ok(()), |fault| Err(LoginError::Protocol(fault.into())))
}
