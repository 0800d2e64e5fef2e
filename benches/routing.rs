//! What the router's own work costs for one message, sockets left out: frame, head, stamp, decide, copy.
//!
//! The floor beside it is the framer alone on the same bytes.

#![allow(missing_docs)]

#[path = "../tests/support/in_memory_router.rs"]
mod in_memory_router;

use bytes::BytesMut;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use in_memory_router::InMemoryRouter;
use xmpp_bench::limits::FRAMER_AFTER_AUTH;
use xmpp_bench::xml::Framer;

const HEADER: &str = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";

fn routing(c: &mut Criterion) {
    let mut group = c.benchmark_group("one 180-byte message");
    let message = format!(
        "<message to='romeo@bench.local/r' id='m1' type='chat'><body>{}</body></message>",
        "Art thou not Romeo, and a Montague? ".repeat(3)
    );
    group.throughput(Throughput::Elements(1));

    let mut framer = Framer::new(FRAMER_AFTER_AUTH);
    let mut scratch = BytesMut::with_capacity(65_536);
    scratch.extend_from_slice(HEADER.as_bytes());
    framer.next_frame(&mut scratch).expect("a good header");
    group.bench_function("framed", |b| {
        b.iter(|| {
            scratch.clear();
            scratch.extend_from_slice(message.as_bytes());
            framer.next_frame(&mut scratch).expect("a good message")
        });
    });

    for in_flight in [1, 16] {
        let mut router = InMemoryRouter::new(&["juliet", "romeo"]);
        let juliet = router.log_in("juliet");
        let romeo = router.log_in("romeo");
        let batch = message.repeat(in_flight);
        group.throughput(Throughput::Elements(in_flight as u64));
        group.bench_function(format!("routed, {in_flight} in one read"), |b| {
            b.iter(|| {
                router.read(juliet, batch.as_bytes());
                router.write_all(romeo)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, routing);
criterion_main!(benches);
