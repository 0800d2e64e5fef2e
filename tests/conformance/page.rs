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
    // The RFCs' own examples.
    ("Ex", 6),
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

/// Sections of RFC 6120 §§4–8 and RFC 6121 §§2–5, 8 that have examples; schemas and grammars are none.
const EXAMPLES_6120: &str = "4.1 4.2 4.3.2 4.4 4.7.1 4.7.2 4.7.3 4.7.4 4.8.2 4.8.4 4.8.5 4.9.1.1 4.9.1.2 4.9.1.3 \
    4.9.3.1 4.9.3.2 4.9.3.3 4.9.3.4 4.9.3.5 4.9.3.6 4.9.3.7 4.9.3.8 4.9.3.9 4.9.3.10 4.9.3.11 4.9.3.12 4.9.3.13 \
    4.9.3.14 4.9.3.15 4.9.3.16 4.9.3.17 4.9.3.18 4.9.3.19 4.9.3.20 4.9.3.21 4.9.3.22 4.9.3.23 4.9.3.24 4.9.3.25 \
    4.9.4 4.10 5.4.1 5.4.2.1 5.4.2.2 5.4.2.3 5.4.3.3 6.4.1 6.4.2 6.4.4 6.4.5 6.4.6 6.5.1 6.5.2 6.5.3 6.5.4 6.5.5 \
    6.5.6 6.5.7 6.5.8 6.5.9 6.5.10 6.5.11 7.4 7.6.1 7.6.2.1 7.6.2.2 7.7.1 7.7.2.1 7.7.2.2 8.1.1 8.1.2 8.1.5 8.2.3 \
    8.3.3.1 8.3.3.2 8.3.3.3 8.3.3.4 8.3.3.5 8.3.3.6 8.3.3.7 8.3.3.8 8.3.3.9 8.3.3.10 8.3.3.11 8.3.3.12 8.3.3.13 \
    8.3.3.14 8.3.3.15 8.3.3.16 8.3.3.17 8.3.3.18 8.3.3.19 8.3.3.20 8.3.3.21 8.3.3.22 8.3.4 8.4";
const EXAMPLES_6121: &str = "2.1.3 2.1.4 2.1.5 2.1.6 2.2 2.3.1 2.3.2 2.3.3 2.4.1 2.5.1 2.5.2 2.5.3 2.6.1 2.6.2 2.6.3 \
    3.1.1 3.1.2 3.1.3 3.1.4 3.1.5 3.1.6 3.2.1 3.2.2 3.2.3 3.3.1 3.3.2 3.3.3 3.4 3.4.1 3.4.2 4.2.1 4.2.2 4.2.3 4.3 \
    4.3.1 4.3.2 4.3.2.1 4.4.1 4.4.2 4.4.3 4.5.1 4.5.2 4.5.3 4.7.2.2 4.7.2.3 4.7.3 5.2.1 5.2.3 5.2.4 5.2.5 5.3";
/// Stands before the table of examples.
const BY_SECTION: &str = "<!-- by section -->";

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
    let (statements, _) = page.split_once(BY_SECTION).unwrap();
    let cells = statements
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

/// Whether a comment of this play or transcript names the section, with a `§` or without.
fn comments_name(text: &str, section: &str) -> bool {
    let comments = text.lines().filter(|line| line.starts_with('#'));
    let is_part = |c: char| c == '.' || c.is_ascii_digit();
    comments.flat_map(|line| line.split(|c| !is_part(c))).any(|word| word.trim_end_matches('.') == section)
}

#[test]
fn each_example_has_its_file_or_a_reason() {
    let page = std::fs::read_to_string(path("docs/conformance.md")).unwrap();
    let (_, table) = page.split_once(BY_SECTION).unwrap();
    let mut left: BTreeSet<(&str, &str)> = EXAMPLES_6120.split_whitespace().map(|s| ("6120", s)).collect();
    left.extend(EXAMPLES_6121.split_whitespace().map(|s| ("6121", s)));
    for row in table.lines().filter(|line| line.starts_with("| 6")) {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [rfc, sections, files, note] = cells[..] else { panic!("a row has four cells: {row}") };
        assert!(!files.is_empty() || !note.is_empty(), "neither a file nor a reason: {row}");
        for section in sections.split(", ").map(|section| section.trim_start_matches('§')) {
            assert!(left.remove(&(rfc, section)), "{rfc} §{section} has no example, or stands twice");
            for file in files.split(", ").filter(|file| !file.is_empty()) {
                let file = file.trim_matches('`').replace("plays/", "conformance/plays/");
                let text = std::fs::read_to_string(path(&format!("tests/{file}")));
                let text = text.unwrap_or_else(|e| panic!("{file}: {e}"));
                assert!(comments_name(&text, section), "{file} does not name {rfc} §{section}");
            }
        }
    }
    assert!(left.is_empty(), "not in the table: {left:?}");
}
