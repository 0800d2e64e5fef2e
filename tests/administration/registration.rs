//! XEP-0077 before authentication, and removals that concern other homes.

use std::num::NonZero;
use std::time::Duration;

use xmpp_bench::limits::{NEGOTIATION_MAX, REGISTERING_STREAM_MAX};

use super::fleet::{Fleet, HEADER, Who, config};

/// A registration of §3.1.
pub(crate) fn register(id: &str, user: &str, password: &str) -> String {
    format!(
        "<iq type='set' id='{id}' to='d'><query xmlns='jabber:iq:register'><username>{user}</username>\
         <password>{password}</password></query></iq>"
    )
}

fn is_error(said: &str, condition: &str) -> bool {
    said.starts_with("<iq ")
        && said.contains(" type='error'")
        && said.contains(&format!("<{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"))
}

fn is_ended(fleet: &Fleet, who: Who, said: &str, condition: &str) -> bool {
    said.contains(&format!("<{condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"))
        && said.ends_with("</stream:stream>")
        && fleet.home(who).is_some()
}

/// §3.1 with its examples; the accounts are at different homes, and the stream at one of them.
#[test]
fn several_accounts_over_one_stream() {
    let mut fleet = Fleet::new(config());
    let (who, features) = fleet.connect();
    assert!(features.contains("<register xmlns='http://jabber.org/features/iq-register'/>"), "{features}");
    let form = fleet.ask(who, "<iq type='get' id='reg1' to='d'><query xmlns='jabber:iq:register'/></iq>");
    assert!(
        form.starts_with(
            "<iq from='d' id='reg1' type='result'><query xmlns='jabber:iq:register'><instructions>"
        ) && form.contains("<username/><password/>"),
        "{form}"
    );
    for n in 0..6 {
        let done = fleet.ask(who, &register(&format!("reg{n}"), &format!("User{n}"), "pw"));
        assert_eq!(done, format!("<iq from='d' id='reg{n}' type='result'/>"));
        let conflict = fleet.ask(who, &register("again", &format!("user{n}"), "other"));
        assert!(
            is_error(&conflict, "conflict") && conflict.contains("<error code='409' type='cancel'>"),
            "{conflict}"
        );
    }
    let users: Vec<Who> = (0..6).map(|n| fleet.log_in(&format!("user{n}"), "pw")).collect();
    let mut homes: Vec<_> = users.iter().map(|user| fleet.home(*user)).collect();
    homes.sort_unstable();
    homes.dedup();
    assert!(homes.len() > 1, "the test is about several homes");
    fleet.send(users[0], "<message to='user5@d' id='1'><body>hi</body></message>");
    assert!(fleet.take(users[5]).contains("<body>hi</body>"));
    // It may log in itself, too.
    assert!(fleet.authenticate(who, "user3", "pw").contains("<success"));
}

/// Requests in one piece: each is answered before the next one is looked at.
#[test]
fn requests_do_not_overtake_each_other() {
    let mut fleet = Fleet::new(config());
    let (who, _) = fleet.connect();
    let get = "<iq type='get' id='last'><query xmlns='jabber:iq:register'/></iq>";
    let said = fleet.ask(who, &format!("{}{}{get}", register("1", "a", "p"), register("2", "a", "p")));
    let places: Vec<_> = ["id='1' type='result'", "id='2' type='error'", "id='last' type='result'"]
        .iter()
        .map(|part| said.find(part).unwrap_or_else(|| panic!("{part}: {said}")))
        .collect();
    assert!(places.is_sorted(), "{said}");
}

#[test]
fn registrations_that_are_wrong() {
    let mut fleet = Fleet::new(config());
    let (who, _) = fleet.connect();
    let set = |content: &str| {
        format!("<iq type='set' id='1'><query xmlns='jabber:iq:register'>{content}</query></iq>")
    };
    for (content, condition) in [
        ("", "not-acceptable"),
        ("<username>u</username>", "not-acceptable"),
        ("<password>p</password>", "not-acceptable"),
        ("<username>u</username><password/>", "not-acceptable"),
        ("<username>u</username><password></password>", "not-acceptable"),
        ("<username/><password>p</password>", "not-acceptable"),
        ("<username>u</username><password>\u{200e}</password>", "not-acceptable"),
        ("<username>a@b</username><password>p</password>", "jid-malformed"),
        ("<username>a b</username><password>p</password>", "jid-malformed"),
        ("<username>stra\u{df}e</username><password>p</password>", "jid-malformed"),
        ("<remove/>", "unexpected-request"),
    ] {
        let said = fleet.ask(who, &set(content));
        assert!(is_error(&said, condition), "{content}: {said}");
    }
    let said = fleet.ask(who, &set("<username>u</username><password>p</password>").replace(" id='1'", ""));
    assert!(is_error(&said, "bad-request"), "{said}");
    let two =
        "<iq type='set' id='1'><query xmlns='jabber:iq:register'/><query xmlns='jabber:iq:register'/></iq>";
    let said = fleet.ask(who, two);
    assert!(is_error(&said, "bad-request"), "{said}");
    assert!(fleet.ask(who, &register("ok", "u", "p")).contains("type='result'"), "the stream is as it was");
}

/// Whoever came first would be the administrator.
#[test]
fn the_name_of_an_administrator_is_not_for_everybody() {
    let mut config = config();
    config.admins = vec![xmpp_bench::stanza::Jid::parse("admin@d").unwrap()];
    let mut fleet = Fleet::new(config);
    let (who, _) = fleet.connect();
    for name in ["admin", "ADMIN"] {
        let said = fleet.ask(who, &register("1", name, "p"));
        assert!(is_error(&said, "not-allowed"), "{said}");
    }
    assert!(fleet.ask(who, &register("2", "administrator", "p")).contains("type='result'"));
}

/// RFC 6120 §4.9.3.12: everything else has to wait for authentication.
#[test]
fn only_registration_comes_before_authentication() {
    for (text, is_on) in [
        ("<iq type='get' id='1' to='d'><ping xmlns='urn:xmpp:ping'/></iq>", true),
        ("<iq type='result' id='1'><query xmlns='jabber:iq:register'/></iq>", true),
        ("<iq type='set' id='1' to='e'><query xmlns='jabber:iq:register'/></iq>", true),
        ("<iq type='set' id='1' from='a@d'><query xmlns='jabber:iq:register'/></iq>", true),
        ("<message to='a@d'/>", true),
        ("<iq type='get' id='1' to='d'><query xmlns='jabber:iq:register'/></iq>", false),
    ] {
        let mut config = config();
        config.registration = is_on;
        let mut fleet = Fleet::new(config);
        let (who, features) = fleet.connect();
        assert_eq!(features.contains("iq-register"), is_on);
        let said = fleet.ask(who, text);
        assert!(is_ended(&fleet, who, &said, "not-authorized"), "{text}: {said}");
    }
}

/// A stream that registers may stay to register more, and not for ever.
#[test]
fn a_stream_that_registers_stays_open() {
    let mut fleet = Fleet::new(config());
    let ((who, _), (idle, _)) = (fleet.connect(), fleet.connect());
    fleet.ask(who, &register("1", "a", "p"));
    fleet.pass(NEGOTIATION_MAX);
    let said = fleet.take(idle);
    assert!(said.contains("<connection-timeout"), "{said}");
    assert_eq!(fleet.take(who), "");
    fleet.pass(REGISTERING_STREAM_MAX - Duration::from_secs(60));
    assert!(fleet.ask(who, &register("2", "b", "p")).contains("type='result'"));
    fleet.pass(REGISTERING_STREAM_MAX - Duration::from_secs(1));
    assert_eq!(fleet.take(who), "");
    fleet.pass(Duration::from_secs(1));
    let said = fleet.take(who);
    assert!(said.contains("<connection-timeout"), "{said}");
}

/// What it may stay for is over when it logs in.
#[test]
fn a_stream_that_has_registered_and_logs_in_binds_in_time() {
    let mut fleet = Fleet::new(config());
    let (who, _) = fleet.connect();
    fleet.ask(who, &register("1", "a", "p"));
    assert!(fleet.authenticate(who, "a", "p").contains("<success"));
    fleet.pass(NEGOTIATION_MAX);
    let said = fleet.take(who);
    assert!(said.contains("<connection-timeout"), "{said}");
}

/// A login is to the account that there was, not to the next one of that name; nor does it outlive its password.
#[test]
fn a_login_ends_with_its_account() {
    const BIND: &str = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>";
    const ROSTER: &str = "<iq type='get' id='g'><query xmlns='jabber:iq:roster'/></iq>";
    const RESUME: &str = "<resume xmlns='urn:xmpp:sm:3' h='0' previd='0123456789abcdef0123456789abcdef'/>";
    let remove = "<iq type='set' id='x'><query xmlns='jabber:iq:register'><remove/></query></iq>";
    let change = register("c", "bob", "new");
    for (is_removed, later) in [(true, BIND), (true, ROSTER), (true, RESUME), (false, BIND)] {
        let mut fleet = Fleet::new(config());
        let (early, _) = fleet.connect();
        fleet.ask(early, &register("1", "bob", "old"));
        assert!(fleet.authenticate(early, "bob", "old").contains("<success"));
        fleet.ask(early, HEADER);
        let owner = fleet.log_in("bob", "old");
        let said = fleet.ask(owner, if is_removed { remove } else { &change });
        assert!(said.contains("type='result'"), "{said}");
        if is_removed {
            let (another, _) = fleet.connect();
            assert!(fleet.ask(another, &register("2", "bob", "new")).contains("type='result'"));
        }
        let said = fleet.ask(early, later);
        assert!(said.contains("<stream:error><not-authorized "), "{is_removed} {later}: {said}");
        assert!(said.ends_with("</stream:stream>") && !said.contains("type='result'"), "{said}");
        fleet.log_in("bob", "new");
    }
}

#[test]
fn registrations_are_limited_for_all_homes_together() {
    let mut config = config();
    config.registrations_per_minute = NonZero::new(2);
    let mut fleet = Fleet::new(config);
    let streams = [fleet.connect().0, fleet.connect().0, fleet.connect().0];
    let said = |fleet: &mut Fleet, n: usize, name| fleet.ask(streams[n], &register("1", name, "p"));
    assert!(said(&mut fleet, 0, "a").contains("type='result'"));
    assert!(said(&mut fleet, 1, "b").contains("type='result'"));
    let refused = said(&mut fleet, 2, "c");
    assert!(is_error(&refused, "resource-constraint") && refused.contains("type='wait'"), "{refused}");
    fleet.pass(Duration::from_secs(31));
    let (late, _) = fleet.connect();
    assert!(fleet.ask(late, &register("1", "c", "p")).contains("type='result'"));
}

/// The result is the server's word: the account outlives a crash, whichever home it has.
#[test]
fn results_wait_for_the_store_of_the_accounts_home() {
    let mut fleet = Fleet::new(config());
    let store = fleet.set_store();
    let (who, _) = fleet.connect();
    for n in 0..4 {
        assert_eq!(fleet.ask(who, &register("1", &format!("u{n}"), "p")), "");
        assert!(!store.has(&format!("u{n}@d")));
        while store.finish() {
            fleet.rest();
        }
        assert!(fleet.take(who).contains("type='result'"));
        assert!(store.has(&format!("u{n}@d")));
    }
}

/// What was asked is done all the same; nobody is answered, and nothing else suffers.
#[test]
fn a_stream_that_ends_while_it_waits_is_not_answered() {
    let mut fleet = Fleet::new(config());
    let store = fleet.set_store();
    for n in 0..6 {
        let (who, _) = fleet.connect();
        assert_eq!(fleet.ask(who, &register("1", &format!("u{n}"), "p")), "");
        fleet.break_off(who);
        assert_eq!(fleet.home(who), None);
        while store.finish() {
            fleet.rest();
        }
        assert!(store.has(&format!("u{n}@d")));
        assert_eq!(fleet.take(who), "");
    }
    fleet.log_in("u5", "p");
}

/// §3.2: subscriptions end at the contacts' homes as well, and the result is not seen before that is safe.
#[test]
fn a_removed_account_is_gone_from_every_roster() {
    let mut fleet = Fleet::new(config());
    let store = fleet.set_store();
    let saved = |fleet: &mut Fleet| {
        while store.finish() {
            fleet.rest();
        }
    };
    let (who, _) = fleet.connect();
    let names: Vec<String> = (0..6).map(|n| format!("u{n}")).collect();
    for name in &names {
        fleet.send(who, &register("1", name, "p"));
        saved(&mut fleet);
    }
    let users: Vec<Who> = names.iter().map(|name| fleet.log_in(name, "p")).collect();
    for (n, user) in users.iter().enumerate().skip(1) {
        fleet.send(*user, "<presence type='subscribe' to='u0@d'/>");
        fleet.send(users[0], &format!("<presence type='subscribed' to='u{n}@d'/>"));
        fleet.send(users[0], &format!("<presence type='subscribe' to='u{n}@d'/>"));
        fleet.send(*user, "<presence type='subscribed' to='u0@d'/>");
    }
    saved(&mut fleet);
    let states = || -> Vec<String> {
        let accounts = store.kept.accounts();
        let items = accounts.iter().filter_map(|record| record.roster.get("u0@d"));
        items.map(|item| item.state.as_str().to_owned()).collect()
    };
    assert_eq!(states(), ["both"; 5]);
    users.iter().for_each(|user| drop(fleet.take(*user)));
    fleet.send(users[0], "<iq type='set' id='x'><query xmlns='jabber:iq:register'><remove/></query></iq>");
    let early = fleet.take(users[0]);
    assert!(!early.contains("id='x'") && !early.contains("<stream:error>"), "{early}");
    saved(&mut fleet);
    let said = fleet.take(users[0]);
    let result = said.find("<iq from='u0@d' to='u0@d/r' id='x' type='result'/>");
    let end = said.find("<stream:error><not-authorized");
    assert!(result.is_some() && result < end, "{said}");
    assert_eq!(states(), ["none"; 5]);
    for user in &users[1..] {
        let said = fleet.take(*user);
        for part in [
            "from='u0@d/r'",
            "<presence from='u0@d' to='",
            "type='unsubscribe'",
            "type='unsubscribed'",
            "<item jid='u0@d' subscription='none'/>",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
    assert!(!store.has("u0@d"));
    let (who, _) = fleet.connect();
    assert!(fleet.authenticate(who, "u0", "p").contains("<not-authorized/></failure>"));
}
