//! What a client was sent and has not acknowledged, and the count of what it was sent (XEP-0198 §4).
//!
//! Nothing here knows a limit or writes to a stream.
//!
//! Stanzas are kept as the bytes that went out, one behind the other in one buffer. A shared [`Stanza`] would save a copy and
//! cost more: it takes 250 bytes itself, and holds on to the buffer that it was read into, up to 64 KiB for each of a
//! thousand stanzas that stay for minutes. So what a limit counts here is what is really held.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::stanza::Stanza;

/// A buffer that is empty and larger than this is given back.
const KEPT_BYTES: usize = 4_096;

/// Stanzas that were sent and not acknowledged, oldest first.
#[derive(Debug, Default)]
pub(super) struct Unacknowledged {
    /// They begin at `start`; what stands before is acknowledged.
    bytes: Vec<u8>,
    start: usize,
    lens: VecDeque<u32>,
    /// Stanzas ever sent, modulo 2^32; those in the queue are the last of them.
    sent: u32,
}

/// What an acknowledgement says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Acknowledged {
    /// So many of the queue, which are gone from it.
    Stanzas(usize),
    /// Less than an earlier one.
    Before,
    /// More than was sent.
    TooMany,
}

impl Unacknowledged {
    /// Stanzas ever sent, modulo 2^32.
    pub(super) const fn sent(&self) -> u32 {
        self.sent
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.lens.len()
    }

    /// How many bytes they have.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Counts and keeps the stanza that `write` appends.
    pub(super) fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let before = self.bytes.len();
        write(&mut self.bytes);
        let len = self.bytes.len() - before;
        self.lens.push_back(u32::try_from(len).expect("a stanza is shorter than a stream's limit"));
        self.sent = self.sent.wrapping_add(1);
    }

    /// What the client says that it has handled, `h`, modulo 2^32: [`Self::acknowledge`] without its effect.
    pub(super) fn judge(&self, h: u32) -> Acknowledged {
        let waiting = self.lens.len();
        let oldest = self.sent.wrapping_sub(u32::try_from(waiting).expect("queues are limited"));
        let count = h.wrapping_sub(oldest) as usize;
        if count <= waiting {
            Acknowledged::Stanzas(count)
        } else if oldest.wrapping_sub(h) < h.wrapping_sub(self.sent) {
            Acknowledged::Before
        } else {
            Acknowledged::TooMany
        }
    }

    /// The client has handled `h` stanzas, modulo 2^32.
    pub(super) fn acknowledge(&mut self, h: u32) -> Acknowledged {
        let acknowledged = self.judge(h);
        if let Acknowledged::Stanzas(count) = acknowledged {
            self.start += self.lens.drain(..count).map(|len| len as usize).sum::<usize>();
            if self.lens.is_empty() {
                self.start = 0;
                self.bytes.clear();
                if self.bytes.capacity() > KEPT_BYTES {
                    self.bytes = Vec::new();
                    self.lens = VecDeque::new();
                }
            } else if self.start > self.bytes.len() / 2 {
                // Less is moved than was acknowledged since the last time.
                self.bytes.drain(..self.start);
                self.start = 0;
            }
        }
        acknowledged
    }

    /// All of them as they went out, one behind the other.
    pub(super) fn as_slice(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// Each of them, oldest first.
    pub(super) fn stanzas(&self) -> impl Iterator<Item = Stanza> {
        let mut rest = self.as_slice();
        self.lens.iter().map(move |len| {
            let (stanza, behind) = rest.split_at(*len as usize);
            rest = behind;
            Stanza::from_own(Bytes::copy_from_slice(stanza))
        })
    }

    /// As if so many had been sent and acknowledged.
    #[cfg(test)]
    pub(super) const fn sent_before(&mut self, sent: u32) {
        self.sent = sent;
    }
}

#[cfg(test)]
mod tests {
    use super::{Acknowledged, Unacknowledged};

    fn push(queue: &mut Unacknowledged, n: usize) {
        queue.push(|out| out.extend_from_slice(format!("<message id='{n}'/>").as_bytes()));
    }

    fn ids(queue: &Unacknowledged) -> Vec<String> {
        queue.stanzas().map(|stanza| stanza.id().unwrap().to_owned()).collect()
    }

    #[test]
    fn what_is_acknowledged_goes_and_what_is_not_stays_in_order() {
        // Also across 2^32 (§4).
        for before in [0, 1, u32::MAX - 2, u32::MAX] {
            let mut queue = Unacknowledged::default();
            queue.sent_before(before);
            (0..5).for_each(|n| push(&mut queue, n));
            assert_eq!(queue.acknowledge(before), Acknowledged::Stanzas(0));
            assert_eq!(queue.acknowledge(before.wrapping_add(2)), Acknowledged::Stanzas(2));
            assert_eq!(ids(&queue), ["2", "3", "4"]);
            assert_eq!(queue.acknowledge(before.wrapping_add(2)), Acknowledged::Stanzas(0));
            assert_eq!(queue.acknowledge(before.wrapping_add(1)), Acknowledged::Before);
            assert_eq!(queue.acknowledge(before.wrapping_add(6)), Acknowledged::TooMany);
            assert_eq!(ids(&queue), ["2", "3", "4"], "neither changes anything");
            push(&mut queue, 5);
            assert_eq!((queue.len(), queue.bytes()), (4, 4 * "<message id='2'/>".len()));
            assert_eq!(queue.acknowledge(before.wrapping_add(5)), Acknowledged::Stanzas(3));
            assert_eq!(queue.as_slice(), b"<message id='5'/>");
            assert_eq!(queue.acknowledge(before.wrapping_add(6)), Acknowledged::Stanzas(1));
            assert_eq!((queue.len(), queue.bytes(), queue.sent()), (0, 0, before.wrapping_add(6)));
        }
    }

    #[test]
    fn an_empty_queue_holds_no_large_buffer() {
        let mut queue = Unacknowledged::default();
        queue.push(|out| out.resize(100_000, b'x'));
        queue.acknowledge(1);
        assert_eq!(queue.bytes.capacity(), 0);
        push(&mut queue, 1);
        queue.acknowledge(2);
        assert!(queue.bytes.capacity() > 0, "a small one is used again");
    }

    #[test]
    fn a_queue_that_is_never_empty_does_not_grow() {
        let mut queue = Unacknowledged::default();
        (0..10).for_each(|n| push(&mut queue, n));
        for n in 10..10_000_usize {
            push(&mut queue, n);
            assert_eq!(queue.acknowledge(u32::try_from(n).unwrap() - 9), Acknowledged::Stanzas(1));
        }
        assert_eq!(queue.len(), 10);
        assert!(queue.bytes.capacity() < 2_048, "{}", queue.bytes.capacity());
    }
}
