//! What the peer makes of stanzas: a small server's work, and the script's where an operation is concerned.

use rustix::process::Signal;

use super::client::{DOMAIN, Stanza, bare_jid, full_jid, user_of};
use super::log::{Delay, Form, Op};
use super::peer::{Held, Loop, now_ns};
use super::script::{Action, Fate, contacts, stranger};

/// How long a second copy comes after the first.
const AGAIN_NS: u64 = 150_000_000;
const ERROR: &str = "<error type='cancel'><service-unavailable \
                     xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
const DELAYED: &str = "<delay xmlns='urn:xmpp:delay' stamp='2026-01-01T00:00:00Z'/>";

impl Loop {
    pub(crate) fn on_stanza(&mut self, client: usize, stanza: &Stanza) {
        let Some(user) = self.clients[client].user else {
            return self.log.faults.push(format!("a stanza before the log-in: {stanza:?}"));
        };
        let operation = seq_of(&stanza.id).filter(|(sender, _)| *sender == user).map(|(_, seq)| seq);
        match (stanza.name.as_str(), stanza.kind.as_deref(), operation) {
            ("message", Some("chat"), Some(seq)) => match stanza.to.as_deref().and_then(user_of) {
                Some(to) => self.on_operation(Action::Chat, user, seq, to, stanza),
                None => self.log.faults.push(format!("a message for nobody: {stanza:?}")),
            },
            ("presence", None, Some(seq)) if stanza.to.is_none() => {
                self.on_operation(Action::Presence, user, seq, user, stanza);
            }
            ("iq", Some("get"), Some(seq)) if stanza.payload.1 == "urn:xmpp:ping" => {
                self.on_operation(Action::Ping, user, seq, user, stanza);
            }
            ("presence", None, _) if stanza.to.is_none() => self.on_presence(client, user, stanza),
            ("presence", Some("unavailable"), _) => self.clients[client].available = false,
            ("message" | "presence", ..) => self.forward(user, stanza),
            ("iq", Some("get" | "set"), _) => self.on_request(client, user, stanza),
            _ => self.log.faults.push(format!("nobody asked for {stanza:?}")),
        }
    }

    /// Presence that is no operation: back to its sender and on to its contacts, at once.
    fn on_presence(&mut self, client: usize, user: u32, stanza: &Stanza) {
        self.clients[client].available = true;
        let id = &stanza.id;
        let to = |by: u32| format!("<presence from='{}' to='{}' id='{id}'/>", full_jid(user), full_jid(by));
        let near = contacts(user, self.users);
        for client in self.clients.iter_mut().filter(|client| client.available && !client.gone) {
            if let Some(by) = client.user.filter(|by| *by == user || near.contains(by)) {
                client.write(&to(by));
            }
        }
    }

    fn on_request(&mut self, client: usize, user: u32, stanza: &Stanza) {
        let items = || {
            let item = |contact| format!("<item jid='{}' subscription='both'/>", bare_jid(contact));
            contacts(user, self.users).into_iter().map(item).collect::<String>()
        };
        let (kind, payload) = match stanza.payload.1.as_str() {
            "jabber:iq:roster" => ("result", format!("<query xmlns='jabber:iq:roster'>{}</query>", items())),
            "urn:xmpp:ping" => ("result", String::new()),
            _ => ("error", ERROR.to_owned()),
        };
        let (id, to) = (&stanza.id, full_jid(user));
        self.clients[client].write(&format!("<iq type='{kind}' id='{id}' to='{to}'>{payload}</iq>"));
    }

    /// What is no operation and has a recipient.
    fn forward(&mut self, user: u32, stanza: &Stanza) {
        let to = stanza.to.as_deref().and_then(user_of);
        let receiver = self.clients.iter_mut().find(|client| client.user == to && !client.gone);
        if let (Some(receiver), Some(to)) = (receiver, to) {
            let kind = stanza.kind.as_ref().map(|kind| format!(" type='{kind}'")).unwrap_or_default();
            let (name, id, from, to) = (&stanza.name, &stanza.id, full_jid(user), full_jid(to));
            receiver.write(&format!("<{name}{kind} from='{from}' to='{to}' id='{id}'/>"));
        }
    }

    fn on_operation(&mut self, action: Action, user: u32, seq: u64, to: u32, stanza: &Stanza) {
        let at = now_ns();
        let op = self.log.ops.len();
        self.log.ops.push(Op { action, user, seq, to, at });
        self.ids.push(stanza.id.clone());
        let audience = match action {
            Action::Chat | Action::Ping => vec![to],
            Action::Presence => {
                let mut audience = contacts(user, self.users);
                audience.push(user);
                audience
            }
        };
        for by in audience {
            self.plan(op, by);
        }
        if let Some(stall) = self.script.stall.filter(|_| self.log.stalled.is_none())
            && stall.is_due(self.log.ops.iter().map(|op| op.action))
        {
            self.stalled_until = at + stall.ms * 1_000_000;
            self.log.stalled = Some((at, self.stalled_until));
        }
        if let Some(pause) = self.script.pause.filter(|_| self.log.paused.is_none())
            && pause.is_due(self.log.ops.iter().map(|op| op.action))
        {
            self.signal_harness(Signal::STOP);
            self.log.paused = Some((now_ns(), at + pause.ms * 1_000_000));
            self.harness_stands = true;
        }
        if let Some((user, ops)) = self.script.departs
            && self.log.departed.is_none()
            && self.log.ops.len() >= ops
            && let Some(client) =
                self.clients.iter_mut().find(|client| client.user == Some(user) && !client.gone)
        {
            client.close();
            self.log.departed = Some(user);
        }
    }

    /// Decides what becomes of one delivery.
    fn plan(&mut self, op: usize, by: u32) {
        let Op { action, user, seq, to, .. } = self.log.ops[op];
        let ns = self.script.delay_ns(action, seq, by);
        let stranger = stranger(to, self.users);
        let one = Held { op, by, form: Form::Plain, delay: Delay::Nanos(ns) };
        let again = Held { delay: Delay::Nanos(ns + AGAIN_NS), ..one };
        let late = Held { delay: Delay::Drain, ..one };
        let all: &[Held] = match self.script.fate(action, seq, by) {
            Fate::Arrive => &[one],
            Fate::Drop => &[],
            Fate::Twice => &[one, again],
            Fate::Replay => &[one, Held { form: Form::Delayed, ..again }],
            Fate::Stamped => &[Held { form: Form::Delayed, ..one }],
            Fate::Late => &[late],
            Fate::LateTwice => &[late, late],
            Fate::Astray => &[Held { by: stranger, ..one }],
            Fate::Leak => &[one, Held { by: stranger, ..one }],
            Fate::Refuse => &[Held { by: user, form: Form::Error, ..one }],
        };
        all.iter().for_each(|held| self.hold(*held));
    }

    /// The stanza of a delivery.
    pub(crate) fn text(&self, held: Held) -> String {
        let Op { action, user, to, .. } = self.log.ops[held.op];
        let (id, by) = (&self.ids[held.op], full_jid(held.by));
        let delayed = if held.form == Form::Delayed { DELAYED } else { "" };
        match (action, held.form) {
            (Action::Chat, Form::Error) => {
                let from = bare_jid(to);
                format!("<message type='error' from='{from}' to='{by}' id='{id}'>{ERROR}</message>")
            }
            (Action::Chat, _) => {
                let from = full_jid(user);
                format!(
                    "<message type='chat' from='{from}' to='{by}' id='{id}'><body>x</body>{delayed}</message>"
                )
            }
            (Action::Presence, _) => {
                let from = full_jid(user);
                format!("<presence from='{from}' to='{by}' id='{id}'><show>away</show>{delayed}</presence>")
            }
            (Action::Ping, Form::Error) => {
                format!("<iq type='error' from='{DOMAIN}' to='{by}' id='{id}'>{ERROR}</iq>")
            }
            (Action::Ping, _) => format!("<iq type='result' from='{DOMAIN}' to='{by}' id='{id}'/>"),
        }
    }
}

/// User and number of an operation's id, `RUN-USER-SEQ` in base 36; `None` for other ids, and for those of log-in.
fn seq_of(id: &str) -> Option<(u32, u64)> {
    let mut parts = id.split('-').skip(1);
    let (user, seq) = (parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let seq = u64::from_str_radix(seq, 36).ok().filter(|seq| *seq > 0)?;
    Some((u32::from_str_radix(user, 36).ok()?, seq))
}
