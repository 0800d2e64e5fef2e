//! L6: the control plane, one file per subcommand.
//!
//! Nothing here is on the path of a stanza, and no flag is parsed here (`cli.rs` does). This layer starts and stops
//! things: a router as a child process ([`child`]) or in this one ([`serve`]), a load in a thread of its own
//! ([`run`]); it reads files, watches signals, and decides what is printed ([`report`]) and with which code the
//! program exits ([`exit`]).

pub mod check;
pub mod child;
pub mod clock;
pub mod conduct;
pub mod cores;
pub mod cost;
pub mod dashboard;
pub mod descriptors;
pub mod environment;
pub mod exit;
pub mod listener;
pub mod preflight;
pub mod process;
pub mod progress;
mod prometheus;
pub mod report;
pub mod result;
pub mod router;
pub mod run;
pub mod scenario;
pub mod serve;
pub mod serve_config;
pub mod setup;
pub mod signals;
pub mod sources;
pub mod store;
pub mod target;
pub mod terminal;
pub mod user;
pub mod vitals;
pub mod watch;
