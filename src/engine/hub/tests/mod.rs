//! The hub driven by hand, with a handler that echoes.

mod pressure;

use std::io::{self, IoSlice};

use bytes::{Bytes, BytesMut};
use rand_core::SeedableRng;

use super::*;
use crate::engine::echo::{Echo, HEADER, Log};
use crate::engine::{Stamp, Target};
use crate::limits::{
    BARRIER_ANSWERS_MAX, BARRIER_BYTES_MAX, CLOSE_DRAIN_BYTES_MAX, FRAMES_PER_TURN_MAX, OUTBOX_SOFT_BYTES,
};
use crate::stanza::{Stanza, To};

fn hub() -> Hub<Echo> {
    Hub::new(Log::default(), ChaCha12Rng::seed_from_u64(1))
}

/// A hub with one connection that has read its stream header.
fn opened() -> (Hub<Echo>, ConnId) {
    let mut hub = hub();
    let conn = hub.handle_accepted(Nanos(1)).unwrap();
    read(&mut hub, conn, HEADER);
    hub.world_mut().lines.clear();
    (hub, conn)
}

fn read(hub: &mut Hub<Echo>, conn: ConnId, text: &str) -> bool {
    hub.handle_read(conn, &mut BytesMut::from(text), Nanos(2), Nanos(3))
}

/// Takes up to `most` bytes from the outbox as a socket would.
fn written(hub: &mut Hub<Echo>, conn: ConnId, most: usize) -> String {
    let mut slices = [IoSlice::new(&[]); 8];
    let count = hub.slices(conn, &mut slices);
    let mut bytes: Vec<u8> = slices[..count].iter().flat_map(|s| s.iter().copied()).collect();
    bytes.truncate(most);
    hub.handle_written(conn, bytes.len(), Nanos(4));
    String::from_utf8(bytes).unwrap()
}

fn presence(from: &str, id: usize, padding: usize) -> Stanza {
    let status = "x".repeat(padding);
    Stanza::from_own(Bytes::from(format!(
        "<presence from='{from}' id='{id}'><status>{status}</status></presence>"
    )))
}

fn deliver(hub: &mut Hub<Echo>, conn: ConnId, stanza: Stanza, now: Nanos) {
    hub.effects.deliver(stanza, [Target { conn, stamp: Stamp::Kept }]);
    hub.settle(now);
}

#[test]
fn a_frame_that_comes_in_pieces_is_handled_once_and_leaves_no_buffer() {
    let (mut hub, conn) = opened();
    read(&mut hub, conn, "<a>1</");
    assert_eq!(hub.intent(conn), Intent::Nothing);
    assert!(!hub.io(conn).unwrap().unread.is_empty());
    read(&mut hub, conn, "a><b/> <c");
    assert_eq!(hub.next_listed(), Some(conn));
    assert_eq!(hub.next_listed(), None, "a connection is listed once");
    assert_eq!(written(&mut hub, conn, 99), "<a>1</a><b/>");
    read(&mut hub, conn, "/>");
    assert_eq!(hub.io(conn).unwrap().unread.capacity(), 0, "an idle connection holds no buffer");
    assert_eq!(written(&mut hub, conn, 2), "<c");
    assert_eq!(written(&mut hub, conn, 99), "/>");
    assert_eq!(hub.world().lines, ["written 12", "written 14", "written 16"]);
}

#[test]
fn an_end_goes_through_flush_shut_down_and_drain() {
    let (mut hub, conn) = opened();
    read(&mut hub, conn, "<last/></stream:stream><never/>");
    assert_eq!(hub.intent(conn), Intent::Write);
    assert_eq!(written(&mut hub, conn, 99), "<last/>");
    assert_eq!(hub.intent(conn), Intent::ShutDownWrite);
    hub.handle_write_shut(conn, Nanos(5));
    assert_eq!(hub.intent(conn), Intent::Nothing, "waits for the peer's end");
    read(&mut hub, conn, "<ignored/>");
    hub.handle_eof(conn, Nanos(6));
    assert_eq!(hub.intent(conn), Intent::Close);
    hub.remove(conn);
    assert_eq!(hub.world().lines, ["closed Peer Closed"]);
    assert!(hub.is_empty());
}

#[test]
fn a_peer_that_talks_on_after_the_end_is_cut_off() {
    let (mut hub, conn) = opened();
    read(&mut hub, conn, "</stream:stream>");
    hub.handle_write_shut(conn, Nanos(5));
    read(&mut hub, conn, &"x".repeat(CLOSE_DRAIN_BYTES_MAX));
    assert_eq!(hub.intent(conn), Intent::Nothing);
    read(&mut hub, conn, "x");
    assert_eq!(hub.intent(conn), Intent::Close);
}

#[test]
fn a_drain_ends_by_its_timer() {
    let (mut hub, conn) = opened();
    read(&mut hub, conn, "</stream:stream>");
    hub.handle_write_shut(conn, Nanos(5));
    let deadline = hub.next_deadline().unwrap();
    hub.handle_deadline(deadline);
    while hub.intent(conn) != Intent::Close {
        let deadline = hub.next_deadline().expect("the drain's own timer is set");
        hub.handle_deadline(deadline);
    }
}

#[test]
fn every_unclean_end_is_told_once() {
    for end in 0..3 {
        let (mut hub, conn) = opened();
        match end {
            0 => hub.handle_eof(conn, Nanos(5)),
            1 => hub.handle_error(conn, io::ErrorKind::ConnectionReset, Nanos(5)),
            _ => {
                read(&mut hub, conn, "<a></b>");
            }
        }
        hub.handle_error(conn, io::ErrorKind::BrokenPipe, Nanos(6));
        let closed = hub.world().lines.iter().filter(|l| l.starts_with("closed")).count();
        assert_eq!(closed, 1, "{:?}", hub.world().lines);
        assert_eq!(hub.intent(conn), Intent::Close);
    }
}

#[test]
fn an_id_that_outlived_its_connection_reaches_nobody() {
    let (mut hub, old) = opened();
    hub.handle_error(old, io::ErrorKind::ConnectionReset, Nanos(5));
    hub.remove(old);
    let new = hub.handle_accepted(Nanos(6)).unwrap();
    assert_eq!(old.slot, new.slot, "the slot is used again");
    hub.world_mut().lines.clear();
    hub.effects.task(old, "stale");
    hub.effects.task(new, "fresh");
    hub.settle(Nanos(7));
    deliver(&mut hub, old, presence("a@b/c", 1, 0), Nanos(7));
    assert_eq!(hub.world().lines, [format!("task fresh {new:?}")]);
    assert_eq!(hub.world().undeliverable, ["1"]);
    assert_eq!(hub.intent(new), Intent::Nothing);
}

#[test]
fn a_deadline_that_moves_back_costs_no_heap_entry_and_fires_once() {
    let (mut hub, conn) = opened();
    for _ in 0..1000 {
        read(&mut hub, conn, "<timer/>");
    }
    assert_eq!(hub.heap.len(), 1);
    let due = hub.next_deadline().unwrap();
    hub.handle_deadline(due);
    hub.handle_deadline(due + std::time::Duration::from_secs(60));
    let fired = hub.world().lines.iter().filter(|l| l.starts_with("timer")).count();
    assert_eq!(fired, 1);
    assert_eq!(hub.next_deadline(), None);
}

/// As of a client that is asked to acknowledge something every second, and is idle never.
#[test]
fn a_deadline_that_comes_and_goes_before_another_leaves_nothing() {
    let (mut hub, conn) = opened();
    read(&mut hub, conn, "<timer/>");
    let distant = hub.next_deadline().unwrap();
    for n in 0..1_000 {
        let now = Nanos(10 + n * 2_000_000);
        hub.handle_read(conn, &mut BytesMut::from("<short-timer/>"), now, now);
        let due = hub.next_deadline().unwrap();
        assert!(due < distant);
        hub.handle_deadline(due);
        assert_eq!(hub.next_deadline(), Some(distant));
    }
    assert_eq!(hub.heap.len(), 1);
    hub.handle_deadline(distant);
    let of = |timer: &str| hub.world().lines.iter().filter(|line| line.contains(timer)).count();
    assert_eq!((of("Acknowledgement"), of("Idle")), (1_000, 1));
    assert_eq!(hub.next_deadline(), None);
}

#[test]
fn one_read_of_many_frames_leaves_some_for_the_next_turn() {
    let (mut hub, conn) = opened();
    let frames = FRAMES_PER_TURN_MAX as usize + 3;
    assert!(read(&mut hub, conn, &"<f/>".repeat(frames)));
    assert_eq!(written(&mut hub, conn, usize::MAX).len(), 4 * FRAMES_PER_TURN_MAX as usize);
    assert!(!read(&mut hub, conn, ""));
    assert_eq!(written(&mut hub, conn, usize::MAX).len(), 4 * 3);
}

#[test]
fn large_and_small_stanzas_keep_their_order_over_any_write_size() {
    for step in [1, 7, 100, 4_096, 1 << 20] {
        let (mut hub, conn) = opened();
        let mut expected = String::new();
        let mut got = String::new();
        for id in 0..40 {
            let stanza = presence("a@b/c", id, [10, 9_000, 200, 30_000][id % 4]);
            let mut bytes = Vec::new();
            stanza.write(To::Kept, &mut bytes);
            expected.push_str(std::str::from_utf8(&bytes).unwrap());
            deliver(&mut hub, conn, stanza, Nanos(10));
            got.push_str(&written(&mut hub, conn, step));
        }
        while hub.intent(conn) == Intent::Write {
            got.push_str(&written(&mut hub, conn, step.max(512)));
        }
        assert!(got == expected, "written in steps of {step}");
    }
}

fn run_next_job(hub: &mut Hub<Echo>) {
    let (ticket, job) = hub.next_job().unwrap();
    hub.handle_answer(ticket, crate::engine::do_here(job), Nanos(5));
}

#[test]
fn a_request_holds_its_connections_input_and_nobody_elses() {
    let (mut hub, conn) = opened();
    let other = hub.handle_accepted(Nanos(1)).unwrap();
    read(&mut hub, other, HEADER);
    assert!(
        !read(&mut hub, conn, "<a/><request/><b/><c"),
        "what is left waits for the answer, not for a turn"
    );
    assert!(hub.is_held(conn));
    assert_eq!(written(&mut hub, conn, 99), "<a/>");
    read(&mut hub, other, "<x/>");
    assert_eq!(written(&mut hub, other, 99), "<x/>");
    run_next_job(&mut hub);
    assert_eq!(hub.next_resumed(), Some(conn));
    read(&mut hub, conn, "");
    read(&mut hub, conn, "/>");
    assert_eq!(written(&mut hub, conn, 99), "<requested/><b/><c/>");
}

#[test]
fn answers_wait_at_the_barrier_and_nothing_else_does() {
    let (mut hub, conn) = opened();
    let answer = |n: usize| format!("<iq id='{n}'/>");
    let text = format!("{}<store/><store/>{}<say/><echo/>{}", answer(1), answer(2), answer(3));
    read(&mut hub, conn, &text);
    assert_eq!(written(&mut hub, conn, 99), format!("{}<echo/>", answer(1)));
    run_next_job(&mut hub);
    assert_eq!(written(&mut hub, conn, 99), "", "one of two");
    run_next_job(&mut hub);
    assert_eq!(written(&mut hub, conn, 99), format!("{}<said/>{}", answer(2), answer(3)));
    read(&mut hub, conn, &format!("{}<say/>", answer(4)));
    assert_eq!(written(&mut hub, conn, 99), format!("{}<said/>", answer(4)));
}

#[test]
fn too_many_answers_at_the_barrier_hold_the_input() {
    let (mut hub, conn) = opened();
    let text: String = (0..BARRIER_ANSWERS_MAX + 5).map(|_| "<iq/>").collect();
    read(&mut hub, conn, "<store/>");
    read(&mut hub, conn, &text);
    assert!(hub.is_held(conn));
    assert_eq!(written(&mut hub, conn, usize::MAX), "");
    run_next_job(&mut hub);
    assert_eq!(hub.next_resumed(), Some(conn));
    read(&mut hub, conn, "");
    assert_eq!(written(&mut hub, conn, usize::MAX), text);
}

#[test]
fn too_long_answers_at_the_barrier_hold_the_input() {
    let (mut hub, conn) = opened();
    let answer = format!("<iq>{}</iq>", "x".repeat(100_000));
    read(&mut hub, conn, "<store/>");
    read(&mut hub, conn, &answer.repeat(40));
    assert!(hub.is_held(conn));
    run_next_job(&mut hub);
    let waited = hub.io(conn).unwrap().outbox.pending();
    assert!((BARRIER_BYTES_MAX..BARRIER_BYTES_MAX + answer.len()).contains(&waited), "{waited}");
    let mut taken = String::new();
    while hub.intent(conn) == Intent::Write {
        taken.push_str(&written(&mut hub, conn, usize::MAX));
        while let Some(resumed) = hub.next_resumed() {
            read(&mut hub, resumed, "");
        }
    }
    assert!(taken == answer.repeat(40));
}

/// Also when something more has to be safe by then: it was caused before the end.
#[test]
fn what_waits_at_the_barrier_of_a_connection_that_ends_is_handed_back_when_all_is_safe() {
    let (mut hub, conn) = opened();
    let other = hub.handle_accepted(Nanos(1)).unwrap();
    read(&mut hub, conn, "<store/><iq id='1'/><say/><iq id='2'/>");
    hub.handle_error(conn, io::ErrorKind::ConnectionReset, Nanos(4));
    hub.remove(conn);
    hub.effects.hold(conn);
    hub.effects.when_safe(conn, other, "said");
    hub.settle(Nanos(4));
    run_next_job(&mut hub);
    assert_eq!(hub.world().undeliverable, [] as [&str; 0]);
    hub.effects.release(conn);
    hub.settle(Nanos(5));
    assert_eq!(hub.world().undeliverable, ["1", "2"]);
    assert_eq!(written(&mut hub, other, 99), "<said/>", "it waited for the other stream");
    assert!(hub.orphans.is_empty() && hub.next_resumed().is_none());
    // A stream that waits for nothing holds nobody.
    hub.effects.when_safe(conn, other, "said");
    hub.settle(Nanos(6));
    assert_eq!(written(&mut hub, other, 99), "<said/>");
}

/// What waits for another home or for the world waits like what waits for a job of its own.
#[test]
fn the_world_may_hold_a_connections_input() {
    let (mut hub, conn) = opened();
    hub.effects.wait(conn);
    hub.settle(Nanos(4));
    assert!(hub.is_held(conn));
    assert!(!read(&mut hub, conn, "<a/>"));
    assert_eq!(written(&mut hub, conn, 99), "");
    hub.effects.go_on(conn);
    hub.settle(Nanos(5));
    assert_eq!(hub.next_resumed(), Some(conn));
    read(&mut hub, conn, "");
    assert_eq!(written(&mut hub, conn, 99), "<a/>");
}

/// Unread input would make the kernel answer our last words with a reset.
#[test]
fn a_connection_that_ends_while_it_waits_is_read_again() {
    let (mut hub, conn) = opened();
    read(&mut hub, conn, "<request/><never-handled/>");
    assert!(hub.is_held(conn));
    hub.effects.task(conn, "bye");
    hub.settle(Nanos(4));
    assert!(!hub.is_held(conn));
    assert_eq!(hub.next_resumed(), Some(conn));
    assert!(!read(&mut hub, conn, "<unwanted/>"));
    run_next_job(&mut hub);
    assert!(hub.next_resumed().is_none(), "the answer comes too late");
    assert_eq!(written(&mut hub, conn, 99), "");
}

/// A machine that loses its power writes no last words.
#[test]
fn an_aborted_connection_flushes_nothing() {
    let (mut hub, conn) = opened();
    // Behind a slow reader's pile stanzas wait whole, and are handed back.
    for id in 0..=OUTBOX_SOFT_BYTES / 50_000 {
        deliver(&mut hub, conn, presence("a@b/c", id, 50_000), Nanos(10));
    }
    hub.effects.task(conn, "cut");
    hub.settle(Nanos(10));
    assert_eq!(hub.intent(conn), Intent::Reset);
    assert_eq!(hub.world().lines, ["task cut ConnId { slot: 0, generation: 0 }", "closed Us Closed"]);
    assert_eq!(hub.world().undeliverable, [(OUTBOX_SOFT_BYTES / 50_000).to_string()]);
    assert_eq!(hub.next_listed(), Some(conn));
    hub.remove(conn);
    assert!(hub.is_empty() && hub.next_listed().is_none());

    // What is closing in order goes on doing so.
    let (mut hub, conn) = opened();
    read(&mut hub, conn, "<a/></stream:stream>");
    hub.effects.task(conn, "cut");
    hub.settle(Nanos(5));
    assert_eq!(hub.intent(conn), Intent::Write);
}
