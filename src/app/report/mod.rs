//! A result for a reader: text for people, JSON for programs.
//!
//! It computes nothing: every number comes from the [`ResultFile`], so that a result reads the same whenever it is
//! printed.

mod json;
pub mod numbers;
mod text;

use std::path::Path;

use super::exit::{Exit, Failure};
use super::result::ResultFile;
use super::terminal::Terminal;

/// How a result is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// At most 40 lines.
    Text,
    /// The file itself.
    Json,
}

/// Prints `result`, which stands in `folder`, on stdout.
///
/// # Errors
/// Exit code 1: stdout cannot be written.
pub fn print(result: &ResultFile, folder: &Path, format: Format, terminal: Terminal) -> Result<(), Failure> {
    let rendered = match format {
        Format::Text => text::render(result, folder, terminal),
        Format::Json => json::render(result),
    };
    terminal.out(&rendered).map_err(|error| Failure::internal(format!("cannot write the result: {error}")))
}

/// `xmpp-bench report`: prints the result at `path` again. Whether it had passed is in the text, not in the exit code.
///
/// # Errors
/// Exit code 2: there is no valid result.
pub fn print_again(path: &Path, format: Format, terminal: Terminal) -> Result<Exit, Failure> {
    let result = ResultFile::read(path)?;
    let folder = if path.is_dir() { path } else { path.parent().unwrap_or_else(|| Path::new("")) };
    print(&result, folder, format, terminal)?;
    Ok(Exit::Passed)
}
