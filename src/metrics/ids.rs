//! What becomes of stanza ids on their way through the target. It is a fact about the target, and no measurement.

use serde::{Deserialize, Serialize};

/// What becomes of the ids of one kind of stanza.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Survival {
    /// Nobody looked, or nothing came back.
    #[default]
    Unknown,
    /// They arrive as they were sent.
    Preserved,
    /// They do not: a marker child carries them.
    Marker,
}

/// What becomes of ids on their way through the target (RFC 6120 §8.1.3 promises them in answers only).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdsArrive {
    /// Of messages.
    pub message: Survival,
    /// Of presence.
    pub presence: Survival,
}

impl IdsArrive {
    /// A server that leaves them alone.
    pub const PRESERVED: Self = Self { message: Survival::Preserved, presence: Survival::Preserved };
}
