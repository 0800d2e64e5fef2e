//! Names with a number in them: `u{n:06}`.

/// Text with at most one `{n}` or `{n:0W}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    before: String,
    /// Digits at least, filled with zeros; `None` when there is no number.
    width: Option<usize>,
    after: String,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// One line saying what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some((before, rest)) = text.split_once('{') else {
            return match text.contains('}') {
                true => Err("`}` without `{`".to_owned()),
                false => Ok(Self { before: text.to_owned(), width: None, after: String::new() }),
            };
        };
        let (inside, after) = rest.split_once('}').ok_or("`{` without `}`")?;
        if before.contains('}') || after.contains(['{', '}']) {
            return Err("a pattern holds one `{n}` at most".to_owned());
        }
        let width = match inside.strip_prefix('n') {
            Some("") => 1,
            Some(format) => format
                .strip_prefix(":0")
                .and_then(|w| w.parse().ok())
                .filter(|w| (1..=20).contains(w))
                .ok_or_else(|| format!("`{{{inside}}}` is no number format; write `{{n}}` or `{{n:06}}`"))?,
            None => return Err(format!("`{{{inside}}}` is unknown; a pattern knows `{{n}}` and `{{n:06}}`")),
        };
        Ok(Self { before: before.to_owned(), width: Some(width), after: after.to_owned() })
    }

    /// Text for number `n`.
    #[must_use]
    pub fn expand(&self, n: usize) -> String {
        match self.width {
            Some(width) => format!("{}{n:0width$}{}", self.before, self.after),
            None => self.before.clone(),
        }
    }

    /// The number that `text` was expanded from.
    #[must_use]
    pub fn number(&self, text: &str) -> Option<usize> {
        let width = self.width?;
        let digits = text.strip_prefix(self.before.as_str())?.strip_suffix(self.after.as_str())?;
        if digits.len() < width || (digits.len() > width && digits.starts_with('0')) {
            return None;
        }
        if !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        digits.parse().ok()
    }

    /// Whether two numbers give two texts.
    #[must_use]
    pub const fn is_numbered(&self) -> bool {
        self.width.is_some()
    }
}
