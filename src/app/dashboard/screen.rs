//! Where a board goes: the lines below the cursor of the terminal that stderr is, drawn over at each call.
//!
//! It changes no mode of the terminal and asks it nothing: each frame is one write that goes up as many lines as the last
//! one had, and ends with plain colours at the start of a line. What was on the terminal before stays in its scrollback.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use ratatui::text::Span;

use super::board::Board;
use super::render::render;

/// Lines and columns are as many as the terminal has, and these where it does not tell.
const SIZE: (u16, u16) = (80, 24);
/// Wider is not easier to read.
const WIDTH_MAX: u16 = 140;

/// Draws boards.
#[derive(Debug)]
pub struct Screen {
    colour: bool,
    /// Lines of the last frame.
    lines: u16,
}

impl Screen {
    /// Nothing is drawn yet.
    #[must_use]
    pub const fn new(colour: bool) -> Self {
        Self { colour, lines: 0 }
    }

    /// Draws `board` in place of the last one. There is nobody to tell when that fails.
    pub fn show(&mut self, board: &Board) {
        let (width, height) = size();
        // A line that fills the last column, or a frame that fills the last line, would scroll.
        let buffer = render(board, width.saturating_sub(1).min(WIDTH_MAX), height.saturating_sub(1));
        let frame = frame(&buffer, self.lines, self.colour);
        self.lines = buffer.area.height;
        let _ = io::stderr().lock().write_all(frame.as_bytes());
    }

    /// Takes the last board away.
    pub fn clear(&mut self) {
        let frame = frame(&Buffer::default(), self.lines, self.colour);
        self.lines = 0;
        let _ = io::stderr().lock().write_all(frame.as_bytes());
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if self.lines > 0 {
            self.clear();
        }
    }
}

/// Columns and lines of the terminal.
fn size() -> (u16, u16) {
    match rustix::termios::tcgetwinsize(io::stderr()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col, size.ws_row),
        _ => SIZE,
    }
}

/// What replaces a frame of `before` lines by `buffer` (ECMA-48 control sequences).
fn frame(buffer: &Buffer, before: u16, colour: bool) -> String {
    let mut text = String::from("\r");
    if before > 0 {
        let _ = write!(text, "\x1b[{before}A");
    }
    for row in buffer.area.rows() {
        let cells: Vec<&Cell> = (0..row.width).map(|x| &buffer[(x, row.y)]).collect();
        write_row(&cells, colour, &mut text);
        text.push_str("\x1b[K\n");
    }
    text.push_str("\x1b[J");
    text
}

fn write_row(cells: &[&Cell], colour: bool, text: &mut String) {
    let is_blank = |cell: &&Cell| cell.symbol() == " " && cell.bg == Color::Reset;
    let end = cells.iter().rposition(|cell| !is_blank(cell)).map_or(0, |last| last + 1);
    let (mut style, mut skip) = (String::new(), 0);
    for cell in &cells[..end] {
        // A wide character takes the cells behind it, too.
        if skip > 0 {
            skip -= 1;
            continue;
        }
        skip = Span::raw(cell.symbol()).width().saturating_sub(1);
        let wanted = if colour { sgr(cell) } else { String::new() };
        if wanted != style {
            let _ = write!(text, "\x1b[0{wanted}m");
            style = wanted;
        }
        text.push_str(cell.symbol());
    }
    if !style.is_empty() {
        text.push_str("\x1b[0m");
    }
}

/// Parameters that follow a reset, each with its semicolon.
fn sgr(cell: &Cell) -> String {
    let codes = [(Color::Red, 31), (Color::Green, 32), (Color::Cyan, 36), (Color::DarkGray, 90)];
    let number = |colour: Color| codes.iter().find(|(known, _)| *known == colour).map(|(_, code)| *code);
    let mut parameters = String::new();
    if cell.modifier.contains(Modifier::BOLD) {
        parameters.push_str(";1");
    }
    for code in [number(cell.fg), number(cell.bg).map(|code| code + 10)].into_iter().flatten() {
        let _ = write!(parameters, ";{code}");
    }
    parameters
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    use super::*;

    fn buffer() -> Buffer {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 10, 2));
        buffer.set_string(0, 0, "ab", Style::new().fg(Color::Red).add_modifier(Modifier::BOLD));
        buffer.set_string(2, 0, "c", Style::new());
        buffer.set_string(0, 1, "日本", Style::new());
        buffer
    }

    #[test]
    fn a_frame_replaces_the_last_one() {
        assert_eq!(frame(&buffer(), 0, true), "\r\x1b[0;1;31mab\x1b[0mc\x1b[K\n日本\x1b[K\n\x1b[J");
        assert_eq!(frame(&buffer(), 3, false), "\r\x1b[3Aabc\x1b[K\n日本\x1b[K\n\x1b[J");
        assert_eq!(frame(&Buffer::default(), 2, true), "\r\x1b[2A\x1b[J");
    }

    #[test]
    fn names_cannot_move_the_cursor() {
        let board = Board { scenario: "a\x1b[2Jb\nc".into(), ..Board::default() };
        let frame = frame(&render(&board, 40, 10), 0, false);
        let first = frame.lines().next().unwrap();
        assert!(!first.contains("\x1b[2J") && first.ends_with("\x1b[K"), "{first:?}");
    }
}
