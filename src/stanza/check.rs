//! The rules of RFC 6120 §8 that a stanza can break by itself, whoever sends it to whom.
//!
//! This module does not look at addresses of others and does not read payloads.

use super::{Condition, JidRef, Kind, Stanza, StanzaType};

impl Stanza {
    /// Whether the stanza keeps the rules of its kind. An IQ has an `id`, a `type` of four, and exactly one child
    /// as `get` or `set`, at most one as `result` (RFC 6120 §8.2.3); a presence has a `type` of seven or none (RFC 6121
    /// §4.7.1). Messages of unknown type are normal ones.
    ///
    /// # Errors
    /// `bad-request` (RFC 6120 §8.3.3.1); nothing may be sent back when [`super::write_error_reply`] refuses to.
    pub fn check(&self) -> Result<(), Condition> {
        let keeps_rules = match (self.kind(), self.head().stanza_type) {
            (Kind::Message, _) => true,
            (Kind::Presence, stanza_type) => stanza_type != StanzaType::Unknown,
            (Kind::Iq, _) if self.id().is_none() => false,
            (Kind::Iq, StanzaType::Get | StanzaType::Set) => self.child_count_up_to_two() == 1,
            (Kind::Iq, StanzaType::Result) => self.child_count_up_to_two() <= 1,
            (Kind::Iq, stanza_type) => stanza_type == StanzaType::Error,
        };
        if keeps_rules { Ok(()) } else { Err(Condition::BadRequest) }
    }

    /// Whether a client that is `own` may have written this `from`: none, its bare or its full address (RFC 6120
    /// §8.1.2.1). Anything else closes its stream with `invalid-from`. Asks for the sender's own attribute, not a
    /// stamped one.
    #[must_use]
    pub fn is_from(&self, own: JidRef<'_>) -> bool {
        let Some(raw) = self.sender_from() else { return true };
        if raw == own.as_str() {
            return true;
        }
        JidRef::parse_attr(raw).is_ok_and(|from| {
            let from = from.jid();
            from.as_str() == own.as_str() || from.as_str() == own.bare().as_str()
        })
    }

    /// Child elements, counted until the second. The bytes were checked by the framer: outside of tags, CDATA
    /// sections are the only place where a `<` does not begin one.
    fn child_count_up_to_two(&self) -> u32 {
        let mut rest = &self.element().bytes[self.head().tag_end as usize..];
        let (mut depth, mut count) = (0_u32, 0_u32);
        while let Some(at) = rest.iter().position(|&byte| byte == b'<') {
            rest = &rest[at + 1..];
            if let Some(cdata) = rest.strip_prefix(b"![CDATA[") {
                let end = cdata.windows(3).position(|window| window == b"]]>");
                rest = &cdata[end.expect("a checked CDATA section ends")..];
                continue;
            }
            if rest.first() == Some(&b'/') {
                match depth.checked_sub(1) {
                    Some(less) => depth = less,
                    // The stanza's own end tag.
                    None => return count,
                }
                continue;
            }
            let close = tag_close(rest);
            if depth == 0 {
                count += 1;
                if count == 2 {
                    return 2;
                }
            }
            if rest[close - 1] != b'/' {
                depth += 1;
            }
            rest = &rest[close..];
        }
        count
    }
}

/// Offset of the `>` that ends the start tag, whose values may contain others.
fn tag_close(tag: &[u8]) -> usize {
    let mut quote = None;
    for (i, &byte) in tag.iter().enumerate() {
        match (quote, byte) {
            (None, b'>') => return i,
            (None, b'\'' | b'"') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
    }
    unreachable!("a checked tag is closed")
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use crate::stanza::{Condition, Head, Jid, Stanza};
    use crate::xml::Element;

    fn stanza(text: &str) -> Stanza {
        let element = Element::from_own(Bytes::from(text.to_owned()));
        let head = Head::parse(&element).unwrap();
        Stanza::new(element, head)
    }

    #[test]
    fn iq_rules() {
        for good in [
            "<iq id='1' type='get'><a/></iq>",
            "<iq id='1' type='set'> <a b='>/' c=\"'\">x<c/></a>\n</iq>",
            "<iq id='1' type='set'><a><![CDATA[<b/>]]><c><d/></c></a></iq>",
            "<iq id='1' type='result'/>",
            "<iq id='1' type='result'><a/></iq>",
            "<iq id='1' type='error'><a/><error/></iq>",
            "<iq id='' type='result'></iq>",
        ] {
            assert_eq!(stanza(good).check(), Ok(()), "{good}");
        }
        for bad in [
            "<iq type='get'><a/></iq>",
            "<iq id='1'><a/></iq>",
            "<iq id='1' type='subscribe'><a/></iq>",
            "<iq id='1' type='get'/>",
            "<iq id='1' type='get'></iq>",
            "<iq id='1' type='get'><![CDATA[<a/>]]></iq>",
            "<iq id='1' type='set'><a/><b/></iq>",
            "<iq id='1' type='set'><a></a>text<b></b></iq>",
            "<iq id='1' type='result'><a x='/>'><b/></a><b/></iq>",
        ] {
            assert_eq!(stanza(bad).check(), Err(Condition::BadRequest), "{bad}");
        }
    }

    #[test]
    fn other_rules() {
        for good in ["<message type='x'/>", "<presence/>", "<presence type='probe'/>"] {
            assert_eq!(stanza(good).check(), Ok(()), "{good}");
        }
        assert_eq!(stanza("<presence type='available'/>").check(), Err(Condition::BadRequest));
    }

    #[test]
    fn senders() {
        let own = Jid::parse("juliet@example.com/o'balcony").unwrap();
        for (from, good) in [
            ("", true),
            (" from='juliet@example.com'", true),
            (" from=\"juliet@example.com/o'balcony\"", true),
            (" from='Juliet@EXAMPLE.com/o&apos;balcony'", true),
            (" from='juliet@example.com/orchard'", false),
            (" from='romeo@example.com'", false),
            (" from='example.com'", false),
            (" from=''", false),
            (" from='@'", false),
        ] {
            assert_eq!(stanza(&format!("<message{from}/>")).is_from(own.as_ref()), good, "{from}");
        }
    }
}
