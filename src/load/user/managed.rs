//! What a user does for stream management (XEP-0198): it acknowledges, keeps what is not acknowledged, and resumes.
//!
//! Nothing is measured here. A resumed session has never been away: its user is ready since it was ready first, so an
//! operation that was under way when its connection was broken is excused no more than any other one.

use std::collections::VecDeque;

use super::{State, UserCx, VirtualUser};
use crate::engine::Timer;
use crate::limits::SM_ASK_STANZAS;
use crate::metrics::LoginTimes;
use crate::stream::{Management, WantedManagement};
use crate::time::Nanos;

/// A stream's counts, and what the server has not acknowledged.
#[derive(Debug, Default)]
pub(in crate::load) struct Managed {
    /// The server has granted it.
    enabled: bool,
    /// What the stream is resumed with.
    id: Option<String>,
    /// Stanzas that came in since.
    handled: u32,
    /// Stanzas that went out, modulo 2^32.
    sent: u32,
    /// Those of them that are not acknowledged, oldest first, with the number of their operation.
    unacknowledged: VecDeque<(Box<[u8]>, Option<u64>)>,
}

/// What a user whose connection was broken keeps until it comes back.
#[derive(Debug)]
pub(in crate::load) struct Former {
    managed: Managed,
    ready_since: Nanos,
    /// Operations that the kernel had not taken whole.
    unsent: VecDeque<(u64, u64)>,
}

impl Former {
    /// What the next login asks for.
    pub(in crate::load) fn wanted(&self) -> WantedManagement {
        let previd = self.managed.id.clone().expect("a session that can be resumed has an id");
        WantedManagement::Resumed { h: self.managed.handled, previd }
    }
}

impl Managed {
    /// The server has handled so many stanzas, modulo 2^32.
    fn acknowledge(&mut self, h: u32) {
        let left = self.sent.wrapping_sub(h) as usize;
        while self.unacknowledged.len() > left {
            self.unacknowledged.pop_front();
        }
    }
}

impl VirtualUser {
    /// Asks for stream management, behind bind.
    pub(super) fn enable_management(&mut self, cx: &mut UserCx<'_>) {
        self.managed = Some(Box::default());
        cx.write(|out| Management::Enable { resume: true, max_s: None }.write(out));
    }

    /// Writes one stanza, of the operation `seq` if it is of one.
    pub(super) fn say(&mut self, seq: Option<u64>, cx: &mut UserCx<'_>, write: impl FnOnce(&mut Vec<u8>)) {
        let Some(managed) = &mut self.managed else { return cx.write(write) };
        let mut stanza = Vec::new();
        write(&mut stanza);
        cx.write(|out| out.extend_from_slice(&stanza));
        managed.unacknowledged.push_back((stanza.into(), seq));
        managed.sent = managed.sent.wrapping_add(1);
        if managed.unacknowledged.len() % SM_ASK_STANZAS == 0 {
            cx.write(|out| Management::Request.write(out));
        }
    }

    /// A stanza came in.
    pub(super) fn count_handled(&mut self) {
        if let Some(managed) = self.managed.as_mut().filter(|managed| managed.enabled) {
            managed.handled = managed.handled.wrapping_add(1);
        }
    }

    /// What it has handled, right before it closes its stream (§4).
    pub(super) fn acknowledge_last(&self, cx: &mut UserCx<'_>) {
        if let Some(managed) = self.managed.as_ref().filter(|managed| managed.enabled) {
            cx.write(|out| Management::Acknowledgement(managed.handled).write(out));
        }
    }

    /// An element of stream management.
    pub(super) fn on_management(&mut self, management: Management, cx: &mut UserCx<'_>) {
        let Some(managed) = &mut self.managed else { return cx.world.tally.other("not_a_stanza") };
        match management {
            Management::Enabled { id, .. } => {
                managed.enabled = true;
                managed.id = id;
            }
            Management::Request => {
                let handled = managed.handled;
                cx.write(|out| Management::Acknowledgement(handled).write(out));
            }
            Management::Acknowledgement(h) => managed.acknowledge(h),
            Management::Failed { .. } => {
                self.managed = None;
                cx.world.tally.error("stream management refused", "<failed/>", cx.now);
            }
            Management::Enable { .. }
            | Management::Resume { .. }
            | Management::Resumed { .. }
            | Management::Malformed => cx.world.tally.other("not_a_stanza"),
        }
    }

    /// The connection is gone: keeps what a resumption needs, if there can be one.
    pub(super) fn keep_former(&mut self, cx: &mut UserCx<'_>) {
        let was_broken = matches!(self.state, State::Broken);
        let managed = self.managed.take().filter(|managed| was_broken && managed.id.is_some());
        let ready_since = cx.world.users.ready_since(self.index);
        let unsent = std::mem::take(&mut self.unwritten);
        let former = managed.map(|managed| Box::new(Former { managed: *managed, ready_since, unsent }));
        // An attempt that came to nothing leaves it to the next one.
        if let Some(former) = former.or_else(|| self.former.take()) {
            cx.world.users.set_former(self.index, former);
        }
    }

    /// The server has bound a new resource, or the former session goes on.
    pub(super) fn on_bound_anew(&mut self, cx: &mut UserCx<'_>) {
        if self.former.take().is_some() {
            cx.world.tally.other("resumption_failed");
        }
    }

    /// The former session goes on; the server has handled so many of its stanzas.
    pub(super) fn on_resumed(&mut self, h: u32, times: LoginTimes, cx: &mut UserCx<'_>) {
        let Some(former) = self.former.take() else { return };
        let Former { mut managed, ready_since, unsent } = *former;
        managed.acknowledge(h);
        let jid = cx.world.users.get(self.index).jid.clone().expect("it was bound before");
        self.state = State::Ready(jid);
        cx.clear_timer(Timer::Negotiation);
        let times = LoginTimes { bound: cx.now, ready: cx.now, ..times };
        cx.world.user_resumed(self.index, ready_since, &times, self.attempt.take(), cx.effects);
        for (stanza, seq) in &managed.unacknowledged {
            cx.write(|out| out.extend_from_slice(stanza));
            let unsent = seq.filter(|seq| unsent.iter().any(|(_, of)| of == seq));
            self.unwritten.extend(unsent.map(|seq| (cx.position(), seq)));
        }
        cx.write(|out| Management::Request.write(out));
        self.managed = Some(Box::new(managed));
    }
}

#[cfg(test)]
mod tests {
    use super::Managed;

    #[test]
    fn what_is_acknowledged_goes_whatever_the_count() {
        for before in [0, u32::MAX - 1] {
            let unacknowledged = (0..4).map(|n| (Box::from([n]), None)).collect();
            let sent = before.wrapping_add(4);
            let mut managed = Managed { sent, unacknowledged, ..Managed::default() };
            managed.acknowledge(before);
            assert_eq!(managed.unacknowledged.len(), 4);
            managed.acknowledge(before.wrapping_add(3));
            assert_eq!(&*managed.unacknowledged[0].0, &[3]);
            managed.acknowledge(before.wrapping_add(4));
            assert!(managed.unacknowledged.is_empty());
        }
    }
}
