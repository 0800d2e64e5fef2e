//! Operations under way: what comes in is matched by stanza id with what was begun, and written down.
//!
//! It sends nothing and starts nothing. The newest [`OPERATIONS_REMEMBERED_MAX`] operations are remembered, ended
//! ones too: a second delivery must be recognised, and a late one.

use std::collections::{HashMap, VecDeque};

use foldhash::fast::FixedState;

use super::audience::{Arrival, Audience};
use super::ids::StanzaId;
use super::users::Users;
use crate::limits::{DRAIN_QUIET, OPERATIONS_REMEMBERED_MAX, PAIRS_REMEMBERED_MAX};
use crate::metrics::{ActionRecord, PhaseRecord, Times};
use crate::time::Nanos;

/// What an operation waits for.
#[derive(Debug)]
pub(super) enum Kind {
    /// The message, at this user.
    Chat { to: u32 },
    /// The answer, at its sender.
    Ping,
    /// The roster, at its owner.
    RosterGet,
    /// The change, at everybody who must see it.
    Presence(Audience),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    Done,
    Failed,
    /// Its drain is over. `is_counted`: what has not arrived is counted as lost or missing.
    TimedOut {
        is_counted: bool,
    },
    /// Sender or recipient was broken meanwhile: nobody can say what became of it.
    Unsure,
}

/// One operation.
#[derive(Debug)]
pub(super) struct Operation {
    /// Who began it.
    pub(super) user: u32,
    pub(super) kind: Kind,
    /// Index of its phase among the phases begun.
    pub(super) phase: u16,
    /// Index of its action in the phase's record.
    pub(super) action: u16,
    /// Which operation of its action it is, from 0.
    pub(super) k: u64,
    intended: Nanos,
    /// [`Nanos::MAX`] until the kernel has taken its last byte.
    sent: Nanos,
    end: End,
}

impl Operation {
    /// Its phase and action.
    const fn action_key(&self) -> (u16, u16) {
        (self.phase, self.action)
    }

    /// Since when whoever it depends on must have been there.
    const fn since(&self) -> Nanos {
        if self.sent.0 == Nanos::MAX.0 { self.intended } else { self.sent }
    }

    fn times(&self) -> Times {
        Times { intended: self.intended, sent: (self.sent != Nanos::MAX).then_some(self.sent) }
    }
}

/// What a stanza of an operation says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// A message arrived.
    Message,
    /// The answer to a request, or an error in place of a delivery, came back to the sender.
    Answer,
    /// A presence change arrived.
    Presence,
}

/// Where and how a stanza came in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Received {
    /// Who got it.
    pub(super) by: u32,
    /// Just before the read that brought it.
    pub(super) now: Nanos,
    /// From the socket's readiness to that read.
    pub(super) lag_ns: u64,
    /// It carries `<delay/>`, or an error, or a refusal.
    pub(super) flawed: bool,
}

/// What a stanza turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Matched {
    /// It is written down.
    Yes,
    /// It belongs to nothing that is remembered, or comes again for a good reason: a word for the count of others.
    Other(&'static str),
}

/// Operations under way and what came of them.
#[derive(Debug, Default)]
pub(super) struct Journal {
    operations: VecDeque<Operation>,
    /// Operations forgotten; the front of `operations` has this number plus 1.
    forgotten: u64,
    /// Operations that have not ended.
    open: usize,
    /// When a stanza of an operation came in last.
    last_arrival: Nanos,
    phases: Vec<PhaseRecord>,
    /// The newest operation that a pair of users has seen: (action, sender, receiver).
    newest: HashMap<(u16, u32, u32), u64, FixedState>,
}

impl Journal {
    /// Operations of the running phase belong to `phase` from now on.
    pub(super) fn begin_phase(&mut self, phase: PhaseRecord) {
        self.newest.clear();
        self.phases.push(phase);
    }

    pub(super) fn phase(&self) -> Option<&PhaseRecord> {
        self.phases.last()
    }

    pub(super) fn phase_mut(&mut self) -> Option<&mut PhaseRecord> {
        self.phases.last_mut()
    }

    pub(super) fn phases(&self) -> &[PhaseRecord] {
        &self.phases
    }

    pub(super) fn into_phases(self) -> Vec<PhaseRecord> {
        self.phases
    }

    /// Operations that have not ended.
    #[cfg(test)]
    const fn open(&self) -> usize {
        self.open
    }

    /// When a drain need not go on: nothing is under way, and a second copy of what came last would be here. `None` while
    /// something is.
    pub(super) fn quiet_at(&self) -> Option<Nanos> {
        (self.open == 0).then(|| self.last_arrival + DRAIN_QUIET)
    }

    /// An operation of the running phase begins; its number.
    pub(super) fn begin(
        &mut self,
        (action, k, intended): (u16, u64, Nanos),
        user: u32,
        kind: Kind,
        now: Nanos,
        users: &Users,
    ) -> u64 {
        if self.operations.len() >= OPERATIONS_REMEMBERED_MAX {
            self.forget(now, users);
        }
        let phase = u16::try_from(self.phases.len() - 1).expect("at most PHASES_MAX phases");
        if let Kind::Presence(audience) = &kind {
            let counts = &mut self.phases[usize::from(phase)].actions[usize::from(action)].counts;
            counts.required += u64::from(audience.left());
        }
        let (sent, end) = (Nanos::MAX, End::Open);
        self.operations.push_back(Operation { user, kind, phase, action, k, intended, sent, end });
        self.open += 1;
        self.forgotten + self.operations.len() as u64
    }

    /// The operation of that number, if it is remembered.
    pub(super) fn get(&self, seq: u64) -> Option<&Operation> {
        self.operations.get(self.index(seq)?)
    }

    fn index(&self, seq: u64) -> Option<usize> {
        usize::try_from(seq.checked_sub(self.forgotten + 1)?).ok()
    }

    /// The oldest operation makes room; one that is still open has timed out.
    fn forget(&mut self, now: Nanos, users: &Users) {
        let Some(mut operation) = self.operations.pop_front() else { return };
        self.forgotten += 1;
        if operation.end == End::Open {
            self.open -= 1;
            let record = record(&mut self.phases, operation.action_key());
            give_up(&mut operation, record, now, users);
        }
    }

    /// The kernel has taken the operation's last byte.
    pub(super) fn sent(&mut self, seq: u64, now: Nanos, users: &Users) {
        let Some(index) = self.index(seq) else { return };
        let Some(operation) = self.operations.get_mut(index) else { return };
        operation.sent = now;
        let phase = &mut self.phases[usize::from(operation.phase)];
        // A hundredth of the phase: what the achieved ratio leaves open anyway.
        let in_time = now.since(phase.begin) <= phase.planned_ns + phase.planned_ns / 100;
        let record = &mut phase.actions[usize::from(operation.action)];
        record.sent(operation.intended, now, in_time);
        if operation.end == (End::TimedOut { is_counted: false }) {
            // Sent behind its drain, it can be lost or missing all the same, until it comes late.
            operation.end = End::TimedOut { is_counted: true };
            match &mut operation.kind {
                Kind::Chat { .. } => record.counts.lost += 1,
                Kind::Ping | Kind::RosterGet => {}
                Kind::Presence(audience) => {
                    record.counts.required -= excuse_departed(audience, operation.user, now, users);
                    record.counts.missing += u64::from(audience.left());
                }
            }
        }
    }

    /// A stanza with an id of this run came in, here or on another reactor; its operation was begun here.
    pub(super) fn arrived(&mut self, what: What, id: StanzaId, received: Received, users: &Users) -> Matched {
        self.last_arrival = self.last_arrival.max(received.now);
        match what {
            What::Message => self.message(id, received, users),
            What::Answer => self.answer(id, received),
            What::Presence => self.presence(id, received, users),
        }
    }

    fn message(&mut self, id: StanzaId, received: Received, users: &Users) -> Matched {
        let (Some(operation), phases) = (find(&mut self.operations, self.forgotten, id), &mut self.phases)
        else {
            return Matched::Other("message_unknown");
        };
        let Kind::Chat { to } = operation.kind else { return Matched::Other("message_unknown") };
        let record = record(phases, operation.action_key());
        record.received(received.lag_ns);
        match operation.end {
            _ if to != received.by => record.counts.unexpected += 1,
            End::Open if users.broken_since(to, operation.since()) => {
                // Stored while its recipient was away: welcome, but no measure of anything.
                operation.end = End::Done;
                self.open -= 1;
                record.counts.unsure += 1;
                record.counts.optional += 1;
            }
            End::Unsure => {
                operation.end = End::Done;
                record.counts.optional += 1;
            }
            End::Open => {
                operation.end = End::Done;
                self.open -= 1;
                record.done(operation.times(), received.now);
                let pair = (operation.action, operation.user, to);
                record.counts.reordered += u64::from(is_overtaken(&mut self.newest, pair, id.seq));
            }
            End::TimedOut { is_counted } => {
                // Late, and not lost after all. In the histogram it stays what it was when the drain was over.
                operation.end = End::Done;
                record.counts.late += 1;
                record.counts.lost -= u64::from(is_counted);
            }
            End::Done | End::Failed => record.counts.duplicated += 1,
        }
        Matched::Yes
    }

    fn answer(&mut self, id: StanzaId, received: Received) -> Matched {
        let (Some(operation), phases) = (find(&mut self.operations, self.forgotten, id), &mut self.phases)
        else {
            return Matched::Other("answer_unknown");
        };
        match (&operation.kind, received.flawed) {
            (Kind::Ping | Kind::RosterGet, _) | (Kind::Chat { .. }, true) => {}
            // One recipient's error says nothing about the others.
            (Kind::Presence(_), true) => return Matched::Other("presence_error"),
            // Only requests are answered (RFC 6120 §8.2.3).
            (Kind::Chat { .. } | Kind::Presence(_), false) => return Matched::Other("answer_unknown"),
        }
        let record = record(phases, operation.action_key());
        record.received(received.lag_ns);
        match operation.end {
            _ if operation.user != received.by => record.counts.unexpected += 1,
            End::Open => {
                self.open -= 1;
                if received.flawed {
                    operation.end = End::Failed;
                    record.counts.failed += 1;
                } else {
                    operation.end = End::Done;
                    record.done(operation.times(), received.now);
                }
            }
            // A message that comes back is no delivery: neither late nor a second one.
            _ if matches!(operation.kind, Kind::Chat { .. }) => return Matched::Other("bounce_late"),
            End::TimedOut { .. } => {
                operation.end = End::Done;
                record.counts.late += 1;
            }
            End::Unsure => return Matched::Other("answer_unsure"),
            End::Done | End::Failed => record.counts.duplicated += 1,
        }
        Matched::Yes
    }

    fn presence(&mut self, id: StanzaId, received: Received, users: &Users) -> Matched {
        let (Some(operation), phases) = (find(&mut self.operations, self.forgotten, id), &mut self.phases)
        else {
            return Matched::Other("presence_unknown");
        };
        let (user, action) = (operation.user, operation.action);
        let times = operation.times();
        let record = record(phases, operation.action_key());
        let Kind::Presence(audience) = &mut operation.kind else { return Matched::Other("presence_unknown") };
        record.received(received.lag_ns);
        let Some(place) = place_of(received.by, user, users) else {
            record.counts.unexpected += 1;
            return Matched::Yes;
        };
        // Servers send the last presence again to who joins later, id included (RFC 6121 §4.3.2).
        let joined_later = !users.was_ready_at(received.by, times.sent.unwrap_or(times.intended));
        let was_awaited = audience.is_awaited(place);
        match audience.arrive(place, received.now, !joined_later) {
            Arrival::Again if joined_later || received.flawed => return Matched::Other("presence_replayed"),
            Arrival::Again => record.counts.duplicated += 1,
            Arrival::Optional => {
                record.counts.optional += 1;
                if was_awaited && operation.end == End::Open {
                    // It was there when the change was begun, and left: nobody owes it the change any more.
                    record.counts.required -= 1;
                    if audience.left() == 0 && audience.any() {
                        operation.end = End::Done;
                        self.open -= 1;
                        record.done(times, audience.reached_at());
                    }
                }
            }
            Arrival::Required { is_first, is_last } => match operation.end {
                End::TimedOut { is_counted } => {
                    record.counts.late += 1;
                    record.counts.missing -= u64::from(is_counted);
                }
                End::Unsure => record.counts.optional += 1,
                End::Open | End::Done | End::Failed => {
                    record.reached(times.intended, received.now, is_first);
                    let pair = (action, user, received.by);
                    record.counts.reordered += u64::from(is_overtaken(&mut self.newest, pair, id.seq));
                    if is_last {
                        operation.end = End::Done;
                        self.open -= 1;
                        record.done(times, received.now);
                    }
                }
            },
        }
        Matched::Yes
    }

    /// What was begun, for tests: (phase, action, k, sender, recipient, nanoseconds from the phase's begin).
    #[cfg(test)]
    pub(in crate::load) fn begun(&self) -> Vec<(u16, u16, u64, u32, Option<u32>, u64)> {
        let begun = self.operations.iter().map(|o| {
            let to = if let Kind::Chat { to } = o.kind { Some(to) } else { None };
            let begin = self.phases[usize::from(o.phase)].begin;
            (o.phase, o.action, o.k, o.user, to, o.intended.since(begin))
        });
        begun.collect()
    }

    /// The drain is over: what has not ended has timed out.
    pub(super) fn give_up(&mut self, now: Nanos, users: &Users) {
        for operation in self.operations.iter_mut().filter(|o| o.end == End::Open) {
            let record =
                &mut self.phases[usize::from(operation.phase)].actions[usize::from(operation.action)];
            give_up(operation, record, now, users);
        }
        self.open = 0;
    }
}

fn find(operations: &mut VecDeque<Operation>, forgotten: u64, id: StanzaId) -> Option<&mut Operation> {
    let index = usize::try_from(id.seq.checked_sub(forgotten + 1)?).ok()?;
    operations.get_mut(index).filter(|o| o.user == id.user)
}

fn record(phases: &mut [PhaseRecord], (phase, action): (u16, u16)) -> &mut ActionRecord {
    &mut phases[usize::from(phase)].actions[usize::from(action)]
}

/// Place of `member` in the audience of `sender`.
fn place_of(member: u32, sender: u32, users: &Users) -> Option<usize> {
    let contacts = &users.get(sender).contacts;
    if member == sender { Some(contacts.len()) } else { contacts.binary_search(&member).ok() }
}

/// Whether a newer operation of the same pair came in before this one (RFC 4737 §3.3).
fn is_overtaken(
    newest: &mut HashMap<(u16, u32, u32), u64, FixedState>,
    pair: (u16, u32, u32),
    seq: u64,
) -> bool {
    if newest.len() >= PAIRS_REMEMBERED_MAX {
        newest.clear();
    }
    let seen = newest.entry(pair).or_insert(seq);
    let overtaken = *seen > seq;
    *seen = seq.max(*seen);
    overtaken
}

/// Whether an operation that has not ended depends on a connection that was broken while it was under way. Bytes that the
/// kernel took may never have left it, and what a server wrote may never have been read. Of a presence change the
/// recipients are looked at one by one.
fn is_unsure(operation: &Operation, users: &Users) -> bool {
    let since = operation.since();
    users.broken_since(operation.user, since)
        || matches!(operation.kind, Kind::Chat { to } if users.broken_since(to, since))
}

/// Writes an open operation down as timed out.
fn give_up(operation: &mut Operation, record: &mut ActionRecord, now: Nanos, users: &Users) {
    let (user, times) = (operation.user, operation.times());
    if is_unsure(operation, users) {
        operation.end = End::Unsure;
        record.counts.unsure += 1;
        if let Kind::Presence(audience) = &operation.kind {
            record.counts.required -= audience.missing().count() as u64;
        }
        return;
    }
    // What the kernel never took cannot have been lost on the way.
    let was_sent = times.sent.is_some();
    match &mut operation.kind {
        Kind::Chat { .. } => record.counts.lost += u64::from(was_sent),
        Kind::Ping | Kind::RosterGet => {}
        Kind::Presence(audience) => {
            record.counts.required -= excuse_departed(audience, user, times.sent.unwrap_or(now), users);
            if audience.left() == 0 && audience.any() {
                record.done(times, audience.reached_at());
                operation.end = End::Done;
                return;
            }
            record.missed(times.intended, now, audience.left(), audience.any());
            record.counts.missing += if was_sent { u64::from(audience.left()) } else { 0 };
        }
    }
    operation.end = End::TimedOut { is_counted: was_sent };
    record.timed_out(times, now);
}

/// Who left before the deadline, or came back only behind `since`, need not have the change. How many these are.
fn excuse_departed(audience: &mut Audience, sender: u32, since: Nanos, users: &Users) -> u64 {
    let contacts = &users.get(sender).contacts;
    let member = |place: usize| contacts.get(place).copied().unwrap_or(sender);
    let departed: Vec<usize> =
        audience.missing().filter(|place| !users.was_ready_at(member(*place), since)).collect();
    departed.iter().for_each(|place| audience.excuse(*place));
    departed.len() as u64
}

#[cfg(test)]
mod tests;
