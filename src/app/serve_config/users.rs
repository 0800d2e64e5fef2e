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
    /// Localpart.
    pub name: String,
    /// Password.
    pub password: String,
}

/// One account as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    name: Spanned<String>,
    password: Spanned<String>,
}

/// Every name is a localpart and another account, every password one that somebody can log in with.
pub(super) fn check(users: Vec<Written>, domain: &str, faults: Faults<'_>) -> Result<Vec<User>, Failure> {
    let mut names: HashMap<Jid, String> = HashMap::new();
    let mut checked = Vec::with_capacity(users.len());
    for Written { name, password } in users {
        let (place, text) = (name.span(), name.into_inner());
        let jid = Jid::from_parts(Some(&text), domain, None).map_err(|error| {
            faults.at(place.clone(), format!("users: `{text}` is no name: {error}"), None)
        })?;
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
