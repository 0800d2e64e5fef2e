//! The client's side of SCRAM (RFC 5802), written for these tests alone.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use sha1::{Digest as _, Sha1};
use sha2::Sha256;

const NONCE: &str = "fyko+d2lbbFgONRv9qkxdawL";

#[derive(Debug, Clone, Copy)]
pub(crate) enum Hash {
    Sha1,
    Sha256,
}

impl Hash {
    pub(crate) const fn mechanism(self) -> &'static str {
        match self {
            Self::Sha1 => "SCRAM-SHA-1",
            Self::Sha256 => "SCRAM-SHA-256",
        }
    }

    fn hash(self, data: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => Sha1::digest(data).to_vec(),
            Self::Sha256 => Sha256::digest(data).to_vec(),
        }
    }

    fn hmac(self, key: &[u8], data: &str) -> Vec<u8> {
        match self {
            Self::Sha1 => {
                Hmac::<Sha1>::new_from_slice(key).unwrap().chain_update(data).finalize().into_bytes().to_vec()
            }
            Self::Sha256 => Hmac::<Sha256>::new_from_slice(key)
                .unwrap()
                .chain_update(data)
                .finalize()
                .into_bytes()
                .to_vec(),
        }
    }

    fn salted(self, password: &str, salt: &[u8], iterations: u32) -> Vec<u8> {
        let (password, mut out) = (password.as_bytes(), vec![0; self.hash(b"").len()]);
        match self {
            Self::Sha1 => pbkdf2::pbkdf2::<Hmac<Sha1>>(password, salt, iterations, &mut out).unwrap(),
            Self::Sha256 => pbkdf2::pbkdf2::<Hmac<Sha256>>(password, salt, iterations, &mut out).unwrap(),
        }
        out
    }
}

/// One exchange, without channel binding.
#[derive(Debug)]
pub(crate) struct Scram {
    hash: Hash,
    name: String,
    password: String,
}

impl Scram {
    pub(crate) fn new(hash: Hash, name: &str, password: &str) -> Self {
        Self { hash, name: name.to_owned(), password: password.to_owned() }
    }

    fn first_bare(&self) -> String {
        format!("n={},r={NONCE}", self.name)
    }

    /// The client's first message.
    pub(crate) fn first(&self) -> String {
        format!("n,,{}", self.first_bare())
    }

    /// The client's last message with this `c=`, and the signature that the server must answer with.
    pub(crate) fn last(&self, challenge: &str, binding: &str) -> (String, String) {
        let field = |name: &str| challenge.split(',').find_map(|part| part.strip_prefix(name)).unwrap();
        let (nonce, salt, iterations) = (field("r="), field("s="), field("i="));
        assert!(nonce.starts_with(NONCE) && nonce.len() > NONCE.len(), "the server adds to the nonce");
        let salt = STANDARD.decode(salt).unwrap();
        let salted = self.hash.salted(&self.password, &salt, iterations.parse().unwrap());
        let bare = format!("c={binding},r={nonce}");
        let signed = format!("{},{challenge},{bare}", self.first_bare());
        let client_key = self.hash.hmac(&salted, "Client Key");
        let signature = self.hash.hmac(&self.hash.hash(&client_key), &signed);
        let proof: Vec<u8> = client_key.iter().zip(signature).map(|(a, b)| a ^ b).collect();
        let server_key = self.hash.hmac(&salted, "Server Key");
        let server = STANDARD.encode(self.hash.hmac(&server_key, &signed));
        (format!("{bare},p={}", STANDARD.encode(proof)), server)
    }
}
