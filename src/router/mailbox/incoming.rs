//! What one home has read of one other's mail.
//!
//! It takes nothing from a lane by itself. Replies are always taken from theirs, or homes would wait in a circle; those
//! that came before requests that were sent before them are put aside here until these are read.

use std::collections::VecDeque;

use super::lane::Batch;

/// What one home knows of the mail that one other sends it.
#[derive(Debug)]
pub(super) struct Incoming<T> {
    /// How many request batches may be taken in this turn.
    pub(super) quota: usize,
    /// Requests that were taken so far.
    requests_read: u64,
    /// Replies that wait for requests which were sent before them.
    early: VecDeque<Batch<T>>,
    early_bytes: usize,
}

impl<T> Default for Incoming<T> {
    fn default() -> Self {
        Self { quota: 0, requests_read: 0, early: VecDeque::new(), early_bytes: 0 }
    }
}

impl<T> Incoming<T> {
    /// Whether no replies wait.
    pub(super) fn is_empty(&self) -> bool {
        self.early.is_empty()
    }

    /// Bytes of the replies that wait.
    pub(super) const fn early_bytes(&self) -> usize {
        self.early_bytes
    }

    /// The next replies that waited and need not wait any longer.
    pub(super) fn ripe(&mut self) -> Option<Batch<T>> {
        if self.early.front()?.after > self.requests_read {
            return None;
        }
        let batch = self.early.pop_front()?;
        self.early_bytes -= batch.bytes;
        Some(batch)
    }

    /// Whether these replies were sent behind requests that are not read yet.
    pub(super) const fn is_early(&self, replies: &Batch<T>) -> bool {
        replies.after > self.requests_read
    }

    pub(super) fn put_aside(&mut self, replies: Batch<T>) {
        self.early_bytes += replies.bytes;
        self.early.push_back(replies);
    }

    /// These requests are going to be read.
    pub(super) fn note_requests(&mut self, requests: &Batch<T>) {
        self.quota -= 1;
        self.requests_read += requests.letters.len() as u64;
    }
}
