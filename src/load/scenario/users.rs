//! `[users]`: accounts, and who is whose contact.
//!
//! The words of the grammar stand beside the function that reads them; what a file holds is read by [`super::lists`].

use std::sync::Arc;

use toml::Spanned;
use toml::de::DeValue;

use super::fields::{Faults, Fields, Words};
use super::files::Files;
use super::lists::{AccountList, EdgeList};
use super::units;
use super::{Accounts, Create, Graph, Pattern, RosterSpec, UsersSpec};
use crate::limits::{ROSTER_ITEMS_MAX, USERS_MAX};
use crate::stream::Mechanism;

const USERS: Words = Words {
    known: &[
        "count",
        "account",
        "csv",
        "create",
        "auth",
        "roster",
        "resource",
        "setup_rate",
        "stream_management",
    ],
    later: &["transport", "local", "remote_per_domain", "class"],
};
const ACCOUNT: Words = Words { known: &["user", "password"], later: &["csv"] };
const CREATE: Words = Words { known: &["provision", "register", "existing"], later: &[] };
const AUTH: Words = Words {
    known: &["SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "ANONYMOUS"],
    later: &[
        "SCRAM-SHA-1-PLUS",
        "SCRAM-SHA-256-PLUS",
        "SCRAM-SHA-512",
        "SCRAM-SHA-512-PLUS",
        "EXTERNAL",
        "OAUTHBEARER",
        "DIGEST-MD5",
    ],
};
const MECHANISMS: [Mechanism; 4] =
    [Mechanism::ScramSha256, Mechanism::ScramSha1, Mechanism::Plain, Mechanism::Anonymous];

/// `None` only when `faults` has something to say.
pub(super) fn users<'t>(
    value: &'t Spanned<DeValue<'t>>,
    embedded: bool,
    files: &mut Files<'_>,
    faults: &mut Faults<'_>,
) -> Option<UsersSpec> {
    let fields = Fields::open(value, "`users`", USERS, faults)?;
    let count = fields.integer("count", 1..=u64::from(USERS_MAX), faults);
    let (accounts, count) = match fields.get("csv") {
        Some(_) => listed(&fields, count, files, faults)?,
        None => {
            fields.require("count", "100", faults);
            (patterns(&fields, count, faults), count)
        }
    };
    let create_default = if embedded { Create::Provision } else { Create::Existing };
    let values = [Create::Provision, Create::Register, Create::Existing];
    let create = fields.word("create", CREATE, &values, faults).unwrap_or(create_default);
    if create == Create::Provision && !embedded {
        let help = Some("use `existing`, or `register` to have them registered".to_owned());
        faults.add(fields.value_span("create"), "only the embedded server can be provisioned", help);
    }
    let count = u32::try_from(count?).expect("at most USERS_MAX");
    let roster = fields.get("roster").and_then(|v| roster(v, count, &accounts, files, faults));
    let auth = fields.word("auth", AUTH, &MECHANISMS, faults).unwrap_or(Mechanism::ScramSha256);
    if auth == Mechanism::Anonymous && roster.is_some() {
        faults.add(fields.key_span("roster"), "users without accounts (ANONYMOUS) have no rosters", None);
    }
    let setup_rate = fields.parsed("setup_rate", faults, units::rate);
    if setup_rate.is_some() && create == Create::Provision {
        faults.add(fields.key_span("setup_rate"), "the embedded server needs no set-up", None);
    }
    let resource = fields.parsed("resource", faults, Pattern::parse);
    let stream_management = fields.flag("stream_management", faults).unwrap_or(false);
    Some(UsersSpec { count, accounts, resource, create, auth, stream_management, roster, setup_rate })
}

/// Accounts by pattern, or the default ones.
fn patterns(fields: &Fields<'_>, count: Option<u64>, faults: &mut Faults<'_>) -> Accounts {
    let (mut user, mut password) = (None, None);
    if let Some(account) = fields.get("account").and_then(|v| Fields::open(v, "`account`", ACCOUNT, faults)) {
        user = account.parsed("user", faults, Pattern::parse);
        password = account.parsed("password", faults, Pattern::parse);
        if user.as_ref().is_some_and(|u| !u.is_numbered()) && count.is_some_and(|c| c > 1) {
            let help = Some("write such as `user = \"u{n:06}\"`".to_owned());
            faults.add(account.value_span("user"), "every user needs a name of its own", help);
        }
    }
    if user.as_ref().is_some_and(|u| !is_prepared_localpart(&u.expand(0))) {
        let help = Some("servers map or refuse the rest (RFC 7622 §3.3)".to_owned());
        let what = "user names hold lower-case letters, digits and none of \"&'/:<>@ or spaces";
        faults.add(fields.value_span("account"), what, help);
    }
    let default = |text| Pattern::parse(text).expect("a pattern of ours");
    Accounts::Patterns {
        user: user.unwrap_or_else(|| default("u{n:06}")),
        // One password for all: its salted form is computed once and does not slow the login down.
        password: password.unwrap_or_else(|| default("xmpp-bench")),
    }
}

/// Accounts of a file: as many as it has, or the first ones.
fn listed(
    fields: &Fields<'_>,
    count: Option<u64>,
    files: &mut Files<'_>,
    faults: &mut Faults<'_>,
) -> Option<(Accounts, Option<u64>)> {
    if fields.get("account").is_some() {
        let what = "accounts come from `csv` or from `account`, not from both";
        faults.add(fields.key_span("account"), what, None);
    }
    let list = fields.parsed("csv", faults, |path| {
        files.read(path, AccountList::parse).map_err(|what| format!("{path}{what}"))
    })?;
    let lines = u64::from(list.count());
    if let Some(count) = count.filter(|count| *count > lines) {
        let what = format!("`count` is {count}, and the file has {lines} users");
        faults.add(fields.value_span("count"), what, Some("leave it away to take all of them".to_owned()));
        return None;
    }
    let is_wrong = fields.get("count").is_some() && count.is_none();
    let count = (!is_wrong).then(|| count.unwrap_or(lines));
    Some((Accounts::Listed(Arc::new(list)), count))
}

/// Whether a server keeps this localpart as it is: ids of users are read back from the addresses it sends.
pub(super) fn is_prepared_localpart(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_graphic() && !b.is_ascii_uppercase() && !b"\"&'/:<>@".contains(&b))
}

const ROSTER: Words = Words { known: &["graph", "contacts", "file"], later: &[] };
const GRAPH: Words = Words { known: &["ring", "random", "small-world", "zipf", "file"], later: &[] };

fn roster<'t>(
    value: &'t Spanned<DeValue<'t>>,
    count: u32,
    accounts: &Accounts,
    files: &mut Files<'_>,
    faults: &mut Faults<'_>,
) -> Option<RosterSpec> {
    let fields = Fields::open(value, "`roster`", ROSTER, faults)?;
    fields.require("graph", "\"small-world\"", faults);
    let kinds = [
        Some(Graph::Ring),
        Some(Graph::Random),
        Some(Graph::SmallWorld),
        Some(Graph::Zipf),
        None, // of a file
    ];
    let places: [usize; 5] = std::array::from_fn(|place| place);
    let graph = fields.word("graph", GRAPH, &places, faults).map(|place| kinds[place].clone());
    match graph {
        Some(None) => return roster_of_file(&fields, count, accounts, files, faults),
        Some(Some(_)) if fields.get("file").is_some() => {
            faults.add(fields.key_span("file"), "`file` belongs to `graph = \"file\"`", None);
        }
        Some(Some(_)) | None => {}
    }
    fields.require("contacts", "20", faults);
    let contacts = fields.integer("contacts", 0..=ROSTER_ITEMS_MAX as u64, faults);
    if let Some(contacts) = contacts.filter(|contacts| *contacts >= u64::from(count)) {
        let what = format!("{contacts} contacts each need at least {} users, not {count}", contacts + 1);
        faults.add(fields.value_span("contacts"), what, None);
    }
    let (graph, contacts) = (graph.flatten()?, u32::try_from(contacts?).expect("at most ROSTER_ITEMS_MAX"));
    if contacts % 2 == 1 && matches!(graph, Graph::Ring | Graph::SmallWorld) {
        let what = "`contacts` must be even: half of them stand on each side in the ring";
        faults.add(fields.value_span("contacts"), what, None);
    }
    Some(RosterSpec { graph, contacts })
}

fn roster_of_file(
    fields: &Fields<'_>,
    count: u32,
    accounts: &Accounts,
    files: &mut Files<'_>,
    faults: &mut Faults<'_>,
) -> Option<RosterSpec> {
    fields.require("file", "\"edges.csv\"", faults);
    if fields.get("contacts").is_some() {
        let what = "the file says who has how many contacts; leave `contacts` away";
        faults.add(fields.key_span("contacts"), what, None);
    }
    let edges = fields.parsed("file", faults, |path| {
        files
            .read(path, |text| EdgeList::parse(text, count, accounts))
            .map_err(|what| format!("{path}{what}"))
    })?;
    let contacts = edges.mean_contacts(count);
    Some(RosterSpec { graph: Graph::File(Arc::new(edges)), contacts })
}
