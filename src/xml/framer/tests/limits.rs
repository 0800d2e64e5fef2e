//! Each limit of `limits.rs` at its value and one beyond, and what a framer itself takes.

use std::fmt::Write as _;

use super::*;
use crate::limits::{
    XML_ATTRS_MAX, XML_DEPTH_MAX, XML_NAMESPACES_IN_SCOPE_MAX, XML_NAMESPACES_PER_ELEMENT_MAX,
};
use crate::xml::XmlError::Limit;

/// `case` is accepted with `max` and refused with one more.
fn at_most(max: usize, case: impl Fn(usize) -> String) {
    let whole = |content: String| feed([HEADER, &content].concat().as_bytes(), &[], LIMITS).end;
    assert_eq!(whole(case(max)), Ok(Vec::new()));
    assert!(matches!(whole(case(max + 1)), Err(Limit(_))), "{}", case(max + 1));
}

fn many(count: usize, one: impl Fn(usize) -> String) -> String {
    (0..count).map(one).collect()
}

#[test]
fn counts() {
    at_most(XML_DEPTH_MAX, |n| ["<a>".repeat(n), "</a>".repeat(n)].concat());
    at_most(XML_ATTRS_MAX, |n| format!("<a{}/>", many(n, |at| format!(" b{at}=''"))));
    at_most(XML_NAMESPACES_PER_ELEMENT_MAX, |n| format!("<a{}/>", many(n, |at| format!(" xmlns:p{at}='u'"))));
    at_most(XML_NAMESPACES_PER_ELEMENT_MAX, |n| {
        format!("<a xmlns=''{}/>", many(n - 1, |at| format!(" xmlns:p{at}='u'")))
    });
    at_most(XML_NAMESPACES_IN_SCOPE_MAX, |n| {
        let mut case = String::new();
        for at in 0..n {
            write!(case, "{} xmlns:p{at}='u'", if at % 16 == 0 { "<a" } else { "" }).unwrap();
            if at % 16 == 15 || at + 1 == n {
                case.push('>');
            }
        }
        case + &"</a>".repeat(n.div_ceil(16))
    });
    at_most(LIMITS.elements_max as usize, |n| format!("<a>{}</a>", "<b/>".repeat(n - 1)));
}

#[test]
fn counts_are_per_element_or_stanza() {
    let tag = format!("<a{}/>", many(XML_ATTRS_MAX, |at| format!(" b{at}=''")));
    let siblings = format!("<x>{}</x>", tag.repeat(3));
    assert_eq!(content(&siblings), [siblings]);
    let many = "<a><b/></a>".repeat(60);
    assert_eq!(feed([HEADER, &many].concat().as_bytes(), &[], LIMITS).frames.len(), 61);
}

#[test]
fn bytes_of_a_stanza() {
    let limits = FramerLimits { stanza_bytes_max: 200, elements_max: 10 };
    let stanza = |len: usize| format!("<a>{}</a>", "x".repeat(len - "<a></a>".len()));
    let run = |content: &str| outcome([HEADER, content].concat().as_bytes(), limits);
    assert_eq!(run(&stanza(200)).frames.len(), 2);
    assert_eq!(run(&[stanza(200), stanza(200)].concat()).frames.len(), 3);
    assert!(matches!(run(&stanza(201)).end, Err(Limit(_))));
    // At once, not when it ends.
    assert!(matches!(run(&stanza(300)[..200]).end, Err(Limit(_))));
    assert!(run(&stanza(300)[..199]).end.is_ok());
    // A long one in each kind of run, and before the stream.
    for start in ["<", "<a ", "<a b='", "<a><![CDATA[", "<a></a", "<a b", "<a>&"] {
        let end = run(&format!("{start}{}", if start.ends_with("/a") { " " } else { "x" }.repeat(300))).end;
        assert!(matches!(end, Err(Limit(_))), "{start}: {end:?}");
    }
    for start in ["<?xml ", "<a", "\n\n<a"] {
        let end = outcome(format!("{start}{}", "x".repeat(300)).as_bytes(), limits).end;
        assert!(matches!(end, Err(Limit(_))), "{start}: {end:?}");
    }
    // White space is no part of it.
    assert_eq!(run(&" ".repeat(1000)).end, Ok(Vec::new()));
}

#[test]
fn an_idle_framer_is_small() {
    assert!(size_of::<Framer>() <= 128, "{}", size_of::<Framer>());
    let mut framer = Framer::new(LIMITS);
    let deep = ["<a xmlns:p='u'>".repeat(20), "</a>".repeat(20)].concat();
    let mut input = BytesMut::from([HEADER, &deep].concat().as_bytes());
    while framer.next_frame(&mut input).unwrap().is_some() {}
    assert!(framer.unit.holds_no_heap());
}
