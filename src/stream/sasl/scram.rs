//! The server's side of SCRAM (RFC 5802, RFC 7677), without channel binding.
//!
//! It does not read the client's first message ([`super::message`] has checked it) and looks up no account. It is our own
//! because two things have to be right that the SASL library leaves open: the nonce is of digits and letters (clients in
//! the wild take a quotation mark or a backslash for more than a character, and RFC 5802 §7 allows every printable one),
//! and the proof is compared in constant time.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq;

use super::Failure;
use super::message::is_scram;
use crate::stream::credentials::{Hash, ScramKeys};

/// An exchange whose first message was answered.
pub(super) struct ScramServer {
    hash: Hash,
    stored_key: Vec<u8>,
    server_key: Vec<u8>,
    /// GS2 header of the client, which it has to repeat (§6).
    header: String,
    /// Both nonces.
    nonce: String,
    /// What was said so far, as the signatures cover it (§3): `client-first-message-bare "," server-first-message ","`.
    said: String,
}

impl ScramServer {
    /// Answers a client's first message, which `super::message::names` has accepted. `nonce` is the server's part: letters
    /// and digits that nobody can guess.
    pub(super) fn begin(
        hash: Hash,
        message: &[u8],
        keys: &ScramKeys,
        nonce: &str,
    ) -> Result<(Self, Vec<u8>), Failure> {
        let text = std::str::from_utf8(message).map_err(|_| Failure::MalformedRequest)?;
        let bare =
            text.match_indices(',').nth(1).map(|(comma, _)| comma + 1).ok_or(Failure::MalformedRequest)?;
        let (header, bare) = text.split_at(bare);
        let of_client =
            attribute(bare, "r").filter(|nonce| is_nonce(nonce)).ok_or(Failure::MalformedRequest)?;
        let nonce = format!("{of_client}{nonce}");
        let first = format!("r={nonce},s={},i={}", STANDARD.encode(&keys.salt), keys.iterations);
        let server = Self {
            hash,
            stored_key: keys.stored_key.clone(),
            server_key: keys.server_key.clone(),
            header: header.to_owned(),
            nonce,
            said: format!("{bare},{first},"),
        };
        Ok((server, first.into_bytes()))
    }

    /// Takes the client's last message: `c=…,r=…[,extensions],p=…` (§7). Returns the server's signature, `v=…`.
    pub(super) fn finish(&self, message: &[u8]) -> Result<Vec<u8>, Failure> {
        let malformed = Failure::MalformedRequest;
        let text = std::str::from_utf8(message).ok().filter(|_| is_scram(message)).ok_or(malformed)?;
        let (without_proof, proof) = text.rsplit_once(",p=").ok_or(malformed)?;
        let mut attributes = without_proof.split(',');
        let binding = attributes.next().and_then(|part| part.strip_prefix("c=")).ok_or(malformed)?;
        let nonce = attributes.next().and_then(|part| part.strip_prefix("r=")).ok_or(malformed)?;
        // §5.1: an extension that must be understood and is not ends the exchange.
        if attributes.any(|part| part.starts_with("m=")) {
            return Err(malformed);
        }
        let binding = STANDARD.decode(binding).map_err(|_| malformed)?;
        let proof = STANDARD.decode(proof).map_err(|_| malformed)?;
        if binding != self.header.as_bytes() || nonce != self.nonce {
            return Err(Failure::NotAuthorized);
        }
        let signed = format!("{}{without_proof}", self.said);
        let signature = self.hash.hmac(&self.stored_key, signed.as_bytes());
        if proof.len() != signature.len() {
            return Err(Failure::NotAuthorized);
        }
        let client_key: Vec<u8> = proof.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
        if !bool::from(self.hash.digest(&client_key).ct_eq(&self.stored_key)) {
            return Err(Failure::NotAuthorized);
        }
        let signature = self.hash.hmac(&self.server_key, signed.as_bytes());
        Ok(format!("v={}", STANDARD.encode(signature)).into_bytes())
    }
}

/// Value of an attribute of a message.
fn attribute<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.split(',').find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
}

/// Printable, and no comma (§7).
fn is_nonce(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| matches!(byte, 0x21..=0x2b | 0x2d..=0x7e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::{Credentials, Mechanism};

    /// Hash, salt, the client's first message, the server's nonce, and the last messages of both.
    type Example = (Hash, &'static str, &'static str, &'static str, &'static str, &'static str);

    /// RFC 5802 §5 and RFC 7677 §3, for the password `pencil`.
    const EXAMPLES: [Example; 2] = [
        (
            Hash::Sha1,
            "QSXCR+Q6sek8bf92",
            "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
            "3rfcNHYJY1ZVvWVs7j",
            "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
            "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
        ),
        (
            Hash::Sha256,
            "W22ZaJ0SNY7soEsUEjb6gQ==",
            "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
            "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
        ),
    ];

    fn begin((hash, salt, first, nonce, ..): Example) -> ScramServer {
        let salt = STANDARD.decode(salt).unwrap();
        let mechanisms = [Mechanism::ScramSha1, Mechanism::ScramSha256];
        let credentials = Credentials::derive("pencil", &mechanisms, &salt, 4096, &[0; 32]);
        let keys = if hash == Hash::Sha1 { credentials.sha1 } else { credentials.sha256 }.unwrap();
        let (server, answer) = ScramServer::begin(hash, first.as_bytes(), &keys, nonce).unwrap();
        let of_client = first.rsplit_once("r=").unwrap().1;
        let answer = String::from_utf8(answer).unwrap();
        assert_eq!(answer, format!("r={of_client}{nonce},s={},i=4096", STANDARD.encode(&keys.salt)));
        server
    }

    #[test]
    fn examples_of_the_rfcs() {
        for example in EXAMPLES {
            let answer = begin(example).finish(example.4.as_bytes()).unwrap();
            assert_eq!(String::from_utf8(answer).unwrap(), example.5);
        }
    }

    #[test]
    fn what_is_refused() {
        let example = EXAMPLES[0];
        let server = begin(example);
        let last = example.4;
        for (bad, failure) in [
            (last.replace("c=biws", "c=eSws"), Failure::NotAuthorized),
            (last.replace("7j,p", "7k,p"), Failure::NotAuthorized),
            (last.replace("p=v0", "p=w0"), Failure::NotAuthorized),
            (last.replace("p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=", "p=AAAA"), Failure::NotAuthorized),
            (last.replace("p=v0", "p=!0"), Failure::MalformedRequest),
            (last.replace(",p=", ",m=x,p="), Failure::MalformedRequest),
            (last.replace(",p=", ",q="), Failure::MalformedRequest),
            (last.replace("c=biws,", ""), Failure::MalformedRequest),
            ("p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=".into(), Failure::MalformedRequest),
            (String::new(), Failure::MalformedRequest),
        ] {
            assert_eq!(server.finish(bad.as_bytes()), Err(failure), "{bad}");
        }
        // An extension that need not be understood is covered by the signature.
        let extended = last.replace(",p=", ",x=y,p=");
        assert_eq!(server.finish(extended.as_bytes()), Err(Failure::NotAuthorized));
        assert!(server.finish(last.as_bytes()).is_ok());
    }

    #[test]
    fn the_header_is_repeated_with_its_names() {
        let (hash, salt, ..) = EXAMPLES[0];
        let salt = STANDARD.decode(salt).unwrap();
        let keys =
            Credentials::derive("pencil", &[Mechanism::ScramSha1], &salt, 4096, &[0; 32]).sha1.unwrap();
        let (server, _) = ScramServer::begin(hash, b"y,a=user@d,n=user,r=a", &keys, "b").unwrap();
        assert_eq!(server.header, "y,a=user@d,");
        assert!(server.said.starts_with("n=user,r=a,r=ab,s="));
        for bad in ["n,,n=user,r=a b", "n,,n=user,r=", "n,,n=user"] {
            assert!(ScramServer::begin(hash, bad.as_bytes(), &keys, "b").is_err(), "{bad}");
        }
    }
}
