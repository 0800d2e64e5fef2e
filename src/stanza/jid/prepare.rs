//! The slow path of addresses: what the chosen profile makes of each part, and what RFC 7622 asks beyond it.
//!
//! What a profile maps and refuses is its own (`profile.rs`).

use std::borrow::Cow;
use std::net::Ipv6Addr;

use super::profile::AddressProfile;
use super::punycode;
use super::table::{DOMAIN, LOCAL, RESOURCE, class_of, is_domain};
use super::{Jid, JidError, JidRef};
use crate::limits::JID_PART_BYTES_MAX;

/// Splits (RFC 7622 §3.2: first `/`, then first `@`) and prepares.
pub(super) fn parse(text: &str) -> Result<Jid, JidError> {
    let (rest, resource) = match text.split_once('/') {
        Some((rest, resource)) => (rest, Some(resource)),
        None => (text, None),
    };
    let (local, domain) = match rest.split_once('@') {
        Some((local, domain)) => (Some(local), domain),
        None => (None, rest),
    };
    from_parts(local, domain, resource)
}

/// Prepares each part by itself and joins them.
pub(super) fn from_parts(local: Option<&str>, domain: &str, resource: Option<&str>) -> Result<Jid, JidError> {
    let profile = AddressProfile::chosen();
    let local = local.map(|local| prepare_local(local, profile)).transpose()?;
    let domain = prepare_domain(domain)?;
    let resource = resource.map(|resource| prepare_resource(resource, profile)).transpose()?;
    Ok(Jid::join(local.as_deref(), &domain, resource.as_deref()))
}

/// `jid` with a prepared `resource`.
pub(super) fn with_resource(jid: JidRef<'_>, resource: &str) -> Result<Jid, JidError> {
    let resource = prepare_resource(resource, AddressProfile::chosen())?;
    Ok(Jid::join(jid.local(), jid.domain(), Some(&resource)))
}

/// A localpart by a profile. What it maps must be free of what RFC 7622 §3.3.1 excludes, and not too long, afterwards.
pub(super) fn prepare_local(local: &str, profile: AddressProfile) -> Result<Cow<'_, str>, JidError> {
    let err = JidError { what: "localpart is empty, too long or has characters that it must not have" };
    if is_ascii_of(LOCAL, local) {
        return Ok(Cow::Borrowed(local));
    }
    let is_free = |text: &str| text.bytes().all(|byte| !byte.is_ascii() || class_of(byte) & LOCAL != 0);
    stable(local, |text| profile.local(text).filter(|mapped| is_free(mapped) && fits(mapped))).ok_or(err)
}

/// A resource by a profile.
pub(super) fn prepare_resource(resource: &str, profile: AddressProfile) -> Result<Cow<'_, str>, JidError> {
    let err = JidError { what: "resource is empty, too long or has characters that it must not have" };
    if is_ascii_of(RESOURCE, resource) {
        return Ok(Cow::Borrowed(resource));
    }
    stable(resource, |text| profile.resource(text).filter(|mapped| fits(mapped))).ok_or(err)
}

/// RFC 7622 §3.3, §3.4: lengths are of the mapped part.
const fn fits(part: &str) -> bool {
    !part.is_empty() && part.len() <= JID_PART_BYTES_MAX
}

/// Whether a new account may have this localpart: it means the same to servers that run stringprep, as most do, and to those
/// that run PRECIS. Accounts that are there are not asked; a new one gets no name that is another one's, or none, elsewhere.
pub(super) fn means_one_thing(local: &str) -> bool {
    let [one, other] =
        [AddressProfile::Stringprep, AddressProfile::Precis].map(|p| prepare_local(local, p).ok());
    one.is_some() && one == other
}

/// Prepares a domain: IP literal, or labels that the library accepts and that are a domain name afterwards too.
fn prepare_domain(domain: &str) -> Result<Cow<'_, str>, JidError> {
    let err = JidError { what: "domain is empty, too long or no domain name" };
    // One dot at the end is the root's and is stripped before anything else (RFC 7622 §3.2).
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    if domain.ends_with('.') {
        // The library would strip another one.
        return Err(err);
    }
    if is_ascii_of(DOMAIN, domain) && is_domain(domain.as_bytes()) {
        return Ok(Cow::Borrowed(domain));
    }
    if let Some(literal) = domain.strip_prefix('[') {
        let literal = literal.strip_suffix(']').and_then(|text| text.parse::<Ipv6Addr>().ok());
        // Written anew, so that equal addresses are equal bytes.
        return literal.map(|ip| Cow::Owned(format!("[{ip}]"))).ok_or(err);
    }
    stable(domain, |text| {
        let part = jid::DomainPart::new(text).ok()?;
        let unicode = punycode::to_unicode(part.as_str())?;
        is_domain_name(&unicode).then_some(unicode)
    })
    .ok_or(err)
}

/// The library's list of forbidden characters is a URL's; a domain name's (RFC 5890 §2.3.1) is stricter. It also
/// leaves the ideographic full stops that separate labels elsewhere.
fn is_domain_name(domain: &str) -> bool {
    domain.len() <= JID_PART_BYTES_MAX
        && domain.split('.').all(|label| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.chars().all(|c| match u8::try_from(c) {
                    Ok(byte) if byte.is_ascii() => class_of(byte) & DOMAIN != 0,
                    _ => !matches!(c, '\u{3002}' | '\u{ff0e}' | '\u{ff61}'),
                })
        })
}

fn is_ascii_of(class: u8, text: &str) -> bool {
    let bytes = text.as_bytes();
    !bytes.is_empty()
        && bytes.len() <= JID_PART_BYTES_MAX
        && bytes.iter().fold(class, |all, &byte| all & class_of(byte)) != 0
}

/// Prepares until nothing changes any more. Some strings are mapped to others that would be mapped again; such a
/// string would be two addresses, one before and one after it crossed a server, so it is refused.
fn stable(text: &str, prepare: impl Fn(&str) -> Option<String>) -> Option<Cow<'_, str>> {
    let once = prepare(text)?;
    let twice = prepare(&once)?;
    (once == twice).then_some(Cow::Owned(once))
}
