//! The reference: plain lists of accounts and sessions, and for each stanza who must see what (RFC 6120 §8, §10; RFC 6121
//! §4, §8.5). Written from the RFCs and the documented choices of the server; no code of it.
//!
//! Presence is in `presence`, rosters in `roster`, subscriptions in `subscription`; connections and time are not known
//! here.

use std::collections::BTreeMap;

use super::actor::Got;
use super::rig::{Conflict, DOMAIN, Plan, bare};
use super::roster::{Account, Shown, Versions};
use super::words::{Outgoing, Payload, Place, bare_of, prepared};

/// Resources of one account at one time, as documented.
const RESOURCES_MAX: usize = 16;

/// What a client must see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Want {
    pub(crate) name: &'static str,
    pub(crate) attrs: BTreeMap<String, String>,
    pub(crate) inner: Inner,
    /// A client's answer: it comes when that client has read the question, whatever else is under way.
    pub(crate) late: bool,
    /// Of what one stanza leads to, a client sees a lower step before a higher one; what has none has no order.
    pub(crate) step: Option<u32>,
}

/// A content that a client must see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Inner {
    /// These bytes.
    Exact(String),
    /// These bytes, and that they are late (XEP-0203).
    Delayed(String),
    /// Nothing, or since when somebody has been away, as far as the server knows it (RFC 6121 §4.3.2, rule 3).
    Since,
    /// An error of this type and condition.
    Error(&'static str, &'static str),
    /// A payload that starts so.
    Starts(&'static str),
    /// A payload that starts so, with these items.
    Items(&'static str, Vec<Shown>),
    /// These items of this account's roster, at this version.
    Roster { account: usize, version: usize, items: Vec<Shown> },
}

/// Who must see what because of one stanza. What comes to one client has no order.
pub(crate) type Wants = Vec<(usize, Want)>;

/// A bound resource.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) client: usize,
    pub(crate) account: usize,
    pub(crate) jid: String,
    pub(crate) lang: Option<&'static str>,
    /// Last broadcast presence, as it is shown to others, and its priority.
    pub(crate) presence: Option<(Want, i8)>,
    /// Grows with every presence of anybody.
    pub(crate) order: u64,
    /// It gets pushes: it has asked for the roster.
    pub(crate) interested: bool,
    /// Prepared addresses that got directed presence.
    pub(crate) directed: Vec<String>,
}

/// The whole of what the server should know.
#[derive(Debug)]
pub(crate) struct Reference {
    pub(crate) accounts: Vec<Account>,
    pub(crate) versions: Versions,
    conflict: Conflict,
    /// Oldest first.
    pub(crate) sessions: Vec<Session>,
    pub(crate) presences: u64,
    /// Of the last thing that has an order ([`Want::step`]).
    pub(crate) step: u32,
    /// What was looked up in Appendix A of RFC 6121, for whoever reads a failure.
    pub(crate) cells: Vec<String>,
}

/// What binding must lead to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Binding {
    /// This address.
    Asked(String),
    /// This address, and this client's stream ends with a conflict.
    Replacing(String, usize),
    /// Another resource, of the server's choice.
    Other,
    /// An error.
    Refused(&'static str),
}

impl Want {
    pub(crate) fn new(name: &'static str, attrs: &[(&str, &str)], inner: Inner) -> Self {
        let attrs = attrs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { name, attrs, inner, late: false, step: None }
    }

    pub(crate) fn empty(name: &'static str, attrs: &[(&str, &str)]) -> Self {
        Self::new(name, attrs, Inner::Exact(String::new()))
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.attrs.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn at(self, step: u32) -> Self {
        Self { step: Some(step), ..self }
    }

    /// The error that comes back for this.
    pub(crate) fn answered(&self, kind: &'static str, condition: &'static str) -> Self {
        let attrs = [("from", self.attr("to")), ("to", self.attr("from")), ("type", "error")];
        let error = Self::new(self.name, &attrs, Inner::Error(kind, condition));
        match self.attrs.get("id") {
            Some(id) => error.with("id", id),
            None => error,
        }
    }

    pub(crate) fn attr(&self, name: &str) -> &str {
        self.attrs.get(name).map_or("", String::as_str)
    }

    /// Whether this is what came.
    pub(crate) fn is(&self, got: &Got) -> bool {
        let inner = match &self.inner {
            Inner::Exact(inner) => *inner == got.inner,
            Inner::Delayed(inner) => without_delay(&got.inner) == Some(inner),
            Inner::Since => got.inner.is_empty() || without_delay(&got.inner) == Some(""),
            Inner::Error(kind, condition) => {
                got.error.as_ref().is_some_and(|(k, c)| k == kind && c == condition)
            }
            Inner::Starts(start) => got.inner.starts_with(start),
            Inner::Items(start, items) => got.inner.starts_with(start) && *items == got.items,
            Inner::Roster { items, .. } => {
                got.inner.starts_with("<query xmlns='jabber:iq:roster'") && *items == got.items
            }
        };
        let is_push = matches!(self.inner, Inner::Roster { .. }) && !self.attrs.contains_key("id");
        let mut attrs = got.attrs.clone();
        // The server chooses it.
        attrs.retain(|name, _| !(is_push && name == "id"));
        self.name == got.name && self.attrs == attrs && inner
    }
}

/// What a message carried before it had to wait; `None`: it did not.
pub(crate) fn without_delay(inner: &str) -> Option<&str> {
    let (inner, delay) = inner.rsplit_once("<delay xmlns='urn:xmpp:delay' from='")?;
    let stamp = delay.strip_prefix(DOMAIN)?.strip_prefix("' stamp='")?.strip_suffix("Z'/>")?;
    stamp.contains('T').then_some(inner)
}

impl Reference {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self {
            accounts: plan.relations.iter().enumerate().map(|(own, r)| Account::new(own, r)).collect(),
            versions: Versions::default(),
            conflict: plan.conflict,
            sessions: Vec::new(),
            presences: 0,
            step: 0,
            cells: Vec::new(),
        }
    }

    pub(crate) fn session(&self, client: usize) -> Option<&Session> {
        self.sessions.iter().find(|s| s.client == client)
    }

    pub(crate) fn session_mut(&mut self, client: usize) -> &mut Session {
        self.sessions.iter_mut().find(|s| s.client == client).expect("a bound client has its session")
    }

    pub(crate) fn by_jid(&self, jid: &str) -> Option<&Session> {
        self.sessions.iter().find(|s| s.jid == jid)
    }

    pub(crate) fn account(&self, bare_jid: &str) -> Option<usize> {
        (0..self.accounts.len()).find(|account| bare(*account) == bare_jid)
    }

    /// Whether `account` lets `asker` (bare) see its presence.
    pub(crate) fn shows_to(&self, account: usize, asker: &str) -> bool {
        bare(account) == asker || self.accounts[account].state(asker).from
    }

    /// What a request for a resource must lead to.
    pub(crate) fn binding(&self, account: usize, resource: Option<&str>) -> Binding {
        let own = self.sessions.iter().filter(|s| s.account == account).count();
        let jid = resource.map(|resource| format!("{}/{resource}", bare(account)));
        let old = jid.as_ref().and_then(|jid| self.by_jid(jid)).map(|s| s.client);
        match (jid, old, self.conflict) {
            (Some(jid), Some(old), Conflict::Replace) => Binding::Replacing(jid, old),
            (Some(_), Some(_), Conflict::Refuse) => Binding::Refused("conflict"),
            _ if own >= RESOURCES_MAX => Binding::Refused("resource-constraint"),
            (Some(jid), None, _) => Binding::Asked(jid),
            (None, ..) | (Some(_), Some(_), Conflict::AssignOther) => Binding::Other,
        }
    }

    pub(crate) fn bind(&mut self, client: usize, account: usize, jid: String, lang: Option<&'static str>) {
        self.sessions.push(Session::new(client, account, jid, lang));
    }

    /// A stanza of a bound client.
    pub(crate) fn hear(&mut self, client: usize, stanza: &Outgoing) -> Wants {
        let session = self.session(client).expect("only bound clients are heard").clone();
        match stanza.name {
            "message" => self.message(&session, stanza),
            "presence" => self.presence(&session, stanza),
            _ => self.iq(&session, stanza),
        }
    }

    /// A stanza as its recipients see it: with its sender, and with the language of its sender's stream
    /// where it carries something that has a language.
    pub(crate) fn stamped(session: &Session, stanza: &Outgoing) -> Want {
        let attrs = stanza.attrs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let inner = Inner::Exact(stanza.inner.clone());
        let want = Want { name: stanza.name, attrs, inner, late: false, step: None };
        let want = want.with("from", &session.jid);
        match session.lang {
            Some(lang)
                if stanza.attr("xml:lang").is_none() && stanza.name != "iq" && !stanza.inner.is_empty() =>
            {
                want.with("xml:lang", lang)
            }
            _ => want,
        }
    }

    /// The error that answers a stanza, unless it may not be answered.
    pub(crate) fn bounce(
        session: &Session,
        stanza: &Outgoing,
        kind: &'static str,
        condition: &'static str,
    ) -> Wants {
        let stanza_type = stanza.attr("type");
        let is_answer = stanza.name == "iq" && stanza_type == Some("result");
        if stanza_type == Some("error") || is_answer || stanza_type == Some("probe") {
            return Vec::new();
        }
        let from = match stanza.attr("to") {
            Some(_) if condition == "jid-malformed" => DOMAIN,
            Some(to) => to,
            None => bare_of(&session.jid),
        };
        let mut want = Want::new(
            stanza.name,
            &[("from", from), ("to", &session.jid), ("type", "error")],
            Inner::Error(kind, condition),
        );
        if let Some(id) = stanza.attr("id") {
            want = want.with("id", id);
        }
        vec![(session.client, want)]
    }

    fn message(&mut self, session: &Session, stanza: &Outgoing) -> Wants {
        let unavailable = || Self::bounce(session, stanza, "cancel", "service-unavailable");
        let stanza_type = stanza.attr("type").unwrap_or("normal");
        let to = stanza.attr("to").unwrap_or_else(|| bare_of(&session.jid));
        let (address, resource) = match Place::of(to) {
            Place::Malformed => return Self::bounce(session, stanza, "modify", "jid-malformed"),
            Place::Remote => return Self::bounce(session, stanza, "cancel", "remote-server-not-found"),
            Place::Server { .. } => return unavailable(),
            Place::Account { bare, resource } => (bare, resource),
        };
        let copy = |s: &Session| {
            let want = Self::stamped(session, stanza);
            // Without an address it was for the account itself.
            (s.client, want.with("to", stanza.attr("to").unwrap_or_else(|| bare_of(&s.jid))))
        };
        if resource.is_some()
            && let Some(matched) = self.by_jid(&prepared(to))
        {
            return vec![copy(matched)];
        }
        let non_negative = self
            .sessions
            .iter()
            .filter(|s| bare_of(&s.jid) == address && s.priority().is_some_and(|p| p >= 0));
        match (stanza_type, resource.is_some()) {
            ("error", _) => Vec::new(),
            ("headline", false) => non_negative.map(copy).collect(),
            ("chat", _) | ("normal", false) => {
                let most = non_negative.max_by_key(|s| (s.priority(), s.order));
                if let Some(session) = most {
                    return vec![copy(session)];
                }
                let Some(account) = self.account(&address) else { return unavailable() };
                // §8.5.2.2.1: nobody takes it now, so it waits.
                let mut message = Self::stamped(session, stanza);
                message = message.with("to", stanza.attr("to").unwrap_or(&address));
                message.inner = Inner::Delayed(stanza.inner.clone());
                self.accounts[account].offline.push(message);
                Vec::new()
            }
            _ => unavailable(),
        }
    }

    fn iq(&mut self, session: &Session, stanza: &Outgoing) -> Wants {
        let is_request = matches!(stanza.attr("type"), Some("get" | "set"));
        let bounce = |kind, condition| Self::bounce(session, stanza, kind, condition);
        let nobody = || if is_request { bounce("cancel", "service-unavailable") } else { Vec::new() };
        if is_request && stanza.payload == Payload::Missing {
            return bounce("modify", "bad-request");
        }
        let to = stanza.attr("to").unwrap_or_else(|| bare_of(&session.jid));
        match Place::of(to) {
            Place::Malformed => bounce("modify", "jid-malformed"),
            Place::Remote => bounce("cancel", "remote-server-not-found"),
            Place::Server { full: true } => nobody(),
            Place::Server { full: false } if is_request => self.answer(session, stanza, None),
            Place::Account { bare, resource: None } if is_request => match self.account(&bare) {
                Some(account) => self.answer(session, stanza, Some(account)),
                // XEP-0030 §8: nobody has no items.
                None if stanza.payload == Payload::DiscoItems && stanza.attr("type") == Some("get") => {
                    let none =
                        Inner::Items("<query xmlns='http://jabber.org/protocol/disco#items'", Vec::new());
                    vec![(session.client, Self::result(session, stanza, none))]
                }
                None => nobody(),
            },
            Place::Server { .. } | Place::Account { resource: None, .. } => Vec::new(),
            Place::Account { resource: Some(_), .. } => {
                let target = self.by_jid(&prepared(to));
                let target = target.filter(|t| {
                    let asker = &session.jid;
                    let is_directed = t.directed.iter().any(|d| d == asker || d == bare_of(asker));
                    !is_request || is_directed || self.shows_to(t.account, bare_of(asker))
                });
                let Some(target) = target else { return nobody() };
                let mut wants = vec![(target.client, Self::stamped(session, stanza))];
                if is_request {
                    let id = stanza.attr("id").unwrap_or_default();
                    let result =
                        Outgoing::new("iq").with("type", "result").with("to", &session.jid).with("id", id);
                    wants.push((session.client, Want { late: true, ..Self::stamped(target, &result) }));
                }
                wants
            }
        }
    }

    /// The server's own answers: for itself, or for an account.
    fn answer(&mut self, session: &Session, stanza: &Outgoing, account: Option<usize>) -> Wants {
        let bounce = |kind, condition| Self::bounce(session, stanza, kind, condition);
        let asker = bare_of(&session.jid);
        let is_shown = account.is_none_or(|account| self.shows_to(account, asker));
        let is_own = account == Some(session.account);
        let is_set = stanza.attr("type") == Some("set");
        let inner = match (stanza.payload, account) {
            (Payload::Roster, Some(_)) if !is_own => return bounce("auth", "forbidden"),
            (Payload::Roster, Some(_)) => {
                let result = Self::result(session, stanza, Inner::Exact(String::new()));
                let wants = self.roster(session, stanza, &result);
                return wants.unwrap_or_else(|(kind, condition)| bounce(kind, condition));
            }
            // XEP-0030 §8: a stranger is told that there is nothing.
            (Payload::DiscoItems, _) if !is_shown && !is_set => {
                Inner::Items("<query xmlns='http://jabber.org/protocol/disco#items'", Vec::new())
            }
            (Payload::Ping | Payload::DiscoInfo | Payload::DiscoItems, _) if !is_shown => {
                return bounce("cancel", "service-unavailable");
            }
            (Payload::Version, Some(_)) | (Payload::Unknown, _) | (Payload::Roster, None) => {
                return bounce("cancel", "service-unavailable");
            }
            _ if is_set => return bounce("modify", "bad-request"),
            (Payload::Ping, _) => Inner::Exact(String::new()),
            (Payload::DiscoInfo, None) => Inner::Starts(
                "<query xmlns='http://jabber.org/protocol/disco#info'><identity category='server' type='im'",
            ),
            (Payload::DiscoInfo, Some(_)) => Inner::Starts(
                "<query xmlns='http://jabber.org/protocol/disco#info'><identity category='account' type='registered'/>",
            ),
            (Payload::DiscoItems, account) => {
                let shown =
                    self.sessions.iter().filter(|s| Some(s.account) == account && s.presence.is_some());
                let mut items: Vec<_> =
                    shown.map(|s| BTreeMap::from([("jid".to_owned(), s.jid.clone())])).collect();
                items.sort();
                Inner::Items("<query xmlns='http://jabber.org/protocol/disco#items'", items)
            }
            (Payload::Version, None) => Inner::Starts("<query xmlns='jabber:iq:version'><name>"),
            (Payload::Opaque | Payload::Priority(_) | Payload::Missing, _) => {
                unreachable!("answered above, or not generated")
            }
        };
        vec![(session.client, Self::result(session, stanza, inner))]
    }

    fn result(session: &Session, stanza: &Outgoing, inner: Inner) -> Want {
        let from = stanza.attr("to").unwrap_or_else(|| bare_of(&session.jid));
        let id = stanza.attr("id").unwrap_or_default();
        Want::new("iq", &[("from", from), ("to", &session.jid), ("type", "result"), ("id", id)], inner)
    }
}

impl Session {
    pub(crate) fn new(client: usize, account: usize, jid: String, lang: Option<&'static str>) -> Self {
        let (presence, order, interested, directed) = (None, 0, false, Vec::new());
        Self { client, account, jid, lang, presence, order, interested, directed }
    }

    /// Priority of its presence; `None` while it is only connected.
    pub(crate) fn priority(&self) -> Option<i8> {
        self.presence.as_ref().map(|(_, priority)| *priority)
    }
}
