//! `[contact]`: whom to turn to (XEP-0157).

use serde::Deserialize;
use toml::Spanned;

use super::{Failure, Faults};
use crate::server::{Contacts, is_uri};

/// The table as it is written: each key a list of URIs.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Contact {
    abuse: Vec<Spanned<String>>,
    admin: Vec<Spanned<String>>,
    feedback: Vec<Spanned<String>>,
    sales: Vec<Spanned<String>>,
    security: Vec<Spanned<String>>,
    status: Vec<Spanned<String>>,
    support: Vec<Spanned<String>>,
}

impl Contact {
    pub(super) fn check(self, faults: Faults<'_>) -> Result<Contacts, Failure> {
        let addresses = |addresses| uris(addresses, faults);
        Ok(Contacts {
            abuse: addresses(self.abuse)?,
            admin: addresses(self.admin)?,
            feedback: addresses(self.feedback)?,
            sales: addresses(self.sales)?,
            security: addresses(self.security)?,
            status: addresses(self.status)?,
            support: addresses(self.support)?,
        })
    }
}

fn uris(addresses: Vec<Spanned<String>>, faults: Faults<'_>) -> Result<Vec<String>, Failure> {
    if let Some(wrong) = addresses.iter().find(|address| !is_uri(address.get_ref())) {
        let what = format!("contact: `{}` is no URI", wrong.get_ref());
        let help = "for instance \"mailto:admin@example.org\" or \"xmpp:admin@example.org\"";
        return Err(faults.at(wrong.span(), what, Some(help.to_owned())));
    }
    Ok(addresses.into_iter().map(Spanned::into_inner).collect())
}
