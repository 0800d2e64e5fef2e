//! The faults that tests must notice (`mutations.toml`), kept in step with our sources and with the suite.
//!
//! Nothing is built here: scripts/conformance_mutations.sh wakes one fault after the other.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::page::suite;
use super::support::path;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mutations {
    mutation: Vec<Mutation>,
}

/// What is wrong in a server that has this fault.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mutation {
    /// Each of them must fail. A name that ends with `::` means all tests of that module.
    tests: Vec<String>,
    file: String,
    find: String,
    replace: String,
}

#[test]
fn each_test_has_a_fault_to_notice() {
    let text = std::fs::read_to_string(path("tests/conformance/mutations.toml")).unwrap();
    let list: Mutations = toml::from_str(&text).unwrap();
    let suite = suite();
    let mut left: BTreeSet<_> = suite.iter().map(String::as_str).collect();
    for Mutation { tests, file, find, replace } in &list.mutation {
        let text = std::fs::read_to_string(path(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
        assert_eq!(text.matches(find).count(), 1, "{file} must have exactly one:\n{find}");
        assert_ne!(find, replace, "{file}: it changes nothing");
        assert!(!tests.is_empty(), "{file}: no test notices\n{find}");
        for test in tests {
            let before = left.len();
            left.retain(|name| name != test && !(test.ends_with("::") && name.starts_with(test)));
            assert!(left.len() < before || suite.contains(test), "{file}: there is no test {test}");
        }
    }
    assert!(left.is_empty(), "no fault is known that would be noticed by {left:?}");
}
