//! Presence to one entity (RFC 6121 §4.6).
//!
//! It makes nobody available; it is remembered so that its target hears of the end.

use super::client_link::ClientLink;
use super::routing::Origin;
use super::world::ServerWorld;
use super::write::{detached, escaped};
use crate::engine::Effects;
use crate::limits::DIRECTED_PRESENCE_PER_SESSION_MAX;
use crate::router::{AccountId, Audience, Parcel, SessionId};
use crate::stanza::{Condition, Jid, JidRef, Stanza, StanzaType, To};

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
            if session.directed().len() >= DIRECTED_PRESENCE_PER_SESSION_MAX {
                return false;
            }
            session.add_directed(to);
        }
        true
    }

    /// Leaves parcels for the targets of a session's directed presence, except for those whom the broadcast of
    /// `account`'s presence reaches.
    pub(super) fn end_directed(&mut self, unavailable: &Stanza, targets: &[Jid], account: Option<AccountId>) {
        for target in targets {
            let target = target.as_ref();
            let is_told = account.is_some_and(|id| self.shard.account(id).shows_presence_to(target));
            if is_told && target.is_bare() {
                continue;
            }
            let stanza = detached(unavailable, To::Stamped(&escaped(target)));
            // A subscriber's resource that is only connected is not reached by the broadcast; its home knows.
            let audience = if is_told { Audience::Unheard } else { Audience::To };
            self.post(Parcel { stanza, audience });
        }
    }

    /// The end of directed presence, at the home of a resource whose account is subscribed to the sender.
    pub(super) fn receive_unheard(&mut self, stanza: Stanza, out: &mut Effects<ClientLink>) {
        let Some(Ok(to)) = stanza.to().map(JidRef::parse_attr) else { return };
        let account = self.shard.find(to.jid().bare().as_str());
        let session = account.and_then(|id| self.shard.resource(id, to.jid().resource()?));
        let has_heard = session.is_none_or(|(_, session)| session.available().is_some());
        drop(to);
        if !has_heard {
            self.route(stanza, None, out);
        }
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
