//! L2: stream negotiation of both sides, without IO.
//!
//! This layer routes nothing and holds no account: what it must know of one it asks its owner for, as a step. It does
//! not encrypt and does not know whether its bytes are: where PLAIN may be offered is for the listener's owner to decide.
//!
//! [`ServerNegotiation`] and [`ClientNegotiation`] have the same shape: a state for each element that is awaited, a
//! frame in, bytes and a step out. `tests/transcripts` shows what they say to each other.

mod client;
mod credentials;
mod error;
mod features;
mod header;
mod management;
mod sasl;
mod server;

pub use client::{
    ClientNegotiation, ClientSettings, ClientStep, ClientWork, ClientWorked, LoginError, WantedManagement,
};
pub use credentials::{Credentials, PasswordProof, SALT_BYTES, SaltedPasswordCache, ScramKeys};
pub use error::{Blame, SpecificCondition, StreamCondition, StreamError};
pub use features::Features;
pub use header::write_client_header;
pub use management::{Management, NS_SM};
pub use sasl::Mechanism;
pub use server::{
    Account, BindAnswer, Hosts, ResumeAnswer, ServerNegotiation, ServerSettings, ServerStep, ServerWork,
    ServerWorked, unexpected_element,
};

/// Namespace of stream elements (RFC 6120 §4.8.1).
pub const NS_STREAM: &str = "http://etherx.jabber.org/streams";
/// Namespace of stream error conditions (RFC 6120 §4.9.2).
pub const NS_STREAMS: &str = "urn:ietf:params:xml:ns:xmpp-streams";
/// Namespace of SASL (RFC 6120 §6).
pub const NS_SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";
/// Namespace of resource binding (RFC 6120 §7).
pub const NS_BIND: &str = "urn:ietf:params:xml:ns:xmpp-bind";
/// Namespace of in-band registration (XEP-0077).
pub const NS_REGISTER: &str = "jabber:iq:register";
/// Namespace of the legacy session (RFC 3921 §3; a no-op kept for old clients).
pub const NS_SESSION: &str = "urn:ietf:params:xml:ns:xmpp-session";
