//! The child's side: a router that lives as long as its stdin.
//!
//! It reads no file: everything comes with the [`Order`].

use std::io::{self, BufRead, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use super::{End, Order, Ready};
use crate::app::exit::{Exit, Failure};
use crate::app::router::{self, Builder};
use crate::app::terminal::Terminal;
use crate::app::{cores, descriptors, serve};
use crate::load::Scenario;
use crate::reactor::{Fleet, ReactorReport, Stopper};
use crate::server::ServerWorld;

/// How long an orderly end may take once the parent is gone; nobody is left to read it.
const END_MAX: Duration = Duration::from_secs(3);

/// The hidden subcommand: takes an order from stdin, serves until stdin ends.
///
/// # Errors
/// There was no order, or the event loop failed.
pub fn main() -> Result<Exit, Failure> {
    serve::start_log("warn", Terminal::from_environment());
    let stopper = Arc::new(OnceLock::new());
    let order = watch_stdin(&stopper)
        .recv()
        .map_err(|_| Failure::usage("this subcommand is started by `xmpp-bench run` and by nothing else"))?;
    let (fleet, address) = match prepare(&order) {
        Ok(prepared) => prepared,
        Err(what) => {
            tell(&Ready::Failed(what));
            return Ok(Exit::Internal);
        }
    };
    stopper.set(fleet.stopper()).expect("it is set here only");
    tell(&Ready::Port(address.port()));
    let reports = fleet.run().map_err(|error| Failure::internal(format!("the router failed: {error}")))?;
    tell(&End::of(reports.iter().map(|(_, report)| report)));
    Ok(Exit::Passed)
}

/// Reads the order, then waits for the end of stdin, in a thread: the parent holds the other end of the pipe, and the
/// kernel closes it for a parent that was killed.
fn watch_stdin(stopper: &Arc<OnceLock<Stopper>>) -> Receiver<Order> {
    let (sender, order) = mpsc::channel();
    let stopper = Arc::clone(stopper);
    thread::spawn(move || {
        let mut stdin = io::stdin().lock();
        let mut line = String::new();
        if stdin.read_line(&mut line).is_err() {
            return;
        }
        let Ok(order) = serde_json::from_str(&line) else { return };
        if sender.send(order).is_err() {
            return;
        }
        let _ = stdin.read_to_end(&mut Vec::new());
        let Some(stopper) = stopper.get() else { process::exit(Exit::Internal.code().into()) };
        stopper.stop();
        let (_open, never) = mpsc::channel::<()>();
        let _ = never.recv_timeout(END_MAX);
        process::exit(Exit::Internal.code().into());
    });
    order
}

fn prepare(order: &Order) -> Result<(Fleet<ServerWorld>, SocketAddr), String> {
    let mut read_file = |name: &str| {
        let file = order.files.iter().find(|(path, _)| path == name);
        file.map(|(_, text)| text.clone()).ok_or_else(|| "it did not come with the order".to_owned())
    };
    let scenario = Scenario::parse_with_files(&order.scenario, &[], &mut read_file).map_err(|errors| {
        errors.first().map_or_else(|| "the scenario is wrong".to_owned(), ToString::to_string)
    })?;
    let _ = descriptors::raise();
    let mechanisms = vec![scenario.users.auth];
    let reactors = order.cores.len().max(1);
    let config = router::config(&scenario.target.domain, mechanisms)?;
    let mut builder = Builder::new(config, reactors);
    builder.add_scenario(&scenario)?;
    // Deriving keys may use the whole machine; serving may not.
    cores::pin(&order.cores).map_err(|error| format!("cannot pin to cores {:?}: {error}", order.cores))?;
    let configs = cores::reactor_configs(reactors, &order.cores);
    let mut fleet = Fleet::new(builder.build(), &configs).map_err(|error| error.to_string())?;
    let address = fleet.listen((Ipv4Addr::LOCALHOST, 0).into()).map_err(|error| error.to_string())?;
    Ok((fleet, address))
}

/// One line on stdout. A parent that is gone does not read it, and stdin has ended then, too.
fn tell(message: &impl serde::Serialize) {
    let mut line = serde_json::to_string(message).expect("a message is plain data");
    line.push('\n');
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(line.as_bytes()).and_then(|()| stdout.flush());
}

impl End {
    /// The sums of what its reactors counted; the longest of their times.
    fn of<'a>(reports: impl Iterator<Item = &'a ReactorReport>) -> Self {
        let mut end = Self::default();
        for report in reports {
            let counters = &report.counters;
            end.reactors += 1;
            end.turns += report.turns;
            end.busy_ns += report.busy_ns;
            end.elapsed_ns = end.elapsed_ns.max(report.elapsed_ns);
            end.cpu_ns += report.cpu_ns;
            end.accepted += counters.accepted;
            end.bytes_in += counters.bytes_in;
            end.bytes_out += counters.bytes_out;
            end.delivered += counters.delivered;
            end.undeliverable += counters.undeliverable;
            end.superseded += counters.superseded;
            end.slow_readers += counters.slow_readers;
            end.accept_starved += report.accept_starved;
            end.moved += counters.moved_here;
            end.letters += report.mail.sent;
            end.wakes += report.mail.wakes;
            end.parked += counters.parked;
        }
        end
    }
}
