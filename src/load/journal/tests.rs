use super::*;
use crate::engine::ConnId;
use crate::load::share::Share;
use crate::metrics::Recorder;

const MS: u64 = 1_000_000;
const CHAT: u16 = 0;
const PRESENCE: u16 = 1;
const PING: u16 = 2;

/// Five users; 0 has the contacts 1, 2 and 3. User 3 is not ready.
struct Rig {
    journal: Journal,
    users: Users,
}

impl Rig {
    fn new() -> Self {
        let mut users = Users::new(5, Share::WHOLE);
        users.set_contacts(0, vec![3, 1, 2]);
        for user in [0, 1, 2, 4] {
            users.set_connected(user, ConnId { slot: user, generation: 0 });
            users.set_ready(user, Nanos(MS));
        }
        let mut journal = Journal::default();
        let begin = Nanos(1_000 * MS);
        let action = |name, fan_out| ActionRecord::new(name, 10.0, fan_out, begin);
        journal.begin_phase(PhaseRecord {
            name: "steady".to_owned(),
            measured: true,
            begin,
            planned_ns: 1_000 * MS,
            end: None,
            drained: None,
            actions: vec![action("chat", false), action("presence", true), action("ping", false)],
            reconnect: None,
            lost_connections: 0,
        });
        Self { journal, users }
    }

    fn begin(&mut self, action: u16, kind: Kind) -> u64 {
        let at = Nanos(1_010 * MS);
        self.journal.phase_mut().unwrap().actions[usize::from(action)].intended(at);
        self.journal.begin((action, 0, at), 0, kind, at, &self.users)
    }

    fn begin_presence(&mut self) -> u64 {
        let (users, contacts) = (&self.users, self.users.get(0).contacts.clone());
        let audience = Audience::new(4, |place| users.is_ready(contacts.get(place).copied().unwrap_or(0)));
        self.begin(PRESENCE, Kind::Presence(audience))
    }

    fn sent(&mut self, seq: u64, ms: u64) {
        self.journal.sent(seq, Nanos(ms * MS), &self.users);
    }

    fn message(&mut self, seq: u64, by: u32, ms: u64) -> Matched {
        self.journal.message(StanzaId { user: 0, seq }, received(by, ms), &self.users)
    }

    fn presence(&mut self, seq: u64, by: u32, ms: u64) -> Matched {
        self.journal.presence(StanzaId { user: 0, seq }, received(by, ms), &self.users)
    }

    fn give_up(&mut self, ms: u64) {
        self.journal.give_up(Nanos(ms * MS), &self.users);
    }

    fn counts(&self, action: u16) -> crate::metrics::Counts {
        self.record(action).counts
    }

    fn record(&self, action: u16) -> &ActionRecord {
        &self.journal.phase().unwrap().actions[usize::from(action)]
    }
}

const fn received(by: u32, ms: u64) -> Received {
    Received { by, now: Nanos(ms * MS), lag_ns: 2_000, flawed: false }
}

fn max_ms(recorder: &Recorder) -> f64 {
    (recorder.quantile(1.0).unwrap().ns as f64 / 1e6).round()
}

#[test]
fn a_message_counts_from_its_intended_start() {
    let mut rig = Rig::new();
    let seq = rig.begin(CHAT, Kind::Chat { to: 1 });
    rig.sent(seq, 1_025);
    assert_eq!(rig.message(seq, 1, 1_040), Matched::Yes);
    let counts = rig.counts(CHAT);
    assert_eq!((counts.intended, counts.sent, counts.sent_in_time, counts.done), (1, 1, 1, 1));
    assert_eq!(rig.journal.open(), 0);
    let latency = |name| max_ms(rig.record(CHAT).latency_for_test(name));
    assert_eq!((latency("response"), latency("service"), latency("send_lag")), (30.0, 15.0, 15.0));
}

#[test]
fn duplicates_strangers_and_the_unknown() {
    let mut rig = Rig::new();
    let seq = rig.begin(CHAT, Kind::Chat { to: 1 });
    rig.sent(seq, 1_011);
    rig.message(seq, 2, 1_012);
    rig.message(seq, 1, 1_013);
    rig.message(seq, 1, 1_014);
    let counts = rig.counts(CHAT);
    assert_eq!((counts.unexpected, counts.done, counts.duplicated), (1, 1, 1));
    assert_eq!(rig.message(seq + 1, 1, 1_014), Matched::Other("message_unknown"));
    let forged = StanzaId { user: 4, seq };
    assert_eq!(
        rig.journal.message(forged, received(1, 1_015), &rig.users),
        Matched::Other("message_unknown")
    );
    assert_eq!(rig.presence(seq, 1, 1_014), Matched::Other("presence_unknown"));
}

#[test]
fn a_drain_listens_for_a_second_copy_of_the_last() {
    let mut rig = Rig::new();
    assert_eq!(rig.journal.quiet_at(), Some(Nanos::ZERO + DRAIN_QUIET), "nothing was begun");
    let seq = rig.begin(CHAT, Kind::Chat { to: 1 });
    rig.sent(seq, 1_011);
    assert_eq!(rig.journal.quiet_at(), None);
    let id = StanzaId { user: 0, seq };
    rig.journal.arrived(What::Message, id, received(1, 1_012), &rig.users);
    assert_eq!(rig.journal.quiet_at(), Some(Nanos(1_012 * MS) + DRAIN_QUIET));
}

#[test]
fn what_is_overtaken_is_reordered() {
    let mut rig = Rig::new();
    let first = rig.begin(CHAT, Kind::Chat { to: 1 });
    let second = rig.begin(CHAT, Kind::Chat { to: 1 });
    let other = rig.begin(CHAT, Kind::Chat { to: 2 });
    rig.message(other, 2, 1_012);
    rig.message(second, 1, 1_013);
    rig.message(first, 1, 1_014);
    assert_eq!((rig.counts(CHAT).reordered, rig.counts(CHAT).done), (1, 3));
}

#[test]
fn the_lost_are_recorded_at_the_drains_end() {
    let mut rig = Rig::new();
    let (sent, unsent) = (rig.begin(CHAT, Kind::Chat { to: 1 }), rig.begin(CHAT, Kind::Chat { to: 2 }));
    rig.sent(sent, 1_011);
    rig.give_up(1_110);
    let counts = rig.counts(CHAT);
    assert_eq!((counts.timed_out, counts.lost, counts.done, counts.sent), (2, 1, 0, 1));
    assert!(rig.record(CHAT).headline().quantile(0.5).unwrap().at_least);
    assert_eq!(max_ms(rig.record(CHAT).headline()), 100.0);
    assert_eq!(rig.journal.open(), 0);
    // It comes all the same: late, and not lost.
    rig.message(sent, 1, 6_000);
    rig.message(sent, 1, 6_001);
    let counts = rig.counts(CHAT);
    assert_eq!((counts.late, counts.lost, counts.timed_out, counts.duplicated), (1, 0, 2, 1));
    let _ = unsent;
}

#[test]
fn answers_good_bad_and_stray() {
    let mut rig = Rig::new();
    let (good, bad) = (rig.begin(PING, Kind::Ping), rig.begin(PING, Kind::Ping));
    let id = |seq| StanzaId { user: 0, seq };
    rig.journal.answer(id(good), received(1, 1_011));
    assert_eq!(rig.counts(PING).unexpected, 1, "somebody else got it");
    rig.journal.answer(id(good), received(0, 1_012));
    rig.journal.answer(id(bad), Received { flawed: true, ..received(0, 1_012) });
    rig.journal.answer(id(good), received(0, 1_013));
    let counts = rig.counts(PING);
    assert_eq!((counts.done, counts.failed, counts.duplicated), (1, 1, 1));
    assert_eq!(rig.record(PING).headline().count(), 1, "a refusal is no fast answer");
}

#[test]
fn what_bounces_is_no_delivery() {
    let mut rig = Rig::new();
    let (bounced, delivered) = (rig.begin(CHAT, Kind::Chat { to: 1 }), rig.begin(CHAT, Kind::Chat { to: 1 }));
    let late = rig.begin(CHAT, Kind::Chat { to: 2 });
    let change = rig.begin_presence();
    let seqs = [bounced, delivered, late, change];
    seqs.iter().for_each(|seq| rig.sent(*seq, 1_011));
    let error = Received { flawed: true, ..received(0, 1_012) };
    let answer = |rig: &mut Rig, seq, received| rig.journal.answer(StanzaId { user: 0, seq }, received);
    assert_eq!(answer(&mut rig, bounced, error), Matched::Yes);
    assert_eq!(answer(&mut rig, bounced, error), Matched::Other("bounce_late"));
    rig.message(delivered, 1, 1_012);
    assert_eq!(answer(&mut rig, delivered, error), Matched::Other("bounce_late"));
    // A result answers requests, and nothing else.
    for seq in [late, change] {
        assert_eq!(answer(&mut rig, seq, received(0, 1_013)), Matched::Other("answer_unknown"));
    }
    rig.give_up(9_000);
    assert_eq!(answer(&mut rig, late, error), Matched::Other("bounce_late"));
    assert_eq!(answer(&mut rig, change, error), Matched::Other("presence_error"));
    let counts = rig.counts(CHAT);
    assert_eq!((counts.failed, counts.done, counts.lost), (1, 1, 1));
    assert_eq!((counts.late, counts.duplicated, counts.timed_out), (0, 0, 1));
    let counts = rig.counts(PRESENCE);
    assert_eq!((counts.late, counts.duplicated, counts.missing), (0, 0, 3));
}

/// A server that does not read: what the kernel never took is not lost, and it can be lost when it has.
#[test]
fn what_was_never_sent_is_not_lost_on_the_way() {
    let mut rig = Rig::new();
    let (sent, unsent) = (rig.begin(CHAT, Kind::Chat { to: 1 }), rig.begin(CHAT, Kind::Chat { to: 1 }));
    let change = rig.begin_presence();
    rig.sent(sent, 1_011);
    rig.give_up(9_010);
    assert_eq!((rig.counts(CHAT).lost, rig.counts(CHAT).timed_out), (1, 2));
    let counts = rig.counts(PRESENCE);
    assert_eq!((counts.required, counts.missing, counts.timed_out), (3, 0, 1));
    let each = rig.record(PRESENCE).latency_for_test("fanout_each");
    assert_eq!(
        (each.count(), each.quantile(0.5).unwrap().at_least),
        (3, true),
        "the wait is shown all the same"
    );
    // The server reads again; one of the messages comes, and one copy of the change.
    rig.sent(unsent, 9_020);
    rig.sent(change, 9_020);
    assert_eq!((rig.counts(CHAT).lost, rig.counts(PRESENCE).missing), (2, 3));
    rig.message(unsent, 1, 9_030);
    rig.presence(change, 1, 9_030);
    assert_eq!((rig.counts(CHAT).lost, rig.counts(CHAT).late), (1, 1));
    assert_eq!((rig.counts(PRESENCE).missing, rig.counts(PRESENCE).late), (2, 1));
}

/// Required is who was there from the sending to the deadline. Who comes back gets the last presence again, and that is
/// no delivery of the change, however long it took.
#[test]
fn who_came_back_is_not_owed_the_change() {
    let mut rig = Rig::new();
    let (open, over) = (rig.begin_presence(), rig.begin_presence());
    for seq in [open, over] {
        rig.sent(seq, 1_010);
        rig.presence(seq, 0, 1_012);
    }
    rig.presence(open, 1, 1_013);
    rig.users.set_gone(2);
    rig.users.set_connected(2, ConnId { slot: 2, generation: 1 });
    rig.users.set_ready(2, Nanos(3_000 * MS));
    rig.presence(open, 2, 3_001);
    let counts = rig.counts(PRESENCE);
    assert_eq!((counts.required, counts.delivered, counts.optional), (5, 3, 1));
    assert_eq!((counts.done, rig.journal.open()), (1, 1), "nobody is waited for");
    let latency = |rig: &Rig, name| max_ms(rig.record(PRESENCE).latency_for_test(name));
    assert_eq!((latency(&rig, "fanout_complete"), latency(&rig, "fanout_each")), (3.0, 3.0));
    rig.give_up(9_010);
    // Away at the deadline is not missing, and what comes behind it is neither late nor makes up for others.
    rig.presence(over, 2, 9_020);
    let counts = rig.counts(PRESENCE);
    assert_eq!((counts.required, counts.missing, counts.late, counts.optional), (4, 1, 0, 2));
    assert_eq!(rig.presence(over, 2, 9_021), Matched::Other("presence_replayed"));
}

#[test]
fn a_change_is_complete_at_its_last_required_recipient() {
    let mut rig = Rig::new();
    let seq = rig.begin_presence();
    rig.sent(seq, 1_010);
    rig.presence(seq, 2, 1_012);
    rig.presence(seq, 3, 1_013); // A contact that was not ready: optional.
    rig.presence(seq, 0, 1_014);
    assert_eq!(rig.journal.open(), 1);
    rig.presence(seq, 1, 1_020);
    assert_eq!(rig.journal.open(), 0);
    rig.presence(seq, 4, 1_021); // Never a contact.
    rig.presence(seq, 2, 1_022); // Again.
    let counts = rig.counts(PRESENCE);
    assert_eq!((counts.required, counts.delivered, counts.missing), (3, 3, 0));
    assert_eq!((counts.done, counts.optional, counts.unexpected, counts.duplicated), (1, 1, 1, 1));
    let latency = |name| rig.record(PRESENCE).latency_for_test(name);
    assert_eq!(max_ms(latency("fanout_first")), 2.0);
    assert_eq!((latency("fanout_each").count(), max_ms(latency("fanout_each"))), (3, 10.0));
    assert_eq!(max_ms(latency("fanout_complete")), 10.0);
}

#[test]
fn what_a_late_joiner_is_told_again_is_a_replay() {
    let mut rig = Rig::new();
    let seq = rig.begin_presence();
    rig.sent(seq, 1_010);
    rig.users.set_connected(3, ConnId { slot: 3, generation: 0 });
    rig.users.set_ready(3, Nanos(1_011 * MS));
    rig.presence(seq, 3, 1_012);
    assert_eq!(rig.presence(seq, 3, 1_013), Matched::Other("presence_replayed"));
    assert_eq!(rig.counts(PRESENCE).duplicated, 0);
}

#[test]
fn the_missing_are_counted_and_the_departed_are_not() {
    let mut rig = Rig::new();
    let (lost, kept) = (rig.begin_presence(), rig.begin_presence());
    for seq in [lost, kept] {
        rig.sent(seq, 1_010);
        rig.presence(seq, 0, 1_012);
    }
    rig.presence(kept, 1, 1_050);
    rig.users.set_gone(2);
    rig.give_up(9_010);
    let counts = rig.counts(PRESENCE);
    assert_eq!((counts.required, counts.delivered, counts.missing), (4, 3, 1));
    assert_eq!((counts.done, counts.timed_out), (1, 1));
    let complete = rig.record(PRESENCE).headline();
    assert_eq!(
        complete.quantile(0.5).map(|q| (q.ns as f64 / 1e6).round()),
        Some(40.0),
        "at its last arrival"
    );
    assert!(complete.quantile(1.0).unwrap().at_least);
    rig.presence(lost, 1, 9_020);
    assert_eq!((rig.counts(PRESENCE).late, rig.counts(PRESENCE).missing), (1, 0));
}

#[test]
fn what_is_sent_too_late_does_not_count_as_achieved() {
    let mut rig = Rig::new();
    let (good, bad) = (rig.begin(PING, Kind::Ping), rig.begin(PING, Kind::Ping));
    rig.sent(good, 2_009);
    rig.sent(bad, 2_011);
    assert_eq!((rig.counts(PING).sent, rig.counts(PING).sent_in_time), (2, 1));
    assert!((rig.record(PING).achieved_ratio() - 0.5).abs() < 1e-9);
}

#[test]
fn the_oldest_makes_room() {
    let mut rig = Rig::new();
    let first = rig.begin(PING, Kind::Ping);
    for _ in 0..OPERATIONS_REMEMBERED_MAX {
        rig.begin(PING, Kind::Ping);
    }
    assert!(rig.journal.get(first).is_none() && rig.journal.get(first + 1).is_some());
    assert_eq!((rig.counts(PING).timed_out, rig.journal.open()), (1, OPERATIONS_REMEMBERED_MAX));
}

impl Rig {
    /// A user's connection is broken, and is back since `back_ms` if it is.
    fn break_off(&mut self, user: u32, back_ms: Option<u64>) {
        self.users.set_broken(&[user]);
        assert!(self.users.set_gone(user));
        if let Some(ms) = back_ms {
            self.users.set_connected(user, ConnId { slot: user, generation: 1 });
            self.users.set_ready(user, Nanos(ms * MS));
        }
    }
}

#[test]
fn what_was_under_way_to_the_broken_is_unsure() {
    for back_ms in [None, Some(1_500)] {
        let mut rig = Rig::new();
        let [to_broken, to_other] = [1, 2].map(|to| rig.begin(CHAT, Kind::Chat { to }));
        let ping = rig.begin(PING, Kind::Ping);
        for seq in [to_broken, to_other, ping] {
            rig.sent(seq, 1_011);
        }
        rig.break_off(1, back_ms);
        rig.give_up(3_000);
        let counts = rig.counts(CHAT);
        assert_eq!((counts.unsure, counts.lost, counts.timed_out), (1, 1, 1), "{back_ms:?}");
        assert_eq!((rig.counts(PING).unsure, rig.counts(PING).timed_out), (0, 1));
        // It may still come, and come twice.
        rig.message(to_broken, 1, 3_010);
        rig.message(to_broken, 1, 3_011);
        let counts = rig.counts(CHAT);
        assert_eq!((counts.optional, counts.duplicated, counts.late, counts.done), (1, 1, 0, 0));
    }
}

#[test]
fn what_the_broken_sent_is_unsure_unless_it_arrives() {
    let mut rig = Rig::new();
    let [lost, arrives] = [2, 2].map(|to| rig.begin(CHAT, Kind::Chat { to }));
    let (ping, change) = (rig.begin(PING, Kind::Ping), rig.begin_presence());
    for seq in [lost, arrives, ping, change] {
        rig.sent(seq, 1_011);
    }
    rig.presence(change, 1, 1_012);
    rig.break_off(0, Some(1_500));
    rig.message(arrives, 2, 1_030);
    rig.give_up(3_000);
    assert_eq!((rig.counts(CHAT).unsure, rig.counts(CHAT).done, rig.counts(CHAT).lost), (1, 1, 0));
    assert_eq!((rig.counts(PING).unsure, rig.counts(PING).timed_out), (1, 0));
    let counts = rig.counts(PRESENCE);
    assert_eq!((counts.unsure, counts.missing, counts.done, counts.timed_out), (1, 0, 0, 0));
    assert_eq!((counts.required, counts.delivered), (1, 1), "the others are owed nothing");
}

#[test]
fn what_was_sent_after_the_return_counts_as_ever() {
    let mut rig = Rig::new();
    rig.break_off(1, Some(1_005));
    let [arrives, lost] = [1, 1].map(|to| rig.begin(CHAT, Kind::Chat { to }));
    rig.sent(arrives, 1_011);
    rig.sent(lost, 1_011);
    rig.message(arrives, 1, 1_020);
    rig.give_up(3_000);
    let counts = rig.counts(CHAT);
    assert_eq!((counts.done, counts.lost, counts.unsure), (1, 1, 0));
}

#[test]
fn a_change_is_not_owed_to_the_broken() {
    let mut rig = Rig::new();
    let change = rig.begin_presence();
    rig.sent(change, 1_011);
    rig.presence(change, 0, 1_012);
    rig.presence(change, 1, 1_013);
    rig.break_off(2, Some(1_500));
    // The server sends the last presence of its contacts to whoever comes back; nobody was waiting for it any more.
    assert_eq!(rig.presence(change, 2, 1_501), Matched::Yes);
    rig.give_up(3_000);
    let counts = rig.counts(PRESENCE);
    assert_eq!((counts.required, counts.delivered, counts.missing, counts.done), (2, 2, 0, 1));
    assert_eq!(counts.optional, 1);
    assert_eq!(max_ms(rig.record(PRESENCE).latency_for_test("fanout_complete")), 3.0);
}

#[test]
fn a_stored_message_is_no_latency() {
    let mut rig = Rig::new();
    rig.break_off(1, None);
    let seq = rig.begin(CHAT, Kind::Chat { to: 1 });
    rig.sent(seq, 1_011);
    rig.message(seq, 1, 4_000);
    let counts = rig.counts(CHAT);
    assert_eq!((counts.unsure, counts.optional, counts.done), (1, 1, 0));
    assert_eq!(rig.journal.open(), 0);
    assert_eq!(rig.record(CHAT).latency_for_test("response").count(), 0);
}
