//! Work that no reactor may do itself: it takes too long, or waits for something.
//!
//! Nothing is run here. A handler asks ([`super::Cx::request`]) and its connection's input waits for the answer
//! ([`super::Handler::on_answer`]); or the world asks ([`super::Effects::job`]) and is answered
//! ([`super::World::on_answer`]). The driver has the job begun at the end of its turn.

use std::fmt;

use super::Never;

/// Work for a thread of its own.
pub type Errand = Box<dyn FnOnce() + Send>;

/// The way back of a job's answer: used once, from any thread.
pub struct Answerer<A>(Box<dyn FnOnce(A) + Send>);

impl<A> Answerer<A> {
    /// Answers through `give`, which must not block.
    #[must_use]
    pub fn new(give: impl FnOnce(A) + Send + 'static) -> Self {
        Self(Box::new(give))
    }

    /// Hands the answer over.
    pub fn give(self, answer: A) {
        (self.0)(answer);
    }
}

impl<A> fmt::Debug for Answerer<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answerer").finish_non_exhaustive()
    }
}

/// A piece of work, complete in itself.
pub trait Job: fmt::Debug + Send + 'static {
    /// What comes of it.
    type Answer: fmt::Debug + Send + 'static;

    /// Has it done, without blocking: what it returns is run by any thread and may take milliseconds; `None` when somebody
    /// else has taken it, who keeps `answer`.
    fn begin(self, answer: Answerer<Self::Answer>) -> Option<Errand>;
}

/// Has a job done here and now: for drivers without threads.
///
/// # Panics
/// When its answer comes later.
#[must_use]
pub fn do_here<J: Job>(job: J) -> J::Answer {
    let (give, got) = std::sync::mpsc::channel();
    let answerer = Answerer::new(move |answer| {
        // The receiver is below.
        let _ = give.send(answer);
    });
    if let Some(errand) = job.begin(answerer) {
        errand();
    }
    got.try_recv().expect("whoever has jobs done here is answered at once")
}

impl Job for Never {
    type Answer = Self;

    fn begin(self, _: Answerer<Self>) -> Option<Errand> {
        match self {}
    }
}
