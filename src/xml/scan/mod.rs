//! Byte classes and searches of the framer.
//!
//! Nothing here knows where in a document it is: each search says at which byte the caller has to look.
//!
//! # How the searches are fast
//!
//! The obvious search walks a run byte by byte, asks a table, and mispredicts one branch at the end of each run; runs
//! are 5 to 30 bytes, so that branch is most of the time. Instead:
//!
//! 1. 64 bytes are classified at once into bitmaps ([`Masks`]), one bit for each byte, with no branch.
//! 2. "The first stop at or behind `pos`" is then a shift and a count of trailing zeros, and the next search in the
//!    same 64 bytes reuses the bitmaps.
//! 3. What is rare (bytes above ASCII, control characters, colons in names) is one test of a bitmap against zero.

mod masks;

pub(super) use self::masks::Masks;

/// Byte may begin a name (bytes above ASCII are judged as characters later).
pub(super) const NAME_START: u8 = 1;
/// Byte may stand inside a name.
pub(super) const NAME: u8 = 2;
/// White space of XML 1.0 §2.3.
pub(super) const SPACE: u8 = 4;
/// Control character that XML 1.0 §2.2 does not have.
pub(super) const CONTROL: u8 = 8;

const CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "below 256")]
        let byte = at as u8;
        table[at] = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80..=0xFF => NAME_START | NAME,
            b'0'..=b'9' | b'-' | b'.' | b':' => NAME,
            b' ' | b'\t' | b'\n' | b'\r' => SPACE,
            0..0x20 => CONTROL,
            _ => 0,
        };
        at += 1;
    }
    table
}

/// The classes that `byte` belongs to.
#[inline]
pub(super) const fn class(byte: u8) -> u8 {
    CLASSES[byte as usize]
}

/// Searches in one buffer, mostly forward.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scan<'a> {
    bytes: &'a [u8],
    /// Where the 64 bytes begin that `masks` is about.
    base: usize,
    masks: Masks,
}

impl<'a> Scan<'a> {
    #[inline]
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        // No position is within 64 bytes of this base, so the first search loads.
        Self { bytes, base: usize::MAX - 64, masks: Masks::default() }
    }

    /// Index of the first byte at or behind `from` that is `<`, `>`, `&`, a quote or an illegal control character; or
    /// the length. `wide` is set when there is a byte above ASCII before it.
    #[inline(always)]
    pub(super) fn stop(&mut self, from: usize, wide: &mut bool) -> usize {
        let offset = from.wrapping_sub(self.base);
        let stops = if offset < 64 { self.masks.stop >> offset } else { 0 };
        if stops != 0 {
            // All bits below the first stop.
            *wide |= (self.masks.wide >> offset) & (stops.wrapping_sub(1) & !stops) != 0;
            return from + stops.trailing_zeros() as usize;
        }
        self.stop_further(from, wide)
    }

    /// [`Self::stop`] when it is not within the 64 bytes.
    #[inline(never)]
    fn stop_further(&mut self, from: usize, wide: &mut bool) -> usize {
        let mut pos = from;
        while let Some(offset) = self.offset(pos) {
            let stops = self.masks.stop >> offset;
            *wide |= (self.masks.wide >> offset) & (stops.wrapping_sub(1) & !stops) != 0;
            if stops != 0 {
                return pos + stops.trailing_zeros() as usize;
            }
            pos = self.base + 64;
        }
        self.bytes.len()
    }

    /// Index of the first byte at or behind `from` that cannot be part of a name, or the length; and whether all bytes
    /// before it are ASCII and none is a colon.
    #[inline(always)]
    pub(super) fn name_end(&mut self, from: usize) -> (usize, bool) {
        let offset = from.wrapping_sub(self.base);
        let ends = if offset < 64 { self.masks.name_end >> offset } else { 0 };
        if ends != 0 {
            let plain = (self.masks.odd >> offset) & (ends ^ (ends - 1)) == 0;
            return (from + ends.trailing_zeros() as usize, plain);
        }
        self.name_end_further(from)
    }

    /// [`Self::name_end`] when it is not within the 64 bytes.
    #[inline(never)]
    fn name_end_further(&mut self, from: usize) -> (usize, bool) {
        let mut plain = true;
        let mut pos = from;
        while let Some(offset) = self.offset(pos) {
            let ends = self.masks.name_end >> offset;
            plain &= (self.masks.odd >> offset) & (ends ^ ends.wrapping_sub(1)) == 0;
            if ends != 0 {
                return (pos + ends.trailing_zeros() as usize, plain);
            }
            pos = self.base + 64;
        }
        (self.bytes.len(), plain)
    }

    /// Offset of `pos` in the bitmaps, which are loaded if they are not about it; `None` behind the end.
    #[inline(always)]
    fn offset(&mut self, pos: usize) -> Option<usize> {
        let offset = pos.wrapping_sub(self.base);
        if offset < 64 {
            return Some(offset);
        }
        if pos >= self.bytes.len() {
            return None;
        }
        look_at((self.bytes.len() - pos).min(64));
        self.masks.load(self.bytes, pos);
        self.base = pos;
        Some(0)
    }
}

/// The first bytes of the `len` at `start`, at most 8, as a number: names of up to 8 bytes are equal when their length
/// and this are. Names are short, and a call of `memcmp` costs more than its work.
#[inline(always)]
pub(super) fn prefix(bytes: &[u8], start: usize, len: usize) -> u64 {
    // The lowest bytes of a number, by how many.
    const LOWEST: [u64; 9] = [
        0,
        0xFF,
        0xFFFF,
        0xFF_FFFF,
        0xFFFF_FFFF,
        0xFF_FFFF_FFFF,
        0xFFFF_FFFF_FFFF,
        0xFF_FFFF_FFFF_FFFF,
        u64::MAX,
    ];
    match bytes[start..].first_chunk() {
        Some(chunk) => u64::from_le_bytes(*chunk) & LOWEST[len.min(8)],
        None => prefix_at_end(bytes, start, len),
    }
}

#[cold]
fn prefix_at_end(bytes: &[u8], start: usize, len: usize) -> u64 {
    let mut chunk = [0; 8];
    let len = len.min(8);
    chunk[..len].copy_from_slice(&bytes[start..start + len]);
    u64::from_le_bytes(chunk)
}

/// Whether the `len` bytes at `a` and at `b` are the same; both are there.
#[inline(always)]
pub(super) fn same(bytes: &[u8], a: usize, b: usize, len: usize) -> bool {
    prefix(bytes, a, len) == prefix(bytes, b, len) && (len <= 8 || bytes[a..a + len] == bytes[b..b + len])
}

/// Index of the first byte at or behind `from` that is no white space, or the length.
#[inline]
pub(super) fn skip_space(bytes: &[u8], from: usize) -> usize {
    find(bytes, from, |byte| class(byte) & SPACE == 0)
}

/// `bytes` as text, if it is UTF-8.
///
/// `from_utf8` goes byte by byte to an aligned place and from the last one: for a tag that is most of its time.
#[inline]
pub(super) fn text(bytes: &[u8]) -> Option<&str> {
    if bytes.is_ascii() {
        #[allow(unsafe_code, reason = "a look at a stanza's tag takes a third less time")]
        // SAFETY: ASCII is UTF-8.
        return Some(unsafe { std::str::from_utf8_unchecked(bytes) });
    }
    std::str::from_utf8(bytes).ok()
}

#[inline]
fn find(bytes: &[u8], from: usize, is_it: impl Fn(u8) -> bool) -> usize {
    let found = bytes[from..].iter().position(|&byte| is_it(byte)).map_or(bytes.len(), |at| from + at);
    look_at(found - from);
    found
}

/// Index of `byte` at or behind `from`.
#[inline]
pub(super) fn find_byte(bytes: &[u8], from: usize, byte: u8) -> Option<usize> {
    let found = memchr::memchr(byte, &bytes[from..]).map(|at| from + at);
    look_at(found.unwrap_or(bytes.len()) - from);
    found
}

/// Whether U+FFFE or U+FFFF, which are no characters of XML 1.0 §2.2, are in `utf8`.
pub(super) fn has_noncharacter(utf8: &[u8]) -> bool {
    memchr::memchr_iter(0xEF, utf8).any(|at| matches!(utf8.get(at + 1..at + 3), Some([0xBF, 0xBE | 0xBF])))
}

#[cfg(test)]
thread_local! {
    /// How many bytes searches of this thread have looked at.
    pub(super) static LOOKED_AT: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Counts bytes for the test that none is scanned twice.
#[inline]
fn look_at(_bytes: usize) {
    #[cfg(test)]
    LOOKED_AT.set(LOOKED_AT.get() + _bytes);
}
