//! What one home asks of another about accounts, from the side that does it.
//!
//! Who may ask is not judged here; the asker's home has done that. A call is answered once: at once when it changes
//! nothing, else when what it changed is safe, also at other homes (a removed account's contacts).

use std::sync::Arc;

use bytes::Bytes;

use super::calls::{Call, CallId, Returned, Secret, Which};
use super::client_link::ClientLink;
use super::jobs::{Derive, ServerJob};
use super::mail::{Mail, SyncFor};
use super::roster::write_item;
use super::saving::Waiter;
use super::world::ServerWorld;
use super::write::attr;
use crate::engine::{Effects, Stamp};
use crate::limits::COMMAND_LIST_MAX;
use crate::router::{AccountId, HomeId, Sink};
use crate::stanza::{Condition, Jid, Stanza};
use crate::stream::{Credentials, Mechanism};

/// A call that is not answered yet.
#[derive(Debug)]
pub(super) struct Serving {
    from: HomeId,
    id: CallId,
    step: Step,
}

#[derive(Debug)]
enum Step {
    /// A password's keys are derived, for an account that is to be made or is there.
    Deriving { account: Jid, is_new: bool },
    /// So many stores are not done yet.
    Saving { left: usize },
}

impl ServerWorld {
    /// Does what `from` asks for.
    pub(super) fn serve_call(&mut self, from: HomeId, id: CallId, call: Call, out: &mut Effects<ClientLink>) {
        let answer = match call {
            Call::Add { account, password } => self.begin_deriving((from, id), account, true, password, out),
            Call::ChangePassword { account, password } => {
                self.begin_deriving((from, id), account, false, password, out)
            }
            Call::Remove { account, spare } => match self.registered(&account) {
                Ok(account) => {
                    self.remove_account(account, spare, out);
                    return self.return_when_safe(from, id, true, out);
                }
                Err(condition) => Some(Returned::Refused(condition)),
            },
            Call::EndSessions { address, spare } => {
                let account = self.shard.find(address.as_ref().bare().as_str());
                let resource = address.as_ref().resource();
                let is_any = account.is_some_and(|account| self.end_sessions(account, resource, spare, out));
                // An account that is there and has no session is as it should be.
                let is_done = is_any || (account.is_some() && resource.is_none());
                Some(if is_done { Returned::Done } else { Returned::Refused(Condition::ItemNotFound) })
            }
            Call::Count { domain, which } => Some(Returned::Count(self.count_of(&domain, which))),
            Call::List { domain, which, max } => {
                let ids = self.accounts_of(&domain, which).take(max);
                Some(Returned::Accounts(ids.map(|id| self.shard.account(id).jid().clone()).collect()))
            }
            Call::Statistics(account) => Some(self.statistics(&account)),
            Call::Roster(account) => Some(self.roster_items(&account)),
            Call::Announce { domain, stanza } => {
                self.announce(&domain, stanza, out);
                Some(Returned::Done)
            }
        };
        if let Some(answer) = answer {
            self.return_call(from, id, answer, out);
        }
        self.settle(out);
    }

    fn return_call(&mut self, from: HomeId, id: CallId, returned: Returned, out: &mut Effects<ClientLink>) {
        if from == self.me {
            self.on_return(id, returned, out);
        } else {
            out.mail(from, Mail::Return { id, returned: Box::new(returned) });
        }
    }

    /// An account that is not temporary.
    fn registered(&self, account: &Jid) -> Result<AccountId, Condition> {
        let id = self.shard.find(account.as_str()).ok_or(Condition::ItemNotFound)?;
        if !self.can_save() {
            return Err(Condition::ResourceConstraint);
        }
        if self.shard.account(id).is_temporary() { Err(Condition::ItemNotFound) } else { Ok(id) }
    }

    /// Whether an account may be made or changed now is known before its password costs anything.
    fn begin_deriving(
        &mut self,
        (from, id): (HomeId, CallId),
        account: Jid,
        is_new: bool,
        password: Secret,
        out: &mut Effects<ClientLink>,
    ) -> Option<Returned> {
        let refusal = match self.registered(&account) {
            Ok(_) if is_new => Some(Condition::Conflict),
            Err(Condition::ItemNotFound) if is_new && self.shard.find(account.as_str()).is_some() => {
                Some(Condition::Conflict)
            }
            Err(Condition::ItemNotFound) if is_new => None,
            Ok(_) => None,
            Err(condition) => Some(condition),
        };
        // A store that cannot be reached would keep the answer waiting.
        let refusal = refusal
            .or_else(|| (!self.can_log_in() || !self.can_save()).then_some(Condition::ResourceConstraint));
        if let Some(condition) = refusal {
            return Some(Returned::Refused(condition));
        }
        let number = self.calls.next_number();
        let mut mechanisms = self.settings.mechanisms.clone();
        let is_salted =
            |mechanism: &Mechanism| matches!(mechanism, Mechanism::ScramSha1 | Mechanism::ScramSha256);
        if self.has_store() && !mechanisms.iter().any(is_salted) {
            // A proof for PLAIN is this process's own: a store keeps salted keys only.
            mechanisms.push(Mechanism::ScramSha256);
        }
        if self.has_store() && !self.settings.plain_proofs {
            // They outlive what is offered today.
            mechanisms = vec![Mechanism::ScramSha256, Mechanism::ScramSha1];
        }
        let salt = self.settings.salt(self.me.index(), number, account.as_str());
        let settings = Arc::clone(&self.settings);
        out.job(ServerJob::Derive(Box::new(Derive { number, password, mechanisms, salt, settings })));
        let step = Step::Deriving { account, is_new };
        self.calls.serving.insert(number, Serving { from, id, step });
        None
    }

    /// The keys of a password are there; none for one that SASLprep refuses (RFC 4013).
    pub(super) fn on_derived(
        &mut self,
        number: u64,
        credentials: Arc<Credentials>,
        out: &mut Effects<ClientLink>,
    ) {
        let Some(Serving { from, id, step: Step::Deriving { account, is_new } }) =
            self.calls.serving.remove(&number)
        else {
            return;
        };
        let result = if *credentials == Credentials::default() {
            Err(Condition::NotAcceptable)
        } else if is_new {
            // Somebody else may have been quicker.
            if self.add_new(account, credentials) { Ok(()) } else { Err(Condition::Conflict) }
        } else {
            self.registered(&account).map(|account| self.change_credentials(account, credentials))
        };
        match result {
            Ok(()) => self.return_when_safe(from, id, false, out),
            Err(condition) => self.return_call(from, id, Returned::Refused(condition), out),
        }
        self.settle(out);
    }

    /// Answers that it is done when everything is safe that has changed here, and with `elsewhere` what letters from here
    /// have changed at other homes.
    fn return_when_safe(&mut self, from: HomeId, id: CallId, elsewhere: bool, out: &mut Effects<ClientLink>) {
        if !self.has_store() {
            return self.return_call(from, id, Returned::Done, out);
        }
        self.settle(out);
        let number = self.calls.next_number();
        let others: Vec<_> = self.homes.iter().filter(|home| elsewhere && *home != self.me).collect();
        let step = Step::Saving { left: others.len() + 1 };
        self.calls.serving.insert(number, Serving { from, id, step });
        for home in others {
            out.mail(home, Mail::Sync { from: self.me, who: SyncFor::Call(number) });
        }
        self.tell_when_safe(Waiter::Here(SyncFor::Call(number)), out);
    }

    /// One of the stores that a call waits for is done.
    pub(super) fn on_call_safe(&mut self, number: u64, out: &mut Effects<ClientLink>) {
        let Some(Serving { step: Step::Saving { left }, .. }) = self.calls.serving.get_mut(&number) else {
            return;
        };
        *left -= 1;
        if *left > 0 {
            return;
        }
        if let Some(Serving { from, id, .. }) = self.calls.serving.remove(&number) {
            self.return_call(from, id, Returned::Done, out);
        }
    }

    fn statistics(&self, account: &Jid) -> Returned {
        match self.registered(account) {
            Ok(id) => Returned::Statistics {
                roster_size: self.shard.account(id).roster().len(),
                resources: self.shard.sessions_of(id).map(|(_, s)| s.resource().to_owned()).collect(),
            },
            Err(condition) => Returned::Refused(condition),
        }
    }

    fn roster_items(&self, account: &Jid) -> Returned {
        match self.registered(account) {
            Ok(id) => {
                let mut items = Vec::new();
                let roster = self.shard.account(id).roster();
                roster.items().take(COMMAND_LIST_MAX).for_each(|item| write_item(item, &mut items));
                Returned::Roster(String::from_utf8(items).expect("what is written is text"))
            }
            Err(condition) => Returned::Refused(condition),
        }
    }

    /// A copy for each available resource.
    /// Accounts of a domain: registered, and with a session.
    fn count_of(&self, domain: &str, which: Which) -> usize {
        match which {
            Which::Registered if self.is_only_domain(domain) => self.shard.registered_count(),
            Which::Online if self.is_only_domain(domain) => self.shard.online_count(),
            Which::Registered | Which::Online | Which::Active | Which::Idle => {
                self.accounts_of(domain, which).count()
            }
        }
    }

    fn accounts_of(&self, domain: &str, which: Which) -> impl Iterator<Item = AccountId> {
        let is_available = |id| self.shard.sessions_of(id).any(|(_, session)| session.available().is_some());
        self.shard.account_ids().filter(move |id| {
            let account = self.shard.account(*id);
            let is_online = account.session_count() > 0;
            let is_wanted = match which {
                Which::Registered => !account.is_temporary(),
                Which::Online => is_online,
                Which::Active => is_online && is_available(*id),
                Which::Idle => is_online && !is_available(*id),
            };
            is_wanted && account.jid().as_ref().domain() == domain
        })
    }

    fn announce(&mut self, domain: &str, stanza: Stanza, out: &mut Effects<ClientLink>) {
        let recipients = &mut self.scratch.recipients;
        let of_domain = |id: &AccountId| self.shard.account(*id).jid().as_ref().domain() == domain;
        for id in self.shard.account_ids().filter(of_domain) {
            let available = self.shard.sessions_of(id).filter(|(_, s)| s.available().is_some());
            recipients.extend(available.map(|(_, session)| {
                let Sink::Connection(conn) = session.sink();
                conn
            }));
        }
        self.deliver(stanza, Stamp::Bare, out);
    }
}

/// An announcement: a headline of the server itself (RFC 6121 §5.2.2), to whom it may concern.
pub(super) fn announcement(domain: &str, body: &str) -> Stanza {
    let mut bytes = b"<message type='headline'".to_vec();
    attr("from", domain, &mut bytes);
    bytes.extend_from_slice(b"><subject>Announcement</subject><body>");
    crate::xml::escape_text_into(body, &mut bytes);
    bytes.extend_from_slice(b"</body></message>");
    Stanza::from_own(Bytes::from(bytes))
}
