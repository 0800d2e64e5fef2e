//! `users`: accounts that the router makes where they are not there.

use std::collections::HashMap;

use serde::Deserialize;
use toml::Spanned;

use super::{Failure, Faults};
use crate::app::router;
use crate::stanza::Jid;

/// One account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Localpart, of the first domain, or the whole bare JID.
    pub name: String,
    /// Password.
    pub password: String,
}

impl User {
    /// Its address, where `domain` is the first one.
    #[must_use]
    pub fn address(&self, domain: &str) -> String {
        if self.name.contains('@') { self.name.clone() } else { format!("{}@{domain}", self.name) }
    }
}

/// One account as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    name: Spanned<String>,
    password: Spanned<String>,
}

/// Every name is that of another account in one of these domains, every password one that somebody can log in with.
pub(super) fn check(users: Vec<Written>, domains: &[&str], faults: Faults<'_>) -> Result<Vec<User>, Failure> {
    let mut names: HashMap<Jid, String> = HashMap::new();
    let mut checked = Vec::with_capacity(users.len());
    for Written { name, password } in users {
        let (place, text) = (name.span(), name.into_inner());
        let (local, domain) = text.split_once('@').unwrap_or((&text, domains[0]));
        let jid = Jid::new_account(local, domain).map_err(|error| {
            faults.at(place.clone(), format!("users: `{text}` is no name: {error}"), None)
        })?;
        if !domains.contains(&jid.as_ref().domain()) {
            let what = format!("users: `{text}` is of a domain that is not served");
            return Err(faults.at(place, what, Some(format!("there is: {}", domains.join(", ")))));
        }
        if let Some(other) = names.insert(jid, text.clone()) {
            let what = if other == text {
                format!("users: `{text}` is there twice")
            } else {
                format!("users: `{text}` is the same account as `{other}`")
            };
            return Err(faults.at(place, what, None));
        }
        router::possible_password(password.get_ref())
            .map_err(|what| faults.at(password.span(), format!("users: {what}"), None))?;
        checked.push(User { name: text, password: password.into_inner() });
    }
    Ok(checked)
}
