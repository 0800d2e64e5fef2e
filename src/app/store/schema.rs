//! Tables, and how older ones become them.
//!
//! A migration is never edited once it was released: what comes later is the next entry of [`MIGRATIONS`]. The same text is
//! for both databases; three words that they do not share are put in ([`Dialect`]).

/// What one database calls differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}

/// Entry `n` makes version `n + 1` of version `n`; statements are separated by semicolons.
pub(super) const MIGRATIONS: [&str; 1] = ["
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
)"];

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
            let statements = dialect.statements(MIGRATIONS[0]);
            assert_eq!(statements.len(), 7);
            assert!(statements.iter().all(|s| s.starts_with("CREATE TABLE") && !s.contains('{')));
        }
    }
}
