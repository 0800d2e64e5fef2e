//! A server that is killed, and starts again with what its store has: whoever saw an answer finds everything that came
//! before it, once, in order. The store answers late, homes get to their mail late, and nothing is closed in order.
//!
//! Only what is answered counts: what was written behind the last answer may be there or not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use xmpp_bench::sim::{Digest, Faults};
use xmpp_bench::store::{AccountRecord, MemoryStore};

use super::actor::{Command, Login};
use super::dice::Dice;
use super::rig::{Conflict, Plan, Relation, Rig, bare};

/// Accounts that write, and accounts that nobody uses before the crash.
const WRITERS: usize = 2;
const AWAY: usize = 3;
/// Long enough for a login, however often the network stalls.
const LOGIN: Duration = Duration::from_secs(30);

/// One run.
pub(crate) struct Crash {
    dice: Dice,
    plan: Plan,
    seed: u64,
    pub(crate) trace: Vec<String>,
    /// By writer, in order.
    written: Vec<Vec<Written>>,
}

/// What a writer wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Written {
    /// A message for an account that is away; its id.
    Message { to: usize, id: String },
    /// A contact in its own roster.
    Contact(String),
    /// A request to be answered; its id.
    Ping(String),
}

impl Crash {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let accounts = WRITERS + AWAY;
        let plan = Plan {
            homes: 1 + dice.below(4),
            conflict: Conflict::Replace,
            relations: vec![vec![Relation::Stranger; accounts]; accounts],
        };
        Self { dice, plan, seed, trace: Vec::new(), written: vec![Vec::new(); WRITERS] }
    }

    pub(crate) fn run(&mut self) -> Result<Digest, String> {
        let store = Arc::new(MemoryStore::default());
        let mut rig = Rig::with_store(&self.plan, Faults::rough(), self.seed, &store);
        let clients: Vec<usize> = (0..WRITERS).map(|account| rig.connect(login(account))).collect();
        rig.run(LOGIN);
        for _ in 0..20 + self.dice.below(40) {
            let writer = self.dice.below(WRITERS);
            let text = self.write_some(writer);
            rig.command(clients[writer], Command::Write(text.into_bytes()));
            rig.run(Duration::from_micros(self.dice.below(30_000) as u64));
        }
        rig.run(Duration::from_millis(self.dice.below(800) as u64));
        let answered = clients.iter().map(|client| answers(&rig, *client)).collect::<Vec<_>>();
        let digest = rig.digest();
        self.trace.push(format!("{} homes; killed at {:?}", self.plan.homes, rig.now()));
        drop(rig);
        let records = store.accounts();
        for (writer, answered) in answered.iter().enumerate() {
            self.check_store(writer, answered, &records)?;
        }
        self.start_again(&store, &records)?;
        Ok(digest)
    }

    /// Some stanzas of a writer, in one piece.
    fn write_some(&mut self, writer: usize) -> String {
        let mut text = String::new();
        for _ in 0..1 + self.dice.below(4) {
            self.dice.ids += 1;
            let id = format!("w{}", self.dice.ids);
            let (xml, written) = match self.dice.below(10) {
                0..6 => {
                    let to = WRITERS + self.dice.below(AWAY);
                    let body = "x".repeat(self.dice.below(400));
                    let xml = format!(
                        "<message to='{}' type='chat' id='{id}'><body>{body}</body></message>",
                        bare(to)
                    );
                    (xml, Written::Message { to, id })
                }
                6 => {
                    let contact = format!("c{}@model.test", self.dice.ids);
                    let item = format!("<query xmlns='jabber:iq:roster'><item jid='{contact}'/></query>");
                    (format!("<iq type='set' id='{id}'>{item}</iq>"), Written::Contact(contact))
                }
                _ => {
                    let to = "to='model.test'";
                    let xml = format!("<iq type='get' {to} id='{id}'><ping xmlns='urn:xmpp:ping'/></iq>");
                    (xml, Written::Ping(id))
                }
            };
            text.push_str(&xml);
            self.trace.push(format!("writer {writer}: {written:?}"));
            self.written[writer].push(written);
        }
        text
    }

    /// Everything before the last answer is in the store, once, in order.
    fn check_store(
        &self,
        writer: usize,
        answered: &BTreeSet<String>,
        records: &[AccountRecord],
    ) -> Result<(), String> {
        let written = &self.written[writer];
        let is_answered = |w: &Written| matches!(w, Written::Ping(id) if answered.contains(id));
        let safe = written.iter().rposition(is_answered).map_or(0, |last| last + 1);
        for account in WRITERS..WRITERS + AWAY {
            let sent = |written: &[Written]| -> Vec<String> {
                let ids = written.iter().filter_map(|w| match w {
                    Written::Message { to, id } if *to == account => Some(id.clone()),
                    Written::Message { .. } | Written::Contact(_) | Written::Ping(_) => None,
                });
                ids.collect()
            };
            let from = format!("from='{}/", bare(writer));
            let offline = &record(records, account)?.offline;
            let kept: Vec<String> =
                offline.iter().filter(|m| m.stanza.contains(&from)).map(|m| id_of(&m.stanza)).collect();
            let all = sent(written);
            if kept.len() < sent(&written[..safe]).len() || !all.starts_with(&kept) {
                return Err(format!(
                    "of writer {writer} account {account} has {kept:?} of {all:?}; {safe} are answered"
                ));
            }
        }
        let roster = &record(records, writer)?.roster;
        let missing = written[..safe].iter().find(|w| match w {
            Written::Contact(contact) => !roster.contains_key(contact),
            Written::Message { .. } | Written::Ping(_) => false,
        });
        missing.map_or(Ok(()), |missing| Err(format!("writer {writer}: {missing:?} is not in its roster")))
    }

    /// Who was away comes to the next server, and gets all that the store had, once.
    fn start_again(&mut self, store: &Arc<MemoryStore>, records: &[AccountRecord]) -> Result<(), String> {
        self.trace.push("the server starts again".into());
        self.plan.homes = 1 + self.dice.below(4);
        let mut rig = Rig::restarted(&self.plan, Faults::rough(), self.seed + 1, store);
        for account in WRITERS..WRITERS + AWAY {
            let client = rig.connect(login(account));
            rig.run(LOGIN);
            rig.command(client, Command::Write(b"<presence/>".to_vec()));
            rig.run(Duration::from_secs(30));
            let messages = rig.stage().got.iter().filter(|g| g.client == client && g.name == "message");
            let got: Vec<String> = messages.map(|g| g.attr("id").unwrap_or_default().to_owned()).collect();
            let kept: Vec<String> =
                record(records, account)?.offline.iter().map(|m| id_of(&m.stanza)).collect();
            if got != kept {
                return Err(format!("account {account} got {got:?} of {kept:?}"));
            }
        }
        drop(rig);
        match store.accounts().iter().find(|record| !record.offline.is_empty()) {
            Some(record) => Err(format!("{} would get its messages again", record.account.as_str())),
            None => Ok(()),
        }
    }
}

fn login(account: usize) -> Login {
    Login { account, resource: Some("r".into()), lang: None, pipelined: false, silent: false }
}

/// Ids of the results that a client has got.
fn answers(rig: &Rig, client: usize) -> BTreeSet<String> {
    let results = rig.stage().got.iter().filter(|g| g.client == client && g.attr("type") == Some("result"));
    results.filter_map(|g| g.attr("id").map(str::to_owned)).collect()
}

fn record(records: &[AccountRecord], account: usize) -> Result<&AccountRecord, String> {
    let by_name: BTreeMap<&str, &AccountRecord> = records.iter().map(|r| (r.account.as_str(), r)).collect();
    by_name.get(&*bare(account)).copied().ok_or_else(|| format!("the store has no account {account}"))
}

fn id_of(stanza: &str) -> String {
    stanza.split(" id='").nth(1).and_then(|rest| rest.split('\'').next()).unwrap_or_default().to_owned()
}
