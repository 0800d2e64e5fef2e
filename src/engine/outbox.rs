//! A connection's write queue: one buffer that stanzas are copied into, and an overflow for what is large or waits.
//!
//! It does not write to sockets, does not know budgets' durations, and never blocks a sender. Usually everything
//! stands in `copied`, a buffer of the reactor's pool that goes back when it is empty, so an idle connection holds
//! none. Two things go to the overflow: the tail of a stanza above [`OUTBOX_COPY_BYTES_MAX`], which is referenced,
//! and, once a slow reader has let [`OUTBOX_SOFT_BYTES`] pile up, every further stanza as an entry of its own, so
//! that presence which was superseded can be taken out again (DESIGN section 6).

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::Bytes;

use super::BufferPool;
use crate::limits::{
    OUTBOX_BURST_BYTES, OUTBOX_COPY_BYTES_MAX, OUTBOX_HARD_BYTES, OUTBOX_POOL_BUFFER_BYTES_MAX,
    OUTBOX_SOFT_BYTES,
};
use crate::stanza::{Kind, Stanza, StanzaType, To};

/// What waits to be written to one connection.
#[derive(Debug, Default)]
pub struct Outbox {
    /// The oldest bytes.
    copied: Vec<u8>,
    /// How many bytes of `copied` the kernel has taken; `written <= copied.len()`.
    written: usize,
    /// What comes behind `copied`. While it holds something everything new goes there, or order would be lost.
    overflow: VecDeque<Entry>,
    /// Bytes that wait: of `copied` behind `written`, and of the overflow.
    pending: usize,
    /// Those of them that somebody keeps.
    kept: usize,
    /// Bytes ever appended, those that were superseded later included.
    position: u64,
    /// Position up to which the kernel has taken everything that was not superseded; `taken <= position`.
    taken: u64,
    /// Whether somebody else answers for stanzas that are not written ([`super::Cx::answer_for_unwritten`]).
    answered_for: bool,
}

/// A piece of the overflow.
#[derive(Debug)]
enum Entry {
    /// Bytes copied one behind the other; the first `usize` of them are taken.
    Copied(Vec<u8>, usize),
    /// The tail of a large stanza, shared with its other recipients.
    Shared(Bytes),
    /// A stanza that somebody keeps: its bytes are in memory anyway, and in no budget here.
    Kept(Bytes),
    /// A whole stanza that waits for a slow reader, in bytes of its own.
    Stanza(Stanza, Bytes),
    /// A superseded stanza of this many bytes stood here.
    Superseded(usize),
}

impl Entry {
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Copied(bytes, taken) => &bytes[*taken..],
            Self::Shared(bytes) | Self::Kept(bytes) | Self::Stanza(_, bytes) => bytes,
            Self::Superseded(_) => &[],
        }
    }
}

/// How full an outbox is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Pressure {
    /// Nobody needs to care.
    Fine,
    /// Above the soft budget, which may last for `limits::OUTBOX_SOFT_MAX`.
    Soft,
    /// Above the hard budget, which is for readers whose sockets take no more.
    Hard,
    /// Above every budget.
    Burst,
}

impl Outbox {
    /// Bytes appended since the connection began.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// Position up to which the kernel took everything.
    pub(super) const fn taken(&self) -> u64 {
        self.taken
    }

    /// Bytes that wait.
    #[must_use]
    pub const fn pending(&self) -> usize {
        self.pending
    }

    pub(super) const fn pressure(&self) -> Pressure {
        if self.budgeted() > OUTBOX_BURST_BYTES {
            Pressure::Burst
        } else if self.budgeted() > OUTBOX_HARD_BYTES {
            Pressure::Hard
        } else if self.budgeted() > OUTBOX_SOFT_BYTES {
            Pressure::Soft
        } else {
            Pressure::Fine
        }
    }

    /// Bytes that wait and are nowhere else.
    const fn budgeted(&self) -> usize {
        self.pending - self.kept
    }

    /// Appends what `write` appends.
    pub(super) fn write(&mut self, pool: &mut BufferPool, write: impl FnOnce(&mut Vec<u8>)) {
        let buffer = self.tail_buffer(pool);
        let before = buffer.len();
        write(buffer);
        let added = buffer.len() - before;
        pool.bytes_copied += added as u64;
        self.appended(added);
    }

    /// Appends a copy of `stanza`, by copying or by reference.
    pub(super) fn send(&mut self, pool: &mut BufferPool, stanza: &Stanza, to: To<'_>) {
        let bytes = stanza.written_len(to);
        if stanza.is_kept_elsewhere() && to == To::Kept {
            self.overflow.push_back(Entry::Kept(stanza.element().bytes.clone()));
            self.kept += bytes;
        } else if self.budgeted() + bytes > OUTBOX_SOFT_BYTES && !self.answered_for {
            let mut own = Vec::with_capacity(bytes);
            stanza.write(to, &mut own);
            let own = Bytes::from(own);
            self.overflow.push_back(Entry::Stanza(Stanza::from_own(own.clone()), own));
            pool.bytes_copied += bytes as u64;
        } else if is_copied(bytes) {
            stanza.write(to, self.tail_buffer(pool));
            pool.bytes_copied += bytes as u64;
        } else {
            let tail = stanza.write_front(to, self.tail_buffer(pool));
            pool.bytes_copied += (bytes - tail.len()) as u64;
            self.overflow.push_back(Entry::Shared(tail));
        }
        self.appended(bytes);
    }

    /// From now on stanzas are neither superseded nor handed back.
    pub(super) const fn set_answered_for(&mut self) {
        self.answered_for = true;
    }

    fn appended(&mut self, bytes: usize) {
        self.pending += bytes;
        self.position += bytes as u64;
    }

    /// The buffer that the next byte belongs to.
    fn tail_buffer(&mut self, pool: &mut BufferPool) -> &mut Vec<u8> {
        if self.overflow.is_empty() {
            if self.copied.capacity() == 0 {
                self.copied = pool.take();
            }
            return &mut self.copied;
        }
        let overflow = &mut self.overflow;
        let appendable = matches!(overflow.back(), Some(Entry::Copied(bytes, _)) if bytes.len() < OUTBOX_POOL_BUFFER_BYTES_MAX);
        if !appendable {
            overflow.push_back(Entry::Copied(Vec::new(), 0));
        }
        match overflow.back_mut() {
            Some(Entry::Copied(bytes, _)) => bytes,
            _ => unreachable!("a copied entry was just made sure of"),
        }
    }

    /// The next slices to write, as many as `slices` takes. Returns how many were filled in.
    pub(super) fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let first = self.copied.get(self.written..).filter(|s| !s.is_empty());
        let rest = self.overflow.iter().map(Entry::as_slice).filter(|s| !s.is_empty());
        let mut count = 0;
        for (slot, slice) in slices.iter_mut().zip(first.into_iter().chain(rest)) {
            *slot = IoSlice::new(slice);
            count += 1;
        }
        count
    }

    /// The kernel took `bytes` of what [`Outbox::slices`] gave.
    pub(super) fn advance(&mut self, bytes: usize, pool: &mut BufferPool) {
        assert!(bytes <= self.pending, "the kernel cannot take more than it was given");
        self.pending -= bytes;
        self.taken += bytes as u64;
        let of_copied = bytes.min(self.copied.len() - self.written);
        self.written += of_copied;
        if self.written == self.copied.len() {
            pool.give(std::mem::take(&mut self.copied));
            self.written = 0;
            self.advance_overflow(bytes - of_copied);
        }
    }

    fn advance_overflow(&mut self, mut bytes: usize) {
        while let Some(front) = self.overflow.front_mut() {
            let have = front.as_slice().len();
            if let Entry::Superseded(skipped) = front {
                self.taken += *skipped as u64;
            } else if bytes < have {
                match front {
                    Entry::Copied(_, taken) => *taken += bytes,
                    Entry::Kept(rest) => {
                        self.kept -= bytes;
                        *rest = rest.slice(bytes..);
                    }
                    // A stanza of which a part is on the wire can no longer be superseded or handed back.
                    Entry::Shared(rest) | Entry::Stanza(_, rest) => {
                        let rest = rest.slice(bytes..);
                        *front = Entry::Shared(rest);
                    }
                    Entry::Superseded(_) => {}
                }
                return;
            }
            if matches!(front, Entry::Kept(_)) {
                self.kept -= have;
            }
            bytes -= have;
            self.overflow.pop_front();
        }
        self.overflow = VecDeque::new();
    }

    /// Takes out presence behind which a newer one of the same full JID waits (RFC 6121 §4.4: only the last one
    /// counts). Returns how many were taken out.
    pub(super) fn supersede(&mut self) -> u64 {
        let mut newest = std::collections::HashSet::with_hasher(foldhash::fast::FixedState::default());
        let mut dropped = 0;
        for entry in self.overflow.iter_mut().rev() {
            let Entry::Stanza(stanza, bytes) = entry else { continue };
            let is_state = stanza.kind() == Kind::Presence
                && matches!(stanza.head().stanza_type, StanzaType::None | StanzaType::Unavailable);
            let Some(from) = stanza.from().filter(|_| is_state) else { continue };
            if !newest.insert(from.to_owned()) {
                let len = bytes.len();
                self.pending -= len;
                *entry = Entry::Superseded(len);
                dropped += 1;
            }
        }
        dropped
    }

    /// Takes out the stanzas of which no byte has been written, oldest first: the connection is gone. Those that somebody
    /// keeps are not among them.
    pub(super) fn take_unwritten(&mut self) -> Vec<Stanza> {
        let mut unwritten = Vec::new();
        for entry in &mut self.overflow {
            let len = entry.as_slice().len();
            if matches!(entry, Entry::Stanza(..))
                && let Entry::Stanza(stanza, _) = std::mem::replace(entry, Entry::Superseded(len))
            {
                self.pending -= len;
                unwritten.push(stanza);
            }
        }
        unwritten
    }

    /// Forgets everything and gives its buffer back: nothing can be written any more.
    pub(super) fn clear(&mut self, pool: &mut BufferPool) {
        pool.give(std::mem::take(&mut self.copied));
        self.written = 0;
        self.pending = 0;
        self.kept = 0;
        self.overflow = VecDeque::new();
    }
}

/// Whether a stanza of that size is copied or its tail referenced: the one place that decides.
const fn is_copied(stanza_bytes: usize) -> bool {
    stanza_bytes <= OUTBOX_COPY_BYTES_MAX
}
