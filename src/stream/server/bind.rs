//! Resource binding (RFC 6120 §7) or resumption in its place (XEP-0198 §5), the session of old clients (RFC 3921 §3), and
//! the stream once it is bound.
//!
//! Which resource is free, what happens to whoever has it, and which session can be resumed is the owner's concern.

use bytes::Bytes;

use super::unexpected::refuse_before_bind;
use super::{BindAnswer, ResumeAnswer, ServerSettings, ServerStep, State, Transition};
use crate::limits::BIND_ATTEMPTS_MAX;
use crate::stanza::{
    Condition, Head, Jid, JidRef, Kind, NS_CLIENT, StanzaType, leans_too_much, write_error, write_raw_attr,
};
use crate::stream::{Management, NS_BIND, NS_SESSION, StreamCondition, StreamError};
use crate::xml::{Element, Node, Span, escape_text_into};

/// A bind request.
#[derive(Debug)]
pub(super) struct ExpectBind {
    pub(super) account: Jid,
    pub(super) lang: Option<Bytes>,
    /// Requests refused so far.
    pub(super) refused: u8,
}

/// The owner's word on the resource.
#[derive(Debug)]
pub(super) struct ExpectBindAnswer {
    pub(super) bind: ExpectBind,
    /// Raw `id` of the request.
    id: String,
}

/// The owner's word on the session that is to be resumed.
#[derive(Debug)]
pub(super) struct ExpectResumeAnswer {
    pub(super) bind: ExpectBind,
}

/// Nothing in particular.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) account: Jid,
    pub(super) jid: Jid,
    pub(super) lang: Option<Bytes>,
}

/// An IQ that is about the stream itself.
enum Request {
    Bind {
        id: String,
        resource: Option<String>,
    },
    Session {
        id: String,
    },
    /// Bind or session, but not the one child of an IQ `set` with an id (RFC 6120 §8.2.3).
    Malformed {
        id: String,
    },
}

impl Request {
    /// `None` when `element` is something else, or is addressed to somebody else.
    fn parse(element: &Element, head: &Head, account: &Jid, domain: &str) -> Option<Self> {
        if !concerns_us(element, head, account, domain) {
            return None;
        }
        let node = Node::parse(element, NS_CLIENT);
        let (bind, session) = (node.child("bind", NS_BIND), node.child("session", NS_SESSION));
        if (bind.is_none() && session.is_none())
            || matches!(head.stanza_type, StanzaType::Result | StanzaType::Error)
        {
            return None;
        }
        let id = head.id.map(|span| raw(element, span).to_owned());
        let is_sound = head.stanza_type == StanzaType::Set && node.elements().count() == 1;
        Some(match (id, bind) {
            (Some(id), Some(bind)) if is_sound => {
                let resource = bind.child("resource", NS_BIND).map(Node::text);
                // §7.7.2.1 would rather have an empty resource put right than refused.
                Self::Bind { id, resource: resource.filter(|resource| !resource.is_empty()) }
            }
            (Some(id), None) if is_sound => Self::Session { id },
            (id, _) => Self::Malformed { id: id.unwrap_or_default() },
        })
    }
}

impl ExpectBind {
    /// Before bind a client may talk to the server and to its own account, no one else (§7.1); here only in IQs, since
    /// messages and presence are answered to a resource.
    pub(super) fn handle_element(
        self,
        element: Element,
        settings: &ServerSettings,
        out: &mut Vec<u8>,
    ) -> Transition {
        let Some(head) = Head::parse(&element).filter(|head| head.kind == Kind::Iq) else {
            return match Management::parse(&element) {
                Some(management) => self.handle_management(management, out),
                None => Err(refuse_before_bind(&element)),
            };
        };
        if !is_from(&element, &head, &[&self.account]) {
            return Err(StreamError::peer(StreamCondition::InvalidFrom));
        }
        match Request::parse(&element, &head, &self.account, &settings.domain) {
            Some(Request::Bind { id, resource }) => {
                let state = ExpectBindAnswer { bind: self, id };
                Ok((State::ExpectBindAnswer(Box::new(state)), ServerStep::Bind { resource }))
            }
            Some(Request::Session { id }) => {
                write_result(&id, out);
                Ok((State::ExpectBind(self), ServerStep::Continue))
            }
            Some(Request::Malformed { id }) => self.refuse(&id, Condition::BadRequest, out),
            None if concerns_us(&element, &head, &self.account, &settings.domain)
                && !leans_too_much(&element) =>
            {
                Ok((State::ExpectBind(self), ServerStep::Element(element)))
            }
            None => Err(refuse_before_bind(&element)),
        }
    }

    /// A session may be resumed in place of binding; everything else has to wait until a resource is bound (XEP-0198 §3).
    fn handle_management(self, management: Management, out: &mut Vec<u8>) -> Transition {
        match management {
            Management::Resume { h, previd } => {
                let state = ExpectResumeAnswer { bind: self };
                Ok((State::ExpectResumeAnswer(Box::new(state)), ServerStep::Resume { h, previd }))
            }
            Management::Malformed => self.fail_management(Condition::BadRequest, None, out),
            Management::Enable { .. }
            | Management::Enabled { .. }
            | Management::Resumed { .. }
            | Management::Failed { .. }
            | Management::Request
            | Management::Acknowledgement(_) => self.fail_management(Condition::UnexpectedRequest, None, out),
        }
    }

    fn fail_management(self, condition: Condition, h: Option<u32>, out: &mut Vec<u8>) -> Transition {
        Management::Failed { condition, h }.write(out);
        self.count_refusal()
    }

    /// Writes the error.
    fn refuse(self, id: &str, condition: Condition, out: &mut Vec<u8>) -> Transition {
        write_refusal(id, condition, out);
        self.count_refusal()
    }

    /// One refusal too many ends the stream too (§7.7.3).
    fn count_refusal(mut self) -> Transition {
        self.refused += 1;
        if self.refused > BIND_ATTEMPTS_MAX {
            return Err(
                StreamError::peer(StreamCondition::PolicyViolation).with_text("too many refused binds")
            );
        }
        Ok((State::ExpectBind(self), ServerStep::Continue))
    }
}

impl ExpectBindAnswer {
    pub(super) fn handle_bind(self, answer: BindAnswer, out: &mut Vec<u8>) -> Transition {
        let jid = match answer {
            BindAnswer::Bound(jid) => jid,
            BindAnswer::Refused(condition) => return self.bind.refuse(&self.id, condition, out),
        };
        write_iq_open("result", &self.id, out);
        for part in ["><bind xmlns='", NS_BIND, "'><jid>"] {
            out.extend_from_slice(part.as_bytes());
        }
        escape_text_into(jid.as_str(), out);
        out.extend_from_slice(b"</jid></bind></iq>");
        let ExpectBind { account, lang, refused: _ } = self.bind;
        Ok((State::Bound(Bound { account, jid, lang }), ServerStep::Continue))
    }
}

impl ExpectResumeAnswer {
    /// After a failure the client may bind (XEP-0198 §5).
    pub(super) fn handle_resume(self, answer: ResumeAnswer, out: &mut Vec<u8>) -> Transition {
        match answer {
            ResumeAnswer::Resumed(jid) => {
                let ExpectBind { account, lang, refused: _ } = self.bind;
                Ok((State::Bound(Bound { account, jid, lang }), ServerStep::Continue))
            }
            ResumeAnswer::Failed { condition, h } => self.bind.fail_management(condition, h, out),
        }
    }
}

impl Bound {
    /// Hands everything on but a second bind, which is refused (the first one stays), and a session, which is granted.
    pub(super) fn handle_element(
        &self,
        element: Element,
        settings: &ServerSettings,
        out: &mut Vec<u8>,
    ) -> Result<ServerStep, StreamError> {
        if element.scope.is_some() && leans_too_much(&element) {
            return Err(StreamError::peer(StreamCondition::InvalidNamespace));
        }
        if !has_first_child_named(&element, &[b"bind", b"session"]) {
            return Ok(ServerStep::Element(element));
        }
        // Whoever claims to be another is the owner's to judge, as with every stanza.
        let head = Head::parse(&element)
            .filter(|head| head.kind == Kind::Iq && is_from(&element, head, &[&self.account, &self.jid]));
        match head.and_then(|head| Request::parse(&element, &head, &self.account, &settings.domain)) {
            Some(Request::Bind { id, .. }) => write_refusal(&id, Condition::NotAllowed, out),
            Some(Request::Session { id }) => write_result(&id, out),
            Some(Request::Malformed { id }) => write_refusal(&id, Condition::BadRequest, out),
            None => return Ok(ServerStep::Element(element)),
        }
        Ok(ServerStep::Continue)
    }
}

/// Whether `from` is absent or one of these (§8.1.2.1).
fn is_from(element: &Element, head: &Head, own: &[&Jid]) -> bool {
    head.from.is_none_or(|span| {
        JidRef::parse_attr(raw(element, span))
            .is_ok_and(|from| own.iter().any(|own| from.jid() == own.as_ref()))
    })
}

/// Whether `to` is absent, the server's, or the client's own bare address.
fn concerns_us(element: &Element, head: &Head, account: &Jid, domain: &str) -> bool {
    head.to.is_none_or(|span| {
        JidRef::parse_attr(raw(element, span)).is_ok_and(|to| {
            let to = to.jid();
            to.as_str() == domain || to == account.as_ref()
        })
    })
}

/// Whether `element` is an IQ whose first child has one of these local names: a look at a few bytes, since every stanza
/// of a bound stream passes here.
fn has_first_child_named(element: &Element, names: &[&[u8]]) -> bool {
    if !element.bytes.starts_with(b"<iq") {
        return false;
    }
    let Some(child) = element.bytes[element.tag().len()..].trim_ascii_start().strip_prefix(b"<") else {
        return false;
    };
    let name = child.split(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b'/' | b'>')).next();
    let local = name.and_then(|name| name.rsplit(|&byte| byte == b':').next());
    local.is_some_and(|local| names.contains(&local))
}

fn raw(element: &Element, span: Span) -> &str {
    std::str::from_utf8(&element.bytes[span.range()]).expect("the framer checked it")
}

fn write_iq_open(iq_type: &str, id: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"<iq");
    write_raw_attr("id", id, out);
    for part in [" type='", iq_type, "'"] {
        out.extend_from_slice(part.as_bytes());
    }
}

fn write_result(id: &str, out: &mut Vec<u8>) {
    write_iq_open("result", id, out);
    out.extend_from_slice(b"/>");
}

fn write_refusal(id: &str, condition: Condition, out: &mut Vec<u8>) {
    write_iq_open("error", id, out);
    out.extend_from_slice(b">");
    write_error(condition, None, out);
    out.extend_from_slice(b"</iq>");
}
