//! What a server has done elsewhere: password work, and saving.
//!
//! It runs nothing by itself; the driver does.

use std::sync::Arc;

use super::calls::Secret;
use crate::engine::{Answerer, Errand, Job};
use crate::limits::SCRAM_ITERATIONS;
use crate::store::{Change, Store};
use crate::stream::{Credentials, Mechanism, SALT_BYTES, ServerSettings, ServerWork, ServerWorked};

/// Work that no reactor does.
#[derive(Debug)]
pub enum ServerJob {
    /// A login's password is salted, on a thread.
    Login(Box<ServerWork>),
    /// A new password's keys are derived, on a thread.
    Derive(Box<Derive>),
    /// Changes are saved, by the store.
    Save(Save),
}

/// A password on its way to its keys: a PBKDF2 for each hash.
#[derive(Debug)]
pub struct Derive {
    /// Which call it is for.
    pub(super) number: u64,
    pub(super) password: Secret,
    pub(super) mechanisms: Vec<Mechanism>,
    pub(super) salt: [u8; SALT_BYTES],
    pub(super) settings: Arc<ServerSettings>,
}

impl Derive {
    fn run(self) -> Credentials {
        let Self { password, mechanisms, salt, settings, .. } = self;
        let secret = &settings.process_secret;
        Credentials::derive(password.as_str(), &mechanisms, &salt, SCRAM_ITERATIONS, secret)
    }
}

/// Changes on their way to a store.
#[derive(Debug)]
pub struct Save {
    pub(super) store: Arc<dyn Store>,
    pub(super) changes: Vec<Change>,
}

/// What came of a [`ServerJob`].
#[derive(Debug)]
pub enum ServerAnswer {
    /// For the stream that logs in.
    Login(Box<ServerWorked>),
    /// For the call of this number: what the password's logins are checked against, nothing if it is none.
    Derived(u64, Arc<Credentials>),
    /// All changes of that job are safe.
    Saved,
}

impl Job for ServerJob {
    type Answer = ServerAnswer;

    fn begin(self, answer: Answerer<ServerAnswer>) -> Option<Errand> {
        match self {
            Self::Login(work) => {
                Some(Box::new(move || answer.give(ServerAnswer::Login(Box::new(work.run())))))
            }
            Self::Derive(derive) => {
                let number = derive.number;
                Some(Box::new(move || answer.give(ServerAnswer::Derived(number, Arc::new(derive.run())))))
            }
            Self::Save(Save { store, changes }) => {
                store.save(changes, Box::new(move || answer.give(ServerAnswer::Saved)));
                None
            }
        }
    }
}
