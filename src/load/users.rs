//! Who is there: connections, addresses and contacts of this reactor's users, and who of all users is ready.
//!
//! It chooses nobody; [`super::stage`] does. Of the users of other reactors it knows what it was told: a moment later
//! than they do.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::share::Share;
use super::user::managed::Former;
use crate::engine::ConnId;
use crate::stanza::Jid;
use crate::time::Nanos;

/// How many users are asked in turn whether they are ready before somebody near takes their place.
const PROBES_MAX: u32 = 64;

/// What the run knows of one user of this reactor.
#[derive(Debug, Default)]
pub(super) struct User {
    /// The connection, from TCP's success to the end.
    pub(super) conn: Option<ConnId>,
    /// Full JID, once bound.
    pub(super) jid: Option<Jid>,
    /// Users that get this one's presence, sorted: the roster's `from` and `both`.
    pub(super) contacts: Box<[u32]>,
    /// The session that its broken connection had, until it comes back.
    former: Option<Box<Former>>,
    /// Where `Users::ready` has it, while it is ready.
    ready_slot: u32,
}

/// All users of a run.
#[derive(Debug)]
pub(super) struct Users {
    share: Share,
    own: Vec<User>,
    /// Since when each user of the run has been ready without a break; [`Nanos::MAX`] when it is not.
    ready_since: Vec<Nanos>,
    /// Own users that are ready, in no order that matters.
    ready: Vec<u32>,
    /// Others that are.
    ready_elsewhere: u32,
    /// Addresses of others that the scenario does not tell.
    jids_elsewhere: HashMap<u32, Jid, FixedState>,
    /// Users of the run whose connections the phase under way breaks, a bit each; empty when it breaks none.
    broken: Box<[u64]>,
    connected: u32,
}

impl Users {
    pub(super) fn new(count: u32, share: Share) -> Self {
        Self {
            share,
            own: (0..share.part_of(count)).map(|_| User::default()).collect(),
            ready_since: vec![Nanos::MAX; count as usize],
            ready: Vec::new(),
            ready_elsewhere: 0,
            jids_elsewhere: HashMap::default(),
            broken: Box::default(),
            connected: 0,
        }
    }

    /// Users of the run.
    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.ready_since.len()).expect("at most USERS_MAX")
    }

    /// One of this reactor's users.
    pub(super) fn get(&self, user: u32) -> &User {
        &self.own[self.share.slot(user)]
    }

    fn get_mut(&mut self, user: u32) -> &mut User {
        &mut self.own[self.share.slot(user)]
    }

    /// Bare JID of a user that was ready once; `None`: as the scenario says.
    pub(super) fn bare_jid(&self, user: u32) -> Option<&str> {
        let jid = match self.share.has(user) {
            true => self.get(user).jid.as_ref(),
            false => self.jids_elsewhere.get(&user),
        };
        jid.map(|jid| jid.as_ref().bare().as_str())
    }

    /// Users of the run that are ready.
    pub(super) fn ready_count(&self) -> u32 {
        self.own_ready_count() + self.ready_elsewhere
    }

    /// Users of this reactor that are ready.
    pub(super) fn own_ready_count(&self) -> u32 {
        u32::try_from(self.ready.len()).expect("at most USERS_MAX")
    }

    /// The ready user of this reactor that `lot` falls on: `lot` itself if it is ready.
    pub(super) fn own_ready_by(&self, lot: u32) -> Option<u32> {
        if self.share.has(lot) && self.is_ready(lot) {
            return Some(lot);
        }
        self.ready.get((lot % self.own_ready_count().max(1)) as usize).copied()
    }

    /// A ready user of the run, not `user`, by `lot`: the same on any number of reactors as long as all are ready.
    pub(super) fn ready_by(&self, lot: u32, user: u32) -> Option<u32> {
        let count = self.count();
        let fits = |other: &u32| *other != user && self.is_ready(*other);
        let turned = (0..PROBES_MAX.min(count)).map(|step| {
            let place = (u64::from(lot) + u64::from(step)) % u64::from(count);
            u32::try_from(place).expect("below a 32-bit count")
        });
        let near = || {
            let place = lot as usize % self.ready.len().max(1);
            self.ready.iter().cycle().skip(place).take(2).copied().find(fits)
        };
        { turned }.find(fits).or_else(near)
    }

    /// A user of the run, not `user`, by `lot`, ready or not.
    pub(super) fn any_by(&self, lot: u32, user: u32) -> Option<u32> {
        let first = lot % self.count();
        [first, (first + 1) % self.count()].into_iter().find(|other| *other != user)
    }

    /// The phase that begins breaks the connections of these users.
    pub(super) fn set_broken(&mut self, users: &[u32]) {
        let mut bits = vec![0; self.ready_since.len().div_ceil(64)];
        users.iter().for_each(|user| bits[*user as usize / 64] |= 1 << (user % 64));
        self.broken = bits.into();
    }

    /// The phase that begins breaks nothing.
    pub(super) fn set_none_broken(&mut self) {
        self.broken = Box::default();
    }

    /// Whether the phase under way breaks the user's connection.
    fn is_broken(&self, user: u32) -> bool {
        self.broken.get(user as usize / 64).is_some_and(|bits| bits >> (user % 64) & 1 == 1)
    }

    /// Whether the phase under way has broken the user's connection at or after `at`, back or not.
    pub(super) fn broken_since(&self, user: u32, at: Nanos) -> bool {
        self.is_broken(user) && !self.was_ready_at(user, at)
    }

    /// The first user from `user` on whose connection the phase under way leaves alone; itself when there is none.
    pub(super) fn left_alone_from(&self, user: u32) -> u32 {
        let others = (user..self.count()).chain(0..user);
        { others }.find(|other| !self.is_broken(*other)).unwrap_or(user)
    }

    pub(super) const fn connected_count(&self) -> u32 {
        self.connected
    }

    /// The connections of this reactor's users.
    pub(super) fn connections(&self) -> impl Iterator<Item = ConnId> + '_ {
        self.own.iter().filter_map(|u| u.conn)
    }

    pub(super) fn is_ready(&self, user: u32) -> bool {
        self.ready_since[user as usize] != Nanos::MAX
    }

    /// Whether the user was ready at `at` and has been ever since.
    pub(super) fn was_ready_at(&self, user: u32, at: Nanos) -> bool {
        self.is_ready(user) && self.ready_since[user as usize] <= at
    }

    pub(super) fn set_connected(&mut self, user: u32, conn: ConnId) {
        let known = self.get_mut(user).conn.replace(conn);
        assert!(known.is_none(), "a user has one connection at a time");
        self.connected += 1;
    }

    /// Since when it has been ready without a break; [`Nanos::MAX`] when it is not.
    pub(super) fn ready_since(&self, user: u32) -> Nanos {
        self.ready_since[user as usize]
    }

    pub(super) fn set_former(&mut self, user: u32, former: Box<Former>) {
        self.get_mut(user).former = Some(former);
    }

    pub(super) fn take_former(&mut self, user: u32) -> Option<Box<Former>> {
        self.get_mut(user).former.take()
    }

    pub(super) fn set_bound(&mut self, user: u32, jid: Jid) {
        self.get_mut(user).jid = Some(jid);
    }

    pub(super) fn set_contacts(&mut self, user: u32, mut contacts: Vec<u32>) {
        contacts.sort_unstable();
        contacts.dedup();
        self.get_mut(user).contacts = contacts.into();
    }

    pub(super) fn set_ready(&mut self, user: u32, now: Nanos) {
        let slot = self.own_ready_count();
        assert!(!self.is_ready(user), "a user becomes ready once per connection");
        self.ready_since[user as usize] = now;
        self.get_mut(user).ready_slot = slot;
        self.ready.push(user);
    }

    /// The connection is gone. Returns whether the user was ready.
    pub(super) fn set_gone(&mut self, user: u32) -> bool {
        let known = self.get_mut(user);
        let slot = known.ready_slot;
        if known.conn.take().is_some() {
            self.connected -= 1;
        }
        if !self.is_ready(user) {
            return false;
        }
        self.ready_since[user as usize] = Nanos::MAX;
        self.ready.swap_remove(slot as usize);
        if let Some(moved) = self.ready.get(slot as usize).copied() {
            self.get_mut(moved).ready_slot = slot;
        }
        true
    }

    /// Another reactor's user is ready.
    pub(super) fn set_ready_elsewhere(&mut self, user: u32, since: Nanos, jid: Option<Jid>) {
        debug_assert!(!self.share.has(user) && !self.is_ready(user), "told once by its own reactor");
        self.ready_since[user as usize] = since;
        self.ready_elsewhere += 1;
        if let Some(jid) = jid {
            self.jids_elsewhere.insert(user, jid);
        }
    }

    /// Another reactor's user is not ready any more.
    pub(super) fn set_gone_elsewhere(&mut self, user: u32) {
        debug_assert!(!self.share.has(user) && self.is_ready(user), "told once by its own reactor");
        self.ready_since[user as usize] = Nanos::MAX;
        self.ready_elsewhere -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conn(slot: u32) -> ConnId {
        ConnId { slot, generation: 0 }
    }

    #[test]
    fn the_ready_list_follows() {
        let mut users = Users::new(4, Share::WHOLE);
        for user in 0..4 {
            users.set_connected(user, conn(user));
            users.set_ready(user, Nanos(u64::from(user)));
        }
        for gone in [1, 3] {
            assert!(users.set_gone(gone));
            let mut listed = users.ready.clone();
            listed.sort_unstable();
            let ready: Vec<u32> = (0..4).filter(|u| users.is_ready(*u)).collect();
            assert_eq!(listed, ready);
            assert!(users.own_ready_by(gone).is_some_and(|user| users.is_ready(user)), "somebody else");
        }
        assert_eq!(users.connected_count(), 2);
        assert_eq!((users.own_ready_by(0), users.own_ready_by(2)), (Some(0), Some(2)));
        assert!(users.was_ready_at(2, Nanos(2)) && !users.was_ready_at(2, Nanos(1)));
        assert!(!users.was_ready_at(1, Nanos(9)), "gone");
        assert_eq!(
            (users.ready_by(1, 0), users.ready_by(0, 0), users.ready_by(3, 2)),
            (Some(2), Some(2), Some(0))
        );
        users.set_gone(0);
        assert_eq!(users.ready_by(5, 2), None, "nobody but oneself");
    }

    #[test]
    fn users_of_others_are_known_by_what_was_told() {
        let share = Share::all(2).nth(1).unwrap();
        let mut users = Users::new(5, share);
        users.set_connected(3, conn(0));
        users.set_ready(3, Nanos(7));
        let odd = Jid::parse("somebody@else.where/x").unwrap();
        users.set_ready_elsewhere(0, Nanos(5), Some(odd));
        users.set_ready_elsewhere(2, Nanos(6), None);
        assert_eq!((users.ready_count(), users.own_ready_count()), (3, 1));
        assert!(users.was_ready_at(0, Nanos(5)) && !users.was_ready_at(0, Nanos(4)));
        assert_eq!((users.bare_jid(0), users.bare_jid(2)), (Some("somebody@else.where"), None));
        assert_eq!(users.own_ready_by(1), Some(3), "the only one here");
        assert_eq!(users.ready_by(4, 3), Some(0));
        users.set_gone_elsewhere(0);
        assert_eq!((users.ready_count(), users.ready_by(4, 3)), (2, Some(2)));
    }
}
