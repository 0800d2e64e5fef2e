//! Character data and CDATA sections.

use super::{Pass, REFERENCE, Run, State, Step, Unit, WIDE};
use crate::xml::XmlError;
use crate::xml::escape::check_references;
use crate::xml::scan;

/// What follows `<!` in a CDATA section.
const CDATA: &[u8] = b"[CDATA[";

impl Unit {
    /// Character data that begins at `start`, from `pos` to behind the next `<`.
    #[inline(always)]
    pub(super) fn text(&mut self, pass: &mut Pass<'_>, mut pos: usize, start: usize, mut run: Run) -> Step {
        let mut wide = false;
        loop {
            pos = pass.scan.stop(pos, &mut wide);
            let Some(&byte) = pass.unit.get(pos) else { break };
            if byte == b'<' {
                if run != 0 || wide {
                    pass.check(judge(&pass.unit[start..pos], run | Run::from(wide)))?;
                }
                return Ok(pos + 1);
            }
            match byte {
                b'>' if pass.unit[start..pos].ends_with(b"]]") => return pass.ill_formed("]]> in text"),
                b'&' => run |= REFERENCE,
                b'>' | b'"' | b'\'' => {}
                _ => return pass.ill_formed("control character"),
            }
            pos += 1;
        }
        self.run = run | Run::from(wide);
        self.park(State::Text, pos, start)
    }

    /// Behind `<!`: a CDATA section, and nothing else.
    pub(super) fn bang(&mut self, pass: &mut Pass<'_>, pos: usize) -> Step {
        match pass.unit.get(pos) {
            None => self.park(State::Bang, pos, pos),
            Some(b'[') if self.depth == 0 => pass.fail(XmlError::BadFormat("text between stanzas")),
            Some(b'[') => self.cdata_open(pass, pos),
            Some(b'-') => pass.fail(XmlError::Restricted("comment")),
            Some(_) => pass.fail(XmlError::Restricted("DTD")),
        }
    }

    /// In the `[CDATA[` that begins at `start`.
    pub(super) fn cdata_open(&mut self, pass: &mut Pass<'_>, start: usize) -> Step {
        let there = &pass.unit[start..];
        let len = there.len().min(CDATA.len());
        if there[..len] != CDATA[..len] {
            return pass.ill_formed("CDATA section");
        }
        if len < CDATA.len() {
            return self.park(State::CdataOpen, start + len, start);
        }
        self.cdata(pass, start + len, start + len, 0)
    }

    /// Content of a CDATA section that begins at `start`, from `pos` to behind its `]]>`.
    pub(super) fn cdata(&mut self, pass: &mut Pass<'_>, mut pos: usize, start: usize, run: Run) -> Step {
        let mut wide = run & WIDE != 0;
        loop {
            pos = pass.scan.stop(pos, &mut wide);
            let Some(&byte) = pass.unit.get(pos) else { break };
            match byte {
                b'>' if pass.unit[start..pos].ends_with(b"]]") => {
                    pass.check(judge(&pass.unit[start..pos], Run::from(wide)))?;
                    return Ok(pos + 1);
                }
                b'<' | b'&' | b'>' | b'"' | b'\'' => {}
                _ => return pass.ill_formed("control character"),
            }
            pos += 1;
        }
        self.run = Run::from(wide);
        self.park(State::Cdata, pos, start)
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
