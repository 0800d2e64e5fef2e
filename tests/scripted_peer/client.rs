//! One client's connection as the peer sees it: socket, framing, log-in.
//!
//! It knows no operation and no clock. Whatever password a client has is right.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use base64::Engine as _;
use bytes::BytesMut;
use xmpp_bench::limits::FRAMER_AFTER_AUTH;
use xmpp_bench::xml::{Element, Frame, Framer, Node};

pub(crate) const DOMAIN: &str = "peer.test";
const NS_CLIENT: &str = "jabber:client";
const NS_BIND: &str = "urn:ietf:params:xml:ns:xmpp-bind";

/// A stanza as far as a router looks into it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stanza {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) to: Option<String>,
    pub(crate) kind: Option<String>,
    /// Name and namespace of the first child.
    pub(crate) payload: (String, String),
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) socket: TcpStream,
    framer: Framer,
    input: BytesMut,
    output: Vec<u8>,
    /// Number of the user, once it has authenticated.
    pub(crate) user: Option<u32>,
    /// Its initial presence has come.
    pub(crate) available: bool,
    /// Its stream was closed from here.
    closed: bool,
    /// Nothing more is expected of it.
    pub(crate) gone: bool,
}

impl Client {
    pub(crate) fn new(socket: TcpStream) -> Self {
        socket.set_nonblocking(true).expect("a socket can be made non-blocking");
        socket.set_nodelay(true).expect("TCP_NODELAY is there");
        Self {
            socket,
            framer: Framer::new(FRAMER_AFTER_AUTH),
            input: BytesMut::new(),
            output: Vec::new(),
            user: None,
            available: false,
            closed: false,
            gone: false,
        }
    }

    /// Takes what has come.
    pub(crate) fn read(&mut self) {
        let mut buffer = [0; 16_384];
        loop {
            match self.socket.read(&mut buffer) {
                Ok(0) => return self.gone = true,
                Ok(got) => self.input.extend_from_slice(&buffer[..got]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return self.gone = true,
            }
        }
    }

    /// The next stanza behind the log-in; what belongs to the log-in is answered here.
    pub(crate) fn next_stanza(&mut self) -> Result<Option<Stanza>, String> {
        loop {
            match self.framer.next_frame(&mut self.input).map_err(|error| error.to_string())? {
                None => return Ok(None),
                Some(Frame::Open(_)) => self.open_stream(),
                Some(Frame::Close) => self.close(),
                Some(Frame::Element(element)) => {
                    if let Some(stanza) = self.element(&element)? {
                        return Ok(Some(stanza));
                    }
                }
            }
        }
    }

    fn open_stream(&mut self) {
        let features = match self.user {
            None => {
                "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms>"
                    .to_owned()
            }
            Some(_) => format!("<bind xmlns='{NS_BIND}'/>"),
        };
        self.write(&format!(
            "<?xml version='1.0'?><stream:stream xmlns='{NS_CLIENT}' xmlns:stream='http://etherx.jabber.org/streams' \
             from='{DOMAIN}' id='scripted' version='1.0'><stream:features>{features}</stream:features>"
        ));
    }

    fn element(&mut self, element: &Element) -> Result<Option<Stanza>, String> {
        let node = Node::parse(element, NS_CLIENT);
        if node.name == "auth" {
            self.user = Some(user_of_plain(&node.text())?);
            self.framer.restart();
            self.write("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
            return Ok(None);
        }
        let text = |name| node.attr(name).map(str::to_owned);
        let id = text("id").unwrap_or_default();
        if let (Some(_), Some(user)) = (node.child("bind", NS_BIND), self.user) {
            let jid = full_jid(user);
            self.write(&format!(
                "<iq type='result' id='{id}'><bind xmlns='{NS_BIND}'><jid>{jid}</jid></bind></iq>"
            ));
            return Ok(None);
        }
        let payload = node.elements().next().map(|child| (child.name.to_owned(), child.ns.to_string()));
        let (name, payload) = (node.name.to_owned(), payload.unwrap_or_default());
        Ok(Some(Stanza { name, id, to: text("to"), kind: text("type"), payload }))
    }

    /// Closes the stream; the socket is the client's to close.
    pub(crate) fn close(&mut self) {
        if !std::mem::replace(&mut self.closed, true) {
            self.write("</stream:stream>");
        }
    }

    /// Writes all that the kernel takes; the rest is for [`Self::flush`].
    pub(crate) fn write(&mut self, text: &str) {
        self.output.extend_from_slice(text.as_bytes());
        self.flush();
    }

    pub(crate) fn flush(&mut self) {
        while !self.output.is_empty() && !self.gone {
            match self.socket.write(&self.output) {
                Ok(taken) => drop(self.output.drain(..taken)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => self.gone = true,
            }
        }
    }

    pub(crate) fn is_blocked(&self) -> bool {
        !self.output.is_empty() && !self.gone
    }
}

pub(crate) fn bare_jid(user: u32) -> String {
    format!("u{user}@{DOMAIN}")
}

pub(crate) fn full_jid(user: u32) -> String {
    format!("u{user}@{DOMAIN}/r")
}

/// The user that an address belongs to.
pub(crate) fn user_of(jid: &str) -> Option<u32> {
    jid.split('/').next()?.strip_suffix(DOMAIN)?.strip_suffix('@')?.strip_prefix('u')?.parse().ok()
}

/// RFC 4616: `[authzid] NUL authcid NUL passwd`.
fn user_of_plain(text: &str) -> Result<u32, String> {
    let decoded = base64::engine::general_purpose::STANDARD.decode(text.trim()).map_err(|e| e.to_string())?;
    let decoded = String::from_utf8(decoded).map_err(|e| e.to_string())?;
    let name = decoded.split('\0').nth(1).and_then(|name| name.strip_prefix('u')?.parse().ok());
    name.ok_or_else(|| format!("no user of ours: {decoded:?}"))
}
