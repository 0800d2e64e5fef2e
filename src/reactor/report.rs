//! What a reactor counted of itself, for the harness's health and for the operator.

use crate::engine::Counters;
use crate::router::mailbox::MailCounters;

/// Totals of one run.
#[derive(Debug, Clone, Default)]
pub struct ReactorReport {
    /// The hub's counts.
    pub counters: Counters,
    /// Mail to and from other reactors.
    pub mail: MailCounters,
    /// Turns of the loop.
    pub turns: u64,
    /// Nanoseconds not spent waiting for events.
    pub busy_ns: u64,
    /// Nanoseconds from the start of the run to its end.
    pub elapsed_ns: u64,
    /// CPU time of the reactor's thread, user and system, in nanoseconds.
    pub cpu_ns: u64,
    /// How often the process ran out of descriptors while a connection waited to be accepted.
    pub accept_starved: u64,
}
