//! A handler for tests of the engine and its drivers: it echoes elements and writes down what it is told.

use std::io;
use std::time::Duration;

use rand_chacha::ChaCha12Rng;

use super::{
    Answerer, CloseReason, Connect, Cx, Effects, Ended, Errand, Handler, Job, Never, Stamp, Target, Timer,
    World,
};
use crate::limits::{FRAMER_AFTER_AUTH, FramerLimits};
use crate::stanza::{Stanza, To};
use crate::stream::Blame;
use crate::time::Nanos;
use crate::xml::{Frame, XmlError};

/// Work that comes to these words.
#[derive(Debug)]
pub(crate) struct Chore(&'static str);

impl Job for Chore {
    type Answer = &'static str;

    fn begin(self, answer: Answerer<&'static str>) -> Option<Errand> {
        Some(Box::new(move || answer.give(self.0)))
    }
}

/// Echoes elements; obeys a few.
#[derive(Debug, Default)]
pub(crate) struct Echo;

#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) lines: Vec<String>,
    pub(crate) undeliverable: Vec<String>,
    pub(crate) done: bool,
    /// Whose store jobs are under way, oldest first.
    pub(crate) storing: Vec<super::ConnId>,
    /// Where to connect with the next deadline.
    pub(crate) connect: Vec<std::net::SocketAddr>,
}

impl Handler for Echo {
    type World = Log;
    type Task = &'static str;
    const FRAMER_LIMITS: FramerLimits = FRAMER_AFTER_AUTH;
    const WAITS_FOR_READER: bool = true;

    fn on_connected(&mut self, cx: &mut Cx<'_, Self>) {
        cx.world.lines.push(format!("connected {:?}", cx.me));
    }
    fn on_frame(&mut self, frame: Frame, cx: &mut Cx<'_, Self>) {
        match frame {
            Frame::Open(_) => cx.world.lines.push("open".into()),
            Frame::Close => cx.close(CloseReason::closed(Blame::Peer)),
            Frame::Element(element) if element.tag().name() == "timer" => {
                cx.set_timer(Timer::Idle, cx.now + Duration::from_secs(5));
            }
            Frame::Element(element) if element.tag().name() == "fault" => panic!("as it was asked to"),
            Frame::Element(element) if element.tag().name() == "short-timer" => {
                cx.set_timer(Timer::Acknowledgement, cx.now + Duration::from_millis(1));
            }
            Frame::Element(element) if element.tag().name() == "request" => cx.request(Chore("<requested/>")),
            Frame::Element(element) if element.tag().name() == "cut" => cx.effects.task(cx.me, "cut"),
            Frame::Element(element) if element.tag().name() == "store" => {
                cx.world.storing.push(cx.me);
                cx.effects.hold(cx.me);
                cx.effects.job(Chore("stored"));
            }
            Frame::Element(element) if element.tag().name() == "say" => {
                cx.effects.when_safe(cx.me, cx.me, "said");
            }
            Frame::Element(element) if element.tag().name() == "answer-for" => cx.answer_for_unwritten(),
            Frame::Element(element) if element.tag().name() == "iq" => {
                cx.effects.answer(cx.me, Stanza::from_own(element.bytes));
            }
            Frame::Element(element) => cx.write(|out| out.extend_from_slice(&element.bytes)),
        }
    }
    fn on_xml_error(&mut self, error: XmlError, cx: &mut Cx<'_, Self>) {
        cx.world.lines.push(format!("xml {error}"));
        cx.close(CloseReason { blame: Blame::Peer, ended: Ended::Closed });
    }
    fn on_delivery(&mut self, stanza: &Stanza, _: Stamp, cx: &mut Cx<'_, Self>) {
        cx.send(stanza, To::Kept);
    }
    fn on_task(&mut self, task: &'static str, cx: &mut Cx<'_, Self>) {
        cx.world.lines.push(format!("task {task} {:?}", cx.me));
        match task {
            "bye" => cx.close(CloseReason::closed(Blame::Us)),
            "cut" => cx.abort(CloseReason::closed(Blame::Us)),
            "said" => cx.write(|out| out.extend_from_slice(b"<said/>")),
            _ => {}
        }
    }
    fn on_timer(&mut self, timer: Timer, cx: &mut Cx<'_, Self>) {
        cx.world.lines.push(format!("timer {timer:?} {:?}", cx.now));
    }
    fn on_written(&mut self, position: u64, cx: &mut Cx<'_, Self>) {
        cx.world.lines.push(format!("written {position}"));
    }
    fn on_slow_reader(&mut self, cx: &mut Cx<'_, Self>) {
        cx.write(|out| out.extend_from_slice(b"<slow/>"));
    }
    fn on_answer(&mut self, answer: &'static str, cx: &mut Cx<'_, Self>) {
        cx.write(|out| out.extend_from_slice(answer.as_bytes()));
    }
    fn on_closed(&mut self, reason: &CloseReason, cx: &mut Cx<'_, Self>) {
        cx.world.lines.push(format!("closed {:?} {:?}", reason.blame, reason.ended));
    }
}

impl World for Log {
    type Link = Echo;
    type Mail = Never;
    type Job = Chore;
    type News = &'static str;
    fn on_accept(&mut self, _: Nanos) -> Option<Echo> {
        Some(Echo)
    }
    fn next_deadline(&self) -> Option<Nanos> {
        self.connect.first().map(|_| Nanos::ZERO)
    }
    fn on_deadline(&mut self, _: Nanos, effects: &mut Effects<Echo>, _: &mut ChaCha12Rng) {
        for remote in self.connect.drain(..) {
            effects.connect(Connect { remote, local: None, handler: Echo });
        }
    }
    fn on_connect_failed(&mut self, _: Echo, error: &io::Error, _: Nanos, _: &mut Effects<Echo>) {
        self.lines.push(format!("connect failed: {}", error.kind()));
        self.done = true;
    }
    fn on_undeliverable(&mut self, stanza: Stanza, _: Target, _: Nanos, _: &mut Effects<Echo>) {
        self.undeliverable.push(stanza.id().unwrap_or("-").to_owned());
    }
    fn on_mail(&mut self, mail: Never, _: Nanos, _: &mut Effects<Echo>) {
        match mail {}
    }
    fn on_answer(&mut self, answer: &'static str, _: Nanos, effects: &mut Effects<Echo>) {
        self.lines.push(answer.to_owned());
        effects.release(self.storing.remove(0));
    }
    fn on_news(&mut self, news: &'static str, _: Nanos, _: &mut Effects<Echo>) {
        self.lines.push(format!("news {news}"));
    }
    fn on_stop(&mut self, _: Nanos, _: &mut Effects<Echo>) {
        self.done = true;
    }
    fn is_done(&self) -> bool {
        self.done
    }
}

/// A stream header that [`Echo`] takes.
pub(crate) const HEADER: &str =
    "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";
