//! Stanzas as clients write them, and addresses as the model reads them. Written anew: no code of the server's.

use std::collections::BTreeMap;

use super::rig::DOMAIN;

/// A stanza that a client sends.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    /// `message`, `presence`, `iq`.
    pub(crate) name: &'static str,
    pub(crate) attrs: BTreeMap<&'static str, String>,
    pub(crate) inner: String,
    /// The payload of an IQ, or what `<priority/>` says.
    pub(crate) payload: Payload,
    /// What is asked of a roster.
    pub(crate) roster: Option<Query>,
}

/// The payload of a request for a roster.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query {
    pub(crate) ver: Option<String>,
    pub(crate) items: Vec<Entry>,
}

/// An item as a client writes it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Entry {
    pub(crate) jid: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) groups: Vec<String>,
    pub(crate) subscription: Option<&'static str>,
    /// Attributes that a client must not write, and that the server does not look at.
    pub(crate) extra: &'static str,
}

/// What the model must know of a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Payload {
    /// Nothing that the server looks at.
    Opaque,
    Priority(i16),
    Ping,
    DiscoInfo,
    DiscoItems,
    Version,
    Roster,
    /// An IQ request that nobody knows.
    Unknown,
    /// An IQ request without any payload.
    Missing,
}

impl Payload {
    pub(crate) const fn xml(self) -> &'static str {
        match self {
            Self::Opaque | Self::Priority(_) | Self::Missing | Self::Roster => "",
            Self::Ping => "<ping xmlns='urn:xmpp:ping'/>",
            Self::DiscoInfo => "<query xmlns='http://jabber.org/protocol/disco#info'/>",
            Self::DiscoItems => "<query xmlns='http://jabber.org/protocol/disco#items'/>",
            Self::Version => "<query xmlns='jabber:iq:version'/>",
            Self::Unknown => "<query xmlns='urn:model:unknown'><a b='>'/></query>",
        }
    }
}

impl Outgoing {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, attrs: BTreeMap::new(), inner: String::new(), payload: Payload::Opaque, roster: None }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.attrs.insert(name, value.into());
        self
    }

    pub(crate) fn with_inner(mut self, inner: impl Into<String>) -> Self {
        self.inner = inner.into();
        self
    }

    pub(crate) fn with_payload(mut self, payload: Payload) -> Self {
        self.payload = payload;
        self.inner.push_str(payload.xml());
        if let Payload::Priority(priority) = payload {
            self.inner.push_str(&format!("<priority>{priority}</priority>"));
        }
        self
    }

    pub(crate) fn with_roster(mut self, query: Query) -> Self {
        self.inner = query.xml();
        self.payload = Payload::Roster;
        self.roster = Some(query);
        self
    }

    pub(crate) fn attr(&self, name: &str) -> Option<&str> {
        self.attrs.get(name).map(String::as_str)
    }

    /// As it goes on the wire.
    pub(crate) fn xml(&self) -> String {
        let mut xml = format!("<{}", self.name);
        for (name, value) in &self.attrs {
            xml.push_str(&format!(" {name}='{}'", escape(value)));
        }
        if self.inner.is_empty() { xml + "/>" } else { format!("{xml}>{}</{}>", self.inner, self.name) }
    }
}

impl Query {
    fn xml(&self) -> String {
        let attr = |name: &str, value: Option<&str>| {
            value.map(|value| format!(" {name}='{}'", escape(value))).unwrap_or_default()
        };
        let ver = attr("ver", self.ver.as_deref());
        let mut xml = format!("<query xmlns='jabber:iq:roster'{ver}>");
        for item in &self.items {
            let (jid, name) = (attr("jid", item.jid.as_deref()), attr("name", item.name.as_deref()));
            let subscription = attr("subscription", item.subscription);
            xml.push_str(&format!("<item{jid}{name}{subscription}{}>", item.extra));
            for group in &item.groups {
                xml.push_str(&format!("<group>{}</group>", escape(group)));
            }
            xml.push_str("</item>");
        }
        xml + "</query>"
    }
}

/// Text as the value of an attribute or of an element.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\'', "&apos;")
}

/// Where an address leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Malformed,
    Remote,
    /// The server itself, or a resource of it.
    Server {
        full: bool,
    },
    /// An account of the domain, whether or not there is one of that name.
    Account {
        bare: String,
        resource: Option<String>,
    },
}

impl Place {
    /// Reads an address. The generator writes ASCII only, so preparation is lower case.
    pub(crate) fn of(address: &str) -> Self {
        let (bare, resource) = match address.split_once('/') {
            Some((bare, resource)) => (bare.to_lowercase(), Some(resource.to_owned())),
            None => (address.to_lowercase(), None),
        };
        match bare.split_once('@') {
            Some(("", _)) => Self::Malformed,
            None if bare == DOMAIN => Self::Server { full: resource.is_some() },
            Some((_, domain)) if domain == DOMAIN => Self::Account { bare, resource },
            Some(_) | None => Self::Remote,
        }
    }
}

/// An address with its domain and localpart prepared.
pub(crate) fn prepared(address: &str) -> String {
    match address.split_once('/') {
        Some((bare, resource)) => format!("{}/{resource}", bare.to_lowercase()),
        None => address.to_lowercase(),
    }
}

/// The bare part of a full address.
pub(crate) fn bare_of(address: &str) -> &str {
    address.split_once('/').map_or(address, |(bare, _)| bare)
}
