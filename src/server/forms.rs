//! XEP-0004: Data Forms, written and read.
//!
//! What a field means is its form's concern. Values are text; types are only told.

use std::collections::BTreeMap;

use super::write::attr;
use crate::xml::{Node, escape_text_into};

pub(super) const NS: &str = "jabber:x:data";

/// A field as a form shows it (§3.2, §3.3).
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub(super) var: &'static str,
    /// `text-single`, `jid-multi`, …
    pub(super) kind: &'static str,
    pub(super) label: &'static str,
    pub(super) required: bool,
    /// Of a `list-single`: label and value are the same.
    pub(super) options: &'static [&'static str],
}

/// A form being written.
#[derive(Debug)]
pub(super) struct Form(String);

impl Form {
    /// A form to be filled in.
    pub(super) fn asking(form_type: &str, title: &str, instructions: &str, fields: &[Field]) -> String {
        let mut form = Self::open("form", form_type, Some((title, instructions)));
        for field in fields {
            form.ask(field);
        }
        form.close()
    }

    /// A form with data (§3.1).
    pub(super) fn result(form_type: &str) -> Self {
        Self::open("result", form_type, None)
    }

    fn open(kind: &str, form_type: &str, heading: Option<(&str, &str)>) -> Self {
        let mut form = Self(format!("<x xmlns='{NS}' type='{kind}'>"));
        if let Some((title, instructions)) = heading {
            form.element("title", title);
            form.element("instructions", instructions);
        }
        form.0.push_str("<field type='hidden' var='FORM_TYPE'>");
        form.element("value", form_type);
        form.0.push_str("</field>");
        form
    }

    fn ask(&mut self, field: &Field) {
        self.open_field(&[("label", field.label), ("type", field.kind), ("var", field.var)]);
        if field.required {
            self.0.push_str("<required/>");
        }
        for option in field.options {
            self.push("<option", |out| attr("label", option, out));
            self.0.push('>');
            self.element("value", option);
            self.0.push_str("</option>");
        }
        self.0.push_str("</field>");
    }

    /// A field with its values.
    pub(super) fn field(
        &mut self,
        var: &str,
        kind: &str,
        values: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> &mut Self {
        self.open_field(&[("type", kind), ("var", var)]);
        for value in values {
            self.element("value", value.as_ref());
        }
        self.0.push_str("</field>");
        self
    }

    /// XML that stands beside the fields (XEP-0133 §4.8 has a roster there).
    pub(super) fn xml(&mut self, xml: &str) -> &mut Self {
        self.0.push_str(xml);
        self
    }

    pub(super) fn close(mut self) -> String {
        self.0.push_str("</x>");
        self.0
    }

    fn open_field(&mut self, attrs: &[(&str, &str)]) {
        self.push("<field", |out| attrs.iter().for_each(|(name, value)| attr(name, value, out)));
        self.0.push('>');
    }

    fn element(&mut self, name: &str, text: &str) {
        self.push(&format!("<{name}>"), |out| escape_text_into(text, out));
        self.0.push_str(&format!("</{name}>"));
    }

    fn push(&mut self, before: &str, write: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = before.as_bytes().to_vec();
        write(&mut bytes);
        self.0.push_str(std::str::from_utf8(&bytes).expect("what is escaped is text"));
    }
}

/// A form that was filled in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Submission(BTreeMap<String, Vec<String>>);

impl Submission {
    /// The form in `parent`; `None` when there is none of that type, or it says something twice. A form that says what it is
    /// for has to say this (XEP-0068). As XEP-0050 §3.5.1 has it, a cancelled form is a submitted one.
    pub(super) fn parse(parent: &Node<'_>, form_type: &str) -> Option<Self> {
        let form = parent.child("x", NS)?;
        if !matches!(form.attr("type"), Some("submit" | "cancel")) {
            return None;
        }
        let mut fields = BTreeMap::new();
        for field in form.elements().filter(|child| child.is("field", NS)) {
            let Some(var) = field.attr("var") else { continue };
            let values = field.elements().filter(|child| child.is("value", NS)).map(Node::text).collect();
            if fields.insert(var.to_owned(), values).is_some() {
                return None;
            }
        }
        let form = Self(fields);
        form.single("FORM_TYPE").is_none_or(|told| told == form_type).then_some(form)
    }

    /// The first value of a field, unless it is empty.
    pub(super) fn single(&self, var: &str) -> Option<&str> {
        self.0.get(var)?.first().map(String::as_str).filter(|value| !value.is_empty())
    }

    /// All values of a field that are not empty.
    pub(super) fn multi(&self, var: &str) -> impl Iterator<Item = &str> {
        self.0.get(var).into_iter().flatten().map(String::as_str).filter(|value| !value.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::xml::Element;

    fn submission(form: &str) -> Option<Submission> {
        let element = Element::from_own(Bytes::from(format!("<command xmlns='c'>{form}</command>")));
        Submission::parse(&Node::parse(&element, "c"), "t")
    }

    #[test]
    fn what_is_written_can_be_read() {
        let mut form = Form::result("t");
        form.field("a", "text-single", ["<1>"]).field("b", "jid-multi", ["x@d", "y@d"]);
        let form = submission(&form.close().replace("'result'", "'submit'")).unwrap();
        assert_eq!((form.single("a"), form.single("c")), (Some("<1>"), None));
        assert_eq!(form.multi("b").collect::<Vec<_>>(), ["x@d", "y@d"]);
    }

    #[test]
    fn forms_that_are_none() {
        for wrong in [
            "",
            "<x xmlns='jabber:x:data'/>",
            "<x xmlns='jabber:x:data' type='form'/>",
            "<x xmlns='other' type='submit'/>",
            "<x xmlns='jabber:x:data' type='submit'><field var='a'/><field var='a'/></x>",
            "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>u</value></field></x>",
        ] {
            assert_eq!(submission(wrong), None, "{wrong}");
        }
        let empty = "<x xmlns='jabber:x:data' type='submit'><field/><field var='a'><value/></field></x>";
        let empty = submission(empty).unwrap();
        assert_eq!((empty.single("a"), empty.multi("a").count()), (None, 0));
    }
}
