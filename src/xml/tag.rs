//! A start tag of bytes that the framer has checked, seen as a name and attributes.
//!
//! It does not check anything again and does not resolve namespaces.

use super::scan::{self, NAME_START, Scan, class};

/// A range of bytes inside a [`crate::xml::Element`]; stanzas are far below 4 GiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// Behind the last byte.
    pub end: u32,
}

impl Span {
    /// From `start` to `end`, which are indices into a checked element.
    #[inline]
    pub(super) const fn new(start: usize, end: usize) -> Self {
        debug_assert!(start <= end && end <= u32::MAX as usize);
        #[expect(clippy::cast_possible_truncation, reason = "the framer's limit is below 4 GiB")]
        let span = Self { start: start as u32, end: end as u32 };
        span
    }
    /// Length in bytes.
    #[must_use]
    pub const fn len(self) -> usize {
        (self.end - self.start) as usize
    }
    /// Whether it covers nothing.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.start == self.end
    }
    /// As an index range.
    #[must_use]
    pub const fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// One attribute of a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attr<'a> {
    /// Name as written, prefix included.
    pub name: &'a str,
    /// Value as written between the quotes, references not resolved.
    pub raw: &'a str,
    /// From the white space before the name to the closing quote: what to cut to remove it.
    pub whole: Span,
    /// The value between the quotes.
    pub value: Span,
}

/// View of the start tag at the beginning of a checked element.
#[derive(Debug, Clone, Copy)]
pub struct Tag<'a> {
    /// Begins with the tag; more may follow.
    text: &'a str,
    scan: Scan<'a>,
    /// Behind the name.
    name_end: usize,
}

impl<'a> Tag<'a> {
    /// View of `text`, which must begin with a start tag that a framer has passed; methods may panic on others.
    #[must_use]
    #[inline]
    pub fn new(text: &'a str) -> Self {
        debug_assert!(text.starts_with('<'), "a start tag begins with <");
        let mut scan = Scan::new(text.as_bytes());
        let (name_end, _) = scan.name_end(1);
        Self { text, scan, name_end }
    }

    /// Name as written: `stream:features`.
    #[must_use]
    #[inline]
    pub fn name(&self) -> &'a str {
        &self.text[1..self.name_end]
    }

    /// The part before the colon, if there is one.
    #[must_use]
    pub fn prefix(&self) -> Option<&'a str> {
        self.name().split_once(':').map(|(prefix, _)| prefix)
    }

    /// The part behind the colon, or the whole name.
    #[must_use]
    pub fn local(&self) -> &'a str {
        let name = self.name();
        name.split_once(':').map_or(name, |(_, local)| local)
    }

    /// Raw value of the attribute that is written `name`.
    #[must_use]
    pub fn attr(&self, name: &str) -> Option<&'a str> {
        self.attrs().find(|attr| attr.name == name).map(|attr| attr.raw)
    }

    /// All attributes in order, namespace declarations included.
    #[inline]
    pub fn attrs(&self) -> Attrs<'a> {
        Attrs { text: self.text, scan: self.scan, at: self.name_end }
    }

    /// Bytes of the tag, from `<` to `>`.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a tag is never empty; see is_empty_element")]
    pub fn len(&self) -> usize {
        let bytes = self.text.as_bytes();
        let at = self.attrs_end();
        if bytes[at] == b'/' { at + 2 } else { at + 1 }
    }

    /// `<a/>`: the tag is the whole element.
    #[must_use]
    pub fn is_empty_element(&self) -> bool {
        self.text.as_bytes()[self.attrs_end()] == b'/'
    }

    /// Index of `/` or `>`.
    fn attrs_end(&self) -> usize {
        let mut attrs = self.attrs();
        while attrs.next().is_some() {}
        scan::skip_space(self.text.as_bytes(), attrs.at)
    }
}

/// Iterator over the attributes of a [`Tag`].
#[derive(Debug, Clone)]
pub struct Attrs<'a> {
    text: &'a str,
    scan: Scan<'a>,
    /// Behind the name or the closing quote of the attribute before.
    at: usize,
}

impl<'a> Iterator for Attrs<'a> {
    type Item = Attr<'a>;

    #[inline]
    fn next(&mut self) -> Option<Attr<'a>> {
        let bytes = self.text.as_bytes();
        let whole_start = self.at;
        // Nearly always there is one blank before the name, and none around `=`.
        let name_start = match bytes[whole_start..] {
            [b' ', next, ..] if class(next) & NAME_START != 0 => whole_start + 1,
            _ => scan::skip_space(bytes, whole_start),
        };
        if matches!(bytes[name_start], b'/' | b'>') {
            return None;
        }
        let (name_end, _) = self.scan.name_end(name_start);
        let quote_at = match bytes[name_end..] {
            [b'=', b'"' | b'\'', ..] => name_end + 1,
            _ => scan::skip_space(bytes, scan::skip_space(bytes, name_end) + 1),
        };
        let value_start = quote_at + 1;
        let mut value_end = self.scan.stop(value_start, &mut false);
        while bytes[value_end] != bytes[quote_at] {
            value_end = self.scan.stop(value_end + 1, &mut false);
        }
        self.at = value_end + 1;
        Some(Attr {
            name: &self.text[name_start..name_end],
            raw: &self.text[value_start..value_end],
            whole: Span::new(whole_start, self.at),
            value: Span::new(value_start, value_end),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_tag() {
        let text = "<a:b  to='x'\n\tid = \"it's > &lt;\" xmlns:a='u' /><rest to='no'>";
        let tag = Tag::new(text);
        assert_eq!((tag.name(), tag.prefix(), tag.local()), ("a:b", Some("a"), "b"));
        assert_eq!(tag.attr("id"), Some("it's > &lt;"));
        assert_eq!(tag.attr("i"), None);
        assert!(tag.is_empty_element());
        assert_eq!(&text[tag.len()..], "<rest to='no'>");
        let attrs: Vec<_> = tag.attrs().collect();
        let names: Vec<_> = attrs.iter().map(|attr| attr.name).collect();
        assert_eq!(names, ["to", "id", "xmlns:a"]);
        for attr in &attrs {
            assert_eq!(&text[attr.value.range()], attr.raw);
        }
        assert_eq!(&text[attrs[0].whole.range()], "  to='x'");
        assert_eq!(&text[attrs[1].whole.range()], "\n\tid = \"it's > &lt;\"");
    }

    #[test]
    fn tag_without_attributes() {
        for (text, empty, len) in
            [("<é>", false, 4), ("<é/>", true, 5), ("<é\n>", false, 5), ("<é\t/>x", true, 6)]
        {
            let tag = Tag::new(text);
            assert_eq!((tag.name(), tag.prefix(), tag.local()), ("é", None, "é"));
            assert_eq!((tag.attrs().count(), tag.is_empty_element(), tag.len()), (0, empty, len), "{text}");
        }
    }
}
