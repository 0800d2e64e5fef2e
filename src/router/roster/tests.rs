use super::{Roster, RosterDetails, RosterItem};
use crate::router::Subscription;
use crate::stanza::Jid;

fn jid(text: &str) -> Jid {
    Jid::parse(text).unwrap()
}

#[test]
fn items_are_sorted_and_unique() {
    let roster = Roster::from_states([
        (jid("c@d"), Subscription::To),
        (jid("a@d"), Subscription::Both),
        (jid("c@d"), Subscription::None),
        (jid("b@d"), Subscription::ToPendingIn),
    ]);
    let shown: Vec<_> = roster.items().map(|i| (i.jid().as_str(), i.state())).collect();
    let expected = [("a@d", Subscription::Both), ("b@d", Subscription::To), ("c@d", Subscription::To)];
    assert_eq!(shown, expected);
}

#[test]
fn state_and_details_do_not_disturb_each_other() {
    let mut roster = Roster::default();
    let nurse = jid("nurse@d");
    roster.set_details(&nurse, RosterDetails { name: "Nurse".into(), groups: vec!["Servants".into()] });
    roster.set_state(&nurse, Subscription::From);
    let item = roster.get(nurse.as_ref()).unwrap();
    assert_eq!((item.name(), item.state()), ("Nurse", Subscription::From));
    roster.set_details(&nurse, RosterDetails::default());
    let item = roster.get(nurse.as_ref()).unwrap();
    assert_eq!((item.name(), item.groups().count(), item.state()), ("", 0, Subscription::From));
    assert!(roster.remove(nurse.as_ref()).is_some());
    assert!(roster.remove(nurse.as_ref()).is_none());
    assert!(roster.is_empty());
}

/// ANCHORS: at most 64 bytes for each contact.
#[test]
fn an_item_is_small() {
    assert!(size_of::<RosterItem>() <= 40, "{}", size_of::<RosterItem>());
    assert!(size_of::<Roster>() <= 32, "{}", size_of::<Roster>());
}
