//! A client that says what it is told, and looks at what comes.
//!
//! It answers nothing by itself. What it reads stays in its inbox until a test takes it; a failed expectation shows all
//! that was said on the connection.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};

use super::element::{Element, NS_STREAM, Reader, Unit};
use super::target::{Target, target};

const NS_STREAM_ERRORS: &str = "urn:ietf:params:xml:ns:xmpp-streams";

/// One connection.
#[derive(Debug)]
pub(crate) struct Client {
    /// Full JID once bound.
    pub(crate) jid: String,
    pub(crate) domain: String,
    socket: TcpStream,
    reader: Reader,
    inbox: Vec<Element>,
    /// All that was said.
    transcript: String,
}

impl Client {
    /// Connects, and says nothing.
    pub(crate) fn connect() -> Self {
        Self::connect_to(target())
    }

    pub(crate) fn connect_to(target: &Target) -> Self {
        let socket = TcpStream::connect(target.address).expect("the server listens");
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(target.patience)).unwrap();
        Self {
            jid: String::new(),
            domain: target.domain.clone(),
            socket,
            reader: Reader::new(),
            inbox: Vec::new(),
            transcript: String::new(),
        }
    }

    pub(crate) fn send(&mut self, text: &str) {
        writeln!(self.transcript, "C: {text}").unwrap();
        // A server that has closed lets a write fail; what it said before is still to be read.
        let _ = self.socket.write_all(text.as_bytes());
    }

    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        writeln!(self.transcript, "C: {}", String::from_utf8_lossy(bytes)).unwrap();
        let _ = self.socket.write_all(bytes);
    }

    /// What comes next belongs to a new stream (RFC 6120 §4.3.3).
    pub(crate) fn restart(&mut self) {
        self.reader.restart();
    }

    /// The peer hears an unclean end (RFC 6120 §4.4).
    pub(crate) fn cut(self) {
        self.socket.shutdown(std::net::Shutdown::Both).unwrap();
    }

    /// Closes the stream as one should, and waits for the other side to do so.
    pub(crate) fn close(mut self) -> Vec<Element> {
        self.send("</stream:stream>");
        self.expect_end();
        self.inbox
    }

    /// The next unit; `None` at the end of the connection.
    fn read(&mut self) -> Option<Unit> {
        loop {
            match self.reader.next() {
                Ok(Some(unit)) => {
                    match &unit {
                        Unit::Open(header) => writeln!(self.transcript, "S: {header:?}").unwrap(),
                        Unit::Element(element) => writeln!(self.transcript, "S: {}", element.raw).unwrap(),
                        Unit::Close => self.transcript.push_str("S: </stream:stream>\n"),
                    }
                    return Some(unit);
                }
                Ok(None) => {}
                Err(error) => self.fail(&format!("no restricted XML: {error}")),
            }
            let mut bytes = [0; 16_384];
            match self.socket.read(&mut bytes) {
                Ok(0) => {
                    self.transcript.push_str("S: (end)\n");
                    return None;
                }
                Ok(count) => self.reader.push(&bytes[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    self.fail("nothing more came")
                }
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {
                    // As good as an end: what the server had said before has arrived, or a test misses it.
                    self.transcript.push_str("S: (reset)\n");
                    return None;
                }
                Err(error) => self.fail(&format!("{error}")),
            }
        }
    }

    /// The next unit of a stream that may have ended; `None`: it has.
    pub(crate) fn next_or_end(&mut self) -> Option<Element> {
        match self.read() {
            Some(Unit::Element(element)) => Some(element),
            Some(Unit::Close) | None => None,
            Some(Unit::Open(_)) => self.fail("a second header"),
        }
    }

    /// Panics with the transcript.
    pub(crate) fn fail(&self, what: &str) -> ! {
        let said = &self.transcript;
        let from = said.char_indices().rev().nth(6_000).map_or(0, |(at, _)| at);
        panic!("{}: {what}\n{}", self.jid, &said[from..]);
    }

    pub(crate) fn check(&self, is_right: bool, what: &str) {
        if !is_right {
            self.fail(what);
        }
    }

    /// The server's stream header.
    pub(crate) fn expect_header(&mut self) -> Element {
        match self.read() {
            Some(Unit::Open(header)) if header.is_in("stream", NS_STREAM) => header,
            other => self.fail(&format!("expected a stream header, not {other:?}")),
        }
    }

    /// The next element, whatever it is.
    pub(crate) fn next(&mut self) -> Element {
        if !self.inbox.is_empty() {
            return self.inbox.remove(0);
        }
        match self.read() {
            Some(Unit::Element(element)) => element,
            other => self.fail(&format!("expected an element, not {other:?}")),
        }
    }

    /// The first element that is wanted; those before it stay in the inbox.
    pub(crate) fn expect(&mut self, what: &str, is_wanted: impl Fn(&Element) -> bool) -> Element {
        let mut at = 0;
        loop {
            if at == self.inbox.len() {
                match self.read_wanting(what) {
                    Some(Unit::Element(element)) => self.inbox.push(element),
                    other => self.fail(&format!("expected {what}, not {other:?}")),
                }
            }
            if is_wanted(&self.inbox[at]) {
                return self.inbox.remove(at);
            }
            at += 1;
        }
    }

    fn read_wanting(&mut self, what: &str) -> Option<Unit> {
        writeln!(self.transcript, "   (waiting for {what})").unwrap();
        self.read()
    }

    /// A connection whose first words are these.
    pub(crate) fn saying(text: &str) -> Self {
        let mut client = Self::connect();
        client.send(text);
        client
    }

    /// Sends an IQ that has this `id`, and waits for its answer.
    pub(crate) fn ask(&mut self, id: &str, iq: &str) -> Element {
        self.send(iq);
        self.answer(id)
    }

    /// The answer to an IQ.
    pub(crate) fn answer(&mut self, id: &str) -> Element {
        self.expect(&format!("an answer to {id}"), |e| {
            e.is_answer("iq", id) && matches!(e.kind(), "result" | "error")
        })
    }

    /// A round trip to the server: what it had to say to this client because of what this client sent before has come,
    /// as far as no other account's home was asked.
    pub(crate) fn ping(&mut self) {
        let id = unique("ping");
        let domain = self.domain.clone();
        self.send(&format!("<iq type='get' id='{id}' to='{domain}'><ping xmlns='urn:xmpp:ping'/></iq>"));
        self.answer(&id);
    }

    /// A round trip to an account's home, where the server answers for it.
    pub(crate) fn ping_account(&mut self, bare: &str) {
        let id = unique("ask");
        self.send(&format!("<iq type='get' id='{id}' to='{bare}'><nothing xmlns='urn:conformance'/></iq>"));
        self.answer(&id);
    }

    /// Takes everything that has come, after a round trip.
    pub(crate) fn drain(&mut self) -> Vec<Element> {
        self.ping();
        std::mem::take(&mut self.inbox)
    }

    /// Forgets everything that has come, after a round trip.
    pub(crate) fn forget(&mut self) {
        self.drain();
    }

    /// A stream error of this condition, the closing tag and the end of the connection (RFC 6120 §4.9.1.1).
    pub(crate) fn expect_stream_error(&mut self, condition: &str) {
        self.expect_stream_error_of(&[condition]);
    }

    pub(crate) fn expect_stream_error_of(&mut self, conditions: &[&str]) -> Element {
        let what = format!("the stream error {conditions:?}");
        let error = self.expect(&what, |e| e.is_in("error", NS_STREAM));
        let defined: Vec<_> = error.children.iter().filter(|c| c.ns == NS_STREAM_ERRORS).collect();
        let defined: Vec<_> = defined.iter().filter(|c| c.name != "text").map(|c| &*c.name).collect();
        let is_right = defined.len() == 1 && conditions.contains(&defined[0]);
        self.check(is_right, &what);
        self.expect_end();
        error
    }

    /// The closing tag and the end of the connection; elements before it stay in the inbox.
    pub(crate) fn expect_end(&mut self) {
        loop {
            match self.read() {
                Some(Unit::Element(element)) => self.inbox.push(element),
                Some(Unit::Close) => break,
                other => self.fail(&format!("expected the end of the stream, not {other:?}")),
            }
        }
        let end = self.read();
        self.check(end.is_none(), "nothing follows the end of a stream");
    }

    /// White space that came between elements so far on this stream.
    pub(crate) fn blanks(&self) -> usize {
        self.reader.blanks()
    }

    /// All that comes until the connection ends, or until an answer to a ping if it does not.
    pub(crate) fn rest(mut self) -> Vec<Element> {
        let domain = self.domain.clone();
        self.send(&format!("<iq type='get' id='rest' to='{domain}'><ping xmlns='urn:xmpp:ping'/></iq>"));
        while let Some(Unit::Element(element)) = self.read() {
            let is_last = element.is_answer("iq", "rest");
            self.inbox.push(element);
            if is_last {
                break;
            }
        }
        self.inbox
    }

    /// Elements that the server sent so far, one a line.
    pub(crate) fn said_by_server(&self) -> Vec<&str> {
        self.transcript.lines().filter_map(|line| line.strip_prefix("S: ")).collect()
    }

    /// What has been read and not taken.
    pub(crate) fn inbox(&mut self) -> Vec<Element> {
        std::mem::take(&mut self.inbox)
    }
}

/// An `id` that no other stanza of this run has.
pub(crate) fn unique(word: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{word}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A message from one client to the other's full JID: what the first caused there before has come.
pub(crate) fn tell(from: &mut Client, to: &mut Client) {
    let id = unique("marker");
    from.send(&format!("<message type='chat' id='{id}' to='{}'><body>marker</body></message>", to.jid));
    to.expect("the marker", |e| e.is_answer("message", &id));
}

/// Whatever either caused, and whatever that caused in turn, has come: there and back, twice.
pub(crate) fn settle(a: &mut Client, b: &mut Client) {
    for _ in 0..2 {
        tell(a, b);
        tell(b, a);
    }
    a.ping();
    b.ping();
}
