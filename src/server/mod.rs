//! L4: an XMPP server for clients, as a world of connections (RFC 6120, RFC 6121).
//!
//! This layer opens no socket and decides about no recipient: the engine moves bytes and [`crate::router`] decides. It
//! translates between the two: frames of a stream become stanzas with a checked sender, decisions become deliveries.
//! There is no offline storage, no TLS and no server-to-server stream yet; other domains are `remote-server-not-found`.
//!
//! One file for each section of an RFC and each XEP, and one line in `iq`'s table for each payload that the server
//! answers:
//!
//! | File | What |
//! |---|---|
//! | `client_link` | one client's stream, from its first byte to its end (RFC 6120 §4) |
//! | `login` | which account a stream logs in to |
//! | `bind` | resources: binding, conflicts, ends (RFC 6120 §7) |
//! | `stream_management` | acknowledgements and resumption (XEP-0198) |
//! | `stanzas` | the sender's side: whose is it, is it sound (RFC 6120 §8, §10.3) |
//! | `routing` | to the recipient's home, and what the home does (RFC 6120 §10, RFC 6121 §8) |
//! | `presence`, `directed`, `probe` | RFC 6121 §4.2, §4.4, §4.5; §4.6; §4.3 |
//! | `subscription` | RFC 6121 §3 and Appendix A |
//! | `iq` | the table of what the server answers (RFC 6120 §8.2.3) |
//! | `blocking` | XEP-0191 |
//! | `values` | what of these the store keeps |
//! | `private`, `vcard` | XEP-0049; XEP-0054 |
//! | `hints` | what a message says about being kept (XEP-0334, XEP-0085, XEP-0160) |
//! | `busiest` | whose stanzas are most of a home's work |
//! | `delay` | XEP-0203: what says that a stanza comes late |
//! | `roster`, `legacy` | RFC 6121 §2; RFC 3921 §3 |
//! | `disco`, `contact` | XEP-0030; XEP-0157 |
//! | `ping`, `version`, `time`, `last` | XEP-0199; XEP-0092; XEP-0202; XEP-0012 |
//! | `register` | XEP-0077; `throttle`: how often |
//! | `commands`, `forms` | XEP-0050; XEP-0004 |
//! | `administration` | XEP-0133 |
//! | `news` | what the operator changes from outside while the server runs |
//! | `calls`, `serving`, `removal` | what one home asks of another about accounts, and what the other does |

mod accounts;
mod administration;
mod bind;
mod blocking;
mod busiest;
mod calls;
mod client_link;
mod client_task;
mod commands;
mod config;
mod connections;
mod contact;
mod counters;
mod delay;
mod directed;
mod disco;
mod ending;
mod forms;
mod hints;
mod iq;
mod jobs;
mod last;
mod legacy;
mod login;
mod mail;
mod news;
mod offline;
mod ping;
mod presence;
mod private;
mod probe;
mod register;
mod removal;
mod roster;
mod routing;
mod saving;
mod serving;
mod stanzas;
mod stream_management;
mod subscription;
mod throttle;
mod time;
mod values;
mod vcard;
mod version;
mod world;
mod write;

pub use accounts::ProvisionError;
pub use busiest::BusyAccount;
pub use calls::{Call, CallId, Returned, Secret, Which};
pub use client_link::ClientLink;
pub use client_task::ClientTask;
pub use config::{AccountSpec, ConflictPolicy, ServerConfig};
pub use contact::{Contacts, is_uri};
pub use counters::ServerCounters;
pub use jobs::{Derive, Save, ServerAnswer, ServerJob};
pub use mail::{Mail, SyncFor};
pub use news::{AccountNews, ServerNews};
pub use world::ServerWorld;

#[cfg(test)]
mod tests;
