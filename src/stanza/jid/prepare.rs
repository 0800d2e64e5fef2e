//! The slow path of addresses: the `jid` crate's stringprep profiles, and what RFC 7622 asks beyond them.
//!
//! It does not run PRECIS: the peers do not either, and an address must mean the same on both sides.

use std::borrow::Cow;
use std::net::Ipv6Addr;

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
    let local = local.map(prepare_local).transpose()?;
    let domain = prepare_domain(domain)?;
    let resource = resource.map(prepare_resource).transpose()?;
    Ok(Jid::join(local.as_deref(), &domain, resource.as_deref()))
}

/// `jid` with a prepared `resource`.
pub(super) fn with_resource(jid: JidRef<'_>, resource: &str) -> Result<Jid, JidError> {
    let resource = prepare_resource(resource)?;
    Ok(Jid::join(jid.local(), jid.domain(), Some(&resource)))
}

fn prepare_local(local: &str) -> Result<Cow<'_, str>, JidError> {
    let err = JidError { what: "localpart is empty, too long or has characters that it must not have" };
    if is_ascii_of(LOCAL, local) {
        return Ok(Cow::Borrowed(local));
    }
    stable(local, |text| jid::NodePart::new(text).ok().map(|part| part.as_str().to_owned())).ok_or(err)
}

fn prepare_resource(resource: &str) -> Result<Cow<'_, str>, JidError> {
    let err = JidError { what: "resource is empty, too long or has characters that it must not have" };
    if is_ascii_of(RESOURCE, resource) {
        return Ok(Cow::Borrowed(resource));
    }
    stable(resource, |text| jid::ResourcePart::new(text).ok().map(|part| part.as_str().to_owned())).ok_or(err)
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

/// Prepares until nothing changes any more. Stringprep maps some strings to others that it would map again; such a
/// string would be two addresses, one before and one after it crossed a server, so it is refused.
fn stable(text: &str, prepare: impl Fn(&str) -> Option<String>) -> Option<Cow<'_, str>> {
    let once = prepare(text)?;
    let twice = prepare(&once)?;
    (once == twice).then_some(Cow::Owned(once))
}
