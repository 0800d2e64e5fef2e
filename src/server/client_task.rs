//! What the world asks of a connection.
//!
//! What each does is `client_link`'s.

/// What the world asks of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientTask {
    /// Another stream has bound the same resource (RFC 6120 §7.7.2.2).
    Conflict,
    /// The server ends (RFC 6120 §4.9.3.20).
    Shutdown,
    /// The client has closed its stream, and everything that it asked for is answered (RFC 6120 §4.4).
    Close,
    /// Its account is gone (XEP-0077 §3.2).
    Removed,
    /// An administrator ends its session (XEP-0133 §4.5).
    Dismissed,
    /// It has registered an account, and may register more.
    Registered,
    /// The world wants to know when everything is written that was delivered until now: one message that waited.
    TellWritten,
    /// So many stanzas of the client are safe (XEP-0198 §4).
    Acknowledge(u32),
    /// A new stream takes this one's session over (XEP-0198 §5).
    Superseded,
    /// What the former stream had accepted is safe: its session can be resumed.
    Resume,
}
