//! Random numbers of a run: each purpose draws from a stream of its own, so that one never shifts another.
//!
//! Nothing here is unpredictable, and nothing that must be comes from here.

use rand_chacha::ChaCha12Rng;
use rand_core::{Rng as _, SeedableRng as _};

/// What random numbers are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The roster graph.
    Graph,
    /// Gaps between logins.
    Arrival,
    /// Gaps between the starts of an action: phase, action.
    Starts(u32, u32),
    /// Who carries an action out, and towards whom: phase, action.
    Choice(u32, u32),
    /// Whose connections are broken: phase.
    Break(u32),
    /// How long a user whose connection was broken waits before an attempt.
    Backoff { phase: u16, user: u32, attempt: u32 },
}

/// The numbers of one purpose: a pure function of the scenario's seed.
#[derive(Debug, Clone)]
pub(super) struct Random(ChaCha12Rng);

impl Random {
    pub(super) fn new(seed: u64, purpose: Purpose) -> Self {
        let (tag, phase, action) = match purpose {
            Purpose::Graph => (1u64, 0, 0),
            Purpose::Arrival => (2, 0, 0),
            Purpose::Starts(phase, action) => (3, phase, action),
            Purpose::Choice(phase, action) => (4, phase, action),
            Purpose::Break(phase) => (5, phase, 0),
            Purpose::Backoff { phase, user, attempt } => (6 | u64::from(phase) << 32, user, attempt),
        };
        let mut key = [0; 32];
        for (bytes, word) in key.chunks_exact_mut(8).zip([seed, tag, u64::from(phase), u64::from(action)]) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        Self(ChaCha12Rng::from_seed(key))
    }

    /// A number below `end`, which is not 0. The bias of a 64-bit product is below 2⁻³² for 32-bit ranges.
    pub(super) fn below(&mut self, end: u32) -> u32 {
        let product = u128::from(self.0.next_u64()) * u128::from(end);
        u32::try_from(product >> 64).expect("below `end`")
    }

    /// A number above 0 and up to 1, with 53 random bits.
    pub(super) fn unit(&mut self) -> f64 {
        ((self.0.next_u64() >> 11) + 1) as f64 / (1u64 << 53) as f64
    }
}
