//! Changes into tables.
//!
//! Every statement may run twice: when a connection breaks after a commit was sent, nobody knows whether it was carried out,
//! and the whole batch is sent again. What is about an account that is not there changes nothing.

use std::collections::HashSet;

use sqlx::Error;
use sqlx::postgres::PgDatabaseError;

use super::database::{Database, execute};
use super::schema::key_hash;
use crate::router::Subscription;
use crate::store::{Change, ItemRecord};
use crate::stream::{Credentials, ScramKeys};

/// Names of hashes in the table.
pub(super) const SHA1: &str = "SHA-1";
pub(super) const SHA256: &str = "SHA-256";

impl Database {
    /// Applies changes in order, all of them or none.
    pub(super) async fn apply(&mut self, changes: &[&Change]) -> Result<(), Error> {
        self.begin_alone().await?;
        let changed_beside = self.changed_beside().await?;
        for change in changes {
            self.apply_one(change, &changed_beside).await?;
        }
        self.commit().await
    }

    /// As [`Self::apply`], without the changes that the database refuses for what they are; those are returned with its reason.
    pub(super) async fn apply_what_can_be<'c>(
        &mut self,
        changes: &[&'c Change],
    ) -> Result<Vec<(&'c Change, Error)>, Error> {
        execute!(self, "ROLLBACK")?;
        self.begin_alone().await?;
        let changed_beside = self.changed_beside().await?;
        let mut refused = Vec::new();
        for change in changes {
            execute!(self, "SAVEPOINT one")?;
            match self.apply_one(change, &changed_beside).await {
                Ok(()) => {}
                Err(error) if is_refusal(&error) => {
                    execute!(self, "ROLLBACK TO SAVEPOINT one")?;
                    refused.push((*change, error));
                }
                Err(error) => return Err(error),
            }
            execute!(self, "RELEASE SAVEPOINT one")?;
        }
        self.commit().await?;
        Ok(refused)
    }

    async fn apply_one(&mut self, change: &Change, changed_beside: &HashSet<String>) -> Result<(), Error> {
        let account = change.account().as_str();
        match change {
            // The operator's word is newer: the account stays, or stays away.
            Change::PutAccount { .. } if changed_beside.contains(account) => {}
            Change::RemoveAccount { .. } if changed_beside.contains(account) => {
                self.empty_account(account).await?;
            }
            Change::PutAccount { credentials, .. } => self.put_account(account, credentials).await?,
            Change::RemoveAccount { .. } => self.remove_account(account).await?,
            Change::PutItem { item, .. } => self.put_item(account, item).await?,
            Change::RemoveItem { contact, .. } => {
                let sql = "DELETE FROM roster WHERE account = $1 AND contact_hash = $2";
                execute!(self, sql, account, key_hash(contact.as_str()))?;
            }
            Change::PutRequest { contact, stanza, .. } => {
                let sql = "INSERT INTO requests (account, contact_hash, contact, stanza)
                    SELECT account, $2, $3, $4 FROM accounts WHERE account = $1
                    ON CONFLICT (account, contact_hash) DO UPDATE SET stanza = excluded.stanza";
                let contact = contact.as_str();
                execute!(self, sql, account, key_hash(contact), contact, stanza)?;
            }
            Change::RemoveRequest { contact, .. } => {
                let sql = "DELETE FROM requests WHERE account = $1 AND contact_hash = $2";
                execute!(self, sql, account, key_hash(contact.as_str()))?;
            }
            Change::AddOffline { message, .. } => {
                let sql = "INSERT INTO offline (account, number, stanza)
                    SELECT account, $2, $3 FROM accounts WHERE account = $1
                    ON CONFLICT (account, number) DO UPDATE SET stanza = excluded.stanza";
                execute!(self, sql, account, signed(message.number), &message.stanza)?;
            }
            Change::RemoveOffline { through, .. } => {
                let sql = "DELETE FROM offline WHERE account = $1 AND number <= $2";
                execute!(self, sql, account, signed(*through))?;
            }
            Change::PutValue { kind, key, value, .. } => {
                let sql = "INSERT INTO account_values (account, kind, key_hash, key, value)
                    SELECT account, $2, $3, $4, $5 FROM accounts WHERE account = $1
                    ON CONFLICT (account, kind, key_hash) DO UPDATE SET value = excluded.value";
                execute!(self, sql, account, kind.as_str(), key_hash(key), key, value)?;
            }
            Change::RemoveValue { kind, key, .. } => {
                let sql = "DELETE FROM account_values WHERE account = $1 AND kind = $2 AND key_hash = $3";
                execute!(self, sql, account, kind.as_str(), key_hash(key))?;
            }
        }
        Ok(())
    }

    /// Salted keys only: a proof is of one process.
    pub(super) async fn put_account(&mut self, account: &str, keys: &Credentials) -> Result<(), Error> {
        let sql = "INSERT INTO accounts (account) VALUES ($1) ON CONFLICT (account) DO NOTHING";
        execute!(self, sql, account)?;
        execute!(self, "DELETE FROM credentials WHERE account = $1", account)?;
        for (hash, keys) in [(SHA1, &keys.sha1), (SHA256, &keys.sha256)] {
            let Some(ScramKeys { salt, iterations, stored_key, server_key }) = keys else { continue };
            let sql = "INSERT INTO credentials (account, hash, salt, iterations, stored_key, server_key)
                VALUES ($1, $2, $3, $4, $5, $6)";
            execute!(self, sql, account, hash, salt, i64::from(*iterations), stored_key, server_key)?;
        }
        Ok(())
    }

    /// Whatever it has goes with it.
    pub(super) async fn remove_account(&mut self, account: &str) -> Result<(), Error> {
        execute!(self, "DELETE FROM accounts WHERE account = $1", account).map(drop)
    }

    /// Takes everything from it but its credentials.
    async fn empty_account(&mut self, account: &str) -> Result<(), Error> {
        execute!(self, "DELETE FROM roster WHERE account = $1", account)?;
        execute!(self, "DELETE FROM requests WHERE account = $1", account)?;
        execute!(self, "DELETE FROM offline WHERE account = $1", account)?;
        execute!(self, "DELETE FROM account_values WHERE account = $1", account).map(drop)
    }

    async fn put_item(&mut self, account: &str, item: &ItemRecord) -> Result<(), Error> {
        let groups = serde_json::to_string(&item.groups).expect("texts are always JSON");
        let sql = "INSERT INTO roster (account, contact_hash, contact, name, groups_json, state, approved)
            SELECT account, $2, $3, $4, $5, $6, $7 FROM accounts WHERE account = $1
            ON CONFLICT (account, contact_hash) DO UPDATE SET name = excluded.name,
                groups_json = excluded.groups_json, state = excluded.state, approved = excluded.approved";
        let (contact, state) = (item.contact.as_str(), state_name(item.state));
        let hash = key_hash(contact);
        execute!(self, sql, account, hash, contact, &item.name, &groups, state, item.approved).map(drop)
    }
}

/// Whether the database can be reached and will not have this, however often it is asked. Everything else passes: lost
/// connections, deadlocks, a full disk, a database that is shut down or read-only.
pub(super) fn is_refusal(error: &Error) -> bool {
    let Error::Database(error) = error else { return matches!(error, Error::Encode(_)) };
    let code = error.code().unwrap_or_default();
    if error.try_downcast_ref::<PgDatabaseError>().is_some() {
        // Classes of SQLSTATE: data exception, integrity constraint violation, program limit exceeded.
        return ["22", "23", "54"].iter().any(|class| code.starts_with(class));
    }
    // SQLite's result codes, extended by their upper bytes: too big, constraint, mismatch.
    code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 18..=20))
}

/// States of roster items, and their names in the table.
pub(super) const STATES: [(Subscription, &str); 6] = [
    (Subscription::None, "none"),
    (Subscription::NonePendingOut, "none+ask"),
    (Subscription::To, "to"),
    (Subscription::From, "from"),
    (Subscription::FromPendingOut, "from+ask"),
    (Subscription::Both, "both"),
];

/// The name of a state in the table.
pub(super) fn state_name(state: Subscription) -> &'static str {
    let state = state.without_pending_in();
    STATES.iter().find(|(known, _)| *known == state).expect("the nine states without their requests").1
}

/// Numbers count up from 1 by one.
fn signed(number: u64) -> i64 {
    i64::try_from(number).expect("nobody has so many messages")
}
