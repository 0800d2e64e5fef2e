//! Deadlines finer than the millisecond that epoll's own timeout can express.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use mio::unix::SourceFd;
use mio::{Interest, Registry};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};

use super::token;
use crate::time::Nanos;

/// A kernel timer on the reactor's clock.
#[derive(Debug)]
pub(super) struct TimerFd {
    fd: OwnedFd,
    /// When it will fire; [`Nanos::MAX`] when it is not set.
    armed: Nanos,
}

impl TimerFd {
    pub(super) fn new(registry: &Registry) -> io::Result<Self> {
        let fd = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        registry.register(&mut SourceFd(&fd.as_raw_fd()), token::TIMER, Interest::READABLE)?;
        Ok(Self { fd, armed: Nanos::MAX })
    }

    /// Makes sure that it fires at `deadline` or before. An earlier setting is left alone: waking once too often is
    /// cheaper than a system call each time a deadline moves back.
    pub(super) fn arm(&mut self, deadline: Option<Nanos>, now: Nanos) -> io::Result<()> {
        let Some(deadline) = deadline else { return Ok(()) };
        let set_in_future = self.armed != Nanos::MAX && self.armed > now;
        if set_in_future && self.armed <= deadline {
            return Ok(());
        }
        // Zero would disarm it; a deadline that has passed fires at once as well.
        let at = deadline.0.max(1);
        let value = Timespec {
            tv_sec: i64::try_from(at / 1_000_000_000).unwrap_or(i64::MAX),
            tv_nsec: i64::try_from(at % 1_000_000_000).expect("below one second"),
        };
        let spec = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
        timerfd_settime(&self.fd, TimerfdTimerFlags::ABSTIME, &spec)?;
        self.armed = deadline;
        Ok(())
    }

    /// It fired. The count of expirations is left unread: the next setting clears it, and an edge-triggered event
    /// comes only once.
    pub(super) const fn fired(&mut self) {
        self.armed = Nanos::MAX;
    }
}
