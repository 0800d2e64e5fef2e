//! Files stay small, and free of left-overs and of one machine's paths.

use super::source::{File, assert_clean, files, root};

const LINES_MAX: usize = 500;
const LINES_MEDIAN_MAX: usize = 220;

#[test]
fn files_are_small() {
    let mut complaints = Vec::new();
    for folder in ["src", "tests", "benches", "fuzz/fuzz_targets", "build.rs"] {
        if root().join(folder).exists() {
            complaints.extend(sizes(&files(folder, &["rs", "py"])));
        }
    }
    complaints.extend(median(&files("src", &["rs"])));
    assert_clean(&complaints);
}

fn sizes(files: &[File]) -> Vec<String> {
    let lines = |file: &File| file.text.lines().count();
    let large = files.iter().filter(|file| lines(file) > LINES_MAX);
    large.map(|file| format!("{}: {} lines; is it two things?", file.path, lines(file))).collect()
}

fn median(files: &[File]) -> Option<String> {
    let mut lines: Vec<usize> = files.iter().map(|file| file.text.lines().count()).collect();
    lines.sort_unstable();
    let median = lines[lines.len() / 2];
    (median > LINES_MEDIAN_MAX).then(|| format!("the median file has {median} lines"))
}

#[test]
fn nothing_is_left_over() {
    let extensions = ["rs", "toml", "md", "sh", "py", "txt"];
    let mut complaints = Vec::new();
    for part in ["src", "tests", "benches", "fuzz", "scripts", "scenarios", "docs", "build.rs", "README.md"] {
        if root().join(part).exists() {
            let files = files(part, &extensions);
            // Build products of the fuzz crate are not ours.
            complaints.extend(files.iter().filter(|f| !f.path.contains("/target/")).flat_map(leftovers));
        }
    }
    let run = std::fs::read_to_string(root().join(".ci/run")).expect(".ci/run is there");
    complaints.extend(leftovers(&File { path: ".ci/run".into(), text: run }));
    assert_clean(&complaints);
}

/// Put together here, so that this file is clean under its own rule.
fn banned() -> Vec<String> {
    let words = [("TO", "DO"), ("FIX", "ME"), ("XX", "X:"), ("todo", "!("), ("unimplemented", "!(")];
    let machine = [("/wo", "rk/"), ("/ro", "ot/"), ("/ho", "me/")];
    let tests = [("thread::", "sleep("), ("time.", "sleep("), ("#[ig", "nore"), ("reason = \"", "stub")];
    words.iter().chain(&machine).chain(&tests).map(|(a, b)| format!("{a}{b}")).collect()
}

fn leftovers(file: &File) -> Vec<String> {
    let mut complaints = Vec::new();
    for (number, line) in file.text.lines().enumerate() {
        for word in banned() {
            let is_there = line.match_indices(&word).any(|(at, _)| {
                // `~/work/`, `$HOME/root/` and URLs are not paths of one machine.
                let before = line[..at].chars().next_back().unwrap_or(' ');
                !word.starts_with('/') || !(before.is_alphanumeric() || "_.~-/}".contains(before))
            });
            if is_there {
                complaints.push(format!("{}:{}: `{word}`", file.path, number + 1));
            }
        }
    }
    complaints
}

#[test]
fn large_files_and_leftovers_are_seen() {
    let file = |text: String| File { path: "src/a.rs".into(), text };
    assert_eq!(sizes(&[file("a\n".repeat(LINES_MAX + 1)), file("a\n".repeat(LINES_MAX))]).len(), 1);
    assert!(median(&[file("a\n".repeat(LINES_MEDIAN_MAX + 1))]).is_some());
    assert!(median(&[file("a\n".repeat(LINES_MEDIAN_MAX))]).is_none());
    for word in banned() {
        let text = format!("fine\nlet a = (\"x\"); {word} more");
        assert_eq!(leftovers(&file(text)), [format!("src/a.rs:2: `{word}`")]);
    }
    let elsewhere = "https://example.org/home/x $HOME/work/ ~/root/.config";
    assert_eq!(leftovers(&file(elsewhere.to_owned())), [""; 0]);
}
