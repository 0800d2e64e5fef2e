//! `xmpp-bench user`: accounts of a store, while a router serves them or not.
//!
//! It talks to the database and to nobody else; a router that runs hears of it within a second. A password is read from a
//! terminal without showing it, or from stdin, and only its salted keys are kept.

use std::fmt::Write as _;
use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;

use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use super::exit::{Exit, Failure};
use super::router;
use super::serve_config::ServeConfig;
use super::store::{Accounts, StoreUrl};
use super::terminal::Terminal;
use crate::server::AccountNews;
use crate::stanza::Jid;

/// What the command line asks for.
#[derive(Debug, Clone)]
pub struct Options {
    /// What is to be done.
    pub action: Action,
    /// The router's configuration: its domain and its store.
    pub config: Option<PathBuf>,
    /// The store, instead of the configuration's.
    pub store: Option<String>,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Make an account.
    Add {
        /// Localpart or bare JID.
        name: String,
        /// Asked for, without.
        password: Option<String>,
    },
    /// Remove an account with all that it has.
    Remove {
        /// Localpart or bare JID.
        name: String,
    },
    /// Set an account's password.
    Password {
        /// Localpart or bare JID.
        name: String,
        /// Asked for, without.
        password: Option<String>,
    },
    /// Print all accounts.
    List,
}

/// Longest password: servers need not take a longer one (RFC 4616 §2).
const PASSWORD_BYTES_MAX: usize = 1_024;

/// Does it.
///
/// # Errors
/// Exit code 2: the configuration, the name or the password is wrong, or the account is (not) there. Exit code 1: the
/// database refuses.
pub fn user(options: Options, terminal: Terminal) -> Result<Exit, Failure> {
    let Options { action, config: path, store } = options;
    let config = path.as_deref().map_or_else(|| Ok(ServeConfig::default()), ServeConfig::read)?;
    let url = config.store_url(store.as_deref(), path.as_deref())?;
    if url == StoreUrl::Memory {
        return Err(Failure::usage("the store is memory, which nobody else can see").help(
            "name another one: `--store sqlite:FILE`, or `store = \"sqlite:FILE\"` in the configuration",
        ));
    }
    let may_make = matches!(action, Action::Add { .. });
    // A password that is none must not leave a store behind.
    let change = match action {
        Action::List => None,
        Action::Add { name, password } => Some((put(new_account(&name, &config)?, password)?, true, "added")),
        Action::Password { name, password } => {
            Some((put(account(&name, &config)?, password)?, false, "has a new password"))
        }
        Action::Remove { name } => {
            Some((AccountNews::Removed { account: account(&name, &config)? }, false, "removed"))
        }
    };
    let mut accounts = Accounts::open(&url, may_make)
        .map_err(|what| Failure::usage(format!("cannot use the store {url}: {what}")))?;
    let print =
        |text: &str| terminal.out(text).map_err(|error| Failure::internal(format!("cannot write: {error}")));
    let refused = |what: String| Failure::internal(format!("the store {url} refuses: {what}"));
    let Some((news, is_new, done)) = change else {
        let names = accounts.list().map_err(refused)?;
        let text = names.iter().fold(String::new(), |mut text, name| {
            let _ = writeln!(text, "{name}");
            text
        });
        print(&text)?;
        return Ok(Exit::Passed);
    };
    let (AccountNews::Put { account, .. } | AccountNews::Removed { account }) = &news;
    let account = account.clone();
    if !accounts.change(&news, is_new).map_err(refused)? {
        let what = if is_new { "there is an account" } else { "there is no account" };
        let failure = Failure::usage(format!("{what} {account} in {url}"));
        return Err(failure.help(if is_new {
            "`user password` changes its password"
        } else {
            "`user list` shows all"
        }));
    }
    let made = if accounts.are_new() { format!(", which is the first in {url}") } else { String::new() };
    print(&format!("{account} {done}{made}\n"))?;
    Ok(Exit::Passed)
}

fn put(account: Jid, password: Option<String>) -> Result<AccountNews, Failure> {
    let password = password.map_or_else(|| ask(&account), Ok)?;
    not_too_long(password.len())?;
    let credentials = Arc::new(router::kept_credentials(&password).map_err(Failure::usage)?);
    Ok(AccountNews::Put { account, credentials })
}

/// A localpart of the configuration's domain, or a whole bare JID.
fn account(name: &str, config: &ServeConfig) -> Result<Jid, Failure> {
    let address = if name.contains('@') { name.to_owned() } else { format!("{name}@{}", config.domain) };
    let jid = Jid::parse(&address)
        .map_err(|error| Failure::usage(format!("`{address}` is no address: {error}")))?;
    if jid.as_ref().local().is_none() || jid.as_ref().resource().is_some() {
        return Err(Failure::usage(format!("`{address}` is no account's address, which is NAME@DOMAIN")));
    }
    Ok(jid)
}

/// As [`account`], and the same one for every server (RFC 7622 beside the stringprep that most still run).
fn new_account(name: &str, config: &ServeConfig) -> Result<Jid, Failure> {
    let account = account(name, config)?;
    let (local, domain) = name.split_once('@').unwrap_or_else(|| (name, account.as_ref().domain()));
    Jid::new_account(local, domain)
        .map_err(|error| Failure::usage(format!("`{name}` cannot be an account's name: {error}")))
}

/// The password: one line, from a terminal without echo.
fn ask(account: &Jid) -> Result<String, Failure> {
    let cannot = |error: io::Error| Failure::internal(format!("cannot read a password: {error}"));
    let stdin = io::stdin();
    let hidden = stdin.is_terminal().then(|| Echo::off(account)).transpose().map_err(cannot)?;
    let mut line = Vec::new();
    // Enough to see that it is too long.
    let max = PASSWORD_BYTES_MAX as u64 + 2;
    stdin.lock().take(max).read_until(b'\n', &mut line).map_err(cannot)?;
    drop(hidden);
    while line.last().is_some_and(|byte| b"\r\n".contains(byte)) {
        line.pop();
    }
    not_too_long(line.len())?;
    String::from_utf8(line).map_err(|_| Failure::usage("the password is no UTF-8"))
}

fn not_too_long(bytes: usize) -> Result<(), Failure> {
    if bytes > PASSWORD_BYTES_MAX {
        return Err(Failure::usage("the password has more than 1,024 bytes, and servers need not take it"));
    }
    Ok(())
}

/// A terminal that does not show what is typed, until this is dropped.
struct Echo(rustix::termios::Termios);

impl Echo {
    fn off(account: &Jid) -> io::Result<Self> {
        write!(io::stderr(), "password of {account}: ")?;
        let before = tcgetattr(io::stdin())?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &silent)?;
        Ok(Self(before))
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        // A terminal that is gone shows nothing.
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
        let _ = writeln!(io::stderr());
    }
}
