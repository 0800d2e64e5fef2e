//! What ran where: a figure without it cannot be compared with anything.
//!
//! It names the machine's kind, never its owner: no host name, no address, no path.

use std::fs;

use serde::{Deserialize, Serialize};

use super::cores;
use super::descriptors::{self, OpenFiles};

/// Version of this program, and the commit that it was built from (`-modified` when the sources differed from it).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Always `xmpp-bench`.
    pub name: String,
    /// As in Cargo.toml.
    pub version: String,
    /// `unknown` when it was built outside of a repository.
    pub commit: String,
    /// `release` or `debug`: figures of a debug build are worth nothing.
    pub profile: String,
}

impl Program {
    /// This one.
    #[must_use]
    pub fn this() -> Self {
        Self {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            commit: env!("XB_COMMIT").to_owned(),
            profile: if cfg!(debug_assertions) { "debug" } else { "release" }.to_owned(),
        }
    }
}

/// The machine of the harness.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// Model name of the CPU.
    pub cpu: String,
    /// Logical CPUs of the machine.
    pub cores: usize,
    /// Logical CPUs that this process may use.
    pub cores_allowed: usize,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// Name and release of the kernel.
    pub kernel: String,
    /// CPU frequency governor; null where the kernel shows none (most virtual machines).
    pub governor: Option<String>,
    /// Whether a hypervisor is below.
    pub virtual_machine: bool,
    /// Limit of open files.
    pub open_files: OpenFiles,
    /// First and last local port of outgoing connections.
    pub local_ports: (u16, u16),
    /// Most connections waiting in a listener (`net.core.somaxconn`); null where unknown.
    pub listen_backlog_max: Option<u64>,
}

impl Environment {
    /// Of this process.
    #[must_use]
    pub fn read(open_files: OpenFiles) -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let uname = rustix::system::uname();
        let ports = descriptors::local_ports();
        Self {
            cpu: cpu_model(&cpuinfo).unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cores: cpuinfo.lines().filter(|line| line.starts_with("processor")).count().max(1),
            cores_allowed: cores::allowed().len(),
            memory_bytes: memory_bytes(&meminfo).unwrap_or(0),
            kernel: format!("{} {}", uname.sysname().to_string_lossy(), uname.release().to_string_lossy()),
            governor: read_word("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            virtual_machine: cpuinfo.lines().any(|line| {
                line.starts_with("flags") && line.split_whitespace().any(|flag| flag == "hypervisor")
            }),
            open_files,
            local_ports: (*ports.start(), *ports.end()),
            listen_backlog_max: read_word("/proc/sys/net/core/somaxconn").and_then(|word| word.parse().ok()),
        }
    }
}

fn read_word(path: &str) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// `model name` on x86; ARM kernels give numbers only.
fn cpu_model(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn memory_bytes(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_a_name() {
        let environment = Environment::read(descriptors::raise());
        assert!(!environment.cpu.is_empty());
        assert!(environment.cores >= 1 && environment.cores_allowed >= 1);
        assert!(environment.memory_bytes > 0);
        assert!(environment.kernel.starts_with("Linux "), "{}", environment.kernel);
        let text = serde_json::to_string(&environment).unwrap();
        assert_eq!(serde_json::from_str::<Environment>(&text).unwrap(), environment);
    }

    #[test]
    fn cpu_and_memory() {
        assert_eq!(
            cpu_model("processor\t: 0\nmodel name\t: Some  CPU @ 2GHz\n").as_deref(),
            Some("Some CPU @ 2GHz")
        );
        assert_eq!(cpu_model("processor\t: 0\nCPU part\t: 0xd0c\n"), None);
        assert_eq!(memory_bytes("MemTotal:       16 kB\n"), Some(16_384));
    }
}
