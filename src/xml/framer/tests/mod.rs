//! Case tables of the framer. Each case runs whole, at every two-way cut, byte by byte, and at seeded random cuts.

mod accepted;
mod limits;
mod refused;
mod resume;

use bytes::BytesMut;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use super::{Frame, Framer};
use crate::limits::FramerLimits;
use crate::xml::XmlError;

/// The usual header; cases behind it are about content.
const HEADER: &str = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' \
                      xmlns:ext='urn:ext' to='example.org' version='1.0'>";
const LIMITS: FramerLimits = FramerLimits { stanza_bytes_max: 20_000, elements_max: 100 };

/// What a framer made of an input: the frames, then the error or what is left.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    frames: Vec<String>,
    end: Result<Vec<u8>, XmlError>,
}

/// Feeds `input` in pieces that end at `cuts`, each in a buffer of its own.
fn feed(input: &[u8], cuts: &[usize], limits: FramerLimits) -> Outcome {
    let mut framer = Framer::new(limits);
    let mut frames = Vec::new();
    let mut buffer = BytesMut::new();
    let mut from = 0;
    for &to in cuts.iter().chain([&input.len()]) {
        let mut next = BytesMut::from(&buffer[..]);
        next.extend_from_slice(&input[from..to]);
        buffer = next;
        from = to;
        loop {
            match framer.next_frame(&mut buffer) {
                Ok(Some(frame)) => frames.push(describe(&frame)),
                Ok(None) => break,
                Err(error) => return Outcome { frames, end: Err(error) },
            }
        }
    }
    Outcome { frames, end: Ok(buffer.to_vec()) }
}

/// A frame in one line: `+` where the element leans on the header, `=` where it has an own `xmlns`.
fn describe(frame: &Frame) -> String {
    match frame {
        Frame::Open(open) => {
            let text = std::str::from_utf8(&open.bytes).unwrap();
            assert_eq!(open.tag().len(), text.len());
            format!("open {text}")
        }
        Frame::Element(element) => {
            let marks = (element.scope.is_some(), element.has_xmlns);
            let tag = element.tag();
            assert!(element.as_str()[..tag.len()].ends_with('>'));
            assert_eq!(tag.len(), element.tag_len as usize);
            format!(
                "{}{}{}",
                if marks.0 { "+" } else { "" },
                if marks.1 { "=" } else { "" },
                element.as_str()
            )
        }
        Frame::Close => "close".to_owned(),
    }
}

/// The outcome of `input`, however it is cut.
fn outcome(input: &[u8], limits: FramerLimits) -> Outcome {
    let whole = feed(input, &[], limits);
    let check = |cuts: &[usize]| {
        let cut = feed(input, cuts, limits);
        assert_eq!(cut, whole, "{:?} cut at {cuts:?}", String::from_utf8_lossy(input));
    };
    for cut in 0..=input.len() {
        check(&[cut]);
    }
    let bytewise: Vec<_> = (1..input.len()).collect();
    check(&bytewise);
    let mut random = ChaCha8Rng::seed_from_u64(input.len() as u64);
    for _ in 0..100 {
        let pieces = random.next_u32() % 6 + 2;
        let mut cuts: Vec<_> = (0..pieces).map(|_| random.next_u32() as usize % (input.len() + 1)).collect();
        cuts.sort_unstable();
        check(&cuts);
    }
    whole
}

/// Frames of a stream that is accepted and leaves `rest`.
fn frames(input: &[u8]) -> Vec<String> {
    let outcome = outcome(input, LIMITS);
    assert_eq!(outcome.end, Ok(Vec::new()), "{:?}", String::from_utf8_lossy(input));
    outcome.frames
}

/// Frames of `content` behind [`HEADER`].
fn content(content: &str) -> Vec<String> {
    let mut frames = frames([HEADER, content].concat().as_bytes());
    assert_eq!(frames.remove(0), format!("open {HEADER}"));
    frames
}

/// The error of `content` behind [`HEADER`].
fn content_error(content: &[u8]) -> XmlError {
    let outcome = outcome(&[HEADER.as_bytes(), content].concat(), LIMITS);
    outcome.end.expect_err("refused")
}

/// The error of a stream that begins with `input`.
fn start_error(input: &[u8]) -> XmlError {
    outcome(input, LIMITS).end.expect_err("refused")
}
