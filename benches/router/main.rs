//! What it costs to know where an address is connected, beside what could stand in the shard's place, and what it costs
//! to get there.
//!
//! `cargo bench --bench router`. Nothing is framed or written here; `benches/routing.rs` does that.

#![allow(missing_docs, reason = "criterion's macros write items without")]

mod mail;
mod population;
mod routes;
mod table;

use criterion::{criterion_group, criterion_main};

/// The program's own allocator: where it puts accounts and sessions is part of what a lookup costs.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

criterion_group!(benches, mail::letters, mail::wakes, table::tables, table::decide);
criterion_main!(benches);
