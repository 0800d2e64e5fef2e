//! Who has an account, and in which order addresses are asked for: the same at every run.
//!
//! Questions stand in memory one after the other in the order in which they are asked, so the processor fetches them
//! ahead of time: reading one costs as little as in a router, where it was read from a socket just before.

use std::hash::BuildHasher;
use std::sync::LazyLock;

use foldhash::quality::FixedState;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use xmpp_bench::stanza::{Jid, JidCow, JidRef};

/// Accounts, unless `XB_ACCOUNTS` says otherwise.
const ACCOUNTS: usize = 1_000_000;
/// The same for `--test`, which only asks whether the bench still runs.
const ACCOUNTS_IN_TEST: usize = 10_000;
/// With fewer, the sessions that churn holds would be too few to wait in line.
const ACCOUNTS_MIN: usize = 1_000;

/// What lives at one home, or everything.
#[derive(Debug)]
pub(crate) struct Part {
    /// Bare JIDs, in the order in which the accounts were made.
    pub(crate) accounts: Vec<Jid>,
    /// A full JID of each account, in the order in which they came online.
    pub(crate) online: Vec<JidRef<'static>>,
    /// The same in another order.
    pub(crate) asked: Vec<JidRef<'static>>,
    /// A second full JID of each account, in a third order.
    pub(crate) second: Vec<JidRef<'static>>,
}

/// Everything.
pub(crate) static WHOLE: LazyLock<Part> = LazyLock::new(|| Part::of(0, 1));
/// Split by home.
pub(crate) static HALVES: LazyLock<[Part; 2]> = LazyLock::new(|| [Part::of(0, 2), Part::of(1, 2)]);

impl Part {
    fn of(home: u64, homes: u64) -> Self {
        let hasher = FixedState::with_seed(0);
        let bare = (0..account_count()).map(|n| format!("user-{n:014}@im.verona.example"));
        let accounts: Vec<Jid> = bare
            .filter(|bare| hasher.hash_one(bare.as_str()) % homes == home)
            .map(|bare| Jid::parse(&bare).expect("a good address"))
            .collect();
        let [online, asked, second] =
            [("r", 1), ("r", 2), ("s", 3)].map(|(resource, seed)| shuffled(&accounts, resource, seed));
        Self { accounts, online, asked, second }
    }
}

fn account_count() -> usize {
    let is_test = std::env::args().any(|arg| arg == "--test");
    let default = if is_test { ACCOUNTS_IN_TEST } else { ACCOUNTS };
    let count = std::env::var("XB_ACCOUNTS").map_or(default, |n| n.parse().expect("XB_ACCOUNTS is a number"));
    assert!(count >= ACCOUNTS_MIN, "XB_ACCOUNTS is at least {ACCOUNTS_MIN}");
    count
}

/// Full JIDs, which live as long as the bench.
fn shuffled(accounts: &[Jid], resource: &str, seed: u64) -> Vec<JidRef<'static>> {
    let mut bare: Vec<&str> = accounts.iter().map(Jid::as_str).collect();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for last in (1..bare.len()).rev() {
        let other = rng.next_u64() % (last as u64 + 1);
        bare.swap(last, usize::try_from(other).expect("not above `last`"));
    }
    let text: String = bare.iter().flat_map(|bare| [*bare, "/", resource, "\n"]).collect();
    let text: &'static str = text.leak();
    let jids = text.lines().map(|line| match JidRef::parse(line) {
        Ok(JidCow::Borrowed(jid)) => jid,
        other => panic!("it is prepared already: {other:?}"),
    });
    jids.collect()
}
