//! What accounts store, block and said last outlives the process.

use std::sync::Arc;

use super::rig::{Rig, START, attr, is_error};
use crate::router::Subscription;
use crate::server::{ProvisionError, ServerConfig, ServerWorld};
use crate::stanza::Jid;
use crate::store::{AccountRecord, ValueKind};
use crate::stream::Mechanism;

/// The world that the next process makes of what the store has.
fn next_world(accounts: Vec<AccountRecord>) -> Result<ServerWorld, ProvisionError> {
    let mut config = ServerConfig::new("d", vec![Mechanism::Plain], [0; 32]);
    config.utc_at_zero = START;
    let mut homes = ServerWorld::homes(config, 1);
    ServerWorld::load_homes(&mut homes, accounts)?;
    Ok(homes.pop().unwrap())
}

const SETS: [&str; 6] = [
    "<query xmlns='jabber:iq:private'><a xmlns='u'>1</a><a xmlns='u'>2</a><b xmlns='v w'/></query>",
    "<query xmlns='jabber:iq:private'><c xmlns='u'>gone</c></query>",
    "<query xmlns='jabber:iq:private'><c xmlns='u'/></query>",
    "<vCard xmlns='vcard-temp'><FN>A</FN></vCard>",
    "<block xmlns='urn:xmpp:blocking'><item jid='x@y'/><item jid='gone@y'/></block>",
    "<unblock xmlns='urn:xmpp:blocking'><item jid='gone@y'/></unblock>",
];

const GETS: [&str; 5] = [
    "<query xmlns='jabber:iq:private'><a xmlns='u'/></query>",
    "<query xmlns='jabber:iq:private'><c xmlns='u'/></query>",
    "<vCard xmlns='vcard-temp'/>",
    "<blocklist xmlns='urn:xmpp:blocking'/>",
    "<query xmlns='jabber:iq:last'/>",
];

#[test]
fn the_next_process_has_it() {
    let mut rig = Rig::new();
    let store = rig.with_store();
    rig.add_account("a", &[("b@d", Subscription::Both)]);
    rig.add_account("b", &[("a@d", Subscription::Both)]);
    let (a, b) = (rig.login("a@d/r"), rig.login("b@d/r"));
    while rig.finish_save() {}
    rig.clear();
    for payload in SETS {
        rig.send(a, &format!("<iq type='set' id='s'>{payload}</iq>"));
        rig.nothing(a);
        assert!(rig.finish_save(), "{payload}");
        assert_eq!(attr(&rig.one(a), "type").as_deref(), Some("result"), "an answer says that it is safe");
    }
    let ask = |rig: &mut Rig, who, to: &str, payload: &str| {
        rig.send(who, &format!("<iq type='get' id='g' to='{to}'>{payload}</iq>"));
        rig.one(who)
    };
    rig.send(b, "<presence type='unavailable'><status>bye, all</status></presence>");
    rig.close(b);
    rig.clear();
    let before: Vec<_> = GETS.iter().map(|payload| ask(&mut rig, a, "a@d", payload)).collect();
    let last = ask(&mut rig, a, "b@d", GETS[4]);
    assert!(last.contains("seconds='0'>bye, all</query>"), "{last}");
    while rig.finish_save() {}

    rig.restart(next_world(store.accounts()).unwrap());
    let a = rig.login("a@d/r");
    for (payload, before) in GETS.iter().zip(before) {
        assert_eq!(ask(&mut rig, a, "a@d", payload), before);
    }
    assert_eq!(ask(&mut rig, a, "b@d", GETS[4]), last);
    rig.send(a, "<message to='x@y'/>");
    assert!(is_error(&rig.one(a), "not-acceptable"), "what was blocked is blocked");
}

#[test]
fn what_is_damaged_is_not_served() {
    for (kind, key, value) in [
        (ValueKind::Private, "u a", "<a xmlns='u'>"),
        (ValueKind::Private, "", "<a xmlns='u'/>"),
        (ValueKind::VCard, "", "</iq><iq>"),
        (ValueKind::Blocked, "@", ""),
        (ValueKind::Last, "", "yesterday"),
        (ValueKind::Last, "", "yesterday at noon"),
    ] {
        let jid = Jid::parse("a@d").unwrap();
        let mut record = AccountRecord::new(jid.clone(), Arc::default());
        record.values.insert((kind, key.to_owned()), value.to_owned());
        assert_eq!(next_world(vec![record]).unwrap_err(), ProvisionError::Damaged(jid), "{kind:?} {value}");
    }
}
