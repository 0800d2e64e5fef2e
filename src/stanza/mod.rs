//! L1: what a stanza says about itself, and writing it for one recipient.
//!
//! This layer does not decide where a stanza goes.

mod check;
mod condition;
mod error_reply;
mod head;
mod jid;
#[expect(clippy::module_inception, reason = "the type is the layer's namesake")]
mod stanza;

pub use condition::{Condition, ErrorType};
pub use error_reply::{
    write_error, write_error_reply, write_error_reply_coded, write_error_reply_with, write_iq_result_empty,
    write_iq_result_open, write_raw_attr,
};
pub use head::{Head, Kind, StanzaType};
pub use jid::{AddressProfile, Jid, JidCow, JidError, JidRef};
pub use stanza::{Stanza, To, leans_too_much};

/// Content namespace of client streams (RFC 6120 §4.8.2).
pub const NS_CLIENT: &str = "jabber:client";
/// Namespace of stanza error conditions (RFC 6120 §8.3.2).
pub const NS_STANZAS: &str = "urn:ietf:params:xml:ns:xmpp-stanzas";
