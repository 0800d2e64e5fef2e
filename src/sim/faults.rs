//! What a simulated network may do to bytes. Everything is drawn from the simulation's seed.

use std::time::Duration;

use rand_chacha::ChaCha12Rng;
use rand_core::Rng;

/// A network's bad habits. [`Faults::none`] has none but a constant delay.
#[derive(Debug, Clone)]
pub struct Faults {
    /// Shortest and longest delay of a piece.
    pub delay: (Duration, Duration),
    /// Smallest and largest piece that a reader sees or a writer gets rid of at once, in bytes; at least 1.
    pub piece_bytes: (usize, usize),
    /// How many of a million pieces break the path instead of arriving.
    pub cuts_per_million: u32,
    /// How many of a million pieces are held up for [`Faults::stall`].
    pub stalls_per_million: u32,
    /// How long a stall is.
    pub stall: Duration,
    /// Bytes on the way in one direction before the writer's socket is full.
    pub window_bytes: usize,
    /// How long a server's reactor may take, at most, to get to what another one has woken it for.
    pub turn: Duration,
    /// How long a job done elsewhere may take, at most.
    pub job: Duration,
}

/// What becomes of a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It arrives after this delay.
    Pass(Duration),
    /// The path breaks after this delay.
    Cut(Duration),
}

impl Faults {
    /// A network that only takes a millisecond.
    #[must_use]
    pub const fn none() -> Self {
        let delay = Duration::from_millis(1);
        Self {
            delay: (delay, delay),
            piece_bytes: (65_536, 65_536),
            cuts_per_million: 0,
            stalls_per_million: 0,
            stall: Duration::ZERO,
            window_bytes: 262_144,
            turn: Duration::ZERO,
            job: Duration::from_millis(1),
        }
    }

    /// Small pieces, uneven delays, stalls; nothing is lost.
    #[must_use]
    pub const fn rough() -> Self {
        Self {
            delay: (Duration::from_micros(20), Duration::from_millis(40)),
            piece_bytes: (1, 300),
            cuts_per_million: 0,
            stalls_per_million: 2_000,
            stall: Duration::from_secs(2),
            window_bytes: 4_096,
            turn: Duration::from_millis(20),
            job: Duration::from_millis(200),
        }
    }

    /// The same with broken paths.
    #[must_use]
    pub const fn hostile() -> Self {
        Self { cuts_per_million: 1_000, ..Self::rough() }
    }

    pub(super) fn piece(&self, rng: &mut ChaCha12Rng) -> usize {
        let (least, most) = (self.piece_bytes.0.max(1) as u64, self.piece_bytes.1.max(1) as u64);
        usize::try_from(between(rng, least, most)).expect("a piece fits memory")
    }

    pub(super) fn fate(&self, rng: &mut ChaCha12Rng) -> Fate {
        let nanos = |d: Duration| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX);
        let delay = Duration::from_nanos(between(rng, nanos(self.delay.0), nanos(self.delay.1)));
        let draw = between(rng, 0, 999_999);
        let cuts = u64::from(self.cuts_per_million);
        if draw < cuts {
            Fate::Cut(delay)
        } else if draw < cuts + u64::from(self.stalls_per_million) {
            Fate::Pass(delay + self.stall)
        } else {
            Fate::Pass(delay)
        }
    }
}

/// A time up to `most`.
pub(super) fn up_to(most: Duration, rng: &mut ChaCha12Rng) -> Duration {
    let nanos = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
    // A network without any draws nothing, so that adding a habit does not change what the others do.
    if nanos == 0 { Duration::ZERO } else { Duration::from_nanos(between(rng, 0, nanos)) }
}

/// A number from `least` to `most`, both included. The bias of the remainder is below 2⁻³² for every use here.
fn between(rng: &mut ChaCha12Rng, least: u64, most: u64) -> u64 {
    least + rng.next_u64() % (most.saturating_sub(least) + 1)
}
