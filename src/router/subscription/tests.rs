//! Every cell of RFC 6121 Appendix A, written out as in the checklist: one row a stanza, one column a state.

use super::{Subscription, SubscriptionChange};
use crate::stanza::StanzaType;
use Subscription as S;

const COLUMNS: [&str; 9] = ["N", "N+O", "N+I", "N+OI", "T", "T+I", "F", "F+O", "B"];

fn state(name: &str) -> Subscription {
    let column = COLUMNS.iter().position(|c| *c == name).expect("a state's short name");
    Subscription::ALL[column]
}

/// Cells: `route` or `-`, then the next state (`=`: the same).
const OUTBOUND: [(SubscriptionChange, [&str; 9]); 4] = [
    (
        SubscriptionChange::Subscribe,
        [
            "route N+O",
            "route =",
            "route N+OI",
            "route =",
            "route =",
            "route =",
            "route F+O",
            "route =",
            "route =",
        ],
    ),
    (
        SubscriptionChange::Unsubscribe,
        [
            "route =",
            "route N",
            "route =",
            "route N+I",
            "route N",
            "route N+I",
            "route =",
            "route F",
            "route F",
        ],
    ),
    (
        SubscriptionChange::Subscribed,
        ["- =", "- =", "route F", "route F+O", "- =", "route B", "- =", "- =", "- ="],
    ),
    (
        SubscriptionChange::Unsubscribed,
        ["- =", "- =", "route N", "route N+O", "- =", "route T", "route N", "route N+O", "route T"],
    ),
];

/// Cells: `deliver` or `-`, the next state, and the server's own answer if there is one.
const INBOUND: [(SubscriptionChange, [&str; 9]); 4] = [
    (
        SubscriptionChange::Subscribe,
        [
            "deliver N+I",
            "deliver N+OI",
            "- =",
            "- =",
            "deliver T+I",
            "- =",
            "- = subscribed",
            "- = subscribed",
            "- = subscribed",
        ],
    ),
    (
        SubscriptionChange::Unsubscribe,
        [
            "- =",
            "- =",
            "deliver N unsubscribed",
            "deliver N+O unsubscribed",
            "- =",
            "deliver T unsubscribed",
            "deliver N unsubscribed",
            "deliver N+O unsubscribed",
            "deliver T unsubscribed",
        ],
    ),
    (
        SubscriptionChange::Subscribed,
        ["- =", "deliver T", "- =", "deliver T+I", "- =", "- =", "- =", "deliver B", "- ="],
    ),
    (
        SubscriptionChange::Unsubscribed,
        [
            "- =",
            "deliver N",
            "- =",
            "deliver N+I",
            "deliver N",
            "deliver N+I",
            "- =",
            "deliver F",
            "deliver F",
        ],
    ),
];

#[test]
fn outbound_tables_2_to_5() {
    for (change, row) in OUTBOUND {
        for (from, cell) in S::ALL.into_iter().zip(row) {
            let (route, next) = cell.split_once(' ').unwrap();
            let got = from.outbound(change);
            assert_eq!(got.route, route == "route", "{change:?} in {from:?}");
            assert_eq!(got.next, if next == "=" { from } else { state(next) }, "{change:?} in {from:?}");
        }
    }
}

#[test]
fn inbound_tables_6_to_9() {
    for (change, row) in INBOUND {
        for (from, cell) in S::ALL.into_iter().zip(row) {
            let mut words = cell.split(' ');
            let (deliver, next, reply) = (words.next().unwrap(), words.next().unwrap(), words.next());
            let got = from.inbound(change);
            assert_eq!(got.deliver, deliver == "deliver", "{change:?} in {from:?}");
            assert_eq!(got.next, if next == "=" { from } else { state(next) }, "{change:?} in {from:?}");
            assert_eq!(got.reply.map(SubscriptionChange::as_str), reply, "{change:?} in {from:?}");
        }
    }
}

#[test]
fn a_roster_item_shows_subscription_and_ask() {
    let shown = [
        ("none", false),
        ("none", true),
        ("none", false),
        ("none", true),
        ("to", false),
        ("to", false),
        ("from", false),
        ("from", true),
        ("both", false),
    ];
    for (state, (subscription, ask)) in S::ALL.into_iter().zip(shown) {
        assert_eq!((state.as_str(), state.is_pending_out()), (subscription, ask), "{state:?}");
        assert_eq!(state.has_to(), matches!(subscription, "to" | "both"), "{state:?}");
        assert_eq!(state.has_from(), matches!(subscription, "from" | "both"), "{state:?}");
    }
}

#[test]
fn the_request_of_a_contact_is_a_separate_fact() {
    for state in S::ALL {
        assert!(!state.without_pending_in().is_pending_in());
        let again = state.without_pending_in().with_pending_in();
        assert_eq!(again == state, state.is_pending_in() || state.has_from(), "{state:?}");
    }
}

#[test]
fn only_four_types_change_subscriptions() {
    for change in SubscriptionChange::ALL {
        let stanza_type = match change {
            SubscriptionChange::Subscribe => StanzaType::Subscribe,
            SubscriptionChange::Unsubscribe => StanzaType::Unsubscribe,
            SubscriptionChange::Subscribed => StanzaType::Subscribed,
            SubscriptionChange::Unsubscribed => StanzaType::Unsubscribed,
        };
        assert_eq!(SubscriptionChange::of(stanza_type), Some(change));
    }
    for other in [StanzaType::None, StanzaType::Unavailable, StanzaType::Probe, StanzaType::Error] {
        assert_eq!(SubscriptionChange::of(other), None);
    }
}
