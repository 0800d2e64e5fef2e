//! RFC 6121 §8.5.2.2.1, XEP-0160, XEP-0203: messages that wait.

use super::rig::{Rig, attr, is_error};
use crate::limits::{OFFLINE_BYTES_PER_ACCOUNT_MAX, OFFLINE_MESSAGES_PER_ACCOUNT_MAX};

/// Ids of the messages among these.
fn messages(stanzas: &[String]) -> Vec<String> {
    let messages = stanzas.iter().filter(|s| s.starts_with("<message"));
    messages.map(|s| attr(s, "id").unwrap_or_default()).collect()
}

fn write_to_juliet(rig: &mut Rig, ids: std::ops::Range<usize>) {
    let nurse = rig.login("nurse@d/n");
    for id in ids {
        rig.send(nurse, &format!("<message to='juliet@d' type='chat' id='{id}'><body>{id}</body></message>"));
    }
    rig.nothing(nurse);
    rig.close(nurse);
}

#[test]
fn they_are_as_they_were_and_say_that_they_are_late() {
    let mut rig = Rig::new();
    let nurse = rig.login("nurse@d/n");
    rig.send(nurse, "<message to='juliet@d' id='1'/>");
    rig.send(nurse, "<message to='juliet@d/b' type='chat' id='2'><x xmlns='a'><message/></x></message>");
    let juliet = rig.connect("juliet@d/j");
    rig.send(juliet, "<message id='3'><body>note</body></message>");
    rig.send(juliet, "<presence/>");
    let received = rig.received(juliet);
    let delay = "<delay xmlns='urn:xmpp:delay' from='d' stamp='2026-11-21T18:20:00Z'/>";
    assert_eq!(
        received[1..],
        [
            format!("<message from='nurse@d/n' to='juliet@d' id='1'>{delay}</message>"),
            format!(
                "<message from='nurse@d/n' to='juliet@d/b' type='chat' id='2'><x xmlns='a'><message/></x>{delay}</message>"
            ),
            format!("<message from='juliet@d/j' to='juliet@d' id='3'><body>note</body>{delay}</message>"),
        ],
        "`to` is never rewritten"
    );
}

#[test]
fn the_first_who_takes_messages_gets_them_in_order_and_nobody_else() {
    let mut rig = Rig::new();
    write_to_juliet(&mut rig, 0..5);
    let negative = rig.connect("juliet@d/negative");
    rig.send(negative, "<presence><priority>-1</priority></presence>");
    assert_eq!(messages(&rig.received(negative)), [""; 0]);
    rig.send(negative, "<presence><priority>0</priority></presence>");
    assert_eq!(messages(&rig.received(negative)), ["0", "1", "2", "3", "4"]);
    let other = rig.connect("juliet@d/other");
    rig.send(other, "<presence/>");
    assert_eq!(messages(&rig.received(other)), [""; 0]);
    assert!(rig.world.offline_bytes == 0);
}

/// Two resources that come at the same time: whoever is first gets all, also while it has not got them yet.
#[test]
fn who_comes_while_they_are_being_written_gets_none() {
    let mut rig = Rig::new();
    write_to_juliet(&mut rig, 0..3);
    rig.writes_nothing = true;
    let first = rig.connect("juliet@d/a");
    rig.send(first, "<presence/>");
    let second = rig.connect("juliet@d/b");
    rig.send(second, "<presence><priority>9</priority></presence>");
    assert_eq!(messages(&rig.received(first)), ["0", "1", "2"]);
    assert_eq!(messages(&rig.received(second)), [""; 0]);
    // The first one's stream ends before they are written.
    rig.close(first);
    assert_eq!(messages(&rig.received(second)), ["0", "1", "2"]);
}

#[test]
fn what_comes_meanwhile_comes_behind_them() {
    let mut rig = Rig::new();
    write_to_juliet(&mut rig, 0..2);
    rig.writes_nothing = true;
    let nurse = rig.login("nurse@d/n");
    let juliet = rig.connect("juliet@d/a");
    rig.send(juliet, "<presence/>");
    rig.send(nurse, "<message to='juliet@d' id='2'/>");
    rig.send(nurse, "<message to='juliet@d/a' type='error' id='3'/>");
    assert_eq!(messages(&rig.received(juliet)), ["0", "1", "2", "3"]);
}

#[test]
fn there_is_a_quota() {
    let mut rig = Rig::new();
    write_to_juliet(&mut rig, 0..OFFLINE_MESSAGES_PER_ACCOUNT_MAX);
    let nurse = rig.login("nurse@d/n");
    rig.send(nurse, "<message to='juliet@d' id='x'/>");
    assert!(is_error(&rig.one(nurse), "service-unavailable"));
    let body = "x".repeat(OFFLINE_BYTES_PER_ACCOUNT_MAX / 10);
    for n in 0..10 {
        rig.send(nurse, &format!("<message to='romeo@d' id='{n}'><body>{body}</body></message>"));
    }
    assert!(is_error(&rig.one(nurse), "service-unavailable"), "nine of them fit");
    let juliet = rig.connect("juliet@d/j");
    rig.send(juliet, "<presence/>");
    assert_eq!(messages(&rig.received(juliet)).len(), OFFLINE_MESSAGES_PER_ACCOUNT_MAX);
    rig.close(juliet);
    rig.send(nurse, "<message to='juliet@d' id='y'/>");
    rig.nothing(nurse);
}

/// A message that came back because its connection was dead waits like any other.
#[test]
fn what_came_back_waits() {
    let mut rig = Rig::new();
    let juliet = rig.login("juliet@d/j");
    let nurse = rig.login("nurse@d/n");
    rig.close(juliet);
    rig.undeliverable("<message from='nurse@d/n' to='juliet@d' id='1'><body>x</body></message>");
    rig.nothing(nurse);
    let juliet = rig.connect("juliet@d/j");
    rig.send(juliet, "<presence/>");
    assert_eq!(messages(&rig.received(juliet)), ["1"]);
}

/// XEP-0160 §3, XEP-0334: what does not want to wait is answered (RFC 6121 §8.5.2.2.1).
#[test]
fn what_is_not_to_be_kept_is_not() {
    let mut rig = Rig::new();
    let nurse = rig.login("nurse@d/n");
    for content in [
        "<composing xmlns='http://jabber.org/protocol/chatstates'/>",
        "<body>psst</body><no-store xmlns='urn:xmpp:hints'/>",
    ] {
        rig.send(nurse, &format!("<message to='juliet@d' type='chat'>{content}</message>"));
        assert!(is_error(&rig.one(nurse), "service-unavailable"), "{content}");
    }
    rig.send(
        nurse,
        "<message to='juliet@d' id='1'><body>x</body><no-permanent-store xmlns='urn:xmpp:hints'/></message>",
    );
    rig.nothing(nurse);
    let juliet = rig.connect("juliet@d/j");
    rig.send(juliet, "<presence/>");
    assert_eq!(messages(&rig.received(juliet)), ["1"]);
}

/// XEP-0191 §3.3: the blocked see an account that keeps nothing.
#[test]
fn nothing_of_the_blocked_is_kept() {
    let mut rig = Rig::new();
    let (nurse, juliet) = (rig.login("nurse@d/n"), rig.login("juliet@d/j"));
    rig.send(
        juliet,
        "<iq type='set' id='1'><block xmlns='urn:xmpp:blocking'><item jid='nurse@d'/></block></iq>",
    );
    rig.close(juliet);
    rig.send(nurse, "<message to='juliet@d' id='1'><body>x</body></message>");
    assert!(is_error(&rig.one(nurse), "service-unavailable"));
}
