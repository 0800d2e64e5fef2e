//! What an operator sets.
//!
//! Nothing is read from a file here; `app` does.

use std::num::NonZero;

use super::contact::Contacts;
use crate::limits::REGISTRATIONS_PER_MINUTE;
use crate::router::Subscription;
use crate::stanza::Jid;
use crate::stream::{Credentials, Mechanism};
use crate::time::{Nanos, Utc};

/// What happens when a client asks for a resource that is taken (RFC 6120 §7.7.2.2).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ConflictPolicy {
    /// The older stream ends with `<conflict/>`. A fleet that reconnects after a network fault needs this one: its
    /// dead streams are not noticed yet.
    #[default]
    Replace,
    /// The newer stream gets another resource, as the RFC prefers.
    AssignOther,
    /// The newer stream's request fails with `<conflict/>`.
    Refuse,
}

/// A server's settings.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// The domains served, prepared (RFC 7622 §3.2), each once: the first one, and virtual hosts.
    pub domains: Vec<String>,
    /// SASL mechanisms in order of preference. With ANONYMOUS among them, temporary accounts are made (XEP-0175).
    pub mechanisms: Vec<Mechanism>,
    /// A secret of this process, never stored.
    pub process_secret: [u8; 32],
    /// Whether accounts have a proof under that secret, so that PLAIN is checked without PBKDF2: not those that a store has
    /// had.
    pub plain_proofs: bool,
    /// What happens when a client asks for a resource that is taken.
    pub conflict: ConflictPolicy,
    /// Wall time at [`crate::time::Nanos::ZERO`] of the driver's clock: what is stamped is computed from it.
    pub utc_at_zero: Utc,
    /// When the server began, on the driver's clock.
    pub started: Nanos,
    /// Whom to turn to (XEP-0157).
    pub contacts: Contacts,
    /// Whether whoever connects may make an account (XEP-0077). Changing a password and removing an account, which need a
    /// login, are always possible.
    pub registration: bool,
    /// How many accounts may be made that way in a minute, by all together; `None`: any number.
    pub registrations_per_minute: Option<NonZero<u32>>,
    /// Who may give administrative commands (XEP-0133): bare JIDs of this server.
    pub admins: Vec<Jid>,
}

impl ServerConfig {
    /// Settings with the defaults for everything that is not given here; time begins in 1970.
    #[must_use]
    pub fn new(domain: &str, mechanisms: Vec<Mechanism>, process_secret: [u8; 32]) -> Self {
        Self {
            domains: vec![domain.to_owned()],
            plain_proofs: mechanisms.contains(&Mechanism::Plain),
            mechanisms,
            process_secret,
            conflict: ConflictPolicy::default(),
            utc_at_zero: Utc::default(),
            started: Nanos::ZERO,
            contacts: Contacts::default(),
            registration: false,
            registrations_per_minute: NonZero::new(REGISTRATIONS_PER_MINUTE),
            admins: Vec::new(),
        }
    }
}

/// One account to be made.
#[derive(Debug, Clone)]
pub struct AccountSpec {
    /// Localpart, prepared when the account is made.
    pub localpart: String,
    /// What its logins are checked against.
    pub credentials: Credentials,
    /// Contacts (bare JIDs) and the state towards each. The contacts' own rosters are their own specs' concern.
    pub roster: Vec<(Jid, Subscription)>,
}
