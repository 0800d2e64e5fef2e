//! Which reactor of the harness plays which user.
//!
//! It starts nothing. User `n` of a run on `count` reactors belongs to reactor `n % count`: neighbours in a graph are
//! spread, and whoever knows the number knows the reactor.

use crate::router::HomeId;

/// One reactor's share of the users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Share {
    me: u32,
    count: u32,
}

impl Share {
    /// The only share of a run on one reactor.
    pub(super) const WHOLE: Self = Self { me: 0, count: 1 };

    /// All shares of a run on `count` reactors.
    pub(super) fn all(count: u32) -> impl Iterator<Item = Self> {
        (0..count).map(move |me| Self { me, count })
    }

    /// Place among the shares; the first one conducts.
    pub(super) const fn index(self) -> u32 {
        self.me
    }

    /// How many shares there are.
    pub(super) const fn count(self) -> u32 {
        self.count
    }

    /// Whether this one tells the others what to do when.
    pub(super) const fn conducts(self) -> bool {
        self.me == 0
    }

    /// Whether this share has `user`.
    pub(super) const fn has(self, user: u32) -> bool {
        user % self.count == self.me
    }

    /// Place of an own user among the own ones.
    pub(super) fn slot(self, user: u32) -> usize {
        debug_assert!(self.has(user), "user {user} belongs to another reactor");
        (user / self.count) as usize
    }

    /// How many of `users` are in this share.
    pub(super) const fn part_of(self, users: u32) -> u32 {
        users / self.count + (self.me < users % self.count) as u32
    }

    /// Where `user` lives.
    pub(super) fn home_of(self, user: u32) -> HomeId {
        HomeId::new((user % self.count) as usize)
    }

    /// The other shares' reactors.
    pub(super) fn others(self) -> impl Iterator<Item = HomeId> {
        (0..self.count).filter(move |other| *other != self.me).map(|other| HomeId::new(other as usize))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_user_is_in_one_share_and_has_a_slot_of_its_own() {
        for count in 1..6 {
            for users in 0..20 {
                let mut slots = vec![Vec::new(); count as usize];
                for user in 0..users {
                    let owners: Vec<Share> = Share::all(count).filter(|share| share.has(user)).collect();
                    assert_eq!(owners.len(), 1);
                    assert_eq!(owners[0].home_of(user).index(), owners[0].index() as usize);
                    slots[owners[0].index() as usize].push(owners[0].slot(user));
                }
                for (share, slots) in Share::all(count).zip(slots) {
                    assert_eq!(slots, (0..share.part_of(users) as usize).collect::<Vec<_>>());
                    assert_eq!(share.others().count() + 1, count as usize);
                }
            }
        }
    }
}
