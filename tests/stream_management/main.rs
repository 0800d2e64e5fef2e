//! XEP-0198 as clients' streams see it: through the engine's hub with a clock that the tests turn, and over real sockets.

#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "../support/wire.rs"]
mod wire;

mod acks;
mod ends;
mod offline;
mod resume;
mod safe;
mod sockets;

use wire::{HEADER, Wire};
use xmpp_bench::engine::ConnId;

const ENABLED: &str = "<enabled xmlns='urn:xmpp:sm:3'";
const R: &str = "<r xmlns='urn:xmpp:sm:3'/>";

fn a(h: u32) -> String {
    format!("<a xmlns='urn:xmpp:sm:3' h='{h}'/>")
}

fn failed(condition: &str) -> String {
    format!(
        "<failed xmlns='urn:xmpp:sm:3'><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>"
    )
}

/// A message to a full address; `n` is its id.
fn message(to: &str, n: usize) -> String {
    format!("<message to='{to}' id='{n}'><body>hi</body></message>")
}

/// Ids of the messages in what was written, in order.
fn ids(written: &str) -> Vec<usize> {
    let messages = written.split("<message ").skip(1);
    messages
        .map(|message| {
            let id = message.split(" id='").nth(1).unwrap();
            id.split('\'').next().unwrap().parse().unwrap()
        })
        .collect()
}

fn attr<'a>(written: &'a str, element: &str, name: &str) -> Option<&'a str> {
    let tag = written.split(&format!("<{element} ")).nth(1)?.split('>').next()?;
    tag.split(&format!("{name}='")).nth(1)?.split('\'').next()
}

/// Logs in with stream management. Returns the connection and the id of its stream.
fn log_in(wire: &mut Wire, user: &str, resource: &str) -> (ConnId, String) {
    let conn = wire.log_in(user, resource);
    let enabled = wire.ask(conn, "<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
    assert!(enabled.starts_with(ENABLED), "{enabled}");
    (conn, attr(&enabled, "enabled", "id").unwrap().to_owned())
}

/// Authenticates and asks for a former stream.
fn resume(wire: &mut Wire, user: &str, id: &str, h: u32) -> (ConnId, String) {
    let conn = wire.authenticate(user, "pw");
    wire.take(conn);
    let answer = wire.ask(conn, &format!("<resume xmlns='urn:xmpp:sm:3' h='{h}' previd='{id}'/>"));
    (conn, answer)
}

fn resumed(id: &str, h: u32) -> String {
    format!("<resumed xmlns='urn:xmpp:sm:3' h='{h}' previd='{id}'/>")
}

/// The connection is reset, as the server learns it.
fn reset(wire: &mut Wire, conn: ConnId) {
    wire.hub.handle_error(conn, std::io::ErrorKind::ConnectionReset, wire.now);
    wire.serve();
}

fn ends_with(written: &str, condition: &str) -> bool {
    written.contains(&format!("<{condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'"))
        && written.ends_with("</stream:stream>")
        && written.matches("<stream:error>").count() == 1
}

#[test]
fn the_feature_is_offered_to_who_has_authenticated() {
    let mut wire = Wire::new();
    let conn = wire.accept();
    assert!(!wire.ask(conn, HEADER).contains("urn:xmpp:sm:3"));
    let plain = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AHJvbWVvAHB3</auth>";
    assert!(wire.ask(conn, plain).contains("<success"));
    assert!(wire.ask(conn, HEADER).contains("<sm xmlns='urn:xmpp:sm:3'/>"));
}
