//! The hash of a bare JID, computed once for each stanza: it names the home, and at home it finds the account.
//!
//! It compares nothing: two addresses may have one hash.

use std::hash::Hasher;
use std::sync::Arc;

use foldhash::SharedSeed;
use foldhash::quality::FoldHasher;

/// Hash of a prepared bare JID. It means something only to the homes that share the [`JidHasher`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JidHash(pub(super) u64);

/// Seeded per process, and its inner constants too: peers choose the names, and must not be able to choose a hash.
#[derive(Debug, Clone)]
pub struct JidHasher {
    seed: u64,
    shared: Arc<SharedSeed>,
}

impl JidHasher {
    /// The same seed gives the same hashes.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, shared: Arc::new(SharedSeed::from_u64(seed)) }
    }

    /// Hash of a prepared bare JID.
    #[must_use]
    pub fn hash(&self, bare: &str) -> JidHash {
        let mut hasher = FoldHasher::with_seed(self.seed, &self.shared);
        hasher.write(bare.as_bytes());
        JidHash(hasher.finish())
    }
}
