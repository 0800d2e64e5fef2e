//! Every reason for which a connection may want to be woken, in one table.
//!
//! It does not read the clock. Deadlines that move later cost nothing: the heap keeps the old entry, which is
//! looked up in the connection's own table when it comes due.

use crate::time::Nanos;

/// Why a connection wakes up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Timer {
    /// Negotiation must be over (`limits::NEGOTIATION_MAX`).
    Negotiation,
    /// The peer was silent (`limits::IDLE_MAX`); for a synthetic client: its own use.
    Idle,
    /// The answer to a ping is due (`limits::PING_ANSWER_MAX`).
    PingAnswer,
    /// An acknowledgement is to be asked for, or was due (XEP-0198).
    Acknowledgement,
    /// The peer's close tag is due (RFC 6120 §4.4).
    CloseTag,
    /// The engine's own: the outbox was above its soft budget for too long.
    Outbox,
    /// The engine's own: a closing connection must have written everything.
    Flush,
    /// The engine's own: a closed connection was drained long enough.
    Drain,
}

impl Timer {
    /// How many there are.
    pub const COUNT: usize = 8;
    /// All of them.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Negotiation,
        Self::Idle,
        Self::PingAnswer,
        Self::Acknowledgement,
        Self::CloseTag,
        Self::Outbox,
        Self::Flush,
        Self::Drain,
    ];
}

/// One connection's deadlines.
#[derive(Debug, Clone)]
pub struct Timers {
    at: [Nanos; Timer::COUNT],
}

impl Default for Timers {
    fn default() -> Self {
        Self { at: [Nanos::MAX; Timer::COUNT] }
    }
}

impl Timers {
    /// Sets or moves a deadline.
    pub fn set(&mut self, timer: Timer, at: Nanos) {
        self.at[timer as usize] = at;
    }
    /// Forgets a deadline.
    pub fn clear(&mut self, timer: Timer) {
        self.at[timer as usize] = Nanos::MAX;
    }
    /// When `timer` is due, [`Nanos::MAX`] when it is not set.
    #[must_use]
    pub fn get(&self, timer: Timer) -> Nanos {
        self.at[timer as usize]
    }
    /// The earliest deadline, [`Nanos::MAX`] when none is set.
    #[must_use]
    pub fn next(&self) -> Nanos {
        self.at.iter().copied().min().unwrap_or(Nanos::MAX)
    }
    /// A timer that is due at `now`, cleared.
    pub fn take_due(&mut self, now: Nanos) -> Option<Timer> {
        let timer = Timer::ALL.into_iter().find(|t| self.at[*t as usize] <= now)?;
        self.clear(timer);
        Some(timer)
    }
}
