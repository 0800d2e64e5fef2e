//! Reads Rust sources as the rules need them: files, and tokens without comments and strings.
//!
//! It does not parse Rust. Tokens are enough for paths (`crate::xml::Framer`), and what they cannot see (a path
//! made by a macro) nobody here writes.

use std::fs;
use std::path::{Path, PathBuf};

pub(super) fn assert_clean(complaints: &[String]) {
    assert!(complaints.is_empty(), "{} untidy:\n  {}", complaints.len(), complaints.join("\n  "));
}

/// Path below `src/`.
pub(super) fn below_src(path: &str) -> &str {
    path.strip_prefix("src/").unwrap_or(path)
}

/// `src/xml/scan.rs` and `src/xml/mod.rs` are in `xml`, `src/limits.rs` in `limits`.
pub(super) fn module_of(path: &str) -> &str {
    let below = below_src(path);
    below.split_once('/').map_or_else(|| below.trim_end_matches(".rs"), |(folder, _)| folder)
}

/// A file of the repository.
#[derive(Debug, Clone)]
pub(super) struct File {
    /// Path from the repository's root, with `/`.
    pub(super) path: String,
    /// Its content.
    pub(super) text: String,
}

/// The repository's root.
pub(super) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All files below `folder` (or `folder` itself, when it is a file) with one of the extensions, by path.
pub(super) fn files(folder: &str, extensions: &[&str]) -> Vec<File> {
    let mut found = Vec::new();
    collect(&root().join(folder), extensions, &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn collect(path: &Path, extensions: &[&str], found: &mut Vec<File>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("folder is readable") {
            collect(&entry.expect("entry is readable").path(), extensions, found);
        }
    } else if path.extension().is_some_and(|e| extensions.iter().any(|x| e == *x)) {
        let text = fs::read_to_string(path).expect("file is UTF-8");
        let path = path.strip_prefix(root()).expect("file is below the root").to_string_lossy().into_owned();
        found.push(File { path, text });
    }
}

/// Identifiers, `::` and single other characters; no comments, strings, character literals or lifetimes.
pub(super) fn tokens(text: &str) -> Vec<&str> {
    let mut rest = text;
    let mut tokens = Vec::new();
    while let Some(first) = rest.chars().next() {
        let length = if first.is_whitespace() {
            first.len_utf8()
        } else if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if let Some(length) = string(rest) {
            length
        } else if first == '\'' {
            quote(rest)
        } else if first.is_alphanumeric() || first == '_' {
            let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            tokens.push(&rest[..word]);
            word
        } else {
            let length = if rest.starts_with("::") { 2 } else { first.len_utf8() };
            tokens.push(&rest[..length]);
            length
        };
        rest = &rest[length..];
    }
    tokens
}

/// Length of a block comment; they nest.
fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    for (at, _) in text.char_indices() {
        if text[at..].starts_with("/*") {
            depth += 1;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            if depth == 0 {
                return at + 2;
            }
        }
    }
    text.len()
}

/// Length of the string literal (plain, byte, C or raw) that `text` starts with.
fn string(text: &str) -> Option<usize> {
    let prefix = ["br", "cr", "r", "b", "c", ""].into_iter().find(|p| {
        text.strip_prefix(p).is_some_and(|rest| {
            rest.starts_with('"') || (p.ends_with('r') && rest.trim_start_matches('#').starts_with('"'))
        })
    })?;
    let body = &text[prefix.len()..];
    let hashes = body.len() - body.trim_start_matches('#').len();
    let open = prefix.len() + hashes + 1;
    if prefix.ends_with('r') {
        let close = format!("\"{}", "#".repeat(hashes));
        return Some(text[open..].find(&close).map_or(text.len(), |at| open + at + close.len()));
    }
    let mut escaped = false;
    for (at, c) in text[open..].char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(open + at + 1),
            _ => {}
        }
    }
    Some(text.len())
}

/// Length of what starts with `'`: a character literal, or a lifetime's tick and name.
fn quote(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some((at, c))) => {
            let after = at + c.len_utf8();
            text[after..].find('\'').map_or(text.len(), |end| after + end + 1)
        }
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 1 + text[1..].find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len() - 1),
    }
}

#[test]
fn tokens_skip_what_is_not_code() {
    let text = "a::b /* x /* y */ z */ 'c' '\\'' '\\u{1F339}' &'static str \"q\\\"uo\" br##\"r\"#\"## b'e' r#type // end";
    assert_eq!(tokens(text), ["a", "::", "b", "&", "str", "b", "r", "#", "type"]);
}
