//! One client's stream, from its first byte to its end (RFC 6120 §4).
//!
//! Negotiation is `stream`'s and routing the world's; here each frame, timer and end finds the right one. What is kept
//! for a bound and idle client is in [`State::Bound`]; the negotiation is freed when it is over.

use std::collections::VecDeque;

use bytes::Bytes;

use super::client_task::ClientTask;
use super::jobs::{ServerAnswer, ServerJob};
use super::login::{self, Checked, Journey};
use super::ping;
use super::routing::Origin;
use super::stream_management::{ManagedId, Resuming};
use super::world::ServerWorld;
use crate::engine::{CloseReason, Cx, Ended, Handler, Stamp, Timer};
use crate::limits::{
    FRAMER_BEFORE_AUTH, FramerLimits, IDLE_MAX, NEGOTIATION_MAX, PING_ANSWER_MAX, REGISTERING_STREAM_MAX,
};
use crate::router::{AccountId, SessionId};
use crate::stanza::{NS_CLIENT, Stanza, To};
use crate::stream::{
    BindAnswer, Blame, Hosts, Management, ServerNegotiation, ServerStep, StreamCondition, StreamError,
};
use crate::xml::{Element, Frame, Node, XmlError};

pub(super) type ClientCx<'a> = Cx<'a, ClientLink>;

/// A server's connection to a client.
#[derive(Debug)]
pub struct ClientLink {
    pub(super) state: State,
}

#[derive(Debug)]
pub(super) enum State {
    Negotiating(Box<Negotiating>),
    Bound(Bound),
    Ended,
}

/// A client that has not bound yet.
#[derive(Debug)]
pub(super) struct Negotiating {
    pub(super) stream: ServerNegotiation,
    /// What its login was checked against.
    pub(super) checked: Checked,
    /// The account that was made for it (ANONYMOUS); it ends with the connection.
    pub(super) temporary: Option<AccountId>,
    /// Why it is on its way to another home.
    pub(super) journey: Option<Journey>,
    /// The session that it is about to resume.
    pub(super) resuming: Option<Resuming>,
    /// Accounts that it has registered (XEP-0077).
    registered: u32,
}

/// A bound client.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) session: SessionId,
    /// Full JID, escaped; stanzas are stamped with it.
    pub(super) from: Bytes,
    /// How much of it is the bare JID.
    pub(super) bare_len: u16,
    /// Its stream management, once enabled.
    pub(super) managed: Option<ManagedId>,
    /// What not every client has.
    pub(super) extra: Option<Box<Extra>>,
}

/// What not every bound client has.
#[derive(Debug, Default)]
pub(super) struct Extra {
    /// Language of its stream, escaped (RFC 6120 §4.7.4).
    pub(super) lang: Option<Bytes>,
    /// Positions of its outbox; the world is told when each is written. Oldest first.
    marks: VecDeque<u64>,
}

impl Extra {
    /// What a client has whose stream is in this language.
    pub(super) fn new(lang: Option<&Bytes>) -> Option<Box<Self>> {
        lang.map(|lang| Box::new(Self { lang: Some(lang.clone()), marks: VecDeque::new() }))
    }
}

impl Bound {
    /// Bare JID, escaped.
    pub(super) fn bare(&self) -> &[u8] {
        &self.from[..usize::from(self.bare_len)]
    }

    /// Domain of its account, escaped.
    fn domain(&self) -> &[u8] {
        self.bare().rsplit(|byte| *byte == b'@').next().unwrap_or_default()
    }

    /// Its stream management, if it can go on without this connection. While something that waited for the client was sent
    /// before stream management began, and is not written yet, nobody would learn of its end.
    pub(super) fn resumable(&self) -> Option<ManagedId> {
        self.managed.filter(|_| self.extra.as_ref().is_none_or(|extra| extra.marks.is_empty()))
    }

    /// Language of its stream, escaped.
    pub(super) fn lang(&self) -> Option<&Bytes> {
        self.extra.as_ref()?.lang.as_ref()
    }
}

impl ClientLink {
    pub(super) fn new(hosts: Hosts) -> Self {
        let stream = ServerNegotiation::new(hosts);
        let negotiating = Negotiating {
            stream,
            checked: None,
            temporary: None,
            journey: None,
            resuming: None,
            registered: 0,
        };
        Self { state: State::Negotiating(Box::new(negotiating)) }
    }

    /// Lets the negotiation take what has come, and follows it.
    pub(super) fn negotiate(
        &mut self,
        cx: &mut ClientCx<'_>,
        take: impl FnOnce(&mut Negotiating, &mut Vec<u8>, &mut ClientCx<'_>) -> Result<ServerStep, StreamError>,
    ) {
        let State::Negotiating(negotiation) = &mut self.state else { return };
        let mut bytes = std::mem::take(&mut cx.world.scratch.bytes);
        let step = take(negotiation, &mut bytes, cx);
        let result = self.take_steps(step, &mut bytes, cx);
        cx.write(|out| out.extend_from_slice(&bytes));
        bytes.clear();
        cx.world.scratch.bytes = bytes;
        if let Err(error) = result {
            self.fail(&error, Ended::StreamError(error.condition), cx);
        }
    }

    /// Follows the negotiation until it waits for the client again.
    fn take_steps(
        &mut self,
        mut step: Result<ServerStep, StreamError>,
        bytes: &mut Vec<u8>,
        cx: &mut ClientCx<'_>,
    ) -> Result<(), StreamError> {
        let State::Negotiating(negotiation) = &mut self.state else { return Ok(()) };
        let Negotiating { stream, checked, temporary, journey, resuming, registered } = &mut **negotiation;
        loop {
            step = match step? {
                ServerStep::Continue => return Ok(()),
                ServerStep::NeedAccount { account } => {
                    if let Some(home) = cx.world.other_home(account.as_str()) {
                        *journey = Some(Journey::Login(account));
                        cx.move_to(home);
                        return Ok(());
                    }
                    login::check((&mut *stream, &mut *checked), &account, bytes, cx)
                }
                ServerStep::Work(work) => {
                    cx.request(ServerJob::Login(work));
                    return Ok(());
                }
                ServerStep::Authenticated { account, anonymous } => {
                    let guest = anonymous.then_some((account, journey, temporary));
                    return login::authenticated(guest, *registered > 0, cx);
                }
                ServerStep::Register(element) => {
                    let domain = stream.domain().to_owned();
                    return cx.world.on_registration(element, &domain, *registered, cx.me, cx.effects);
                }
                ServerStep::Bind { resource } => {
                    let account = login::account_of(stream, checked, cx.world)?;
                    let answer = cx.world.bind(&account, resource.as_deref(), cx.me, cx.rng, cx.effects);
                    match answer {
                        Err(condition) => stream.handle_bind(BindAnswer::Refused(condition), bytes),
                        Ok(bound) => {
                            let written = stream.handle_bind(BindAnswer::Bound(bound.jid), bytes);
                            let bare_len = u16::try_from(bound.bare_len).expect("escaped parts fit");
                            let extra = Extra::new(stream.lang());
                            let (session, from) = (bound.session, bound.from);
                            self.state =
                                State::Bound(Bound { session, from, bare_len, managed: None, extra });
                            written?;
                            cx.clear_timer(Timer::Negotiation);
                            cx.set_timer(Timer::Idle, cx.now + IDLE_MAX);
                            return Ok(());
                        }
                    }
                }
                ServerStep::Resume { h, previd } => {
                    let account = login::account_of(stream, checked, cx.world)?;
                    match Resuming::begin(h, previd, &account, cx)? {
                        Ok(begun) => {
                            *resuming = Some(begun);
                            return Ok(());
                        }
                        Err(answer) => stream.handle_resume(answer, bytes),
                    }
                }
                ServerStep::Element(element) => {
                    let account = login::account_of(stream, checked, cx.world)?;
                    return cx.world.on_early_element(element, &account, cx.me, cx.effects);
                }
                ServerStep::Close => {
                    close_when_answered(cx);
                    return Ok(());
                }
            };
        }
    }

    fn on_bound_frame(&mut self, frame: Frame, cx: &mut ClientCx<'_>) {
        let result = match frame {
            Frame::Element(element) => self.on_element(element, cx),
            Frame::Close => {
                close_when_answered(cx);
                Ok(())
            }
            Frame::Open(_) => Err(StreamError::peer(StreamCondition::BadFormat)),
        };
        if let Err(error) = result {
            self.fail(&error, Ended::StreamError(error.condition), cx);
        }
    }

    /// Asks a client that was silent for too long whether it lives (XEP-0199 §4.1). Whatever it sends answers, white space
    /// included (RFC 6120 §4.6.1), so frames need not move any timer.
    fn on_idle(&self, cx: &mut ClientCx<'_>) {
        let State::Bound(bound) = &self.state else { return };
        let due = cx.last_read() + IDLE_MAX;
        if due > cx.now {
            return cx.set_timer(Timer::Idle, due);
        }
        if !Self::ask_for_acknowledgement(bound, cx) {
            cx.write(|out| ping::write_request(bound.domain(), &bound.from, out));
        }
        cx.set_timer(Timer::PingAnswer, cx.now + PING_ANSWER_MAX);
    }

    fn on_element(&mut self, element: Element, cx: &mut ClientCx<'_>) -> Result<(), StreamError> {
        let State::Bound(bound) = &self.state else { return Ok(()) };
        let origin = Origin { conn: cx.me, session: Some(bound.session) };
        if let Some(management) = cx.world.on_element(element, bound, origin, cx.effects)? {
            return self.on_management(&management, cx);
        }
        if let Some(managed) = bound.managed {
            cx.world.management.count_handled(managed, cx.me);
        }
        Ok(())
    }

    /// Writes a stream error, its header first where there was none (RFC 6120 §4.9.1.2), and ends the connection.
    pub(super) fn fail(&mut self, error: &StreamError, ended: Ended, cx: &mut ClientCx<'_>) {
        let mut bytes = std::mem::take(&mut cx.world.scratch.bytes);
        if let State::Negotiating(negotiation) = &mut self.state {
            negotiation.stream.ensure_header(&mut bytes, cx.rng);
        }
        error.write(&mut bytes);
        cx.write(|out| out.extend_from_slice(&bytes));
        bytes.clear();
        cx.world.scratch.bytes = bytes;
        cx.close(CloseReason { blame: error.blame, ended });
    }

    /// As [`Self::fail`], for a deadline that the client let pass.
    fn time_out(&mut self, text: &str, cx: &mut ClientCx<'_>) {
        let error = StreamError::peer(StreamCondition::ConnectionTimeout).with_text(text);
        self.fail(&error, Ended::TimedOut, cx);
    }
}

impl Handler for ClientLink {
    type World = ServerWorld;
    type Task = ClientTask;

    const FRAMER_LIMITS: FramerLimits = FRAMER_BEFORE_AUTH;
    const WAITS_FOR_READER: bool = true;

    fn on_connected(&mut self, cx: &mut ClientCx<'_>) {
        cx.world.set_now(cx.now);
        cx.world.connections.add(cx.me);
        cx.set_timer(Timer::Negotiation, cx.now + NEGOTIATION_MAX);
        if cx.world.is_stopping() {
            self.on_task(ClientTask::Shutdown, cx);
        }
    }

    fn on_frame(&mut self, frame: Frame, cx: &mut ClientCx<'_>) {
        cx.world.set_now(cx.now);
        if let Some(error) = stream_error_of(&frame) {
            // The client has given up (RFC 6120 §4.9.1.1): the close tag is what is left to say.
            cx.write(|out| out.extend_from_slice(CLOSE_TAG));
            return cx.close(CloseReason { blame: Blame::Peer, ended: Ended::StreamError(error.condition) });
        }
        match &self.state {
            State::Negotiating(_) => {
                self.negotiate(cx, |negotiating, bytes, cx| {
                    negotiating.stream.handle_frame(frame, bytes, cx.rng)
                });
            }
            State::Bound(_) => self.on_bound_frame(frame, cx),
            State::Ended => {}
        }
    }

    fn on_xml_error(&mut self, error: XmlError, cx: &mut ClientCx<'_>) {
        cx.world.set_now(cx.now);
        let error = StreamError::from(error);
        self.fail(&error, Ended::StreamError(error.condition), cx);
    }

    fn on_delivery(&mut self, stanza: &Stanza, stamp: Stamp, cx: &mut ClientCx<'_>) {
        let State::Bound(bound) = &self.state else { return cx.send(stanza, To::Kept) };
        let to = match stamp {
            Stamp::Bare => To::Stamped(bound.bare()),
            Stamp::Full => To::Stamped(&bound.from),
            Stamp::Kept => To::Kept,
        };
        cx.send(stanza, to);
        if let Some(managed) = bound.managed {
            let wish = cx.world.management.sent(managed, cx.me, stanza, to, cx.now);
            self.follow(wish, cx);
        }
    }

    fn on_task(&mut self, task: ClientTask, cx: &mut ClientCx<'_>) {
        cx.world.set_now(cx.now);
        let (condition, text) = match task {
            ClientTask::Conflict => (StreamCondition::Conflict, None),
            ClientTask::Shutdown => (StreamCondition::SystemShutdown, None),
            ClientTask::Removed => (StreamCondition::NotAuthorized, Some("the account was removed")),
            ClientTask::Dismissed => (StreamCondition::PolicyViolation, Some("ended by an administrator")),
            ClientTask::Close => {
                cx.write(|out| out.extend_from_slice(CLOSE_TAG));
                return cx.close(CloseReason::closed(Blame::Peer));
            }
            ClientTask::Registered => {
                if let State::Negotiating(negotiating) = &mut self.state {
                    negotiating.registered += 1;
                    if negotiating.stream.account().is_some() {
                        return;
                    }
                    cx.set_timer(Timer::Negotiation, cx.now + REGISTERING_STREAM_MAX);
                }
                return;
            }
            ClientTask::TellWritten => {
                // One that acknowledges tells more than the kernel.
                if let State::Bound(bound) = &mut self.state
                    && bound.managed.is_none()
                {
                    bound.extra.get_or_insert_default().marks.push_back(cx.position());
                }
                return;
            }
            ClientTask::Acknowledge(h) => {
                return cx.write(|out| Management::Acknowledgement(h).write(out));
            }
            ClientTask::Superseded => return self.on_superseded(cx),
            ClientTask::Resume => return self.on_resume(cx),
        };
        let error = StreamError::us(condition);
        let error = match text {
            Some(text) => error.with_text(text),
            None => error,
        };
        self.fail(&error, Ended::StreamError(condition), cx);
    }

    fn on_timer(&mut self, timer: Timer, cx: &mut ClientCx<'_>) {
        cx.world.set_now(cx.now);
        match timer {
            Timer::Idle => self.on_idle(cx),
            Timer::Negotiation => self.time_out("negotiation took too long", cx),
            Timer::PingAnswer if cx.last_read() + PING_ANSWER_MAX < cx.now => {
                self.time_out("no answer to a ping", cx);
            }
            Timer::PingAnswer => cx.set_timer(Timer::Idle, cx.last_read() + IDLE_MAX),
            Timer::Acknowledgement => self.on_acknowledgement_due(cx),
            Timer::CloseTag | Timer::Outbox | Timer::Flush | Timer::Drain => {}
        }
    }

    fn on_written(&mut self, position: u64, cx: &mut ClientCx<'_>) {
        let State::Bound(Bound { session, extra: Some(extra), .. }) = &mut self.state else { return };
        let written = extra.marks.partition_point(|mark| *mark <= position);
        if written > 0 {
            extra.marks.drain(..written);
            cx.world.set_now(cx.now);
            cx.world.on_flushed(*session, written, cx.effects);
        }
    }

    fn on_slow_reader(&mut self, cx: &mut ClientCx<'_>) {
        cx.world.set_now(cx.now);
        let error = StreamError::peer(StreamCondition::ResourceConstraint).with_text("too slow a reader");
        self.fail(&error, Ended::SlowReader, cx);
    }

    fn on_answer(&mut self, answer: ServerAnswer, cx: &mut ClientCx<'_>) {
        cx.world.set_now(cx.now);
        match answer {
            ServerAnswer::Login(worked) => {
                self.negotiate(cx, |negotiating, bytes, _| negotiating.stream.handle_worked(*worked, bytes));
            }
            ServerAnswer::Saved | ServerAnswer::Derived(..) => {
                unreachable!("the world asks for it, not a stream")
            }
        }
    }

    fn on_departure(&mut self, cx: &mut ClientCx<'_>) {
        cx.world.set_now(cx.now);
        cx.world.connections.remove(cx.me);
    }

    fn on_arrival(&mut self, cx: &mut ClientCx<'_>) {
        cx.world.set_now(cx.now);
        cx.world.connections.add(cx.me);
        if cx.world.is_stopping() {
            return self.on_task(ClientTask::Shutdown, cx);
        }
        self.negotiate(cx, login::arrive);
    }

    fn on_closed(&mut self, reason: &CloseReason, cx: &mut ClientCx<'_>) {
        cx.world.set_now(cx.now);
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Bound(bound) => {
                // XEP-0198 §7: without a close tag the stream is unfinished.
                let is_unfinished =
                    matches!(reason.ended, Ended::Eof | Ended::Io(_) | Ended::TimedOut | Ended::SlowReader);
                let managed = bound.resumable().filter(|_| is_unfinished);
                if !managed.is_some_and(|managed| cx.world.hibernate(managed, cx.me, false)) {
                    cx.world.end_session(bound.session, cx.effects);
                }
            }
            State::Negotiating(negotiation) => {
                if let Some(account) = negotiation.temporary {
                    cx.world.remove_if_temporary(account);
                }
            }
            State::Ended => {}
        }
        cx.world.connections.remove(cx.me);
    }
}

/// The client has closed its stream: nothing comes behind its tag. What is queued for it comes before ours (RFC 6120 §4.4),
/// answers that wait for the store among it.
fn close_when_answered(cx: &mut ClientCx<'_>) {
    cx.effects.wait(cx.me);
    cx.effects.when_safe(cx.me, cx.me, ClientTask::Close);
}

const CLOSE_TAG: &[u8] = b"</stream:stream>";

/// The stream error that a frame is. A look at the first bytes tells every stanza from one: the framer knows the
/// namespace of streams by no other prefix.
fn stream_error_of(frame: &Frame) -> Option<StreamError> {
    match frame {
        Frame::Element(element) if element.bytes.starts_with(b"<stream:") => {
            StreamError::parse(&Node::parse(element, NS_CLIENT))
        }
        Frame::Element(_) | Frame::Open(_) | Frame::Close => None,
    }
}

#[cfg(test)]
mod tests {
    use super::ClientLink;

    /// ANCHORS: an idle connection costs at most 1 KiB, everything included.
    #[test]
    fn a_link_is_small() {
        assert!(size_of::<ClientLink>() <= 64, "{}", size_of::<ClientLink>());
    }
}
