//! How a run is going, on stderr: a line that redraws itself on a terminal, one plain line every five seconds elsewhere.
//!
//! It measures nothing: it shows what the run's [`crate::load::Monitor`] says, and is never on the run's path.

use std::fmt::Write as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::report::numbers::{count, duration};
use super::terminal::Terminal;
use crate::load::Snapshot;
use crate::time::Nanos;

/// How often a plain line is printed while a phase lasts.
const PLAIN_EVERY: Duration = Duration::from_secs(5);

/// Where progress goes.
#[derive(Debug)]
pub enum Progress {
    /// `--quiet`
    Silent,
    /// Lines.
    Plain(Plain),
    /// A terminal.
    Bar(ProgressBar),
}

/// State of the plain lines.
#[derive(Debug)]
pub struct Plain {
    terminal: Terminal,
    phase: String,
    next_at: Nanos,
}

impl Progress {
    /// The kind that suits stderr.
    #[must_use]
    pub fn new(quiet: bool, terminal: Terminal) -> Self {
        if quiet {
            Self::Silent
        } else if terminal.stderr_is_terminal() {
            let bar = ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr_with_hz(4));
            let template = if terminal.stderr_colour() { "{bar:20.cyan} {msg}" } else { "{bar:20} {msg}" };
            bar.set_style(ProgressStyle::with_template(template).expect("the template is well-formed"));
            Self::Bar(bar)
        } else {
            Self::Plain(Plain { terminal, phase: String::new(), next_at: Nanos::ZERO })
        }
    }

    /// Shows `snapshot`, taken at `now`.
    pub fn show(&mut self, snapshot: &Snapshot, now: Nanos) {
        match self {
            Self::Silent => {}
            Self::Plain(plain) => plain.show(snapshot, now),
            Self::Bar(bar) => {
                bar.set_length(snapshot.planned_ns.max(1));
                bar.set_position(snapshot.elapsed_ns.min(snapshot.planned_ns));
                bar.set_message(line(snapshot));
            }
        }
    }

    /// Leaves the terminal as it was found.
    pub fn finish(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

impl Plain {
    /// A new phase is told at once, the rest every five seconds.
    fn show(&mut self, snapshot: &Snapshot, now: Nanos) {
        let new_phase = snapshot.phase != self.phase;
        if snapshot.phase.is_empty() || (!new_phase && now < self.next_at) {
            return;
        }
        self.phase.clone_from(&snapshot.phase);
        self.next_at = now + PLAIN_EVERY;
        self.terminal.note(&line(snapshot));
    }
}

/// `steady 2.0 s of 5.0 s, 200 of 200 users, chat 400 of 400 p99 0.9 ms`
fn line(snapshot: &Snapshot) -> String {
    let mut line = snapshot.phase.clone();
    if snapshot.draining {
        line.push_str(" (draining)");
    } else if snapshot.planned_ns > 0 {
        let _ = write!(line, " {} of {}", duration(snapshot.elapsed_ns), duration(snapshot.planned_ns));
    }
    let _ = write!(line, ", {} of {} users", count(snapshot.users_ready), count(snapshot.users_target));
    for action in &snapshot.actions {
        let _ = write!(line, ", {} {} of {}", action.action, count(action.done), count(action.intended));
        if let Some(p99) = action.p99_ns {
            let _ = write!(line, " p99 {}", duration(p99));
        }
    }
    let bad = [
        (snapshot.lost, "lost"),
        (snapshot.timed_out, "timed out"),
        (snapshot.login_failures, "logins failed"),
    ];
    for (number, what) in bad.into_iter().filter(|(number, _)| *number > 0) {
        let _ = write!(line, ", {} {what}", count(number));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::ActionProgress;

    #[test]
    fn a_line_says_where_the_run_stands() {
        let mut snapshot = Snapshot {
            phase: "steady".into(),
            elapsed_ns: 2_000_000_000,
            planned_ns: 5_000_000_000,
            users_ready: 1_200,
            users_target: 1_200,
            actions: vec![ActionProgress {
                action: "chat".into(),
                intended: 400,
                sent: 400,
                done: 399,
                p50_ns: None,
                p99_ns: Some(912_000),
            }],
            ..Snapshot::default()
        };
        assert_eq!(
            line(&snapshot),
            "steady 2.00 s of 5.00 s, 1,200 of 1,200 users, chat 399 of 400 p99 912 µs"
        );
        snapshot.draining = true;
        snapshot.lost = 1;
        assert!(line(&snapshot).starts_with("steady (draining), "));
        assert!(line(&snapshot).ends_with(", 1 lost"));
    }

    #[test]
    fn plain_lines_are_rare() {
        let terminal = Terminal::from_environment();
        let mut plain = Plain { terminal, phase: String::new(), next_at: Nanos::ZERO };
        let shown = |plain: &mut Plain, phase: &str, second: u64| {
            let before = (plain.phase.clone(), plain.next_at);
            plain.show(
                &Snapshot { phase: phase.into(), ..Snapshot::default() },
                Nanos(second * 1_000_000_000),
            );
            before != (plain.phase.clone(), plain.next_at)
        };
        let steps = [
            ("", 1, false),
            ("login", 1, true),
            ("login", 2, false),
            ("steady", 3, true),
            ("steady", 7, false),
            ("steady", 8, true),
        ];
        for (phase, second, want) in steps {
            assert_eq!(shown(&mut plain, phase, second), want, "{phase} at {second}");
        }
    }
}
