//! The framer: where units of a stream end, and whether they are what they have to be.
//!
//! It does not resolve references, build trees or know stanzas, owns no buffer, and never waits. It is the one
//! place that decides when a unit is complete and the one place that judges XML: were there a second, one client
//! could smuggle stanzas into another's stream. Hence it checks everything at once: UTF-8, characters, names,
//! matching end tags, unique attributes, declared prefixes, references, limits. It never recurses, and looks at a
//! byte again only to judge a run (name, value, text) whose end has come.

mod declaration;
mod frame;
mod namespaces;
mod scope;
#[cfg(test)]
mod tests;
mod unit;

use std::sync::Arc;

use bytes::{Buf, BytesMut};

pub use self::frame::{Element, Frame, Open};
pub(super) use self::namespaces::XML as XML_NAMESPACE;
pub use self::scope::Scope;
use self::unit::{Complete, Context, Unit};
use super::scan::{self, SPACE, class};
use super::{Tag, XmlError};
use crate::limits::FramerLimits;

/// The byte order mark that may come first (XML 1.0 §4.3.3).
const BOM: &[u8] = "\u{FEFF}".as_bytes();
const DECLARATION: &[u8] = b"<?xml";

/// Finds the ends of top-level units and checks everything on the way (DESIGN: "one parser decides").
///
/// ```
/// use bytes::BytesMut;
/// use xmpp_bench::{limits::FRAMER_BEFORE_AUTH, xml::{Frame, Framer}};
///
/// let mut framer = Framer::new(FRAMER_BEFORE_AUTH);
/// let mut input = BytesMut::from("<s:s xmlns:s='streams' xmlns='client'><iq id='1'");
/// assert!(matches!(framer.next_frame(&mut input), Ok(Some(Frame::Open(_)))));
/// assert!(matches!(framer.next_frame(&mut input), Ok(None)));
/// input.extend_from_slice(b"/> </s:s>");
/// assert!(matches!(framer.next_frame(&mut input), Ok(Some(Frame::Element(iq))) if iq.as_str() == "<iq id='1'/>"));
/// assert!(matches!(framer.next_frame(&mut input), Ok(Some(Frame::Close))));
/// ```
#[derive(Debug)]
pub struct Framer {
    phase: Phase,
    elements_max: u32,
    stanza_bytes_max: u32,
    /// Of the stream header, once it was seen.
    scope: Option<Arc<Scope>>,
    unit: Unit,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The first byte of a stream.
    Start,
    /// An XML declaration or the stream header.
    Prolog,
    /// The rest of an XML declaration, the first bytes of which hold no `>`.
    Declaration { scanned: u32 },
    /// The stream header.
    Header,
    /// An element or the end of the stream.
    Content,
    /// The rest of a header, an element or a closing tag.
    Unit,
    /// Nothing: the stream is closed.
    Closed,
}

impl Framer {
    /// A framer at the start of a stream.
    #[must_use]
    pub fn new(limits: FramerLimits) -> Self {
        let mut framer = Self {
            phase: Phase::Start,
            elements_max: 0,
            stanza_bytes_max: 0,
            scope: None,
            unit: Unit::new(),
        };
        framer.set_limits(limits);
        framer
    }

    /// A framer inside a stream whose header declared `scope`.
    pub(super) fn inside(limits: FramerLimits, scope: Arc<Scope>) -> Self {
        Self { phase: Phase::Content, scope: Some(scope), ..Self::new(limits) }
    }

    /// Begins a new stream (RFC 6120 §4.3.3); bytes that are still unread belong to it.
    pub fn restart(&mut self) {
        self.phase = Phase::Start;
        self.scope = None;
        self.unit = Unit::new();
    }

    /// Limits from the next element on.
    pub fn set_limits(&mut self, limits: FramerLimits) {
        self.elements_max = limits.elements_max;
        // Offsets into a unit have 32 bits.
        self.stanza_bytes_max = u32::try_from(limits.stanza_bytes_max).unwrap_or(u32::MAX);
    }

    /// The next unit of `input`, split off its front without copying.
    ///
    /// `Ok(None)` when it is not complete: then `input` holds exactly the bytes of the unfinished unit (white space
    /// before it is dropped), and the next call must see the same bytes with more behind them (in any buffer); what
    /// was scanned is not scanned again. White space between elements (RFC 6120 §11.7) is dropped and yields nothing.
    ///
    /// # Errors
    ///
    /// What the peer did wrong. The framer is spent then, until [`restart`](Self::restart).
    pub fn next_frame(&mut self, input: &mut BytesMut) -> Result<Option<Frame>, XmlError> {
        if self.phase != Phase::Unit && !self.begin_unit(input)? {
            return Ok(None);
        }
        let max = self.stanza_bytes_max as usize;
        let window = &input[..input.len().min(max)];
        let cx = Context { scope: self.scope.as_deref(), elements_max: self.elements_max };
        match self.unit.run(window, cx)? {
            Some(complete) => Ok(Some(self.complete(complete, input))),
            None if window.len() == max => Err(XmlError::Limit("bytes of a stanza")),
            None => Ok(None),
        }
    }

    /// Splits a complete unit off `input`.
    fn complete(&mut self, complete: Complete, input: &mut BytesMut) -> Frame {
        self.phase = Phase::Content;
        match complete {
            Complete::Element(end) => {
                let bytes = input.split_to(end).freeze();
                let scope = if self.unit.leans() { self.scope.clone() } else { None };
                Frame::Element(Element {
                    bytes,
                    scope,
                    has_xmlns: self.unit.has_xmlns(),
                    tag_len: self.unit.tag_len,
                })
            }
            Complete::Open(end) => {
                let bytes = input.split_to(end).freeze();
                let text = std::str::from_utf8(&bytes).expect("names and values are checked");
                let scope = Arc::new(Scope::of(Tag::new(text)));
                self.scope = Some(Arc::clone(&scope));
                Frame::Open(Open { bytes, scope })
            }
            Complete::Close(end) => {
                input.advance(end);
                self.phase = Phase::Closed;
                Frame::Close
            }
        }
    }

    /// Drops what may stand before a unit; whether there is one.
    fn begin_unit(&mut self, input: &mut BytesMut) -> Result<bool, XmlError> {
        if !matches!(self.phase, Phase::Content | Phase::Closed) && !self.prolog(input)? {
            return Ok(false);
        }
        drop_space(input);
        match (input.first(), self.phase) {
            (None, _) => {
                self.unit.shrink();
                return Ok(false);
            }
            (Some(_), Phase::Closed) => {
                return Err(XmlError::BadFormat("bytes behind the end of the stream"));
            }
            (Some(b'<'), _) => {}
            (Some(_), Phase::Content) => return Err(XmlError::BadFormat("text between stanzas")),
            (Some(0 | 0xFE | 0xFF), _) => return Err(XmlError::UnsupportedEncoding("not UTF-8")),
            (Some(_), _) => return Err(XmlError::BadFormat("text before the stream header")),
        }
        self.unit.restart();
        self.phase = Phase::Unit;
        Ok(true)
    }

    /// Drops a byte order mark, white space and the XML declaration; whether that is done.
    ///
    /// RFC 6120 §11.6 forbids to send a byte order mark; one that is sent nevertheless is passed over, as XML 1.0
    /// §4.3.3 has it. White space before the declaration may be a keepalive that the peer sent before it knew that the
    /// stream would restart.
    fn prolog(&mut self, input: &mut BytesMut) -> Result<bool, XmlError> {
        if self.phase == Phase::Start {
            if input.len() < BOM.len() && BOM.starts_with(input) {
                return Ok(false);
            }
            if input.starts_with(BOM) {
                input.advance(BOM.len());
            }
            self.phase = Phase::Prolog;
        }
        if self.phase == Phase::Prolog {
            drop_space(input);
            if input.len() <= DECLARATION.len() && DECLARATION.starts_with(input) {
                return Ok(false);
            }
            let declared = input.strip_prefix(DECLARATION).and_then(<[u8]>::first);
            self.phase = match declared {
                Some(&byte) if class(byte) & SPACE != 0 => {
                    Phase::Declaration { scanned: at(DECLARATION.len()) }
                }
                _ => Phase::Header,
            };
        }
        let Phase::Declaration { scanned } = self.phase else { return Ok(true) };
        // No `>` may stand in it but its last byte.
        let max = self.stanza_bytes_max as usize;
        let window = &input[..input.len().min(max)];
        let Some(end) = scan::find_byte(window, scanned as usize, b'>') else {
            self.phase = Phase::Declaration { scanned: at(window.len()) };
            return if window.len() == max {
                Err(XmlError::Limit("bytes of the XML declaration"))
            } else {
                Ok(false)
            };
        };
        declaration::check_declaration(&window[DECLARATION.len()..end])?;
        input.advance(end + 1);
        self.phase = Phase::Header;
        Ok(true)
    }
}

fn drop_space(input: &mut BytesMut) {
    let space = scan::skip_space(input, 0);
    if space > 0 {
        input.advance(space);
    }
}

/// As an offset into a unit, which has 32 bits.
fn at(index: usize) -> u32 {
    u32::try_from(index).expect("stanza_bytes_max has 32 bits")
}
