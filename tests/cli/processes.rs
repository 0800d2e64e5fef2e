//! Other processes, as `/proc` shows them: the embedded router is a child that nobody but its parent knows.

use std::fs;
use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::program::PATIENCE;

/// A process that this one did not start.
#[derive(Debug)]
pub(super) struct Process {
    pid: Pid,
    handle: OwnedFd,
}

impl Process {
    /// The only child of `parent`.
    pub(super) fn child_of(parent: Pid) -> Self {
        let line = format!("PPid:\t{}", parent.as_raw_nonzero());
        let children: Vec<i32> = fs::read_dir("/proc")
            .expect("/proc is mounted")
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter(|pid| {
                let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
                status.lines().any(|l| l == line)
            })
            .collect();
        let [child] = children[..] else { panic!("one child, not {children:?}") };
        let pid = Pid::from_raw(child).expect("ids are above 0");
        Self { pid, handle: pidfd_open(pid, PidfdFlags::empty()).expect("it is running") }
    }

    pub(super) fn signal(&self, signal: Signal) {
        pidfd_send_signal(&self.handle, signal).expect("it is running");
    }

    /// Lets it go on after SIGSTOP.
    pub(super) fn wake(&self) {
        // The kernel may have been first: it ends an orphan that it finds stopped, with SIGHUP.
        let _ = pidfd_send_signal(&self.handle, Signal::CONT);
    }

    /// Stops it for so long: what a frozen machine or a long collection does to a server.
    pub(super) fn pause(&self, seconds: i64) {
        self.signal(Signal::STOP);
        let mut fds = [PollFd::new(&self.handle, PollFlags::IN)];
        let timeout = Timespec { tv_sec: seconds, tv_nsec: 0 };
        assert_eq!(poll(&mut fds, Some(&timeout)), Ok(0), "who is stopped does not end");
        self.wake();
    }

    /// Waits until it has ended.
    #[track_caller]
    pub(super) fn wait_gone(&self) {
        assert!(ends(&self.handle), "process {} is still there", self.pid.as_raw_nonzero());
    }

    /// The TCP port (IPv4) that it listens on.
    pub(super) fn listening_port(&self) -> u16 {
        let pid = self.pid.as_raw_nonzero();
        let sockets: Vec<String> = fs::read_dir(format!("/proc/{pid}/fd"))
            .expect("the process is ours")
            .filter_map(|fd| Some(fs::read_link(fd.ok()?.path()).ok()?.to_str()?.to_owned()))
            .collect();
        // proc(5): local address, remote address, state (0A listens), …, inode as the tenth column.
        let table = fs::read_to_string(format!("/proc/{pid}/net/tcp")).expect("the table is there");
        let port = table.lines().find_map(|line| {
            let columns: Vec<&str> = line.split_whitespace().collect();
            let listens =
                *columns.get(3)? == "0A" && sockets.contains(&format!("socket:[{}]", columns.get(9)?));
            if listens { u16::from_str_radix(columns[1].split_once(':')?.1, 16).ok() } else { None }
        });
        port.expect("it listens")
    }
}

/// Waits until a process has ended, waited for by its parent or not; false when it does not end.
pub(super) fn ends(process: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(process, PollFlags::IN)];
    let timeout = Timespec { tv_sec: PATIENCE.as_secs().cast_signed(), tv_nsec: 0 };
    poll(&mut fds, Some(&timeout)).expect("a process can be polled") == 1
}
