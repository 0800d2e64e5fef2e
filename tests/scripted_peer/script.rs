//! What the peer does to whom: a pure function of a seed, the operation and its recipient.
//!
//! It reads no clock and keeps nothing.

/// One thing that clients do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Action {
    Chat,
    Presence,
    Ping,
}

impl Action {
    pub(crate) const ALL: [Self; 3] = [Self::Chat, Self::Presence, Self::Ping];

    /// Its name in a scenario and in a result.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Presence => "presence",
            Self::Ping => "ping",
        }
    }
}

/// What becomes of a delivery. An answer is a delivery to the sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It arrives, after its delay.
    Arrive,
    /// It never does.
    Drop,
    /// It arrives twice.
    Twice,
    /// It arrives, and again as what servers send to who joins later: with `<delay/>`.
    Replay,
    /// It arrives once, and carries `<delay/>`.
    Stamped,
    /// It arrives when the drain is over.
    Late,
    /// It arrives when the drain is over, twice.
    LateTwice,
    /// It goes to a stranger instead.
    Astray,
    /// It arrives, and at a stranger, too.
    Leak,
    /// The sender gets an error instead.
    Refuse,
}

impl Fate {
    /// What may happen to deliveries of an action; what a list does not name, its stanzas cannot suffer.
    const fn faults(action: Action) -> &'static [Self] {
        match action {
            Action::Chat => &[
                Self::Drop,
                Self::Twice,
                Self::Late,
                Self::LateTwice,
                Self::Astray,
                Self::Leak,
                Self::Refuse,
            ],
            Action::Presence => &[
                Self::Drop,
                Self::Twice,
                Self::Replay,
                Self::Stamped,
                Self::Late,
                Self::LateTwice,
                Self::Astray,
                Self::Leak,
            ],
            Action::Ping => &[
                Self::Drop,
                Self::Twice,
                Self::Late,
                Self::LateTwice,
                Self::Astray,
                Self::Leak,
                Self::Refuse,
            ],
        }
    }
}

/// Milliseconds that a delivery waits at least, and by how many more at most. The least is far above what a busy
/// machine adds, and the most, with a stall, is far below a drain.
const DELAY_MIN_MS: u64 = 600;
const DELAY_SPREAD_MS: u64 = 1_800;

/// When something stands still.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stall {
    /// When it has read so many operations of this action.
    pub(crate) action: Action,
    pub(crate) at: usize,
    pub(crate) ms: u64,
}

impl Stall {
    /// Whether it begins with the newest of these actions.
    pub(crate) fn is_due(&self, actions: impl Iterator<Item = Action>) -> bool {
        actions.filter(|action| *action == self.action).count() == self.at
    }
}

/// The script of one run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Script {
    pub(crate) seed: u64,
    /// Deliveries of a thousand that something happens to.
    pub(crate) faults_per_mille: u64,
    pub(crate) stall: Option<Stall>,
    /// When the peer stops the harness: its process stands still, and the peer goes on.
    pub(crate) pause: Option<Stall>,
    /// Who is sent away, when so many operations were read.
    pub(crate) departs: Option<(u32, usize)>,
}

impl Script {
    /// Nothing but delays.
    pub(crate) const fn faultless(seed: u64) -> Self {
        Self { seed, faults_per_mille: 0, stall: None, pause: None, departs: None }
    }

    /// Something happens to about one in 25.
    pub(crate) const fn faulty(seed: u64) -> Self {
        Self { faults_per_mille: 40, ..Self::faultless(seed) }
    }

    pub(crate) fn fate(&self, action: Action, seq: u64, to: u32) -> Fate {
        let lot = self.lot(1, action, seq, to);
        if lot % 1_000 >= self.faults_per_mille {
            return Fate::Arrive;
        }
        let faults = Fate::faults(action);
        faults[usize::try_from(lot / 1_000 % faults.len() as u64).expect("below a length")]
    }

    /// Nanoseconds from reading an operation to its delivery.
    pub(crate) fn delay_ns(&self, action: Action, seq: u64, to: u32) -> u64 {
        let micros = self.lot(2, action, seq, to) % (DELAY_SPREAD_MS * 1_000);
        DELAY_MIN_MS * 1_000_000 + micros * 1_000
    }

    /// A number that looks random (splitmix64 over the words).
    fn lot(&self, purpose: u64, action: Action, seq: u64, to: u32) -> u64 {
        [purpose, action as u64, seq, u64::from(to)].into_iter().fold(self.seed, |state, word| {
            let mut z = (state ^ word).wrapping_add(0x9E37_79B9_7F4A_7C15);
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            z ^ (z >> 31)
        })
    }
}

/// Contacts of a user in a ring of `users`: two on each side, ascending.
pub(crate) fn contacts(user: u32, users: u32) -> Vec<u32> {
    let mut contacts = [1, 2, users - 2, users - 1].map(|step| (user + step) % users);
    contacts.sort_unstable();
    contacts.to_vec()
}

/// Somebody who is neither `user` nor a contact of it, and no contact's contact.
pub(crate) const fn stranger(user: u32, users: u32) -> u32 {
    (user + users / 2) % users
}

#[test]
fn every_fault_happens_and_delays_stay_in_their_range() {
    let script = Script::faulty(7);
    for action in Action::ALL {
        let fates: Vec<Fate> = (1..5_000).map(|seq| script.fate(action, seq, 3)).collect();
        for fault in Fate::faults(action) {
            let count = fates.iter().filter(|fate| *fate == fault).count();
            assert!((5..100).contains(&count), "{fault:?} {count}");
        }
        let delays = (1..5_000).map(|seq| script.delay_ns(action, seq, 3) / 1_000_000);
        assert!(delays.clone().all(|ms| (600..2_400).contains(&ms)));
        assert!(delays.clone().any(|ms| ms < 620) && delays.into_iter().any(|ms| ms > 2_380));
    }
}
