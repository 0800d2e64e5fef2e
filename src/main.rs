//! The program: picks the allocator, hands over to [`xmpp_bench::app`] and turns its verdict into an exit code.
//!
//! Nothing is decided here; `cli.rs` knows the flags and `app/` does the work.

mod cli;

/// Many small buffers of many connections: mimalloc keeps its pages denser than the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cli::main()
}
