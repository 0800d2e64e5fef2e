//! End tags: of an element, or at the top of the stream. Each must repeat the name of what it closes.

use super::{Complete, Context, DEPTH_INLINE, Flow, State, Unit};
use crate::xml::scan;
use crate::xml::{Span, XmlError};

const OTHER: XmlError = XmlError::NotWellFormed("end tag of another element");

impl Unit {
    /// Behind `</`.
    #[inline(always)]
    pub(super) fn end_tag(&mut self, unit: &[u8], start: usize, cx: Context<'_>) -> Result<Flow, XmlError> {
        // Nearly always it is there as a whole, and nothing is between the name and `>`.
        if let Some(name) = self.innermost()
            && let Some(b'>') = unit.get(start + name.len())
            && scan::same(unit, name.range().start, start, name.len())
        {
            return Ok(self.closed(start + name.len() + 1));
        }
        self.end_name(unit, start, start, cx)
    }

    /// In the name that begins at `start`; the bytes before `pos` agree.
    #[cold]
    pub(super) fn end_name(
        &mut self,
        unit: &[u8],
        pos: usize,
        start: usize,
        cx: Context<'_>,
    ) -> Result<Flow, XmlError> {
        let expected = match (self.innermost(), cx.scope) {
            (Some(name), _) => &unit[name.range()],
            (None, Some(scope)) => scope.header_name().as_bytes(),
            (None, None) => return Err(XmlError::NotWellFormed("end tag before the stream header")),
        };
        let missing = &expected[pos - start..];
        let there = &unit[pos..];
        let len = missing.len().min(there.len());
        if missing[..len] != there[..len] {
            return Err(OTHER);
        }
        if len < missing.len() {
            return Ok(self.park(State::EndName, pos + len, start));
        }
        self.end_tail(unit, pos + len)
    }

    /// Behind the name.
    pub(super) fn end_tail(&mut self, unit: &[u8], pos: usize) -> Result<Flow, XmlError> {
        let pos = scan::skip_space(unit, pos);
        match unit.get(pos) {
            None => Ok(self.park(State::EndTail, pos, pos)),
            Some(b'>') if self.depth == 0 => Ok(Flow::Complete(Complete::Close(pos + 1))),
            Some(b'>') => Ok(self.closed(pos + 1)),
            Some(_) => Err(OTHER),
        }
    }

    /// The innermost element ends before `end`.
    #[inline(always)]
    fn closed(&mut self, end: usize) -> Flow {
        self.depth -= 1;
        self.leave(self.depth);
        if self.depth == 0 { Flow::Complete(Complete::Element(end)) } else { Flow::Text(end) }
    }

    /// Name of the innermost open element.
    #[inline(always)]
    fn innermost(&self) -> Option<Span> {
        let at = usize::from(self.depth).checked_sub(1)?;
        match self.names.get(at) {
            Some(&name) => Some(name),
            None => self.deep.as_ref().map(|deep| deep.names[at - DEPTH_INLINE]),
        }
    }
}
