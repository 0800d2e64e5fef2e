//! Accounts: made by the operator, or for the length of one anonymous session (XEP-0175).
//!
//! Passwords are not seen here; `stream` derives what is kept of them.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use foldhash::quality::RandomState;

use super::config::AccountSpec;
use super::world::ServerWorld;
use crate::router::{AccountId, PendingRequest, Roster, RosterDetails, Subscription, SubscriptionChange};
use crate::server::write;
use crate::stanza::{Jid, Stanza};
use crate::store::{AccountRecord, Change};
use crate::stream;

/// Why an account cannot be made: the operator's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProvisionError {
    /// The localpart is no localpart (RFC 7622 §3.3).
    #[error("{localpart:?} is no localpart: {reason}")]
    BadLocalpart {
        /// As given.
        localpart: String,
        /// One line.
        reason: &'static str,
    },
    /// There is one of that name.
    #[error("there is an account {0} already")]
    Exists(Jid),
    /// What a store has of it is not what it has to be.
    #[error("the store has something for {0} that is not what it has to be")]
    Damaged(Jid),
}

/// Addresses seen while provisioning: every roster that names a contact shares one copy of its address.
#[derive(Default)]
struct Names(HashMap<Jid, (), RandomState>);

impl Names {
    fn intern(&mut self, jid: Jid) -> Jid {
        if let Some((known, ())) = self.0.get_key_value(jid.as_str()) {
            return known.clone();
        }
        self.0.insert(jid.clone(), ());
        jid
    }
}

impl ServerWorld {
    /// Makes accounts. Returns how many.
    ///
    /// # Errors
    /// At the first that cannot be made; those before it stay.
    pub fn provision(
        &mut self,
        accounts: impl IntoIterator<Item = AccountSpec>,
    ) -> Result<usize, ProvisionError> {
        Self::provision_homes(std::slice::from_mut(self), accounts)
    }

    /// Makes accounts, each at its home. Returns how many.
    ///
    /// # Errors
    /// As [`Self::provision`].
    ///
    /// # Panics
    /// When `homes` are not all homes of one server ([`Self::homes`]), in order.
    pub fn provision_homes(
        homes: &mut [Self],
        accounts: impl IntoIterator<Item = AccountSpec>,
    ) -> Result<usize, ProvisionError> {
        let domain = homes[0].domain().to_owned();
        Self::provision_domain(homes, &domain, accounts)
    }

    /// As [`Self::provision_homes`], in this domain (prepared) of the server's.
    ///
    /// # Errors
    /// As [`Self::provision`].
    ///
    /// # Panics
    /// As [`Self::provision_homes`]; when the domain is not served here.
    pub fn provision_domain(
        homes: &mut [Self],
        domain: &str,
        accounts: impl IntoIterator<Item = AccountSpec>,
    ) -> Result<usize, ProvisionError> {
        assert!(homes[0].is_local(domain), "accounts are made in domains that are served");
        let accounts = accounts.into_iter();
        let share = accounts.size_hint().0 / homes.len();
        let count_of_homes = homes.len();
        for world in &mut *homes {
            assert_eq!(world.homes.count(), count_of_homes, "a server has one world for each home");
            world.shard.reserve(share);
        }
        let mut names = Names::default();
        let mut count = 0;
        for spec in accounts {
            let jid = Jid::from_parts(Some(&spec.localpart), domain, None).map_err(|e| {
                ProvisionError::BadLocalpart { localpart: spec.localpart.clone(), reason: e.what }
            })?;
            let home = homes[0].homes.of(jid.as_str());
            homes[home.index()].add_account(jid, spec, &mut names)?;
            count += 1;
        }
        Ok(count)
    }

    fn add_account(&mut self, jid: Jid, spec: AccountSpec, names: &mut Names) -> Result<(), ProvisionError> {
        let jid = names.intern(jid);
        let mut shared = |contact: Jid| names.intern(self.shard.intern(contact.to_bare()));
        let items = spec.roster.into_iter().map(move |(contact, state)| (shared(contact), state));
        // What is only a request of the contact is no roster item (RFC 6121 Appendix A.1).
        let (requests, items): (Vec<_>, Vec<_>) = items.partition(|(_, state)| state.is_pending_in());
        let of_requests = requests.iter().filter(|(_, state)| *state != Subscription::NonePendingIn);
        let roster = Roster::from_states(items.into_iter().chain(of_requests.cloned()));
        let Some(id) = self.shard.add_account(jid.clone(), roster, false) else {
            return Err(ProvisionError::Exists(jid));
        };
        for (contact, _) in requests {
            let change = Some(SubscriptionChange::Subscribe.as_str());
            let stanza = write::presence(change, contact.as_ref(), Some(jid.as_ref()), None);
            self.shard.account_mut(id).restore_pending(PendingRequest { contact, stanza });
        }
        let credentials = Arc::new(spec.credentials);
        self.set_credentials(id, Some(Arc::clone(&credentials)));
        self.save_whole(id, credentials);
        Ok(())
    }

    /// Makes an account with an empty roster. `false`: there is one of that name.
    pub(super) fn add_new(&mut self, account: Jid, credentials: Arc<stream::Credentials>) -> bool {
        let Some(id) = self.shard.add_account(account, Roster::default(), false) else { return false };
        self.set_credentials(id, Some(Arc::clone(&credentials)));
        self.save_whole(id, credentials);
        true
    }

    /// Has logins of an account checked against these from now on.
    pub(super) fn change_credentials(&mut self, id: AccountId, credentials: Arc<stream::Credentials>) {
        self.set_credentials(id, Some(Arc::clone(&credentials)));
        let account = self.shard.account(id).jid().clone();
        self.save(Change::PutAccount { account, credentials });
    }

    /// Has everything saved that an account has which was just made.
    fn save_whole(&mut self, id: AccountId, credentials: Arc<stream::Credentials>) {
        let entry = self.shard.account(id);
        let account = entry.jid().clone();
        let contacts: Vec<_> = entry.roster().items().map(|item| item.jid().clone()).collect();
        let requests = entry.pending().to_vec();
        self.save(Change::PutAccount { account: account.clone(), credentials });
        for contact in contacts {
            self.save_item(id, &contact);
        }
        for PendingRequest { contact, stanza } in requests {
            let stanza = stanza.element().as_str().to_owned();
            self.save(Change::PutRequest { account: account.clone(), contact, stanza });
        }
    }

    /// Whether one of all `homes` of a server has this account (bare JID).
    #[must_use]
    pub fn have_account(homes: &[Self], account: &Jid) -> bool {
        let home = homes[0].homes.of(account.as_str());
        homes[home.index()].shard.find(account.as_str()).is_some()
    }

    /// Loads what a store has, each account at its home.
    ///
    /// # Errors
    /// An account that is there already, or a stanza in it that is none; those before it stay.
    ///
    /// # Panics
    /// As [`Self::provision_homes`].
    pub fn load_homes(
        homes: &mut [Self],
        records: impl IntoIterator<Item = AccountRecord>,
    ) -> Result<usize, ProvisionError> {
        let mut names = Names::default();
        let mut count = 0;
        for record in records {
            let home = homes[0].homes.of(record.account.as_str());
            homes[home.index()].load_account(record, &mut names)?;
            count += 1;
        }
        Ok(count)
    }

    fn load_account(&mut self, record: AccountRecord, names: &mut Names) -> Result<(), ProvisionError> {
        let jid = names.intern(record.account);
        let damaged = || ProvisionError::Damaged(jid.clone());
        let mut roster = Roster::default();
        for item in record.roster.into_values() {
            let details = RosterDetails {
                name: item.name.into(),
                groups: item.groups.into_iter().map(String::into_boxed_str).collect(),
            };
            roster.restore(names.intern(item.contact), details, item.state, item.approved);
        }
        let id = self.shard.add_account(jid.clone(), roster, false);
        let id = id.ok_or_else(|| ProvisionError::Exists(jid.clone()))?;
        for (contact, stanza) in record.requests.into_values() {
            let stanza = Stanza::parse_own(stanza.as_bytes()).ok_or_else(damaged)?;
            let contact = names.intern(contact);
            self.shard.account_mut(id).restore_pending(PendingRequest { contact, stanza });
        }
        for message in record.offline {
            let text = Bytes::from(message.stanza);
            Stanza::parse_own(&text).ok_or_else(damaged)?;
            self.offline_bytes += text.len();
            self.shard.account_mut(id).offline_mut().restore(message.number, text);
        }
        self.load_values(id, record.values).ok_or_else(damaged)?;
        self.set_credentials(id, Some(record.credentials));
        Ok(())
    }

    pub(super) fn set_credentials(&mut self, id: AccountId, credentials: Option<Arc<stream::Credentials>>) {
        if self.credentials.len() <= id.index() {
            self.credentials.resize(id.index() + 1, None);
        }
        self.credentials[id.index()] = credentials;
    }

    /// What a login as this bare JID is checked against.
    pub(super) fn login_account(&self, account: &str) -> stream::Account {
        if !self.can_log_in() {
            return stream::Account::Unavailable;
        }
        let credentials = self.shard.find(account).and_then(|id| self.credentials[id.index()].clone());
        credentials.map_or(stream::Account::Unknown, stream::Account::Known)
    }

    /// Makes the account of an anonymous login; `None`: there is one of that name, which a random name never meets.
    pub(super) fn add_temporary(&mut self, jid: &Jid) -> Option<AccountId> {
        let id = self.shard.add_account(jid.clone(), Roster::default(), true)?;
        self.set_credentials(id, None);
        Some(id)
    }

    /// Ends an anonymous account when its last session has ended.
    pub(super) fn remove_if_temporary(&mut self, id: AccountId) {
        let account = self.shard.account(id);
        if account.is_temporary() && account.session_count() == 0 {
            self.busiest.forget(id);
            self.shard.remove_account(id);
        }
    }
}
