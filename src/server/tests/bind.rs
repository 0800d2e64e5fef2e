//! RFC 6120 §7, and every kind of end.

use super::rig::{Rig, summaries};
use crate::limits::RESOURCES_PER_ACCOUNT_MAX;
use crate::server::{ClientTask, ConflictPolicy};
use crate::stanza::{Condition, Jid};

#[test]
fn resources_of_the_servers_choice_are_long_and_different() {
    let mut rig = Rig::new();
    let (a, b) = (rig.bind("romeo@d", None).unwrap(), rig.bind("romeo@d", Some("")).unwrap());
    assert_ne!(rig.jid(a), rig.jid(b));
    assert_eq!(rig.jid(a).len(), "romeo@d/".len() + 20);
}

#[test]
fn a_resource_is_prepared_or_refused() {
    let mut rig = Rig::new();
    let who = rig.bind("romeo@d", Some("o'clock & more")).unwrap();
    assert_eq!(rig.jid(who), "romeo@d/o'clock & more");
    assert_eq!(rig.bind("romeo@d", Some(&"x".repeat(1024))).unwrap_err(), Condition::BadRequest);
    rig.send(who, "<presence/>");
    let own = rig.one(who);
    assert!(own.contains("&amp;") && !own.contains("o'clock"), "{own}");
}

#[test]
fn replace_ends_the_old_session_before_the_new_one_begins() {
    let mut rig = Rig::with_friends();
    let juliet = rig.login("juliet@d/b");
    let old = rig.login("romeo@d/r");
    rig.clear();
    let new = rig.connect("romeo@d/r");
    assert_eq!(rig.told(old), Some(ClientTask::Conflict));
    assert_eq!(rig.told(new), None);
    rig.nothing(old);
    // Once, although the old connection's end is told as well.
    assert_eq!(summaries(&rig.received(juliet)), ["romeo@d/r juliet@d unavailable"]);
    rig.send(juliet, "<message to='romeo@d/r'/>");
    rig.one(new);
    rig.nothing(old);
    assert_eq!(rig.world.session_count(), 2);
    rig.close(old);
    rig.nothing(juliet);
    assert_eq!(rig.world.session_count(), 2, "a stale end ends nobody");
}

#[test]
fn other_conflict_policies() {
    let mut rig = Rig::with_policy(ConflictPolicy::AssignOther);
    let (a, b) = (rig.connect("romeo@d/r"), rig.connect("romeo@d/r"));
    assert_eq!(rig.jid(a), "romeo@d/r");
    assert!(rig.jid(b).len() > 20 && rig.told(a).is_none());
    let mut rig = Rig::with_policy(ConflictPolicy::Refuse);
    let a = rig.connect("romeo@d/r");
    assert_eq!(rig.bind("romeo@d", Some("r")).unwrap_err(), Condition::Conflict);
    assert!(rig.told(a).is_none());
}

#[test]
fn the_number_of_resources_is_limited() {
    let mut rig = Rig::new();
    for n in 0..RESOURCES_PER_ACCOUNT_MAX {
        rig.bind("romeo@d", Some(&format!("r{n}"))).unwrap();
    }
    assert_eq!(rig.bind("romeo@d", None).unwrap_err(), Condition::ResourceConstraint);
    rig.bind("romeo@d", Some("r0")).expect("replacing one adds none");
    rig.bind("juliet@d", None).expect("another account's resources are not counted");
}

#[test]
fn an_anonymous_account_lives_as_long_as_its_session() {
    let mut rig = Rig::new();
    let jid = Jid::parse("guest@d").unwrap();
    assert!(rig.world.add_temporary(&jid).is_some());
    assert!(rig.world.add_temporary(&jid).is_none());
    let guest = rig.login("guest@d/r");
    let romeo = rig.login("romeo@d/r");
    rig.send(romeo, "<message to='guest@d'/>");
    rig.one(guest);
    rig.close(guest);
    assert_eq!(rig.world.account_count(), 3);
    assert!(rig.bind("guest@d", None).is_err());
}

#[test]
fn unavailable_is_sent_on_every_end_once() {
    for end in ["explicit", "explicit then closed", "closed"] {
        let mut rig = Rig::with_friends();
        let juliet = rig.login("juliet@d/b");
        let romeo = rig.login("romeo@d/r");
        rig.clear();
        if end.starts_with("explicit") {
            rig.send(romeo, "<presence type='unavailable'><status>gone</status></presence>");
        }
        if end.ends_with("closed") {
            rig.close(romeo);
        }
        let received = rig.received(juliet);
        assert_eq!(summaries(&received), ["romeo@d/r juliet@d unavailable"], "{end}");
        assert_eq!(received[0].contains("gone"), end.starts_with("explicit"));
    }
}

#[test]
fn who_was_never_available_ends_in_silence() {
    let mut rig = Rig::with_friends();
    let juliet = rig.login("juliet@d/b");
    let romeo = rig.connect("romeo@d/r");
    rig.send(romeo, "<presence type='unavailable'/>");
    rig.close(romeo);
    rig.nothing(juliet);
}
