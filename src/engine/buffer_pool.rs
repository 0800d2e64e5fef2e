//! Buffers that outboxes lend while they hold something.
//!
//! It never holds more than [`OUTBOX_POOL_BUFFERS_MAX`] buffers of [`OUTBOX_POOL_BUFFER_BYTES_MAX`] each: an
//! uncapped pool keeps the memory of its worst moment for ever.

use crate::limits::{OUTBOX_POOL_BUFFER_BYTES_MAX, OUTBOX_POOL_BUFFERS_MAX};

/// Empty buffers ready for use.
#[derive(Debug, Default)]
pub struct BufferPool {
    free: Vec<Vec<u8>>,
    /// Bytes that were copied in user space on their way to a socket; `Hub::bytes_copied` reports them.
    pub(super) bytes_copied: u64,
}

impl BufferPool {
    /// An empty buffer, used before if there is one.
    #[must_use]
    pub fn take(&mut self) -> Vec<u8> {
        self.free.pop().unwrap_or_default()
    }

    /// Takes a buffer back; one that grew too large, or is one too many, is freed.
    pub fn give(&mut self, mut buffer: Vec<u8>) {
        let kept = (1..=OUTBOX_POOL_BUFFER_BYTES_MAX).contains(&buffer.capacity());
        if kept && self.free.len() < OUTBOX_POOL_BUFFERS_MAX {
            buffer.clear();
            self.free.push(buffer);
        }
    }
}
