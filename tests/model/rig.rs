//! The set-up: the real server, the simulated network and the scripted clients. The one place that knows how a server
//! is made.
//!
//! Nothing is judged here.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use xmpp_bench::engine::{Intent, World};
use xmpp_bench::router::Subscription;
use xmpp_bench::router::mailbox::MailboxLimits;
use xmpp_bench::server::{AccountSpec, ConflictPolicy, ServerConfig, ServerWorld};
use xmpp_bench::sim::{Digest, Faults, Sim};
use xmpp_bench::stanza::Jid;
use xmpp_bench::store::{MemoryStore, Store};
use xmpp_bench::stream::{Credentials, Mechanism};
use xmpp_bench::time::Nanos;

use super::actor::{Command, Login, Stage};

/// The domain that is served.
pub(crate) const DOMAIN: &str = "model.test";
/// The password of every account.
pub(crate) const PASSWORD: &str = "pw";
/// Lanes between homes that a few stanzas fill.
const NARROW: MailboxLimits = MailboxLimits { lane_bytes_max: 4_096, batch_bytes_max: 1_024 };

const SECRET: [u8; 32] = [3; 32];

/// A proof for PLAIN, which makes logins cheap, and keys that outlive the process.
const MECHANISMS: [Mechanism; 2] = [Mechanism::Plain, Mechanism::ScramSha1];

/// What one account's roster says of another account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Relation {
    Both,
    To,
    From,
    /// A contact without any subscription.
    None,
    /// The account has asked.
    Asked,
    /// The other has asked; no contact yet.
    WasAsked,
    /// Each has asked the other.
    BothAsked,
    /// Subscribed, and the other has asked.
    ToWasAsked,
    /// The other is subscribed, and the account has asked.
    FromAsked,
    /// Not in the roster at all.
    Stranger,
}

impl Relation {
    /// Whether the account sees the other's presence.
    pub(crate) const fn sees(self) -> bool {
        matches!(self, Self::Both | Self::To | Self::ToWasAsked)
    }

    /// Whether the other waits for an answer.
    pub(crate) const fn was_asked(self) -> bool {
        matches!(self, Self::WasAsked | Self::BothAsked | Self::ToWasAsked)
    }
}

/// What happens to a resource that is bound twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Conflict {
    Replace,
    AssignOther,
    Refuse,
}

/// A server to be set up.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Homes of the server. With more than one, an answer from another home may find its asker's stream closed.
    pub(crate) homes: usize,
    pub(crate) conflict: Conflict,
    /// `relations[a][b]`: what the roster of account `a` says of account `b`.
    pub(crate) relations: Vec<Vec<Relation>>,
}

/// Bare address of an account.
pub(crate) fn bare(account: usize) -> String {
    format!("u{account}@{DOMAIN}")
}

/// A running simulation.
pub(crate) struct Rig {
    sim: Sim<ServerWorld, Stage>,
}

impl Rig {
    pub(crate) fn new(plan: &Plan, faults: Faults, seed: u64) -> Self {
        let mut servers = servers(plan);
        ServerWorld::provision_homes(&mut servers, accounts(plan)).expect("the names are good");
        Self { sim: Sim::with_homes(servers, Stage::default(), faults, NARROW, seed) }
    }

    /// The same, with a store that has these accounts and answers as late as any job.
    pub(crate) fn with_store(plan: &Plan, faults: Faults, seed: u64, store: &Arc<MemoryStore>) -> Self {
        Self { sim: stored(plan, faults, seed, store, Stage::default()) }
    }

    /// A server that has what the store of another one has.
    pub(crate) fn restarted(plan: &Plan, faults: Faults, seed: u64, store: &Arc<MemoryStore>) -> Self {
        let mut servers = servers(plan);
        ServerWorld::load_homes(&mut servers, store.accounts()).expect("it was saved by a server");
        keep_in(&mut servers, store);
        Self { sim: Sim::with_homes(servers, Stage::default(), faults, NARROW, seed) }
    }

    pub(crate) fn now(&self) -> Nanos {
        self.sim.now()
    }

    pub(crate) fn digest(&self) -> Digest {
        self.sim.digest()
    }

    pub(crate) fn stage(&self) -> &Stage {
        self.sim.clients.world()
    }

    pub(crate) fn stage_mut(&mut self) -> &mut Stage {
        self.sim.clients.world_mut()
    }

    /// Lets so much virtual time pass.
    pub(crate) fn run(&mut self, time: Duration) {
        self.sim.run(time);
    }

    /// A new client; returns its number.
    pub(crate) fn connect(&mut self, login: Login) -> usize {
        self.stage_mut().connect(login)
    }

    pub(crate) fn command(&mut self, client: usize, command: Command) {
        self.stage_mut().command(client, command);
    }

    /// Breaks the path of a client. `false`: it has none.
    pub(crate) fn cut(&mut self, client: usize) -> bool {
        let Some(conn) = self.stage().conn(client) else { return false };
        self.sim.cut(conn);
        true
    }

    /// Ends a client's direction; it reads on. `false`: it has no connection, or still something to write.
    pub(crate) fn half_close(&mut self, client: usize) -> bool {
        let conn = self.stage().conn(client);
        let Some(conn) = conn.filter(|conn| self.sim.clients.intent(*conn) == Intent::Nothing) else {
            return false;
        };
        self.sim.half_close(conn);
        true
    }

    /// A client stops reading, or goes on.
    pub(crate) fn hold_reading(&mut self, client: usize, hold: bool) {
        let conn = self.stage().conn(client).expect("it is connected");
        self.sim.hold_reading(conn, hold);
    }

    /// Resources that the server thinks are bound.
    pub(crate) fn session_count(&self) -> usize {
        self.sim.servers().map(|hub| hub.world().session_count()).sum()
    }
}

/// A server with a store that has these accounts, and its clients.
pub(crate) fn stored<C: World>(
    plan: &Plan,
    faults: Faults,
    seed: u64,
    store: &Arc<MemoryStore>,
    clients: C,
) -> Sim<ServerWorld, C> {
    let mut servers = servers(plan);
    keep_in(&mut servers, store);
    ServerWorld::provision_homes(&mut servers, accounts(plan)).expect("the names are good");
    // As before anybody can connect.
    let made = servers.iter_mut().flat_map(ServerWorld::take_unsaved).collect();
    store.save(made, Box::new(|| {}));
    Sim::with_homes(servers, clients, faults, NARROW, seed)
}

/// The homes of a server without accounts.
fn servers(plan: &Plan) -> Vec<ServerWorld> {
    let mut config = ServerConfig::new(DOMAIN, vec![Mechanism::Plain], SECRET);
    config.conflict = match plan.conflict {
        Conflict::Replace => ConflictPolicy::Replace,
        Conflict::AssignOther => ConflictPolicy::AssignOther,
        Conflict::Refuse => ConflictPolicy::Refuse,
    };
    ServerWorld::homes(config, plan.homes)
}

fn keep_in(servers: &mut [ServerWorld], store: &Arc<MemoryStore>) {
    for server in servers {
        server.set_store(Arc::clone(store) as Arc<dyn Store>);
    }
}

fn accounts(plan: &Plan) -> Vec<AccountSpec> {
    static CREDENTIALS: OnceLock<Credentials> = OnceLock::new();
    let credentials =
        CREDENTIALS.get_or_init(|| Credentials::derive(PASSWORD, &MECHANISMS, b"salt", 4096, &SECRET));
    let item = |(contact, relation): (usize, &Relation)| {
        let state = match relation {
            Relation::Both => Subscription::Both,
            Relation::To => Subscription::To,
            Relation::From => Subscription::From,
            Relation::None => Subscription::None,
            Relation::Asked => Subscription::NonePendingOut,
            Relation::WasAsked => Subscription::NonePendingIn,
            Relation::BothAsked => Subscription::NonePendingOutIn,
            Relation::ToWasAsked => Subscription::ToPendingIn,
            Relation::FromAsked => Subscription::FromPendingOut,
            Relation::Stranger => return None,
        };
        Some((Jid::parse(&bare(contact)).expect("an address"), state))
    };
    let spec = |(account, relations): (usize, &Vec<Relation>)| AccountSpec {
        localpart: format!("u{account}"),
        credentials: credentials.clone(),
        roster: relations.iter().enumerate().filter_map(item).collect(),
    };
    plan.relations.iter().enumerate().map(spec).collect()
}
