//! What the peer saw and did, in order. It draws no conclusions.

use super::script::Action;

/// An operation that was read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Op {
    pub(crate) action: Action,
    /// Who sent it.
    pub(crate) user: u32,
    /// Its number in the run, from its id.
    pub(crate) seq: u64,
    /// Whom a message is for; the sender for everything else.
    pub(crate) to: u32,
    /// `CLOCK_MONOTONIC` when it was read.
    pub(crate) at: u64,
}

/// In which form an operation's stanza was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Form {
    Plain,
    /// With `<delay/>`.
    Delayed,
    /// As an error.
    Error,
}

/// A stanza that was written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Delivery {
    /// Which operation's: its place in [`Log::ops`].
    pub(crate) op: usize,
    /// Who got it.
    pub(crate) by: u32,
    pub(crate) form: Form,
    /// Nanoseconds that the script had it wait; what waits for the drain's end says so.
    pub(crate) delay: Delay,
    /// `CLOCK_MONOTONIC` when it was written.
    pub(crate) at: u64,
}

/// How long a delivery waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Delay {
    /// So many nanoseconds from the reading of its operation.
    Nanos(u64),
    /// Until the drain is over.
    Drain,
}

/// Everything, each list in the order of its happening.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log {
    pub(crate) ops: Vec<Op>,
    pub(crate) deliveries: Vec<Delivery>,
    /// When the peer stopped reading and writing, and when it went on.
    pub(crate) stalled: Option<(u64, u64)>,
    /// When the harness was stopped, and when it was told to go on.
    pub(crate) paused: Option<(u64, u64)>,
    /// Who was sent away, once it was told.
    pub(crate) departed: Option<u32>,
    /// What went wrong with the peer itself; nothing may.
    pub(crate) faults: Vec<String>,
}
