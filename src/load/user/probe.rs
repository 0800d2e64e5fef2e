//! Finds out whether ids arrive: one login before the first phase that sends itself a presence and a message.
//!
//! It measures nothing. What does not come back within [`ID_PROBE_MAX`] stays unknown, and the run goes on with ids alone.

use super::super::ids::{Run, StanzaId};
use super::super::{markers, stanzas};
use super::login::closed_early;
use super::{State, UserCx, VirtualUser, write_scratch};
use crate::engine::{CloseReason, Timer};
use crate::limits::ID_PROBE_MAX;
use crate::metrics::{IdsArrive, Survival};
use crate::stanza::{Jid, NS_CLIENT};
use crate::stream::{Blame, ClientNegotiation, ClientStep, LoginError};
use crate::xml::{Element, Frame, Node, escape_attr_into};

/// Tells the message from what a server writes to whoever logs in.
const BODY: &str = "xmpp-bench looks whether ids arrive";

#[derive(Debug)]
pub(super) struct Probing {
    pub(super) negotiation: ClientNegotiation,
    jid: Option<Jid>,
    presence: Option<Survival>,
    message: Option<Survival>,
}

impl Probing {
    pub(super) const fn new(negotiation: ClientNegotiation) -> Self {
        Self { negotiation, jid: None, presence: None, message: None }
    }

    fn note(&mut self, run: &Run, sent: StanzaId, element: &Element) {
        let node = Node::parse(element, NS_CLIENT);
        let own = self.jid.as_ref().map(Jid::as_str);
        match node.name {
            "presence" if node.attr("type").is_none() && node.attr("from") == own => {
                self.presence.get_or_insert_with(|| markers::survival(run, sent, &node));
            }
            "message" if node.child("body", NS_CLIENT).is_some_and(|body| body.text() == BODY) => {
                self.message.get_or_insert_with(|| markers::survival(run, sent, &node));
            }
            _ => {}
        }
    }
}

impl VirtualUser {
    /// A user that will find out whether ids arrive, and go away again.
    pub(in crate::load) fn probing(index: u32, negotiation: ClientNegotiation) -> Self {
        let state = State::Probing(Box::new(Probing::new(negotiation)));
        Self::with_state(index, state)
    }

    pub(super) fn probe(&mut self, frame: Frame, cx: &mut UserCx<'_>) {
        let State::Probing(probing) = &mut self.state else { return };
        let mut out = std::mem::take(&mut cx.world.scratch);
        let step = probing.negotiation.handle_frame(frame, &mut out, cx.rng);
        write_scratch(out, cx);
        self.follow_probe(step, cx);
    }

    fn follow_probe(&mut self, step: Result<ClientStep, LoginError>, cx: &mut UserCx<'_>) {
        let State::Probing(probing) = &mut self.state else { return };
        let sent = StanzaId { user: self.index, seq: 0 };
        match step {
            Ok(ClientStep::Continue | ClientStep::Resumed { .. }) => {}
            Ok(ClientStep::Work(work)) => cx.request(*work),
            Ok(ClientStep::Authenticated) => cx.restart_stream(),
            Ok(ClientStep::Bound { jid }) => {
                let run = cx.world.run;
                cx.write(|out| write_probe(&run, sent, &jid, out));
                probing.jid = Some(jid);
                cx.clear_timer(Timer::Negotiation);
                cx.set_timer(Timer::Idle, cx.now + ID_PROBE_MAX);
            }
            Ok(ClientStep::Element(element)) => {
                probing.note(&cx.world.run, sent, &element);
                if probing.message.is_some() && probing.presence.is_some() {
                    self.end_probe(cx);
                }
            }
            Ok(ClientStep::Close(error)) => self.login_failed(&closed_early(error), cx),
            Err(error) => self.login_failed(&error, cx),
        }
    }

    /// Both have come back, or the time is over.
    pub(super) fn end_probe(&mut self, cx: &mut UserCx<'_>) {
        let State::Probing(probing) = &self.state else { return };
        let of = |arrived: Option<Survival>| arrived.unwrap_or_default();
        let ids = IdsArrive { message: of(probing.message), presence: of(probing.presence) };
        cx.world.ids = ids;
        if ids.message == Survival::Unknown || ids.presence == Survival::Unknown {
            let what = format!("message {:?}, presence {:?}", probing.message, probing.presence);
            cx.world.tally.error("it is not known whether ids arrive", &what, cx.now);
        }
        self.state = State::ErrandDone;
        cx.write(stanzas::leave);
        cx.close(CloseReason::closed(Blame::Us));
        cx.world.errand_done("probed");
    }
}

/// Presence and a message to oneself, each with id and marker.
fn write_probe(run: &Run, id: StanzaId, own: &Jid, out: &mut Vec<u8>) {
    out.extend_from_slice(b"<presence id='");
    run.write(id, out);
    out.extend_from_slice(b"'>");
    markers::write_marker(run, id, out);
    out.extend_from_slice(b"</presence><message type='chat' to='");
    escape_attr_into(own.as_str(), out);
    out.extend_from_slice(b"' id='");
    run.write(id, out);
    out.extend_from_slice(format!("'><body>{BODY}</body>").as_bytes());
    markers::write_marker(run, id, out);
    out.extend_from_slice(b"</message>");
}
