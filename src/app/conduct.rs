//! The middle of a run: target up, load on, wait, load off, target down.
//!
//! It reads no file and writes none; what comes out is [`Conducted`]. One channel carries everything that this thread
//! waits for, so nothing is polled but the progress.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::child::{End, Heard, Order, Ready, Router};
use super::cores::{self, Halves};
use super::descriptors;
use super::exit::{Exit, Failure};
use super::listener::Listener;
use super::process::MachineTime;
use super::progress::Progress;
use super::report::numbers::count;
use super::run::Options;
use super::scenario::Loaded;
use super::signals;
use super::sources::{self, Sources};
use super::target::Target;
use super::terminal::Terminal;
use super::vitals::Vitals;
use super::watch::{Watch, Watched};
use crate::limits::HOMES_MAX;
use crate::load::{LoadPlan, LoadWorld, Mode, Monitor};
use crate::metrics::{Failure as Reason, HarnessHealth, IdsArrive, Invalid, Summary};
use crate::reactor::{Clock, Fleet, Gauge, ReactorReport, Stopper};

/// How often progress is looked at.
const TICK: Duration = Duration::from_millis(250);

/// What a run came to.
#[derive(Debug)]
pub struct Conducted {
    /// The numbers.
    pub summary: Summary,
    /// What each of the harness's reactors counted.
    pub reports: Vec<ReactorReport>,
    /// Where the target was.
    pub address: SocketAddr,
    /// Local addresses that were connected from; empty: the kernel's choice.
    pub sources: Vec<IpAddr>,
    /// Who was pinned to what.
    pub halves: Halves,
    /// What the harness and the target cost.
    pub watched: Watched,
    /// What the router counted, if it was our child and ended well.
    pub router: Option<End>,
    /// Share of the machine's CPU time that the host gave to others.
    pub stolen_ratio: f64,
    /// The signal that ended the run.
    pub signal: Option<i32>,
}

/// Everything that can happen while this thread waits.
#[derive(Debug)]
enum Event {
    Signal(i32),
    Router(Heard),
    Finished(io::Result<(Box<Summary>, Vec<ReactorReport>)>),
}

/// The load's thread.
#[derive(Debug)]
struct Load {
    thread: JoinHandle<()>,
    stopper: Stopper,
    monitor: Arc<Monitor>,
    gauges: Vec<Gauge>,
}

/// Runs the scenario of `loaded`.
///
/// # Errors
/// The target cannot be started or reached, the operator interrupted before the load began, or the machine failed us.
pub fn conduct(loaded: &Loaded, options: &Options, terminal: Terminal) -> Result<Conducted, Failure> {
    let (sender, inbox) = mpsc::channel();
    let signals = sender.clone();
    signals::install(move |signal| drop(signals.send(Event::Signal(signal))))
        .map_err(|error| Failure::internal(format!("cannot watch signals: {error}")))?;
    let (router, address, halves) = target_up(loaded, options, terminal, &sender, &inbox)?;
    let Sources { addresses: sources, note } =
        sources::choose(&loaded.scenario, address, &descriptors::local_ports())?;
    if let Some(note) = note.filter(|_| !options.quiet) {
        terminal.note(&note);
    }
    if let Err(error) = cores::pin(&halves.harness) {
        terminal.warn(&format!("cannot pin the harness to its cores: {error}"));
    }
    let machine = MachineTime::now();
    let reactors = reactors(loaded, options, &halves);
    let server = watched_server(router.as_ref(), address);
    let (scenario, slos) = (loaded.scenario.name.as_str(), loaded.scenario.slos.clone());
    // Before the load: what is used now is used without any client.
    let watch = Watch::new(scenario, slos, descriptors::raise().soft, server);
    let load = start_load(loaded, options.mode, (address, &sources), reactors, &halves, &sender)?;
    let progress = Progress::new(options.quiet, terminal);
    let waited = wait(&inbox, load, watch, progress)?;
    let stolen_ratio = MachineTime::now().stolen_share_since(machine);

    let Waited { mut summary, reports, signal, router_gone, mut watched } = waited;
    let (last_word, how) = router.map(Router::stop).unzip();
    let router = last_word.flatten();
    match how.filter(|_| router.is_none() || router_gone) {
        // The load may see its connections break before this thread hears why.
        Some(how) if router_gone || summary.failure.is_some() => {
            // The stop that followed was ours, and no operator's.
            summary.interrupted = signal.is_some();
            let what = format!("the embedded router died during the run: {how}");
            summary.failure = Some(Reason::TargetUnreachable(what));
        }
        Some(how) => terminal.warn(&format!("the embedded router did not end in order: {how}")),
        None => {}
    }
    summary.set_harness_health(worst_health(&reports), std::mem::take(&mut watched.health));
    summary.invalid.extend(mail_limit(&reports));
    watched.divide(&summary);
    Ok(Conducted {
        summary: *summary,
        reports,
        address,
        sources,
        halves,
        watched,
        router,
        stolen_ratio,
        signal,
    })
}

/// The target's processes and their name: our child, or who listens there on this machine.
fn watched_server(router: Option<&Router>, address: SocketAddr) -> Option<(String, Vec<u32>)> {
    match router {
        Some(router) => Some(("router".to_owned(), vec![router.pid()])),
        None => Listener::on(address).map(|Listener { pids, name }| (name, pids)),
    }
}

/// How many reactors the harness runs on: as many as it has cores, unless the operator says otherwise.
fn reactors(loaded: &Loaded, options: &Options, halves: &Halves) -> usize {
    let cores = if halves.is_split() { halves.harness.len() } else { cores::allowed().len() };
    let users = usize::try_from(loaded.scenario.users.count).expect("USERS_MAX fits");
    // A reactor without users would only be told about the others'.
    options.harness_reactors.unwrap_or(cores).clamp(1, users.clamp(1, HOMES_MAX))
}

/// Health of one reactor.
pub(super) fn health(report: &ReactorReport) -> HarnessHealth {
    let share = |ns: u64| ns as f64 / report.elapsed_ns.max(1) as f64;
    HarnessHealth { busy_ratio: share(report.busy_ns), cpu_ratio: share(report.cpu_ns) }
}

/// The worst of all: what one reactor is late for, others do not make up.
fn worst_health(reports: &[ReactorReport]) -> HarnessHealth {
    reports.iter().map(health).fold(HarnessHealth::default(), |worst, health| HarnessHealth {
        busy_ratio: worst.busy_ratio.max(health.busy_ratio),
        cpu_ratio: worst.cpu_ratio.max(health.cpu_ratio),
    })
}

/// A reactor that cannot tell another one what came in stops reading, and what it reads later seems to have come later.
fn mail_limit(reports: &[ReactorReport]) -> Option<Invalid> {
    let parked: u64 = reports.iter().map(|report| report.counters.parked).sum();
    let what =
        || format!("a reactor of the harness was too busy to hear of what others had read, {parked} times");
    (parked > 0).then(|| Invalid { limit: "mail".to_owned(), what: what() })
}

/// Starts the router, or finds the server.
fn target_up(
    loaded: &Loaded,
    options: &Options,
    terminal: Terminal,
    sender: &Sender<Event>,
    inbox: &Receiver<Event>,
) -> Result<(Option<Router>, SocketAddr, Halves), Failure> {
    match &loaded.target {
        Target::Server(server) => {
            let address = server.probe(&server.resolve(options.mine)?)?;
            Ok((None, address, Halves::default()))
        }
        Target::Embedded => {
            let halves = Halves::of_this_machine();
            let users = &loaded.scenario.users;
            if !options.quiet {
                terminal.note(&format!("starting the router with {} accounts", count(users.count.into())));
            }
            let order = Order::new(&loaded.scenario, halves.router.clone());
            let heard = sender.clone();
            let router = Router::start(&order, move |news| drop(heard.send(Event::Router(news))))?;
            let (router, address) = wait_ready(inbox, router)?;
            Ok((Some(router), address, halves))
        }
    }
}

/// Waits until the router listens. Deriving keys takes as long as it takes; the operator may end it.
fn wait_ready(inbox: &Receiver<Event>, router: Router) -> Result<(Router, SocketAddr), Failure> {
    match inbox.recv().expect("the caller holds a sender") {
        Event::Router(Heard::Ready(Ready::Port(port))) => {
            Ok((router, (IpAddr::from(Ipv4Addr::LOCALHOST), port).into()))
        }
        Event::Router(Heard::Ready(Ready::Failed(what))) => {
            Err(Failure::internal(format!("the embedded router cannot start: {what}")))
        }
        Event::Router(Heard::Gone) => {
            Err(Failure::internal(format!("the embedded router died at its start: {}", router.stop().1)))
        }
        Event::Signal(signal) => Err(Failure::new(
            Exit::from_signal(signal),
            "interrupted before the load began; there is no result",
        )),
        Event::Finished(_) => unreachable!("no load was started yet"),
    }
}

fn start_load(
    loaded: &Loaded,
    mode: Mode,
    (target, sources): (SocketAddr, &[IpAddr]),
    reactors: usize,
    halves: &Halves,
    sender: &Sender<Event>,
) -> Result<Load, Failure> {
    let failed = |error: io::Error| Failure::internal(format!("cannot start the load: {error}"));
    let monitor = Arc::new(Monitor::default());
    let plan = LoadPlan {
        scenario: Arc::new(loaded.scenario.clone()),
        target,
        sources: sources.to_vec(),
        run: run_id(),
        // Tests show that our own router leaves them alone.
        ids: (loaded.target == Target::Embedded).then_some(IdsArrive::PRESERVED),
        monitor: Arc::clone(&monitor),
        mode,
    };
    // More reactors than cores, or fewer: the kernel knows better which of them to put where.
    let pinned = if reactors == halves.harness.len() { &halves.harness[..] } else { &[] };
    let configs = cores::reactor_configs(reactors, pinned);
    let fleet = Fleet::new(LoadWorld::shares(&plan, reactors), &configs).map_err(failed)?;
    let (stopper, gauges) = (fleet.stopper(), fleet.gauges());
    let finished = sender.clone();
    let thread = thread::Builder::new()
        .name("load".into())
        .spawn(move || {
            let outcome = fleet.run().map(|reactors| {
                let (worlds, reports): (Vec<_>, Vec<_>) = reactors.into_iter().unzip();
                (Box::new(LoadWorld::summary_of(worlds)), reports)
            });
            drop(finished.send(Event::Finished(outcome)));
        })
        .map_err(failed)?;
    Ok(Load { thread, stopper, monitor, gauges })
}

/// Six characters that no run of the last half hour had: the microseconds of the clock in base 36, lowest digit first.
fn run_id() -> String {
    let mut rest = Clock.now().0 / 1_000;
    let digits = b"0123456789abcdefghijklmnopqrstuvwxyz";
    (0..6)
        .map(|_| {
            let digit = digits[usize::try_from(rest % 36).expect("below 36")];
            rest /= 36;
            char::from(digit)
        })
        .collect()
}

/// What waiting came to.
#[derive(Debug)]
struct Waited {
    summary: Box<Summary>,
    reports: Vec<ReactorReport>,
    signal: Option<i32>,
    router_gone: bool,
    watched: Watched,
}

fn wait(
    inbox: &Receiver<Event>,
    load: Load,
    mut watch: Watch,
    mut progress: Progress,
) -> Result<Waited, Failure> {
    let mut vitals = Vitals::new(load.gauges);
    let (mut signal, mut router_gone) = (None, false);
    let outcome = loop {
        match inbox.recv_timeout(TICK) {
            Ok(Event::Finished(outcome)) => break outcome,
            Ok(Event::Signal(number)) => {
                signal = Some(number);
                load.stopper.stop();
            }
            Ok(Event::Router(Heard::Gone)) => {
                router_gone = true;
                load.stopper.stop();
            }
            Ok(Event::Router(Heard::Ready(_))) => {}
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                if load.thread.is_finished() {
                    // It sends before it ends, unless it panicked.
                    break inbox
                        .try_iter()
                        .find_map(|event| match event {
                            Event::Finished(outcome) => Some(outcome),
                            Event::Signal(_) | Event::Router(_) => None,
                        })
                        .unwrap_or_else(|| {
                            Err(io::Error::other("the load's thread panicked; this is a bug"))
                        });
                }
            }
        }
        let (snapshot, now) = (load.monitor.read(), Clock.now());
        vitals.observe(&snapshot, now);
        progress.show(&watch.observe(snapshot, &vitals, now), now);
    };
    progress.finish();
    let (summary, reports) =
        outcome.map_err(|error| Failure::internal(format!("the load failed: {error}")))?;
    Ok(Waited { summary, reports, signal, router_gone, watched: watch.finish(vitals) })
}
