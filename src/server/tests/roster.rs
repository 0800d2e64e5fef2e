//! RFC 6121 §2 as clients see it.

use super::rig::{Rig, attr, is_error, summaries, summary};
use crate::limits::{ROSTER_BYTES_MAX, ROSTER_GROUPS_MAX, ROSTER_NAME_BYTES_MAX};
use crate::router::Subscription;

const GET: &str = "<iq type='get' id='g'><query xmlns='jabber:iq:roster'/></iq>";

fn set(item: &str) -> String {
    format!("<iq type='set' id='s'><query xmlns='jabber:iq:roster'>{item}</query></iq>")
}

/// A version of this rig's rosters, as it is on the wire.
pub(super) fn version(rig: &Rig, number: u32) -> String {
    format!("{}-{number}", rig.world.roster_tag)
}

#[test]
fn get_lists_what_was_provisioned() {
    let mut rig = Rig::new();
    rig.add_account(
        "paris",
        &[
            ("romeo@d", Subscription::FromPendingOut),
            ("juliet@d", Subscription::Both),
            ("x@elsewhere", Subscription::NonePendingIn),
        ],
    );
    let paris = rig.connect("paris@d/p");
    rig.send(paris, GET);
    let ver = version(&rig, 0);
    assert_eq!(
        rig.one(paris),
        format!(
            "<iq from='paris@d' to='paris@d/p' id='g' type='result'><query xmlns='jabber:iq:roster' ver='{ver}'>\
             <item jid='juliet@d' subscription='both'/><item jid='romeo@d' subscription='from' ask='subscribe'/>\
             </query></iq>"
        )
    );
}

#[test]
fn set_makes_changes_and_pushes() {
    let mut rig = Rig::new();
    let sender = rig.login_interested("romeo@d/r");
    let other = rig.login_interested("romeo@d/other");
    let uninterested = rig.login("romeo@d/uninterested");
    rig.clear();
    let item = "<item jid='Nurse@d/x' name='a&lt;&apos;b' subscription='both'><group>G &amp; H</group><group>I</group></item>";
    rig.send(sender, &set(item));
    let received = rig.received(sender);
    assert_eq!(received.len(), 2, "{received:?}");
    assert_eq!(summary(&received[1]), "romeo@d romeo@d/r result");
    let push = rig.one(other);
    assert_eq!(push, received[0]);
    assert_eq!(summary(&push), "- - set");
    assert!(push.contains("<item jid='nurse@d' name=") && push.contains(" subscription='none'>"), "{push}");
    assert!(push.contains("<group>G &amp; H</group><group>I</group></item>"), "{push}");
    rig.nothing(uninterested);
    // An update replaces the whole item (§2.4.1), and not its subscription.
    rig.set_state("romeo@d", "nurse@d", Subscription::To);
    rig.send(sender, &set("<item jid='nurse@d' name=''/>"));
    let push = rig.one(other);
    assert!(push.contains("<item jid='nurse@d' subscription='to'/>"), "{push}");
    assert_ne!(attr(&push, "id"), attr(&received[0], "id"), "push ids are unique (§2.1.6)");
    rig.clear();
    rig.send(other, "<iq type='result' id='push-1'/>");
    rig.nothing(other);
}

#[test]
fn what_a_set_must_not_have() {
    let mut rig = Rig::new();
    let romeo = rig.login_interested("romeo@d/r");
    let long = "x".repeat(ROSTER_NAME_BYTES_MAX + 1);
    let groups: String = (0..=ROSTER_GROUPS_MAX).map(|n| format!("<group>{n}</group>")).collect();
    for (item, condition) in [
        (String::new(), "bad-request"),
        ("<item jid='a@d'/><item jid='b@d'/>".to_owned(), "bad-request"),
        ("<item/>".to_owned(), "bad-request"),
        ("<x xmlns='u'/>".to_owned(), "bad-request"),
        ("<item jid='@@'/>".to_owned(), "jid-malformed"),
        ("<item jid='romeo@d'/>".to_owned(), "not-allowed"),
        ("<item jid='a@d'><group>G</group><group>G</group></item>".to_owned(), "bad-request"),
        ("<item jid='a@d'><group/></item>".to_owned(), "not-acceptable"),
        (format!("<item jid='a@d'><group>{long}</group></item>"), "not-acceptable"),
        (format!("<item jid='a@d'>{groups}</item>"), "not-acceptable"),
        (format!("<item jid='a@d' name='{long}'/>"), "not-acceptable"),
        ("<item jid='a@d' subscription='remove'/>".to_owned(), "item-not-found"),
    ] {
        rig.send(romeo, &set(&item));
        assert!(is_error(&rig.one(romeo), condition), "{item}");
    }
    let get = "<iq type='get' id='g'><query xmlns='jabber:iq:roster'><item jid='a@d'/></query></iq>";
    rig.send(romeo, get);
    assert!(is_error(&rig.one(romeo), "bad-request"));
}

#[test]
fn a_roster_is_its_accounts_own_affair() {
    let mut rig = Rig::with_friends();
    let romeo = rig.login("romeo@d/r");
    for (to, condition) in
        [("juliet@d", "forbidden"), ("nobody@d", "service-unavailable"), ("d", "service-unavailable")]
    {
        let text = GET.replace(" id=", &format!(" to='{to}' id="));
        rig.send(romeo, &text);
        assert!(is_error(&rig.one(romeo), condition), "{to}");
    }
    rig.send(romeo, &GET.replace(" id=", " to='romeo@d' id="));
    assert!(rig.one(romeo).contains("juliet@d"));
}

#[test]
fn remove_ends_every_relation() {
    for (state, mirrored, told) in [
        (Subscription::None, Subscription::None, vec![]),
        (Subscription::NonePendingOut, Subscription::None, vec![]),
        (Subscription::To, Subscription::From, vec!["romeo@d juliet@d unsubscribe"]),
        (
            Subscription::From,
            Subscription::To,
            vec!["romeo@d/r juliet@d unavailable", "romeo@d juliet@d unsubscribed"],
        ),
        (
            Subscription::Both,
            Subscription::Both,
            vec![
                "romeo@d juliet@d unsubscribe",
                "romeo@d/r juliet@d unavailable",
                "romeo@d juliet@d unsubscribed",
            ],
        ),
    ] {
        let mut rig = Rig::new();
        rig.set_state("romeo@d", "juliet@d", state);
        rig.set_state("juliet@d", "romeo@d", mirrored);
        let romeo = rig.login_interested("romeo@d/r");
        let juliet = rig.login_interested("juliet@d/b");
        rig.clear();
        rig.send(romeo, &set("<item jid='juliet@d' subscription='remove'/>"));
        let received = rig.received(romeo);
        assert!(
            received[0].contains("<item jid='juliet@d' subscription='remove'/>"),
            "{state:?} {received:?}"
        );
        let shown: Vec<_> = rig.received(juliet).into_iter().filter(|s| s.starts_with("<presence")).collect();
        assert_eq!(summaries(&shown), told, "{state:?}");
        assert_eq!(rig.state("romeo@d", "juliet@d"), Subscription::None);
        assert_eq!(rig.state("juliet@d", "romeo@d"), Subscription::None);
        rig.send(romeo, GET);
        let roster = rig.received(romeo).pop().unwrap();
        assert!(roster.ends_with("'></query></iq>"), "{state:?} {roster}");
    }
}

#[test]
fn remove_withdraws_a_request_and_refuses_one() {
    let mut rig = Rig::new();
    let romeo = rig.login_interested("romeo@d/r");
    let juliet = rig.login("juliet@d/b");
    rig.send(romeo, "<presence type='subscribe' to='juliet@d'/>");
    rig.send(juliet, "<presence type='subscribe' to='romeo@d'/>");
    assert_eq!(rig.state("romeo@d", "juliet@d"), Subscription::NonePendingOutIn);
    rig.send(romeo, &set("<item jid='juliet@d' subscription='remove'/>"));
    assert_eq!(rig.state("romeo@d", "juliet@d"), Subscription::None);
    assert_eq!(rig.state("juliet@d", "romeo@d"), Subscription::None);
}

/// ANCHORS: at most 64 bytes for each contact, so no second copy of an address.
#[test]
fn provisioned_rosters_share_addresses() {
    let mut rig = Rig::new();
    let (a, b, mine) = ("a@d", "b@d", [("romeo@d", Subscription::Both), ("b@d", Subscription::Both)]);
    rig.add_accounts(&[("a", &mine), ("b", &[("a@d", Subscription::Both)])]);
    let shard = &rig.world.shard;
    let account = |jid: &str| shard.account(shard.find(jid).unwrap());
    for (owner, contact) in [(a, "romeo@d"), (a, b), (b, a)] {
        let item = account(owner).roster().items().find(|i| i.jid().as_str() == contact).unwrap();
        assert!(std::ptr::eq(item.jid().as_str(), account(contact).jid().as_str()), "{owner}, {contact}");
    }
}

/// The whole of it is one answer.
#[test]
fn the_bytes_of_a_roster_are_limited() {
    let mut rig = Rig::new();
    let romeo = rig.connect("romeo@d/r");
    let mut change = |item: &str| {
        rig.send(romeo, &set(item));
        let answer = rig.one(romeo);
        assert!(
            attr(&answer, "type").as_deref() == Some("result") || is_error(&answer, "resource-constraint")
        );
        attr(&answer, "type").as_deref() == Some("result")
    };
    let groups: String = (0..ROSTER_GROUPS_MAX).map(|n| format!("<group>{n:01000}</group>")).collect();
    let large = |n: usize| format!("<item jid='u{n}@x'>{groups}</item>");
    let fit = (0..1_000).take_while(|n| change(&large(*n))).count();
    assert!(
        (ROSTER_BYTES_MAX - 40_000..ROSTER_BYTES_MAX).contains(&(fit * ROSTER_GROUPS_MAX * 1_015)),
        "{fit}"
    );
    assert!(!change(&large(fit)), "still not");
    assert!(change("<item jid='small@x'/>"), "what fits");
    assert!(change(&large(0)), "what is there already");
    assert!(change("<item jid='u0@x'/>"), "less");
    assert!(change(&large(fit)), "there is room again");
}
