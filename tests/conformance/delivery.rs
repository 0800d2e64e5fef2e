//! RFC 6121 §8.5.4: who gets a message, each cell of table 1.
//!
//! Whether several resources are "most available" (M) is the server's affair; a negative one never is.

use super::client::{Client, tell, unique};
use super::element::Element;
use super::target::{User, users};

/// What the recipient's account looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Account {
    Missing,
    /// No resource is there.
    Offline,
    Negative,
    One,
    /// Two non-negative resources, and a negative one that never may get anything for the account.
    Several,
}

/// What the message is addressed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum To {
    Bare,
    Match,
    NoMatch,
}

/// What table 1 allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// S/E
    SilenceOrError,
    /// S
    Silence,
    /// E
    Error,
    /// O/E
    OfflineOrError,
    /// D
    ToMatch,
    /// M: at least one of the non-negative.
    ToMostAvailable,
    /// A: all non-negative.
    ToAll,
}

use Account::{Missing, Negative, Offline, One, Several};
use Outcome::{Error, OfflineOrError, Silence, SilenceOrError, ToAll, ToMatch, ToMostAvailable};
use To::{Bare, Match, NoMatch};

/// One test for each cell of a row.
macro_rules! row {
    ($name:ident: $account:ident $to:ident; $($kind:ident $outcome:ident),*) => {
        mod $name {
            use super::*;
            $(#[test]
            fn $kind() {
                check(Account::$account, To::$to, stringify!($kind), Outcome::$outcome);
            })*
        }
    };
}

row!(missing_bare: Missing Bare;
     normal SilenceOrError, chat SilenceOrError, groupchat Error, headline Silence, error Silence);
row!(missing_full: Missing NoMatch;
     normal SilenceOrError, chat SilenceOrError, groupchat SilenceOrError, headline SilenceOrError, error Silence);
row!(offline_bare: Offline Bare;
     normal OfflineOrError, chat OfflineOrError, groupchat Error, headline Silence, error Silence);
row!(offline_full: Offline NoMatch;
     normal SilenceOrError, chat OfflineOrError, groupchat SilenceOrError, headline SilenceOrError, error Silence);
row!(negative_bare: Negative Bare;
     normal OfflineOrError, chat OfflineOrError, groupchat Error, headline Silence, error Silence);
row!(negative_match: Negative Match;
     normal ToMatch, chat ToMatch, groupchat ToMatch, headline ToMatch, error ToMatch);
row!(negative_no_match: Negative NoMatch;
     normal SilenceOrError, chat OfflineOrError, groupchat SilenceOrError, headline SilenceOrError, error Silence);
row!(one_bare: One Bare;
     normal ToAll, chat ToAll, groupchat Error, headline ToAll, error Silence);
row!(one_match: One Match;
     normal ToMatch, chat ToMatch, groupchat ToMatch, headline ToMatch, error ToMatch);
row!(one_no_match: One NoMatch;
     normal SilenceOrError, chat ToAll, groupchat SilenceOrError, headline SilenceOrError, error Silence);
row!(several_bare: Several Bare;
     normal ToMostAvailable, chat ToMostAvailable, groupchat Error, headline ToAll, error Silence);
row!(several_match: Several Match;
     normal ToMatch, chat ToMatch, groupchat ToMatch, headline ToMatch, error ToMatch);
row!(several_no_match: Several NoMatch;
     normal SilenceOrError, chat ToMostAvailable, groupchat SilenceOrError, headline SilenceOrError, error Silence);

/// Where the copies of one message went.
#[derive(Debug)]
struct Seen {
    /// Priorities of the resources that got it, one entry for each copy.
    copies: Vec<i8>,
    /// Copies that came when the account became available later.
    later: usize,
    /// Condition of the error that the sender got.
    error: Option<String>,
}

/// Priority of the resource that a full address matches, of another non-negative one, and of one that may get nothing.
const MATCH: &str = "match";

fn check(account: Account, to: To, kind: &str, allowed: Outcome) {
    let seen = deliver(account, to, kind);
    let Seen { copies, later, error } = &seen;
    let nobody = copies.is_empty();
    let non_negative = copies.iter().all(|priority| *priority >= 0);
    let is_refused = error.as_deref() == Some("service-unavailable");
    let is_right = match allowed {
        SilenceOrError => nobody && *later == 0 && (error.is_none() || is_refused),
        Silence => nobody && *later == 0 && error.is_none(),
        Error => nobody && *later == 0 && is_refused,
        OfflineOrError => nobody && ((*later == 1 && error.is_none()) || (*later == 0 && is_refused)),
        ToMatch => copies.len() == 1 && *later == 0 && error.is_none() && *copies == matching(account),
        ToMostAvailable => {
            !nobody
                && non_negative
                && copies.contains(&5)
                && is_once(copies)
                && *later == 0
                && error.is_none()
        }
        ToAll => *copies == all_non_negative(account) && *later == 0 && error.is_none(),
    };
    assert!(is_right, "{account:?}, {to:?}, {kind}: {allowed:?}, but {seen:?}");
}

fn is_once(copies: &[i8]) -> bool {
    copies.windows(2).all(|pair| pair[0] < pair[1])
}

/// Priorities of an account's resources, the one that a full address matches first.
fn resources(account: Account) -> &'static [(&'static str, i8)] {
    match account {
        Missing | Offline => &[],
        Negative => &[(MATCH, -1)],
        One => &[(MATCH, 5)],
        Several => &[(MATCH, 1), ("top", 5), ("below", -1)],
    }
}

fn matching(account: Account) -> Vec<i8> {
    resources(account).iter().take(1).map(|(_, priority)| *priority).collect()
}

fn all_non_negative(account: Account) -> Vec<i8> {
    let mut all: Vec<_> =
        resources(account).iter().map(|(_, priority)| *priority).filter(|p| *p >= 0).collect();
    all.sort_unstable();
    all
}

fn deliver(account: Account, to: To, kind: &str) -> Seen {
    let [romeo, juliet] = users();
    let mut sender = Client::online(&romeo, "orchard");
    let online = resources(account).iter();
    let mut recipients: Vec<_> =
        online.map(|(name, priority)| (*priority, Client::online_at(&juliet, name, *priority))).collect();
    let address = address(&juliet, account, to);
    let id = unique("cell");
    sender.send(&format!("<message to='{address}' type='{kind}' id='{id}'>{}</message>", content(kind)));
    let is_copy = |e: &Element| e.is_answer("message", &id);

    // The account's home has decided when it answers what follows, and each resource has its copy before a message to it.
    let bare = address.split('/').next().unwrap().to_owned();
    sender.ping_account(&bare);
    let mut copies = Vec::new();
    for (priority, recipient) in &mut recipients {
        tell(&mut sender, recipient);
        let got = recipient.drain().into_iter().filter(is_copy);
        for copy in got {
            recipient.check(copy.to() == address, "`to` is as the sender wrote it");
            recipient.check(copy.from() == sender.jid, "`from` is the sender's full address");
            copies.push(*priority);
        }
    }
    copies.sort_unstable();
    let answers: Vec<_> = sender.drain().into_iter().filter(is_copy).collect();
    assert!(answers.len() <= 1, "more than one answer: {answers:?}");
    let error = answers.first().map(|answer| answer.condition().to_owned());
    for (_, recipient) in recipients {
        recipient.close();
    }
    let later = if account == Missing { 0 } else { later(&mut sender, &juliet, is_copy) };
    Seen { copies, later, error }
}

/// Copies that a new resource finds.
fn later(sender: &mut Client, juliet: &User, is_copy: impl Fn(&Element) -> bool) -> usize {
    let mut recipient = Client::bound(juliet, "later");
    recipient.send("<presence/>");
    recipient.ping();
    tell(sender, &mut recipient);
    recipient.drain().into_iter().filter(is_copy).count()
}

fn address(juliet: &User, account: Account, to: To) -> String {
    let bare = if account == Missing { juliet.jid.replace('@', "-nobody@") } else { juliet.jid.clone() };
    match to {
        Bare => bare,
        Match => format!("{bare}/{MATCH}"),
        NoMatch => format!("{bare}/none"),
    }
}

fn content(kind: &str) -> &'static str {
    if kind == "error" {
        "<body>b</body><error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
    } else {
        "<body>Art thou not Romeo, and a Montague?</body>"
    }
}

#[test]
fn a_message_of_unknown_type_is_normal() {
    let seen = deliver(One, Bare, "pastoral");
    assert_eq!((seen.copies, seen.error), (vec![5], None));
    let seen = deliver(One, NoMatch, "pastoral");
    assert!(seen.copies.is_empty() && seen.error.is_none_or(|e| e == "service-unavailable"));
}

#[test]
fn a_message_without_type_is_normal() {
    let [romeo, juliet] = users();
    let mut sender = Client::online(&romeo, "orchard");
    let mut recipient = Client::online(&juliet, "balcony");
    sender.send(&format!("<message to='{}' id='plain'><body>b</body></message>", juliet.jid));
    let copy = recipient.expect("the message", |e| e.is_answer("message", "plain"));
    assert!(!copy.has_attr("type"), "{}", copy.raw);
}
