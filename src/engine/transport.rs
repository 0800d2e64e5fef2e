//! Between the wire and the stream: where TLS and WebSocket framing have their place.
//!
//! It negotiates nothing and owns no socket. Today every transport is plain, and plain means that bytes pass
//! untouched and uncopied.

use bytes::BytesMut;

/// What wraps a connection's stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Transport {
    /// XML on TCP, nothing between (RFC 6120 §3).
    #[default]
    Plain,
}

impl Transport {
    /// The stream's bytes in what the wire brought.
    pub(super) const fn unwrap_read(self, wire: &mut BytesMut) -> &mut BytesMut {
        match self {
            Self::Plain => wire,
        }
    }
}
