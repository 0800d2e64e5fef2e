//! What is done on a server before the first phase, and undone by a teardown: accounts and the roster graph.
//!
//! Nothing here is measured. Every errand can be repeated and takes up what an interrupted one left: an account that exists
//! and a contact that is there are skipped. Errands are carried out by one user after the other, a few at a time, and none
//! needs another user online; a step begins when every user is back from the one before.
//!
//! | Step | A user |
//! |---|---|
//! | register | makes its account (XEP-0077 §3.1) |
//! | ask | gets its roster, and asks each contact of the graph that is not `both` (RFC 6121 §3.1.1) |
//! | approve | gets its roster again, approves whoever lacks `from` (§3.1.4), and looks whether the server took it |
//! | clear | removes the contacts of the graph from its roster (§2.5) |
//! | remove | removes its account (XEP-0077 §3.2) |

mod mode;
mod register;
mod roster;
mod steps;
mod visit;

pub use mode::Mode;
pub(super) use register::{NS_REGISTER, NS_REGISTER_FEATURE, Registered, Registration};
pub(super) use steps::Errands;
pub(super) use visit::{Visit, VisitStep, Visited};
