//! SASL (RFC 6120 §6): PLAIN, SCRAM-SHA-1, SCRAM-SHA-256 and ANONYMOUS, run by the `rsasl` crate but for the server's
//! side of SCRAM (`scram.rs`, which says why).
//!
//! This module writes no XML and looks up no account. Nothing outside of it sees `rsasl`: it has to, because
//! `rsasl` 2.3 panics on SCRAM messages with attributes of less than two bytes, so `message.rs` reads each of them first.
//!
//! A client's nonces come from `rsasl`'s own generator, seeded from the operating system. They are the one exception
//! to the rule that randomness is an argument below the reactor; a simulation that needs equal bytes uses PLAIN.

mod client;
mod message;
mod scram;
mod server;

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rsasl::callback::{Context, SessionCallback, SessionData};
use rsasl::mechanisms::{anonymous, plain, scram as library_scram};
use rsasl::prelude::{
    Mechanism as Implementation, Mechname, Registry, SASLConfig, SASLServer, Session, Validation,
};
use rsasl::property::Password;
use rsasl::validate::{Validate, ValidationError};

pub(super) use client::{ClientExchange, ClientFault};
pub(super) use server::{Next, Request, ServerExchange};

/// SASL mechanism (RFC 4616, 5802, 7677, 4505).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mechanism {
    /// PLAIN
    Plain,
    /// SCRAM-SHA-1
    ScramSha1,
    /// SCRAM-SHA-256
    ScramSha256,
    /// ANONYMOUS
    Anonymous,
}

impl Mechanism {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::ScramSha256, Self::ScramSha1, Self::Plain, Self::Anonymous];

    /// Name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha1 => "SCRAM-SHA-1",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::Anonymous => "ANONYMOUS",
        }
    }

    /// Mechanism of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mechanism| mechanism.as_str() == name)
    }

    /// Name as `rsasl` takes it.
    fn name(self) -> &'static Mechname {
        Mechname::parse(self.as_str().as_bytes()).expect("the names are well-formed")
    }
}

/// Why an exchange fails (RFC 6120 §6.5). The server here has no use for `account-disabled`, `credentials-expired`,
/// `encryption-required` and `mechanism-too-weak`: accounts have no such states, and a mechanism that is too weak for
/// a listener is not offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::enum_variant_names, reason = "the RFC's names")]
pub(super) enum Failure {
    Aborted,
    IncorrectEncoding,
    InvalidAuthzid,
    InvalidMechanism,
    MalformedRequest,
    NotAuthorized,
    TemporaryAuthFailure,
}

impl Failure {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Aborted => "aborted",
            Self::IncorrectEncoding => "incorrect-encoding",
            Self::InvalidAuthzid => "invalid-authzid",
            Self::InvalidMechanism => "invalid-mechanism",
            Self::MalformedRequest => "malformed-request",
            Self::NotAuthorized => "not-authorized",
            Self::TemporaryAuthFailure => "temporary-auth-failure",
        }
    }
}

/// Mechanisms that `rsasl` may run. Not its default registry: that one has the `-PLUS` variants too, and a server that
/// has them must refuse clients that found none offered (RFC 5802 §6).
static IMPLEMENTATIONS: [Implementation; 4] =
    [library_scram::SCRAM_SHA256, library_scram::SCRAM_SHA1, plain::PLAIN, anonymous::ANONYMOUS];

/// A configuration is a registry and the callback that knows one login's secrets: two allocations for each exchange.
fn config(callback: impl SessionCallback + 'static) -> std::sync::Arc<SASLConfig> {
    SASLConfig::builder()
        .with_registry(Registry::with_mechanisms(&IMPLEMENTATIONS))
        .with_callback(callback)
        .expect("rsasl takes any callback")
}

fn server_session<V: Validation>(
    mechanism: Mechanism,
    callback: impl SessionCallback + 'static,
) -> Session<V> {
    SASLServer::new(config(callback)).start_suggested(mechanism.name()).expect("the mechanism is registered")
}

/// Base64 of RFC 4648 §4 with canonical padding (RFC 6120 §6.3.5). `=` is data of length zero (§6.4.2), no text is none.
pub(super) fn decode(text: &str) -> Result<Option<Vec<u8>>, Failure> {
    match text {
        "" => Ok(None),
        "=" => Ok(Some(Vec::new())),
        text => STANDARD.decode(text).map(Some).map_err(|_| Failure::IncorrectEncoding),
    }
}

/// Appends `data` as [`decode`] reads it.
pub(super) fn encode_into(data: &[u8], out: &mut Vec<u8>) {
    let text = if data.is_empty() { "=".to_owned() } else { STANDARD.encode(data) };
    out.extend_from_slice(text.as_bytes());
}

/// `password` as SASLprep (RFC 4013) maps it; `None` when it has characters that no password may have, or none at all.
///
/// `rsasl` prepares what a PLAIN client sends but not what a SCRAM client is given, and does not export the function. So
/// other text than ASCII takes a turn through its PLAIN server.
pub(super) fn saslprep(password: &str) -> Option<Cow<'_, str>> {
    struct Capture;
    struct Captured;
    impl Validation for Captured {
        type Value = String;
    }
    impl SessionCallback for Capture {
        fn validate(
            &self,
            _session: &SessionData,
            context: &Context<'_>,
            validate: &mut Validate<'_>,
        ) -> Result<(), ValidationError> {
            let password = context.get_ref::<Password>().ok_or(ValidationError::MissingRequiredProperty)?;
            validate.with::<Captured, _>(|| Ok(String::from_utf8_lossy(password).into_owned()))?;
            Ok(())
        }
    }

    if !password.is_empty() && password.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Some(Cow::Borrowed(password));
    }
    let message = [b"\0user\0", password.as_bytes()].concat();
    let mut session = server_session::<Captured>(Mechanism::Plain, Capture);
    session.step(Some(&message), &mut Vec::new()).ok()?;
    session.validation().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::{Failure, Mechanism, decode, encode_into, saslprep};

    #[test]
    fn names() {
        for mechanism in Mechanism::ALL {
            assert_eq!(Mechanism::parse(mechanism.as_str()), Some(mechanism));
            assert_eq!(mechanism.name().as_str(), mechanism.as_str());
        }
        assert_eq!(Mechanism::parse("SCRAM-SHA-256-PLUS"), None);
    }

    /// RFC 4013 §3, and the passwords that nobody may have.
    #[test]
    fn saslprep_examples() {
        for (text, expected) in [
            ("I\u{ad}X", Some("IX")),
            ("user", Some("user")),
            ("USER", Some("USER")),
            ("\u{aa}", Some("a")),
            ("\u{2168}", Some("IX")),
            ("\u{7}", None),
            ("\u{627}1", None),
            ("", None),
            ("a\u{0}b", None),
        ] {
            assert_eq!(saslprep(text).as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn base64() {
        assert_eq!(decode(""), Ok(None));
        assert_eq!(decode("="), Ok(Some(Vec::new())));
        assert_eq!(decode("AGE="), Ok(Some(b"\0a".to_vec())));
        for bad in ["AGE", "AGF=", "A GE=", "AGE=\n", "AGE==", "==", "-_==", "=AGE"] {
            assert_eq!(decode(bad), Err(Failure::IncorrectEncoding), "{bad:?}");
        }
        for data in [&b""[..], b"\0a"] {
            let mut text = Vec::new();
            encode_into(data, &mut text);
            assert_eq!(decode(std::str::from_utf8(&text).unwrap()), Ok(Some(data.to_vec())));
        }
    }
}
