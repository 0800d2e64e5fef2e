//! One top-level unit: the state machine that goes through its bytes.
//!
//! It does not own the bytes, and does not know what comes between units. Offsets count from the unit's `<`.
//!
//! The machine runs in a circle: `<`, a start or end tag, text up to the next `<`. Where the bytes end it *parks*: it
//! stores a [`State`], the position, and where the run (name, value, text) began that it is in. The next call
//! resumes there, finishes what was cut, and is back in the circle. A run is judged when its end is seen, so what
//! the machine says of some bytes never depends on how they were cut.

mod content;
mod end_tag;
mod start_tag;

use super::Scope;
use super::namespaces::Bindings;
use crate::xml::scan::{NAME_START, Scan, class};
use crate::xml::{Span, XmlError};

/// Names kept inside the framer; deeper elements are rare and go to the heap.
const DEPTH_INLINE: usize = 8;

/// What a unit is seen against.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    /// Of the stream header; none while it is awaited.
    pub(super) scope: Option<&'a Scope>,
    pub(super) elements_max: u32,
}

/// What has been found complete, and behind which byte it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Complete {
    Open(usize),
    Element(usize),
    Close(usize),
}

/// Where the scan was parked; the comment says what is expected at `pos`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Behind `<`: what kind of markup.
    Markup,
    /// In the name of a start tag, which begins at `mark`.
    Name,
    /// Behind that name or an attribute: white space or the tag's end.
    Gap,
    /// Behind white space in a tag: an attribute or the tag's end.
    Space,
    /// In the name of an attribute, which begins at `mark`.
    AttrName,
    /// Behind it: `=`.
    Equals,
    /// Behind `=`: a quote.
    Quote,
    /// In a value, which begins at `mark`, behind its quote.
    Value,
    /// In the name of an end tag: `pos - mark` bytes agree with the start tag.
    EndName,
    /// Behind it: `>`.
    EndTail,
    /// In character data, which begins at `mark`.
    Text,
    /// Behind `<!`.
    Bang,
    /// In `[CDATA[`, which begins at `mark`.
    CdataOpen,
    /// In a CDATA section, whose content begins at `mark`.
    Cdata,
}

/// What a stage of the circle has come to.
enum Flow {
    /// Text begins here.
    Text(usize),
    /// A `<` is before this.
    Markup(usize),
    /// The bytes are used up.
    Parked,
    Complete(Complete),
}

/// What is to be judged of a run at its end.
type Run = u8;
/// A byte above ASCII is in it.
const WIDE: Run = 1;
/// An `&` is in it.
const REFERENCE: Run = 2;
/// It is the value of `xmlns`.
const DEFAULT_NS: Run = 4;

// Bits of `flags`. The first two are about the tag, the others about the unit.
/// The tag declares or uses prefixes.
const PREFIXES: u8 = 1;
/// Two attributes of the tag may have one name.
const TWICE: u8 = 2;
/// The top-level tag has `xmlns`.
const HAS_XMLNS: u8 = 4;
/// A prefix is the stream header's.
const LEANS: u8 = 8;

/// State of the scan between two calls. Small, because idle connections have one.
#[derive(Debug)]
pub(super) struct Unit {
    /// Everything before was scanned and is not looked at again, save to judge a run at its end.
    pos: u32,
    /// Start of the run that `pos` is in.
    mark: u32,
    /// The `<` of the tag that `pos` is in.
    tag: u32,
    /// Behind the top-level start tag.
    pub(super) tag_len: u32,
    elements: u32,
    state: State,
    /// Elements that are open.
    depth: u8,
    /// What is known of the run that `pos` is in.
    run: Run,
    flags: u8,
    /// Attributes and namespace declarations of the tag so far.
    attrs: u8,
    declared: u8,
    /// Names of the open elements; the innermost may be half read.
    names: [Span; DEPTH_INLINE],
    deep: Option<Box<Deep>>,
}

/// What few units need.
#[derive(Debug, Default)]
struct Deep {
    names: Vec<Span>,
    bindings: Bindings,
}

impl Unit {
    /// Behind the `<` of a new unit.
    pub(super) const fn new() -> Self {
        Self {
            pos: 1,
            mark: 0,
            tag: 0,
            tag_len: 0,
            elements: 0,
            state: State::Markup,
            depth: 0,
            run: 0,
            flags: 0,
            attrs: 0,
            declared: 0,
            names: [Span { start: 0, end: 0 }; DEPTH_INLINE],
            deep: None,
        }
    }

    /// Begins the next unit.
    #[inline]
    pub(super) fn restart(&mut self) {
        self.pos = 1;
        self.elements = 0;
        self.state = State::Markup;
        self.depth = 0;
        self.flags = 0;
        self.leave(0);
    }

    /// Gives back what is not needed between units.
    pub(super) fn shrink(&mut self) {
        self.deep = None;
    }

    #[cfg(test)]
    pub(super) const fn holds_no_heap(&self) -> bool {
        self.deep.is_none()
    }

    pub(super) const fn has_xmlns(&self) -> bool {
        self.flags & HAS_XMLNS != 0
    }

    pub(super) const fn leans(&self) -> bool {
        self.flags & LEANS != 0
    }

    /// Goes on where the last call stopped; `unit` holds the same bytes as then, and more.
    pub(super) fn run(&mut self, unit: &[u8], cx: Context<'_>) -> Result<Option<Complete>, XmlError> {
        debug_assert!(unit.len() >= self.pos as usize, "bytes that were seen are still there");
        let scan = &mut Scan::new(unit);
        let mut flow = if self.state == State::Markup {
            Flow::Markup(self.pos as usize)
        } else {
            self.resume(scan, cx)?
        };
        loop {
            if let Flow::Markup(pos) = flow {
                flow = self.markup(scan, pos, cx)?;
            }
            match flow {
                Flow::Text(start) => flow = self.text(scan, start, start, 0)?,
                Flow::Markup(_) => {}
                Flow::Parked => return Ok(None),
                Flow::Complete(complete) => return Ok(Some(complete)),
            }
        }
    }

    /// Decides what a `<` begins.
    #[inline(always)]
    fn markup(&mut self, scan: &mut Scan<'_>, pos: usize, cx: Context<'_>) -> Result<Flow, XmlError> {
        self.tag = at(pos - 1);
        let Some(&byte) = scan.bytes().get(pos) else { return Ok(self.park(State::Markup, pos, pos)) };
        if byte == b'/' {
            return self.end_tag(scan.bytes(), pos + 1, cx);
        }
        if class(byte) & NAME_START != 0 {
            return self.start_tag(scan, pos, cx);
        }
        match byte {
            b'!' => self.bang(scan, pos + 1),
            b'?' => Err(XmlError::Restricted("processing instruction")),
            0 if cx.scope.is_none() => Err(XmlError::UnsupportedEncoding("not UTF-8")),
            _ => Err(XmlError::NotWellFormed("character in a name")),
        }
    }

    /// Finishes what the end of the bytes has cut.
    #[cold]
    fn resume(&mut self, scan: &mut Scan<'_>, cx: Context<'_>) -> Result<Flow, XmlError> {
        let (pos, mark) = (self.pos as usize, self.mark as usize);
        match self.state {
            State::Markup => Ok(Flow::Markup(pos)),
            State::Name
            | State::Gap
            | State::Space
            | State::AttrName
            | State::Equals
            | State::Quote
            | State::Value => self.resume_tag(scan, cx),
            State::EndName => self.end_name(scan.bytes(), pos, mark, cx),
            State::EndTail => self.end_tail(scan.bytes(), pos),
            State::Text => self.text(scan, pos, mark, self.run),
            State::Bang => self.bang(scan, pos),
            State::CdataOpen => self.cdata_open(scan, pos, mark),
            State::Cdata => self.cdata(scan, pos, mark, self.run),
        }
    }

    /// Stores where to go on.
    #[cold]
    fn park(&mut self, state: State, pos: usize, mark: usize) -> Flow {
        self.state = state;
        self.pos = at(pos);
        self.mark = at(mark);
        Flow::Parked
    }

    /// Forgets the prefixes of elements at `depth` and deeper.
    #[inline(always)]
    fn leave(&mut self, depth: u8) {
        if let Some(deep) = &mut self.deep {
            deep.bindings.leave(depth);
        }
    }
}

/// As an offset: `stanza_bytes_max` keeps units far below 4 GiB.
#[inline(always)]
fn at(index: usize) -> u32 {
    debug_assert!(u32::try_from(index).is_ok(), "the framer's limit is below 4 GiB");
    #[expect(clippy::cast_possible_truncation, reason = "asserted above")]
    let offset = index as u32;
    offset
}
