//! L2: where bare JIDs live, and who gets what.
//!
//! The router owns no connection and writes no stanza: it keeps accounts, rosters, sessions and presence, and decides.
//! Its owner (`server`) carries the decisions out. Three rules of DESIGN section 5 shape it:
//!
//! - Every bare JID has one home, and only the home decides about it ([`Shard::decide`]: RFC 6121 §8.5 in one place).
//!   What a sender's side hands over is a [`Parcel`], so that a mailbox can sit between the two sides.
//! - A session is not a connection: it has a [`Sink`], and a stale [`SessionId`] is "no such resource".
//! - A [`Shard`] has one owner, so nothing in it is locked.
//!
//! | Question | File |
//! |---|---|
//! | who is subscribed to whom (RFC 6121 §3, Appendix A) | `subscription` |
//! | what is in a roster (§2) | `roster` |
//! | which messages wait for an account (§8.5.2.2.1) | `offline` |
//! | which resources are connected, available, interested | `session`, `account` |
//! | when an account was last there (XEP-0012) | `last_seen` |
//! | who gets a stanza (§8.5) | `delivery` |
//! | what an account has stored for itself (XEP-0049) | `private` |
//! | whom an account has blocked (XEP-0191) | `blocklist` |
//! | which home has an address; mail between homes | `home`, [`mailbox`] |
//! | who gets the most | `busiest` |
//! | where an address is in memory | `hash`, `index`, `shard` |

mod account;
mod blocklist;
mod busiest;
mod delivery;
mod hash;
mod home;
mod index;
mod last_seen;
pub mod mailbox;
mod offline;
mod parcel;
mod private;
mod roster;
mod session;
mod shard;
mod subscription;

pub use account::{Account, PendingRequest};
pub use blocklist::Blocklist;
pub use busiest::{Busiest, Busy};
pub use delivery::{Dropped, Verdict};
pub use hash::{JidHash, JidHasher};
pub use home::{HomeId, Homes};
pub use last_seen::LastSeen;
pub use offline::Offline;
pub use parcel::{Audience, Parcel};
pub use private::{PrivateItem, PrivateStorage};
pub use roster::{Roster, RosterChange, RosterDetails, RosterItem};
pub use session::{Available, Session, SessionId, Sink};
pub use shard::{AccountId, LOOK_AHEAD, Shard};
pub use subscription::{Inbound, Outbound, Subscription, SubscriptionChange};
