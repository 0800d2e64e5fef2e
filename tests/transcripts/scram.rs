//! SCRAM as RFC 5802 §3 writes it down, for the side that is scripted: a second implementation, so that the program's is
//! not compared with itself.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use xmpp_bench::stream::Mechanism;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScramMessage {
    /// `n,,n=user,r=nonce`
    ClientFirst,
    /// `r=nonce,s=salt,i=count`
    ServerFirst,
    /// `c=biws,r=nonce,p=proof`
    ClientFinal,
    /// `v=signature`
    ServerFinal,
    /// A signature of somebody who does not know the password.
    ServerFinalForged,
}

impl ScramMessage {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "scram-client-first" => Self::ClientFirst,
            "scram-server-first" => Self::ServerFirst,
            "scram-client-final" => Self::ClientFinal,
            "scram-server-final" => Self::ServerFinal,
            "scram-server-final-forged" => Self::ServerFinalForged,
            _ => return None,
        })
    }
}

pub(crate) struct Scram {
    is_sha256: bool,
    username: String,
    password: String,
    client_first_bare: String,
    server_first: String,
    /// `c=biws,r=nonce`
    client_final_start: String,
}

impl Scram {
    pub(crate) fn new(mechanism: Mechanism, username: &str, password: &str) -> Self {
        Self {
            is_sha256: mechanism == Mechanism::ScramSha256,
            username: username.into(),
            password: password.into(),
            client_first_bare: String::new(),
            server_first: String::new(),
            client_final_start: String::new(),
        }
    }

    /// A message of the scripted side.
    pub(crate) fn say(&mut self, message: ScramMessage) -> String {
        match message {
            ScramMessage::ClientFirst => {
                self.client_first_bare = format!("n={},r=oMsTAAwAAAAMAAAANP0TAAAAAABPU0AA", self.username);
                format!("n,,{}", self.client_first_bare)
            }
            ScramMessage::ServerFirst => {
                let nonce = attribute(&self.client_first_bare, "r");
                self.server_first =
                    format!("r={nonce}e124695b,s={},i=4096", STANDARD.encode("sixteen bytes   "));
                self.server_first.clone()
            }
            ScramMessage::ClientFinal => {
                self.client_final_start = format!("c=biws,r={}", attribute(&self.server_first, "r"));
                let proof = STANDARD.encode(self.proof());
                format!("{},p={proof}", self.client_final_start)
            }
            ScramMessage::ServerFinal => format!("v={}", STANDARD.encode(self.server_signature())),
            ScramMessage::ServerFinalForged => format!("v={}", STANDARD.encode(self.proof())),
        }
    }

    /// A message of the other side; says what is wrong with it.
    pub(crate) fn hear(&mut self, message: ScramMessage, text: &[u8]) -> Result<(), String> {
        let text = String::from_utf8(text.to_vec()).map_err(|error| error.to_string())?;
        let wrong = |what: &str| Err(format!("{what}: {text}"));
        match message {
            ScramMessage::ClientFirst => match text.strip_prefix("n,,") {
                Some(bare) if attribute(bare, "n") == self.username && attribute(bare, "r").len() >= 16 => {
                    self.client_first_bare = bare.to_owned();
                }
                _ => return wrong("client-first"),
            },
            ScramMessage::ServerFirst => {
                let nonce = attribute(&text, "r");
                let own = attribute(&self.client_first_bare, "r");
                if !nonce.starts_with(&own) || nonce.len() < own.len() + 16 || attribute(&text, "i") != "4096"
                {
                    return wrong("server-first");
                }
                self.server_first = text;
            }
            ScramMessage::ClientFinal => {
                let (start, proof) = text.split_once(",p=").ok_or("no proof")?;
                self.client_final_start = start.to_owned();
                if start != format!("c=biws,r={}", attribute(&self.server_first, "r"))
                    || proof != STANDARD.encode(self.proof())
                {
                    return wrong("client-final");
                }
            }
            ScramMessage::ServerFinal | ScramMessage::ServerFinalForged => {
                if text != format!("v={}", STANDARD.encode(self.server_signature())) {
                    return wrong("server-final");
                }
            }
        }
        Ok(())
    }

    /// ClientKey XOR ClientSignature.
    fn proof(&self) -> Vec<u8> {
        let client_key = self.hmac(&self.salted(), "Client Key");
        let stored_key = self.hash(&client_key);
        let signature = self.hmac(&stored_key, &self.auth_message());
        client_key.iter().zip(signature).map(|(key, signature)| key ^ signature).collect()
    }

    fn server_signature(&self) -> Vec<u8> {
        let server_key = self.hmac(&self.salted(), "Server Key");
        self.hmac(&server_key, &self.auth_message())
    }

    fn auth_message(&self) -> String {
        [&*self.client_first_bare, &self.server_first, &self.client_final_start].join(",")
    }

    /// Hi(password, salt, i).
    fn salted(&self) -> Vec<u8> {
        let salt = STANDARD.decode(attribute(&self.server_first, "s")).unwrap();
        let count: u32 = attribute(&self.server_first, "i").parse().unwrap();
        let mut salted = vec![0; if self.is_sha256 { 32 } else { 20 }];
        match self.is_sha256 {
            true => pbkdf2::pbkdf2_hmac::<Sha256>(self.password.as_bytes(), &salt, count, &mut salted),
            false => pbkdf2::pbkdf2_hmac::<Sha1>(self.password.as_bytes(), &salt, count, &mut salted),
        }
        salted
    }

    fn hmac(&self, key: &[u8], message: &str) -> Vec<u8> {
        let message = message.as_bytes();
        match self.is_sha256 {
            true => Hmac::<Sha256>::new_from_slice(key)
                .unwrap()
                .chain_update(message)
                .finalize()
                .into_bytes()
                .to_vec(),
            false => Hmac::<Sha1>::new_from_slice(key)
                .unwrap()
                .chain_update(message)
                .finalize()
                .into_bytes()
                .to_vec(),
        }
    }

    fn hash(&self, message: &[u8]) -> Vec<u8> {
        if self.is_sha256 { Sha256::digest(message).to_vec() } else { Sha1::digest(message).to_vec() }
    }
}

fn attribute(text: &str, name: &str) -> String {
    let value = text.split(',').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
    value.unwrap_or_default().to_owned()
}
