//! End tags: of an element, or at the top of the stream. Each must repeat the name of what it closes.

use super::{CLOSES, DEPTH_INLINE, Pass, State, Step, Unit};
use crate::xml::Span;
use crate::xml::scan;

impl Unit {
    /// Behind `</`.
    #[inline(always)]
    pub(super) fn end_tag(&mut self, pass: &mut Pass<'_>, start: usize) -> Step {
        // Nearly always it is there as a whole, and nothing is between the name and `>`.
        if let Some(name) = self.innermost() {
            let end = start + name.len();
            if pass.unit.get(end) == Some(&b'>')
                && scan::same(pass.unit, name.range().start, start, name.len())
            {
                return Ok(self.closed(end + 1));
            }
        }
        self.end_name(pass, start, start)
    }

    /// In the name that begins at `start`; the bytes before `pos` agree.
    #[cold]
    pub(super) fn end_name(&mut self, pass: &mut Pass<'_>, pos: usize, start: usize) -> Step {
        let expected = match (self.innermost(), pass.cx.scope) {
            (Some(name), _) => &pass.unit[name.range()],
            (None, Some(scope)) => scope.header_name().as_bytes(),
            (None, None) => return pass.ill_formed("end tag before the stream header"),
        };
        let missing = &expected[pos - start..];
        let there = &pass.unit[pos..];
        let len = missing.len().min(there.len());
        if missing[..len] != there[..len] {
            return pass.ill_formed("end tag of another element");
        }
        if len < missing.len() {
            return self.park(State::EndName, pos + len, start);
        }
        self.end_tail(pass, pos + len)
    }

    /// Behind the name.
    pub(super) fn end_tail(&mut self, pass: &mut Pass<'_>, pos: usize) -> Step {
        let pos = scan::skip_space(pass.unit, pos);
        match pass.unit.get(pos) {
            None => self.park(State::EndTail, pos, pos),
            Some(b'>') if self.depth == 0 => {
                self.flags |= CLOSES;
                Ok(pos + 1)
            }
            Some(b'>') => Ok(self.closed(pos + 1)),
            Some(_) => pass.ill_formed("end tag of another element"),
        }
    }

    /// The innermost element ends before `end`.
    #[inline(always)]
    fn closed(&mut self, end: usize) -> usize {
        self.depth -= 1;
        self.leave(self.depth);
        end
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
