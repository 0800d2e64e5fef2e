//! When an account was last there (XEP-0012).
//!
//! An account that is connected has no use for it: it is there.

use crate::limits::LAST_STATUS_BYTES_MAX;
use crate::time::Utc;

/// The end of an account's last session, or of its presence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastSeen {
    /// When.
    pub at: Utc,
    /// Status of its last unavailable presence (XEP-0012 §3), `""` without.
    pub status: Box<str>,
}

impl LastSeen {
    /// A status that is too long to be kept is none.
    #[must_use]
    pub fn new(at: Utc, status: &str) -> Self {
        let status = if status.len() > LAST_STATUS_BYTES_MAX { "" } else { status };
        Self { at, status: status.into() }
    }
}
