//! A bound resource, whether or not a connection serves it now.
//!
//! A session sends nothing by itself and knows neither its connection's stream nor its socket.

use bytes::Bytes;

use super::AccountId;
use crate::limits::DIRECTED_PRESENCE_PER_SESSION_MAX;
use crate::stanza::{Jid, JidRef, Stanza, To};

/// Names one session of one shard. An account's name is used again, a generation is not: an id that outlived its session
/// is "no such resource", never somebody else's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId {
    /// Whose it is.
    pub account: AccountId,
    /// Sessions that the shard had before.
    pub generation: u32,
}

/// Where a session's deliveries go now. `C` names a connection of this home; the router never looks inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sink<C> {
    /// A connection.
    Connection(C),
}

/// An available resource's presence (RFC 6121 §4.1).
///
/// It is kept as text, a fifth of a [`Stanza`]'s size: every idle connection has one, and few are ever asked for.
#[derive(Debug, Clone)]
pub struct Available {
    text: Box<[u8]>,
    order: u64,
    priority: i8,
}

impl Available {
    /// Keeps a copy of `stanza`: a presence without `to`, whose sender is stamped. `order` grows with every presence in the
    /// shard.
    #[must_use]
    pub fn new(stanza: &Stanza, priority: i8, order: u64) -> Self {
        let mut text = Vec::with_capacity(stanza.written_len(To::Kept));
        stanza.write(To::Kept, &mut text);
        Self { text: text.into(), priority, order }
    }

    /// The presence, complete (§4.3.2 answers probes with it).
    #[must_use]
    pub fn stanza(&self) -> Stanza {
        Stanza::from_own(Bytes::copy_from_slice(&self.text))
    }

    /// Its `<priority/>` (§4.7.2.3).
    #[must_use]
    pub const fn priority(&self) -> i8 {
        self.priority
    }

    /// How available it is, beside others of the account: by priority, and of equals the newest.
    #[must_use]
    pub const fn rank(&self) -> (i8, u64) {
        (self.priority, self.order)
    }
}

/// What else is to be known of a session.
mod flag {
    /// It asked for the roster.
    pub(super) const INTERESTED: u8 = 1;
    /// Letters went to other homes since they were last asked what became of them.
    pub(super) const MAILED: u8 = 2;
    /// It asked for the blocklist.
    pub(super) const FOLLOWS_BLOCKLIST: u8 = 4;
    /// Its account has blocked somebody.
    pub(super) const GUARDED: u8 = 8;
}

/// A bound resource. It lies inside its account: with a word beside it, a session of 56 bytes fills a line of the cache.
#[derive(Debug)]
pub struct Session<C> {
    jid: Jid,
    sink: Sink<C>,
    pub(super) generation: u32,
    /// The priority of `available`, kept here because most decisions need no more of it.
    priority: i8,
    /// Of [`flag`]: a byte each would not fit.
    flags: u8,
    available: Option<Box<Available>>,
    #[expect(clippy::box_collection, reason = "few sessions have any: 8 bytes for the others, not 24")]
    directed: Option<Box<Vec<Jid>>>,
}

impl<C: Copy> Session<C> {
    pub(super) const fn new(generation: u32, jid: Jid, sink: Sink<C>) -> Self {
        Self { jid, sink, generation, priority: 0, flags: 0, available: None, directed: None }
    }

    /// Full JID.
    #[must_use]
    pub const fn jid(&self) -> &Jid {
        &self.jid
    }

    /// Resource.
    #[must_use]
    pub fn resource(&self) -> &str {
        self.jid.as_ref().resource().expect("a session's address is full")
    }

    /// Where its deliveries go.
    #[must_use]
    pub const fn sink(&self) -> Sink<C> {
        self.sink
    }

    /// They go elsewhere from now on.
    pub const fn set_sink(&mut self, sink: Sink<C>) {
        self.sink = sink;
    }

    /// Its presence; `None` while it is only connected (RFC 6121 §4.1).
    #[must_use]
    pub fn available(&self) -> Option<&Available> {
        self.available.as_deref()
    }

    /// Whether it has presence and takes messages for its account (RFC 6121 §8.5.2.1).
    #[must_use]
    pub const fn is_non_negative(&self) -> bool {
        self.available.is_some() && self.priority >= 0
    }

    /// Sets its presence. Returns whether it is the first one (initial presence, §4.2).
    pub fn set_available(&mut self, available: Available) -> bool {
        self.priority = available.priority;
        match &mut self.available {
            Some(old) => {
                **old = available;
                false
            }
            none => {
                *none = Some(Box::new(available));
                true
            }
        }
    }

    /// Ends its presence; returns what it was.
    pub fn take_available(&mut self) -> Option<Box<Available>> {
        self.available.take()
    }

    /// Whether it asked for the roster, and so gets roster pushes (§2.2).
    #[must_use]
    pub const fn is_interested(&self) -> bool {
        self.is(flag::INTERESTED)
    }

    /// It asked for the roster.
    pub const fn set_interested(&mut self) {
        self.set(flag::INTERESTED, true);
    }

    /// A letter of its went to another home.
    pub const fn set_mailed(&mut self) {
        self.set(flag::MAILED, true);
    }

    /// Whether letters went to other homes since this was asked last.
    pub const fn take_mailed(&mut self) -> bool {
        let was = self.is(flag::MAILED);
        self.set(flag::MAILED, false);
        was
    }

    /// Whether it asked for the blocklist, and so is told of changes (XEP-0191 §3.3).
    #[must_use]
    pub const fn follows_blocklist(&self) -> bool {
        self.is(flag::FOLLOWS_BLOCKLIST)
    }

    /// It asked for the blocklist.
    pub const fn set_follows_blocklist(&mut self) {
        self.set(flag::FOLLOWS_BLOCKLIST, true);
    }

    /// To whom it sent directed presence, oldest first (§4.6.1).
    #[must_use]
    pub fn directed(&self) -> &[Jid] {
        self.directed.as_deref().map_or(&[], Vec::as_slice)
    }

    /// It sends directed presence to `target`. `false`: that would be one target too many.
    pub fn add_directed(&mut self, target: JidRef<'_>) -> bool {
        if self.directed().iter().any(|d| d.as_str() == target.as_str()) {
            return true;
        }
        if self.directed().len() >= DIRECTED_PRESENCE_PER_SESSION_MAX {
            return false;
        }
        self.directed.get_or_insert_default().push(target.to_jid());
        true
    }

    /// Forgets directed presence to `target`.
    pub fn remove_directed(&mut self, target: JidRef<'_>) {
        self.retain_directed(|d| d.as_str() != target.as_str());
    }

    /// Takes the whole list.
    pub fn take_directed(&mut self) -> Vec<Jid> {
        self.directed.take().map_or_else(Vec::new, |d| *d)
    }

    /// Whether `entity` got directed presence, itself or as a resource of that account.
    #[must_use]
    pub fn is_directed_to(&self, entity: JidRef<'_>) -> bool {
        self.directed().iter().any(|d| {
            d.as_str() == entity.as_str()
                || d.as_str() == entity.bare().as_str()
                || (entity.resource().is_none() && d.as_ref().bare().as_str() == entity.as_str())
        })
    }

    /// Whether its account has blocked somebody.
    #[must_use]
    pub const fn is_guarded(&self) -> bool {
        self.is(flag::GUARDED)
    }

    /// Its account has blocked somebody, or nobody any more.
    pub(super) const fn set_guarded(&mut self, guarded: bool) {
        self.set(flag::GUARDED, guarded);
    }

    const fn is(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    const fn set(&mut self, flag: u8, is_set: bool) {
        self.flags = if is_set { self.flags | flag } else { self.flags & !flag };
    }

    fn retain_directed(&mut self, keep: impl FnMut(&Jid) -> bool) {
        let Some(directed) = &mut self.directed else { return };
        directed.retain(keep);
        if directed.is_empty() {
            self.directed = None;
        }
    }
}
