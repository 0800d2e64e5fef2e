//! The two streams of the program: stdout carries the result, stderr everything else.
//!
//! It does not know what is printed. Colour is used only on a terminal, and never with `NO_COLOR` set
//! (<https://no-color.org>) or `TERM=dumb`.

use std::ffi::OsStr;
use std::io::{self, IsTerminal, Write};

use super::exit::Failure;

/// Where lines go, and whether they may be coloured.
#[derive(Debug, Clone, Copy)]
pub struct Terminal {
    stdout_colour: bool,
    stderr_colour: bool,
    stderr_can_redraw: bool,
}

/// The few colours that carry a meaning here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// It passed.
    Green,
    /// It failed.
    Red,
    /// It does not count.
    Yellow,
    /// The way out.
    Cyan,
}

impl Colour {
    const fn code(self) -> &'static str {
        match self {
            Self::Green => "\x1b[1;32m",
            Self::Red => "\x1b[1;31m",
            Self::Yellow => "\x1b[1;33m",
            Self::Cyan => "\x1b[1;36m",
        }
    }
}

impl Terminal {
    /// What this process was started with.
    #[must_use]
    pub fn from_environment() -> Self {
        let term = std::env::var_os("TERM");
        let allowed = colour_allowed(std::env::var_os("NO_COLOR").as_deref(), term.as_deref());
        Self {
            stdout_colour: allowed && io::stdout().is_terminal(),
            stderr_colour: allowed && io::stderr().is_terminal(),
            stderr_can_redraw: can_move(term.as_deref()) && io::stderr().is_terminal(),
        }
    }

    /// Whether stderr is a terminal on which lines can be drawn over.
    #[must_use]
    pub const fn stderr_can_redraw(self) -> bool {
        self.stderr_can_redraw
    }

    /// Whether stderr may be coloured.
    #[must_use]
    pub const fn stderr_colour(self) -> bool {
        self.stderr_colour
    }

    /// `text` in colour, if stdout may have colour.
    #[must_use]
    pub fn paint_out(self, colour: Colour, text: &str) -> String {
        paint(self.stdout_colour, colour, text)
    }

    /// Writes `text` and a line feed to stdout. A reader that went away (`| head`) is no error.
    pub fn out(self, text: &str) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        let written = stdout
            .write_all(text.as_bytes())
            .and_then(|()| if text.ends_with('\n') { Ok(()) } else { stdout.write_all(b"\n") })
            .and_then(|()| stdout.flush());
        match written {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other,
        }
    }

    /// Writes one line to stderr. There is nobody to tell when that fails.
    pub fn note(self, line: &str) {
        let _ = writeln!(io::stderr().lock(), "{line}");
    }

    /// Writes `warning: …` to stderr.
    pub fn warn(self, line: &str) {
        self.note(&format!("{}: {line}", paint(self.stderr_colour, Colour::Yellow, "warning")));
    }

    /// Writes the `error:` and `help:` lines of a failure to stderr.
    pub fn fail(self, failure: &Failure) {
        for complaint in &failure.errors {
            self.note(&format!("{}: {}", paint(self.stderr_colour, Colour::Red, "error"), complaint.what));
            if let Some(help) = &complaint.help {
                self.note(&format!("{}: {help}", paint(self.stderr_colour, Colour::Cyan, "help")));
            }
        }
    }
}

fn colour_allowed(no_color: Option<&OsStr>, term: Option<&OsStr>) -> bool {
    no_color.is_none_or(OsStr::is_empty) && can_move(term)
}

/// Whether the terminal understands more than characters.
fn can_move(term: Option<&OsStr>) -> bool {
    term.is_none_or(|term| term != "dumb")
}

fn paint(coloured: bool, colour: Colour, text: &str) -> String {
    if coloured { format!("{}{text}\x1b[0m", colour.code()) } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_needs_permission() {
        let cases = [
            (None, None, true),
            (None, Some("xterm"), true),
            (Some(""), Some("xterm"), true), // no-color.org: present *and not empty*
            (Some("1"), Some("xterm"), false),
            (Some("0"), None, false),
            (None, Some("dumb"), false),
        ];
        for (no_color, term, want) in cases {
            assert_eq!(
                colour_allowed(no_color.map(OsStr::new), term.map(OsStr::new)),
                want,
                "{no_color:?} {term:?}"
            );
        }
        assert!(can_move(Some(OsStr::new("xterm"))) && !can_move(Some(OsStr::new("dumb"))));
        assert_eq!(paint(false, Colour::Red, "x"), "x");
        assert_eq!(paint(true, Colour::Red, "x"), "\x1b[1;31mx\x1b[0m");
    }
}
