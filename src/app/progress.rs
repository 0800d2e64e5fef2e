//! How a run is going, on stderr: a screen that redraws itself on a terminal, one plain line every five seconds elsewhere.
//!
//! It measures nothing: it shows the [`Board`] that it is given, and is never on the run's path.

use std::fmt::Write as _;
use std::time::Duration;

use super::dashboard::board::Board;
use super::dashboard::screen::Screen;
use super::report::numbers::{bytes, count, duration, percent, rate};
use super::terminal::Terminal;
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
    Screen(Screen),
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
        } else if terminal.stderr_can_redraw() {
            Self::Screen(Screen::new(terminal.stderr_colour()))
        } else {
            Self::Plain(Plain { terminal, phase: String::new(), next_at: Nanos::ZERO })
        }
    }

    /// Shows `board`, made at `now`.
    pub fn show(&mut self, board: &Board, now: Nanos) {
        match self {
            Self::Silent => {}
            Self::Plain(plain) => plain.show(board, now),
            Self::Screen(screen) => screen.show(board),
        }
    }

    /// Leaves the terminal as it was found.
    pub fn finish(&mut self) {
        if let Self::Screen(screen) = self {
            screen.clear();
        }
    }
}

impl Plain {
    /// A new phase is told at once, the rest every five seconds.
    fn show(&mut self, board: &Board, now: Nanos) {
        let new_phase = board.phase != self.phase;
        if board.phase.is_empty() || (!new_phase && now < self.next_at) {
            return;
        }
        self.phase.clone_from(&board.phase);
        self.next_at = now + PLAIN_EVERY;
        self.terminal.note(&line(board));
    }
}

/// `steady 2.0 s of 5.0 s, 200 of 200 users, chat 498/s of 500/s p99 0.9 ms; send lag p99 80 µs, busy 4.0 %; …`
fn line(board: &Board) -> String {
    let mut line = board.phase.clone();
    if board.draining {
        line.push_str(" (draining)");
    } else if board.planned_ns > 0 {
        let _ = write!(line, " {} of {}", duration(board.elapsed_ns), duration(board.planned_ns));
    }
    if let Some(set_up) = &board.set_up {
        let _ = write!(line, ": {} {} of {}", set_up.step, count(set_up.done), count(set_up.of));
        return line;
    }
    let _ = write!(line, ", {} of {} users", count(board.ready), count(board.target));
    if board.connected != board.ready {
        let _ = write!(line, ", {} connected", count(board.connected));
    }
    for row in &board.rows {
        let _ = write!(line, ", {} {}/s", row.name, rate(row.achieved_rate));
        if row.intended_rate > 0.0 {
            let _ = write!(line, " of {}/s", rate(row.intended_rate));
        }
        if let Some(p99) = row.second.p99_or_max() {
            let _ = write!(line, " p99 {}", duration(p99));
        }
    }
    let failed: u64 = board.rows.iter().map(|row| row.errors).sum();
    let bad = board.strays().into_iter().chain([("logins failed", board.login_failures), ("errors", failed)]);
    for (what, number) in bad.filter(|(_, number)| *number > 0) {
        let _ = write!(line, ", {} {what}", count(number));
    }
    let harness = &board.harness;
    let lag =
        harness.send_lag_p99_ns.map_or_else(String::new, |ns| format!("send lag p99 {}, ", duration(ns)));
    let _ = write!(
        line,
        "; harness {lag}busy {}, steal {}",
        percent(harness.health.busy_ratio),
        percent(harness.health.stolen_ratio)
    );
    if let Some(limit) = harness.limit() {
        let _ = write!(line, ", IT IS THE LIMIT: {limit}");
    }
    if let Some(server) = &board.server {
        let _ =
            write!(line, "; {} CPU {}, {}", server.name, percent(server.cpu_ratio), bytes(server.rss_bytes));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::dashboard::board::{Harness, Latencies, Row, Server};
    use crate::metrics::{Counts, PhaseHealth};

    #[test]
    fn a_line_says_where_the_run_stands() {
        let mut board = Board {
            phase: "steady".into(),
            elapsed_ns: 2_000_000_000,
            planned_ns: 5_000_000_000,
            connected: 1_200,
            ready: 1_200,
            target: 1_200,
            rows: vec![Row {
                name: "chat".into(),
                intended_rate: 400.0,
                achieved_rate: 399.0,
                second: Latencies([None, None, Some(912_000), None, None]),
                ..Row::default()
            }],
            harness: Harness {
                health: PhaseHealth { busy_ratio: 0.04, ..PhaseHealth::default() },
                send_lag_p99_ns: Some(80_000),
                ..Harness::default()
            },
            server: Some(Server { name: "router".into(), cpu_ratio: 0.05, rss_bytes: 16 << 20 }),
            ..Board::default()
        };
        assert_eq!(
            line(&board),
            "steady 2.00 s of 5.00 s, 1,200 of 1,200 users, chat 399/s of 400/s p99 912 µs; \
             harness send lag p99 80.0 µs, busy 4.0 %, steal 0.0 %; router CPU 5.0 %, 16.0 MiB"
        );
        board.draining = true;
        board.connected = 1_201;
        board.rows[0].errors = 2;
        board.counts = Counts { lost: 1, ..Counts::default() };
        board.harness.health.busy_ratio = 0.9;
        board.server = None;
        assert_eq!(
            line(&board),
            "steady (draining), 1,200 of 1,200 users, 1,201 connected, chat 399/s of 400/s p99 912 µs, 1 lost, \
             2 errors; harness send lag p99 80.0 µs, busy 90.0 %, steal 0.0 %, IT IS THE LIMIT: busy"
        );
    }

    #[test]
    fn set_up_counts_users() {
        let set_up = Some(crate::load::SetUpProgress { step: "ask", done: 120, of: 1_000 });
        let board = Board { phase: "set-up".into(), set_up, ..Board::default() };
        assert_eq!(line(&board), "set-up: ask 120 of 1,000");
    }

    #[test]
    fn plain_lines_are_rare() {
        let terminal = Terminal::from_environment();
        let mut plain = Plain { terminal, phase: String::new(), next_at: Nanos::ZERO };
        let shown = |plain: &mut Plain, phase: &str, second: u64| {
            let before = (plain.phase.clone(), plain.next_at);
            plain.show(&Board { phase: phase.into(), ..Board::default() }, Nanos(second * 1_000_000_000));
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
