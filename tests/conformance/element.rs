//! XML as it arrives: a stream's header, complete elements, its end.
//!
//! rxml reads it, so that a second parser judges what our server writes. It refuses what RFC 6120 §11 restricts.

use rxml::error::EndOrError;
use rxml::{Event, Options, Parse as _, Parser, WithOptions as _};

pub(crate) const NS_CLIENT: &str = "jabber:client";
pub(crate) const NS_STREAM: &str = "http://etherx.jabber.org/streams";
pub(crate) const NS_STANZAS: &str = "urn:ietf:params:xml:ns:xmpp-stanzas";

/// An element with everything in it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Element {
    pub(crate) ns: String,
    pub(crate) name: String,
    /// Namespace, local name, value.
    attrs: Vec<(String, String, String)>,
    pub(crate) children: Vec<Self>,
    /// All character data directly in it.
    pub(crate) text: String,
    /// Its bytes, of a first-level element.
    pub(crate) raw: String,
}

impl Element {
    /// Whether it is this stanza.
    pub(crate) fn is(&self, name: &str) -> bool {
        self.is_in(name, NS_CLIENT)
    }

    pub(crate) fn is_in(&self, name: &str, ns: &str) -> bool {
        self.name == name && self.ns == ns
    }

    /// Whether it is this stanza with this `id`.
    pub(crate) fn is_answer(&self, name: &str, id: &str) -> bool {
        self.is(name) && self.id() == id
    }

    /// An attribute without namespace; empty when there is none.
    pub(crate) fn attr(&self, name: &str) -> &str {
        self.attr_in(name, "")
    }

    pub(crate) fn attr_in(&self, name: &str, ns: &str) -> &str {
        let found = self.attrs.iter().find(|(n, local, _)| n == ns && local == name);
        found.map_or("", |(_, _, value)| value)
    }

    /// Namespace, name and value of each attribute.
    pub(crate) fn attrs(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.attrs.iter().map(|(ns, name, value)| (&**ns, &**name, &**value))
    }

    pub(crate) fn has_attr(&self, name: &str) -> bool {
        self.attrs.iter().any(|(ns, local, _)| ns.is_empty() && local == name)
    }

    pub(crate) fn id(&self) -> &str {
        self.attr("id")
    }

    pub(crate) fn from(&self) -> &str {
        self.attr("from")
    }

    pub(crate) fn to(&self) -> &str {
        self.attr("to")
    }

    /// `type`, empty without.
    pub(crate) fn kind(&self) -> &str {
        self.attr("type")
    }

    pub(crate) fn child(&self, name: &str, ns: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.is_in(name, ns))
    }

    /// Text of the child `name` in the same namespace; empty when there is none.
    pub(crate) fn child_text(&self, name: &str) -> &str {
        self.child(name, &self.ns).map_or("", |child| &child.text)
    }

    /// Defined condition of an error stanza (RFC 6120 §8.3.2); empty for what is none.
    pub(crate) fn condition(&self) -> &str {
        let error = self.child("error", NS_CLIENT).filter(|_| self.kind() == "error");
        let conditions = error.into_iter().flat_map(|error| &error.children);
        conditions.filter(|c| c.ns == NS_STANZAS && c.name != "text").map(|c| &*c.name).next().unwrap_or("")
    }

    /// `type` of its `<error/>`.
    pub(crate) fn error_type(&self) -> &str {
        self.child("error", NS_CLIENT).map_or("", |error| error.attr("type"))
    }
}

/// What a stream consists of.
#[derive(Debug)]
pub(crate) enum Unit {
    /// The header, without children.
    Open(Element),
    Element(Element),
    Close,
}

/// Reads a stream; restarted for each new one.
#[derive(Debug)]
pub(crate) struct Reader {
    parser: Parser,
    input: Vec<u8>,
    /// Open elements, the header first.
    open: Vec<Element>,
    /// Bytes of the first-level element under way.
    raw: Vec<u8>,
    /// White space between elements so far, in bytes.
    blanks: usize,
}

impl Reader {
    pub(crate) fn new() -> Self {
        let options = Options { max_token_length: 1 << 20, ..Options::default() };
        let parser = Parser::with_options(options);
        Self { parser, input: Vec::new(), open: Vec::new(), raw: Vec::new(), blanks: 0 }
    }

    /// A new stream begins with what has not been read yet.
    pub(crate) fn restart(&mut self) {
        let input = std::mem::take(&mut self.input);
        *self = Self { input, blanks: self.blanks, ..Self::new() };
    }

    pub(crate) const fn blanks(&self) -> usize {
        self.blanks
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
    }

    /// The next unit; `None`: more bytes are needed.
    ///
    /// # Errors
    /// What came is no XML, or XML that RFC 6120 §11 forbids.
    pub(crate) fn next(&mut self) -> Result<Option<Unit>, String> {
        loop {
            let mut rest = &self.input[..];
            let event = match self.parser.parse(&mut rest, false) {
                Ok(event) => event,
                Err(EndOrError::NeedMoreData) => None,
                Err(EndOrError::Error(error)) => return Err(error.to_string()),
            };
            let used = self.input.len() - rest.len();
            self.raw.extend(self.input.drain(..used));
            let Some(event) = event else { return Ok(None) };
            if let Some(unit) = self.take(event) {
                return Ok(Some(unit));
            }
        }
    }

    fn take(&mut self, event: Event) -> Option<Unit> {
        match event {
            Event::XmlDeclaration(..) => None,
            Event::StartElement(_, (ns, name), attrs) => {
                let attrs =
                    attrs.iter().map(|((ns, name), value)| (ns.to_string(), name.to_string(), value.clone()));
                let element = Element {
                    ns: ns.to_string(),
                    name: name.to_string(),
                    attrs: attrs.collect(),
                    ..Element::default()
                };
                self.open.push(element);
                (self.open.len() == 1).then(|| {
                    self.raw.clear();
                    Unit::Open(self.open[0].clone())
                })
            }
            Event::Text(metrics, text) => {
                let depth = self.open.len();
                match self.open.last_mut() {
                    Some(element) if depth > 1 => element.text.push_str(&text),
                    // White space between stanzas (RFC 6120 §4.6.1). The lexer has read a byte further.
                    _ => {
                        self.raw.drain(..metrics.len());
                        self.blanks += metrics.len();
                    }
                }
                None
            }
            Event::EndElement(_) => {
                let mut element = self.open.pop()?;
                let depth = self.open.len();
                match self.open.last_mut() {
                    None => return Some(Unit::Close),
                    Some(parent) if depth > 1 => parent.children.push(element),
                    Some(_) => {
                        element.raw = String::from_utf8_lossy(&std::mem::take(&mut self.raw)).into_owned();
                        return Some(Unit::Element(element));
                    }
                }
                None
            }
        }
    }
}

#[test]
fn a_stream_is_read_in_any_pieces() {
    let text = "<?xml version='1.0'?><s:s xmlns:s='urn:s' xmlns='jabber:client' id='1'> <iq id='a'/>\n\
                <message type='error'><error type='wait'><x xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>\
                </error>&lt;</message></s:s>";
    for size in [1, 2, 7, 1000] {
        let mut reader = Reader::new();
        let mut units = Vec::new();
        for piece in text.as_bytes().chunks(size) {
            reader.push(piece);
            while let Some(unit) = reader.next().unwrap() {
                units.push(unit);
            }
        }
        let [Unit::Open(open), Unit::Element(iq), Unit::Element(message), Unit::Close] = &units[..] else {
            panic!("{units:?}");
        };
        assert_eq!((&*open.name, open.id()), ("s", "1"));
        assert_eq!((iq.is_answer("iq", "a"), &*iq.raw), (true, "<iq id='a'/>"));
        assert_eq!((message.condition(), message.error_type(), &*message.text), ("x", "wait", "<"));
    }
}
