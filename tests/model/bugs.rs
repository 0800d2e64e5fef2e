//! The list of seeded bugs, kept true: each is still where the list says, exactly once.

use std::path::Path;

#[derive(Debug)]
struct Bug {
    name: String,
    file: String,
    find: String,
    replace: String,
}

fn bugs() -> Vec<Bug> {
    let table: toml::Table = include_str!("bugs.toml").parse().expect("the list is TOML");
    let list = table["bug"].as_array().expect("a list of bugs");
    let text = |bug: &toml::Value, key: &str| bug[key].as_str().expect("text").to_owned();
    let bug = |bug| Bug {
        name: text(bug, "name"),
        file: text(bug, "file"),
        find: text(bug, "find"),
        replace: text(bug, "replace"),
    };
    list.iter().map(bug).collect()
}

#[test]
fn each_bug_has_its_one_place() {
    let bugs = bugs();
    assert!(bugs.len() >= 20, "{}", bugs.len());
    for Bug { name, file, find, replace } in &bugs {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let text = std::fs::read_to_string(path).expect("the file is there");
        assert_eq!(text.matches(find).count(), 1, "{name}: {file} must have exactly one:\n{find}");
        assert_ne!(find, replace, "{name}: it changes nothing");
        assert_eq!(bugs.iter().filter(|b| b.name == *name).count(), 1, "{name}: two of that name");
    }
}
