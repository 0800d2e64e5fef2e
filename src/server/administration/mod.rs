//! XEP-0133: Service Administration: what administrators may do with the server's accounts.
//!
//! The frame is XEP-0050's (`commands`), which has checked who asks. What is done to an account is done at its home
//! (`calls`). There is no "get user password": nobody knows one. Nor are there commands for what this server does not have:
//! disabled users, lists of blocked domains, messages of the day.

mod table;

use super::calls::{Call, Refusal, Returned, Secret, Which};
use super::client_task::ClientTask;
use super::commands::{ACTIONS, BAD_PAYLOAD, CommandSessions, element, reference};
use super::forms::{Form, Submission};
use super::iq::Request;
use super::register::new_account;
use super::serving::announcement;
use crate::limits::{COMMAND_LIST_MAX, PASSWORD_BYTES_MAX};
use crate::router::HomeId;
use crate::stanza::{Condition, Jid};
use crate::xml::escape_text_into;

use table::Kind;
pub(super) use table::{COMMANDS, Command};

pub(super) const NS_ADMIN: &str = "http://jabber.org/protocol/admin";

/// A command whose answers are awaited.
#[derive(Debug)]
pub(super) struct Running {
    kind: Kind,
    node: &'static str,
    session: String,
    /// The accounts that it is about, one for each answer; none if it is about all.
    accounts: Vec<Jid>,
    /// How many accounts a list may have.
    max: usize,
    /// What happens to the stream that asks, behind the result.
    pub(super) after: Option<ClientTask>,
}

impl Command {
    /// Has it done, as the form says if it has one.
    pub(super) fn run(
        &self,
        request: &mut Request<'_>,
        session: String,
        form: Option<&Submission>,
    ) -> Result<(), Condition> {
        let mut running =
            Running { kind: self.kind, node: self.node, session, accounts: Vec::new(), max: 0, after: None };
        let calls = match form.map(|form| read(request, form, &mut running)) {
            Some(Ok(calls)) => calls,
            Some(Err(Unusable::Refused(condition))) => return Err(condition),
            Some(Err(Unusable::Value(what))) => {
                // What people typed is for people to mend: the same form again, and what is wrong with it.
                let form = self.form().unwrap_or_default();
                let content = format!("{ACTIONS}{}{form}", note(&what));
                let reply = element(self.node, &running.session, "executing", &content);
                request.push(&reply);
                return Ok(());
            }
            None => {
                let Kind::Number(which) = self.kind else { unreachable!("all others have forms") };
                request.world.to_all_homes(&Call::Count { domain: request.host(), which })
            }
        };
        request.ask_for(running, calls)
    }
}

/// Why a form cannot be used.
#[derive(Debug)]
enum Unusable {
    /// A program has filled it in wrongly: something is missing.
    Refused(Condition),
    /// Somebody has typed what cannot be.
    Value(String),
}

impl Unusable {
    /// XEP-0050 §4.4.
    const fn payload(request: &mut Request<'_>) -> Self {
        Self::Refused(request.refuse(Condition::BadRequest, BAD_PAYLOAD))
    }
}

fn note(what: &str) -> String {
    let mut note = b"<note type='error'>".to_vec();
    escape_text_into(what, &mut note);
    note.extend_from_slice(b"</note>");
    String::from_utf8(note).expect("what is escaped is text")
}

/// What a filled-in form asks for.
fn read(
    request: &mut Request<'_>,
    form: &Submission,
    running: &mut Running,
) -> Result<Vec<(HomeId, Call)>, Unusable> {
    match running.kind {
        Kind::AddUser => read_new_user(request, form, running),
        Kind::ChangePassword => {
            let account = one(request, form)?;
            let password = password(request, form)?;
            let call = |account| Call::ChangePassword { account, password: password.clone() };
            Ok(for_each(request, running, vec![account], call))
        }
        Kind::DeleteUser => {
            // §4.2 has bare JIDs here; who names a resource means its account, too.
            let mut accounts: Vec<Jid> = some(request, form)?.iter().map(Jid::to_bare).collect();
            accounts.sort_unstable();
            accounts.dedup();
            let (asker, conn) = asker(request);
            running.after = accounts.contains(&asker).then_some(ClientTask::Removed);
            let call = |account| Call::Remove { spare: conn.filter(|_| account == asker), account };
            Ok(for_each(request, running, accounts, call))
        }
        Kind::EndSessions => {
            let addresses = some(request, form)?;
            let (asker, conn) = asker(request);
            let full = request.asker.to_jid();
            let is_own = |address: &Jid| *address == asker || *address == full;
            running.after = addresses.iter().any(is_own).then_some(ClientTask::Dismissed);
            let call = |address| Call::EndSessions { spare: conn.filter(|_| is_own(&address)), address };
            Ok(for_each(request, running, addresses, call))
        }
        Kind::Roster => {
            let accounts = some(request, form)?;
            Ok(for_each(request, running, accounts, |jid| Call::Roster(jid.to_bare())))
        }
        Kind::Statistics => {
            let account = one(request, form)?;
            Ok(for_each(request, running, vec![account], Call::Statistics))
        }
        Kind::List(which) => {
            running.max = max_items(form).ok_or_else(|| Unusable::payload(request))?;
            Ok(request.world.to_all_homes(&Call::List { domain: request.host(), which, max: running.max }))
        }
        Kind::Announce => {
            let lines: Vec<_> = form.multi("announcement").collect();
            if lines.is_empty() {
                return Err(Unusable::payload(request));
            }
            let domain = request.host();
            let stanza = announcement(&domain, &lines.join("\n"));
            Ok(request.world.to_all_homes(&Call::Announce { domain, stanza }))
        }
        Kind::Number(which) => Ok(request.world.to_all_homes(&Call::Count { domain: request.host(), which })),
    }
}

/// §4.1. The name is read as it was written: a new one has to mean the same to every server.
fn read_new_user(
    request: &mut Request<'_>,
    form: &Submission,
    running: &mut Running,
) -> Result<Vec<(HomeId, Call)>, Unusable> {
    let account = one(request, form)?;
    let name = form.single("accountjid").and_then(|jid| jid.split_once('@')).map_or("", |(name, _)| name);
    let account = new_account(name, account.as_ref().domain())
        .map_err(|_| Unusable::Value(format!("servers would take {account} for different names")))?;
    let password = password(request, form)?;
    if form.single("password-verify").is_some_and(|verify| verify != password.as_str()) {
        return Err(Unusable::Value("the two passwords are not the same".to_owned()));
    }
    let call = |account| Call::Add { account, password: password.clone() };
    Ok(for_each(request, running, vec![account], call))
}

/// One call for each account, at its home.
fn for_each(
    request: &Request<'_>,
    running: &mut Running,
    accounts: Vec<Jid>,
    call: impl Fn(Jid) -> Call,
) -> Vec<(HomeId, Call)> {
    let homes = &request.world.homes;
    let of = |account: &Jid| homes.of(account.as_ref().bare().as_str());
    let calls = accounts.iter().map(|account| (of(account), call(account.clone()))).collect();
    running.accounts = accounts;
    calls
}

fn asker(request: &Request<'_>) -> (Jid, Option<crate::engine::ConnId>) {
    (request.asker.bare().to_jid(), request.origin.map(|origin| origin.conn))
}

/// The account in `accountjid`: a bare JID of the domain that is asked. Some clients write it as a list of one.
fn one(request: &mut Request<'_>, form: &Submission) -> Result<Jid, Unusable> {
    let mut listed = form.multi("accountjids");
    let text = form.single("accountjid").or_else(|| listed.next().filter(|_| listed.next().is_none()));
    let Some(text) = text else { return Err(Unusable::payload(request)) };
    match local(request, text)? {
        jid if jid.as_ref().is_bare() => Ok(jid),
        jid => Err(Unusable::Value(format!("{jid} is a resource, not an account"))),
    }
}

/// The addresses in `accountjids`, each once.
fn some(request: &mut Request<'_>, form: &Submission) -> Result<Vec<Jid>, Unusable> {
    let mut accounts: Vec<Jid> = Vec::new();
    for text in form.multi("accountjids") {
        let jid = local(request, text)?;
        if !accounts.contains(&jid) {
            accounts.push(jid);
        }
    }
    if accounts.is_empty() {
        return Err(Unusable::payload(request));
    }
    Ok(accounts)
}

/// An address of the domain that is asked; others are none of its.
fn local(request: &Request<'_>, text: &str) -> Result<Jid, Unusable> {
    let host = request.host();
    match Jid::parse(text).ok().filter(|jid| jid.as_ref().local().is_some()) {
        None => Err(Unusable::Value(format!("{text} is no account's address"))),
        Some(jid) if jid.as_ref().domain() != host => {
            Err(Unusable::Value(format!("{jid} is not an account of {host}")))
        }
        Some(jid) => Ok(jid),
    }
}

fn password(request: &mut Request<'_>, form: &Submission) -> Result<Secret, Unusable> {
    let password = form.single("password").filter(|password| password.len() <= PASSWORD_BYTES_MAX);
    match password {
        Some(password) => Ok(Secret::new(password.to_owned())),
        None => Err(Unusable::payload(request)),
    }
}

/// How many items a list may have; `None`: that is no number.
fn max_items(form: &Submission) -> Option<usize> {
    match form.single("max_items") {
        None => Some(COMMAND_LIST_MAX),
        Some(none) if none.eq_ignore_ascii_case("none") => Some(COMMAND_LIST_MAX),
        Some(number) => number.parse().ok().map(|number: usize| number.min(COMMAND_LIST_MAX)),
    }
}

/// What a command answers when all that it asked for is answered. One that fails leaves its session, so that the form can be
/// filled in again; one that fails for some accounts of several is completed and says for which (XEP-0050 §3.6).
pub(super) fn outcome(
    running: Running,
    answers: Vec<Returned>,
    sessions: &mut CommandSessions,
) -> Result<String, Refusal> {
    let refused: Vec<_> = answers
        .iter()
        .zip(&running.accounts)
        .filter_map(|(answer, account)| match answer {
            Returned::Refused(condition) => Some((account, *condition)),
            Returned::Done
            | Returned::Count(_)
            | Returned::Accounts(_)
            | Returned::Statistics { .. }
            | Returned::Roster(_) => None,
        })
        .collect();
    if let [(_, condition), ..] = refused[..]
        && refused.len() == answers.len()
    {
        let payload = reference(running.node, Some(&running.session));
        return Err(Refusal { payload, ..Refusal::from(condition) });
    }
    let mut content = String::new();
    for (account, condition) in refused {
        content.push_str(&note(&format!("{account}: {condition}")));
    }
    content.push_str(&data(&running, answers));
    sessions.end(&running.session);
    Ok(element(running.node, &running.session, "completed", &content))
}

/// The data form of a result, if the command has one.
fn data(running: &Running, answers: Vec<Returned>) -> String {
    let mut form = Form::result(NS_ADMIN);
    match running.kind {
        Kind::AddUser | Kind::DeleteUser | Kind::EndSessions | Kind::ChangePassword | Kind::Announce => {
            return String::new();
        }
        Kind::Number(which) => {
            let var = match which {
                Which::Registered => "registeredusersnum",
                Which::Online => "onlineusersnum",
                Which::Active => "activeusersnum",
                Which::Idle => "idleusersnum",
            };
            form.field(var, "text-single", [counted(&answers).to_string()]);
        }
        Kind::List(which) => {
            let var = match which {
                Which::Registered => "registereduserjids",
                Which::Online => "onlineuserjids",
                // §4.22 has no name of its own for idle ones.
                Which::Active | Which::Idle => "activeuserjids",
            };
            form.field(var, "jid-multi", listed(answers, running.max));
        }
        Kind::Statistics => {
            for answer in answers {
                if let Returned::Statistics { roster_size, resources } = answer {
                    form.field("rostersize", "text-single", [roster_size.to_string()]);
                    form.field("onlineresources", "text-multi", resources);
                }
            }
        }
        Kind::Roster => {
            form.field("accountjids", "jid-multi", running.accounts.iter().map(Jid::as_str));
            for answer in answers {
                if let Returned::Roster(items) = answer {
                    form.xml("<query xmlns='jabber:iq:roster'>").xml(&items).xml("</query>");
                }
            }
        }
    }
    form.close()
}

fn counted(answers: &[Returned]) -> usize {
    let counts = answers.iter().map(|answer| match answer {
        Returned::Count(count) => *count,
        Returned::Done
        | Returned::Refused(_)
        | Returned::Accounts(_)
        | Returned::Statistics { .. }
        | Returned::Roster(_) => 0,
    });
    counts.sum()
}

/// By address, so that the same accounts are the same list however many homes there are.
fn listed(answers: Vec<Returned>, max: usize) -> Vec<String> {
    let mut jids: Vec<String> = Vec::new();
    for answer in answers {
        if let Returned::Accounts(accounts) = answer {
            jids.extend(accounts.iter().map(|account| account.as_str().to_owned()));
        }
    }
    jids.sort_unstable();
    jids.truncate(max);
    jids
}
