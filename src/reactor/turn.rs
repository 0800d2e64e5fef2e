//! One turn of the loop.

use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use mio::Events;
use mio::event::Event;
use socket2::SockRef;

use super::Reactor;
use super::token::{self, Owner};
use crate::engine::{ConnId, Intent, World};
use crate::limits::{OUTBOX_SLICES_MAX, READ_BYTES_PER_TURN_MAX};
use crate::time::Nanos;

/// The least that a read asks for. The buffer is zeroed before each read (40 ns for this much), so asking for more
/// than comes is waste; reads that fill it ask for twice as much next time.
pub(super) const READ_BYTES_MIN: usize = 4_096;

impl<W: World> Reactor<W> {
    pub(super) fn turn(&mut self, events: &mut Events) -> io::Result<()> {
        self.wait(events)?;
        let woke = self.clock.now();
        self.report.turns += 1;
        for event in events.iter() {
            self.on_event(event, woke);
        }
        for _ in 0..self.ready.len() {
            if let Some(conn) = self.ready.pop_front() {
                self.read(conn);
            }
        }
        let now = self.clock.now();
        self.hub.handle_mail(now);
        self.hear(now);
        self.unpack_arrivals(now);
        if self.can_accept(now) {
            self.accept_ready(now);
        }
        if self.hub.next_deadline().is_some_and(|at| at <= now) {
            self.hub.handle_deadline(now);
        }
        if self.handle.take_stop() {
            self.listeners.clear();
            self.hub.handle_stop(now);
        }
        self.hub.handle_emptiness(now);
        self.begin_connects(now);
        self.hub.flush_mail();
        let moved = self.hub.counters().moved_away;
        while let Some(conn) = self.hub.next_listed() {
            self.serve(conn);
        }
        if self.hub.counters().moved_away != moved {
            self.hub.flush_mail();
        }
        self.send_jobs();
        while let Some(conn) = self.hub.next_resumed() {
            if let Some(socket) = self.socket(conn) {
                socket.frames_left = true;
                self.mark_ready(conn, now);
            }
        }
        self.report.busy_ns += self.clock.now().since(woke);
        self.gauge.set_busy_ns(self.report.busy_ns);
        Ok(())
    }

    /// Waits for the kernel, a deadline or the stopper; not at all when work is left from the last turn.
    fn wait(&mut self, events: &mut Events) -> io::Result<()> {
        let now = self.clock.now();
        let idle = self.ready.is_empty() && !self.can_accept(now) && self.hub.lie_down();
        let timeout = if idle {
            let deadline = [self.hub.next_deadline(), self.next_accept()].into_iter().flatten().min();
            self.timer.arm(deadline, now)?;
            None
        } else {
            Some(Duration::ZERO)
        };
        let result = self.poll.poll(events, timeout);
        self.hub.get_up();
        match result {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            other => other,
        }
    }

    fn on_event(&mut self, event: &Event, woke: Nanos) {
        match token::owner(event.token()) {
            Owner::Waker => {}
            Owner::Timer => self.timer.fired(),
            Owner::Listener(index) => {
                if let Some(listener) = self.listeners.get_mut(index) {
                    listener.ready = true;
                }
            }
            Owner::Connecting(index) => self.finish_connect(index, woke),
            Owner::Connection(conn) => {
                let Some(socket) = self.socket(conn) else { return };
                if event.is_read_closed() || event.is_error() {
                    socket.eof_waits = true;
                }
                if event.is_readable() || socket.eof_waits {
                    self.mark_ready(conn, woke);
                }
                if event.is_writable()
                    && let Some(socket) = self.socket(conn)
                    && std::mem::take(&mut socket.blocked)
                {
                    self.serve(conn);
                }
            }
        }
    }

    /// Reads once, within the turn's budget. A socket that may have more goes back on the ready list.
    fn read(&mut self, conn: ConnId) {
        let now = self.clock.now();
        let want = self.read_bytes;
        let Some(socket) = self.sockets.get_mut(conn.slot as usize).and_then(Option::as_mut) else { return };
        if socket.generation != conn.generation {
            return;
        }
        socket.listed = false;
        if self.hub.is_held(conn) {
            // What the kernel reported is looked for again when the connection goes on.
            return;
        }
        let ready_at = socket.ready_at;
        self.scratch.clear();
        // Whether the socket has more behind left-over frames is not known: look again after them.
        let mut again = true;
        if !std::mem::take(&mut socket.frames_left) {
            self.scratch.resize(want, 0);
            match socket.stream.read(&mut self.scratch[..]) {
                Ok(0) => return self.hub.handle_eof(conn, now),
                Ok(got) => {
                    again = got == want || socket.eof_waits;
                    self.scratch.truncate(got);
                    self.learn_read_size(got);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                    return self.mark_ready(conn, ready_at);
                }
                Err(error) => return self.hub.handle_error(conn, error.kind(), now),
            }
        }
        let frames_left = self.hub.handle_read(conn, &mut self.scratch, ready_at, now);
        if let Some(socket) = self.socket(conn) {
            socket.frames_left = frames_left;
        }
        if again || frames_left {
            self.mark_ready(conn, ready_at);
        }
    }

    /// Asks for twice as much after a full read, and for less when a quarter would have done.
    fn learn_read_size(&mut self, got: usize) {
        if got == self.read_bytes {
            self.read_bytes = (self.read_bytes * 2).min(READ_BYTES_PER_TURN_MAX);
        } else if got < self.read_bytes / 4 {
            self.read_bytes = (self.read_bytes / 2).max(READ_BYTES_MIN);
        }
    }

    /// Does what a connection wants: one write usually; or the last steps of its end.
    fn serve(&mut self, conn: ConnId) {
        loop {
            match self.hub.intent(conn) {
                Intent::Nothing => return,
                Intent::Write => {
                    if !self.write(conn) {
                        return;
                    }
                }
                Intent::Move => return self.send_away(conn),
                Intent::ShutDownWrite => {
                    let now = self.clock.now();
                    if let Some(socket) = self.socket(conn) {
                        // A peer that is gone already cannot be told; its end of file or reset follows.
                        let _ = socket.stream.shutdown(Shutdown::Write);
                    }
                    self.hub.handle_write_shut(conn, now);
                }
                intent @ (Intent::Close | Intent::Reset) => {
                    if let Some(socket) = self.sockets.get_mut(conn.slot as usize)
                        && let Some(socket) = socket.take_if(|s| s.generation == conn.generation)
                        && intent == Intent::Reset
                    {
                        // No time to linger: closing throws away what is under way and sends RST. A peer that was
                        // faster has ended it already.
                        let _ = SockRef::from(&socket.stream).set_linger(Some(Duration::ZERO));
                    }
                    self.hub.remove(conn);
                    return;
                }
            }
        }
    }

    /// One gathered write. Returns whether the kernel took all it was given.
    fn write(&mut self, conn: ConnId) -> bool {
        let Some(socket) = self.sockets.get_mut(conn.slot as usize).and_then(Option::as_mut) else {
            return false;
        };
        if socket.generation != conn.generation || socket.blocked {
            return false;
        }
        let mut slices = [IoSlice::new(&[]); OUTBOX_SLICES_MAX];
        let count = self.hub.slices(conn, &mut slices);
        let slices = &slices[..count];
        let offered: usize = slices.iter().map(|s| s.len()).sum();
        let result =
            if let [one] = slices { socket.stream.write(one) } else { socket.stream.write_vectored(slices) };
        match result {
            Ok(taken) => {
                socket.blocked = taken < offered;
                let all = !socket.blocked;
                let now = self.clock.now();
                self.hub.handle_written(conn, taken, now);
                if !all {
                    self.hub.handle_write_blocked(conn, now);
                }
                all
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                socket.blocked = true;
                let now = self.clock.now();
                self.hub.handle_write_blocked(conn, now);
                false
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => true,
            Err(error) => {
                let now = self.clock.now();
                self.hub.handle_error(conn, error.kind(), now);
                true
            }
        }
    }
}
