//! What one home has for one other until there is room in its lanes.
//!
//! It wakes nobody and knows nothing of the reader. It marks letters with their place among those of the other lane, from
//! which the reader restores the order in which they were sent ([`super::incoming`]).

use std::collections::VecDeque;

use super::lane::{Batch, Lane};
use super::{Class, MailboxLimits, Pair, Weigh};

/// A letter that waits, with how many requests were sent before it (a reply), or before the last reply before it (a
/// request). Letters of one lane with the same mark have no letter of the other lane between them.
type Marked<T> = (u64, T);

/// What waits for a place in a lane.
#[derive(Debug)]
pub(super) struct Waiting<T> {
    letters: VecDeque<Marked<T>>,
    pub(super) bytes: usize,
}

impl<T> Default for Waiting<T> {
    fn default() -> Self {
        Self { letters: VecDeque::new(), bytes: 0 }
    }
}

impl<T> Waiting<T> {
    pub(super) fn is_empty(&self) -> bool {
        self.letters.is_empty()
    }
}

/// What one home has for one other.
#[derive(Debug)]
pub(super) struct Outgoing<T> {
    pub(super) requests: Waiting<T>,
    pub(super) replies: Waiting<T>,
    /// Requests that were sent so far, those that wait included.
    requests_sent: u64,
    /// As many of them were there at the last reply.
    replied_at: u64,
    /// Whether it must hear of this turn: of new batches, or of room that it waits for.
    pub(super) ring: bool,
}

impl<T> Default for Outgoing<T> {
    fn default() -> Self {
        Self {
            requests: Waiting::default(),
            replies: Waiting::default(),
            requests_sent: 0,
            replied_at: 0,
            ring: false,
        }
    }
}

impl<T: Weigh> Outgoing<T> {
    const fn waiting(&mut self, class: Class) -> &mut Waiting<T> {
        match class {
            Class::Request => &mut self.requests,
            Class::Reply => &mut self.replies,
        }
    }

    /// Puts a letter behind the others.
    pub(super) fn send(&mut self, class: Class, letter: T) {
        match class {
            Class::Request => self.requests_sent += 1,
            Class::Reply => self.replied_at = self.requests_sent,
        }
        let mark = self.replied_at;
        let waiting = self.waiting(class);
        waiting.bytes += letter.weight_bytes();
        waiting.letters.push_back((mark, letter));
    }

    /// The lane that has no room for what is next: none if nothing waits any more. Replies go first, and no request before
    /// all of them.
    pub(super) fn fill(&mut self, pair: &Pair<T>, limits: MailboxLimits) -> Option<Class> {
        [Class::Reply, Class::Request].into_iter().find(|class| !self.fill_lane(*class, pair, limits))
    }

    /// Bytes of the letter that is next in a lane.
    pub(super) fn next_bytes(&mut self, class: Class) -> usize {
        self.waiting(class).letters.front().map_or(0, |(_, letter)| letter.weight_bytes())
    }

    /// Moves letters into a lane until none waits (`true`) or there is no room.
    fn fill_lane(&mut self, class: Class, pair: &Pair<T>, limits: MailboxLimits) -> bool {
        let lane = pair.lane(class);
        while !self.waiting(class).letters.is_empty() {
            let waiting = self.waiting(class);
            let mut batch = Batch { letters: Vec::new(), bytes: 0, after: 0 };
            while let Some((mark, letter)) = waiting.letters.front() {
                let (mark, bytes) = (*mark, letter.weight_bytes());
                let is_first = batch.letters.is_empty();
                if !is_first && (mark != batch.after || batch.bytes + bytes > limits.batch_bytes_max) {
                    break;
                }
                if !has_room(lane, batch.bytes + bytes, is_first, limits) {
                    break;
                }
                if is_first {
                    batch.letters = lane.blank();
                    batch.after = mark;
                }
                batch.letters.extend(waiting.letters.pop_front().map(|(_, letter)| letter));
                batch.bytes += bytes;
            }
            if batch.letters.is_empty() {
                return false;
            }
            waiting.bytes -= batch.bytes;
            lane.push(batch);
            self.ring = true;
        }
        true
    }
}

/// Whether a lane takes so many bytes more. An empty one takes any first letter, or a large one would wait for ever.
pub(super) fn has_room<T>(lane: &Lane<T>, bytes: usize, is_first: bool, limits: MailboxLimits) -> bool {
    let under_way = lane.bytes();
    lane.has_place() && (under_way + bytes <= limits.lane_bytes_max || (under_way == 0 && is_first))
}
