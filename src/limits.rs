//! Every maximum of the program, each with its reason.
//!
//! This module decides nothing: it holds the numbers that the other layers enforce. A buffer, queue, depth
//! or count that grows with what a peer sends has its line here. Sizes are bytes unless the name ends in
//! another unit.

use std::time::Duration;

/// What one XML stream may contain; changes once, when the peer has authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FramerLimits {
    /// Longest top-level element (stream header included).
    pub stanza_bytes_max: usize,
    /// Most elements inside one top-level element, itself included.
    pub elements_max: u32,
}

/// Before authentication: enough for any negotiation, too little to hurt (Prosody ships 10,000).
pub const FRAMER_BEFORE_AUTH: FramerLimits = FramerLimits { stanza_bytes_max: 10_000, elements_max: 64 };
/// After authentication. RFC 6120 §13.12 demands at least 10,000; ejabberd and Prosody ship 262,144.
pub const FRAMER_AFTER_AUTH: FramerLimits = FramerLimits { stanza_bytes_max: 262_144, elements_max: 1_000 };
/// What a synthetic client accepts of a server: the largest default of any server for s2s stanzas is 512 KiB.
pub const FRAMER_CLIENT: FramerLimits = FramerLimits { stanza_bytes_max: 1_048_576, elements_max: 25_000 };

/// Deepest nesting of elements. Real extensions stay below 20; the framer keeps one entry per level.
pub const XML_DEPTH_MAX: usize = 64;
/// Most attributes of one element: uniqueness is checked pair by pair.
pub const XML_ATTRS_MAX: usize = 64;
/// Most namespace declarations of one element.
pub const XML_NAMESPACES_PER_ELEMENT_MAX: usize = 32;
/// Most namespace declarations in scope at one point: a lookup walks them.
pub const XML_NAMESPACES_IN_SCOPE_MAX: usize = 256;

/// Most prefixes that a stream header may declare: stanzas that use them are searched for each. RFC 6120 §4.8.5 knows
/// of one, the stream's.
pub const STREAM_PREFIXES_MAX: usize = 8;

/// Longest part of a JID after preparation (RFC 7622 §3.2 to §3.4).
pub const JID_PART_BYTES_MAX: usize = 1023;

/// Failed SASL attempts of one stream before `policy-violation` (RFC 6120 §6.4.5 asks for 2 to 5).
pub const SASL_ATTEMPTS_MAX: u8 = 3;
/// Refused binds of one stream before `policy-violation` (RFC 6120 §7.7.3 asks for 5 to 10).
pub const BIND_ATTEMPTS_MAX: u8 = 5;
/// Resources of one account at one time; ejabberd's example is 10.
pub const RESOURCES_PER_ACCOUNT_MAX: usize = 16;
/// PBKDF2 rounds of a stored password (RFC 5802 §5.1 asks for at least 4096).
pub const SCRAM_ITERATIONS: u32 = 4096;
/// Most rounds that a server may ask a synthetic client for; 1.5 ms at 4096 become 36 ms.
pub const SCRAM_ITERATIONS_MAX: u32 = 100_000;
/// Salted passwords that the synthetic clients of one target remember, about 200 bytes each: 25 MB.
pub const SALTED_PASSWORDS_MAX: usize = 131_072;
/// Longest trace of ANONYMOUS, in characters (RFC 4505 §2).
pub const SASL_TRACE_CHARS_MAX: usize = 255;

/// A connection must have authenticated and bound by then.
pub const NEGOTIATION_MAX: Duration = Duration::from_secs(30);
/// How long a stream may stay without authentication after it has registered an account (XEP-0077): test suites keep one open
/// to register more while their tests run.
pub const REGISTERING_STREAM_MAX: Duration = Duration::from_secs(3_600);
/// Accounts that one stream may register.
pub const REGISTRATIONS_PER_STREAM_MAX: u32 = 1_000;
/// Accounts that may be registered in a minute, by all together, unless the operator says otherwise: a person needs one.
pub const REGISTRATIONS_PER_MINUTE: u32 = 60;
/// Longest password; SASLprep and PBKDF2 read all of it.
pub const PASSWORD_BYTES_MAX: usize = 1_023;
/// Ad-hoc commands (XEP-0050) that wait for a form at one home, some 200 bytes each; the oldest goes first.
pub const COMMAND_SESSIONS_MAX: usize = 256;
/// Accounts, or contacts, that an administrative command lists: what fits a stanza.
pub const COMMAND_LIST_MAX: usize = 1_000;
/// Silence after which a client is asked whether it lives.
pub const IDLE_MAX: Duration = Duration::from_secs(300);
/// How long it may take to answer that.
pub const PING_ANSWER_MAX: Duration = Duration::from_secs(30);
/// How long a closed stream is drained so that the peer reads our last words before a reset.
pub const CLOSE_DRAIN_MAX: Duration = Duration::from_secs(2);
/// How many bytes are read and thrown away meanwhile.
pub const CLOSE_DRAIN_BYTES_MAX: usize = 65_536;
/// How long a connection may take to write what it still holds when it closes.
pub const CLOSE_FLUSH_MAX: Duration = Duration::from_secs(10);

/// Bytes waiting for a reader that may stand for [`OUTBOX_SOFT_MAX`].
pub const OUTBOX_SOFT_BYTES: usize = 1_048_576;
/// How long an outbox may stay above [`OUTBOX_SOFT_BYTES`].
pub const OUTBOX_SOFT_MAX: Duration = Duration::from_secs(10);
/// Bytes waiting for a reader at most, when its socket takes no more.
pub const OUTBOX_HARD_BYTES: usize = 4_194_304;
/// Bytes waiting for a reader whose socket has refused nothing: many stanzas of one turn may be for it, and nobody has tried to
/// write them yet. The answers to a first presence of [`ROSTER_ITEMS_MAX`] contacts fit.
pub const OUTBOX_BURST_BYTES: usize = 67_108_864;
/// Stanza parts above this are referenced by the outbox instead of copied; copying won up to here.
pub const OUTBOX_COPY_BYTES_MAX: usize = 8_192;
/// Slices in one `writev`; Linux takes 1,024, more than 64 gained nothing.
pub const OUTBOX_SLICES_MAX: usize = 64;
/// Outbox buffers kept for reuse by one reactor, and the largest that is kept.
pub const OUTBOX_POOL_BUFFERS_MAX: usize = 1_024;
/// An outbox buffer that grew beyond this is freed and not kept.
pub const OUTBOX_POOL_BUFFER_BYTES_MAX: usize = 65_536;

/// Size of a reactor's read buffer, and the most that one connection reads in one turn.
pub const READ_BYTES_PER_TURN_MAX: usize = 65_536;
/// Frames that one connection may hand over in one turn before the others get theirs.
pub const FRAMES_PER_TURN_MAX: u32 = 256;
/// Connections accepted in one turn: established streams come first.
pub const ACCEPTS_PER_TURN_MAX: u32 = 256;
/// Outgoing connections begun in one turn.
pub const CONNECTS_PER_TURN_MAX: u32 = 256;
/// Events taken from the kernel in one turn; a larger list made no measurable difference.
pub const EVENTS_PER_TURN_MAX: usize = 1_024;
/// Listen backlog; the kernel caps it at `net.core.somaxconn`.
pub const LISTEN_BACKLOG: i32 = 4_096;
/// Connections of one reactor: the slab's index is 32 bits wide and tokens above are reserved.
pub const CONNECTIONS_PER_REACTOR_MAX: usize = 4_000_000;

/// Addresses that one server listens on, and domains that it has: each costs a look for every stream.
pub const LISTENERS_MAX: usize = 16;
/// See [`LISTENERS_MAX`].
pub const DOMAINS_MAX: usize = 64;

/// Homes of one process: each pair of them has two lanes, 38 MB of empty ones at this many.
pub const HOMES_MAX: usize = 128;
/// Bytes under way in one lane between two homes: some milliseconds of work, and four of the largest stanzas.
pub const MAILBOX_LANE_BYTES_MAX: usize = 1_048_576;
/// Bytes that one home hands another in one piece; a home looks after its replies between two pieces.
pub const MAILBOX_BATCH_BYTES_MAX: usize = 65_536;
/// Pieces under way in one lane.
pub const MAILBOX_BATCHES_MAX: usize = 16;

/// Answers of one stream that wait until what was stored before them is safe; then its input waits, too.
pub const BARRIER_ANSWERS_MAX: usize = 256;
/// And so many bytes of them.
pub const BARRIER_BYTES_MAX: usize = OUTBOX_SOFT_BYTES;
/// Threads for work that would block a reactor: password hashing uses every core, and more than these would be too many.
pub const WORKERS_MAX: usize = 16;

/// Changes of one home that may wait for its store, in bytes: some seconds of a busy one. Beyond, what would have to be
/// saved is refused.
pub const UNSAVED_BYTES_MAX: usize = 33_554_432;

/// Messages that may wait for one account; ejabberd keeps 100.
pub const OFFLINE_MESSAGES_PER_ACCOUNT_MAX: usize = 1_000;
/// Their bytes.
pub const OFFLINE_BYTES_PER_ACCOUNT_MAX: usize = 10_485_760;
/// Bytes of all messages that wait in one home: they are in memory.
pub const OFFLINE_BYTES_PER_HOME_MAX: usize = 1_073_741_824;

/// Stanzas that a session keeps because its client has not acknowledged them: this many and [`SM_QUEUE_BYTES_MAX`] while it
/// has no connection, or else it ends. ejabberd has 5,000, Prosody 500.
pub const SM_QUEUE_STANZAS_MAX: usize = 1_000;
/// And so many bytes of them.
pub const SM_QUEUE_BYTES_MAX: usize = 1_048_576;
/// While a client is connected, a burst may pass these: the answers of [`ROSTER_ITEMS_MAX`] contacts to its first presence
/// come faster than any client acknowledges.
pub const SM_BURST_STANZAS_MAX: usize = 16_384;
/// 512 for each: a presence with entity capabilities has some 400. A client that sends many requests at once acknowledges nothing
/// before it has sent them all.
pub const SM_BURST_BYTES_MAX: usize = 8_388_608;
/// How long it may take until the client acknowledges any of such a burst; as [`OUTBOX_SOFT_MAX`].
pub const SM_BURST_MAX: Duration = OUTBOX_SOFT_MAX;
/// How long a session waits for its client to come back. Prosody and MongooseIM wait 600 s, Tigase 60 s.
pub const SM_RESUME_MAX: Duration = Duration::from_secs(300);
/// An acknowledgement is asked for after so many stanzas,
pub const SM_ASK_STANZAS: usize = 20;
/// so many bytes,
pub const SM_ASK_BYTES: usize = 32_768;
/// or so long: what is not acknowledged when a session ends is delivered again, although it may have arrived.
pub const SM_ASK_WAIT: Duration = Duration::from_secs(1);
/// Sessions that are over, of which one home can still say what it had handled (XEP-0198 §5); 32 bytes each.
pub const SM_ENDED_REMEMBERED_MAX: usize = 4_096;

/// Contacts of one account.
pub const ROSTER_ITEMS_MAX: usize = 10_000;
/// Their bytes as they are sent, without escaping: all of them are one answer, which must leave room in an outbox
/// ([`OUTBOX_HARD_BYTES`]). 200 for each of [`ROSTER_ITEMS_MAX`].
pub const ROSTER_BYTES_MAX: usize = 2_097_152;
/// Groups of one roster item.
pub const ROSTER_GROUPS_MAX: usize = 32;
/// Longest handle and longest group name (RFC 6121 §2.3.3 lets a server set it).
pub const ROSTER_NAME_BYTES_MAX: usize = 1_023;
/// Removed contacts that one roster remembers, so that a client's older copy can be brought up to date (RFC 6121
/// §2.6.3); a client whose copy is older than that gets the whole roster.
pub const ROSTER_REMOVALS_MAX: usize = 64;
/// Subscription requests kept for one account until it answers them, in stanzas.
pub const SUBSCRIBE_REQUESTS_PER_ACCOUNT_MAX: usize = 256;
/// Their bytes: all of them are told at once to whoever comes, and must leave room in an outbox ([`OUTBOX_SOFT_BYTES`]).
pub const SUBSCRIBE_REQUEST_BYTES_PER_ACCOUNT_MAX: usize = 262_144;
/// Longest presence that is kept to be told to others later, or a subscription request: every resource of every contact is told
/// at once to whoever comes. RFC 6120 §13.12 demands at least 10,000; real ones have some hundreds.
pub const PRESENCE_BYTES_MAX: usize = 16_384;
/// Targets of directed presence that one session is remembered for (RFC 6121 §4.6.1).
pub const DIRECTED_PRESENCE_PER_SESSION_MAX: usize = 1_000;

/// Longest status text of an unavailable presence that is remembered (XEP-0012 §3): a line or two, as roster names are.
pub const LAST_STATUS_BYTES_MAX: usize = 1_023;

/// Elements of one account's private storage (XEP-0049), by namespace and name. Clients use a handful.
pub const PRIVATE_ITEMS_MAX: usize = 256;
/// Bytes of one account's private storage: as many as one stanza brings.
pub const PRIVATE_BYTES_MAX: usize = 262_144;
/// Longest vCard (XEP-0054): a photo of 64 KiB in base64 takes two thirds of it.
pub const VCARD_BYTES_MAX: usize = 131_072;

/// Addresses that one account has blocked (XEP-0191); all of them are in one answer.
pub const BLOCKED_MAX: usize = 1_000;

/// Users of one scenario: one connection each.
pub const USERS_MAX: u32 = 4_000_000;
/// Largest file that a scenario names: some 30 bytes for each of [`USERS_MAX`] users, or 10 million edges.
pub const SCENARIO_FILE_BYTES_MAX: u64 = 268_435_456;
/// Phases of one scenario: each keeps its histograms to the end.
pub const PHASES_MAX: usize = 64;
/// Actions of one phase; each is a different one.
pub const PHASE_ACTIONS_MAX: usize = 16;
/// Longest phase: a second costs one line of the result per action.
pub const PHASE_DURATION_MAX: Duration = Duration::from_secs(24 * 3_600);
/// Operations per second that are scheduled at most: 100 ns apart.
pub const ARRIVAL_RATE_MAX: f64 = 10_000_000.0;
/// Body of a synthetic message: what servers accept as a stanza (262,144) less room for its addresses.
pub const CHAT_BODY_BYTES_MAX: u32 = 200_000;
/// Local addresses of one run; each gives some 60,000 ports.
pub const SOURCE_ADDRESSES_MAX: usize = 1_024;
/// Operations that a run remembers, some 60 bytes each: ended ones too, so that duplicates are recognised.
pub const OPERATIONS_REMEMBERED_MAX: usize = 1_048_576;
/// Pairs of users whose order of delivery is watched at one time; some 40 bytes each.
pub const PAIRS_REMEMBERED_MAX: usize = 1_048_576;
/// Operations and logins started in one go before sockets are served again.
pub const STARTS_PER_DEADLINE_MAX: u32 = 1_024;
/// How long a drain listens when nothing is under way any more: a second copy of the last stanza must be counted, too.
pub const DRAIN_QUIET: Duration = Duration::from_millis(100);
/// How far ahead a run on several reactors sets a step's beginning: long enough for a letter to a busy reactor.
pub const STEP_LEAD: Duration = Duration::from_millis(20);
/// How long a synthetic client waits for the server's close tag (RFC 6120 §4.4).
pub const LOGOUT_ANSWER_MAX: Duration = Duration::from_secs(5);
/// How long all logouts of a run may take; then the sockets are closed as they are.
pub const LOGOUT_MAX: Duration = Duration::from_secs(30);
/// Registrations, or logins for the sake of a roster, under way at one time: set-up must not be a load test.
pub const ERRANDS_AT_ONCE_MAX: u32 = 16;
/// Subscriptions that one user of a set-up has under way: servers queue what a stream sends, and some close one that sends
/// more than they queue.
pub const SET_UP_BATCH_STANZAS: usize = 16;
/// How long a server may take for such a batch. Prosody writes two rosters to disk for each subscription, and that of a
/// user with many contacts is long: some seconds for a batch of each of the users that are under way.
pub const SET_UP_SILENCE_MAX: Duration = Duration::from_secs(120);
/// Rounds in which a set-up gives its approvals to a server that does not show them in the roster yet.
pub const SET_UP_TRIES_MAX: u32 = 20;
/// Pause between two such rounds.
pub const SET_UP_PAUSE: Duration = Duration::from_millis(250);
/// Different error texts that a result lists; the rest is counted as one.
pub const ERROR_KINDS_MAX: usize = 64;
/// Longest example of an error in a result, in characters.
pub const ERROR_EXAMPLE_CHARS_MAX: usize = 500;
/// How long a step of the preflight may take; a healthy server needs milliseconds, and a person waits for it.
pub const PREFLIGHT_STEP_MAX: Duration = Duration::from_secs(10);
/// Pings that the preflight sends in one go: with [`PREFLIGHT_PING_BYTES`] each, twice what Prosody and ejabberd let through
/// at once before their shipped rate limits begin (20,000 bytes).
pub const PREFLIGHT_BURST_PINGS: u32 = 150;
/// Bytes of each of these pings, filled up with white space.
pub const PREFLIGHT_PING_BYTES: usize = 256;
/// How long the answers to these pings are waited for.
pub const PREFLIGHT_BURST_MAX: Duration = Duration::from_secs(8);
/// How long a run waits before its first phase for the one message and presence that show whether ids arrive.
pub const ID_PROBE_MAX: Duration = Duration::from_secs(5);
