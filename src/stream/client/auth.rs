//! SASL negotiation (RFC 6120 §6.4) as the client sees it.
//!
//! What the messages mean is `stream/sasl`'s concern.

use super::open::ExpectReopen;
use super::work::{ClientWork, ExpectWorked};
use super::{ClientSettings, ClientStep, LoginError, State, Transition, unexpected};
use crate::stream::NS_SASL;
use crate::stream::features::Features;
use crate::stream::header::write_client_header;
use crate::stream::sasl::{ClientExchange, ClientFault, decode, encode_into};
use crate::xml::Node;

/// The features of the first header.
#[derive(Debug)]
pub(super) struct ExpectFeatures {
    pub(super) settings: Box<ClientSettings>,
}

/// A challenge, or the exchange's end.
#[derive(Debug)]
pub(super) struct ExpectSuccess {
    pub(super) settings: Box<ClientSettings>,
    pub(super) exchange: ClientExchange,
}

impl ExpectFeatures {
    pub(super) fn handle_element(self, node: &Node<'_>, out: &mut Vec<u8>) -> Transition {
        let features = Features::parse(node).ok_or_else(|| unexpected(node, "stream features"))?;
        if features.tls_required {
            return Err(LoginError::TlsRequired);
        }
        let mechanism = self.settings.mechanism;
        if !features.offers(mechanism) {
            let offered = match features.mechanisms.join(", ") {
                none if none.is_empty() => "nothing".to_owned(),
                some => some,
            };
            return Err(LoginError::MechanismNotOffered { wanted: mechanism.as_str(), offered });
        }
        let (exchange, response) = ClientExchange::start(&self.settings).map_err(login_error)?;
        for part in ["<auth xmlns='", NS_SASL, "' mechanism='", mechanism.as_str(), "'"] {
            out.extend_from_slice(part.as_bytes());
        }
        match response {
            Some(response) => {
                out.extend_from_slice(b">");
                encode_into(&response, out);
                out.extend_from_slice(b"</auth>");
            }
            None => out.extend_from_slice(b"/>"),
        }
        let state = ExpectSuccess { settings: self.settings, exchange };
        Ok((State::ExpectSuccess(Box::new(state)), ClientStep::Continue))
    }
}

impl ExpectSuccess {
    pub(super) fn handle_element(mut self, node: &Node<'_>, out: &mut Vec<u8>) -> Transition {
        let data = || {
            decode(node.text().trim())
                .map_err(|_| LoginError::Protocol(format!("the server's <{}/> is not base64", node.name)))
        };
        match node.name {
            _ if node.ns != NS_SASL => Err(unexpected(node, "an answer to <auth/>")),
            "challenge" => {
                let challenge = data()?.unwrap_or_default();
                if self.exchange.takes_long(&challenge, &self.settings) {
                    let work = ClientWork { exchange: self.exchange, challenge };
                    let state = State::ExpectWorked(ExpectWorked { settings: self.settings });
                    return Ok((state, ClientStep::Work(Box::new(work))));
                }
                let response = self.exchange.step(&challenge).map_err(login_error)?;
                write_response(&response, out);
                Ok((State::ExpectSuccess(Box::new(self)), ClientStep::Continue))
            }
            "success" => {
                self.exchange.finish(data()?.as_deref()).map_err(login_error)?;
                write_client_header(&self.settings.domain, out);
                let state = ExpectReopen { settings: self.settings };
                Ok((State::ExpectReopen(state), ClientStep::Authenticated))
            }
            "failure" => {
                let condition = node.elements().find(|child| child.ns == NS_SASL && child.name != "text");
                Err(LoginError::Refused {
                    condition: condition.map_or("no condition", |condition| condition.name).into(),
                    text: node.child("text", NS_SASL).map(Node::text),
                })
            }
            _ => Err(unexpected(node, "an answer to <auth/>")),
        }
    }
}

/// A response of length zero is an empty element (RFC 6120 §6.4.3); `=` is for initial responses.
pub(super) fn write_response(response: &[u8], out: &mut Vec<u8>) {
    for part in ["<response xmlns='", NS_SASL, "'"] {
        out.extend_from_slice(part.as_bytes());
    }
    if response.is_empty() {
        out.extend_from_slice(b"/>");
        return;
    }
    out.extend_from_slice(b">");
    encode_into(response, out);
    out.extend_from_slice(b"</response>");
}

pub(super) fn login_error(fault: ClientFault) -> LoginError {
    LoginError::Protocol(match fault {
        ClientFault::ServerSignature => return LoginError::ServerSignature,
        ClientFault::Iterations(count) => format!("the server asks for {count} PBKDF2 rounds, too many"),
        ClientFault::Malformed => "the server's SASL message has another form than the mechanism's".into(),
        ClientFault::Unusable => "username or password are empty or have forbidden characters".into(),
    })
}
