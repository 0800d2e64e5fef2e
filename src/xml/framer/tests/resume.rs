//! A resumed scan does not begin again: the bytes that are looked at grow with the input, not with its cuts.

use super::*;
use crate::xml::scan::LOOKED_AT;

/// Bytes that searches look at when `input` comes byte by byte.
fn looked_at_bytewise(input: &[u8]) -> usize {
    let limits = FramerLimits { stanza_bytes_max: 1 << 20, elements_max: 1 << 20 };
    let mut framer = Framer::new(limits);
    let mut buffer = BytesMut::with_capacity(input.len());
    LOOKED_AT.set(0);
    for &byte in input {
        buffer.extend_from_slice(&[byte]);
        while framer.next_frame(&mut buffer).unwrap().is_some() {}
    }
    assert!(buffer.is_empty());
    LOOKED_AT.get()
}

#[test]
fn no_byte_is_scanned_again() {
    let long = "x".repeat(200_000);
    let wide = "é".repeat(100_000);
    let references = "&amp;".repeat(40_000);
    let space = " ".repeat(200_000);
    let cases = [
        format!("<a b='{long}'/>"),
        format!("<a b='{wide}'/>"),
        format!("<a xmlns='{references}'/>"),
        format!("<a>{long}</a>"),
        format!("<a>{wide}</a>"),
        format!("<a>{references}</a>"),
        format!("<a><![CDATA[{long}]]></a>"),
        format!("<a{space}b{space}={space}''/>"),
        format!("<a></a{space}>"),
        format!("<a{long}></a{long}>"),
        format!("<a b{long}=''/>"),
        "<a>".repeat(60) + &"</a>".repeat(60),
        "<a b='c'><d>e</d></a> \n".repeat(5_000),
    ];
    for case in cases {
        let input = [HEADER, &case].concat();
        let looked_at = looked_at_bytewise(input.as_bytes());
        // Once, and a few times more to judge a run (UTF-8, `&` and `;` of references) when its end has come.
        assert!(looked_at <= 4 * input.len(), "{looked_at} of {}: {}", input.len(), &case[..9]);
    }
}
