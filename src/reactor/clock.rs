//! The real monotonic clock, on which timers of the kernel agree with us.

use rustix::time::{ClockId, Timespec, clock_gettime};

use crate::time::Nanos;

/// `CLOCK_MONOTONIC`, in nanoseconds since the machine's boot: the same in all processes of one machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct Clock;

impl Clock {
    /// Now.
    #[must_use]
    pub fn now(self) -> Nanos {
        nanos(clock_gettime(ClockId::Monotonic))
    }

    /// CPU time that the calling thread has used, user and system.
    #[must_use]
    pub fn thread_cpu() -> Nanos {
        nanos(clock_gettime(ClockId::ThreadCPUTime))
    }
}

fn nanos(time: Timespec) -> Nanos {
    let secs = u64::try_from(time.tv_sec).expect("a monotonic clock is never negative");
    let nsec = u64::try_from(time.tv_nsec).expect("nanoseconds are 0 to 999,999,999");
    Nanos(secs * 1_000_000_000 + nsec)
}
