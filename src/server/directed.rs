//! Presence to one entity (RFC 6121 §4.6).
//!
//! It makes nobody available; it is remembered so that its target hears of the end.

use super::client_link::ClientLink;
use super::routing::Origin;
use super::world::ServerWorld;
use crate::engine::{Effects, Stamp};
use crate::router::{AccountId, Audience, Dropped, Parcel, SessionId, Verdict};
use crate::stanza::{Condition, Jid, JidRef, Stanza, StanzaType};

impl ServerWorld {
    /// Available or unavailable presence with an address (§4.6.3): routed, and remembered or forgotten.
    pub(super) fn on_directed(
        &mut self,
        stanza: Stanza,
        session: SessionId,
        origin: Origin,
        out: &mut Effects<ClientLink>,
    ) {
        if let Some(Ok(to)) = stanza.to().map(JidRef::parse_attr)
            && !self.note_directed(session, to.jid(), stanza.head().stanza_type)
        {
            return self.bounce(&stanza, Condition::ResourceConstraint, Some(origin), out);
        }
        self.route(stanza, Some(origin), out);
    }

    /// `false`: one target too many.
    fn note_directed(&mut self, id: SessionId, to: JidRef<'_>, stanza_type: StanzaType) -> bool {
        // Where it will bounce there is nobody to be told of the end.
        let is_local = self.is_local(to.domain()) && to.local().is_some();
        let Some(session) = self.shard.session_mut(id) else { return true };
        if stanza_type == StanzaType::Unavailable {
            session.remove_directed(to);
        } else if is_local {
            return session.add_directed(to);
        }
        true
    }

    /// Leaves parcels for the targets of a session's directed presence, except for those whom the broadcast of
    /// `account`'s presence reaches.
    pub(super) fn end_directed(&mut self, unavailable: &Stanza, targets: &[Jid], account: Option<AccountId>) {
        let (mut unheard, mut others) = (Vec::new(), Vec::new());
        for target in targets {
            let is_told = account.is_some_and(|id| self.shard.account(id).shows_presence_to(target.as_ref()));
            if is_told && target.as_ref().is_bare() {
                continue;
            }
            // A subscriber's resource that is only connected is not reached by the broadcast; its home knows.
            let list = if is_told { &mut unheard } else { &mut others };
            list.push(target.clone());
        }
        self.post_to(unavailable, others, Audience::Directed);
        self.post_to(unavailable, unheard, Audience::Unheard);
    }

    /// Leaves one parcel for all of `targets`, if there are any. `stanza` has no `to`: its bytes are shared.
    pub(super) fn post_to(&mut self, stanza: &Stanza, targets: Vec<Jid>, audience: fn(Vec<Jid>) -> Audience) {
        if !targets.is_empty() {
            self.post(Parcel { stanza: stanza.clone(), audience: audience(targets) });
        }
    }

    /// Presence at the home of these addresses, each of which is stamped on its own copy.
    pub(super) fn receive_directed(
        &mut self,
        stanza: &Stanza,
        targets: &[Jid],
        out: &mut Effects<ClientLink>,
    ) {
        let is_unavailable = stanza.head().stanza_type == StanzaType::Unavailable;
        for target in targets.iter().map(Jid::as_ref) {
            if !self.is_local(target.domain()) {
                self.counters.count_drop(Dropped::Remote);
                continue;
            }
            if is_unavailable {
                self.forget_directed(stanza, target);
            }
            let hash = self.shard.hash(target.bare().as_str());
            self.count_busy(target, hash);
            match self.shard.decide(stanza, target, hash, &mut self.scratch.recipients) {
                Verdict::Deliver => {
                    let stamp = if target.is_bare() { Stamp::Bare } else { Stamp::Full };
                    self.deliver(stanza.clone(), stamp, out);
                }
                Verdict::Drop(reason) => self.counters.count_drop(reason),
                verdict @ (Verdict::Bounce(_)
                | Verdict::Answer(_)
                | Verdict::AnswerForNobody
                | Verdict::Keep(_)) => {
                    unreachable!("presence is delivered or dropped: {verdict:?}")
                }
            }
        }
    }

    /// The end of directed presence, at the home of resources whose accounts are subscribed to the sender.
    pub(super) fn receive_unheard(
        &mut self,
        stanza: &Stanza,
        mut targets: Vec<Jid>,
        out: &mut Effects<ClientLink>,
    ) {
        targets.retain(|target| {
            let target = target.as_ref();
            let account = self.shard.find(target.bare().as_str());
            let session = account.and_then(|id| self.shard.resource(id, target.resource()?));
            session.is_some_and(|(_, session)| session.available().is_none())
        });
        self.receive_directed(stanza, &targets, out);
    }

    /// The sender of `unavailable` became unavailable to `to`: that resource, or each of that account, need not tell it
    /// of its own end (§4.6.1). Directed presence to its bare JID stands: other resources of it may still be there.
    pub(super) fn forget_directed(&mut self, unavailable: &Stanza, to: JidRef<'_>) {
        let Some(account) = self.shard.find(to.bare().as_str()) else { return };
        let sessions = self.shard.sessions_of(account);
        if sessions.map(|(_, session)| session.directed().len()).sum::<usize>() == 0 {
            return;
        }
        if let Some(Ok(from)) = unavailable.from().map(JidRef::parse_attr) {
            self.shard.for_sessions_of(account, |session| {
                if to.resource().is_none_or(|resource| resource == session.resource()) {
                    session.remove_directed(from.jid());
                }
            });
        }
    }
}
