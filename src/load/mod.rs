//! L4: synthetic clients, and the schedule that drives them.
//!
//! This layer opens no socket and reads no clock; the engine's driver does. It does not know the router's side.
//! A [`Scenario`] says what is to be done, a [`LoadWorld`] does it on schedule through [`VirtualUser`]s, and
//! what was measured leaves as a [`crate::metrics::Summary`].

mod advice;
mod audience;
mod graph;
mod ids;
mod journal;
mod mail;
mod markers;
mod monitor;
mod outcome;
pub mod preflight;
mod random;
mod reconnect;
pub mod scenario;
mod schedule;
mod setup;
mod share;
mod stage;
mod stanzas;
mod tally;
#[cfg(test)]
mod tests;
mod together;
mod user;
mod users;
mod world;

pub use advice::advice;
pub use graph::contacts;
pub use mail::Mail;
pub use monitor::{Monitor, SetUpProgress, Snapshot};
pub use scenario::{Scenario, ScenarioError};
pub use setup::Mode;
pub use user::{Task, VirtualUser};
pub use world::{LoadPlan, LoadWorld};
