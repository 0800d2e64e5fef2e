//! RFC 6121 §3 as clients see it: the handshake, its order, and every state from both sides.

use super::rig::{Rig, attr, is_error, summaries, summary};
use crate::limits::{SUBSCRIBE_REQUEST_BYTES_PER_ACCOUNT_MAX, SUBSCRIBE_REQUESTS_PER_ACCOUNT_MAX};
use crate::router::{Subscription, SubscriptionChange};

/// Address and type of each stanza; roster pushes as the item's state.
fn story(stanzas: &[String]) -> Vec<String> {
    let word = |stanza: &String| {
        if !stanza.starts_with("<iq") {
            return format!("{} {}", attr(stanza, "from").unwrap(), attr(stanza, "type").unwrap_or_default());
        }
        let item = &stanza[stanza.find("<item").unwrap()..];
        let item = &item[..item.find('>').unwrap()];
        let state = item.split("subscription='").nth(1).unwrap().split('\'').next().unwrap();
        format!("push {state}{}", if item.contains("ask='subscribe'") { " ask" } else { "" })
    };
    stanzas.iter().map(word).collect()
}

#[test]
fn the_whole_handshake() {
    let mut rig = Rig::new();
    let romeo = rig.login_interested("romeo@d/r");
    let juliet = rig.login_interested("juliet@d/b");
    rig.send(romeo, "<presence id='1' type='subscribe' to='juliet@d'><status>hi</status></presence>");
    assert_eq!(story(&rig.received(romeo)), ["push none ask"]);
    assert_eq!(
        rig.one(juliet),
        "<presence from='romeo@d' id='1' type='subscribe' to='juliet@d'><status>hi</status></presence>"
    );
    rig.send(juliet, "<presence id='2' type='subscribed' to='romeo@d'/>");
    assert_eq!(story(&rig.received(juliet)), ["push from"]);
    assert_eq!(story(&rig.received(romeo)), ["juliet@d subscribed", "push to", "juliet@d/b "]);
    rig.send(juliet, "<presence type='subscribe' to='romeo@d/r'/>");
    let request = rig.received(romeo);
    assert_eq!(summaries(&request), ["juliet@d romeo@d subscribe"], "the resource is cut off (§3.1.2)");
    rig.clear();
    rig.send(romeo, "<presence type='subscribed' to='juliet@d'/>");
    assert_eq!(story(&rig.received(romeo)), ["push both"]);
    assert_eq!(story(&rig.received(juliet)), ["romeo@d subscribed", "push both", "romeo@d/r "]);

    rig.send(romeo, "<presence type='unsubscribe' to='juliet@d'/>");
    let expected = ["push from", "juliet@d/b unavailable"];
    assert_eq!(story(&rig.received(romeo)), expected, "juliet's automatic answer changes nothing any more");
    assert_eq!(story(&rig.received(juliet)), ["romeo@d unsubscribe", "push to"]);
    rig.send(romeo, "<presence type='unsubscribed' to='juliet@d'/>");
    assert_eq!(story(&rig.received(romeo)), ["push none"]);
    let expected = ["romeo@d/r unavailable", "romeo@d unsubscribed", "push none"];
    assert_eq!(story(&rig.received(juliet)), expected, "§3.2.2: unavailable comes first");
}

#[test]
fn a_request_waits_until_it_is_answered() {
    let mut rig = Rig::new();
    let romeo = rig.login("romeo@d/r");
    rig.send(romeo, "<presence id='1' type='subscribe' to='juliet@d'><x xmlns='u'>kept</x></presence>");
    rig.send(romeo, "<presence id='2' type='subscribe' to='juliet@d'/>");
    assert_eq!(rig.state("juliet@d", "romeo@d"), Subscription::NonePendingIn);
    for n in 0..2 {
        let juliet = rig.connect(&format!("juliet@d/{n}"));
        rig.clear();
        rig.send(juliet, "<presence/>");
        let requests: Vec<_> = rig.received(juliet).into_iter().filter(|s| s.contains("subscribe")).collect();
        assert_eq!(requests.len(), 1, "one, and complete: {requests:?}");
        assert!(requests[0].contains("<x xmlns='u'>kept</x>"));
    }
    let juliet = rig.login("juliet@d/last");
    rig.send(juliet, "<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
    assert!(rig.one(juliet).contains("-0'></query>"), "a request is no item (A.1)");
    rig.send(juliet, "<presence type='unsubscribed' to='romeo@d'/>");
    rig.nothing(juliet);
    assert_eq!(rig.state("juliet@d", "romeo@d"), Subscription::None);
    assert_eq!(rig.state("romeo@d", "juliet@d"), Subscription::None);
    let again = rig.connect("juliet@d/again");
    rig.clear();
    rig.send(again, "<presence/>");
    assert!(!rig.received(again).iter().any(|s| s.contains("subscribe")));
}

#[test]
fn one_who_is_subscribed_is_answered_at_once() {
    let mut rig = Rig::new();
    // The two rosters disagree: Juliet grants what Romeo does not know he has.
    rig.set_state("juliet@d", "romeo@d", Subscription::From);
    let romeo = rig.login_interested("romeo@d/r");
    let juliet = rig.login_interested("juliet@d/b");
    rig.clear();
    rig.send(romeo, "<presence id='1' type='subscribe' to='juliet@d'/>");
    let received = rig.received(romeo);
    assert_eq!(story(&received), ["push none ask", "juliet@d subscribed", "push to", "juliet@d/b "]);
    assert_eq!(attr(&received[1], "id").as_deref(), Some("1"));
    rig.nothing(juliet);
}

#[test]
fn who_is_told_is_interested_or_available_or_both() {
    let mut rig = Rig::new();
    let romeo = rig.login("romeo@d/r");
    let available = rig.login("juliet@d/available");
    let interested = rig.connect("juliet@d/interested");
    rig.send(interested, "<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
    rig.clear();
    rig.send(romeo, "<presence type='subscribe' to='juliet@d'/>");
    assert_eq!(summary(&rig.one(available)), "romeo@d juliet@d subscribe");
    rig.nothing(interested);
    rig.send(available, "<presence type='subscribed' to='romeo@d'/>");
    assert_eq!(story(&rig.received(interested)), ["push from"]);
    rig.nothing(available);
    rig.send(romeo, "<presence type='unsubscribe' to='juliet@d'/>");
    assert_eq!(story(&rig.received(interested)), ["romeo@d unsubscribe", "push none"]);
    rig.nothing(available);
}

/// Brings Romeo and Juliet into a pair of states that fit each other, by their own stanzas.
fn reach(state: Subscription) -> (Rig, usize, usize) {
    let mut rig = Rig::new();
    let (romeo, juliet) = (rig.login_interested("romeo@d/r"), rig.login_interested("juliet@d/b"));
    let ask =
        |rig: &mut Rig, who, to: &str| rig.send(who, &format!("<presence type='subscribe' to='{to}'/>"));
    let grant =
        |rig: &mut Rig, who, to: &str| rig.send(who, &format!("<presence type='subscribed' to='{to}'/>"));
    if state.is_pending_out() || state.has_to() {
        ask(&mut rig, romeo, "juliet@d");
    }
    if state.has_to() {
        grant(&mut rig, juliet, "romeo@d");
    }
    if state.is_pending_in() || state.has_from() {
        ask(&mut rig, juliet, "romeo@d");
    }
    if state.has_from() {
        grant(&mut rig, romeo, "juliet@d");
    }
    rig.clear();
    assert_eq!(rig.state("romeo@d", "juliet@d"), state);
    (rig, romeo, juliet)
}

/// The state of the other side that fits `state`.
fn mirrored(state: Subscription) -> Subscription {
    match state {
        Subscription::None | Subscription::NonePendingOutIn | Subscription::Both => state,
        Subscription::NonePendingOut => Subscription::NonePendingIn,
        Subscription::NonePendingIn => Subscription::NonePendingOut,
        Subscription::To => Subscription::From,
        Subscription::From => Subscription::To,
        Subscription::ToPendingIn => Subscription::FromPendingOut,
        Subscription::FromPendingOut => Subscription::ToPendingIn,
    }
}

#[test]
fn every_stanza_in_every_state_keeps_both_sides_in_step() {
    for state in Subscription::ALL {
        for change in SubscriptionChange::ALL {
            let (mut rig, romeo, juliet) = reach(state);
            rig.send(romeo, &format!("<presence type='{}' to='juliet@d'/>", change.as_str()));
            let expected = state.outbound(change);
            let told =
                rig.received(juliet).iter().any(|s| attr(s, "type").as_deref() == Some(change.as_str()));
            let inbound = mirrored(state).inbound(change);
            assert_eq!(told, expected.route && inbound.deliver, "{change:?} in {state:?}");
            assert_eq!(rig.state("romeo@d", "juliet@d"), expected.next, "{change:?} in {state:?}");
            assert_eq!(rig.state("juliet@d", "romeo@d"), mirrored(expected.next), "{change:?} in {state:?}");
            let pushed = rig.received(romeo).iter().filter(|s| s.starts_with("<iq")).count();
            let is_approved = change == SubscriptionChange::Subscribed && state.can_be_approved();
            let is_shown = is_approved || state.without_pending_in() != expected.next.without_pending_in();
            assert_eq!(pushed, usize::from(is_shown), "{change:?} in {state:?}");
        }
    }
}

#[test]
fn presence_follows_the_subscription() {
    for state in Subscription::ALL {
        let (mut rig, romeo, juliet) = reach(state);
        rig.send(romeo, "<presence><show>away</show></presence>");
        assert_eq!(rig.received(juliet).len(), usize::from(state.has_from()), "{state:?}");
        rig.clear();
        rig.send(juliet, "<presence><show>away</show></presence>");
        assert_eq!(rig.received(romeo).len(), usize::from(state.has_to()), "{state:?}");
    }
}

#[test]
fn requests_that_lead_nowhere() {
    let mut rig = Rig::new();
    let romeo = rig.login_interested("romeo@d/r");
    rig.send(romeo, "<presence type='subscribe' to='x@elsewhere' id='1'/>");
    let error = rig.one(romeo);
    assert!(is_error(&error, "remote-server-not-found"), "{error}");
    assert_eq!(rig.state("romeo@d", "x@elsewhere"), Subscription::None);
    rig.send(romeo, "<presence type='subscribe' to='@@' id='1'/>");
    assert!(is_error(&rig.one(romeo), "jid-malformed"));
    rig.send(romeo, "<presence type='subscribe' to='d' id='1'/>");
    assert!(is_error(&rig.one(romeo), "service-unavailable"));
    rig.send(romeo, "<presence type='subscribe' to='romeo@d' id='1'/>");
    rig.nothing(romeo);
    // §8.5.1: as with an account that is offline.
    rig.send(romeo, "<presence type='subscribe' to='nobody@d' id='1'/>");
    assert_eq!(story(&rig.received(romeo)), ["push none ask"]);
    rig.send(romeo, "<presence type='unsubscribed' to='nobody@d' id='1'/>");
    rig.nothing(romeo);
}

#[test]
fn giving_up_works_even_when_the_contact_cannot_be_told() {
    let mut rig = Rig::new();
    rig.set_state("romeo@d", "x@elsewhere", Subscription::Both);
    let romeo = rig.login_interested("romeo@d/r");
    rig.send(romeo, "<presence type='unsubscribed' to='x@elsewhere' id='1'/>");
    assert_eq!(rig.state("romeo@d", "x@elsewhere"), Subscription::To);
    let received = rig.received(romeo);
    assert!(received[0].contains("subscription='to'"), "{received:?}");
    assert!(is_error(&received[1], "remote-server-not-found"), "{received:?}");
}

#[test]
fn the_number_of_waiting_requests_is_limited() {
    let mut rig = Rig::new();
    for n in 0..=SUBSCRIBE_REQUESTS_PER_ACCOUNT_MAX {
        rig.add_account(&format!("u{n}"), &[]);
        let user = rig.connect(&format!("u{n}@d/r"));
        rig.send(user, "<presence type='subscribe' to='juliet@d'/>");
    }
    let id = rig.world.shard.find("juliet@d").unwrap();
    assert_eq!(rig.world.shard.account(id).pending().len(), SUBSCRIBE_REQUESTS_PER_ACCOUNT_MAX);
    assert_eq!(rig.world.counters().dropped(crate::router::Dropped::TooManyRequests), 1);
}

/// They are told all at once to whoever comes: a few long ones must not keep the user from coming.
#[test]
fn the_length_of_waiting_requests_is_limited() {
    let mut rig = Rig::new();
    let status = "x".repeat(15_000);
    let fit = SUBSCRIBE_REQUEST_BYTES_PER_ACCOUNT_MAX / 15_000;
    for n in 0..fit + 3 {
        rig.add_account(&format!("u{n}"), &[]);
        let user = rig.connect(&format!("u{n}@d/r"));
        rig.send(
            user,
            &format!("<presence type='subscribe' to='juliet@d'><status>{status}</status></presence>"),
        );
    }
    let id = rig.world.shard.find("juliet@d").unwrap();
    assert_eq!(rig.world.shard.account(id).pending().len(), fit);
    assert_eq!(rig.world.counters().dropped(crate::router::Dropped::TooManyRequests), 3);
}

#[test]
fn provisioned_requests_wait_as_well() {
    let mut rig = Rig::new();
    rig.add_account(
        "paris",
        &[("juliet@d", Subscription::ToPendingIn), ("romeo@d", Subscription::NonePendingIn)],
    );
    assert_eq!(rig.state("paris@d", "juliet@d"), Subscription::ToPendingIn);
    assert_eq!(rig.state("paris@d", "romeo@d"), Subscription::NonePendingIn);
    let paris = rig.connect("paris@d/p");
    rig.set_state("juliet@d", "paris@d", Subscription::From);
    rig.send(paris, "<presence/>");
    let received = summaries(&rig.received(paris));
    assert_eq!(received, ["paris@d/p paris@d -", "juliet@d paris@d subscribe", "romeo@d paris@d subscribe"]);
}
