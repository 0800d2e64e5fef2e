//! What an event of the kernel belongs to, in the 64 bits of its token.
//!
//! Connections have their slot and generation there, so an event that was queued for an earlier connection of the
//! same slot is recognised. Two generations are never given to connections and mark everything else.

use mio::Token;

use crate::engine::ConnId;

/// Whose event it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    Waker,
    Timer,
    Listener(usize),
    Connecting(usize),
    Connection(ConnId),
}

const SPECIAL: u32 = u32::MAX;
const CONNECTING: u32 = u32::MAX - 1;
const WAKER_SLOT: u32 = 0;
const TIMER_SLOT: u32 = 1;
const LISTENERS_FROM: u32 = 2;

pub(super) const WAKER: Token = pack(WAKER_SLOT, SPECIAL);
pub(super) const TIMER: Token = pack(TIMER_SLOT, SPECIAL);

const fn pack(slot: u32, generation: u32) -> Token {
    Token((generation as usize) << 32 | slot as usize)
}

pub(super) fn listener(index: usize) -> Token {
    pack(LISTENERS_FROM + u32::try_from(index).expect("few listeners"), SPECIAL)
}

pub(super) fn connecting(index: usize) -> Token {
    pack(u32::try_from(index).expect("CONNECTIONS_PER_REACTOR_MAX fits"), CONNECTING)
}

pub(super) const fn connection(conn: ConnId) -> Token {
    pack(conn.slot, conn.generation)
}

#[expect(clippy::cast_possible_truncation, reason = "the two halves are what was packed")]
pub(super) const fn owner(token: Token) -> Owner {
    let (slot, generation) = (token.0 as u32, (token.0 >> 32) as u32);
    match (generation, slot) {
        (SPECIAL, WAKER_SLOT) => Owner::Waker,
        (SPECIAL, TIMER_SLOT) => Owner::Timer,
        (SPECIAL, index) => Owner::Listener((index - LISTENERS_FROM) as usize),
        (CONNECTING, index) => Owner::Connecting(index as usize),
        _ => Owner::Connection(ConnId { slot, generation }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_token_comes_back_as_its_owner() {
        let conn = ConnId { slot: u32::MAX, generation: u32::MAX - 2 };
        assert_eq!(owner(connection(conn)), Owner::Connection(conn));
        assert_eq!(owner(WAKER), Owner::Waker);
        assert_eq!(owner(TIMER), Owner::Timer);
        assert_eq!(owner(listener(3)), Owner::Listener(3));
        assert_eq!(owner(connecting(7)), Owner::Connecting(7));
    }
}
