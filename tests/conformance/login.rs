//! From a connection to a bound resource, by the shortest way.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::client::{Client, unique};
use super::element::{Element, NS_STREAM};
use super::target::{Target, User, target};

pub(crate) const NS_SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";
pub(crate) const NS_BIND: &str = "urn:ietf:params:xml:ns:xmpp-bind";

/// A client's stream header for `domain`.
pub(crate) fn header(domain: &str) -> String {
    format!(
        "<?xml version='1.0'?><stream:stream to='{domain}' version='1.0' xml:lang='en' xmlns='jabber:client' \
         xmlns:stream='http://etherx.jabber.org/streams'>"
    )
}

/// `<auth/>` of PLAIN.
pub(crate) fn plain(authzid: &str, name: &str, password: &str) -> String {
    let message = STANDARD.encode(format!("{authzid}\0{name}\0{password}"));
    format!("<auth xmlns='{NS_SASL}' mechanism='PLAIN'>{message}</auth>")
}

/// A request to bind `resource`; without one, the server chooses.
pub(crate) fn bind(id: &str, resource: Option<&str>) -> String {
    let resource = resource.map_or(String::new(), |r| format!("<resource>{r}</resource>"));
    format!("<iq type='set' id='{id}'><bind xmlns='{NS_BIND}'>{resource}</bind></iq>")
}

impl Client {
    /// Opens a stream and returns its features.
    pub(crate) fn open(&mut self) -> Element {
        let domain = self.domain.clone();
        self.send(&header(&domain));
        self.expect_header();
        self.expect_features()
    }

    pub(crate) fn expect_features(&mut self) -> Element {
        let features = self.next();
        self.check(features.is_in("features", NS_STREAM), "the features of a stream");
        features
    }

    /// A stream that has not authenticated.
    pub(crate) fn opened() -> Self {
        let mut client = Self::connect();
        client.open();
        client
    }

    /// A stream that has authenticated and not bound; and its features.
    pub(crate) fn authenticated(user: &User) -> (Self, Element) {
        Self::authenticated_at(target(), user)
    }

    pub(crate) fn authenticated_at(target: &Target, user: &User) -> (Self, Element) {
        let mut client = Self::connect_to(target);
        client.open();
        client.send(&plain("", &user.name, &user.password));
        client.expect_success();
        let features = client.open();
        (client, features)
    }

    /// SASL's success; a new stream follows (RFC 6120 §6.4.6).
    pub(crate) fn expect_success(&mut self) {
        let answer = self.next();
        self.check(answer.is_in("success", NS_SASL), "the login succeeds");
        self.restart();
    }

    /// SASL's failure with this condition; the stream goes on (RFC 6120 §6.4.5).
    pub(crate) fn expect_failure(&mut self, condition: &str) {
        let answer = self.next();
        let is_failure = answer.is_in("failure", NS_SASL) && answer.child(condition, NS_SASL).is_some();
        self.check(is_failure, &format!("the failure {condition}"));
    }

    /// A bound resource without presence.
    pub(crate) fn bound(user: &User, resource: &str) -> Self {
        Self::bound_at(target(), user, resource)
    }

    pub(crate) fn bound_at(target: &Target, user: &User, resource: &str) -> Self {
        let (mut client, _) = Self::authenticated_at(target, user);
        let answer = client.bind(Some(resource));
        client.check(answer.kind() == "result", "the resource is bound");
        client
    }

    /// Binds, and returns the answer. The client is called by the address that it got.
    pub(crate) fn bind(&mut self, resource: Option<&str>) -> Element {
        let id = unique("bind");
        let answer = self.ask(&id, &bind(&id, resource));
        if let Some(bind) = answer.child("bind", NS_BIND) {
            bind.child_text("jid").clone_into(&mut self.jid);
        }
        answer
    }

    /// A resource that is available with priority 0. What came with that is forgotten.
    pub(crate) fn online(user: &User, resource: &str) -> Self {
        Self::online_with(user, resource, "")
    }

    /// A resource that is available with this priority.
    pub(crate) fn online_at(user: &User, resource: &str, priority: i8) -> Self {
        Self::online_with(user, resource, &format!("<priority>{priority}</priority>"))
    }

    fn online_with(user: &User, resource: &str, content: &str) -> Self {
        let mut client = Self::bound(user, resource);
        client.send(&format!("<presence>{content}</presence>"));
        client.forget();
        client
    }

    /// An available resource that has asked for the roster, and so gets pushes (RFC 6121 §2.2).
    pub(crate) fn interested(user: &User, resource: &str) -> Self {
        let mut client = Self::bound(user, resource);
        client.roster();
        client.send("<presence/>");
        client.forget();
        client
    }

    /// Asks for the roster, and returns its query.
    pub(crate) fn roster(&mut self) -> Element {
        let id = unique("roster");
        let answer =
            self.ask(&id, &format!("<iq type='get' id='{id}'><query xmlns='jabber:iq:roster'/></iq>"));
        match answer.child("query", "jabber:iq:roster") {
            Some(query) => query.clone(),
            None => self.fail("a roster"),
        }
    }
}
