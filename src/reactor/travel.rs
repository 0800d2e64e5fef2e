//! Connections that move between reactors; jobs that leave and come back as answers; news from the owner.

use mio::net::TcpStream;

use super::Reactor;
use super::messenger::Heard;
use crate::engine::{Answerer, ConnId, Job, World};
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
            let messenger = self.messenger();
            let answerer = Answerer::new(move |answer| messenger.tell(Heard::Answer(ticket, answer)));
            if let Some(errand) = job.begin(answerer) {
                self.workers.submit(errand);
            }
        }
    }

    /// Hands answers to who asked, and news to the world.
    pub(super) fn hear(&mut self, now: Nanos) {
        while let Ok(heard) = self.heard.try_recv() {
            match heard {
                Heard::Answer(ticket, answer) => self.hub.handle_answer(ticket, answer, now),
                Heard::News(news) => self.hub.handle_news(news, now),
                Heard::Look(look) => {
                    self.sum_up(now);
                    look(self.hub.world(), &self.report);
                }
            }
        }
    }
}
