//! The fuzz bodies on a stable compiler: over the corpus, and over seeded mutations of it.

use std::path::Path;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use xmpp_bench::xml::fuzz::{fuzz_escape, fuzz_framer};

/// Mutants of each file of the corpus.
const MUTANTS: u32 = 400;
/// What is put into mutants, because chance would rarely spell it.
const TOKENS: [&str; 24] = [
    "<",
    ">",
    "/",
    "'",
    "\"",
    "&",
    ";",
    "=",
    ":",
    " ",
    "<a>",
    "</a>",
    "<a/>",
    "xmlns",
    "xmlns:p='u'",
    "xml:",
    "p:",
    "]]>",
    "<![CDATA[",
    "<!--",
    "<?",
    "&amp;",
    "é",
    "\u{FFFF}",
];

#[test]
fn framer() {
    run("framer", fuzz_framer);
}

#[test]
fn escape() {
    run("escape", fuzz_escape);
}

fn run(target: &str, body: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut corpus: Vec<_> = std::fs::read_dir(&folder)
        .expect("the corpus is in git")
        .map(|entry| entry.expect("a readable folder").path())
        .map(|path| (path.clone(), std::fs::read(path).expect("a readable file")))
        .collect();
    corpus.sort();
    assert!(corpus.len() > 5, "a corpus in {folder:?}");
    let mut random = ChaCha8Rng::seed_from_u64(1);
    for (path, data) in &corpus {
        check(body, data, &format!("{path:?}"));
        for number in 0..MUTANTS {
            let other = &corpus[below(&mut random, corpus.len())].1;
            let mutant = mutate(data, other, &mut random);
            check(body, &mutant, &format!("mutant {number} of {path:?}"));
        }
    }
}

/// Runs `body`, and says on what it failed.
fn check(body: fn(&[u8]), data: &[u8], what: &str) {
    if std::panic::catch_unwind(|| body(data)).is_err() {
        panic!("{what}: {:?}", data.escape_ascii().to_string());
    }
}

fn mutate(data: &[u8], other: &[u8], random: &mut ChaCha8Rng) -> Vec<u8> {
    let mut mutant = data.to_vec();
    for _ in 0..=below(random, 4) {
        let at = below(random, mutant.len() + 1);
        let to = (at + below(random, 12)).min(mutant.len());
        match below(random, 6) {
            0 => drop(mutant.drain(at..to)),
            1 => drop(mutant.splice(at..at, TOKENS[below(random, TOKENS.len())].bytes())),
            2 => drop(mutant.splice(at..to, TOKENS[below(random, TOKENS.len())].bytes())),
            3 if at < mutant.len() => mutant[at] ^= 1 << below(random, 8),
            4 => {
                let piece = mutant[at..to].to_vec();
                let place = below(random, mutant.len() + 1);
                drop(mutant.splice(place..place, piece));
            }
            _ => {
                let from = below(random, other.len() + 1);
                let piece = &other[from..(from + below(random, 60)).min(other.len())];
                drop(mutant.splice(at..at, piece.iter().copied()));
            }
        }
    }
    mutant
}

fn below(random: &mut ChaCha8Rng, bound: usize) -> usize {
    random.next_u32() as usize % bound
}
