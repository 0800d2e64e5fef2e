//! One thing that is different from now on.
//!
//! A change names the account that it is about by its bare JID, so that it means the same in every process.

use std::sync::Arc;

use crate::stanza::Jid;
use crate::stream::Credentials;

use super::{ItemRecord, OfflineRecord};

/// What a value of an account is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ValueKind {
    /// XEP-0049: an element of private storage; the key is its namespace, a space, its name.
    Private,
    /// XEP-0054: the vCard; one, without key.
    VCard,
    /// XEP-0191: a blocked address, which is the key; without value.
    Blocked,
    /// XEP-0012: when the account was last available and what it said, without key.
    Last,
}

impl ValueKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Private, Self::VCard, Self::Blocked, Self::Last];

    /// Its name in a database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::VCard => "vcard",
            Self::Blocked => "blocked",
            Self::Last => "last",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// One thing that is different from now on. What is about an account that is not there changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The account is there, with these credentials; whatever else it has stays.
    PutAccount {
        /// Bare JID.
        account: Jid,
        /// Salted keys; a PLAIN proof among them is not kept.
        credentials: Arc<Credentials>,
    },
    /// The account is gone, with all that it had.
    RemoveAccount {
        /// Bare JID.
        account: Jid,
    },
    /// A contact is in the roster like this (RFC 6121 §2).
    PutItem {
        /// Whose roster.
        account: Jid,
        /// The contact.
        item: ItemRecord,
    },
    /// A contact is not in the roster.
    RemoveItem {
        /// Whose roster.
        account: Jid,
        /// The contact's bare JID.
        contact: Jid,
    },
    /// A contact's request waits for an answer (RFC 6121 §3.1.3, rule 4).
    PutRequest {
        /// Who was asked.
        account: Jid,
        /// Who asked.
        contact: Jid,
        /// The complete stanza.
        stanza: String,
    },
    /// It does not wait any more.
    RemoveRequest {
        /// Who was asked.
        account: Jid,
        /// Who asked.
        contact: Jid,
    },
    /// A message waits for the account (XEP-0160).
    AddOffline {
        /// For whom.
        account: Jid,
        /// The message.
        message: OfflineRecord,
    },
    /// Messages up to this number were taken.
    RemoveOffline {
        /// Whose.
        account: Jid,
        /// The last one's number.
        through: u64,
    },
    /// The account has this value.
    PutValue {
        /// Whose.
        account: Jid,
        /// What.
        kind: ValueKind,
        /// Which.
        key: String,
        /// The value.
        value: String,
    },
    /// The account has no such value.
    RemoveValue {
        /// Whose.
        account: Jid,
        /// What.
        kind: ValueKind,
        /// Which.
        key: String,
    },
}

/// What a change takes in memory beside its texts.
const CHANGE_BYTES: usize = 128;

impl Change {
    /// The account that it is about.
    #[must_use]
    pub const fn account(&self) -> &Jid {
        match self {
            Self::PutAccount { account, .. }
            | Self::RemoveAccount { account }
            | Self::PutItem { account, .. }
            | Self::RemoveItem { account, .. }
            | Self::PutRequest { account, .. }
            | Self::RemoveRequest { account, .. }
            | Self::AddOffline { account, .. }
            | Self::RemoveOffline { account, .. }
            | Self::PutValue { account, .. }
            | Self::RemoveValue { account, .. } => account,
        }
    }

    /// Its name in a log.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::PutAccount { .. } => "account",
            Self::RemoveAccount { .. } => "removed account",
            Self::PutItem { .. } => "roster item",
            Self::RemoveItem { .. } => "removed roster item",
            Self::PutRequest { .. } => "subscription request",
            Self::RemoveRequest { .. } => "answered subscription request",
            Self::AddOffline { .. } => "message that waits",
            Self::RemoveOffline { .. } => "messages that were taken",
            Self::PutValue { kind, .. } => kind.as_str(),
            Self::RemoveValue { .. } => "removed value",
        }
    }

    /// What it takes in memory, roughly.
    #[must_use]
    pub fn weight_bytes(&self) -> usize {
        CHANGE_BYTES
            + match self {
                Self::PutItem { item, .. } => {
                    item.name.len() + item.groups.iter().map(String::len).sum::<usize>()
                }
                Self::PutRequest { stanza, .. } => stanza.len(),
                Self::AddOffline { message, .. } => message.stanza.len(),
                Self::PutValue { key, value, .. } => key.len() + value.len(),
                Self::RemoveValue { key, .. } => key.len(),
                Self::PutAccount { .. }
                | Self::RemoveAccount { .. }
                | Self::RemoveItem { .. }
                | Self::RemoveRequest { .. }
                | Self::RemoveOffline { .. } => 0,
            }
    }
}
