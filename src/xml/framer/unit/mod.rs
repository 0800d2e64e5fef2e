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

/// Where a stage of the circle has come to: behind its last byte.
type Step = Result<usize, Halt>;

/// Why it has come no further. Small, so that a [`Step`] stays in registers; the fault is in the [`Pass`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
enum Halt {
    /// The bytes are used up.
    Parked,
    Fault,
}

/// One call of [`Unit::run`].
struct Pass<'a> {
    unit: &'a [u8],
    scan: Scan<'a>,
    cx: Context<'a>,
    /// Set with [`Halt::Fault`].
    fault: Result<(), XmlError>,
}

impl Pass<'_> {
    #[cold]
    fn fail<T>(&mut self, fault: XmlError) -> Result<T, Halt> {
        self.fault = Err(fault);
        Err(Halt::Fault)
    }

    #[cold]
    fn ill_formed<T>(&mut self, what: &'static str) -> Result<T, Halt> {
        self.fail(XmlError::NotWellFormed(what))
    }

    /// Passes a fault on.
    #[inline(always)]
    fn check<T>(&mut self, result: Result<T, XmlError>) -> Result<T, Halt> {
        match result {
            Ok(value) => Ok(value),
            Err(fault) => self.fail(fault),
        }
    }
}

/// What is to be judged of a run at its end.
type Run = u8;
/// A byte above ASCII is in it.
const WIDE: Run = 1;
/// An `&` is in it.
const REFERENCE: Run = 2;
/// It is the value of `xmlns`.
const DEFAULT_NS: Run = 4;

// Bits of `flags`. The first is about the tag, the others about the unit.
/// The tag has to be looked at exactly at its end: it declares or uses prefixes, two attributes may have one name, or it
/// was cut.
const EXACTLY: u8 = 1;
/// The top-level tag has `xmlns`.
const HAS_XMLNS: u8 = 4;
/// A prefix is the stream header's.
const LEANS: u8 = 8;
/// The unit closes the stream.
const CLOSES: u8 = 16;

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
        let mut pass = Pass { unit, scan: Scan::new(unit), cx, fault: Ok(()) };
        match self.circle(&mut pass) {
            Ok(complete) => Ok(Some(complete)),
            Err(Halt::Parked) => Ok(None),
            Err(Halt::Fault) => pass.fault.map(|()| unreachable!("a fault that is none")),
        }
    }

    /// Tag, text, tag, text, to the end of the unit.
    #[inline(always)]
    fn circle(&mut self, pass: &mut Pass<'_>) -> Result<Complete, Halt> {
        let mut pos = self.pos as usize;
        if self.state != State::Markup {
            pos = self.resume(pass)?;
            if self.state != State::Text {
                if self.depth == 0 {
                    return Ok(self.completed(pos, pass.cx));
                }
                pos = self.text(pass, pos, pos, 0)?;
            }
        }
        loop {
            let end = self.markup(pass, pos)?;
            if self.depth == 0 {
                return Ok(self.completed(end, pass.cx));
            }
            pos = self.text(pass, end, end, 0)?;
        }
    }

    /// What it is that ends before `end`.
    #[inline(always)]
    const fn completed(&self, end: usize, cx: Context<'_>) -> Complete {
        match cx.scope {
            None => Complete::Open(end),
            Some(_) if self.flags & CLOSES != 0 => Complete::Close(end),
            Some(_) => Complete::Element(end),
        }
    }

    /// A tag or CDATA section, whose `<` is before `pos`.
    #[inline(always)]
    fn markup(&mut self, pass: &mut Pass<'_>, pos: usize) -> Step {
        self.tag = at(pos - 1);
        let Some(&byte) = pass.unit.get(pos) else { return self.park(State::Markup, pos, pos) };
        if byte == b'/' {
            return self.end_tag(pass, pos + 1);
        }
        if class(byte) & NAME_START != 0 {
            return self.start_tag(pass, pos);
        }
        self.other_markup(pass, pos)
    }

    /// What begins neither an element's start tag nor an end tag.
    #[cold]
    fn other_markup(&mut self, pass: &mut Pass<'_>, pos: usize) -> Step {
        match pass.unit[pos] {
            b'!' => self.bang(pass, pos + 1),
            b'?' => pass.fail(XmlError::Restricted("processing instruction")),
            0 if pass.cx.scope.is_none() => pass.fail(XmlError::UnsupportedEncoding("not UTF-8")),
            _ => pass.ill_formed("character in a name"),
        }
    }

    /// Finishes the tag, text or section that the end of the bytes has cut.
    #[cold]
    fn resume(&mut self, pass: &mut Pass<'_>) -> Step {
        let (pos, mark) = (self.pos as usize, self.mark as usize);
        match self.state {
            State::Markup => Ok(pos),
            State::Name
            | State::Gap
            | State::Space
            | State::AttrName
            | State::Equals
            | State::Quote
            | State::Value => self.resume_tag(pass),
            State::EndName => self.end_name(pass, pos, mark),
            State::EndTail => self.end_tail(pass, pos),
            State::Text => self.text(pass, pos, mark, self.run),
            State::Bang => self.bang(pass, pos),
            State::CdataOpen => self.cdata_open(pass, mark),
            State::Cdata => self.cdata(pass, pos, mark, self.run),
        }
    }

    /// Stores where to go on.
    #[cold]
    fn park(&mut self, state: State, pos: usize, mark: usize) -> Step {
        self.state = state;
        self.pos = at(pos);
        self.mark = at(mark);
        Err(Halt::Parked)
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
