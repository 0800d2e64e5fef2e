//! What the operator changes from outside.

use std::sync::Arc;

use super::rig::Rig;
use crate::engine::World;
use crate::server::{AccountNews, ServerNews};
use crate::stanza::Jid;
use crate::stream::{Account, Credentials, Mechanism};
use crate::time::Nanos;

fn credentials(password: &str) -> Arc<Credentials> {
    Arc::new(Credentials::derive(password, &[Mechanism::ScramSha1], b"salt", 1, &[0; 32]))
}

fn jid(text: &str) -> Jid {
    Jid::parse(text).unwrap()
}

impl Rig {
    fn news(&mut self, news: Vec<AccountNews>) {
        self.call(|world, effects| world.on_news(ServerNews(news), Nanos::ZERO, effects));
    }
}

#[test]
fn news_are_about_local_accounts_and_may_come_twice() {
    let mut rig = Rig::new();
    let store = rig.with_store();
    let put =
        |name: &str, password| AccountNews::Put { account: jid(name), credentials: credentials(password) };
    let removed = |name: &str| AccountNews::Removed { account: jid(name) };
    rig.news(vec![put("new@d", "a"), put("new@d", "b"), put("new@elsewhere", "c"), removed("none@d")]);
    rig.news(vec![removed("new@d"), put("new@d", "b"), removed("romeo@d"), removed("romeo@d")]);
    while rig.finish_save() {}
    let accounts = store.accounts();
    assert_eq!(accounts.len(), 1, "{accounts:?}");
    assert_eq!((accounts[0].account.as_str(), &accounts[0].credentials), ("new@d", &credentials("b")));
    assert!(matches!(rig.world.login_account("new@d"), Account::Known(known) if known == credentials("b")));
    assert!(matches!(rig.world.login_account("romeo@d"), Account::Unknown));
}
