//! One user's login for the sake of its roster or its account, on a connection of its own.
//!
//! It sends no presence, so nobody sees it come, and nothing is delivered to it. What it writes goes out in batches, each
//! with a ping behind it: servers handle a stream's stanzas in order (RFC 6120 §10.1), so the answer says that those before
//! it are done.

use std::io::Write as _;

use rand_chacha::ChaCha12Rng;

use super::roster::{Roster, Subscription};
use crate::limits::{SET_UP_BATCH_STANZAS, SET_UP_TRIES_MAX};
use crate::load::mail::Errand;
use crate::load::stanzas::CLOSE;
use crate::load::world::LoadWorld;
use crate::stanza::{NS_CLIENT, NS_STANZAS};
use crate::stream::{ClientNegotiation, ClientStep, ClientWork, ClientWorked, LoginError, NS_STREAM};
use crate::xml::{Element, Frame, Node, escape_attr_into};

/// How a visit ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::load) enum Visited {
    /// So many contacts were asked; none: the roster is the graph's already.
    Asked(u32),
    /// So many contacts were approved.
    Approved(u32),
    /// So many contacts were removed, of which the server refused some.
    Cleared { removed: u32, refused: u32 },
    /// The account is gone.
    Removed,
    /// There is no such account, or it has another password.
    NotOurs,
    /// The server would not do it: one line.
    Refused(String),
    /// The connection ended before its time: one line.
    Cut(String),
}

/// What the owner must do.
#[derive(Debug)]
pub(in crate::load) enum VisitStep {
    /// More is awaited.
    Continue,
    /// More is awaited, and something came: who gets on is not timed out.
    Progress,
    /// See [`ClientStep::Work`].
    Work(Box<ClientWork>),
    /// See [`ClientStep::Authenticated`].
    Restart,
    /// Call [`Visit::on_pause_over`] a little later.
    Pause,
    /// It is over; the close tag was written.
    Over(Visited),
    /// It could not log in.
    LoginFailed(LoginError),
}

/// One visit under way.
#[derive(Debug)]
pub(in crate::load) struct Visit {
    user: u32,
    errand: Errand,
    state: State,
    /// Contacts that are to be treated, and how many of them were.
    todo: Vec<u32>,
    at: usize,
    /// Contacts to treat when the roster came first.
    wanted: u32,
    /// Rounds of approval so far.
    tries: u32,
    /// Requests so far: each has a number as its id.
    requests: u32,
    refused: u32,
    /// What the server said to the first one that it refused.
    reason: Option<String>,
}

#[derive(Debug)]
enum State {
    Negotiating(Box<ClientNegotiation>),
    /// Awaits the answer to a roster get.
    Getting,
    /// Awaits the answer to the ping behind a batch.
    Writing,
    /// Gives the server time.
    Pausing,
    /// Awaits the end of the account.
    Removing,
    Over,
}

impl Visit {
    pub(in crate::load) fn new(user: u32, errand: Errand, negotiation: ClientNegotiation) -> Self {
        Self {
            user,
            errand,
            state: State::Negotiating(Box::new(negotiation)),
            todo: Vec::new(),
            at: 0,
            wanted: 0,
            tries: 0,
            requests: 0,
            refused: 0,
            reason: None,
        }
    }

    /// The connection is up.
    pub(in crate::load) fn on_connected(&mut self, out: &mut Vec<u8>) {
        if let State::Negotiating(negotiation) = &mut self.state {
            negotiation.handle_connected(out);
        }
    }

    /// The salted password is there.
    pub(in crate::load) fn on_worked(&mut self, worked: ClientWorked, out: &mut Vec<u8>) -> VisitStep {
        let State::Negotiating(negotiation) = &mut self.state else { return VisitStep::Continue };
        match negotiation.handle_worked(worked, out) {
            Ok(_) => VisitStep::Continue,
            Err(error) => self.login_failed(error),
        }
    }

    /// Whether IQ requests of the server are answered by now.
    pub(in crate::load) const fn is_bound(&self) -> bool {
        !matches!(self.state, State::Negotiating(_) | State::Over)
    }

    /// Takes a frame; what is to be written is appended to `out`.
    pub(in crate::load) fn on_frame(
        &mut self,
        frame: Frame,
        world: &LoadWorld,
        out: &mut Vec<u8>,
        rng: &mut ChaCha12Rng,
    ) -> VisitStep {
        if let State::Negotiating(negotiation) = &mut self.state {
            return match negotiation.handle_frame(frame, out, rng) {
                Ok(ClientStep::Continue | ClientStep::Element(_) | ClientStep::Resumed { .. }) => {
                    VisitStep::Continue
                }
                Ok(ClientStep::Work(work)) => VisitStep::Work(work),
                Ok(ClientStep::Authenticated) => VisitStep::Restart,
                Ok(ClientStep::Bound { .. }) => self.on_bound(out),
                Ok(ClientStep::Close(_)) => self.over(Visited::Cut("the stream was closed".to_owned()), out),
                Err(error) => self.login_failed(error),
            };
        }
        match frame {
            Frame::Element(element) => self.on_element(&element, world, out),
            Frame::Close if self.is_removed_by("not-authorized") => self.over(Visited::Removed, out),
            Frame::Close => self.over(Visited::Cut("the server closed the stream".to_owned()), out),
            Frame::Open(_) => VisitStep::Continue,
        }
    }

    fn login_failed(&mut self, error: LoginError) -> VisitStep {
        self.state = State::Over;
        VisitStep::LoginFailed(error)
    }

    fn on_bound(&mut self, out: &mut Vec<u8>) -> VisitStep {
        if self.errand == Errand::Remove {
            self.state = State::Removing;
            self.request("set", b"<query xmlns='jabber:iq:register'><remove/></query>", out);
        } else {
            self.get_roster(out);
        }
        VisitStep::Progress
    }

    fn get_roster(&mut self, out: &mut Vec<u8>) {
        self.state = State::Getting;
        self.request("get", b"<query xmlns='jabber:iq:roster'/>", out);
    }

    fn on_element(&mut self, element: &Element, world: &LoadWorld, out: &mut Vec<u8>) -> VisitStep {
        let node = Node::parse(element, NS_CLIENT);
        let is_error = node.attr("type") == Some("error");
        if node.is("error", NS_STREAM) {
            let condition = node.elements().next().map_or("undefined-condition", |c| c.name);
            if self.is_removed_by(condition) {
                return self.over(Visited::Removed, out);
            }
            return self.over(Visited::Cut(format!("stream error: {condition}")), out);
        }
        if node.is("presence", NS_CLIENT) && is_error {
            self.note_refusal(&node);
        }
        let is_answer = is_error || node.attr("type") == Some("result");
        if !node.is("iq", NS_CLIENT) || !is_answer {
            return VisitStep::Continue;
        }
        let is_last = node.attr("id").and_then(|id| id.parse().ok()) == Some(self.requests);
        match self.state {
            State::Getting if is_last && is_error => {
                let what = format!("the server gives out no roster: {}", condition(&node));
                self.over(Visited::Refused(what), out)
            }
            State::Getting if is_last => self.on_roster(&Roster::of_answer(&node, world), world, out),
            // A server need not know pings: any answer says that it has read so far.
            State::Writing if is_last => self.write_batch(world, out),
            State::Removing if is_last && is_error => {
                let what = format!("the account was not removed: {}", condition(&node));
                self.over(Visited::Refused(what), out)
            }
            State::Removing if is_last => self.over(Visited::Removed, out),
            State::Negotiating(_)
            | State::Getting
            | State::Writing
            | State::Pausing
            | State::Removing
            | State::Over => {
                if is_error {
                    self.note_refusal(&node);
                }
                VisitStep::Continue
            }
        }
    }

    /// The contact was removed by its other side meanwhile, or the server refuses.
    fn note_refusal(&mut self, node: &Node<'_>) {
        let condition = condition(node);
        if condition == "item-not-found" && self.errand == Errand::Clear {
            return;
        }
        self.refused += 1;
        self.reason.get_or_insert_with(|| condition.to_owned());
    }

    fn on_roster(&mut self, roster: &Roster, world: &LoadWorld, out: &mut Vec<u8>) -> VisitStep {
        let is_due = |contact: &u32| match self.errand {
            // Asked again where it was asked before: whether that ever arrived, this side cannot know.
            Errand::Ask => roster.with(*contact) != Subscription::Both,
            Errand::Approve => !roster.with(*contact).has_from(),
            Errand::Clear => roster.has(*contact),
            Errand::Register | Errand::Rehearse | Errand::ProbeIds | Errand::Remove => false,
        };
        self.todo = world.planned_contacts(self.user).iter().copied().filter(is_due).collect();
        self.at = 0;
        if self.tries == 0 {
            self.wanted = u32::try_from(self.todo.len()).expect("at most ROSTER_ITEMS_MAX");
        }
        if self.todo.is_empty() {
            return self.done(out);
        }
        if self.tries == 0 {
            return self.write_batch(world, out);
        }
        if self.tries >= SET_UP_TRIES_MAX {
            let who = world.planned_jid(self.todo[0]);
            let reason = self.reason.take().map_or_else(String::new, |reason| format!(" ({reason})"));
            let what = format!(
                "the server does not take its approval of {who}{reason}: their rosters contradict each other; `--teardown`, then \
                 set up again"
            );
            return self.over(Visited::Refused(what), out);
        }
        self.state = State::Pausing;
        VisitStep::Pause
    }

    /// The server had time; those that are still due are treated again.
    pub(in crate::load) fn on_pause_over(&mut self, world: &LoadWorld, out: &mut Vec<u8>) {
        if matches!(self.state, State::Pausing) {
            let _progress = self.write_batch(world, out);
        }
    }

    fn write_batch(&mut self, world: &LoadWorld, out: &mut Vec<u8>) -> VisitStep {
        let end = self.todo.len().min(self.at + SET_UP_BATCH_STANZAS);
        if self.at == end {
            return self.all_written(out);
        }
        for at in self.at..end {
            let contact = world.planned_jid(self.todo[at]);
            match self.errand {
                Errand::Ask => presence("subscribe", &contact, out),
                Errand::Approve => presence("subscribed", &contact, out),
                Errand::Clear => {
                    let mut query =
                        b"<query xmlns='jabber:iq:roster'><item subscription='remove' jid='".to_vec();
                    escape_attr_into(&contact, &mut query);
                    query.extend_from_slice(b"'/></query>");
                    self.request("set", &query, out);
                }
                Errand::Register | Errand::Rehearse | Errand::ProbeIds | Errand::Remove => {
                    unreachable!("these have no contacts")
                }
            }
        }
        self.at = end;
        self.state = State::Writing;
        self.request("get", b"<ping xmlns='urn:xmpp:ping'/>", out);
        VisitStep::Progress
    }

    fn all_written(&mut self, out: &mut Vec<u8>) -> VisitStep {
        if self.errand != Errand::Approve {
            return self.done(out);
        }
        self.tries += 1;
        self.get_roster(out);
        VisitStep::Progress
    }

    fn done(&mut self, out: &mut Vec<u8>) -> VisitStep {
        let visited = match self.errand {
            Errand::Ask => Visited::Asked(self.wanted),
            Errand::Approve => Visited::Approved(self.wanted),
            Errand::Clear => {
                let refused = self.refused.min(self.wanted);
                Visited::Cleared { removed: self.wanted - refused, refused }
            }
            Errand::Register | Errand::Rehearse | Errand::ProbeIds | Errand::Remove => {
                unreachable!("these have no contacts")
            }
        };
        self.over(visited, out)
    }

    /// Whether a stream that ends with this condition says that the account is gone: it must end (XEP-0077 §3.2), and some
    /// servers say no more than that.
    fn is_removed_by(&self, condition: &str) -> bool {
        matches!(self.state, State::Removing) && matches!(condition, "not-authorized" | "conflict" | "reset")
    }

    fn over(&mut self, visited: Visited, out: &mut Vec<u8>) -> VisitStep {
        self.state = State::Over;
        out.extend_from_slice(CLOSE);
        VisitStep::Over(visited)
    }

    fn request(&mut self, kind: &str, payload: &[u8], out: &mut Vec<u8>) {
        self.requests += 1;
        write!(out, "<iq type='{kind}' id='{}'>", self.requests).expect("memory can be written");
        out.extend_from_slice(payload);
        out.extend_from_slice(b"</iq>");
    }
}

fn presence(kind: &str, to: &str, out: &mut Vec<u8>) {
    for part in ["<presence type='", kind, "' to='"] {
        out.extend_from_slice(part.as_bytes());
    }
    escape_attr_into(to, out);
    out.extend_from_slice(b"'/>");
}

/// Name of the condition in a stanza error (RFC 6120 §8.3.3).
pub(super) fn condition<'n>(stanza: &'n Node<'_>) -> &'n str {
    let error = stanza.child("error", NS_CLIENT);
    let named = |node: &&Node<'_>| node.ns == NS_STANZAS && node.name != "text";
    error.and_then(|error| error.elements().find(named)).map_or("no condition", |c| c.name)
}
