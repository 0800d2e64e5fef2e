//! Bitmaps of 64 bytes, made in two ways. Which byte belongs in which bitmap is said by the test's naive version.

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
    /// Becomes about `bytes` from `pos`, which is inside, to 64 bytes further or the end.
    ///
    /// Written in place: a result in memory would be copied in other sizes than it was stored, which stalls.
    #[inline(always)]
    pub(super) fn load(&mut self, bytes: &[u8], pos: usize) {
        match bytes[pos..].first_chunk() {
            Some(chunk) => self.set(chunk),
            None => self.load_end(bytes, pos),
        }
    }

    /// [`Self::load`] with less than 64 bytes to come.
    #[inline(never)]
    fn load_end(&mut self, bytes: &[u8], pos: usize) {
        // The last 64 bytes, shifted; or, of a buffer that is shorter, a copy.
        let (seen, there) = if let Some(chunk) = bytes.last_chunk() {
            self.set(chunk);
            (pos + 64 - bytes.len(), u64::MAX)
        } else {
            let mut chunk = [0; 64];
            let rest = &bytes[pos..];
            chunk[..rest.len()].copy_from_slice(rest);
            self.set(&chunk);
            (0, (1 << rest.len()) - 1)
        };
        for mask in [&mut self.stop, &mut self.name_end, &mut self.odd, &mut self.wide] {
            *mask = (*mask & there) >> seen;
        }
    }

    /// Becomes about exactly these bytes.
    #[inline(always)]
    fn set(&mut self, chunk: &[u8; 64]) {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            #[allow(unsafe_code, reason = "the framer is 1.7 times as fast as with the portable version")]
            // SAFETY: the processor has AVX2, which is all that the function asks for.
            unsafe {
                avx2::set(self, chunk);
            }
            return;
        }
        *self = Self::portable(chunk);
    }

    /// Written so that a compiler makes vector instructions of the first loop, whatever the processor has.
    #[inline(never)]
    fn portable(chunk: &[u8; 64]) -> Self {
        let mut classes = [0; 64];
        for (class, &byte) in classes.iter_mut().zip(chunk) {
            let markup = (byte | 0x02 == b'>') | (byte | 0x01 == b'\'') | (byte == b'"');
            let control = (byte < 0x20) & (byte != b'\t') & (byte != b'\n') & (byte != b'\r');
            let letter = (byte | 0x20).wrapping_sub(b'a') < 26;
            let digit_or_colon = byte.wrapping_sub(b'0') < 11;
            let sign = (byte == b'-') | (byte == b'.') | (byte == b'_');
            let wide = byte >= 0x80;
            *class = u8::from(markup | control)
                | u8::from(!(letter | digit_or_colon | sign | wide)) << 1
                | u8::from((byte == b':') | wide) << 2
                | u8::from(wide) << 3;
        }
        let mut masks = Self::default();
        let (words, _) = classes.as_chunks::<8>();
        for (at, word) in words.iter().enumerate() {
            let word = u64::from_le_bytes(*word);
            // The product moves the lowest bit of each byte to its place in the highest byte.
            let bits = |class: u32| {
                (((word >> class) & 0x0101_0101_0101_0101).wrapping_mul(0x0102_0408_1020_4080) >> 56)
                    << (8 * at)
            };
            masks.stop |= bits(0);
            masks.name_end |= bits(1);
            masks.odd |= bits(2);
            masks.wide |= bits(3);
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

    /// [`Masks::set`].
    #[target_feature(enable = "avx2")]
    pub(super) fn set(masks: &mut Masks, chunk: &[u8; 64]) {
        let (lanes, _) = chunk.as_chunks::<32>();
        let [a, b] = [half(&lanes[0]), half(&lanes[1])];
        let both = |a: __m256i, b: __m256i| u64::from(bits(a)) | u64::from(bits(b)) << 32;
        masks.stop = !both(a.plain, b.plain);
        masks.name_end = both(a.name_end, b.name_end);
        masks.odd = both(a.odd, b.odd);
        masks.wide = both(a.wide, b.wide);
    }

    /// The highest bit of each byte counts.
    struct Half {
        plain: __m256i,
        name_end: __m256i,
        odd: __m256i,
        wide: __m256i,
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn half(bytes: &[u8; 32]) -> Half {
        let bytes = load(bytes);
        let high = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), _mm256_set1_epi8(0x0F));
        // Bytes above ASCII are looked up as 0 by the low half, so they are in no set.
        let sets = _mm256_and_si256(
            _mm256_shuffle_epi8(table(&HIGH), high),
            _mm256_shuffle_epi8(table(&LOW), bytes),
        );
        let in_none = |sets_of_class: i8| {
            _mm256_cmpeq_epi8(_mm256_and_si256(sets, _mm256_set1_epi8(sets_of_class)), _mm256_setzero_si256())
        };
        Half {
            plain: in_none(STOP),
            name_end: _mm256_andnot_si256(bytes, in_none(NAME)),
            odd: _mm256_or_si256(bytes, _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(b':'.cast_signed()))),
            wide: bytes,
        }
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn load(bytes: &[u8; 32]) -> __m256i {
        #[allow(unsafe_code, reason = "the compiler makes eight instructions of what is safe")]
        // SAFETY: 32 bytes may be read behind the reference, and the load asks for no alignment.
        unsafe {
            _mm256_loadu_si256(std::ptr::from_ref(bytes).cast())
        }
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
    use super::super::{CONTROL, NAME, class};
    use super::*;

    /// What each bitmap means.
    fn naive(chunk: &[u8; 64]) -> Masks {
        let mut masks = Masks::default();
        for (at, &byte) in chunk.iter().enumerate() {
            let stops = class(byte) & CONTROL != 0 || matches!(byte, b'<' | b'>' | b'&' | b'"' | b'\'');
            masks.stop |= u64::from(stops) << at;
            masks.name_end |= u64::from(class(byte) & NAME == 0) << at;
            masks.odd |= u64::from(byte == b':' || byte >= 0x80) << at;
            masks.wide |= u64::from(byte >= 0x80) << at;
        }
        masks
    }

    fn loaded(bytes: &[u8], pos: usize) -> Masks {
        let mut masks = Masks::default();
        masks.load(bytes, pos);
        masks
    }

    #[test]
    fn all_versions_agree_on_every_byte_at_every_place() {
        for at in 0..64 {
            for byte in 0..=255 {
                for filler in [b'a', b'<', b' ', 0xC3] {
                    let mut chunk = [filler; 64];
                    chunk[at] = byte;
                    assert_eq!(loaded(&chunk, 0), naive(&chunk), "{byte:#x} at {at}");
                    assert_eq!(Masks::portable(&chunk), naive(&chunk), "{byte:#x} at {at}");
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
                assert_eq!(loaded(&bytes[..len], pos), naive(&chunk), "{pos} of {len}");
            }
        }
    }
}
