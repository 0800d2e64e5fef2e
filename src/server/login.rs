//! Which account a stream logs in to, from the moment in which it is named until a resource is bound.
//!
//! Mechanisms and passwords are `stream`'s. A name may be another's account by the time that its login is used: it is removed
//! and registered again. So a login remembers the credentials that it was checked against, which no other account shares, and
//! a new password replaces.

use std::sync::Arc;

use super::client_link::{ClientCx, Negotiating};
use super::world::ServerWorld;
use crate::engine::Timer;
use crate::limits::{FRAMER_AFTER_AUTH, NEGOTIATION_MAX};
use crate::router::AccountId;
use crate::stanza::Jid;
use crate::stream::{Account, Credentials, ServerNegotiation, ServerStep, StreamCondition, StreamError};

/// What is to be done for a client when it has come to its account's home.
#[derive(Debug)]
pub(super) enum Journey {
    /// It has named its account and not been checked.
    Login(Jid),
    /// It is anonymous, and gets this account.
    Temporary(Jid),
}

/// What a stream's login was checked against; `None` for none, and for an anonymous one.
pub(super) type Checked = Option<Arc<Credentials>>;

/// Goes on with a login whose account has been named, at its home.
pub(super) fn check(
    (stream, checked): (&mut ServerNegotiation, &mut Checked),
    account: &Jid,
    bytes: &mut Vec<u8>,
    cx: &mut ClientCx<'_>,
) -> Result<ServerStep, StreamError> {
    let account = cx.world.login_account(account.as_str());
    *checked = match &account {
        Account::Known(credentials) => Some(Arc::clone(credentials)),
        Account::Unknown | Account::Unavailable => None,
    };
    stream.handle_account(account, bytes, cx.rng)
}

/// The client has authenticated, as a guest perhaps, who gets this account here or at its home.
pub(super) fn authenticated(
    guest: Option<(Jid, &mut Option<Journey>, &mut Option<AccountId>)>,
    has_registered: bool,
    cx: &mut ClientCx<'_>,
) -> Result<(), StreamError> {
    cx.restart_stream();
    cx.set_framer_limits(FRAMER_AFTER_AUTH);
    if has_registered {
        // It has no reason to stay any more before it binds.
        cx.set_timer(Timer::Negotiation, cx.now + NEGOTIATION_MAX);
    }
    let Some((account, journey, temporary)) = guest else { return Ok(()) };
    if let Some(home) = cx.world.other_home(account.as_str()) {
        *journey = Some(Journey::Temporary(account));
        cx.move_to(home);
    } else {
        *temporary = Some(make_temporary(&account, cx)?);
    }
    Ok(())
}

/// The account of a stream that has authenticated.
///
/// # Errors
/// `not-authorized`: it was removed meanwhile, or has another password.
pub(super) fn account_of(
    stream: &ServerNegotiation,
    checked: &Checked,
    world: &ServerWorld,
) -> Result<Jid, StreamError> {
    let account = stream.account().expect("the rest follows authentication");
    if world.is_still(account, checked) {
        Ok(account.clone())
    } else {
        let error = StreamError::us(StreamCondition::NotAuthorized);
        Err(error.with_text("the account was removed or has another password"))
    }
}

/// Goes on with a client that has come to its account's home.
pub(super) fn arrive(
    negotiating: &mut Negotiating,
    bytes: &mut Vec<u8>,
    cx: &mut ClientCx<'_>,
) -> Result<ServerStep, StreamError> {
    match negotiating.journey.take() {
        Some(Journey::Login(account)) => {
            check((&mut negotiating.stream, &mut negotiating.checked), &account, bytes, cx)
        }
        Some(Journey::Temporary(account)) => {
            negotiating.temporary = Some(make_temporary(&account, cx)?);
            Ok(ServerStep::Continue)
        }
        None => Ok(ServerStep::Continue),
    }
}

/// The account of an anonymous client.
fn make_temporary(account: &Jid, cx: &mut ClientCx<'_>) -> Result<AccountId, StreamError> {
    let made = cx.world.add_temporary(account);
    made.ok_or_else(|| StreamError::us(StreamCondition::InternalServerError))
}

impl ServerWorld {
    /// Whether an account is the one that a login was checked against.
    pub(super) fn is_still(&self, account: &Jid, checked: &Checked) -> bool {
        let Some(id) = self.shard.find(account.as_str()) else { return false };
        match (&self.credentials[id.index()], checked) {
            (Some(now), Some(then)) => Arc::ptr_eq(now, then),
            (None, None) => self.shard.account(id).is_temporary(),
            (Some(_), None) | (None, Some(_)) => false,
        }
    }
}
