//! Messages that waited for a client, and stream management: they are kept until they are acknowledged, and never twice.

use xmpp_bench::limits::{OFFLINE_MESSAGES_PER_ACCOUNT_MAX, SM_BURST_BYTES_MAX, SM_RESUME_MAX};

use super::*;

fn chat(n: usize, padding: usize) -> String {
    let text = "x".repeat(padding);
    format!("<message to='romeo@d' type='chat' id='{n}'><body>{text}</body></message>")
}

fn write(wire: &mut Wire, from: ConnId, ids: std::ops::Range<usize>) {
    ids.for_each(|n| wire.send(from, &chat(n, 10)));
    let answers = wire.take(from);
    assert!(!answers.contains("<message"), "none is refused: {answers}");
}

/// Enables stream management before it becomes available, as clients do. Returns what it was sent, too.
fn come(wire: &mut Wire) -> (ConnId, String, String) {
    let conn = wire.authenticate("romeo", "pw");
    wire.take(conn);
    wire.ask(conn, "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
    let enabled = wire.ask(conn, "<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
    let id = attr(&enabled, "enabled", "id").unwrap().to_owned();
    let written = wire.ask(conn, "<presence/>");
    (conn, id, written)
}

/// Its own presence and its contact's come first.
const PRESENCES: u32 = 2;

/// The window ends; who writes goes on living.
fn expire(wire: &mut Wire, writer: ConnId) {
    for _ in 0..20 {
        wire.pass(SM_RESUME_MAX / 20);
        wire.send(writer, " ");
    }
    wire.take(writer);
}

#[test]
fn what_is_not_acknowledged_is_given_again() {
    let mut wire = Wire::new();
    let juliet = wire.log_in("juliet", "j");
    write(&mut wire, juliet, 0..5);
    let (romeo, _, written) = come(&mut wire);
    assert_eq!(ids(&written), [0, 1, 2, 3, 4]);
    wire.send(romeo, &a(PRESENCES + 2));
    write(&mut wire, juliet, 5..7);
    reset(&mut wire, romeo);
    expire(&mut wire, juliet);
    write(&mut wire, juliet, 7..8);
    let (romeo, _, written) = come(&mut wire);
    assert_eq!(
        ids(&written),
        [2, 3, 4, 5, 6, 7],
        "what waited, what was not acknowledged, and what came later"
    );
    wire.send(romeo, &format!("{}</stream:stream>", a(PRESENCES + 6)));
    let (_, _, written) = come(&mut wire);
    assert_eq!(ids(&written), [] as [usize; 0]);
}

#[test]
fn a_resumed_stream_goes_on_with_what_waited() {
    let mut wire = Wire::new();
    let juliet = wire.log_in("juliet", "j");
    write(&mut wire, juliet, 0..5);
    let (romeo, id, _) = come(&mut wire);
    write(&mut wire, juliet, 5..7);
    reset(&mut wire, romeo);
    let (romeo, answer) = resume(&mut wire, "romeo", &id, PRESENCES + 2);
    assert_eq!(ids(&answer), [2, 3, 4, 5, 6]);
    reset(&mut wire, romeo);
    let (romeo, answer) = resume(&mut wire, "romeo", &id, PRESENCES + 7);
    assert_eq!(ids(&answer), [] as [usize; 0]);
    reset(&mut wire, romeo);
    expire(&mut wire, juliet);
    let (_, _, written) = come(&mut wire);
    assert_eq!(ids(&written), [] as [usize; 0]);
}

/// One that hibernates is available: it gets what another one did not take.
#[test]
fn a_hibernating_session_may_be_given_what_waited() {
    let mut wire = Wire::new();
    let juliet = wire.log_in("juliet", "j");
    write(&mut wire, juliet, 0..3);
    let (first, _, _) = come(&mut wire);
    let (second, id, written) = come(&mut wire);
    assert_eq!(ids(&written), [] as [usize; 0]);
    reset(&mut wire, second);
    wire.send(first, "</stream:stream>");
    let (second, answer) = resume(&mut wire, "romeo", &id, 0);
    assert_eq!(ids(&answer), [0, 1, 2]);
    wire.send(second, "</stream:stream>");
    let (_, _, written) = come(&mut wire);
    assert_eq!(ids(&written), [0, 1, 2], "nobody has acknowledged them");
}

/// They are in memory anyway, so they are in no limit of the session's.
#[test]
fn as_much_may_have_waited_as_is_kept() {
    let mut wire = Wire::new();
    let juliet = wire.log_in("juliet", "j");
    let padding = SM_BURST_BYTES_MAX / OFFLINE_MESSAGES_PER_ACCOUNT_MAX + 100;
    for n in 0..OFFLINE_MESSAGES_PER_ACCOUNT_MAX {
        wire.send(juliet, &chat(n, padding));
    }
    let (romeo, id, written) = come(&mut wire);
    let all: Vec<usize> = (0..OFFLINE_MESSAGES_PER_ACCOUNT_MAX).collect();
    assert!(ids(&written) == all);
    write(&mut wire, juliet, 0..10);
    reset(&mut wire, romeo);
    let (_, answer) = resume(&mut wire, "romeo", &id, PRESENCES);
    assert!(ids(&answer)[..all.len()] == all);
}

/// Sent before stream management began, and not written: nobody would acknowledge them.
#[test]
fn what_was_given_before_and_not_written_is_given_again() {
    let mut wire = Wire::new();
    let juliet = wire.log_in("juliet", "j");
    write(&mut wire, juliet, 0..3);
    let conn = wire.authenticate("romeo", "pw");
    wire.take(conn);
    let bind = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>";
    let text = format!("{bind}<presence/><enable xmlns='urn:xmpp:sm:3' resume='true'/>");
    wire.hub.handle_read(conn, &mut text.as_str().into(), wire.now, wire.now);
    wire.hub.handle_error(conn, std::io::ErrorKind::ConnectionReset, wire.now);
    wire.serve();
    let (_, _, written) = come(&mut wire);
    assert_eq!(ids(&written), [0, 1, 2]);
}

/// Twenty rounds of five hundred: some arrive and are acknowledged, some arrive only, the rest wait.
#[test]
fn ten_thousand_messages_to_a_client_that_comes_back_after_its_session_died() {
    let mut wire = Wire::new();
    let juliet = wire.log_in("juliet", "j");
    let mut got = Vec::new();
    let (mut romeo, _, _) = come(&mut wire);
    let mut handled = PRESENCES;
    for round in 0..20 {
        let (from, seen, cut) = (round * 500, round * 500 + 7 * round, round * 500 + 200);
        write(&mut wire, juliet, from..seen);
        let arrived = ids(&wire.take(romeo));
        handled += u32::try_from(arrived.len()).unwrap();
        got.extend(arrived);
        wire.send(romeo, &a(handled));
        write(&mut wire, juliet, seen..cut);
        reset(&mut wire, romeo);
        write(&mut wire, juliet, cut..cut + 100);
        expire(&mut wire, juliet);
        write(&mut wire, juliet, cut + 100..from + 500);
        let (conn, _, written) = come(&mut wire);
        let arrived = ids(&written);
        handled = PRESENCES + u32::try_from(arrived.len()).unwrap();
        got.extend(arrived);
        romeo = conn;
        wire.send(romeo, &a(handled));
        wire.take(juliet);
    }
    assert!(got.into_iter().eq(0..10_000), "in order, none lost, none twice");
}
