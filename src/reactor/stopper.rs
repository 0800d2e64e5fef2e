//! Ends a running reactor from another thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mio::Waker;

/// A handle that ends a reactor: its world is told (`World::on_stop`) and decides what is still to be done.
#[derive(Debug, Clone)]
pub struct Stopper {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    asked: AtomicBool,
    waker: Waker,
}

impl Stopper {
    pub(super) fn new(waker: Waker) -> Self {
        Self { shared: Arc::new(Shared { asked: AtomicBool::new(false), waker }) }
    }

    /// Asks for the end. Asking again changes nothing.
    pub fn stop(&self) {
        self.shared.asked.store(true, Ordering::Release);
        if let Err(error) = self.shared.waker.wake() {
            tracing::error!("the reactor could not be woken, it stops with its next event: {error}");
        }
    }

    /// Whether the end was asked for since the last call.
    pub(super) fn take(&self) -> bool {
        self.shared.asked.swap(false, Ordering::AcqRel)
    }
}
