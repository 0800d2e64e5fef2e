//! The scenario file: what is to be done, typed.
//!
//! Nothing is run here. The grammar is DESIGN's: unknown words are errors with a place and a suggestion, words that
//! are known and not built yet say so. Randomness comes from [`Scenario::seed`] alone.

mod breaks;
mod document;
mod error;
mod fields;
mod files;
mod lists;
mod pattern;
mod phases;
mod rates;
mod set;
#[cfg(test)]
mod tests;
mod units;
mod users;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

pub use error::ScenarioError;
pub use files::{ReadFile, ScenarioFile};
pub use lists::{AccountList, EdgeList};
pub use pattern::Pattern;

use crate::metrics::Slo;
use crate::stream::Mechanism;

/// A scenario file.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// Source of all randomness of the run.
    pub seed: u64,
    /// What is driven.
    pub target: TargetSpec,
    /// Who drives it.
    pub users: UsersSpec,
    /// What is done, in order; the first one logs the users in.
    pub phases: Vec<Phase>,
    /// What must hold.
    pub slos: Vec<Slo>,
    /// The text as run: `--set` applied.
    pub text: String,
    /// The files that it names, as they were read.
    pub files: Vec<ScenarioFile>,
}

/// What is driven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetSpec {
    /// `embedded` or a URL, not interpreted here.
    pub server: String,
    /// Line and column of `server` in [`Scenario::text`], from 1.
    pub server_place: (usize, usize),
    /// XMPP domain of the accounts.
    pub domain: String,
    /// Local addresses to connect from; the kernel's choice when empty.
    pub source_ips: Vec<IpAddr>,
}

/// Where the accounts come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Create {
    /// The embedded router is given them.
    Provision,
    /// Registered in-band before login (XEP-0077).
    Register,
    /// They are there.
    Existing,
}

/// Who drives the target.
#[derive(Debug, Clone, PartialEq)]
pub struct UsersSpec {
    /// How many.
    pub count: u32,
    /// Their names and passwords.
    pub accounts: Accounts,
    /// Resource of user n; the server's choice without.
    pub resource: Option<Pattern>,
    /// Where the accounts come from.
    pub create: Create,
    /// How they log in.
    pub auth: Mechanism,
    /// They use stream management (XEP-0198), and resume when they come back.
    pub stream_management: bool,
    /// Who is whose contact; without, what the server's rosters say.
    pub roster: Option<RosterSpec>,
    /// Registrations and logins of set-up per second; without, as fast as a few at a time are.
    pub setup_rate: Option<Rate>,
}

/// Names and passwords of the users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accounts {
    /// By number.
    Patterns {
        /// Localpart of user n.
        user: Pattern,
        /// Password of user n.
        password: Pattern,
    },
    /// One by one.
    Listed(Arc<AccountList>),
}

impl Accounts {
    /// Localpart of user `n`, counted from 0.
    #[must_use]
    pub fn username(&self, n: usize) -> String {
        match self {
            Self::Patterns { user, .. } => user.expand(n),
            Self::Listed(list) => list.get(n).0.to_owned(),
        }
    }

    /// Password of user `n`.
    #[must_use]
    pub fn password(&self, n: usize) -> String {
        match self {
            Self::Patterns { password, .. } => password.expand(n),
            Self::Listed(list) => list.get(n).1.to_owned(),
        }
    }

    /// The user of that name, which may be beyond those that the run has.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u32> {
        match self {
            Self::Patterns { user, .. } => user.number(name).and_then(|number| number.try_into().ok()),
            Self::Listed(list) => list.number(name),
        }
    }

    /// The password that all users have, unless each has its own.
    #[must_use]
    pub fn shared_password(&self) -> Option<String> {
        match self {
            Self::Patterns { password, .. } => (!password.is_numbered()).then(|| password.expand(0)),
            Self::Listed(list) => list.shared_password().map(str::to_owned),
        }
    }
}

impl UsersSpec {
    /// Localpart of user `n`, counted from 0.
    #[must_use]
    pub fn username(&self, n: usize) -> String {
        self.accounts.username(n)
    }

    /// Password of user `n`.
    #[must_use]
    pub fn password(&self, n: usize) -> String {
        self.accounts.password(n)
    }

    /// Resource of user `n`.
    #[must_use]
    pub fn resource(&self, n: usize) -> Option<String> {
        self.resource.as_ref().map(|p| p.expand(n))
    }
}

/// Shape of the roster graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Graph {
    /// Everybody has the nearest users by number.
    Ring,
    /// Everybody has users chosen at random.
    Random,
    /// A ring with every tenth edge rewired (Watts and Strogatz, 1998).
    SmallWorld,
    /// Few users have many contacts: popularity falls with the rank as in Zipf's law.
    Zipf,
    /// As a file says.
    File(Arc<EdgeList>),
}

/// Who is whose contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RosterSpec {
    /// Shape.
    pub graph: Graph,
    /// Contacts per user; exact in a ring, the mean otherwise (of a file rounded down).
    pub contacts: u32,
}

impl RosterSpec {
    /// Whether nobody has a contact.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match &self.graph {
            Graph::File(list) => list.edges().is_empty(),
            Graph::Ring | Graph::Random | Graph::SmallWorld | Graph::Zipf => self.contacts == 0,
        }
    }
}

/// How intended starts are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Shape {
    /// Evenly.
    #[default]
    Constant,
    /// As a Poisson process: independent, exponential gaps.
    Poisson,
}

/// Operations per second; positive and finite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate(pub f64);

/// How a rate goes on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// It stays.
    Steady(Rate),
    /// It changes evenly with time, and then stays at `to`.
    Ramp {
        /// At the beginning.
        from: Rate,
        /// At the end of `over`.
        to: Rate,
        /// How long it changes: without, as long as the phase's duration, or until the last user has arrived.
        over: Option<Duration>,
    },
}

/// How connections are broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// A reset, as from a machine that crashed: what is under way in both directions is gone.
    TcpReset,
    /// The end of the TCP connection without the end of the stream; what was written before arrives.
    TcpClose,
    /// The end of the stream (RFC 6120 §4.4), without unavailable presence before it.
    StreamClose,
}

/// When a user whose connection was broken tries again. Before attempt n, counted from 0, it waits at most `first` · 2ⁿ,
/// and never more than `longest`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reconnect {
    /// Longest wait before the first attempt.
    pub first: Duration,
    /// Longest wait of all.
    pub longest: Duration,
    /// Whether it waits a random part of that (RFC 6120 §3.3 asks for it), and not all of it.
    pub jitter: bool,
    /// Nobody waits before the first attempt.
    pub at_once: bool,
}

/// Connections that a load phase breaks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Break {
    /// Share of the users, above 0 and up to 1; at least one user.
    pub share: f64,
    /// How.
    pub how: How,
    /// When, from the phase's beginning.
    pub at: Duration,
    /// When they come back.
    pub reconnect: Reconnect,
}

/// When the users log in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arrival {
    /// Logins per second; everybody at once without.
    pub rate: Option<Pace>,
    /// How they are spread.
    pub shape: Shape,
    /// When everybody must be ready, from the phase's start.
    pub timeout: Duration,
}

/// What a phase does.
#[derive(Debug, Clone, PartialEq)]
pub enum PhaseKind {
    /// Users log in until all are ready.
    Login(Arrival),
    /// Users act.
    Load {
        /// How long operations are started.
        duration: Duration,
        /// Which.
        actions: Vec<ActionSpec>,
    },
}

/// One phase.
#[derive(Debug, Clone, PartialEq)]
pub struct Phase {
    /// Its name, unique.
    pub name: String,
    /// Whether it is judged.
    pub measure: bool,
    /// How long unanswered operations are waited for behind it.
    pub drain: Duration,
    /// What it does.
    pub kind: PhaseKind,
    /// Connections that it breaks; never in a login phase.
    pub breaks: Option<Break>,
}

/// What an action does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// A message to another user, until it arrives there.
    Chat,
    /// A presence change, until all required recipients have it.
    Presence,
    /// An IQ ping to the server (XEP-0199), until it is answered.
    Ping,
    /// Nothing.
    Idle,
    /// A request for the own roster (RFC 6121 §2.2), until it is answered.
    RosterGet,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Chat, Self::Presence, Self::Ping, Self::Idle, Self::RosterGet];

    /// Its word in the file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Presence => "presence",
            Self::Ping => "ping",
            Self::Idle => "idle",
            Self::RosterGet => "roster_get",
        }
    }
}

/// Who gets a chat message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recipients {
    /// A contact that is ready.
    Contact,
    /// Any user that is ready.
    Online,
    /// Any user.
    Any,
}

/// Availability (RFC 6121 §4.7.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    /// Plain available: no `<show/>`.
    Available,
    /// `away`
    Away,
    /// `chat`
    Chat,
    /// `dnd`
    Dnd,
    /// `xa`
    Xa,
}

/// One action of a phase.
#[derive(Debug, Clone, PartialEq)]
pub struct ActionSpec {
    /// What.
    pub action: Action,
    /// How often, over all users; `None` for `idle`.
    pub rate: Option<Pace>,
    /// How starts are spread.
    pub shape: Shape,
    /// Bytes of a message's body.
    pub size_bytes: u32,
    /// Who gets it.
    pub to: Recipients,
    /// Availabilities to go through in turn.
    pub show: Vec<Show>,
}

impl Scenario {
    /// Reads a scenario file.
    ///
    /// # Errors
    /// All faults that were found, in the order of the text.
    pub fn parse(text: &str) -> Result<Self, Vec<ScenarioError>> {
        Self::parse_with(text, &[])
    }

    /// Reads a scenario file and replaces values first: each pair is a dotted path (`users.count`,
    /// `phase.steady.duration`) and a value in TOML, or text when it is no TOML.
    ///
    /// # Errors
    /// All faults that were found, in the order of the text; one that a pair caused names its path.
    pub fn parse_with(text: &str, sets: &[(String, String)]) -> Result<Self, Vec<ScenarioError>> {
        Self::parse_with_files(text, sets, &mut |_| Err("no file is at hand here".to_owned()))
    }

    /// As [`Self::parse_with`]; `read_file` gives the text of each file that the scenario names.
    ///
    /// # Errors
    /// As there; a fault in a file says in which line of it.
    pub fn parse_with_files(
        text: &str,
        sets: &[(String, String)],
        read_file: ReadFile<'_>,
    ) -> Result<Self, Vec<ScenarioError>> {
        let (text, edits) = set::apply(text, sets).map_err(|e| vec![e])?;
        let root = set::parse(&text).map_err(|e| vec![e])?;
        let mut faults = fields::Faults::new(&text, &edits);
        let scenario = document::scenario(&root, &text, files::Files::new(read_file), &mut faults);
        let faults = faults.into_sorted();
        match scenario {
            Some(scenario) if faults.is_empty() => Ok(scenario),
            _ => {
                assert!(!faults.is_empty(), "a scenario that cannot be read has a fault with a place");
                Err(faults)
            }
        }
    }
}
