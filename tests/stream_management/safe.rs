//! The accept barrier stands before every acknowledgement: who sees one knows that what it covers is safe.

use std::sync::Arc;

use xmpp_bench::engine::do_here;
use xmpp_bench::store::MemoryStore;

use super::*;

const PING: &str = "<iq type='get' id='p' to='d'><ping xmlns='urn:xmpp:ping'/></iq>";

/// With a store that has nothing to do yet.
fn wire() -> Wire {
    let mut wire = Wire::new();
    wire.hub.world_mut().set_store(Arc::new(MemoryStore::default()));
    wire
}

/// The store has done what it was given. Returns whether there was anything.
fn save(wire: &mut Wire) -> bool {
    let Some((ticket, job)) = wire.hub.next_job() else { return false };
    wire.hub.handle_answer(ticket, do_here(job), wire.now);
    while let Some(conn) = wire.hub.next_resumed() {
        while wire.hub.handle_read(conn, &mut bytes::BytesMut::new(), wire.now, wire.now) {}
    }
    wire.serve();
    true
}

#[test]
fn an_acknowledgement_waits_for_the_store() {
    let mut wire = wire();
    let (romeo, _) = log_in(&mut wire, "romeo", "r");
    assert_eq!(wire.ask(romeo, &format!("{}{R}", message("romeo@d/r", 1))).matches(&a(1)).count(), 1);
    assert_eq!(wire.ask(romeo, &format!("{}{R}{R}", message("nurse@d", 2))), "", "nobody has it but memory");
    assert_eq!(wire.ask(romeo, "<presence/>").matches("<presence").count(), 1, "nothing else waits");
    assert!(save(&mut wire));
    assert_eq!(wire.take(romeo), a(2).repeat(2), "as many as were handled when it was asked");
}

/// So does a resumption for what the former stream sent, and what comes behind it waits as well.
#[test]
fn a_resumption_waits_for_what_the_former_stream_sent() {
    for lives in [false, true] {
        let mut wire = wire();
        let juliet = wire.log_in("juliet", "j");
        let (old, id) = log_in(&mut wire, "romeo", "r");
        wire.send(old, &format!("{}{PING}{R}", message("nurse@d", 1)));
        assert_eq!(wire.take(old), "");
        if !lives {
            reset(&mut wire, old);
        }
        let (new, answer) = resume(&mut wire, "romeo", &id, 0);
        assert_eq!(answer, "");
        wire.send(new, &message("juliet@d/j", 3));
        wire.send(juliet, &message("romeo@d/r", 2));
        assert_eq!((wire.take(new), wire.take(juliet)), (String::new(), String::new()));
        assert!(save(&mut wire));
        let written = wire.take(new);
        let rest = written.strip_prefix(&resumed(&id, 2)).unwrap_or_else(|| panic!("{written}"));
        let (ping, message) = (rest.find(" id='p' type='result'"), rest.find("<message "));
        assert!(ping.is_some() && message.is_some(), "the answer waited with it: {rest}");
        assert_eq!(ids(&wire.take(juliet)), [3]);
        assert_eq!(wire.ask(new, R), a(3));
    }
}

/// Nobody waits for a client that has gone away meanwhile; its session is still there.
#[test]
fn a_resumption_that_is_given_up_leaves_the_session() {
    let mut wire = wire();
    let (old, id) = log_in(&mut wire, "romeo", "r");
    wire.send(old, &message("nurse@d", 1));
    reset(&mut wire, old);
    let (new, answer) = resume(&mut wire, "romeo", &id, 0);
    assert_eq!(answer, "");
    reset(&mut wire, new);
    assert!(save(&mut wire));
    let (_, answer) = resume(&mut wire, "romeo", &id, 0);
    assert_eq!(answer, resumed(&id, 1));
}

/// One save sets both free: a stream that ends tells those who see it, and among them is one that is resumed behind it.
#[test]
fn what_is_under_way_when_a_session_is_resumed_comes_to_it() {
    let mut wire = wire();
    let juliet = wire.log_in("juliet", "j");
    let (old, id) = log_in(&mut wire, "romeo", "r");
    wire.send(juliet, &message("nurse@d", 1));
    wire.send(juliet, &format!("{}</stream:stream>", message("nurse@d", 2)));
    wire.send(old, &message("nurse@d", 3));
    reset(&mut wire, old);
    let (new, answer) = resume(&mut wire, "romeo", &id, 0);
    assert_eq!(answer, "");
    assert!(save(&mut wire) && save(&mut wire));
    let written = wire.take(new);
    assert!(written.starts_with(&resumed(&id, 1)), "{written}");
    assert_eq!(written.matches("from='juliet@d/j' to='romeo@d' type='unavailable'").count(), 1, "{written}");
}

/// A client that changes its network asks again before it has an answer: both get one, and the session is the last one's.
#[test]
fn of_two_resumptions_at_a_time_the_later_one_has_the_session() {
    let mut wire = wire();
    let juliet = wire.log_in("juliet", "j");
    let (old, id) = log_in(&mut wire, "romeo", "r");
    wire.send(old, &message("nurse@d", 1));
    reset(&mut wire, old);
    let (first, answer) = resume(&mut wire, "romeo", &id, 0);
    assert_eq!(answer, "");
    let (second, answer) = resume(&mut wire, "romeo", &id, 0);
    assert_eq!(answer, "");
    assert!(save(&mut wire));
    let written = wire.take(first);
    assert!(written.starts_with(&resumed(&id, 1)) && ends_with(&written, "conflict"), "{written}");
    assert!(wire.take(second).starts_with(&resumed(&id, 1)));
    wire.send(juliet, &message("romeo@d/r", 2));
    assert_eq!((ids(&wire.take(second)), wire.ask(second, R)), (vec![2], a(1)));
}

/// RFC 6120 §4.4: what was asked for before the closing tag is answered before ours, however long the store takes.
#[test]
fn a_closing_tag_waits_for_the_answers_before_it() {
    let mut wire = wire();
    let romeo = wire.log_in("romeo", "r");
    let set = "<iq type='set' id='s'><query xmlns='jabber:iq:roster'><item jid='nurse@d'/></query></iq>";
    assert_eq!(wire.ask(romeo, &format!("{set}{PING}</stream:stream><never/>")), "");
    assert_eq!(wire.hub.world().session_count(), 1);
    assert!(save(&mut wire));
    let written = wire.take(romeo);
    let place = |part: &str| written.find(part).unwrap_or_else(|| panic!("no {part} in {written}"));
    assert!(place(" id='s' type='result'") < place(" id='p' type='result'"), "{written}");
    assert!(written.ends_with("</stream:stream>") && !written.contains("error"), "{written}");
    assert_eq!(wire.hub.world().session_count(), 0);
}
