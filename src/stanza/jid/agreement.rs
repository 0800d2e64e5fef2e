//! Localparts that mean the same under stringprep, which servers run today, and under PRECIS, which RFC 7622 asks for.
//!
//! Nothing is prepared here, and PRECIS is not run: who is unsure says no. Accounts that are there already are not asked;
//! a new one gets no name that is another one's, or none, at some server.

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// Whether `prepared`, what stringprep made of `raw`, is what UsernameCaseMapped (RFC 8265 §3.3) makes of it, too.
pub(super) fn agrees(raw: &str, prepared: &str) -> bool {
    if raw.is_ascii() {
        return true;
    }
    // Both map case and compose; what else stringprep maps (ligatures, ß, signs without width) PRECIS keeps or refuses.
    raw.to_lowercase().nfc().eq(prepared.chars())
        && prepared.chars().all(|c| c.is_ascii() || is_identifier(c))
        && !mixes_digits(prepared)
}

/// Whether IdentifierClass has it (RFC 8264 §4.2): letters, marks and digits, without those that have a rule of their own.
fn is_identifier(c: char) -> bool {
    let is_letter_or_digit = matches!(
        c.general_category(),
        GeneralCategory::LowercaseLetter
            | GeneralCategory::OtherLetter
            | GeneralCategory::ModifierLetter
            | GeneralCategory::NonspacingMark
            | GeneralCategory::SpacingMark
            | GeneralCategory::DecimalNumber
    );
    is_letter_or_digit && !is_exception(c)
}

/// RFC 5892 §2.6 and RFC 8264 §9.6, §9.9, §9.13: disallowed, or old Hangul jamo, or without a shape of its own.
fn is_exception(c: char) -> bool {
    matches!(
        u32::from(c),
        0x034f
            | 0x0640
            | 0x07fa
            | 0x1100..=0x11ff
            | 0x17b4
            | 0x17b5
            | 0x180b..=0x180f
            | 0x302e
            | 0x302f
            | 0x3031..=0x3035
            | 0x303b
            | 0x3164
            | 0xa960..=0xa97f
            | 0xd7b0..=0xd7ff
            | 0xfe00..=0xfe0f
            | 0xffa0
            | 0xe0100..=0xe01ef
    )
}

/// Arabic-Indic digits stand beside no others (RFC 5892 Appendix A.8, A.9; RFC 5893 §2, rule 4).
fn mixes_digits(text: &str) -> bool {
    let has_arabic = text.chars().any(|c| matches!(c, '\u{660}'..='\u{669}'));
    has_arabic && text.chars().any(|c| c.is_ascii_digit() || matches!(c, '\u{6f0}'..='\u{6f9}'))
}
