//! A store that outlives a server and not the process: for tests, and for the simulator.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{AccountRecord, Change, Saved, Store};

/// Accounts by bare JID. What it was given is safe at once.
#[derive(Debug, Default)]
pub struct MemoryStore {
    accounts: Mutex<BTreeMap<String, AccountRecord>>,
}

impl MemoryStore {
    /// All accounts, by address: what a server that starts now would load.
    #[must_use]
    pub fn accounts(&self) -> Vec<AccountRecord> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, AccountRecord>> {
        // A change is applied whole or the process is wrong anyway.
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn save(&self, changes: Vec<Change>, saved: Saved) {
        let mut accounts = self.lock();
        for change in changes {
            let key = change.account().as_str();
            match (&change, accounts.get_mut(key)) {
                (Change::RemoveAccount { .. }, _) => {
                    accounts.remove(key);
                }
                (_, Some(record)) => record.apply(change),
                (Change::PutAccount { account, credentials }, None) => {
                    let record = AccountRecord::new(account.clone(), credentials.clone());
                    accounts.insert(key.to_owned(), record);
                }
                (_, None) => {}
            }
        }
        drop(accounts);
        saved();
    }

    fn is_up(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::stanza::Jid;
    use crate::store::{OfflineRecord, ValueKind};
    use crate::stream::{Credentials, Mechanism};

    #[test]
    fn what_is_about_an_account_that_is_not_there_changes_nothing() {
        let (store, account) = (MemoryStore::default(), Jid::parse("u@d").unwrap());
        let value = Change::PutValue {
            account: account.clone(),
            kind: ValueKind::VCard,
            key: String::new(),
            value: "<vCard/>".into(),
        };
        store.save(vec![value.clone()], Box::new(|| {}));
        assert_eq!(store.accounts(), []);
        let credentials =
            Credentials::derive("x", &[Mechanism::Plain, Mechanism::ScramSha1], b"s", 1, &[0; 32]);
        let put = Change::PutAccount { account: account.clone(), credentials: Arc::new(credentials) };
        let offline = |number| Change::AddOffline {
            account: account.clone(),
            message: OfflineRecord { number, stanza: "<message/>".into() },
        };
        let removed = Change::RemoveOffline { account: account.clone(), through: 1 };
        let saved = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&saved);
        store.save(
            vec![put.clone(), value, offline(1), offline(2), put, removed],
            Box::new(move || told.store(true, Ordering::Relaxed)),
        );
        assert!(saved.load(Ordering::Relaxed));
        let accounts = store.accounts();
        assert_eq!((accounts[0].values.len(), accounts[0].offline.len()), (1, 1));
        assert!(accounts[0].credentials.plain.is_none() && accounts[0].credentials.sha1.is_some());
        store.save(vec![Change::RemoveAccount { account }], Box::new(|| {}));
        assert_eq!(store.accounts(), []);
    }
}
