//! Accounts that are made and removed while a server with three homes runs: in-band registration (XEP-0077) and
//! administration (XEP-0133), through the engine's hubs, with a clock and stores of the test's own.
#![allow(clippy::unwrap_used, reason = "a test")]

mod commands;
mod fleet;
mod registration;
