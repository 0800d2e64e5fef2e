//! A user that is on the server for the sake of its roster or its account: between the connection and [`super::super::setup`].

use super::super::setup::{Visit, VisitStep, Visited};
use super::super::stanzas;
use super::{State, UserCx, VirtualUser, answer, write_scratch};
use crate::engine::{CloseReason, Timer};
use crate::limits::{SET_UP_PAUSE, SET_UP_SILENCE_MAX};
use crate::load::setup::Mode;
use crate::stanza::{Head, Kind, StanzaType};
use crate::stream::{Blame, LoginError};
use crate::xml::Frame;

impl VirtualUser {
    /// A user that will see to its roster or its account and go away again.
    pub(in crate::load) fn visiting(index: u32, visit: Visit) -> Self {
        Self::with_state(index, State::Visiting(Box::new(visit)))
    }

    pub(super) fn visit(&mut self, frame: Frame, cx: &mut UserCx<'_>) {
        let State::Visiting(visit) = &mut self.state else { return };
        if visit.is_bound()
            && let Frame::Element(element) = &frame
            && let Some(head) = Head::parse(element)
            && head.kind == Kind::Iq
            && matches!(head.stanza_type, StanzaType::Get | StanzaType::Set)
        {
            // Roster pushes above all.
            let element = element.clone();
            return cx.write(|out| {
                answer::answer(None, element, head, out);
            });
        }
        let mut out = std::mem::take(&mut cx.world.scratch);
        let step = visit.on_frame(frame, cx.world, &mut out, cx.rng);
        write_scratch(out, cx);
        self.follow_visit(step, cx);
    }

    pub(super) fn follow_visit(&mut self, step: VisitStep, cx: &mut UserCx<'_>) {
        match step {
            VisitStep::Continue => {}
            // A slow server is no dead one: what counts is silence.
            VisitStep::Progress => cx.set_timer(Timer::Negotiation, cx.now + SET_UP_SILENCE_MAX),
            VisitStep::Work(work) => cx.request(*work),
            VisitStep::Restart => cx.restart_stream(),
            VisitStep::Pause => cx.set_timer(Timer::Idle, cx.now + SET_UP_PAUSE),
            VisitStep::Over(visited) => self.visit_over(visited, cx),
            VisitStep::LoginFailed(LoginError::Refused { .. }) if cx.world.plan.mode == Mode::Teardown => {
                cx.write(|out| out.extend_from_slice(stanzas::CLOSE));
                self.visit_over(Visited::NotOurs, cx);
            }
            VisitStep::LoginFailed(error) => self.login_failed(&error, cx),
        }
    }

    fn visit_over(&mut self, visited: Visited, cx: &mut UserCx<'_>) {
        self.state = State::ErrandDone;
        cx.close(CloseReason::closed(Blame::Us));
        cx.world.visited(self.index, visited, cx.now, cx.effects);
    }

    /// The server had time to catch up.
    pub(super) fn visit_again(&mut self, cx: &mut UserCx<'_>) {
        let State::Visiting(visit) = &mut self.state else { return };
        let mut out = std::mem::take(&mut cx.world.scratch);
        visit.on_pause_over(cx.world, &mut out);
        write_scratch(out, cx);
        cx.set_timer(Timer::Negotiation, cx.now + SET_UP_SILENCE_MAX);
    }
}
