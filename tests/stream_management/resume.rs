//! Resumption (XEP-0198 §5): nothing is lost, nothing comes twice, and nobody sees it.

use std::time::Duration;

use xmpp_bench::limits::{RESOURCES_PER_ACCOUNT_MAX, SM_QUEUE_STANZAS_MAX, SM_RESUME_MAX};

use super::*;

/// Whichever way the connection ends without a close tag.
#[test]
fn a_session_outlives_its_connection() {
    type End = (&'static str, fn(&mut Wire, ConnId));
    let ends: [End; 2] = [
        ("reset", |wire, conn| reset(wire, conn)),
        ("end of file", |wire, conn| {
            wire.hub.handle_eof(conn, wire.now);
            wire.serve();
        }),
    ];
    for (name, end) in ends {
        let mut wire = Wire::new();
        let juliet = wire.log_in("juliet", "j");
        let (romeo, id) = log_in(&mut wire, "romeo", "r");
        wire.ask(juliet, &(0..4).map(|n| message("romeo@d/r", n)).collect::<String>());
        wire.ask(romeo, &format!("{}<presence><show>away</show></presence>", message("juliet@d", 1)));
        let written = wire.take(juliet);
        assert_eq!((ids(&written), written.matches("<presence").count()), (vec![1], 1));
        end(&mut wire, romeo);
        wire.send(juliet, "<presence><show>dnd</show></presence>");
        wire.send(juliet, &(4..6).map(|n| message("romeo@d", n)).collect::<String>());
        assert_eq!(wire.take(juliet).matches("romeo@d").count(), 0, "{name}: nobody sees it go");
        assert_eq!(wire.hub.world().counters().hibernated, 1);

        // It has handled its own presence and the first two messages.
        let (romeo, answer) = resume(&mut wire, "romeo", &id, 2);
        let rest = answer.strip_prefix(&resumed(&id, 2)).unwrap_or_else(|| panic!("{name}: {answer}"));
        assert_eq!(ids(rest), [2, 3, 4, 5], "{name}: {rest}");
        let presence = rest.find("<show>dnd</show>").unwrap();
        assert!(
            rest.find(" id='3'").unwrap() < presence && presence < rest.find(" id='4'").unwrap(),
            "{rest}"
        );
        assert!(rest.ends_with(R), "{rest}");
        assert_eq!(wire.take(juliet), "", "nor come back");
        wire.send(juliet, &message("romeo@d/r", 6));
        assert_eq!(ids(&wire.take(romeo)), [6]);
        wire.ask(romeo, &message("juliet@d/j", 9));
        assert!(wire.take(juliet).contains("from='romeo@d/r'"));
        assert_eq!(wire.ask(romeo, R), a(3), "counts go on");
    }
}

#[test]
fn a_stream_is_resumed_again_and_again() {
    let mut wire = Wire::new();
    let juliet = wire.log_in("juliet", "j");
    let (mut romeo, id) = log_in(&mut wire, "romeo", "r");
    wire.take(romeo);
    for n in 0..20_u32 {
        wire.send(juliet, &message("romeo@d/r", n as usize));
        reset(&mut wire, romeo);
        let (conn, answer) = resume(&mut wire, "romeo", &id, n);
        assert_eq!(ids(&answer), [n as usize]);
        romeo = conn;
    }
    assert_eq!(wire.hub.world().counters().resumed, 20);
    assert_eq!((wire.hub.world().session_count(), wire.hub.len()), (2, 2));
}

/// §5: the old stream gets a `conflict`, and nothing of it is lost.
#[test]
fn a_connection_that_seems_to_live_is_superseded() {
    let mut wire = Wire::new();
    let juliet = wire.log_in("juliet", "j");
    let (old, id) = log_in(&mut wire, "romeo", "r");
    wire.send(juliet, &message("romeo@d/r", 1));
    wire.take(juliet);
    wire.take(old);
    let (new, answer) = resume(&mut wire, "romeo", &id, 0);
    assert!(answer.starts_with(&resumed(&id, 0)), "{answer}");
    assert_eq!(ids(&answer), [1]);
    let written = wire.take(old);
    assert!(ends_with(&written, "conflict"), "{written}");
    assert_eq!(wire.take(juliet), "", "its presence goes on");
    // What the old connection still had to say is not heard.
    wire.send(old, &message("juliet@d/j", 1));
    assert_eq!(wire.take(juliet), "");
    wire.send(new, &message("juliet@d/j", 2));
    assert_eq!(ids(&wire.take(juliet)), [2]);
}

#[test]
fn an_id_is_of_no_use_to_others_and_of_use_while_it_lives() {
    let mut wire = Wire::new();
    let (romeo, id) = log_in(&mut wire, "romeo", "r");
    reset(&mut wire, romeo);
    let (_, answer) = resume(&mut wire, "juliet", &id, 0);
    assert_eq!(answer, failed("item-not-found"));
    for wrong in ["", "x", &id[1..], &id.to_uppercase(), "0123456789abcdef0123456789abcdef"] {
        let (_, answer) = resume(&mut wire, "romeo", wrong, 0);
        assert_eq!(answer, failed("item-not-found"), "{wrong}");
    }
    let (romeo, answer) = resume(&mut wire, "romeo", &id, 0);
    assert_eq!(answer, resumed(&id, 0));
    wire.ask(romeo, &format!("{}</stream:stream>", message("nobody@d", 1)));
    // The session is over; what it had handled is still known, to its account (§5) and to nobody else.
    let (_, answer) = resume(&mut wire, "juliet", &id, 0);
    assert_eq!(answer, failed("item-not-found"));
    let (_, answer) = resume(&mut wire, "romeo", &id, 0);
    assert!(answer.starts_with("<failed xmlns='urn:xmpp:sm:3' h='1'><item-not-found "), "{answer}");
}

/// §5: "the server SHOULD allow the client to bind a resource at this point".
#[test]
fn who_cannot_resume_may_bind() {
    let mut wire = Wire::new();
    let (conn, answer) = resume(&mut wire, "romeo", "0123456789abcdef0123456789abcdef", 0);
    assert_eq!(answer, failed("item-not-found"));
    let bind = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>r</resource></bind></iq>";
    assert!(wire.ask(conn, bind).contains("<jid>romeo@d/r</jid>"));
    assert!(wire.ask(conn, "<enable xmlns='urn:xmpp:sm:3' resume='true'/>").starts_with(ENABLED));
}

#[test]
fn a_resumption_that_acknowledges_too_much_ends_the_new_stream_only() {
    let mut wire = Wire::new();
    let juliet = wire.log_in("juliet", "j");
    let (romeo, id) = log_in(&mut wire, "romeo", "r");
    wire.send(juliet, &message("romeo@d/r", 1));
    let (_, answer) = resume(&mut wire, "romeo", &id, 2);
    assert!(ends_with(&answer, "undefined-condition"), "{answer}");
    assert!(answer.contains("h='2' send-count='1'"), "{answer}");
    wire.take(romeo);
    assert_eq!(wire.ask(romeo, &format!("{}{R}", a(1))), a(0), "the old one does not notice");
    let (_, answer) = resume(&mut wire, "romeo", &id, 0);
    let expected = "<failed xmlns='urn:xmpp:sm:3' h='0'><item-not-found ";
    assert!(answer.starts_with(expected), "what it acknowledged before is not here any more: {answer}");
    assert_eq!(wire.ask(romeo, R), a(0));
}

/// What comes behind `<resume/>` in one segment is of the resumed stream.
#[test]
fn what_follows_at_once_is_handled_after_the_resumption() {
    let mut wire = Wire::new();
    let juliet = wire.log_in("juliet", "j");
    let (romeo, id) = log_in(&mut wire, "romeo", "r");
    reset(&mut wire, romeo);
    let conn = wire.authenticate("romeo", "pw");
    wire.take(conn);
    let rest = format!("{}{R}", message("juliet@d/j", 5));
    wire.send(conn, &format!("<resume xmlns='urn:xmpp:sm:3' h='0' previd='{id}'/>{rest}"));
    assert_eq!(wire.take(conn), format!("{}{}", resumed(&id, 0), a(1)));
    assert_eq!(ids(&wire.take(juliet)), [5]);
}

#[test]
fn without_resume_a_session_ends_with_its_connection() {
    let mut wire = Wire::new();
    let juliet = wire.log_in("juliet", "j");
    let romeo = wire.log_in("romeo", "r");
    assert_eq!(wire.ask(romeo, "<enable xmlns='urn:xmpp:sm:3'/>"), format!("{ENABLED}/>"));
    wire.take(juliet);
    wire.send(juliet, &message("romeo@d/r", 1));
    reset(&mut wire, romeo);
    let written = wire.take(juliet);
    assert!(written.contains("type='unavailable'") && written.contains("<service-unavailable "), "{written}");
}

#[test]
fn the_window_ends() {
    let mut wire = Wire::new();
    let juliet = wire.log_in("juliet", "j");
    let (romeo, id) = log_in(&mut wire, "romeo", "r");
    wire.take(juliet);
    reset(&mut wire, romeo);
    wire.pass(SM_RESUME_MAX - Duration::from_secs(1));
    wire.send(juliet, " ");
    let (romeo, answer) = resume(&mut wire, "romeo", &id, 0);
    assert_eq!(answer, resumed(&id, 0));
    reset(&mut wire, romeo);
    wire.pass(SM_RESUME_MAX);
    assert_eq!(wire.hub.world().counters().expired, 1);
    assert!(wire.take(juliet).contains("<presence from='romeo@d/r' to='juliet@d' type='unavailable'/>"));
    let (_, answer) = resume(&mut wire, "romeo", &id, 0);
    assert!(answer.contains("<item-not-found "), "{answer}");
}

#[test]
fn a_hibernating_session_that_has_too_much_to_keep_ends() {
    let mut wire = Wire::new();
    let juliet = wire.log_in("juliet", "j");
    let (romeo, id) = log_in(&mut wire, "romeo", "r");
    wire.take(juliet);
    reset(&mut wire, romeo);
    (0..SM_QUEUE_STANZAS_MAX).for_each(|n| wire.send(juliet, &message("romeo@d/r", n)));
    assert_eq!(wire.take(juliet), "");
    wire.send(juliet, &message("romeo@d/r", SM_QUEUE_STANZAS_MAX));
    let written = wire.take(juliet);
    assert!(
        written.starts_with("<presence from='romeo@d/r' to='juliet@d' type='unavailable'/>"),
        "{written}"
    );
    assert_eq!(
        ids(&written),
        (0..=SM_QUEUE_STANZAS_MAX).collect::<Vec<_>>(),
        "each is bounced once, in order"
    );
    let (_, answer) = resume(&mut wire, "romeo", &id, 0);
    assert!(answer.contains("<item-not-found "), "{answer}");
}

/// A client without a fixed resource comes back again and again without resuming.
#[test]
fn hibernating_sessions_keep_nobody_out() {
    let mut wire = Wire::new();
    for n in 0..RESOURCES_PER_ACCOUNT_MAX + 3 {
        let (conn, _) = log_in(&mut wire, "romeo", &format!("r{n}"));
        reset(&mut wire, conn);
    }
    assert_eq!(wire.hub.world().session_count(), RESOURCES_PER_ACCOUNT_MAX);
}
