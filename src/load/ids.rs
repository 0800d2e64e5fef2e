//! Stanza ids of a run: `<run>-<client>-<seq>` in base 36, at most 20 bytes.
//!
//! An id is all that is known of an operation when its stanza comes back, so it names the client that began it and
//! the operation. Sequence 0 is everything that is no operation (log-in, roster).

use std::io::Write as _;

/// Longest run id.
const RUN_BYTES_MAX: usize = 5;

/// Prefix of all ids of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    bytes: [u8; RUN_BYTES_MAX],
    len: usize,
}

/// What an id of this run says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StanzaId {
    /// Number of the user that sent the stanza.
    pub(super) user: u32,
    /// Number of the operation, from 1 over the whole run; 0 for stanzas that are none.
    pub(super) seq: u64,
}

impl Run {
    /// The letters and digits of `text`, in lower case, up to 5; `x` when there are none.
    pub(super) fn new(text: &str) -> Self {
        let (mut bytes, mut len) = ([0; RUN_BYTES_MAX], 0);
        for byte in text.bytes().filter(u8::is_ascii_alphanumeric).take(RUN_BYTES_MAX) {
            bytes[len] = byte.to_ascii_lowercase();
            len += 1;
        }
        if len == 0 {
            (bytes[0], len) = (b'x', 1);
        }
        Self { bytes, len }
    }

    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.len]).expect("ASCII only")
    }

    /// Appends an id.
    pub(super) fn write(&self, id: StanzaId, out: &mut Vec<u8>) {
        write!(out, "{}-", self.as_str()).expect("memory can be written");
        write_base36(u64::from(id.user), out);
        out.push(b'-');
        write_base36(id.seq, out);
    }

    /// Reads an id; `None` when it is not of this run.
    pub(super) fn parse(&self, text: &str) -> Option<StanzaId> {
        let rest = text.strip_prefix(self.as_str())?.strip_prefix('-')?;
        let (user, seq) = rest.split_once('-')?;
        Some(StanzaId { user: u32::try_from(parse_base36(user)?).ok()?, seq: parse_base36(seq)? })
    }
}

fn write_base36(mut number: u64, out: &mut Vec<u8>) {
    let start = out.len();
    loop {
        out.push(b"0123456789abcdefghijklmnopqrstuvwxyz"[(number % 36) as usize]);
        number /= 36;
        if number == 0 {
            break;
        }
    }
    out[start..].reverse();
}

/// Only what [`write_base36`] writes: no sign, no upper case, no zero in front.
fn parse_base36(text: &str) -> Option<u64> {
    let own = text.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_lowercase());
    if !own || (text.len() > 1 && text.starts_with('0')) {
        return None;
    }
    u64::from_str_radix(text, 36).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn foreign_ids_are_not_ours() {
        let run = Run::new("R7-q");
        assert_eq!(run.as_str(), "r7q");
        for text in
            ["", "r7q", "r7q-", "r7q-1", "r7q-1-", "r7-1-1", "r7q-01-1", "r7q-A-1", "r7q-1-1-1", "r7q-+1-1"]
        {
            assert_eq!(run.parse(text), None, "{text}");
        }
        assert_eq!(Run::new("--").as_str(), "x");
    }

    proptest! {
        #[test]
        fn ids_round_trip_and_stay_short(user in 0u32..crate::limits::USERS_MAX, seq in 0u64..78_000_000_000) {
            let run = Run::new("abcdefgh");
            let mut out = Vec::new();
            run.write(StanzaId { user, seq }, &mut out);
            prop_assert!(out.len() <= 20, "{}", out.len());
            let text = String::from_utf8(out).unwrap();
            prop_assert_eq!(run.parse(&text), Some(StanzaId { user, seq }));
        }
    }
}
