//! One connection of a client with stream management: what it writes, and what it makes of what comes.
//!
//! It decides nothing: an [`Attempt`](super::device::Attempt) says what it tries, and a [`Command`] what it does then.

use std::io;

use rand_chacha::ChaCha12Rng;
use xmpp_bench::engine::{
    CloseReason, Connect, Cx, Effects, Ended, Handler, Never, Stamp, Target, Timer, World,
};
use xmpp_bench::limits::{FRAMER_CLIENT, FramerLimits};
use xmpp_bench::stanza::Stanza;
use xmpp_bench::stream::Blame;
use xmpp_bench::time::Nanos;
use xmpp_bench::xml::{Element, Frame, Node, XmlError};

use super::actor::{End, Got, Login, auth, header, read};
use super::device::{Command, Devices, H, Link, Phase, Session};
use super::words::Outgoing;

pub(super) const SM: &str = "urn:xmpp:sm:3";

impl World for Devices {
    type Link = DeviceLink;
    type Mail = Never;
    type Job = Never;
    type News = Never;

    fn on_accept(&mut self, _now: Nanos) -> Option<DeviceLink> {
        None
    }

    fn next_deadline(&self) -> Option<Nanos> {
        (!self.connects.is_empty() || !self.commands.is_empty()).then_some(Nanos(1))
    }

    fn on_deadline(&mut self, _now: Nanos, effects: &mut Effects<DeviceLink>, _rng: &mut ChaCha12Rng) {
        for link in self.connects.drain(..) {
            let remote = std::net::SocketAddr::from(([127, 0, 0, 1], 5222));
            effects.connect(Connect { remote, local: None, handler: DeviceLink { link } });
        }
        for (link, command) in self.commands.drain(..) {
            if let Some(conn) = self.links[link].conn {
                effects.task(conn, command);
            }
        }
    }

    fn on_connect_failed(
        &mut self,
        link: DeviceLink,
        _: &io::Error,
        now: Nanos,
        _: &mut Effects<DeviceLink>,
    ) {
        self.links[link.link].end = Some((End::Lost, now));
    }

    fn on_undeliverable(&mut self, _: Stanza, _: Target, _now: Nanos, _: &mut Effects<DeviceLink>) {}

    fn on_mail(&mut self, mail: Never, _now: Nanos, _effects: &mut Effects<DeviceLink>) {
        match mail {}
    }

    fn on_stop(&mut self, _now: Nanos, _effects: &mut Effects<DeviceLink>) {}

    fn is_done(&self) -> bool {
        false
    }
}

/// The client's side of a connection.
#[derive(Debug)]
pub(crate) struct DeviceLink {
    pub(super) link: usize,
}

pub(super) type LinkCx<'a> = Cx<'a, DeviceLink>;

impl DeviceLink {
    pub(super) fn me<'a>(&self, cx: &'a mut LinkCx<'_>) -> &'a mut Link {
        &mut cx.world.links[self.link]
    }

    pub(super) fn session<'a>(&self, cx: &'a mut LinkCx<'_>) -> Option<(usize, &'a mut Session)> {
        let session = cx.world.links[self.link].session?;
        Some((session, &mut cx.world.sessions[session]))
    }

    pub(super) fn login(&self, cx: &mut LinkCx<'_>) -> Login {
        let attempt = &self.me(cx).attempt;
        let resource = attempt.bind.as_ref().map(|bind| bind.resource.clone());
        Login { account: attempt.account, resource, lang: None, pipelined: false, silent: false }
    }

    fn on_element(&self, element: &Element, cx: &mut LinkCx<'_>) {
        let node = Node::parse(element, "jabber:client");
        if node.name == "error" && node.ns == "http://etherx.jabber.org/streams" {
            let conditions: Vec<&str> =
                node.elements().map(|child| child.name).filter(|name| *name != "text").collect();
            self.me(cx).error = Some(conditions.join(" "));
            return;
        }
        if node.ns == SM {
            return self.on_management(&node, cx);
        }
        let (login, pipelined) = (self.login(cx), self.me(cx).attempt.pipelined);
        let (next, text) = match (self.me(cx).phase, node.name) {
            (Phase::Header, "features") => (Phase::Auth, auth(login.account)),
            (Phase::Auth, "success") => {
                cx.restart_stream();
                (Phase::Reopen, header(&login))
            }
            (Phase::Reopen, "features") => {
                if !node.elements().any(|feature| feature.ns == SM) {
                    cx.world.complain(format!("link {}: no stream management is offered", self.link));
                }
                return self.begin(pipelined, cx);
            }
            (Phase::Binding, "iq") => return self.on_bind_answer(&node, cx),
            (Phase::Enabling | Phase::Attached, _) => return self.on_stanza(element, &node, cx),
            (phase, name) => {
                return cx.world.complain(format!("link {}: <{name}> in {phase:?}", self.link));
            }
        };
        self.me(cx).phase = next;
        if !pipelined {
            cx.write(|out| out.extend_from_slice(text.as_bytes()));
        }
    }

    fn on_management(&self, node: &Node<'_>, cx: &mut LinkCx<'_>) {
        let h = node.attr("h").and_then(|h| h.parse::<u32>().ok());
        match (self.me(cx).phase, node.name) {
            (Phase::Enabling, "enabled") => self.on_enabled(node, cx),
            (Phase::Attached, "r") => self.acknowledge(cx),
            (Phase::Attached, "a") => cx.world.confirm(self.link, h.unwrap_or(u32::MAX)),
            (Phase::Resuming, "resumed") => self.on_resumed(h.unwrap_or(u32::MAX), node.attr("previd"), cx),
            (Phase::Resuming, "failed") => {
                if node.elements().next().is_none_or(|condition| condition.name != "item-not-found") {
                    cx.world.complain(format!("link {}: failed with another condition", self.link));
                }
                self.on_failed(h, cx);
            }
            // Pipelined: no resource was bound.
            (Phase::Refused, "failed") => {}
            (phase, name) => cx.world.complain(format!("link {}: <{name}> in {phase:?}", self.link)),
        }
    }

    /// A stanza of the session: one that comes again is the same as before.
    fn on_stanza(&self, element: &Element, node: &Node<'_>, cx: &mut LinkCx<'_>) {
        let got = read(self.link, cx.now, element, node);
        let is_enabling = self.me(cx).phase == Phase::Enabling;
        self.me(cx).came += usize::from(!is_enabling);
        let number = self.me(cx).came;
        let Some((index, session)) = self.session(cx) else { return };
        if is_enabling {
            session.early.push(got.clone());
            return self.answer(index, &got, cx);
        }
        match session.log.get(number - 1) {
            Some(before) if before.raw == got.raw => cx.world.note("came again"),
            Some(before) => {
                let complaint = format!(
                    "session {index}: its stanza {number} was\n  {}\nand comes again as\n  {}",
                    before.raw, got.raw
                );
                cx.world.complain(complaint);
            }
            None => {
                assert_eq!(session.log.len() + 1, number, "a client says no more than it has");
                session.log.push(got.clone());
                self.answer(index, &got, cx);
            }
        }
    }

    /// Answers a request, over whichever link the session has then.
    fn answer(&self, session: usize, got: &Got, cx: &mut LinkCx<'_>) {
        if got.name != "iq" || !matches!(got.attr("type"), Some("get" | "set")) {
            return;
        }
        let now = cx.now;
        let (id, to) = (got.attr("id").unwrap_or_default(), got.attr("from").unwrap_or_default());
        let answer = Outgoing::new("iq").with("type", "result").with("id", id).with("to", to);
        cx.world.send(session, answer, now);
    }

    /// Writes what the session has to send.
    pub(super) fn flush(&self, cx: &mut LinkCx<'_>) {
        let me = self.me(cx);
        if me.phase != Phase::Attached || me.mute || me.wrote_tag {
            return;
        }
        let written = me.written;
        let Some((_, session)) = self.session(cx) else { return };
        if session.link != Some(self.link) {
            return;
        }
        let (mut text, mut again) = (String::new(), 0);
        for sent in &mut session.sent[written..] {
            text.push_str(&sent.stanza.xml());
            again += usize::from(std::mem::replace(&mut sent.was_written, true));
        }
        let written = session.sent.len();
        self.me(cx).written = written;
        cx.write(|out| out.extend_from_slice(text.as_bytes()));
        if again > 0 {
            cx.world.note("written again");
        }
    }

    /// Writes half of what comes next, and nothing more.
    fn tear(&self, cx: &mut LinkCx<'_>) {
        let written = self.me(cx).written;
        let Some((_, session)) = self.session(cx) else { return };
        if let Some(sent) = session.sent.get(written) {
            let xml = sent.stanza.xml();
            let half = (xml.len() / 2..).find(|at| xml.is_char_boundary(*at)).expect("it has an end");
            cx.write(|out| out.extend_from_slice(&xml.as_bytes()[..half]));
        }
        self.me(cx).mute = true;
    }

    fn acknowledge(&self, cx: &mut LinkCx<'_>) {
        let me = self.me(cx);
        if me.phase != Phase::Attached || me.mute || me.wrote_tag {
            return;
        }
        // One that was left behind does not speak for the session any more.
        let Some((_, session)) = self.session(cx) else { return };
        if session.link == Some(self.link) {
            let h = session.h();
            cx.world.note_ack(self.link, h, false);
            cx.write(|out| out.extend_from_slice(format!("<a xmlns='{SM}' h='{h}'/>").as_bytes()));
        }
    }

    pub(super) fn quit(&self, cx: &mut LinkCx<'_>) {
        if !std::mem::replace(&mut self.me(cx).wrote_tag, true) {
            cx.write(|out| out.extend_from_slice(b"</stream:stream>"));
        }
    }
}

impl Handler for DeviceLink {
    type World = Devices;
    type Task = Command;

    const FRAMER_LIMITS: FramerLimits = FRAMER_CLIENT;

    fn on_connected(&mut self, cx: &mut LinkCx<'_>) {
        let conn = cx.me;
        let me = self.me(cx);
        (me.conn, me.phase) = (Some(conn), Phase::Header);
        let (pipelined, login) = (me.attempt.pipelined, self.login(cx));
        let mut text = header(&login);
        if pipelined {
            let is_resuming = self.me(cx).attempt.resume.is_some();
            let last = if is_resuming { self.resume(cx) } else { self.bind(cx) };
            text = text + &auth(login.account) + &header(&login) + &last;
        }
        cx.write(|out| out.extend_from_slice(text.as_bytes()));
    }

    fn on_frame(&mut self, frame: Frame, cx: &mut LinkCx<'_>) {
        match frame {
            Frame::Open(_) => {}
            Frame::Element(element) => self.on_element(&element, cx),
            Frame::Close => {
                self.me(cx).tag_came = true;
                self.quit(cx);
                cx.close(CloseReason::closed(Blame::Peer));
            }
        }
    }

    fn on_xml_error(&mut self, error: XmlError, _cx: &mut LinkCx<'_>) {
        panic!("link {}: the server's bytes are no stream: {error}", self.link);
    }

    fn on_delivery(&mut self, _: &Stanza, _: Stamp, _: &mut LinkCx<'_>) {}

    fn on_task(&mut self, command: Command, cx: &mut LinkCx<'_>) {
        let is_free = self.me(cx).phase == Phase::Attached && !self.me(cx).mute && !self.me(cx).wrote_tag;
        match command {
            Command::Flush => self.flush(cx),
            Command::Ask if is_free => {
                cx.write(|out| out.extend_from_slice(format!("<r xmlns='{SM}'/>").as_bytes()));
            }
            Command::Acknowledge => self.acknowledge(cx),
            Command::Exaggerate if is_free => {
                let Some((_, session)) = self.session(cx) else { return };
                let h = session.h_of(H::TooHigh);
                (self.me(cx).has_quit, self.me(cx).mute) = (true, true);
                cx.write(|out| out.extend_from_slice(format!("<a xmlns='{SM}' h='{h}'/>").as_bytes()));
            }
            Command::Tear if is_free => self.tear(cx),
            Command::Ask | Command::Exaggerate | Command::Tear => {}
            Command::Quit => {
                self.me(cx).has_quit = true;
                self.quit(cx);
            }
            Command::Drop => cx.close(CloseReason::closed(Blame::Us)),
            Command::Mute => self.me(cx).mute = true,
        }
    }

    fn on_answer(&mut self, answer: Never, _cx: &mut LinkCx<'_>) {
        match answer {}
    }

    fn on_timer(&mut self, _: Timer, _: &mut LinkCx<'_>) {}

    fn on_slow_reader(&mut self, _: &mut LinkCx<'_>) {}

    fn on_closed(&mut self, reason: &CloseReason, cx: &mut LinkCx<'_>) {
        let now = cx.now;
        let me = self.me(cx);
        let end = if me.tag_came {
            End::Tag(me.error.take())
        } else if reason.ended == Ended::Eof {
            End::Eof
        } else {
            End::Lost
        };
        me.end = Some((end, now));
        me.conn = None;
        cx.world.on_link_end(self.link, now);
    }
}
