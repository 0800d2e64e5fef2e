//! Work that no reactor may do itself: it takes too long, or waits for something.
//!
//! Nothing is run here. A handler asks ([`super::Cx::request`]), its connection's input waits, the driver has the job done
//! elsewhere, and the handler gets the answer ([`super::Handler::on_answer`]).

use super::Never;

/// A piece of work, complete in itself: it may run on any thread.
pub trait Job: std::fmt::Debug + Send + 'static {
    /// What comes of it.
    type Answer: std::fmt::Debug + Send + 'static;

    /// Does it. It may take milliseconds.
    fn run(self) -> Self::Answer;
}

impl Job for Never {
    type Answer = Self;

    fn run(self) -> Self {
        self
    }
}
