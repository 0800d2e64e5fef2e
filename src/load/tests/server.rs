//! A server of a hundred lines, with bad habits on request. It shares no code with the router.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::BytesMut;
use rand_chacha::ChaCha12Rng;
use rand_core::SeedableRng as _;

use crate::limits::FRAMER_AFTER_AUTH;
use crate::stanza::{Condition, Head, Jid, Kind, NS_CLIENT, StanzaType};
use crate::stream::{
    Account, BindAnswer, Credentials, Mechanism, ResumeAnswer, ServerNegotiation, ServerSettings, ServerStep,
};
use crate::xml::{Element, Frame, Framer, Node};

/// What the server does wrong.
#[derive(Debug, Clone, Default)]
pub(super) struct Habits {
    /// Every so many messages one is dropped.
    pub(super) drops_message: Option<u32>,
    /// Every so many messages one is sent twice.
    pub(super) doubles_message: Option<u32>,
    /// Each second message of all goes out before the one that came before it.
    pub(super) swaps_messages: bool,
    /// Every so many presence changes one does not reach its first contact.
    pub(super) forgets_contact: Option<u32>,
    /// Presence goes to everybody, contact or not.
    pub(super) shouts: bool,
    /// Own presence is not reflected to its sender.
    pub(super) hides_reflection: bool,
    /// Passwords are wrong for this user.
    pub(super) refuses: Option<String>,
    /// Once this many messages were seen, their sender's stream ends with an error.
    pub(super) kills_at_message: Option<u32>,
    /// Every so many messages their sender's stream is closed, without a word.
    pub(super) dismisses: Option<u32>,
    /// A message to somebody who is away is kept until it comes back; without, it bounces.
    pub(super) stores: bool,
    /// From this login on, each one is refused.
    pub(super) refuses_after: Option<u32>,
    /// Messages and presence get ids of the server's.
    pub(super) rewrites_ids: bool,
    /// Rosters are kept as RFC 6121 §3 has it, and only registered accounts exist.
    pub(super) keeps_rosters: bool,
    /// So many approvals are lost on their way.
    pub(super) loses_approvals: u32,
    /// Registration is offered, and answered with a result or this error.
    pub(super) registers: Option<Option<&'static str>>,
}

#[derive(Debug)]
struct Peer {
    framer: Framer,
    negotiation: ServerNegotiation,
    unread: BytesMut,
    jid: Option<Jid>,
    out: Vec<u8>,
}

#[derive(Debug)]
pub(super) struct Server {
    settings: Arc<ServerSettings>,
    credentials: Arc<Credentials>,
    rng: ChaCha12Rng,
    peers: BTreeMap<u32, Peer>,
    contacts: Vec<Vec<u32>>,
    habits: Habits,
    messages: u32,
    changes: u32,
    /// A message that the next one overtakes.
    held: Option<(u32, String)>,
    /// Messages for users that are away.
    stored: Vec<(u32, String)>,
    pub(super) registered: Vec<String>,
    pub(super) subscriptions: Subscriptions,
    pub(super) logins: u32,
}

fn is_due(every: Option<u32>, count: u32) -> bool {
    every.is_some_and(|every| count.is_multiple_of(every))
}

impl Server {
    pub(super) fn new(contacts: Vec<Vec<u32>>, habits: Habits) -> Self {
        let mechanisms = vec![Mechanism::ScramSha256, Mechanism::Plain];
        let credentials = Credentials::derive("pw", &mechanisms, b"salt", 4096, &[7; 32]);
        let settings = ServerSettings {
            domain: "bench.local".to_owned(),
            mechanisms,
            process_secret: [7; 32],
            plain_proofs: true,
            features_before_auth: String::new(),
            features_after_auth: String::new(),
            registration: false,
        };
        Self {
            settings: Arc::new(settings),
            credentials: Arc::new(credentials),
            rng: ChaCha12Rng::seed_from_u64(1),
            peers: BTreeMap::new(),
            contacts,
            habits,
            messages: 0,
            changes: 0,
            held: None,
            stored: Vec::new(),
            registered: Vec::new(),
            subscriptions: Subscriptions::default(),
            logins: 0,
        }
    }

    pub(super) fn accept(&mut self, peer: u32) {
        let negotiation = ServerNegotiation::new(Arc::clone(&self.settings));
        let framer = Framer::new(FRAMER_AFTER_AUTH);
        let (unread, out) = (BytesMut::new(), Vec::new());
        self.peers.insert(peer, Peer { framer, negotiation, unread, jid: None, out });
    }

    pub(super) fn gone(&mut self, peer: u32) {
        self.peers.remove(&peer);
    }

    /// What every peer is to read now.
    pub(super) fn take_output(&mut self) -> Vec<(u32, Vec<u8>)> {
        let mut taken = Vec::new();
        for (id, peer) in self.peers.iter_mut().filter(|(_, p)| !p.out.is_empty()) {
            taken.push((*id, std::mem::take(&mut peer.out)));
        }
        taken
    }

    pub(super) fn tell_all(&mut self, text: &str) {
        self.peers.values_mut().for_each(|p| p.out.extend_from_slice(text.as_bytes()));
    }

    pub(super) fn read(&mut self, id: u32, bytes: &[u8]) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        peer.unread.extend_from_slice(bytes);
        while let Some(peer) = self.peers.get_mut(&id) {
            let frame = match peer.framer.next_frame(&mut peer.unread) {
                // Who leaves while it is being authenticated closes a stream that has ended already.
                Err(_) if bytes == b"</stream:stream>" => return peer.out.extend_from_slice(bytes),
                other => other.expect("our clients write XML"),
            };
            let Some(frame) = frame else { return };
            self.on_frame(id, frame);
        }
    }

    fn on_frame(&mut self, id: u32, frame: Frame) {
        let peer = self.peers.get_mut(&id).expect("a peer that writes");
        if let Frame::Element(element) = &frame
            && element.as_str().contains("jabber:iq:register")
            && !element.as_str().contains("<remove/>")
        {
            let node = Node::parse(element, NS_CLIENT);
            let query = node.child("query", "jabber:iq:register").expect("a registration");
            let name = query.child("username", "jabber:iq:register").expect("a name").text();
            let is_known = self.habits.keeps_rosters && self.registered.contains(&name);
            let conflict = is_known.then_some("conflict");
            if !is_known {
                self.registered.push(name);
            }
            let answer = match self.habits.registers.expect("it was offered").or(conflict) {
                None => "<iq type='result' id='register'/>".to_owned(),
                Some(condition) => format!(
                    "<iq type='error' id='register'><error type='cancel'><{condition} \
                     xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
                ),
            };
            return peer.out.extend_from_slice(answer.as_bytes());
        }
        let mut step = peer.negotiation.handle_frame(frame, &mut peer.out, &mut self.rng);
        if self.habits.registers.is_some() {
            // The stream layer offers no registration: put it beside the mechanisms.
            let out = String::from_utf8(std::mem::take(&mut peer.out)).expect("XML");
            let feature = "<register xmlns='http://jabber.org/features/iq-register'/><mechanisms";
            peer.out = out.replace("<mechanisms", feature).into_bytes();
        }
        loop {
            let answer = match step.expect("our clients speak XMPP") {
                ServerStep::Continue => return,
                ServerStep::NeedAccount { account } => {
                    let username = account.as_ref().local().expect("a login has a name").to_owned();
                    self.logins += 1;
                    let known = self.habits.refuses.as_ref() != Some(&username)
                        && self.habits.refuses_after.is_none_or(|after| self.logins <= after);
                    let is_there = !self.habits.keeps_rosters || self.registered.contains(&username);
                    let known = known && is_there;
                    let account =
                        if known { Account::Known(Arc::clone(&self.credentials)) } else { Account::Unknown };
                    peer.negotiation.handle_account(account, &mut peer.out, &mut self.rng)
                }
                ServerStep::Work(work) => peer.negotiation.handle_worked(work.run(), &mut peer.out),
                ServerStep::Authenticated { .. } => return peer.framer.restart(),
                ServerStep::Bind { .. } => {
                    let account = peer.negotiation.account().expect("authenticated").clone();
                    let jid = account.with_resource("r").expect("a resource");
                    peer.jid = Some(jid.clone());
                    peer.negotiation.handle_bind(BindAnswer::Bound(jid), &mut peer.out)
                }
                ServerStep::Resume { .. } => {
                    let answer = ResumeAnswer::Failed { condition: Condition::ItemNotFound, h: None };
                    peer.negotiation.handle_resume(answer, &mut peer.out)
                }
                ServerStep::Element(element) => return self.on_element(id, &element),
                ServerStep::Register(_) => unreachable!("registration is off"),
                ServerStep::Close => return peer.out.extend_from_slice(b"</stream:stream>"),
            };
            step = answer;
        }
    }

    fn number(&self, id: u32) -> u32 {
        let jid = self.peers[&id].jid.as_ref().expect("bound");
        jid.as_ref().local().expect("an account")[1..].parse().expect("u{n}")
    }

    /// Whether the user was there to get it.
    fn send_to_user(&mut self, number: u32, text: &str) -> bool {
        let local = format!("u{number}");
        let is_it = |p: &&mut Peer| p.jid.as_ref().is_some_and(|j| j.as_ref().local() == Some(&local));
        let Some(peer) = self.peers.values_mut().find(is_it) else { return false };
        peer.out.extend_from_slice(text.as_bytes());
        true
    }

    fn on_element(&mut self, id: u32, element: &Element) {
        let Some(head) = Head::parse(element) else { return };
        let from = self.peers[&id].jid.as_ref().expect("bound").to_string();
        let text = element.as_str();
        let mut stamped =
            format!("{} from='{from}'{}", &text[..head.name_end as usize], &text[head.name_end as usize..]);
        if let (true, Some(id)) = (self.habits.rewrites_ids, head.id) {
            // The first one is the stanza's own.
            stamped = stamped.replacen(&format!(" id='{}'", &text[id.range()]), " id='its-own'", 1);
        }
        match head.kind {
            Kind::Message => self.on_message(id, &text[head.to.expect("a recipient").range()], &stamped),
            Kind::Presence if head.to.is_some() => {
                let to = number_of(&text[head.to.expect("it has one").range()]);
                self.on_subscription(self.number(id), to, head.stanza_type);
            }
            Kind::Presence => self.on_presence(id, head.stanza_type, head.id.is_some(), &stamped),
            Kind::Iq if head.stanza_type == StanzaType::Get => self.on_iq(id, element),
            Kind::Iq if head.stanza_type == StanzaType::Set => self.on_set(id, element),
            Kind::Iq => {}
        }
    }

    fn on_message(&mut self, id: u32, to: &str, stamped: &str) {
        self.messages += 1;
        if self.habits.kills_at_message == Some(self.messages) {
            let peer = self.peers.get_mut(&id).expect("a sender");
            return peer.out.extend_from_slice(
                b"<stream:error><policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>",
            );
        }
        if is_due(self.habits.dismisses, self.messages) {
            let peer = self.peers.get_mut(&id).expect("a sender");
            return peer.out.extend_from_slice(b"</stream:stream>");
        }
        let to = number_of(to);
        if is_due(self.habits.drops_message, self.messages) {
            return;
        }
        if self.habits.swaps_messages && self.held.is_none() {
            self.held = Some((to, stamped.to_owned()));
            return;
        }
        if !self.send_to_user(to, stamped) {
            return self.on_away(id, to, stamped);
        }
        if let Some((to, held)) = self.held.take() {
            self.send_to_user(to, &held);
        }
        if is_due(self.habits.doubles_message, self.messages) {
            self.send_to_user(to, stamped);
        }
    }

    /// A message for somebody who is away (RFC 6121 §8.5.2.2).
    fn on_away(&mut self, id: u32, to: u32, stamped: &str) {
        if self.habits.stores {
            return self.stored.push((to, stamped.to_owned()));
        }
        let start = stamped.find(" id='").expect("it has an id");
        let end = start + 5 + stamped[start + 5..].find('\'').expect("quoted");
        let error = format!("<message type='error'{}'/>", &stamped[start..end]);
        self.peers.get_mut(&id).expect("a sender").out.extend_from_slice(error.as_bytes());
    }

    fn on_presence(&mut self, id: u32, stanza_type: StanzaType, has_id: bool, stamped: &str) {
        let own = self.number(id);
        let mut audience = match self.habits.keeps_rosters {
            true => self.subscriptions.watchers(own),
            false => self.contacts[own as usize].clone(),
        };
        if self.habits.shouts {
            audience = (0..u32::try_from(self.contacts.len()).expect("few")).filter(|u| *u != own).collect();
        }
        let (back, waiting): (Vec<_>, _) =
            std::mem::take(&mut self.stored).into_iter().partition(|(to, _)| *to == own);
        self.stored = waiting;
        back.into_iter().for_each(|(_, text)| {
            self.send_to_user(own, &text);
        });
        let is_change = stanza_type == StanzaType::None && has_id;
        self.changes += u32::from(is_change);
        if is_change && is_due(self.habits.forgets_contact, self.changes) {
            audience.remove(0);
        }
        if !self.habits.hides_reflection {
            audience.push(own);
        }
        audience.into_iter().for_each(|user| {
            self.send_to_user(user, stamped);
        });
    }

    fn on_iq(&mut self, id: u32, element: &Element) {
        let node = Node::parse(element, NS_CLIENT);
        let stanza_id = node.attr("id").expect("an id").to_owned();
        let items: String = match node.child("query", "jabber:iq:roster") {
            None => String::new(),
            Some(_) if self.habits.keeps_rosters => self.subscriptions.roster(self.number(id)),
            Some(_) => {
                let contacts = &self.contacts[self.number(id) as usize];
                let item = |u: &u32| format!("<item jid='u{u}@bench.local' subscription='both'/>");
                format!(
                    "<query xmlns='jabber:iq:roster'>{}</query>",
                    contacts.iter().map(item).collect::<String>()
                )
            }
        };
        let peer = self.peers.get_mut(&id).expect("a peer that asks");
        peer.out.extend_from_slice(format!("<iq type='result' id='{stanza_id}'>{items}</iq>").as_bytes());
    }

    fn on_subscription(&mut self, from: u32, to: u32, stanza_type: StanzaType) {
        let Subscriptions { granted, asked, .. } = &mut self.subscriptions;
        if stanza_type == StanzaType::Subscribe && !granted.contains(&(from, to)) {
            asked.insert((from, to));
        }
        if stanza_type != StanzaType::Subscribed {
            return;
        }
        if self.habits.loses_approvals > 0 {
            self.habits.loses_approvals -= 1;
        } else if asked.remove(&(to, from)) {
            granted.insert((to, from));
        }
    }

    /// A roster set that removes a contact, or the removal of the account.
    fn on_set(&mut self, id: u32, element: &Element) {
        let node = Node::parse(element, NS_CLIENT);
        let stanza_id = node.attr("id").expect("an id").to_owned();
        let own = self.number(id);
        if let Some(query) = node.child("query", "jabber:iq:roster") {
            let item = query.elements().next().expect("an item");
            assert_eq!(item.attr("subscription"), Some("remove"));
            self.subscriptions.remove(own, number_of(item.attr("jid").expect("an address")));
        } else {
            self.registered.retain(|name| *name != format!("u{own}"));
        }
        let peer = self.peers.get_mut(&id).expect("a peer that asks");
        peer.out.extend_from_slice(format!("<iq type='result' id='{stanza_id}'/>").as_bytes());
    }
}

fn number_of(address: &str) -> u32 {
    address[1..address.find('@').expect("bare")].parse().expect("u{n}")
}

/// Who gets whose presence, and what rosters show of it.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    /// The first one gets the second one's presence.
    pub(super) granted: BTreeSet<(u32, u32)>,
    /// The first one has asked the second one.
    pub(super) asked: BTreeSet<(u32, u32)>,
    /// The second one stands in the first one's roster without a subscription: the other side removed it.
    pub(super) left_over: BTreeSet<(u32, u32)>,
}

impl Subscriptions {
    fn watchers(&self, user: u32) -> Vec<u32> {
        self.granted.iter().filter(|(_, of)| *of == user).map(|(watcher, _)| *watcher).collect()
    }

    fn roster(&self, user: u32) -> String {
        let own = |set: &BTreeSet<(u32, u32)>| {
            set.iter().filter(|(a, _)| *a == user).map(|(_, b)| *b).collect::<Vec<_>>()
        };
        let mut contacts =
            [own(&self.granted), own(&self.asked), own(&self.left_over), self.watchers(user)].concat();
        contacts.sort_unstable();
        contacts.dedup();
        let item = |contact: u32| {
            let (to, from) =
                (self.granted.contains(&(user, contact)), self.granted.contains(&(contact, user)));
            let state = match (to, from) {
                (true, true) => "both",
                (true, false) => "to",
                (false, true) => "from",
                (false, false) => "none",
            };
            format!("<item jid='u{contact}@bench.local' subscription='{state}'/>")
        };
        let items: String = contacts.into_iter().map(item).collect();
        format!("<query xmlns='jabber:iq:roster'>{items}</query>")
    }

    fn remove(&mut self, user: u32, contact: u32) {
        let had = self.granted.remove(&(user, contact)) | self.granted.remove(&(contact, user));
        self.asked.remove(&(user, contact));
        self.asked.remove(&(contact, user));
        self.left_over.remove(&(user, contact));
        if had {
            self.left_over.insert((contact, user));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.granted.is_empty() && self.asked.is_empty() && self.left_over.is_empty()
    }
}
