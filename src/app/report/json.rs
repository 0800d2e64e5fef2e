//! A result for a program: the file as it was written.
//!
//! There is no second shape to keep in step.

use crate::app::result::ResultFile;

/// The whole of `result.json`.
#[must_use]
pub(super) fn render(result: &ResultFile) -> String {
    result.to_json()
}
