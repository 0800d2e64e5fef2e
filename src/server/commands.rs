//! XEP-0050: Ad-Hoc Commands: the frame in which commands are listed, executed and cancelled.
//!
//! What the commands do is `administration`'s. Each has one form at most, so "next" and "complete" are the same, and there is
//! nothing before it. Only administrators may execute any, and only they see the list.

use std::collections::VecDeque;

use super::administration::{COMMANDS, Command, NS_ADMIN, Running};
use super::calls::Purpose;
use super::forms::Submission;
use super::iq::{Extension, Request};
use super::world::ServerWorld;
use super::write::attr;
use crate::limits::COMMAND_SESSIONS_MAX;
use crate::stanza::{Condition, Jid, JidRef};
use crate::xml::Node;

pub(super) const NS: &str = "http://jabber.org/protocol/commands";

pub(super) const EXTENSION: Extension = Extension {
    name: "command",
    ns: NS,
    feature: Some(NS),
    for_server: Some(answer),
    for_account: Some(answer_own),
};

/// A form that an administrator has not filled in.
#[derive(Debug)]
struct Open {
    id: String,
    /// Full JID: a session is valid only between one requester and one responder (§3.3).
    asker: Jid,
    node: &'static str,
}

/// Commands under way at this home, oldest first.
#[derive(Debug, Default)]
pub(super) struct CommandSessions {
    begun: u64,
    open: VecDeque<Open>,
}

impl CommandSessions {
    pub(super) fn end(&mut self, id: &str) {
        self.open.retain(|open| open.id != id);
    }
}

/// What is to be done with a command (§4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Go,
    Execute,
    Previous,
    Cancel,
}

impl Action {
    fn parse(command: &Node<'_>) -> Option<Self> {
        match command.attr("action") {
            None | Some("execute") => Some(Self::Execute),
            Some("next" | "complete") => Some(Self::Go),
            Some("prev") => Some(Self::Previous),
            Some("cancel") => Some(Self::Cancel),
            Some(_) => None,
        }
    }
}

/// What may be done with a form (§3.4).
pub(super) const ACTIONS: &str = "<actions execute='complete'><next/><complete/></actions>";

/// Application conditions (§4.4).
const MALFORMED_ACTION: &str = "<malformed-action xmlns='http://jabber.org/protocol/commands'/>";
const BAD_ACTION: &str = "<bad-action xmlns='http://jabber.org/protocol/commands'/>";
pub(super) const BAD_PAYLOAD: &str = "<bad-payload xmlns='http://jabber.org/protocol/commands'/>";
const BAD_SESSION: &str = "<bad-sessionid xmlns='http://jabber.org/protocol/commands'/>";
const SESSION_EXPIRED: &str = "<session-expired xmlns='http://jabber.org/protocol/commands'/>";

/// An administrator may give commands to its domain by way of its own account, as test suites and some clients do.
fn answer_own(request: &mut Request<'_>) -> Result<(), Condition> {
    request.own_account().ok_or(Condition::ServiceUnavailable)?;
    answer(request)
}

fn answer(request: &mut Request<'_>) -> Result<(), Condition> {
    request.error.coded = true;
    if !request.is_set {
        return Err(Condition::BadRequest);
    }
    if !request.is_admin() {
        return Err(Condition::Forbidden);
    }
    let node = request.payload.attr("node").ok_or(Condition::BadRequest)?;
    // Clients find the session of an error by this (the XEP's examples have it, too).
    request.error.payload = reference(node, request.payload.attr("sessionid"));
    let command = find(node).ok_or_else(|| match node.strip_prefix(NS_ADMIN) {
        // XEP-0133 §5.
        Some(name) if name.starts_with('#') => Condition::FeatureNotImplemented,
        _ => Condition::ItemNotFound,
    })?;
    let Some(action) = Action::parse(request.payload) else {
        return Err(request.refuse(Condition::BadRequest, MALFORMED_ACTION));
    };
    let Some(id) = request.payload.attr("sessionid") else {
        if action != Action::Execute {
            return Err(request.refuse(Condition::BadRequest, BAD_SESSION));
        }
        return begin(request, command);
    };
    if !request
        .world
        .commands
        .open
        .iter()
        .any(|open| open.id == id && open.node == command.node && open.asker.as_ref() == request.asker)
    {
        return Err(match request.world.is_ours(id) {
            true => request.refuse(Condition::NotAllowed, SESSION_EXPIRED),
            false => request.refuse(Condition::BadRequest, BAD_SESSION),
        });
    }
    match action {
        Action::Go | Action::Execute => {
            let Some(form) = Submission::parse(request.payload, NS_ADMIN) else {
                return Err(request.refuse(Condition::BadRequest, BAD_PAYLOAD));
            };
            command.run(request, id.to_owned(), Some(&form))
        }
        Action::Previous => Err(request.refuse(Condition::BadRequest, BAD_ACTION)),
        Action::Cancel => {
            request.world.commands.end(id);
            let reply = element(command.node, id, "canceled", "");
            request.push(&reply);
            Ok(())
        }
    }
}

/// The first stage: a form, or the result of a command that needs none (§2.4).
fn begin(request: &mut Request<'_>, command: &'static Command) -> Result<(), Condition> {
    let world = &mut *request.world;
    world.commands.begun += 1;
    let id = world.session_id(command.name(), world.commands.begun);
    let Some(form) = command.form() else { return command.run(request, id, None) };
    let open = &mut world.commands.open;
    if open.len() >= COMMAND_SESSIONS_MAX {
        open.pop_front();
    }
    open.push_back(Open { id: id.clone(), asker: request.asker.to_jid(), node: command.node });
    let content = format!("{ACTIONS}{form}");
    let reply = element(command.node, &id, "executing", &content);
    request.push(&reply);
    Ok(())
}

/// A command of the server.
pub(super) fn find(node: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.node == node)
}

/// The command that an error is about.
pub(super) fn reference(node: &str, session: Option<&str>) -> String {
    let mut out = b"<command xmlns='http://jabber.org/protocol/commands'".to_vec();
    attr("node", node, &mut out);
    if let Some(session) = session {
        attr("sessionid", session, &mut out);
    }
    out.extend_from_slice(b"/>");
    String::from_utf8(out).expect("what is escaped is text")
}

pub(super) fn element(node: &str, id: &str, status: &str, content: &str) -> String {
    let mut out = b"<command xmlns='http://jabber.org/protocol/commands'".to_vec();
    attr("node", node, &mut out);
    attr("sessionid", id, &mut out);
    attr("status", status, &mut out);
    let mut text = String::from_utf8(out).expect("what is escaped is text");
    if content.is_empty() {
        text.push_str("/>");
    } else {
        text.push('>');
        text.push_str(content);
        text.push_str("</command>");
    }
    text
}

impl Request<'_> {
    /// Has the running command's calls made.
    pub(super) fn ask_for(
        &mut self,
        running: Running,
        calls: Vec<(crate::router::HomeId, super::calls::Call)>,
    ) -> Result<(), Condition> {
        self.ask(Purpose::Command(running), calls)
    }
}

impl ServerWorld {
    /// Whether this bare JID may give commands to a host: to its own.
    pub(super) fn is_admin(&self, bare: JidRef<'_>, host: &str) -> bool {
        bare.domain() == host && self.admins.iter().any(|admin| admin.as_ref() == bare)
    }

    /// A session's id, which no other session of this process has.
    fn session_id(&self, name: &str, number: u64) -> String {
        let home = self.me.index();
        let tag = self.settings.process_tag(&format!("command {name} {home} {number}"));
        format!("{name}:{home}-{number}-{tag}")
    }

    /// Whether a session's id was given out here once.
    fn is_ours(&self, id: &str) -> bool {
        let parts = || {
            let (name, rest) = id.split_once(':')?;
            let number = rest.split('-').nth(1)?.parse().ok()?;
            Some((name, number))
        };
        parts().is_some_and(|(name, number)| self.session_id(name, number) == id)
    }
}
