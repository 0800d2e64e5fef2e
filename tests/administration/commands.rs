//! XEP-0133 between homes: the administrator is at one, the accounts are at others.

use super::fleet::{Fleet, Who, config};

fn command(name: &str, session: &str, fields: &[(&str, &str)]) -> String {
    let node = format!("http://jabber.org/protocol/admin#{name}");
    let form = fields
        .iter()
        .map(|(var, value)| format!("<field var='{var}'><value>{value}</value></field>"))
        .collect::<String>();
    let (session, form) = match session {
        "" => (String::new(), String::new()),
        session => {
            (format!(" sessionid='{session}'"), format!("<x xmlns='jabber:x:data' type='submit'>{form}</x>"))
        }
    };
    format!(
        "<iq type='set' id='c' to='d'><command xmlns='http://jabber.org/protocol/commands' \
         node='{node}'{session}>{form}</command></iq>"
    )
}

/// Executes a command, with its form if it has one; what the administrator is told.
fn run(fleet: &mut Fleet, admin: Who, name: &str, fields: &[(&str, &str)]) -> String {
    let form = fleet.ask(admin, &command(name, "", &[]));
    if form.contains("status='completed'") {
        return form;
    }
    let session = form.split(" sessionid='").nth(1).unwrap_or_else(|| panic!("no session in {form}"));
    let session = session.split('\'').next().unwrap().to_owned();
    fleet.ask(admin, &command(name, &session, fields))
}

/// A server with its administrator.
fn with_admin() -> (Fleet, Who) {
    let mut fleet = Fleet::with_users(config(), &[("admin", "admin")]);
    let admin = fleet.log_in("admin", "admin");
    (fleet, admin)
}

#[test]
fn accounts_are_added_used_counted_and_deleted() {
    let (mut fleet, admin) = with_admin();
    let names: Vec<String> = (0..8).map(|n| format!("u{n}")).collect();
    for name in &names {
        let fields = [("accountjid", &*format!("{name}@d")), ("password", "p"), ("password-verify", "p")];
        let done = run(&mut fleet, admin, "add-user", &fields);
        assert!(done.contains("status='completed'") && done.matches("<iq ").count() == 1, "{done}");
    }
    let fields = [("accountjid", "u3@d"), ("password", "q")];
    assert!(run(&mut fleet, admin, "add-user", &fields).contains("<conflict"));
    let users: Vec<Who> = names[..4].iter().map(|name| fleet.log_in(name, "p")).collect();
    let number =
        |said: &str| said.split("num'><value>").nth(1).unwrap().split('<').next().unwrap().to_owned();
    assert_eq!(number(&run(&mut fleet, admin, "get-registered-users-num", &[])), "9");
    assert_eq!(number(&run(&mut fleet, admin, "get-online-users-num", &[])), "5");
    let list = run(&mut fleet, admin, "get-registered-users-list", &[]);
    let all: String = names.iter().map(|name| format!("<value>{name}@d</value>")).collect();
    assert!(list.contains(&format!("<value>admin@d</value>{all}")), "{list}");
    let online = run(&mut fleet, admin, "get-online-users-list", &[("max_items", "3")]);
    assert_eq!(online.matches("@d</value>").count(), 3, "{online}");
    assert!(run(&mut fleet, admin, "announce", &[("announcement", "hear ye")]).contains("completed"));
    for user in &users {
        let said = fleet.take(*user);
        assert_eq!(said.matches("<body>hear ye</body>").count(), 1, "{said}");
    }
    for (n, user) in users.iter().enumerate() {
        let fields = [("accountjid", &*format!("u{n}@d")), ("password", "new")];
        assert!(run(&mut fleet, admin, "change-user-password", &fields).contains("completed"));
        let end = run(&mut fleet, admin, "end-user-session", &[("accountjids", &format!("u{n}@d"))]);
        assert!(end.contains("status='completed'"), "{end}");
        let said = fleet.take(*user);
        assert!(
            said.contains("<stream:error><policy-violation") && said.ends_with("</stream:stream>"),
            "{said}"
        );
    }
    let users: Vec<Who> = names[..4].iter().map(|name| fleet.log_in(name, "new")).collect();
    for (n, user) in users.iter().enumerate() {
        let done = run(&mut fleet, admin, "delete-user", &[("accountjids", &format!("u{n}@d"))]);
        assert!(done.contains("status='completed'"), "{done}");
        let said = fleet.take(*user);
        assert!(said.contains("<stream:error><not-authorized"), "{said}");
        let (late, _) = fleet.connect();
        assert!(fleet.authenticate(late, &format!("u{n}"), "new").contains("<not-authorized/></failure>"));
    }
    assert_eq!(number(&run(&mut fleet, admin, "get-registered-users-num", &[])), "5");
    let said = run(&mut fleet, admin, "delete-user", &[("accountjids", "u0@d")]);
    assert!(said.contains("<item-not-found"), "{said}");
}

/// Nobody's session is ended by one who may not, whichever home both have.
#[test]
fn who_is_no_administrator_is_refused() {
    let (mut fleet, admin) = with_admin();
    for n in 0..4 {
        let fields = [("accountjid", &*format!("u{n}@d")), ("password", "p")];
        run(&mut fleet, admin, "add-user", &fields);
        let user = fleet.log_in(&format!("u{n}"), "p");
        let said = fleet.ask(user, &command("delete-user", "", &[]));
        assert!(said.contains("<forbidden xmlns"), "{said}");
    }
}
