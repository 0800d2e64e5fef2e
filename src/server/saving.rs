//! What changes is saved, and who sees an answer knows that what came before it is safe.
//!
//! Memory is the truth while the server runs; nothing waits for the store but answers. A home has one job with the store at
//! a time; what changes meanwhile goes with the next one, so a busy server saves much at once (group commit) and an idle
//! one at once.
//!
//! **The accept barrier** (DESIGN section 5). A connection whose stanza changed something here is held: its answers wait
//! for the store. A stanza that went to another home may have changed something there; before the next answer to that
//! connection each other home is asked to say when it is safe ([`Mail::Sync`]). Letters of one sender stay in order, so
//! the question is behind the stanza.

use std::sync::Arc;

use super::client_link::ClientLink;
use super::jobs::{Save, ServerJob};
use super::mail::{Mail, SyncFor};
use super::routing::Origin;
use super::world::ServerWorld;
use crate::engine::Effects;
use crate::limits::UNSAVED_BYTES_MAX;
use crate::router::HomeId;
use crate::store::{Change, Store};

/// What a home has not saved yet, and who waits for it.
#[derive(Debug, Default)]
pub(super) struct Saving {
    store: Option<Arc<dyn Store>>,
    /// With the next job.
    unsaved: Vec<Change>,
    unsaved_bytes: usize,
    /// Waits for the next job.
    waiting: Vec<Waiter>,
    /// Waits for the job that is under way; `None` when none is.
    flying: Option<Vec<Waiter>>,
    /// Whose stanza is being carried out.
    acting: Option<Origin>,
    /// For how many of its waiters above its answers are not held yet.
    due: u32,
}

/// Who waits for something to be safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waiter {
    /// Something of this home.
    Here(SyncFor),
    /// The same of another home.
    There(HomeId, SyncFor),
}

impl ServerWorld {
    /// Keeps what changes from now on in `store`; without one nothing outlives the process.
    pub fn set_store(&mut self, store: Arc<dyn Store>) {
        self.saving.store = Some(store);
    }

    /// What was to be saved before anybody could wait for it: the caller has it saved.
    #[must_use]
    pub fn take_unsaved(&mut self) -> Vec<Change> {
        debug_assert!(self.saving.waiting.is_empty(), "nobody is connected yet");
        self.saving.unsaved_bytes = 0;
        std::mem::take(&mut self.saving.unsaved)
    }

    /// Whether the store can be reached, or there is none to be reached.
    pub(super) fn can_log_in(&self) -> bool {
        self.saving.store.as_ref().is_none_or(|store| store.is_up())
    }

    /// Whether one change more may wait for the store. `false`: what would have to be saved is refused.
    pub(super) const fn can_save(&self) -> bool {
        self.saving.unsaved_bytes < UNSAVED_BYTES_MAX
    }

    /// Has a change saved.
    pub(super) fn save(&mut self, change: Change) {
        let saving = &mut self.saving;
        if saving.store.is_none() {
            return;
        }
        saving.unsaved_bytes += change.weight_bytes();
        saving.unsaved.push(change);
        if let Some(origin) = saving.acting
            && saving.waiting.last() != Some(&Waiter::Here(SyncFor::Stream(origin.conn)))
        {
            saving.waiting.push(Waiter::Here(SyncFor::Stream(origin.conn)));
            saving.due += 1;
        }
    }

    /// A stanza of `origin` is carried out from here on.
    pub(super) const fn begin_acting(&mut self, origin: Origin) {
        self.saving.acting = Some(origin);
    }

    /// It is done.
    pub(super) fn end_acting(&mut self, out: &mut Effects<ClientLink>) {
        self.hold_if_due(out);
        self.saving.acting = None;
    }

    fn hold_if_due(&mut self, out: &mut Effects<ClientLink>) {
        let due = std::mem::take(&mut self.saving.due);
        if let Some(origin) = self.saving.acting {
            (0..due).for_each(|_| out.hold(origin.conn));
        }
    }

    /// A letter with a stanza went to another home: what it changes there is not known here.
    pub(super) fn note_mailed(&mut self) {
        if self.saving.store.is_some()
            && let Some(id) = self.saving.acting.and_then(|origin| origin.session)
            && let Some(session) = self.shard.session_mut(id)
        {
            session.set_mailed();
        }
    }

    /// Comes before every answer to `origin`: it waits for everything that the same stream has caused so far.
    pub(super) fn close_barrier(&mut self, origin: Origin, out: &mut Effects<ClientLink>) {
        if self.saving.store.is_none() {
            return;
        }
        self.hold_if_due(out);
        let session = origin.session.and_then(|id| self.shard.session_mut(id));
        if session.is_some_and(crate::router::Session::take_mailed) {
            for home in self.homes.iter().filter(|home| *home != self.me) {
                out.hold(origin.conn);
                out.mail(home, Mail::Sync { from: self.me, who: SyncFor::Stream(origin.conn) });
            }
        }
    }

    /// Tells `waiter` when everything is safe that has changed here until now.
    pub(super) fn tell_when_safe(&mut self, waiter: Waiter, out: &mut Effects<ClientLink>) {
        let saving = &mut self.saving;
        match &mut saving.flying {
            _ if !saving.unsaved.is_empty() => saving.waiting.push(waiter),
            Some(flying) => flying.push(waiter),
            None => self.tell_safe(waiter, out),
        }
    }

    fn tell_safe(&mut self, waiter: Waiter, out: &mut Effects<ClientLink>) {
        match waiter {
            Waiter::Here(who) => self.on_safe(who, out),
            Waiter::There(home, who) => out.mail(home, Mail::Synced { who }),
        }
    }

    /// Something is safe, here or at another home, that `who` waited for.
    pub(super) fn on_safe(&mut self, who: SyncFor, out: &mut Effects<ClientLink>) {
        match who {
            SyncFor::Stream(conn) => out.release(conn),
            SyncFor::Call(number) => self.on_call_safe(number, out),
        }
    }

    /// Whether what changes is kept at all.
    pub(super) const fn has_store(&self) -> bool {
        self.saving.store.is_some()
    }

    /// Sends what has changed to the store, unless it is busy. Ends every call that may have changed something.
    pub(super) fn send_unsaved(&mut self, out: &mut Effects<ClientLink>) {
        let saving = &mut self.saving;
        if saving.flying.is_some() || saving.unsaved.is_empty() {
            return;
        }
        let Some(store) = saving.store.clone() else { return };
        saving.unsaved_bytes = 0;
        saving.flying = Some(std::mem::take(&mut saving.waiting));
        let changes = std::mem::take(&mut saving.unsaved);
        out.job(ServerJob::Save(Save { store, changes }));
    }

    /// What was sent to the store is safe.
    pub(super) fn on_saved(&mut self, out: &mut Effects<ClientLink>) {
        for waiter in self.saving.flying.take().unwrap_or_default() {
            self.tell_safe(waiter, out);
        }
        self.send_unsaved(out);
    }

    /// Whether everything is safe.
    pub(super) const fn is_saved(&self) -> bool {
        self.saving.unsaved.is_empty() && self.saving.flying.is_none()
    }
}
