//! Start tags: the name, attributes, and what has to be checked of them as a whole.

use super::super::namespaces::{ATTRS, Leaning, XML, XMLNS};
use super::content::judge;
use super::{
    CLOSES, DEFAULT_NS, DEPTH_INLINE, EXACTLY, HAS_XMLNS, Halt, LEANS, Pass, REFERENCE, Run, State, Step,
    Unit, at,
};
use crate::limits::{XML_ATTRS_MAX, XML_DEPTH_MAX};
use crate::xml::name::check_qname;
use crate::xml::scan::{self, NAME_START, SPACE, class};
use crate::xml::{Span, XmlError};

/// The root's name. An element of that name would only end with the stream: refused where it begins, or its peer waits for
/// an answer until a deadline or a limit is passed.
const STREAM: &[u8] = b"stream:stream";

/// What is behind a name or an attribute.
enum Gap {
    /// An attribute begins here, with a character that may begin a name.
    Attribute(usize),
    /// The tag ends before this.
    End { end: usize, empty: bool },
}

impl Unit {
    /// A start tag, whose name begins at `start` with a character that may begin one.
    #[inline(always)]
    pub(super) fn start_tag(&mut self, pass: &mut Pass<'_>, start: usize) -> Step {
        self.flags &= HAS_XMLNS | LEANS | CLOSES;
        let (end, plain) = pass.scan.name_end(start);
        if end == pass.unit.len() {
            return self.park(State::Name, end, start);
        }
        self.element_name(pass, start, end, plain)?;
        self.attributes(pass, end, false)
    }

    /// Goes on in a start tag that was cut.
    pub(super) fn resume_tag(&mut self, pass: &mut Pass<'_>) -> Step {
        let (pos, start) = (self.pos as usize, self.mark as usize);
        if self.state == State::Name {
            let (end, _) = pass.scan.name_end(pos);
            if end == pass.unit.len() {
                return self.park(State::Name, end, start);
            }
            self.element_name(pass, start, end, false)?;
            return self.attributes(pass, end, false);
        }
        // How many attributes there were, and which, is forgotten.
        self.flags |= EXACTLY;
        let spaced = self.state == State::Space;
        let pos = match self.state {
            State::AttrName => {
                let (end, _) = pass.scan.name_end(pos);
                self.spaced_attribute(pass, start, end, false, &mut 0)?
            }
            State::Equals => self.equals(pass, pos, self.run)?,
            State::Quote => self.quote(pass, pos, self.run)?,
            State::Value => self.value(pass, pos, start, pass.unit[start - 1], self.run)?,
            State::Gap | State::Space => pos,
            State::Name
            | State::Markup
            | State::EndName
            | State::EndTail
            | State::Text
            | State::Bang
            | State::CdataOpen
            | State::Cdata => unreachable!("no attribute is cut"),
        };
        self.attributes(pass, pos, spaced)
    }

    /// The rest of a tag from `pos`, which is behind its name or an attribute, and behind white space if `spaced`.
    #[inline(always)]
    fn attributes(&mut self, pass: &mut Pass<'_>, mut pos: usize, mut spaced: bool) -> Step {
        // Names that the tag may have already, one bit each, and how many there are.
        let mut seen = 0;
        let mut count = 0;
        let (end, empty) = loop {
            let start = match pass.unit[pos..] {
                [b' ', next, ..] if class(next) & NAME_START != 0 => pos + 1,
                [b'>', ..] => break (pos + 1, false),
                [b'/', b'>', ..] => break (pos + 2, true),
                _ => match self.gap(pass, pos, spaced)? {
                    Gap::Attribute(start) => start,
                    Gap::End { end, empty } => break (end, empty),
                },
            };
            spaced = false;
            count += 1;
            pos = self.attribute(pass, start, &mut seen)?;
        };
        if count > XML_ATTRS_MAX {
            return pass.fail(ATTRS);
        }
        self.tag_end(pass, end, empty)
    }

    /// What is at `pos`, white space passed over.
    #[inline(never)]
    fn gap(&mut self, pass: &mut Pass<'_>, mut pos: usize, mut spaced: bool) -> Result<Gap, Halt> {
        while let Some(&byte) = pass.unit.get(pos) {
            match byte {
                _ if class(byte) & SPACE != 0 => {
                    spaced = true;
                    pos += 1;
                }
                b'>' => return Ok(Gap::End { end: pos + 1, empty: false }),
                b'/' => match pass.unit.get(pos + 1) {
                    None => break,
                    Some(b'>') => return Ok(Gap::End { end: pos + 2, empty: true }),
                    Some(_) => return pass.ill_formed("character behind / in a tag"),
                },
                _ if spaced && class(byte) & NAME_START != 0 => return Ok(Gap::Attribute(pos)),
                _ => return pass.ill_formed("character in a tag"),
            }
        }
        self.park(if spaced { State::Space } else { State::Gap }, pos, pos).map(Gap::Attribute)
    }

    /// An attribute that begins at `start`.
    #[inline(always)]
    fn attribute(&mut self, pass: &mut Pass<'_>, start: usize, seen: &mut u64) -> Step {
        let (end, plain) = pass.scan.name_end(start);
        let [b'=', quote @ (b'\'' | b'"'), ..] = pass.unit[end..] else {
            return self.spaced_attribute(pass, start, end, plain, seen);
        };
        let run = self.attr_name(pass, start, end, plain, seen)?;
        self.value(pass, end + 2, end + 2, quote, run)
    }

    /// [`Self::attribute`] when its name, which ends at `end`, is cut or not followed by `=` and a quote at once.
    #[inline(never)]
    fn spaced_attribute(
        &mut self,
        pass: &mut Pass<'_>,
        start: usize,
        end: usize,
        plain: bool,
        seen: &mut u64,
    ) -> Step {
        if end == pass.unit.len() {
            return self.park(State::AttrName, end, start);
        }
        let run = self.attr_name(pass, start, end, plain, seen)?;
        self.equals(pass, end, run)
    }

    /// From behind an attribute's name to its end.
    fn equals(&mut self, pass: &mut Pass<'_>, pos: usize, run: Run) -> Step {
        let pos = scan::skip_space(pass.unit, pos);
        match pass.unit.get(pos) {
            None => {
                self.run = run;
                self.park(State::Equals, pos, pos)
            }
            Some(b'=') => self.quote(pass, pos + 1, run),
            Some(_) => pass.ill_formed("attribute without ="),
        }
    }

    /// From behind an attribute's `=` to its end.
    fn quote(&mut self, pass: &mut Pass<'_>, pos: usize, run: Run) -> Step {
        let pos = scan::skip_space(pass.unit, pos);
        match pass.unit.get(pos) {
            None => {
                self.run = run;
                self.park(State::Quote, pos, pos)
            }
            Some(&quote @ (b'"' | b'\'')) => self.value(pass, pos + 1, pos + 1, quote, run),
            Some(_) => pass.ill_formed("attribute without quotes"),
        }
    }

    /// From `pos` in a value that begins at `start`, behind its `quote`, to the attribute's end.
    #[inline(always)]
    fn value(&mut self, pass: &mut Pass<'_>, mut pos: usize, start: usize, quote: u8, mut run: Run) -> Step {
        let mut wide = false;
        loop {
            pos = pass.scan.stop(pos, &mut wide);
            let Some(&byte) = pass.unit.get(pos) else { break };
            if byte == quote {
                if run != 0 || wide {
                    let result = self.judge_value(&pass.unit[start..pos], run | Run::from(wide));
                    pass.check(result)?;
                }
                return Ok(pos + 1);
            }
            match byte {
                b'&' => run |= REFERENCE,
                b'>' | b'"' | b'\'' => {}
                b'<' => return pass.ill_formed("< in an attribute"),
                _ => return pass.ill_formed("control character"),
            }
            pos += 1;
        }
        self.run = run | Run::from(wide);
        self.park(State::Value, pos, start)
    }

    /// Judges a value that is not plain.
    #[inline(always)]
    fn judge_value(&mut self, raw: &[u8], run: Run) -> Result<(), XmlError> {
        if run & DEFAULT_NS != 0 {
            // The two names that must not be bound have these lengths, unless they are written with references.
            if raw.len() == XML.len() || raw.len() == XMLNS.len() || run & REFERENCE != 0 {
                self.flags |= EXACTLY;
            }
            if run == DEFAULT_NS {
                return Ok(());
            }
        }
        judge(raw, run)
    }

    /// Judges the element's name; it has only characters of names, begins with one that may, and is `plain` if it is
    /// ASCII without a colon.
    #[inline(always)]
    fn element_name(
        &mut self,
        pass: &mut Pass<'_>,
        start: usize,
        end: usize,
        plain: bool,
    ) -> Result<(), Halt> {
        if !plain && pass.check(check_qname(&pass.unit[start..end]))?.is_some() {
            self.flags |= EXACTLY;
        }
        self.elements += 1;
        if self.elements > pass.cx.elements_max {
            return pass.fail(XmlError::Limit("elements"));
        }
        let name = Span::new(start, end);
        match self.names.get_mut(usize::from(self.depth)) {
            Some(slot) => *slot = name,
            None => self.deep_name(pass, name)?,
        }
        Ok(())
    }

    /// Keeps the name of an element that is deep inside.
    #[cold]
    fn deep_name(&mut self, pass: &mut Pass<'_>, name: Span) -> Result<(), Halt> {
        let depth = usize::from(self.depth);
        if depth == XML_DEPTH_MAX {
            return pass.fail(XmlError::Limit("depth"));
        }
        let deep = self.deep.get_or_insert_default();
        deep.names.truncate(depth - DEPTH_INLINE);
        deep.names.push(name);
        Ok(())
    }

    /// Judges an attribute's name, which is as [`Self::element_name`] says; what its value is to be judged for.
    #[inline(always)]
    fn attr_name(
        &mut self,
        pass: &mut Pass<'_>,
        start: usize,
        end: usize,
        plain: bool,
        seen: &mut u64,
    ) -> Result<Run, Halt> {
        let len = end - start;
        let key = scan::prefix(pass.unit, start, len);
        let bit = name_bit(key, len);
        if *seen & bit != 0 {
            self.flags |= EXACTLY;
        }
        *seen |= bit;
        if !plain {
            self.qualified_name(pass, start, end)?;
        }
        if key != u64::from_le_bytes(*b"xmlns\0\0\0") {
            return Ok(0);
        }
        if self.depth == 0 {
            self.flags |= HAS_XMLNS;
        }
        Ok(DEFAULT_NS)
    }

    /// Judges an attribute's name that perhaps has a prefix.
    #[inline(never)]
    fn qualified_name(&mut self, pass: &mut Pass<'_>, start: usize, end: usize) -> Result<(), Halt> {
        let name = &pass.unit[start..end];
        let Some(colon) = pass.check(check_qname(name))? else { return Ok(()) };
        match &name[..colon] {
            // Always bound, and to what nothing else may be: the name as written says all.
            b"xml" => {}
            _ => self.flags |= EXACTLY,
        }
        Ok(())
    }

    /// The tag ends before `end`.
    #[inline(always)]
    fn tag_end(&mut self, pass: &mut Pass<'_>, end: usize, empty: bool) -> Step {
        if self.flags & EXACTLY != 0 {
            self.resolve(pass, end)?;
        }
        if self.depth == 0 {
            self.tag_len = at(end);
            if pass.cx.scope.is_none() {
                return if empty {
                    pass.fail(XmlError::BadFormat("stream header closed at once"))
                } else {
                    Ok(end)
                };
            }
            if !empty && &pass.unit[self.names[0].range()] == STREAM {
                return pass.fail(XmlError::BadFormat("stream header inside a stream"));
            }
        }
        if empty {
            self.leave(self.depth);
        } else {
            self.depth += 1;
        }
        Ok(end)
    }

    #[cold]
    fn resolve(&mut self, pass: &mut Pass<'_>, end: usize) -> Result<(), Halt> {
        let bindings = &mut self.deep.get_or_insert_default().bindings;
        let leaning = bindings.resolve_tag(pass.unit, self.tag as usize, end, self.depth, pass.cx.scope);
        match pass.check(leaning)? {
            Leaning::OnHeader => self.flags |= LEANS,
            Leaning::OnNothing => {}
        }
        Ok(())
    }
}

/// One bit for the name of `len` bytes that begins with `key`. Different names may share one; those that are common in
/// XMPP do not, which is what the factor was chosen for.
#[inline(always)]
const fn name_bit(key: u64, len: usize) -> u64 {
    let product = key.wrapping_add(len as u64).wrapping_mul(0xC6F3_BAB5_35C7_8221);
    1 << (product >> 58)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_names_share_no_bit() {
        let names = "to from type id xml:lang xmlns jid name subscription ask ver node hash var stamp queryid category \
                     by code affiliation role action sid mechanism version xmlns:stream complete count index first \
                     stanza-id label value";
        let mut seen = 0;
        for name in names.split(' ') {
            let bit = name_bit(scan::prefix(name.as_bytes(), 0, name.len()), name.len());
            assert_eq!(seen & bit, 0, "{name}");
            seen |= bit;
        }
    }
}
