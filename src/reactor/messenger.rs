//! What reaches a running reactor from other threads: answers to its jobs, news for its world, and who wants to look at it.
//!
//! It does not bound them: there is at most one job for each connection and few for the world, and the owner sends news
//! and looks at the pace of people.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use super::ReactorReport;
use super::stopper::Handle;
use crate::engine::{AnswerOf, Ticket, World};
use crate::router::mailbox::Wake;

/// Something that another thread says.
pub(super) enum Heard<W: World> {
    /// A job is done.
    Answer(Ticket, AnswerOf<W::Link>),
    /// The owner's news.
    News(W::News),
    /// The owner looks at the world, and at what its reactor has counted so far.
    Look(Look<W>),
}

type Look<W> = Box<dyn FnOnce(&W, &ReactorReport) + Send>;

/// A handle with which news is sent to a reactor's world.
pub struct Messenger<W: World> {
    pub(super) queue: Sender<Heard<W>>,
    pub(super) handle: Arc<Handle>,
}

impl<W: World> Messenger<W> {
    /// Sends news; a reactor that has ended hears none.
    pub fn send(&self, news: W::News) {
        self.tell(Heard::News(news));
    }

    /// Has `look` called on the reactor's thread between two turns' work: it must not take long. A reactor that has ended
    /// drops it.
    pub fn look(&self, look: impl FnOnce(&W, &ReactorReport) + Send + 'static) {
        self.tell(Heard::Look(Box::new(look)));
    }

    pub(super) fn tell(&self, heard: Heard<W>) {
        if self.queue.send(heard).is_ok() {
            self.handle.wake();
        }
    }
}

impl<W: World> Clone for Messenger<W> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone(), handle: Arc::clone(&self.handle) }
    }
}

impl<W: World> fmt::Debug for Messenger<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Messenger").finish_non_exhaustive()
    }
}
