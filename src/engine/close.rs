//! Why a connection ended, and who broke it.

use crate::stream::{Blame, StreamCondition};

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ended {
    /// Both sides closed their streams (RFC 6120 §4.4).
    Closed,
    /// A stream error went over the wire, in either direction (RFC 6120 §4.9).
    StreamError(StreamCondition),
    /// The login failed; the stream itself was sound.
    LoginFailed,
    /// The peer closed the TCP connection without a close tag.
    Eof,
    /// The connection was reset, refused or lost.
    Io(std::io::ErrorKind),
    /// A deadline passed.
    TimedOut,
    /// The peer did not read what it was sent.
    SlowReader,
}

/// Why a connection ended, and who broke it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CloseReason {
    /// Who broke it.
    pub blame: Blame,
    /// How it ended.
    pub ended: Ended,
}

impl CloseReason {
    /// An orderly end on this side's wish or the peer's.
    #[must_use]
    pub const fn closed(blame: Blame) -> Self {
        Self { blame, ended: Ended::Closed }
    }
}
