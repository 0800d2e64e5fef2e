//! What comes next, drawn from a seed: numbers, addresses, stanzas.
//!
//! The dice know which sessions there are, so that most of what they write is for somebody; they judge nothing.

use rand_chacha::ChaCha12Rng;
use rand_core::{Rng as _, SeedableRng as _};

use super::actor::Login;
use super::reference::{Reference, Session};
use super::rig::{Conflict, DOMAIN, Plan, Relation, bare};
use super::roster::{GROUPS_MAX, NAME_BYTES_MAX};
use super::subscription::CHANGES;
use super::words::{Entry, Outgoing, Payload, Query, bare_of};

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

    /// A server with `accounts` accounts, whose rosters `agree` with each other, or nearly so.
    pub(crate) fn plan(&mut self, accounts: usize, agree: bool) -> Plan {
        let mut relations = vec![vec![Relation::Stranger; accounts]; accounts];
        for (a, b) in (0..accounts).flat_map(|a| (0..a).map(move |b| (a, b))) {
            let pair = [
                (Relation::Both, Relation::Both),
                (Relation::Both, Relation::Both),
                (Relation::To, Relation::From),
                (Relation::From, Relation::To),
                (Relation::None, Relation::None),
                (Relation::Asked, Relation::WasAsked),
                (Relation::BothAsked, Relation::BothAsked),
                (Relation::ToWasAsked, Relation::FromAsked),
                (Relation::FromAsked, Relation::ToWasAsked),
                (Relation::Stranger, Relation::Stranger),
                (Relation::None, Relation::Stranger),
            ];
            (relations[a][b], relations[b][a]) = self.pick(&pair);
        }
        let homes = 1 + self.below(4);
        // With one home it is certain which of two contacts says first that it knows of no subscription.
        if !agree && homes == 1 && self.percent(30) {
            (relations[1][0], relations[0][1]) = (Relation::To, Relation::Stranger);
        }
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
        let accounts = reference.accounts.len();
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
            return iq.with("type", "get").with_roster(Query::default());
        }
        iq.with_payload(payload)
    }

    /// A request for one's own roster, complete.
    pub(crate) fn whole_roster(&mut self) -> Outgoing {
        Outgoing::new("iq").with("id", self.id()).with("type", "get").with_roster(Query::default())
    }

    /// Something that changes a roster or a subscription, or asks for the roster.
    pub(crate) fn change(&mut self, client: usize, reference: &Reference) -> Outgoing {
        let session = reference.session(client).expect("a bound client");
        match self.below(10) {
            _ if !session.interested && self.percent(40) => self.roster_get(session, reference),
            0 => self.roster_get(session, reference),
            1..4 => self.roster_set(session, reference),
            _ => self.subscription(session, reference),
        }
    }

    fn subscription(&mut self, session: &Session, reference: &Reference) -> Outgoing {
        let requests = &reference.accounts[session.account].requests;
        let presence = Outgoing::new("presence").with("id", self.id());
        let content = ["", "", "<status>&lt;please&gt;</status>", "<nick xmlns='urn:nick'>N</nick>"];
        let presence = presence.with_inner(self.pick(&content));
        if !requests.is_empty() && self.percent(40) {
            let (who, _) = &requests[self.below(requests.len())];
            let answer = self.pick(&["subscribed", "subscribed", "unsubscribed"]);
            return presence.with("to", who).with("type", answer);
        }
        let presence = presence.with("type", self.pick(&CHANGES));
        if self.percent(2) { presence } else { presence.with("to", self.contact(session, reference)) }
    }

    fn contact(&mut self, session: &Session, reference: &Reference) -> String {
        let accounts = reference.accounts.len();
        let contact = bare((session.account + 1 + self.below(accounts - 1)) % accounts);
        match self.below(100) {
            0..72 => contact,
            72..80 => format!("{contact}/{}", self.pick(&RESOURCES)),
            80..85 => contact.replace("u1@model", "U1@Model"),
            85..90 => format!("ghost@{DOMAIN}"),
            90..93 => "u0@elsewhere.test".to_owned(),
            _ => self.address(reference),
        }
    }

    fn roster_get(&mut self, session: &Session, reference: &Reference) -> Outgoing {
        let known = reference.versions.of(session.account);
        let ver = match self.below(10) {
            0 => Some(""),
            1 => Some("nonsense"),
            2..7 if !known.is_empty() => Some(known[self.below(known.len())]),
            _ => None,
        };
        let items = if self.percent(4) { vec![Entry::default()] } else { Vec::new() };
        let query = Query { ver: ver.map(str::to_owned), items };
        let kind = if self.percent(3) { "set" } else { "get" };
        self.own(session).with("type", kind).with_roster(query)
    }

    fn roster_set(&mut self, session: &Session, reference: &Reference) -> Outgoing {
        let mut entry = Entry { jid: Some(self.contact(session, reference)), ..Entry::default() };
        let names = [None, Some(""), Some("N"), Some("o'k&<\">")];
        entry.name = self.pick(&names).map(str::to_owned);
        let groups = [&[][..], &["A"], &["B", "A"], &["<&>", "A", "\u{e4}"]];
        entry.groups = self.pick(&groups).iter().map(|g| (*g).to_owned()).collect();
        entry.subscription = self.pick(&[None, None, Some("both"), Some("nonsense"), Some("remove")]);
        entry.extra = self.pick(&["", "", " approved='true'", " ask='subscribe'"]);
        let long = "n".repeat(NAME_BYTES_MAX + 1);
        let mut items = vec![entry.clone()];
        match self.below(60) {
            0 => items[0].jid = None,
            1 => items.push(entry),
            2 => items[0].name = Some(long),
            3 => items[0].groups = vec![long],
            4 => items[0].groups = vec!["G".to_owned(), String::new()],
            5 => items[0].groups = vec!["G".to_owned(), "H".to_owned(), "G".to_owned()],
            6 => items[0].groups = (0..=GROUPS_MAX).map(|n| n.to_string()).collect(),
            // As long and as many as it may be.
            7 => items[0].name = Some("n".repeat(NAME_BYTES_MAX)),
            8 => items[0].groups = (0..GROUPS_MAX).map(|n| n.to_string()).collect(),
            9 => items[0].jid = Some(bare(session.account)),
            _ => {}
        }
        self.own(session).with("type", "set").with_roster(Query { ver: None, items })
    }

    /// A request to a client's own account, mostly.
    fn own(&mut self, session: &Session) -> Outgoing {
        let iq = Outgoing::new("iq").with("id", self.id());
        match self.below(20) {
            0 => iq.with("to", bare(0)),
            1..5 => iq.with("to", bare(session.account)),
            _ => iq,
        }
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
            _ => presence.with("type", "probe").with("to", self.address(reference)),
        }
    }

    /// Presence for everybody.
    pub(crate) fn initial(&mut self) -> Outgoing {
        let presence = Outgoing::new("presence").with("id", self.id());
        self.available(presence)
    }

    /// Presence for everybody that is certainly accepted.
    pub(crate) fn plain_presence(&mut self) -> Outgoing {
        Outgoing::new("presence").with("id", self.id())
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
