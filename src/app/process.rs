//! What a process has cost so far, from `/proc`.
//!
//! It measures nothing itself and knows no names. A process that is gone reads as `None`, never as zero.

use std::fs;

/// CPU time and memory of one process at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// User and system time of its living threads, in nanoseconds.
    pub cpu_ns: u64,
    /// Resident memory, in bytes.
    pub rss_bytes: u64,
    /// The most it ever was, in bytes.
    pub rss_peak_bytes: u64,
}

impl Usage {
    /// Of process `pid`; `None` when there is none, or it is a zombie.
    #[must_use]
    pub fn of(pid: u32) -> Option<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let kib = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
        };
        Some(Self {
            cpu_ns: cpu_ns(pid)?,
            rss_bytes: kib("VmRSS:")? * 1024,
            rss_peak_bytes: kib("VmHWM:")? * 1024,
        })
    }
}

/// The scheduler's count of each thread. `/proc/PID/stat` counts in ticks of 10 ms, too coarse for a short phase.
fn cpu_ns(pid: u32) -> Option<u64> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    let counts = threads.filter_map(|thread| {
        let text = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    Some(counts.sum())
}

impl Usage {
    /// Of several processes together; `None` when none of them is left.
    #[must_use]
    pub fn of_all(pids: &[u32]) -> Option<Self> {
        pids.iter().filter_map(|pid| Self::of(*pid)).reduce(|sum, one| Self {
            cpu_ns: sum.cpu_ns + one.cpu_ns,
            rss_bytes: sum.rss_bytes + one.rss_bytes,
            rss_peak_bytes: sum.rss_peak_bytes + one.rss_peak_bytes,
        })
    }
}

/// What the scheduler counted of one thread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ThreadTime {
    /// CPU time, in nanoseconds.
    pub cpu_ns: u64,
    /// Time that it could have run and waited for a core, in nanoseconds.
    pub wait_ns: u64,
}

impl ThreadTime {
    /// Of a thread of this process; `None` when there is none, or the kernel does not count.
    #[must_use]
    pub fn of(thread: i32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/self/task/{thread}/schedstat")).ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace().map(str::parse);
        Some(Self { cpu_ns: words.next()?.ok()?, wait_ns: words.next()?.ok()? })
    }
}

/// Descriptors that this process has open; `None` on kernels before 6.2, where counting them means listing them.
#[must_use]
pub fn open_descriptors() -> Option<u64> {
    Some(fs::metadata("/proc/self/fd").ok()?.len()).filter(|count| *count > 0)
}

/// Time of all CPUs since boot, in ticks, from `/proc/stat`: what a neighbour on the same host took from this machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MachineTime {
    total: u64,
    stolen: u64,
}

impl MachineTime {
    /// Now; zeros where `/proc/stat` cannot be read.
    #[must_use]
    pub fn now() -> Self {
        fs::read_to_string("/proc/stat").ok().and_then(|text| Self::parse(&text)).unwrap_or_default()
    }

    fn parse(text: &str) -> Option<Self> {
        let line = text.lines().next()?.strip_prefix("cpu ")?;
        let ticks: Vec<u64> = line.split_whitespace().map_while(|word| word.parse().ok()).collect();
        // user nice system idle iowait irq softirq steal; guest time after that is part of user (proc(5)).
        Some(Self { total: ticks.iter().take(8).sum(), stolen: *ticks.get(7)? })
    }

    /// Time since `earlier` that the host gave to somebody else, of all CPUs together, in nanoseconds; it is counted in
    /// ticks of 10 ms.
    #[must_use]
    pub fn stolen_ns_since(self, earlier: Self) -> u64 {
        let ticks_per_second = rustix::param::clock_ticks_per_second().max(1);
        self.stolen.saturating_sub(earlier.stolen) * (1_000_000_000 / ticks_per_second)
    }

    /// Share of the time since `earlier` that the host gave to somebody else, 0 to 1.
    #[must_use]
    pub fn stolen_share_since(self, earlier: Self) -> f64 {
        let total = self.total.saturating_sub(earlier.total);
        if total == 0 { 0.0 } else { self.stolen.saturating_sub(earlier.stolen) as f64 / total as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_costs_something() {
        let usage = Usage::of(std::process::id()).unwrap();
        assert!(usage.cpu_ns > 0 && usage.rss_bytes > 0 && usage.rss_peak_bytes >= usage.rss_bytes / 2);
        assert_eq!(Usage::of(u32::MAX), None);
        let twice = Usage::of_all(&[std::process::id(), u32::MAX, std::process::id()]).unwrap();
        assert!(twice.cpu_ns >= 2 * usage.cpu_ns && Usage::of_all(&[u32::MAX]).is_none());
    }

    #[test]
    fn threads_wait_for_cores() {
        assert_eq!(ThreadTime::parse("12 345 6\n"), Some(ThreadTime { cpu_ns: 12, wait_ns: 345 }));
        assert_eq!(ThreadTime::parse("12"), None);
        assert!(ThreadTime::of(rustix::thread::gettid().as_raw_nonzero().get()).is_some());
        assert!(ThreadTime::of(i32::MAX).is_none());
        assert!(open_descriptors().is_none_or(|count| count >= 3));
    }

    #[test]
    fn stolen_time() {
        let at = |steal: u64, user: u64| {
            MachineTime::parse(&format!("cpu  {user} 0 0 50 0 0 0 {steal} 9 9\ncpu0 1")).unwrap()
        };
        assert!((at(30, 120).stolen_share_since(at(10, 100)) - 0.5).abs() < 1e-9);
        assert_eq!(at(30, 120).stolen_ns_since(at(10, 100)) % 20, 0);
        assert!(at(30, 120).stolen_ns_since(at(10, 100)) > 0);
        assert!(at(1, 1).stolen_share_since(at(1, 1)).abs() < 1e-9);
        assert!(MachineTime::now().total > 0);
    }
}
