//! Each client's copy of its roster, as it keeps it from results and pushes (RFC 6121 §2.1.6, §2.6.3), and what the copies
//! of all must say of each other when the network is quiet.
//!
//! Which changes there were is not known here: they race.

use std::collections::BTreeMap;

use super::actor::{Got, Stage};
use super::ledger::{Entry, Ledger};
use super::rig::bare;
use super::roster::Shown;
use super::words::prepared;

/// What a client knows of its roster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Copy {
    pub(crate) ver: String,
    /// By contact.
    items: BTreeMap<String, Shown>,
}

/// What is known of rosters.
#[derive(Debug, Default)]
pub(crate) struct Copies {
    /// By client: of those who have asked.
    pub(crate) of: BTreeMap<usize, Copy>,
    /// By the id of a request with a version: what its sender knew.
    pub(crate) bases: BTreeMap<String, Copy>,
    /// By account and version: what the push said that had it.
    pushed: BTreeMap<(usize, String), Shown>,
    /// By account, whole rosters that came since the last judgement: the newest.
    fresh: BTreeMap<usize, Copy>,
    /// Frames before this one are in the copies.
    followed: usize,
}

/// Whether this is a roster push: it has neither sender nor address.
pub(crate) fn is_push(got: &Got) -> bool {
    got.name == "iq" && got.attr("type") == Some("set") && got.attr("from").is_none()
}

impl Copies {
    /// Reads what has come since the last time.
    pub(crate) fn follow(&mut self, entries: &BTreeMap<String, Entry>, stage: &Stage) -> Result<(), String> {
        for got in &stage.got[self.followed..] {
            let account = stage.clients[got.client].login.account;
            let entry = got.attr("id").and_then(|id| entries.get(id));
            let is_own = got.attr("from").is_some_and(|from| prepared(from) == bare(account));
            let is_answer = is_own && got.attr("type") == Some("result");
            let followed = if is_push(got) {
                self.follow_push(account, got)
            } else if entry.is_some_and(|e| is_answer && e.is_roster_get()) {
                self.follow_result(account, got)
            } else {
                Ok(())
            };
            followed.map_err(|why| format!("client {}: {why}: {}", got.client, got.raw))?;
        }
        self.followed = stage.got.len();
        Ok(())
    }

    fn follow_push(&mut self, account: usize, got: &Got) -> Result<(), String> {
        let copy = self.of.get_mut(&got.client).ok_or("it never asked for the roster")?;
        let ([item], Some(ver)) = (&got.items[..], &got.ver) else {
            return Err("a push has one item and a version".to_owned());
        };
        let first = self.pushed.entry((account, ver.clone())).or_insert_with(|| item.clone());
        if first != item {
            return Err(format!("another push of this version said {first:?}"));
        }
        copy.push(item, ver);
        Ok(())
    }

    fn follow_result(&mut self, account: usize, got: &Got) -> Result<(), String> {
        if got.inner.is_empty() {
            let base = self.bases.get(got.attr("id").unwrap_or_default());
            let base = base.ok_or("an empty result, and no version was named")?;
            self.of.entry(got.client).or_insert_with(|| base.clone());
        } else {
            let copy = Copy::whole(got);
            self.fresh.insert(account, copy.clone());
            // Pushes have told all that is different from the roster that it had.
            let known = self.of.insert(got.client, copy.clone());
            if let Some(known) = known.filter(|known| *known != copy) {
                return Err(format!("it has been told {known:?}, and this is its roster"));
            }
        }
        Ok(())
    }

    /// Nothing is under way, and somebody of each account has just asked for its roster: whoever has a copy has this one.
    pub(crate) fn judge(&self, stage: &Stage) -> Result<(), String> {
        for (client, c) in stage.clients.iter().enumerate().filter(|(_, c)| c.is_bound()) {
            let (copy, fresh) = (self.of.get(&client), self.fresh.get(&c.login.account));
            if let (Some(copy), Some(fresh)) = (copy, fresh)
                && copy != fresh
            {
                return Err(format!(
                    "client {client} has been told\n  {copy:?}\nand the roster is\n  {fresh:?}"
                ));
            }
        }
        let accounts: Vec<usize> = self.fresh.keys().copied().collect();
        for (a, b) in accounts.iter().flat_map(|a| accounts.iter().map(move |b| (*a, *b))) {
            if self.is(a, b, &["to", "both"]) == Some(true) && self.is(b, a, &["from", "both"]) == Some(false)
            {
                return Err(format!(
                    "u{a} is subscribed to u{b}, which does not know:\n  {:?}\n  {:?}",
                    self.fresh[&a], self.fresh[&b]
                ));
            }
        }
        Ok(())
    }

    /// Whether a roster says one of these of a contact; `None` while nobody knows the roster.
    fn is(&self, account: usize, contact: usize, subscriptions: &[&str]) -> Option<bool> {
        let item = self.fresh.get(&account)?.items.get(&bare(contact));
        Some(item.is_some_and(|item| subscriptions.contains(&item["subscription"].as_str())))
    }

    /// Whether `account` sees the presence of `contact`.
    pub(crate) fn sees(&self, account: usize, contact: usize) -> Option<bool> {
        if account == contact { Some(true) } else { self.is(account, contact, &["to", "both"]) }
    }

    /// Whether `account` shows its presence to `contact`.
    pub(crate) fn shows(&self, account: usize, contact: usize) -> Option<bool> {
        if account == contact { Some(true) } else { self.is(account, contact, &["from", "both"]) }
    }

    /// Whether `account` waits for an answer of `contact`.
    pub(crate) fn asks(&self, account: usize, contact: usize) -> bool {
        let item = self.fresh.get(&account).and_then(|copy| copy.items.get(&bare(contact)));
        item.is_some_and(|item| item.contains_key("ask"))
    }

    /// From now on rosters change again.
    pub(crate) fn forget(&mut self) {
        self.fresh.clear();
    }
}

impl Copy {
    fn whole(got: &Got) -> Self {
        let items = got.items.iter().map(|item| (item["jid"].clone(), item.clone())).collect();
        Self { ver: got.ver.clone().unwrap_or_default(), items }
    }

    fn push(&mut self, item: &Shown, ver: &str) {
        ver.clone_into(&mut self.ver);
        if item.get("subscription").is_some_and(|s| s == "remove") {
            self.items.remove(&item["jid"]);
        } else {
            self.items.insert(item["jid"].clone(), item.clone());
        }
    }
}

impl Ledger {
    /// Whoever waits for an answer is shown to whom it asked, at its next initial presence (RFC 6121 §3.1.3, rule 4): the
    /// clients since `first` are new, one of each account, and have seen all that waits.
    pub(crate) fn check_requests(&self, stage: &Stage, first: usize) -> Result<(), String> {
        let observers: Vec<usize> =
            (first..stage.clients.len()).filter(|c| stage.clients[*c].is_bound()).collect();
        for (a, b) in observers.iter().flat_map(|a| observers.iter().map(move |b| (*a, *b))) {
            let account = |client: usize| stage.clients[client].login.account;
            let asker = bare(account(a));
            let is_it = |g: &&Got| {
                g.client == b && g.attr("type") == Some("subscribe") && g.attr("from") == Some(&asker)
            };
            let shown = stage.got.iter().filter(is_it).count();
            if shown > 1 {
                return Err(format!("client {b} was shown the request of {asker} {shown} times"));
            }
            if self.copies.asks(account(a), account(b)) && shown == 0 {
                return Err(format!("{asker} waits for an answer of u{}, which was not asked", account(b)));
            }
        }
        Ok(())
    }
}
