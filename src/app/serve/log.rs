//! The log of a process that serves, and what stands in it at the end.
//!
//! Where it is filtered and written is decided once for the process.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::app::report::numbers::bytes;
use crate::app::terminal::Terminal;
use crate::reactor::ReactorReport;
use crate::server::{BusyAccount, ServerWorld};

/// Environment variable with the log's filter, for instance `debug` or `xmpp_bench::server=trace`.
const LOG_FILTER: &str = "XB_LOG";

/// What each home did, in the log.
pub(super) fn log_end(homes: &[(ServerWorld, ReactorReport)]) {
    for (home, (world, report)) in homes.iter().enumerate() {
        let counters = world.counters();
        tracing::info!(
            home,
            connections = report.counters.accepted,
            moved_here = report.counters.moved_here,
            bytes_in = bytes(report.counters.bytes_in),
            bytes_out = bytes(report.counters.bytes_out),
            messages = counters.messages_in,
            presences = counters.presences_in,
            iqs = counters.iqs_in,
            copies = counters.copies,
            busiest = shares(&world.busiest()),
            bounced = counters.bounced,
            letters = report.mail.sent,
            wakes = report.mail.wakes,
            parked = report.counters.parked,
            cpu_ms = report.cpu_ns / 1_000_000,
            "stopped"
        );
    }
}

/// Accounts and their parts of a home's deliveries, as one word of the log.
fn shares(busiest: &[BusyAccount]) -> String {
    let share = |busy: &BusyAccount| format!("{} {:.0} %", busy.jid, busy.share_ratio * 100.0);
    busiest.iter().map(share).collect::<Vec<_>>().join(", ")
}

/// Starts the log on stderr: `default` unless `XB_LOG` says otherwise.
pub(in crate::app) fn start_log(default: &str, terminal: Terminal) {
    let wanted = std::env::var_os(LOG_FILTER).filter(|wanted| !wanted.is_empty());
    let filter = wanted.and_then(|wanted| {
        let filter = wanted.to_str().and_then(log_filter);
        if filter.is_none() {
            let wanted = wanted.to_string_lossy();
            terminal.warn(&format!(
                "{LOG_FILTER}=`{wanted}` is no filter, for instance `debug` or `xmpp_bench::server=trace`; \
                 the log has `{default}`"
            ));
        }
        filter
    });
    // A second start in one process (tests) keeps the first one's settings.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter.unwrap_or_else(|| EnvFilter::new(default)))
        .with_writer(std::io::stderr)
        .with_ansi(terminal.stderr_colour())
        .with_target(false)
        .try_init();
}

/// What was meant. A single word that is no level would be taken for a part of some program, and silence everything else.
fn log_filter(wanted: &str) -> Option<EnvFilter> {
    let is_known = |word: &str| {
        word.contains(['=', '[']) || word.starts_with("xmpp_bench") || word.parse::<LevelFilter>().is_ok()
    };
    let filter = EnvFilter::try_new(wanted).ok()?;
    wanted.split(',').map(str::trim).all(is_known).then_some(filter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_of_the_log_is_levels_and_parts() {
        for right in
            ["debug", "INFO", "off", "xmpp_bench::server=trace", "warn,xmpp_bench::app", "sqlx=debug"]
        {
            assert!(log_filter(right).is_some(), "{right}");
        }
        for wrong in ["debgu", "xmpp_bench=loud", "info,debgu", "=", "a=b=c"] {
            assert!(log_filter(wrong).is_none(), "{wrong}");
        }
    }
}
