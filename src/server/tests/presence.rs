//! RFC 6121 §4 as clients see it.

use super::rig::{Rig, attr, is_error, summaries, summary};
use crate::limits::{DIRECTED_PRESENCE_PER_SESSION_MAX, PRESENCE_BYTES_MAX};
use crate::router::mailbox::Weigh;
use crate::router::{Audience, Parcel, Subscription};
use crate::stanza::{Jid, Stanza};

#[test]
fn initial_presence_reaches_subscribers_and_the_sender() {
    let mut rig = Rig::with_friends();
    let juliet = rig.login("juliet@d/b");
    let silent = rig.connect("juliet@d/silent");
    let nurse = rig.login("nurse@d/n");
    let romeo = rig.connect("romeo@d/r");
    rig.clear();
    rig.send(romeo, "<presence id='p'><show>away</show></presence>");
    let to =
        |bare: &str| format!("<presence from='romeo@d/r' to='{bare}' id='p'><show>away</show></presence>");
    assert_eq!(rig.one(juliet), to("juliet@d"));
    let got = rig.received(romeo);
    assert_eq!(got[0], to("romeo@d"));
    assert_eq!(summaries(&got[1..]), ["juliet@d/b romeo@d -"], "and what the probes found");
    rig.nothing(silent);
    rig.nothing(nurse);
}

/// A stream asked, and was replaced while the answer was on its way from another home: the new one asks by itself.
#[test]
fn an_answer_to_a_former_stream_of_that_name_is_not_for_who_is_not_available() {
    let mut rig = Rig::with_friends();
    let romeo = rig.connect("romeo@d/r");
    let answer = |rig: &mut Rig| {
        let text = b"<presence from='juliet@d/b'/>";
        let stanza = Stanza::from_own(bytes::Bytes::from_static(text));
        let audience = Audience::Resource(Jid::parse("romeo@d/r").unwrap());
        rig.call(|world, out| world.receive(Parcel { stanza, audience }, out));
    };
    answer(&mut rig);
    rig.nothing(romeo);
    rig.send(romeo, "<presence/>");
    rig.clear();
    answer(&mut rig);
    assert_eq!(summary(&rig.one(romeo)), "juliet@d/b romeo@d -");
}

#[test]
fn later_presence_is_broadcast_without_probes() {
    let mut rig = Rig::with_friends();
    let juliet = rig.login("juliet@d/b");
    let romeo = rig.login("romeo@d/r");
    rig.clear();
    rig.send(romeo, "<presence><show>dnd</show></presence>");
    assert_eq!(summary(&rig.one(romeo)), "romeo@d/r romeo@d -");
    assert_eq!(summary(&rig.one(juliet)), "romeo@d/r juliet@d -");
}

#[test]
fn resources_of_one_account_see_each_other() {
    let mut rig = Rig::new();
    let a = rig.login("romeo@d/a");
    let b = rig.connect("romeo@d/b");
    rig.send(b, "<presence/>");
    assert_eq!(summary(&rig.one(a)), "romeo@d/b romeo@d -");
    assert_eq!(summaries(&rig.received(b)), ["romeo@d/b romeo@d -", "romeo@d/a romeo@d -"]);
    rig.send(b, "<presence type='unavailable'/>");
    assert_eq!(summary(&rig.one(a)), "romeo@d/b romeo@d unavailable");
    assert_eq!(summary(&rig.one(b)), "romeo@d/b romeo@d unavailable", "§4.5.2: the sender too");
    // §4.5.2: what follows is initial presence again.
    rig.send(b, "<presence/>");
    assert_eq!(rig.received(b).len(), 2);
}

#[test]
fn one_way_subscriptions() {
    let mut rig = Rig::new();
    rig.set_state("romeo@d", "juliet@d", Subscription::From);
    rig.set_state("juliet@d", "romeo@d", Subscription::To);
    let juliet = rig.login("juliet@d/b");
    let romeo = rig.connect("romeo@d/r");
    rig.send(romeo, "<presence/>");
    assert_eq!(summary(&rig.one(juliet)), "romeo@d/r juliet@d -");
    assert_eq!(summaries(&rig.received(romeo)), ["romeo@d/r romeo@d -"]);
    rig.send(juliet, "<presence/>");
    rig.nothing(romeo);
}

#[test]
fn priorities() {
    let mut rig = Rig::new();
    let romeo = rig.login("romeo@d/r");
    for good in ["-128", "127", " 0 ", "+5"] {
        rig.send(romeo, &format!("<presence><priority>{good}</priority></presence>"));
        assert_eq!(summary(&rig.one(romeo)), "romeo@d/r romeo@d -", "{good}");
    }
    for bad in ["", "-129", "128", "x", "1<a xmlns='u'/>", "1</priority><priority>2"] {
        rig.send(romeo, &format!("<presence id='1'><priority>{bad}</priority></presence>"));
        assert!(is_error(&rig.one(romeo), "bad-request"), "{bad}");
    }
    rig.send(romeo, "<presence><priority xmlns='u'>x</priority><status>priority</status></presence>");
    assert_eq!(summary(&rig.one(romeo)), "romeo@d/r romeo@d -");
}

#[test]
fn a_probe_finds_the_last_full_presence() {
    let mut rig = Rig::with_friends();
    let romeo = rig.login("romeo@d/r");
    let juliet = rig.login("juliet@d/b");
    rig.send(juliet, "<presence id='mine'><show>xa</show></presence>");
    rig.clear();
    rig.send(romeo, "<presence type='probe' to='juliet@d' id='probe'/>");
    assert_eq!(
        rig.one(romeo),
        "<presence to='romeo@d' from='juliet@d/b' id='mine'><show>xa</show></presence>"
    );
    rig.send(romeo, "<presence type='probe' to='juliet@d/b' id='probe'/>");
    assert_eq!(rig.one(romeo), "<presence from='juliet@d/b' to='romeo@d'/>", "mere availability");
    rig.send(romeo, "<presence type='probe' to='juliet@d/x' id='probe'/>");
    assert_eq!(rig.one(romeo), "<presence from='juliet@d/x' to='romeo@d' id='probe' type='unavailable'/>");
    rig.close(juliet);
    rig.clear();
    rig.send(romeo, "<presence type='probe' to='juliet@d' id='probe'/>");
    let since = "<delay xmlns='urn:xmpp:delay' from='d' stamp='2026-11-21T18:20:00Z'/>";
    let absent =
        format!("<presence from='juliet@d' to='romeo@d' id='probe' type='unavailable'>{since}</presence>");
    assert_eq!(rig.one(romeo), absent);
    rig.nothing(juliet);
}

#[test]
fn a_strangers_probe_learns_nothing() {
    let mut rig = Rig::new();
    let nurse = rig.login("nurse@d/n");
    let juliet = rig.login("juliet@d/b");
    rig.clear();
    // The server's `unsubscribed` changes nothing for one who has no subscription, so it is not shown.
    for to in ["juliet@d", "juliet@d/b", "nobody@d"] {
        rig.send(nurse, &format!("<presence type='probe' to='{to}' id='1'/>"));
        rig.nothing(nurse);
    }
    rig.nothing(juliet);
}

#[test]
fn a_probe_ends_a_subscription_that_the_contact_does_not_know_of() {
    let mut rig = Rig::new();
    rig.set_state("romeo@d", "juliet@d", Subscription::To);
    rig.set_state("romeo@d", "nobody@d", Subscription::Both);
    let romeo = rig.connect("romeo@d/r");
    rig.send(romeo, "<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
    rig.clear();
    rig.send(romeo, "<presence/>");
    let types: Vec<_> = rig.received(romeo).iter().filter_map(|s| attr(s, "type")).collect();
    assert_eq!(types, ["unsubscribed", "set", "unsubscribed", "set"]);
    assert_eq!(rig.state("romeo@d", "juliet@d"), Subscription::None);
    assert_eq!(rig.state("romeo@d", "nobody@d"), Subscription::From);
}

#[test]
fn directed_presence_is_followed_by_unavailable() {
    for end in ["explicit", "closed"] {
        let mut rig = Rig::new();
        let romeo = rig.login("romeo@d/r");
        let nurse = rig.login("nurse@d/n");
        let other = rig.login("nurse@d/other");
        rig.send(romeo, "<presence to='nurse@d/n'><status>hi</status></presence>");
        assert_eq!(
            rig.one(nurse),
            "<presence from='romeo@d/r' to='nurse@d/n'><status>hi</status></presence>"
        );
        rig.send(romeo, "<presence><show>away</show></presence>");
        rig.nothing(nurse);
        match end {
            "explicit" => rig.send(romeo, "<presence type='unavailable'/>"),
            _ => rig.close(romeo),
        }
        assert_eq!(summary(&rig.one(nurse)), "romeo@d/r nurse@d/n unavailable", "{end}");
        rig.nothing(other);
    }
}

#[test]
fn directed_presence_without_a_presence_session() {
    let mut rig = Rig::with_friends();
    let romeo = rig.connect("romeo@d/r");
    let juliet = rig.login("juliet@d/b");
    rig.send(romeo, "<presence to='juliet@d'/>");
    assert_eq!(summary(&rig.one(juliet)), "romeo@d/r juliet@d -");
    rig.send(juliet, "<message to='romeo@d' type='headline'/>");
    rig.nothing(romeo);
    rig.nothing(juliet);
    rig.close(romeo);
    assert_eq!(summary(&rig.one(juliet)), "romeo@d/r juliet@d unavailable");
}

#[test]
fn a_subscriber_with_directed_presence_hears_of_the_end_once() {
    let mut rig = Rig::with_friends();
    let juliet = rig.login("juliet@d/b");
    let romeo = rig.login("romeo@d/r");
    rig.send(romeo, "<presence to='juliet@d/b'/>");
    rig.send(romeo, "<presence to='juliet@d'/>");
    rig.clear();
    rig.close(romeo);
    assert_eq!(summaries(&rig.received(juliet)), ["romeo@d/r juliet@d unavailable"]);
}

#[test]
fn a_connected_resource_with_directed_presence_hears_of_the_end() {
    let mut rig = Rig::with_friends();
    let silent = rig.connect("juliet@d/silent");
    let romeo = rig.login("romeo@d/r");
    rig.send(romeo, "<presence to='juliet@d/silent'/>");
    rig.close(romeo);
    let received = rig.received(silent);
    assert_eq!(
        summaries(&received),
        ["romeo@d/r juliet@d/silent -", "romeo@d/r juliet@d/silent unavailable"]
    );
}

#[test]
fn directed_presence_is_forgotten() {
    let mut rig = Rig::new();
    let romeo = rig.login("romeo@d/r");
    let nurse = rig.login("nurse@d/n");
    // By directed unavailable.
    rig.send(romeo, "<presence to='nurse@d/n'/>");
    rig.send(romeo, "<presence to='nurse@d/n' type='unavailable'/>");
    assert_eq!(rig.received(nurse).len(), 2);
    rig.close(romeo);
    rig.nothing(nurse);
    // By the target's own end (§4.6.1).
    let romeo = rig.login("romeo@d/r");
    rig.send(romeo, "<presence to='nurse@d/n'/>");
    rig.send(nurse, "<presence to='romeo@d'/>");
    rig.send(nurse, "<presence type='unavailable'/>");
    rig.clear();
    rig.close(romeo);
    rig.nothing(nurse);
}

#[test]
fn a_probe_that_finds_nobody_ends_no_directed_presence() {
    let mut rig = Rig::with_friends();
    let romeo = rig.login("romeo@d/r");
    // Connected, not available: it has not gone, though a probe does not find it.
    let juliet = rig.connect("juliet@d/j");
    for (target, probed) in [("juliet@d/j", "juliet@d"), ("juliet@d/j", "juliet@d/j")] {
        rig.send(romeo, &format!("<presence to='{target}'/>"));
        rig.clear();
        rig.send(romeo, &format!("<presence type='probe' to='{probed}' id='1'/>"));
        let answer = format!("<presence from='{probed}' to='romeo@d' id='1' type='unavailable'/>");
        assert_eq!(rig.one(romeo), answer, "{probed}");
        rig.send(romeo, "<presence type='unavailable'/>");
        assert_eq!(rig.one(juliet), format!("<presence from='romeo@d/r' to='{target}' type='unavailable'/>"));
        rig.send(romeo, "<presence/>");
    }
}

#[test]
fn the_end_of_one_resource_is_no_end_of_its_account() {
    let mut rig = Rig::with_friends();
    rig.set_state("juliet@d", "romeo@d", Subscription::From);
    rig.set_state("romeo@d", "juliet@d", Subscription::To);
    let romeo = rig.login("romeo@d/r");
    let gone = rig.login("juliet@d/gone");
    let stays = rig.login("juliet@d/stays");
    rig.send(romeo, "<presence to='juliet@d'/>");
    rig.send(gone, "<presence type='unavailable'/>");
    rig.clear();
    rig.close(romeo);
    assert_eq!(rig.one(stays), "<presence from='romeo@d/r' to='juliet@d' type='unavailable'/>");
}

#[test]
fn unavailable_to_one_resource_is_no_end_for_the_others() {
    let mut rig = Rig::new();
    let romeo = rig.login("romeo@d/r");
    let second = rig.login("romeo@d/second");
    let nurse = rig.login("nurse@d/n");
    for who in [romeo, second] {
        rig.send(who, "<presence to='nurse@d/n'/>");
    }
    rig.send(nurse, "<presence to='romeo@d/second' type='unavailable'/>");
    rig.clear();
    rig.close(second);
    rig.nothing(nurse);
    rig.close(romeo);
    assert_eq!(rig.one(nurse), "<presence from='romeo@d/r' to='nurse@d/n' type='unavailable'/>");
}

#[test]
fn a_probe_by_one_with_directed_presence_learns_of_that_resource() {
    let mut rig = Rig::new();
    let romeo = rig.login("romeo@d/r");
    let second = rig.login("romeo@d/second");
    let nurse = rig.login("nurse@d/n");
    rig.send(romeo, "<presence to='nurse@d/n'><show>dnd</show></presence>");
    rig.clear();
    for to in ["romeo@d", "romeo@d/r"] {
        rig.send(nurse, &format!("<presence type='probe' to='{to}' id='1'/>"));
        assert_eq!(rig.one(nurse), "<presence from='romeo@d/r' to='nurse@d'/>", "{to}");
    }
    rig.send(nurse, "<presence type='probe' to='romeo@d/second'/>");
    rig.nothing(nurse);
    rig.nothing(second);
}

#[test]
fn presence_for_nobody_is_ignored() {
    let mut rig = Rig::new();
    let romeo = rig.login("romeo@d/r");
    for text in [
        "<presence to='nobody@d'/>",
        "<presence to='nobody@d' type='unavailable'/>",
        "<presence to='juliet@d'/>",
        "<presence to='juliet@d/x'/>",
        "<presence type='probe'/>",
        "<presence type='error'/>",
    ] {
        rig.send(romeo, text);
        rig.nothing(romeo);
    }
}

/// The status of the last presence of all is in memory once, not once for each target.
#[test]
fn the_end_of_directed_presence_is_shared_by_its_targets() {
    let mut rig = Rig::new();
    let romeo = rig.login("romeo@d/r");
    let nurse = rig.login("nurse@d/n");
    let targets: Vec<Jid> = (0..1_000).map(|n| Jid::parse(&format!("nurse@d/{n}")).unwrap()).collect();
    let status = "x".repeat(10_000);
    let text = format!("<presence from='romeo@d/r' type='unavailable'><status>{status}</status></presence>");
    rig.call(|world, out| {
        world.end_directed(&Stanza::from_own(text.into()), &targets, None);
        let bytes: usize = world.parcels.iter().map(Weigh::weight_bytes).sum();
        assert!(bytes < 200_000, "{bytes}");
        world.settle(out);
    });
    for to in ["nurse@d", "nurse@d/n"] {
        rig.send(romeo, &format!("<presence to='{to}'/>"));
    }
    rig.clear();
    rig.send(romeo, "<presence type='unavailable' id='last'/>");
    let expected = ["romeo@d/r nurse@d unavailable", "romeo@d/r nurse@d/n unavailable"];
    assert_eq!(summaries(&rig.received(nurse)), expected);
}

/// Whoever comes is told all of it at once.
#[test]
fn presence_that_is_kept_is_not_very_long() {
    let mut rig = Rig::with_friends();
    let (romeo, juliet) = (rig.login("romeo@d/r"), rig.login("juliet@d/b"));
    rig.clear();
    let of_length = |head: &str, length: usize| {
        let frame = format!("<presence {head}><status></status></presence>").len();
        format!("<presence {head}><status>{}</status></presence>", "x".repeat(length - frame))
    };
    for head in ["id='p'", "id='p' to='nurse@d' type='subscribe'"] {
        rig.send(romeo, &of_length(head, PRESENCE_BYTES_MAX + 1));
        assert!(is_error(&rig.one(romeo), "policy-violation"), "{head}");
        rig.nothing(juliet);
    }
    rig.send(romeo, &of_length("id='p'", PRESENCE_BYTES_MAX));
    rig.one(juliet);
    for head in ["id='p' to='juliet@d'", "id='p' type='unavailable'"] {
        rig.send(romeo, &of_length(head, PRESENCE_BYTES_MAX + 1));
        assert_eq!(attr(&rig.one(juliet), "id").as_deref(), Some("p"), "{head}: nothing is kept of it");
    }
}

#[test]
fn at_the_limit_of_targets_those_that_are_known_go_on() {
    let mut rig = Rig::new();
    let (romeo, nurse) = (rig.login("romeo@d/r"), rig.login("nurse@d/n"));
    rig.send(romeo, "<presence to='nurse@d/n'/>");
    for n in 1..DIRECTED_PRESENCE_PER_SESSION_MAX {
        rig.send(romeo, &format!("<presence to='nurse@d/{n}'/>"));
    }
    rig.clear();
    rig.send(romeo, "<presence to='nurse@d/more'/>");
    assert!(is_error(&rig.one(romeo), "resource-constraint"));
    rig.send(romeo, "<presence to='nurse@d/n'><show>away</show></presence>");
    rig.nothing(romeo);
    assert!(rig.one(nurse).contains("away"));
    rig.send(romeo, "<presence to='nurse@d/1' type='unavailable'/>");
    rig.send(romeo, "<presence to='nurse@d/more'/>");
    rig.nothing(romeo);
}
