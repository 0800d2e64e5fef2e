//! XEP-0203: Delayed Delivery: what says when a stanza was first sent.
//!
//! Which stanzas are late is their keeper's affair.

use super::write::attr;
use crate::time::Utc;

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

#[cfg(test)]
mod tests {
    use super::write_delay;
    use crate::time::Utc;

    /// Example 1 of the XEP, without its reason.
    #[test]
    fn the_example() {
        let mut out = Vec::new();
        write_delay("capulet.com", Utc::parse("2002-09-10T23:08:25Z").unwrap(), &mut out);
        let text = "<delay xmlns='urn:xmpp:delay' from='capulet.com' stamp='2002-09-10T23:08:25Z'/>";
        assert_eq!(String::from_utf8(out).unwrap(), text);
    }
}
