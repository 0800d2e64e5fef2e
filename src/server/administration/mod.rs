//! XEP-0133: Service Administration: what administrators may do with the server's accounts.
//!
//! The frame is XEP-0050's (`commands`), which has checked who asks. What is done to an account is done at its home
//! (`calls`). There is no "get user password": nobody knows one. Nor are there commands for what this server does not have:
//! disabled users, lists of blocked domains, messages of the day.

mod table;

use super::calls::{Call, Refusal, Returned, Secret};
use super::client_task::ClientTask;
use super::commands::{BAD_PAYLOAD, CommandSessions, element, reference};
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
        let calls = match form {
            Some(form) => read(request, form, &mut running)?,
            None => request.world.to_all_homes(&Call::Count { domain: request.host() }),
        };
        request.ask_for(running, calls)
    }
}

/// What a filled-in form asks for.
fn read(
    request: &mut Request<'_>,
    form: &Submission,
    running: &mut Running,
) -> Result<Vec<(HomeId, Call)>, Condition> {
    match running.kind {
        Kind::AddUser => read_new_user(request, form, running),
        Kind::ChangePassword => {
            let account = one(request, form)?;
            let password = password(request, form)?;
            let call = |account| Call::ChangePassword { account, password: password.clone() };
            Ok(for_each(request, running, vec![account], call))
        }
        Kind::DeleteUser => {
            let accounts = some(request, form)?;
            if accounts.iter().any(|account| !account.as_ref().is_bare()) {
                return Err(request.refuse(Condition::BadRequest, BAD_PAYLOAD));
            }
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
        Kind::RegisteredList | Kind::OnlineList => {
            running.max =
                max_items(form).ok_or_else(|| request.refuse(Condition::BadRequest, BAD_PAYLOAD))?;
            let online = running.kind == Kind::OnlineList;
            Ok(request.world.to_all_homes(&Call::List { domain: request.host(), online, max: running.max }))
        }
        Kind::Announce => {
            let lines: Vec<_> = form.multi("announcement").collect();
            if lines.is_empty() {
                return Err(request.refuse(Condition::BadRequest, BAD_PAYLOAD));
            }
            let domain = request.host();
            let stanza = announcement(&domain, &lines.join("\n"));
            Ok(request.world.to_all_homes(&Call::Announce { domain, stanza }))
        }
        Kind::RegisteredNumber | Kind::OnlineNumber => {
            Ok(request.world.to_all_homes(&Call::Count { domain: request.host() }))
        }
    }
}

/// §4.1. The name is read as it was written: a new one has to mean the same to every server.
fn read_new_user(
    request: &mut Request<'_>,
    form: &Submission,
    running: &mut Running,
) -> Result<Vec<(HomeId, Call)>, Condition> {
    let account = one(request, form)?;
    let name = form.single("accountjid").and_then(|jid| jid.split_once('@')).map_or("", |(name, _)| name);
    let account = new_account(name, account.as_ref().domain())?;
    let password = password(request, form)?;
    if form.single("password-verify").is_some_and(|verify| verify != password.as_str()) {
        return Err(request.refuse(Condition::BadRequest, BAD_PAYLOAD));
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

/// The account in `accountjid`: a bare JID of the domain that is asked.
fn one(request: &mut Request<'_>, form: &Submission) -> Result<Jid, Condition> {
    let jid = form.single("accountjid").and_then(|text| Jid::parse(text).ok());
    match jid.filter(|jid| jid.as_ref().is_bare() && jid.as_ref().local().is_some()) {
        Some(jid) => local(request, jid),
        None => Err(request.refuse(Condition::BadRequest, BAD_PAYLOAD)),
    }
}

/// The addresses in `accountjids`, each once.
fn some(request: &mut Request<'_>, form: &Submission) -> Result<Vec<Jid>, Condition> {
    let mut accounts: Vec<Jid> = Vec::new();
    for text in form.multi("accountjids") {
        let jid = Jid::parse(text).ok().filter(|jid| jid.as_ref().local().is_some());
        let Some(jid) = jid else { return Err(request.refuse(Condition::BadRequest, BAD_PAYLOAD)) };
        let jid = local(request, jid)?;
        if !accounts.contains(&jid) {
            accounts.push(jid);
        }
    }
    if accounts.is_empty() {
        return Err(request.refuse(Condition::BadRequest, BAD_PAYLOAD));
    }
    Ok(accounts)
}

/// An account of another domain is none of the one that is asked.
fn local(request: &Request<'_>, jid: Jid) -> Result<Jid, Condition> {
    if jid.as_ref().domain() == request.host() { Ok(jid) } else { Err(Condition::ItemNotFound) }
}

fn password(request: &mut Request<'_>, form: &Submission) -> Result<Secret, Condition> {
    let password = form.single("password").filter(|password| password.len() <= PASSWORD_BYTES_MAX);
    match password {
        Some(password) => Ok(Secret::new(password.to_owned())),
        None => Err(request.refuse(Condition::BadRequest, BAD_PAYLOAD)),
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
            | Returned::Count { .. }
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
        let mut note = b"<note type='error'>".to_vec();
        escape_text_into(&format!("{account}: {condition}"), &mut note);
        note.extend_from_slice(b"</note>");
        content.push_str(std::str::from_utf8(&note).expect("what is escaped is text"));
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
        Kind::RegisteredNumber => {
            form.field("registeredusersnum", "text-single", [counted(&answers, |all, _| all)]);
        }
        Kind::OnlineNumber => {
            form.field("onlineusersnum", "text-single", [counted(&answers, |_, online| online)]);
        }
        Kind::RegisteredList => {
            form.field("registereduserjids", "jid-multi", listed(answers, running.max));
        }
        Kind::OnlineList => {
            form.field("onlineuserjids", "jid-multi", listed(answers, running.max));
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

fn counted(answers: &[Returned], which: fn(usize, usize) -> usize) -> String {
    let counts = answers.iter().map(|answer| match answer {
        Returned::Count { registered, online } => which(*registered, *online),
        Returned::Done
        | Returned::Refused(_)
        | Returned::Accounts(_)
        | Returned::Statistics { .. }
        | Returned::Roster(_) => 0,
    });
    counts.sum::<usize>().to_string()
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
