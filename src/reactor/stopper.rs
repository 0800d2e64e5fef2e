//! Wakes a running reactor from another thread, and ends it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mio::Waker;

use crate::router::mailbox::Wake;

/// A handle that ends one reactor or several: their worlds are told (`World::on_stop`) and decide what is still to be
/// done.
#[derive(Debug, Clone)]
pub struct Stopper {
    handles: Arc<[Arc<Handle>]>,
}

/// What other threads hold of one reactor.
#[derive(Debug)]
pub(super) struct Handle {
    asked: AtomicBool,
    waker: Waker,
}

impl Handle {
    pub(super) const fn new(waker: Waker) -> Self {
        Self { asked: AtomicBool::new(false), waker }
    }

    /// Whether the end was asked for since the last call.
    pub(super) fn take_stop(&self) -> bool {
        // Every turn looks; hardly one finds anything, and a load is cheaper than a swap.
        self.asked.load(Ordering::Acquire) && self.asked.swap(false, Ordering::AcqRel)
    }
}

impl Wake for Handle {
    fn wake(&self) {
        if let Err(error) = self.waker.wake() {
            tracing::error!("the reactor could not be woken, it goes on with its next event: {error}");
        }
    }
}

impl Stopper {
    pub(super) fn of(handle: Arc<Handle>) -> Self {
        Self { handles: Arc::new([handle]) }
    }

    pub(super) fn of_all(stoppers: impl Iterator<Item = Self>) -> Self {
        Self { handles: stoppers.flat_map(|stopper| stopper.handles.to_vec()).collect() }
    }

    /// Asks for the end. Asking again changes nothing.
    pub fn stop(&self) {
        for handle in &*self.handles {
            handle.asked.store(true, Ordering::Release);
            handle.wake();
        }
    }
}
