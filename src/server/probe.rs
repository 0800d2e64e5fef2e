//! Presence probes: asking, and being asked (RFC 6121 §4.3, §4.6.6).
//!
//! A probe never causes an error, and who may not know gets the same answer for an account that exists and for one that
//! does not.

use super::client_link::ClientLink;
use super::delay::write_delay;
use super::presence::contacts;
use super::world::ServerWorld;
use super::write::{presence, presence_with};
use crate::engine::{ConnId, Effects, Stamp};
use crate::router::{
    AccountId, Audience, Available, Dropped, Parcel, SessionId, Subscription, SubscriptionChange,
};
use crate::stanza::{Jid, JidRef, Stanza};

/// `type` of an answer.
const PROBE: Option<&str> = Some("probe");
const UNAVAILABLE: Option<&str> = Some("unavailable");
const UNSUBSCRIBED: Option<&str> = Some(SubscriptionChange::Unsubscribed.as_str());

impl ServerWorld {
    /// On behalf of a resource that has just become available, asks every contact that the account is subscribed to
    /// (§4.3.1): those who are there answer to that resource alone, those who are not say nothing, and those who do not know
    /// of the subscription end it (§4.3.2, rule 1). Contacts of this home are asked in memory, those of each other one
    /// with one letter.
    pub(super) fn probe_contacts(
        &mut self,
        session: SessionId,
        account: AccountId,
        conn: ConnId,
        out: &mut Effects<ClientLink>,
    ) {
        let Some(prober) = self.shard.session(session).map(|session| session.jid().clone()) else { return };
        let own = self.shard.account(account);
        let contacts = contacts(own.roster().items(), Subscription::has_to);
        let contacts: Vec<_> = contacts.filter(|contact| !own.blocks(contact.as_ref())).collect();
        let prober = prober.as_ref();
        let mut elsewhere = Vec::new();
        for contact in contacts {
            if !self.is_local(contact.as_ref().domain()) {
                continue;
            }
            if self.other_home(contact.as_str()).is_some() {
                elsewhere.push(contact);
                continue;
            }
            let known = self.shard.find(contact.as_str());
            if known.is_some_and(|id| self.shard.account(id).blocks(prober)) {
                self.counters.count_drop(Dropped::Blocked);
                continue;
            }
            match known.filter(|id| self.shard.account(*id).shows_presence_to(prober)) {
                Some(id) => {
                    for stanza in self.presences_of(id) {
                        self.scratch.recipients.push(conn);
                        self.deliver(stanza, Stamp::Bare, out);
                    }
                }
                None => self.answer_probe(UNSUBSCRIBED, contact.as_ref(), prober.bare(), None),
            }
        }
        if let Some(session) = self.shard.session(session).filter(|_| !elsewhere.is_empty()) {
            let stanza = presence(PROBE, session.jid().as_ref(), None, None);
            self.post(Parcel { stanza, audience: Audience::Asked(elsewhere) });
        }
    }

    /// [`Self::probe_contacts`] of another home's resource, for contacts of this home.
    pub(super) fn receive_question(&mut self, probe: &Stanza, contacts: &[Jid]) {
        let Some(Ok(prober)) = probe.from().map(JidRef::parse_attr) else { return };
        let prober = prober.jid();
        for contact in contacts {
            let known = self.shard.find(contact.as_str());
            if known.is_some_and(|id| self.shard.account(id).blocks(prober)) {
                self.counters.count_drop(Dropped::Blocked);
                continue;
            }
            match known.filter(|id| self.shard.account(*id).shows_presence_to(prober)) {
                Some(id) => {
                    for stanza in self.presences_of(id) {
                        let audience = Audience::Resource(prober.to_jid());
                        self.post(Parcel { stanza, audience });
                    }
                }
                None => self.answer_probe(UNSUBSCRIBED, contact.as_ref(), prober.bare(), None),
            }
        }
    }

    /// A probe at its target's home (§4.3.2).
    pub(super) fn receive_probe(&mut self, probe: &Stanza, to: JidRef<'_>) {
        let Some(Ok(prober)) = probe.from().map(JidRef::parse_attr) else { return };
        let prober = prober.jid();
        let account = self.shard.find(to.bare().as_str());
        if account.is_some_and(|id| self.shard.account(id).blocks(prober)) {
            return self.counters.count_drop(Dropped::Blocked);
        }
        let shown = account.filter(|id| self.shard.account(*id).shows_presence_to(prober));
        match (shown, to.resource()) {
            (Some(id), None) => {
                let presences = self.presences_of(id);
                if presences.is_empty() {
                    self.answer_for_absent(id, to, prober, probe.id());
                }
                for stanza in presences {
                    let audience = Audience::Each(vec![prober.bare().to_jid()]);
                    self.post(Parcel { stanza, audience });
                }
            }
            (Some(id), Some(resource)) => {
                let session = self.shard.resource(id, resource).map(|(_, session)| session);
                if session.is_some_and(|s| s.available().is_some()) {
                    self.answer_probe(None, to, prober, None);
                } else {
                    self.answer_probe(UNAVAILABLE, to, prober, probe.id());
                }
            }
            (None, _) => self.receive_strangers_probe(probe, account, to, prober),
        }
    }

    /// §4.6.6: one without a subscription is told no more than that a resource is there, and only if that resource
    /// sent it directed presence.
    fn receive_strangers_probe(
        &mut self,
        probe: &Stanza,
        account: Option<AccountId>,
        to: JidRef<'_>,
        prober: JidRef<'_>,
    ) {
        let mut directed: Vec<Jid> = Vec::new();
        if let Some(id) = account {
            let sessions = self.shard.sessions_of(id).map(|(_, session)| session);
            let asked = sessions.filter(|s| to.resource().is_none_or(|resource| resource == s.resource()));
            directed.extend(asked.filter(|s| s.is_directed_to(prober)).map(|s| s.jid().clone()));
        }
        if directed.is_empty() {
            self.answer_probe(UNSUBSCRIBED, to.bare(), prober, probe.id());
        }
        for jid in directed {
            self.answer_probe(None, jid.as_ref(), prober, None);
        }
    }

    /// The last presence of each available resource, complete: also with the `id` that it had (§4.3.2.1).
    pub(super) fn presences_of(&self, account: AccountId) -> Vec<Stanza> {
        let sessions = self.shard.sessions_of(account);
        sessions.filter_map(|(_, session)| session.available().map(Available::stanza)).collect()
    }

    /// §4.3.2, rule 3: since when nobody is there, as far as that is known.
    fn answer_for_absent(&mut self, account: AccountId, from: JidRef<'_>, to: JidRef<'_>, id: Option<&str>) {
        let mut delay = Vec::new();
        if let Some(last) = self.shard.account(account).last_seen() {
            write_delay(from.domain(), last.at, &mut delay);
        }
        let stanza = presence_with(UNAVAILABLE, from, Some(to), id, &delay);
        self.post(Parcel { stanza, audience: Audience::Answer });
    }

    fn answer_probe(
        &mut self,
        stanza_type: Option<&str>,
        from: JidRef<'_>,
        to: JidRef<'_>,
        id: Option<&str>,
    ) {
        let stanza = presence(stanza_type, from, Some(to), id);
        // Who is not there did not go just now: nobody's directed presence to it ends (§4.6.1).
        let audience = if stanza_type == UNAVAILABLE { Audience::Answer } else { Audience::To };
        self.post(Parcel { stanza, audience });
    }
}
