//! SIGINT and SIGTERM: the first asks for an orderly end, the second ends at once.
//!
//! It does not decide what an orderly end is; whoever installs it gets the signal's number in a closure.

use std::io;
use std::thread;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Calls `on_first` (in a thread of its own) with the first signal. A second one exits with 128 + its number, for the
/// operator who does not want to wait for the partial result.
///
/// # Errors
/// The handlers cannot be installed.
pub fn install(on_first: impl FnOnce(i32) + Send + 'static) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    thread::Builder::new().name("signals".into()).spawn(move || {
        let mut arriving = signals.forever();
        if let Some(first) = arriving.next() {
            on_first(first);
        }
        if let Some(second) = arriving.next() {
            std::process::exit(128 + second);
        }
    })?;
    Ok(())
}
