//! RFC 6121 Appendix A: the nine subscription states, and each of eight stanzas in each of them.
//!
//! Two accounts of one server are brought into a state with stanzas alone. Their states mirror each other, and so what one
//! sends in its state arrives at the other in the mirrored one: an outbound cell looks at the sender's roster, an inbound
//! cell at what the recipient's resource gets and at its roster. Where the sender's server does not route, as tables 4 and
//! 5 demand, the inbound cell is that nothing comes.

use super::client::{Client, settle};
use super::element::Element;
use super::target::{User, users};

/// A state of one account towards another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    None,
    NoneOut,
    NoneIn,
    NoneOutIn,
    To,
    ToIn,
    From,
    FromOut,
    Both,
}

use State::{Both, From, FromOut, None, NoneIn, NoneOut, NoneOutIn, To, ToIn};

const STATES: [State; 9] = [None, NoneOut, NoneIn, NoneOutIn, To, ToIn, From, FromOut, Both];

impl State {
    /// The other account's state.
    fn mirrored(self) -> Self {
        match self {
            NoneOut => NoneIn,
            NoneIn => NoneOut,
            To => From,
            ToIn => FromOut,
            From => To,
            FromOut => ToIn,
            None | NoneOutIn | Both => self,
        }
    }

    /// `subscription` and `ask` of a roster item, and whether a request waits.
    fn shown(self) -> (&'static str, &'static str, bool) {
        match self {
            None => ("none", "", false),
            NoneOut => ("none", "subscribe", false),
            NoneIn => ("none", "", true),
            NoneOutIn => ("none", "subscribe", true),
            To => ("to", "", false),
            ToIn => ("to", "", true),
            From => ("from", "", false),
            FromOut => ("from", "subscribe", false),
            Both => ("both", "", false),
        }
    }
}

/// Tables 2 to 5: the sender's state afterwards.
const OUTBOUND: [(&str, [State; 9]); 4] = [
    ("subscribe", [NoneOut, NoneOut, NoneOutIn, NoneOutIn, To, ToIn, FromOut, FromOut, Both]),
    ("unsubscribe", [None, None, NoneIn, NoneIn, None, NoneIn, From, From, From]),
    ("subscribed", [None, NoneOut, From, FromOut, To, Both, From, FromOut, Both]),
    ("unsubscribed", [None, NoneOut, None, NoneOut, To, To, None, NoneOut, To]),
];

/// Tables 6 to 9: whether the recipient gets the stanza, and its state afterwards. Where the text has a change that the
/// server makes by itself (an automatic answer), it is the one without.
const INBOUND: [(&str, [(bool, State); 9]); 4] = [
    (
        "subscribe",
        [
            (true, NoneIn),
            (true, NoneOutIn),
            (false, NoneIn),
            (false, NoneOutIn),
            (true, ToIn),
            (false, ToIn),
            (false, From),
            (false, FromOut),
            (false, Both),
        ],
    ),
    (
        "unsubscribe",
        [
            (false, None),
            (false, NoneOut),
            (true, None),
            (true, NoneOut),
            (false, To),
            (true, To),
            (true, None),
            (true, NoneOut),
            (true, To),
        ],
    ),
    (
        "subscribed",
        [
            (false, None),
            (true, To),
            (false, NoneIn),
            (true, ToIn),
            (false, To),
            (false, ToIn),
            (false, From),
            (true, Both),
            (false, Both),
        ],
    ),
    (
        "unsubscribed",
        [
            (false, None),
            (true, None),
            (false, NoneIn),
            (true, NoneIn),
            (true, None),
            (true, NoneIn),
            (false, From),
            (true, From),
            (true, From),
        ],
    ),
];

macro_rules! cells {
    ($($name:ident: $check:ident $change:literal;)*) => { $(
        mod $name {
            use super::*;
            cells!(@ $check $change: none None, none_out NoneOut, none_in NoneIn, none_out_in NoneOutIn, to To,
                   to_in ToIn, from From, from_out FromOut, both Both);
        }
    )* };
    (@ $check:ident $change:literal: $($test:ident $state:ident),*) => {
        $(#[test]
        fn $test() {
            $check($change, State::$state);
        })*
    };
}

cells! {
    out_subscribe: outbound "subscribe";
    out_unsubscribe: outbound "unsubscribe";
    out_subscribed: outbound "subscribed";
    out_unsubscribed: outbound "unsubscribed";
    in_subscribe: inbound "subscribe";
    in_unsubscribe: inbound "unsubscribe";
    in_subscribed: inbound "subscribed";
    in_unsubscribed: inbound "unsubscribed";
}

/// Two accounts that know each other: resources that are available and follow their rosters.
struct Pair {
    romeo: User,
    juliet: User,
    /// Romeo's resource.
    r: Client,
    /// Juliet's.
    j: Client,
}

impl Pair {
    /// Romeo is in this state towards Juliet, and nothing waits to be read.
    fn new(state: State) -> Self {
        let [romeo, juliet] = users();
        let (r, j) = (Client::interested(&romeo, "orchard"), Client::interested(&juliet, "balcony"));
        let mut pair = Self { romeo, juliet, r, j };
        let (subscription, ask, is_asked) = state.shown();
        if matches!(subscription, "to" | "both") {
            pair.romeo_says("subscribe");
            pair.juliet_says("subscribed");
        }
        if matches!(subscription, "from" | "both") {
            pair.juliet_says("subscribe");
            pair.romeo_says("subscribed");
        }
        if ask == "subscribe" {
            pair.romeo_says("subscribe");
        }
        if is_asked {
            pair.juliet_says("subscribe");
        }
        pair.r.forget();
        pair.j.forget();
        pair
    }

    fn romeo_says(&mut self, change: &str) {
        self.r.send(&format!("<presence type='{change}' to='{}'/>", self.juliet.jid));
        settle(&mut self.r, &mut self.j);
    }

    fn juliet_says(&mut self, change: &str) {
        self.j.send(&format!("<presence type='{change}' to='{}'/>", self.romeo.jid));
        settle(&mut self.j, &mut self.r);
    }
}

/// Romeo sends in his state, and his own roster and Juliet's are as tables 2 to 5 have it.
fn outbound(change: &str, state: State) {
    let mut pair = Pair::new(state);
    pair.romeo_says(change);
    let wanted = look_up(&OUTBOUND, change)[index(state)];
    let stray: Vec<_> = pair.r.drain().into_iter().filter(|e| is_change(e) || e.kind() == "error").collect();
    assert!(stray.is_empty(), "who says {change} in {state:?} is told nothing: {stray:?}");
    assert_eq!(seen(&pair.romeo, &pair.juliet), wanted.shown(), "{state:?}, outbound {change}");
    let other = wanted.mirrored().shown();
    assert_eq!(seen(&pair.juliet, &pair.romeo), other, "{state:?}, outbound {change}, at the contact");
}

/// Juliet sends, and Romeo in his state gets it and has a new state as tables 6 to 9 have it.
fn inbound(change: &str, state: State) {
    let mut pair = Pair::new(state);
    pair.juliet_says(change);
    let (is_delivered, wanted) = look_up(&INBOUND, change)[index(state)];
    let got: Vec<_> = pair.r.drain().into_iter().filter(is_change).collect();
    let kinds: Vec<_> = got.iter().map(Element::kind).collect();
    let allowed: &[&str] = if is_delivered { &[change] } else { &[] };
    assert_eq!(kinds, allowed, "{state:?}, inbound {change}");
    assert!(got.iter().all(|stanza| stanza.from() == pair.juliet.jid), "{got:?}");
    assert_eq!(seen(&pair.romeo, &pair.juliet), wanted.shown(), "{state:?}, inbound {change}");
    let other = wanted.mirrored().shown();
    assert_eq!(seen(&pair.juliet, &pair.romeo), other, "{state:?}, inbound {change}, at the contact");
}

fn look_up<T>(table: &'static [(&str, T); 4], change: &str) -> &'static T {
    &table.iter().find(|(name, _)| *name == change).unwrap().1
}

fn index(state: State) -> usize {
    STATES.iter().position(|s| *s == state).unwrap()
}

fn is_change(stanza: &Element) -> bool {
    stanza.is("presence") && OUTBOUND.iter().any(|(change, _)| *change == stanza.kind())
}

/// What a new resource of `user` sees of its relation to `contact`: its roster's item, and whether a request waits.
fn seen(user: &User, contact: &User) -> (&'static str, &'static str, bool) {
    let mut client = Client::bound(user, "witness");
    let roster = client.roster();
    let items: Vec<_> = roster.children.iter().filter(|item| item.attr("jid") == contact.jid).collect();
    assert!(items.len() <= 1, "one item for each contact: {items:?}");
    let item = |attr| items.first().map_or("", |item| item.attr(attr));
    let known = |word: &str| ["none", "to", "from", "both", "subscribe", ""].into_iter().find(|w| *w == word);
    let subscription = known(item("subscription")).filter(|s| !s.is_empty()).unwrap_or("none");
    let ask = known(item("ask")).expect("`ask` is `subscribe` or missing");
    client.send("<presence/>");
    client.ping();
    let requests = client.drain();
    let is_request = |e: &Element| e.is("presence") && e.kind() == "subscribe" && e.from() == contact.jid;
    (subscription, ask, requests.iter().any(is_request))
}
