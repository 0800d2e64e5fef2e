//! Who is there: connections, addresses and contacts of the users, and who is ready.
//!
//! It chooses nobody; [`super::stage`] does.

use crate::engine::ConnId;
use crate::stanza::Jid;
use crate::time::Nanos;

/// What the run knows of one user.
#[derive(Debug, Default)]
pub(super) struct User {
    /// The connection, from TCP's success to the end.
    pub(super) conn: Option<ConnId>,
    /// Full JID, once bound.
    pub(super) jid: Option<Jid>,
    /// Users that get this one's presence, sorted: the roster's `from` and `both`.
    pub(super) contacts: Box<[u32]>,
    /// Since when it has been ready without a break; `None` when it is not.
    ready_since: Option<Nanos>,
    /// Where `Users::ready` has it, while it is ready.
    ready_slot: u32,
}

/// All users of a run.
#[derive(Debug)]
pub(super) struct Users {
    all: Vec<User>,
    /// Those that are ready, in no order that matters.
    ready: Vec<u32>,
    connected: u32,
}

impl Users {
    pub(super) fn new(count: u32) -> Self {
        Self { all: (0..count).map(|_| User::default()).collect(), ready: Vec::new(), connected: 0 }
    }

    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.all.len()).expect("at most USERS_MAX")
    }

    pub(super) fn get(&self, user: u32) -> &User {
        &self.all[user as usize]
    }

    pub(super) fn ready_count(&self) -> u32 {
        u32::try_from(self.ready.len()).expect("at most USERS_MAX")
    }

    /// The ready user at some place, for choices.
    pub(super) fn ready_at(&self, slot: u32) -> u32 {
        self.ready[slot as usize]
    }

    pub(super) const fn connected_count(&self) -> u32 {
        self.connected
    }

    /// Everybody's connection.
    pub(super) fn connections(&self) -> impl Iterator<Item = ConnId> + '_ {
        self.all.iter().filter_map(|u| u.conn)
    }

    pub(super) fn is_ready(&self, user: u32) -> bool {
        self.get(user).ready_since.is_some()
    }

    /// Whether the user was ready at `at` and has been ever since.
    pub(super) fn was_ready_at(&self, user: u32, at: Nanos) -> bool {
        self.get(user).ready_since.is_some_and(|since| since <= at)
    }

    pub(super) fn set_connected(&mut self, user: u32, conn: ConnId) {
        let known = self.all[user as usize].conn.replace(conn);
        assert!(known.is_none(), "a user has one connection at a time");
        self.connected += 1;
    }

    pub(super) fn set_bound(&mut self, user: u32, jid: Jid) {
        self.all[user as usize].jid = Some(jid);
    }

    pub(super) fn set_contacts(&mut self, user: u32, mut contacts: Vec<u32>) {
        contacts.sort_unstable();
        contacts.dedup();
        self.all[user as usize].contacts = contacts.into();
    }

    pub(super) fn set_ready(&mut self, user: u32, now: Nanos) {
        let slot = self.ready_count();
        let known = &mut self.all[user as usize];
        assert!(known.ready_since.is_none(), "a user becomes ready once per connection");
        known.ready_since = Some(now);
        known.ready_slot = slot;
        self.ready.push(user);
    }

    /// The connection is gone.
    pub(super) fn set_gone(&mut self, user: u32) {
        let known = &mut self.all[user as usize];
        if known.conn.take().is_some() {
            self.connected -= 1;
        }
        if known.ready_since.take().is_some() {
            let slot = known.ready_slot;
            self.ready.swap_remove(slot as usize);
            if let Some(moved) = self.ready.get(slot as usize) {
                self.all[*moved as usize].ready_slot = slot;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_list_follows() {
        let mut users = Users::new(4);
        let conn = |slot| ConnId { slot, generation: 0 };
        for user in 0..4 {
            users.set_connected(user, conn(user));
            users.set_ready(user, Nanos(u64::from(user)));
        }
        for gone in [1, 3] {
            users.set_gone(gone);
            let mut listed: Vec<u32> = (0..users.ready_count()).map(|slot| users.ready_at(slot)).collect();
            listed.sort_unstable();
            let ready: Vec<u32> = (0..4).filter(|u| users.is_ready(*u)).collect();
            assert_eq!(listed, ready);
        }
        assert_eq!(users.connected_count(), 2);
        assert!(users.was_ready_at(2, Nanos(2)) && !users.was_ready_at(2, Nanos(1)));
        assert!(!users.was_ready_at(1, Nanos(9)), "gone");
    }
}
