//! Escaping and unescaping of character data and attribute values.
//!
//! Knows the five entities of XML 1.0 §4.6 and character references (§4.1), and no others: there is no DTD that
//! could define any (RFC 6120 §11.1).

use std::borrow::Cow;

use super::XmlError;
use super::name::is_ncname;
use super::scan::find_byte;

/// Appends `text` so that it is the same inside an attribute in either quote.
///
/// White space other than the blank is written as a reference, or attribute-value normalisation (XML 1.0 §3.3.3)
/// would turn it into blanks.
pub fn escape_attr_into(text: &str, out: &mut Vec<u8>) {
    escape_into(text, out, |byte| match byte {
        b'<' => "&lt;",
        b'>' => "&gt;",
        b'&' => "&amp;",
        b'"' => "&quot;",
        b'\'' => "&apos;",
        b'\t' => "&#9;",
        b'\n' => "&#10;",
        b'\r' => "&#13;",
        _ => "",
    });
}

/// Appends `text` so that it is the same as character data.
///
/// A carriage return is written as a reference, or end-of-line handling (XML 1.0 §2.11) would drop it.
pub fn escape_text_into(text: &str, out: &mut Vec<u8>) {
    escape_into(text, out, |byte| match byte {
        b'<' => "&lt;",
        b'>' => "&gt;",
        b'&' => "&amp;",
        b'\r' => "&#13;",
        _ => "",
    });
}

/// Copies runs of bytes that `escape` has no replacement for.
fn escape_into(text: &str, out: &mut Vec<u8>, escape: impl Fn(u8) -> &'static str) {
    let bytes = text.as_bytes();
    out.reserve(bytes.len());
    let mut copied = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        let replacement = escape(byte);
        if !replacement.is_empty() {
            out.extend_from_slice(&bytes[copied..at]);
            out.extend_from_slice(replacement.as_bytes());
            copied = at + 1;
        }
    }
    out.extend_from_slice(&bytes[copied..]);
}

/// `raw` with the five entities and character references resolved; borrowed when there are none.
///
/// # Errors
///
/// [`XmlError::Restricted`] for another entity, [`XmlError::NotWellFormed`] for what is no reference or names a
/// character that XML does not have.
pub fn unescape(raw: &str) -> Result<Cow<'_, str>, XmlError> {
    let Some(first) = find_byte(raw.as_bytes(), 0, b'&') else { return Ok(Cow::Borrowed(raw)) };
    let mut text = String::with_capacity(raw.len());
    text.push_str(&raw[..first]);
    let mut rest = &raw[first..];
    while let Some(at) = find_byte(rest.as_bytes(), 0, b'&') {
        text.push_str(&rest[..at]);
        let (c, len) = reference(&rest.as_bytes()[at + 1..])?;
        text.push(c);
        rest = &rest[at + 1 + len..];
    }
    text.push_str(rest);
    Ok(Cow::Owned(text))
}

/// `raw` as an XML processor reports an attribute's value: references resolved, and each line end, tab or newline
/// that stands there literally turned into a blank (XML 1.0 §2.11, §3.3.3).
pub(super) fn unescape_attr(raw: &str) -> Result<Cow<'_, str>, XmlError> {
    if !raw.bytes().any(|byte| matches!(byte, b'\t' | b'\n' | b'\r')) {
        return unescape(raw);
    }
    let blank = raw.replace("\r\n", " ").replace(['\t', '\n', '\r'], " ");
    Ok(Cow::Owned(unescape(&blank)?.into_owned()))
}

/// Checks every reference of `raw`.
pub(super) fn check_references(raw: &[u8]) -> Result<(), XmlError> {
    let mut from = 0;
    while let Some(at) = find_byte(raw, from, b'&') {
        from = at + 1 + reference(&raw[at + 1..])?.1;
    }
    Ok(())
}

/// The character that the reference behind an `&` stands for, and how many bytes it takes up to its `;`.
fn reference(behind: &[u8]) -> Result<(char, usize), XmlError> {
    let end = find_byte(behind, 0, b';').ok_or(XmlError::NotWellFormed("reference without an end"))?;
    let c = match &behind[..end] {
        b"lt" => '<',
        b"gt" => '>',
        b"amp" => '&',
        b"apos" => '\'',
        b"quot" => '"',
        [b'#', b'x', digits @ ..] => char_of(digits, 16)?,
        [b'#', digits @ ..] => char_of(digits, 10)?,
        name if std::str::from_utf8(name).is_ok_and(|name| name.split(':').all(is_ncname)) => {
            return Err(XmlError::Restricted("entity"));
        }
        _ => return Err(XmlError::NotWellFormed("reference")),
    };
    Ok((c, end + 1))
}

/// The `Char` of XML 1.0 §2.2 with the number `digits`.
fn char_of(digits: &[u8], radix: u32) -> Result<char, XmlError> {
    let mut number = 0u32;
    for &digit in digits {
        let value =
            char::from(digit).to_digit(radix).ok_or(XmlError::NotWellFormed("character reference"))?;
        number = number.saturating_mul(radix).saturating_add(value);
    }
    match char::from_u32(number) {
        Some(c) if !digits.is_empty() && is_char(c) => Ok(c),
        _ => Err(XmlError::NotWellFormed("character reference")),
    }
}

/// `Char` of XML 1.0 §2.2.
pub(super) const fn is_char(c: char) -> bool {
    !matches!(c, '\0'..='\u{8}' | '\u{B}' | '\u{C}' | '\u{E}'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references() {
        let good = [
            ("", ""),
            ("no reference", "no reference"),
            ("&lt;&gt;&amp;&apos;&quot;", "<>&'\""),
            ("a&#65;b&#x41;c&#x1f600;", "aAbAc😀"),
            ("&#0000000000000000000065;", "A"),
            ("&amp;lt;", "&lt;"),
            ("é&#9;日", "é\t日"),
        ];
        for (raw, text) in good {
            assert_eq!(unescape(raw).as_deref(), Ok(text), "{raw}");
            assert_eq!(check_references(raw.as_bytes()), Ok(()), "{raw}");
        }
        assert!(matches!(unescape("plain"), Ok(Cow::Borrowed(_))));
    }

    #[test]
    fn refused_references() {
        for raw in ["&nbsp;", "a&x:y;", "&LT;", "&é;"] {
            assert_eq!(unescape(raw), Err(XmlError::Restricted("entity")), "{raw}");
        }
        let bad = [
            "&",
            "&;",
            "& ;",
            "&lt",
            "&#;",
            "&#x;",
            "&#X41;",
            "&#65",
            "&#6a;",
            "&#xg;",
            "&#0;",
            "&#8;",
            "&#xB;",
            "&#xD800;",
            "&#xFFFE;",
            "&#xFFFF;",
            "&#x110000;",
            "&#99999999999999999999;",
            "&#+65;",
            "&#-1;",
            "&1;",
            "&a b;",
            "&#x 41;",
        ];
        for raw in bad {
            assert!(matches!(unescape(raw), Err(XmlError::NotWellFormed(_))), "{raw}");
            assert!(check_references(raw.as_bytes()).is_err(), "{raw}");
        }
    }

    #[test]
    fn escapes() {
        let mut out = Vec::new();
        escape_attr_into("a<b>&\"'\t\n\r é", &mut out);
        assert_eq!(out, "a&lt;b&gt;&amp;&quot;&apos;&#9;&#10;&#13; é".as_bytes());
        out.clear();
        escape_text_into("]]> <&\"'\t\n\r é", &mut out);
        assert_eq!(out, "]]&gt; &lt;&amp;\"'\t\n&#13; é".as_bytes());
    }

    #[test]
    fn attribute_values_are_normalised() {
        assert_eq!(unescape_attr("a\tb\nc\r\nd\re&#9;f").as_deref(), Ok("a b c d e\tf"));
        assert_eq!(unescape_attr("a&amp;b").as_deref(), Ok("a&b"));
    }
}
