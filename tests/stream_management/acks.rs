//! Enabling (XEP-0198 §3), counting and acknowledging (§4), errors (§6).

use std::time::Duration;

use xmpp_bench::limits::{
    IDLE_MAX, PING_ANSWER_MAX, SM_ASK_STANZAS, SM_ASK_WAIT, SM_BURST_MAX, SM_BURST_STANZAS_MAX,
    SM_QUEUE_STANZAS_MAX, SM_RESUME_MAX,
};

use super::*;

#[test]
fn it_is_enabled_after_bind_and_once() {
    let mut wire = Wire::new();
    let early = wire.authenticate("romeo", "pw");
    wire.take(early);
    assert_eq!(wire.ask(early, "<enable xmlns='urn:xmpp:sm:3'/>"), failed("unexpected-request"));
    let conn = wire.log_in("romeo", "r");
    for text in [R, &a(0), "<resume xmlns='urn:xmpp:sm:3' h='0' previd='x'/>"] {
        assert_eq!(wire.ask(conn, text), failed("unexpected-request"), "not before it is enabled: {text}");
    }
    assert_eq!(wire.ask(conn, "<x xmlns='urn:xmpp:sm:3'/>"), failed("bad-request"));
    assert_eq!(wire.ask(conn, "<enable xmlns='urn:xmpp:sm:3'/>"), format!("{ENABLED}/>"));
    let written = wire.ask(conn, "<enable xmlns='urn:xmpp:sm:3'/>");
    assert!(written.starts_with(&failed("unexpected-request")), "{written}");
    assert!(ends_with(&written, "policy-violation"), "{written}");
}

#[test]
fn the_window_is_at_most_what_the_client_wants() {
    let max = u32::try_from(SM_RESUME_MAX.as_secs()).unwrap();
    for (wanted, granted) in [("", max), (" max='60'", 60), (" max='100000'", max), (" max='0'", max)] {
        let mut wire = Wire::new();
        let conn = wire.log_in("romeo", "r");
        let enabled = wire.ask(conn, &format!("<enable xmlns='urn:xmpp:sm:3' resume='1'{wanted}/>"));
        assert_eq!(attr(&enabled, "enabled", "resume"), Some("true"));
        assert_eq!(attr(&enabled, "enabled", "max"), Some(&*granted.to_string()), "{wanted}");
    }
}

#[test]
fn ids_are_128_bits_and_different() {
    let mut wire = Wire::new();
    let ids: Vec<String> = (0..10).map(|n| log_in(&mut wire, "romeo", &format!("r{n}")).1).collect();
    for (n, id) in ids.iter().enumerate() {
        assert_eq!(id.len(), 32, "{id}");
        assert!(!ids[..n].contains(id));
    }
}

/// Only stanzas count, and all of them: also those that are answered with an error (§1).
#[test]
fn what_was_taken_is_acknowledged() {
    let mut wire = Wire::new();
    let (romeo, _) = log_in(&mut wire, "romeo", "r");
    assert_eq!(wire.ask(romeo, R), a(0));
    wire.ask(romeo, &format!("{}<presence/>   {}", message("nobody@d", 1), a(0)));
    wire.send(romeo, "<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>");
    wire.take(romeo);
    assert_eq!(wire.ask(romeo, R), a(3));
    assert_eq!(wire.ask(romeo, &format!("<presence/>{R}{R}")).matches(&a(4)).count(), 2);
}

/// Answers, errors, pushes and presence count as messages do.
#[test]
fn all_that_is_sent_has_to_be_acknowledged() {
    let mut wire = Wire::new();
    let juliet = wire.log_in("juliet", "j");
    let (romeo, _) = log_in(&mut wire, "romeo", "r");
    let roster = "<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>";
    let push = "<iq type='set' id='2'><query xmlns='jabber:iq:roster'><item jid='x@d'/></query></iq>";
    let written = wire.ask(romeo, &format!("{roster}{push}{}", message("nobody@d", 3)));
    wire.send(juliet, "<presence><show>away</show></presence>");
    let later = wire.take(romeo);
    let count =
        |text: &str| ["<iq ", "<message ", "<presence "].map(|name| text.matches(name).count()).iter().sum();
    let (sent, more): (usize, usize) = (count(&written), count(&later));
    assert!(sent >= 4 && more == 1, "{written} {later}");
    let sent = u32::try_from(sent + more).unwrap();
    assert_eq!(wire.ask(romeo, &a(sent)), "");
    let written = wire.ask(romeo, &a(sent + 1));
    assert!(ends_with(&written, "undefined-condition"), "{written}");
    let detail =
        format!("<handled-count-too-high xmlns='urn:xmpp:sm:3' h='{}' send-count='{sent}'/>", sent + 1);
    assert!(written.contains(&detail), "{written}");
    assert_eq!(
        wire.hub.world().session_count(),
        1,
        "the stream was ended by an error, and the session with it"
    );
}

#[test]
fn an_acknowledgement_that_says_less_is_ignored() {
    let mut wire = Wire::new();
    let juliet = wire.log_in("juliet", "j");
    let (romeo, _) = log_in(&mut wire, "romeo", "r");
    (0..3).for_each(|n| wire.send(juliet, &message("romeo@d/r", n)));
    assert_eq!(ids(&wire.take(romeo)), [0, 1, 2]);
    assert_eq!(wire.ask(romeo, &format!("{}{}", a(3), a(2))), "");
    assert_eq!(wire.ask(romeo, R), a(0));
}

#[test]
fn an_acknowledgement_is_asked_for_when_there_is_much_or_after_a_while() {
    let mut wire = Wire::new();
    let (romeo, _) = log_in(&mut wire, "romeo", "r");
    wire.pass(Duration::from_secs(30));
    assert_eq!(wire.take(romeo), "", "nothing was sent");
    let juliet = wire.log_in("juliet", "j");
    wire.ask(romeo, &a(1));
    let mut sent: u32 = 1;
    let mut tell = |wire: &mut Wire, count: usize| {
        (0..count).for_each(|n| wire.send(juliet, &message("romeo@d/r", n)));
        sent += u32::try_from(count).unwrap();
        sent
    };
    tell(&mut wire, SM_ASK_STANZAS - 1);
    assert!(!wire.take(romeo).contains(R));
    let handled = tell(&mut wire, 1);
    assert!(wire.take(romeo).ends_with(R));
    tell(&mut wire, SM_ASK_STANZAS * 3);
    assert!(!wire.take(romeo).contains(R), "one question at a time");
    assert_eq!(wire.ask(romeo, &a(handled)), R, "there is much left");
    assert_eq!(wire.ask(romeo, &a(handled)), "", "who has handled nothing more is not asked again at once");
    let handled = tell(&mut wire, 1);
    wire.take(romeo);
    wire.ask(romeo, &a(handled));
    assert_eq!(wire.take(romeo), "");
    let handled = tell(&mut wire, 1);
    wire.take(romeo);
    wire.pass(SM_ASK_WAIT);
    assert_eq!(wire.take(romeo), R);
    wire.ask(romeo, &a(handled));
    wire.pass(SM_ASK_WAIT * 2);
    assert_eq!(wire.take(romeo), "", "all is acknowledged");
}

/// RFC 6120 §4.6: the question takes the ping's place.
#[test]
fn a_silent_client_is_asked_and_must_answer() {
    let mut wire = Wire::new();
    let (romeo, id) = log_in(&mut wire, "romeo", "r");
    wire.pass(IDLE_MAX);
    assert_eq!(wire.take(romeo), R);
    wire.ask(romeo, &a(0));
    wire.pass(PING_ANSWER_MAX);
    wire.pass(IDLE_MAX);
    assert_eq!(wire.take(romeo), R);
    wire.pass(PING_ANSWER_MAX + Duration::from_secs(1));
    let written = wire.take(romeo);
    assert!(ends_with(&written, "connection-timeout"), "{written}");
    let (_, answer) = resume(&mut wire, "romeo", &id, 0);
    assert_eq!(answer, resumed(&id, 0), "its session waits for it");
}

#[test]
fn a_burst_may_be_longer_than_the_queue_for_a_while() {
    let mut wire = Wire::new();
    let (romeo, _) = log_in(&mut wire, "romeo", "r");
    let juliet = wire.log_in("juliet", "j");
    wire.ask(romeo, &a(1));
    let burst = |wire: &mut Wire| {
        (0..=SM_QUEUE_STANZAS_MAX).for_each(|n| wire.send(juliet, &message("romeo@d/r", n)))
    };
    burst(&mut wire);
    wire.pass(SM_BURST_MAX - Duration::from_millis(1));
    wire.ask(romeo, &a(100));
    burst(&mut wire);
    wire.pass(SM_BURST_MAX - Duration::from_millis(1));
    assert_eq!(wire.hub.world().session_count(), 2, "it acknowledges");
    wire.take(juliet);
    wire.take(romeo);
    wire.pass(Duration::from_millis(1));
    let written = wire.take(romeo);
    assert!(ends_with(&written, "resource-constraint"), "{written}");
    assert_eq!(wire.hub.world().counters().overfull, 1);
    let bounced = wire.take(juliet);
    assert_eq!(
        bounced.matches("<service-unavailable ").count(),
        2 * (SM_QUEUE_STANZAS_MAX + 1) - 99,
        "{bounced}"
    );
}

#[test]
fn no_burst_is_longer_than_memory_allows() {
    let mut wire = Wire::new();
    let (romeo, _) = log_in(&mut wire, "romeo", "r");
    let juliet = wire.log_in("juliet", "j");
    wire.ask(romeo, &a(1));
    for n in 0..SM_BURST_STANZAS_MAX {
        wire.send(juliet, &message("romeo@d/r", n));
        wire.take(romeo);
    }
    assert_eq!(wire.hub.world().session_count(), 2);
    wire.send(juliet, &message("romeo@d/r", 0));
    let written = wire.take(romeo);
    assert!(ends_with(&written, "resource-constraint"), "{written}");
}
