//! One client of the preflight: looks at a stream's features, makes an account, or logs in and then does as it is told.
//!
//! It judges nothing; what it hears goes to its [`PreflightWorld`].

use super::PreflightWorld;
use crate::engine::{CloseReason, Cx, Ended, Handler, Stamp};
use crate::limits::{FRAMER_CLIENT, FramerLimits};
use crate::load::setup::{Registered, Registration};
use crate::load::stanzas::{self, CLOSE};
use crate::load::tally::ended_text;
use crate::load::user::answer::answer;
use crate::stanza::{Head, Jid, Kind, NS_CLIENT, Stanza, StanzaType};
use crate::stream::{
    Blame, ClientNegotiation, ClientStep, ClientWorked, LoginError, NS_STREAM, StreamError,
    write_client_header,
};
use crate::xml::{Element, Frame, Node, XmlError};

/// Whose connection it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Nobody's: it looks at the features.
    Look,
    /// Makes the account of this probe.
    Register(usize),
    /// Is this probe.
    Probe(usize),
    /// Is the first probe once more.
    Second,
}

/// What the world asks of a scout.
#[derive(Debug)]
pub enum Errand {
    /// Write this.
    Write(Vec<u8>),
    /// Log out.
    Leave,
}

/// One client of the preflight.
#[derive(Debug)]
pub struct Scout {
    role: Role,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Awaits features, then perhaps what a registration asks for.
    Looking,
    Registering(Registration),
    Negotiating(Box<ClientNegotiation>),
    /// Has a resource.
    Bound(Jid),
    /// Has said all that it had to.
    Leaving,
}

type ScoutCx<'a> = Cx<'a, Scout>;

impl Scout {
    pub(super) const fn looking() -> Self {
        Self { role: Role::Look, state: State::Looking }
    }

    pub(super) const fn registering(probe: usize) -> Self {
        Self { role: Role::Register(probe), state: State::Registering(Registration::new()) }
    }

    pub(super) fn logging_in(role: Role, negotiation: ClientNegotiation) -> Self {
        Self { role, state: State::Negotiating(Box::new(negotiation)) }
    }

    pub(super) const fn role(&self) -> Role {
        self.role
    }

    fn leave(&mut self, cx: &mut ScoutCx<'_>) {
        match self.state {
            State::Leaving => return,
            State::Bound(_) => cx.write(stanzas::leave),
            State::Looking | State::Registering(_) | State::Negotiating(_) => {
                cx.write(|out| out.extend_from_slice(CLOSE));
            }
        }
        self.state = State::Leaving;
        cx.close(CloseReason::closed(Blame::Us));
    }

    fn look(&mut self, frame: &Frame, cx: &mut ScoutCx<'_>) {
        let element = match frame {
            Frame::Open(_) => return,
            Frame::Close => return self.lost("stream closed", cx),
            Frame::Element(element) => element,
        };
        let node = Node::parse(element, NS_CLIENT);
        let question = if let Some(error) = StreamError::parse(&node) {
            cx.world.stream_refused(&stream_error(error), cx.now, cx.effects);
            None
        } else if node.is("features", NS_STREAM) {
            cx.world.on_features(&node, cx.now, cx.effects)
        } else {
            cx.world.on_form(&node, cx.now, cx.effects);
            None
        };
        match question {
            Some(question) => cx.write(|out| out.extend_from_slice(question)),
            None => self.leave(cx),
        }
    }

    fn negotiate(&mut self, step: Result<ClientStep, LoginError>, cx: &mut ScoutCx<'_>) {
        let error = match step {
            Ok(ClientStep::Continue | ClientStep::Element(_) | ClientStep::Resumed { .. }) => return,
            Ok(ClientStep::Work(work)) => return cx.request(*work),
            Ok(ClientStep::Authenticated) => return cx.restart_stream(),
            Ok(ClientStep::Bound { jid }) => {
                self.state = State::Bound(jid.clone());
                return cx.world.logged_in(self.role, cx.me, jid, cx.now, cx.effects);
            }
            Ok(ClientStep::Close(Some(error))) => stream_error(error),
            Ok(ClientStep::Close(None)) => LoginError::Protocol("the server closed the stream".into()),
            Err(error) => error,
        };
        self.state = State::Leaving;
        cx.write(|out| out.extend_from_slice(CLOSE));
        cx.close(CloseReason { blame: Blame::Peer, ended: Ended::LoginFailed });
        cx.world.refused(self.role, &error.to_string(), cx.now, cx.effects);
    }

    fn on_element(&mut self, element: Element, cx: &mut ScoutCx<'_>) {
        let State::Bound(jid) = &self.state else { return };
        let Some(head) = Head::parse(&element) else {
            let error = StreamError::parse(&Node::parse(&element, NS_CLIENT));
            let what = error.map_or_else(|| "no stanza".to_owned(), |error| stream_error(error).to_string());
            return self.lost(&what, cx);
        };
        if head.kind == Kind::Iq && !matches!(head.stanza_type, StanzaType::Result | StanzaType::Error) {
            let mut out = Vec::new();
            answer(Some(jid), element, head, &mut out);
            return cx.write(|outbox| outbox.extend_from_slice(&out));
        }
        cx.world.on_stanza(self.role, &element, cx.now, cx.effects);
    }

    /// The connection is of no more use, and the world had not asked for its end.
    fn lost(&mut self, what: &str, cx: &mut ScoutCx<'_>) {
        let state = std::mem::replace(&mut self.state, State::Leaving);
        if let State::Registering(registration) = state {
            let outcome = registration.into_outcome().unwrap_or_else(|| Registered::Failed(what.to_owned()));
            cx.world.registered(outcome, cx.now, cx.effects);
        } else if !matches!(state, State::Leaving) {
            cx.world.refused(self.role, what, cx.now, cx.effects);
        }
        cx.close(CloseReason::closed(Blame::Peer));
    }
}

fn stream_error(error: StreamError) -> LoginError {
    LoginError::Stream { condition: error.condition.as_str().to_owned(), text: error.text }
}

impl Handler for Scout {
    type World = PreflightWorld;
    type Task = Errand;
    const FRAMER_LIMITS: FramerLimits = FRAMER_CLIENT;

    fn on_connected(&mut self, cx: &mut ScoutCx<'_>) {
        cx.world.connected += 1;
        if cx.world.is_over() {
            self.state = State::Leaving;
            return cx.close(CloseReason::closed(Blame::Us));
        }
        let mut out = Vec::new();
        match &mut self.state {
            State::Looking => write_client_header(cx.world.domain(), &mut out),
            State::Registering(registration) => registration.on_connected(cx.world.domain(), &mut out),
            State::Negotiating(negotiation) => negotiation.handle_connected(&mut out),
            State::Bound(_) | State::Leaving => unreachable!("a connection comes up once"),
        }
        cx.write(|outbox| outbox.extend_from_slice(&out));
    }

    fn on_frame(&mut self, frame: Frame, cx: &mut ScoutCx<'_>) {
        let mut out = Vec::new();
        match &mut self.state {
            State::Looking => self.look(&frame, cx),
            State::Registering(registration) => {
                let Role::Register(probe) = self.role else { unreachable!("it registers") };
                registration.on_frame(frame, &cx.world.account(probe), &mut out);
                let is_over = registration.is_over();
                cx.write(|outbox| outbox.extend_from_slice(&out));
                if is_over {
                    self.lost("", cx);
                }
            }
            State::Negotiating(negotiation) => {
                let step = negotiation.handle_frame(frame, &mut out, cx.rng);
                cx.write(|outbox| outbox.extend_from_slice(&out));
                self.negotiate(step, cx);
            }
            State::Bound(_) => match frame {
                Frame::Element(element) => self.on_element(element, cx),
                Frame::Close => self.lost("stream closed", cx),
                Frame::Open(_) => {}
            },
            State::Leaving => {}
        }
    }

    fn on_xml_error(&mut self, error: XmlError, cx: &mut ScoutCx<'_>) {
        self.lost(&format!("what the server sends is no XMPP: {error}"), cx);
    }

    fn on_delivery(&mut self, _stanza: &Stanza, _stamp: Stamp, _cx: &mut ScoutCx<'_>) {
        unreachable!("clients reach each other through the server only");
    }

    fn on_task(&mut self, errand: Errand, cx: &mut ScoutCx<'_>) {
        match errand {
            Errand::Write(bytes) => cx.write(|out| out.extend_from_slice(&bytes)),
            Errand::Leave => self.leave(cx),
        }
    }

    fn on_timer(&mut self, _timer: crate::engine::Timer, _cx: &mut ScoutCx<'_>) {}

    fn on_slow_reader(&mut self, cx: &mut ScoutCx<'_>) {
        self.lost("the server does not read", cx);
    }

    fn on_answer(&mut self, worked: ClientWorked, cx: &mut ScoutCx<'_>) {
        let State::Negotiating(negotiation) = &mut self.state else { return };
        let mut out = Vec::new();
        let step = negotiation.handle_worked(worked, &mut out);
        cx.write(|outbox| outbox.extend_from_slice(&out));
        self.negotiate(step, cx);
    }

    fn on_closed(&mut self, reason: &CloseReason, cx: &mut ScoutCx<'_>) {
        cx.world.connected -= 1;
        self.lost(&ended_text(&reason.ended), cx);
    }
}
