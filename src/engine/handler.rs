//! What a connection's owner must answer to.
//!
//! A handler never reads a socket and never keeps bytes of the wire: frames come in, answers go to the outbox of
//! its [`Cx`], everything else into [`Effects`].

use std::io;

use rand_chacha::ChaCha12Rng;

use super::hub::AnswerOf;
use super::{CloseReason, Cx, Effects, Job, Stamp, Target, Timer};
use crate::router::mailbox::Weigh;
use crate::stanza::Stanza;
use crate::time::Nanos;
use crate::xml::{Frame, XmlError};

/// Names one connection of one hub. A slot is reused, its generation is not: an id that outlived its connection is
/// recognised and never reaches another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnId {
    /// Index in the hub's slab.
    pub slot: u32,
    /// How often the slot had been used before.
    pub generation: u32,
}

/// One connection's role: a server's client, a synthetic client, later a peer or a component.
pub trait Handler: Sized + std::fmt::Debug + Send + 'static {
    /// What all connections of a hub share: a router's shard, a run's schedule.
    type World: World<Link = Self>;
    /// What the world or another connection may ask of this one.
    type Task: std::fmt::Debug + Send;

    /// Limits of the framer until [`Cx::set_framer_limits`].
    const FRAMER_LIMITS: crate::limits::FramerLimits;

    /// Whether no further frame is handed over while more than [`crate::limits::OUTBOX_SOFT_BYTES`] wait to be written: for a
    /// role that answers what it reads. Two peers of that kind would wait for each other.
    const WAITS_FOR_READER: bool = false;

    /// The transport is up. A client writes its stream header now.
    fn on_connected(&mut self, cx: &mut Cx<'_, Self>);
    /// A complete unit of the stream came in. `cx.now` is the time just before the read that completed it.
    fn on_frame(&mut self, frame: Frame, cx: &mut Cx<'_, Self>);
    /// The peer's bytes are no XML stream. The handler writes its stream error and calls [`Cx::close`].
    fn on_xml_error(&mut self, error: XmlError, cx: &mut Cx<'_, Self>);
    /// A stanza for this connection ([`Effects::deliver`]).
    fn on_delivery(&mut self, stanza: &Stanza, stamp: Stamp, cx: &mut Cx<'_, Self>);
    /// Somebody asked something of this connection ([`Effects::task`]).
    fn on_task(&mut self, task: Self::Task, cx: &mut Cx<'_, Self>);
    /// A timer that this handler set ([`Cx::set_timer`]) has passed; it is cleared.
    fn on_timer(&mut self, timer: Timer, cx: &mut Cx<'_, Self>);
    /// Everything up to `position` ([`Cx::position`]) was taken by the kernel at `cx.now`.
    fn on_written(&mut self, position: u64, cx: &mut Cx<'_, Self>) {
        let _ = (position, cx);
    }
    /// The outbox's budget is used up and nothing could be superseded. The handler writes nothing more than a last
    /// stream error and closes with [`super::Ended::SlowReader`].
    fn on_slow_reader(&mut self, cx: &mut Cx<'_, Self>);
    /// A job that this handler asked for ([`Cx::request`]) is done.
    fn on_answer(&mut self, answer: AnswerOf<Self>, cx: &mut Cx<'_, Self>);
    /// The connection leaves this hub for its home ([`Cx::move_to`]); it has not ended. `cx.world` is the old one.
    fn on_departure(&mut self, cx: &mut Cx<'_, Self>) {
        let _ = cx;
    }
    /// The connection has come home. `cx.world` is the new one, `cx.me` its new name; what it had written and what it has
    /// not read yet came along.
    fn on_arrival(&mut self, cx: &mut Cx<'_, Self>) {
        let _ = cx;
    }
    /// The connection has ended; called exactly once for each connection that saw `on_connected`, right after the
    /// call that ended it and before any other connection is served. What is in the outbox is still flushed (if the
    /// socket lives); nothing may be added.
    fn on_closed(&mut self, reason: &CloseReason, cx: &mut Cx<'_, Self>);
}

/// What all connections of one hub share.
pub trait World: Sized + std::fmt::Debug + Send + 'static {
    /// Its connections.
    type Link: Handler<World = Self>;

    /// What it sends to the worlds of other hubs ([`Effects::mail`]).
    type Mail: Weigh + std::fmt::Debug + Send + 'static;
    /// What it and its connections have done elsewhere ([`Cx::request`], [`Effects::job`]).
    type Job: Job;
    /// What the driver's owner may tell it from another thread.
    type News: std::fmt::Debug + Send + 'static;

    /// A peer connected to a listener: its handler, or `None` to refuse it.
    fn on_accept(&mut self, now: Nanos) -> Option<Self::Link>;
    /// When `on_deadline` wants to be called next.
    fn next_deadline(&self) -> Option<Nanos>;
    /// `now` is at or behind `next_deadline`.
    fn on_deadline(&mut self, now: Nanos, effects: &mut Effects<Self::Link>, rng: &mut ChaCha12Rng);
    /// A connection that was asked for ([`Effects::connect`]) could not be made; `on_connected` was not called.
    fn on_connect_failed(
        &mut self,
        link: Self::Link,
        error: &io::Error,
        now: Nanos,
        effects: &mut Effects<Self::Link>,
    );
    /// `stanza` was meant for a connection that is gone, or was still waiting in the outbox of one that closed. `target`
    /// says whose copy it was.
    fn on_undeliverable(
        &mut self,
        stanza: Stanza,
        target: Target,
        now: Nanos,
        effects: &mut Effects<Self::Link>,
    );
    /// Mail that comes next, one [`World::on_mail`] each, oldest first: a world may have the memory fetched that it will
    /// read, for all of it at once. Nothing may be changed by it.
    fn expect_mail<'a>(&mut self, mail: impl Iterator<Item = &'a Self::Mail>) {
        let _ = mail;
    }
    /// Mail from the world of another hub.
    fn on_mail(&mut self, mail: Self::Mail, now: Nanos, effects: &mut Effects<Self::Link>);
    /// A job that the world asked for ([`Effects::job`]) is done. Only a world that asks is answered.
    fn on_answer(&mut self, answer: AnswerOf<Self::Link>, now: Nanos, effects: &mut Effects<Self::Link>) {
        let _ = (now, effects);
        unreachable!("this world asks for nothing: {answer:?}");
    }
    /// News from the driver's owner. Only a world whose owner has some is told any.
    fn on_news(&mut self, news: Self::News, now: Nanos, effects: &mut Effects<Self::Link>) {
        let _ = (now, effects);
        unreachable!("nobody has news for this world: {news:?}");
    }
    /// No hub of the fleet has a connection, not even one that moves. Said again every turn.
    fn on_empty(&mut self, now: Nanos, effects: &mut Effects<Self::Link>) {
        let _ = (now, effects);
    }
    /// The operator asked for the end (SIGINT, SIGTERM).
    fn on_stop(&mut self, now: Nanos, effects: &mut Effects<Self::Link>);
    /// Nothing is left to do: the driver returns once the outboxes are flushed.
    fn is_done(&self) -> bool;
}
