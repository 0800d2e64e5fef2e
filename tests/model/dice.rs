//! What comes next, drawn from a seed: numbers, addresses, stanzas.
//!
//! The dice know which sessions there are, so that most of what they write is for somebody; they judge nothing.

use rand_chacha::ChaCha12Rng;
use rand_core::{Rng as _, SeedableRng as _};

use super::actor::Login;
use super::reference::Reference;
use super::rig::{Conflict, DOMAIN, Plan, Relation, bare};
use super::words::{Outgoing, Payload, Place, bare_of};

/// A resource that needs escaping.
pub(crate) const RESOURCES: [&str; 4] = ["a", "b", "o'k&c", "R"];

/// What a bound client may write that ends its stream, and with which error.
pub(crate) const GARBAGE: [(&str, &str); 9] = [
    ("<a xmlns='u'/>", "unsupported-stanza-type"),
    ("<message from='u9@model.test'/>", "invalid-from"),
    ("<!-- x -->", "restricted-xml"),
    ("<?pi x?>", "restricted-xml"),
    ("<message></presence>", "not-well-formed"),
    ("<message a='1' a='2'/>", "not-well-formed"),
    ("<c:message xmlns:c='jabber:client'/>", "bad-namespace-prefix"),
    ("<message xmlns='jabber:server'/>", "invalid-namespace"),
    ("text", "bad-format"),
];

/// Numbers from a seed.
#[derive(Debug)]
pub(crate) struct Dice {
    rng: ChaCha12Rng,
    /// Ids given so far: each stanza has one of its own.
    pub(crate) ids: u32,
}

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = ChaCha12Rng::seed_from_u64(seed);
        rng.set_stream(4);
        Self { rng, ids: 0 }
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.rng.next_u64() % (end as u64)).expect("below `end`")
    }

    pub(crate) fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn id(&mut self) -> String {
        self.ids += 1;
        format!("x{}", self.ids)
    }

    /// A server with `accounts` accounts, whose rosters agree with each other.
    pub(crate) fn plan(&mut self, accounts: usize) -> Plan {
        let mut relations = vec![vec![Relation::Stranger; accounts]; accounts];
        for (a, b) in (0..accounts).flat_map(|a| (0..a).map(move |b| (a, b))) {
            let pair = [
                (Relation::Both, Relation::Both),
                (Relation::Both, Relation::Both),
                (Relation::To, Relation::From),
                (Relation::From, Relation::To),
                (Relation::None, Relation::None),
                (Relation::Asked, Relation::WasAsked),
                (Relation::Stranger, Relation::Stranger),
                (Relation::None, Relation::Stranger),
            ];
            (relations[a][b], relations[b][a]) = self.pick(&pair);
        }
        let homes = 1 + self.below(4);
        Plan {
            homes,
            conflict: self.pick(&[Conflict::Replace, Conflict::AssignOther, Conflict::Refuse]),
            relations,
        }
    }

    pub(crate) fn login(&mut self, accounts: usize) -> Login {
        let resource = if self.percent(85) { Some(self.pick(&RESOURCES).to_owned()) } else { None };
        Login {
            account: self.below(accounts),
            resource,
            lang: self.pick(&[None, None, Some("de")]),
            pipelined: self.percent(30),
            silent: false,
        }
    }

    /// An address: mostly of somebody who is there.
    pub(crate) fn address(&mut self, reference: &Reference) -> String {
        let accounts = reference.relations.len();
        let address = match self.below(100) {
            0..45 if !reference.sessions.is_empty() => {
                let session = self.below(reference.sessions.len());
                reference.sessions[session].jid.clone()
            }
            0..75 => bare(self.below(accounts)),
            75..88 => format!("{}/{}", bare(self.below(accounts)), self.pick(&RESOURCES)),
            88..91 => format!("ghost@{DOMAIN}"),
            91..93 => format!("ghost@{DOMAIN}/a"),
            93..96 => DOMAIN.to_owned(),
            96 => format!("{DOMAIN}/a"),
            97 => format!("@{DOMAIN}/a"),
            _ => "u0@elsewhere.test/a".to_owned(),
        };
        // Addresses are compared prepared, and shown as they were written.
        if self.percent(10) { address.replace("u1@model", "U1@Model") } else { address }
    }

    /// Any stanza.
    pub(crate) fn stanza(&mut self, client: usize, reference: &Reference) -> Outgoing {
        let stanza = match self.below(10) {
            0..4 => self.message(reference),
            4..7 => self.iq(reference),
            _ => self.presence(client, reference),
        };
        // A client may say who it is, and need not.
        let own = &reference.session(client).expect("a bound client").jid;
        match self.below(20) {
            0 => stanza.with("from", own),
            1 => stanza.with("from", bare_of(own)),
            _ => stanza,
        }
    }

    pub(crate) fn message(&mut self, reference: &Reference) -> Outgoing {
        let mut message = Outgoing::new("message").with("id", self.id());
        if self.percent(95) {
            message = message.with("to", self.address(reference));
        }
        let kinds = ["chat", "chat", "normal", "", "headline", "groupchat", "error"];
        let kind = self.pick(&kinds);
        if !kind.is_empty() {
            message = message.with("type", kind);
        }
        if self.percent(10) {
            message = message.with("xml:lang", "fr");
        }
        let long = format!("<body>{}</body>", "long ".repeat(2_000));
        let bodies = [
            "",
            "<body>hi</body>",
            "<body>&lt;&#x41;<![CDATA[</message>]]></body><x xmlns='urn:x' a='\">'/>",
        ];
        let body = if self.percent(3) { &long } else { self.pick(&bodies) };
        message.with_inner(body)
    }

    pub(crate) fn iq(&mut self, reference: &Reference) -> Outgoing {
        let mut iq = Outgoing::new("iq").with("id", self.id());
        if self.percent(85) {
            iq = iq.with("to", self.address(reference));
        }
        match self.below(20) {
            0 => return iq.with("type", "result"),
            1 => return iq.with("type", "error").with_inner("<a xmlns='urn:a'/>"),
            2..4 => iq = iq.with("type", "set"),
            _ => iq = iq.with("type", "get"),
        }
        let payload = self.pick(&[
            Payload::Ping,
            Payload::Ping,
            Payload::DiscoInfo,
            Payload::DiscoItems,
            Payload::Version,
            Payload::Roster,
            Payload::Unknown,
            Payload::Missing,
        ]);
        // A roster is changed elsewhere.
        if payload == Payload::Roster {
            iq = iq.with("type", "get");
        }
        iq.with_payload(payload)
    }

    pub(crate) fn presence(&mut self, client: usize, reference: &Reference) -> Outgoing {
        let presence = Outgoing::new("presence").with("id", self.id());
        match self.below(20) {
            0..9 => self.available(presence),
            9..12 => presence.with("type", "unavailable"),
            12..15 => presence.with("to", self.address(reference)).with_inner("<show>dnd</show>"),
            15..17 => {
                let presence = presence.with("type", "unavailable");
                presence.with("to", self.directed_target(client, reference))
            }
            17 => presence.with("type", "nonsense").with("to", self.address(reference)),
            _ => {
                let to = self.address(reference);
                let session = reference.session(client).expect("a bound client");
                // A probe where a request waits for its answer would withdraw the request (RFC 6121 §4.3.2).
                let relation = match Place::of(&to) {
                    Place::Account { bare, .. } => {
                        reference.account(&bare).map(|a| reference.relations[session.account][a])
                    }
                    Place::Malformed | Place::Remote | Place::Server { .. } => None,
                };
                if relation == Some(Relation::Asked) {
                    return self.available(presence);
                }
                presence.with("type", "probe").with("to", to)
            }
        }
    }

    /// Presence for everybody.
    pub(crate) fn initial(&mut self) -> Outgoing {
        let presence = Outgoing::new("presence").with("id", self.id());
        self.available(presence)
    }

    fn available(&mut self, presence: Outgoing) -> Outgoing {
        let presence =
            presence.with_inner(self.pick(&["", "<show>away</show>", "<status>&quot;o&apos;</status>"]));
        let priority = self.pick(&[None, None, Some(5), Some(0), Some(127), Some(-1), Some(-128), Some(128)]);
        match priority {
            Some(priority) => presence.with_payload(Payload::Priority(priority)),
            None => presence,
        }
    }

    /// Often one who got directed presence before.
    fn directed_target(&mut self, client: usize, reference: &Reference) -> String {
        let directed = &reference.session(client).expect("a bound client").directed;
        if directed.is_empty() || self.percent(30) {
            return self.address(reference);
        }
        directed[self.below(directed.len())].clone()
    }
}
