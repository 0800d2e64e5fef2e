//! Which rules say what a localpart and a resource beyond ASCII are: one set for the whole process, chosen before the first
//! address is read.
//!
//! Domains are the same under both sets: both map case and width and keep Unicode labels. So is ASCII, which
//! never comes here ([`super::table`]).

use std::sync::OnceLock;

use precis_profiles::precis_core::profile::PrecisFastInvocation;
use precis_profiles::{OpaqueString, UsernameCaseMapped};

/// How localparts and resources are prepared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AddressProfile {
    /// Nodeprep and Resourceprep (RFC 6122), as the servers of today have it: an address means the same on both sides.
    #[default]
    Stringprep,
    /// UsernameCaseMapped and OpaqueString (RFC 7622 §3.3, §3.4; RFC 8265).
    Precis,
}

static CHOSEN: OnceLock<AddressProfile> = OnceLock::new();

impl AddressProfile {
    /// By the word of a configuration.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "stringprep" => Some(Self::Stringprep),
            "precis" => Some(Self::Precis),
            _ => None,
        }
    }

    /// Makes it the process' one; `false`: it has another one, by choice or since an address beyond ASCII was prepared before.
    /// Addresses of two profiles would not be equal to themselves.
    #[must_use]
    pub fn choose(self) -> bool {
        *CHOSEN.get_or_init(|| self) == self
    }

    /// The process' one, settled from now on.
    #[must_use]
    pub fn chosen() -> Self {
        *CHOSEN.get_or_init(Self::default)
    }

    /// As [`Self::parse`] takes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stringprep => "stringprep",
            Self::Precis => "precis",
        }
    }

    /// A localpart, mapped once; `None`: it is none.
    pub(super) fn local(self, text: &str) -> Option<String> {
        match self {
            Self::Stringprep => jid::NodePart::new(text).ok().map(|part| part.as_str().to_owned()),
            Self::Precis => UsernameCaseMapped::enforce(text).ok().map(Into::into),
        }
    }

    /// A resource, mapped once; `None`: it is none.
    pub(super) fn resource(self, text: &str) -> Option<String> {
        match self {
            Self::Stringprep => jid::ResourcePart::new(text).ok().map(|part| part.as_str().to_owned()),
            Self::Precis => OpaqueString::enforce(text).ok().map(Into::into),
        }
    }
}
