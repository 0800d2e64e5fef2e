//! The stanza error conditions (RFC 6120 §8.3.3).
//!
//! This module does not choose a condition and does not write a stanza.

use std::fmt;

/// `type` of an error: what its receiver may do about it (RFC 6120 §8.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorType {
    /// Retry after providing credentials.
    Auth,
    /// Do not retry.
    Cancel,
    /// Only a warning.
    Continue,
    /// Retry after changing the data.
    Modify,
    /// Retry after waiting.
    Wait,
}

impl ErrorType {
    /// Value on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Cancel => "cancel",
            Self::Continue => "continue",
            Self::Modify => "modify",
            Self::Wait => "wait",
        }
    }
}

/// The conditions, each with its RFC section, name and recommended type: one table for all functions.
macro_rules! conditions {
    ($($variant:ident $name:literal $error_type:ident $doc:literal;)*) => {
        /// Defined stanza error condition (RFC 6120 §8.3.3).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Condition {
            $(#[doc = $doc] $variant,)*
        }

        impl Condition {
            /// All of them, in the RFC's order.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Name on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The `type` that RFC 6120 recommends; the first one where it names two, and `cancel` where it names none.
            #[must_use]
            pub const fn default_type(self) -> ErrorType {
                match self { $(Self::$variant => ErrorType::$error_type,)* }
            }

            /// Condition of that name. A receiver takes an unknown one for [`Condition::UndefinedCondition`]
            /// (RFC 6120 §8.3.2).
            #[must_use]
            pub fn parse(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

conditions! {
    BadRequest "bad-request" Modify "§8.3.3.1: not of the schema, or cannot be processed.";
    Conflict "conflict" Cancel "§8.3.3.2: a resource of that name exists.";
    FeatureNotImplemented "feature-not-implemented" Cancel "§8.3.3.3: known, but not built.";
    Forbidden "forbidden" Auth "§8.3.3.4: the sender lacks the permission.";
    Gone "gone" Cancel "§8.3.3.5: the recipient is no longer at this address.";
    InternalServerError "internal-server-error" Cancel "§8.3.3.6: a fault of the server.";
    ItemNotFound "item-not-found" Cancel "§8.3.3.7: the address or item does not exist.";
    JidMalformed "jid-malformed" Modify "§8.3.3.8: an address in the stanza is none (RFC 7622).";
    NotAcceptable "not-acceptable" Modify "§8.3.3.9: does not meet the recipient's criteria.";
    NotAllowed "not-allowed" Cancel "§8.3.3.10: nobody may do that.";
    NotAuthorized "not-authorized" Auth "§8.3.3.11: credentials are needed first.";
    PolicyViolation "policy-violation" Modify "§8.3.3.12: a local policy, such as a size limit.";
    RecipientUnavailable "recipient-unavailable" Wait "§8.3.3.13: the recipient is temporarily unavailable.";
    Redirect "redirect" Modify "§8.3.3.14: to be sent elsewhere, usually for a time.";
    RegistrationRequired "registration-required" Auth "§8.3.3.15: the sender has to register first.";
    RemoteServerNotFound "remote-server-not-found" Cancel "§8.3.3.16: the recipient's server does not exist.";
    RemoteServerTimeout "remote-server-timeout" Wait "§8.3.3.17: the recipient's server cannot be reached.";
    ResourceConstraint "resource-constraint" Wait "§8.3.3.18: the server is busy or a limit is reached.";
    ServiceUnavailable "service-unavailable" Cancel "§8.3.3.19: the recipient does not provide that.";
    SubscriptionRequired "subscription-required" Auth "§8.3.3.20: a subscription is needed first.";
    UndefinedCondition "undefined-condition" Cancel "§8.3.3.21: none of these; an application condition says more.";
    UnexpectedRequest "unexpected-request" Wait "§8.3.3.22: understood, but not expected now.";
}

impl Condition {
    /// The number that errors had before they had conditions (XEP-0086), for protocols as old as these.
    #[must_use]
    pub const fn legacy_code(self) -> u16 {
        match self {
            Self::BadRequest | Self::JidMalformed | Self::UnexpectedRequest => 400,
            Self::NotAuthorized => 401,
            Self::Forbidden => 403,
            Self::ItemNotFound | Self::RecipientUnavailable | Self::RemoteServerNotFound => 404,
            Self::NotAllowed => 405,
            Self::NotAcceptable | Self::PolicyViolation => 406,
            Self::RegistrationRequired | Self::SubscriptionRequired => 407,
            Self::Conflict => 409,
            Self::InternalServerError | Self::ResourceConstraint | Self::UndefinedCondition => 500,
            Self::FeatureNotImplemented => 501,
            Self::Gone | Self::Redirect => 302,
            Self::ServiceUnavailable => 503,
            Self::RemoteServerTimeout => 504,
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::{Condition, ErrorType};

    #[test]
    fn all_22_round_trip() {
        assert_eq!(Condition::ALL.len(), 22);
        for condition in Condition::ALL {
            assert_eq!(Condition::parse(condition.as_str()), Some(*condition));
        }
        assert_eq!(Condition::parse("payment-required"), None);
        assert!(Condition::ALL.is_sorted_by_key(|condition| condition.as_str()));
    }

    #[test]
    fn types_of_the_rfc() {
        let of = |error_type| {
            let all = Condition::ALL.iter();
            all.filter(|c| c.default_type() == error_type).map(|c| c.as_str()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            of(ErrorType::Auth),
            "forbidden not-authorized registration-required subscription-required"
        );
        assert_eq!(
            of(ErrorType::Modify),
            "bad-request jid-malformed not-acceptable policy-violation redirect"
        );
        assert_eq!(
            of(ErrorType::Wait),
            "recipient-unavailable remote-server-timeout resource-constraint unexpected-request"
        );
    }
}
