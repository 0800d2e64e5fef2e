//! Who must see a presence change, and who has.
//!
//! It knows members by their place: the sender's contacts in order, then the sender itself (a change is sent to all
//! of the user's own resources, the sending one included: RFC 6121 §4.4.2).

use crate::time::Nanos;

/// The members of one change's audience. Two bits each: required, and arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Audience {
    /// Required bits, then as many words of arrived bits.
    words: Box<[u64]>,
    /// Required members that the change has not reached.
    left: u32,
    /// Whether it has reached a required member.
    any: bool,
    /// When it last did.
    reached_at: Nanos,
}

/// What an arrival is to an audience.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    /// A required member has it; whether it is the first one, and whether the last.
    Required { is_first: bool, is_last: bool },
    /// A member that need not have it has it.
    Optional,
    /// A member has it again.
    Again,
}

impl Audience {
    /// An audience of `members`, of which `is_required` tells the required ones by place.
    pub(super) fn new(members: usize, mut is_required: impl FnMut(usize) -> bool) -> Self {
        let half = members.div_ceil(64);
        let mut audience =
            Self { words: vec![0; half * 2].into(), left: 0, any: false, reached_at: Nanos::ZERO };
        for place in (0..members).filter(|place| is_required(*place)) {
            audience.words[place / 64] |= 1 << (place % 64);
            audience.left += 1;
        }
        audience
    }

    /// Required members that the change has not reached.
    pub(super) const fn left(&self) -> u32 {
        self.left
    }

    /// Whether the change has reached a required member.
    pub(super) const fn any(&self) -> bool {
        self.any
    }

    /// When it last reached a required member.
    pub(super) const fn reached_at(&self) -> Nanos {
        self.reached_at
    }

    /// Whether the member at `place` is required and has not got it.
    pub(super) fn is_awaited(&self, place: usize) -> bool {
        let (required, arrived) = self.words.split_at(self.words.len() / 2);
        (required[place / 64] & !arrived[place / 64]) >> (place % 64) & 1 == 1
    }

    /// The member at `place`, which is awaited, need not have it.
    pub(super) fn excuse(&mut self, place: usize) {
        debug_assert!(self.is_awaited(place), "who has it, or never had to, is not excused");
        self.words[place / 64] &= !(1 << (place % 64));
        self.left -= 1;
    }

    /// The member at `place` has it; `is_owed`: it has been there without a break since the change was sent.
    pub(super) fn arrive(&mut self, place: usize, now: Nanos, is_owed: bool) -> Arrival {
        let half = self.words.len() / 2;
        let (word, bit) = (place / 64, 1 << (place % 64));
        if !is_owed && self.is_awaited(place) {
            self.excuse(place);
        }
        if self.words[half + word] & bit != 0 {
            return Arrival::Again;
        }
        self.words[half + word] |= bit;
        if self.words[word] & bit == 0 {
            return Arrival::Optional;
        }
        self.left -= 1;
        self.reached_at = now;
        let is_first = !std::mem::replace(&mut self.any, true);
        Arrival::Required { is_first, is_last: self.left == 0 }
    }

    /// Places of the required members that it has not reached.
    pub(super) fn missing(&self) -> impl Iterator<Item = usize> + '_ {
        let (required, arrived) = self.words.split_at(self.words.len() / 2);
        let missing = required.iter().zip(arrived).map(|(required, arrived)| required & !arrived);
        missing.enumerate().flat_map(|(word, bits)| {
            (0..64).filter(move |bit| bits >> bit & 1 == 1).map(move |bit| word * 64 + bit)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_last_again_and_missing() {
        // 70 members, every second one required: both words are in use.
        let mut audience = Audience::new(70, |place| place % 2 == 0);
        assert_eq!(audience.left(), 35);
        assert_eq!(audience.arrive(1, Nanos(7), true), Arrival::Optional);
        assert_eq!(audience.arrive(1, Nanos(7), true), Arrival::Again);
        for place in (0..70).step_by(2) {
            let expected = Arrival::Required { is_first: place == 0, is_last: place == 68 };
            assert_eq!(audience.missing().next(), Some(place));
            assert_eq!(audience.arrive(place, Nanos(7), true), expected);
        }
        assert_eq!((audience.missing().count(), audience.left()), (0, 0));
        assert_eq!(audience.reached_at(), Nanos(7));
        assert_eq!(audience.arrive(68, Nanos(7), true), Arrival::Again);
    }

    #[test]
    fn the_excused_are_not_awaited() {
        let mut audience = Audience::new(70, |place| place >= 67);
        audience.excuse(67);
        assert!(!audience.is_awaited(67) && audience.is_awaited(68) && !audience.is_awaited(0));
        assert_eq!(audience.arrive(68, Nanos(1), false), Arrival::Optional, "it was away");
        assert_eq!((audience.left(), audience.any()), (1, false));
        assert_eq!(audience.arrive(69, Nanos(2), true), Arrival::Required { is_first: true, is_last: true });
        assert_eq!(audience.arrive(67, Nanos(3), true), Arrival::Optional);
    }

    #[test]
    fn nobody_is_an_audience_too() {
        let audience = Audience::new(0, |_| true);
        assert_eq!((audience.left(), audience.missing().count()), (0, 0));
    }
}
