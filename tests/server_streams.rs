//! The server as a client's stream sees it: bytes in, bytes out, and a clock, through the engine's hub.

#[path = "support/wire.rs"]
mod wire;

use std::io::ErrorKind;
use std::time::Duration;

use base64::Engine;
use bytes::BytesMut;
use wire::{HEADER, Wire};
use xmpp_bench::engine::{ConnId, Ticket, do_here};
use xmpp_bench::limits::{
    FRAMER_AFTER_AUTH, FRAMER_BEFORE_AUTH, FramerLimits, IDLE_MAX, NEGOTIATION_MAX, PING_ANSWER_MAX,
};

/// XEP-0478 §3.1.
fn limits(framer: &FramerLimits, idle: Duration) -> String {
    format!(
        "<limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>{}</max-bytes><idle-seconds>{}</idle-seconds></limits>",
        framer.stanza_bytes_max,
        idle.as_secs()
    )
}

#[test]
fn limits_are_told_before_and_after_authentication() {
    let mut wire = Wire::new();
    let conn = wire.accept();
    let features = wire.ask(conn, HEADER);
    assert!(features.contains(&limits(&FRAMER_BEFORE_AUTH, NEGOTIATION_MAX)), "{features}");
    let plain = base64::engine::general_purpose::STANDARD.encode("\0romeo\0pw");
    let auth = format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{plain}</auth>");
    let features = wire.ask(conn, &format!("{auth}{HEADER}"));
    assert!(features.contains(&limits(&FRAMER_AFTER_AUTH, IDLE_MAX)), "{features}");
}

fn ends_with(written: &str, condition: &str) -> bool {
    written.contains(&format!("<{condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'"))
        && written.ends_with("</stream:stream>")
        && written.matches("<stream:error>").count() == 1
}

#[test]
fn messages_between_two_streams() {
    let mut wire = Wire::new();
    let (romeo, juliet) = (wire.log_in("romeo", "r"), wire.log_in("juliet", "j"));
    wire.send(romeo, "<message to='juliet@d/j' id='1'><body>hi</body></message>");
    let expected = "<message from='romeo@d/r' xml:lang='de' to='juliet@d/j' id='1'><body>hi</body></message>";
    assert_eq!(wire.take(juliet), expected, "with the language of the sender's stream (RFC 6120 §8.1.5)");
    wire.send(romeo, "<message to='juliet@d/j' xml:lang='en'><body>hi</body><x:y/></message>");
    let received = wire.take(juliet);
    assert!(received.contains(" xml:lang='en'") && !received.contains("'de'"), "{received}");
    assert!(received.contains(" xmlns:x='urn:x'"), "a prefix of the sender's header is declared: {received}");
    assert_eq!(wire.take(romeo), "");
}

#[test]
fn a_wrong_password_and_an_unknown_user_look_the_same() {
    let mut wire = Wire::new();
    let a = wire.authenticate("romeo", "wrong");
    let b = wire.authenticate("nobody", "pw");
    let (a, b) = (wire.take(a), wire.take(b));
    assert!(a.contains("<failure") && a.contains("<not-authorized/>"), "{a}");
    assert_eq!(a, b);
}

/// RFC 6120 §10.1: what comes behind a stanza that waits for work elsewhere waits with it; others do not.
#[test]
fn a_password_is_salted_elsewhere_and_only_its_stream_waits() {
    let mut wire = Wire::new();
    let other = wire.log_in("romeo", "r");
    for (password, is_right) in [("pw", true), ("wrong", false)] {
        let nurse = wire.accept();
        wire.ask(nurse, HEADER);
        let plain = base64::engine::general_purpose::STANDARD.encode(format!("\0nurse\0{password}"));
        let auth = format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{plain}</auth>");
        let bind = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>";
        let rest = if is_right { format!("{HEADER}{bind}") } else { String::new() };
        assert_eq!(wire.ask(nurse, &format!("{auth}{rest}")), "", "nothing is said before it is known");
        assert!(wire.hub.is_held(nurse));
        let pong = wire.ask(other, "<iq type='get' id='1' to='d'><ping xmlns='urn:xmpp:ping'/></iq>");
        assert!(pong.contains("type='result'"), "{pong}");
        let (ticket, work) = wire.hub.next_job().expect("the password is to be salted");
        assert_eq!(ticket, Ticket::Connection(nurse));
        wire.hub.handle_answer(ticket, do_here(work), wire.now);
        assert_eq!(wire.hub.next_resumed(), Some(nurse));
        while wire.hub.handle_read(nurse, &mut BytesMut::new(), wire.now, wire.now) {}
        wire.serve();
        let written = wire.take(nurse);
        assert_eq!(written.contains("<success") && written.contains("<jid>nurse@d/"), is_right, "{written}");
        assert_eq!(written.contains("<not-authorized/>"), !is_right, "{written}");
    }
}

/// A stream that ends while it waits is not waited for.
#[test]
fn work_for_a_stream_that_has_ended_is_dropped() {
    let mut wire = Wire::new();
    let nurse = wire.accept();
    wire.ask(nurse, HEADER);
    let plain = base64::engine::general_purpose::STANDARD.encode("\0nurse\0pw");
    wire.send(
        nurse,
        &format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{plain}</auth>"),
    );
    let (ticket, work) = wire.hub.next_job().expect("the password is to be salted");
    wire.hub.handle_error(nurse, ErrorKind::ConnectionReset, wire.now);
    wire.serve();
    wire.hub.handle_answer(ticket, do_here(work), wire.now);
    assert!(wire.hub.next_resumed().is_none());
    assert!(wire.hub.is_empty());
}

#[test]
fn one_stream_binds_one_resource() {
    let mut wire = Wire::new();
    let romeo = wire.log_in("romeo", "r");
    let bind = "<iq type='set' id='2'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>";
    assert!(wire.ask(romeo, bind).contains("<not-allowed "));
    let session = "<iq type='set' id='3'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>";
    assert!(wire.ask(romeo, session).contains("type='result'"));
    assert_eq!(wire.hub.world().session_count(), 1);
}

#[test]
fn the_same_full_jid_moves_to_the_newer_stream() {
    let mut wire = Wire::new();
    let juliet = wire.log_in("juliet", "j");
    let old = wire.log_in("romeo", "r");
    let new = wire.authenticate("romeo", "pw");
    let bind = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>r</resource></bind></iq>";
    assert!(wire.ask(new, bind).contains("<jid>romeo@d/r</jid>"));
    let written = wire.take(old);
    assert!(ends_with(&written, "conflict"), "{written}");
    assert!(wire.shut.contains(&old));
    assert_eq!(wire.take(juliet).matches("type='unavailable'").count(), 1);
    wire.send(juliet, "<message to='romeo@d/r'/>");
    assert!(wire.take(new).starts_with("<message"));
    assert_eq!(wire.take(old), "");
}

/// Conflict has its own test above, and stopping one below.
#[test]
fn unavailable_follows_every_kind_of_end() {
    type End = (&'static str, fn(&mut Wire, ConnId, ConnId));
    let ends: [End; 7] = [
        ("close tag", |wire, romeo, _| wire.send(romeo, "</stream:stream>")),
        ("end of file", |wire, romeo, _| wire.hub.handle_eof(romeo, wire.now)),
        ("reset", |wire, romeo, _| wire.hub.handle_error(romeo, ErrorKind::ConnectionReset, wire.now)),
        ("bad XML", |wire, romeo, _| wire.send(romeo, "<a></b>")),
        ("no stanza", |wire, romeo, _| wire.send(romeo, "<a/>")),
        ("foreign from", |wire, romeo, _| wire.send(romeo, "<message from='juliet@d'/>")),
        ("no answer", |wire, _, juliet| {
            wire.pass(IDLE_MAX);
            wire.send(juliet, "<iq type='result' id='ping' to='d'/>");
            wire.written.clear();
            wire.pass(PING_ANSWER_MAX);
        }),
    ];
    for (name, end) in ends {
        let mut wire = Wire::new();
        let (juliet, romeo) = (wire.log_in("juliet", "j"), wire.log_in("romeo", "r"));
        // One who is subscribed and was sent directed presence is told once.
        wire.send(romeo, "<presence to='juliet@d/j'/>");
        wire.written.clear();
        end(&mut wire, romeo, juliet);
        wire.serve();
        let expected = "<presence from='romeo@d/r' to='juliet@d' type='unavailable'/>";
        assert_eq!(wire.take(juliet), expected, "{name}");
        assert_eq!(wire.hub.world().session_count(), 1, "{name}");
    }
}

#[test]
fn stream_errors_say_what_was_wrong() {
    for (text, condition) in [
        ("<a xmlns='u'/>", "unsupported-stanza-type"),
        ("<c:message xmlns:c='jabber:client'/>", "bad-namespace-prefix"),
        ("<message xmlns='jabber:server'/>", "invalid-namespace"),
        ("<message from='juliet@d'/>", "invalid-from"),
        ("<!-- x -->", "restricted-xml"),
        ("<message></presence>", "not-well-formed"),
        ("text", "bad-format"),
    ] {
        let mut wire = Wire::new();
        let romeo = wire.log_in("romeo", "r");
        let written = wire.ask(romeo, text);
        assert!(ends_with(&written, condition), "{text}: {written}");
        assert!(wire.shut.contains(&romeo));
        assert_eq!(wire.hub.world().session_count(), 0);
    }
}

/// RFC 6120 §4.9.1.1: who receives a stream error closes the stream too; an error is not answered with an error.
#[test]
fn a_stream_error_is_answered_with_a_close_tag() {
    let error = "<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>";
    let mut wire = Wire::new();
    let streams = [wire.accept(), wire.authenticate("juliet", "pw"), wire.log_in("romeo", "r")];
    wire.send(streams[0], HEADER);
    for conn in streams {
        wire.take(conn);
        assert_eq!(wire.ask(conn, &format!("{error}</stream:stream>")), "</stream:stream>");
        assert!(wire.shut.contains(&conn));
    }
    assert_eq!(wire.hub.world().session_count(), 0);
}

#[test]
fn stanzas_before_binding_are_not_authorized() {
    let mut wire = Wire::new();
    let conn = wire.authenticate("romeo", "pw");
    let ping = "<iq type='get' id='1' to='d'><ping xmlns='urn:xmpp:ping'/></iq>";
    assert!(wire.ask(conn, ping).contains("type='result'"));
    let written = wire.ask(conn, "<message to='juliet@d'/>");
    assert!(ends_with(&written, "not-authorized"), "{written}");
}

#[test]
fn negotiation_is_timed() {
    let mut wire = Wire::new();
    let silent = wire.accept();
    let slow = wire.authenticate("romeo", "pw");
    let done = wire.log_in("juliet", "j");
    wire.pass(NEGOTIATION_MAX);
    let written = wire.take(silent);
    assert!(written.starts_with("<?xml") || written.starts_with("<stream:stream"), "{written}");
    assert!(ends_with(&written, "connection-timeout"), "{written}");
    let written = wire.take(slow);
    assert!(ends_with(&written, "connection-timeout"), "{written}");
    assert_eq!(wire.take(done), "");
    assert_eq!(wire.hub.world().session_count(), 1);
}

#[test]
fn an_idle_client_is_pinged_and_must_answer() {
    let mut wire = Wire::new();
    let romeo = wire.log_in("romeo", "r");
    wire.pass(IDLE_MAX - Duration::from_secs(1));
    assert_eq!(wire.take(romeo), "");
    wire.pass(Duration::from_secs(1));
    let ping = wire.take(romeo);
    assert_eq!(ping, "<iq from='d' to='romeo@d/r' id='ping' type='get'><ping xmlns='urn:xmpp:ping'/></iq>");
    wire.pass(PING_ANSWER_MAX / 2);
    assert_eq!(wire.ask(romeo, "<iq type='error' id='ping' to='d'/>"), "", "any answer will do");
    wire.pass(PING_ANSWER_MAX);
    assert_eq!(wire.take(romeo), "");
    wire.pass(IDLE_MAX);
    assert!(wire.take(romeo).contains("urn:xmpp:ping"));
    assert_eq!(wire.ask(romeo, " "), "", "white space is a sign of life (RFC 6120 §4.6.1)");
    wire.pass(PING_ANSWER_MAX);
    assert_eq!(wire.take(romeo), "");
    wire.pass(IDLE_MAX);
    assert!(wire.take(romeo).contains("urn:xmpp:ping"));
    wire.pass(PING_ANSWER_MAX);
    let written = wire.take(romeo);
    assert!(ends_with(&written, "connection-timeout"), "{written}");
}

#[test]
fn a_close_tag_is_answered() {
    let mut wire = Wire::new();
    let romeo = wire.log_in("romeo", "r");
    let ping = "<iq type='get' id='1' to='d'><ping xmlns='urn:xmpp:ping'/></iq>";
    let written = wire.ask(romeo, &format!("{ping}</stream:stream>"));
    assert!(written.contains("type='result'") && written.ends_with("</stream:stream>"), "{written}");
    assert!(!written.contains("error"), "{written}");
}

#[test]
fn stopping_tells_every_stream() {
    let mut wire = Wire::new();
    let (romeo, early) = (wire.log_in("romeo", "r"), wire.accept());
    assert!(!wire.hub.is_done());
    wire.hub.handle_stop(wire.now);
    wire.serve();
    for conn in [romeo, early] {
        let written = wire.take(conn);
        assert!(ends_with(&written, "system-shutdown"), "{written}");
        wire.hub.handle_eof(conn, wire.now);
        wire.serve();
    }
    wire.hub.handle_emptiness(wire.now);
    assert!(wire.hub.is_done());
    assert_eq!(wire.hub.world().session_count(), 0);
    assert!(wire.hub.handle_accepted(wire.now).is_none());
}

#[test]
fn anonymous_accounts_end_with_their_connection() {
    let mut wire = Wire::new();
    for bind in [true, false] {
        let conn = wire.accept();
        wire.send(conn, HEADER);
        wire.send(conn, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'/>");
        wire.send(conn, HEADER);
        if bind {
            let bound = wire.ask(
                conn,
                "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq><presence/>",
            );
            assert!(bound.contains("<jid>"), "{bound}");
        }
        assert_eq!(wire.hub.world().account_count(), 4);
        // A fault of the stream spends the negotiation; the account must go all the same.
        wire.send(conn, "<a/>");
        assert_eq!(wire.hub.world().account_count(), 3, "bound: {bind}");
    }
}

/// Everything is a function of the input, the clock and the seed.
#[test]
fn the_same_seed_writes_the_same_bytes() {
    let run = || {
        let mut wire = Wire::new();
        let mut all = String::new();
        for round in 0..3 {
            let conn = wire.authenticate("romeo", "pw");
            all += &wire
                .ask(conn, "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
            all += &wire.ask(conn, "<presence/><iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
            all += &wire.ask(conn, &format!("<presence type='subscribe' to='u{round}@d'/>"));
        }
        all
    };
    assert_eq!(run(), run());
}

/// Who reads what it is written is not too slow, however much it asks for at once; nor when it is to acknowledge it.
#[test]
fn pipelined_requests_with_large_answers_are_all_answered() {
    for is_managed in [false, true] {
        let mut wire = Wire::new();
        let romeo = wire.log_in("romeo", "r");
        let card = format!("<vCard xmlns='vcard-temp'><DESC>{}</DESC></vCard>", "x".repeat(110_000));
        wire.send(romeo, &format!("<iq type='set' id='s'>{card}</iq>"));
        assert!(wire.take(romeo).contains("type='result'"));
        if is_managed {
            assert!(wire.ask(romeo, "<enable xmlns='urn:xmpp:sm:3'/>").contains("<enabled "));
        }
        let count = 60;
        let get = |n| format!("<iq type='get' id='{n}'><vCard xmlns='vcard-temp'/></iq>");
        wire.send(romeo, &(0..count).map(get).collect::<String>());
        for _ in 0..count {
            while let Some(conn) = wire.hub.next_resumed() {
                while wire.hub.handle_read(conn, &mut BytesMut::new(), wire.now, wire.now) {}
            }
            wire.serve();
        }
        let written = wire.take(romeo);
        assert_eq!(written.matches(&card).count(), count, "{is_managed}");
        assert!(!written.contains("<stream:error>"));
    }
}
