//! A router with accounts, ready to be put on reactors: for the embedded router and for `serve`.
//!
//! It opens no socket. Passwords end here: what goes on is what logins are checked against.

use std::collections::{HashMap, HashSet};
use std::num::NonZero;
use std::sync::Arc;
use std::thread;

use super::clock;
use crate::limits::SCRAM_ITERATIONS;
use crate::load::{Scenario, contacts};
use crate::reactor::Clock;
use crate::router::Subscription;
use crate::server::{AccountSpec, ServerConfig, ServerWorld};
use crate::stanza::Jid;
use crate::store::{AccountRecord, Change, Store};
use crate::stream::{Credentials, Mechanism};

/// Bytes of a salt; RFC 5802 §5.1 leaves it open, 16 is what servers use.
const SALT_BYTES: usize = 16;

/// Settings of a router of `domain` that starts now, with the defaults for everything else.
///
/// # Errors
/// One line: the domain is none, or the operating system has no random numbers.
pub fn config(domain: &str, mechanisms: Vec<Mechanism>) -> Result<ServerConfig, String> {
    let jid = self::domain(domain)?;
    let mut config = ServerConfig::new(jid.as_ref().domain(), mechanisms, random()?);
    config.utc_at_zero = clock::utc_at_zero();
    config.started = Clock.now();
    Ok(config)
}

/// The domain as addresses have it.
///
/// # Errors
/// One line: it is none.
pub fn domain(text: &str) -> Result<Jid, String> {
    let jid = Jid::parse(text).map_err(|error| format!("`{text}` is no domain: {error}"))?;
    if jid.as_ref().local().is_some() || jid.as_ref().resource().is_some() {
        return Err(format!("`{text}` is no domain but an address"));
    }
    Ok(jid)
}

/// A router that gets its accounts.
#[derive(Debug)]
pub struct Builder {
    homes: Vec<ServerWorld>,
    domain: String,
    /// For which accounts get keys.
    mechanisms: Vec<Mechanism>,
    secret: [u8; 32],
}

impl Builder {
    /// A router without accounts, with so many homes.
    #[must_use]
    pub fn new(config: ServerConfig, homes: usize) -> Self {
        let domain = config.domains[0].clone();
        // Whatever is offered today: what a store has had is salted keys for every hash and nothing else.
        let mechanisms = if config.plain_proofs { config.mechanisms.clone() } else { KEPT.to_vec() };
        let secret = config.process_secret;
        Self { homes: ServerWorld::homes(config, homes), domain, mechanisms, secret }
    }

    /// Loads what a store has.
    ///
    /// # Errors
    /// One line: something in it is damaged.
    pub fn load(&mut self, records: Vec<AccountRecord>) -> Result<(), String> {
        ServerWorld::load_homes(&mut self.homes, records).map(drop).map_err(|error| error.to_string())
    }

    /// Has what changes from now on saved.
    pub fn keep_in(&mut self, store: &Arc<dyn Store>) {
        self.homes.iter_mut().for_each(|home| home.set_store(Arc::clone(store)));
    }

    /// What has changed since [`Self::keep_in`]; it is for the caller to save.
    #[must_use]
    pub fn take_unsaved(&mut self) -> Vec<Change> {
        self.homes.iter_mut().flat_map(ServerWorld::take_unsaved).collect()
    }

    /// Whether there is an account of that address.
    #[must_use]
    pub fn has_account(&self, account: &Jid) -> bool {
        ServerWorld::have_account(&self.homes, account)
    }

    /// Makes those accounts of a scenario that are not there, with the rosters of its graph. Returns how many. They share one
    /// salt, so that synthetic clients compute one salted password for each password and not for each account.
    ///
    /// # Errors
    /// One line: an account cannot be made.
    pub fn add_scenario(&mut self, scenario: &Scenario) -> Result<usize, String> {
        let users = &scenario.users;
        let count = users.count as usize;
        let passwords: HashSet<String> = (0..count).map(|n| users.password(n)).collect();
        let keys =
            derive(passwords.into_iter().collect(), &self.mechanisms, &random::<SALT_BYTES>()?, &self.secret);
        let jids = (0..count)
            .map(|n| {
                let user = users.username(n);
                Jid::from_parts(Some(&user), &self.domain, None)
                    .map_err(|error| format!("user `{user}`: {error}"))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let graph =
            users.roster.as_ref().map(|spec| contacts(spec, users.count, scenario.seed)).unwrap_or_default();
        #[expect(clippy::needless_collect, reason = "the homes are looked at before they are changed")]
        let absent: Vec<_> =
            (0..count).filter(|n| !ServerWorld::have_account(&self.homes, &jids[*n])).collect();
        let accounts = absent.into_iter().map(|n| AccountSpec {
            localpart: users.username(n),
            credentials: keys[&users.password(n)].clone(),
            roster: graph
                .get(n)
                .into_iter()
                .flatten()
                .map(|contact| (jids[*contact as usize].clone(), Subscription::Both))
                .collect(),
        });
        ServerWorld::provision_homes(&mut self.homes, accounts).map_err(|error| error.to_string())
    }

    /// Makes one account with a salt of its own and an empty roster.
    ///
    /// # Errors
    /// One line: it cannot be made.
    ///
    /// # Panics
    /// When it is no account, or of another domain.
    pub fn add_account(&mut self, account: &Jid, password: &str) -> Result<(), String> {
        let salt = random::<SALT_BYTES>()?;
        let credentials =
            Credentials::derive(password, &self.mechanisms, &salt, SCRAM_ITERATIONS, &self.secret);
        let localpart = account.as_ref().local().expect("an account has a name").to_owned();
        let spec = AccountSpec { localpart, credentials, roster: Vec::new() };
        let made = ServerWorld::provision_domain(&mut self.homes, account.as_ref().domain(), [spec]);
        made.map(drop).map_err(|error| error.to_string())
    }

    /// How many accounts there are.
    #[must_use]
    pub fn account_count(&self) -> usize {
        self.homes.iter().map(ServerWorld::account_count).sum()
    }

    /// The router's homes, in order.
    #[must_use]
    pub fn build(self) -> Vec<ServerWorld> {
        self.homes
    }
}

/// What is kept of a password beyond the process.
pub const KEPT: [Mechanism; 2] = [Mechanism::ScramSha256, Mechanism::ScramSha1];

/// Looks at a password without doing its work.
///
/// # Errors
/// One line: nobody could log in with it.
pub fn possible_password(password: &str) -> Result<(), String> {
    let prepared = Credentials::derive(password, &[Mechanism::ScramSha1], b"salt", 1, &[0; 32]);
    if password.is_empty() || prepared == Credentials::default() {
        return Err("the password is empty or has characters that no client can send (RFC 4013)".to_owned());
    }
    Ok(())
}

/// Salted keys of a password, with a salt of their own, as a store keeps them.
///
/// # Errors
/// One line: the operating system has no random numbers, or nobody could log in with that password.
pub fn kept_credentials(password: &str) -> Result<Credentials, String> {
    possible_password(password)?;
    Ok(Credentials::derive(password, &KEPT, &random::<SALT_BYTES>()?, SCRAM_ITERATIONS, &[0; 32]))
}

/// Keys of each password, on all cores that this process may use: PBKDF2 takes 1.5 ms each.
fn derive(
    passwords: Vec<String>,
    mechanisms: &[Mechanism],
    salt: &[u8],
    secret: &[u8; 32],
) -> HashMap<String, Credentials> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let share = passwords.len().div_ceil(threads).max(1);
    thread::scope(|scope| {
        #[expect(clippy::needless_collect, reason = "all threads start before the first one is waited for")]
        let workers: Vec<_> = passwords
            .chunks(share)
            .map(|chunk| {
                let keys_of = |password: &String| {
                    (
                        password.clone(),
                        Credentials::derive(password, mechanisms, salt, SCRAM_ITERATIONS, secret),
                    )
                };
                scope.spawn(move || chunk.iter().map(keys_of).collect::<Vec<_>>())
            })
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("deriving a key does not panic")).collect()
    })
}

/// Bytes that nobody can guess.
#[expect(clippy::disallowed_methods, reason = "secrets and salts are made before there is a reactor to ask")]
fn random<const N: usize>() -> Result<[u8; N], String> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| format!("no random numbers: {error}"))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_distinct_password_is_derived_once() {
        let passwords: Vec<String> = (0..5).map(|n| format!("p{n}")).collect();
        let keys = derive(passwords.clone(), &[Mechanism::ScramSha1], b"salt", &[7; 32]);
        assert_eq!(keys.len(), 5);
        for password in passwords {
            let want =
                Credentials::derive(&password, &[Mechanism::ScramSha1], b"salt", SCRAM_ITERATIONS, &[7; 32]);
            assert_eq!(keys[&password], want);
        }
        assert!(derive(Vec::new(), &[Mechanism::Plain], b"salt", &[7; 32]).is_empty());
    }

    #[test]
    fn a_scenario_brings_its_accounts() {
        let text = include_str!("../../scenarios/smoke.toml");
        let scenario = Scenario::parse_with(text, &[("users.count".into(), "30".into())]).unwrap();
        let mut builder = Builder::new(config("bench.local", vec![Mechanism::Plain]).unwrap(), 2);
        assert_eq!(builder.add_scenario(&scenario), Ok(30));
        let alice = Jid::parse("alice@bench.local").unwrap();
        builder.add_account(&alice, "secret").unwrap();
        assert!(builder.add_account(&alice, "other").unwrap_err().contains("alice"));
        assert!(builder.has_account(&alice));
        assert_eq!(builder.account_count(), 31);
        assert!(builder.build().iter().all(|home| home.account_count() > 0));
    }

    #[test]
    fn a_domain_is_a_domain() {
        for bad in ["", "a@b", "a/b", "a b"] {
            assert!(config(bad, Vec::new()).is_err(), "{bad:?}");
        }
    }
}
