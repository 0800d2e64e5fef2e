//! What has to be refused, and as what.

use super::*;
use crate::xml::XmlError::{BadFormat, NotWellFormed, Restricted, UnsupportedEncoding};

fn ill_formed(cases: &[&str]) {
    for case in cases {
        let error = content_error(case.as_bytes());
        assert!(matches!(error, NotWellFormed(_)), "{case}: {error}");
    }
}

#[test]
fn tags() {
    ill_formed(
        &[
            "<>",
            "< a/>",
            "<\n",
            "</ a>",
            "<a/ >",
            "<a b/>",
            "<a b>",
            "<a b c='d'/>",
            "<a b=c/>",
            "<a b='c'd='e'/>",
            "<a b='c'\"d\"/>",
            "<a 'b'/>",
            "<a =''/>",
            "<a b=='c'/>",
            "<a b='c' /b>",
            "<a b='<'/>",
            "<a b='c<d'/>",
            "<a<b/>",
            "<a <b/>",
            "<a b<='c'/>",
            "<a,b/>",
            "<a b,c=''/>",
            "<a\0/>",
            "<a b='c'\u{b}d=''/>",
            "<1a/>",
            "<-a/>",
            "<.a/>",
            "<a 1b=''/>",
            "<a -b=''/>",
            "<a\u{d7}b/>",
            "<\u{b7}/>",
            "<a \u{301}=''/>",
            "<a&b/>",
            "<a &amp;=''/>",
            "<a>b</a",
            "<a/><a\u{a0}/>",
        ]
        .iter()
        .filter(|case| **case != "<a>b</a")
        .copied()
        .collect::<Vec<_>>(),
    );
}

#[test]
fn end_tags() {
    ill_formed(&[
        "<a></b>",
        "<a></aa>",
        "<ab></a>",
        "<a></A>",
        "<a><b></a></b>",
        "<z><x/></y>",
        "<a></a b='c'>",
        "<a></a/>",
        "<a></ a>",
        "<a></>",
        "<a b='c'></a b>",
        "</a>",
        "</stream>",
        "</stream:strea>",
        "</stream:streams>",
        "<a></stream:stream>",
        "<a></a<b>",
    ]);
}

#[test]
fn attributes_twice() {
    ill_formed(&[
        "<a b='' b=''/>",
        "<a b='' c='' d='' b=''/>",
        "<a xml:lang='' xml:lang=''/>",
        "<a xmlns='u' xmlns='u'/>",
        "<a xmlns:p='u' xmlns:p='v'/>",
        "<a xmlns:p='u' xmlns:q='u' p:b='' q:b=''/>",
        "<a p:b='' q:b='' xmlns:p='u' xmlns:q='&#x75;'/>",
        "<a xmlns:p='u\tv' xmlns:q='u v' p:b='' q:b=''/>",
        "<a xmlns:p='u\r\nv' xmlns:q='u v' p:b='' q:b=''/>",
        "<x xmlns:p='u'><a xmlns:q='u'><c p:b='' q:b=''/></a></x>",
        "<a xmlns:q='urn:ext' ext:b='' q:b=''/>",
    ]);
}

#[test]
fn namespaces() {
    ill_formed(&[
        "<p:a/>",
        "<a p:b=''/>",
        "<a><p:b xmlns:p='u'/><p:c/></a>",
        "<a><b xmlns:p='u'><c/></b><d p:e=''/></a>",
        "<a><b><c xmlns:p='u'/></b><p:d/></a>",
        "<b xmlns:p='u'/><p:c/>",
        "<a xmlns:p=''/>",
        "<a xmlns:=''/>",
        "<a xmlns:='u'/>",
        "<:a/>",
        "<a:/>",
        "<a :b=''/>",
        "<a b:=''/>",
        "<a:b:c xmlns:a='u'/>",
        "<a xmlns:p:q='u'/>",
        "<p:1a xmlns:p='u'/>",
        "<a xmlns:1p='u'/>",
        "<a xmlns:p='u' p:-b=''/>",
        // Reserved prefixes and names.
        "<a xmlns:xmlns='u'/>",
        "<a xmlns:xmlns='http://www.w3.org/2000/xmlns/'/>",
        "<a xmlns:xml='u'/>",
        "<a xmlns:xml=''/>",
        "<xmlns:a/>",
        "<a xmlns:p='http://www.w3.org/XML/1998/namespace'/>",
        "<a xmlns='http://www.w3.org/XML/1998/namespace'/>",
        "<a xmlns='http://www.w3.org/XML/1998/namespac&#x65;'/>",
        "<a xmlns:p='http://www.w3.org/2000/xmlns/'/>",
        "<a xmlns='http://www.w3.org/2000/xmlns/'/>",
        "<a><b xmlns='http://www.w3.org/2000&#47;xmlns/'/></a>",
    ]);
}

#[test]
fn text() {
    ill_formed(&[
        "<a>]]></a>",
        "<a>b]]>c</a>",
        "<a>]]]></a>",
        "<a>\0</a>",
        "<a>\u{8}</a>",
        "<a>\u{b}</a>",
        "<a>\u{c}</a>",
        "<a>\u{1f}</a>",
        "<a>\u{1b}[m</a>",
        "<a>\u{fffe}</a>",
        "<a>é\u{ffff}</a>",
        "<a b='\u{ffff}'/>",
        "<a b='\u{1}'/>",
        "<a b='é\u{c}'/>",
        "<a><![CDATA[\u{c}]]></a>",
        "<a><![CDATA[\u{fffe}]]></a>",
        "<a>&</a>",
        "<a>& b;</a>",
        "<a>&amp</a>",
        "<a>&lt<b/>;</a>",
        "<a>&#0;</a>",
        "<a>&#xD800;</a>",
        "<a>&#xFFFF;</a>",
        "<a>&#x110000;</a>",
        "<a>&#;</a>",
        "<a b='&'/>",
        "<a b='&amp'/>",
        "<a b='&#8;'/>",
        "<a xmlns='&'/>",
        "<a><![CDAT[x]]></a>",
        "<a><![cdata[x]]></a>",
        "<a><![CDATA x]]></a>",
    ]);
}

#[test]
fn utf8() {
    let sequences: [&[u8]; 16] = [
        b"\x80",
        b"\xBF\xBF",
        b"\xC0\x80",
        b"\xC1\xBF",
        b"\xC3",
        b"\xE0\x9F\xBF",
        b"\xE2\x82",
        b"\xED\xA0\x80",
        b"\xED\xBF\xBF",
        b"\xF0\x80\x80\x80",
        b"\xF0\x9F\x98",
        b"\xF4\x90\x80\x80",
        b"\xF5\x80\x80\x80",
        b"\xFE",
        b"\xFF",
        b"\xC3\xA9\xA9",
    ];
    let places: [(&[u8], &[u8]); 6] = [
        (b"<a>", b"</a>"),
        (b"<a>x", b"x</a>"),
        (b"<a b='", b"'/>"),
        (b"<a><![CDATA[", b"]]></a>"),
        (b"<a", b"/>"),
        (b"<a b", b"=''/>"),
    ];
    for sequence in sequences {
        for (before, behind) in places {
            let error = content_error(&[before, sequence, behind].concat());
            assert!(matches!(error, NotWellFormed(_)), "{sequence:x?} in {before:?}: {error}");
        }
    }
}

#[test]
fn restricted() {
    for case in [
        "<!-- -->",
        "<a><!-- --></a>",
        "<a><!--></a>",
        "<!DOCTYPE a>",
        "<!DOCTYPE a [<!ENTITY b 'c'>]>",
        "<a><!ENTITY b 'c'></a>",
        "<?b?>",
        "<a><?b c?></a>",
        "<?xml version='1.0'?>",
        "<a><?xml version='1.0'?></a>",
        "<a>&nbsp;</a>",
        "<a b='&c;'/>",
        "<a>&é;</a>",
        "<a><![CDATA[]]>&b;</a>",
        "<a xmlns='&u;'/>",
    ] {
        let error = content_error(case.as_bytes());
        assert!(matches!(error, Restricted(_)), "{case}: {error}");
    }
    for case in [
        "<!DOCTYPE a>",
        "<!-- -->",
        "<?a?>",
        "<?xml-stylesheet?>",
        "<?xml version='1.0'?><?xml version='1.0'?>",
    ] {
        let error = start_error(case.as_bytes());
        assert!(matches!(error, Restricted(_)), "{case}: {error}");
    }
}

#[test]
fn text_between_elements() {
    for case in [
        "x",
        "<a/>x",
        " &amp;",
        "<a/>\u{a0}<b/>",
        "\u{feff}",
        "\0",
        "<![CDATA[x]]>",
        "<a/>]]>",
        "</stream:stream>x",
        "</stream:stream><a/>",
        "</stream:stream></stream:stream>",
        // Its end would be the stream's: waiting for it is waiting for ever.
        HEADER,
        "<a/><stream:stream>",
    ] {
        let error = content_error(case.as_bytes());
        assert!(matches!(error, BadFormat(_)), "{case}: {error}");
    }
}

#[test]
fn stream_starts() {
    for case in [
        "x<a>",
        "&",
        "\u{feff}\u{feff}<a>",
        " \u{feff}<a>",
        "<a/>",
        "<stream:stream xmlns:stream='u'/>",
        "<![CDATA[",
    ] {
        let error = start_error(case.as_bytes());
        assert!(matches!(error, BadFormat(_)), "{case}: {error}");
    }
    for case in [
        "</a>",
        "<p:a>",
        "<a b='' b=''>",
        "<?xml ?><a>",
        "<?xml version='2.0'?>",
        "<?xml version='1.0'>",
        "<?xml x>?>",
    ] {
        let error = start_error(case.as_bytes());
        assert!(matches!(error, NotWellFormed(_)), "{case}: {error}");
    }
    let cases: [&[u8]; 5] = [
        b"\xFF\xFE<\0a\0",
        b"\xFE\xFF\0<\0a",
        b"\0<\0a",
        b"<?xml version='1.0' encoding='UTF-16'?><a>",
        b"<\0a\0>\0",
    ];
    for case in cases {
        let error = start_error(case);
        assert!(matches!(error, UnsupportedEncoding(_)), "{case:?}: {error}");
    }
}
