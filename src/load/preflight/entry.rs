//! Getting in: what a stream offers, accounts, logins, sessions.
//!
//! Nothing is negotiated here; [`super::scout`] does, and says how it went.

use std::sync::Arc;

use super::scout::{Role, Scout};
use super::{CheckState, Finding, PreflightWorld, Step};
use crate::engine::{ConnId, Effects};
use crate::load::scenario::Create;
use crate::load::setup::{NS_REGISTER, NS_REGISTER_FEATURE, Registered};
use crate::stanza::{Jid, NS_CLIENT};
use crate::stream::{ClientNegotiation, ClientSettings, Features, LoginError};
use crate::time::Nanos;
use crate::xml::Node;

/// Asks what a registration needs (XEP-0077 §3.1); nothing is made by it.
const FORM: &[u8] = b"<iq type='get' id='form'><query xmlns='jabber:iq:register'/></iq>";
/// Namespace of stream limits (XEP-0478).
const NS_LIMITS: &str = "urn:xmpp:stream-limits:0";

impl PreflightWorld {
    /// Name and password of a probe.
    pub(super) fn account(&self, probe: usize) -> (String, String) {
        let (users, user) = (&self.plan.scenario.users, self.probes[probe].user as usize);
        (users.username(user), users.password(user))
    }

    /// A login of a probe, with the scenario's resource or one of the server's.
    pub(super) fn negotiation(&self, probe: usize, own_resource: bool) -> ClientNegotiation {
        let users = &self.plan.scenario.users;
        let (username, password) = self.account(probe);
        let resource = users.resource(self.probes[probe].user as usize).filter(|_| own_resource);
        ClientNegotiation::new(ClientSettings {
            domain: Arc::clone(&self.domain),
            mechanism: users.auth,
            username,
            password: password.into(),
            resource,
            cache: self.cache.clone(),
            management: crate::stream::WantedManagement::None,
        })
    }

    /// The server refuses the stream itself.
    pub(super) fn stream_refused(&mut self, error: &LoginError, now: Nanos, effects: &mut Effects<Scout>) {
        let what = format!("{}: {error}", self.domain);
        self.give_up(Finding::failed("stream", what), now, effects);
    }

    /// What the stream offers. Returns what is to be asked on it.
    pub(super) fn on_features(
        &mut self,
        node: &Node<'_>,
        now: Nanos,
        effects: &mut Effects<Scout>,
    ) -> Option<&'static [u8]> {
        let features = Features::parse(node)?;
        self.tell(Finding::ok("stream", format!("opens for {}", self.domain)));
        if let Some(limits) = node.child("limits", NS_LIMITS) {
            let limit = |name: &str| limits.child(name, NS_LIMITS).map(Node::text);
            let bytes = limit("max-bytes").unwrap_or_else(|| "any number of".to_owned());
            self.tell(Finding::info("stanza size", format!("{bytes} bytes before login (XEP-0478)")));
        }
        if features.tls_required {
            let finding = Finding::failed("tls", LoginError::TlsRequired.to_string());
            self.give_up(finding, now, effects);
            return None;
        }
        self.tell(Finding::ok("tls", "not demanded; none is used, it is not built yet"));
        let wanted = self.plan.scenario.users.auth;
        let offered = match features.mechanisms.join(", ") {
            none if none.is_empty() => "nothing".to_owned(),
            some => some,
        };
        if !features.offers(wanted) {
            let error = LoginError::MechanismNotOffered { wanted: wanted.as_str(), offered };
            self.give_up(Finding::failed("mechanism", error.to_string()), now, effects);
            return None;
        }
        self.tell(Finding::ok("mechanism", format!("{} is offered (of {offered})", wanted.as_str())));
        let registers = node.child("register", NS_REGISTER_FEATURE).is_some();
        match self.plan.scenario.users.create {
            Create::Register if registers => return Some(FORM),
            Create::Register => self.not_open("the stream does not offer it", now, effects),
            Create::Provision | Create::Existing => self.enter(Step::LogIn(0), now, effects),
        }
        None
    }

    fn not_open(&mut self, why: &str, now: Nanos, effects: &mut Effects<Scout>) {
        let what = format!("registration is not open (XEP-0077): {why}");
        let fix = "let clients make accounts (Prosody: module register_ibr, in older versions register, and \
                   allow_registration = true; ejabberd: mod_register with ip_access: all), or make them on the \
                   server and set users.create to \"existing\"";
        self.give_up(Finding::new("registration", CheckState::Failed, what, Some(fix)), now, effects);
    }

    /// What a registration needs.
    pub(super) fn on_form(&mut self, node: &Node<'_>, now: Nanos, effects: &mut Effects<Scout>) {
        let form = node.child("query", NS_REGISTER).filter(|_| node.attr("type") == Some("result"));
        let Some(form) = form else { return self.not_open(condition(node), now, effects) };
        let asked = form.elements().filter(|field| field.ns == NS_REGISTER && field.name != "instructions");
        let asked: Vec<_> = asked.map(|field| field.name).collect();
        let missing: Vec<_> =
            asked.iter().copied().filter(|name| !["username", "password"].contains(name)).collect();
        if !missing.is_empty() {
            let what = format!("it also asks for {}, which nobody here fills in", missing.join(", "));
            self.tell(Finding::new("registration", CheckState::Warning, what, None));
        }
        self.enter(Step::Register(0), now, effects);
    }

    /// An account was made, or not.
    pub(super) fn registered(&mut self, outcome: Registered, now: Nanos, effects: &mut Effects<Scout>) {
        let Step::Register(probe) = self.step else { return };
        match outcome {
            Registered::Created => self.registered.0 += 1,
            Registered::Exists => self.registered.1 += 1,
            Registered::Failed(what) => {
                let who = self.account(probe).0;
                let finding = Finding::failed("registration", format!("user {who}: {what}"));
                return self.give_up(finding, now, effects);
            }
        }
        if probe + 1 < self.probes.len() {
            return self.enter(Step::Register(probe + 1), now, effects);
        }
        let (made, there) = self.registered;
        self.tell(Finding::ok("registration", format!("{made} accounts made, {there} were there before")));
        self.enter(Step::LogIn(0), now, effects);
    }

    /// A scout has a resource.
    pub(super) fn logged_in(
        &mut self,
        role: Role,
        conn: ConnId,
        jid: Jid,
        now: Nanos,
        effects: &mut Effects<Scout>,
    ) {
        match role {
            Role::Probe(probe) => {
                self.probes[probe].bound = Some((conn, jid));
                self.next_login(probe, now, effects);
            }
            Role::Second => {
                let what = format!("a second session of {} is let in beside the first", jid.as_ref().bare());
                self.tell(Finding::info("sessions", what));
                effects.task(conn, super::Errand::Leave);
                self.enter(Step::Burst, now, effects);
            }
            Role::Look | Role::Register(_) => unreachable!("they do not log in"),
        }
    }

    /// A scout was not let in, or lost its connection.
    pub(super) fn refused(&mut self, role: Role, what: &str, now: Nanos, effects: &mut Effects<Scout>) {
        if self.is_over() {
            return;
        }
        match (role, self.step) {
            (Role::Look, _) => self.give_up(Finding::failed("stream", what), now, effects),
            (Role::Probe(probe), Step::LogIn(current)) if probe == current => {
                let who = self.account(probe).0;
                self.tell(Finding::failed("accounts", format!("user {who}: {what}")));
                self.next_login(probe, now, effects);
            }
            (Role::Probe(probe), Step::Second) => {
                self.probes[probe].bound = None;
                let who = self.account(probe).0;
                let what = format!("a second session of {who} ends the first one: {what}");
                self.give_up(Finding::new("sessions", CheckState::Warning, what, None), now, effects);
            }
            (Role::Probe(probe), _) => {
                self.probes[probe].bound = None;
                let who = self.account(probe).0;
                let check = if self.step == Step::Burst { "rate limit" } else { "accounts" };
                let finding = Finding::failed(check, format!("the connection of {who} was ended: {what}"));
                self.give_up(finding, now, effects);
            }
            (Role::Second, Step::Second) => {
                self.tell(Finding::info("sessions", format!("a second session is not let in: {what}")));
                self.enter(Step::Burst, now, effects);
            }
            (Role::Second | Role::Register(_), _) => {}
        }
    }

    fn next_login(&mut self, probe: usize, now: Nanos, effects: &mut Effects<Scout>) {
        if probe + 1 < self.probes.len() {
            return self.enter(Step::LogIn(probe + 1), now, effects);
        }
        if self.probes.iter().any(|probe| probe.bound.is_none()) {
            return self.enter(Step::Leave, now, effects);
        }
        let names: Vec<_> = (0..self.probes.len()).map(|probe| self.account(probe).0).collect();
        let mechanism = self.plan.scenario.users.auth.as_str();
        self.tell(Finding::ok("accounts", format!("{} log in with {mechanism}", names.join(", "))));
        self.tell_resources();
        self.enter(Step::Join, now, effects);
    }

    fn tell_resources(&mut self) {
        let (user, jid) = match &self.probes[0] {
            super::Probe { user, bound: Some((_, jid)), .. } => (*user, jid.clone()),
            super::Probe { bound: None, .. } => return,
        };
        let asked = self.plan.scenario.users.resource(user as usize);
        let got = jid.as_ref().resource().unwrap_or_default();
        let finding = match asked {
            Some(asked) if asked != got => {
                Finding::info("bind", format!("resource {got}, although {asked} was asked for"))
            }
            _ => Finding::ok("bind", format!("resource {got}")),
        };
        self.tell(finding);
    }
}

/// Name of the condition in a stanza error (RFC 6120 §8.3.3).
pub(super) fn condition<'n>(stanza: &'n Node<'_>) -> &'n str {
    let error = stanza.child("error", NS_CLIENT);
    let named = |node: &&Node<'_>| node.ns == crate::stanza::NS_STANZAS && node.name != "text";
    error.and_then(|error| error.elements().find(named)).map_or("no condition", |condition| condition.name)
}
