//! The page itself, in Prometheus' text format.
//!
//! Names end in their unit, counters in `_total`; what a home has, has the label `home`.

use std::fmt;

use crate::app::process::{Usage, open_descriptors};
use crate::engine::Counters;
use crate::reactor::ReactorReport;
use crate::router::Dropped;
use crate::router::mailbox::MailCounters;
use crate::server::{ServerCounters, ServerWorld};

/// What one home has counted, and has now.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Home {
    counters: ServerCounters,
    engine: Counters,
    mail: MailCounters,
    accounts: usize,
    sessions: usize,
    busy_ns: u64,
    cpu_ns: u64,
}

impl Home {
    pub(super) fn of(world: &ServerWorld, report: &ReactorReport) -> Self {
        Self {
            counters: *world.counters(),
            engine: report.counters,
            mail: report.mail,
            accounts: world.account_count(),
            sessions: world.session_count(),
            busy_ns: report.busy_ns,
            cpu_ns: report.cpu_ns,
        }
    }
}

/// Everything that is told at one moment.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) homes: Vec<Home>,
    pub(super) is_store_up: Option<bool>,
}

/// A number of a home.
type Read = fn(&Home) -> f64;

/// One family: name, help, and a number for each home.
const FAMILIES: &[(&str, &str, Read)] = &[
    ("accounts", "Accounts of this home.", |h| h.accounts as f64),
    ("sessions", "Resources bound at this home, those that wait for their clients included.", |h| {
        h.sessions as f64
    }),
    ("connections", "Connections open on this reactor.", |h| connections(&h.engine)),
    ("connections_accepted_total", "Connections accepted.", |h| h.engine.accepted as f64),
    ("connections_moved_total", "Connections that came here as to their home.", |h| {
        h.engine.moved_here as f64
    }),
    ("slow_readers_total", "Connections closed because they did not read.", |h| h.engine.slow_readers as f64),
    ("parked_total", "Waits of a connection for the mail of another home.", |h| h.engine.parked as f64),
    ("frames_total", "Stanzas and other elements read.", |h| h.engine.frames as f64),
    ("stanzas_routed_total", "Stanzas that had a recipient.", |h| h.counters.routed as f64),
    ("stanza_copies_total", "Copies of stanzas for their recipients.", |h| h.counters.copies as f64),
    ("stanzas_answered_total", "IQ requests that the server answered with a result.", |h| {
        h.counters.answered as f64
    }),
    ("stanzas_bounced_total", "Stanzas that were answered with an error.", |h| h.counters.bounced as f64),
    ("stanzas_rerouted_total", "Stanzas whose connection ended first.", |h| h.counters.rerouted as f64),
    ("messages_kept_total", "Messages kept for who was away.", |h| h.counters.kept_offline as f64),
    ("resources_bound_total", "Resources bound.", |h| h.counters.bound as f64),
    ("sessions_managed_total", "Sessions that got stream management.", |h| h.counters.managed as f64),
    ("sessions_resumed_total", "Sessions that were resumed.", |h| h.counters.resumed as f64),
    ("sessions_expired_total", "Sessions that waited in vain to be resumed.", |h| h.counters.expired as f64),
    ("letters_total", "Letters to other homes.", |h| h.mail.sent as f64),
    ("letters_early_total", "Letters that waited for others, sent before them by another lane.", |h| {
        h.mail.early as f64
    }),
    ("lanes_full_total", "Times that a lane to another home had no room for everything.", |h| {
        h.mail.full as f64
    }),
    ("wakes_total", "Other reactors woken.", |h| h.mail.wakes as f64),
    ("reactor_busy_seconds_total", "Time not spent waiting for events.", |h| h.busy_ns as f64 / 1e9),
    ("reactor_cpu_seconds_total", "CPU time of the reactor's thread.", |h| h.cpu_ns as f64 / 1e9),
];

fn connections(c: &Counters) -> f64 {
    let came = c.accepted + c.connected + c.moved_here;
    came.saturating_sub(c.closed + c.moved_away) as f64
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        head(f, "info", "The program.")?;
        writeln!(f, "xmpp_bench_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"))?;
        for (name, help, read) in FAMILIES {
            head(f, name, help)?;
            for (home, counted) in self.homes.iter().enumerate() {
                writeln!(f, "xmpp_bench_{name}{{home=\"{home}\"}} {}", read(counted))?;
            }
        }
        self.labelled(f, "stanzas_received_total", "Stanzas that clients sent.", "kind", |home| {
            let c = &home.counters;
            [("message", c.messages_in), ("presence", c.presences_in), ("iq", c.iqs_in)]
        })?;
        self.labelled(f, "stanzas_dropped_total", "Stanzas that were ignored.", "reason", |home| {
            Dropped::ALL.map(|reason| (reason.as_str(), home.counters.dropped(reason)))
        })?;
        self.labelled(f, "bytes_total", "Bytes read from and written to clients.", "direction", |home| {
            [("in", home.engine.bytes_in), ("out", home.engine.bytes_out)]
        })?;
        if let Some(is_up) = self.is_store_up {
            head(f, "store_up", "Whether the store can be reached.")?;
            writeln!(f, "xmpp_bench_store_up {}", u8::from(is_up))?;
        }
        write_process(f)
    }
}

impl Page {
    /// A counter that has another label beside its home.
    fn labelled<const N: usize>(
        &self,
        f: &mut fmt::Formatter<'_>,
        name: &str,
        help: &str,
        label: &str,
        read: impl Fn(&Home) -> [(&'static str, u64); N],
    ) -> fmt::Result {
        head(f, name, help)?;
        for (home, counted) in self.homes.iter().enumerate() {
            for (value, count) in read(counted) {
                writeln!(f, "xmpp_bench_{name}{{home=\"{home}\",{label}=\"{value}\"}} {count}")?;
            }
        }
        Ok(())
    }
}

/// What every exporter calls the same.
fn write_process(f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if let Some(usage) = Usage::of(std::process::id()) {
        writeln!(f, "# TYPE process_resident_memory_bytes gauge")?;
        writeln!(f, "process_resident_memory_bytes {}", usage.rss_bytes)?;
        writeln!(f, "# TYPE process_cpu_seconds_total counter")?;
        writeln!(f, "process_cpu_seconds_total {}", usage.cpu_ns as f64 / 1e9)?;
    }
    if let Some(open) = open_descriptors() {
        writeln!(f, "# TYPE process_open_fds gauge")?;
        writeln!(f, "process_open_fds {open}")?;
    }
    Ok(())
}

fn head(f: &mut fmt::Formatter<'_>, name: &str, help: &str) -> fmt::Result {
    let kind = if name.ends_with("_total") { "counter" } else { "gauge" };
    writeln!(f, "# HELP xmpp_bench_{name} {help}")?;
    writeln!(f, "# TYPE xmpp_bench_{name} {kind}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_of_the_format() {
        let home = Home { accounts: 3, ..Home::default() };
        let text = Page { homes: vec![home, Home::default()], is_store_up: Some(true) }.to_string();
        let mut typed = Vec::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let name = rest.split(' ').next().unwrap();
                assert!(!typed.contains(&name), "{name} stands twice");
                typed.push(name);
            } else if !line.starts_with("# HELP ") {
                let (series, value) = line.rsplit_once(' ').unwrap();
                let name = series.split('{').next().unwrap();
                assert_eq!(typed.last(), Some(&name), "a sample stands below its type");
                assert!(value.parse::<f64>().is_ok_and(|value| value >= 0.0), "{line}");
            }
        }
        for line in [
            "xmpp_bench_accounts{home=\"0\"} 3",
            "xmpp_bench_accounts{home=\"1\"} 0",
            "xmpp_bench_stanzas_received_total{home=\"0\",kind=\"message\"} 0",
            "xmpp_bench_store_up 1",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} in {text}");
        }
    }
}
