//! XMPP stanza router and load-testing harness: two halves on one engine.
//!
//! This crate is the library behind the `xmpp-bench` program. It does not parse the command line
//! (`main.rs` and `cli.rs` do), and below [`reactor`] it opens no socket, reads no clock and makes no
//! randomness of its own: time and random numbers are arguments.
//!
//! # Layers
//!
//! Arrows point down only; `tests/tidy.rs` checks them.
//!
//! | Layer | Modules |
//! |---|---|
//! | L6 | [`app`]: the control plane, one file per subcommand |
//! | L5 | [`reactor`] (mio and the real clock), [`sim`] (queues and a virtual clock) |
//! | L4 | [`server`], [`load`]: the two handlers; neither knows the other |
//! | L3 | [`engine`]: connections, outboxes, timers, effects |
//! | L3 | [`store`]: what a server keeps beyond its process, as requests and replies |
//! | L2 | [`stream`] (negotiation), [`router`] (homes, sessions, delivery) |
//! | L1 | [`stanza`]: addresses, heads, stanzas, errors |
//! | L0 | [`xml`]: framing, tags, elements, escaping |
//! | any | [`limits`], [`time`], [`metrics`] |

pub mod app;
pub mod engine;
pub mod limits;
pub mod load;
pub mod metrics;
pub mod reactor;
pub mod router;
pub mod server;
pub mod sim;
pub mod stanza;
pub mod store;
pub mod stream;
pub mod time;
pub mod xml;
