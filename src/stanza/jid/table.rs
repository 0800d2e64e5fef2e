//! Byte classes of prepared ASCII addresses.
//!
//! This table does not decide that an address is bad: what is not in it is left to the library.

/// May stand in a prepared localpart: lower case, no `" & ' / : < > @` (RFC 7622 §3.3.1), no space, no control.
pub(super) const LOCAL: u8 = 1;
/// May stand in a prepared domain: the letters, digits and hyphens of NR-LDH labels (RFC 5890 §2.3.2.2), and dots.
pub(super) const DOMAIN: u8 = 2;
/// May stand in a resource: printable ASCII, space included; case is kept.
pub(super) const RESOURCE: u8 = 4;
/// The same inside a raw attribute value, where `&` begins a reference.
pub(super) const RESOURCE_RAW: u8 = 8;

/// Longest label and longest name of the DNS (RFC 1034 §3.1, in text form without the root's dot).
const LABEL_BYTES_MAX: usize = 63;
const DOMAIN_BYTES_MAX: usize = 253;

/// Classes of `byte`.
pub(super) const fn class_of(byte: u8) -> u8 {
    CLASSES[byte as usize]
}

/// Whether bytes of class [`DOMAIN`] make a domain: labels of 1 to 63 bytes without hyphen at either end, and none
/// that looks like an A-label (`xn--`), which the slow path turns into a U-label.
pub(super) fn is_domain(domain: &[u8]) -> bool {
    if domain.is_empty() || domain.len() > DOMAIN_BYTES_MAX {
        return false;
    }
    let mut label_start = 0;
    for i in 0..=domain.len() {
        if i < domain.len() && domain[i] != b'.' {
            continue;
        }
        let label = &domain[label_start..i];
        if label.is_empty()
            || label.len() > LABEL_BYTES_MAX
            || label[0] == b'-'
            || label[label.len() - 1] == b'-'
            || label.get(2..4) == Some(b"--")
        {
            return false;
        }
        label_start = i + 1;
    }
    true
}

static CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0x20_u8;
    while byte < 0x7f {
        let mut class = RESOURCE;
        if byte != b'&' {
            class |= RESOURCE_RAW;
        }
        if !matches!(byte, b' ' | b'"' | b'&' | b'\'' | b'/' | b':' | b'<' | b'>' | b'@' | b'A'..=b'Z') {
            class |= LOCAL;
        }
        if matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.') {
            class |= DOMAIN;
        }
        classes[byte as usize] = class;
        byte += 1;
    }
    classes
};
