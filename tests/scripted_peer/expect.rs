//! What follows from a log: every count and every sample that a true report is made of.
//!
//! Computed from the peer's side alone, with the rules as `docs/measuring.md` has them; nothing of the program is used.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use super::log::{Delay, Delivery, Form, Log, Op};
use super::script::{Action, contacts};

/// The load that was asked for.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    pub(crate) users: u32,
    /// Operations per second of each action, evenly spread from the phase's begin on.
    pub(crate) rates: Vec<(Action, u64)>,
    /// Nanoseconds from the phase's begin to the end of its drain.
    pub(crate) drained_ns: u64,
}

/// One sample: nanoseconds from the intended start, and whether they are all that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Sample {
    pub(crate) ns: u64,
    pub(crate) timed_out: bool,
}

/// What a report must say of one action.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) counts: BTreeMap<&'static str, u64>,
    /// Latencies by name, sorted.
    pub(crate) series: BTreeMap<&'static str, Vec<Sample>>,
    /// Operations that were due in each second of the phase.
    pub(crate) due_by_second: Vec<u64>,
    /// Presence that came again for a good reason: counted, but not here.
    pub(crate) replayed: u64,
    /// Stanzas that the harness read, whatever they were.
    pub(crate) received: u64,
    /// How far the peer itself fell behind the times that this is made of, at most: no percentile can be off by more.
    pub(crate) lateness_ns: u64,
}

/// Which times an expectation is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Times {
    /// The peer's own: when it wrote what.
    Written,
    /// Of the peer's clock only the stall: what was read and written when follows from the script.
    Scripted,
}

/// Operations of one action with their intended starts, in nanoseconds from the phase's begin.
#[derive(Debug)]
pub(crate) struct Starts {
    by_op: HashMap<usize, u64>,
    /// The phase's begin on the peer's clock: no operation was read before it was due.
    begin: u64,
}

impl Starts {
    /// The harness counts its operations in the order of their intended starts, and writes the number into the id. With
    /// several reactors each of them counts, and the order is that in which the operations were read.
    pub(crate) fn of(log: &Log, load: &Load, one_reactor: bool) -> Self {
        let (mut by_op, mut begin) = (HashMap::new(), u64::MAX);
        for (action, rate) in &load.rates {
            let mut ops: Vec<usize> =
                (0..log.ops.len()).filter(|at| log.ops[*at].action == *action).collect();
            ops.sort_by_key(|at| if one_reactor { log.ops[*at].seq } else { log.ops[*at].at });
            for (k, op) in ops.into_iter().enumerate() {
                let intended = k as u64 * 1_000_000_000 / rate;
                by_op.insert(op, intended);
                begin = begin.min(log.ops[op].at - intended);
            }
        }
        Self { by_op, begin }
    }

    fn intended(&self, op: usize) -> u64 {
        self.by_op[&op]
    }
}

/// When deliveries were made, in nanoseconds from the phase's begin.
struct Clock<'a> {
    log: &'a Log,
    starts: &'a Starts,
    times: Times,
    /// From when to when the peer stood still, in nanoseconds from the phase's begin.
    stall: Option<(u64, u64)>,
}

impl Clock<'_> {
    fn of<'a>(log: &'a Log, starts: &'a Starts, times: Times) -> Clock<'a> {
        let stall = log.stalled.map(|(from, until)| (from - starts.begin, until - starts.begin));
        Clock { log, starts, times, stall }
    }

    fn written(&self, delivery: &Delivery) -> u64 {
        match (self.times, delivery.delay) {
            (Times::Scripted, Delay::Nanos(ns)) => {
                self.held_up(self.held_up(self.starts.intended(delivery.op)) + ns)
            }
            _ => self.read(delivery),
        }
    }

    /// When the harness can have read it: what comes while it stands is read when it goes on.
    fn read(&self, delivery: &Delivery) -> u64 {
        let at = match self.log.paused {
            Some((from, until)) if delivery.at > from && delivery.at < until => until,
            _ => delivery.at,
        };
        at - self.starts.begin
    }

    fn lateness(&self, delivery: &Delivery) -> u64 {
        self.read(delivery).abs_diff(self.written(delivery))
    }

    /// The harness was awake at the latest when it sent something: until then it may not have read what lay there.
    fn waking(&self) -> u64 {
        let first =
            |until: u64| self.log.ops.iter().map(|op| op.at).find(|at| *at >= until).map(|at| at - until);
        self.log.paused.and_then(|(_, until)| first(until)).unwrap_or(0)
    }

    /// What falls into the stall happens at its end.
    fn held_up(&self, at: u64) -> u64 {
        match self.stall {
            Some((from, until)) if at > from && at < until => until,
            _ => at,
        }
    }

    fn operations(&self, action: Action) -> impl Iterator<Item = (usize, &Op)> {
        self.log.ops.iter().enumerate().filter(move |(_, op)| op.action == action)
    }

    fn deliveries(&self, action: Action) -> impl Iterator<Item = &Delivery> {
        self.log.deliveries.iter().filter(move |delivery| self.log.ops[delivery.op].action == action)
    }
}

/// What a true report of `log` says of `action`.
pub(crate) fn expected(action: Action, log: &Log, load: &Load, starts: &Starts, times: Times) -> Expected {
    let clock = Clock::of(log, starts, times);
    let mut expected = match action {
        Action::Chat | Action::Ping => single(action, &clock, load),
        Action::Presence => fan_out(&clock, load),
    };
    for (op, _) in clock.operations(action) {
        let second = usize::try_from(starts.intended(op) / 1_000_000_000).expect("a phase is short");
        expected.due_by_second.resize(expected.due_by_second.len().max(second + 1), 0);
        expected.due_by_second[second] += 1;
    }
    expected.received = clock.deliveries(action).count() as u64;
    let lateness = clock.deliveries(action).map(|delivery| clock.lateness(delivery)).max();
    expected.lateness_ns = lateness.unwrap_or(0) + clock.waking();
    expected.series.values_mut().for_each(|samples| samples.sort_unstable());
    expected
}

/// A count by name; all of them are there from the beginning.
fn all_counts(intended: usize) -> BTreeMap<&'static str, u64> {
    let zero = [
        "done",
        "failed",
        "timed_out",
        "unsent",
        "lost",
        "duplicated",
        "reordered",
        "late",
        "unexpected",
        "required",
        "delivered",
        "missing",
        "optional",
    ];
    let mut counts: BTreeMap<_, _> = zero.map(|name| (name, 0)).into();
    counts.insert("intended", intended as u64);
    counts.insert("sent", intended as u64);
    counts
}

/// Counts one more; the name must be one.
fn add(counts: &mut BTreeMap<&'static str, u64>, name: &str) {
    *counts.get_mut(name).expect("a count of that name") += 1;
}

/// The newest operation that each pair of users has seen: what comes behind a newer one was overtaken.
#[derive(Default)]
struct Order(HashMap<(u32, u32), u64>);

impl Order {
    fn is_overtaken(&mut self, op: &Op, by: u32) -> bool {
        let newest = self.0.entry((op.user, by)).or_insert(op.seq);
        *newest = op.seq.max(*newest);
        *newest > op.seq
    }
}

/// Chat and ping: one delivery ends an operation.
fn single(action: Action, clock: &Clock<'_>, load: &Load) -> Expected {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        Open,
        Ended,
        Late,
    }
    let mut counts = all_counts(clock.operations(action).count());
    let (mut samples, mut order) = (Vec::new(), Order::default());
    let mut states: HashMap<usize, State> = HashMap::new();
    for delivery in clock.deliveries(action) {
        let op = &clock.log.ops[delivery.op];
        let at = clock.written(delivery);
        let state = states.entry(delivery.op).or_insert(State::Open);
        if delivery.form == Form::Error {
            add(&mut counts, "failed");
            *state = State::Ended;
        } else if delivery.by != op.to {
            add(&mut counts, "unexpected");
        } else if *state != State::Open {
            add(&mut counts, "duplicated");
        } else if at >= load.drained_ns {
            add(&mut counts, "late");
            *state = State::Late;
        } else {
            add(&mut counts, "done");
            samples.push(Sample { ns: at - clock.starts.intended(delivery.op), timed_out: false });
            if action == Action::Chat && order.is_overtaken(op, delivery.by) {
                add(&mut counts, "reordered");
            }
            *state = State::Ended;
        }
    }
    for (op, _) in clock.operations(action) {
        let state = states.get(&op).copied().unwrap_or(State::Open);
        if state == State::Ended {
            continue;
        }
        add(&mut counts, "timed_out");
        if state == State::Open && action == Action::Chat {
            add(&mut counts, "lost");
        }
        samples.push(Sample { ns: load.drained_ns - clock.starts.intended(op), timed_out: true });
    }
    Expected { counts, series: [("response", samples)].into(), ..Expected::default() }
}

/// Presence: an operation ends with the last of its audience.
fn fan_out(clock: &Clock<'_>, load: &Load) -> Expected {
    let action = Action::Presence;
    let mut counts = all_counts(clock.operations(action).count());
    let (mut order, mut replayed) = (Order::default(), 0);
    // When each member got an operation first, if it did before the drain was over.
    let mut got: HashMap<(usize, u32), Option<u64>> = HashMap::new();
    for delivery in clock.deliveries(action) {
        let op = &clock.log.ops[delivery.op];
        let at = clock.written(delivery);
        if delivery.by != op.user && !contacts(op.user, load.users).contains(&delivery.by) {
            add(&mut counts, "unexpected");
            continue;
        }
        let Entry::Vacant(first) = got.entry((delivery.op, delivery.by)) else {
            match delivery.form {
                Form::Delayed => replayed += 1,
                Form::Plain | Form::Error => add(&mut counts, "duplicated"),
            }
            continue;
        };
        if at >= load.drained_ns {
            add(&mut counts, "late");
            first.insert(None);
        } else {
            add(&mut counts, "delivered");
            first.insert(Some(at));
            if order.is_overtaken(op, delivery.by) {
                add(&mut counts, "reordered");
            }
        }
    }
    let (mut first, mut each, mut complete) = (Vec::new(), Vec::new(), Vec::new());
    for (at, op) in clock.operations(action) {
        let intended = clock.starts.intended(at);
        let never = Sample { ns: load.drained_ns - intended, timed_out: true };
        let mut members = contacts(op.user, load.users);
        members.push(op.user);
        // Who left before the deadline need not have it.
        members.retain(|by| clock.log.departed != Some(*by) || got.contains_key(&(at, *by)));
        let reached: Vec<Sample> = members
            .iter()
            .filter_map(|by| got.get(&(at, *by)).copied().flatten())
            .map(|written| Sample { ns: written - intended, timed_out: false })
            .collect();
        *counts.get_mut("required").expect("a count") += members.len() as u64;
        let missed = members.len() - reached.len();
        let late = members.iter().filter(|by| got.get(&(at, **by)) == Some(&None)).count();
        *counts.get_mut("missing").expect("a count") += (missed - late) as u64;
        first.push(reached.iter().min().copied().unwrap_or(never));
        each.extend(reached.iter().copied().chain(std::iter::repeat_n(never, missed)));
        if missed == 0 {
            add(&mut counts, "done");
            complete.extend(reached.iter().max());
        } else {
            add(&mut counts, "timed_out");
            complete.push(never);
        }
    }
    let series = [("fanout_first", first), ("fanout_each", each), ("fanout_complete", complete)];
    Expected { counts, series: series.into(), replayed, ..Expected::default() }
}
