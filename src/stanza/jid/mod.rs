//! Addresses (RFC 7622): `local@domain/resource`, split, prepared and compared.
//!
//! This module does not know which addresses exist, and it does not prepare what is prepared already: text in
//! the ASCII subset on which stringprep (RFC 6122) and PRECIS (RFC 7622) agree is checked in one pass and borrowed.
//! Everything else goes to `prepare.rs`, by stringprep as the peers still have it, or by PRECIS where an operator wants that
//! ([`AddressProfile`]).

mod prepare;
mod profile;
mod punycode;
mod table;

use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

pub use profile::AddressProfile;

use crate::limits::JID_PART_BYTES_MAX;
use crate::xml::unescape;
use table::{DOMAIN, LOCAL, RESOURCE, RESOURCE_RAW, class_of, is_domain};

/// Why an address is refused (`jid-malformed`, RFC 6120 §8.3.3.8).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct JidError {
    /// One line.
    pub what: &'static str,
}

/// A prepared address, borrowed. Equal addresses are equal bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JidRef<'a> {
    text: &'a str,
    marks: Marks,
}

/// A prepared address, owned; cloning shares it. Hashes and orders like its text.
#[derive(Clone, PartialEq, Eq)]
pub struct Jid {
    text: Arc<str>,
    marks: Marks,
}

/// Borrowed when it was prepared already (ASCII, the common case), owned when the library had to map it.
#[derive(Debug, Clone)]
pub enum JidCow<'a> {
    /// As written.
    Borrowed(JidRef<'a>),
    /// Mapped.
    Owned(Jid),
}

/// Where the parts meet. A full address has at most 3 × 1023 + 2 bytes, so 16 bits hold any offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Marks {
    /// Offset of the `@`; 0 without localpart, which cannot be empty.
    at: u16,
    /// Offset of the first `/`; the text's length without resource.
    slash: u16,
}

impl<'a> JidRef<'a> {
    /// Parses and prepares unescaped text.
    ///
    /// # Errors
    /// The text is no address: a part is empty, longer than 1023 bytes, or has characters that it must not have.
    pub fn parse(text: &'a str) -> Result<JidCow<'a>, JidError> {
        match prepared(text, RESOURCE) {
            Some(marks) => Ok(JidCow::Borrowed(Self { text, marks })),
            None => prepare::parse(text).map(JidCow::Owned),
        }
    }

    /// Parses a raw attribute value (references are resolved first).
    ///
    /// # Errors
    /// As [`JidRef::parse`].
    pub fn parse_attr(raw: &'a str) -> Result<JidCow<'a>, JidError> {
        if let Some(marks) = prepared(raw, RESOURCE_RAW) {
            return Ok(JidCow::Borrowed(Self { text: raw, marks }));
        }
        let text = unescape(raw).map_err(|_| JidError { what: "bad reference in the address" })?;
        // Text that only needed unescaping is prepared, but cannot be borrowed from the attribute.
        Jid::parse(&text).map(JidCow::Owned)
    }

    /// Part before `@`.
    #[must_use]
    pub fn local(&self) -> Option<&'a str> {
        (self.marks.at > 0).then(|| &self.text[..usize::from(self.marks.at)])
    }

    /// Domain.
    #[must_use]
    pub fn domain(&self) -> &'a str {
        let start = if self.marks.at > 0 { usize::from(self.marks.at) + 1 } else { 0 };
        &self.text[start..usize::from(self.marks.slash)]
    }

    /// Part behind the first `/`.
    #[must_use]
    pub fn resource(&self) -> Option<&'a str> {
        self.text.get(usize::from(self.marks.slash) + 1..)
    }

    /// Without resource.
    #[must_use]
    pub fn bare(&self) -> Self {
        Self { text: &self.text[..usize::from(self.marks.slash)], marks: self.marks }
    }

    /// Whether it has no resource.
    #[must_use]
    pub fn is_bare(&self) -> bool {
        self.text.len() == usize::from(self.marks.slash)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &'a str {
        self.text
    }

    /// Owned copy.
    #[must_use]
    pub fn to_jid(&self) -> Jid {
        Jid { text: self.text.into(), marks: self.marks }
    }
}

impl Jid {
    /// Parses and prepares.
    ///
    /// # Errors
    /// As [`JidRef::parse`].
    pub fn parse(text: &str) -> Result<Self, JidError> {
        JidRef::parse(text).map(JidCow::into_jid)
    }

    /// From parts that are prepared here. A separator inside a part is refused, not taken for one.
    ///
    /// # Errors
    /// As [`JidRef::parse`].
    pub fn from_parts(local: Option<&str>, domain: &str, resource: Option<&str>) -> Result<Self, JidError> {
        prepare::from_parts(local, domain, resource)
    }

    /// The address of an account that is to be made: its localpart has to mean the same to servers that run stringprep (RFC
    /// 6122) and to those that run PRECIS (RFC 7622).
    ///
    /// # Errors
    /// As [`JidRef::parse`], and for a localpart on which the two disagree.
    pub fn new_account(local: &str, domain: &str) -> Result<Self, JidError> {
        let jid = Self::from_parts(Some(local), domain, None)?;
        if prepare::means_one_thing(local) {
            Ok(jid)
        } else {
            Err(JidError { what: "localpart has characters that servers take for different ones" })
        }
    }

    /// Borrowed.
    #[must_use]
    pub fn as_ref(&self) -> JidRef<'_> {
        JidRef { text: &self.text, marks: self.marks }
    }

    /// Without resource; shares the text when there is none.
    #[must_use]
    pub fn to_bare(&self) -> Self {
        if self.as_ref().is_bare() { self.clone() } else { self.as_ref().bare().to_jid() }
    }

    /// With `resource` (prepared here) in place of any.
    ///
    /// # Errors
    /// The resource is empty, too long, or has characters that it must not have.
    pub fn with_resource(&self, resource: &str) -> Result<Self, JidError> {
        prepare::with_resource(self.as_ref(), resource)
    }

    /// Text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Joins prepared parts.
    fn join(local: Option<&str>, domain: &str, resource: Option<&str>) -> Self {
        let mut text = String::with_capacity(
            local.map_or(0, |l| l.len() + 1) + domain.len() + resource.map_or(0, |r| r.len() + 1),
        );
        let mut at = 0;
        if let Some(local) = local {
            text.push_str(local);
            at = text.len();
            text.push('@');
        }
        text.push_str(domain);
        let slash = text.len();
        if let Some(resource) = resource {
            text.push('/');
            text.push_str(resource);
        }
        Self { text: text.into(), marks: Marks::new(at, slash) }
    }
}

impl Marks {
    fn new(at: usize, slash: usize) -> Self {
        let narrow = |offset: usize| u16::try_from(offset).expect("parts are at most 1023 bytes long");
        Self { at: narrow(at), slash: narrow(slash) }
    }
}

impl JidCow<'_> {
    /// The address.
    #[must_use]
    pub fn jid(&self) -> JidRef<'_> {
        match self {
            JidCow::Borrowed(jid) => *jid,
            JidCow::Owned(jid) => jid.as_ref(),
        }
    }

    /// The address, owned.
    #[must_use]
    pub fn into_jid(self) -> Jid {
        match self {
            JidCow::Borrowed(jid) => jid.to_jid(),
            JidCow::Owned(jid) => jid,
        }
    }
}

/// Marks of `text` when it is an address that needs no preparation, else `None`: it may still be one.
///
/// The parsing order is RFC 7622 §3.2's: the first `/` ends the domain, then the first `@` before it begins it.
fn prepared(text: &str, resource_class: u8) -> Option<Marks> {
    let bytes = text.as_bytes();
    let (mut at, mut part_start, mut class) = (0, 0, LOCAL | DOMAIN);
    let mut slash = bytes.len();
    for (i, &byte) in bytes.iter().enumerate() {
        let class_here = class_of(byte);
        if class_here & (LOCAL | DOMAIN) != 0 {
            class &= class_here;
        } else if byte == b'@' && at == 0 {
            // An empty localpart leaves `at` at 0, which also means "none": refuse it here.
            if class & LOCAL == 0 || i == 0 || i > JID_PART_BYTES_MAX {
                return None;
            }
            (at, part_start, class) = (i, i + 1, LOCAL | DOMAIN);
        } else if byte == b'/' {
            slash = i;
            break;
        } else {
            return None;
        }
    }
    if class & DOMAIN == 0 || !is_domain(&bytes[part_start..slash]) {
        return None;
    }
    if let Some(resource) = bytes.get(slash + 1..) {
        let legal = resource.iter().fold(resource_class, |class, &byte| class & class_of(byte)) != 0;
        if !legal || resource.is_empty() || resource.len() > JID_PART_BYTES_MAX {
            return None;
        }
    }
    Some(Marks::new(at, slash))
}

impl Hash for JidRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}
impl Hash for Jid {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}
impl PartialOrd for Jid {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Jid {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.text.cmp(&other.text)
    }
}
impl Borrow<str> for Jid {
    fn borrow(&self) -> &str {
        &self.text
    }
}
impl fmt::Debug for Jid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Jid({})", self.text)
    }
}
impl fmt::Display for Jid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
impl fmt::Display for JidRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

#[cfg(test)]
mod tests;
