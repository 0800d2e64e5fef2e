//! All that a store has of one account, and what a change makes of it.
//!
//! This is also what a database must come to: a test holds each one against [`AccountRecord::apply`].

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Change, ValueKind};
use crate::router::Subscription;
use crate::stanza::Jid;
use crate::stream::Credentials;

/// A contact in a roster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemRecord {
    /// Bare JID.
    pub contact: Jid,
    /// Handle, empty when there is none.
    pub name: String,
    /// Groups, in the order in which they were given.
    pub groups: Vec<String>,
    /// State without the contact's request ([`Subscription::without_pending_in`]).
    pub state: Subscription,
    /// Whether a request is approved before it is made (RFC 6121 §3.4).
    pub approved: bool,
}

/// A message that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfflineRecord {
    /// Counts up for each account.
    pub number: u64,
    /// The complete stanza, its delay included (XEP-0203).
    pub stanza: String,
}

/// All that a store has of one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRecord {
    /// Bare JID.
    pub account: Jid,
    /// Salted keys.
    pub credentials: Arc<Credentials>,
    /// Contacts, by address.
    pub roster: BTreeMap<String, ItemRecord>,
    /// Requests that wait for an answer: contact and stanza, by contact.
    pub requests: BTreeMap<String, (Jid, String)>,
    /// Messages that wait, oldest first.
    pub offline: Vec<OfflineRecord>,
    /// Values by kind and key.
    pub values: BTreeMap<(ValueKind, String), String>,
}

impl AccountRecord {
    /// An account that has nothing yet.
    #[must_use]
    pub fn new(account: Jid, credentials: Arc<Credentials>) -> Self {
        let mut record = Self {
            account,
            credentials: Arc::default(),
            roster: BTreeMap::new(),
            requests: BTreeMap::new(),
            offline: Vec::new(),
            values: BTreeMap::new(),
        };
        record.set_credentials(&credentials);
        record
    }

    /// Salted keys only: a proof is of one process.
    fn set_credentials(&mut self, credentials: &Credentials) {
        self.credentials = Arc::new(Credentials { plain: None, ..credentials.clone() });
    }

    /// What a change of this account makes of it. That it is there or gone is the owner's.
    pub fn apply(&mut self, change: Change) {
        match change {
            Change::PutAccount { credentials, .. } => self.set_credentials(&credentials),
            Change::RemoveAccount { .. } => {}
            Change::PutItem { item, .. } => {
                self.roster.insert(item.contact.as_str().to_owned(), item);
            }
            Change::RemoveItem { contact, .. } => {
                self.roster.remove(contact.as_str());
            }
            Change::PutRequest { contact, stanza, .. } => {
                self.requests.insert(contact.as_str().to_owned(), (contact, stanza));
            }
            Change::RemoveRequest { contact, .. } => {
                self.requests.remove(contact.as_str());
            }
            // A number that is there already is said twice.
            Change::AddOffline { message, .. } => {
                if let Err(at) = self.offline.binary_search_by_key(&message.number, |m| m.number) {
                    self.offline.insert(at, message);
                }
            }
            Change::RemoveOffline { through, .. } => self.offline.retain(|message| message.number > through),
            Change::PutValue { kind, key, value, .. } => {
                self.values.insert((kind, key), value);
            }
            Change::RemoveValue { kind, key, .. } => {
                self.values.remove(&(kind, key));
            }
        }
    }
}
