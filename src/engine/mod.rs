//! L3: connections and what they ask of their driver.
//!
//! The engine opens no socket, reads no clock and starts no thread. A driver (`reactor` or `sim`) owns the sockets,
//! tells a [`Hub`] what happened (`handle_*`), and carries out what the hub wants done. The hub owns the
//! connections and one [`World`]; it tells each connection's [`Handler`] (`on_*`).

mod buffer_pool;
mod close;
mod connection;
mod counters;
mod cx;
#[cfg(test)]
pub(crate) mod echo;
mod effects;
mod fleet;
mod handler;
mod hub;
mod job;
mod outbox;
mod timers;
mod transport;

pub use buffer_pool::BufferPool;
pub use close::{CloseReason, Ended};
pub use connection::Connection;
pub use counters::Counters;
pub use cx::Cx;
pub use effects::{Connect, Effect, Effects, Stamp, Target};
pub use fleet::{Letter, Luggage, Moving, Never, Seat, fleet};
pub use handler::{ConnId, Handler, World};
pub use hub::{AnswerOf, Hub, Intent, JobOf, Ticket};
pub use job::{Answerer, Errand, Job, do_here};
pub use outbox::Outbox;
pub use timers::{Timer, Timers};
pub use transport::Transport;
