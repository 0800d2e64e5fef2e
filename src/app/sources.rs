//! Which local addresses a run connects from, and whether their ports suffice.
//!
//! Nothing is bound here. Each connection to one address and port of the target needs a local port of its own, and a
//! source address has as many as `net.ipv4.ip_local_port_range` says. Loopback has sixteen million addresses that need
//! no configuration, so there the program helps itself.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;

use super::exit::Failure;
use crate::limits::SOURCE_ADDRESSES_MAX;
use crate::load::scenario::{Create, Scenario};
use crate::stream::Mechanism;

/// Part of an address's ports that is planned with: who looks for one of the last free ports looks for long.
const PORTS_USED_RATIO: f64 = 0.75;

/// What a run connects from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    /// The addresses, in turn; the kernel's choice when empty.
    pub addresses: Vec<IpAddr>,
    /// Why there are more of them than the scenario names.
    pub note: Option<String>,
}

/// Chooses the sources for `scenario` against `target`.
///
/// # Errors
/// Exit code 2: there are fewer ports than connections, and how many addresses would be enough.
pub fn choose(
    scenario: &Scenario,
    target: SocketAddr,
    ports: &RangeInclusive<u16>,
) -> Result<Sources, Failure> {
    let given = &scenario.target.source_ips;
    let each = u64::from(ports.end().saturating_sub(*ports.start())) + 1;
    let users = u64::from(scenario.users.count);
    if !given.is_empty() {
        fits(users, given.len() as u64, each, ports, "")?;
        return Ok(Sources { addresses: given.clone(), note: None });
    }
    let connections = connections(scenario);
    if connections <= each {
        return Ok(Sources::default());
    }
    let IpAddr::V4(v4) = target.ip().to_canonical() else {
        fits(users, 1, each, ports, "")?;
        return Ok(Sources::default());
    };
    if !v4.is_loopback() {
        fits(users, 1, each, ports, "; each must be an address of this machine")?;
        return Ok(Sources::default());
    }
    let usable = (each as f64 * PORTS_USED_RATIO).max(1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small positive number")]
    let count = ((connections as f64 / usable).ceil() as usize).min(SOURCE_ADDRESSES_MAX);
    fits(users, count as u64, each, ports, "")?;
    let addresses: Vec<IpAddr> = loopback().take(count).collect();
    let note = format!(
        "{connections} connections to one address need more than the {each} ports of one source ({}-{}): connecting \
         from {count} addresses, {} to {}",
        ports.start(),
        ports.end(),
        addresses[0],
        addresses[count - 1]
    );
    Ok(Sources { addresses, note: Some(note) })
}

/// Connections that a run makes within the minute in which a closed one still holds its port (TIME_WAIT): each user's,
/// and those of set-up.
#[must_use]
pub fn connections(scenario: &Scenario) -> u64 {
    let users = &scenario.users;
    let own_salts = users.create != Create::Provision || users.accounts.shared_password().is_none();
    let rehearses = own_salts && matches!(users.auth, Mechanism::ScramSha1 | Mechanism::ScramSha256);
    let registers = users.create == Create::Register;
    let makes_rosters =
        users.create != Create::Provision && users.roster.as_ref().is_some_and(|spec| !spec.is_empty());
    // Who makes its roster logs in twice for that, and needs no rehearsal.
    let before = if makes_rosters { 2 } else { u64::from(rehearses) };
    u64::from(users.count) * (1 + before + u64::from(registers))
}

fn fits(
    users: u64,
    sources: u64,
    each: u64,
    ports: &RangeInclusive<u16>,
    which: &str,
) -> Result<(), Failure> {
    if users <= each.saturating_mul(sources) {
        return Ok(());
    }
    let missing = users.div_ceil(each);
    Err(Failure::usage(format!(
        "{users} connections to one server need as many local ports; {sources} address(es) have {} ({}-{})",
        each.saturating_mul(sources),
        ports.start(),
        ports.end()
    ))
    .help(format!(
        "widen `sysctl net.ipv4.ip_local_port_range`, or give {missing} source addresses \
         (`--set target.source_ips=FIRST-LAST`){which}"
    )))
}

/// 127.0.0.1, 127.0.0.2, … without those whose last byte is 0 or 255, which some programs take for networks.
fn loopback() -> impl Iterator<Item = IpAddr> {
    (0u8..=255).flat_map(|third| (1u8..=254).map(move |last| Ipv4Addr::new(127, 0, third, last).into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario(users: &str) -> Scenario {
        let text = format!(
            "name = \"t\"\ntarget = {{ server = \"embedded\", domain = \"d\" }}\nusers = {{ {users} }}\n\
             phase = [{{ name = \"login\", arrive = {{ at_once = true }} }}]\n"
        );
        Scenario::parse(&text).unwrap_or_else(|errors| panic!("{errors:?}"))
    }

    #[test]
    fn loopback_is_spread_over_when_one_address_is_not_enough() {
        let (here, far): (SocketAddr, SocketAddr) =
            ("127.0.0.1:5222".parse().unwrap(), "10.0.0.1:5222".parse().unwrap());
        let ports = 40_000..=40_099;
        let plain = |count: u32| scenario(&format!("count = {count}, auth = \"PLAIN\""));
        assert_eq!(choose(&plain(100), here, &ports).unwrap(), Sources::default());
        let spread = choose(&plain(101), here, &ports).unwrap();
        assert_eq!(spread.addresses, ["127.0.0.1", "127.0.0.2"].map(|ip| ip.parse::<IpAddr>().unwrap()));
        assert!(spread.note.unwrap().contains("127.0.0.1 to 127.0.0.2"));
        // 30,000 connections at 75 a source: more than one byte counts.
        let many = choose(&plain(30_000), here, &ports).unwrap();
        assert_eq!(many.addresses.len(), 400);
        assert_eq!(many.addresses[254], "127.0.1.1".parse::<IpAddr>().unwrap());
        // Elsewhere the operator must say which addresses are this machine's.
        let failure = choose(&plain(101), far, &ports).unwrap_err();
        assert!(failure.errors[0].help.as_deref().unwrap().contains("give 2 source addresses"));
        assert!(choose(&plain(101), "[::1]:5222".parse().unwrap(), &ports).is_err(), "::1 is one address");
    }

    #[test]
    fn what_the_scenario_names_is_taken_and_must_suffice() {
        let here = "127.0.0.1:5222".parse().unwrap();
        let mut scenario = scenario("count = 250, auth = \"PLAIN\"");
        scenario.target.source_ips = vec!["127.0.0.7".parse().unwrap(), "127.0.0.8".parse().unwrap()];
        let ports = 40_000..=40_124;
        assert_eq!(choose(&scenario, here, &ports).unwrap().addresses, scenario.target.source_ips);
        let failure = choose(&scenario, here, &(40_000..=40_099)).unwrap_err();
        assert!(failure.errors[0].what.contains("2 address(es) have 200 (40000-40099)"));
        assert!(failure.errors[0].help.as_deref().unwrap().contains("give 3 source addresses"));
    }

    #[test]
    fn setting_up_takes_ports_too() {
        assert_eq!(connections(&scenario("count = 10, auth = \"PLAIN\"")), 10);
        assert_eq!(connections(&scenario("count = 10")), 10, "one password for all: one login is enough");
        let own = "account = { user = \"u{n}\", password = \"p{n}\" }";
        assert_eq!(connections(&scenario(&format!("count = 10, {own}"))), 20);
        assert_eq!(connections(&scenario(&format!("count = 10, create = \"register\", {own}"))), 30);
    }
}
