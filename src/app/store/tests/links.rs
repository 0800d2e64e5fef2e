//! Connections that break, and who may have a database meanwhile.

use std::time::Duration;

use tokio::time::timeout;

use super::*;

#[test]
fn a_router_without_a_connection_still_has_its_database() {
    let folder = tempfile::tempdir().unwrap();
    let url = StoreUrl::Sqlite(folder.path().join("a.db"));
    let open = || Opened::open(&url, &["d"], |_| Ok(()));
    let Opened { runtime, database, lock, .. } = open().unwrap();
    runtime.block_on(database.close());
    assert_eq!(open().unwrap_err(), "another router has it open");
    drop(lock);
    open().unwrap();
}

#[test]
fn a_lock_that_cannot_be_had_is_not_another_routers() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("a.db");
    std::fs::create_dir(folder.path().join("a.db-lock")).unwrap();
    let refusal = Opened::open(&StoreUrl::Sqlite(database), &["d"], |_| Ok(())).unwrap_err();
    assert!(refusal.contains("a.db-lock: Is a directory"), "{refusal}");
}

#[test]
fn a_connection_to_tables_that_are_right_waits_for_nobody() {
    with_postgres(|url| {
        let mut opened = Opened::open(url, &["d"], |_| Ok(())).unwrap();
        opened.runtime.block_on(opened.database.begin_alone()).unwrap();
        // Of a Unix socket it does not say more.
        let sql = "SELECT name || ' ' || source FROM pg_settings
            WHERE source = 'session' AND (name LIKE 'tcp%' OR name = 'client_min_messages') ORDER BY name";
        let set: Vec<(String,)> = opened.runtime.block_on(async {
            let connected = timeout(Duration::from_secs(60), Database::connect(url, Role::Tool)).await;
            let mut connected = connected.expect("nobody else ends that transaction").unwrap();
            database::rows!(&mut connected, sql).unwrap()
        });
        let names = "client_min_messages tcp_keepalives_count tcp_keepalives_idle tcp_keepalives_interval \
                     tcp_user_timeout";
        let want: Vec<_> = names.split(' ').map(|name| (format!("{name} session"),)).collect();
        assert_eq!(set, want);
    });
}

#[test]
fn a_router_waits_a_little_for_its_predecessor_to_be_gone() {
    with_postgres(|url| {
        let open = || Opened::open(url, &["d"], |_| Ok(()));
        let mut first = open().unwrap();
        assert_eq!(open().unwrap_err(), "another router has it open");
        thread::scope(|scope| {
            let second = scope.spawn(open);
            let waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
            first.runtime.block_on(async {
                // Three seconds at most, and then there is nobody who waits.
                while !second.is_finished() {
                    let count: Vec<(i64,)> = database::rows!(&mut first.database, waiting).unwrap();
                    if count == [(1,)] {
                        break;
                    }
                }
            });
            drop(first);
            second.join().unwrap().unwrap();
        });
    });
}
