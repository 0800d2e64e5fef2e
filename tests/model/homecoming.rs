//! The end of a run with stream management: everybody comes home, who is left behind dies, and then all is judged.
//!
//! Nothing is random here but how long everybody waits.

use xmpp_bench::sim::Faults;

use super::device::{Attempt, Bind, Command, H, Id, Resume, WINDOW_MAX};
use super::receipts::Receipts;
use super::resumption::{AWAY, Device, QUIET, Resumption};
use super::{glimpses, safekeeping};

/// How often everybody tries to come home: two may want the same resource.
const TRIES: usize = 4;

impl Resumption {
    /// Brings everybody home and judges.
    pub(super) fn end(&mut self) -> Result<(), String> {
        self.note("everybody comes home".into());
        self.sim.set_faults(Faults::rough());
        if self.dice.percent(50) {
            self.wait(WINDOW_MAX + QUIET)?;
        }
        self.come_home()?;
        // Who is left behind dies, and who was away comes.
        self.acknowledge_all()?;
        self.wait(WINDOW_MAX + QUIET)?;
        self.world_mut().all_here = true;
        for account in AWAY {
            self.devices.push(Device { account, resource: "away".into(), links: Vec::new() });
        }
        self.come_home()?;
        for _ in 0..2 {
            self.acknowledge_all()?;
        }
        self.ask_the_dead()?;
        let now = self.sim.now();
        let world = self.sim.clients.world_mut();
        let receipts = Receipts::new(world)?;
        let judged = receipts.judge().and_then(|()| glimpses::judge(world));
        let events = receipts.events();
        if judged.is_err() {
            self.show_sessions();
        }
        judged?;
        for event in events {
            self.world_mut().note(event);
        }
        safekeeping::check_emptied(&self.world().store.accounts())?;
        let events = self.world().events.iter();
        let events: Vec<String> = events.map(|(event, count)| format!("event {count} {event}")).collect();
        self.trace.extend(events);
        self.trace.push(format!("over at {now:?}"));
        self.leave()
    }

    /// For whoever reads a failure: what came to each session.
    fn show_sessions(&mut self) {
        let world = self.sim.clients.world();
        for (number, session) in world.sessions.iter().enumerate() {
            let (jid, over, handled) = (&session.jid, session.over, session.handled);
            let acknowledged = session.acknowledged();
            self.trace.push(format!(
                "session {number}: {jid}, {over:?}, handled {handled:?}, {acknowledged:?} acknowledged"
            ));
            let came = session.early.iter().map(|got| (0, got)).chain((1..).zip(&session.log));
            let lines = came.map(|(at, got)| format!("  {number}/{at} {:?}: {}", got.at, got.raw));
            self.trace.extend(lines);
        }
    }

    /// Every device has a session with a link, whose client keeps up.
    fn come_home(&mut self) -> Result<(), String> {
        for attempt in 0..TRIES {
            for device in 0..self.devices.len() {
                let session = self.session_of(device).filter(|session| self.world().is_live(*session));
                let link = session.and_then(|session| self.world().sessions[session].link);
                match link {
                    Some(link) if !self.world().links[link].mute => {}
                    Some(link) => self.cut(link),
                    None => {}
                }
                if link.is_some_and(|link| self.world().links[link].end.is_none()) {
                    continue;
                }
                let mut resource = self.devices[device].resource.clone();
                resource.push_str(&format!("home{device}"));
                let bind = Bind { resource, resumable: true, max_s: None };
                let session =
                    self.session_of(device).filter(|session| self.world().sessions[*session].id.is_some());
                let resume = session.map(|session| Resume { session, h: H::All, id: Id::Own });
                self.connect(device, resume, Some(bind));
            }
            self.wait(QUIET)?;
            let is_home =
                |device| self.session_of(device).is_some_and(|session| self.world().is_live(session));
            if attempt > 0 && (0..self.devices.len()).all(is_home) {
                break;
            }
        }
        for session in 0..self.world().sessions.len() {
            self.world_mut().sessions[session].lag = 0;
        }
        Ok(())
    }

    /// Everybody acknowledges everything, and asks the same of the server.
    fn acknowledge_all(&mut self) -> Result<(), String> {
        for _ in 0..2 {
            for link in 0..self.world().links.len() {
                self.world_mut().command(link, Command::Flush);
                self.world_mut().command(link, Command::Acknowledge);
                self.world_mut().command(link, Command::Ask);
            }
            self.wait(QUIET)?;
        }
        for link in 0..self.world().links.len() {
            if self.world().links[link].end.is_none() {
                self.world_mut().was_read(link);
            }
        }
        Ok(())
    }

    /// Asks for every session that is over, and learns how much of it was handled.
    fn ask_the_dead(&mut self) -> Result<(), String> {
        let world = self.world();
        let is_dead = |n: &usize| {
            let session = &world.sessions[*n];
            session.id.is_some() && session.handled.is_none() && !world.is_live(*n)
        };
        let dead: Vec<usize> = (0..world.sessions.len()).filter(is_dead).collect();
        for session in dead {
            let account = self.world().sessions[session].account;
            let resume = Some(Resume { session, h: H::All, id: Id::Own });
            self.world_mut().connect(Attempt { account, resume, bind: None, pipelined: true });
        }
        self.wait(QUIET)
    }

    fn leave(&mut self) -> Result<(), String> {
        for link in 0..self.world().links.len() {
            self.world_mut().command(link, Command::Quit);
        }
        self.wait(QUIET)?;
        let count: usize = self.sim.servers().map(|hub| hub.world().session_count()).sum();
        if count == 0 { Ok(()) } else { Err(format!("{count} sessions are left")) }
    }
}
