//! The one place where randomness enters: a generator seeded by the operating system.
//!
//! There is no way to seed it otherwise: stream ids and resources of a reactor are never guessable.

use std::io;

use rand_chacha::ChaCha12Rng;
use rand_core::SeedableRng;

/// A generator that nobody can predict.
pub(super) fn generator() -> io::Result<ChaCha12Rng> {
    let mut seed = [0; 32];
    #[expect(clippy::disallowed_methods, reason = "this is the one place that may ask")]
    getrandom::fill(&mut seed).map_err(io::Error::other)?;
    Ok(ChaCha12Rng::from_seed(seed))
}
