//! The reference's presence: initial, later, directed, probes, and the end (RFC 6121 §4).

use super::reference::{Inner, Reference, Session, Want, Wants};
use super::rig::bare;
use super::subscription::CHANGES;
use super::words::{Outgoing, Payload, Place, bare_of, prepared};

/// Targets of directed presence that one session is remembered for, as documented.
pub(crate) const DIRECTED_MAX: usize = 1_000;

impl Reference {
    pub(crate) fn presence(&mut self, session: &Session, stanza: &Outgoing) -> Wants {
        match (stanza.attr("type"), stanza.attr("to")) {
            (None, None) => self.available(session, stanza),
            (Some("unavailable"), None) => {
                let said = Self::stamped(session, stanza);
                self.unavailable(session.client, Some(said))
            }
            (None | Some("unavailable"), Some(to)) => self.directed(session, stanza, to),
            (Some("probe"), Some(to)) => self.probe(session, stanza, to),
            (Some("probe"), None) => Vec::new(),
            (Some(change), _) if CHANGES.contains(&change) => self.change(session, stanza),
            _ => Self::bounce(session, stanza, "modify", "bad-request"),
        }
    }

    fn available(&mut self, session: &Session, stanza: &Outgoing) -> Wants {
        let priority = if let Payload::Priority(priority) = stanza.payload { priority } else { 0 };
        let Ok(priority) = i8::try_from(priority) else {
            return Self::bounce(session, stanza, "modify", "bad-request");
        };
        let copy = Self::stamped(session, stanza);
        self.presences += 1;
        let order = self.presences;
        let me = self.session_mut(session.client);
        let is_initial = me.presence.is_none();
        me.presence = Some((copy.clone(), priority));
        me.order = order;
        let mut wants = self.broadcast(&copy, session.account);
        if is_initial {
            wants.extend(self.initial(session));
        }
        if priority >= 0 {
            let waited = std::mem::take(&mut self.accounts[session.account].offline);
            wants.extend(waited.into_iter().map(|message| (session.client, message)));
        }
        wants
    }

    /// What a resource sees that has just become available: others of its account, its contacts, and open requests.
    fn initial(&mut self, session: &Session) -> Wants {
        let own = bare(session.account);
        let me = &self.accounts[session.account];
        let is_seen = |s: &&Session| {
            let is_contact = me.state(&bare(s.account)).to && self.shows_to(s.account, &own);
            s.client != session.client && (s.account == session.account || is_contact)
        };
        let seen = self.sessions.iter().filter(is_seen).filter_map(|s| s.presence.as_ref());
        let mut wants: Wants =
            seen.map(|(copy, _)| (session.client, copy.clone().with("to", &own))).collect();
        // Each request that waits, complete, until it is answered (§3.1.3, rule 4).
        // They wait here, and need not come behind what comes from elsewhere.
        let requests = me.requests.iter().map(|(_, request)| Want { late: true, ..request.clone() });
        wants.extend(requests.map(|request| (session.client, request)));
        // Who does not know of the subscription ends it (§4.3.2, rule 1).
        let knows = |contact: &String| self.account(contact).is_some_and(|a| self.shows_to(a, &own));
        let believed = me.items.iter().filter(|(contact, item)| item.state.to && !knows(contact));
        let believed: Vec<String> = believed.map(|(contact, _)| contact.clone()).collect();
        for contact in believed {
            wants.extend(self.refuse(&contact, &own, None));
        }
        wants
    }

    /// Copies for all available resources of the account and of those who may see it.
    fn broadcast(&self, copy: &Want, account: usize) -> Wants {
        let is_told = |s: &&Session| s.presence.is_some() && self.shows_to(account, &bare(s.account));
        let told = self.sessions.iter().filter(is_told);
        told.map(|s| (s.client, copy.clone().with("to", &bare(s.account)))).collect()
    }

    /// The presence of a client ends, on its own word or because its session does.
    pub(crate) fn unavailable(&mut self, client: usize, said: Option<Want>) -> Wants {
        let me = self.session_mut(client);
        let was_available = me.presence.take().is_some();
        let directed = std::mem::take(&mut me.directed);
        let me = me.clone();
        if !was_available && directed.is_empty() {
            return Vec::new();
        }
        let is_said = said.is_some();
        let copy =
            said.unwrap_or_else(|| Want::empty("presence", &[("from", &me.jid), ("type", "unavailable")]));
        let mut wants = Vec::new();
        if was_available {
            wants = self.broadcast(&copy, me.account);
            for account in 0..self.accounts.len() {
                if self.shows_to(me.account, &bare(account)) {
                    self.forget_directed(account, None, &me.jid);
                }
            }
        }
        for target in directed {
            if !(was_available && self.is_told(me.account, &target)) {
                wants.extend(self.addressed(&copy, &target, &target));
            }
        }
        if was_available && is_said {
            wants.push((client, copy.with("to", &bare(me.account))));
        }
        wants
    }

    /// Whether the broadcast of `account`'s presence has reached `target`.
    fn is_told(&self, account: usize, target: &str) -> bool {
        let is_connected_only =
            target.contains('/') && self.by_jid(target).is_some_and(|s| s.presence.is_none());
        self.shows_to(account, bare_of(target)) && !is_connected_only
    }

    /// `who` became unavailable to an account or to one resource of it, which need not tell `who` of their end.
    pub(crate) fn forget_directed(&mut self, account: usize, resource: Option<&str>, who: &str) {
        let is_told = |s: &&mut Session| s.account == account && resource.is_none_or(|jid| s.jid == jid);
        for session in self.sessions.iter_mut().filter(is_told) {
            session.directed.retain(|d| d != who);
        }
    }

    fn directed(&mut self, session: &Session, stanza: &Outgoing, to: &str) -> Wants {
        let is_unavailable = stanza.attr("type").is_some();
        let target = prepared(to);
        let me = self.session_mut(session.client);
        if is_unavailable {
            me.directed.retain(|d| *d != target);
        } else if matches!(Place::of(to), Place::Account { .. }) {
            if me.directed.len() >= DIRECTED_MAX && !me.directed.contains(&target) {
                return Self::bounce(session, stanza, "wait", "resource-constraint");
            }
            if !me.directed.contains(&target) {
                me.directed.push(target.clone());
            }
        }
        match Place::of(to) {
            Place::Malformed => Self::bounce(session, stanza, "modify", "jid-malformed"),
            Place::Remote => Self::bounce(session, stanza, "cancel", "remote-server-not-found"),
            Place::Server { .. } => Vec::new(),
            Place::Account { .. } => self.addressed(&Self::stamped(session, stanza), &target, to),
        }
    }

    /// A copy for a full address, or for all available resources of a bare one.
    fn addressed(&mut self, copy: &Want, target: &str, to: &str) -> Wants {
        let is_full = target.contains('/');
        if copy.attr("type") == "unavailable"
            && let Some(account) = self.account(bare_of(target))
        {
            self.forget_directed(account, is_full.then_some(target), copy.attr("from"));
        }
        let is_for = |s: &&Session| {
            if is_full { s.jid == target } else { bare_of(&s.jid) == target && s.presence.is_some() }
        };
        self.sessions.iter().filter(is_for).map(|s| (s.client, copy.clone().with("to", to))).collect()
    }

    /// Who asks is no subscriber (§4.3.2, rule 1).
    fn refuse(&mut self, from: &str, prober: &str, id: Option<&str>) -> Wants {
        let refusal = Want::empty("presence", &[("from", from), ("to", prober), ("type", "unsubscribed")]);
        self.inbound(prober, from, id.into_iter().fold(refusal, |refusal, id| refusal.with("id", id)))
    }

    fn probe(&mut self, session: &Session, stanza: &Outgoing, to: &str) -> Wants {
        let prober = bare(session.account);
        let Place::Account { bare: address, resource } = Place::of(to) else { return Vec::new() };
        let Some(account) = self.account(&address) else {
            return self.refuse(&address, &prober, stanza.attr("id"));
        };
        let target = prepared(to);
        let is_asked = |s: &&Session| s.account == account && (resource.is_none() || s.jid == target);
        let asked = self.sessions.iter().filter(is_asked);
        let answer = |from: &str| Want::empty("presence", &[("from", from), ("to", &prober)]);
        let mut answers: Vec<Want> = Vec::new();
        if self.shows_to(account, &prober) {
            for (copy, _) in asked.filter_map(|s| s.presence.as_ref()) {
                answers.push(match resource {
                    None => copy.clone().with("to", &prober),
                    Some(_) => answer(&target),
                });
            }
            if answers.is_empty() {
                let id = stanza.attr("id").unwrap_or_default();
                let absent = answer(&target).with("type", "unavailable").with("id", id);
                answers.push(if resource.is_none() {
                    Want { inner: Inner::Since, ..absent }
                } else {
                    absent
                });
            }
        } else {
            // A stranger learns of who sent it directed presence, and of nobody else.
            let is_directed = |s: &&Session| s.directed.iter().any(|d| bare_of(d) == prober);
            answers.extend(asked.filter(is_directed).map(|s| answer(&s.jid)));
            if answers.is_empty() {
                return self.refuse(&address, &prober, stanza.attr("id"));
            }
        }
        let probers = self.sessions.iter().filter(|s| s.account == session.account && s.presence.is_some());
        probers.flat_map(|s| answers.iter().map(|want| (s.client, want.clone()))).collect()
    }

    /// A client's session ends, however.
    pub(crate) fn end(&mut self, client: usize) -> Wants {
        let wants = self.unavailable(client, None);
        self.sessions.retain(|s| s.client != client);
        wants.into_iter().filter(|(to, _)| *to != client).collect()
    }
}
