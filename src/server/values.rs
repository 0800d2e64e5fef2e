//! What accounts have beside rosters and messages, as the store keeps it: [`ValueKind`], key, text.
//!
//! Texts that come from the store are judged here once; whoever reads them later trusts them.

use std::collections::BTreeMap;

use super::world::ServerWorld;
use crate::router::{AccountId, Blocklist, LastSeen, PrivateStorage};
use crate::stanza::Jid;
use crate::store::{Change, ValueKind};
use crate::time::Utc;
use crate::xml::is_element;

/// Key of what an account has stored under a namespace and a name (XEP-0049).
pub(super) fn private_key(ns: &str, name: &str) -> String {
    format!("{ns} {name}")
}

impl ServerWorld {
    /// Has a value saved, or its end, unless the account ends with its session.
    pub(super) fn save_value(&mut self, id: AccountId, kind: ValueKind, key: &str, value: Option<&str>) {
        let entry = self.shard.account(id);
        if entry.is_temporary() {
            return;
        }
        let (account, key) = (entry.jid().clone(), key.to_owned());
        self.save(match value.map(str::to_owned) {
            Some(value) => Change::PutValue { account, kind, key, value },
            None => Change::RemoveValue { account, kind, key },
        });
    }

    /// Has it saved when an account was last there: time, a space, status.
    pub(super) fn save_last(&mut self, id: AccountId, last: &LastSeen) {
        let value = format!("{} {}", last.at, last.status);
        self.save_value(id, ValueKind::Last, "", Some(&value));
    }

    /// Gives an account the values that a store has of it. `None`: one of them is none.
    pub(super) fn load_values(
        &mut self,
        id: AccountId,
        values: BTreeMap<(ValueKind, String), String>,
    ) -> Option<()> {
        let (mut private, mut blocklist) = (PrivateStorage::default(), Blocklist::default());
        let account = self.shard.account_mut(id);
        for ((kind, key), value) in values {
            match kind {
                ValueKind::Private => {
                    let (ns, name) = key.rsplit_once(' ')?;
                    is_element(format!("<iq><query>{value}</query></iq>").as_bytes()).then_some(())?;
                    private.set(ns, name, &value);
                }
                ValueKind::VCard => {
                    is_element(format!("<iq>{value}</iq>").as_bytes()).then_some(())?;
                    account.set_vcard(Some(value.into()));
                }
                ValueKind::Blocked => {
                    blocklist.add(Jid::parse(&key).ok()?);
                }
                ValueKind::Last => {
                    let (at, status) = value.split_once(' ')?;
                    account.set_last_seen(Some(LastSeen::new(Utc::parse(at)?, status)));
                }
            }
        }
        account.set_private(private);
        account.set_blocklist(blocklist);
        Some(())
    }
}
