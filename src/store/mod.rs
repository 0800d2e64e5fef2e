//! What a server keeps beyond its process, as requests and replies.
//!
//! There is no database here, and nothing is read while a server runs: each home has its accounts in memory, loads them
//! once ([`AccountRecord`]) and hands every change ([`Change`]) to a [`Store`]. It goes on at once; only what promises
//! that something is safe waits for the reply (DESIGN section 5, the accept barrier).
//!
//! Stores that talk to databases are `app`'s. [`MemoryStore`] is for tests and for the simulator.

mod change;
mod memory;
mod record;

use std::fmt::Debug;

pub use change::{Change, ValueKind};
pub use memory::MemoryStore;
pub use record::{AccountRecord, ItemRecord, OfflineRecord};

/// Called once, from any thread, when changes are safe.
pub type Saved = Box<dyn FnOnce() + Send>;

/// Keeps changes.
pub trait Store: Debug + Send + Sync {
    /// Makes `changes` durable, in order and all of them or none, and then calls `saved`. Never blocks. A store that
    /// cannot reach its database goes on trying; until then `saved` is not called. What the database refuses for what it
    /// is, and not for the moment, is left out and logged: it would keep everything behind it from being saved.
    fn save(&self, changes: Vec<Change>, saved: Saved);

    /// Whether the last attempt to reach the database went well. While it does not, nobody new is let in
    /// (`temporary-auth-failure`, RFC 6120 §6.5.10).
    fn is_up(&self) -> bool;
}
