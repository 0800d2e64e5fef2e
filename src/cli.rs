//! The command line: flags in, one struct per subcommand out.
//!
//! It does nothing of what the flags ask for; each subcommand is one call into [`xmpp_bench::app`]. What is not built
//! yet has no flag here, and asking for it by its name is answered with what there is instead.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum, ValueHint};
use xmpp_bench::app::exit::{Exit, Failure};
use xmpp_bench::app::terminal::Terminal;
use xmpp_bench::app::{check, child, report, run, scenario, serve, user};

/// Subcommands of the design that have no walls yet.
const NOT_BUILT: [&str; 3] = ["capacity", "compare", "agent"];
const SUBCOMMANDS: &str = "run, check, serve, user, report, completions";

const EXAMPLES: &str = "\
Examples:
  xmpp-bench scenarios/smoke.toml                     start the router, load it, print a verdict
  xmpp-bench scenarios/smoke.toml --target xmpp://127.0.0.1 --domain localhost
                                                      the same load on another server
  xmpp-bench run smoke.toml --set users.count=50 --seed 7
  xmpp-bench smoke.toml --target xmpp://10.0.0.5 --set users.create=register --teardown
                                                      remove the accounts that this load had registered
  xmpp-bench check scenarios/*.toml                   find mistakes without running anything
  xmpp-bench check smoke.toml --target xmpp://127.0.0.1
                                                      can it run there? each obstacle with its fix
  xmpp-bench serve                                    the router alone, on 127.0.0.1:5222
  xmpp-bench serve --test-suite                       the same for somebody's conformance suite
  xmpp-bench user add alice                           make an account, while the router runs or not
  xmpp-bench report out/smoke-20240229-123456         print a result again

Exit codes:
  0    passed: every SLO held
  1    internal error
  2    wrong usage, scenario or configuration; nothing was sent
  3    an SLO was broken
  5    the measurement is invalid: the harness was the limit, or the rate was missed; never a pass
  6    the target is unreachable, refused the login, or went away
  130  interrupted (SIGINT), 143 terminated (SIGTERM); a partial result is written and marked

The result goes to stdout, progress to stderr. NO_COLOR is honoured.";

const SERVE_EXAMPLES: &str = "\
Examples:
  xmpp-bench serve                                    two accounts to try it with, kept in a file
  xmpp-bench serve --store memory                     the same, and nothing is kept
  xmpp-bench serve serve.toml --store sqlite:/var/lib/xmpp/router.db
  xmpp-bench serve serve.toml --store postgres://xmpp@db.example.org/xmpp
  xmpp-bench serve serve.toml --check-config          find mistakes without serving

Without `--store` and without `store` in the configuration, accounts are in the file xmpp-bench.db
beside the configuration; without a configuration, in $XDG_DATA_HOME/xmpp-bench; with a `scenario`,
in memory.";

const USER_EXAMPLES: &str = "\
Examples:
  xmpp-bench user add alice                           asks for the password
  xmpp-bench user add alice@example.org --config serve.toml <password-file
  xmpp-bench user password alice --password new
  xmpp-bench user remove alice --store sqlite:router.db
  xmpp-bench user list --config serve.toml";

#[derive(Debug, Parser)]
#[command(
    name = "xmpp-bench",
    version,
    about = "Measures XMPP servers with thousands of synthetic clients; brings its own router to compare with.",
    override_usage = "xmpp-bench SCENARIO.toml [OPTIONS]\n       xmpp-bench <COMMAND>",
    after_help = EXAMPLES,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    max_term_width = 110
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a scenario (the word `run` may be left out)
    Run(RunArgs),
    /// Validate scenarios without running them; with a target, try it with one client
    Check(CheckArgs),
    /// Run the router by itself, until SIGINT or SIGTERM
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(ServeArgs),
    /// Make, change, remove and list the accounts of a router, while it serves or not
    #[command(after_help = USER_EXAMPLES)]
    User(UserArgs),
    /// Print a result again
    Report(ReportArgs),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// What changes a scenario without editing it.
#[derive(Debug, Args)]
struct Overrides {
    /// What to load instead of the scenario's own target: `embedded`, xmpp://HOST[:PORT] or xmpp+plain://HOST[:PORT]
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    target: Option<String>,
    /// Domain of the accounts on the target
    #[arg(long, value_name = "DOMAIN", value_hint = ValueHint::Hostname)]
    domain: Option<String>,
    /// Replace one value of the scenario, for instance users.count=50 (repeatable)
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = parse_set)]
    sets: Vec<(String, String)>,
    /// Seed of all randomness: the same seed is the same schedule
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

#[derive(Debug, Args)]
struct RunArgs {
    /// Scenario to run
    #[arg(value_name = "SCENARIO.toml", value_hint = ValueHint::FilePath)]
    scenario: PathBuf,
    #[command(flatten)]
    overrides: Overrides,
    /// Folder of the result [default: out/<name>-<time>]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    out: Option<PathBuf>,
    /// Print the result as JSON instead of text
    #[arg(long)]
    json: bool,
    /// No progress on stderr
    #[arg(long, short)]
    quiet: bool,
    /// Repeat a run that came out invalid (exit code 5), at most N times: retry:N
    #[arg(long, value_name = "retry:N", value_parser = retries)]
    on_invalid: Option<u32>,
    /// Threads that play the users [default: the harness's cores]
    #[arg(long, value_name = "N", value_parser = reactors)]
    harness_reactors: Option<usize>,
    /// Make accounts and rosters on the target, and nothing else
    #[arg(long, conflicts_with_all = ["teardown", "out", "json"])]
    setup_only: bool,
    /// Remove what the scenario's set-up makes on the target, and nothing else
    #[arg(long, conflicts_with_all = ["out", "json"])]
    teardown: bool,
    /// Load a server with a public address: you say that it is yours
    #[arg(long)]
    yes_this_is_my_server: bool,
}

#[derive(Debug, Args)]
struct CheckArgs {
    /// Scenarios to validate
    #[arg(value_name = "SCENARIO.toml", required = true, value_hint = ValueHint::FilePath)]
    scenarios: Vec<PathBuf>,
    #[command(flatten)]
    overrides: Overrides,
    /// Try the target with one real client: name, accounts, ids, rate limits, …; `--target` does so, too
    #[arg(long)]
    preflight: bool,
    /// Print the result as JSON instead of text
    #[arg(long)]
    json: bool,
    /// Try a server with a public address: you say that it is yours
    #[arg(long)]
    yes_this_is_my_server: bool,
}

#[derive(Debug, Args)]
struct ServeArgs {
    /// Configuration; without it, two accounts on 127.0.0.1:5222
    #[arg(value_name = "CONFIG.toml", value_hint = ValueHint::FilePath)]
    config: Option<PathBuf>,
    /// Without a configuration, what test suites need: no TLS, registration, an admin (docs/test-suites.md)
    #[arg(long, conflicts_with = "config")]
    test_suite: bool,
    /// Serve this domain instead
    #[arg(long, value_name = "DOMAIN", value_hint = ValueHint::Hostname)]
    domain: Option<String>,
    /// Listen here instead; repeatable
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Vec<std::net::SocketAddr>,
    /// Show what is counted to Prometheus, at http://ADDRESS:PORT/metrics
    #[arg(long, value_name = "ADDRESS:PORT")]
    metrics: Option<std::net::SocketAddr>,
    /// Run so many reactors (threads) instead of one for each core
    #[arg(long, value_name = "N", value_parser = reactors)]
    reactors: Option<usize>,
    /// Keep accounts here instead: memory, sqlite:FILE, postgres://USER@HOST/DATABASE
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// Only say whether the configuration is right
    #[arg(long)]
    check_config: bool,
}

#[derive(Debug, Args)]
struct UserArgs {
    #[command(subcommand)]
    action: UserAction,
    /// The router's configuration: its domain and its store
    #[arg(long, global = true, value_name = "CONFIG.toml", value_hint = ValueHint::FilePath)]
    config: Option<PathBuf>,
    /// The store, instead of the configuration's: sqlite:FILE or postgres://USER@HOST/DATABASE
    #[arg(long, global = true, value_name = "URL")]
    store: Option<String>,
}

#[derive(Debug, Subcommand)]
enum UserAction {
    /// Make an account
    Add(PasswordArgs),
    /// Remove an account with its roster and its messages; its sessions end
    Remove {
        /// Name, or NAME@DOMAIN
        name: String,
    },
    /// Set an account's password
    Password(PasswordArgs),
    /// Print all accounts
    List,
}

#[derive(Debug, Args)]
struct PasswordArgs {
    /// Name, or NAME@DOMAIN
    name: String,
    /// The password; without, it is asked for, or one line of stdin
    #[arg(long, value_name = "PASSWORD")]
    password: Option<String>,
}

impl From<UserArgs> for user::Options {
    fn from(args: UserArgs) -> Self {
        let UserArgs { action, config, store } = args;
        let action = match action {
            UserAction::Add(PasswordArgs { name, password }) => user::Action::Add { name, password },
            UserAction::Remove { name } => user::Action::Remove { name },
            UserAction::Password(PasswordArgs { name, password }) => {
                user::Action::Password { name, password }
            }
            UserAction::List => user::Action::List,
        };
        Self { action, config, store }
    }
}

fn reactors(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| (1..=serve::REACTORS_MAX).contains(count));
    count.ok_or_else(|| format!("between 1 and {}", serve::REACTORS_MAX))
}

fn retries(text: &str) -> Result<u32, String> {
    let count = text.strip_prefix("retry:").and_then(|count| count.parse().ok());
    count
        .filter(|count| (1..=run::RETRIES_MAX).contains(count))
        .ok_or_else(|| format!("not retry:N with N between 1 and {}", run::RETRIES_MAX))
}

#[derive(Debug, Args)]
struct ReportArgs {
    /// Folder of a result, or its result.json
    #[arg(value_name = "RESULT", value_hint = ValueHint::AnyPath)]
    result: PathBuf,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// At most 40 lines for people
    Text,
    /// The whole result.json
    Json,
}

/// Parses the command line, does what it asks for, and says how it went.
pub(crate) fn main() -> ExitCode {
    let terminal = Terminal::from_environment();
    let arguments: Vec<OsString> = std::env::args_os().collect();
    // Not for people, so neither help nor completions know it: the router of `run`, told what to do over stdin.
    if arguments.get(1).is_some_and(|word| word == child::SUBCOMMAND) {
        return finish(terminal, child::main());
    }
    let arguments = match with_subcommand(arguments) {
        Ok(arguments) => arguments,
        Err(failure) => return finish(terminal, Err(failure)),
    };
    // Help exits with 0 and a mistake with 2, each on its own stream.
    let cli = Cli::try_parse_from(arguments).unwrap_or_else(|error| error.exit());
    finish(terminal, dispatch(cli.command, terminal))
}

fn finish(terminal: Terminal, outcome: Result<Exit, Failure>) -> ExitCode {
    outcome
        .unwrap_or_else(|failure| {
            terminal.fail(&failure);
            failure.exit
        })
        .into()
}

fn dispatch(command: Command, terminal: Terminal) -> Result<Exit, Failure> {
    match command {
        Command::Run(args) => run::run(&args.into(), terminal),
        Command::Check(args) => check::check(&args.into(), terminal),
        Command::Serve(args) => {
            let ServeArgs { config, test_suite, domain, listen, metrics, reactors, store, check_config } =
                args;
            let options =
                serve::Options { config, listen, metrics, domain, reactors, test_suite, store, check_config };
            serve::serve(&options, terminal)
        }
        Command::User(args) => user::user(args.into(), terminal),
        Command::Report(args) => {
            let format = match args.format {
                Format::Text => report::Format::Text,
                Format::Json => report::Format::Json,
            };
            report::print_again(&args.result, format, terminal)
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "xmpp-bench", &mut script);
            terminal
                .out(&String::from_utf8_lossy(&script))
                .map_err(|error| Failure::internal(format!("cannot write: {error}")))?;
            Ok(Exit::Passed)
        }
    }
}

impl From<Overrides> for scenario::Overrides {
    fn from(args: Overrides) -> Self {
        let Overrides { target, domain, sets, seed } = args;
        Self { target, domain, sets, seed }
    }
}

impl From<RunArgs> for run::Options {
    fn from(args: RunArgs) -> Self {
        Self {
            scenario: args.scenario,
            overrides: args.overrides.into(),
            out: args.out,
            json: args.json,
            quiet: args.quiet,
            mine: args.yes_this_is_my_server,
            retries_if_invalid: args.on_invalid.unwrap_or(0),
            harness_reactors: args.harness_reactors,
            mode: match (args.setup_only, args.teardown) {
                (true, _) => run::Mode::SetUpOnly,
                (false, true) => run::Mode::Teardown,
                (false, false) => run::Mode::Run,
            },
        }
    }
}

impl From<CheckArgs> for check::Options {
    fn from(args: CheckArgs) -> Self {
        Self {
            scenarios: args.scenarios,
            overrides: args.overrides.into(),
            preflight: args.preflight,
            json: args.json,
            mine: args.yes_this_is_my_server,
        }
    }
}

fn parse_set(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.trim().to_owned())),
        _ => Err("not KEY=VALUE, for instance users.count=50".to_owned()),
    }
}

/// Puts in the word `run` where it was left out: before a flag of `run`, or before something that is a path. Any
/// other word is left for clap, which knows the subcommands and suggests the nearest.
fn with_subcommand(mut arguments: Vec<OsString>) -> Result<Vec<OsString>, Failure> {
    let Some(first) = arguments.get(1).map(OsString::as_os_str) else { return Ok(arguments) };
    if let Some(name) = NOT_BUILT.iter().find(|name| first == OsStr::new(name)) {
        return Err(
            Failure::usage(format!("`{name}` is not built yet")).help(format!("there is: {SUBCOMMANDS}"))
        );
    }
    let word = first.to_string_lossy();
    let own_flag = ["-h", "--help", "-V", "--version"].contains(&word.as_ref());
    let is_subcommand =
        Cli::command().get_subcommands().any(|command| first == OsStr::new(command.get_name()));
    let is_path = word.contains(['/', '.']) || PathBuf::from(first).exists();
    if !own_flag && !is_subcommand && (word.starts_with('-') || is_path) {
        arguments.insert(1, "run".into());
    }
    Ok(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(words: &[&str]) -> Vec<String> {
        let arguments = ["xmpp-bench"].iter().chain(words).map(OsString::from).collect();
        with_subcommand(arguments)
            .unwrap()
            .iter()
            .skip(1)
            .map(|word| word.to_string_lossy().into_owned())
            .collect()
    }

    #[test]
    fn the_word_run_may_be_left_out() {
        let cases: [(&[&str], &[&str]); 7] = [
            (&["a.toml", "--json"], &["run", "a.toml", "--json"]),
            (&["dir/a"], &["run", "dir/a"]),
            (&["--seed", "7", "a.toml"], &["run", "--seed", "7", "a.toml"]),
            (&["run", "a.toml"], &["run", "a.toml"]),
            (&["serve"], &["serve"]),
            (&["--help"], &["--help"]),
            (&["chekc"], &["chekc"]),
        ];
        for (given, want) in cases {
            assert_eq!(expanded(given), want);
        }
    }

    #[test]
    fn flags_are_consistent() {
        Cli::command().debug_assert();
        assert_eq!(parse_set("users.count = 5"), Ok(("users.count".into(), "5".into())));
        assert_eq!(parse_set("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert_eq!((retries("retry:1"), retries("retry:10")), (Ok(1), Ok(10)));
        assert!(["retry:0", "retry:11", "retry", "3", "retry:-1"].iter().all(|text| retries(text).is_err()));
        assert!(parse_set("=5").is_err() && parse_set("users.count").is_err());
    }
}
