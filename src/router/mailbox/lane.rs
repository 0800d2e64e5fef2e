//! One lane: batches from one home to one other, in order, bounded in bytes.
//!
//! It wakes nobody. A batch is a `Vec` that comes back empty to who filled it, so a lane that has warmed up allocates
//! nothing.

use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam_queue::ArrayQueue;

use crate::limits::MAILBOX_BATCHES_MAX;

/// Letters that were pushed in one go, and what they weigh.
#[derive(Debug)]
pub(super) struct Batch<T> {
    pub(super) letters: Vec<T>,
    pub(super) bytes: usize,
    /// Replies: how many requests were sent before them. Requests: how many were when the last reply before them was sent.
    pub(super) after: u64,
}

/// From one home to one other. One side pushes, one pops.
#[derive(Debug)]
pub(super) struct Lane<T> {
    batches: ArrayQueue<Batch<T>>,
    /// Emptied batches on their way back.
    returns: ArrayQueue<Vec<T>>,
    /// Weight of what was pushed and not yet given back.
    bytes: AtomicUsize,
}

impl<T> Lane<T> {
    pub(super) fn new() -> Self {
        Self {
            batches: ArrayQueue::new(MAILBOX_BATCHES_MAX),
            returns: ArrayQueue::new(MAILBOX_BATCHES_MAX),
            bytes: AtomicUsize::new(0),
        }
    }

    /// Weight of what is under way. The pusher sees at least what is there, the popper at most.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Acquire)
    }

    /// Batches that can be popped.
    pub(super) fn len(&self) -> usize {
        self.batches.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Whether another batch has a place.
    pub(super) fn has_place(&self) -> bool {
        !self.batches.is_full()
    }

    /// An empty `Vec` for the next batch.
    pub(super) fn blank(&self) -> Vec<T> {
        self.returns.pop().unwrap_or_default()
    }

    /// Pushes a batch; the caller has seen [`Self::has_place`] and is the only one who pushes.
    pub(super) fn push(&self, batch: Batch<T>) {
        self.bytes.fetch_add(batch.bytes, Ordering::AcqRel);
        assert!(self.batches.push(batch).is_ok(), "the only pusher has seen a place");
    }

    pub(super) fn pop(&self) -> Option<Batch<T>> {
        self.batches.pop()
    }

    /// The popper keeps a batch elsewhere: its weight is no longer under way.
    pub(super) fn unload(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::AcqRel);
    }

    /// The popper is done with a batch.
    pub(super) fn give_back(&self, mut letters: Vec<T>, bytes: usize) {
        letters.clear();
        self.unload(bytes);
        // Without a place it is freed.
        drop(self.returns.push(letters));
    }
}
