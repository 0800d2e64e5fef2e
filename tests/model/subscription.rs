//! The reference's subscriptions: Appendix A of RFC 6121 as a table, and what a client's stanza leads to on both sides
//! (§3).
//!
//! Rosters and their versions are `roster`'s. Nothing is limited here: no run has so many requests.

use super::reference::{Reference, Session, Want, Wants};
use super::rig::bare;
use super::words::{Outgoing, Place, bare_of, prepared};

/// The four types that change subscriptions.
pub(crate) const CHANGES: [&str; 4] = ["subscribe", "unsubscribe", "subscribed", "unsubscribed"];

/// Appendix A.1: None, To, From, Both; `+O`: the user has asked; `+I`: the contact has asked.
const STATES: [&str; 9] = ["N", "N+O", "N+I", "N+OI", "T", "T+I", "F", "F+O", "B"];

/// Four tables of Appendix A, with the number of the first: for each type, the next state in each state; `-`: neither routed nor delivered, no change.
type Tables = (usize, [[&'static str; 9]; 4]);

/// Appendix A.2, tables 2 to 5, in the order of [`CHANGES`].
const OUTBOUND: Tables = (
    2,
    [
        ["N+O", "N+O", "N+OI", "N+OI", "T", "T+I", "F+O", "F+O", "B"],
        ["N", "N", "N+I", "N+I", "N", "N+I", "F", "F", "F"],
        ["-", "-", "F", "F+O", "-", "B", "-", "-", "-"],
        ["-", "-", "N", "N+O", "-", "T", "N", "N+O", "T"],
    ],
);

/// Appendix A.3, tables 6 to 9.
const INBOUND: Tables = (
    6,
    [
        ["N+I", "N+OI", "-", "-", "T+I", "-", "-", "-", "-"],
        ["-", "-", "N", "N+O", "-", "T", "N", "N+O", "T"],
        ["-", "T", "-", "T+I", "-", "-", "-", "B", "-"],
        ["-", "N", "-", "N+I", "N", "N+I", "-", "F", "F"],
    ],
);

/// Cells of all tables.
pub(crate) const CELLS: usize = 72;

/// One of the nine states, as four facts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// The user sees the contact's presence.
    pub(crate) to: bool,
    /// The contact sees the user's presence.
    pub(crate) from: bool,
    /// The user has asked, and waits.
    pub(crate) asked: bool,
    /// The contact has asked, and waits. No roster shows it.
    pub(crate) was_asked: bool,
}

impl State {
    pub(crate) fn of(name: &str) -> Self {
        let has = |c: char| name.contains(c);
        Self { to: has('T') || has('B'), from: has('F') || has('B'), asked: has('O'), was_asked: has('I') }
    }

    /// What a roster shows.
    pub(crate) fn shown(self) -> Self {
        Self { was_asked: false, ..self }
    }
}

impl Reference {
    /// The cell for a stanza of this type.
    fn cell(&mut self, (first, tables): Tables, kind: &str, state: State) -> Option<State> {
        let row = CHANGES.iter().position(|c| *c == kind).expect("one of the four");
        let column = STATES.iter().position(|s| State::of(s) == state).expect("one of the nine");
        self.cells.push(format!("table {}: {}", first + row, STATES[column]));
        Some(tables[row][column]).filter(|cell| *cell != "-").map(State::of)
    }

    /// A client's stanza of one of the four types.
    pub(crate) fn change(&mut self, session: &Session, stanza: &Outgoing) -> Wants {
        let own = bare(session.account);
        let kind = stanza.attr("type").unwrap_or_default();
        let refuse = |error, condition| {
            let wants = Self::bounce(session, stanza, error, condition).into_iter();
            // Its sender is the account (§3).
            wants.map(|(client, want)| (client, want.with("to", &own))).collect()
        };
        let Some(to) = stanza.attr("to") else { return refuse("modify", "bad-request") };
        match (Place::of(to), kind) {
            (Place::Malformed, _) => return refuse("modify", "jid-malformed"),
            (Place::Remote, "subscribe") => return refuse("cancel", "remote-server-not-found"),
            (Place::Server { .. }, "subscribe") => return refuse("cancel", "service-unavailable"),
            (Place::Remote | Place::Server { .. } | Place::Account { .. }, _) => {}
        }
        let contact = bare_of(&prepared(to)).to_owned();
        if contact == own {
            return Vec::new();
        }
        // §3.1.2, rule 1: a full address is made bare, and any other left as it is.
        let to = if to.contains('/') { &contact } else { to };
        let copy = Self::stamped(session, stanza).with("from", &own).with("to", to);
        self.outbound(session.account, &contact, copy)
    }

    /// Appendix A.2. Who loses the account's presence hears of it first (§3.2.2); who gains it gets it last (§3.1.5).
    pub(crate) fn outbound(&mut self, account: usize, contact: &str, copy: Want) -> Wants {
        let old = self.accounts[account].state(contact);
        let kind = copy.attr("type").to_owned();
        let Some(next) = self.cell(OUTBOUND, &kind, old) else {
            return self.approve(account, contact, old, kind == "subscribed");
        };
        let mut wants = if old.from && !next.from { self.goes(account, contact) } else { Vec::new() };
        wants.extend(self.set_state(account, contact, next));
        wants.extend(self.inbound(contact, &bare(account), copy));
        if kind == "subscribed" {
            wants.extend(self.shows(account, contact));
        }
        wants
    }

    /// §3.4.2, rules 3 and 4, and §3.2.2, rule 2: what is not routed may approve a request that is still to come, or take
    /// that back.
    fn approve(&mut self, account: usize, contact: &str, state: State, approve: bool) -> Wants {
        let item = self.accounts[account].items.get(contact);
        let is_approved = item.is_some_and(|i| i.approved);
        if state.from || state.was_asked || approve == is_approved {
            return Vec::new();
        }
        self.accounts[account].item(contact).approved = approve;
        self.push(account, contact)
    }

    /// Appendix A.3, where `owner` is "the user" and `sender` "the contact": both bare.
    pub(crate) fn inbound(&mut self, owner: &str, sender: &str, copy: Want) -> Wants {
        let kind = copy.attr("type").to_owned();
        let Some(account) = self.account(owner) else { return self.nobody(sender, &copy) };
        let old = self.accounts[account].state(sender);
        let item = self.accounts[account].items.get(sender);
        let is_approved = kind == "subscribe" && item.is_some_and(|i| i.approved);
        let cell = self.cell(INBOUND, &kind, old);
        let mut wants = Vec::new();
        let mut next = cell.unwrap_or(old);
        if is_approved {
            next = State { from: true, ..old };
        } else if cell.is_some() {
            self.step += 1;
            if kind == "subscribe" {
                self.accounts[account].requests.push((sender.to_owned(), copy.clone()));
            }
            // A request is for available resources, all else for interested ones (§3.1.3, §3.1.6).
            let is_for = |s: &&Session| {
                s.account == account && if kind == "subscribe" { s.presence.is_some() } else { s.interested }
            };
            let step = self.step;
            wants.extend(self.sessions.iter().filter(is_for).map(|s| (s.client, copy.clone().at(step))));
        }
        wants.extend(self.set_state(account, sender, next));
        if old.from && !next.from {
            wants.extend(self.goes(account, sender));
        }
        let reply = match &*kind {
            "subscribe" if next.from => "subscribed",
            "unsubscribe" if next != old => "unsubscribed",
            _ => return wants,
        };
        let mut answer = Want::empty("presence", &[("from", owner), ("to", sender), ("type", reply)]);
        if let Some(id) = copy.attrs.get("id") {
            answer = answer.with("id", id);
        }
        wants.extend(self.inbound(sender, owner, answer));
        if next.from {
            wants.extend(self.shows(account, sender));
        }
        wants
    }

    /// There is no such account here: silence (§8.5.1), and an error of what should have gone to another server.
    fn nobody(&self, sender: &str, copy: &Want) -> Wants {
        let is_remote = Place::of(copy.attr("to")) == Place::Remote;
        let own = self.sessions.iter().filter(|s| bare(s.account) == sender && s.presence.is_some());
        let error = copy.answered("cancel", "remote-server-not-found");
        own.filter(|_| is_remote).map(|s| (s.client, error.clone())).collect()
    }

    /// The whole of what is between an account and a contact ends: the item is gone already (§2.5.2).
    pub(crate) fn part(&mut self, account: usize, contact: &str, old: State) -> Wants {
        let own = bare(account);
        let word = |kind| Want::empty("presence", &[("from", &*own), ("to", contact), ("type", kind)]);
        let mut wants = Vec::new();
        if old.to || old.asked {
            wants.extend(self.inbound(contact, &own, word("unsubscribe")));
        }
        if old.from {
            wants.extend(self.goes(account, contact));
        }
        if old.from || old.was_asked {
            wants.extend(self.inbound(contact, &own, word("unsubscribed")));
        }
        wants
    }

    fn set_state(&mut self, account: usize, contact: &str, next: State) -> Wants {
        let me = &mut self.accounts[account];
        let old = me.state(contact);
        if !next.was_asked {
            me.requests.retain(|(who, _)| who != contact);
        }
        if old.shown() == next.shown() {
            return Vec::new();
        }
        let item = me.item(contact);
        item.state = next.shown();
        item.approved &= !next.from;
        self.push(account, contact)
    }

    /// Every available resource of an account is unavailable to a contact from now on.
    fn goes(&mut self, account: usize, contact: &str) -> Wants {
        self.step += 1;
        let own = self.sessions.iter().filter(|s| s.account == account && s.presence.is_some());
        let gone: Vec<String> = own.map(|s| s.jid.clone()).collect();
        let mut wants = Vec::new();
        for jid in gone {
            if let Some(to) = self.account(contact) {
                self.forget_directed(to, None, &jid);
            }
            let attrs = [("from", &*jid), ("to", contact), ("type", "unavailable")];
            wants.extend(self.for_available(contact, &Want::empty("presence", &attrs).at(self.step)));
        }
        wants
    }

    /// Every available resource of an account is shown to a contact.
    fn shows(&mut self, account: usize, contact: &str) -> Wants {
        self.step += 1;
        let own = self.sessions.iter().filter(|s| s.account == account);
        let shown = own.filter_map(|s| s.presence.as_ref());
        shown
            .flat_map(|(copy, _)| {
                self.for_available(contact, &copy.clone().with("to", contact).at(self.step))
            })
            .collect()
    }

    fn for_available(&self, contact: &str, copy: &Want) -> Wants {
        let is_for = |s: &&Session| bare(s.account) == contact && s.presence.is_some();
        self.sessions.iter().filter(is_for).map(|s| (s.client, copy.clone())).collect()
    }
}
