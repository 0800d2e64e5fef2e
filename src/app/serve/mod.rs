//! `xmpp-bench serve`: the router by itself, in this process, until a signal.
//!
//! It has no seed: nothing that a client sees of this router can be guessed.

mod greeting;
mod log;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use super::exit::{Exit, Failure};
use super::router::{self, Builder};
use super::scenario::{self, Overrides};
use super::serve_config::{self, ServeConfig};
use super::store::{Opened, StoreUrl};
use super::terminal::Terminal;
use super::{cores, descriptors, prometheus, signals};
use crate::limits::HOMES_MAX;
use crate::reactor::Fleet;
use crate::server::{AccountNews, ServerConfig, ServerNews, ServerWorld};
use crate::stanza::Jid;
use crate::store::Store;
use greeting::{Kind, greeting};
use log::log_end;
pub(super) use log::start_log;

/// Most reactors of one router.
pub const REACTORS_MAX: usize = HOMES_MAX;

/// How long the end may take once it was asked for.
const DRAIN_MAX: Duration = Duration::from_secs(20);

/// What the command line asks for.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The configuration's file.
    pub config: Option<PathBuf>,
    /// Listen here instead; empty: where the configuration says.
    pub listen: Vec<SocketAddr>,
    /// Have the page for Prometheus here instead.
    pub metrics: Option<SocketAddr>,
    /// Serve this domain instead.
    pub domain: Option<String>,
    /// With so many reactors instead.
    pub reactors: Option<usize>,
    /// Without a configuration: as test suites need it.
    pub test_suite: bool,
    /// Accounts are kept here instead.
    pub store: Option<String>,
    /// Only say whether the configuration is right.
    pub check_config: bool,
}

/// Serves until SIGINT or SIGTERM; then every stream is closed in order and the exit code is 0.
///
/// # Errors
/// The configuration is wrong, its store cannot be opened or the address cannot be bound (2), or the event loop failed (1).
pub fn serve(options: &Options, terminal: Terminal) -> Result<Exit, Failure> {
    start_log("info", terminal);
    let config = configuration(options)?;
    let url = config
        .store_url(options.store.as_deref(), options.config.as_deref())
        .map_err(|failure| if options.store.is_none() { failure.help(WITHOUT_STORE) } else { failure })?;
    if options.check_config {
        return check(options, &config, &url, terminal);
    }
    let open_files = descriptors::raise();
    let cores = cores::allowed();
    let reactors = options.reactors.or(config.reactors).unwrap_or_else(|| cores.len().clamp(1, REACTORS_MAX));
    let Built { builder, mut opened, loaded } = build(&config, &url, reactors)?;
    let accounts = builder.account_count();
    let cannot = |what: &str, error: std::io::Error| Failure::internal(format!("{what}: {error}"));
    let configs = cores::reactor_configs(reactors, if config.pin { &cores } else { &[] });
    let mut fleet = Fleet::new(builder.build(), &configs).map_err(|e| cannot("cannot start", e))?;
    let mut addresses = Vec::with_capacity(config.listen.len());
    for wanted in &config.listen {
        addresses.push(fleet.listen(*wanted).map_err(|error| {
            Failure::usage(format!("cannot listen on {wanted}: {error}"))
                .help("`--listen 127.0.0.1:0` takes any free port")
        })?);
    }
    let metrics = start_metrics(&config, &fleet, opened.as_ref())?;
    let store_thread = opened.take().map(|opened| {
        let messengers = fleet.messengers();
        let tell_all = move |news: Vec<AccountNews>| {
            messengers.iter().for_each(|messenger| messenger.send(ServerNews(news.clone())));
        };
        opened.start(Box::new(tell_all))
    });
    let stopper = fleet.stopper();
    let stop = move |_| {
        stopper.stop();
        exit_after(DRAIN_MAX);
    };
    signals::install(stop).map_err(|e| cannot("cannot watch signals", e))?;
    let kind = match (&options.config, options.test_suite) {
        (Some(_), _) => Kind::Configured,
        (None, false) => Kind::Trial,
        (None, true) => Kind::TestSuite,
    };
    terminal
        .out(&greeting(&config, (&addresses, metrics), accounts, (&url, loaded), kind))
        .map_err(|error| cannot("cannot write", error))?;
    tracing::info!(?addresses, accounts, reactors, open_files = open_files.soft, "serving");
    let homes = fleet.run().map_err(|error| cannot("the event loop failed", error))?;
    log_end(&homes);
    // The homes have the store; its thread ends when they are gone.
    drop(homes);
    if let Some(thread) = store_thread {
        thread.join();
    }
    Ok(Exit::Passed)
}

/// For whom a file is too much.
const WITHOUT_STORE: &str = "`--store memory` keeps nothing beyond the process";

/// `--check-config`: everything that can be found out without starting anything.
fn check(
    options: &Options,
    config: &ServeConfig,
    url: &StoreUrl,
    terminal: Terminal,
) -> Result<Exit, Failure> {
    settings(config, url)?;
    if let Some(path) = &config.scenario {
        scenario::load(path, &Overrides::default())?;
    }
    let name =
        options.config.as_ref().map_or_else(|| "defaults".to_owned(), |path| path.display().to_string());
    let domains = config.domains().collect::<Vec<_>>().join(", ");
    let addresses = config.listen.iter().map(SocketAddr::to_string).collect::<Vec<_>>().join(", ");
    let text = format!("{name}: ok: {domains} on {addresses}, store {url}\n");
    terminal.out(&text).map_err(|error| Failure::internal(format!("cannot write: {error}")))?;
    Ok(Exit::Passed)
}

/// Ends the process when an orderly end takes too long: a store that cannot be reached must not keep it for ever.
fn exit_after(time: Duration) {
    let _waits = thread::spawn(move || {
        let (_open, never) = mpsc::channel::<()>();
        let _ = never.recv_timeout(time);
        tracing::error!(
            "not everything was saved within {} s; what was answered for is safe",
            time.as_secs()
        );
        std::process::exit(Exit::Internal.code().into());
    });
}

/// A router with its accounts, and where they are kept.
struct Built {
    builder: Builder,
    /// `None`: in memory.
    opened: Option<Opened>,
    /// Accounts that were in the store.
    loaded: usize,
}

/// The configuration, with what the command line says instead.
fn configuration(options: &Options) -> Result<ServeConfig, Failure> {
    let mut config = match &options.config {
        Some(path) => ServeConfig::read(path)?,
        None if options.test_suite => ServeConfig::for_test_suites(),
        None => ServeConfig::default(),
    };
    if let Some(domain) = &options.domain {
        config.set_domain(domain);
    }
    let is_fit = |flag: &str, address: SocketAddr| {
        serve_config::loopback_only(address).map_err(|what| Failure::usage(format!("{flag}: {what}")))
    };
    if !options.listen.is_empty() {
        options.listen.iter().try_for_each(|address| is_fit("--listen", *address))?;
        config.listen.clone_from(&options.listen);
    }
    if let Some(metrics) = options.metrics {
        is_fit("--metrics", metrics)?;
        config.metrics = Some(metrics);
    }
    Ok(config)
}

/// The page for Prometheus, if there is to be one: where it is.
fn start_metrics(
    config: &ServeConfig,
    fleet: &Fleet<ServerWorld>,
    opened: Option<&Opened>,
) -> Result<Option<SocketAddr>, Failure> {
    let Some(wanted) = config.metrics else { return Ok(None) };
    let store = opened.map(Opened::store);
    let is_store_up =
        store.map(|store| Arc::new(move || store.is_up()) as Arc<dyn Fn() -> bool + Send + Sync>);
    let bound = prometheus::start(wanted, fleet.messengers(), is_store_up).map_err(|error| {
        Failure::usage(format!("cannot have the page for Prometheus on {wanted}: {error}"))
            .help("`--metrics 127.0.0.1:0` takes any free port")
    })?;
    Ok(Some(bound))
}

/// What the router itself needs to know.
fn settings(config: &ServeConfig, url: &StoreUrl) -> Result<ServerConfig, Failure> {
    let mut settings = router::config(&config.domain, config.mechanisms.clone()).map_err(Failure::usage)?;
    settings.domains.extend_from_slice(&config.virtual_hosts);
    settings.conflict = config.conflict;
    settings.contacts = config.contacts.clone();
    settings.registration = config.registration;
    settings.registrations_per_minute = config.registrations_per_minute;
    let admins = config.admins.iter().map(|admin| Jid::parse(admin));
    settings.admins = admins
        .collect::<Result<_, _>>()
        .map_err(|error| Failure::usage(format!("an administrator's address is none: {error}")))?;
    settings.plain_proofs &= *url == StoreUrl::Memory;
    Ok(settings)
}

/// Accounts come from the store; those of the configuration that are not there are made, and saved before anybody connects.
fn build(config: &ServeConfig, url: &StoreUrl, reactors: usize) -> Result<Built, Failure> {
    let settings = settings(config, url)?;
    let domains = settings.domains.clone();
    let mut builder = Builder::new(settings, reactors);
    let cannot =
        |what: String| Failure::usage(format!("cannot use the store {url}: {what}")).help(WITHOUT_STORE);
    let mut opened = None;
    if *url != StoreUrl::Memory {
        let database = Opened::open(url, &domains, |records| builder.load(records)).map_err(cannot)?;
        builder.keep_in(&(database.store() as Arc<dyn Store>));
        opened = Some(database);
    }
    let loaded = builder.account_count();
    for user in &config.users {
        let address = user.address(&domains[0]);
        let account = Jid::parse(&address)
            .map_err(|error| Failure::usage(format!("`{address}` is no account's address: {error}")))?;
        if !builder.has_account(&account) {
            builder.add_account(&account, &user.password).map_err(Failure::usage)?;
        }
    }
    if let Some(path) = &config.scenario {
        let loaded = scenario::load(path, &Overrides::default())?;
        builder.add_scenario(&loaded.scenario).map_err(Failure::usage)?;
    }
    if let Some(opened) = &mut opened {
        opened.save_now(&builder.take_unsaved()).map_err(cannot)?;
    }
    Ok(Built { builder, opened, loaded })
}
