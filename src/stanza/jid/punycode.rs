//! A-labels to U-labels (RFC 7622 §3.2.1 demands it; the library leaves A-labels as they are).
//!
//! This module decodes only, and does not judge the result: its caller prepares the U-label like any other.

/// RFC 3492 §5.
const BASE: u32 = 36;
const T_MIN: u32 = 1;
const T_MAX: u32 = 26;
const SKEW: u32 = 38;
const DAMP: u32 = 700;
const INITIAL_BIAS: u32 = 72;
const INITIAL_N: u32 = 128;

/// `domain` with each A-label decoded; `None` when one is no Punycode.
pub(super) fn to_unicode(domain: &str) -> Option<String> {
    let mut out = String::with_capacity(domain.len());
    for (i, label) in domain.split('.').enumerate() {
        if i > 0 {
            out.push('.');
        }
        match label.strip_prefix("xn--") {
            Some(encoded) => out.push_str(&decode(encoded)?),
            None => out.push_str(label),
        }
    }
    Some(out)
}

/// RFC 3492 §6.2. A label has at most 63 bytes, so inserting into a vector is cheap enough.
fn decode(encoded: &str) -> Option<String> {
    let (basic, extended) = encoded.rsplit_once('-').unwrap_or(("", encoded));
    let mut chars: Vec<char> = basic.chars().collect();
    let (mut n, mut i, mut bias) = (INITIAL_N, 0_u32, INITIAL_BIAS);
    let mut digits = extended.bytes();
    while digits.len() > 0 {
        let i_before = i;
        let (mut weight, mut k) = (1_u32, BASE);
        loop {
            let digit = digit_value(digits.next()?)?;
            i = i.checked_add(digit.checked_mul(weight)?)?;
            let threshold = k.saturating_sub(bias).clamp(T_MIN, T_MAX);
            if digit < threshold {
                break;
            }
            weight = weight.checked_mul(BASE - threshold)?;
            k += BASE;
        }
        let count = u32::try_from(chars.len()).ok()? + 1;
        bias = adapt(i - i_before, count, i_before == 0);
        n = n.checked_add(i / count)?;
        i %= count;
        chars.insert(i as usize, char::from_u32(n)?);
        i += 1;
    }
    Some(chars.into_iter().collect())
}

/// RFC 3492 §6.1.
fn adapt(delta: u32, count: u32, first: bool) -> u32 {
    let mut delta = if first { delta / DAMP } else { delta / 2 };
    delta += delta / count;
    let mut k = 0;
    while delta > ((BASE - T_MIN) * T_MAX) / 2 {
        delta /= BASE - T_MIN;
        k += BASE;
    }
    k + (BASE - T_MIN + 1) * delta / (delta + SKEW)
}

fn digit_value(byte: u8) -> Option<u32> {
    match byte {
        b'a'..=b'z' => Some(u32::from(byte - b'a')),
        b'0'..=b'9' => Some(u32::from(byte - b'0') + 26),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::to_unicode;

    /// RFC 3492 §7.1 (A), (D), (L), and names in use.
    #[test]
    fn samples_of_the_rfc() {
        for (ascii, unicode) in [
            ("xn--egbpdaj6bu4bxfgehfvwxn", "ليهمابتكلموشعربي؟"),
            ("xn--bcher-kva.example", "bücher.example"),
            ("a.xn--mnchen-3ya.de", "a.münchen.de"),
            ("xn--fsqu00a.xn--0zwm56d", "例子.测试"),
            ("plain.example", "plain.example"),
        ] {
            assert_eq!(to_unicode(ascii).as_deref(), Some(unicode));
        }
    }

    #[test]
    fn no_punycode() {
        for bad in ["xn--bcher-kvA", "xn--a-99999999", "xn--\u{e9}"] {
            assert_eq!(to_unicode(bad), None, "{bad}");
        }
    }
}
