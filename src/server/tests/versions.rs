//! RFC 6121 §2.6: what a client's copy of its roster lacks.

use super::rig::{Rig, attr};
use super::roster::version;
use crate::limits::ROSTER_REMOVALS_MAX;

fn set(rig: &mut Rig, who: usize, item: &str) {
    rig.send(who, &format!("<iq type='set' id='s'><query xmlns='jabber:iq:roster'>{item}</query></iq>"));
}

fn get(rig: &mut Rig, who: usize, ver: &str) -> Vec<String> {
    rig.send(who, &format!("<iq type='get' id='g'><query xmlns='jabber:iq:roster' ver='{ver}'/></iq>"));
    rig.received(who)
}

/// Contact and version of each push.
fn pushes(stanzas: &[String]) -> Vec<String> {
    let word = |stanza: &String| {
        let between = |from: &str| stanza.split(from).nth(1).unwrap().split('\'').next().unwrap().to_owned();
        let removed = if stanza.contains("subscription='remove'") { " removed" } else { "" };
        let number = between(" ver='").rsplit('-').next().unwrap().to_owned();
        format!("{} {number}{removed}", between(" jid='"))
    };
    stanzas.iter().map(word).collect()
}

/// Romeo, with a roster of version 5: b and c are in it, a was removed, c was changed twice.
fn five() -> (Rig, usize) {
    let mut rig = Rig::new();
    let romeo = rig.login_interested("romeo@d/r");
    for item in ["<item jid='c@d'/>", "<item jid='a@d'/>", "<item jid='b@d'/>"] {
        set(&mut rig, romeo, item);
    }
    set(&mut rig, romeo, "<item jid='a@d' subscription='remove'/>");
    set(&mut rig, romeo, "<item jid='c@d' name='C'/>");
    let live = rig.received(romeo);
    let live: Vec<_> = live.into_iter().filter(|s| s.contains("<item")).collect();
    assert_eq!(pushes(&live), ["c@d 1", "a@d 2", "b@d 3", "a@d 4 removed", "c@d 5"]);
    (rig, romeo)
}

#[test]
fn a_known_version_is_brought_up_to_date_in_order_of_modification() {
    let (mut rig, _) = five();
    for (known, expected) in [
        (0, &["b@d 3", "a@d 4 removed", "c@d 5"][..]),
        (3, &["a@d 4 removed", "c@d 5"]),
        (4, &["c@d 5"]),
        (5, &[]),
    ] {
        let romeo = rig.connect(&format!("romeo@d/{known}"));
        let known = version(&rig, known);
        let received = get(&mut rig, romeo, &known);
        assert_eq!(
            received[0],
            format!("<iq from='romeo@d' to='{}' id='g' type='result'/>", rig.jid(romeo)),
            "an empty result comes first"
        );
        assert_eq!(pushes(&received[1..]), expected, "{known}");
        let ids: Vec<_> = received.iter().map(|s| attr(s, "id")).collect();
        assert!(ids.iter().all(|id| ids.iter().filter(|other| *other == id).count() == 1), "{ids:?}");
        // And it is interested from now on.
        set(&mut rig, romeo, "<item jid='b@d'/>");
        assert_eq!(rig.received(romeo).len(), 2, "a push and the result");
        set(&mut rig, romeo, "<item jid='b@d' subscription='remove'/>");
        rig = five().0;
    }
}

#[test]
fn any_other_version_gets_the_whole_roster() {
    let (mut rig, romeo) = five();
    let current = version(&rig, 5);
    for unknown in ["", "5", "ver14", &version(&rig, 6), &format!("0{current}"), &version(&rig, 99_999)] {
        let received = get(&mut rig, romeo, unknown);
        assert_eq!(received.len(), 1, "{unknown}: {received:?}");
        assert!(received[0].contains(&format!(" ver='{current}'>")), "{unknown}: {received:?}");
        assert_eq!(received[0].matches("<item").count(), 2, "{unknown}: {received:?}");
    }
}

#[test]
fn a_contact_that_came_back_is_no_removal() {
    let (mut rig, romeo) = five();
    set(&mut rig, romeo, "<item jid='a@d'/>");
    rig.clear();
    let known = version(&rig, 3);
    assert_eq!(pushes(&get(&mut rig, romeo, &known)[1..]), ["c@d 5", "a@d 6"]);
}

#[test]
fn removals_are_forgotten_and_then_the_whole_roster_comes() {
    let (mut rig, romeo) = five();
    for n in 0..ROSTER_REMOVALS_MAX {
        set(&mut rig, romeo, &format!("<item jid='x{n}@d'/>"));
        set(&mut rig, romeo, &format!("<item jid='x{n}@d' subscription='remove'/>"));
    }
    rig.clear();
    // The removal of a, version 4, is the one that is forgotten.
    let (before, after) = (version(&rig, 3), version(&rig, 4));
    assert!(get(&mut rig, romeo, &before)[0].contains("<query"));
    assert_eq!(get(&mut rig, romeo, &after).len(), 2 + ROSTER_REMOVALS_MAX);
}
