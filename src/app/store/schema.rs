//! Tables, and how older ones become them.
//!
//! A migration is never edited once it was released: what comes later is the next entry of [`MIGRATIONS`]. The same text is
//! for both databases; three words that they do not share are put in ([`Dialect`]).

use sha2::{Digest as _, Sha256};

/// What one database calls differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}

/// Makes the next version of tables. Statements are separated by semicolons.
#[derive(Debug, Clone, Copy)]
pub(super) struct Migration {
    pub(super) begin: &'static str,
    /// Rows that no statement can copy, between the two texts.
    pub(super) copies: &'static [Copied],
    pub(super) end: &'static str,
}

/// Rows that get a [`key_hash`]: SQLite has no function that could make one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Copied {
    /// Account, what else tells rows apart or nothing, and the text that is hashed, of the accounts behind $1 up to $2.
    pub(super) rows: &'static str,
    /// Copies the row of these three ($1 to $3) with its hash ($4).
    pub(super) copy: &'static str,
}

/// Entry `n` makes version `n + 1` of version `n`.
pub(super) const MIGRATIONS: [Migration; 2] = [
    Migration { begin: TABLES, copies: &[], end: "" },
    Migration { begin: KEYS_BEGIN, copies: &KEYS_COPIES, end: KEYS_END },
];

/// What stands for a text in a primary key: SHA-256. PostgreSQL has no index for rows above 2,704 bytes, and neither a
/// namespace nor two addresses of 2,047 bytes need stay below that.
pub(super) fn key_hash(text: &str) -> Vec<u8> {
    Sha256::digest(text).to_vec()
}

/// Version 1.
const TABLES: &str = "
CREATE TABLE accounts (
    account TEXT PRIMARY KEY
);
CREATE TABLE credentials (
    account TEXT NOT NULL REFERENCES accounts ON DELETE CASCADE,
    hash TEXT NOT NULL,
    salt {BYTES} NOT NULL,
    iterations BIGINT NOT NULL,
    stored_key {BYTES} NOT NULL,
    server_key {BYTES} NOT NULL,
    PRIMARY KEY (account, hash)
);
CREATE TABLE roster (
    account TEXT NOT NULL REFERENCES accounts ON DELETE CASCADE,
    contact TEXT NOT NULL,
    name TEXT NOT NULL,
    groups_json TEXT NOT NULL,
    state TEXT NOT NULL,
    approved BOOLEAN NOT NULL,
    PRIMARY KEY (account, contact)
);
CREATE TABLE requests (
    account TEXT NOT NULL REFERENCES accounts ON DELETE CASCADE,
    contact TEXT NOT NULL,
    stanza TEXT NOT NULL,
    PRIMARY KEY (account, contact)
);
CREATE TABLE offline (
    account TEXT NOT NULL REFERENCES accounts ON DELETE CASCADE,
    number BIGINT NOT NULL,
    stanza TEXT NOT NULL,
    PRIMARY KEY (account, number)
);
CREATE TABLE account_values (
    account TEXT NOT NULL REFERENCES accounts ON DELETE CASCADE,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (account, kind, key)
);
CREATE TABLE admin_changes (
    id {COUNTER},
    account TEXT NOT NULL,
    removed BOOLEAN NOT NULL
)";

/// Version 2: [`key_hash`]es in keys. Who has a contact can be found: a removed account ends in their rosters.
const KEYS_BEGIN: &str = "
ALTER TABLE roster RENAME TO roster_1;
ALTER TABLE requests RENAME TO requests_1;
ALTER TABLE account_values RENAME TO account_values_1;
CREATE TABLE roster (
    account TEXT NOT NULL REFERENCES accounts ON DELETE CASCADE,
    contact_hash {BYTES} NOT NULL,
    contact TEXT NOT NULL,
    name TEXT NOT NULL,
    groups_json TEXT NOT NULL,
    state TEXT NOT NULL,
    approved BOOLEAN NOT NULL,
    PRIMARY KEY (account, contact_hash)
);
CREATE TABLE requests (
    account TEXT NOT NULL REFERENCES accounts ON DELETE CASCADE,
    contact_hash {BYTES} NOT NULL,
    contact TEXT NOT NULL,
    stanza TEXT NOT NULL,
    PRIMARY KEY (account, contact_hash)
);
CREATE TABLE account_values (
    account TEXT NOT NULL REFERENCES accounts ON DELETE CASCADE,
    kind TEXT NOT NULL,
    key_hash {BYTES} NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (account, kind, key_hash)
)";

const KEYS_COPIES: [Copied; 3] = [
    Copied {
        rows: "SELECT account, '', contact FROM roster_1 WHERE account > $1 AND account <= $2",
        copy: "INSERT INTO roster (account, contact_hash, contact, name, groups_json, state, approved)
            SELECT account, $4, contact, name, groups_json, state, approved FROM roster_1
            WHERE account = $1 AND $2 = '' AND contact = $3",
    },
    Copied {
        rows: "SELECT account, '', contact FROM requests_1 WHERE account > $1 AND account <= $2",
        copy: "INSERT INTO requests (account, contact_hash, contact, stanza)
            SELECT account, $4, contact, stanza FROM requests_1
            WHERE account = $1 AND $2 = '' AND contact = $3",
    },
    Copied {
        rows: "SELECT account, kind, key FROM account_values_1 WHERE account > $1 AND account <= $2",
        copy: "INSERT INTO account_values (account, kind, key_hash, key, value)
            SELECT account, kind, $4, key, value FROM account_values_1
            WHERE account = $1 AND kind = $2 AND key = $3",
    },
];

const KEYS_END: &str = "
DROP TABLE roster_1;
DROP TABLE requests_1;
DROP TABLE account_values_1;
CREATE INDEX roster_contacts ON roster (contact_hash);
CREATE INDEX requests_contacts ON requests (contact_hash)";

/// Where the version is kept. Not there at all: version 0.
pub(super) const VERSION_TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)";

impl Dialect {
    /// The statements of a migration.
    pub(super) fn statements(self, migration: &str) -> Vec<String> {
        let (bytes, counter) = match self {
            Self::Sqlite => ("BLOB", "INTEGER PRIMARY KEY AUTOINCREMENT"),
            Self::Postgres => ("BYTEA", "BIGSERIAL PRIMARY KEY"),
        };
        let text = migration.replace("{BYTES}", bytes).replace("{COUNTER}", counter);
        text.split(';').map(str::trim).filter(|statement| !statement.is_empty()).map(str::to_owned).collect()
    }

    /// Whether there is [`VERSION_TABLE`]: 1 or 0.
    pub(super) const fn has_version(self) -> &'static str {
        match self {
            Self::Sqlite => "SELECT count(*) FROM sqlite_master WHERE name = 'schema_version'",
            Self::Postgres => "SELECT count(to_regclass('schema_version'))",
        }
    }

    /// Begins a transaction that will write. SQLite must know, or two that have only read so far block each other.
    pub(super) const fn begin(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres => "BEGIN",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_statement_is_one() {
        for dialect in [Dialect::Sqlite, Dialect::Postgres] {
            let statements =
                MIGRATIONS.map(|m| dialect.statements(m.begin).len() + dialect.statements(m.end).len());
            assert_eq!(statements, [7, 11]);
            for statement in
                MIGRATIONS.iter().flat_map(|m| [m.begin, m.end]).flat_map(|t| dialect.statements(t))
            {
                assert!(["CREATE ", "ALTER ", "DROP "].iter().any(|word| statement.starts_with(word)));
                assert!(!statement.contains('{'), "{statement}");
            }
        }
    }
}
