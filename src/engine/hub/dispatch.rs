//! Calls into handlers, and carrying out what they want done to others.

use bytes::BytesMut;

use super::Hub;
use crate::engine::connection::{Held, Phase};
use crate::engine::outbox::Pressure;
use crate::engine::{ConnId, Connection, Cx, Effect, Handler, Letter, Target, Timer, Timers};
use crate::limits::CLOSE_FLUSH_MAX;
use crate::stanza::Stanza;
use crate::time::Nanos;

impl<H: Handler> Hub<H> {
    /// Calls into an open connection's handler and looks after what follows: the end that it asked for, its
    /// outbox's budget, its timers, the driver's list.
    pub(super) fn call(
        &mut self,
        conn: ConnId,
        ready_at: Nanos,
        now: Nanos,
        call: impl FnOnce(&mut H, &mut Cx<'_, H>),
    ) {
        let Some(connection) = self.conns.get_mut(conn.slot as usize) else { return };
        let Connection { handler, io, barrier } = connection;
        if io.generation != conn.generation || io.phase != Phase::Open {
            return;
        }
        let mut cx = Cx {
            now,
            ready_at,
            me: conn,
            world: &mut self.world,
            effects: &mut self.effects,
            rng: &mut self.rng,
            io,
            pool: &mut self.pool,
        };
        call(handler, &mut cx);
        if let Some(reason) = cx.io.closing {
            handler.on_closed(&reason, &mut cx);
            io.timers = Timers::default();
            io.unread = BytesMut::new();
            if let Some(barrier) = barrier.take() {
                self.orphans.insert(conn, barrier);
            }
            if io.aborted {
                io.phase = Phase::Dead;
                io.held = Held::Free;
                self.hand_back_unwritten(conn, now);
                return self.list_if_wanted(conn);
            }
            io.phase = Phase::Flushing { peer_done: false };
            io.timers.set(Timer::Flush, now + CLOSE_FLUSH_MAX);
            if std::mem::replace(&mut io.held, Held::Free) != Held::Free {
                // Its socket was not read meanwhile. Now it has to be, or what waits there makes a reset of the end.
                self.resumed.push_back(conn);
            }
        } else if io.outbox.pressure() != Pressure::Fine {
            self.on_pressure(conn, now);
        }
        self.arm(conn);
        self.list_if_wanted(conn);
    }

    /// Carries out effects until none is left. A handler that answers a delivery with another one keeps this loop
    /// going; handlers only ever do so on a frame, of which each turn takes a bounded number.
    pub(super) fn settle(&mut self, now: Nanos) {
        while let Some(effect) = self.effects.queue.pop_front() {
            match effect {
                Effect::Deliver(stanza, range) => {
                    for index in range {
                        let target = self.effects.targets[index];
                        self.deliver(&stanza, target, now);
                    }
                }
                Effect::Task(conn, task) => {
                    self.call(conn, now, now, |handler, cx| handler.on_task(task, cx))
                }
                Effect::Connect(connect) => self.connects.push(connect),
                Effect::Mail(home, mail) => self.send(home, Letter::Mail(mail)),
                Effect::Job(ticket, job) => {
                    self.counters.jobs += 1;
                    self.jobs.push_back((ticket, job));
                }
                Effect::Answer(conn, stanza) => self.answer(conn, stanza, now),
                Effect::WhenSafe(stream, conn, task) => self.when_safe(stream, conn, task, now),
                Effect::Hold(conn) => self.hold(conn),
                Effect::Release(conn) => self.commit(conn, now),
                Effect::Wait(conn) => self.wait(conn),
                Effect::GoOn(conn) => self.release(conn),
            }
        }
        self.effects.targets.clear();
    }

    pub(super) fn deliver(&mut self, stanza: &Stanza, target: Target, now: Nanos) {
        if self.io(target.conn).is_some_and(|io| io.phase == Phase::Open) {
            self.counters.delivered += 1;
            self.call(target.conn, now, now, |handler, cx| handler.on_delivery(stanza, target.stamp, cx));
        } else {
            self.hand_back(stanza.clone(), target, now);
        }
    }
}
