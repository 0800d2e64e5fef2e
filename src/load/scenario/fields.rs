//! Reads tables of a TOML document and remembers every fault with its place.
//!
//! It knows no word of the grammar: those are handed in.

use std::ops::{Range, RangeInclusive};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::ScenarioError;
use super::set::Edit;

/// The words that are valid at one place, and those that will be.
#[derive(Clone, Copy)]
pub(super) struct Words {
    /// Built.
    pub(super) known: &'static [&'static str],
    /// Understood, and not built yet.
    pub(super) later: &'static [&'static str],
}

/// Faults found so far.
pub(super) struct Faults<'t> {
    text: &'t str,
    edits: &'t [Edit],
    found: Vec<ScenarioError>,
}

impl<'t> Faults<'t> {
    pub(super) const fn new(text: &'t str, edits: &'t [Edit]) -> Self {
        Self { text, edits, found: Vec::new() }
    }

    /// Line and column of a byte, both from 1.
    pub(super) fn place(&self, at: usize) -> (usize, usize) {
        place(self.text, at)
    }

    pub(super) fn add(&mut self, span: Range<usize>, what: impl Into<String>, help: Option<String>) {
        let (line, column) = self.place(span.start);
        let set = self.edits.iter().find(|e| e.range.start <= span.start && span.start < e.range.end);
        let set = set.map(|e| e.path.clone());
        self.found.push(ScenarioError { line, column, what: what.into(), help, set });
    }

    /// A word that is not valid here.
    pub(super) fn add_word(&mut self, span: Range<usize>, kind: &str, word: &str, words: Words) {
        if words.later.contains(&word) {
            let help = format!("supported: {}", words.known.join(", "));
            self.add(span, format!("{kind} `{word}` is not built yet"), Some(help));
        } else {
            let help = suggest(word, words.known.iter().copied())
                .unwrap_or_else(|| format!("known here: {}", words.known.join(", ")));
            self.add(span, format!("unknown {kind} `{word}`"), Some(help));
        }
    }

    /// All faults in the order of the text.
    pub(super) fn into_sorted(mut self) -> Vec<ScenarioError> {
        self.found.sort_by_key(|e| (e.line, e.column));
        self.found
    }
}

/// Line and column of a byte of `text`, both from 1, the column in characters.
pub(super) fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |i| i + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// `did you mean …?` for the nearest of `known`, if one is near.
pub(super) fn suggest<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Option<String> {
    let lower = word.to_lowercase();
    let distance = |k: &str| strsim::damerau_levenshtein(&lower, &k.to_lowercase());
    let nearest = known.map(|k| (distance(k), k)).min()?;
    let near = nearest.0 <= 1 + word.chars().count() / 4;
    near.then(|| format!("did you mean `{}`?", nearest.1))
}

/// One table, its words already checked.
pub(super) struct Fields<'t> {
    label: String,
    table: &'t DeTable<'t>,
    span: Range<usize>,
}

impl<'t> Fields<'t> {
    /// `value` as a table of `words`; every other key is a fault.
    pub(super) fn open(
        value: &'t Spanned<DeValue<'t>>,
        label: impl Into<String>,
        words: Words,
        faults: &mut Faults<'_>,
    ) -> Option<Self> {
        let label = label.into();
        let Some(table) = value.get_ref().as_table() else {
            faults.add(value.span(), format!("{label} must be a table, not {}", kind(value)), None);
            return None;
        };
        Some(Self::open_table(table, value.span(), label, words, faults))
    }

    pub(super) fn open_table(
        table: &'t DeTable<'t>,
        span: Range<usize>,
        label: String,
        words: Words,
        faults: &mut Faults<'_>,
    ) -> Self {
        for key in table.keys() {
            if !words.known.contains(&key.get_ref().as_ref()) {
                faults.add_word(key.span(), "key", key.get_ref(), words);
            }
        }
        Self { label, table, span }
    }

    pub(super) fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    pub(super) fn get(&self, key: &str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.table.get(key)
    }

    /// Where `key` stands, or the table.
    pub(super) fn key_span(&self, key: &str) -> Range<usize> {
        self.table.get_key_value(key).map_or_else(|| self.span(), |(k, _)| k.span())
    }

    /// Where the value of `key` stands, or the table.
    pub(super) fn value_span(&self, key: &str) -> Range<usize> {
        self.get(key).map_or_else(|| self.span(), Spanned::span)
    }

    /// A fault when `key` is absent.
    pub(super) fn require(&self, key: &str, example: &str, faults: &mut Faults<'_>) {
        if self.get(key).is_none() {
            let help = format!("such as `{key} = {example}`");
            faults.add(self.span(), format!("{} lacks `{key}`", self.label), Some(help));
        }
    }

    fn wrong_type(&self, key: &str, wanted: &str, faults: &mut Faults<'_>) {
        if let Some(value) = self.get(key) {
            faults.add(value.span(), format!("`{key}` must be {wanted}, not {}", kind(value)), None);
        }
    }

    /// Text as it stands.
    pub(super) fn text(&self, key: &str, faults: &mut Faults<'_>) -> Option<&'t str> {
        let text = self.get(key)?.get_ref().as_str();
        if text.is_none() {
            self.wrong_type(key, "text in quotes", faults);
        }
        text
    }

    /// Text in a notation of its own.
    pub(super) fn parsed<T>(
        &self,
        key: &str,
        faults: &mut Faults<'_>,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = match self.get(key)?.get_ref().as_integer() {
            // A bare number gets the notation's own advice ("write 500/s").
            Some(number) => number.as_str(),
            None => self.text(key, faults)?,
        };
        match parse(text) {
            Ok(value) => Some(value),
            Err(what) => {
                faults.add(self.value_span(key), format!("`{key}`: {what}"), None);
                None
            }
        }
    }

    /// One of some words.
    pub(super) fn word<T: Copy>(
        &self,
        key: &str,
        words: Words,
        values: &[T],
        faults: &mut Faults<'_>,
    ) -> Option<T> {
        let text = self.text(key, faults)?;
        let found = words.known.iter().zip(values).find(|(known, _)| **known == text);
        if found.is_none() {
            faults.add_word(self.value_span(key), &format!("{key} value"), text, words);
        }
        found.map(|(_, value)| *value)
    }

    /// A whole number.
    pub(super) fn integer(
        &self,
        key: &str,
        range: RangeInclusive<u64>,
        faults: &mut Faults<'_>,
    ) -> Option<u64> {
        let value = self.get(key)?;
        let Some(integer) = value.get_ref().as_integer() else {
            self.wrong_type(key, "a whole number", faults);
            return None;
        };
        let number = u64::from_str_radix(integer.as_str(), integer.radix()).ok();
        let number = number.filter(|n| range.contains(n));
        if number.is_none() {
            let (low, high) = (range.start(), range.end());
            faults.add(value.span(), format!("`{key}` must be a number from {low} to {high}"), None);
        }
        number
    }

    /// A number that is not negative, whole or not; `of` says what the key belongs to.
    pub(super) fn number(&self, key: &str, of: &str, faults: &mut Faults<'_>) -> Option<f64> {
        let value = self.get(key)?;
        let parsed: Option<f64> = match value.get_ref() {
            DeValue::Integer(i) => i64::from_str_radix(i.as_str(), i.radix()).ok().map(|i| i as f64),
            DeValue::Float(f) => f.as_str().parse().ok(),
            DeValue::String(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_)
            | DeValue::Table(_) => None,
        };
        let parsed = parsed.filter(|n| n.is_finite() && *n >= 0.0);
        if parsed.is_none() {
            faults.add(value.span(), format!("`{key}`{of} must be a number such as 0 or 0.99"), None);
        }
        parsed
    }

    /// `true` or `false`.
    pub(super) fn flag(&self, key: &str, faults: &mut Faults<'_>) -> Option<bool> {
        let flag = self.get(key)?.get_ref().as_bool();
        if flag.is_none() {
            self.wrong_type(key, "true or false", faults);
        }
        flag
    }

    /// The elements of an array.
    pub(super) fn array(&self, key: &str, faults: &mut Faults<'_>) -> Option<&'t [Spanned<DeValue<'t>>]> {
        let array = self.get(key)?.get_ref().as_array();
        if array.is_none() {
            self.wrong_type(key, "a list in [ ]", faults);
        }
        array.map(|a| &**a)
    }
}

fn kind(value: &Spanned<DeValue<'_>>) -> &'static str {
    match value.get_ref() {
        DeValue::String(_) => "text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "a truth value",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
