//! What a running reactor shows of itself: which thread it is and how long it has been busy.
//!
//! It is written once a turn and waited for by nobody. The totals of a reactor that has ended are its
//! [`ReactorReport`](super::ReactorReport).

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering::Relaxed};

/// A view of one reactor for another thread.
#[derive(Debug, Clone, Default)]
pub struct Gauge(Arc<Shown>);

#[derive(Debug, Default)]
struct Shown {
    /// 0 before the reactor runs.
    thread: AtomicI32,
    busy_ns: AtomicU64,
}

impl Gauge {
    /// The kernel's number of the reactor's thread; `None` before it runs.
    #[must_use]
    pub fn thread(&self) -> Option<i32> {
        Some(self.0.thread.load(Relaxed)).filter(|thread| *thread != 0)
    }

    /// Nanoseconds not spent waiting for events, as of the last turn.
    #[must_use]
    pub fn busy_ns(&self) -> u64 {
        self.0.busy_ns.load(Relaxed)
    }

    /// The calling thread is the reactor's.
    pub(super) fn set_thread(&self) {
        self.0.thread.store(rustix::thread::gettid().as_raw_nonzero().get(), Relaxed);
    }

    pub(super) fn set_busy_ns(&self, busy_ns: u64) {
        self.0.busy_ns.store(busy_ns, Relaxed);
    }
}
