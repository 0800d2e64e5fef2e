//! Stream features (RFC 6120 §4.3.2): what our server offers, and what a server offers our client.
//!
//! This module does not choose among them.

use super::{Mechanism, NS_BIND, NS_SASL, NS_SESSION, NS_SM, NS_STREAM, ServerSettings};
use crate::xml::Node;

/// Namespace of STARTTLS (RFC 6120 §5).
const NS_TLS: &str = "urn:ietf:params:xml:ns:xmpp-tls";

/// Appends the features of a stream that is not authenticated: mechanisms, most preferred first (§6.4.1),
/// and the owner's.
pub(super) fn write_features_before_auth(settings: &ServerSettings, out: &mut Vec<u8>) {
    out.extend_from_slice(b"<stream:features><mechanisms xmlns='");
    out.extend_from_slice(NS_SASL.as_bytes());
    out.extend_from_slice(b"'>");
    for mechanism in &settings.mechanisms {
        for part in ["<mechanism>", mechanism.as_str(), "</mechanism>"] {
            out.extend_from_slice(part.as_bytes());
        }
    }
    for part in ["</mechanisms>", &settings.features_before_auth, "</stream:features>"] {
        out.extend_from_slice(part.as_bytes());
    }
}

/// Appends the features of an authenticated stream: bind (§7.4), the session of old clients, and the owner's.
pub(super) fn write_features_after_auth(settings: &ServerSettings, out: &mut Vec<u8>) {
    for part in [
        "<stream:features><bind xmlns='",
        NS_BIND,
        "'/><session xmlns='",
        NS_SESSION,
        "'><optional/></session>",
        &settings.features_after_auth,
        "</stream:features>",
    ] {
        out.extend_from_slice(part.as_bytes());
    }
}

/// What a server offers a client, as far as it matters to a login.
#[derive(Debug, Default)]
pub struct Features {
    /// Names of SASL mechanisms, unknown ones too.
    pub mechanisms: Vec<String>,
    /// STARTTLS must come first (§5.3.1: `<required/>`, or it is all that is offered).
    pub tls_required: bool,
    pub(super) bind: bool,
    /// Stream management (XEP-0198 §2).
    pub(super) management: bool,
    /// The session of RFC 3921 §3 is offered and not marked optional.
    pub(super) session_required: bool,
}

impl Features {
    /// `None` when `node` is no `<stream:features/>`.
    #[must_use]
    pub fn parse(node: &Node<'_>) -> Option<Self> {
        if !node.is("features", NS_STREAM) {
            return None;
        }
        let mut features = Self::default();
        for child in node.elements() {
            match (child.name, &*child.ns) {
                ("starttls", NS_TLS) => {
                    features.tls_required = child.child("required", NS_TLS).is_some();
                }
                ("mechanisms", NS_SASL) => {
                    let names = child.elements().filter(|child| child.is("mechanism", NS_SASL));
                    features.mechanisms = names.map(|child| child.text().trim().to_owned()).collect();
                }
                ("bind", NS_BIND) => features.bind = true,
                ("sm", NS_SM) => features.management = true,
                ("session", NS_SESSION) => {
                    features.session_required = child.child("optional", NS_SESSION).is_none();
                }
                _ => {}
            }
        }
        let starttls = node.child("starttls", NS_TLS).is_some();
        features.tls_required |= starttls && node.elements().count() == 1;
        Some(features)
    }

    /// Whether `mechanism` is among them.
    #[must_use]
    pub fn offers(&self, mechanism: Mechanism) -> bool {
        self.mechanisms.iter().any(|name| name == mechanism.as_str())
    }
}
