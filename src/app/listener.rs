//! Which processes of this machine listen on an address: what a foreign server on loopback costs is theirs to tell.
//!
//! It asks nobody and changes nothing. What the operator may not see (another user's process) is not found, and that is
//! no error. A process is known by the sockets it has open, so a relay in front of a server is found, not the server.

use std::collections::HashSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// `TCP_LISTEN` of the kernel's `tcp_states.h`, as `/proc/net/tcp` writes it.
const LISTEN: &str = "0A";
/// The first process holds sockets for services that it has not started itself (socket activation).
const INIT: u32 = 1;

/// Processes that listen together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Their ids, ascending.
    pub pids: Vec<u32>,
    /// What the first of them is called: `beam.smp`, `prosody`.
    pub name: String,
}

impl Listener {
    /// Who listens on `address`, if that is a loopback address and may be known.
    #[must_use]
    pub fn on(address: SocketAddr) -> Option<Self> {
        if !address.ip().to_canonical().is_loopback() {
            return None;
        }
        let tables =
            ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| fs::read_to_string(path).unwrap_or_default());
        let inodes: HashSet<u64> = tables.iter().flat_map(|table| inodes(table, address)).collect();
        let pids = holders(&inodes);
        let name = fs::read_to_string(format!("/proc/{}/comm", pids.first()?)).ok()?;
        Some(Self { pids, name: name.trim_end().to_owned() })
    }
}

/// Sockets of a table of `/proc/net` that listen on `address` or on all addresses.
fn inodes(table: &str, address: SocketAddr) -> impl Iterator<Item = u64> {
    table.lines().skip(1).filter_map(move |line| {
        // sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode
        let words: Vec<&str> = line.split_whitespace().collect();
        let (local, state, inode) = (words.get(1)?, words.get(3)?, words.get(9)?);
        let (ip, port) = local.split_once(':')?;
        let ip = parse_ip(ip)?.to_canonical();
        let fits = u16::from_str_radix(port, 16).ok()? == address.port()
            && (ip.is_unspecified() || ip == address.ip().to_canonical());
        inode.parse().ok().filter(|_| fits && *state == LISTEN)
    })
}

/// Words of 32 bits in the machine's byte order, in hexadecimal.
fn parse_ip(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| Some(u32::from_str_radix(hex.get(at * 8..at * 8 + 8)?, 16).ok()?.to_ne_bytes());
    match hex.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let words = [word(0)?, word(1)?, word(2)?, word(3)?];
            let mut bytes = [0; 16];
            bytes.iter_mut().zip(words.as_flattened()).for_each(|(byte, from)| *byte = *from);
            Some(Ipv6Addr::from(bytes).into())
        }
        _ => None,
    }
}

/// Processes that have one of these sockets open, as far as this user may look.
fn holders(inodes: &HashSet<u64>) -> Vec<u32> {
    if inodes.is_empty() {
        return Vec::new();
    }
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let mut holders: Vec<u32> = pids.filter(|pid| *pid != INIT && has_one(*pid, inodes)).collect();
    holders.sort_unstable();
    holders
}

fn has_one(pid: u32, inodes: &HashSet<u64>) -> bool {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let sockets = descriptors.filter_map(|entry| {
        let link = fs::read_link(entry.path()).ok()?;
        link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse::<u64>().ok()
    });
    { sockets }.any(|inode| inodes.contains(&inode))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn this_process_is_found_by_its_socket() {
        for address in ["127.0.0.1:0", "[::1]:0", "0.0.0.0:0"] {
            let Ok(socket) = TcpListener::bind(address) else {
                assert!(address.starts_with('['), "a machine without IPv6");
                continue;
            };
            let mut bound = socket.local_addr().unwrap();
            if bound.ip().is_unspecified() {
                bound.set_ip(Ipv4Addr::LOCALHOST.into());
            }
            let found = Listener::on(bound).unwrap();
            // A child that another test starts has it for a moment, too.
            assert!(found.pids.contains(&std::process::id()), "{address}: {found:?}");
            assert!(!found.name.is_empty());
        }
        for nobody in ["127.0.0.1:1", "192.0.2.1:5222"] {
            assert_eq!(Listener::on(nobody.parse().unwrap()), None, "{nobody}");
        }
    }

    /// Lines of a little-endian machine.
    #[cfg(target_endian = "little")]
    #[test]
    fn only_who_listens_there() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
             0: 0100007F:1466 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11 1 0 1\n\
             1: 00000000:1466 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12 1 0 1\n\
             2: 0100007F:1466 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 13 1 0 1\n\
             3: 0200007F:1466 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 14 1 0 1\n\
             4: 0100007F:1467 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 15 1 0 1\n\
             5: 0000000000000000FFFF00000100007F:1466 0:0 0A 0:0 00:0 0 0 0 16 1\n\
             6: 00000000000000000000000001000000:1466 0:0 0A 0:0 00:0 0 0 0 17 1\n\
             7: short\n";
        let found = |address: &str| inodes(table, address.parse().unwrap()).collect::<Vec<_>>();
        assert_eq!(found("127.0.0.1:5222"), [11, 12, 16]);
        assert_eq!(found("127.0.0.2:5222"), [12, 14]);
        assert_eq!(found("[::1]:5222"), [12, 17]);
        assert_eq!(found("127.0.0.1:5224"), [0; 0]);
    }
}
