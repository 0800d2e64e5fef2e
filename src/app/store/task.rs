//! The thread behind a database's store: batches, retries, news.
//!
//! A batch is what has come since the last one. It is tried until it works; nothing overtakes it. A change that the database
//! refuses for what it is is left out: no user's stanza may keep everybody else's changes from being saved.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::admin::News;
use super::database::{Database, Role, ServerLock};
use super::write::is_refusal;
use super::{OnNews, StoreUrl};
use crate::store::{Change, Saved};

/// How often it is asked what `xmpp-bench user` has changed; also how soon it is noticed that the database is gone.
const POLL: Duration = Duration::from_millis(500);
/// Pauses between attempts: doubled up to the second.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(5);
/// A database that says nothing for so long is gone.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// Changes to be saved, and who wants to know.
pub(super) struct Request {
    pub(super) changes: Vec<Change>,
    pub(super) saved: Saved,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("changes", &self.changes.len()).finish_non_exhaustive()
    }
}

/// The thread's work.
pub(super) struct Task {
    url: StoreUrl,
    /// `None` between a failure and the next attempt.
    database: Option<Database>,
    _lock: ServerLock,
    queue: UnboundedReceiver<Request>,
    is_up: Arc<AtomicBool>,
    on_news: OnNews,
    /// When it is asked next what has changed.
    next_poll: Instant,
    pause: Duration,
    /// Lines of news that were told, and may still be in the database.
    told: Vec<i64>,
    /// Why the last attempt to reach the database failed.
    trouble: String,
    /// Changes that the database would not have.
    refused: u64,
}

impl Task {
    pub(super) fn new(
        url: StoreUrl,
        (database, lock): (Database, ServerLock),
        queue: UnboundedReceiver<Request>,
        is_up: Arc<AtomicBool>,
        on_news: OnNews,
    ) -> Self {
        let (database, pause, next_poll) = (Some(database), RETRY_FIRST, Instant::now());
        Self {
            url,
            database,
            _lock: lock,
            queue,
            is_up,
            on_news,
            next_poll,
            pause,
            told: Vec::new(),
            refused: 0,
            trouble: String::new(),
        }
    }

    /// Works until nobody has the store any more.
    pub(super) async fn run(mut self) {
        loop {
            if Instant::now() >= self.next_poll {
                self.poll().await;
                self.next_poll = Instant::now() + POLL;
            }
            match timeout_at(self.next_poll, self.queue.recv()).await {
                Ok(Some(first)) => self.save(first).await,
                Ok(None) => break,
                Err(_) => {}
            }
        }
        if let Some(database) = self.database.take() {
            database.close().await;
        }
    }

    /// Saves this and all that has come with it; returns when it is safe.
    async fn save(&mut self, first: Request) {
        let mut batch = vec![first];
        batch.extend(std::iter::from_fn(|| self.queue.try_recv().ok()));
        let changes: Vec<&Change> = batch.iter().flat_map(|request| &request.changes).collect();
        loop {
            let attempt = match &mut self.database {
                Some(database) => in_time(save(database, &self.told, &changes)).await,
                None => Err("no connection".to_owned()),
            };
            match attempt {
                Ok(refused) => {
                    self.told.clear();
                    self.note_refused(&refused);
                    break;
                }
                Err(why) => self.recover(&why).await,
            }
        }
        self.note_up();
        for request in batch {
            (request.saved)();
        }
    }

    /// Reads what `xmpp-bench user` has changed. That it can be read also says that the database is there.
    async fn poll(&mut self) {
        let attempt = match &mut self.database {
            Some(database) => in_time(database.news(&self.told)).await,
            None => Err("no connection".to_owned()),
        };
        let attempt = match attempt {
            Ok(News { accounts, lines }) => {
                if !accounts.is_empty() {
                    tracing::info!(accounts = accounts.len(), "accounts were changed from outside");
                    (self.on_news)(accounts);
                }
                self.told = lines;
                self.forget().await
            }
            Err(why) => Err(why),
        };
        match attempt {
            Ok(()) => self.note_up(),
            Err(why) => self.recover(&why).await,
        }
    }

    /// News are told first and forgotten then: what a connection takes with it as it breaks is told all the same, once.
    async fn forget(&mut self) -> Result<(), String> {
        if let Some(database) = &mut self.database {
            in_time(database.forget(&self.told)).await?;
            self.told.clear();
        }
        Ok(())
    }

    /// Gives the connection up, waits, and makes another one. One line in the log for the whole time, and one for each other
    /// reason.
    async fn recover(&mut self, why: &str) {
        self.database = None;
        if self.is_up.swap(false, Ordering::Relaxed) {
            why.clone_into(&mut self.trouble);
            tracing::warn!(
                store = %self.url,
                why,
                "the store cannot be reached: nobody new can log in and changes wait; bring the database back, \
                 this goes on by itself"
            );
        }
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(RETRY_MAX);
        match Database::connect(&self.url, Role::Server).await {
            Ok(database) => self.database = Some(database),
            // What an operator has to know may come last: another router has it.
            Err(why) if why != self.trouble => {
                tracing::warn!(store = %self.url, why, "the store still cannot be reached");
                self.trouble = why;
            }
            Err(why) => tracing::debug!(why, "the store still cannot be reached"),
        }
    }

    /// Memory and the store differ from here on, which only the operator can mend.
    fn note_refused(&mut self, refused: &[(&Change, sqlx::Error)]) {
        for (change, error) in refused {
            self.refused += 1;
            tracing::error!(
                account = %change.account(),
                change = change.kind(),
                why = %error,
                refused = self.refused,
                "the store refuses a change, which ends with this process"
            );
        }
    }

    fn note_up(&mut self) {
        self.pause = RETRY_FIRST;
        self.trouble.clear();
        if !self.is_up.swap(true, Ordering::Relaxed) {
            tracing::info!(store = %self.url, "the store is there again");
        }
    }
}

/// Saves all changes; what the database refuses for what it is must not keep the others from being safe. News that were
/// `told` are known: they must not make what was saved later look old.
async fn save<'c>(
    database: &mut Database,
    told: &[i64],
    changes: &[&'c Change],
) -> Result<Vec<(&'c Change, sqlx::Error)>, sqlx::Error> {
    if !told.is_empty() {
        database.begin_alone().await?;
        database.forget(told).await?;
    }
    match database.apply(changes).await {
        Ok(()) => Ok(Vec::new()),
        Err(error) if is_refusal(&error) => database.apply_what_can_be(changes).await,
        Err(error) => Err(error),
    }
}

/// What comes of it, unless it takes too long.
async fn in_time<T>(work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, String> {
    match timeout(ANSWER_MAX, work).await {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {ANSWER_MAX:?}")),
    }
}
