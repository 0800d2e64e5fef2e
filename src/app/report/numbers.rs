//! Numbers as people read them: three digits, a unit, thousands apart; and columns.
//!
//! It rounds for the eye only; `result.json` holds the exact values.

/// `1,234,567`
#[must_use]
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Nanoseconds with three digits: `912 µs`, `1.23 ms`, `65.0 s`.
#[must_use]
pub fn duration(ns: u64) -> String {
    let (unit, name) = match ns {
        0..1_000 => return format!("{ns} ns"),
        1_000..1_000_000 => (1e3, "µs"),
        1_000_000..1_000_000_000 => (1e6, "ms"),
        _ => (1e9, "s"),
    };
    format!("{} {name}", three_digits(ns as f64 / unit))
}

/// Bytes in binary units: `12.0 MiB`.
#[must_use]
pub fn bytes(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{} {}", three_digits(value), units[unit])
}

/// A rate with three digits below a thousand, whole above: `99.8`, `12,000`.
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rates are finite and not negative"
)]
pub fn rate(per_second: f64) -> String {
    if per_second < 1_000.0 { three_digits(per_second) } else { count(per_second.round() as u64) }
}

/// `12.3 %`
#[must_use]
pub fn percent(ratio: f64) -> String {
    format!("{:.1} %", ratio * 100.0)
}

fn three_digits(value: f64) -> String {
    match value {
        v if v < 9.995 => format!("{v:.2}"),
        v if v < 99.95 => format!("{v:.1}"),
        v => format!("{v:.0}"),
    }
}

/// Lines with aligned columns: the first `left` to the left, the others to the right, two spaces between.
#[must_use]
pub fn columns(rows: &[Vec<String>], left: usize) -> Vec<String> {
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..).map_while(width).collect();
    rows.iter()
        .map(|row| {
            let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
                if column < left { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
            });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_the_eye() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        let durations =
            [0, 999, 1_000, 9_994, 9_996, 912_345, 1_234_567, 99_960_000, 65_000_000_000].map(duration);
        assert_eq!(
            durations,
            ["0 ns", "999 ns", "1.00 µs", "9.99 µs", "10.0 µs", "912 µs", "1.23 ms", "100 ms", "65.0 s"]
        );
        assert_eq!([512, 1536, 12 << 20].map(bytes), ["512 B", "1.50 KiB", "12.0 MiB"]);
        assert_eq!([0.5, 99.84, 12_000.4].map(rate), ["0.50", "99.8", "12,000"]);
        assert_eq!(percent(0.1234), "12.3 %");
    }

    #[test]
    fn columns_line_up() {
        let rows =
            [vec!["a".to_owned(), "1".to_owned()], vec!["µµµ".to_owned(), "100".to_owned(), "x".to_owned()]];
        assert_eq!(columns(&rows, 1), ["a      1", "µµµ  100  x"]);
    }
}
