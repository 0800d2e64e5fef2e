//! The XML declaration: production `XMLDecl` of XML 1.0 §2.8, as far as RFC 6120 §11.5 and §11.6 let it matter.

use crate::xml::XmlError;
use crate::xml::scan::{SPACE, class};

const ILL_FORMED: XmlError = XmlError::NotWellFormed("XML declaration");

/// Checks what stands between `<?xml` and `>`.
///
/// Any version 1.x is processed as 1.0 (XML 1.0 §2.8), `standalone` is ignored (RFC 6120 §11.5), and an encoding
/// other than UTF-8 is refused (§11.6).
pub(super) fn check_declaration(inside: &[u8]) -> Result<(), XmlError> {
    let mut rest = inside.strip_suffix(b"?").ok_or(ILL_FORMED)?;
    let version = pseudo_attribute(&mut rest, b"version")?.ok_or(ILL_FORMED)?;
    let [b'1', b'.', minor @ ..] = version else { return Err(ILL_FORMED) };
    if minor.is_empty() || !minor.iter().all(u8::is_ascii_digit) {
        return Err(ILL_FORMED);
    }
    if let Some(encoding) = pseudo_attribute(&mut rest, b"encoding")?
        && !encoding.eq_ignore_ascii_case(b"utf-8")
    {
        return Err(XmlError::UnsupportedEncoding("XML declaration"));
    }
    if let Some(standalone) = pseudo_attribute(&mut rest, b"standalone")?
        && !matches!(standalone, b"yes" | b"no")
    {
        return Err(ILL_FORMED);
    }
    if trim_space(rest).is_empty() { Ok(()) } else { Err(ILL_FORMED) }
}

/// Takes `S name Eq quoted` off the front of `rest`, if that is what comes next.
fn pseudo_attribute<'a>(rest: &mut &'a [u8], name: &[u8]) -> Result<Option<&'a [u8]>, XmlError> {
    let trimmed = trim_space(rest);
    let Some(behind) = trimmed.strip_prefix(name) else { return Ok(None) };
    if trimmed.len() == rest.len() {
        return Err(ILL_FORMED);
    }
    let [b'=', value @ ..] = trim_space(behind) else { return Err(ILL_FORMED) };
    let [quote @ (b'"' | b'\''), value @ ..] = trim_space(value) else { return Err(ILL_FORMED) };
    let end = value.iter().position(|byte| byte == quote).ok_or(ILL_FORMED)?;
    *rest = &value[end + 1..];
    Ok(Some(&value[..end]))
}

fn trim_space(bytes: &[u8]) -> &[u8] {
    let space = bytes.iter().take_while(|&&byte| class(byte) & SPACE != 0).count();
    &bytes[space..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declarations() {
        let good = [
            " version='1.0'",
            " version=\"1.0\" ",
            "\n version = '1.1'\tencoding='UTF-8'",
            " version='1.0' encoding='utf-8' standalone='no' ",
            " version='1.0' standalone='yes'",
        ];
        for inside in good {
            assert_eq!(check_declaration(format!("{inside}?").as_bytes()), Ok(()), "{inside}");
        }
        let bad = [
            "",
            "version='1.0'",
            " version='2.0'",
            " version='1.'",
            " version='1.x'",
            " version=1.0",
            " version='1.0",
            " version='1.0\"",
            " encoding='utf-8'",
            " version='1.0'encoding='utf-8'",
            " version='1.0' standalone='maybe'",
            " version='1.0' standalone='no' encoding='utf-8'",
            " version='1.0' more='1'",
        ];
        for inside in bad {
            assert_eq!(check_declaration(format!("{inside}?").as_bytes()), Err(ILL_FORMED), "{inside}");
        }
        assert_eq!(check_declaration(b" version='1.0'"), Err(ILL_FORMED));
        for encoding in ["UTF-16", "ISO-8859-1", "utf8", ""] {
            let inside = format!(" version='1.0' encoding='{encoding}'?");
            let refused = Err(XmlError::UnsupportedEncoding("XML declaration"));
            assert_eq!(check_declaration(inside.as_bytes()), refused, "{encoding}");
        }
    }
}
