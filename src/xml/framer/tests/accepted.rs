//! What has to be accepted, and what becomes of it.

use bytes::{Bytes, BytesMut};

use super::*;
use crate::xml::{Element, Node};

#[test]
fn elements_come_out_as_they_are() {
    let cases = [
        "<a/>",
        "<a />",
        "<a\n/>",
        "<a></a>",
        "<a ></a\t\r\n >",
        "<a b='c'/>",
        "<a b=\"c\" d='e'/>",
        "<a b = \n'c'\td\r=\n\"e\" />",
        "<a b=''/>",
        "<a b='\"' c=\"'\" d='>' e='/>' f=']]>'/>",
        "<a>text</a>",
        "<a>a > b ]] > c ]>]] &gt; \" ' / = </a>",
        "<a><b/><b/></a>",
        "<a><b><c><d><e><f><g><h><i><j>deep</j></i></h></g></f></e></d></c></b></a>",
        "<a><a><a><a/></a></a></a>",
        "<message to='romeo@example.net/orchard' id='1' type='chat' xml:lang='en'><body>Wherefore?</body></message>",
        "<a>\u{9}\u{a}\u{d} \u{7f}\u{80}\u{9f}é\u{d7ff}\u{e000}\u{fffd}\u{10000}\u{10ffff}\u{feff}</a>",
        "<a b='\u{9}\u{a}\u{d} \u{7f}\u{80}é\u{fffd}😀\u{ffee}'/>",
        "<é ü='ö'>ß</é>",
        "<a-b.c_d9 e-f.g_h9='i'/>",
        "<_a _b='c'/>",
        "<a>&lt;&gt;&amp;&apos;&quot;&#9;&#10;&#13;&#32;&#x10FFFF;&#65533;</a>",
        "<a b='&lt;&gt;&amp;&apos;&quot;&#9;&#x000000000000A;'/>",
        "<a><![CDATA[]]></a>",
        "<a><![CDATA[<b>&c;]]&gt;]]]]]]></a>",
        "<a>x<![CDATA[é😀]]>y<![CDATA[> ]> ]]]>]]<b/>></a>",
        "<a a1='' a2='' a3='' a4='' a5='' a6='' a7='' a8='' a9='' b1='' b2='' b3='' b4='' b5='' b6='' b7='' b8=''/>",
    ];
    for case in cases {
        assert_eq!(content(case), [case]);
    }
}

#[test]
fn prefixes() {
    let cases = [
        // Declared inside.
        ("<p:a xmlns:p='u'/>", "<p:a xmlns:p='u'/>"),
        ("<a xmlns:p='u' p:b='c' b='d'/>", "<a xmlns:p='u' p:b='c' b='d'/>"),
        ("<a p:b='c' xmlns:p='u'/>", "<a p:b='c' xmlns:p='u'/>"),
        ("<a xmlns:p='u'><b><p:c/></b><p:d p:e='f'/></a>", "<a xmlns:p='u'><b><p:c/></b><p:d p:e='f'/></a>"),
        // One local name in two namespaces, one of them none.
        (
            "<a xmlns:p='u' xmlns:q='v' p:b='' q:b='' b=''/>",
            "<a xmlns:p='u' xmlns:q='v' p:b='' q:b='' b=''/>",
        ),
        // Bound anew, then back.
        (
            "<p:a xmlns:p='u'><p:b xmlns:p='v' xmlns:q='u'><c p:d='' q:d=''/></p:b></p:a>",
            "<p:a xmlns:p='u'><p:b xmlns:p='v' xmlns:q='u'><c p:d='' q:d=''/></p:b></p:a>",
        ),
        ("<a xml:lang='en' lang='en'/>", "<a xml:lang='en' lang='en'/>"),
        ("<xml:a/>", "<xml:a/>"),
        (
            "<a xmlns:xml='http://www.w3.org/XML/1998/namespace'/>",
            "<a xmlns:xml='http://www.w3.org/XML/1998/namespace'/>",
        ),
        (
            "<a xmlns:xml='http://www.w3.org/XML/1998/namespac&#101;'/>",
            "<a xmlns:xml='http://www.w3.org/XML/1998/namespac&#101;'/>",
        ),
        // Own default namespace, at the top or not, also none.
        ("<a xmlns='u'/>", "=<a xmlns='u'/>"),
        ("<a xmlns=''/>", "=<a xmlns=''/>"),
        ("<a><b xmlns='u'/></a>", "<a><b xmlns='u'/></a>"),
        ("<a><b xmlns=''><c xmlns='u&amp;v'/></b></a>", "<a><b xmlns=''><c xmlns='u&amp;v'/></b></a>"),
        ("<a xmlns='http://www.w3.org/2000/xmlnsX'/>", "=<a xmlns='http://www.w3.org/2000/xmlnsX'/>"),
        // Declared by the stream header.
        ("<stream:features/>", "+<stream:features/>"),
        ("<a><b ext:c=''/></a>", "+<a><b ext:c=''/></a>"),
        ("<a><b xmlns:ext='v'/><ext:c/></a>", "+<a><b xmlns:ext='v'/><ext:c/></a>"),
        ("<a xmlns:stream='u'><stream:b/></a>", "<a xmlns:stream='u'><stream:b/></a>"),
        ("<stream:a xmlns='u' xmlns:stream='u'/>", "=<stream:a xmlns='u' xmlns:stream='u'/>"),
        // Names that only begin like the reserved ones.
        ("<a xmlnsx='' xmln='' xm:l='' xmlns:xm='u'/>", "<a xmlnsx='' xmln='' xm:l='' xmlns:xm='u'/>"),
    ];
    for (case, described) in cases {
        assert_eq!(content(case), [described]);
    }
    // What leaned on the header is forgotten with the element.
    assert_eq!(content("<ext:a/><b/><c xmlns='u'/><d/>"), ["+<ext:a/>", "<b/>", "=<c xmlns='u'/>", "<d/>"]);
}

#[test]
fn white_space_between_elements_is_nothing() {
    assert_eq!(content(" \r\n\t<a/> \n <b> </b>\n</stream:stream\n > "), ["<a/>", "<b> </b>", "close"]);
}

#[test]
fn prologs() {
    let header = "<stream xmlns='u'>";
    for prolog in [
        "",
        " \n",
        "\u{feff}",
        "<?xml version='1.0'?>",
        "<?xml version=\"1.0\" encoding=\"utf-8\" standalone='no' ?>\r\n",
        "\u{feff}<?xml\tversion = '1.1'\nencoding='UTF-8'?> ",
        "\n<?xml version='1.0'?>",
    ] {
        assert_eq!(frames([prolog, header].concat().as_bytes()), [format!("open {header}")], "{prolog}");
    }
}

#[test]
fn stream_headers() {
    for header in ["<a>", "<stream:stream xmlns:stream='u' id='&lt;>'>", "<a xmlns=''>", "<xml:a\n>"] {
        let name = &header[1..header.find([' ', '>', '\n']).unwrap()];
        assert_eq!(
            frames(format!("{header} <b/></{name}>\n ").as_bytes()),
            [&format!("open {header}"), "<b/>", "close"]
        );
    }
}

#[test]
fn scope_is_what_the_header_declares() {
    let mut input = BytesMut::from("<s:s xmlns='a&amp;b' xmlns:s='u\tv' xmlns:t='w' to='x'>");
    let Ok(Some(Frame::Open(open))) = Framer::new(LIMITS).next_frame(&mut input) else { panic!("a header") };
    let scope = open.scope;
    assert_eq!(scope.declarations().collect::<Vec<_>>(), [("", "a&b"), ("s", "u v"), ("t", "w")]);
    assert_eq!(
        (scope.namespace(""), scope.namespace("t"), scope.namespace("x")),
        (Some("a&b"), Some("w"), None)
    );
    let mut input = BytesMut::from("<s xmlns=''>");
    let Ok(Some(Frame::Open(open))) = Framer::new(LIMITS).next_frame(&mut input) else { panic!("a header") };
    assert_eq!(open.scope.namespace(""), None);
}

#[test]
fn frames_are_not_copied() {
    let mut input = BytesMut::from("<s><a>b</a>");
    let at = input.as_ptr() as usize;
    let mut framer = Framer::new(LIMITS);
    framer.next_frame(&mut input).unwrap();
    let Ok(Some(Frame::Element(element))) = framer.next_frame(&mut input) else { panic!("an element") };
    assert_eq!(element.bytes.as_ptr() as usize, at + "<s>".len());
}

#[test]
fn a_restart_begins_a_new_stream() {
    let mut framer = Framer::new(LIMITS);
    let mut input = BytesMut::from("<s xmlns:p='u'><p:a/> <?xml version='1.0'?><t><a/></t><rest/>");
    let mut next = |framer: &mut Framer| framer.next_frame(&mut input).map(|frame| describe(&frame.unwrap()));
    assert_eq!(next(&mut framer).unwrap(), "open <s xmlns:p='u'>");
    assert_eq!(next(&mut framer).unwrap(), "+<p:a/>");
    framer.restart();
    assert_eq!(next(&mut framer).unwrap(), "open <t>");
    assert_eq!(next(&mut framer).unwrap(), "<a/>");
    assert_eq!(next(&mut framer).unwrap(), "close");
    assert!(next(&mut framer).is_err());
}

#[test]
fn own_elements() {
    let element =
        Element::from_own(Bytes::from_static(b"<iq xmlns='jabber:client' id='1'><s:q xmlns:s='u'/></iq>"));
    assert!(element.has_xmlns && element.scope.is_none());
    assert_eq!(element.tag().attr("id"), Some("1"));
    assert!(Node::parse(&element, "").child("q", "u").is_some());
}

#[test]
#[should_panic(expected = "not one element of our own")]
fn own_elements_stand_alone() {
    let _ = Element::from_own(Bytes::from_static(b"<stream:features/>"));
}
