//! RFC 6121 §8.5: who gets a stanza for a local address. The whole section, in one place.
//!
//! Nothing is sent from here. Where the RFC leaves a choice, this server has taken the one that looks the same
//! for an account that does not exist and for one that is offline (§8.1 warns of directory harvesting):
//!
//! - What may be ignored or bounced (S/E in table 1) is bounced. What may be kept or bounced (O/E) is kept.
//! - "Most available" (M) is one resource: the highest priority, and of equals the one whose presence is newest. One
//!   message so has one copy, and can be routed again when that copy could not be delivered.
//! - Chat messages go to all resources (A) only with an opt-in, and there is none yet.

use super::{AccountId, Available, JidHash, Session, SessionId, Shard, Sink};
use crate::stanza::{Condition, JidRef, Kind, Stanza, StanzaType};

/// What happens to a stanza.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Copies go to the connections that were appended to the caller's list.
    Deliver,
    /// The sender gets this error.
    Bounce(Condition),
    /// It is ignored, as the RFC demands.
    Drop(Dropped),
    /// The home's server answers for this account (§8.5.2.1.3).
    Answer(AccountId),
    /// The home's server answers: there is no such account (§8.5.1).
    AnswerForNobody,
    /// The message waits for this account: nobody takes it now.
    Keep(AccountId),
}

/// Why a stanza was ignored. Each has a counter: nothing is lost in silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dropped {
    /// Presence for an account that does not exist (§8.5.1).
    NoSuchUser,
    /// Presence or a headline, and no resource takes it (§8.5.2.2, §8.5.3.2.2).
    NoResource,
    /// An error, or the answer to an IQ, and who asked is gone (§8.5.2.1.1, RFC 6120 §8.3.1).
    Unmatched,
    /// A client's answer to the server itself: to a roster push (§2.1.6) or a ping. Nothing waits for it.
    Acknowledgement,
    /// A subscription stanza that changes nothing (Appendix A: "S.N.").
    NoChange,
    /// Presence that only the server could take: to its domain (RFC 6120 §10.5.1), or about oneself.
    ForServer,
    /// Broadcast presence for a contact on another server: there are no server-to-server streams yet.
    Remote,
    /// A subscription request beyond `SUBSCRIBE_REQUESTS_PER_ACCOUNT_MAX` or `SUBSCRIBE_REQUEST_BYTES_PER_ACCOUNT_MAX`.
    TooManyRequests,
    /// From or to somebody who is blocked (XEP-0191 §3.3), and not to be answered.
    Blocked,
    /// Its connection ended first, and it is not worth another try (presence, headlines, the server's own).
    Undeliverable,
}

impl Dropped {
    /// How many there are.
    pub const COUNT: usize = 10;
    /// All of them, in order.
    pub const ALL: [Self; Self::COUNT] = [
        Self::NoSuchUser,
        Self::NoResource,
        Self::Unmatched,
        Self::Acknowledgement,
        Self::NoChange,
        Self::ForServer,
        Self::Remote,
        Self::TooManyRequests,
        Self::Blocked,
        Self::Undeliverable,
    ];

    /// A word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoSuchUser => "no_such_user",
            Self::NoResource => "no_resource",
            Self::Unmatched => "unmatched",
            Self::Acknowledgement => "acknowledgement",
            Self::NoChange => "no_change",
            Self::ForServer => "for_server",
            Self::Remote => "remote",
            Self::TooManyRequests => "too_many_requests",
            Self::Blocked => "blocked",
            Self::Undeliverable => "undeliverable",
        }
    }
}

impl<C: Copy> Shard<C> {
    /// Who gets `stanza`, whose address is `to`: local, with a localpart. `hash` is its bare JID's. Connections are appended
    /// to `recipients`.
    ///
    /// Probes and subscription stanzas are not asked about here: §8.5 leaves them to §3 and §4.3.
    #[must_use]
    #[expect(clippy::wildcard_enum_match_arm, reason = "types of the other kinds, and unknown ones")]
    pub fn decide(&self, stanza: &Stanza, to: JidRef<'_>, hash: JidHash, recipients: &mut Vec<C>) -> Verdict {
        let (account, matched) = self.find_session(to, hash);
        let stanza_type = stanza.head().stanza_type;
        if account.is_some_and(|id| self.account(id).blocks_sender(stanza)) {
            return blocked(stanza);
        }
        match (stanza.kind(), account) {
            (Kind::Message, None) => no_such_user(stanza_type, to.resource().is_some()),
            (Kind::Message, Some(id)) => {
                self.decide_message(stanza_type, id, to.resource().is_some(), matched, recipients)
            }
            (Kind::Presence, None) => Verdict::Drop(Dropped::NoSuchUser),
            (Kind::Presence, Some(id)) => {
                self.decide_presence(id, to.resource().is_some(), matched, recipients)
            }
            (Kind::Iq, None) if to.resource().is_none() => match stanza_type {
                StanzaType::Get | StanzaType::Set => Verdict::AnswerForNobody,
                _ => Verdict::Drop(Dropped::Unmatched),
            },
            (Kind::Iq, None) => unanswerable(stanza_type),
            (Kind::Iq, Some(id)) if to.resource().is_none() => match stanza_type {
                StanzaType::Get | StanzaType::Set => Verdict::Answer(id),
                _ => Verdict::Drop(Dropped::Acknowledgement),
            },
            (Kind::Iq, Some(id)) => self.decide_iq_to_full(stanza, id, matched, recipients),
        }
    }

    /// §8.5.2.1.1, §8.5.2.2.1, §8.5.3.1, §8.5.3.2.1 and table 1.
    #[expect(clippy::wildcard_enum_match_arm, reason = "an unknown type is normal (§5.2.2)")]
    fn decide_message(
        &self,
        stanza_type: StanzaType,
        account: AccountId,
        is_full: bool,
        matched: Option<&Session<C>>,
        recipients: &mut Vec<C>,
    ) -> Verdict {
        if let Some(session) = matched {
            recipients.push(connection(session));
            return Verdict::Deliver;
        }
        match stanza_type {
            StanzaType::Error => Verdict::Drop(Dropped::Unmatched),
            StanzaType::Groupchat => Verdict::Bounce(Condition::ServiceUnavailable),
            StanzaType::Chat => self.to_most_available(account, recipients),
            StanzaType::Headline if is_full => Verdict::Bounce(Condition::ServiceUnavailable),
            StanzaType::Headline => {
                let before = recipients.len();
                recipients.extend(self.non_negative(account).map(connection));
                if recipients.len() > before { Verdict::Deliver } else { Verdict::Drop(Dropped::NoResource) }
            }
            _ if is_full => Verdict::Bounce(Condition::ServiceUnavailable),
            _ => self.to_most_available(account, recipients),
        }
    }

    fn to_most_available(&self, account: AccountId, recipients: &mut Vec<C>) -> Verdict {
        match self.most_available(account) {
            Some((_, session)) => {
                recipients.push(connection(session));
                Verdict::Deliver
            }
            None => Verdict::Keep(account),
        }
    }

    /// The resource that gets messages for its account: of those with a priority that is not negative the highest, and of
    /// equals the newest.
    #[must_use]
    pub fn most_available(&self, account: AccountId) -> Option<(SessionId, &Session<C>)> {
        let non_negative = self.sessions_of(account).filter(|(_, s)| s.is_non_negative());
        // One alone is not asked for its rank.
        let rank = |s: &Session<C>| s.available().map(Available::rank);
        non_negative.max_by(|(_, a), (_, b)| rank(a).cmp(&rank(b)))
    }

    /// §8.5.2.1.2, §8.5.2.2.2, §8.5.3.1, §8.5.3.2.2: no type, `unavailable` and, so that the answer to a subscription
    /// stanza reaches the user (§3.1.2), `error`.
    fn decide_presence(
        &self,
        account: AccountId,
        is_full: bool,
        matched: Option<&Session<C>>,
        recipients: &mut Vec<C>,
    ) -> Verdict {
        let before = recipients.len();
        if is_full {
            recipients.extend(matched.map(connection));
        } else {
            self.available(account, recipients);
        }
        if recipients.len() > before { Verdict::Deliver } else { Verdict::Drop(Dropped::NoResource) }
    }

    /// §8.5.3.1, §8.5.3.2.3: requests only from who may know that the resource is there.
    fn decide_iq_to_full(
        &self,
        stanza: &Stanza,
        account: AccountId,
        matched: Option<&Session<C>>,
        recipients: &mut Vec<C>,
    ) -> Verdict {
        let stanza_type = stanza.head().stanza_type;
        let is_request = matches!(stanza_type, StanzaType::Get | StanzaType::Set);
        match matched {
            Some(session) if !is_request || self.shares_presence(account, session, stanza) => {
                recipients.push(connection(session));
                Verdict::Deliver
            }
            _ => unanswerable(stanza_type),
        }
    }

    fn shares_presence(&self, account: AccountId, session: &Session<C>, stanza: &Stanza) -> bool {
        let Some(Ok(from)) = stanza.from().map(JidRef::parse_attr) else { return false };
        self.account(account).shows_presence_to(from.jid()) || session.is_directed_to(from.jid())
    }

    /// Appends all available resources of an account, oldest session first.
    pub fn available(&self, account: AccountId, recipients: &mut Vec<C>) {
        let available = self.sessions_of(account).map(|(_, s)| s).filter(|s| s.available().is_some());
        recipients.extend(available.map(connection));
    }

    /// Appends all interested resources of an account (§2.2), oldest session first.
    pub fn interested(&self, account: AccountId, recipients: &mut Vec<C>) {
        let interested = self.sessions_of(account).map(|(_, s)| s).filter(|s| s.is_interested());
        recipients.extend(interested.map(connection));
    }

    /// Appends all resources of an account that asked for its blocklist (XEP-0191 §3.3), oldest session first.
    pub fn blocklist_followers(&self, account: AccountId, recipients: &mut Vec<C>) {
        let followers = self.sessions_of(account).map(|(_, s)| s).filter(|s| s.follows_blocklist());
        recipients.extend(followers.map(connection));
    }

    fn non_negative(&self, account: AccountId) -> impl Iterator<Item = &Session<C>> {
        let sessions = self.sessions_of(account).map(|(_, session)| session);
        sessions.filter(|s| s.is_non_negative())
    }
}

/// XEP-0191 §3.3: the sender sees an account that is offline.
fn blocked(stanza: &Stanza) -> Verdict {
    let stanza_type = stanza.head().stanza_type;
    match stanza.kind() {
        _ if matches!(stanza_type, StanzaType::Error | StanzaType::Result) => Verdict::Drop(Dropped::Blocked),
        Kind::Presence => Verdict::Drop(Dropped::Blocked),
        Kind::Message | Kind::Iq => Verdict::Bounce(Condition::ServiceUnavailable),
    }
}

/// §8.5.1 and the first rows of table 1.
#[expect(clippy::wildcard_enum_match_arm, reason = "all other types are alike")]
const fn no_such_user(stanza_type: StanzaType, is_full: bool) -> Verdict {
    match stanza_type {
        StanzaType::Error => Verdict::Drop(Dropped::Unmatched),
        StanzaType::Headline if !is_full => Verdict::Drop(Dropped::NoResource),
        _ => Verdict::Bounce(Condition::ServiceUnavailable),
    }
}

/// An IQ that reaches nobody: requests are answered, answers are not.
#[expect(clippy::wildcard_enum_match_arm, reason = "all other types ask for an answer")]
const fn unanswerable(stanza_type: StanzaType) -> Verdict {
    match stanza_type {
        StanzaType::Result | StanzaType::Error => Verdict::Drop(Dropped::Unmatched),
        _ => Verdict::Bounce(Condition::ServiceUnavailable),
    }
}

fn connection<C: Copy>(session: &Session<C>) -> C {
    let Sink::Connection(connection) = session.sink();
    connection
}
