//! What SASL messages say before `rsasl` sees them: whose login it is, and whether they have the form that
//! `rsasl` takes for granted.
//!
//! This module checks no credentials.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Failure, Mechanism};
use crate::limits::SASL_TRACE_CHARS_MAX;

/// Names in a client's first message, unescaped, not prepared.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    /// Authentication identity; empty for ANONYMOUS.
    pub(super) username: String,
    /// Authorization identity, unless it is empty or absent.
    pub(super) authzid: Option<String>,
}

/// Reads a client's first message.
pub(super) fn names(mechanism: Mechanism, message: &[u8]) -> Result<Names, Failure> {
    let text = std::str::from_utf8(message).map_err(|_| Failure::MalformedRequest)?;
    match mechanism {
        Mechanism::Plain => plain_names(text),
        Mechanism::ScramSha1 | Mechanism::ScramSha256 => scram_names(text),
        // RFC 4505 §2: the trace is for the log, and means nothing.
        Mechanism::Anonymous if text.chars().count() <= SASL_TRACE_CHARS_MAX => Ok(Names::default()),
        Mechanism::Anonymous => Err(Failure::MalformedRequest),
    }
}

/// `[authzid] NUL authcid NUL passwd` (RFC 4616 §2).
fn plain_names(text: &str) -> Result<Names, Failure> {
    let parts: Vec<_> = text.split('\0').collect();
    match parts[..] {
        [authzid, username, password] if !username.is_empty() && !password.is_empty() => Ok(Names {
            username: username.to_owned(),
            authzid: (!authzid.is_empty()).then(|| authzid.to_owned()),
        }),
        _ => Err(Failure::MalformedRequest),
    }
}

/// `gs2-cbind-flag "," [ "a=" saslname ] "," "n=" saslname "," "r=" nonce ["," extensions]` (RFC 5802 §7).
fn scram_names(text: &str) -> Result<Names, Failure> {
    let malformed = Failure::MalformedRequest;
    let mut parts = text.split(',');
    // `p=` asks for channel binding, which a mechanism without -PLUS does not have.
    if !matches!(parts.next(), Some("n" | "y")) {
        return Err(malformed);
    }
    let authzid = match parts.next() {
        Some("") => None,
        Some(attribute) => Some(attribute.strip_prefix("a=").and_then(saslname).ok_or(malformed)?),
        None => return Err(malformed),
    };
    let username =
        parts.next().and_then(|part| part.strip_prefix("n=")).and_then(saslname).ok_or(malformed)?;
    let nonce = parts.next().and_then(|part| part.strip_prefix("r=")).ok_or(malformed)?;
    if nonce.is_empty() || !parts.all(is_attribute) {
        return Err(malformed);
    }
    Ok(Names { username, authzid })
}

/// A name with `=2C` for `,` and `=3D` for `=` (RFC 5802 §5.1); no other `=`, and not empty.
fn saslname(escaped: &str) -> Option<String> {
    let mut parts = escaped.split('=');
    let mut name = parts.next()?.to_owned();
    for part in parts {
        let (c, rest) = match part.strip_prefix("2C") {
            Some(rest) => (',', rest),
            None => ('=', part.strip_prefix("3D")?),
        };
        name.push(c);
        name.push_str(rest);
    }
    (!name.is_empty()).then_some(name)
}

/// Whether all of a SCRAM message after the first is attributes, `letter "=" value`.
pub(super) fn is_scram(message: &[u8]) -> bool {
    std::str::from_utf8(message).is_ok_and(|text| text.split(',').all(is_attribute))
}

/// Rounds that a server asks for in its first message, `r=,s=,i=` (RFC 5802 §7); `None` when it is no such message.
pub(super) fn scram_iterations(message: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(message).ok().filter(|_| is_scram(message))?;
    text.split(',').nth(2)?.strip_prefix("i=")?.parse().ok()
}

/// Salt in a server's first message; `None` when it is no such message.
pub(super) fn scram_salt(message: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(message).ok().filter(|_| is_scram(message))?;
    STANDARD.decode(text.split(',').nth(1)?.strip_prefix("s=")?).ok()
}

fn is_attribute(part: &str) -> bool {
    matches!(part.as_bytes(), [letter, b'=', ..] if letter.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::{Names, is_scram, names, scram_iterations, scram_salt};
    use crate::stream::sasl::{Failure, Mechanism};

    fn is(username: &str, authzid: Option<&str>) -> Result<Names, Failure> {
        Ok(Names { username: username.into(), authzid: authzid.map(Into::into) })
    }

    #[test]
    fn plain() {
        let names = |message: &[u8]| names(Mechanism::Plain, message);
        assert_eq!(names(b"\0juliet\0r0m30"), is("juliet", None));
        assert_eq!(names(b"a@b\0juliet\0r0m30"), is("juliet", Some("a@b")));
        for bad in [
            &b""[..],
            b"\0",
            b"\0\0",
            b"\0juliet\0",
            b"\0\0r0m30",
            b"\0a\0b\0c",
            b"\0a\xff\0b",
            b"juliet\0r0m30",
        ] {
            assert_eq!(names(bad), Err(Failure::MalformedRequest), "{bad:?}");
        }
    }

    #[test]
    fn scram() {
        let names = |message: &str| names(Mechanism::ScramSha1, message.as_bytes());
        assert_eq!(names("n,,n=juliet,r=oMsTAAwAAAAM"), is("juliet", None));
        assert_eq!(names("y,a=a@b,n=j=2Cu=3D,r=x,x=y"), is("j,u=", Some("a@b")));
        for bad in [
            "",
            "n",
            "n,",
            "n,,",
            "n,,n",
            "n,,n=",
            "n,,n=a",
            "n,,n=a,",
            "n,,n=a,r",
            "n,,n=a,r=",
            "n,a,n=a,r=x",
            "n,a=,n=a,r=x",
            "n,,m=x,n=a,r=x",
            "n,,n=a=2D,r=x",
            "n,,n=a=,r=x",
            "n,,n=a,r=x,",
            "n,,n=a,r=x,y",
            "p=tls-unique,,n=a,r=x",
            "x,,n=a,r=x",
            "n,x=b,n=a,r=x",
        ] {
            assert_eq!(names(bad), Err(Failure::MalformedRequest), "{bad}");
        }
    }

    #[test]
    fn anonymous() {
        let names = |message: &str| names(Mechanism::Anonymous, message.as_bytes());
        assert_eq!(names(""), is("", None));
        assert_eq!(names(&"\u{e4}".repeat(255)), is("", None));
        assert_eq!(names(&"a".repeat(256)), Err(Failure::MalformedRequest));
    }

    #[test]
    fn later_messages() {
        for good in ["c=biws,r=x,p=v0X8", "v=rmF9", "e=other-error", "c=,r=,p="] {
            assert!(is_scram(good.as_bytes()), "{good}");
        }
        for bad in ["", "c", "c=biws,", "c=biws,r", "c=biws,r=x,p=x,", ",", "=", "==", "\u{e4}=x"] {
            assert!(!is_scram(bad.as_bytes()), "{bad}");
        }
        assert_eq!(scram_iterations(b"r=x,s=QSX=,i=4096"), Some(4096));
        assert_eq!(scram_iterations(b"r=x,s=QSX=,i=4096,x=y"), Some(4096));
        assert_eq!(scram_salt(b"r=x,s=c2FsdA==,i=4096"), Some(b"salt".to_vec()));
        assert_eq!(scram_salt(b"r=x,s=~,i=4096"), None);
        for bad in
            ["r=x,s=QSX=", "r=x,s=QSX=,i=", "r=x,s=QSX=,i=-1", "r=x,s=QSX=,i=99999999999", "r=x,s,i=4096"]
        {
            assert_eq!(scram_iterations(bad.as_bytes()), None, "{bad}");
        }
    }
}
