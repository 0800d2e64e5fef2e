//! The embedded router: this program again, as a child process, so that its CPU and memory are its own.
//!
//! Nothing of a run is decided here. The conversation has three lines of JSON: the parent writes an [`Order`] to the
//! child's stdin and keeps the pipe open; the child answers [`Ready`] on stdout once it listens; when the pipe ends,
//! because the parent closed it or died, the child stops and its last line is an [`End`].

mod parent;
mod router;

use serde::{Deserialize, Serialize};

use crate::load::Scenario;

pub use parent::{Heard, Router};
pub use router::main;

/// Name of the hidden subcommand.
pub const SUBCOMMAND: &str = "embedded-router";

/// What the child is to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Text of the scenario as it is run: accounts and roster graph follow from its `[users]` and seed.
    pub scenario: String,
    /// Path and text of each file that the scenario names: the child opens none.
    pub files: Vec<(String, String)>,
    /// Cores to run on, with one reactor on each; one reactor anywhere when empty.
    pub cores: Vec<usize>,
}

impl Order {
    /// A router with the accounts and rosters of `scenario`.
    #[must_use]
    pub fn new(scenario: &Scenario, cores: Vec<usize>) -> Self {
        let files = scenario.files.iter().map(|file| (file.path.clone(), file.text.to_string())).collect();
        Self { scenario: scenario.text.clone(), files, cores }
    }
}

/// The child listens, or why it does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ready {
    /// Port on 127.0.0.1.
    Port(u16),
    /// One line.
    Failed(String),
}

/// What the child counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Reactors that it had; what follows are their sums.
    pub reactors: u64,
    /// Turns of its event loops.
    pub turns: u64,
    /// Nanoseconds not spent waiting.
    pub busy_ns: u64,
    /// Nanoseconds from start to end.
    pub elapsed_ns: u64,
    /// CPU time of its event loops, in nanoseconds.
    pub cpu_ns: u64,
    /// Connections accepted.
    pub accepted: u64,
    /// Bytes read.
    pub bytes_in: u64,
    /// Bytes written.
    pub bytes_out: u64,
    /// Copies of stanzas put into outboxes.
    pub delivered: u64,
    /// Copies whose connection was gone.
    pub undeliverable: u64,
    /// Presence dropped because a newer one waited behind it.
    pub superseded: u64,
    /// Connections closed because they did not read.
    pub slow_readers: u64,
    /// How often it was out of descriptors while a connection waited.
    pub accept_starved: u64,
    /// Connections that moved to the home of their account.
    pub moved: u64,
    /// Letters from one reactor to another.
    pub letters: u64,
    /// Times that a reactor woke another one.
    pub wakes: u64,
    /// Times that a connection's input waited because another reactor had no room for its stanza.
    pub parked: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_is_one_line() {
        let order = Order {
            scenario: "name = \"a\"\nseed = 1\n".into(),
            files: vec![("u.csv".into(), "a,b\n".into())],
            cores: vec![0, 2],
        };
        let line = serde_json::to_string(&order).unwrap();
        assert!(!line.contains('\n'));
        assert_eq!(serde_json::from_str::<Order>(&line).unwrap(), order);
        assert_eq!(serde_json::to_string(&Ready::Port(5)).unwrap(), r#"{"port":5}"#);
        assert_eq!(serde_json::to_string(&Ready::Failed("x".into())).unwrap(), r#"{"failed":"x"}"#);
    }
}
