//! The scripted clients: they log in by themselves, write what they are told, answer IQ requests, and write down every
//! frame that arrives.
//!
//! They judge nothing, and draw nothing at random: what they do comes from a seed elsewhere.

use std::collections::BTreeMap;
use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand_chacha::ChaCha12Rng;
use xmpp_bench::engine::{
    CloseReason, ConnId, Connect, Cx, Effects, Ended, Handler, Never, Stamp, Target, Timer, World,
};
use xmpp_bench::limits::{FRAMER_CLIENT, FramerLimits};
use xmpp_bench::stanza::Stanza;
use xmpp_bench::stream::Blame;
use xmpp_bench::time::Nanos;
use xmpp_bench::xml::{Element, Frame, Node, Tag, XmlError};

use super::rig::{DOMAIN, PASSWORD};
use super::roster::{Shown, grouped};
use super::words::escape;

/// How a client logs in.
#[derive(Debug, Clone)]
pub(crate) struct Login {
    pub(crate) account: usize,
    /// `None`: the server's choice.
    pub(crate) resource: Option<String>,
    pub(crate) lang: Option<&'static str>,
    /// Everything up to binding in one write.
    pub(crate) pipelined: bool,
    /// Writes nothing at all.
    pub(crate) silent: bool,
}

/// What a client is told to do.
#[derive(Debug, Clone)]
pub(crate) enum Command {
    /// Write this, in one go.
    Write(Vec<u8>),
    /// Write a close tag and wait for the server's.
    Quit,
    /// Close without a word.
    Drop,
    /// Answer nothing from now on.
    Mute,
}

/// How far a client has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Phase {
    Connecting,
    Header,
    Auth,
    Reopen,
    Binding,
    /// Bound to this full address, at this time.
    Bound(String, Nanos),
    /// Binding failed with this condition.
    Refused(String),
}

/// How a client's connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// The server sent its close tag; before it, perhaps, a stream error.
    Tag(Option<String>),
    /// End of file without a close tag.
    Eof,
    /// The path broke, or the client dropped it: what was on its way is lost.
    Lost,
}

/// A frame that arrived at a bound client.
#[derive(Debug, Clone)]
pub(crate) struct Got {
    pub(crate) client: usize,
    pub(crate) at: Nanos,
    pub(crate) raw: String,
    /// `message`, `presence`, `iq`.
    pub(crate) name: String,
    /// Attributes, unescaped; namespace declarations left out.
    pub(crate) attrs: BTreeMap<String, String>,
    /// What stands between the tags, as it came.
    pub(crate) inner: String,
    /// Type and condition of an error.
    pub(crate) error: Option<(String, String)>,
    /// Attributes of the `<item/>`s in the payload, and their groups, sorted.
    pub(crate) items: Vec<Shown>,
    /// The payload's `ver`.
    pub(crate) ver: Option<String>,
}

impl Got {
    pub(crate) fn attr(&self, name: &str) -> Option<&str> {
        self.attrs.get(name).map(String::as_str)
    }
}

/// One client: one connection.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) login: Login,
    pub(crate) phase: Phase,
    conn: Option<ConnId>,
    /// The stream error that came.
    error: Option<String>,
    /// How and when it ended.
    pub(crate) end: Option<(End, Nanos)>,
    tag_came: bool,
    wrote_tag: bool,
    mute: bool,
}

impl Client {
    /// The full address, once bound.
    pub(crate) fn jid(&self) -> Option<&str> {
        if let Phase::Bound(jid, _) = &self.phase { Some(jid) } else { None }
    }

    pub(crate) fn is_bound(&self) -> bool {
        self.jid().is_some() && self.end.is_none()
    }
}

/// All clients, and what they saw.
#[derive(Debug, Default)]
pub(crate) struct Stage {
    pub(crate) clients: Vec<Client>,
    pub(crate) got: Vec<Got>,
    connects: Vec<usize>,
    commands: Vec<(usize, Command)>,
}

impl Stage {
    pub(crate) fn connect(&mut self, login: Login) -> usize {
        self.clients.push(Client {
            login,
            phase: Phase::Connecting,
            conn: None,
            error: None,
            end: None,
            tag_came: false,
            wrote_tag: false,
            mute: false,
        });
        self.connects.push(self.clients.len() - 1);
        self.clients.len() - 1
    }

    pub(crate) fn command(&mut self, client: usize, command: Command) {
        self.commands.push((client, command));
    }

    pub(crate) fn conn(&self, client: usize) -> Option<ConnId> {
        self.clients[client].conn
    }
}

impl World for Stage {
    type Link = Actor;
    type Mail = Never;
    type Job = Never;
    type News = Never;

    fn on_accept(&mut self, _now: Nanos) -> Option<Actor> {
        None
    }

    fn next_deadline(&self) -> Option<Nanos> {
        (!self.connects.is_empty() || !self.commands.is_empty()).then_some(Nanos(1))
    }

    fn on_deadline(&mut self, _now: Nanos, effects: &mut Effects<Actor>, _rng: &mut ChaCha12Rng) {
        for client in self.connects.drain(..) {
            let remote = std::net::SocketAddr::from(([127, 0, 0, 1], 5222));
            effects.connect(Connect { remote, local: None, handler: Actor { client } });
        }
        for (client, command) in self.commands.drain(..) {
            if let Some(conn) = self.clients[client].conn {
                effects.task(conn, command);
            }
        }
    }

    fn on_connect_failed(&mut self, actor: Actor, _: &io::Error, now: Nanos, _: &mut Effects<Actor>) {
        self.clients[actor.client].end = Some((End::Lost, now));
    }

    fn on_undeliverable(
        &mut self,
        _stanza: Stanza,
        _target: Target,
        _now: Nanos,
        _effects: &mut Effects<Actor>,
    ) {
    }

    fn on_mail(&mut self, mail: Never, _now: Nanos, _effects: &mut Effects<Actor>) {
        match mail {}
    }

    fn on_stop(&mut self, _now: Nanos, _effects: &mut Effects<Actor>) {}

    fn is_done(&self) -> bool {
        false
    }
}

/// The client's side of one connection.
#[derive(Debug)]
pub(crate) struct Actor {
    client: usize,
}

type ActorCx<'a> = Cx<'a, Actor>;

impl Actor {
    fn me<'a>(&self, cx: &'a mut ActorCx<'_>) -> &'a mut Client {
        &mut cx.world.clients[self.client]
    }

    fn on_element(&self, element: &Element, cx: &mut ActorCx<'_>) {
        let node = Node::parse(element, "jabber:client");
        if node.name == "error" && node.ns == "http://etherx.jabber.org/streams" {
            let condition = node.elements().next().map_or("", |child| child.name);
            self.me(cx).error = Some(condition.to_owned());
            return;
        }
        let me = self.me(cx);
        let login = me.login.clone();
        let next = match (&me.phase, node.name) {
            (Phase::Header, "features") => (Phase::Auth, auth(login.account)),
            (Phase::Auth, "success") => (Phase::Reopen, header(&login)),
            (Phase::Reopen, "features") => (Phase::Binding, bind(&login)),
            (Phase::Binding, "iq") => return self.on_bind_answer(&node, cx),
            (Phase::Bound(..), _) => return self.on_stanza(element, &node, cx),
            (phase, name) => panic!("client {}: <{name}> in {phase:?}", self.client),
        };
        if next.0 == Phase::Reopen {
            cx.restart_stream();
        }
        self.me(cx).phase = next.0;
        if !login.pipelined {
            cx.write(|out| out.extend_from_slice(next.1.as_bytes()));
        }
    }

    fn on_bind_answer(&self, iq: &Node<'_>, cx: &mut ActorCx<'_>) {
        let now = cx.now;
        let jid = iq.elements().next().and_then(|bind| bind.elements().next()).map(Node::text);
        if iq.attr("type") == Some("result") {
            self.me(cx).phase = Phase::Bound(jid.expect("a result names the address"), now);
        } else {
            let error = iq.elements().find(|child| child.name == "error").expect("an error says which");
            let condition = error.elements().next().expect("a condition").name.to_owned();
            self.me(cx).phase = Phase::Refused(condition);
            self.quit(cx);
        }
    }

    fn on_stanza(&self, element: &Element, node: &Node<'_>, cx: &mut ActorCx<'_>) {
        let got = read(self.client, cx.now, element, node);
        let is_request = got.name == "iq" && matches!(got.attr("type"), Some("get" | "set"));
        let from = got.attr("from").map(str::to_owned);
        if is_request && !self.me(cx).mute {
            let id = got.attr("id").unwrap_or_default().to_owned();
            // A push has no sender (RFC 6121 §2.1.6), and is answered all the same.
            let to = from.map(|from| format!(" to='{}'", escape(&from))).unwrap_or_default();
            let answer = format!("<iq type='result'{to} id='{}'/>", escape(&id));
            cx.write(|out| out.extend_from_slice(answer.as_bytes()));
        }
        cx.world.got.push(got);
    }

    fn quit(&self, cx: &mut ActorCx<'_>) {
        if !std::mem::replace(&mut self.me(cx).wrote_tag, true) {
            cx.write(|out| out.extend_from_slice(b"</stream:stream>"));
        }
    }
}

impl Handler for Actor {
    type World = Stage;
    type Task = Command;

    const FRAMER_LIMITS: FramerLimits = FRAMER_CLIENT;

    fn on_connected(&mut self, cx: &mut ActorCx<'_>) {
        let conn = cx.me;
        let me = self.me(cx);
        me.conn = Some(conn);
        me.phase = Phase::Header;
        let login = me.login.clone();
        let mut text = header(&login);
        if login.pipelined {
            text = text + &auth(login.account) + &header(&login) + &bind(&login);
        }
        if !login.silent {
            cx.write(|out| out.extend_from_slice(text.as_bytes()));
        }
    }

    fn on_frame(&mut self, frame: Frame, cx: &mut ActorCx<'_>) {
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

    fn on_xml_error(&mut self, error: XmlError, _cx: &mut ActorCx<'_>) {
        panic!("client {}: the server's bytes are no stream: {error}", self.client);
    }

    fn on_delivery(&mut self, _: &Stanza, _: Stamp, _: &mut ActorCx<'_>) {}

    fn on_task(&mut self, command: Command, cx: &mut ActorCx<'_>) {
        match command {
            Command::Write(bytes) => cx.write(|out| out.extend_from_slice(&bytes)),
            Command::Quit => self.quit(cx),
            Command::Drop => cx.close(CloseReason::closed(Blame::Us)),
            Command::Mute => self.me(cx).mute = true,
        }
    }

    fn on_answer(&mut self, answer: Never, _cx: &mut ActorCx<'_>) {
        match answer {}
    }

    fn on_timer(&mut self, _: Timer, _: &mut ActorCx<'_>) {}

    fn on_slow_reader(&mut self, _: &mut ActorCx<'_>) {}

    fn on_closed(&mut self, reason: &CloseReason, cx: &mut ActorCx<'_>) {
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
    }
}

pub(crate) fn read(client: usize, at: Nanos, element: &Element, node: &Node<'_>) -> Got {
    let raw = element.as_str();
    let tag = Tag::new(raw);
    let inner = if tag.is_empty_element() {
        ""
    } else {
        let rest = &raw[tag.len()..];
        &rest[..rest.rfind("</").expect("an end tag")]
    };
    let attrs_of = |node: &Node<'_>| -> BTreeMap<String, String> {
        node.attrs.iter().map(|(name, value)| ((*name).to_owned(), value.to_string())).collect()
    };
    let mut attrs = attrs_of(node);
    attrs.retain(|name, _| name != "xmlns" && !name.starts_with("xmlns:"));
    let error = node.elements().find(|child| child.name == "error").map(|error| {
        let condition = error.elements().next().map_or("", |child| child.name);
        (error.attr("type").unwrap_or_default().to_owned(), condition.to_owned())
    });
    let mut items: Vec<_> = node
        .elements()
        .flat_map(|payload| payload.elements().filter(|child| child.name == "item"))
        .map(|item| {
            let groups: Vec<String> =
                item.elements().filter(|child| child.name == "group").map(Node::text).collect();
            let mut shown = attrs_of(item);
            if !groups.is_empty() {
                shown.insert("groups".to_owned(), grouped(groups.iter().map(String::as_str)));
            }
            shown
        })
        .collect();
    items.sort();
    let ver = node.elements().find_map(|payload| payload.attr("ver")).map(str::to_owned);
    Got {
        client,
        at,
        raw: raw.to_owned(),
        name: node.name.to_owned(),
        attrs,
        inner: inner.to_owned(),
        error,
        items,
        ver,
    }
}

pub(crate) fn header(login: &Login) -> String {
    let lang = login.lang.map(|lang| format!(" xml:lang='{lang}'")).unwrap_or_default();
    format!(
        "<?xml version='1.0'?><stream:stream to='{DOMAIN}' version='1.0'{lang} xmlns='jabber:client' \
         xmlns:stream='http://etherx.jabber.org/streams'>"
    )
}

pub(crate) fn auth(account: usize) -> String {
    let plain = STANDARD.encode(format!("\0u{account}\0{PASSWORD}"));
    format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{plain}</auth>")
}

pub(crate) fn bind(login: &Login) -> String {
    let resource = login.resource.as_ref().map(|r| format!("<resource>{}</resource>", escape(r)));
    format!(
        "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>{}</bind></iq>",
        resource.unwrap_or_default()
    )
}
