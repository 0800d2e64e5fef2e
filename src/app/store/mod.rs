//! Stores that outlive the process: SQLite and PostgreSQL, by the same code ([`crate::store`] says what is kept).
//!
//! No reactor waits here. [`DatabaseStore::save`] puts a job in a queue; a thread of its own takes all that has come, of
//! every home, into one transaction (group commit), and says of each when it is safe. While the database cannot be
//! reached the jobs wait; each home has one at a time, so the queue is as long as there are homes.
//!
//! | File | What |
//! |---|---|
//! | `url` | what an operator writes |
//! | `database` | one connection to either database, and how it is made |
//! | `schema` | tables, and how older ones become them |
//! | `write`, `load` | changes into tables; accounts out of them |
//! | `admin` | what `xmpp-bench user` does beside a running server |
//! | `task` | the thread: batches, retries, news |

mod admin;
mod database;
mod load;
mod schema;
mod task;
mod url;
mod write;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::server::AccountNews;
use crate::store::{AccountRecord, Change, Saved, Store};
use database::{Database, Role, ServerLock, permissions_of_others};
use task::{Request, Task};

pub use url::StoreUrl;

/// Called with what `xmpp-bench user` has changed, in order.
pub type OnNews = Box<dyn Fn(Vec<AccountNews>) + Send>;

/// A database that changes are sent to.
#[derive(Debug)]
pub struct DatabaseStore {
    requests: UnboundedSender<Request>,
    is_up: Arc<AtomicBool>,
}

/// The thread behind a [`DatabaseStore`]. It ends when nobody has the store any more and everything is saved.
#[derive(Debug)]
pub struct StoreThread(JoinHandle<()>);

/// A database that was opened and read, before its thread runs.
#[derive(Debug)]
pub struct Opened {
    runtime: Runtime,
    database: Database,
    lock: ServerLock,
    url: StoreUrl,
    store: Arc<DatabaseStore>,
    queue: UnboundedReceiver<Request>,
}

impl Opened {
    /// Connects, brings the tables up to date and hands the accounts of these domains to `take`, in portions.
    ///
    /// # Errors
    /// One line: it cannot be reached, another server has it, a newer program made its tables, or something in it is damaged.
    ///
    /// # Panics
    /// With [`StoreUrl::Memory`], which is no database.
    pub fn open(
        url: &StoreUrl,
        domains: &[impl AsRef<str>],
        mut take: impl FnMut(Vec<AccountRecord>) -> Result<(), String>,
    ) -> Result<Self, String> {
        let runtime = runtime()?;
        let lock = ServerLock::take(url)?;
        let database = runtime.block_on(async {
            let mut database = Database::connect(url, Role::Server).await?;
            // What it tells is in the tables that are read next.
            let news = database.news(&[]).await.map_err(|error| error.to_string())?;
            database.forget(&news.lines).await.map_err(|error| error.to_string())?;
            database.load(domains, &mut take).await?;
            Ok::<_, String>(database)
        })?;
        if let Some(mode) = permissions_of_others(url) {
            tracing::warn!(
                store = %url,
                mode,
                "others on this machine can read the store, with keys of passwords in it: `chmod 600` the file"
            );
        }
        let (requests, queue) = unbounded_channel();
        let store = Arc::new(DatabaseStore { requests, is_up: Arc::new(AtomicBool::new(true)) });
        Ok(Self { runtime, database, lock, url: url.clone(), store, queue })
    }

    /// The store: what is sent to it is saved once the thread runs.
    #[must_use]
    pub fn store(&self) -> Arc<DatabaseStore> {
        Arc::clone(&self.store)
    }

    /// Saves `changes` here and now: what is made before there is a server.
    ///
    /// # Errors
    /// One line: the database refuses.
    pub fn save_now(&mut self, changes: &[Change]) -> Result<(), String> {
        if changes.is_empty() {
            return Ok(());
        }
        self.runtime
            .block_on(self.database.apply(&changes.iter().collect::<Vec<_>>()))
            .map_err(|error| error.to_string())
    }

    /// Starts the thread. What `xmpp-bench user` changes from now on, and has changed since [`Self::open`], goes to
    /// `on_news`.
    ///
    /// # Panics
    /// When the operating system has no thread left.
    #[must_use]
    pub fn start(self, on_news: OnNews) -> StoreThread {
        let Self { runtime, database, lock, url, store, queue } = self;
        let task = Task::new(url, (database, lock), queue, Arc::clone(&store.is_up), on_news);
        let thread = thread::Builder::new()
            .name("store".into())
            .spawn(move || runtime.block_on(task.run()))
            .expect("a server that starts has room for a thread");
        StoreThread(thread)
    }
}

impl StoreThread {
    /// Waits until everything is saved and the database is closed.
    pub fn join(self) {
        // What it had to say it has logged.
        let _ = self.0.join();
    }
}

impl Store for DatabaseStore {
    fn save(&self, changes: Vec<Change>, saved: Saved) {
        // The thread ends after the last store is dropped.
        let _ = self.requests.send(Request { changes, saved });
    }

    fn is_up(&self) -> bool {
        self.is_up.load(Ordering::Relaxed)
    }
}

/// Accounts of a database, beside whoever else uses it: for `xmpp-bench user`.
#[derive(Debug)]
pub struct Accounts {
    runtime: Runtime,
    database: Database,
}

impl Accounts {
    /// Connects and brings the tables up to date; if there are none, `may_make` them.
    ///
    /// # Errors
    /// As [`Opened::open`]; a server may run beside.
    pub fn open(url: &StoreUrl, may_make: bool) -> Result<Self, String> {
        let runtime = runtime()?;
        let role = if may_make { Role::Maker } else { Role::Tool };
        let database = runtime.block_on(Database::connect(url, role))?;
        Ok(Self { runtime, database })
    }

    /// Whether the tables were made by this.
    #[must_use]
    pub const fn are_new(&self) -> bool {
        self.database.is_new
    }

    /// Does `change`, and leaves word for a running server. `false`: an account to be added is there already, or one to be
    /// changed is not.
    ///
    /// # Errors
    /// One line: the database refuses.
    pub fn change(&mut self, change: &AccountNews, is_new: bool) -> Result<bool, String> {
        self.runtime.block_on(self.database.admin_change(change, is_new)).map_err(|error| error.to_string())
    }

    /// All bare JIDs, sorted.
    ///
    /// # Errors
    /// One line: the database refuses.
    pub fn list(&mut self) -> Result<Vec<String>, String> {
        self.runtime.block_on(self.database.account_names()).map_err(|error| error.to_string())
    }
}

fn runtime() -> Result<Runtime, String> {
    Builder::new_current_thread().enable_all().build().map_err(|error| format!("no event loop: {error}"))
}

#[cfg(test)]
mod tests;
