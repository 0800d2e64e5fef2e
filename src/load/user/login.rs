//! From a connection to a user that is ready: negotiation, roster, own presence.

use super::super::ids::StanzaId;
use super::super::stanzas::{self, NS_ROSTER};
use super::super::world::LoadWorld;
use super::{Joining, State, UserCx, VirtualUser, write_scratch};
use crate::engine::{CloseReason, Ended, Timer};
use crate::metrics::{Failure, LoginTimes};
use crate::stanza::NS_CLIENT;
use crate::stream::{Blame, ClientStep, ClientWorked, LoginError, StreamError};
use crate::xml::{Element, Frame, Node};

impl VirtualUser {
    pub(super) fn negotiate(&mut self, frame: Frame, cx: &mut UserCx<'_>) {
        let State::Negotiating(login) = &mut self.state else { return };
        let mut out = std::mem::take(&mut cx.world.scratch);
        let step = login.negotiation.handle_frame(frame, &mut out, cx.rng);
        write_scratch(out, cx);
        self.follow(step, cx);
    }

    /// The salted password is there.
    pub(super) fn worked(&mut self, worked: ClientWorked, cx: &mut UserCx<'_>) {
        let mut out = std::mem::take(&mut cx.world.scratch);
        let step = match &mut self.state {
            State::Negotiating(login) => login.negotiation.handle_worked(worked, &mut out),
            State::Rehearsing(negotiation) => negotiation.handle_worked(worked, &mut out),
            State::Probing(probing) => probing.negotiation.handle_worked(worked, &mut out),
            State::Visiting(visit) => {
                let step = visit.on_worked(worked, &mut out);
                write_scratch(out, cx);
                return self.follow_visit(step, cx);
            }
            State::Registering(_)
            | State::ErrandDone
            | State::Joining(_)
            | State::Ready(_)
            | State::Leaving
            | State::Broken => Ok(ClientStep::Continue),
        };
        write_scratch(out, cx);
        match step {
            Ok(step) => debug_assert!(matches!(step, ClientStep::Continue), "a response was written"),
            Err(error) => self.login_failed(&error, cx),
        }
    }

    fn follow(&mut self, step: Result<ClientStep, LoginError>, cx: &mut UserCx<'_>) {
        let State::Negotiating(login) = &mut self.state else { return };
        match step {
            Ok(ClientStep::Continue | ClientStep::Element(_)) => {}
            Ok(ClientStep::Work(work)) => cx.request(*work),
            Ok(ClientStep::Authenticated) => {
                login.times.authenticated = cx.now;
                cx.restart_stream();
            }
            Ok(ClientStep::Bound { jid }) => {
                let times = LoginTimes { bound: cx.now, ..login.times };
                cx.world.users.set_bound(self.index, jid.clone());
                // The negotiation's state goes here.
                self.state =
                    State::Joining(Box::new(Joining { jid, times, contacts: None, reflected: false }));
                self.on_bound_anew(cx);
                if cx.world.plan.scenario.users.stream_management {
                    self.enable_management(cx);
                }
                let (run, index) = (cx.world.run, self.index);
                self.say(None, cx, |out| stanzas::roster_get(&run, StanzaId { user: index, seq: 0 }, out));
                self.say(None, cx, |out| stanzas::initial_presence(&run, index, out));
            }
            Ok(ClientStep::Resumed { h }) => {
                let times = login.times;
                self.on_resumed(h, times, cx);
            }
            Ok(ClientStep::Close(error)) => self.login_failed(&closed_early(error), cx),
            Err(error) => self.login_failed(&error, cx),
        }
    }

    pub(super) fn login_failed(&mut self, error: &LoginError, cx: &mut UserCx<'_>) {
        if self.attempt.is_some() {
            // It tries again; its end says that it failed, and this says why.
            cx.world.tally.error("reconnection refused", &error.to_string(), cx.now);
            cx.write(|out| out.extend_from_slice(stanzas::CLOSE));
            return cx.close(CloseReason { blame: Blame::Peer, ended: Ended::LoginFailed });
        }
        let who = cx.world.username(self.index);
        let what = format!("user {who}: {error}");
        cx.world.tally.error("login failed", &what, cx.now);
        let failure = match error {
            LoginError::Stream { .. } | LoginError::Protocol(_) => Failure::TargetUnreachable(what),
            LoginError::MechanismNotOffered { .. }
            | LoginError::Refused { .. }
            | LoginError::ServerSignature
            | LoginError::TlsRequired
            | LoginError::Bind { .. } => Failure::LoginRefused(what),
        };
        self.state = State::Leaving;
        cx.write(|out| out.extend_from_slice(stanzas::CLOSE));
        cx.close(CloseReason { blame: Blame::Peer, ended: Ended::LoginFailed });
        cx.world.login_failed(failure, cx.now, cx.effects);
    }

    /// Authenticates and goes away again: the salted password is then known, and the login phase does not compute it.
    pub(super) fn rehearse(&mut self, frame: Frame, cx: &mut UserCx<'_>) {
        let State::Rehearsing(negotiation) = &mut self.state else { return };
        let mut out = std::mem::take(&mut cx.world.scratch);
        let step = negotiation.handle_frame(frame, &mut out, cx.rng);
        if let Ok(ClientStep::Authenticated) = step {
            out.extend_from_slice(stanzas::CLOSE);
        }
        write_scratch(out, cx);
        match step {
            Ok(ClientStep::Continue | ClientStep::Element(_)) => {}
            Ok(ClientStep::Work(work)) => cx.request(*work),
            Ok(ClientStep::Authenticated | ClientStep::Bound { .. } | ClientStep::Resumed { .. }) => {
                self.state = State::ErrandDone;
                cx.close(CloseReason::closed(Blame::Us));
                cx.world.errand_done("rehearsed");
            }
            Ok(ClientStep::Close(error)) => self.login_failed(&closed_early(error), cx),
            Err(error) => self.login_failed(&error, cx),
        }
    }

    /// Takes the roster.
    pub(super) fn take_roster(&mut self, element: &Element, cx: &mut UserCx<'_>) {
        if let State::Joining(joining) = &mut self.state
            && joining.contacts.is_none()
        {
            joining.contacts = Some(roster_contacts(element, cx.world));
            self.maybe_ready(cx);
        } else {
            cx.world.tally.other("answer_unknown");
        }
    }

    pub(super) fn maybe_ready(&mut self, cx: &mut UserCx<'_>) {
        let State::Joining(joining) = &mut self.state else { return };
        if !joining.reflected {
            return;
        }
        let Some(contacts) = joining.contacts.take() else { return };
        let times = LoginTimes { ready: cx.now, ..joining.times };
        self.state = State::Ready(joining.jid.clone());
        cx.clear_timer(Timer::Negotiation);
        cx.world.user_ready(self.index, contacts, &times, self.attempt.take(), cx.effects);
        if self.index == 0 {
            let domain = std::sync::Arc::clone(&cx.world.domain);
            self.say(None, cx, |out| stanzas::version(&domain, out));
        }
    }
}

/// Name and version in an answer to [`stanzas::version`]; `None` when the server keeps them to itself.
pub(in crate::load) fn software(answer: &Element) -> Option<String> {
    let node = Node::parse(answer, NS_CLIENT);
    let query = node.child("query", stanzas::NS_VERSION)?;
    let words = ["name", "version"].map(|name| query.child(name, stanzas::NS_VERSION).map(Node::text));
    let words: Vec<_> = words.into_iter().flatten().filter(|word| !word.trim().is_empty()).collect();
    (!words.is_empty()).then(|| words.join(" "))
}

pub(super) fn closed_early(error: Option<StreamError>) -> LoginError {
    match error {
        Some(error) => {
            LoginError::Stream { condition: error.condition.as_str().to_owned(), text: error.text }
        }
        None => LoginError::Stream { condition: "stream closed".to_owned(), text: None },
    }
}

/// Users of this run that get the roster owner's presence: items `from` and `both` (RFC 6121 §2.1.2.5).
fn roster_contacts(element: &Element, world: &LoadWorld) -> Vec<u32> {
    let node = Node::parse(element, NS_CLIENT);
    let Some(query) = node.child("query", NS_ROSTER) else { return Vec::new() };
    let sees = |item: &&Node<'_>| matches!(item.attr("subscription"), Some("from" | "both"));
    let users = query.elements().filter(sees).filter_map(|item| world.user_of(item.attr("jid")?));
    users.collect()
}
