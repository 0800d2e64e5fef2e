//! Subscription states and their transitions (RFC 6121 Appendix A).
//!
//! This file only looks states up. Sending, pushing and answering is the server's part.

use crate::stanza::StanzaType;

/// The nine states of RFC 6121 Appendix A.1, seen from one user towards one contact.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subscription {
    /// "None": neither is subscribed to the other. Also: the contact is unknown.
    #[default]
    None,
    /// "None + Pending Out": the user has asked.
    NonePendingOut,
    /// "None + Pending In": the contact has asked.
    NonePendingIn,
    /// "None + Pending Out+In": both have asked.
    NonePendingOutIn,
    /// "To": the user is subscribed to the contact.
    To,
    /// "To + Pending In": and the contact has asked.
    ToPendingIn,
    /// "From": the contact is subscribed to the user.
    From,
    /// "From + Pending Out": and the user has asked.
    FromPendingOut,
    /// "Both": each is subscribed to the other.
    Both,
}

/// The four presence stanzas that change subscriptions (RFC 6121 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SubscriptionChange {
    /// The sender wants the recipient's presence.
    Subscribe,
    /// The sender no longer wants it.
    Unsubscribe,
    /// The sender grants its presence.
    Subscribed,
    /// The sender refuses it, or no longer grants it.
    Unsubscribed,
}

/// What the user's own stanza does (Appendix A.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outbound {
    /// Whether the stanza goes to the contact.
    pub route: bool,
    /// State from now on.
    pub next: Subscription,
}

/// What a contact's stanza does (Appendix A.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inbound {
    /// Whether the user is shown the stanza.
    pub deliver: bool,
    /// State from now on.
    pub next: Subscription,
    /// What the server answers on the user's behalf.
    pub reply: Option<SubscriptionChange>,
}

impl SubscriptionChange {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Subscribe, Self::Unsubscribe, Self::Subscribed, Self::Unsubscribed];

    /// The change that a presence stanza of this type asks for.
    #[must_use]
    #[expect(clippy::wildcard_enum_match_arm, reason = "four types of many")]
    pub const fn of(stanza_type: StanzaType) -> Option<Self> {
        match stanza_type {
            StanzaType::Subscribe => Some(Self::Subscribe),
            StanzaType::Unsubscribe => Some(Self::Unsubscribe),
            StanzaType::Subscribed => Some(Self::Subscribed),
            StanzaType::Unsubscribed => Some(Self::Unsubscribed),
            _ => None,
        }
    }

    /// Value of `type` on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Subscribe => "subscribe",
            Self::Unsubscribe => "unsubscribe",
            Self::Subscribed => "subscribed",
            Self::Unsubscribed => "unsubscribed",
        }
    }
}

impl Subscription {
    /// All nine, in the order of Appendix A.
    pub const ALL: [Self; 9] = [
        Self::None,
        Self::NonePendingOut,
        Self::NonePendingIn,
        Self::NonePendingOutIn,
        Self::To,
        Self::ToPendingIn,
        Self::From,
        Self::FromPendingOut,
        Self::Both,
    ];

    /// Whether the user gets the contact's presence.
    #[must_use]
    pub const fn has_to(self) -> bool {
        matches!(self, Self::To | Self::ToPendingIn | Self::Both)
    }

    /// Whether the contact gets the user's presence.
    #[must_use]
    pub const fn has_from(self) -> bool {
        matches!(self, Self::From | Self::FromPendingOut | Self::Both)
    }

    /// Whether the user has asked and was not answered (`ask='subscribe'`).
    #[must_use]
    pub const fn is_pending_out(self) -> bool {
        matches!(self, Self::NonePendingOut | Self::NonePendingOutIn | Self::FromPendingOut)
    }

    /// Whether the contact has asked and was not answered.
    #[must_use]
    pub const fn is_pending_in(self) -> bool {
        matches!(self, Self::NonePendingIn | Self::NonePendingOutIn | Self::ToPendingIn)
    }

    /// The state without the contact's request: what a roster item says.
    #[must_use]
    pub const fn without_pending_in(self) -> Self {
        match self {
            Self::NonePendingIn => Self::None,
            Self::NonePendingOutIn => Self::NonePendingOut,
            Self::ToPendingIn => Self::To,
            Self::None | Self::NonePendingOut | Self::To | Self::From | Self::FromPendingOut | Self::Both => {
                self
            }
        }
    }

    /// The state with a request of the contact. One who is subscribed has nothing to ask for.
    #[must_use]
    pub const fn with_pending_in(self) -> Self {
        match self {
            Self::None => Self::NonePendingIn,
            Self::NonePendingOut => Self::NonePendingOutIn,
            Self::To => Self::ToPendingIn,
            Self::NonePendingIn
            | Self::NonePendingOutIn
            | Self::ToPendingIn
            | Self::From
            | Self::FromPendingOut
            | Self::Both => self,
        }
    }

    /// Whether `subscribed` approves a request that the contact has not made yet (§3.4.2, rules 3 and 4).
    #[must_use]
    pub const fn can_be_approved(self) -> bool {
        matches!(self, Self::None | Self::NonePendingOut | Self::To)
    }

    /// The state once a request is granted.
    #[must_use]
    pub const fn with_from(self) -> Self {
        match self {
            Self::None | Self::NonePendingIn | Self::From => Self::From,
            Self::NonePendingOut | Self::NonePendingOutIn | Self::FromPendingOut => Self::FromPendingOut,
            Self::To | Self::ToPendingIn | Self::Both => Self::Both,
        }
    }

    /// Value of a roster item's `subscription` (RFC 6121 §2.1.2.5).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None | Self::NonePendingOut | Self::NonePendingIn | Self::NonePendingOutIn => "none",
            Self::To | Self::ToPendingIn => "to",
            Self::From | Self::FromPendingOut => "from",
            Self::Both => "both",
        }
    }

    /// Appendix A.2, tables 2 to 5. Pre-approval (table 4, note 1) changes no state: see [`Self::can_be_approved`].
    #[must_use]
    pub const fn outbound(self, change: SubscriptionChange) -> Outbound {
        let (route, next) = match change {
            SubscriptionChange::Subscribe => match self {
                Self::None => (true, Self::NonePendingOut),
                Self::NonePendingIn => (true, Self::NonePendingOutIn),
                Self::From => (true, Self::FromPendingOut),
                Self::NonePendingOut
                | Self::NonePendingOutIn
                | Self::To
                | Self::ToPendingIn
                | Self::FromPendingOut
                | Self::Both => (true, self),
            },
            SubscriptionChange::Unsubscribe => match self {
                Self::NonePendingOut | Self::To => (true, Self::None),
                Self::NonePendingOutIn | Self::ToPendingIn => (true, Self::NonePendingIn),
                Self::FromPendingOut | Self::Both => (true, Self::From),
                Self::None | Self::NonePendingIn | Self::From => (true, self),
            },
            SubscriptionChange::Subscribed => match self {
                Self::NonePendingIn => (true, Self::From),
                Self::NonePendingOutIn => (true, Self::FromPendingOut),
                Self::ToPendingIn => (true, Self::Both),
                Self::None
                | Self::NonePendingOut
                | Self::To
                | Self::From
                | Self::FromPendingOut
                | Self::Both => (false, self),
            },
            SubscriptionChange::Unsubscribed => match self {
                Self::NonePendingIn | Self::From => (true, Self::None),
                Self::NonePendingOutIn | Self::FromPendingOut => (true, Self::NonePendingOut),
                Self::ToPendingIn | Self::Both => (true, Self::To),
                Self::None | Self::NonePendingOut | Self::To => (false, self),
            },
        };
        Outbound { route, next }
    }

    /// A request that was approved before it was made (§3.4.2): the user does not see it, and the server answers.
    #[must_use]
    pub const fn inbound_approved(self) -> Inbound {
        Inbound { deliver: false, next: self.with_from(), reply: Some(SubscriptionChange::Subscribed) }
    }

    /// Appendix A.3, tables 6 to 9.
    #[must_use]
    pub const fn inbound(self, change: SubscriptionChange) -> Inbound {
        let next = match change {
            SubscriptionChange::Subscribe => self.with_pending_in(),
            SubscriptionChange::Unsubscribe => match self {
                Self::NonePendingIn | Self::From => Self::None,
                Self::NonePendingOutIn | Self::FromPendingOut => Self::NonePendingOut,
                Self::ToPendingIn | Self::Both => Self::To,
                Self::None | Self::NonePendingOut | Self::To => self,
            },
            SubscriptionChange::Subscribed => match self {
                Self::NonePendingOut => Self::To,
                Self::NonePendingOutIn => Self::ToPendingIn,
                Self::FromPendingOut => Self::Both,
                Self::None | Self::NonePendingIn | Self::To | Self::ToPendingIn | Self::From | Self::Both => {
                    self
                }
            },
            SubscriptionChange::Unsubscribed => match self {
                Self::NonePendingOut | Self::To => Self::None,
                Self::NonePendingOutIn | Self::ToPendingIn => Self::NonePendingIn,
                Self::FromPendingOut | Self::Both => Self::From,
                Self::None | Self::NonePendingIn | Self::From => self,
            },
        };
        let changed = next as u8 != self as u8;
        let reply = match change {
            SubscriptionChange::Subscribe if self.has_from() => Some(SubscriptionChange::Subscribed),
            SubscriptionChange::Unsubscribe if changed => Some(SubscriptionChange::Unsubscribed),
            SubscriptionChange::Subscribe
            | SubscriptionChange::Unsubscribe
            | SubscriptionChange::Subscribed
            | SubscriptionChange::Unsubscribed => None,
        };
        Inbound { deliver: changed, next, reply }
    }
}

#[cfg(test)]
mod tests;
