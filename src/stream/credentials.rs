//! What a server keeps of a password (salted keys only, RFC 5802 §3), and what a client keeps of PBKDF2's work.
//!
//! Nothing here holds a password: the cache's keys are as secret as one, and live as long as the process.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::Mechanism;
use super::sasl::saslprep;
use crate::limits::{SALTED_PASSWORDS_MAX, SCRAM_ITERATIONS};

/// Length of a salt, of made up accounts and of real ones: another length would tell them apart.
pub const SALT_BYTES: usize = 16;

/// SCRAM keys of one hash. No password.
#[derive(Clone, PartialEq, Eq)]
pub struct ScramKeys {
    /// Salt.
    pub salt: Vec<u8>,
    /// PBKDF2 rounds.
    pub iterations: u32,
    /// StoredKey.
    pub stored_key: Vec<u8>,
    /// ServerKey.
    pub server_key: Vec<u8>,
}

/// MAC of a password under a secret of this process, never stored on disk: lets memory mode check PLAIN without PBKDF2.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordProof(pub [u8; 32]);

/// What an account's login is checked against. A mechanism without its keys cannot be used for the account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// SCRAM-SHA-1.
    pub sha1: Option<ScramKeys>,
    /// SCRAM-SHA-256.
    pub sha256: Option<ScramKeys>,
    /// PLAIN shortcut; without it PLAIN is checked against the salted keys with one PBKDF2.
    pub plain: Option<PasswordProof>,
}

impl Credentials {
    /// Keys of `password` for every mechanism in `mechanisms` (PLAIN ⇒ a proof under `process_secret`; SCRAM keys with
    /// `salt`, which should have [`SALT_BYTES`]). A password that SASLprep refuses gets no keys: nobody can log in with
    /// it. Costs one PBKDF2 for each SCRAM mechanism.
    #[must_use]
    pub fn derive(
        password: &str,
        mechanisms: &[Mechanism],
        salt: &[u8],
        iterations: u32,
        process_secret: &[u8; 32],
    ) -> Self {
        let mut credentials = Self::default();
        let Some(password) = saslprep(password) else { return credentials };
        for mechanism in mechanisms {
            match mechanism {
                Mechanism::Plain => {
                    credentials.plain = Some(PasswordProof::new(password.as_bytes(), process_secret));
                }
                Mechanism::ScramSha1 => {
                    let keys = ScramKeys::derive(Hash::Sha1, password.as_bytes(), salt, iterations);
                    credentials.sha1 = Some(keys);
                }
                Mechanism::ScramSha256 => {
                    let keys = ScramKeys::derive(Hash::Sha256, password.as_bytes(), salt, iterations);
                    credentials.sha256 = Some(keys);
                }
                Mechanism::Anonymous => {}
            }
        }
        credentials
    }

    /// Keys of an account that does not exist: always the same for one name, never met by any password. `plain_proof`
    /// says whether real accounts have one, so that checking takes as long.
    pub(super) fn fake(username: &str, process_secret: &[u8; 32], plain_proof: bool) -> Self {
        let derived =
            |label: &str| hmac_sha256(process_secret, &[label.as_bytes(), b"\0", username.as_bytes()]);
        let keys = |label: &str, key_bytes: usize| ScramKeys {
            salt: derived(&format!("{label} salt"))[..SALT_BYTES].to_vec(),
            iterations: SCRAM_ITERATIONS,
            stored_key: derived(&format!("{label} stored key"))[..key_bytes].to_vec(),
            server_key: derived(&format!("{label} server key"))[..key_bytes].to_vec(),
        };
        Self {
            sha1: Some(keys("SCRAM-SHA-1", 20)),
            sha256: Some(keys("SCRAM-SHA-256", 32)),
            plain: plain_proof.then(|| PasswordProof(derived("PLAIN"))),
        }
    }

    /// Whether `password` (normalised) is the account's, by its proof or else by its salted keys. Constant time in
    /// what is compared.
    pub(super) fn accept_password(&self, password: &[u8], process_secret: &[u8; 32]) -> bool {
        if let Some(proof) = &self.plain {
            return PasswordProof::new(password, process_secret).0.ct_eq(&proof.0).into();
        }
        let (hash, keys) = match (&self.sha256, &self.sha1) {
            (Some(keys), _) => (Hash::Sha256, keys),
            (None, Some(keys)) => (Hash::Sha1, keys),
            (None, None) => return false,
        };
        let derived = ScramKeys::derive(hash, password, &keys.salt, keys.iterations);
        derived.stored_key.ct_eq(&keys.stored_key).into()
    }
}

impl PasswordProof {
    fn new(password: &[u8], process_secret: &[u8; 32]) -> Self {
        Self(hmac_sha256(process_secret, &[b"password\0", password]))
    }
}

impl fmt::Debug for ScramKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScramKeys").field("iterations", &self.iterations).finish_non_exhaustive()
    }
}
impl fmt::Debug for PasswordProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordProof(…)")
    }
}

pub(super) fn hmac_sha256(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key).expect("any key length is valid");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// Hash of a SCRAM mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Hash {
    Sha1,
    Sha256,
}

impl Hash {
    /// SaltedPassword (RFC 5802 §3): `iterations` HMACs, 1.5 ms at 4096.
    fn salted(self, password: &[u8], salt: &[u8], iterations: u32) -> Box<[u8]> {
        match self {
            Self::Sha1 => Box::new(pbkdf2::pbkdf2_hmac_array::<Sha1, 20>(password, salt, iterations)),
            Self::Sha256 => Box::new(pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(password, salt, iterations)),
        }
    }

    pub(super) fn hmac(self, key: &[u8], message: &[u8]) -> Vec<u8> {
        fn run<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Vec<u8> {
            let mac = <M as Mac>::new_from_slice(key).expect("any key length is valid");
            mac.chain_update(message).finalize().into_bytes().to_vec()
        }
        match self {
            Self::Sha1 => run::<Hmac<Sha1>>(key, message),
            Self::Sha256 => run::<Hmac<Sha256>>(key, message),
        }
    }

    pub(super) fn digest(self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => Sha1::digest(message).to_vec(),
            Self::Sha256 => Sha256::digest(message).to_vec(),
        }
    }
}

impl ScramKeys {
    /// Keys of a normalised password (RFC 5802 §3). Costs one PBKDF2.
    fn derive(hash: Hash, password: &[u8], salt: &[u8], iterations: u32) -> Self {
        let salted = hash.salted(password, salt, iterations);
        Self {
            salt: salt.to_vec(),
            iterations,
            stored_key: hash.digest(&hash.hmac(&salted, b"Client Key")),
            server_key: hash.hmac(&salted, b"Server Key"),
        }
    }
}

/// (password, salt, iterations) → salted password, shared by the synthetic clients of one target, so that a login
/// storm does not measure PBKDF2. Bounded; clones share it.
#[derive(Clone, Default)]
pub struct SaltedPasswordCache {
    entries: Arc<Mutex<HashMap<CacheKey, Arc<[u8]>>>>,
}

#[derive(PartialEq, Eq, Hash)]
struct CacheKey {
    hash: Hash,
    iterations: u32,
    password: Arc<str>,
    salt: Box<[u8]>,
}

impl SaltedPasswordCache {
    /// Does the work ahead of a login: of `password` (not normalised yet) for a server that will send this `salt`.
    /// Nothing is done for mechanisms without salt.
    pub fn warm(&self, password: &Arc<str>, mechanism: Mechanism, salt: &[u8], iterations: u32) {
        let hash = match mechanism {
            Mechanism::ScramSha1 => Hash::Sha1,
            Mechanism::ScramSha256 => Hash::Sha256,
            Mechanism::Plain | Mechanism::Anonymous => return,
        };
        let _done = self.salted(hash, password, salt, iterations);
    }

    /// Entries so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Whether the salted `password` is known.
    pub(super) fn has(&self, hash: Hash, password: &Arc<str>, salt: &[u8], iterations: u32) -> bool {
        let key = CacheKey { hash, iterations, password: password.clone(), salt: salt.into() };
        self.lock().contains_key(&key)
    }

    /// Salted `password`; `None` when SASLprep refuses it. The lock is not held while it is derived, so two threads may
    /// derive the same.
    pub(super) fn salted(
        &self,
        hash: Hash,
        password: &Arc<str>,
        salt: &[u8],
        iterations: u32,
    ) -> Option<Arc<[u8]>> {
        let key = CacheKey { hash, iterations, password: password.clone(), salt: salt.into() };
        if let Some(salted) = self.lock().get(&key) {
            return Some(salted.clone());
        }
        let salted: Arc<[u8]> = hash.salted(saslprep(password)?.as_bytes(), salt, iterations).into();
        let mut entries = self.lock();
        // Full: the first ones stay. Any other choice would be as good for clients that all log in once.
        if entries.len() < SALTED_PASSWORDS_MAX {
            entries.insert(key, salted.clone());
        }
        Some(salted)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<CacheKey, Arc<[u8]>>> {
        // Nothing panics while it is held.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for SaltedPasswordCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SaltedPasswordCache").field("entries", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::{Credentials, Hash, SALT_BYTES, SaltedPasswordCache};
    use crate::limits::SCRAM_ITERATIONS;
    use crate::stream::Mechanism;

    const ALL: [Mechanism; 4] =
        [Mechanism::ScramSha256, Mechanism::ScramSha1, Mechanism::Plain, Mechanism::Anonymous];
    const SECRET: [u8; 32] = [7; 32];

    /// The server signatures of RFC 5802 §5 and RFC 7677 §3 follow from these keys; here the keys themselves, as other
    /// implementations store them for `pencil` and the RFCs' salts.
    #[test]
    fn keys_of_the_rfc() {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let keys = Credentials::derive("pencil", &ALL, &salt, 4096, &SECRET).sha256.unwrap();
        assert_eq!(STANDARD.encode(keys.stored_key), "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=");
        assert_eq!(STANDARD.encode(keys.server_key), "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=");
        let salt = STANDARD.decode("QSXCR+Q6sek8bf92").unwrap();
        let keys = Credentials::derive("pencil", &ALL, &salt, 4096, &SECRET).sha1.unwrap();
        assert_eq!(STANDARD.encode(keys.stored_key), "6dlGYMOdZcOPutkcNY8U2g7vK9Y=");
        assert_eq!(STANDARD.encode(keys.server_key), "D+CSWLOshSulAsxiupA+qs2/fTE=");
    }

    #[test]
    fn passwords_are_accepted_by_proof_or_keys() {
        for mechanisms in [&ALL[..], &ALL[..2], &ALL[..1], &ALL[1..2], &ALL[2..3]] {
            let credentials = Credentials::derive("pencil", mechanisms, b"salt", 10, &SECRET);
            assert!(credentials.accept_password(b"pencil", &SECRET), "{mechanisms:?}");
            assert!(!credentials.accept_password(b"pencils", &SECRET), "{mechanisms:?}");
        }
        assert!(!Credentials::default().accept_password(b"", &SECRET));
        let other_process = Credentials::derive("pencil", &ALL[2..3], b"salt", 10, &[8; 32]);
        assert!(!other_process.accept_password(b"pencil", &SECRET));
    }

    /// RFC 4013 §3: a soft hyphen is mapped to nothing, a control character is refused.
    #[test]
    fn passwords_are_normalised() {
        let credentials = Credentials::derive("pen\u{ad}cil", &ALL[..3], b"salt", 10, &SECRET);
        assert_eq!(credentials, Credentials::derive("pencil", &ALL[..3], b"salt", 10, &SECRET));
        assert_eq!(Credentials::derive("pen\u{7}cil", &ALL, b"salt", 10, &SECRET), Credentials::default());
    }

    #[test]
    fn made_up_accounts() {
        let fake = |username| Credentials::fake(username, &SECRET, true);
        assert_eq!(fake("romeo"), fake("romeo"));
        let real = Credentials::derive("pencil", &ALL, &[0; SALT_BYTES], SCRAM_ITERATIONS, &SECRET);
        let shape = |credentials: &Credentials| {
            let keys = [credentials.sha1.as_ref().unwrap(), credentials.sha256.as_ref().unwrap()];
            keys.map(|k| (k.salt.len(), k.iterations, k.stored_key.len(), k.server_key.len()))
        };
        assert_eq!(shape(&fake("romeo")), shape(&real));
        assert_ne!(fake("romeo").sha256.unwrap().salt, fake("juliet").sha256.unwrap().salt);
        assert_ne!(fake("romeo"), Credentials::fake("romeo", &[8; 32], true));
        assert!(Credentials::fake("romeo", &SECRET, false).plain.is_none());
    }

    #[test]
    fn cache() {
        let cache = SaltedPasswordCache::default();
        let password: Arc<str> = "pencil".into();
        cache.warm(&password, Mechanism::ScramSha256, b"salt", 10);
        cache.warm(&password, Mechanism::Plain, b"salt", 10);
        assert_eq!(cache.len(), 1);
        let shared = cache.clone();
        let a = shared.salted(Hash::Sha256, &password, b"salt", 10).unwrap();
        assert_eq!(cache.len(), 1);
        for (hash, salt, iterations) in
            [(Hash::Sha1, "salt", 10), (Hash::Sha256, "pepper", 10), (Hash::Sha256, "salt", 11)]
        {
            let b = cache.salted(hash, &password, salt.as_bytes(), iterations).unwrap();
            assert_ne!(a, b);
        }
        assert_eq!(cache.len(), 4);
        assert!(cache.salted(Hash::Sha1, &"a\u{7}".into(), b"salt", 1).is_none());
    }
}
