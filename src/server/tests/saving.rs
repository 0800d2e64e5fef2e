//! What changes is saved, and answers wait for it.

use std::sync::Arc;

use super::rig::{Rig, attr, is_error, summaries};
use crate::router::Subscription;
use crate::server::{ServerConfig, ServerWorld};
use crate::store::AccountRecord;
use crate::stream::Mechanism;

const PING: &str = "<iq type='get' id='p' to='d'><ping xmlns='urn:xmpp:ping'/></iq>";

fn record<'r>(records: &'r [AccountRecord], account: &str) -> &'r AccountRecord {
    records.iter().find(|record| record.account.as_str() == account).unwrap()
}

/// Accounts that are made while there is a store.
fn with_accounts() -> (Rig, Arc<crate::store::MemoryStore>) {
    let mut rig = Rig::new();
    let store = rig.with_store();
    for name in ["a", "b"] {
        rig.add_account(name, &[]);
    }
    // The first call that ends sends what was made.
    let a = rig.login("a@d/r");
    while rig.finish_save() {}
    rig.close(a);
    while rig.finish_save() {}
    rig.clear();
    (rig, store)
}

#[test]
fn answers_wait_until_what_came_before_is_safe_and_only_they() {
    let (mut rig, store) = with_accounts();
    let (a, other) = (rig.login("a@d/r"), rig.login("romeo@d/r"));
    rig.send(a, PING);
    assert_eq!(attr(&rig.one(a), "id").as_deref(), Some("p"), "nothing was changed");
    rig.send(a, "<message to='b@d' id='1'><body>x</body></message>");
    rig.send(a, PING);
    rig.nothing(a);
    rig.send(other, PING);
    rig.one(other);
    rig.send(other, "<message to='a@d'/>");
    assert!(rig.one(a).starts_with("<message"), "deliveries do not wait");
    assert_eq!(record(&store.accounts(), "b@d").offline.len(), 0);
    assert!(rig.finish_save());
    assert_eq!(attr(&rig.one(a), "id").as_deref(), Some("p"));
    let accounts = store.accounts();
    assert!(record(&accounts, "b@d").offline[0].stanza.contains(" id='1'"));
    assert!(!rig.finish_save());
}

#[test]
fn what_changes_while_the_store_is_busy_goes_with_the_next_job() {
    let (mut rig, store) = with_accounts();
    let a = rig.login("a@d/r");
    for id in 0..10 {
        rig.send(a, &format!("<message to='b@d' id='{id}'/>"));
    }
    rig.send(a, PING);
    assert!(rig.finish_save(), "the first alone");
    assert_eq!(record(&store.accounts(), "b@d").offline.len(), 1);
    rig.nothing(a);
    assert!(rig.finish_save(), "the others together");
    assert_eq!(record(&store.accounts(), "b@d").offline.len(), 10);
    rig.one(a);
    assert!(!rig.finish_save());
}

#[test]
fn a_server_that_starts_again_has_everything() {
    let (mut rig, store) = with_accounts();
    let (a, b) = (rig.login_interested("a@d/r"), rig.login_interested("b@d/r"));
    rig.send(a, "<iq type='set' id='s'><query xmlns='jabber:iq:roster'><item jid='c@d' name='C'><group>x</group><group>y</group></item></query></iq>");
    rig.send(a, "<presence type='subscribe' to='b@d'/>");
    rig.send(b, "<presence type='subscribed' to='a@d'/>");
    rig.send(a, "<presence type='subscribed' to='c@d'/>");
    rig.send(a, "<presence type='subscribe' to='romeo@d'><status>please</status></presence>");
    rig.send(b, "<presence type='subscribe' to='a@d'><status>hello</status></presence>");
    rig.send(a, "<iq type='set' id='s'><query xmlns='jabber:iq:roster'><item jid='x@d'/></query></iq>");
    rig.send(a, "<iq type='set' id='s'><query xmlns='jabber:iq:roster'><item jid='x@d' subscription='remove'/></query></iq>");
    rig.close(b);
    rig.send(a, "<message to='b@d' id='1'><body>&amp;</body></message>");
    rig.send(a, "<message to='b@d' id='2'/>");
    let before = roster(&mut rig, a);
    while rig.finish_save() {}

    let config = ServerConfig::new("d", vec![Mechanism::Plain], [0; 32]);
    let mut homes = ServerWorld::homes(config, 1);
    assert_eq!(ServerWorld::load_homes(&mut homes, store.accounts()).unwrap(), 2);
    rig.restart(homes.pop().unwrap());
    let (a, b) = (rig.connect("a@d/r"), rig.connect("b@d/r"));
    assert_eq!(roster(&mut rig, a), before);
    assert_eq!(rig.state("a@d", "b@d"), Subscription::ToPendingIn);
    rig.send(a, "<presence/>");
    let received = rig.received(a);
    assert!(received.iter().any(|s| s.contains("<status>hello</status>")), "{received:?}");
    rig.send(b, "<presence/>");
    let received = rig.received(b);
    let messages: Vec<_> = received.iter().filter(|s| s.starts_with("<message")).cloned().collect();
    assert_eq!(summaries(&messages), ["a@d/r b@d -", "a@d/r b@d -"]);
    assert!(messages[0].contains("<body>&amp;</body><delay "), "{messages:?}");
    rig.send(b, "<presence type='unavailable'/>");
    rig.send(a, "<message to='b@d' id='3'/>");
    rig.clear();
    rig.send(b, "<presence/>");
    let received = rig.received(b);
    assert!(received.iter().any(|s| attr(s, "id").as_deref() == Some("3")), "{received:?}");
}

/// The items of the answer to a roster request.
fn roster(rig: &mut Rig, who: usize) -> String {
    while rig.finish_save() {}
    rig.clear();
    rig.send(who, "<iq type='get' id='g'><query xmlns='jabber:iq:roster'/></iq>");
    let roster = rig.one(who);
    roster[roster.find("<item").unwrap()..].to_owned()
}

/// A store that never answers.
#[derive(Debug)]
struct Down;

impl crate::store::Store for Down {
    fn save(&self, _: Vec<crate::store::Change>, _: crate::store::Saved) {}
    fn is_up(&self) -> bool {
        false
    }
}

#[test]
fn without_its_store_a_server_routes_and_lets_nobody_in() {
    let mut rig = Rig::new();
    let account = rig.login("romeo@d/r");
    rig.world.set_store(Arc::new(Down));
    assert!(matches!(rig.world.login_account("romeo@d"), crate::stream::Account::Unavailable));
    let juliet = rig.login("juliet@d/j");
    rig.send(account, "<message to='juliet@d'/>");
    rig.one(juliet);
    // What has to be saved waits, and at some time is refused.
    let body = "x".repeat(200_000);
    for id in 0..crate::limits::UNSAVED_BYTES_MAX / 200_000 + 60 {
        rig.add_account(&format!("u{id}"), &[]);
        rig.send(account, &format!("<message to='u{id}@d' id='{id}'><body>{body}</body></message>"));
    }
    let received = rig.received(account);
    assert!(
        !received.is_empty() && received.iter().all(|s| is_error(s, "resource-constraint")),
        "{received:?}"
    );
    let item = "<iq type='set' id='s'><query xmlns='jabber:iq:roster'><item jid='c@d'/></query></iq>";
    rig.send(account, item);
    assert!(is_error(&rig.one(account), "resource-constraint"));
}
