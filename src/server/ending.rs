//! The end of a server that is told to stop: nothing that a stream has sent is lost on the way between homes or to the
//! store.
//!
//! What a dying stream causes may be under way to another home. So when there is no connection any more in any home, each
//! says so to the others, behind everything else that it sent them, and ends when all have said so. A letter may cause
//! another one (a request is answered, the answer is answered), so this is done [`ROUNDS`] times: a round begins when all
//! letters of the last one have been read.

use super::client_link::ClientLink;
use super::mail::Mail;
use super::world::ServerWorld;
use crate::engine::Effects;

/// The longest chain of letters is a subscription stanza, what the contact's server answers (RFC 6121 Appendix A.3), and
/// what that changes.
const ROUNDS: usize = 3;

/// How far the end has come.
#[derive(Debug, Default)]
pub(super) struct Ending {
    /// The server is to stop.
    stopping: bool,
    /// Rounds begun.
    begun: usize,
    /// By round, homes that have begun it.
    others: [usize; ROUNDS],
}

impl ServerWorld {
    /// Whether a connection that has just come came too late.
    pub(super) const fn is_stopping(&self) -> bool {
        self.ending.stopping
    }

    /// The operator wants the end.
    pub(super) const fn begin_ending(&mut self) {
        self.ending.stopping = true;
    }

    /// Another home has begun a round.
    pub(super) fn receive_goodbye(&mut self, round: usize, out: &mut Effects<ClientLink>) {
        if let Some(others) = self.ending.others.get_mut(round) {
            *others += 1;
        }
        self.go_on_ending(out);
    }

    /// No home has a connection.
    pub(super) fn begin_goodbye(&mut self, out: &mut Effects<ClientLink>) {
        if self.ending.stopping && self.ending.begun == 0 {
            self.begin_round(out);
            self.go_on_ending(out);
        }
    }

    /// Begins the next round, if it is time.
    fn go_on_ending(&mut self, out: &mut Effects<ClientLink>) {
        while (1..ROUNDS).contains(&self.ending.begun) && self.has_ended(self.ending.begun - 1) {
            self.begin_round(out);
        }
    }

    fn begin_round(&mut self, out: &mut Effects<ClientLink>) {
        let round = self.ending.begun;
        self.ending.begun += 1;
        for home in self.homes.iter().filter(|home| *home != self.me) {
            out.mail(home, Mail::Goodbye { round });
        }
    }

    /// Whether all homes have begun this round.
    fn has_ended(&self, round: usize) -> bool {
        self.ending.others[round] + 1 >= self.homes.count()
    }

    /// Whether nothing is left to do.
    pub(super) fn has_all_ended(&self) -> bool {
        self.ending.begun == ROUNDS && self.has_ended(ROUNDS - 1) && self.is_saved()
    }
}
