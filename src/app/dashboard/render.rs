//! How a [`Board`] looks: a pure function of it and of the space that there is.
//!
//! The most important lines come first: where there is too little space, the last ones are left out.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Sparkline, Widget};

use super::board::{Board, Latencies, QUANTILES, Row};
use crate::app::report::numbers::{bytes, columns, count, duration, percent, rate};
use crate::metrics::Light;

/// Columns of the words in front of each line.
const LABEL: u16 = 9;
/// Columns of the phase's gauge.
const GAUGE: u16 = 24;
/// Columns of the words behind a sparkline.
const LATEST: u16 = 10;

const BAD: Style = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
const GOOD: Style = Style::new().fg(Color::Green);
const FAINT: Style = Style::new().fg(Color::DarkGray);

/// The board in as many lines as it needs, at most `width` columns and `height` lines.
#[must_use]
pub fn render(board: &Board, width: u16, height: u16) -> Buffer {
    let parts = parts(board, width);
    let needed = u16::try_from(parts.len()).unwrap_or(u16::MAX);
    let mut buffer = Buffer::empty(Rect::new(0, 0, width, needed.min(height)));
    for (part, line) in parts.iter().zip(buffer.area.rows()) {
        part.render(line, &mut buffer);
    }
    buffer
}

/// One line.
enum Part<'b> {
    Head(&'b Board),
    Text(Line<'b>),
    History { name: &'static str, values: &'b [u64], latest: String },
}

fn parts(board: &Board, width: u16) -> Vec<Part<'_>> {
    let mut parts = vec![Part::Head(board), Part::Text(users(board))];
    parts.extend(wrapped("delivery", delivery(board), width).into_iter().map(Part::Text));
    parts.extend(wrapped("harness", harness(board), width).into_iter().map(Part::Text));
    if let Some(limit) = board.harness.limit() {
        let text = format!("THE HARNESS IS THE LIMIT: {limit}");
        parts.push(Part::Text(line("", vec![Span::styled(text, BAD)])));
    }
    if let Some(server) = &board.server {
        let text =
            format!("{}  CPU {}  memory {}", server.name, percent(server.cpu_ratio), bytes(server.rss_bytes));
        parts.push(Part::Text(line("target", vec![text.into()])));
    }
    if let Some(error) = &board.first_error {
        parts.push(Part::Text(line("error", vec![Span::styled(error.as_str(), BAD)])));
    }
    if !board.rows.is_empty() {
        parts.extend(table(&board.rows).into_iter().map(Part::Text));
        let latest =
            |history: &[u64], text: fn(u64) -> String| history.last().map_or_else(String::new, |v| text(*v));
        parts.push(Part::History {
            name: "p99",
            values: &board.p99_history,
            latest: latest(&board.p99_history, duration),
        });
        parts.push(Part::History {
            name: "rate",
            values: &board.rate_history,
            latest: latest(&board.rate_history, |value| format!("{}/s", count(value))),
        });
    }
    parts.extend(wrapped("slo", lights(&board.lights), width).into_iter().map(Part::Text));
    parts
}

impl Part<'_> {
    fn render(&self, area: Rect, buffer: &mut Buffer) {
        match self {
            Self::Head(board) => head(board, area, buffer),
            Self::Text(line) => line.render(area, buffer),
            Self::History { name, values, latest } => {
                let [label, bars, value] = Layout::horizontal([
                    Constraint::Length(LABEL),
                    Constraint::Fill(1),
                    Constraint::Length(LATEST),
                ])
                .areas(area);
                Line::styled(*name, FAINT).render(label, buffer);
                let shown = &values[values.len().saturating_sub(usize::from(bars.width))..];
                Sparkline::default().data(shown).style(Style::new().fg(Color::Cyan)).render(bars, buffer);
                Line::raw(latest.as_str()).right_aligned().render(value, buffer);
            }
        }
    }
}

fn line<'b>(label: &'static str, mut spans: Vec<Span<'b>>) -> Line<'b> {
    spans.insert(0, Span::styled(format!("{label:<width$}", width = usize::from(LABEL)), FAINT));
    Line::from(spans)
}

/// The scenario, its phase and how much of it is over.
fn head(board: &Board, area: Rect, buffer: &mut Buffer) {
    let what = match board.phase.as_str() {
        "" => board.scenario.clone(),
        phase if board.draining => format!("{}: {phase} (draining)", board.scenario),
        phase => format!("{}: {phase}", board.scenario),
    };
    let title = Line::styled(what, Style::new().add_modifier(Modifier::BOLD));
    let wide = u16::try_from(title.width() + 2).unwrap_or(u16::MAX);
    let [name, gauge, times] =
        Layout::horizontal([Constraint::Length(wide), Constraint::Length(GAUGE), Constraint::Fill(1)])
            .areas(area);
    title.render(name, buffer);
    if let Some(set_up) = &board.set_up {
        buffer.set_style(gauge, Style::new().fg(Color::Cyan).bg(Color::DarkGray));
        Line::raw(bar(set_up.done as f64 / set_up.of.max(1) as f64)).render(gauge, buffer);
        let text = format!("  {} {} of {}", set_up.step, count(set_up.done), count(set_up.of));
        return Line::raw(text).render(times, buffer);
    }
    if board.planned_ns == 0 {
        return;
    }
    let (elapsed, planned) = (board.elapsed_ns.min(board.planned_ns), board.planned_ns);
    let ratio = elapsed as f64 / planned as f64;
    buffer.set_style(gauge, Style::new().fg(Color::Cyan).bg(Color::DarkGray));
    Line::raw(bar(ratio)).render(gauge, buffer);
    let text =
        format!("  {} of {}, {} left", duration(elapsed), duration(planned), duration(planned - elapsed));
    Line::raw(text).render(times, buffer);
}

/// A share of [`GAUGE`] columns, to an eighth of one.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a few columns")]
fn bar(ratio: f64) -> String {
    let eighths = (ratio.clamp(0.0, 1.0) * f64::from(GAUGE) * 8.0) as usize;
    let rest = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
    "█".repeat(eighths / 8) + rest
}

fn users(board: &Board) -> Line<'_> {
    let mut spans = vec![Span::raw(format!(
        "{} of {} ready, {} connected, {} logins/s",
        count(board.ready),
        count(board.target),
        count(board.connected),
        rate(board.logins_per_second)
    ))];
    let failures = format!(", {} failed", count(board.login_failures));
    spans.push(if board.login_failures > 0 { Span::styled(failures, BAD) } else { failures.into() });
    line("users", spans)
}

fn delivery(board: &Board) -> Vec<Span<'_>> {
    let spans = board.strays().map(|(what, number)| {
        let text = format!("{} {what}  ", count(number));
        if number > 0 { Span::styled(text, BAD) } else { text.into() }
    });
    spans.into()
}

fn harness(board: &Board) -> Vec<Span<'_>> {
    let harness = &board.harness;
    let health = &harness.health;
    let mut words = vec![
        format!("send lag p99 {}", harness.send_lag_p99_ns.map_or_else(|| "-".to_owned(), duration)),
        format!("busy {}", percent(health.busy_ratio)),
        format!("CPU {}", percent(health.cpu_ratio)),
        format!("wait {}", percent(health.wait_ratio)),
        format!("steal {}", percent(health.stolen_ratio)),
        format!("memory {}", bytes(harness.rss_bytes)),
    ];
    words.extend(
        harness.descriptors.map(|(open, most)| format!("descriptors {} of {}", count(open), count(most))),
    );
    words.into_iter().map(|word| Span::raw(word + "  ")).collect()
}

/// Two lines for each row: the last second, and the phase so far.
fn table(rows: &[Row]) -> Vec<Line<'_>> {
    let mut cells = vec![["", "", "asked/s", "sent/s"].map(str::to_owned).to_vec()];
    cells[0].extend(QUANTILES.iter().map(|(name, _)| (*name).to_owned()));
    cells[0].push("errors".to_owned());
    let latencies = |latencies: &Latencies| latencies.0.map(|ns| ns.map_or_else(|| "-".to_owned(), duration));
    for row in rows {
        let intended = if row.intended_rate > 0.0 { rate(row.intended_rate) } else { "-".to_owned() };
        let mut now = vec![row.name.clone(), "1 s".to_owned(), intended, rate(row.achieved_rate)];
        now.extend(latencies(&row.second));
        now.push(count(row.errors));
        let mut phase = vec![String::new(), "phase".to_owned(), String::new(), String::new()];
        phase.extend(latencies(&row.phase));
        cells.extend([now, phase]);
    }
    let styled = columns(&cells, 2).into_iter().enumerate().map(|(at, text)| match at {
        0 => Line::styled(text, FAINT),
        at if at % 2 == 1 && rows[at / 2].errors > 0 => Line::styled(text, Style::new().fg(Color::Red)),
        _ => Line::raw(text),
    });
    styled.collect()
}

fn lights(lights: &[(String, Light)]) -> Vec<Span<'_>> {
    let spans = lights.iter().map(|(name, light)| {
        let (mark, style) = match light {
            Light::Unknown => ("·", FAINT),
            Light::Green => ("✓", GOOD),
            Light::Red => ("✗", BAD),
        };
        Span::styled(format!("{mark} {name}  "), style)
    });
    spans.collect()
}

/// As many lines as the spans, each with a space behind it, need side by side.
fn wrapped<'b>(label: &'static str, spans: Vec<Span<'b>>, width: u16) -> Vec<Line<'b>> {
    let mut lines: Vec<Line<'b>> = Vec::new();
    for span in spans {
        let shown = Span::raw(span.content.trim_end()).width();
        match lines.last_mut() {
            Some(last) if last.width() + shown <= usize::from(width) => last.push_span(span),
            _ => lines.push(line(if lines.is_empty() { label } else { "" }, vec![span])),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::dashboard::board::{Harness, Server};
    use crate::metrics::{Counts, PhaseHealth};

    fn board() -> Board {
        let latencies = |ms: u64| Latencies([1, 2, 3, 4, 5].map(|n| Some(n * ms * 1_000_000)));
        let row = |name: &str, errors| Row {
            name: name.into(),
            intended_rate: 500.0,
            achieved_rate: 498.0,
            second: latencies(1),
            phase: latencies(2),
            errors,
        };
        Board {
            scenario: "10k presence".into(),
            phase: "steady".into(),
            elapsed_ns: 15_000_000_000,
            planned_ns: 60_000_000_000,
            connected: 10_000,
            ready: 9_999,
            target: 10_000,
            rows: vec![row("presence", 0), row("presence each", 2)],
            counts: Counts { lost: 3, ..Counts::default() },
            p99_history: vec![1_000_000, 2_000_000, 3_200_000],
            rate_history: vec![500, 499, 498],
            harness: Harness {
                health: PhaseHealth { busy_ratio: 0.234, stolen_ratio: 0.004, ..PhaseHealth::default() },
                send_lag_p99_ns: Some(80_000),
                descriptors: Some((10_023, 20_000)),
                ..Harness::default()
            },
            server: Some(Server { name: "beam.smp".into(), cpu_ratio: 0.61, rss_bytes: 512 << 20 }),
            lights: vec![
                ("presence.missing max 0".into(), Light::Green),
                ("presence.fanout_complete.p99 max 2ms".into(), Light::Red),
                ("steady presence.service.p99 max 2ms".into(), Light::Unknown),
            ],
            ..Board::default()
        }
    }

    fn lines(buffer: &Buffer) -> Vec<String> {
        let rows = buffer.area.rows().map(|row| {
            let cells = (0..row.width).map(|x| buffer[(x, row.y)].symbol()).collect::<String>();
            cells.trim_end().to_owned()
        });
        rows.collect()
    }

    #[test]
    fn a_whole_board() {
        let want = [
            "10k presence: steady  ██████                    15.0 s of 60.0 s, 45.0 s left",
            "users    9,999 of 10,000 ready, 10,000 connected, 0.00 logins/s, 0 failed",
            "delivery 3 lost  0 missing  0 duplicated  0 reordered  0 unexpected  0 late  0 timed out",
            "harness  send lag p99 80.0 µs  busy 23.4 %  CPU 0.0 %  wait 0.0 %  steal 0.4 %  memory 0 B",
            "         descriptors 10,023 of 20,000",
            "target   beam.smp  CPU 61.0 %  memory 512 MiB",
            "                      asked/s  sent/s      p50      p90      p99    p99.9      max  errors",
            "presence       1 s        500     498  1.00 ms  2.00 ms  3.00 ms  4.00 ms  5.00 ms       0",
            "               phase                   2.00 ms  4.00 ms  6.00 ms  8.00 ms  10.0 ms",
            "presence each  1 s        500     498  1.00 ms  2.00 ms  3.00 ms  4.00 ms  5.00 ms       2",
            "               phase                   2.00 ms  4.00 ms  6.00 ms  8.00 ms  10.0 ms",
            "p99      ▂▅█                                                                                  3.20 ms",
            "rate     █▇▇                                                                                    498/s",
            "slo      ✓ presence.missing max 0  ✗ presence.fanout_complete.p99 max 2ms",
            "         · steady presence.service.p99 max 2ms",
        ];
        let shown = lines(&render(&board(), 101, 40));
        assert_eq!(shown, want, "\n{}", shown.join("\n"));
    }

    #[test]
    fn what_is_bad_is_red() {
        let colour_of = |board: &Board, word: &str| {
            let buffer = render(board, 120, 40);
            let lines = lines(&buffer);
            let y = lines.iter().position(|line| line.contains(word)).unwrap();
            let x = lines[y][..lines[y].find(word).unwrap()].chars().count();
            buffer[(u16::try_from(x).unwrap(), u16::try_from(y).unwrap())].fg
        };
        let mut board = board();
        for (word, colour) in [
            ("3 lost", Color::Red),
            ("0 missing", Color::Reset),
            ("presence each", Color::Red),
            ("presence  ", Color::Reset),
            ("✓", Color::Green),
            ("✗", Color::Red),
            (", 0 failed", Color::Reset),
        ] {
            assert_eq!(colour_of(&board, word), colour, "{word}");
        }
        board.login_failures = 1;
        board.first_error = Some("no route".into());
        board.harness.health.busy_ratio = 0.9;
        for word in [", 1 failed", "THE HARNESS IS THE LIMIT: busy", "no route"] {
            assert_eq!(colour_of(&board, word), Color::Red, "{word}");
        }
    }

    #[test]
    fn the_gauge_fills_evenly() {
        let full = usize::from(GAUGE);
        let cases = [
            (0.0, String::new()),
            (0.5, "█".repeat(full / 2)),
            (1.0, "█".repeat(full)),
            (2.0, "█".repeat(full)),
        ];
        for (ratio, want) in cases {
            assert_eq!(bar(ratio), want, "{ratio}");
        }
        assert_eq!(bar(1.5 / f64::from(GAUGE)), "█▌");
    }

    #[test]
    fn any_space_will_do() {
        let board = board();
        for (width, height) in [(0, 0), (1, 1), (5, 3), (20, 40), (80, 2), (500, 100)] {
            let area = render(&board, width, height).area;
            assert!(area.width == width && area.height <= height, "{area:?}");
        }
        assert_eq!(lines(&render(&board, 80, 1)).len(), 1, "the first lines are kept");
        let empty = lines(&render(&Board { scenario: "x".into(), ..Board::default() }, 80, 40));
        assert_eq!(empty.len(), 6, "{empty:?}");
    }
}
