//! What a client's stream does about its session's stream management.
//!
//! Which session can be resumed, and what a queue's length asks for, is the world's.

use super::registry::Wish;
use super::{Acknowledged, Former, Refusal, failed};
use crate::engine::{Cx, Ended, Timer};
use crate::limits::IDLE_MAX;
use crate::server::client_link::{Bound, ClientLink, Extra, State};
use crate::server::client_task::ClientTask;
use crate::stanza::{Condition, Jid, Stanza, To};
use crate::stream::{Management, ResumeAnswer, StreamCondition, StreamError};

type ClientCx<'a> = Cx<'a, ClientLink>;

/// A resumption that has been asked for and waits until what was taken of the former stream is safe.
#[derive(Debug)]
pub(in crate::server) struct Resuming {
    pub(super) previd: String,
    pub(super) h: u32,
}

impl Resuming {
    /// Begins the resumption for a client that has authenticated: the former stream ends, if it seems to live, and when all
    /// that it had accepted is safe, [`ClientTask::Resume`] follows. Until then the new stream's input waits.
    ///
    /// # Errors
    /// The stream ends when more is acknowledged than was sent.
    pub(in crate::server) fn begin(
        h: u32,
        previd: String,
        account: &Jid,
        cx: &mut ClientCx<'_>,
    ) -> Result<Result<Self, ResumeAnswer>, StreamError> {
        match cx.world.may_resume(account, &previd, h) {
            Ok(former) => {
                cx.effects.wait(cx.me);
                Self::take_over(&former, cx);
                Ok(Ok(Self { previd, h }))
            }
            Err(Refusal::Failed(h)) => {
                Ok(Err(ResumeAnswer::Failed { condition: Condition::ItemNotFound, h }))
            }
            Err(Refusal::Error(error)) => Err(error),
        }
    }

    /// Ends the former stream, if it seems to live, and asks for [`ClientTask::Resume`].
    fn take_over(former: &Former, cx: &mut ClientCx<'_>) {
        if former.lives {
            cx.effects.task(former.origin.conn, ClientTask::Superseded);
        }
        cx.world.close_barrier(former.origin, cx.effects);
        cx.effects.when_safe(former.origin.conn, cx.me, ClientTask::Resume);
    }
}

impl ClientLink {
    /// [`ClientTask::Resume`]: what was to be waited for is safe.
    pub(in crate::server) fn on_resume(&mut self, cx: &mut ClientCx<'_>) {
        let State::Negotiating(negotiating) = &mut self.state else { return };
        let Some(resuming) = negotiating.resuming.take() else { return };
        let account = negotiating.stream.account().expect("resumption follows authentication").clone();
        // Another stream may have resumed it meanwhile: that is the former one then.
        match cx.world.may_resume(&account, &resuming.previd, resuming.h) {
            Ok(former) if former.lives => {
                negotiating.resuming = Some(resuming);
                return Resuming::take_over(&former, cx);
            }
            Ok(_) | Err(_) => cx.effects.go_on(cx.me),
        }
        let stream = &mut negotiating.stream;
        let resumed = match cx.world.resume(&account, &resuming, cx.me, cx.effects) {
            Ok(resumed) => resumed,
            Err(Refusal::Failed(h)) => {
                let answer = ResumeAnswer::Failed { condition: Condition::ItemNotFound, h };
                return self
                    .negotiate(cx, |negotiating, bytes, _| negotiating.stream.handle_resume(answer, bytes));
            }
            Err(Refusal::Error(error)) => {
                return self.fail(&error, Ended::StreamError(error.condition), cx);
            }
        };
        let mut bytes = Vec::new();
        let done = stream.handle_resume(ResumeAnswer::Resumed(resumed.jid), &mut bytes);
        debug_assert!(done.is_ok(), "nothing is refused any more");
        let extra = Extra::new(stream.lang());
        let (session, from, bare_len) = (resumed.session, resumed.from, resumed.bare_len);
        let id = resumed.managed;
        self.state = State::Bound(Bound { session, from, bare_len, managed: Some(id), extra });
        cx.answer_for_unwritten();
        let managed = cx.world.management.get(id, cx.me).expect("it has just been resumed");
        Management::Resumed { h: managed.handled, previd: resuming.previd }.write(&mut bytes);
        let again: Vec<Stanza> = managed.queue.stanzas().map(|(stanza, _)| stanza).collect();
        let wish = managed.on_resumed();
        cx.write(|out| out.extend_from_slice(&bytes));
        again.iter().for_each(|stanza| cx.send(stanza, To::Kept));
        cx.clear_timer(Timer::Negotiation);
        cx.set_timer(Timer::Idle, cx.now + IDLE_MAX);
        self.follow(wish, cx);
    }

    /// [`ClientTask::Superseded`]: a new stream takes the session over (XEP-0198 §5).
    pub(in crate::server) fn on_superseded(&mut self, cx: &mut ClientCx<'_>) {
        if let State::Bound(bound) = &self.state
            && let Some(managed) = bound.resumable()
            && cx.world.hibernate(managed, cx.me, true)
        {
            self.state = State::Ended;
        }
        let condition = StreamCondition::Conflict;
        self.fail(&StreamError::us(condition), Ended::StreamError(condition), cx);
    }

    /// An element of stream management on a bound stream.
    ///
    /// # Errors
    /// The stream ends: stream management was enabled twice (§3), or more is acknowledged than was sent (§6).
    pub(in crate::server) fn on_management(
        &mut self,
        management: &Management,
        cx: &mut ClientCx<'_>,
    ) -> Result<(), StreamError> {
        let State::Bound(bound) = &mut self.state else { return Ok(()) };
        match (management, bound.managed) {
            (&Management::Enable { resume, max_s }, None) => {
                let from = (bound.from.clone(), bound.bare_len);
                let wanted = (resume, max_s);
                let (managed, enabled) =
                    cx.world.enable_management(bound.session, cx.me, from, wanted, cx.rng);
                bound.managed = Some(managed);
                cx.answer_for_unwritten();
                cx.write(|out| enabled.write(out));
            }
            (Management::Enable { .. }, Some(_)) => {
                cx.write(|out| failed(Condition::UnexpectedRequest, None).write(out));
                let error = StreamError::peer(StreamCondition::PolicyViolation);
                return Err(error.with_text("stream management is enabled once"));
            }
            (Management::Request, Some(managed)) => {
                if let Some(managed) = cx.world.management.get(managed, cx.me) {
                    let handled = managed.handled;
                    cx.world.acknowledge(bound.session, cx.me, handled, cx.effects);
                }
            }
            (&Management::Acknowledgement(h), Some(id)) => {
                let Some(managed) = cx.world.management.get(id, cx.me) else { return Ok(()) };
                let (acknowledged, wish) = managed.on_acknowledgement(h);
                if acknowledged == Acknowledged::TooMany {
                    return Err(StreamError::handled_count_too_high(h, managed.queue.sent()));
                }
                cx.world.take_flushed(bound.session, acknowledged, cx.effects);
                self.follow(wish, cx);
            }
            (Management::Malformed, _) => {
                cx.write(|out| failed(Condition::BadRequest, None).write(out));
            }
            (Management::Resume { .. } | Management::Request | Management::Acknowledgement(_), _) => {
                cx.write(|out| failed(Condition::UnexpectedRequest, None).write(out));
            }
            (Management::Enabled { .. } | Management::Resumed { .. } | Management::Failed { .. }, _) => {
                return Err(StreamError::peer(StreamCondition::UnsupportedStanzaType));
            }
        }
        Ok(())
    }

    /// The stream's own timer for acknowledgements has passed.
    pub(in crate::server) fn on_acknowledgement_due(&mut self, cx: &mut ClientCx<'_>) {
        let State::Bound(Bound { managed: Some(id), .. }) = self.state else { return };
        if let Some(managed) = cx.world.management.get(id, cx.me) {
            let wish = managed.on_timer();
            self.follow(wish, cx);
        }
    }

    /// Asks a silent client whether it lives: an answer is due to `<r/>` as to a ping (RFC 6120 §4.6). `false`: it has no
    /// stream management.
    pub(in crate::server) fn ask_for_acknowledgement(bound: &Bound, cx: &mut ClientCx<'_>) -> bool {
        let managed = bound.managed.and_then(|id| cx.world.management.get(id, cx.me));
        let Some(managed) = managed else { return false };
        managed.set_asked();
        cx.write(|out| Management::Request.write(out));
        true
    }

    /// Does what a queue's length asks for.
    pub(in crate::server) fn follow(&mut self, wish: Wish, cx: &mut ClientCx<'_>) {
        if wish.full {
            cx.world.counters.overfull += 1;
            let error = StreamError::peer(StreamCondition::ResourceConstraint);
            let error = error.with_text("too many stanzas are not acknowledged");
            return self.fail(&error, Ended::StreamError(error.condition), cx);
        }
        if wish.no_timer {
            cx.clear_timer(Timer::Acknowledgement);
        }
        if let Some(wait) = wish.timer {
            cx.set_timer(Timer::Acknowledgement, cx.now + wait);
        }
        if wish.ask {
            cx.write(|out| Management::Request.write(out));
        }
    }
}
