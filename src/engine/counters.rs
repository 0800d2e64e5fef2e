//! What a hub counts. Nothing that was accepted is dropped without a number here.

/// Counts since the hub began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Connections accepted.
    pub accepted: u64,
    /// Connections made.
    pub connected: u64,
    /// Connections that could not be made.
    pub connect_failed: u64,
    /// Connections ended.
    pub closed: u64,
    /// Bytes read.
    pub bytes_in: u64,
    /// Bytes written.
    pub bytes_out: u64,
    /// Frames handed to handlers.
    pub frames: u64,
    /// Copies of stanzas put into outboxes.
    pub delivered: u64,
    /// Copies whose connection was gone or closing; the world was told.
    pub undeliverable: u64,
    /// Presence dropped because a newer one of the same sender waited behind it.
    pub superseded: u64,
    /// Connections that went to their home elsewhere.
    pub moved_away: u64,
    /// Connections that came here as to their home.
    pub moved_here: u64,
    /// How often a connection's input waited because the lane to another home was full.
    pub parked: u64,
    /// Jobs that were done elsewhere.
    pub jobs: u64,
    /// Connections closed because they did not read.
    pub slow_readers: u64,
}
