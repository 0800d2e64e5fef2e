//! Changes that a database refuses for what they are.

use super::*;

/// An account and values of which the database refuses one: the others are saved, those behind it too.
fn refusals_are_left_out(opened: Opened, url: &StoreUrl, refused: &str) {
    let store = opened.store();
    let thread = opened.start(Box::new(|_| {}));
    let value = |key: &str| Change::PutValue {
        account: jid(1),
        kind: ValueKind::Private,
        key: key.to_owned(),
        value: key.to_owned(),
    };
    let put = Change::PutAccount { account: jid(1), credentials: credentials(2) };
    let (saved, is_saved) = std::sync::mpsc::channel();
    for changes in [vec![put, value("a"), value(refused), value("b")], vec![value("c")]] {
        let saved = saved.clone();
        store.save(changes, Box::new(move || saved.send(()).unwrap()));
        is_saved.recv_timeout(std::time::Duration::from_secs(60)).expect("it is not tried for ever");
        assert!(store.is_up());
    }
    drop(store);
    thread.join();
    let mut again = Opened::open(url, &["d"], |_| Ok(())).unwrap();
    let keys: Vec<_> = accounts(&mut again)[0].values.keys().map(|(_, key)| key.clone()).collect();
    assert_eq!(keys, ["a", "b", "c"]);
}

#[test]
fn what_sqlite_refuses_keeps_nothing_else_from_being_saved() {
    let folder = tempfile::tempdir().unwrap();
    let url = StoreUrl::Sqlite(folder.path().join("a.db"));
    let mut opened = Opened::open(&url, &["d"], |_| Ok(())).unwrap();
    let trigger = async {
        let database = &mut opened.database;
        let sql = "CREATE TRIGGER no BEFORE INSERT ON account_values WHEN NEW.key = 'refused'
            BEGIN SELECT RAISE(ABORT, 'it will not have that'); END";
        database::execute!(database, sql).unwrap();
    };
    opened.runtime.block_on(trigger);
    refusals_are_left_out(opened, &url, "refused");
}

#[test]
fn what_postgresql_refuses_keeps_nothing_else_from_being_saved() {
    // No XML has this character, and no text of PostgreSQL.
    with_postgres(|url| {
        refusals_are_left_out(Opened::open(url, &["d"], |_| Ok(())).unwrap(), url, "\0");
    });
}
