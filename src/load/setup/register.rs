//! In-band registration (XEP-0077), on a connection of its own before the login phase.
//!
//! It measures nothing and repeats nothing. An account that exists already is as good as a new one: set-up can be
//! run again.

use super::visit::condition;
use crate::load::stanzas::CLOSE;
use crate::stanza::{NS_CLIENT, NS_STANZAS};
use crate::stream::NS_STREAM;
use crate::xml::{Frame, Node, escape_attr_into, escape_text_into};

pub(in crate::load) const NS_REGISTER: &str = "jabber:iq:register";
pub(in crate::load) const NS_REGISTER_FEATURE: &str = "http://jabber.org/features/iq-register";

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::load) enum Registered {
    /// The account exists now.
    Created,
    /// It existed before (`conflict`, XEP-0077 §3.1.1). Whether its password is ours shows at login.
    Exists,
    /// One line.
    Failed(String),
}

/// One account on its way.
#[derive(Debug)]
pub(in crate::load) struct Registration {
    outcome: Option<Registered>,
}

impl Registration {
    pub(in crate::load) const fn new() -> Self {
        Self { outcome: None }
    }

    pub(in crate::load) const fn is_over(&self) -> bool {
        self.outcome.is_some()
    }

    pub(in crate::load) fn into_outcome(self) -> Option<Registered> {
        self.outcome
    }

    /// Writes the stream header (RFC 6120 §4.2).
    pub(in crate::load) fn on_connected(&self, domain: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(b"<?xml version='1.0'?><stream:stream to='");
        escape_attr_into(domain, out);
        for part in ["' version='1.0' xmlns='", NS_CLIENT, "' xmlns:stream='", NS_STREAM, "'>"] {
            out.extend_from_slice(part.as_bytes());
        }
    }

    /// Takes a frame; answers are appended to `out`.
    pub(in crate::load) fn on_frame(&mut self, frame: Frame, account: &(String, String), out: &mut Vec<u8>) {
        let element = match frame {
            Frame::Open(_) => return,
            Frame::Close => {
                return self.end(Registered::Failed("the server closed the stream".to_owned()), out);
            }
            Frame::Element(element) => element,
        };
        let node = Node::parse(&element, NS_CLIENT);
        if node.is("features", NS_STREAM) {
            self.on_features(&node, account, out);
        } else if node.is("iq", NS_CLIENT) {
            self.end(outcome(&node), out);
        } else if node.is("error", NS_STREAM) {
            let condition = node.elements().next().map_or("undefined-condition", |c| c.name);
            self.end(Registered::Failed(format!("stream error: {condition}")), out);
        }
    }

    /// XEP-0077 §3.1: username and password are all that servers ask of a plain account.
    fn on_features(&mut self, features: &Node<'_>, (user, password): &(String, String), out: &mut Vec<u8>) {
        if features.child("register", NS_REGISTER_FEATURE).is_none() {
            // Before TLS some servers hide it, and TLS is not built yet.
            let what = match features.children.is_empty() {
                true => "the server offers nothing".to_owned(),
                false => "the server does not offer registration on this stream (XEP-0077); Prosody: \
                          allow_registration = true, ejabberd: mod_register with ip_access, both without \
                          demanding TLS first"
                    .to_owned(),
            };
            return self.end(Registered::Failed(what), out);
        }
        out.extend_from_slice(b"<iq type='set' id='register'><query xmlns='jabber:iq:register'><username>");
        escape_text_into(user, out);
        out.extend_from_slice(b"</username><password>");
        escape_text_into(password, out);
        out.extend_from_slice(b"</password></query></iq>");
    }

    fn end(&mut self, outcome: Registered, out: &mut Vec<u8>) {
        if self.outcome.is_none() {
            self.outcome = Some(outcome);
            out.extend_from_slice(CLOSE);
        }
    }
}

fn outcome(iq: &Node<'_>) -> Registered {
    if iq.attr("type") == Some("result") {
        return Registered::Created;
    }
    let condition = condition(iq);
    let text = iq.child("error", NS_CLIENT).and_then(|error| error.child("text", NS_STANZAS)).map(Node::text);
    let said = text.map(|text| format!(" ({})", text.trim())).unwrap_or_default();
    match condition {
        "conflict" => Registered::Exists,
        "resource-constraint" | "policy-violation" => Registered::Failed(format!(
            "registration refused: {condition}{said}; the server limits registrations per address (ejabberd: \
             registration_timeout: infinity; Prosody: registration_throttle_max)"
        )),
        "forbidden" | "not-allowed" | "not-authorized" | "service-unavailable" => {
            Registered::Failed(format!(
                "registration refused: {condition}{said}; {NS_REGISTER} is not open to this address (ejabberd: mod_register \
             ip_access; Prosody: allow_registration)"
            ))
        }
        _ => Registered::Failed(format!("registration refused: {condition}{said}")),
    }
}
