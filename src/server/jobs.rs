//! What a server has done elsewhere: password work, and saving.
//!
//! It runs nothing by itself; the driver does.

use std::sync::Arc;

use crate::engine::{Answerer, Errand, Job};
use crate::store::{Change, Store};
use crate::stream::{ServerWork, ServerWorked};

/// Work that no reactor does.
#[derive(Debug)]
pub enum ServerJob {
    /// A login's password is salted, on a thread.
    Login(Box<ServerWork>),
    /// Changes are saved, by the store.
    Save(Save),
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
            Self::Save(Save { store, changes }) => {
                store.save(changes, Box::new(move || answer.give(ServerAnswer::Saved)));
                None
            }
        }
    }
}
