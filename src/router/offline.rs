//! Messages that wait for one account (RFC 6121 §8.5.2.2.1, XEP-0160).
//!
//! What may wait is the server's to decide, and so is saving it. A message that was given to a resource stays until that
//! one has taken it.

use std::collections::VecDeque;

use bytes::Bytes;

use super::SessionId;
use crate::limits::{OFFLINE_BYTES_PER_ACCOUNT_MAX, OFFLINE_MESSAGES_PER_ACCOUNT_MAX};

/// Messages that wait for one account.
#[derive(Debug, Default)]
pub struct Offline {
    /// Number and stanza, oldest first.
    messages: VecDeque<(u64, Bytes)>,
    bytes: usize,
    /// The newest one's number so far.
    newest: u64,
    /// Who is being given messages, and the number of the last one that it was given.
    flushing: Option<(SessionId, u64)>,
}

impl Offline {
    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Bytes of all.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether one more of this size may wait.
    #[must_use]
    pub fn has_room(&self, stanza_bytes: usize) -> bool {
        self.messages.len() < OFFLINE_MESSAGES_PER_ACCOUNT_MAX
            && self.bytes + stanza_bytes <= OFFLINE_BYTES_PER_ACCOUNT_MAX
    }

    /// Keeps a message. Returns its number.
    pub fn push(&mut self, stanza: Bytes) -> u64 {
        let number = self.newest + 1;
        self.restore(number, stanza);
        number
    }

    /// Keeps a message that had its number before: from a store, oldest first.
    pub fn restore(&mut self, number: u64, stanza: Bytes) {
        self.newest = self.newest.max(number);
        self.bytes += stanza.len();
        self.messages.push_back((number, stanza));
    }

    /// Who is being given messages.
    #[must_use]
    pub fn flushing(&self) -> Option<SessionId> {
        self.flushing.map(|(session, _)| session)
    }

    /// All messages, for `session`. Nobody is given any until it has [taken](Self::taken) them or [ended](Self::stop).
    pub fn give(&mut self, session: SessionId) -> Vec<Bytes> {
        self.flushing = self.messages.back().map(|(number, _)| (session, *number));
        self.messages.iter().map(|(_, stanza)| stanza.clone()).collect()
    }

    /// `session` has so many more of what it was given: those messages go. Returns the last one's number; `None`: it was
    /// given none.
    pub fn taken(&mut self, session: SessionId, count: usize) -> Option<u64> {
        let (_, given) = self.flushing.filter(|(flushing, _)| *flushing == session)?;
        let mut through = None;
        for _ in 0..count {
            let Some((number, stanza)) = self.messages.front().filter(|(number, _)| *number <= given) else {
                break;
            };
            self.bytes -= stanza.len();
            through = Some(*number);
            self.messages.pop_front();
        }
        if self.messages.front().is_none_or(|(number, _)| *number > given) {
            self.flushing = None;
        }
        through
    }

    /// `session` gets no more. What it was given and has not taken stays.
    pub fn stop(&mut self, session: SessionId) {
        self.flushing.take_if(|(flushing, _)| *flushing == session);
    }
}
