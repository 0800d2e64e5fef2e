//! What the server has acknowledged is safe (XEP-0198 §4): a message for who is away is in the store when the
//! acknowledgement comes.
//!
//! Only accounts that nobody uses are looked at: what is there was put there, and nothing was taken.

use xmpp_bench::store::AccountRecord;

use super::device::Devices;
use super::resumption::AWAY;
use super::rig::bare;

/// Every message for an account that is away is in its store when it is acknowledged, once, in order.
pub(crate) fn check(world: &Devices, records: &[AccountRecord]) -> Result<(), String> {
    for account in AWAY.map(bare) {
        let record = records.iter().find(|record| record.account.as_str() == account);
        let kept = &record.ok_or_else(|| format!("the store has no {account}"))?.offline;
        let kept: Vec<&str> = kept.iter().map(|message| id_of(&message.stanza)).collect();
        for (number, session) in world.sessions.iter().enumerate() {
            let is_for = |id: &usize| session.sent[*id].stanza.attr("to") == Some(&account);
            let all: Vec<usize> = (0..session.sent.len()).filter(is_for).collect();
            let confirmed = all.iter().filter(|sent| **sent < session.confirmed).count();
            let all: Vec<&str> = all.iter().map(|sent| session.sent[*sent].id.as_str()).collect();
            let own: Vec<&str> = kept.iter().copied().filter(|id| all.contains(id)).collect();
            if own.len() < confirmed || !all.starts_with(&own) {
                return Err(format!(
                    "of session {number} {account} has {own:?} of {all:?}, of which {confirmed} are acknowledged"
                ));
            }
        }
    }
    Ok(())
}

/// Everybody has got what had waited, and said so: nothing is kept any more.
pub(crate) fn check_emptied(records: &[AccountRecord]) -> Result<(), String> {
    match records.iter().find(|record| !record.offline.is_empty()) {
        Some(record) => Err(format!("{} would get its messages again", record.account.as_str())),
        None => Ok(()),
    }
}

fn id_of(stanza: &str) -> &str {
    stanza.split(" id='").nth(1).and_then(|rest| rest.split('\'').next()).unwrap_or_default()
}
