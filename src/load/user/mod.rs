//! One synthetic client: logs in, carries out what the schedule asks for, and behaves.
//!
//! It chooses nothing and measures nothing; it tells its [`LoadWorld`] what came and when. Idle, it owns no buffer
//! and no negotiation state.

pub(super) mod answer;
pub(super) mod login;
pub(super) mod managed;
mod probe;
mod receive;
mod visit;

use std::collections::VecDeque;

use super::reconnect::Attempt;
use super::scenario::How;
use super::setup::{Registered, Registration, Visit, Visited};
use super::stanzas;
use super::tally::ended_text;
use super::world::LoadWorld;
use crate::engine::{CloseReason, Cx, Ended, Handler, Stamp, Timer};
use crate::limits::{FRAMER_CLIENT, FramerLimits, LOGOUT_ANSWER_MAX, NEGOTIATION_MAX};
use crate::metrics::{Failure, LoginTimes};
use crate::stanza::{Jid, NS_CLIENT, Stanza};
use crate::stream::{
    Blame, ClientNegotiation, ClientWorked, Management, NS_STREAM, StreamCondition, StreamError,
};
use crate::time::Nanos;
use crate::xml::{Element, Frame, Node, XmlError};
use managed::{Former, Managed};
use probe::Probing;

/// What the schedule asks of a user.
#[derive(Debug)]
pub enum Task {
    /// Carry out the operation of this number.
    Start(u64),
    /// Log out in order.
    Logout,
    /// Break the connection.
    Break(How),
}

/// One synthetic client.
#[derive(Debug)]
pub struct VirtualUser {
    index: u32,
    state: State,
    /// Operations that the kernel has not taken: (outbox position behind the last byte, number).
    unwritten: VecDeque<(u64, u64)>,
    /// Its connection was broken, and this is an attempt to come back; nothing once it is ready.
    attempt: Option<Attempt>,
    /// Its stream management, once asked for.
    managed: Option<Box<Managed>>,
    /// The session that it is about to resume.
    former: Option<Box<Former>>,
}

#[derive(Debug)]
enum State {
    /// Makes its account, on a connection of its own.
    Registering(Registration),
    /// Logs in for the sake of its salted password, on a connection of its own.
    Rehearsing(Box<ClientNegotiation>),
    /// Finds out whether ids arrive, on a connection of its own.
    Probing(Box<Probing>),
    /// Sees to its roster or its account, on a connection of its own.
    Visiting(Box<Visit>),
    /// Has done what it was sent for before the first phase.
    ErrandDone,
    /// Awaits stream, authentication, resource.
    Negotiating(Box<Login>),
    /// Awaits its roster and its own presence.
    Joining(Box<Joining>),
    /// Takes part.
    Ready(Jid),
    /// Has written its close tag.
    Leaving,
    /// Has broken its connection, as it was told.
    Broken,
}

#[derive(Debug)]
struct Login {
    negotiation: ClientNegotiation,
    times: LoginTimes,
}

#[derive(Debug)]
struct Joining {
    jid: Jid,
    times: LoginTimes,
    /// Contacts, once the roster came.
    contacts: Option<Vec<u32>>,
    reflected: bool,
}

type UserCx<'a> = Cx<'a, VirtualUser>;

impl VirtualUser {
    /// A user that will log in: its login ought to begin at `intended`, and was begun at `now`.
    pub(super) fn logging_in(
        index: u32,
        negotiation: ClientNegotiation,
        intended: Nanos,
        now: Nanos,
    ) -> Self {
        let zero = Nanos::ZERO;
        let times = LoginTimes {
            intended,
            began: now,
            connected: zero,
            authenticated: zero,
            bound: zero,
            ready: zero,
        };
        Self::with_state(index, State::Negotiating(Box::new(Login { negotiation, times })))
    }

    /// A user whose connection was broken, and that will log in again.
    pub(super) fn coming_back(
        index: u32,
        negotiation: ClientNegotiation,
        intended: Nanos,
        now: Nanos,
        attempt: Attempt,
        former: Option<Box<Former>>,
    ) -> Self {
        Self { attempt: Some(attempt), former, ..Self::logging_in(index, negotiation, intended, now) }
    }

    const fn with_state(index: u32, state: State) -> Self {
        Self { index, state, unwritten: VecDeque::new(), attempt: None, managed: None, former: None }
    }

    /// A user that will make its account and go away again.
    pub(super) const fn registering(index: u32) -> Self {
        Self::with_state(index, State::Registering(Registration::new()))
    }

    /// A user that will authenticate and go away again.
    pub(super) fn rehearsing(index: u32, negotiation: ClientNegotiation) -> Self {
        Self::with_state(index, State::Rehearsing(Box::new(negotiation)))
    }

    /// Number of the user.
    pub(super) const fn index(&self) -> u32 {
        self.index
    }

    /// The attempt to come back that this connection is, until it has.
    pub(super) const fn attempt(&self) -> Option<Attempt> {
        self.attempt
    }

    /// What is no stanza: a stream error, or something that was never negotiated.
    fn on_stream_element(&mut self, element: &Element, cx: &mut UserCx<'_>) {
        let node = Node::parse(element, NS_CLIENT);
        if let Some(management) = Management::parse(element) {
            return self.on_management(management, cx);
        }
        if !node.is("error", NS_STREAM) {
            return cx.world.tally.other("not_a_stanza");
        }
        let condition = node.elements().find_map(|child| StreamCondition::parse(child.name));
        let condition = condition.unwrap_or(StreamCondition::UndefinedCondition);
        cx.world.tally.error("stream error", element.as_str(), cx.now);
        self.state = State::Leaving;
        cx.write(|out| out.extend_from_slice(stanzas::CLOSE));
        cx.close(CloseReason { blame: Blame::Peer, ended: Ended::StreamError(condition) });
    }

    /// The server closed its stream.
    fn on_close_tag(&mut self, cx: &mut UserCx<'_>) {
        if !matches!(self.state, State::Leaving) {
            self.state = State::Leaving;
            cx.write(|out| out.extend_from_slice(stanzas::CLOSE));
            return cx.close(CloseReason::closed(Blame::Peer));
        }
        cx.close(CloseReason::closed(Blame::Us));
    }

    fn log_out(&mut self, cx: &mut UserCx<'_>) {
        match self.state {
            State::Leaving | State::ErrandDone | State::Broken => return,
            State::Ready(_) | State::Joining(_) => {
                self.acknowledge_last(cx);
                cx.write(stanzas::leave);
            }
            State::Negotiating(_)
            | State::Registering(_)
            | State::Rehearsing(_)
            | State::Probing(_)
            | State::Visiting(_) => {
                cx.write(|out| out.extend_from_slice(stanzas::CLOSE));
            }
        }
        self.state = State::Leaving;
        cx.set_timer(Timer::CloseTag, cx.now + LOGOUT_ANSWER_MAX);
    }

    /// Breaks the connection; who is not ready has none to break. Its end is told at once, whatever is still to be flushed.
    fn break_off(&mut self, how: How, cx: &mut UserCx<'_>) {
        if !matches!(self.state, State::Ready(_)) {
            return;
        }
        self.state = State::Broken;
        let ended = match how {
            How::TcpReset => Ended::Io(std::io::ErrorKind::ConnectionReset),
            How::TcpClose => Ended::Eof,
            How::StreamClose => Ended::Closed,
        };
        let reason = CloseReason { blame: Blame::Us, ended };
        match how {
            How::TcpReset => cx.abort(reason),
            How::TcpClose => cx.close(reason),
            How::StreamClose => {
                // A clean end is the session's end, too (XEP-0198 §7).
                self.managed = None;
                cx.write(|out| out.extend_from_slice(stanzas::CLOSE));
                cx.close(reason);
            }
        }
    }

    fn start(&mut self, seq: u64, cx: &mut UserCx<'_>) {
        // Who is not ready any more sends nothing; the operation is not answered and counted so.
        if !matches!(self.state, State::Ready(_)) {
            return;
        }
        let mut out = std::mem::take(&mut cx.world.scratch);
        cx.world.write_operation(seq, &mut out);
        self.say(Some(seq), cx, |bytes| bytes.extend_from_slice(&out));
        out.clear();
        cx.world.scratch = out;
        self.unwritten.push_back((cx.position(), seq));
    }
}

impl Handler for VirtualUser {
    type World = LoadWorld;
    type Task = Task;
    const FRAMER_LIMITS: FramerLimits = FRAMER_CLIENT;

    fn on_connected(&mut self, cx: &mut UserCx<'_>) {
        cx.world.users.set_connected(self.index, cx.me);
        if cx.world.is_over() {
            self.state = State::Leaving;
            return cx.close(CloseReason::closed(Blame::Us));
        }
        let mut out = std::mem::take(&mut cx.world.scratch);
        match &mut self.state {
            State::Negotiating(login) => {
                login.times.connected = cx.now;
                login.negotiation.handle_connected(&mut out);
                if self.attempt.is_some() {
                    // A login phase has a timeout of its own; an attempt to come back gives up and tries again.
                    cx.set_timer(Timer::Negotiation, cx.now + NEGOTIATION_MAX);
                }
            }
            State::Rehearsing(negotiation) => {
                negotiation.handle_connected(&mut out);
                cx.set_timer(Timer::Negotiation, cx.now + NEGOTIATION_MAX);
            }
            State::Probing(probing) => {
                probing.negotiation.handle_connected(&mut out);
                cx.set_timer(Timer::Negotiation, cx.now + NEGOTIATION_MAX);
            }
            State::Registering(registration) => {
                registration.on_connected(&cx.world.domain, &mut out);
                cx.set_timer(Timer::Negotiation, cx.now + NEGOTIATION_MAX);
            }
            State::Visiting(visit) => {
                visit.on_connected(&mut out);
                cx.set_timer(Timer::Negotiation, cx.now + NEGOTIATION_MAX);
            }
            State::ErrandDone | State::Joining(_) | State::Ready(_) | State::Leaving | State::Broken => {
                unreachable!("a user begins by registering, rehearsing, visiting or negotiating")
            }
        }
        write_scratch(out, cx);
    }

    fn on_frame(&mut self, frame: Frame, cx: &mut UserCx<'_>) {
        match &mut self.state {
            State::Negotiating(_) => self.negotiate(frame, cx),
            State::Rehearsing(_) => self.rehearse(frame, cx),
            State::Probing(_) => self.probe(frame, cx),
            State::Visiting(_) => self.visit(frame, cx),
            State::Registering(registration) => {
                let mut out = std::mem::take(&mut cx.world.scratch);
                let account = (cx.world.username(self.index), cx.world.password(self.index));
                registration.on_frame(frame, &account, &mut out);
                write_scratch(out, cx);
                if registration.is_over() {
                    cx.close(CloseReason::closed(Blame::Us));
                }
            }
            State::Joining(_) | State::Ready(_) => match frame {
                Frame::Element(element) => self.on_element(element, cx),
                Frame::Close => self.on_close_tag(cx),
                Frame::Open(_) => cx.world.tally.other("not_a_stanza"),
            },
            State::ErrandDone | State::Leaving => {
                if matches!(frame, Frame::Close) {
                    self.on_close_tag(cx);
                }
            }
            State::Broken => {}
        }
    }

    fn on_xml_error(&mut self, error: XmlError, cx: &mut UserCx<'_>) {
        // Who leaves in the middle of a login does not begin the server's next stream; that one's header is no fault.
        if !matches!(self.state, State::Leaving) {
            let example = format!("user {}: {error}", cx.world.username(self.index));
            cx.world.tally.error("the server's XML is broken", &example, cx.now);
        }
        let error = StreamError::from(error);
        cx.write(|out| error.write(out));
        cx.close(CloseReason { blame: Blame::Peer, ended: Ended::StreamError(error.condition) });
    }

    fn on_delivery(&mut self, _stanza: &Stanza, _stamp: Stamp, _cx: &mut UserCx<'_>) {
        unreachable!("synthetic clients reach each other through the server only");
    }

    fn on_task(&mut self, task: Task, cx: &mut UserCx<'_>) {
        match task {
            Task::Start(seq) => self.start(seq, cx),
            Task::Logout => self.log_out(cx),
            Task::Break(how) => self.break_off(how, cx),
        }
    }

    fn on_timer(&mut self, timer: Timer, cx: &mut UserCx<'_>) {
        match timer {
            Timer::CloseTag | Timer::Negotiation => {
                cx.close(CloseReason { blame: Blame::Peer, ended: Ended::TimedOut });
            }
            Timer::Idle if matches!(self.state, State::Visiting(_)) => self.visit_again(cx),
            Timer::Idle => self.end_probe(cx),
            Timer::PingAnswer | Timer::Acknowledgement | Timer::Outbox | Timer::Flush | Timer::Drain => {}
        }
    }

    fn on_written(&mut self, position: u64, cx: &mut UserCx<'_>) {
        while let Some((end, seq)) = self.unwritten.front().copied()
            && end <= position
        {
            self.unwritten.pop_front();
            let world = &mut *cx.world;
            world.journal.sent(seq, cx.now, &world.users);
        }
        if self.unwritten.is_empty() && self.unwritten.capacity() > 4 {
            self.unwritten = VecDeque::new();
        }
    }

    fn on_slow_reader(&mut self, cx: &mut UserCx<'_>) {
        cx.close(CloseReason { blame: Blame::Peer, ended: Ended::SlowReader });
    }

    fn on_answer(&mut self, worked: ClientWorked, cx: &mut UserCx<'_>) {
        self.worked(worked, cx);
    }

    fn on_closed(&mut self, reason: &CloseReason, cx: &mut UserCx<'_>) {
        self.keep_former(cx);
        let was_ready = cx.world.users.set_gone(self.index);
        let who = cx.world.username(self.index);
        let what = format!("user {who}: {}", ended_text(&reason.ended));
        // Who takes part leaves when the run is over, or when a phase breaks its connection.
        let is_lost = was_ready && !matches!(self.state, State::Broken) && !cx.world.is_over();
        if was_ready {
            cx.world.tell_gone(self.index, reason.ended, is_lost, cx.effects);
        }
        let attempt = self.attempt.take();
        if let Some(attempt) = attempt {
            cx.world.come_back_failed(self.index, attempt, &what, cx.now);
        }
        match std::mem::replace(&mut self.state, State::Leaving) {
            State::Broken => cx.world.was_broken(self.index, cx.now),
            State::Negotiating(_) | State::Joining(_) if attempt.is_some() => {}
            State::Registering(registration) => {
                let outcome = registration.into_outcome().unwrap_or(Registered::Failed(what));
                return cx.world.registered(outcome, cx.now, cx.effects);
            }
            State::Visiting(_) => {
                let what = ended_text(&reason.ended);
                return cx.world.visited(self.index, Visited::Cut(what), cx.now, cx.effects);
            }
            State::Negotiating(_) | State::Joining(_) | State::Rehearsing(_) | State::Probing(_) => {
                cx.world.tally.error("connection lost while logging in", &what, cx.now);
                cx.world.login_failed(Failure::TargetUnreachable(what.clone()), cx.now, cx.effects);
            }
            State::Ready(_) => cx.world.tally.error("connection lost", &what, cx.now),
            // Only connections that were for the run's sake are counted.
            State::ErrandDone => return,
            State::Leaving if is_lost && reason.ended == Ended::Closed => {
                cx.world.tally.error("stream closed by the server", &what, cx.now);
            }
            State::Leaving => {}
        }
        if is_lost {
            cx.world.connection_lost(&what, cx.now, cx.effects);
        }
        cx.world.tally.close(reason);
    }
}

/// Puts what was written to the world's scratch buffer into the outbox, and the buffer back.
fn write_scratch(mut scratch: Vec<u8>, cx: &mut UserCx<'_>) {
    if !scratch.is_empty() {
        cx.write(|out| out.extend_from_slice(&scratch));
        scratch.clear();
    }
    cx.world.scratch = scratch;
}
