//! What becomes of stanzas that were not acknowledged when a session ends (XEP-0198 §4), and of its presence.

use super::*;

/// Romeo is there with two resources; the one that is about to end was sent a message to its full address, one to the bare
/// one, a request and presence, and has acknowledged its own presence only.
fn scene() -> (Wire, ConnId, ConnId, ConnId, String) {
    let mut wire = Wire::new();
    let juliet = wire.log_in("juliet", "j");
    let other = wire.log_in("romeo", "other");
    let (romeo, id) = log_in(&mut wire, "romeo", "r");
    wire.send(romeo, "<presence><priority>5</priority></presence>");
    wire.send(romeo, &a(1));
    let chat = |to: &str, n| format!("<message to='{to}' id='{n}' type='chat'><body>hi</body></message>");
    wire.send(juliet, &format!("{}{}", chat("romeo@d/r", 1), chat("romeo@d", 2)));
    wire.send(juliet, "<iq to='romeo@d/r' id='3' type='get'><x xmlns='urn:x'/></iq>");
    wire.send(juliet, "<presence><show>away</show></presence>");
    let written = wire.take(romeo);
    assert_eq!((ids(&written), written.contains("<iq ")), (vec![1, 2], true), "{written}");
    wire.written.clear();
    (wire, juliet, other, romeo, id)
}

/// Chat messages go to the other resource (RFC 6121 §8.5.3.2.1), the request is refused, presence is forgotten.
fn check_rerouted(wire: &mut Wire, juliet: ConnId, other: ConnId, name: &str) {
    let written = wire.take(juliet);
    assert_eq!(written.matches("type='unavailable'").count(), 1, "{name}: {written}");
    assert_eq!(written.matches("<service-unavailable ").count(), 1, "{name}: {written}");
    assert!(written.contains("<iq ") && ids(&written).is_empty(), "{name}: {written}");
    let written = wire.take(other);
    assert_eq!(ids(&written), [1, 2], "{name}: {written}");
    assert!(!written.contains("<show>away"), "{name}: {written}");
    let delay = "<delay xmlns='urn:xmpp:delay' from='d' stamp='1970-01-01T00:00:01Z'/></message>";
    assert_eq!(written.matches(delay).count(), 2, "{name}: they say when they failed to arrive: {written}");
}

#[test]
fn unacknowledged_stanzas_are_routed_again_on_every_end() {
    type End = (&'static str, fn(&mut Wire, ConnId));
    let ends: [End; 4] = [
        ("close tag", |wire, romeo| wire.send(romeo, "</stream:stream>")),
        ("stream error", |wire, romeo| wire.send(romeo, "<a></b>")),
        ("too high a count", |wire, romeo| wire.send(romeo, &a(99))),
        ("the window's end", |wire, romeo| {
            reset(wire, romeo);
            assert!(wire.written.is_empty(), "nobody is told yet");
            // In steps: the others answer their pings.
            for _ in 0..3 {
                wire.pass(xmpp_bench::limits::SM_RESUME_MAX / 3);
            }
        }),
    ];
    for (name, end) in ends {
        let (mut wire, juliet, other, romeo, id) = scene();
        end(&mut wire, romeo);
        check_rerouted(&mut wire, juliet, other, name);
        let (_, answer) = resume(&mut wire, "romeo", &id, 1);
        assert!(answer.contains("<item-not-found "), "{name}: {answer}");
    }
}

#[test]
fn who_acknowledges_before_the_end_gets_nothing_twice() {
    let (mut wire, juliet, other, romeo, _) = scene();
    // Presence twice (its own and Juliet's), two messages and a request.
    wire.send(romeo, &format!("{}</stream:stream>", a(5)));
    assert_eq!(ids(&wire.take(other)), [] as [usize; 0]);
    assert!(!wire.take(juliet).contains("<service-unavailable "));
}

/// What was for the full JID is for whoever has it now.
#[test]
fn a_resource_that_is_bound_anew_gets_what_the_old_one_did_not_acknowledge() {
    for hibernates in [false, true] {
        let (mut wire, juliet, other, romeo, id) = scene();
        if hibernates {
            reset(&mut wire, romeo);
        }
        let new = wire.authenticate("romeo", "pw");
        wire.take(new);
        let bind = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>r</resource></bind></iq>";
        let written = wire.ask(new, bind);
        assert!(written.starts_with("<iq id='b'"), "{written}");
        assert_eq!(ids(&written), [1], "{written}");
        assert_eq!(ids(&wire.take(other)), [2]);
        assert_eq!(wire.take(juliet).matches("type='unavailable'").count(), 1);
        assert!(hibernates || ends_with(&wire.take(romeo), "conflict"));
        let (_, answer) = resume(&mut wire, "romeo", &id, 1);
        assert!(answer.contains("<item-not-found "), "{answer}");
    }
}

/// XEP-0203 §2: one and only one `<delay/>`, with the time when it was first sent.
#[test]
fn what_comes_late_again_and_again_says_once_since_when() {
    let mut wire = Wire::new();
    let juliet = wire.log_in("juliet", "j");
    let (first, _) = log_in(&mut wire, "romeo", "a");
    wire.send(first, "<presence><priority>9</priority></presence>");
    let (second, _) = log_in(&mut wire, "romeo", "b");
    wire.send(second, "<presence><priority>5</priority></presence>");
    wire.send(juliet, &message("romeo@d", 1));
    let ends = |wire: &mut Wire, conn| {
        assert_eq!(ids(&wire.take(conn)), [1]);
        wire.pass(std::time::Duration::from_secs(10));
        wire.written.clear();
        wire.send(conn, "</stream:stream>");
    };
    ends(&mut wire, first);
    let late = wire.written[&second].clone();
    ends(&mut wire, second);
    // Nobody is there, and it waits.
    let third = wire.authenticate("romeo", "pw");
    let bind = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>";
    wire.ask(third, bind);
    let later = wire.ask(third, "<presence/>");
    for written in [&late, &later] {
        assert_eq!((ids(written), written.matches("<delay ").count()), (vec![1], 1), "{written}");
    }
    assert_eq!(attr(&late, "delay", "stamp"), attr(&later, "delay", "stamp"));
}

/// RFC 6120 §4.9.3.20, and before the server stops nobody waits any more.
#[test]
fn hibernating_sessions_end_with_the_server() {
    let (mut wire, juliet, other, romeo, _) = scene();
    reset(&mut wire, romeo);
    wire.hub.handle_stop(wire.now);
    wire.serve();
    let written = wire.take(juliet);
    assert!(written.contains("<presence from='romeo@d/r' to='juliet@d' type='unavailable'/>"), "{written}");
    assert!(ends_with(&written, "system-shutdown"), "{written}");
    assert_eq!(ids(&wire.take(other)), [1, 2]);
    assert_eq!(wire.hub.world().session_count(), 0);
    for conn in [juliet, other] {
        wire.hub.handle_eof(conn, wire.now);
        wire.serve();
    }
    wire.hub.handle_emptiness(wire.now);
    assert!(wire.hub.is_done());
}
