//! Clients with stream management (XEP-0198), whose paths break at any moment: they come back and resume, late or never, on
//! another link than before, twice at a time, with the wrong id, with too low or too high a count, or bind anew.
//!
//! In the end everybody is home, every session that is over is asked how much of it was handled, and
//! [`super::receipts`] and [`super::glimpses`] judge what became of each stanza. Nothing is uncertain then but what a
//! client wrote on a stream that nobody can resume, and an acknowledgement that was under way when a path broke.

use std::sync::Arc;
use std::time::Duration;

use xmpp_bench::server::ServerWorld;
use xmpp_bench::sim::{Digest, Faults, Sim};
use xmpp_bench::store::MemoryStore;
use xmpp_bench::time::Nanos;

use super::device::{Attempt, Bind, Command, Devices, H, Id, Phase, Resume};
use super::dice::Dice;
use super::rig::{Conflict, DOMAIN, Plan, Relation, bare, stored};
use super::words::{Outgoing, Payload};

/// Kinds of events that a usual run must have, each in so many of its seeds.
pub(crate) const EVENTS: usize = 22;

/// Accounts whose clients come and go, and accounts that nobody uses before the end.
const ACCOUNTS: usize = 3;
pub(crate) const AWAY: [usize; 2] = [3, 4];
/// Clients of each.
const DEVICES: usize = 2;
const STEPS: usize = 90;
/// Long enough for a login, and for everything to drain, many stalls included.
pub(super) const QUIET: Duration = Duration::from_secs(30);

/// Somebody's client: its last session, and the links that it made.
#[derive(Debug)]
pub(super) struct Device {
    pub(super) account: usize,
    pub(super) resource: String,
    pub(super) links: Vec<usize>,
}

/// One run.
pub(crate) struct Resumption {
    pub(super) sim: Sim<ServerWorld, Devices>,
    pub(super) dice: Dice,
    pub(super) devices: Vec<Device>,
    pub(crate) trace: Vec<String>,
}

impl Resumption {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let all = ACCOUNTS + AWAY.len();
        let mut relations = vec![vec![Relation::Stranger; all]; all];
        for (a, b) in (0..ACCOUNTS).flat_map(|a| (0..ACCOUNTS).map(move |b| (a, b))).filter(|(a, b)| a != b) {
            relations[a][b] = Relation::Both;
        }
        let conflict =
            dice.pick(&[Conflict::Replace, Conflict::Replace, Conflict::AssignOther, Conflict::Refuse]);
        let plan = Plan { homes: 1 + dice.below(4), conflict, relations };
        let faults = if dice.percent(40) { Faults::hostile() } else { Faults::rough() };
        let store = Arc::new(MemoryStore::default());
        let trace = vec![format!("{} homes, {conflict:?}", plan.homes)];
        let clients = Devices { store: Arc::clone(&store), ..Devices::default() };
        let sim = stored(&plan, faults, seed, &store, clients);
        let device = |n: usize| Device {
            account: n / DEVICES,
            resource: ["a", "b"][n % DEVICES].to_owned(),
            links: Vec::new(),
        };
        let devices = (0..ACCOUNTS * DEVICES).map(device).collect();
        Self { sim, dice, devices, trace }
    }

    pub(crate) fn run(&mut self) -> Result<Digest, String> {
        for device in 0..self.devices.len() {
            self.bind(device);
        }
        self.wait(Duration::from_secs(3))?;
        for _ in 0..STEPS {
            self.act();
            let pauses = [0, 0, 0, 1, 5, 20, 60, 200];
            let pause = match self.dice.below(100) {
                0..4 => 3_000,
                4..7 => 40_000,
                7..9 => 330_000,
                _ => self.dice.pick(&pauses),
            };
            self.wait(Duration::from_millis(pause))?;
        }
        self.end()?;
        Ok(self.sim.digest())
    }

    pub(super) fn world(&self) -> &Devices {
        self.sim.clients.world()
    }

    pub(super) fn world_mut(&mut self) -> &mut Devices {
        self.sim.clients.world_mut()
    }

    pub(super) fn wait(&mut self, time: Duration) -> Result<(), String> {
        self.sim.run(time);
        match self.world().complaints.first() {
            Some(complaint) => Err(complaint.clone()),
            None => self.greet(),
        }
    }

    /// Each new session says that it is there.
    fn greet(&mut self) -> Result<(), String> {
        let is_new = |n: &usize| {
            let session = &self.world().sessions[*n];
            session.is_managed && session.sent.iter().all(|sent| sent.stanza.name != "presence")
        };
        let new: Vec<usize> = (0..self.world().sessions.len()).filter(is_new).collect();
        for session in new {
            let lag = self.dice.pick(&[0, 0, 1, 3, 8]);
            self.world_mut().sessions[session].lag = lag;
            let presence = self.presence();
            self.send(session, presence);
        }
        Ok(())
    }

    // -- what a client does

    fn act(&mut self) {
        let device = self.dice.below(self.devices.len());
        match self.link_of(device) {
            None if self.dice.percent(50) => self.come_back(device),
            None => {}
            Some(link) if self.world().links[link].phase == Phase::Attached => self.live(device, link),
            Some(link) => match self.dice.below(12) {
                0 => self.cut(link),
                1 => self.come_back(device),
                _ => {}
            },
        }
    }

    /// The last link of a device that is open.
    fn link_of(&self, device: usize) -> Option<usize> {
        let open = |link: &&usize| self.world().links[**link].end.is_none();
        self.devices[device].links.iter().rev().find(open).copied()
    }

    /// The last session of a device.
    pub(super) fn session_of(&self, device: usize) -> Option<usize> {
        let had = |link: &usize| {
            let link = &self.world().links[*link];
            link.session.filter(|_| matches!(link.phase, Phase::Enabling | Phase::Attached))
        };
        self.devices[device].links.iter().rev().find_map(had)
    }

    pub(super) fn connect(&mut self, device: usize, resume: Option<Resume>, bind: Option<Bind>) {
        let (account, pipelined) = (self.devices[device].account, self.dice.percent(30));
        let attempt = Attempt { account, resume, bind, pipelined };
        let text = format!("{attempt:?}");
        let link = self.world_mut().connect(attempt);
        self.note(format!("device {device}: link {link}: {text}"));
        self.devices[device].links.push(link);
    }

    fn bound(&mut self, device: usize) -> Bind {
        let own = self.devices[device].resource.clone();
        let resource = if self.dice.percent(80) { own } else { self.dice.pick(&["a", "b", "c"]).to_owned() };
        let max_s = self.dice.pick(&[None, None, Some(20), Some(60), Some(100_000)]);
        Bind { resource, resumable: self.dice.percent(90), max_s }
    }

    fn bind(&mut self, device: usize) {
        let bind = self.bound(device);
        self.connect(device, None, Some(bind));
    }

    fn come_back(&mut self, device: usize) {
        let bind = self.bound(device);
        let session = self.session_of(device);
        let session = session.filter(|session| self.world().sessions[*session].id.is_some());
        let foreign = self.dice.below(self.world().sessions.len().max(1));
        let foreign = self.world().sessions.get(foreign).filter(|s| s.id.is_some()).map(|_| foreign);
        let account = self.devices[device].account;
        let resume = match self.dice.below(100) {
            0..75 => session.map(|session| Resume { session, h: self.h(), id: Id::Own }),
            75..81 => session.map(|session| Resume { session, h: H::All, id: Id::Wrong }),
            81..88 => foreign.map(|session| {
                let is_own = self.world().sessions[session].account == account;
                Resume { session, h: self.h(), id: if is_own { Id::Own } else { Id::Others } }
            }),
            _ => None,
        };
        let twice = resume.clone().filter(|r| r.id == Id::Own && self.dice.percent(12));
        let bind = Some(bind).filter(|_| resume.is_none() || self.dice.percent(70));
        self.connect(device, resume, bind);
        if let Some(resume) = twice {
            self.connect(device, Some(resume), None);
            self.world_mut().note("two come for one session");
        }
    }

    fn h(&mut self) -> H {
        match self.dice.below(100) {
            0..60 => H::All,
            60..88 => H::Lazy(1 + u32::try_from(self.dice.below(6)).expect("small")),
            88..95 => H::Stale(1 + u32::try_from(self.dice.below(3)).expect("small")),
            _ => H::TooHigh,
        }
    }

    fn live(&mut self, device: usize, link: usize) {
        let Some(session) = self.session_of(device) else { return };
        match self.dice.below(100) {
            0..58 => self.write(session),
            58..66 => self.command(link, Command::Ask),
            66..74 => self.command(link, Command::Acknowledge),
            74..82 => self.cut(link),
            82..85 => self.command(link, Command::Drop),
            85..89 => self.tear(session, link),
            89..94 => self.come_back(device),
            94..96 => self.command(link, Command::Mute),
            96..99 => {
                if self.dice.percent(60) {
                    self.command(link, Command::Acknowledge);
                }
                self.command(link, Command::Quit);
            }
            _ => self.command(link, Command::Exaggerate),
        }
    }

    fn command(&mut self, link: usize, command: Command) {
        self.note(format!("link {link}: {command:?}"));
        self.world_mut().command(link, command);
    }

    pub(super) fn cut(&mut self, link: usize) {
        if let Some(conn) = self.world().conn(link) {
            self.note(format!("link {link}: cut"));
            self.sim.cut(conn);
        }
    }

    /// The path breaks, or the client goes, in the middle of a stanza.
    fn tear(&mut self, session: usize, link: usize) {
        let stanza = self.message();
        self.note(format!("session {session} writes half of {}", stanza.xml()));
        let at = self.sim.now();
        self.world_mut().keep(session, stanza, at);
        self.command(link, Command::Tear);
        self.sim.run(Duration::from_millis(self.dice.pick(&[0, 1, 30, 100])));
        self.world_mut().note("cut within a stanza");
        match self.dice.below(3) {
            0 => self.command(link, Command::Drop),
            1 => self.cut(link),
            _ => {
                if let Some(conn) = self.world().conn(link) {
                    self.sim.half_close(conn);
                }
            }
        }
    }

    fn write(&mut self, session: usize) {
        for _ in 0..1 + self.dice.below(4) {
            let stanza = match self.dice.below(100) {
                0..10 => self.presence(),
                10..20 => self.ping(),
                _ => self.message(),
            };
            self.send(session, stanza);
        }
    }

    fn send(&mut self, session: usize, stanza: Outgoing) {
        self.note(format!("session {session}: {}", stanza.xml().chars().take(150).collect::<String>()));
        let at = self.sim.now();
        self.world_mut().send(session, stanza, at);
    }

    fn outgoing(&mut self, name: &'static str) -> Outgoing {
        self.dice.ids += 1;
        Outgoing::new(name).with("id", format!("r{}", self.dice.ids))
    }

    fn presence(&mut self) -> Outgoing {
        let content = self.dice.pick(&["", "<show>away</show>", "<priority>5</priority>"]);
        self.outgoing("presence").with_inner(content)
    }

    fn ping(&mut self) -> Outgoing {
        let to = if self.dice.percent(40) { DOMAIN.to_owned() } else { self.full() };
        self.outgoing("iq").with("type", "get").with("to", to).with_payload(Payload::Ping)
    }

    fn message(&mut self) -> Outgoing {
        let to = match self.dice.below(100) {
            0..45 => bare(self.dice.below(ACCOUNTS)),
            45..60 => bare(self.dice.pick(&AWAY)),
            60..96 => self.full(),
            _ => format!("ghost@{DOMAIN}"),
        };
        let long = "long ".repeat(self.dice.below(160));
        let body = self.dice.pick(&["hi", "&lt;&#x41;", long.as_str()]);
        let body = format!("<body>{body}</body>");
        let message = self.outgoing("message").with("to", to).with_inner(body);
        if self.dice.percent(60) { message.with("type", "chat") } else { message }
    }

    /// The address of a resource that is or was there, mostly.
    fn full(&mut self) -> String {
        let sessions = &self.world().sessions;
        let jids: Vec<String> = sessions.iter().rev().take(8).map(|s| s.jid.clone()).collect();
        if jids.is_empty() || self.dice.percent(15) {
            return format!("{}/{}", bare(self.dice.below(ACCOUNTS)), self.dice.pick(&["a", "b", "c"]));
        }
        jids[self.dice.below(jids.len())].clone()
    }

    pub(super) fn note(&mut self, event: String) {
        let Nanos(now) = self.sim.now();
        self.trace.push(format!("{}.{:03} {event}", now / 1_000_000_000, now / 1_000_000 % 1_000));
    }
}
