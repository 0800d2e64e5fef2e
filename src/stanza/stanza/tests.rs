use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::{Stanza, To, leans_too_much};
use crate::limits::FRAMER_AFTER_AUTH;
use crate::stanza::Head;
use crate::xml::{Element, Frame, Framer};

fn stanza(text: &str) -> Stanza {
    let element = Element::from_own(Bytes::from(text.to_owned()));
    let head = Head::parse(&element).unwrap();
    Stanza::new(element, head)
}

/// What `write` and `write_front` say, which must be the same, and as long as `written_len` says.
fn written(stanza: &Stanza, to: To<'_>) -> String {
    let (mut whole, mut front) = (Vec::new(), b"before".to_vec());
    stanza.write(to, &mut whole);
    let tail = stanza.write_front(to, &mut front);
    front.extend_from_slice(&tail);
    assert_eq!(front[6..], whole);
    assert_eq!(stanza.written_len(to), whole.len());
    String::from_utf8(whole).unwrap()
}

#[test]
fn forwarded_byte_for_byte() {
    let text = "<message to=\"a@b/o'x\"  id='1' ><body  a = 'x'>&lt;\u{e4}</body></message>";
    assert_eq!(written(&stanza(text), To::Kept), text);
}

#[test]
fn from_is_stamped_and_the_senders_cut() {
    for (text, expected) in [
        ("<message/>", "<message from='j@x/1'/>"),
        ("<message from='e@vil'/>", "<message from='j@x/1'/>"),
        ("<message to='a@b' from=\"e@vil\"><b/></message>", "<message from='j@x/1' to='a@b'><b/></message>"),
        ("<iq from='e@vil' to='a@b' id='1'/>", "<iq from='j@x/1' to='a@b' id='1'/>"),
        // An attribute of a namespace is another attribute.
        ("<iq xmlns:f='u' f:from='y'/>", "<iq from='j@x/1' xmlns:f='u' f:from='y'/>"),
    ] {
        let mut stanza = stanza(text);
        stanza.stamp_from(Bytes::from_static(b"j@x/1"));
        assert_eq!(written(&stanza, To::Kept), expected);
        assert_eq!(stanza.from(), Some("j@x/1"));
    }
}

#[test]
fn to_is_stamped_in_broadcasts() {
    let mut presence = stanza("<presence from='x@y'><show>away</show></presence>");
    assert_eq!(
        written(&presence, To::Stamped(b"r@m/o&amp;x")),
        "<presence to='r@m/o&amp;x' from='x@y'><show>away</show></presence>"
    );
    presence.stamp_from(Bytes::from_static(b"j@x/1"));
    assert_eq!(
        written(&presence, To::Stamped(b"r@m")),
        "<presence from='j@x/1' to='r@m'><show>away</show></presence>"
    );
}

/// RFC 6120 §8.1.5.
#[test]
fn language_of_the_stream() {
    for (text, expected) in [
        ("<message><body/></message>", "<message xml:lang='de'><body/></message>"),
        ("<message xml:lang=''><body/></message>", "<message xml:lang=''><body/></message>"),
        ("<message xml:lang='en'><body/></message>", "<message xml:lang='en'><body/></message>"),
        ("<presence/>", "<presence/>"),
        ("<iq id='1'><a/></iq>", "<iq id='1'><a/></iq>"),
    ] {
        let mut stanza = stanza(text);
        stanza.stamp_lang(Bytes::from_static(b"de"));
        assert_eq!(written(&stanza, To::Kept), expected);
    }
}

#[test]
fn fields() {
    let text = "<iq from='a@b' to='c@d/&amp;' id='i' type='get'><x/></iq>";
    let stanza = stanza(text);
    assert_eq!((stanza.from(), stanza.to(), stanza.id()), (Some("a@b"), Some("c@d/&amp;"), Some("i")));
    let own = Stanza::from_own(Bytes::from_static(text.as_bytes()));
    assert_eq!(written(&own, To::Kept), text);
}

#[test]
#[should_panic(expected = "this program wrote a stanza")]
fn own_mistakes_are_found() {
    let _ = Stanza::from_own(Bytes::from_static(b"<features/>"));
}

/// The stanza is cloned for each mailbox entry of a fan-out.
#[test]
fn size() {
    assert!(size_of::<Stanza>() <= 200, "{}", size_of::<Stanza>());
}

/// The element of a stream whose header has `declarations`.
fn in_stream(declarations: &str, text: &str) -> Stanza {
    let mut framer = Framer::new(FRAMER_AFTER_AUTH);
    let mut input = BytesMut::from(
        format!("<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' {declarations}>{text}")
            .as_str(),
    );
    assert!(matches!(framer.next_frame(&mut input), Ok(Some(Frame::Open(_)))));
    let Ok(Some(Frame::Element(element))) = framer.next_frame(&mut input) else { panic!("{text}") };
    let head = Head::parse(&element).unwrap();
    Stanza::new(element, head)
}

/// RFC 6120 §4.8.5: what the header declared is declared anew, and nothing else.
#[test]
fn leaning_on_the_stream_header() {
    let header = "xmlns:a='urn:a&amp;1' xmlns:b='urn:b'";
    for (text, expected) in [
        ("<message><a:x/></message>", "<message xmlns:a='urn:a&amp;1'><a:x/></message>"),
        ("<message b:y='1' to='c@d'/>", "<message xmlns:b='urn:b' b:y='1' to='c@d'/>"),
        (
            "<message><a:x b:y=''/></message>",
            "<message xmlns:a='urn:a&amp;1' xmlns:b='urn:b'><a:x b:y=''/></message>",
        ),
        ("<message xmlns:a='urn:c'><a:x/></message>", "<message xmlns:a='urn:c'><a:x/></message>"),
        (
            "<message xmlns:a='urn:c'><a:x><b:y/></a:x></message>",
            "<message xmlns:b='urn:b' xmlns:a='urn:c'><a:x><b:y/></a:x></message>",
        ),
        ("<message><body>x</body></message>", "<message><body>x</body></message>"),
    ] {
        let stanza = in_stream(header, text);
        let mut declared = written(&stanza, To::Kept);
        // The order of two declarations is the header's or any other.
        if declared.contains("<message xmlns:b='urn:b' xmlns:a='urn:a&amp;1'>") {
            declared = expected.to_owned();
        }
        assert_eq!(declared, expected);
        let element = Element::from_own(Bytes::from(declared));
        assert!(element.scope.is_none());
    }
}

/// What would break the recipient's limits, or ours, is found out and not rewritten.
#[test]
fn leaning_too_much() {
    let own = |name: &str| -> String { (0..32).map(|i| format!(" xmlns:{name}{i}='u'")).collect() };
    let wide = format!("<message{}><a:x/></message>", own("p"));
    // 8 levels of 32 declarations are as many as may be in scope.
    let deep: String = (0..8).map(|level| format!("<x{}>", own(&format!("l{level}p")))).collect();
    let deep = format!("<message>{deep}<a:x/>{}</message>", "</x>".repeat(8));
    for text in [wide, deep] {
        let stanza = in_stream("xmlns:a='urn:a'", &text);
        assert!(leans_too_much(stanza.element()), "{text}");
        assert_eq!(written(&stanza, To::Kept), text);
    }
    assert!(!leans_too_much(in_stream("xmlns:a='urn:a'", "<message><a:x/></message>").element()));
}

#[test]
fn readdressed() {
    let mut presence = stanza("<presence id='1' to=\"r@m/o'x\" type='subscribe'><x/></presence>");
    presence.stamp_from(Bytes::from_static(b"j@x"));
    let presence = presence.readdressed("r@m/o'x & y");
    assert_eq!(
        written(&presence, To::Kept),
        "<presence from='j@x' id='1' to='r@m/o&apos;x &amp; y' type='subscribe'><x/></presence>"
    );
    assert_eq!(written(&stanza("<presence/>").readdressed("r@m"), To::Kept), "<presence/>");
}

proptest! {
    /// A written stanza is one element with exactly one `from`, whatever the sender wrote around it.
    #[test]
    fn one_from(
        before in "( [a-d]{1,3}='[ -%(-;=-~]{0,4}'){0,1}",
        own in 0..3_usize,
        after in "( [e-h]{1,3}=\"[ -!#-%'-;=-~]{0,4}\"){0,1}",
    ) {
        let from = ["", " from='x@y'", "\n from = \"'\""][own];
        let mut stanza = stanza(&format!("<message{before}{from}{after}><from>from='z'</from></message>"));
        stanza.stamp_from(Bytes::from_static(b"j@x/1"));
        let text = written(&stanza, To::Stamped(b"r@m"));
        let again = Element::from_own(Bytes::from(text));
        let froms: Vec<_> = again.tag().attrs().filter(|attr| attr.name == "from").map(|attr| attr.raw).collect();
        prop_assert_eq!(froms, ["j@x/1"]);
        prop_assert_eq!(again.tag().attr("to"), Some("r@m"));
    }
}
