//! What `xmpp-bench user` changes beside a server.

use super::*;

#[test]
fn a_removed_account_leaves_nothing_with_its_contacts() {
    let folder = tempfile::tempdir().unwrap();
    let url = StoreUrl::Sqlite(folder.path().join("a.db"));
    let mut opened = Opened::open(&url, &["d"], |_| Ok(())).unwrap();
    let states = [Subscription::None, Subscription::NonePendingOut, Subscription::From, Subscription::Both];
    let item = |contact: u8, state| ItemRecord {
        contact: jid(contact),
        name: "N".into(),
        groups: Vec::new(),
        state,
        approved: state == Subscription::None,
    };
    let account = |number| Change::PutAccount { account: jid(number), credentials: credentials(2) };
    let contacts = || (1_u8..).zip(states);
    let mut made: Vec<_> = (0..5).map(account).collect();
    for (number, state) in contacts() {
        // Of the removed account, and of one that stays.
        made.push(Change::PutItem { account: jid(number), item: item(0, state) });
        made.push(Change::PutItem { account: jid(number), item: item(5, state) });
        for contact in [0, 5] {
            let (account, contact) = (jid(number), jid(contact));
            made.push(Change::PutRequest { account, contact, stanza: "<presence/>".into() });
        }
    }
    opened.save_now(&made).unwrap();
    drop(opened);
    let removed = AccountNews::Removed { account: jid(0) };
    let mut beside = Accounts::open(&url, false).unwrap();
    assert_eq!(beside.change(&removed, false), Ok(true));
    let records = accounts_in(&beside.runtime, &mut beside.database, "d");
    assert_eq!(records.len(), 4);
    for (record, (_, state)) in records.iter().zip(contacts()) {
        let gone = ItemRecord { approved: false, ..item(0, Subscription::None) };
        assert_eq!(record.roster.values().collect::<Vec<_>>(), [&gone, &item(5, state)]);
        assert_eq!(record.requests.keys().collect::<Vec<_>>(), ["u5@d"]);
    }
    // A server that ran meanwhile did not know, and saved the item once more.
    let mut again = Opened::open(&url, &["d"], |_| Ok(())).unwrap();
    again.save_now(&[Change::PutItem { account: jid(4), item: item(0, Subscription::Both) }]).unwrap();
    drop(again);
    beside.runtime.block_on(async {
        let sql = "INSERT INTO admin_changes (account, removed) VALUES ('u0@d', true)";
        beside.database.run_all(sql).await.unwrap();
    });
    let mut again = Opened::open(&url, &["d"], |_| Ok(())).unwrap();
    assert_eq!(accounts(&mut again)[3].roster["u0@d"].state, Subscription::None);
}

impl Opened {
    /// What its thread would tell, and forgets.
    fn told(&mut self) -> Vec<AccountNews> {
        self.runtime.block_on(async {
            let news = self.database.news(&[]).await.unwrap();
            self.database.forget(&news.lines).await.unwrap();
            news.accounts
        })
    }

    fn run(&mut self, sql: &str) {
        self.runtime.block_on(self.database.run_all(sql)).unwrap();
    }
}

/// The operator's second word, said while the server carries out the first one, stands.
fn the_operators_word_stands(url: &StoreUrl) {
    let mut opened = Opened::open(url, &["d"], |_| Ok(())).unwrap();
    let mut beside = Accounts::open(url, false).unwrap();
    let word = |password| AccountNews::Put { account: jid(1), credentials: credentials(password) };
    let put = |password| Change::PutAccount { account: jid(1), credentials: credentials(password) };
    let removed = AccountNews::Removed { account: jid(1) };
    let keys = |password| credentials(password).sha1.clone();
    let has =
        |opened: &mut Opened| accounts(opened).first().and_then(|record| record.credentials.sha1.clone());
    assert_eq!(beside.change(&word(2), true), Ok(true));
    assert_eq!(opened.told().len(), 1);
    // Another password, and what came of the first one.
    assert_eq!(beside.change(&word(6), false), Ok(true));
    let vcard =
        Change::PutValue { account: jid(1), kind: ValueKind::VCard, key: String::new(), value: "x".into() };
    opened.save_now(&[put(2), vcard]).unwrap();
    assert_eq!(has(&mut opened), keys(6));
    assert!(matches!(&opened.told()[..], [AccountNews::Put { credentials: c, .. }] if c.sha1 == keys(6)));
    opened.save_now(&[put(6)]).unwrap();
    // Removed and made again, and what came of the removal.
    assert_eq!(beside.change(&removed, false), Ok(true));
    assert_eq!(opened.told().len(), 1);
    assert_eq!(beside.change(&word(2), true), Ok(true));
    opened.save_now(&[Change::RemoveAccount { account: jid(1) }]).unwrap();
    assert_eq!(has(&mut opened), keys(2));
    assert_eq!(opened.told().len(), 1);
    // Removed, while the server has a new password of it.
    assert_eq!(beside.change(&removed, false), Ok(true));
    opened.save_now(&[put(6)]).unwrap();
    assert_eq!(has(&mut opened), None);
    assert_eq!(opened.told().len(), 1);
    // What the server says when it knows everything counts.
    opened.save_now(&[put(6)]).unwrap();
    assert_eq!(has(&mut opened), keys(6));
}

#[test]
fn the_operators_word_stands_in_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    the_operators_word_stands(&StoreUrl::Sqlite(folder.path().join("a.db")));
}

#[test]
fn the_operators_word_stands_in_postgresql() {
    with_postgres(the_operators_word_stands);
}

#[test]
fn news_that_cannot_be_forgotten_are_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let url = StoreUrl::Sqlite(folder.path().join("a.db"));
    let mut opened = Opened::open(&url, &["d"], |_| Ok(())).unwrap();
    let mut beside = Accounts::open(&url, false).unwrap();
    let add = |number| AccountNews::Put { account: jid(number), credentials: credentials(2) };
    assert_eq!((beside.change(&add(1), true), beside.change(&add(2), true)), (Ok(true), Ok(true)));
    let second = "(SELECT max(id) FROM admin_changes)";
    opened.run(&format!("CREATE TABLE broken AS SELECT {second} AS id"));
    opened.runtime.block_on(async {
        let sql = "CREATE TRIGGER broken_link BEFORE DELETE ON admin_changes WHEN OLD.id IN broken
            BEGIN SELECT RAISE(ABORT, 'the connection breaks here'); END";
        database::execute!(&mut opened.database, sql).unwrap();
    });
    let store = opened.store();
    let (tell, told) = std::sync::mpsc::channel();
    let thread = opened.start(Box::new(move |news| tell.send(news).unwrap()));
    let names = |news: Vec<AccountNews>| -> Vec<String> {
        let name = |news: &AccountNews| match news {
            AccountNews::Put { account, .. } | AccountNews::Removed { account } => {
                account.as_str().to_owned()
            }
        };
        news.iter().map(name).collect()
    };
    assert_eq!(names(told.recv().unwrap()), ["u1@d", "u2@d"]);
    beside.runtime.block_on(beside.database.run_all("DROP TRIGGER broken_link")).unwrap();
    assert_eq!(beside.change(&add(3), true), Ok(true));
    assert_eq!(names(told.recv().unwrap()), ["u3@d"]);
    drop(store);
    thread.join();
    assert_eq!(told.try_iter().count(), 0);
}
