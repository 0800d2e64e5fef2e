//! What a stream header declares. Does not know the elements that lean on it.

use crate::xml::Tag;
use crate::xml::escape::unescape_attr;

/// Namespace declarations of a stream header, kept only for elements that lean on them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Name of the header as written, which the closing tag has to repeat.
    header_name: Box<str>,
    /// (prefix, namespace); the default namespace has the prefix "".
    declarations: Box<[(Box<str>, Box<str>)]>,
}

impl Scope {
    /// What `header`, which the framer has checked, declares.
    pub(super) fn of(header: Tag<'_>) -> Self {
        let declarations = header.attrs().filter_map(|attr| {
            let prefix = if attr.name == "xmlns" { "" } else { attr.name.strip_prefix("xmlns:")? };
            let namespace = unescape_attr(attr.raw).expect("the framer has checked the references");
            // `xmlns=''` says that there is no default namespace.
            (!namespace.is_empty()).then(|| (prefix.into(), namespace.into()))
        });
        Self { header_name: header.name().into(), declarations: declarations.collect() }
    }

    /// Namespace that `prefix` is bound to by the stream header; `""` asks for the default namespace.
    #[must_use]
    pub fn namespace(&self, prefix: &str) -> Option<&str> {
        self.declarations().find(|(p, _)| *p == prefix).map(|(_, namespace)| namespace)
    }

    /// All declarations as (prefix, namespace), references resolved; the default namespace has the prefix `""`.
    pub fn declarations(&self) -> impl Iterator<Item = (&str, &str)> {
        self.declarations.iter().map(|(prefix, namespace)| (&**prefix, &**namespace))
    }

    /// Name of the header as written.
    pub(super) const fn header_name(&self) -> &str {
        &self.header_name
    }
}
