//! Connections that move between reactors, and jobs that leave and come back as answers.

use mio::net::TcpStream;

use super::Reactor;
use crate::engine::{ConnId, Job, World};
use crate::router::mailbox::Wake;
use crate::time::Nanos;

impl<W: World> Reactor<W> {
    /// Takes a connection's socket off this reactor's epoll and sends both to its home.
    pub(super) fn send_away(&mut self, conn: ConnId) {
        let now = self.clock.now();
        let Some(mut socket) = self.sockets.get_mut(conn.slot as usize).and_then(Option::take) else {
            return;
        };
        match self.poll.registry().deregister(&mut socket.stream) {
            Ok(()) => self.hub.send_moving(conn, Box::new(socket.stream), now),
            Err(error) => {
                self.sockets[conn.slot as usize] = Some(socket);
                self.hub.handle_error(conn, error.kind(), now);
            }
        }
    }

    /// Gives connections that have come here their sockets. The kernel reports at once what waits in them.
    pub(super) fn unpack_arrivals(&mut self, now: Nanos) {
        while let Some((conn, luggage)) = self.hub.next_arrival() {
            let stream = luggage.downcast::<TcpStream>().expect("reactors send sockets along");
            self.adopt_stream(conn, *stream, false, now);
        }
    }

    /// Hands jobs to the workers.
    pub(super) fn send_jobs(&mut self) {
        while let Some((ticket, job)) = self.hub.next_job() {
            let (answered, handle) = (self.answered.clone(), std::sync::Arc::clone(&self.handle));
            self.workers.submit(Box::new(move || {
                // A reactor that has ended needs no answer.
                if answered.send((ticket, job.run())).is_ok() {
                    handle.wake();
                }
            }));
        }
    }

    /// Hands answers to their connections.
    pub(super) fn take_answers(&mut self, now: Nanos) {
        while let Ok((ticket, answer)) = self.answers.try_recv() {
            self.hub.handle_answer(ticket, answer, now);
        }
    }
}
