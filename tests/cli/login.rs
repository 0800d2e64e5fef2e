//! An XMPP client of the domain `d` that logs in with PLAIN and sees every byte.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::program::PATIENCE;

/// A client over a plain socket.
#[derive(Debug)]
pub(super) struct Client {
    stream: TcpStream,
    text: String,
}

impl Client {
    pub(super) fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut client = Self { stream, text: String::new() };
        client.open_stream();
        client
    }

    pub(super) fn open_stream(&mut self) {
        self.send(
            "<stream:stream to='d' version='1.0' xmlns='jabber:client' \
             xmlns:stream='http://etherx.jabber.org/streams'>",
        );
        self.until("</stream:features>");
    }

    /// Without a resource; else the words of a server that does not let it in.
    pub(super) fn authenticate(address: SocketAddr, name: &str, password: &str) -> Result<Self, String> {
        let mut client = Self::open(address);
        let proof = STANDARD.encode(format!("\0{name}\0{password}"));
        client.send(&format!(
            "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{proof}</auth>"
        ));
        let answer = client.until(">");
        if !answer.contains("<success") {
            return Err(answer + &client.until("</failure>"));
        }
        client.open_stream();
        Ok(client)
    }

    /// With a resource of the server's choice.
    pub(super) fn log_in(address: SocketAddr, name: &str, password: &str) -> Result<Self, String> {
        let mut client = Self::authenticate(address, name, password)?;
        client.send("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
        client.until("</iq>");
        Ok(client)
    }

    /// Of an account whose password is its name behind a `p`.
    pub(super) fn login(address: SocketAddr, name: &str) -> Self {
        Self::log_in(address, name, &format!("p{name}")).unwrap()
    }

    pub(super) fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).unwrap();
    }

    /// Everything up to and with `end`.
    pub(super) fn until(&mut self, end: &str) -> String {
        loop {
            if let Some(at) = self.text.find(end) {
                let rest = self.text.split_off(at + end.len());
                return std::mem::replace(&mut self.text, rest);
            }
            let mut bytes = [0; 16_384];
            let count = self.stream.read(&mut bytes).unwrap();
            assert_ne!(count, 0, "the server has closed: {}", self.text);
            self.text.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
        }
    }

    /// Everything that comes before the answer to a ping.
    pub(super) fn ping(&mut self, id: &str) -> String {
        self.send(&ping(id));
        self.until(&format!(" id='{id}'"))
    }
}

pub(super) fn ping(id: &str) -> String {
    format!("<iq type='get' id='{id}' to='d'><ping xmlns='urn:xmpp:ping'/></iq>")
}
