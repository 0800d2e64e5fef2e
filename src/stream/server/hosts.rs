//! The domains of one server, each with its settings: virtual hosts.
//!
//! Which one a stream is for is said by its first header and stays so (RFC 6120 §4.7.2). Nothing is shared between streams
//! but what the settings say.

use std::sync::Arc;

use super::ServerSettings;
use crate::stanza::JidRef;
use crate::xml::Open;

/// Settings for each domain; the first is meant where nobody says one.
#[derive(Debug, Clone)]
pub struct Hosts(Arc<[Arc<ServerSettings>]>);

impl From<Arc<ServerSettings>> for Hosts {
    fn from(only: Arc<ServerSettings>) -> Self {
        Self(Arc::new([only]))
    }
}

impl Hosts {
    /// The same settings for each of these domains (prepared), of which none is twice.
    ///
    /// # Panics
    /// Without a domain.
    #[must_use]
    pub fn new(domains: &[String], settings: &ServerSettings) -> Self {
        assert!(!domains.is_empty(), "a server has a domain");
        let of = |domain: &String| Arc::new(ServerSettings { domain: domain.clone(), ..settings.clone() });
        Self(domains.iter().map(of).collect())
    }

    /// The first one's.
    #[must_use]
    pub fn main(&self) -> &Arc<ServerSettings> {
        &self.0[0]
    }

    /// Those of this domain (prepared).
    #[must_use]
    pub fn find(&self, domain: &str) -> Option<&Arc<ServerSettings>> {
        self.0.iter().find(|settings| settings.domain == domain)
    }

    /// All domains, in order.
    pub fn domains(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|settings| settings.domain.as_str())
    }

    /// Those that a client's header asks for. One that is for somebody else is judged by the first, which refuses it.
    pub(super) fn asked_for(&self, open: &Open) -> &Arc<ServerSettings> {
        let to = open.tag().attrs().find(|attr| attr.name == "to").map(|attr| JidRef::parse_attr(attr.raw));
        to.and_then(|to| self.find(to.ok()?.jid().as_str())).unwrap_or_else(|| self.main())
    }
}
