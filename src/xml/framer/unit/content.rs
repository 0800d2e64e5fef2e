//! Character data and CDATA sections.

use super::{Flow, REFERENCE, Run, State, Unit, WIDE};
use crate::xml::XmlError;
use crate::xml::escape::check_references;
use crate::xml::scan::{self, Scan};

/// What follows `<!` in a CDATA section.
const CDATA: &[u8] = b"[CDATA[";

impl Unit {
    /// Character data that begins at `start`, from `pos` to the next `<`.
    #[inline(always)]
    pub(super) fn text(
        &mut self,
        scan: &mut Scan<'_>,
        mut pos: usize,
        start: usize,
        mut run: Run,
    ) -> Result<Flow, XmlError> {
        let unit = scan.bytes();
        let mut wide = false;
        loop {
            pos = scan.stop(pos, &mut wide);
            let Some(&byte) = unit.get(pos) else { break };
            match byte {
                b'<' => {
                    if run != 0 || wide {
                        judge(&unit[start..pos], run | Run::from(wide))?;
                    }
                    return Ok(Flow::Markup(pos + 1));
                }
                b'>' if unit[start..pos].ends_with(b"]]") => {
                    return Err(XmlError::NotWellFormed("]]> in text"));
                }
                b'&' => run |= REFERENCE,
                b'>' | b'"' | b'\'' => {}
                _ => return Err(XmlError::NotWellFormed("control character")),
            }
            pos += 1;
        }
        self.run = run | Run::from(wide);
        Ok(self.park(State::Text, pos, start))
    }

    /// Behind `<!`: a CDATA section, and nothing else.
    #[cold]
    pub(super) fn bang(&mut self, scan: &mut Scan<'_>, pos: usize) -> Result<Flow, XmlError> {
        match scan.bytes().get(pos) {
            None => Ok(self.park(State::Bang, pos, pos)),
            Some(b'[') if self.depth == 0 => Err(XmlError::BadFormat("text between stanzas")),
            Some(b'[') => self.cdata_open(scan, pos, pos),
            Some(b'-') => Err(XmlError::Restricted("comment")),
            Some(_) => Err(XmlError::Restricted("DTD")),
        }
    }

    /// In the `[CDATA[` that begins at `start`.
    pub(super) fn cdata_open(
        &mut self,
        scan: &mut Scan<'_>,
        pos: usize,
        start: usize,
    ) -> Result<Flow, XmlError> {
        let there = &scan.bytes()[start..];
        let len = there.len().min(CDATA.len());
        if there[..len] != CDATA[..len] {
            return Err(XmlError::NotWellFormed("CDATA section"));
        }
        if len < CDATA.len() {
            return Ok(self.park(State::CdataOpen, pos, start));
        }
        self.cdata(scan, start + len, start + len, 0)
    }

    /// Content of a CDATA section that begins at `start`, from `pos` to its `]]>`.
    pub(super) fn cdata(
        &mut self,
        scan: &mut Scan<'_>,
        mut pos: usize,
        start: usize,
        run: Run,
    ) -> Result<Flow, XmlError> {
        let unit = scan.bytes();
        let mut wide = run & WIDE != 0;
        loop {
            pos = scan.stop(pos, &mut wide);
            let Some(&byte) = unit.get(pos) else { break };
            match byte {
                b'>' if unit[start..pos].ends_with(b"]]") => {
                    judge(&unit[start..pos], Run::from(wide))?;
                    return Ok(Flow::Text(pos + 1));
                }
                b'<' | b'&' | b'>' | b'"' | b'\'' => {}
                _ => return Err(XmlError::NotWellFormed("control character")),
            }
            pos += 1;
        }
        self.run = Run::from(wide);
        Ok(self.park(State::Cdata, pos, start))
    }
}

/// Judges what a complete run has that is not plain.
#[inline(never)]
pub(super) fn judge(bytes: &[u8], run: Run) -> Result<(), XmlError> {
    if run & WIDE != 0 {
        if std::str::from_utf8(bytes).is_err() {
            return Err(XmlError::NotWellFormed("UTF-8"));
        }
        if scan::has_noncharacter(bytes) {
            return Err(XmlError::NotWellFormed("noncharacter"));
        }
    }
    if run & REFERENCE != 0 { check_references(bytes) } else { Ok(()) }
}
