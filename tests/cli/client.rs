//! An XMPP client that only opens a stream and reads.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::program::PATIENCE;

/// A client that has seen the server's features: so the server has accepted it and knows it.
#[derive(Debug)]
pub(super) struct Client(TcpStream);

impl Client {
    pub(super) fn connect(address: SocketAddr, domain: &str) -> Self {
        let mut stream = TcpStream::connect(address).expect("the server listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        write!(
            stream,
            "<stream:stream to='{domain}' version='1.0' xmlns='jabber:client' \
             xmlns:stream='http://etherx.jabber.org/streams'>"
        )
        .expect("the server reads");
        let mut seen = Vec::new();
        while !String::from_utf8_lossy(&seen).contains("</stream:features>") {
            let mut bytes = [0; 4096];
            let count = stream.read(&mut bytes).expect("the server answers");
            assert_ne!(count, 0, "no features: {}", String::from_utf8_lossy(&seen));
            seen.extend_from_slice(&bytes[..count]);
        }
        Self(stream)
    }

    /// What the server still says until it closes the connection. Our own stream is not closed first.
    pub(super) fn last_words(mut self) -> String {
        let mut text = String::new();
        self.0.read_to_string(&mut text).expect("the server closes the connection in order");
        text
    }
}
