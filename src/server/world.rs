//! What all connections of a server share.
//!
//! The world opens and closes nothing itself: what it wants of a connection it asks for in [`Effects`].

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rand_chacha::ChaCha12Rng;

use super::calls::Calls;
use super::client_link::ClientLink;
use super::client_task::ClientTask;
use super::commands::CommandSessions;
use super::config::{ConflictPolicy, ServerConfig};
use super::connections::Connections;
use super::counters::ServerCounters;
use super::ending::Ending;
use super::jobs::{ServerAnswer, ServerJob};
use super::mail::Mail;
use super::news::ServerNews;
use super::saving::{Saving, Waiter};
use super::stream_management::{self, Registry};
use super::throttle::Throttle;
use crate::engine::{ConnId, Effects, Target, World};
use crate::limits::{FRAMER_AFTER_AUTH, FRAMER_BEFORE_AUTH, FramerLimits, IDLE_MAX, NEGOTIATION_MAX};
use crate::router::{Audience, Busiest, HomeId, Homes, JidHash, Parcel, Shard};
use crate::stanza::{Jid, Stanza};
use crate::stream::{Credentials, Hosts, ServerSettings};
use crate::time::{Nanos, Utc};

/// A server, or one of its homes: the accounts that it has, and everything that its connections share.
#[derive(Debug)]
pub struct ServerWorld {
    /// Of the first domain. Nothing but the domain's name differs between them.
    pub(super) settings: Arc<ServerSettings>,
    hosts: Hosts,
    pub(super) conflict: ConflictPolicy,
    /// Which home this is, of which.
    pub(super) me: HomeId,
    pub(super) homes: Homes,
    pub(super) shard: Shard<ConnId>,
    /// By [`crate::router::AccountId::index`]; `None` for what cannot log in.
    pub(super) credentials: Vec<Option<Arc<Credentials>>>,
    pub(super) counters: ServerCounters,
    pub(super) busiest: Busiest,
    pub(super) connections: Connections,
    /// Sessions with stream management.
    pub(super) management: Registry,
    /// Between a sender's side and its recipients' home, when that is this one. Empty whenever the hub is in charge.
    pub(super) parcels: VecDeque<Parcel>,
    /// What is asked of other homes, and what they ask.
    pub(super) calls: Calls,
    /// Ad-hoc commands under way.
    pub(super) commands: CommandSessions,
    /// Who may give them (bare JIDs).
    pub(super) admins: Arc<[Jid]>,
    /// How many accounts may be registered in-band now; all homes share it.
    pub(super) throttle: Throttle,
    /// What is not safe yet, and who waits for it.
    pub(super) saving: Saving,
    /// When the stanza that is being routed again failed to arrive.
    pub(super) failed_at: Option<Utc>,
    /// Bytes of all messages that wait for accounts of this home.
    pub(super) offline_bytes: usize,
    /// Roster pushes so far: the next one's id (RFC 6121 §2.1.6).
    pub(super) pushes: u64,
    /// What tells this process's roster versions from another's.
    pub(super) roster_tag: Arc<str>,
    /// `<presence type='unavailable'/>`, to be stamped.
    pub(super) unavailable: Stanza,
    /// Reused by every call, empty between calls.
    pub(super) scratch: Scratch,
    /// The time of the call under way ([`Self::set_now`]).
    now: Nanos,
    utc_at_zero: Utc,
    started: Nanos,
    /// Form of the server's service discovery (XEP-0157), `""` for none.
    pub(super) contact_form: Arc<str>,
    /// How far the end has come.
    pub(super) ending: Ending,
}

/// Buffers that are taken for one step and given back, so that nothing is allocated after warm-up.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) recipients: Vec<ConnId>,
    pub(super) audience: Vec<Jid>,
    pub(super) hashes: Vec<JidHash>,
    pub(super) bytes: Vec<u8>,
}

impl ServerWorld {
    /// A server without accounts, with one home.
    #[must_use]
    pub fn new(config: ServerConfig) -> Self {
        Self::homes(config, 1).pop().expect("one home was asked for")
    }

    /// A server without accounts: its homes, in the order of their [`HomeId`]s.
    ///
    /// # Panics
    /// As [`Homes::new`].
    #[must_use]
    pub fn homes(config: ServerConfig, count: usize) -> Vec<Self> {
        let ServerConfig {
            domains,
            plain_proofs,
            mechanisms,
            process_secret,
            conflict,
            utc_at_zero,
            started,
            contacts,
            registration,
            registrations_per_minute,
            admins,
        } = config;
        let seed = process_secret.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let homes = Homes::new(count, seed);
        let settings = ServerSettings {
            domain: String::new(),
            plain_proofs,
            mechanisms,
            process_secret,
            features_before_auth: format!(
                "{}{}",
                if registration { REGISTRATION } else { "" },
                stream_limits(FRAMER_BEFORE_AUTH, NEGOTIATION_MAX)
            ),
            features_after_auth: FEATURES.concat() + &stream_limits(FRAMER_AFTER_AUTH, IDLE_MAX),
            registration,
        };
        let hosts = Hosts::new(&domains, &settings);
        let contact_form: Arc<str> = contacts.form().into();
        let throttle = Throttle::new(registrations_per_minute);
        let admins: Arc<[Jid]> = admins.into();
        let home = |me| {
            let mut home = Self::home(hosts.clone(), me, homes.clone());
            home.conflict = conflict;
            home.utc_at_zero = utc_at_zero;
            home.started = started;
            home.contact_form = Arc::clone(&contact_form);
            home.throttle = throttle.clone();
            home.admins = Arc::clone(&admins);
            home
        };
        homes.iter().map(home).collect()
    }

    fn home(hosts: Hosts, me: HomeId, homes: Homes) -> Self {
        let settings = Arc::clone(hosts.main());
        Self {
            conflict: ConflictPolicy::default(),
            me,
            shard: Shard::new(homes.hasher().clone()),
            homes,
            credentials: Vec::new(),
            counters: ServerCounters::default(),
            busiest: Busiest::default(),
            connections: Connections::default(),
            management: Registry::default(),
            parcels: VecDeque::new(),
            calls: Calls::default(),
            commands: CommandSessions::default(),
            admins: Arc::default(),
            throttle: Throttle::default(),
            saving: Saving::default(),
            failed_at: None,
            offline_bytes: 0,
            pushes: 0,
            roster_tag: settings.process_tag("roster").into(),
            unavailable: Stanza::from_own(Bytes::from_static(b"<presence type='unavailable'/>")),
            scratch: Scratch::default(),
            now: Nanos::ZERO,
            utc_at_zero: Utc::default(),
            started: Nanos::ZERO,
            contact_form: "".into(),
            ending: Ending::default(),
            settings,
            hosts,
        }
    }

    /// What was counted so far.
    #[must_use]
    pub const fn counters(&self) -> &ServerCounters {
        &self.counters
    }

    /// Accounts there are.
    #[must_use]
    pub fn account_count(&self) -> usize {
        self.shard.account_count()
    }

    /// Resources that are bound.
    #[must_use]
    pub fn session_count(&self) -> usize {
        self.shard.session_count()
    }

    /// The first of the domains served: who is asked nothing about domains means this one.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.settings.domain
    }

    /// Whether this is the only domain.
    pub(super) fn is_only_domain(&self, domain: &str) -> bool {
        self.hosts.domains().eq([domain])
    }

    /// Whether this prepared domain is served here.
    #[must_use]
    pub fn is_local(&self, domain: &str) -> bool {
        // Nearly always the first one, and the first look.
        self.hosts.find(domain).is_some()
    }

    /// Every call into the world or one of its connections begins with this: what happens in it happens now.
    pub(super) const fn set_now(&mut self, now: Nanos) {
        self.now = now;
    }

    /// Monotonic time of the call under way.
    #[must_use]
    pub const fn now(&self) -> Nanos {
        self.now
    }

    /// Wall time of the call under way.
    #[must_use]
    pub fn utc_now(&self) -> Utc {
        self.utc_at(self.now)
    }

    /// Wall time of another time.
    pub(super) fn utc_at(&self, at: Nanos) -> Utc {
        self.utc_at_zero + at.as_duration()
    }

    /// How long the server has been running.
    pub(super) fn uptime(&self) -> Duration {
        self.now - self.started
    }
}

/// Features of an authenticated stream that are only told: roster versioning (RFC 6121 §2.6.1) and pre-approval (§3.4).
const FEATURES: &[&str] = &[
    "<ver xmlns='urn:xmpp:features:rosterver'/><sub xmlns='urn:xmpp:features:pre-approval'/>",
    stream_management::FEATURE,
];

/// XEP-0077 §7: in-band registration, where it is allowed.
const REGISTRATION: &str = "<register xmlns='http://jabber.org/features/iq-register'/>";

/// XEP-0478 §3.1: how large a first-level element may be, and how long a client may be silent: before it has logged in
/// until the stream ends, then until it is asked whether it lives.
fn stream_limits(framer: FramerLimits, idle: Duration) -> String {
    let (bytes, seconds) = (framer.stanza_bytes_max, idle.as_secs());
    format!(
        "<limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>{bytes}</max-bytes>\
         <idle-seconds>{seconds}</idle-seconds></limits>"
    )
}

impl World for ServerWorld {
    type Link = ClientLink;
    type Mail = Mail;
    type Job = ServerJob;
    type News = ServerNews;

    fn on_accept(&mut self, now: Nanos) -> Option<ClientLink> {
        self.set_now(now);
        (!self.is_stopping()).then(|| ClientLink::new(self.hosts.clone()))
    }

    fn next_deadline(&self) -> Option<Nanos> {
        self.management.next_deadline()
    }

    fn on_deadline(&mut self, now: Nanos, effects: &mut Effects<ClientLink>, _rng: &mut ChaCha12Rng) {
        self.set_now(now);
        self.end_hibernating(effects);
    }

    fn on_connect_failed(
        &mut self,
        _link: ClientLink,
        _error: &io::Error,
        _now: Nanos,
        _effects: &mut Effects<ClientLink>,
    ) {
        unreachable!("a server of clients connects to nobody")
    }

    fn on_undeliverable(
        &mut self,
        stanza: Stanza,
        target: Target,
        now: Nanos,
        effects: &mut Effects<ClientLink>,
    ) {
        self.set_now(now);
        self.keep_for_hibernating(stanza, target, effects);
    }

    fn expect_mail<'a>(&mut self, mail: impl Iterator<Item = &'a Mail>) {
        let hashes = &mut self.scratch.hashes;
        hashes.extend(mail.filter_map(|mail| match mail {
            Mail::Parcel(Parcel { audience: Audience::Here(hash), .. }) => Some(*hash),
            Mail::Parcel(_)
            | Mail::Sync { .. }
            | Mail::Synced { .. }
            | Mail::Goodbye { .. }
            | Mail::Call { .. }
            | Mail::Return { .. } => None,
        }));
        self.shard.touch(hashes);
        hashes.clear();
    }

    fn on_mail(&mut self, mail: Mail, now: Nanos, effects: &mut Effects<ClientLink>) {
        self.set_now(now);
        match mail {
            Mail::Parcel(parcel) => {
                self.receive(parcel, effects);
                self.settle(effects);
            }
            Mail::Goodbye { round } => self.receive_goodbye(round, effects),
            Mail::Sync { from, who } => self.tell_when_safe(Waiter::There(from, who), effects),
            Mail::Synced { who } => self.on_safe(who, effects),
            Mail::Call { from, id, call } => self.serve_call(from, id, *call, effects),
            Mail::Return { id, returned } => self.on_return(id, *returned, effects),
        }
    }

    fn on_answer(&mut self, answer: ServerAnswer, now: Nanos, effects: &mut Effects<ClientLink>) {
        self.set_now(now);
        match answer {
            ServerAnswer::Saved => self.on_saved(effects),
            ServerAnswer::Derived(number, credentials) => self.on_derived(number, credentials, effects),
            ServerAnswer::Login(_) => unreachable!("a stream asks for it, not the world"),
        }
    }

    fn on_empty(&mut self, now: Nanos, effects: &mut Effects<ClientLink>) {
        self.set_now(now);
        self.begin_goodbye(effects);
    }

    fn on_news(&mut self, news: ServerNews, now: Nanos, effects: &mut Effects<ClientLink>) {
        self.set_now(now);
        self.receive_news(news, effects);
    }

    fn on_stop(&mut self, now: Nanos, effects: &mut Effects<ClientLink>) {
        self.set_now(now);
        self.begin_ending();
        self.end_all_hibernating(effects);
        for conn in self.connections.iter() {
            effects.task(conn, ClientTask::Shutdown);
        }
    }

    fn is_done(&self) -> bool {
        self.has_all_ended()
    }
}
