//! Everything that is counted and belongs to no operation: errors, ends of connections, what came unasked.

use std::collections::BTreeMap;

use crate::engine::{CloseReason, Ended};
use crate::limits::{ERROR_EXAMPLE_CHARS_MAX, ERROR_KINDS_MAX};
use crate::metrics::{CloseCount, ErrorCount};
use crate::stream::Blame;
use crate::time::Nanos;

/// Counts of a run besides its operations.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) begin: Nanos,
    errors: Vec<ErrorCount>,
    closes: Vec<(CloseReason, u64)>,
    other: BTreeMap<&'static str, u64>,
}

impl Tally {
    /// Something went wrong: what kind, and this one in full.
    pub(super) fn error(&mut self, what: &str, example: &str, now: Nanos) {
        let full = self.errors.len() >= ERROR_KINDS_MAX;
        let what = if full && !self.errors.iter().any(|e| e.what == what) { "other errors" } else { what };
        match self.errors.iter_mut().find(|e| e.what == what) {
            Some(error) => error.count += 1,
            None => self.errors.push(ErrorCount {
                what: what.to_owned(),
                example: example.chars().take(ERROR_EXAMPLE_CHARS_MAX).collect(),
                first_at_ns: now.since(self.begin),
                count: 1,
            }),
        }
    }

    /// A connection ended.
    pub(super) fn close(&mut self, reason: &CloseReason) {
        match self.closes.iter_mut().find(|(known, _)| known == reason) {
            Some((_, count)) => *count += 1,
            None => self.closes.push((*reason, 1)),
        }
    }

    /// Something came that belongs to no operation.
    pub(super) fn other(&mut self, word: &'static str) {
        self.others(word, 1);
    }

    /// So many of them; none leave no trace.
    pub(super) fn others(&mut self, word: &'static str, count: u32) {
        if count > 0 {
            *self.other.entry(word).or_default() += u64::from(count);
        }
    }

    /// Adds what another share of the run counted.
    pub(super) fn merge(&mut self, other: Self) {
        for theirs in other.errors {
            match self.errors.iter_mut().find(|e| e.what == theirs.what) {
                Some(own) => {
                    let count = own.count + theirs.count;
                    if theirs.first_at_ns < own.first_at_ns {
                        *own = theirs;
                    }
                    own.count = count;
                }
                None => self.errors.push(theirs),
            }
        }
        self.errors.sort_by_key(|e| e.first_at_ns);
        for (reason, count) in other.closes {
            match self.closes.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, own)) => *own += count,
                None => self.closes.push((reason, count)),
            }
        }
        for (word, count) in other.other {
            *self.other.entry(word).or_default() += count;
        }
    }

    pub(super) fn first_error(&self) -> Option<String> {
        self.errors.first().map(|e| format!("{}: {}", e.what, e.example))
    }

    pub(super) fn into_parts(self) -> (Vec<CloseCount>, Vec<ErrorCount>, BTreeMap<String, u64>) {
        let close = |(reason, count): (CloseReason, u64)| CloseCount {
            reason: ended_text(&reason.ended),
            blame: blame_text(reason.blame).to_owned(),
            count,
        };
        let other = self.other.into_iter().map(|(word, count)| (word.to_owned(), count));
        (self.closes.into_iter().map(close).collect(), self.errors, other.collect())
    }
}

/// `stream error: conflict`
pub(super) fn ended_text(ended: &Ended) -> String {
    match ended {
        Ended::Closed => "stream closed".to_owned(),
        Ended::StreamError(condition) => format!("stream error: {}", condition.as_str()),
        Ended::LoginFailed => "login failed".to_owned(),
        Ended::Eof => "end of file without a close tag".to_owned(),
        Ended::Io(kind) => kind.to_string(),
        Ended::TimedOut => "timed out".to_owned(),
        Ended::SlowReader => "the server did not read".to_owned(),
    }
}

const fn blame_text(blame: Blame) -> &'static str {
    match blame {
        Blame::Peer => "peer",
        Blame::Us => "us",
        Blame::Network => "network",
    }
}
