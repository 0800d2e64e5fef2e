//! Requests that the server answers, for itself or on behalf of an account (RFC 6120 §8.2.3, §10.3.3; RFC 6121
//! §8.5.2.1.3).
//!
//! No payload is known here: each has its own file, and one line in [`TABLE`]. What a service discovery says (XEP-0030) is
//! read from the same table.

use super::calls::{Asking, Call, Purpose, Refusal};
use super::client_link::ClientLink;
use super::routing::Origin;
use super::world::ServerWorld;
use super::{blocking, commands, disco, last, legacy, ping, private, register, roster, time, vcard, version};
use crate::engine::Effects;
use crate::router::{AccountId, HomeId};
use crate::stanza::{
    Condition, JidRef, NS_CLIENT, Stanza, StanzaType, write_iq_result_empty, write_iq_result_open,
};
use crate::xml::Node;

/// Everything that this server answers.
pub(super) const TABLE: &[Extension] = &[
    roster::EXTENSION,
    disco::INFO,
    disco::ITEMS,
    ping::EXTENSION,
    version::EXTENSION,
    time::EXTENSION,
    last::EXTENSION,
    private::EXTENSION,
    vcard::EXTENSION,
    blocking::LIST,
    blocking::BLOCK,
    blocking::UNBLOCK,
    register::EXTENSION,
    commands::EXTENSION,
    legacy::SESSION,
    legacy::BIND,
];

/// Appends the result's payload, which may be empty, to [`Request::reply`]; or asks other homes ([`Request::ask`]), whose
/// answers make the result; or refuses.
pub(super) type Answer = fn(&mut Request<'_>) -> Result<(), Condition>;

/// One payload and who answers it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extension {
    /// Name of the payload.
    pub(super) name: &'static str,
    /// Its namespace.
    pub(super) ns: &'static str,
    /// What service discovery says of it.
    pub(super) feature: Option<&'static str>,
    /// Answers for the server itself.
    pub(super) for_server: Option<Answer>,
    /// Answers on behalf of an account.
    pub(super) for_account: Option<Answer>,
}

/// A request under way.
#[derive(Debug)]
pub(super) struct Request<'a> {
    pub(super) world: &'a mut ServerWorld,
    pub(super) out: &'a mut Effects<ClientLink>,
    /// The whole IQ.
    pub(super) stanza: &'a Stanza,
    /// The only child of the IQ.
    pub(super) payload: &'a Node<'a>,
    pub(super) is_set: bool,
    /// Who asks.
    pub(super) asker: JidRef<'a>,
    /// Its connection, when it asks for its own account or the server.
    pub(super) origin: Option<Origin>,
    /// Whose answer it is; `None`: the server's own.
    pub(super) account: Option<AccountId>,
    /// Payload of the result.
    pub(super) reply: &'a mut Vec<u8>,
    /// Stanzas for the asker's connection behind the result.
    pub(super) after: &'a mut Vec<Stanza>,
    /// What an error says beside its condition.
    pub(super) error: &'a mut ErrorDetail,
    /// The result comes later.
    is_asked: &'a mut bool,
}

/// What an error says beside its condition.
#[derive(Debug, Default)]
pub(super) struct ErrorDetail {
    /// It has a code, too (XEP-0086).
    pub(super) coded: bool,
    /// What stands beside it (XML).
    pub(super) payload: String,
    application: &'static str,
}

/// The server's part of what its accounts answer, and its discovery has to name (XEP-0054 §4, XEP-0191 §3.1): nothing.
pub(super) const fn told_only(_: &mut Request<'_>) -> Result<(), Condition> {
    Err(Condition::ServiceUnavailable)
}

impl Request<'_> {
    /// The account, when the asker asks on its own behalf.
    pub(super) fn own_account(&self) -> Option<AccountId> {
        self.account.filter(|id| self.world.shard.account(*id).jid().as_str() == self.asker.bare().as_str())
    }

    /// The account, when the asker may know of it (RFC 6121 §8.1: others must not learn that it exists).
    pub(super) fn shown_account(&self) -> Option<AccountId> {
        self.account.filter(|id| self.world.shard.account(*id).shows_presence_to(self.asker))
    }

    /// The domain that is asked: its own, when it asks its own account.
    pub(super) fn host(&self) -> String {
        let to = self.stanza.to().and_then(|raw| JidRef::parse_attr(raw).ok());
        to.as_ref().map_or(self.asker, |to| to.jid()).domain().to_owned()
    }

    /// Whether the asker may give commands to the domain that it asks.
    pub(super) fn is_admin(&self) -> bool {
        self.world.is_admin(self.asker.bare(), &self.host())
    }

    /// Makes calls; the request is answered when all of them are.
    ///
    /// # Errors
    /// `service-unavailable`: there is no connection that could wait for that.
    pub(super) fn ask(&mut self, purpose: Purpose, calls: Vec<(HomeId, Call)>) -> Result<(), Condition> {
        let origin = self.origin.ok_or(Condition::ServiceUnavailable)?;
        let answerer = self.world.answerer(self.account).to_owned();
        let asking = Asking { stanza: self.stanza.clone(), origin, answerer, purpose };
        *self.is_asked = true;
        self.world.begin_asking(asking, calls, self.out);
        Ok(())
    }

    /// The condition of an error that has an application's own one, too (XML).
    pub(super) const fn refuse(&mut self, condition: Condition, application: &'static str) -> Condition {
        self.error.application = application;
        condition
    }

    /// Appends text to the payload as it is.
    pub(super) fn push(&mut self, text: &str) {
        self.reply.extend_from_slice(text.as_bytes());
    }
}

impl ServerWorld {
    /// Answers a checked `get` or `set`, exactly once (RFC 6120 §8.2.3).
    pub(super) fn answer(
        &mut self,
        stanza: &Stanza,
        account: Option<AccountId>,
        origin: Option<Origin>,
        out: &mut Effects<ClientLink>,
    ) {
        let mut payload_bytes = std::mem::take(&mut self.scratch.bytes);
        let mut after = Vec::new();
        let (mut error, mut is_asked) = (ErrorDetail::default(), false);
        let reply = (&mut payload_bytes, &mut after, &mut error, &mut is_asked);
        let result = self.ask(stanza, account, origin, reply, out);
        let mut bytes = Vec::with_capacity(payload_bytes.len() + 256);
        match result {
            Ok(()) if is_asked => {}
            Ok(()) => {
                self.write_result(stanza, account, &payload_bytes, &mut bytes);
                self.counters.answered += 1;
                self.reply(&bytes, origin, out);
                // As answers: what holds back the result holds back what follows it.
                if let Some(Origin { conn, .. }) = origin {
                    after.drain(..).for_each(|stanza| out.answer(conn, stanza));
                }
            }
            Err(condition) => match origin.filter(|_| error.coded) {
                Some(origin) => {
                    let ErrorDetail { application, payload, .. } = error;
                    let refusal = Refusal { condition, application, payload };
                    let answerer = self.answerer(account).to_owned();
                    self.refuse(stanza, refusal, &answerer, origin, out);
                }
                None => self.bounce(stanza, condition, origin, out),
            },
        }
        payload_bytes.clear();
        self.scratch.bytes = payload_bytes;
    }

    /// Answers a checked `get` or `set` to an account that does not exist: with an error whatever is asked (RFC 6121 §8.5.1),
    /// save where strangers are told of accounts that they have no items (XEP-0030 §8): nobody has none, either.
    pub(super) fn answer_for_nobody(
        &mut self,
        stanza: &Stanza,
        origin: Option<Origin>,
        out: &mut Effects<ClientLink>,
    ) {
        let iq = Node::parse(stanza.element(), NS_CLIENT);
        let payload = iq.elements().next().filter(|_| stanza.head().stanza_type == StanzaType::Get);
        let Some(query) = payload.filter(|payload| payload.is(disco::ITEMS.name, disco::ITEMS.ns)) else {
            return self.bounce(stanza, Condition::ServiceUnavailable, origin, out);
        };
        let (mut payload, mut bytes) = (Vec::new(), Vec::new());
        disco::no_items(query, &mut payload);
        self.write_result(stanza, None, &payload, &mut bytes);
        self.counters.answered += 1;
        self.reply(&bytes, origin, out);
    }

    fn ask(
        &mut self,
        stanza: &Stanza,
        account: Option<AccountId>,
        origin: Option<Origin>,
        (reply, after, error, is_asked): (&mut Vec<u8>, &mut Vec<Stanza>, &mut ErrorDetail, &mut bool),
        out: &mut Effects<ClientLink>,
    ) -> Result<(), Condition> {
        let iq = Node::parse(stanza.element(), NS_CLIENT);
        let payload = iq.elements().next().ok_or(Condition::BadRequest)?;
        let from = stanza.from().ok_or(Condition::BadRequest)?;
        let asker = JidRef::parse_attr(from).map_err(|_| Condition::BadRequest)?;
        let extension = TABLE.iter().find(|e| payload.is(e.name, e.ns));
        let answer = extension.and_then(|e| if account.is_some() { e.for_account } else { e.for_server });
        let answer = answer.ok_or(Condition::ServiceUnavailable)?;
        let is_set = stanza.head().stanza_type == StanzaType::Set;
        if is_set && !self.can_save() {
            return Err(Condition::ResourceConstraint);
        }
        let asker = asker.jid();
        answer(&mut Request {
            world: self,
            out,
            stanza,
            payload,
            is_set,
            asker,
            origin,
            account,
            reply,
            after,
            error,
            is_asked,
        })
    }

    /// Who answers a request without `to`.
    fn answerer(&self, account: Option<AccountId>) -> &str {
        account.map_or_else(|| self.domain(), |id| self.shard.account(id).jid().as_str())
    }

    fn write_result(&self, stanza: &Stanza, account: Option<AccountId>, payload: &[u8], bytes: &mut Vec<u8>) {
        let from = self.answerer(account);
        if payload.is_empty() {
            write_iq_result_empty(stanza, from, bytes);
        } else {
            write_iq_result_open(stanza, from, bytes);
            bytes.extend_from_slice(payload);
            bytes.extend_from_slice(b"</iq>");
        }
    }
}
