//! XEP-0203: Delayed Delivery: what says when a stanza was first sent.
//!
//! Which stanzas are late is their keeper's affair.

use super::write::attr;
use crate::stanza::{NS_CLIENT, Stanza};
use crate::time::Utc;
use crate::xml::Node;

/// Namespace of `<delay/>`.
pub(super) const NS: &str = "urn:xmpp:delay";

/// Appends `<delay/>` (§2): `from` (unescaped) delayed the stanza that it got at `since`. The optional reason is left away.
pub(super) fn write_delay(from: &str, since: Utc, out: &mut Vec<u8>) {
    out.extend_from_slice(b"<delay");
    attr("xmlns", NS, out);
    attr("from", from, out);
    attr("stamp", &since.to_string(), out);
    out.extend_from_slice(b"/>");
}

/// Whether a stanza says already that it was delayed by `from` (unescaped).
pub(super) fn is_delayed_by(from: &str, stanza: &Stanza) -> bool {
    if !stanza.element().as_str().contains(NS) {
        return false;
    }
    let node = Node::parse(stanza.element(), NS_CLIENT);
    node.elements().any(|child| child.is("delay", NS) && child.attr("from") == Some(from))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{is_delayed_by, write_delay};
    use crate::stanza::Stanza;
    use crate::time::Utc;

    #[test]
    fn what_is_delayed_says_by_whom() {
        let delay = "<delay xmlns='urn:xmpp:delay' from='d' stamp='2002-09-10T23:08:25Z'/>";
        for (content, is_delayed) in [
            (delay.to_owned(), true),
            (delay.replace("'d'", "'e'"), false),
            (delay.replace("xmpp", "other"), false),
            (format!("<x>{delay}</x>"), false),
            ("<body>urn:xmpp:delay</body>".to_owned(), false),
        ] {
            let stanza = Stanza::from_own(Bytes::from(format!("<message>{content}</message>")));
            assert_eq!(is_delayed_by("d", &stanza), is_delayed, "{content}");
        }
    }

    /// Example 1 of the XEP, without its reason.
    #[test]
    fn the_example() {
        let mut out = Vec::new();
        write_delay("capulet.com", Utc::parse("2002-09-10T23:08:25Z").unwrap(), &mut out);
        let text = "<delay xmlns='urn:xmpp:delay' from='capulet.com' stamp='2002-09-10T23:08:25Z'/>";
        assert_eq!(String::from_utf8(out).unwrap(), text);
    }
}
