//! Names: `NameStartChar` and `NameChar` of XML 1.0 §2.3, qualified as in Namespaces in XML 1.0 §4.
//!
//! Nothing here searches or resolves a prefix: it judges bytes that somebody has found to be a name.

use super::XmlError;
use super::scan::{NAME, NAME_START, class};

/// Checks that `name` is a `QName`; the result is the index of its colon.
#[inline(never)]
pub(super) fn check_qname(name: &[u8]) -> Result<Option<usize>, XmlError> {
    let Some(&first) = name.first() else { return Err(XmlError::NotWellFormed("name missing")) };
    let mut colon = None;
    let mut bits = class(first) & NAME_START;
    for (at, &byte) in name.iter().enumerate() {
        if byte >= 0x80 {
            return check_wide_qname(name);
        }
        if byte == b':' {
            // One colon, and an NCName on each side of it.
            if colon.is_some() || name.get(at + 1).is_none_or(|&b| b < 0x80 && class(b) & NAME_START == 0) {
                return Err(XmlError::NotWellFormed("colon in a name"));
            }
            colon = Some(at);
        } else if class(byte) & NAME == 0 {
            bits = 0;
        }
    }
    if bits == 0 { Err(XmlError::NotWellFormed("character in a name")) } else { Ok(colon) }
}

/// [`check_qname`] for names beyond ASCII.
#[cold]
fn check_wide_qname(name: &[u8]) -> Result<Option<usize>, XmlError> {
    let text = std::str::from_utf8(name).map_err(|_| XmlError::NotWellFormed("UTF-8"))?;
    let colon = text.find(':');
    let (prefix, local) = match text.split_once(':') {
        Some((prefix, local)) => (Some(prefix), local),
        None => (None, text),
    };
    let legal = prefix.is_none_or(is_ncname) && is_ncname(local);
    if legal { Ok(colon) } else { Err(XmlError::NotWellFormed("character in a name")) }
}

/// Whether `name` is a name without a colon.
pub(super) fn is_ncname(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(is_name_start) && chars.all(|c| is_name_start(c) || is_name_extra(c))
}

/// `NameStartChar` without the colon.
const fn is_name_start(c: char) -> bool {
    matches!(c,
        'A'..='Z' | '_' | 'a'..='z'
        | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}'
        | '\u{370}'..='\u{37D}' | '\u{37F}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}'
        | '\u{2070}'..='\u{218F}' | '\u{2C00}'..='\u{2FEF}' | '\u{3001}'..='\u{D7FF}'
        | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}' | '\u{10000}'..='\u{EFFFF}')
}

/// What `NameChar` adds to `NameStartChar`.
const fn is_name_extra(c: char) -> bool {
    matches!(c, '-' | '.' | '0'..='9' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn qualified_names() {
        let good = [
            ("a", None),
            ("_", None),
            ("stream:stream", Some(6)),
            ("x-y.z9", None),
            ("é:日本", Some(2)),
            ("a·", None),
            ("a:é", Some(1)),
        ];
        for (name, colon) in good {
            assert_eq!(check_qname(name.as_bytes()), Ok(colon), "{name}");
        }
        let bad = [
            "",
            ":",
            "a:",
            ":a",
            "a:b:c",
            "é:b:c",
            "1a",
            "-a",
            "a:1",
            "é:1",
            "·a",
            "a\u{37E}",
            "a×",
            "a\u{2028}",
        ];
        for name in bad {
            assert!(check_qname(name.as_bytes()).is_err(), "{name}");
        }
        assert!(check_qname(b"a\xFF").is_err());
        assert!(check_qname(b"a\xE2\x82").is_err());
    }
}
