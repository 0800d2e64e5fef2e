//! What `xmpp-bench user` does beside a running server: it changes the tables, and leaves a line in `admin_changes` that
//! the server reads.
//!
//! A line says which account, and whether it was removed; what it has now is in the tables. As long as a line is there, what
//! the server saves of that account's existence and password is older than what the operator was told is done, and does not
//! count (`write`): the server hears of the line soon.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use sqlx::Error;
use tracing::warn;

use super::database::{Database, execute, rows};
use super::schema::key_hash;
use super::write::{SHA1, SHA256, state_name};
use crate::router::Subscription;
use crate::server::AccountNews;
use crate::stanza::Jid;
use crate::stream::{Credentials, ScramKeys};

/// What was changed beside the server.
#[derive(Debug, Default)]
pub(super) struct News {
    pub(super) accounts: Vec<AccountNews>,
    /// The lines that say so, and those that were told before.
    pub(super) lines: Vec<i64>,
}

impl Database {
    /// Does it and leaves word. `false`: an account to be added is there already, or one to be changed is not.
    pub(super) async fn admin_change(&mut self, news: &AccountNews, is_new: bool) -> Result<bool, Error> {
        self.begin_alone().await?;
        let (AccountNews::Put { account, .. } | AccountNews::Removed { account }) = news;
        let account = account.as_str();
        let known: Vec<(String,)> = rows!(self, "SELECT account FROM accounts WHERE account = $1", account)?;
        if known.is_empty() != is_new {
            execute!(self, "ROLLBACK")?;
            return Ok(false);
        }
        let removed = match news {
            AccountNews::Put { credentials, .. } => {
                self.put_account(account, credentials).await?;
                false
            }
            AccountNews::Removed { .. } => {
                self.remove_account(account).await?;
                self.end_subscriptions(account).await?;
                true
            }
        };
        let sql = "INSERT INTO admin_changes (account, removed) VALUES ($1, $2)";
        execute!(self, sql, account, removed)?;
        self.commit().await?;
        Ok(true)
    }

    /// Ends what contacts have with an account that is gone, as if it had ended it itself: no request of it waits, no
    /// subscription is left in either direction, and whoever has its name next is not approved of beforehand.
    async fn end_subscriptions(&mut self, account: &str) -> Result<(), Error> {
        execute!(self, "DELETE FROM requests WHERE contact_hash = $1", key_hash(account))?;
        let sql = "UPDATE roster SET state = $2, approved = $3
            WHERE contact_hash = $1 AND (state <> $2 OR approved <> $3)";
        execute!(self, sql, key_hash(account), state_name(Subscription::None), false).map(drop)
    }

    /// All bare JIDs, sorted as Rust sorts them: a database's order depends on its locale.
    pub(super) async fn account_names(&mut self) -> Result<Vec<String>, Error> {
        let names: Vec<(String,)> = rows!(self, "SELECT account FROM accounts")?;
        let mut names: Vec<String> = names.into_iter().map(|(name,)| name).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// What the lines are about, without those that were `told`: of each account its removal before what it has now. A
    /// transaction is left open, which [`Self::forget`] ends: a change between the two would be missed.
    pub(super) async fn news(&mut self, told: &[i64]) -> Result<News, Error> {
        let mut news = News::default();
        let any: Vec<(i64,)> = rows!(self, "SELECT id FROM admin_changes LIMIT 1")?;
        if any.is_empty() && told.is_empty() {
            return Ok(news);
        }
        self.begin_alone().await?;
        let sql = "SELECT id, account, removed FROM admin_changes ORDER BY id";
        let mut lines: Vec<(i64, String, bool)> = rows!(self, sql)?;
        lines.retain(|(id, ..)| !told.contains(id));
        let mut changed: BTreeMap<&str, bool> = BTreeMap::new();
        for (_, account, removed) in &lines {
            *changed.entry(account).or_default() |= removed;
        }
        for (name, removed) in changed {
            let Ok(account) = Jid::parse(name) else {
                warn!(account = name, "a change of an account that is no address here is left out");
                continue;
            };
            if removed {
                // A server that did not know may have saved them since.
                self.end_subscriptions(name).await?;
                news.accounts.push(AccountNews::Removed { account: account.clone() });
            }
            if let Some(credentials) = self.credentials_of(name).await? {
                news.accounts.push(AccountNews::Put { account, credentials: Arc::new(credentials) });
            }
        }
        news.lines = told.iter().copied().chain(lines.into_iter().map(|(id, ..)| id)).collect();
        if news.lines.is_empty() {
            // Somebody else has deleted them.
            self.commit().await?;
        }
        Ok(news)
    }

    /// Deletes lines that were read, one by one (one with a lower number may be written after one with a higher number), and
    /// ends the transaction of [`Self::news`].
    pub(super) async fn forget(&mut self, lines: &[i64]) -> Result<(), Error> {
        if lines.is_empty() {
            return Ok(());
        }
        for id in lines {
            execute!(self, "DELETE FROM admin_changes WHERE id = $1", id)?;
        }
        self.commit().await
    }

    /// Accounts that were changed beside the server, and it does not know yet.
    pub(super) async fn changed_beside(&mut self) -> Result<HashSet<String>, Error> {
        let accounts: Vec<(String,)> = rows!(self, "SELECT account FROM admin_changes")?;
        Ok(accounts.into_iter().map(|(account,)| account).collect())
    }

    /// `None`: there is no such account.
    async fn credentials_of(&mut self, account: &str) -> Result<Option<Credentials>, Error> {
        let known: Vec<(String,)> = rows!(self, "SELECT account FROM accounts WHERE account = $1", account)?;
        if known.is_empty() {
            return Ok(None);
        }
        let sql = "SELECT hash, salt, iterations, stored_key, server_key FROM credentials WHERE account = $1";
        let rows: Vec<KeysRow> = rows!(self, sql, account)?;
        let mut credentials = Credentials::default();
        for (hash, salt, iterations, stored_key, server_key) in rows {
            let Ok(iterations) = u32::try_from(iterations) else { continue };
            let keys = Some(ScramKeys { salt, iterations, stored_key, server_key });
            match hash.as_str() {
                SHA1 => credentials.sha1 = keys,
                SHA256 => credentials.sha256 = keys,
                _ => {}
            }
        }
        Ok(Some(credentials))
    }
}

/// Hash, salt, iterations, StoredKey, ServerKey.
type KeysRow = (String, Vec<u8>, i64, Vec<u8>, Vec<u8>);
