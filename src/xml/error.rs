//! What can be wrong with a peer's bytes. Incomplete input is not among it.

/// A fault of the peer's XML; each maps to one stream error of RFC 6120 §4.9.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    /// Ill-formed XML or namespace-ill-formed XML (`not-well-formed`, §4.9.3.13).
    #[error("not well-formed: {0}")]
    NotWellFormed(&'static str),
    /// Comment, processing instruction, DTD or undefined entity (`restricted-xml`, §4.9.3.18, §11.1).
    #[error("restricted XML: {0}")]
    Restricted(&'static str),
    /// Another encoding than UTF-8 is declared or used (`unsupported-encoding`, §4.9.3.22).
    #[error("unsupported encoding: {0}")]
    UnsupportedEncoding(&'static str),
    /// XML that is well-formed but no stream: text between stanzas (`bad-format`, §4.9.3.1).
    #[error("bad format: {0}")]
    BadFormat(&'static str),
    /// A limit of `limits.rs` is passed (`policy-violation`, §4.9.3.14).
    #[error("limit passed: {0}")]
    Limit(&'static str),
}
