//! docs/conformance.md and this suite, kept in step.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use super::support::path;

/// Statements by their letters and highest number. Each is one row, or rows with letters behind the number.
const STATEMENTS: [(&str, usize); 12] = [
    ("S", 13),
    ("A", 5),
    ("B", 3),
    ("X", 8),
    ("R", 5),
    ("Ro", 6),
    ("P", 6),
    ("Pr", 6),
    ("O", 2),
    // XEP-0198, whose lines stand among the others there.
    ("SM", 9),
    // RFC 6121's own examples.
    ("Ex", 4),
    ("J", 3),
];

/// RFC 6120 §4.9.3, §6.5, §8.3.3.
const STREAM_ERRORS: &str = "bad-format bad-namespace-prefix conflict connection-timeout host-gone host-unknown \
    improper-addressing internal-server-error invalid-from invalid-namespace invalid-xml not-authorized \
    not-well-formed policy-violation remote-connection-failed reset resource-constraint restricted-xml \
    see-other-host system-shutdown undefined-condition unsupported-encoding unsupported-feature \
    unsupported-stanza-type unsupported-version";
const SASL_FAILURES: &str = "aborted account-disabled credentials-expired encryption-required incorrect-encoding \
    invalid-authzid invalid-mechanism malformed-request mechanism-too-weak not-authorized temporary-auth-failure";
const STANZA_ERRORS: &str = "bad-request conflict feature-not-implemented forbidden gone internal-server-error \
    item-not-found jid-malformed not-acceptable not-allowed not-authorized policy-violation recipient-unavailable \
    redirect registration-required remote-server-not-found remote-server-timeout resource-constraint \
    service-unavailable subscription-required undefined-condition unexpected-request";

/// RFC 6121 §8.5.4, table 1, with the type that it leaves out.
const CONDITIONS: &str = "missing-bare missing-full offline-bare offline-full negative-bare negative-match \
    negative-no-match one-bare one-match one-no-match several-bare several-match several-no-match";
const TYPES: &str = "normal chat groupchat headline error";
/// RFC 6121 Appendix A.
const STATES: &str = "N N+O N+I N+OI T T+I F F+O B";
const CHANGES: &str = "subscribe unsubscribe subscribed unsubscribed";

/// Tests of the suite's own tools.
const TOOLS: [&str; 3] = ["page::", "mutations::", "element::"];

/// A row of the page.
#[derive(Debug)]
struct Row {
    id: String,
    tests: Vec<String>,
    state: String,
}

fn rows() -> Vec<Row> {
    let page = std::fs::read_to_string(path("docs/conformance.md")).unwrap();
    let cells = page
        .lines()
        .filter(|line| line.starts_with("| "))
        .map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>());
    let row = |cells: Vec<String>| {
        assert_eq!(cells.len(), 8, "a row has eight cells: {cells:?}");
        let tests = cells[3].split(", ").map(|name| name.trim_matches('`').to_owned());
        let tests = tests.filter(|name| !name.is_empty()).collect();
        Row { id: cells[0].clone(), tests, state: cells[4].clone() }
    };
    cells.map(row).filter(|row| row.id != "Id").collect()
}

/// Tests of this program.
pub(crate) fn suite() -> BTreeSet<String> {
    let list = Command::new(std::env::current_exe().unwrap()).args(["--list", "--format", "terse"]).output();
    let list = String::from_utf8(list.unwrap().stdout).unwrap();
    let names = list.lines().filter_map(|line| line.strip_suffix(": test"));
    names.filter(|name| !TOOLS.iter().any(|tool| name.starts_with(tool))).map(str::to_owned).collect()
}

/// Ids that have no parts.
fn whole_ids() -> BTreeSet<String> {
    let with = |prefix: &str, names: &str| {
        names.split_whitespace().map(|name| format!("{prefix}-{name}")).collect::<Vec<_>>()
    };
    let mut ids: BTreeSet<String> = with("SE", STREAM_ERRORS).into_iter().collect();
    ids.extend(with("SF", SASL_FAILURES));
    ids.extend(with("E", STANZA_ERRORS));
    for condition in CONDITIONS.split_whitespace() {
        ids.extend(with(&format!("T1-{condition}"), TYPES));
    }
    ids.extend(["T1-unknown".to_owned(), "T1-none".to_owned()]);
    for direction in ["out", "in"] {
        for change in CHANGES.split_whitespace() {
            ids.extend(with(&format!("A-{direction}-{change}"), STATES));
        }
    }
    ids
}

#[test]
fn each_statement_is_in_the_page_once() {
    let rows = rows();
    let whole = whole_ids();
    // 25, 11, 22; table 1 and what it leaves out; Appendix A.
    assert_eq!(whole.len(), 25 + 11 + 22 + 13 * 5 + 2 + 72);
    let mut parts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for row in &rows {
        assert!(seen.insert(row.id.clone()), "{} stands twice", row.id);
        if !whole.contains(&row.id) {
            let base = row.id.trim_end_matches(|c: char| c.is_ascii_lowercase());
            parts.entry(base.to_owned()).or_default().push(row.id[base.len()..].to_owned());
        }
    }
    let missing: Vec<_> = whole.iter().filter(|id| !seen.contains(*id)).collect();
    assert!(missing.is_empty(), "not in the page: {missing:?}");
    for (letters, last) in STATEMENTS {
        for number in 1..=last {
            let id = format!("{letters}{number}");
            let found = parts.remove(&id).unwrap_or_else(|| panic!("{id} is not in the page"));
            let is_whole = found == [""];
            let letters: Vec<_> = ('a'..).take(found.len()).map(String::from).collect();
            assert!(is_whole || found == letters, "{id} has the parts {found:?}");
        }
    }
    assert!(parts.is_empty(), "nobody asked for {parts:?}");
}

#[test]
fn each_test_of_the_page_exists() {
    let suite = suite();
    for row in rows() {
        for test in &row.tests {
            let exists = match test.split_once(": ") {
                Some((file, name)) => std::fs::read_to_string(path(file)).is_ok_and(|text| {
                    let is_code = file.ends_with(".rs");
                    if is_code { text.contains(&format!("fn {name}(")) } else { text.contains(name) }
                }),
                None => suite.contains(test),
            };
            assert!(exists, "{}: there is no test {test}", row.id);
        }
    }
}

#[test]
fn each_test_of_the_suite_is_in_the_page() {
    let named: BTreeSet<_> = rows().into_iter().flat_map(|row| row.tests).collect();
    let silent: Vec<_> = suite().into_iter().filter(|test| !named.contains(test)).collect();
    assert!(silent.is_empty(), "not in docs/conformance.md: {silent:?}");
}

#[test]
fn each_state_is_what_its_tests_say() {
    for Row { id, tests, state } in rows() {
        let word = state.split([' ', ':']).next().unwrap();
        let is_right = match word {
            "shown" => !tests.is_empty(),
            "not" | "due" | "by" | "code" => tests.is_empty(),
            "chosen" | "deviation" => state.len() > word.len() + 2,
            _ => false,
        };
        assert!(is_right, "{id}: {state:?} with the tests {tests:?}");
    }
}
