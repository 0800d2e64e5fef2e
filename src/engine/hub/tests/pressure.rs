//! The slow-reader policy: whom it ends, whom it lets wait, and what becomes of what was not written.

use super::*;
use crate::limits::{OUTBOX_BURST_BYTES, OUTBOX_HARD_BYTES, OUTBOX_SOFT_MAX};

#[test]
fn a_slow_reader_loses_superseded_presence_first() {
    let (mut hub, conn) = opened();
    let mut now = Nanos(10);
    let count = OUTBOX_SOFT_BYTES / 10_000 + 60;
    for id in 0..count {
        deliver(&mut hub, conn, presence("a@b/c", id, 10_000), now);
    }
    assert!(hub.io(conn).unwrap().outbox.pending() > OUTBOX_SOFT_BYTES);
    now += OUTBOX_SOFT_MAX;
    hub.handle_deadline(now);
    assert!(hub.counters().superseded >= 59, "{:?}", hub.counters());
    assert_eq!(hub.counters().slow_readers, 1, "what is not superseded is still too much");
    assert_eq!(hub.world().undeliverable, [(count - 1).to_string()], "the last presence is handed back");
}

#[test]
fn the_hard_budget_closes_at_once_and_hands_back_in_order() {
    let (mut hub, conn) = opened();
    hub.handle_write_blocked(conn, Nanos(9));
    let mut id = 0;
    while hub.counters().slow_readers == 0 {
        deliver(&mut hub, conn, presence(&format!("a@b/{id}"), id, 50_000), Nanos(10));
        id += 1;
        assert!(id * 50_000 < OUTBOX_HARD_BYTES + OUTBOX_SOFT_BYTES, "the budget does not hold");
    }
    let back: Vec<usize> = hub.world().undeliverable.iter().map(|id| id.parse().unwrap()).collect();
    assert!(back.len() > 10 && back.is_sorted() && *back.last().unwrap() == id - 1, "{back:?}");
    assert_eq!(hub.world().lines, ["closed Peer SlowReader"]);
    let left = written(&mut hub, conn, usize::MAX);
    assert!(!left.contains(&format!("id='{}'", id - 1)), "what was handed back is not written too");
}

/// What nobody has tried to write yet says nothing of its reader, however much it is.
#[test]
fn a_burst_is_judged_when_the_socket_takes_no_more() {
    let burst = |hub: &mut Hub<Echo>, conn| {
        for id in 0..=OUTBOX_HARD_BYTES / 50_000 {
            deliver(hub, conn, presence(&format!("a@b/{id}"), id, 50_000), Nanos(10));
        }
        assert!(hub.io(conn).unwrap().outbox.pending() > OUTBOX_HARD_BYTES);
        assert_eq!(hub.counters().slow_readers, 0);
    };
    let (mut hub, conn) = opened();
    burst(&mut hub, conn);
    while hub.intent(conn) == Intent::Write {
        written(&mut hub, conn, usize::MAX);
    }
    burst(&mut hub, conn);
    hub.handle_write_blocked(conn, Nanos(11));
    assert_eq!(hub.counters().slow_readers, 1);
    assert!(hub.world().lines.iter().any(|line| line == "closed Peer SlowReader"));
    assert!(!hub.world().undeliverable.is_empty());

    // It has an end all the same.
    let (mut hub, conn) = opened();
    let mut bytes = 0;
    while hub.counters().slow_readers == 0 {
        deliver(&mut hub, conn, presence(&format!("a@b/{bytes}"), 1, 1_000_000), Nanos(10));
        bytes += 1_000_000;
        assert!(bytes < OUTBOX_BURST_BYTES + 2_000_000, "the budget does not hold");
    }
    assert!(bytes > OUTBOX_BURST_BYTES - 2_000_000);
}

/// Pipelined requests with large answers: none is read before there is room for its answer.
#[test]
fn who_asks_faster_than_it_reads_waits() {
    let (mut hub, conn) = opened();
    let other = hub.handle_accepted(Nanos(1)).unwrap();
    read(&mut hub, other, HEADER);
    let frame = |n: usize| format!("<a n='{n}'>{}</a>", "x".repeat(110_000));
    let text: String = (0..60).map(frame).collect();
    assert!(!read(&mut hub, conn, &text));
    assert!(hub.is_held(conn));
    assert!(hub.io(conn).unwrap().outbox.pending() < OUTBOX_SOFT_BYTES + 120_000);
    read(&mut hub, other, "<x/>");
    assert_eq!(written(&mut hub, other, 99), "<x/>", "others do not wait");
    let mut got = String::new();
    while hub.intent(conn) == Intent::Write {
        got.push_str(&written(&mut hub, conn, 200_000));
        if let Some(resumed) = hub.next_resumed() {
            assert_eq!(resumed, conn);
            read(&mut hub, conn, "");
        }
    }
    assert!(got == text, "everything is answered, in order: {} of {}", got.len(), text.len());
    assert!(!hub.is_held(conn));
    assert_eq!(hub.counters().slow_readers, 0);
}

/// Superseding may make room as writing does.
#[test]
fn what_is_superseded_lets_the_input_go_on() {
    let (mut hub, conn) = opened();
    for id in 0..=OUTBOX_SOFT_BYTES / 200_000 {
        deliver(&mut hub, conn, presence("a@b/c", id, 200_000), Nanos(10));
    }
    written(&mut hub, conn, 1_000_000);
    for id in 0..=OUTBOX_SOFT_BYTES / 200_000 {
        deliver(&mut hub, conn, presence("a@b/c", id, 200_000), Nanos(10));
    }
    read(&mut hub, conn, "<a/>");
    assert!(hub.is_held(conn));
    hub.handle_deadline(Nanos(10) + OUTBOX_SOFT_MAX);
    assert!(hub.counters().superseded > 0 && hub.counters().slow_readers == 0, "{:?}", hub.counters());
    assert_eq!(hub.next_resumed(), Some(conn));
    assert!(!hub.is_held(conn));
}

#[test]
fn a_reader_that_catches_up_is_forgiven() {
    let (mut hub, conn) = opened();
    while hub.io(conn).unwrap().outbox.pending() <= OUTBOX_SOFT_BYTES {
        deliver(&mut hub, conn, presence("a@b/c", 1, 50_000), Nanos(10));
    }
    while hub.io(conn).unwrap().outbox.pending() > 0 {
        written(&mut hub, conn, 60_000);
    }
    hub.handle_deadline(Nanos(10) + OUTBOX_SOFT_MAX);
    assert_eq!((hub.counters().slow_readers, hub.counters().superseded), (0, 0));
}

#[test]
fn stanzas_that_a_handler_answers_for_are_neither_superseded_nor_handed_back() {
    let (mut hub, conn) = opened();
    read(&mut hub, conn, "<answer-for/>");
    let mut expected = 0;
    for id in 0..=OUTBOX_SOFT_BYTES / 50_000 {
        let stanza = presence("a@b/c", id, 50_000);
        expected += stanza.written_len(To::Kept);
        deliver(&mut hub, conn, stanza, Nanos(10));
    }
    hub.handle_deadline(Nanos(10) + OUTBOX_SOFT_MAX);
    assert_eq!(hub.counters().superseded, 0);
    let mut bytes = 0;
    while hub.intent(conn) == Intent::Write {
        bytes += written(&mut hub, conn, usize::MAX).len();
    }
    assert_eq!(bytes, expected + "<slow/>".len());
    assert_eq!(hub.world().undeliverable, [] as [&str; 0]);
    assert!(hub.world().lines.iter().any(|line| line == "closed Peer SlowReader"));
}
