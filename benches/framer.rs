//! The framer beside other parsers, on three fixed corpora.
//!
//! `cargo bench --bench framer`. Ours is fed in pieces, as a reactor feeds it: each piece is copied to the end of the
//! connection's buffer, and that copy is part of the time; the others read one slice. Only rxml checks as much as
//! ours. `ours, head` also walks the attributes of each top-level tag and looks for what routing needs.

#![allow(missing_docs, reason = "criterion's macros write items without")]

mod corpus;

use std::hint::black_box;

use bytes::BytesMut;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use xmpp_bench::limits::{FRAMER_AFTER_AUTH, READ_BYTES_PER_TURN_MAX};
use xmpp_bench::xml::{Element, Frame, Framer};

/// Frames a whole stream; how many elements there are.
fn frame(text: &[u8], mut each: impl FnMut(&Element)) -> usize {
    let mut framer = Framer::new(FRAMER_AFTER_AUTH);
    let mut input = BytesMut::with_capacity(2 * READ_BYTES_PER_TURN_MAX);
    let mut elements = 0;
    for piece in text.chunks(READ_BYTES_PER_TURN_MAX) {
        input.extend_from_slice(piece);
        while let Some(frame) = framer.next_frame(&mut input).expect("well-formed") {
            if let Frame::Element(element) = frame {
                each(&element);
                elements += 1;
            }
        }
    }
    elements
}

/// What a router wants to know of a stanza.
fn head(element: &Element) {
    let tag = element.tag();
    let mut wanted = [None; 4];
    for attr in tag.attrs() {
        match attr.name {
            "to" => wanted[0] = Some(attr.value),
            "from" => wanted[1] = Some(attr.value),
            "id" => wanted[2] = Some(attr.value),
            "type" => wanted[3] = Some(attr.value),
            _ => {}
        }
    }
    black_box((tag.name(), wanted));
}

/// Elements at all depths, by a reader that checks the names of end tags and little else.
fn quick_xml(text: &str, attributes: bool) -> usize {
    use quick_xml::{Reader, events::Event};
    let mut reader = Reader::from_str(text);
    let mut elements = 0;
    loop {
        match reader.read_event().expect("well-formed") {
            Event::Start(start) | Event::Empty(start) => {
                elements += 1;
                if attributes {
                    for attribute in start.attributes() {
                        black_box(attribute.expect("well-formed"));
                    }
                }
            }
            Event::Eof => return elements,
            Event::End(_)
            | Event::Text(_)
            | Event::CData(_)
            | Event::Comment(_)
            | Event::Decl(_)
            | Event::PI(_)
            | Event::DocType(_)
            | Event::GeneralRef(_) => {}
        }
    }
}

fn xmlparser(text: &str) -> usize {
    xmlparser::Tokenizer::from(text).fold(0, |count, token| {
        black_box(token.expect("well-formed"));
        count + 1
    })
}

fn rxml(text: &[u8]) -> usize {
    use rxml::{Parse as _, Parser};
    let mut parser = Parser::new();
    let mut rest = text;
    let mut events = 0;
    while let Some(event) = parser.parse(&mut rest, true).expect("well-formed") {
        black_box(event);
        events += 1;
    }
    events
}

fn framer(criterion: &mut Criterion) {
    for corpus in corpus::all() {
        let text = &*corpus.text;
        assert_eq!(frame(text.as_bytes(), |_| {}), corpus.stanzas);
        let mut group =
            criterion.benchmark_group(format!("{}-{}B", corpus.name, text.len() / corpus.stanzas));
        group.throughput(Throughput::Bytes(text.len() as u64)).sample_size(20);
        group.bench_function("ours", |bench| bench.iter(|| frame(black_box(text).as_bytes(), |_| {})));
        group.bench_function("ours, head", |bench| bench.iter(|| frame(black_box(text).as_bytes(), head)));
        group.bench_function("quick-xml", |bench| bench.iter(|| quick_xml(black_box(text), false)));
        group
            .bench_function("quick-xml, attributes", |bench| bench.iter(|| quick_xml(black_box(text), true)));
        group.bench_function("xmlparser", |bench| bench.iter(|| xmlparser(black_box(text))));
        group.bench_function("rxml", |bench| bench.iter(|| rxml(black_box(text).as_bytes())));
        group.finish();
    }
}

criterion_group!(benches, framer);
criterion_main!(benches);
