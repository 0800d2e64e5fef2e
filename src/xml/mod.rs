//! L0: bytes to complete, checked XML units, and back.
//!
//! This layer does not know what a stanza is, owns no socket and never waits: incomplete input is
//! `Ok(None)`.
//!
//! Everything goes through the [`Framer`] once: it finds the end of each unit and checks all that XML 1.0,
//! Namespaces in XML 1.0 and RFC 6120 §11 demand. A [`Tag`] then reads the start tag for routing, and a [`Node`]
//! the whole element where its content matters; neither meets bytes that the framer has not passed.

mod element;
mod error;
mod escape;
mod fragment;
mod framer;
#[doc(hidden)]
pub mod fuzz;
mod name;
mod scan;
mod tag;

pub use element::{Node, NodeChild};
pub use error::XmlError;
pub use escape::{escape_attr_into, escape_text_into, unescape};
pub use fragment::{fragments, is_element};
pub use framer::{Element, Frame, Framer, Open, Scope};
pub use tag::{Attr, Attrs, Span, Tag};
