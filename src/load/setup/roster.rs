//! A user's roster on the server, against the contacts that the graph gives it.
//!
//! It sends nothing. Contacts that are no users of the run are nobody's business here.

use crate::load::stanzas::NS_ROSTER;
use crate::load::world::LoadWorld;
use crate::xml::Node;

/// State of a subscription as the roster's owner sees it (RFC 6121 §2.1.2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subscription {
    None,
    To,
    From,
    Both,
}

impl Subscription {
    /// Whether the contact gets the owner's presence.
    pub(super) const fn has_from(self) -> bool {
        matches!(self, Self::From | Self::Both)
    }
}

/// The users of the run in a roster, sorted.
#[derive(Debug, Default)]
pub(super) struct Roster(Vec<(u32, Subscription)>);

impl Roster {
    /// Reads the result of a roster get.
    pub(super) fn of_answer(iq: &Node<'_>, world: &LoadWorld) -> Self {
        let Some(query) = iq.child("query", NS_ROSTER) else { return Self::default() };
        let item = |item: &Node<'_>| {
            let subscription = match item.attr("subscription") {
                Some("to") => Subscription::To,
                Some("from") => Subscription::From,
                Some("both") => Subscription::Both,
                _ => Subscription::None,
            };
            Some((world.user_of(item.attr("jid")?)?, subscription))
        };
        let mut items: Vec<_> = query.elements().filter_map(item).collect();
        items.sort_unstable_by_key(|(user, _)| *user);
        Self(items)
    }

    /// Whether `user` stands in it at all.
    pub(super) fn has(&self, user: u32) -> bool {
        self.0.binary_search_by_key(&user, |(known, _)| *known).is_ok()
    }

    /// The state towards `user`; who is not in it is [`Subscription::None`].
    pub(super) fn with(&self, user: u32) -> Subscription {
        let place = self.0.binary_search_by_key(&user, |(known, _)| *known);
        place.map_or(Subscription::None, |place| self.0[place].1)
    }
}
