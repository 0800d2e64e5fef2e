//! XEP-0077: In-Band Registration: accounts, passwords, and the end of accounts.
//!
//! Before authentication a stream may register accounts, several if it likes, where the operator allows it; with an account a
//! client may change its own password and remove itself. The account is made at its own home ([`super::calls`]).
//! Where the text leaves a choice:
//!
//! - One stream may register many accounts; it is told `not-acceptable` when it has registered too many (§3.1.1).
//! - Names of administrators are `not-allowed`.
//! - Passwords may be changed and accounts removed where registration is not allowed, since both need a login.
//! - Removal ends every stream of the account with `not-authorized`, the one that asked behind its result (§3.2).

use super::calls::{Asking, Call, Purpose, Refusal, Returned, Secret};
use super::client_link::ClientLink;
use super::iq::{Extension, Request};
use super::routing::Origin;
use super::world::ServerWorld;
use crate::engine::{ConnId, Effects};
use crate::limits::{PASSWORD_BYTES_MAX, REGISTRATIONS_PER_STREAM_MAX};
use crate::router::HomeId;
use crate::stanza::{
    Condition, Head, Jid, JidRef, NS_CLIENT, Stanza, StanzaType, leans_too_much, write_iq_result_open,
};
use crate::stream::{NS_REGISTER, StreamCondition, StreamError};
use crate::xml::{Element, Node, escape_text_into};

pub(super) const EXTENSION: Extension = Extension {
    name: "query",
    ns: NS_REGISTER,
    feature: Some(NS_REGISTER),
    for_server: Some(answer),
    for_account: Some(answer_for_account),
};

/// The server is asked by one of its accounts, or by nobody that it knows of.
fn answer(request: &mut Request<'_>) -> Result<(), Condition> {
    request.error.coded = true;
    let bare = request.asker.bare();
    let account = request.world.shard.find(bare.as_str());
    let is_registered = account.is_some_and(|id| !request.world.shard.account(id).is_temporary());
    if !request.is_set {
        get(request, is_registered);
        return Ok(());
    }
    let query = request.payload;
    if query.child("remove", NS_REGISTER).is_some() {
        return remove(request, is_registered);
    }
    let username = text_of(query, "username").ok_or(Condition::BadRequest)?;
    let host = request.host();
    let account = new_account(&username, &host)?;
    if is_registered && account.as_str() == bare.as_str() {
        // §3.3: an empty password changes nothing.
        let password = password_of(query).map_err(|_| Condition::BadRequest)?;
        let home = request.world.homes.of(account.as_str());
        return request.ask(Purpose::Plain, vec![(home, Call::ChangePassword { account, password })]);
    }
    if !request.is_admin() {
        return Err(Condition::NotAllowed);
    }
    let password = password_of(query)?;
    let home = request.world.homes.of(account.as_str());
    request.ask(Purpose::Plain, vec![(home, Call::Add { account, password })])
}

/// A request without `to`: the same, if it is one's own account.
fn answer_for_account(request: &mut Request<'_>) -> Result<(), Condition> {
    request.own_account().ok_or(Condition::Forbidden)?;
    answer(request)
}

/// §3.1: what is needed, and for who has an account that it has.
fn get(request: &mut Request<'_>, is_registered: bool) {
    let username = request.asker.local().unwrap_or_default();
    let mut bytes = Vec::new();
    write_fields(is_registered.then_some(username), &mut bytes);
    request.reply.extend_from_slice(&bytes);
}

/// §3.2.
fn remove(request: &mut Request<'_>, is_registered: bool) -> Result<(), Condition> {
    if request.payload.elements().count() != 1 {
        return Err(Condition::BadRequest);
    }
    if !is_registered {
        return Err(Condition::RegistrationRequired);
    }
    let account = request.asker.bare().to_jid();
    let spare = request.origin.map(|origin| origin.conn);
    let home = request.world.homes.of(account.as_str());
    request.ask(Purpose::Cancel, vec![(home, Call::Remove { account, spare })])
}

/// What an account's home said to a request that has one call and no payload.
pub(super) fn outcome(answers: &[Returned]) -> Result<String, Refusal> {
    match answers {
        [Returned::Done] => Ok(String::new()),
        [Returned::Refused(condition)] => Err((*condition).into()),
        _ => unreachable!("it is done or refused"),
    }
}

/// The address of an account that is to be made under this name: one that means the same to every server (checklist J3).
pub(super) fn new_account(username: &str, domain: &str) -> Result<Jid, Condition> {
    Jid::new_account(username, domain).map_err(|_| Condition::JidMalformed)
}

/// Text of a field, unless it is missing, empty or there twice.
fn text_of(query: &Node<'_>, name: &str) -> Option<String> {
    let mut fields = query.elements().filter(|child| child.is(name, NS_REGISTER));
    let text = fields.next()?.text();
    (!text.is_empty() && fields.next().is_none()).then_some(text)
}

/// §3.1: an empty password is none.
fn password_of(query: &Node<'_>) -> Result<Secret, Condition> {
    let password = text_of(query, "password").filter(|password| password.len() <= PASSWORD_BYTES_MAX);
    password.map(Secret::new).ok_or(Condition::NotAcceptable)
}

fn write_fields(registered: Option<&str>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"<query xmlns='jabber:iq:register'><instructions>");
    if let Some(username) = registered {
        out.extend_from_slice(b"Give a password to change it.</instructions><registered/><username>");
        escape_text_into(username, out);
        out.extend_from_slice(b"</username><password/></query>");
    } else {
        out.extend_from_slice(
            b"Choose a username and a password.</instructions><username/><password/></query>",
        );
    }
}

impl ServerWorld {
    /// A registration request of a stream that is not authenticated and has registered `count` accounts (§3.1.1).
    ///
    /// # Errors
    /// `not-authorized`: it is for somebody else than this server, or claims to come from somebody.
    pub(super) fn on_registration(
        &mut self,
        element: Element,
        domain: &str,
        count: u32,
        conn: ConnId,
        out: &mut Effects<ClientLink>,
    ) -> Result<(), StreamError> {
        if element.scope.is_some() && leans_too_much(&element) {
            return Err(StreamError::peer(StreamCondition::InvalidNamespace));
        }
        let not_authorized = || StreamError::peer(StreamCondition::NotAuthorized);
        let head = Head::parse(&element).ok_or_else(not_authorized)?;
        let stanza = Stanza::new(element, head);
        let is_for_us = match stanza.to().map(JidRef::parse_attr) {
            None => true,
            Some(to) => to.is_ok_and(|to| to.jid().as_str() == domain),
        };
        if !is_for_us || stanza.from().is_some() {
            return Err(not_authorized());
        }
        self.counters.count_in(stanza.kind());
        let origin = Origin { conn, session: None };
        self.begin_acting(origin);
        let asked = stanza.check().and_then(|()| self.read_registration(&stanza, domain, count));
        let answerer = domain.to_owned();
        match asked {
            Ok(None) => {
                let mut bytes = Vec::new();
                write_iq_result_open(&stanza, &answerer, &mut bytes);
                write_fields(None, &mut bytes);
                bytes.extend_from_slice(b"</iq>");
                self.counters.answered += 1;
                self.reply(&bytes, Some(origin), out);
            }
            Ok(Some(call)) => {
                let asking = Asking { stanza, origin, answerer, purpose: Purpose::Register };
                self.begin_asking(asking, vec![call], out);
            }
            Err(condition) => self.refuse(&stanza, condition.into(), &answerer, origin, out),
        }
        self.settle(out);
        self.end_acting(out);
        Ok(())
    }

    /// `None`: it asks what is needed.
    fn read_registration(
        &self,
        stanza: &Stanza,
        domain: &str,
        count: u32,
    ) -> Result<Option<(HomeId, Call)>, Condition> {
        if stanza.head().stanza_type == StanzaType::Get {
            return Ok(None);
        }
        let iq = Node::parse(stanza.element(), NS_CLIENT);
        let query = iq.child("query", NS_REGISTER).ok_or(Condition::BadRequest)?;
        if query.child("remove", NS_REGISTER).is_some() {
            // §3.2: nobody knows whose account that would be.
            return Err(Condition::UnexpectedRequest);
        }
        let username = text_of(query, "username").ok_or(Condition::NotAcceptable)?;
        let password = password_of(query)?;
        let account = new_account(&username, domain)?;
        if self.is_admin(account.as_ref(), domain) {
            // Its name is set down already; whoever came first would be the administrator.
            return Err(Condition::NotAllowed);
        }
        if count >= REGISTRATIONS_PER_STREAM_MAX {
            return Err(Condition::NotAcceptable);
        }
        if !self.can_save() || !self.throttle.take(self.now()) {
            return Err(Condition::ResourceConstraint);
        }
        Ok(Some((self.homes.of(account.as_str()), Call::Add { account, password })))
    }
}
