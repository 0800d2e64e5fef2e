//! What a client was sent and has not acknowledged, and the count of what it was sent (XEP-0198 §4).
//!
//! Nothing here knows a limit or writes to a stream.
//!
//! Stanzas are kept as the bytes that went out, one behind the other in one buffer. A shared [`Stanza`] would save a copy and
//! cost more: it takes 250 bytes itself, and holds on to the buffer that it was read into, up to 64 KiB for each of a
//! thousand stanzas that stay for minutes. So what a limit counts here is what is really held. Messages that waited for the
//! client are in memory anyway, until it acknowledges them: those are shared, and in no limit.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::stanza::Stanza;
use crate::time::Nanos;

/// A buffer that is empty and larger than this is given back.
const KEPT_BYTES: usize = 4_096;

/// In place of a length; no stanza is that long.
const KEPT: u32 = u32::MAX;

/// Stanzas that were sent and not acknowledged, oldest first.
#[derive(Debug, Default)]
pub(super) struct Unacknowledged {
    /// They begin at `start`; what stands before is acknowledged.
    bytes: Vec<u8>,
    start: usize,
    /// Of each stanza; [`KEPT`] for one that is in `kept`.
    lens: VecDeque<u32>,
    /// When each was sent first.
    times: VecDeque<Nanos>,
    /// Those that are kept elsewhere, too.
    kept: VecDeque<Bytes>,
    /// Stanzas ever sent, modulo 2^32; those in the queue are the last of them.
    sent: u32,
}

/// What an acknowledgement says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Acknowledged {
    /// So many of the queue, which are gone from it.
    Stanzas {
        /// All.
        count: usize,
        /// Those of them that are kept elsewhere.
        kept: usize,
    },
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

    /// Whether all is acknowledged.
    pub(super) fn is_empty(&self) -> bool {
        self.lens.is_empty()
    }

    /// How many are not acknowledged.
    pub(super) fn len(&self) -> usize {
        self.lens.len()
    }

    /// How many of them are nowhere else.
    pub(super) fn own_len(&self) -> usize {
        self.lens.len() - self.kept.len()
    }

    /// How many bytes those have.
    pub(super) const fn own_bytes(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Counts and keeps the stanza that `write` appends.
    pub(super) fn push(&mut self, write: impl FnOnce(&mut Vec<u8>), now: Nanos) {
        let before = self.bytes.len();
        write(&mut self.bytes);
        let len = self.bytes.len() - before;
        self.lens.push_back(u32::try_from(len).expect("a stanza is shorter than a stream's limit"));
        self.times.push_back(now);
        self.sent = self.sent.wrapping_add(1);
    }

    /// Counts a stanza that somebody keeps as it is.
    pub(super) fn push_kept(&mut self, bytes: Bytes, now: Nanos) {
        self.kept.push_back(bytes);
        self.lens.push_back(KEPT);
        self.times.push_back(now);
        self.sent = self.sent.wrapping_add(1);
    }

    /// What the client says that it has handled, `h`, modulo 2^32: [`Self::acknowledge`] without its effect.
    pub(super) fn judge(&self, h: u32) -> Acknowledged {
        let waiting = self.lens.len();
        let oldest = self.sent.wrapping_sub(u32::try_from(waiting).expect("queues are limited"));
        let count = h.wrapping_sub(oldest) as usize;
        if count <= waiting {
            let kept = self.lens.range(..count).filter(|len| **len == KEPT).count();
            Acknowledged::Stanzas { count, kept }
        } else if oldest.wrapping_sub(h) < h.wrapping_sub(self.sent) {
            Acknowledged::Before
        } else {
            Acknowledged::TooMany
        }
    }

    /// The client has handled `h` stanzas, modulo 2^32.
    pub(super) fn acknowledge(&mut self, h: u32) -> Acknowledged {
        let acknowledged = self.judge(h);
        if let Acknowledged::Stanzas { count, kept } = acknowledged {
            let own = self.lens.drain(..count).filter(|len| *len != KEPT);
            self.start += own.map(|len| len as usize).sum::<usize>();
            self.kept.drain(..kept);
            self.times.drain(..count);
            if self.lens.is_empty() {
                self.start = 0;
                self.bytes.clear();
                if self.bytes.capacity() > KEPT_BYTES {
                    self.bytes = Vec::new();
                    self.lens = VecDeque::new();
                    self.times = VecDeque::new();
                }
                if self.kept.capacity() > 0 {
                    self.kept = VecDeque::new();
                }
            } else if self.start > self.bytes.len() / 2 {
                // Less is moved than was acknowledged since the last time.
                self.bytes.drain(..self.start);
                self.start = 0;
            }
        }
        acknowledged
    }

    /// Each of them, oldest first, and when it was sent first.
    pub(super) fn stanzas(&self) -> impl Iterator<Item = (Stanza, Nanos)> {
        let mut rest = &self.bytes[self.start..];
        let mut kept = self.kept.iter();
        let stanzas = self.lens.iter().map(move |len| match *len {
            KEPT => {
                let bytes = kept.next().expect("each has its place");
                Stanza::from_own(bytes.clone()).kept_elsewhere()
            }
            len => {
                let (stanza, behind) = rest.split_at(len as usize);
                rest = behind;
                Stanza::from_own(Bytes::copy_from_slice(stanza))
            }
        });
        stanzas.zip(self.times.iter().copied())
    }

    /// As if so many had been sent and acknowledged.
    #[cfg(test)]
    pub(super) const fn sent_before(&mut self, sent: u32) {
        self.sent = sent;
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{Acknowledged, Unacknowledged};
    use crate::time::Nanos;

    fn text(n: usize) -> String {
        format!("<message id='{n}'/>")
    }

    fn push(queue: &mut Unacknowledged, n: usize) {
        queue.push(|out| out.extend_from_slice(text(n).as_bytes()), Nanos(n as u64));
    }

    fn ids(queue: &Unacknowledged) -> Vec<String> {
        queue.stanzas().map(|(stanza, _)| stanza.id().unwrap().to_owned()).collect()
    }

    const fn own(count: usize) -> Acknowledged {
        Acknowledged::Stanzas { count, kept: 0 }
    }

    #[test]
    fn what_is_acknowledged_goes_and_what_is_not_stays_in_order() {
        // Also across 2^32 (§4).
        for before in [0, 1, u32::MAX - 2, u32::MAX] {
            let mut queue = Unacknowledged::default();
            queue.sent_before(before);
            (0..5).for_each(|n| push(&mut queue, n));
            assert_eq!(queue.acknowledge(before), own(0));
            assert_eq!(queue.acknowledge(before.wrapping_add(2)), own(2));
            assert_eq!(ids(&queue), ["2", "3", "4"]);
            assert_eq!(queue.acknowledge(before.wrapping_add(2)), own(0));
            assert_eq!(queue.acknowledge(before.wrapping_add(1)), Acknowledged::Before);
            assert_eq!(queue.acknowledge(before.wrapping_add(6)), Acknowledged::TooMany);
            assert_eq!(ids(&queue), ["2", "3", "4"], "neither changes anything");
            push(&mut queue, 5);
            assert_eq!((queue.len(), queue.own_bytes()), (4, 4 * text(2).len()));
            assert_eq!(queue.acknowledge(before.wrapping_add(5)), own(3));
            assert_eq!(ids(&queue), ["5"]);
            assert_eq!(queue.acknowledge(before.wrapping_add(6)), own(1));
            assert!(queue.is_empty());
            assert_eq!((queue.own_bytes(), queue.sent()), (0, before.wrapping_add(6)));
        }
    }

    #[test]
    fn what_is_kept_elsewhere_is_counted_and_in_no_limit() {
        let mut queue = Unacknowledged::default();
        for n in 0..6 {
            if n % 3 == 0 {
                push(&mut queue, n);
            } else {
                queue.push_kept(Bytes::from(text(n)), Nanos(n as u64));
            }
        }
        assert_eq!((queue.len(), queue.own_len(), queue.own_bytes()), (6, 2, 2 * text(0).len()));
        let kept: Vec<bool> = queue.stanzas().map(|(stanza, _)| stanza.is_kept_elsewhere()).collect();
        assert_eq!(kept, [false, true, true, false, true, true]);
        assert_eq!(queue.acknowledge(2), Acknowledged::Stanzas { count: 2, kept: 1 });
        assert_eq!(ids(&queue), ["2", "3", "4", "5"]);
        assert!(queue.stanzas().map(|(_, at)| at.0).eq(2..6));
        assert_eq!(queue.acknowledge(5), Acknowledged::Stanzas { count: 3, kept: 2 });
        assert_eq!(queue.acknowledge(6), Acknowledged::Stanzas { count: 1, kept: 1 });
        assert_eq!((queue.len(), queue.own_bytes()), (0, 0));
    }

    #[test]
    fn an_empty_queue_holds_no_large_buffer() {
        let mut queue = Unacknowledged::default();
        queue.push(|out| out.resize(100_000, b'x'), Nanos::ZERO);
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
            assert_eq!(queue.acknowledge(u32::try_from(n).unwrap() - 9), own(1));
        }
        assert_eq!(queue.len(), 10);
        assert!(queue.bytes.capacity() < 2_048, "{}", queue.bytes.capacity());
    }
}
