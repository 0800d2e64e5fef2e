//! The units that the framer hands out. They own their bytes and cannot be changed.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::{Framer, Scope};
use crate::limits::FramerLimits;
use crate::xml::Tag;
use crate::xml::scan;

/// One top-level unit of a stream.
#[derive(Debug, Clone)]
pub enum Frame {
    /// Stream header.
    Open(Open),
    /// Complete element.
    Element(Element),
    /// `</stream:stream>`.
    Close,
}

/// The stream header: a start tag that stays open.
#[derive(Debug, Clone)]
pub struct Open {
    /// `<stream:stream …>` without XML declaration and white space before it.
    pub bytes: Bytes,
    /// What it declares.
    pub scope: Arc<Scope>,
}

impl Open {
    /// The tag.
    #[must_use]
    pub fn tag(&self) -> Tag<'_> {
        Tag::new(text(&self.bytes))
    }
}

/// A complete top-level element, well-formed in itself and inside its stream.
#[derive(Debug, Clone)]
pub struct Element {
    /// `<message …>…</message>`, UTF-8.
    pub bytes: Bytes,
    /// The stream header's declarations, set only when the element uses a prefix that it does not declare itself
    /// (prefix `xml` excepted). Without it the element means the same in any stream of the same default namespace.
    pub scope: Option<Arc<Scope>>,
    /// Whether the top-level tag itself declares a default namespace (`xmlns=`).
    pub has_xmlns: bool,
    /// Length of the start tag, so that looking at it does not depend on the length of what follows.
    pub(super) tag_len: u32,
}

impl Element {
    /// The whole element as text. Checks UTF-8 again (4 GB/s), which is cheaper than a proof that it need not.
    #[must_use]
    pub fn as_str(&self) -> &str {
        text(&self.bytes)
    }

    /// Its start tag.
    #[must_use]
    #[inline]
    pub fn tag(&self) -> Tag<'_> {
        Tag::new(text(&self.bytes[..self.tag_len as usize]))
    }

    /// For bytes that this program wrote itself.
    ///
    /// The element must declare every prefix that it uses.
    ///
    /// # Panics
    ///
    /// When `bytes` are not exactly one well-formed element: that is a fault of ours.
    #[must_use]
    pub fn from_own(bytes: Bytes) -> Self {
        let limits = FramerLimits { stanza_bytes_max: u32::MAX as usize, elements_max: u32::MAX };
        let mut framer = Framer::inside(limits, Arc::default());
        let mut input = BytesMut::from(bytes);
        match framer.next_frame(&mut input) {
            Ok(Some(Frame::Element(element))) if input.is_empty() => element,
            other => panic!("not one element of our own: {other:?}, left {input:?}"),
        }
    }
}

/// Text of a checked unit or start tag.
#[inline]
fn text(bytes: &[u8]) -> &str {
    scan::text(bytes).expect("the framer has checked UTF-8")
}
