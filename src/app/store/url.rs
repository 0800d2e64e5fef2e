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
        Err(unknown(text))
    }
}

/// What was written may have a password behind its scheme, which is for no terminal and no log.
fn unknown(text: &str) -> String {
    const KNOWN: &str = "memory, sqlite:FILE, postgres://USER@HOST/DATABASE";
    let Some((scheme, _)) = text.split_once(':') else {
        // A word, or `//USER:PASSWORD@HOST` without its scheme.
        let shown = if text.contains('@') { String::new() } else { format!(" `{text}`") };
        return format!("unknown store{shown}; there is: {KNOWN}");
    };
    let nearest = [("sqlite", "sqlite:"), ("postgres", POSTGRES[0]), ("postgresql", POSTGRES[0])]
        .map(|(name, written)| (strsim::jaro_winkler(&scheme.to_lowercase(), name), written))
        .into_iter()
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match nearest {
        Some((likeness, written)) if likeness > 0.8 => {
            format!("unknown store `{scheme}:…`: did you mean `{written}…`?")
        }
        _ => format!("unknown store `{scheme}:…`; there is: {KNOWN}"),
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
    fn a_misspelt_store_is_not_shown_whole() {
        let wrong = |text| StoreUrl::parse(text, None).unwrap_err();
        assert_eq!(
            wrong("postgre://u:secret@h/d"),
            "unknown store `postgre:…`: did you mean `postgres://…`?"
        );
        assert_eq!(
            wrong("Postgres:u:secret@h/d"),
            "unknown store `Postgres:…`: did you mean `postgres://…`?"
        );
        assert_eq!(wrong("sqlit:a.db"), "unknown store `sqlit:…`: did you mean `sqlite:…`?");
        let known = "there is: memory, sqlite:FILE, postgres://USER@HOST/DATABASE";
        assert_eq!(wrong("mysql://u:secret@h"), format!("unknown store `mysql:…`; {known}"));
        assert_eq!(wrong("a.db"), format!("unknown store `a.db`; {known}"));
        assert_eq!(wrong("secret@h"), format!("unknown store; {known}"));
        assert!(!wrong("//u:secret@h/d").contains("secret"));
    }

    #[test]
    fn passwords_are_not_shown() {
        let shown = |text: &str| StoreUrl::parse(text, None).unwrap().to_string();
        assert_eq!(shown("postgres://u:secret@h:1/d?password=secret"), "postgres://u@h:1/d");
        assert_eq!(shown("postgres://h/d"), "postgres://h/d");
        assert_eq!(shown("sqlite:a.db"), "sqlite:a.db");
    }
}
