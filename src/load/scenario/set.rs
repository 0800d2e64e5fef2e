//! `--set users.count=20000`: replaces values in the text itself.
//!
//! The text is edited rather than the parsed values, so that what is run can be read, hashed and run again. This
//! module does not know which keys are valid; the grammar judges the edited text.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::ScenarioError;
use super::fields::{place, suggest};

/// A part of the text that a `--set` wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edit {
    pub(super) path: String,
    pub(super) range: Range<usize>,
}

/// Applies `sets` in order. A later one of the same path wins.
pub(super) fn apply(text: &str, sets: &[(String, String)]) -> Result<(String, Vec<Edit>), ScenarioError> {
    let mut text = text.to_owned();
    let mut edits: Vec<Edit> = Vec::new();
    for (path, value) in sets {
        let failed =
            |what: String, help| ScenarioError { line: 0, column: 0, what, help, set: Some(path.clone()) };
        let (at, new, inside) = {
            let root = parse(&text)?;
            plan(&text, &root, path, value).map_err(|(what, help)| failed(what, help))?
        };
        let grown = new.len();
        text.replace_range(at.clone(), &new);
        if let Err(error) = parse(&text) {
            return Err(failed(format!("`{value}` does not fit there: {}", error.what), None));
        }
        for edit in &mut edits {
            shift(&mut edit.range, &at, grown);
        }
        let range = at.start + inside.start..at.start + inside.end;
        edits.push(Edit { path: path.clone(), range });
    }
    Ok((text, edits))
}

/// The document, or its first syntax error.
pub(super) fn parse(text: &str) -> Result<Spanned<DeTable<'_>>, ScenarioError> {
    DeTable::parse(text).map_err(|error| {
        let (line, column) = place(text, error.span().map_or(0, |s| s.start));
        let what = error.message().trim().replace('\n', ", ");
        ScenarioError { line, column, what, help: None, set: None }
    })
}

fn shift(range: &mut Range<usize>, replaced: &Range<usize>, grown: usize) {
    if range.start >= replaced.end {
        let length = range.len();
        range.start = range.start - replaced.len() + grown;
        range.end = range.start + length;
    }
}

/// What to replace, by what, and which part of that is the user's.
type Plan = (Range<usize>, String, Range<usize>);
type Refused = (String, Option<String>);

fn plan(text: &str, root: &Spanned<DeTable<'_>>, path: &str, value: &str) -> Result<Plan, Refused> {
    let keys: Vec<&str> = path.split('.').collect();
    if keys.iter().any(|k| k.is_empty()) {
        return Err((format!("`{path}` is no path"), Some("write it like `users.count`".to_owned())));
    }
    // Where a key can be inserted: the innermost table on the way that has a place of its own in the text.
    let mut home = (INSERT_AT_ROOT, 0);
    let mut table = Some(root.get_ref());
    let mut found: Option<&Spanned<DeValue<'_>>> = None;
    for (depth, key) in keys.iter().enumerate() {
        let next = match (table, found.map(Spanned::get_ref)) {
            (Some(table), _) => table.get(*key),
            (None, Some(DeValue::Array(array))) => Some(element(array, key, keys[depth - 1])?),
            (None, _) => return Err((format!("`{}` holds no other keys", keys[..depth].join(".")), None)),
        };
        let Some(next) = next else {
            return Ok(insert(home.0, &keys[home.1..], &literal(value, None)));
        };
        found = Some(next);
        table = next.get_ref().as_table();
        if table.is_some()
            && let Some(place) = insert_at(text, &next.span())
        {
            home = (place, depth + 1);
        }
    }
    let found = found.expect("a path has a first key");
    let new = literal(value, Some(found.get_ref()));
    let whole = 0..new.len();
    Ok((found.span(), new, whole))
}

/// Element of a list by number, or by its `name` or `action`.
fn element<'t>(
    array: &'t [Spanned<DeValue<'t>>],
    key: &str,
    list: &str,
) -> Result<&'t Spanned<DeValue<'t>>, Refused> {
    let name = |v: &'t Spanned<DeValue<'t>>| {
        let table = v.get_ref().as_table()?;
        table.get("name").or_else(|| table.get("action"))?.get_ref().as_str()
    };
    let by_number = key.parse().ok().and_then(|i: usize| array.get(i));
    let found = by_number.or_else(|| array.iter().find(|v| name(v) == Some(key)));
    found.ok_or_else(|| {
        let names: Vec<&str> = array.iter().filter_map(name).collect();
        let help = suggest(key, names.iter().copied());
        let help = help.or_else(|| (!names.is_empty()).then(|| format!("known here: {}", names.join(", "))));
        (format!("`{list}` has no `{key}`"), help)
    })
}

/// Where a new key goes, and what must stand around it.
#[derive(Clone, Copy)]
struct InsertAt {
    at: usize,
    before: &'static str,
    after: &'static str,
}

/// Keys of the root must come before every table header.
const INSERT_AT_ROOT: InsertAt = InsertAt { at: 0, before: "", after: "\n" };

/// `None` for a table that exists only through dotted keys.
fn insert_at(text: &str, span: &Range<usize>) -> Option<InsertAt> {
    match text.as_bytes().get(span.start) {
        Some(b'[') => {
            let line_end = text[span.end..].find('\n').map_or(text.len(), |i| span.end + i);
            Some(InsertAt { at: line_end, before: "\n", after: "" })
        }
        Some(b'{') => {
            let empty = text[span.start + 1..span.end].trim_start().starts_with('}');
            Some(InsertAt { at: span.start + 1, before: " ", after: if empty { " " } else { "," } })
        }
        _ => None,
    }
}

fn insert(place: InsertAt, keys: &[&str], literal: &str) -> Plan {
    let keys: Vec<String> = keys.iter().map(|k| bare_or_quoted(k)).collect();
    let own = format!("{} = {literal}", keys.join("."));
    let inside = place.before.len()..place.before.len() + own.len();
    (place.at..place.at, format!("{}{own}{}", place.before, place.after), inside)
}

fn bare_or_quoted(key: &str) -> String {
    let bare = key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if bare { key.to_owned() } else { quoted(key) }
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// `value` as TOML: as it is when it is TOML on one line and of the old value's kind, else as text.
fn literal(value: &str, old: Option<&DeValue<'_>>) -> String {
    let parsed = DeValue::parse(value).ok().filter(|_| !value.contains(['\n', '#']));
    let was_text = old.is_some_and(DeValue::is_str);
    match parsed {
        Some(new) if new.get_ref().is_str() || !was_text => value.to_owned(),
        _ => quoted(value),
    }
}
