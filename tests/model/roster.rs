//! The reference's rosters: items, versions, and what a client's get and set lead to (RFC 6121 §2).
//!
//! A version is the number of changes; how the server writes it is only known from what it wrote before
//! ([`Versions`]). What is between two accounts is `subscription`'s.

use std::collections::BTreeMap;

use super::actor::Got;
use super::reference::{Inner, Reference, Session, Want, Wants};
use super::rig::{Relation, bare};
use super::subscription::State;
use super::words::{Entry, Outgoing, Place, bare_of, prepared};

/// Longest name of a contact and of a group, and most groups of an item, as documented.
pub(crate) const NAME_BYTES_MAX: usize = 1_023;
pub(crate) const GROUPS_MAX: usize = 32;

/// Attributes of an item as a client sees it, and its groups.
pub(crate) type Shown = BTreeMap<String, String>;

/// One contact.
#[derive(Debug, Clone, Default)]
pub(crate) struct Item {
    /// Without the contact's request.
    pub(crate) state: State,
    pub(crate) approved: bool,
    name: String,
    groups: Vec<String>,
}

/// What the server keeps of one account. Contacts are bare addresses.
#[derive(Debug, Clone, Default)]
pub(crate) struct Account {
    pub(crate) items: BTreeMap<String, Item>,
    /// Requests that wait for an answer: who asks, and the complete stanza.
    pub(crate) requests: Vec<(String, Want)>,
    /// Messages that wait for a resource that takes them, oldest first.
    pub(crate) offline: Vec<Want>,
    /// Changes so far.
    version: usize,
    /// The version that changed each contact last, also of those that were removed.
    changed: BTreeMap<String, usize>,
}

/// Groups as one word, for comparing: their order says nothing.
pub(crate) fn grouped<'a>(groups: impl Iterator<Item = &'a str>) -> String {
    let mut groups: Vec<&str> = groups.collect();
    groups.sort_unstable();
    groups.join("\n")
}

impl Account {
    /// With what the plan says of it.
    pub(crate) fn new(own: usize, relations: &[Relation]) -> Self {
        let mut me = Self::default();
        for (contact, relation) in relations.iter().enumerate() {
            let (state, is_contact) = match relation {
                Relation::Both => ("B", true),
                Relation::To => ("T", true),
                Relation::From => ("F", true),
                Relation::None => ("N", true),
                Relation::Asked => ("N+O", true),
                Relation::WasAsked => ("N+I", false),
                Relation::BothAsked => ("N+OI", true),
                Relation::ToWasAsked => ("T+I", true),
                Relation::FromAsked => ("F+O", true),
                Relation::Stranger => ("N", false),
            };
            let state = State::of(state);
            if state.was_asked {
                let attrs = [("from", &*bare(contact)), ("to", &*bare(own)), ("type", "subscribe")];
                me.requests.push((bare(contact), Want::empty("presence", &attrs)));
            }
            if is_contact {
                me.items.insert(bare(contact), Item { state: state.shown(), ..Item::default() });
            }
        }
        me
    }

    pub(crate) fn state(&self, contact: &str) -> State {
        let state = self.items.get(contact).map_or_else(State::default, |item| item.state);
        State { was_asked: self.requests.iter().any(|(who, _)| who == contact), ..state }
    }

    /// A contact's item, made when there is none.
    pub(crate) fn item(&mut self, contact: &str) -> &mut Item {
        self.items.entry(contact.to_owned()).or_default()
    }

    fn shown(&self, contact: &str) -> Shown {
        let attr = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut shown = BTreeMap::from([attr("jid", contact)]);
        let Some(item) = self.items.get(contact) else {
            shown.extend([attr("subscription", "remove")]);
            return shown;
        };
        let subscription = match (item.state.to, item.state.from) {
            (false, false) => "none",
            (true, false) => "to",
            (false, true) => "from",
            (true, true) => "both",
        };
        shown.extend([attr("subscription", subscription)]);
        shown.extend(item.state.asked.then(|| attr("ask", "subscribe")));
        shown.extend(item.approved.then(|| attr("approved", "true")));
        shown.extend((!item.name.is_empty()).then(|| attr("name", &item.name)));
        let groups = grouped(item.groups.iter().map(String::as_str));
        shown.extend((!groups.is_empty()).then(|| attr("groups", &groups)));
        shown
    }
}

impl Reference {
    /// A contact has changed: every interested resource is told (§2.1.6).
    pub(crate) fn push(&mut self, account: usize, contact: &str) -> Wants {
        self.step += 1;
        let me = &mut self.accounts[account];
        me.version += 1;
        me.changed.insert(contact.to_owned(), me.version);
        let push = Self::pushed(me, account, contact).at(self.step);
        let interested = self.sessions.iter().filter(|s| s.account == account && s.interested);
        interested.map(|s| (s.client, push.clone())).collect()
    }

    /// The push that tells of a contact's last change.
    fn pushed(of: &Account, account: usize, contact: &str) -> Want {
        let (version, items) = (of.changed[contact], vec![of.shown(contact)]);
        Want::new("iq", &[("type", "set")], Inner::Roster { account, version, items })
    }

    /// A client's request for its own account's roster. `result` is the answer without its payload.
    pub(crate) fn roster(
        &mut self,
        session: &Session,
        stanza: &Outgoing,
        result: &Want,
    ) -> Result<Wants, (&'static str, &'static str)> {
        let query = stanza.roster.as_ref().expect("a request for a roster says what it asks for");
        let is_set = stanza.attr("type") == Some("set");
        match (&query.items[..], is_set) {
            ([], false) => Ok(self.get(session, query.ver.as_deref(), result)),
            ([entry], true) => self.set(session.account, entry).map(|mut wants| {
                wants.push((session.client, result.clone()));
                wants
            }),
            _ => Err(("modify", "bad-request")),
        }
    }

    /// §2.1.3, §2.6.3.
    fn get(&mut self, session: &Session, ver: Option<&str>, result: &Want) -> Wants {
        self.session_mut(session.client).interested = true;
        let account = session.account;
        let me = &self.accounts[account];
        let Some(known) = ver.and_then(|ver| self.versions.number(account, ver)) else {
            let mut items: Vec<_> = me.items.keys().map(|contact| me.shown(contact)).collect();
            items.sort();
            let inner = Inner::Roster { account, version: me.version, items };
            return vec![(session.client, Want { inner, ..result.clone() })];
        };
        // The empty result first, and then what has changed, in that order.
        let mut since: Vec<_> = me.changed.iter().filter(|(_, version)| **version > known).collect();
        since.sort_by_key(|(_, version)| **version);
        let pushes = since.into_iter().map(|(contact, _)| Self::pushed(me, account, contact));
        let wants = std::iter::once(result.clone()).chain(pushes);
        let wants: Wants = (1..).zip(wants).map(|(n, w)| (session.client, w.at(self.step + n))).collect();
        self.step += u32::try_from(wants.len()).expect("few contacts");
        wants
    }

    /// §2.1.5, §2.3.3, §2.5.
    fn set(&mut self, account: usize, entry: &Entry) -> Result<Wants, (&'static str, &'static str)> {
        let jid = entry.jid.as_deref().ok_or(("modify", "bad-request"))?;
        if Place::of(jid) == Place::Malformed {
            return Err(("modify", "jid-malformed"));
        }
        let contact = bare_of(&prepared(jid)).to_owned();
        if contact == bare(account) {
            return Err(("cancel", "not-allowed"));
        }
        let me = &mut self.accounts[account];
        if entry.subscription == Some("remove") {
            let old = me.state(&contact);
            me.items.remove(&contact).ok_or(("cancel", "item-not-found"))?;
            me.requests.retain(|(who, _)| *who != contact);
            let mut wants = self.push(account, &contact);
            wants.extend(self.part(account, &contact, old));
            return Ok(wants);
        }
        let is_bad = |name: &String| name.len() > NAME_BYTES_MAX;
        let groups = &entry.groups;
        if groups.len() > GROUPS_MAX || groups.iter().any(|g| g.is_empty() || is_bad(g)) {
            return Err(("modify", "not-acceptable"));
        }
        if entry.name.as_ref().is_some_and(is_bad) {
            return Err(("modify", "not-acceptable"));
        }
        if (1..groups.len()).any(|n| groups[..n].contains(&groups[n])) {
            return Err(("modify", "bad-request"));
        }
        let item = me.item(&contact);
        item.name = entry.name.clone().unwrap_or_default();
        item.groups.clone_from(groups);
        Ok(self.push(account, &contact))
    }
}

/// How the server writes versions: learned from what it wrote, and held against it from then on.
#[derive(Debug, Default)]
pub(crate) struct Versions {
    /// By account and version.
    written: BTreeMap<(usize, usize), String>,
    /// Which version each push of each client had, by its id.
    pushes: BTreeMap<(usize, String), String>,
}

impl Versions {
    fn number(&self, account: usize, ver: &str) -> Option<usize> {
        let mut of = self.written.iter().filter(|((a, _), _)| *a == account);
        of.find(|(_, written)| *written == ver).map(|((_, number), _)| *number)
    }

    /// What is known of an account's versions.
    pub(crate) fn of(&self, account: usize) -> Vec<&str> {
        let of = self.written.iter().filter(|((a, _), _)| *a == account);
        of.map(|(_, written)| written.as_str()).collect()
    }

    /// A roster, or a push, came and is what it should be. One version has one name, and another version another one
    /// (§2.6.3); two pushes have two ids (RFC 6120 §8.1.3).
    pub(crate) fn learn(&mut self, want: &Want, got: &Got) -> Result<(), String> {
        let Inner::Roster { account, version, .. } = &want.inner else { return Ok(()) };
        let ver = got.ver.clone().ok_or_else(|| format!("without a version: {}", got.raw))?;
        let number = self.number(*account, &ver).unwrap_or(*version);
        let written = self.written.entry((*account, *version)).or_insert_with(|| ver.clone());
        if *written != ver || number != *version {
            return Err(format!(
                "version {version} was {written}, and {ver} was version {number}: {}",
                got.raw
            ));
        }
        if got.attr("type") == Some("set") {
            let id = got.attr("id").ok_or_else(|| format!("a push without an id: {}", got.raw))?;
            let before = self.pushes.insert((got.client, id.to_owned()), ver.clone());
            if before.is_some_and(|before| before != ver) {
                return Err(format!("another push had this id: {}", got.raw));
            }
        }
        Ok(())
    }
}
