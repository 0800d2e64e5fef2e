//! One connection to a database: SQLite or PostgreSQL, behind the same words.
//!
//! There is no pool: one thread writes, one transaction at a time. After an error the connection is given up and another one
//! made, which undoes what was not committed.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, Error};
use tokio::time::timeout;

use super::StoreUrl;
use super::schema::{Copied, Dialect, MIGRATIONS, VERSION_TABLE, key_hash};

/// How long a connection may take, and with SQLite a wait for another program's transaction.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// How long it may take until tables of an older program are those of this one; rows are copied one by one.
const MIGRATION_MAX: Duration = Duration::from_secs(30 * 60);
/// PostgreSQL: a router that is gone without a word keeps its lock for 25 s at most, and then another one can have it. What is
/// only worth a notice ("already exists") is not worth a line in the log.
const SESSION: &str =
    "SET client_min_messages = warning; SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5;
    SET tcp_keepalives_count = 3; SET tcp_user_timeout = 25000";
/// PostgreSQL: one server for each database. Any number that nobody else has; it spells "xmpp-ben".
const LOCK_KEY: i64 = 0x786d_7070_2d62_656e;

/// Who connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The one server that has these accounts in memory.
    Server,
    /// Somebody beside it: a database that is not there was misspelt.
    Tool,
    /// Somebody beside it who may make the database.
    Maker,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Database {
    pub(super) link: Link,
    /// Whether the tables were made for this connection.
    pub(super) is_new: bool,
}

/// To which database.
#[derive(Debug)]
pub(super) enum Link {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// Runs a statement with these values; how many rows it was about.
macro_rules! execute {
    ($database:expr, $sql:expr $(, $value:expr)* $(,)?) => {
        match &mut $database.link {
            $crate::app::store::database::Link::Sqlite(link) => {
                sqlx::query($sql)$(.bind($value))*.execute(link).await.map(|done| done.rows_affected())
            }
            $crate::app::store::database::Link::Postgres(link) => {
                sqlx::query($sql)$(.bind($value))*.execute(link).await.map(|done| done.rows_affected())
            }
        }
    };
}

/// All rows of a question, as tuples.
macro_rules! rows {
    ($database:expr, $sql:expr $(, $value:expr)* $(,)?) => {
        match &mut $database.link {
            $crate::app::store::database::Link::Sqlite(link) => {
                sqlx::query_as($sql)$(.bind($value))*.fetch_all(link).await
            }
            $crate::app::store::database::Link::Postgres(link) => {
                sqlx::query_as($sql)$(.bind($value))*.fetch_all(link).await
            }
        }
    };
}

pub(super) use {execute, rows};

impl Database {
    /// Connects and brings the tables up to date.
    pub(super) async fn connect(url: &StoreUrl, role: Role) -> Result<Self, String> {
        let newest = i64::try_from(MIGRATIONS.len()).expect("a few");
        let text = |error: Error| error.to_string();
        let opened = async {
            let mut database = Self::open(url, role).await?;
            let found = database.version().await.map_err(text)?;
            Ok::<_, String>((database, found))
        };
        let (mut database, found) = in_time(CONNECT_MAX, opened).await?;
        if found == 0 && role == Role::Tool {
            return Err(format!("it has nothing of a router; {MAKERS}"));
        }
        if found < newest {
            let migrated = async { database.migrate_to(newest).await.map_err(text) };
            in_time(MIGRATION_MAX, migrated).await?;
        }
        if found > newest {
            let program = "this program knows tables up to version";
            return Err(format!("its tables have version {found}, {program} {newest}: use a newer program"));
        }
        database.is_new = found == 0;
        Ok(database)
    }

    /// Connects, whatever the tables are.
    pub(super) async fn open(url: &StoreUrl, role: Role) -> Result<Self, String> {
        let text = |error: Error| error.to_string();
        match url {
            StoreUrl::Memory => unreachable!("memory is no database"),
            StoreUrl::Sqlite(file) => {
                if role != Role::Tool {
                    make_private(file)?;
                } else if !file.exists() {
                    return Err(format!("there is no {}; {MAKERS}", file.display()));
                }
                let options = SqliteConnectOptions::new()
                    .filename(file)
                    .journal_mode(SqliteJournalMode::Wal)
                    // What is committed survives a loss of power, too.
                    .synchronous(SqliteSynchronous::Full)
                    .foreign_keys(true)
                    .busy_timeout(CONNECT_MAX)
                    .disable_statement_logging();
                let link = SqliteConnection::connect_with(&options).await.map_err(text)?;
                Ok(Self { link: Link::Sqlite(link), is_new: false })
            }
            StoreUrl::Postgres(url) => {
                let options = PgConnectOptions::from_str(url).map_err(text)?;
                let options = options.application_name("xmpp-bench").disable_statement_logging();
                let mut link = PgConnection::connect_with(&options).await.map_err(text)?;
                sqlx::raw_sql(SESSION).execute(&mut link).await.map_err(text)?;
                if role == Role::Server {
                    sqlx::raw_sql(LOCK_WAIT).execute(&mut link).await.map_err(text)?;
                    let lock = sqlx::query("SELECT pg_advisory_lock($1)").bind(LOCK_KEY);
                    lock.execute(&mut link).await.map_err(|error| match error.as_database_error() {
                        Some(refusal) if refusal.code().as_deref() == Some(LOCK_NOT_AVAILABLE) => {
                            TAKEN.to_owned()
                        }
                        Some(_) | None => text(error),
                    })?;
                    sqlx::raw_sql("RESET lock_timeout").execute(&mut link).await.map_err(text)?;
                }
                Ok(Self { link: Link::Postgres(link), is_new: false })
            }
        }
    }

    pub(super) const fn dialect(&self) -> Dialect {
        match &self.link {
            Link::Sqlite(_) => Dialect::Sqlite,
            Link::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Begins a transaction.
    pub(super) async fn begin(&mut self) -> Result<(), Error> {
        let begin = self.dialect().begin();
        execute!(self, begin).map(drop)
    }

    /// Begins a transaction that nobody else who does so has at the same time, the server or a tool beside it. SQLite has one
    /// that writes at any time; PostgreSQL would let them wait for each other's rows in turns.
    pub(super) async fn begin_alone(&mut self) -> Result<(), Error> {
        self.begin().await?;
        if self.dialect() == Dialect::Postgres {
            execute!(self, "SELECT pg_advisory_xact_lock($1)", LOCK_KEY - 1)?;
        }
        Ok(())
    }

    /// Makes what was done since [`Self::begin`] durable.
    pub(super) async fn commit(&mut self) -> Result<(), Error> {
        execute!(self, "COMMIT").map(drop)
    }

    /// The tables' version; 0: there are none.
    async fn version(&mut self) -> Result<i64, Error> {
        let has_version = self.dialect().has_version();
        let is_there: Vec<(i64,)> = rows!(self, has_version)?;
        if is_there == [(0,)] {
            return Ok(0);
        }
        let found: Vec<(i64,)> = rows!(self, "SELECT version FROM schema_version")?;
        Ok(found.first().map_or(0, |(version,)| *version))
    }

    async fn migrate_to(&mut self, newest: i64) -> Result<(), Error> {
        // Two programs that start at once must not both make the tables.
        self.begin_alone().await?;
        execute!(self, VERSION_TABLE)?;
        let found = self.version().await?;
        if found < newest {
            let done = usize::try_from(found).unwrap_or(0);
            for migration in &MIGRATIONS[done..] {
                self.run_all(migration.begin).await?;
                for copied in migration.copies {
                    self.copy(copied).await?;
                }
                self.run_all(migration.end).await?;
            }
            execute!(self, "DELETE FROM schema_version")?;
            execute!(self, "INSERT INTO schema_version (version) VALUES ($1)", newest)?;
        }
        self.commit().await
    }

    /// Runs statements that are separated by semicolons.
    pub(super) async fn run_all(&mut self, statements: &str) -> Result<(), Error> {
        for statement in self.dialect().statements(statements) {
            execute!(self, statement.as_str())?;
        }
        Ok(())
    }

    async fn copy(&mut self, copied: &Copied) -> Result<(), Error> {
        let mut after = String::new();
        loop {
            let names = self.names_after(&after).await?;
            let Some(through) = names.last() else { return Ok(()) };
            let rows: Vec<(String, String, String)> = rows!(self, copied.rows, &after, through)?;
            for (account, kind, text) in rows {
                execute!(self, copied.copy, &account, &kind, &text, key_hash(&text))?;
            }
            through.clone_into(&mut after);
        }
    }

    /// Closes it in order.
    pub(super) async fn close(self) {
        // Everything is committed; what remains is the other side's housekeeping.
        let _ = match self.link {
            Link::Sqlite(link) => link.close().await,
            Link::Postgres(link) => link.close().await,
        };
    }
}

/// Who makes a store that is not there.
const MAKERS: &str = "`serve` and `user add` make one";

/// Whoever reads keys of passwords may try passwords; the rest is nobody else's concern either.
const PRIVATE: u32 = 0o600;

/// Makes the file, if it is not there, before SQLite does: it would let everybody read it. What SQLite lays beside it gets the
/// same permissions.
fn make_private(file: &Path) -> Result<(), String> {
    match File::options().write(true).create_new(true).mode(PRIVATE).open(file) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => {
            let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists());
            Err(match folder {
                Some(folder) => format!("there is no folder {}; make it first", folder.display()),
                None => format!("cannot make {}: {error}", file.display()),
            })
        }
    }
}

/// Permissions of a database's file, if others than its owner have some.
pub(super) fn permissions_of_others(url: &StoreUrl) -> Option<String> {
    let StoreUrl::Sqlite(file) = url else { return None };
    let mode = std::fs::metadata(file).ok()?.permissions().mode() & 0o777;
    (mode & !PRIVATE != 0).then(|| format!("{mode:o}"))
}

/// PostgreSQL may not have noticed yet that a router is gone which was killed a moment ago, and whose successor is here already.
/// Less than [`CONNECT_MAX`].
const LOCK_WAIT: &str = "SET lock_timeout = '3s'";

/// PostgreSQL's word for a wait that was too long (`lock_not_available`).
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// What a second server is told.
const TAKEN: &str = "another router has it open";

/// What says that a server has an SQLite database, as long as it lives: not only as long as a connection does, or another
/// server could take it between two. PostgreSQL's lock is the connection's own.
#[derive(Debug)]
pub(super) struct ServerLock {
    _file: Option<File>,
}

impl ServerLock {
    /// Two servers with the same accounts in memory would overwrite each other's changes. The lock lies beside the database:
    /// whoever closes a descriptor of the database itself would lose SQLite's own locks.
    pub(super) fn take(url: &StoreUrl) -> Result<Self, String> {
        let StoreUrl::Sqlite(database) = url else { return Ok(Self { _file: None }) };
        let mut path = PathBuf::from(database).into_os_string();
        path.push("-lock");
        let file = File::options().create(true).append(true).mode(PRIVATE).open(&path);
        let file = file.map_err(|error| {
            make_private(database).err().unwrap_or_else(|| format!("cannot open {}: {error}", path.display()))
        })?;
        flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|error| match error {
            Errno::WOULDBLOCK => TAKEN.to_owned(),
            error => format!("cannot lock {}: {error}", path.display()),
        })?;
        Ok(Self { _file: Some(file) })
    }
}

/// What comes of it, unless it takes too long.
async fn in_time<T>(max: Duration, work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    timeout(max, work).await.unwrap_or_else(|_| Err(format!("no answer within {max:?}")))
}
