//! Files that a scenario names: users, and edges of the roster graph.
//!
//! This layer opens no file. Whoever reads a scenario hands in how they are read, and the texts stay with the scenario:
//! who gets those can make the same accounts and the same graph elsewhere.

use std::sync::Arc;

/// Gives the text of a file that a scenario names, or one line that says why not.
pub type ReadFile<'r> = &'r mut dyn FnMut(&str) -> Result<String, String>;

/// A file that a scenario names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScenarioFile {
    /// As the scenario names it.
    pub path: String,
    /// What it holds.
    pub text: Arc<str>,
}

/// The files of one scenario, while it is read.
pub(super) struct Files<'r> {
    read_file: ReadFile<'r>,
    read: Vec<ScenarioFile>,
}

impl<'r> Files<'r> {
    pub(super) const fn new(read_file: ReadFile<'r>) -> Self {
        Self { read_file, read: Vec::new() }
    }

    /// Reads `path` and what stands in it. An error goes on behind the path: `, line 3: …` or ` cannot be read: …`.
    pub(super) fn read<T>(
        &mut self,
        path: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<T, String> {
        let text = (self.read_file)(path).map_err(|what| format!(" cannot be read: {what}"))?;
        let value = parse(&text)?;
        if !self.read.iter().any(|file| file.path == path) {
            self.read.push(ScenarioFile { path: path.to_owned(), text: text.into() });
        }
        Ok(value)
    }

    pub(super) fn into_read(self) -> Vec<ScenarioFile> {
        self.read
    }
}
