//! What a user gets: messages, presence and answers, matched by id in the world's journal.

use super::super::ids::StanzaId;
use super::super::journal::{Matched, Received, What};
use super::super::markers::{are_marked, marker_id};
use super::super::stanzas::{NS_DELAY, VERSION_ID};
use super::login::software;
use super::{State, UserCx, VirtualUser, answer};
use crate::stanza::{Head, Jid, Kind, StanzaType};
use crate::xml::{Element, Span, unescape};

impl VirtualUser {
    /// An element on a stream that has a resource.
    pub(super) fn on_element(&mut self, element: Element, cx: &mut UserCx<'_>) {
        let Some(head) = Head::parse(&element) else { return self.on_stream_element(&element, cx) };
        self.count_handled();
        match head.kind {
            Kind::Message => self.on_message(&element, &head, cx),
            Kind::Presence => self.on_presence(&element, &head, cx),
            Kind::Iq if matches!(head.stanza_type, StanzaType::Result | StanzaType::Error) => {
                self.on_answer(&element, &head, cx);
            }
            Kind::Iq => {
                let mut out = std::mem::take(&mut cx.world.scratch);
                let word = answer::answer(self.jid(), element, head, &mut out);
                self.say(None, cx, |bytes| bytes.extend_from_slice(&out));
                out.clear();
                cx.world.scratch = out;
                cx.world.tally.other(word);
            }
        }
    }

    fn jid(&self) -> Option<&Jid> {
        match &self.state {
            State::Joining(joining) => Some(&joining.jid),
            State::Ready(jid) => Some(jid),
            State::Registering(_)
            | State::Rehearsing(_)
            | State::Probing(_)
            | State::Visiting(_)
            | State::ErrandDone
            | State::Negotiating(_)
            | State::Leaving
            | State::Broken => None,
        }
    }

    /// Matches a stanza with its operation, here or where that was begun.
    fn arrived(&self, what: What, id: StanzaId, flawed: bool, cx: &mut UserCx<'_>) -> Matched {
        let lag_ns = cx.now.since(cx.ready_at);
        let received = Received { by: self.index, now: cx.now, lag_ns, flawed };
        cx.world.arrived(what, id, received, cx.effects)
    }

    fn on_message(&self, element: &Element, head: &Head, cx: &mut UserCx<'_>) {
        let is_error = head.stanza_type == StanzaType::Error;
        let matched = match operation_id(element, head, cx) {
            None => Matched::Other("message"),
            Some(id) if is_error => {
                cx.world.tally.error("message bounced", element.as_str(), cx.now);
                self.arrived(What::Answer, id, true, cx)
            }
            Some(id) => self.arrived(What::Message, id, false, cx),
        };
        note(matched, cx);
    }

    fn on_presence(&mut self, element: &Element, head: &Head, cx: &mut UserCx<'_>) {
        let id = operation_id(element, head, cx);
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "types of other kinds come here as `presence_other` too"
        )]
        let matched = match head.stanza_type {
            StanzaType::None => {
                self.note_reflection(element, head, cx);
                match id {
                    Some(id) => {
                        let delayed = element.as_str().contains(NS_DELAY);
                        self.arrived(What::Presence, id, delayed, cx)
                    }
                    None => Matched::Other("presence_initial"),
                }
            }
            StanzaType::Unavailable => Matched::Other("presence_unavailable"),
            StanzaType::Subscribe => Matched::Other("subscription_request"),
            StanzaType::Error => {
                cx.world.tally.error("presence bounced", element.as_str(), cx.now);
                match id {
                    Some(id) => self.arrived(What::Answer, id, true, cx),
                    None => Matched::Other("presence_error"),
                }
            }
            _ => Matched::Other("presence_other"),
        };
        note(matched, cx);
    }

    /// Own presence that comes back makes a user ready (RFC 6121 §4.2.2).
    fn note_reflection(&mut self, element: &Element, head: &Head, cx: &mut UserCx<'_>) {
        let State::Joining(joining) = &mut self.state else { return };
        let from = head.from.and_then(|span| unescape(text(element, span)).ok());
        if from.is_some_and(|from| from == joining.jid.as_str()) {
            joining.reflected = true;
            self.maybe_ready(cx);
        }
    }

    fn on_answer(&mut self, element: &Element, head: &Head, cx: &mut UserCx<'_>) {
        let is_error = head.stanza_type == StanzaType::Error;
        if let Some(id) = operation_id(element, head, cx) {
            if is_error {
                cx.world.tally.error("request refused", element.as_str(), cx.now);
            }
            let matched = self.arrived(What::Answer, id, is_error, cx);
            return note(matched, cx);
        }
        if head.id.is_some_and(|id| text(element, id) == VERSION_ID) {
            cx.world.software = software(element);
            return;
        }
        // What has an id of ours and is no operation is the roster; everybody asks once.
        self.take_roster(element, cx);
    }
}

fn note(matched: Matched, cx: &mut UserCx<'_>) {
    if let Matched::Other(word) = matched {
        cx.world.tally.other(word);
    }
}

fn text(element: &Element, span: Span) -> &str {
    &element.as_str()[span.range()]
}

/// The operation that a stanza's marker or id names; `None` for another id, or one of log-in.
fn operation_id(element: &Element, head: &Head, cx: &UserCx<'_>) -> Option<StanzaId> {
    let run = &cx.world.run;
    let marked = if are_marked(cx.world.ids, head.kind) { marker_id(run, element) } else { None };
    let id = marked.or_else(|| run.parse(text(element, head.id?)));
    id.filter(|id| id.seq > 0)
}
