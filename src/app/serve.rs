//! `xmpp-bench serve`: the router by itself, in this process, until a signal.
//!
//! It has no seed: nothing that a client sees of this router can be guessed.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use super::exit::{Exit, Failure};
use super::report::numbers::{bytes, count};
use super::router::{self, Builder};
use super::scenario::{self, Overrides};
use super::serve_config::{self, ServeConfig};
use super::store::{Opened, StoreUrl};
use super::terminal::Terminal;
use super::{cores, descriptors, signals};
use crate::limits::HOMES_MAX;
use crate::reactor::{Fleet, ReactorReport};
use crate::server::{AccountNews, BusyAccount, ServerNews, ServerWorld};
use crate::stanza::Jid;
use crate::store::Store;

/// Most reactors of one router.
pub const REACTORS_MAX: usize = HOMES_MAX;

/// Environment variable with the log's filter, for instance `debug` or `xmpp_bench::server=trace`.
const LOG_FILTER: &str = "XB_LOG";

/// How long the end may take once it was asked for.
const DRAIN_MAX: Duration = Duration::from_secs(20);

/// What the command line asks for.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The configuration's file.
    pub config: Option<PathBuf>,
    /// Listen here instead.
    pub listen: Option<SocketAddr>,
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
    let mut config = match &options.config {
        Some(path) => ServeConfig::read(path)?,
        None if options.test_suite => ServeConfig::for_test_suites(),
        None => ServeConfig::default(),
    };
    if let Some(domain) = &options.domain {
        config.set_domain(domain);
    }
    if let Some(listen) = options.listen {
        serve_config::loopback_only(listen).map_err(|what| Failure::usage(format!("--listen: {what}")))?;
        config.listen = listen;
    }
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
    let address = fleet.listen(config.listen).map_err(|error| {
        Failure::usage(format!("cannot listen on {}: {error}", config.listen))
            .help("`--listen 127.0.0.1:0` takes any free port")
    })?;
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
        .out(&greeting(&config, address, accounts, (&url, loaded), kind))
        .map_err(|error| cannot("cannot write", error))?;
    tracing::info!(%address, accounts, reactors, open_files = open_files.soft, "serving");
    let homes = fleet.run().map_err(|error| cannot("the event loop failed", error))?;
    log_end(&homes);
    // The homes have the store; its thread ends when they are gone.
    drop(homes);
    if let Some(thread) = store_thread {
        thread.join();
    }
    Ok(Exit::Passed)
}

/// What each home did, in the log.
fn log_end(homes: &[(ServerWorld, ReactorReport)]) {
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

/// For whom a file is too much.
const WITHOUT_STORE: &str = "`--store memory` keeps nothing beyond the process";

/// `--check-config`: everything that can be found out without starting anything.
fn check(
    options: &Options,
    config: &ServeConfig,
    url: &StoreUrl,
    terminal: Terminal,
) -> Result<Exit, Failure> {
    router::config(&config.domain, config.mechanisms.clone()).map_err(Failure::usage)?;
    if let Some(path) = &config.scenario {
        scenario::load(path, &Overrides::default())?;
    }
    let name =
        options.config.as_ref().map_or_else(|| "defaults".to_owned(), |path| path.display().to_string());
    let text = format!("{name}: ok: {} on {}, store {url}\n", config.domain, config.listen);
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

/// Accounts come from the store; those of the configuration that are not there are made, and saved before anybody connects.
fn build(config: &ServeConfig, url: &StoreUrl, reactors: usize) -> Result<Built, Failure> {
    let mut settings = router::config(&config.domain, config.mechanisms.clone()).map_err(Failure::usage)?;
    settings.conflict = config.conflict;
    settings.contacts = config.contacts.clone();
    settings.registration = config.registration;
    settings.registrations_per_minute = config.registrations_per_minute;
    let admins = config.admins.iter().map(|admin| Jid::parse(admin));
    settings.admins = admins
        .collect::<Result<_, _>>()
        .map_err(|error| Failure::usage(format!("an administrator's address is none: {error}")))?;
    settings.plain_proofs &= *url == StoreUrl::Memory;
    let domain = settings.domains[0].clone();
    let mut builder = Builder::new(settings, reactors);
    let cannot =
        |what: String| Failure::usage(format!("cannot use the store {url}: {what}")).help(WITHOUT_STORE);
    let mut opened = None;
    if *url != StoreUrl::Memory {
        let database = Opened::open(url, &domain, |records| builder.load(records)).map_err(cannot)?;
        builder.keep_in(&(database.store() as Arc<dyn Store>));
        opened = Some(database);
    }
    let loaded = builder.account_count();
    for user in &config.users {
        if !builder.has_account(&user.name) {
            builder.add_account(&user.name, &user.password).map_err(Failure::usage)?;
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

/// Where the configuration comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Configured,
    Trial,
    TestSuite,
}

/// How to connect. Passwords are shown only of accounts that are made up here.
fn greeting(
    config: &ServeConfig,
    address: SocketAddr,
    accounts: usize,
    (store, loaded): (&StoreUrl, usize),
    kind: Kind,
) -> String {
    let mechanisms: Vec<&str> = config.mechanisms.iter().map(|mechanism| mechanism.as_str()).collect();
    let mut text = format!(
        "listening on {address}, domain {}, {} account{}, {}\n",
        config.domain,
        count(accounts as u64),
        if accounts == 1 { "" } else { "s" },
        mechanisms.join(" ")
    );
    if *store == StoreUrl::Memory {
        text.push_str("store memory: nothing outlives this process\n");
    } else {
        let _ = writeln!(text, "store {store}, {} accounts loaded", count(loaded as u64));
    }
    // One that was there may have another password by now.
    let made = if loaded == 0 { "" } else { ", when it was made" };
    let users = |text: &mut String, word: &str| {
        for user in &config.users {
            let _ =
                writeln!(text, "{word} {}@{}, password {}{made}", user.name, config.domain, user.password);
        }
    };
    match kind {
        Kind::Configured => {}
        Kind::Trial => {
            users(&mut text, "account");
            text.push_str("connect without TLS, which is not built yet; Ctrl-C ends the router in order\n");
        }
        Kind::TestSuite => {
            let _ =
                writeln!(text, "host {}, port {}, domain {}", address.ip(), address.port(), config.domain);
            users(&mut text, "admin");
            text.push_str(
                "no TLS; accounts by the admin's commands (XEP-0133) or by registration (XEP-0077)\n",
            );
        }
    }
    text
}

/// Accounts and their parts of a home's deliveries, as one word of the log.
fn shares(busiest: &[BusyAccount]) -> String {
    let share = |busy: &BusyAccount| format!("{} {:.0} %", busy.jid, busy.share_ratio * 100.0);
    busiest.iter().map(share).collect::<Vec<_>>().join(", ")
}

/// Starts the log on stderr: `default` unless `XB_LOG` says otherwise.
pub(super) fn start_log(default: &str, terminal: Terminal) {
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
    fn only_the_trials_passwords_are_shown() {
        let config = ServeConfig::default();
        let address = "127.0.0.1:5222".parse().unwrap();
        let trial = greeting(&config, address, 2, (&StoreUrl::Memory, 0), Kind::Trial);
        assert!(trial.starts_with("listening on 127.0.0.1:5222, domain localhost, 2 accounts, "));
        assert!(trial.contains("account alice@localhost, password alice"));
        assert!(
            !greeting(&config, address, 2, (&StoreUrl::Memory, 0), Kind::Configured).contains("password")
        );
        let suite =
            greeting(&ServeConfig::for_test_suites(), address, 1, (&StoreUrl::Memory, 0), Kind::TestSuite);
        assert!(suite.contains("\nhost 127.0.0.1, port 5222, domain localhost\n"), "{suite}");
        assert!(suite.contains("\nadmin admin@localhost, password admin\n"), "{suite}");
    }

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
