//! Accounts out of tables, in portions, so that a million of them need no second million in memory.

use std::collections::HashMap;
use std::sync::Arc;

use super::database::{Database, rows};
use super::write::{SHA1, SHA256, STATES};
use crate::stanza::{AddressProfile, Jid};
use crate::store::{AccountRecord, ItemRecord, OfflineRecord, ValueKind};
use crate::stream::{Credentials, ScramKeys};

/// Accounts of one portion.
const PORTION: i64 = 2_000;

/// Records of one portion by account.
type Records = HashMap<String, AccountRecord>;

impl Database {
    /// Hands all accounts of these domains to `take`, by address. One line says what is wrong.
    pub(super) async fn load(
        &mut self,
        domains: &[impl AsRef<str>],
        take: &mut impl FnMut(Vec<AccountRecord>) -> Result<(), String>,
    ) -> Result<(), String> {
        let mut after = String::new();
        loop {
            let names = self.names_after(&after).await.map_err(|error| error.to_string())?;
            let Some(through) = names.last() else { return Ok(()) };
            let mut records = self.portion(&after, through).await?;
            let is_ours = |jid: &Jid| domains.iter().any(|domain| domain.as_ref() == jid.as_ref().domain());
            let mine = |name: &String| records.remove(name).filter(|r| is_ours(&r.account));
            take(names.iter().filter_map(mine).collect())?;
            through.clone_into(&mut after);
        }
    }

    /// Accounts of the next portion.
    pub(super) async fn names_after(&mut self, after: &str) -> Result<Vec<String>, sqlx::Error> {
        let sql = "SELECT account FROM accounts WHERE account > $1 ORDER BY account LIMIT $2";
        let names: Vec<(String,)> = rows!(self, sql, after, PORTION)?;
        Ok(names.into_iter().map(|(name,)| name).collect())
    }

    /// All that there is of accounts behind `after` up to `through`.
    async fn portion(&mut self, after: &str, through: &str) -> Result<Records, String> {
        let mut records = Records::new();
        self.load_credentials(after, through, &mut records).await?;
        self.load_rosters(after, through, &mut records).await?;
        self.load_texts(after, through, &mut records).await?;
        Ok(records)
    }

    async fn load_credentials(
        &mut self,
        after: &str,
        through: &str,
        records: &mut Records,
    ) -> Result<(), String> {
        type Row = (String, Option<String>, Option<Vec<u8>>, Option<i64>, Option<Vec<u8>>, Option<Vec<u8>>);
        let sql = "SELECT accounts.account, hash, salt, iterations, stored_key, server_key
            FROM accounts LEFT JOIN credentials ON credentials.account = accounts.account
            WHERE accounts.account > $1 AND accounts.account <= $2";
        let rows: Vec<Row> =
            rows!(self, sql, after, through).map_err(|error: sqlx::Error| error.to_string())?;
        let mut known: HashMap<String, Credentials> = HashMap::new();
        for (account, hash, salt, iterations, stored_key, server_key) in rows {
            let credentials = known.entry(account).or_default();
            let keys = (salt, iterations.and_then(|n| u32::try_from(n).ok()), stored_key, server_key);
            let (Some(salt), Some(iterations), Some(stored_key), Some(server_key)) = keys else { continue };
            let keys = Some(ScramKeys { salt, iterations, stored_key, server_key });
            match hash.as_deref() {
                Some(SHA1) => credentials.sha1 = keys,
                Some(SHA256) => credentials.sha256 = keys,
                // A hash of a later program: not for us.
                Some(_) | None => {}
            }
        }
        for (name, credentials) in known {
            let jid = address(&name)?;
            records.insert(name, AccountRecord::new(jid, Arc::new(credentials)));
        }
        Ok(())
    }

    async fn load_rosters(
        &mut self,
        after: &str,
        through: &str,
        records: &mut Records,
    ) -> Result<(), String> {
        let sql = "SELECT account, contact, name, groups_json, state, approved FROM roster
            WHERE account > $1 AND account <= $2";
        let rows: Result<Vec<ItemRow>, _> = rows!(self, sql, after, through);
        for (account, contact, name, groups, state, approved) in rows.map_err(|error| error.to_string())? {
            let damaged =
                || format!("the roster of {account} has something for {contact} that it cannot have");
            let jid = address(&contact)?;
            let groups = serde_json::from_str(&groups).map_err(|_| damaged())?;
            let state = STATES.iter().find(|(_, name)| *name == state).ok_or_else(damaged)?.0;
            let item = ItemRecord { contact: jid, name, groups, state, approved };
            if let Some(record) = records.get_mut(&account) {
                record.roster.insert(contact, item);
            }
        }
        Ok(())
    }

    /// Requests, messages and values.
    async fn load_texts(&mut self, after: &str, through: &str, records: &mut Records) -> Result<(), String> {
        let text = |error: sqlx::Error| error.to_string();
        let sql = "SELECT account, contact, stanza FROM requests WHERE account > $1 AND account <= $2";
        let rows: Vec<(String, String, String)> = rows!(self, sql, after, through).map_err(text)?;
        for (account, contact, stanza) in rows {
            let jid = address(&contact)?;
            if let Some(record) = records.get_mut(&account) {
                record.requests.insert(contact, (jid, stanza));
            }
        }
        let sql = "SELECT account, number, stanza FROM offline WHERE account > $1 AND account <= $2
            ORDER BY account, number";
        let rows: Vec<(String, i64, String)> = rows!(self, sql, after, through).map_err(text)?;
        for (account, number, stanza) in rows {
            let number = u64::try_from(number).map_err(|_| format!("{number} is no number ({account})"))?;
            if let Some(record) = records.get_mut(&account) {
                record.offline.push(OfflineRecord { number, stanza });
            }
        }
        let sql = "SELECT account, kind, key, value FROM account_values
            WHERE account > $1 AND account <= $2";
        let rows: Vec<(String, String, String, String)> = rows!(self, sql, after, through).map_err(text)?;
        for (account, kind, key, value) in rows {
            let kind = ValueKind::parse(&kind).ok_or_else(|| format!("unknown kind {kind} ({account})"))?;
            if let Some(record) = records.get_mut(&account) {
                record.values.insert((kind, key), value);
            }
        }
        Ok(())
    }
}

/// Account, contact, handle, groups, state, approval.
type ItemRow = (String, String, String, String, String, bool);

/// An address as it was prepared when it was stored. By other rules it may be none, or that of somebody else.
fn address(text: &str) -> Result<Jid, String> {
    Jid::parse(text).ok().filter(|jid| jid.as_str() == text).ok_or_else(|| {
        let profile = AddressProfile::chosen().as_str();
        format!(
            "{text} is in it, which is no address by `addresses = \"{profile}\"`: it was made by other rules"
        )
    })
}
