use std::path::Path;
use std::process::Command;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

mod beside;
mod links;
mod refusals;

use super::schema::MIGRATIONS;
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

/// Texts of the greatest length that each key can have, and beyond: none may be too long for an index.
fn long_keys() -> Vec<Change> {
    // Compressed, as PostgreSQL does it, they are still too long.
    let noise = |length: usize, mut state: u32| -> String {
        let next = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from(b'a' + u8::try_from((state >> 16) % 26).unwrap())
        });
        next.take(length).collect()
    };
    let domain = vec![noise(63, 1); 3].join(".");
    let long = |seed| Jid::parse(&format!("{}@{domain}", noise(1_023, seed))).unwrap();
    let (account, contact) = (long(2), long(3));
    let (name, groups) = (String::new(), Vec::new());
    let item =
        ItemRecord { contact: contact.clone(), name, groups, state: Subscription::Both, approved: false };
    let value = |kind, length| Change::PutValue {
        account: account.clone(),
        kind,
        key: noise(length, 4),
        value: "x".into(),
    };
    vec![
        Change::PutAccount { account: account.clone(), credentials: credentials(2) },
        Change::PutItem { account: account.clone(), item },
        Change::PutRequest { account: account.clone(), contact: contact.clone(), stanza: "<a/>".into() },
        value(ValueKind::Private, 100_000),
        value(ValueKind::Blocked, 3_071),
        value(ValueKind::Private, 100_001),
        Change::RemoveRequest { account: account.clone(), contact },
        Change::RemoveValue { account: account.clone(), kind: ValueKind::Private, key: noise(100_001, 4) },
    ]
}

fn accounts(opened: &mut Opened) -> Vec<AccountRecord> {
    accounts_of(opened, "d")
}

fn accounts_of(opened: &mut Opened, domain: &str) -> Vec<AccountRecord> {
    accounts_in(&opened.runtime, &mut opened.database, domain)
}

fn accounts_in(runtime: &Runtime, database: &mut Database, domain: &str) -> Vec<AccountRecord> {
    let mut all = Vec::new();
    let mut take = |records| {
        all.extend::<Vec<_>>(records);
        Ok(())
    };
    runtime.block_on(database.load(&[domain], &mut take)).unwrap();
    all.sort_by(|a, b| a.account.as_str().cmp(b.account.as_str()));
    all
}

/// Batches of random changes, some of them sent twice in a row, come to what memory makes of them.
fn agrees_with_memory(url: &StoreUrl, cases: u32) {
    let opened = std::cell::RefCell::new(Opened::open(url, &["d"], |_| Ok(())).unwrap());
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
    let (mut opened, memory, long) = (opened.into_inner(), MemoryStore::default(), long_keys());
    let domain = long[0].account().as_ref().domain().to_owned();
    opened.save_now(&long).unwrap();
    memory.save(long, Box::new(|| {}));
    assert_eq!(accounts_of(&mut opened, &domain), memory.accounts());
}

#[test]
fn sqlite_agrees_with_memory() {
    let folder = tempfile::tempdir().unwrap();
    agrees_with_memory(&StoreUrl::Sqlite(folder.path().join("a.db")), 48);
}

/// Calls `test` with an empty PostgreSQL database, if there is PostgreSQL.
fn with_postgres(test: impl FnOnce(&StoreUrl) + std::panic::UnwindSafe) {
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
    let outcome = std::panic::catch_unwind(|| test(&StoreUrl::Postgres(url)));
    script("stop");
    outcome.unwrap();
}

#[test]
fn postgresql_agrees_with_memory() {
    with_postgres(|url| agrees_with_memory(url, 48));
}

/// Tables of version 1, as they were, are brought up to date with what is in them.
fn comes_from_version_1(url: &StoreUrl) {
    let runtime = runtime().unwrap();
    runtime.block_on(async {
        let mut old = Database::open(url, Role::Server).await.unwrap();
        old.run_all(MIGRATIONS[0].begin).await.unwrap();
        let rows = "CREATE TABLE schema_version (version BIGINT NOT NULL);
            INSERT INTO schema_version VALUES (1);
            INSERT INTO accounts VALUES ('u1@d');
            INSERT INTO accounts VALUES ('u2@d');
            INSERT INTO roster VALUES ('u1@d', 'u2@d', 'N', '[\"g\"]', 'both', true);
            INSERT INTO roster VALUES ('u2@d', 'u1@d', '', '[]', 'none', false);
            INSERT INTO requests VALUES ('u2@d', 'u1@d', '<presence/>');
            INSERT INTO account_values VALUES ('u1@d', 'private', 'k', 'v');
            INSERT INTO account_values VALUES ('u1@d', 'vcard', '', 'k');
            INSERT INTO offline VALUES ('u1@d', 1, '<message/>')";
        old.run_all(rows).await.unwrap();
        old.close().await;
    });
    let mut opened = Opened::open(url, &["d"], |_| Ok(())).unwrap();
    let (a, b) = (jid(1), jid(2));
    let item = |contact: &Jid, name: &str, groups: Vec<String>, state, approved| ItemRecord {
        contact: contact.clone(),
        name: name.into(),
        groups,
        state,
        approved,
    };
    let mut first = AccountRecord::new(a.clone(), Arc::default());
    first.roster.insert("u2@d".into(), item(&b, "N", vec!["g".into()], Subscription::Both, true));
    first.values.insert((ValueKind::Private, "k".into()), "v".into());
    first.values.insert((ValueKind::VCard, String::new()), "k".into());
    first.offline.push(OfflineRecord { number: 1, stanza: "<message/>".into() });
    let mut second = AccountRecord::new(b.clone(), Arc::default());
    second.roster.insert("u1@d".into(), item(&a, "", Vec::new(), Subscription::None, false));
    second.requests.insert("u1@d".into(), (a.clone(), "<presence/>".into()));
    assert_eq!(accounts(&mut opened), [first, second]);
    // What is changed now is the same row.
    opened.save_now(&[Change::RemoveItem { account: b.clone(), contact: a.clone() }]).unwrap();
    opened.save_now(&[Change::RemoveRequest { account: b, contact: a }]).unwrap();
    let second = &accounts(&mut opened)[1];
    assert_eq!((second.roster.len(), second.requests.len()), (0, 0));
}

#[test]
fn sqlite_comes_from_version_1() {
    let folder = tempfile::tempdir().unwrap();
    comes_from_version_1(&StoreUrl::Sqlite(folder.path().join("a.db")));
}

#[test]
fn postgresql_comes_from_version_1() {
    with_postgres(comes_from_version_1);
}

#[test]
fn one_server_for_each_database_and_none_that_is_too_old() {
    let folder = tempfile::tempdir().unwrap();
    let url = StoreUrl::Sqlite(folder.path().join("a.db"));
    let open = || Opened::open(&url, &["d"], |_| Ok(()));
    let mut first = open().unwrap();
    assert_eq!(open().unwrap_err(), "another router has it open");
    Accounts::open(&url, false).unwrap();
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
    let opened = Opened::open(&url, &["d"], |_| Ok(())).unwrap();
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
    let mut beside = Accounts::open(&url, false).unwrap();
    let removed = AccountNews::Removed { account: jid(0) };
    assert_eq!(beside.change(&removed, false), Ok(true));
    assert_eq!(beside.change(&removed, false), Ok(false));
    assert_eq!(beside.list().unwrap(), ["u1@d", "u2@d"]);
    let news = told.recv().unwrap();
    assert!(matches!(&news[..], [AccountNews::Removed { account }] if *account == jid(0)), "{news:?}");
    drop(store);
    thread.join();
    let mut again = Opened::open(&url, &["d"], |_| Ok(())).unwrap();
    assert_eq!(accounts(&mut again).len(), 2);
}
