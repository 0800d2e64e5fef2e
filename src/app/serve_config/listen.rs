//! Addresses in a configuration: one, or a list of them.
//!
//! Nothing is bound here.

use std::net::SocketAddr;

use toml::{Spanned, Value};

use super::{Failure, Faults, loopback_only};
use crate::limits::LISTENERS_MAX;

/// `key = "ADDRESS:PORT"`, or a list of such.
pub(super) fn addresses(
    key: &str,
    value: &Spanned<Value>,
    faults: Faults<'_>,
) -> Result<Vec<SocketAddr>, Failure> {
    let fault = |what: &str| faults.at(value.span(), format!("{key}: {what}"), None);
    let written = value.get_ref();
    let texts: &[Value] = written.as_array().map_or_else(|| std::slice::from_ref(written), Vec::as_slice);
    if texts.is_empty() || texts.len() > LISTENERS_MAX {
        return Err(fault(&format!("between 1 and {LISTENERS_MAX} addresses")));
    }
    let mut addresses: Vec<SocketAddr> = Vec::with_capacity(texts.len());
    for text in texts {
        let text = text.as_str().ok_or_else(|| fault("not ADDRESS:PORT in quotes, or a list of these"))?;
        let address = address(text).map_err(|what| fault(&what))?;
        if addresses.contains(&address) && address.port() != 0 {
            return Err(fault(&format!("{address} is there twice")));
        }
        addresses.push(address);
    }
    Ok(addresses)
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text
        .parse()
        .map_err(|_| format!("`{text}` is not ADDRESS:PORT, for instance 127.0.0.1:5222 or [::1]:5222"))?;
    loopback_only(address).map(|()| address)
}
