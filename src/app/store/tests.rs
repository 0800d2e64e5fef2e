use std::path::Path;
use std::process::Command;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;
use crate::router::Subscription;
use crate::stanza::Jid;
use crate::store::{ItemRecord, MemoryStore, OfflineRecord, ValueKind};
use crate::stream::{Credentials, Mechanism};

fn jid(number: u8) -> Jid {
    Jid::parse(&format!("u{number}@d")).unwrap()
}

fn credentials(password: u8) -> Arc<Credentials> {
    let mechanisms = [Mechanism::Plain, Mechanism::ScramSha1, Mechanism::ScramSha256];
    let some = &mechanisms[..usize::from(password) % 4];
    Arc::new(Credentials::derive(&password.to_string(), some, b"salt", 1, &[0; 32]))
}

/// One change. A message's number is set when all are known: numbers count up.
fn change() -> impl Strategy<Value = Change> {
    let states = prop::sample::select(
        &[
            Subscription::None,
            Subscription::NonePendingOut,
            Subscription::To,
            Subscription::From,
            Subscription::FromPendingOut,
            Subscription::Both,
        ][..],
    );
    let text = "[ -~äß€𝄞\n\t]{0,12}";
    let kinds = prop::sample::select(&ValueKind::ALL[..]);
    let whose = || (0..4_u8).prop_map(jid);
    prop_oneof![
        4 => (whose(), 0..8_u8).prop_map(|(account, password)| Change::PutAccount {
            account, credentials: credentials(password) }),
        1 => whose().prop_map(|account| Change::RemoveAccount { account }),
        3 => (whose(), whose(), text, prop::collection::vec(text, 0..3), states, any::<bool>()).prop_map(
            |(account, contact, name, groups, state, approved)| Change::PutItem {
                account, item: ItemRecord { contact, name, groups, state, approved } }),
        1 => (whose(), whose()).prop_map(|(account, contact)| Change::RemoveItem { account, contact }),
        2 => (whose(), whose(), text).prop_map(|(account, contact, stanza)| Change::PutRequest {
            account, contact, stanza }),
        1 => (whose(), whose()).prop_map(|(account, contact)| Change::RemoveRequest { account, contact }),
        4 => (whose(), text).prop_map(|(account, stanza)| Change::AddOffline {
            account, message: OfflineRecord { number: 0, stanza } }),
        1 => (whose(), 0..60_u64).prop_map(|(account, through)| Change::RemoveOffline { account, through }),
        3 => (whose(), kinds.clone(), "[ab]{0,1}", text).prop_map(|(account, kind, key, value)|
            Change::PutValue { account, kind, key, value }),
        1 => (whose(), kinds, "[ab]{0,1}").prop_map(|(account, kind, key)| Change::RemoveValue {
            account, kind, key }),
    ]
}

fn accounts(opened: &mut Opened) -> Vec<AccountRecord> {
    let mut all = Vec::new();
    let mut take = |records| {
        all.extend::<Vec<_>>(records);
        Ok(())
    };
    opened.runtime.block_on(opened.database.load("d", &mut take)).unwrap();
    all.sort_by(|a, b| a.account.as_str().cmp(b.account.as_str()));
    all
}

/// Batches of random changes, some of them sent twice in a row, come to what memory makes of them.
fn agrees_with_memory(url: &StoreUrl, cases: u32) {
    let opened = std::cell::RefCell::new(Opened::open(url, "d", |_| Ok(())).unwrap());
    let batches = prop::collection::vec((prop::collection::vec(change(), 0..12), any::<bool>()), 0..8);
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let result = runner.run(&batches, |batches| {
        let mut opened = opened.borrow_mut();
        let clear: Vec<_> = (0..4).map(|number| Change::RemoveAccount { account: jid(number) }).collect();
        opened.save_now(&clear).unwrap();
        let memory = MemoryStore::default();
        let mut next = 0;
        for (mut batch, is_sent_twice) in batches {
            for change in &mut batch {
                if let Change::AddOffline { message, .. } = change {
                    next += 1;
                    message.number = next;
                }
            }
            opened.save_now(&batch).unwrap();
            memory.save(batch.clone(), Box::new(|| {}));
            if is_sent_twice {
                opened.save_now(&batch).unwrap();
                memory.save(batch, Box::new(|| {}));
            }
            prop_assert_eq!(accounts(&mut opened), memory.accounts());
        }
        Ok(())
    });
    result.unwrap();
}

#[test]
fn sqlite_agrees_with_memory() {
    let folder = tempfile::tempdir().unwrap();
    agrees_with_memory(&StoreUrl::Sqlite(folder.path().join("a.db")), 48);
}

#[test]
fn postgresql_agrees_with_memory() {
    let folder = tempfile::tempdir().unwrap();
    let script = |word: &str| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/peers/postgres.sh");
        Command::new(script).arg(word).arg(folder.path()).status().unwrap()
    };
    let required = std::env::var_os("XB_REQUIRE_PEERS").is_some_and(|value| value == "1");
    let started = script("start");
    if started.code() == Some(69) && !required {
        return;
    }
    assert!(started.success());
    let url = format!("postgres://xmpp@localhost/postgres?host={}", folder.path().display());
    let outcome = std::panic::catch_unwind(|| agrees_with_memory(&StoreUrl::Postgres(url), 48));
    script("stop");
    outcome.unwrap();
}

#[test]
fn one_server_for_each_database_and_none_that_is_too_old() {
    let folder = tempfile::tempdir().unwrap();
    let url = StoreUrl::Sqlite(folder.path().join("a.db"));
    let open = || Opened::open(&url, "d", |_| Ok(()));
    let mut first = open().unwrap();
    assert_eq!(open().unwrap_err(), "another router has it open");
    Accounts::open(&url).unwrap();
    let newer = async {
        let database = &mut first.database;
        database::execute!(database, "UPDATE schema_version SET version = 1000").unwrap();
    };
    first.runtime.block_on(newer);
    drop(first);
    let refusal = open().unwrap_err();
    assert!(refusal.contains("its tables have version 1000"), "{refusal}");
}

#[test]
fn what_is_sent_is_saved_and_what_the_operator_does_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let url = StoreUrl::Sqlite(folder.path().join("a.db"));
    let opened = Opened::open(&url, "d", |_| Ok(())).unwrap();
    let store = opened.store();
    let (tell, told) = std::sync::mpsc::channel();
    let thread = opened.start(Box::new(move |news| tell.send(news).unwrap()));
    let (saved, is_saved) = std::sync::mpsc::channel();
    for number in 0..3 {
        let saved = saved.clone();
        let put = Change::PutAccount { account: jid(number), credentials: credentials(2) };
        store.save(vec![put], Box::new(move || saved.send(number).unwrap()));
    }
    assert_eq!((0..3).map(|_| is_saved.recv().unwrap()).collect::<Vec<_>>(), [0, 1, 2]);
    assert!(store.is_up());
    let mut beside = Accounts::open(&url).unwrap();
    let removed = AccountNews::Removed { account: jid(0) };
    assert_eq!(beside.change(&removed, false), Ok(true));
    assert_eq!(beside.change(&removed, false), Ok(false));
    assert_eq!(beside.list().unwrap(), ["u1@d", "u2@d"]);
    let news = told.recv().unwrap();
    assert!(matches!(&news[..], [AccountNews::Removed { account }] if *account == jid(0)), "{news:?}");
    drop(store);
    thread.join();
    let mut again = Opened::open(&url, "d", |_| Ok(())).unwrap();
    assert_eq!(accounts(&mut again).len(), 2);
}
