//! Start tags: the name, attributes, and what has to be checked of them as a whole.

use super::super::namespaces::{Leaning, XML, XMLNS};
use super::content::judge;
use super::{
    Complete, Context, DEFAULT_NS, DEPTH_INLINE, Flow, HAS_XMLNS, LEANS, PREFIXES, REFERENCE, Run, State,
    TWICE, Unit, WIDE,
};
use crate::limits::{XML_ATTRS_MAX, XML_DEPTH_MAX, XML_NAMESPACES_PER_ELEMENT_MAX};
use crate::xml::name::check_qname;
use crate::xml::scan::{self, NAME_START, SPACE, Scan, class};
use crate::xml::{Span, XmlError};

/// What is behind a name or an attribute.
enum Gap {
    /// An attribute begins here.
    Attribute(usize),
    /// The tag ends before this.
    End { end: usize, empty: bool },
    /// Nothing yet.
    Parked,
}

impl Unit {
    /// A start tag, whose name begins at `start`.
    #[inline(always)]
    pub(super) fn start_tag(
        &mut self,
        scan: &mut Scan<'_>,
        start: usize,
        cx: Context<'_>,
    ) -> Result<Flow, XmlError> {
        self.flags &= HAS_XMLNS | LEANS;
        self.attrs = 0;
        self.declared = 0;
        let (end, plain) = scan.name_end(start);
        if end == scan.bytes().len() {
            return Ok(self.park(State::Name, end, start));
        }
        self.element_name(scan.bytes(), start, end, plain, cx)?;
        self.attributes(scan, end, false, cx)
    }

    /// Goes on in a start tag that was cut.
    pub(super) fn resume_tag(&mut self, scan: &mut Scan<'_>, cx: Context<'_>) -> Result<Flow, XmlError> {
        let (pos, start) = (self.pos as usize, self.mark as usize);
        if self.state != State::Name {
            // Which attributes there were is forgotten.
            self.flags |= TWICE;
        }
        let behind = match self.state {
            State::Name | State::AttrName => {
                let (end, _) = scan.name_end(pos);
                if end == scan.bytes().len() {
                    return Ok(self.park(self.state, end, start));
                }
                if self.state == State::Name {
                    self.element_name(scan.bytes(), start, end, false, cx)?;
                    Some(end)
                } else {
                    let run = self.attr_name(scan.bytes(), start, end, false, &mut 0)?;
                    self.equals(scan, end, run)?
                }
            }
            State::Equals => self.equals(scan, pos, self.run)?,
            State::Quote => self.quote(scan, pos, self.run)?,
            State::Value => self.value(scan, pos, start, self.run)?,
            State::Gap | State::Space => Some(pos),
            State::Markup
            | State::EndName
            | State::EndTail
            | State::Text
            | State::Bang
            | State::CdataOpen
            | State::Cdata => unreachable!("states outside of start tags"),
        };
        let Some(pos) = behind else { return Ok(Flow::Parked) };
        let spaced = self.state == State::Space;
        self.attributes(scan, pos, spaced, cx)
    }

    /// The rest of a tag from `pos`, which is behind its name or an attribute, and behind white space if `spaced`.
    #[inline(always)]
    fn attributes(
        &mut self,
        scan: &mut Scan<'_>,
        mut pos: usize,
        mut spaced: bool,
        cx: Context<'_>,
    ) -> Result<Flow, XmlError> {
        // Names that the tag may have already, one bit each.
        let mut seen = 0;
        loop {
            match self.gap(scan.bytes(), pos, spaced)? {
                Gap::Attribute(start) => match self.attribute(scan, start, &mut seen)? {
                    Some(end) => pos = end,
                    None => return Ok(Flow::Parked),
                },
                Gap::End { end, empty } => return self.tag_end(scan.bytes(), end, empty, cx),
                Gap::Parked => return Ok(Flow::Parked),
            }
            spaced = false;
        }
    }

    /// What is at `pos`, white space passed over.
    #[inline(always)]
    fn gap(&mut self, unit: &[u8], mut pos: usize, mut spaced: bool) -> Result<Gap, XmlError> {
        // The two most frequent: one blank, or none.
        match unit[pos..] {
            [b' ', next, ..] if class(next) & NAME_START != 0 => return Ok(Gap::Attribute(pos + 1)),
            [b'>', ..] => return Ok(Gap::End { end: pos + 1, empty: false }),
            _ => {}
        }
        while let Some(&byte) = unit.get(pos) {
            match byte {
                _ if class(byte) & SPACE != 0 => {
                    spaced = true;
                    pos += 1;
                }
                b'>' => return Ok(Gap::End { end: pos + 1, empty: false }),
                b'/' => match unit.get(pos + 1) {
                    None => break,
                    Some(b'>') => return Ok(Gap::End { end: pos + 2, empty: true }),
                    Some(_) => return Err(XmlError::NotWellFormed("character behind / in a tag")),
                },
                _ if spaced => return Ok(Gap::Attribute(pos)),
                _ => return Err(XmlError::NotWellFormed("character in a tag")),
            }
        }
        self.park(if spaced { State::Space } else { State::Gap }, pos, pos);
        Ok(Gap::Parked)
    }

    /// An attribute that begins at `start`; where it ends, or nothing if it is cut.
    #[inline(always)]
    fn attribute(
        &mut self,
        scan: &mut Scan<'_>,
        start: usize,
        seen: &mut u64,
    ) -> Result<Option<usize>, XmlError> {
        let unit = scan.bytes();
        let (end, plain) = scan.name_end(start);
        if end == unit.len() {
            self.park(State::AttrName, end, start);
            return Ok(None);
        }
        let run = self.attr_name(unit, start, end, plain, seen)?;
        match unit[end..] {
            [b'=', b'\'' | b'"', ..] => self.value(scan, end + 2, end + 2, run),
            _ => self.equals(scan, end, run),
        }
    }

    /// From behind an attribute's name to its end.
    #[cold]
    fn equals(&mut self, scan: &mut Scan<'_>, pos: usize, run: Run) -> Result<Option<usize>, XmlError> {
        let pos = scan::skip_space(scan.bytes(), pos);
        match scan.bytes().get(pos) {
            None => {
                self.run = run;
                self.park(State::Equals, pos, pos);
                Ok(None)
            }
            Some(b'=') => self.quote(scan, pos + 1, run),
            Some(_) => Err(XmlError::NotWellFormed("attribute without =")),
        }
    }

    /// From behind an attribute's `=` to its end.
    #[cold]
    fn quote(&mut self, scan: &mut Scan<'_>, pos: usize, run: Run) -> Result<Option<usize>, XmlError> {
        let pos = scan::skip_space(scan.bytes(), pos);
        match scan.bytes().get(pos) {
            None => {
                self.run = run;
                self.park(State::Quote, pos, pos);
                Ok(None)
            }
            Some(b'"' | b'\'') => self.value(scan, pos + 1, pos + 1, run),
            Some(_) => Err(XmlError::NotWellFormed("attribute without quotes")),
        }
    }

    /// From `pos` in a value that begins at `start`, behind its quote, to the attribute's end.
    #[inline(always)]
    fn value(
        &mut self,
        scan: &mut Scan<'_>,
        mut pos: usize,
        start: usize,
        mut run: Run,
    ) -> Result<Option<usize>, XmlError> {
        let unit = scan.bytes();
        let quote = unit[start - 1];
        let mut wide = run & WIDE != 0;
        loop {
            pos = scan.stop(pos, &mut wide);
            let Some(&byte) = unit.get(pos) else { break };
            if byte == quote {
                if run != 0 || wide {
                    self.judge_value(&unit[start..pos], run | Run::from(wide))?;
                }
                return Ok(Some(pos + 1));
            }
            match byte {
                b'&' => run |= REFERENCE,
                b'>' | b'"' | b'\'' => {}
                b'<' => return Err(XmlError::NotWellFormed("< in an attribute")),
                _ => return Err(XmlError::NotWellFormed("control character")),
            }
            pos += 1;
        }
        self.run = run | Run::from(wide);
        self.park(State::Value, pos, start);
        Ok(None)
    }

    /// Judges a value that is not plain.
    #[inline]
    fn judge_value(&mut self, raw: &[u8], run: Run) -> Result<(), XmlError> {
        if run & DEFAULT_NS != 0 {
            // The two names that must not be bound have these lengths, unless they are written with references.
            let suspicious = raw.len() == XML.len() || raw.len() == XMLNS.len() || run & REFERENCE != 0;
            if suspicious {
                self.flags |= PREFIXES;
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
        unit: &[u8],
        start: usize,
        end: usize,
        plain: bool,
        cx: Context<'_>,
    ) -> Result<(), XmlError> {
        if !plain && check_qname(&unit[start..end])?.is_some() {
            self.flags |= PREFIXES;
        }
        self.elements += 1;
        if self.elements > cx.elements_max {
            return Err(XmlError::Limit("elements"));
        }
        let name = Span::new(start, end);
        match self.names.get_mut(usize::from(self.depth)) {
            Some(slot) => *slot = name,
            None => self.deep_name(name)?,
        }
        Ok(())
    }

    /// Keeps the name of an element that is deep inside.
    #[cold]
    fn deep_name(&mut self, name: Span) -> Result<(), XmlError> {
        let depth = usize::from(self.depth);
        if depth == XML_DEPTH_MAX {
            return Err(XmlError::Limit("depth"));
        }
        let deep = self.deep.get_or_insert_default();
        deep.names.truncate(depth - DEPTH_INLINE);
        deep.names.push(name);
        Ok(())
    }

    /// Judges an attribute's name, `plain` as above; what its value is to be judged for.
    #[inline(always)]
    fn attr_name(
        &mut self,
        unit: &[u8],
        start: usize,
        end: usize,
        plain: bool,
        seen: &mut u64,
    ) -> Result<Run, XmlError> {
        self.attrs += 1;
        if usize::from(self.attrs) > XML_ATTRS_MAX {
            return Err(XmlError::Limit("attributes"));
        }
        let len = end - start;
        let key = scan::prefix(unit, start, len);
        let bit = name_bit(key, len);
        if *seen & bit != 0 {
            self.flags |= TWICE;
        }
        *seen |= bit;
        if !(plain && class(unit[start]) & NAME_START != 0) {
            self.qualified_name(&unit[start..end])?;
        }
        if key != u64::from_le_bytes(*b"xmlns\0\0\0") {
            return Ok(0);
        }
        if self.depth == 0 {
            self.flags |= HAS_XMLNS;
        }
        self.declaration()?;
        Ok(DEFAULT_NS)
    }

    /// Judges an attribute's name that perhaps has a prefix.
    #[inline(never)]
    fn qualified_name(&mut self, name: &[u8]) -> Result<(), XmlError> {
        let Some(colon) = check_qname(name)? else { return Ok(()) };
        match &name[..colon] {
            // Always bound, and to what nothing else may be: the name as written says all.
            b"xml" => return Ok(()),
            b"xmlns" => self.declaration()?,
            _ => {}
        }
        self.flags |= PREFIXES;
        Ok(())
    }

    /// Counts a namespace declaration.
    #[inline]
    fn declaration(&mut self) -> Result<(), XmlError> {
        self.declared += 1;
        if usize::from(self.declared) > XML_NAMESPACES_PER_ELEMENT_MAX {
            return Err(XmlError::Limit("namespace declarations"));
        }
        Ok(())
    }

    /// The tag ends before `end`.
    #[inline(always)]
    fn tag_end(&mut self, unit: &[u8], end: usize, empty: bool, cx: Context<'_>) -> Result<Flow, XmlError> {
        if self.flags & (PREFIXES | TWICE) != 0 {
            self.resolve(unit, end, cx)?;
        }
        if self.depth == 0 {
            self.tag_len = super::at(end);
            match (cx.scope.is_some(), empty) {
                (false, false) => return Ok(Flow::Complete(Complete::Open(end))),
                (false, true) => return Err(XmlError::BadFormat("stream header closed at once")),
                (true, true) => return Ok(Flow::Complete(Complete::Element(end))),
                (true, false) => {}
            }
        }
        if empty {
            self.leave(self.depth);
        } else {
            self.depth += 1;
        }
        Ok(Flow::Text(end))
    }

    #[cold]
    fn resolve(&mut self, unit: &[u8], end: usize, cx: Context<'_>) -> Result<(), XmlError> {
        let bindings = &mut self.deep.get_or_insert_default().bindings;
        match bindings.resolve_tag(unit, self.tag as usize, end, self.depth, cx.scope)? {
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
