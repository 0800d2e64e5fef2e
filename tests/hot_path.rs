//! What one routed message costs after warm-up: no allocation, and at most one copy of each byte.
//!
//! The router's real engine runs here without sockets, so that only its own work is counted. The counting allocator is
//! why this test has a program of its own.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

#[path = "support/in_memory_router.rs"]
mod in_memory_router;

use in_memory_router::InMemoryRouter;

thread_local! {
    /// Of this thread only: the test runner's own threads allocate too.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call is handed to the system's allocator unchanged; counting touches no memory of the caller.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(ptr, layout) }
    }
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(ptr, layout, new_size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_routed_message_allocates_nothing_and_is_copied_once() {
    let mut router = InMemoryRouter::new(&["juliet", "romeo"]);
    let juliet = router.log_in("juliet");
    let romeo = router.log_in("romeo");
    let message = format!(
        "<message to='romeo@bench.local/r' id='m1' type='chat'><body>{}</body></message>",
        "Art thou not Romeo, and a Montague? ".repeat(3)
    );
    let stamp = " from='juliet@bench.local/r'".len();
    for _ in 0..64 {
        router.read(juliet, message.as_bytes());
        router.write_all(romeo);
    }
    let rounds = 1_000;
    let (allocated, copied) = (ALLOCATIONS.get(), router.hub.bytes_copied());
    let mut arrived = 0;
    for _ in 0..rounds {
        router.read(juliet, message.as_bytes());
        arrived += router.write_all(romeo);
    }
    let allocated = ALLOCATIONS.get() - allocated;
    let copied = router.hub.bytes_copied() - copied;
    let expected = rounds * (message.len() + stamp);
    assert_eq!(arrived, expected, "romeo got every message, stamped");
    assert_eq!(allocated, 0, "allocations for {rounds} messages");
    assert_eq!(copied, expected as u64, "each byte that arrives was copied once, into the outbox");
}

/// The same with a cut in every message: the first half is copied once more, and nothing is kept when it is whole.
#[test]
fn a_message_in_two_reads_is_copied_at_most_twice() {
    let mut router = InMemoryRouter::new(&["juliet", "romeo"]);
    let juliet = router.log_in("juliet");
    let romeo = router.log_in("romeo");
    let message = "<message to='romeo@bench.local/r' type='chat'><body>Wherefore?</body></message>";
    let stamp = " from='juliet@bench.local/r'".len();
    let copied = router.hub.bytes_copied();
    let (first, second) = message.as_bytes().split_at(30);
    router.read(juliet, first);
    router.read(juliet, second);
    assert_eq!(router.write_all(romeo), message.len() + stamp);
    let copied = usize::try_from(router.hub.bytes_copied() - copied).unwrap();
    assert!(copied <= 2 * message.len() + stamp, "{copied} bytes copied");
}

/// The counter itself counts, or the tests above could not fail.
#[test]
fn the_allocator_counts() {
    let before = ALLOCATIONS.get();
    let boxed = std::hint::black_box(Box::new(7_u64));
    assert_eq!(ALLOCATIONS.get() - before, 1);
    drop(boxed);
}
