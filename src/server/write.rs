//! Writing the server's own stanzas, and copies of others'.
//!
//! Addresses come here as text and are escaped; an `id` comes raw, as it stood in another stanza.

use bytes::Bytes;

use crate::stanza::{Head, JidRef, Stanza, To, write_raw_attr};
use crate::xml::{Element, escape_attr_into};

/// Appends ` name='value'`, escaped.
pub(super) fn attr(name: &str, value: &str, out: &mut Vec<u8>) {
    out.push(b' ');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"='");
    escape_attr_into(value, out);
    out.push(b'\'');
}

/// An address as it is stamped.
pub(super) fn escaped(jid: JidRef<'_>) -> Bytes {
    let mut escaped = Vec::with_capacity(jid.as_str().len());
    escape_attr_into(jid.as_str(), &mut escaped);
    Bytes::from(escaped)
}

/// A presence stanza without content. `id` is raw.
pub(super) fn presence(
    stanza_type: Option<&str>,
    from: JidRef<'_>,
    to: Option<JidRef<'_>>,
    id: Option<&str>,
) -> Stanza {
    presence_with(stanza_type, from, to, id, b"")
}

/// [`presence`] with these children, as they are.
pub(super) fn presence_with(
    stanza_type: Option<&str>,
    from: JidRef<'_>,
    to: Option<JidRef<'_>>,
    id: Option<&str>,
    children: &[u8],
) -> Stanza {
    let mut bytes = b"<presence".to_vec();
    attr("from", from.as_str(), &mut bytes);
    if let Some(to) = to {
        attr("to", to.as_str(), &mut bytes);
    }
    if let Some(id) = id {
        write_raw_attr("id", id, &mut bytes);
    }
    if let Some(stanza_type) = stanza_type {
        attr("type", stanza_type, &mut bytes);
    }
    if children.is_empty() {
        bytes.extend_from_slice(b"/>");
    } else {
        bytes.push(b'>');
        bytes.extend_from_slice(children);
        bytes.extend_from_slice(b"</presence>");
    }
    Stanza::from_own(Bytes::from(bytes))
}

/// The same stanza in bytes of its own: one that is kept must not hold on to the buffer it was read into.
pub(super) fn detached(stanza: &Stanza, to: To<'_>) -> Stanza {
    let mut bytes = Vec::with_capacity(stanza.written_len(to));
    stanza.write(to, &mut bytes);
    let element = Element::from_own(Bytes::from(bytes));
    let head = Head::parse(&element).expect("other attributes do not make another element");
    Stanza::new(element, head)
}

#[cfg(test)]
mod tests {
    use super::{attr, presence, presence_with};
    use crate::stanza::Jid;

    #[test]
    fn values_are_escaped() {
        let mut out = Vec::new();
        attr("a", "o'b<", &mut out);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.matches('\'').count(), 2, "{text}");
        assert!(!text.contains('<'), "{text}");
    }

    #[test]
    fn presence_has_what_it_is_given() {
        let (a, b) = (Jid::parse("a@d/r").unwrap(), Jid::parse("b@d").unwrap());
        let stanza = presence(Some("unavailable"), a.as_ref(), Some(b.as_ref()), Some("1\"2"));
        assert_eq!((stanza.from(), stanza.to(), stanza.id()), (Some("a@d/r"), Some("b@d"), Some("1\"2")));
        let stanza = presence(None, a.as_ref(), None, None);
        assert_eq!(&stanza.element().bytes[..], b"<presence from='a@d/r'/>");
        let stanza = presence_with(None, a.as_ref(), None, None, b"<show>dnd</show>");
        assert_eq!(&stanza.element().bytes[..], b"<presence from='a@d/r'><show>dnd</show></presence>");
    }
}
