//! Each statement of docs/conformance.md that can be seen on a wire, asked of a server over sockets.
//!
//! The tests know nothing of our server's inside: `XB_CONFORMANCE_TARGET=prosody` or `=ejabberd` asks another server the
//! same, and `scripts/conformance.sh` asks all three and writes what came out into the page. A test is named in the page,
//! and a test of this suite (`page`) keeps both in step; `mutations` holds the fault of ours that each test has to notice.
//!
//! "Nothing arrives" is never a matter of waiting: something that has to travel the same way behind it arrives first.

#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "../support/mod.rs"]
mod support;

mod client;
mod element;
mod login;
mod mutations;
mod page;
mod scram;
mod target;

mod addresses;
mod appendix_a;
mod binding;
mod delivery;
mod offline;
mod own_settings;
mod plays;
mod presence;
mod probes;
mod resumption;
mod rosters;
mod routing;
mod sasl;
mod stanzas;
mod streams;
mod subscriptions;
mod xml;
