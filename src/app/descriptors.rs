//! How many sockets this process may hold, and whether a scenario fits.
//!
//! Nothing here raises a hard limit: that is the administrator's decision. The soft limit costs nothing to raise, and
//! is (DESIGN section 2 promises scenarios that run without flags).

use std::fs;
use std::ops::RangeInclusive;

use rlimit::Resource;

use super::exit::Failure;

/// Descriptors beside the connections: standard streams, pipes, epoll, timers, result files; generous.
const SPARE: u64 = 64;

/// Soft limit and hard limit of open files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct OpenFiles {
    /// In force.
    pub soft: u64,
    /// What the soft one may be raised to.
    pub hard: u64,
}

/// Raises the soft limit to the hard one and returns both. A refusal is not an error: [`preflight`] judges what is left.
#[must_use]
pub fn raise() -> OpenFiles {
    let (soft, hard) = Resource::NOFILE.get().unwrap_or((0, 0));
    if soft < hard && Resource::NOFILE.set(hard, hard).is_ok() {
        return OpenFiles { soft: hard, hard };
    }
    OpenFiles { soft, hard }
}

/// Checks that one process can hold `connections`.
///
/// # Errors
/// Exit code 2, with the number that would fit and how to raise the limit.
pub fn preflight(connections: u64, limit: OpenFiles) -> Result<(), Failure> {
    if connections.saturating_add(SPARE) <= limit.soft {
        return Ok(());
    }
    let fits = limit.soft.saturating_sub(SPARE);
    Err(Failure::usage(format!(
        "{connections} connections need {} open files, and this process may have {} (hard limit {})",
        connections.saturating_add(SPARE),
        limit.soft,
        limit.hard
    ))
    .help(format!("raise the hard limit (`ulimit -Hn`, limits.conf, LimitNOFILE=), or run with `--set users.count={fits}`")))
}

/// The kernel's range of local ports; Linux's default where it cannot be read.
#[must_use]
pub fn local_ports() -> RangeInclusive<u16> {
    fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|text| {
            let mut words = text.split_whitespace().map(str::parse::<u16>);
            Some(words.next()?.ok()?..=words.next()?.ok()?)
        })
        .unwrap_or(32_768..=60_999)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_said_before_the_run() {
        let limit = OpenFiles { soft: 1024, hard: 1024 };
        assert!(preflight(960, limit).is_ok());
        let failure = preflight(961, limit).unwrap_err();
        assert!(failure.errors[0].what.contains("961 connections need 1025 open files"));
        assert!(failure.errors[0].help.as_deref().unwrap().contains("users.count=960"));
    }

    #[test]
    fn the_soft_limit_reaches_the_hard_one() {
        let limit = raise();
        assert_eq!(limit.soft, limit.hard);
        assert!(!local_ports().is_empty());
    }
}
