//! Threads for what a reactor must not do itself: see [`crate::engine::Job`].
//!
//! They know no connection: a job comes with the means to answer. There is at most one job for each connection, so their
//! queue needs no bound of its own. The threads are started with the first job, and end with the last handle.

use std::fmt;
use std::num::NonZero;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;

use crate::limits::WORKERS_MAX;

type Errand = Box<dyn FnOnce() + Send>;

/// A handle on the threads; all handles share them.
#[derive(Clone, Default)]
pub(super) struct Workers {
    queue: Arc<OnceLock<Sender<Errand>>>,
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workers").field("started", &self.queue.get().is_some()).finish()
    }
}

impl Workers {
    /// Has `errand` run by the next free thread.
    pub(super) fn submit(&self, errand: Errand) {
        let queue = self.queue.get_or_init(start);
        // The threads outlive the sender, which is here.
        assert!(queue.send(errand).is_ok(), "workers wait as long as there is a handle");
    }
}

fn start() -> Sender<Errand> {
    let (queue, errands) = channel();
    let errands = Arc::new(Mutex::new(errands));
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    for number in 0..cores.min(WORKERS_MAX) {
        let errands = Arc::clone(&errands);
        let started = thread::Builder::new().name(format!("worker-{number}")).spawn(move || work(&errands));
        if let Err(error) = started {
            assert!(number > 0, "the system gives no thread for work that would block: {error}");
        }
    }
    queue
}

fn work(errands: &Mutex<Receiver<Errand>>) {
    loop {
        let next = errands.lock().expect("no worker panics while it waits").recv();
        match next {
            Ok(errand) => errand(),
            Err(_) => return,
        }
    }
}
