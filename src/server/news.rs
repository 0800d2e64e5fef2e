//! What the operator changes from outside while the server runs: `xmpp-bench user`, beside the store.
//!
//! It is in the store already. Every home hears all news and does what concerns its own accounts.

use std::sync::Arc;

use super::client_link::ClientLink;
use super::world::ServerWorld;
use crate::engine::Effects;
use crate::stanza::Jid;
use crate::stream::Credentials;

/// What happened to an account.
#[derive(Debug, Clone)]
pub enum AccountNews {
    /// It is there, with these credentials; whatever else it has stays.
    Put {
        /// Bare JID.
        account: Jid,
        /// What logins are checked against from now on.
        credentials: Arc<Credentials>,
    },
    /// It is gone.
    Removed {
        /// Bare JID.
        account: Jid,
    },
}

/// All that happened since the last news, in order.
#[derive(Debug, Clone)]
pub struct ServerNews(pub Vec<AccountNews>);

impl ServerWorld {
    /// Everything is saved once more, all at once: what this home had saved meanwhile, not knowing, may be in between.
    pub(super) fn receive_news(&mut self, news: ServerNews, out: &mut Effects<ClientLink>) {
        if self.is_stopping() {
            // It is in the store: the next process knows.
            return;
        }
        for news in news.0 {
            let (AccountNews::Put { account, .. } | AccountNews::Removed { account }) = &news;
            let known = self.shard.find(account.as_str());
            let is_temporary = known.is_some_and(|id| self.shard.account(id).is_temporary());
            if is_temporary || !self.is_home_of(account) {
                continue;
            }
            match (news, known) {
                (AccountNews::Put { credentials, .. }, Some(id)) => self.change_credentials(id, credentials),
                (AccountNews::Put { account, credentials }, None) => {
                    assert!(self.add_new(account, credentials), "it was not there");
                }
                (AccountNews::Removed { .. }, Some(id)) => self.remove_account(id, None, out),
                (AccountNews::Removed { .. }, None) => {}
            }
        }
        self.settle(out);
    }

    fn is_home_of(&self, account: &Jid) -> bool {
        self.is_local(account.as_ref().domain()) && self.other_home(account.as_str()).is_none()
    }
}
