//! Durations, rates and sizes as people write them: `250ms`, `500/s`, `2KB`.
//!
//! A number without its unit is refused: nothing here guesses one.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::Rate;
use crate::limits::{ARRIVAL_RATE_MAX, SOURCE_ADDRESSES_MAX};

/// The leading number of `text` and what is behind it.
fn number(text: &str) -> Option<(f64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_').unwrap_or(text.len());
    let number: f64 = text[..end].replace('_', "").parse().ok()?;
    Some((number, text[end..].trim_start()))
}

/// `250ms`: ns, us or µs, ms, s, m, h.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong =
        || format!("`{text}` is no duration; write a number with ns, us, ms, s, m or h, such as \"30s\"");
    let (number, unit) = number(text.trim()).ok_or_else(wrong)?;
    let nanos_per_unit = match unit {
        "ns" => 1.0,
        "us" | "µs" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        "m" | "min" => 60e9,
        "h" => 3600e9,
        _ => return Err(wrong()),
    };
    // Through nanoseconds, so that "1.1s" is 1,100,000,000 ns and not one less.
    let nanos = (number * nanos_per_unit).round();
    if nanos > 1e18 {
        return Err(format!("`{text}` is longer than anybody will wait"));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked: 0 to 1e18")]
    Ok(Duration::from_nanos(nanos as u64))
}

/// `500/s`: per s, m or h.
pub(super) fn rate(text: &str) -> Result<Rate, String> {
    let wrong = || format!("`{text}` is no rate; write a number per s, m or h, such as \"500/s\"");
    let (number, unit) = number(text.trim()).ok_or_else(wrong)?;
    let seconds = match unit.strip_prefix('/').map(str::trim_start) {
        Some("s") => 1.0,
        Some("m" | "min") => 60.0,
        Some("h") => 3600.0,
        _ => return Err(wrong()),
    };
    let per_second = number / seconds;
    if per_second <= 0.0 {
        return Err(format!("`{text}`: a rate is above 0; leave the action out instead"));
    }
    if per_second > ARRIVAL_RATE_MAX {
        return Err(format!("`{text}` is above {ARRIVAL_RATE_MAX:.0}/s, the most that is scheduled"));
    }
    Ok(Rate(per_second))
}

/// `128B`, `2KB` (1000), `2KiB` (1024), up to MB, at most `max`.
pub(super) fn size(text: &str, max: u32) -> Result<u32, String> {
    let wrong =
        || format!("`{text}` is no size; write a number with B, KB, KiB, MB or MiB, such as \"128B\"");
    let (number, unit) = number(text.trim()).ok_or_else(wrong)?;
    let bytes_per_unit = match unit {
        "B" => 1.0,
        "KB" | "kB" => 1e3,
        "KiB" => 1024.0,
        "MB" => 1e6,
        "MiB" => 1024.0 * 1024.0,
        _ => return Err(wrong()),
    };
    let bytes = (number * bytes_per_unit).round();
    if bytes > f64::from(max) {
        return Err(format!("`{text}` is above {max} bytes, what a stanza of any server holds"));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked: 0 to max")]
    Ok(bytes as u32)
}

/// `127.0.0.2`, or `127.0.0.2-127.0.0.5` with both ends included.
pub(super) fn addresses(text: &str) -> Result<Vec<IpAddr>, String> {
    let wrong = || format!("`{text}` is no address or range; write \"127.0.0.2\" or \"127.0.0.2-127.0.0.5\"");
    let Some((first, last)) = text.split_once('-') else {
        return Ok(vec![text.trim().parse().map_err(|_| wrong())?]);
    };
    let first: Ipv4Addr = first.trim().parse().map_err(|_| wrong())?;
    let last: Ipv4Addr = last.trim().parse().map_err(|_| wrong())?;
    let (first, last) = (u32::from(first), u32::from(last));
    if last < first {
        return Err(wrong());
    }
    if (last - first) as usize >= SOURCE_ADDRESSES_MAX {
        return Err(format!("`{text}` has more than {SOURCE_ADDRESSES_MAX} addresses"));
    }
    Ok((first..=last).map(|ip| IpAddr::V4(Ipv4Addr::from(ip))).collect())
}
