//! What each client knows of others' presence, held against how they are, when the network is quiet.
//!
//! Rosters are `copies`'s.

use std::collections::BTreeMap;

use xmpp_bench::time::Nanos;

use super::actor::Stage;
use super::ledger::Ledger;
use super::rig::bare;
use super::words::bare_of;

impl Ledger {
    /// What an available resource knows last of each contact's resource is how it is.
    pub(crate) fn check_presence(&self, stage: &Stage) -> Result<(), String> {
        for (me, client) in stage.clients.iter().enumerate().filter(|(_, c)| c.is_bound()) {
            let said = &self.lives[me].said;
            if said.last().is_none_or(|s| s.priority.is_none()) {
                continue;
            }
            let known = self.known_presence(stage, me);
            for (other, contact) in stage.clients.iter().enumerate().filter(|(_, c)| c.is_bound()) {
                let jid = contact.jid().expect("it is bound");
                let (asker, asked) = (client.login.account, contact.login.account);
                if self.directs(other, asker) {
                    continue;
                }
                let last = known.get(jid).copied().flatten();
                let is_shown = self.copies.shows(asked, asker) != Some(false);
                if !is_shown && last.is_some() && !self.is_excused(stage, me, jid) {
                    return Err(format!("client {me} knows {jid} by presence {last:?}, and must not see it"));
                }
                // Who shows itself without being asked for was seen only by who was there.
                if self.copies.sees(asker, asked) != Some(true) {
                    continue;
                }
                let is =
                    self.lives[other].said.last().filter(|s| s.priority.is_some()).map(|s| s.id.as_str());
                if last != is && !(is.is_none() && self.is_excused(stage, me, jid)) {
                    return Err(format!("client {me} knows {jid} by presence {last:?}, and it is {is:?}"));
                }
            }
            let ghost = known.iter().find(|(jid, last)| {
                let is_held = stage.clients.iter().any(|c| c.is_bound() && c.jid() == Some(jid));
                last.is_some() && !is_held && !self.is_excused(stage, me, jid)
            });
            if let Some((jid, last)) = ghost {
                return Err(format!("client {me} thinks that {jid} is there ({last:?}), and it has gone"));
            }
        }
        Ok(())
    }

    fn directs(&self, client: usize, account: usize) -> bool {
        self.lives[client].directed.iter().any(|(to, _)| bare_of(to) == bare(account))
    }

    /// Who got directed presence hears of the end, unless its own account was seen to go in between.
    fn is_excused(&self, stage: &Stage, me: usize, jid: &str) -> bool {
        let own = stage.clients[me].jid().unwrap_or_default();
        let account = stage.clients[me].login.account;
        let holders = (0..stage.clients.len()).filter(|c| stage.clients[*c].jid() == Some(jid));
        let goes = |(to, _): &(String, Nanos)| bare_of(to) == bare_of(jid);
        let life = &self.lives[me];
        // Directed presence of its own may have said so as well.
        let has_gone = life.said.iter().any(|s| s.priority.is_none()) || life.directed.iter().any(goes);
        // And so does the end of a subscription.
        let has_gone = has_gone || self.partings.contains(&(bare(account), bare_of(jid).to_owned()));
        let first = self.lives[me].said.first().map(|s| s.id.as_str());
        let echo = stage.got.iter().find(|g| g.client == me && g.attr("id") == first && g.name == "presence");
        holders.flat_map(|c| &self.lives[c].directed).any(|(to, at)| {
            let to_all = *to == bare(account);
            to_all || (to == own && (has_gone || echo.is_none_or(|echo| echo.at > *at)))
        })
    }

    /// By full address: the id of the last presence that `me` got, `None` if it was unavailable. It forgets when it goes,
    /// and listens to nobody until it is back: answers to its last question may still be under way.
    fn known_presence<'a>(&self, stage: &'a Stage, me: usize) -> BTreeMap<&'a str, Option<&'a str>> {
        let own = stage.clients[me].jid();
        let mut known = BTreeMap::new();
        let mut listens = false;
        for got in stage.got.iter().filter(|g| g.client == me && g.name == "presence") {
            let Some(from) = got.attr("from").filter(|from| from.contains('/')) else { continue };
            let (got_type, id) = (got.attr("type"), got.attr("id"));
            let is_said = self.lives[me].said.iter().any(|s| Some(s.id.as_str()) == id);
            if Some(from) == own && is_said {
                listens = got_type.is_none();
                if !listens {
                    known.clear();
                }
            }
            match (got_type, id) {
                (Some("unavailable"), _) if listens => drop(known.insert(from, None)),
                (None, Some(id)) if listens => drop(known.insert(from, Some(id))),
                // Answers to probes of a resource say no more than that it is there.
                _ => {}
            }
        }
        known
    }
}
