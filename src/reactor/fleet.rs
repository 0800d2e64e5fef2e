//! Several reactors, one thread each, that send each other mail.
//!
//! What they share is their mailboxes' lanes and nothing else.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::workers::Workers;
use super::{Gauge, Messenger, Reactor, ReactorConfig, ReactorReport, Stopper};
use crate::engine::{World, fleet};
use crate::router::mailbox::MailboxLimits;

/// Reactors that run together. The first one runs on the caller's thread.
#[derive(Debug)]
pub struct Fleet<W: World> {
    reactors: Vec<Reactor<W>>,
}

impl<W: World> Fleet<W> {
    /// One reactor around each world, with the configuration at the same place.
    ///
    /// # Errors
    /// As [`Reactor::new`].
    ///
    /// # Panics
    /// Without a world, or without a configuration for each.
    pub fn new(worlds: Vec<W>, configs: &[ReactorConfig]) -> io::Result<Self> {
        assert!(!worlds.is_empty() && worlds.len() == configs.len(), "each world has a configuration");
        let seats = fleet(worlds.len(), MailboxLimits::default());
        let workers = Workers::default();
        let reactors = worlds.into_iter().zip(configs).zip(seats);
        let reactors = reactors
            .map(|((world, config), seat)| Reactor::in_fleet(world, config.clone(), seat, workers.clone()))
            .collect::<io::Result<_>>()?;
        Ok(Self { reactors })
    }

    /// Has every reactor listen on `addr` (port 0: any, the same for all), so that the kernel spreads connections over them.
    /// Returns the address that was bound.
    ///
    /// # Errors
    /// When the address cannot be bound; when another process listens there already.
    pub fn listen(&mut self, addr: SocketAddr) -> io::Result<SocketAddr> {
        if let [alone] = &mut self.reactors[..] {
            return alone.listen(addr);
        }
        if addr.port() != 0 {
            // Sockets that share a port would share it with another process of this user as well, in silence.
            super::accept::probe(addr)?;
        }
        let mut bound = addr;
        for reactor in &mut self.reactors {
            bound = reactor.listen_shared(bound)?;
        }
        Ok(bound)
    }

    /// A handle that ends all of them.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        Stopper::of_all(self.reactors.iter().map(Reactor::stopper))
    }

    /// A handle for each that tells its world news while it runs, in order.
    #[must_use]
    pub fn messengers(&self) -> Vec<Messenger<W>> {
        self.reactors.iter().map(Reactor::messenger).collect()
    }

    /// What each of them shows of itself while it runs, in order.
    #[must_use]
    pub fn gauges(&self) -> Vec<Gauge> {
        self.reactors.iter().map(Reactor::gauge).collect()
    }

    /// Runs all of them until their worlds are done; returns the worlds, in order. When one fails the others are stopped.
    ///
    /// # Errors
    /// The first failure, as [`Reactor::run`].
    ///
    /// # Panics
    /// When a reactor's thread does.
    pub fn run(self) -> io::Result<Vec<(W, ReactorReport)>> {
        let stopper = self.stopper();
        let failed = AtomicBool::new(false);
        let run = |reactor: Reactor<W>| {
            let alarm = Alarm { failed: &failed, stopper: &stopper };
            let result = reactor.run_unless(&failed);
            if result.is_ok() {
                std::mem::forget(alarm);
            }
            result
        };
        let mut reactors = self.reactors.into_iter();
        let first = reactors.next().expect("a fleet has a reactor");
        thread::scope(|scope| {
            let mut threads = Vec::new();
            for (reactor, number) in reactors.zip(1..) {
                let builder = thread::Builder::new().name(format!("reactor-{number}"));
                threads.push(builder.spawn_scoped(scope, || run(reactor))?);
            }
            let mut results = vec![run(first)];
            results
                .extend(threads.into_iter().map(|thread| thread.join().expect("a reactor does not panic")));
            results.into_iter().collect()
        })
    }
}

/// Stops all reactors when it is dropped: one that failed, or whose thread panics, would be waited for by the others for ever.
struct Alarm<'a> {
    failed: &'a AtomicBool,
    stopper: &'a Stopper,
}

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        self.failed.store(true, Ordering::Release);
        self.stopper.stop();
    }
}
