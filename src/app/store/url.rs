//! What an operator writes for a store: `memory`, `sqlite:FILE`, `postgres://…`.
//!
//! Nothing is opened here.

use std::fmt;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// A store's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// Nothing outlives the process.
    Memory,
    /// A file.
    Sqlite(PathBuf),
    /// A server's database: as the operator wrote it.
    Postgres(String),
}

/// Scheme of a file.
const SQLITE: &str = "sqlite:";
/// Schemes of PostgreSQL's own library.
const POSTGRES: [&str; 2] = ["postgres://", "postgresql://"];

impl StoreUrl {
    /// Reads what was written. A relative file counts from `folder`.
    ///
    /// # Errors
    /// One line.
    pub fn parse(text: &str, folder: Option<&Path>) -> Result<Self, String> {
        if text == "memory" {
            return Ok(Self::Memory);
        }
        if let Some(file) = text.strip_prefix(SQLITE) {
            let file = file.strip_prefix("//").unwrap_or(file);
            if file.is_empty() || file.contains('?') {
                return Err(format!("`{text}` is not sqlite:FILE, for instance sqlite:router.db"));
            }
            return Ok(Self::Sqlite(folder.map_or_else(|| file.into(), |folder| folder.join(file))));
        }
        if POSTGRES.iter().any(|scheme| text.starts_with(scheme)) {
            return Ok(Self::Postgres(text.to_owned()));
        }
        Err(format!("unknown store `{text}`; there is: memory, sqlite:FILE, postgres://USER@HOST/DATABASE"))
    }
}

/// Name of the file where nobody has said another one.
const DEFAULT_FILE: &str = "xmpp-bench.db";

impl StoreUrl {
    /// The store of who has not named one: a file beside the configuration, without one in the user's data folder.
    ///
    /// # Errors
    /// One line: there is no such folder.
    pub fn of_configuration(config: Option<&Path>) -> Result<Self, String> {
        if let Some(config) = config {
            let folder = config.parent().unwrap_or_else(|| Path::new(""));
            return Ok(Self::Sqlite(folder.join(DEFAULT_FILE)));
        }
        let folder_of =
            |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let data = folder_of("XDG_DATA_HOME").or_else(|| Some(folder_of("HOME")?.join(".local/share")));
        let folder = data.ok_or("neither XDG_DATA_HOME nor HOME is set")?.join("xmpp-bench");
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        made.map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
        Ok(Self::Sqlite(folder.join(DEFAULT_FILE)))
    }
}

impl fmt::Display for StoreUrl {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory"),
            Self::Sqlite(file) => write!(f, "{SQLITE}{}", file.display()),
            Self::Postgres(url) => {
                let (scheme, rest) = url.split_once("://").unwrap_or(("postgres", url));
                // Parameters may have one, too.
                let rest = rest.split('?').next().unwrap_or_default();
                let (user, host) = rest.rsplit_once('@').map_or(("", rest), |(user, host)| (user, host));
                let user = user.split(':').next().unwrap_or_default();
                let at = if user.is_empty() { "" } else { "@" };
                write!(f, "{scheme}://{user}{at}{host}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_written() {
        let parse = |text| StoreUrl::parse(text, Some(Path::new("/etc/x")));
        assert_eq!(parse("memory"), Ok(StoreUrl::Memory));
        assert_eq!(parse("sqlite:a.db"), Ok(StoreUrl::Sqlite("/etc/x/a.db".into())));
        assert_eq!(parse("sqlite:///var/a.db"), Ok(StoreUrl::Sqlite("/var/a.db".into())));
        assert_eq!(StoreUrl::parse("sqlite:a.db", None), Ok(StoreUrl::Sqlite("a.db".into())));
        assert!(matches!(parse("postgresql://h/d"), Ok(StoreUrl::Postgres(_))));
        for bad in ["", "sqlite", "sqlite:", "sqlite:a?mode=ro", "mysql://h", "a.db"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn passwords_are_not_shown() {
        let shown = |text: &str| StoreUrl::parse(text, None).unwrap().to_string();
        assert_eq!(shown("postgres://u:secret@h:1/d?password=secret"), "postgres://u@h:1/d");
        assert_eq!(shown("postgres://h/d"), "postgres://h/d");
        assert_eq!(shown("sqlite:a.db"), "sqlite:a.db");
    }
}
