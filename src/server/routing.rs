//! To the recipient's home, and what the home does (RFC 6120 §10, RFC 6121 §8).
//!
//! The way of every stanza, also of the server's own: [`ServerWorld::route`] finds the home of its address; the home
//! decides ([`crate::router::Shard::decide`]) and the decision is carried out. What causes further stanzas for others
//! does not route them itself: it leaves a [`Parcel`], and [`ServerWorld::settle`] carries parcels one after the other,
//! to this home or by mail to another. So an answer never overtakes what it answers.

use bytes::Bytes;

use super::client_link::ClientLink;
use super::mail::Mail;
use super::world::ServerWorld;
use crate::engine::{ConnId, Effects, Stamp, Target};
use crate::router::{
    AccountId, Audience, Dropped, HomeId, JidHash, LOOK_AHEAD, Parcel, SessionId, Sink, SubscriptionChange,
    Verdict,
};
use crate::stanza::{Condition, Jid, JidRef, Kind, Stanza, StanzaType, To, write_error_reply};

/// Whose call caused a stanza, when it was a client of this home: its answers go straight back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin {
    pub(super) conn: ConnId,
    /// `None` before it has bound.
    pub(super) session: Option<SessionId>,
}

impl ServerWorld {
    /// Sends a stanza with a stamped sender to its address. Without `to`, that is its sender's own account (RFC 6120
    /// §10.3).
    pub(super) fn route(&mut self, stanza: Stanza, origin: Option<Origin>, out: &mut Effects<ClientLink>) {
        let address = match stanza.to() {
            Some(raw) => JidRef::parse_attr(raw),
            None => JidRef::parse_attr(stanza.from().expect("senders are stamped")),
        };
        let Ok(address) = address else {
            return self.bounce(&stanza, Condition::JidMalformed, origin, out);
        };
        let to = if stanza.to().is_some() { address.jid() } else { address.jid().bare() };
        if !self.is_local(to.domain()) {
            self.bounce(&stanza, Condition::RemoteServerNotFound, origin, out);
        } else if to.local().is_none() {
            self.receive_for_domain(&stanza, to, origin, out);
        } else {
            let hash = self.homes.hasher().hash(to.bare().as_str());
            let home = self.homes.of_hash(hash);
            if home == self.me {
                let verdict = self.receive_here(&stanza, to, hash, origin, out);
                drop(address);
                if let Some(verdict) = verdict {
                    self.carry_out(stanza, verdict, origin, out);
                }
            } else {
                drop(address);
                self.note_mailed();
                out.mail(home, Mail::Parcel(Parcel { stanza, audience: Audience::Here(hash) }));
            }
        }
    }

    /// A stanza at the home of its address, whose bare JID has this hash. `None`: it was presence, and nothing is left to be
    /// carried out.
    fn receive_here(
        &mut self,
        stanza: &Stanza,
        to: JidRef<'_>,
        hash: JidHash,
        origin: Option<Origin>,
        out: &mut Effects<ClientLink>,
    ) -> Option<Verdict> {
        if stanza.kind() == Kind::Presence {
            self.receive_presence(stanza, to, hash, origin, out);
            return None;
        }
        self.count_busy(to, hash);
        Some(self.shard.decide(stanza, to, hash, &mut self.scratch.recipients))
    }

    /// [`Self::receive_here`] of a letter, whose sender's home has found the address to be right.
    fn receive_letter(&mut self, stanza: Stanza, hash: JidHash, out: &mut Effects<ClientLink>) {
        let Some(Ok(address)) = stanza.to().map(JidRef::parse_attr) else { return };
        let verdict = self.receive_here(&stanza, address.jid(), hash, None, out);
        drop(address);
        if let Some(verdict) = verdict {
            self.carry_out(stanza, verdict, None, out);
        }
    }

    /// The home of a local bare JID, if it is not this one.
    pub(super) fn other_home(&self, bare: &str) -> Option<HomeId> {
        Some(self.homes.of(bare)).filter(|home| *home != self.me)
    }

    /// Leaves a stanza for [`Self::settle`].
    pub(super) fn post(&mut self, parcel: Parcel) {
        self.parcels.push_back(parcel);
    }

    /// Carries parcels until none is left. Each subscription stanza causes at most three others, and answers cause none,
    /// so this ends.
    pub(super) fn settle(&mut self, out: &mut Effects<ClientLink>) {
        while let Some(Parcel { stanza, audience }) = self.parcels.pop_front() {
            let audience = match audience {
                Audience::Each(contacts) => {
                    Audience::Each(self.mail_others(&stanza, contacts, Audience::Each, out))
                }
                Audience::Asked(contacts) => {
                    Audience::Asked(self.mail_others(&stanza, contacts, Audience::Asked, out))
                }
                Audience::Directed(targets) => {
                    Audience::Directed(self.mail_others(&stanza, targets, Audience::Directed, out))
                }
                Audience::Unheard(targets) => {
                    Audience::Unheard(self.mail_others(&stanza, targets, Audience::Unheard, out))
                }
                one @ (Audience::To | Audience::Here(_) | Audience::Resource(_) | Audience::Answer) => one,
            };
            let parcel = Parcel { stanza, audience };
            match self.other_home_of(&parcel) {
                Some(home) => {
                    self.note_mailed();
                    out.mail(home, Mail::Parcel(parcel));
                }
                None => self.receive(parcel, out),
            }
        }
        self.send_unsaved(out);
    }

    /// The home of a parcel for one, if it is not this one. [`Self::route`] finds that of an address by itself.
    fn other_home_of(&self, parcel: &Parcel) -> Option<HomeId> {
        match &parcel.audience {
            Audience::Resource(jid) => self.other_home(jid.as_ref().bare().as_str()),
            Audience::Answer => {
                let address = JidRef::parse_attr(parcel.stanza.to()?).ok()?;
                self.other_home(address.jid().bare().as_str())
            }
            Audience::To
            | Audience::Here(_)
            | Audience::Each(_)
            | Audience::Asked(_)
            | Audience::Directed(_)
            | Audience::Unheard(_) => None,
        }
    }

    /// One letter to each other home that contacts have: the stanza and who is there. Returns who is here.
    fn mail_others(
        &self,
        stanza: &Stanza,
        contacts: Vec<Jid>,
        audience: fn(Vec<Jid>) -> Audience,
        out: &mut Effects<ClientLink>,
    ) -> Vec<Jid> {
        if self.homes.count() == 1 {
            return contacts;
        }
        let mut by_home: Vec<Vec<Jid>> = vec![Vec::new(); self.homes.count()];
        for contact in contacts {
            let home = self.homes.of(contact.as_ref().bare().as_str());
            by_home[home.index()].push(contact);
        }
        let here = std::mem::take(&mut by_home[self.me.index()]);
        for (home, contacts) in self.homes.iter().zip(by_home) {
            if !contacts.is_empty() {
                let parcel = Parcel { stanza: stanza.clone(), audience: audience(contacts) };
                out.mail(home, Mail::Parcel(parcel));
            }
        }
        here
    }

    /// A parcel at its recipients' home.
    pub(super) fn receive(&mut self, parcel: Parcel, out: &mut Effects<ClientLink>) {
        let Parcel { stanza, audience } = parcel;
        match audience {
            Audience::To => self.route(stanza, None, out),
            Audience::Here(hash) => self.receive_letter(stanza, hash, out),
            Audience::Each(contacts) => self.receive_broadcast(stanza, contacts, out),
            Audience::Resource(jid) => self.receive_for_resource(stanza, jid.as_ref(), out),
            Audience::Asked(contacts) => self.receive_question(&stanza, &contacts),
            Audience::Directed(targets) => self.receive_directed(&stanza, &targets, out),
            Audience::Unheard(targets) => self.receive_unheard(&stanza, targets, out),
            Audience::Answer => self.receive_answer(&stanza, out),
        }
    }

    /// An answer that only the resource gets that asked for it, and nobody if that is gone. One that is not available has not
    /// asked, even if another one of that name had: it would hear of no end of what it is told.
    fn receive_for_resource(&mut self, stanza: Stanza, to: JidRef<'_>, out: &mut Effects<ClientLink>) {
        let account = self.shard.find(to.bare().as_str());
        if account.is_some_and(|id| self.is_from_blocked(&stanza, id)) {
            return self.counters.count_drop(Dropped::Blocked);
        }
        let session = account.and_then(|id| self.shard.resource(id, to.resource()?));
        let Some((_, session)) = session.filter(|(_, session)| session.available().is_some()) else {
            return self.counters.count_drop(Dropped::NoResource);
        };
        let Sink::Connection(conn) = session.sink();
        self.scratch.recipients.push(conn);
        self.deliver(stanza, Stamp::Bare, out);
    }

    /// A delivery came back: its connection ended first. Messages and requests are routed as if that resource had never
    /// been there (RFC 6121 §8.5.3.2); it has no session any more.
    pub(super) fn route_again(&mut self, stanza: Stanza, out: &mut Effects<ClientLink>) {
        let stanza_type = stanza.head().stanza_type;
        let again = match stanza.kind() {
            // Each of a headline's recipients had its own copy.
            Kind::Message => stanza_type != StanzaType::Headline,
            Kind::Iq => true,
            Kind::Presence => false,
        };
        if again && stanza.from().is_some() {
            self.counters.rerouted += 1;
            self.route(stanza, None, out);
            self.settle(out);
        } else {
            self.counters.count_drop(Dropped::Undeliverable);
        }
    }

    /// Presence at its recipient's home.
    fn receive_presence(
        &mut self,
        stanza: &Stanza,
        to: JidRef<'_>,
        hash: JidHash,
        origin: Option<Origin>,
        out: &mut Effects<ClientLink>,
    ) {
        let stanza_type = stanza.head().stanza_type;
        if let Some(change) = SubscriptionChange::of(stanza_type) {
            self.receive_subscription(stanza, change, to, out);
        } else if stanza_type == StanzaType::Probe {
            self.receive_probe(stanza, to);
        } else {
            if stanza_type == StanzaType::Unavailable {
                self.forget_directed(stanza, to);
            }
            self.receive_plain_presence(stanza, to, hash, origin, out);
        }
    }

    /// Presence of a probed entity, which is told to nobody but the prober.
    fn receive_answer(&mut self, stanza: &Stanza, out: &mut Effects<ClientLink>) {
        if let Some(Ok(to)) = stanza.to().map(JidRef::parse_attr) {
            let hash = self.shard.hash(to.jid().bare().as_str());
            self.receive_plain_presence(stanza, to.jid(), hash, None, out);
        }
    }

    /// Presence that concerns nobody but the resources that it is for.
    fn receive_plain_presence(
        &mut self,
        stanza: &Stanza,
        to: JidRef<'_>,
        hash: JidHash,
        origin: Option<Origin>,
        out: &mut Effects<ClientLink>,
    ) {
        self.count_busy(to, hash);
        let verdict = self.shard.decide(stanza, to, hash, &mut self.scratch.recipients);
        self.carry_out(stanza.clone(), verdict, origin, out);
    }

    /// A presence stanza without `to`, at the home of these bare JIDs (RFC 6121 §4.2.3, §4.4.3, §4.5.3): one delivery,
    /// however many recipients.
    fn receive_broadcast(&mut self, stanza: Stanza, mut contacts: Vec<Jid>, out: &mut Effects<ClientLink>) {
        let is_unavailable = stanza.head().stanza_type == StanzaType::Unavailable;
        for some in contacts.chunks(LOOK_AHEAD) {
            let mut hashes = std::mem::take(&mut self.scratch.hashes);
            hashes.extend(some.iter().map(|contact| self.shard.hash(contact.as_str())));
            self.shard.touch(&hashes);
            for (contact, hash) in some.iter().zip(hashes.drain(..)) {
                if !self.is_local(contact.as_ref().domain()) {
                    self.counters.count_drop(Dropped::Remote);
                    continue;
                }
                let Some(account) = self.shard.find_hashed(contact.as_str(), hash) else {
                    self.counters.count_drop(Dropped::NoSuchUser);
                    continue;
                };
                if is_unavailable {
                    self.forget_directed(&stanza, contact.as_ref());
                }
                if self.is_from_blocked(&stanza, account) {
                    self.counters.count_drop(Dropped::Blocked);
                    continue;
                }
                self.count_busy_account(account);
                self.shard.available(account, &mut self.scratch.recipients);
            }
            self.scratch.hashes = hashes;
        }
        contacts.clear();
        if contacts.capacity() > self.scratch.audience.capacity() {
            self.scratch.audience = contacts;
        }
        self.deliver(stanza, Stamp::Bare, out);
    }

    /// A stanza for the server itself (RFC 6120 §10.5.1, §10.5.2).
    fn receive_for_domain(
        &mut self,
        stanza: &Stanza,
        to: JidRef<'_>,
        origin: Option<Origin>,
        out: &mut Effects<ClientLink>,
    ) {
        match (stanza.kind(), stanza.head().stanza_type) {
            (Kind::Iq, StanzaType::Get | StanzaType::Set) if to.resource().is_none() => {
                self.answer(stanza, None, origin, out);
            }
            (_, StanzaType::Result | StanzaType::Error) => {
                self.counters.count_drop(Dropped::Acknowledgement);
            }
            (Kind::Presence, _) => self.counters.count_drop(Dropped::ForServer),
            (Kind::Iq | Kind::Message, _) => {
                self.bounce(stanza, Condition::ServiceUnavailable, origin, out);
            }
        }
    }

    fn carry_out(
        &mut self,
        stanza: Stanza,
        verdict: Verdict,
        origin: Option<Origin>,
        out: &mut Effects<ClientLink>,
    ) {
        match verdict {
            Verdict::Deliver => {
                let stamp = if stanza.head().to.is_some() { Stamp::Kept } else { Stamp::Bare };
                // The errors that it causes are not late.
                let is_late =
                    stanza.kind() == Kind::Message && stanza.head().stanza_type != StanzaType::Error;
                match self.failed_at.filter(|_| is_late) {
                    None => self.deliver(stanza, stamp, out),
                    Some(at) => {
                        let late = Stanza::from_own(self.with_delay(&stanza, To::Kept, at));
                        self.deliver(late, stamp, out);
                    }
                }
            }
            Verdict::Bounce(condition) => self.bounce(&stanza, condition, origin, out),
            Verdict::Drop(reason) => self.counters.count_drop(reason),
            Verdict::Answer(account) => self.answer(&stanza, Some(account), origin, out),
            Verdict::AnswerForNobody => self.answer_for_nobody(&stanza, origin, out),
            Verdict::Keep(account) => self.keep_offline(&stanza, account, origin, out),
        }
    }

    /// One copy for each of `scratch.recipients`, which is empty then.
    pub(super) fn deliver(&mut self, stanza: Stanza, stamp: Stamp, out: &mut Effects<ClientLink>) {
        let recipients = self.scratch.recipients.drain(..);
        let copies = out.deliver(stanza, recipients.map(|conn| Target { conn, stamp }));
        self.counters.copies += copies as u64;
        self.counters.routed += u64::from(copies > 0);
    }

    /// Resources of `account` that `pick` names get a copy with `to` as it is.
    pub(super) fn deliver_to(
        &mut self,
        stanza: Stanza,
        account: AccountId,
        pick: impl FnOnce(&crate::router::Shard<ConnId>, AccountId, &mut Vec<ConnId>),
        out: &mut Effects<ClientLink>,
    ) {
        pick(&self.shard, account, &mut self.scratch.recipients);
        self.deliver(stanza, Stamp::Kept, out);
    }

    /// Answers a stanza with an error, unless it must not be answered: an error, a result (RFC 6120 §8.3.1), a probe (RFC
    /// 6121 §4.3), or a stanza of the server itself. What had no `to` was for the sender's own account, and so the account
    /// answers, as it does with results (RFC 6120 §10.3).
    pub(super) fn bounce(
        &mut self,
        stanza: &Stanza,
        condition: Condition,
        origin: Option<Origin>,
        out: &mut Effects<ClientLink>,
    ) {
        let mut bytes = std::mem::take(&mut self.scratch.bytes);
        let may = stanza.head().stanza_type != StanzaType::Probe && stanza.from().is_some();
        let sender = stanza.from().filter(|_| stanza.to().is_none());
        let sender = sender.and_then(|raw| JidRef::parse_attr(raw).ok());
        let answerer = sender.as_ref().map_or_else(|| self.domain(), |sender| sender.jid().bare().as_str());
        if may && write_error_reply(stanza, condition, None, answerer, &mut bytes) {
            self.counters.bounced += 1;
            match origin {
                // An error promises nothing about what came before it, so it does not wait for the store.
                Some(Origin { conn, .. }) => {
                    self.scratch.recipients.push(conn);
                    self.deliver(Stanza::from_own(Bytes::copy_from_slice(&bytes)), Stamp::Kept, out);
                }
                None => self.reply(&bytes, None, out),
            }
        } else {
            self.counters.count_drop(Dropped::Unmatched);
        }
        bytes.clear();
        self.scratch.bytes = bytes;
    }

    /// Sends a stanza that the server wrote back to who caused it, or to the address in it.
    pub(super) fn reply(&mut self, bytes: &[u8], origin: Option<Origin>, out: &mut Effects<ClientLink>) {
        let stanza = Stanza::from_own(Bytes::copy_from_slice(bytes));
        match origin {
            Some(origin @ Origin { conn, .. }) => {
                self.counters.routed += 1;
                self.counters.copies += 1;
                self.close_barrier(origin, out);
                out.answer(conn, stanza);
            }
            None => self.post(Parcel::addressed(stanza)),
        }
    }
}
