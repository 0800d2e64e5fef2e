//! Bitmaps of 64 bytes. Which byte is in which bitmap is said once, by the portable version; SSE2 has to agree.

use super::{CONTROL, NAME, class};

/// One bit for each of 64 bytes, the first byte lowest. Bytes behind the end of a buffer are in no bitmap.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::xml) struct Masks {
    /// `<`, `>`, `&`, a quote, or a control character that XML does not have.
    pub(super) stop: u64,
    /// Not part of a name. Bytes above ASCII may be.
    pub(super) name_end: u64,
    /// In a name, and not plain: `:`, or not ASCII.
    pub(super) odd: u64,
    /// Not ASCII.
    pub(super) wide: u64,
}

impl Masks {
    /// Of `bytes` from `pos`, which is inside, to 64 bytes further or the end.
    #[inline(always)]
    pub(super) fn at(bytes: &[u8], pos: usize) -> Self {
        match bytes[pos..].first_chunk() {
            Some(chunk) => Self::of(chunk),
            None => Self::at_end(bytes, pos),
        }
    }

    /// [`Masks::at`] with less than 64 bytes to come: of the last 64 bytes, shifted.
    fn at_end(bytes: &[u8], pos: usize) -> Self {
        if let Some(chunk) = bytes.last_chunk::<64>() {
            let Self { stop, name_end, odd, wide } = Self::of(chunk);
            let seen = pos + 64 - bytes.len();
            return Self {
                stop: stop >> seen,
                name_end: name_end >> seen,
                odd: odd >> seen,
                wide: wide >> seen,
            };
        }
        let mut chunk = [0; 64];
        let rest = &bytes[pos..];
        chunk[..rest.len()].copy_from_slice(rest);
        let Self { stop, name_end, odd, wide } = Self::of(&chunk);
        let there = (1 << rest.len()) - 1;
        Self { stop: stop & there, name_end: name_end & there, odd: odd & there, wide: wide & there }
    }

    /// Of exactly these bytes.
    #[inline(always)]
    fn of(chunk: &[u8; 64]) -> Self {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            #[allow(unsafe_code, reason = "5 times faster, and the framer 2 times")]
            // SAFETY: the processor has AVX2, which is all that the function asks for.
            return unsafe { avx2::masks(chunk) };
        }
        Self::portable(chunk)
    }

    /// What each bitmap means.
    fn portable(chunk: &[u8; 64]) -> Self {
        let mut masks = Self::default();
        for (at, &byte) in chunk.iter().enumerate() {
            let stops = class(byte) & CONTROL != 0 || matches!(byte, b'<' | b'>' | b'&' | b'"' | b'\'');
            masks.stop |= u64::from(stops) << at;
            masks.name_end |= u64::from(class(byte) & NAME == 0) << at;
            masks.odd |= u64::from(byte == b':' || byte >= 0x80) << at;
            masks.wide |= u64::from(byte >= 0x80) << at;
        }
        masks
    }
}

/// 32 bytes at a time.
///
/// A byte is looked up twice, by its high and by its low half, in tables of 16 entries; it is in the set of a bit when
/// both entries have that bit. Each set is thus a product, and the two classes are unions of four:
///
/// | Bit | High half | Low half | Bytes |
/// |---|---|---|---|
/// | 0 | 2 | 2 6 7 | `"` `&` `'` |
/// | 1 | 3 | C E | `<` `>` |
/// | 2 | 0 | all but 9 A D | control characters but white space |
/// | 3 | 1 | all | control characters |
/// | 4 | 4 6 | all but 0 | `A` to `O`, `a` to `o` |
/// | 5 | 3 5 7 | 0 to A | digits and `:`, `P` to `Z`, `p` to `z` |
/// | 6 | 5 | F | `_` |
/// | 7 | 2 | D E | `-` `.` |
#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::*;

    use super::Masks;

    const STOP: i8 = 0x0F;
    const NAME: i8 = 0xF0_u8.cast_signed();
    const HIGH: [u8; 16] = [0x04, 0x08, 0x81, 0x22, 0x10, 0x60, 0x10, 0x20, 0, 0, 0, 0, 0, 0, 0, 0];
    const LOW: [u8; 16] = low();

    const fn low() -> [u8; 16] {
        let mut table = [0; 16];
        let mut half = 0;
        while half < 16 {
            table[half] = 0x08
                | if matches!(half, 2 | 6 | 7) { 0x01 } else { 0 }
                | if matches!(half, 0xC | 0xE) { 0x02 } else { 0 }
                | if matches!(half, 0x9 | 0xA | 0xD) { 0 } else { 0x04 }
                | if half == 0 { 0 } else { 0x10 }
                | if half <= 0xA { 0x20 } else { 0 }
                | if half == 0xF { 0x40 } else { 0 }
                | if matches!(half, 0xD | 0xE) { 0x80 } else { 0 };
            half += 1;
        }
        table
    }

    /// Of exactly these bytes.
    #[target_feature(enable = "avx2")]
    pub(super) fn masks(chunk: &[u8; 64]) -> Masks {
        let (lanes, _) = chunk.as_chunks::<32>();
        let [a, b] = [half(&lanes[0]), half(&lanes[1])];
        let both = |a: u32, b: u32| u64::from(a) | u64::from(b) << 32;
        Masks {
            stop: !both(a[0], b[0]),
            name_end: both(a[1], b[1]) & !both(a[3], b[3]),
            odd: both(a[2] | a[3], b[2] | b[3]),
            wide: both(a[3], b[3]),
        }
    }

    /// No stop, no name (nor above ASCII), colon, above ASCII.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn half(bytes: &[u8; 32]) -> [u32; 4] {
        let bytes = load(bytes);
        let high = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), _mm256_set1_epi8(0x0F));
        // Bytes above ASCII are looked up as 0 by the low half, so they are in no set.
        let sets = _mm256_and_si256(
            _mm256_shuffle_epi8(table(&HIGH), high),
            _mm256_shuffle_epi8(table(&LOW), bytes),
        );
        [
            bits(_mm256_cmpeq_epi8(_mm256_and_si256(sets, _mm256_set1_epi8(STOP)), _mm256_setzero_si256())),
            bits(_mm256_cmpeq_epi8(_mm256_and_si256(sets, _mm256_set1_epi8(NAME)), _mm256_setzero_si256())),
            bits(_mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(b':'.cast_signed()))),
            bits(bytes),
        ]
    }

    /// The intrinsic for a load takes a pointer; the compiler makes the same instruction of this.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn load(bytes: &[u8; 32]) -> __m256i {
        let (words, _) = bytes.as_chunks::<8>();
        let word = |at: usize| i64::from_le_bytes(words[at]);
        _mm256_set_epi64x(word(3), word(2), word(1), word(0))
    }

    /// The same 16 entries for both halves of a register.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn table(entries: &[u8; 16]) -> __m256i {
        let mut twice = [0; 32];
        twice[..16].copy_from_slice(entries);
        twice[16..].copy_from_slice(entries);
        load(&twice)
    }

    /// The highest bit of each byte.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn bits(bytes: __m256i) -> u32 {
        _mm256_movemask_epi8(bytes).cast_unsigned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_agree_on_every_byte_at_every_place() {
        for at in 0..64 {
            for byte in 0..=255 {
                for filler in [b'a', b'<', b' ', 0xC3] {
                    let mut chunk = [filler; 64];
                    chunk[at] = byte;
                    assert_eq!(Masks::of(&chunk), Masks::portable(&chunk), "{byte:#x} at {at}");
                }
            }
        }
    }

    #[test]
    fn the_end_of_a_buffer() {
        let bytes: Vec<u8> = (0..200u8).collect();
        for len in 1..200 {
            for pos in 0..len {
                let mut chunk = [b'a'; 64];
                let rest = &bytes[pos..len.min(pos + 64)];
                chunk[..rest.len()].copy_from_slice(rest);
                assert_eq!(Masks::at(&bytes[..len], pos), Masks::portable(&chunk), "{pos} of {len}");
            }
        }
    }
}
