//! XEP-0050 and XEP-0133, with the examples of both; the administrator is `nurse@d`.

use super::rig::{Rig, Who, attr, is_error};
use crate::server::ClientTask;
use crate::stream::Account;

fn execute(name: &str) -> String {
    format!(
        "<iq type='set' id='1' to='d' xml:lang='en'><command xmlns='http://jabber.org/protocol/commands' \
         action='execute' node='http://jabber.org/protocol/admin#{name}'/></iq>"
    )
}

fn submit(name: &str, session: &str, action: &str, fields: Fields<'_>) -> String {
    let mut form =
        "<field type='hidden' var='FORM_TYPE'><value>http://jabber.org/protocol/admin</value></field>"
            .to_owned();
    for (var, values) in fields {
        let values: String = values.iter().map(|value| format!("<value>{value}</value>")).collect();
        form += &format!("<field var='{var}'>{values}</field>");
    }
    format!(
        "<iq type='set' id='2' to='d'><command xmlns='http://jabber.org/protocol/commands' sessionid='{session}' \
         node='http://jabber.org/protocol/admin#{name}'{action}><x xmlns='jabber:x:data' \
         type='submit'>{form}</x></command></iq>"
    )
}

/// The id of the session that an answer is of.
fn session(answer: &str) -> String {
    answer.split(" sessionid='").nth(1).unwrap().split('\'').next().unwrap().to_owned()
}

/// A form's fields with their values.
type Fields<'a> = &'a [(&'a str, &'a [&'a str])];

/// Asks for the form and submits it; the last answer.
fn run(rig: &mut Rig, who: Who, name: &str, fields: Fields<'_>) -> String {
    rig.send(who, &execute(name));
    let form = rig.one(who);
    assert!(form.contains("status='executing'"), "{form}");
    rig.send(who, &submit(name, &session(&form), "", fields));
    let received = rig.received(who);
    received.into_iter().find(|stanza| attr(stanza, "id").as_deref() == Some("2")).unwrap()
}

fn is_completed(answer: &str) -> bool {
    attr(answer, "type").as_deref() == Some("result") && answer.contains("status='completed'")
}

/// XEP-0133 §4.1, the way Smack goes: every field of the form, and "next".
#[test]
fn a_user_is_added() {
    let mut rig = Rig::new();
    let nurse = rig.login("nurse@d/n");
    rig.send(nurse, &execute("add-user"));
    let form = rig.one(nurse);
    for part in [
        "<iq from='d' to='nurse@d/n' id='1' type='result'",
        "node='http://jabber.org/protocol/admin#add-user'",
        "<actions execute='complete'><next/><complete/></actions>",
        "<x xmlns='jabber:x:data' type='form'>",
        "<field type='hidden' var='FORM_TYPE'><value>http://jabber.org/protocol/admin</value></field>",
        "type='jid-single' var='accountjid'><required/>",
        "type='text-private' var='password'>",
        "type='text-private' var='password-verify'>",
    ] {
        assert!(form.contains(part), "{part}: {form}");
    }
    let fields: Fields<'_> =
        &[("accountjid", &["Tybalt@d"]), ("password", &["R0m30"]), ("password-verify", &["R0m30"])];
    rig.send(nurse, &submit("add-user", &session(&form), " action='next'", fields));
    let done = rig.one(nurse);
    assert!(is_completed(&done) && session(&done) == session(&form), "{done}");
    assert!(matches!(rig.world.login_account("tybalt@d"), Account::Known(_)));
    // The session is over.
    rig.send(nurse, &submit("add-user", &session(&form), "", fields));
    let over = rig.one(nurse);
    assert!(is_error(&over, "not-allowed") && over.contains("<session-expired"), "{over}");
    // The same name again: the form may be put right.
    rig.send(nurse, &execute("add-user"));
    let form = rig.one(nurse);
    rig.send(nurse, &submit("add-user", &session(&form), " action='complete'", fields));
    let conflict = rig.one(nurse);
    assert!(is_error(&conflict, "conflict") && conflict.contains(" code='409'"), "{conflict}");
    assert_eq!(session(&conflict), session(&form), "and which session it is about: {conflict}");
    let fields: Fields<'_> = &[("accountjid", &["benvolio@d"]), ("password", &["x"])];
    rig.send(nurse, &submit("add-user", &session(&form), " action='complete'", fields));
    assert!(is_completed(&rig.one(nurse)));
}

#[test]
fn forms_that_are_filled_in_wrong() {
    let mut rig = Rig::new();
    let nurse = rig.login("nurse@d/n");
    let cases: &[(&str, Fields<'_>, &str)] = &[
        ("add-user", &[], "bad-request"),
        ("add-user", &[("accountjid", &["x@d"])], "bad-request"),
        ("add-user", &[("accountjid", &["x@d"]), ("password", &[""])], "bad-request"),
        ("delete-user", &[], "bad-request"),
        ("delete-user", &[("accountjids", &["x@d/r"])], "item-not-found"),
        ("delete-user", &[("accountjids", &["x@d"])], "item-not-found"),
        ("end-user-session", &[("accountjids", &["x@d"])], "item-not-found"),
        ("end-user-session", &[("accountjids", &["romeo@d/r"])], "item-not-found"),
        ("change-user-password", &[("accountjid", &["x@d"]), ("password", &["p"])], "item-not-found"),
        ("change-user-password", &[("accountjid", &["romeo@d"])], "bad-request"),
        ("get-user-roster", &[("accountjids", &["x@d"])], "item-not-found"),
        ("user-stats", &[("accountjid", &["x@d"])], "item-not-found"),
        ("get-registered-users-list", &[("max_items", &["many"])], "bad-request"),
        ("announce", &[("announcement", &[""])], "bad-request"),
    ];
    for (name, fields, condition) in cases {
        let answer = run(&mut rig, nurse, name, fields);
        assert!(is_error(&answer, condition), "{name} {fields:?}: {answer}");
        assert_eq!(
            *condition == "bad-request",
            answer.contains("<bad-payload"),
            "{name} {fields:?}: {answer}"
        );
    }
    assert_eq!(rig.world.account_count(), 3);
}

/// XEP-0050 §3.4: the form comes again with what is wrong, and can be filled in better.
#[test]
fn what_cannot_be_is_said_in_a_note() {
    let mut rig = Rig::new();
    let nurse = rig.login("nurse@d/n");
    let cases: &[(&str, Fields<'_>, &str)] = &[
        (
            "add-user",
            &[("accountjid", &["x@d/r"]), ("password", &["p"])],
            "x@d/r is a resource, not an account",
        ),
        ("add-user", &[("accountjid", &["d"]), ("password", &["p"])], "d is no account's address"),
        ("add-user", &[("accountjid", &["a b@d"]), ("password", &["p"])], "a b@d is no account's address"),
        ("add-user", &[("accountjid", &["x@e"]), ("password", &["p"])], "x@e is not an account of d"),
        (
            "add-user",
            &[("accountjid", &["stra\u{df}e@d"]), ("password", &["p"])],
            "servers would take strasse@d for different names",
        ),
        (
            "add-user",
            &[("accountjid", &["x@d"]), ("password", &["p"]), ("password-verify", &["q"])],
            "the two passwords are not the same",
        ),
        ("delete-user", &[("accountjids", &["romeo@d", "&lt;x>"])], "&lt;x&gt; is no account's address"),
    ];
    for (name, fields, what) in cases {
        let answer = run(&mut rig, nurse, name, fields);
        assert!(answer.contains(&format!("<note type='error'>{what}</note>")), "{answer}");
        assert!(answer.contains(" status='executing'") && answer.contains(" type='form'"), "{answer}");
    }
    let again = run(&mut rig, nurse, "add-user", &[("accountjid", &["x@e"]), ("password", &["p"])]);
    let fields: Fields<'_> = &[("accountjid", &["x@d"]), ("password", &["p"])];
    rig.send(nurse, &submit("add-user", &session(&again), "", fields));
    assert!(is_completed(&rig.one(nurse)));
    let full = run(&mut rig, nurse, "delete-user", &[("accountjids", &["x@d/r", "x@d"])]);
    assert!(is_completed(&full) && !full.contains("<note"), "{full}");
}

/// XEP-0133 §5, XEP-0050 §2.2 and §4.4.
#[test]
fn only_administrators_see_and_give_commands() {
    let mut rig = Rig::new();
    let (nurse, romeo) = (rig.login("nurse@d/n"), rig.login("romeo@d/r"));
    rig.send(romeo, &execute("add-user"));
    assert!(is_error(&rig.one(romeo), "forbidden"));
    let items = "<iq type='get' id='1' to='d'><query xmlns='http://jabber.org/protocol/disco#items' \
                 node='http://jabber.org/protocol/commands'/></iq>";
    rig.send(romeo, items);
    assert!(!rig.one(romeo).contains("<item"));
    rig.send(nurse, items);
    let listed = rig.one(nurse);
    assert!(listed.contains(
        "<query xmlns='http://jabber.org/protocol/disco#items' node='http://jabber.org/protocol/commands'>"
    ));
    assert!(
        listed.contains("<item jid='d' node='http://jabber.org/protocol/admin#add-user' name='Add User'/>")
    );
    assert_eq!(listed.matches("<item ").count(), 15);
    let info = |node: &str| {
        format!(
            "<iq type='get' id='1' to='d'><query xmlns='http://jabber.org/protocol/disco#info' node='{node}'/></iq>"
        )
    };
    rig.send(nurse, &info("http://jabber.org/protocol/commands"));
    assert!(rig.one(nurse).contains("<identity category='automation' type='command-list'"));
    let add = info("http://jabber.org/protocol/admin#add-user");
    rig.send(nurse, &add);
    let node = rig.one(nurse);
    for part in [
        "<identity category='automation' type='command-node' name='Add User'/>",
        "<feature var='http://jabber.org/protocol/commands'/>",
        "<feature var='jabber:x:data'/>",
    ] {
        assert!(node.contains(part), "{part}: {node}");
    }
    rig.send(romeo, &add);
    assert!(is_error(&rig.one(romeo), "forbidden"));
    rig.send(nurse, &info("elsewhere"));
    assert!(is_error(&rig.one(nurse), "item-not-found"));
    rig.send(
        nurse,
        "<iq type='get' id='1' to='d'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>",
    );
    let features = rig.one(nurse);
    for feature in ["http://jabber.org/protocol/commands", "jabber:iq:register"] {
        assert!(features.contains(&format!("<feature var='{feature}'/>")), "{features}");
    }
}

#[test]
fn commands_that_are_none() {
    let mut rig = Rig::new();
    let (nurse, other) = (rig.login("nurse@d/n"), rig.login("nurse@d/o"));
    let command = |attrs: &str| {
        format!(
            "<iq type='set' id='1' to='d'><command xmlns='http://jabber.org/protocol/commands'{attrs}/></iq>"
        )
    };
    let add = " node='http://jabber.org/protocol/admin#add-user'";
    rig.send(nurse, &command(add));
    let open = session(&rig.one(nurse));
    for (attrs, condition, application) in [
        (String::new(), "bad-request", ""),
        (" node='x'".to_owned(), "item-not-found", ""),
        (" node='http://jabber.org/protocol/admin#shutdown'".to_owned(), "feature-not-implemented", ""),
        (format!("{add} action='jump'"), "bad-request", "malformed-action"),
        (format!("{add} action='next'"), "bad-request", "bad-sessionid"),
        (format!("{add} sessionid='add-user:0-1-0000000000'"), "bad-request", "bad-sessionid"),
        (format!("{add} sessionid='{open}' action='prev'"), "bad-request", "bad-action"),
        (format!("{add} sessionid='{open}'"), "bad-request", "bad-payload"),
        (
            format!(" node='http://jabber.org/protocol/admin#announce' sessionid='{open}'"),
            "not-allowed",
            "session-expired",
        ),
    ] {
        rig.send(nurse, &command(&attrs));
        let answer = rig.one(nurse);
        assert!(is_error(&answer, condition), "{attrs}: {answer}");
        let is_told =
            answer.contains(&format!("<{application} xmlns='http://jabber.org/protocol/commands'/>"));
        assert!(application.is_empty() || is_told, "{attrs}: {answer}");
    }
    // A session is one requester's.
    rig.send(other, &command(&format!("{add} sessionid='{open}' action='cancel'")));
    assert!(is_error(&rig.one(other), "not-allowed"));
    rig.send(nurse, &command(&format!("{add} sessionid='{open}' action='cancel'")));
    let cancelled = rig.one(nurse);
    assert!(cancelled.contains("status='canceled'") && cancelled.contains(&open), "{cancelled}");
    rig.send(nurse, &command(&format!("{add} sessionid='{open}' action='cancel'")));
    assert!(rig.one(nurse).contains("<session-expired"));
    let get =
        "<iq type='get' id='1' to='d'><command xmlns='http://jabber.org/protocol/commands' node='x'/></iq>";
    rig.send(nurse, get);
    assert!(is_error(&rig.one(nurse), "bad-request"));
}

/// XEP-0133 §4.2.
#[test]
fn users_are_deleted() {
    let mut rig = Rig::with_friends();
    let (nurse, romeo) = (rig.login("nurse@d/n"), rig.login("romeo@d/r"));
    let juliet = rig.login_interested("juliet@d/j");
    let done = run(&mut rig, nurse, "delete-user", &[("accountjids", &["romeo@d", "x@d"])]);
    assert!(is_completed(&done) && done.contains("<note type='error'>x@d: item-not-found</note>"), "{done}");
    assert_eq!(rig.told(romeo), Some(ClientTask::Removed));
    assert!(
        rig.received(juliet).iter().any(|push| push.contains("<item jid='romeo@d' subscription='none'/>"))
    );
    assert!(matches!(rig.world.login_account("romeo@d"), Account::Unknown));
    // The administrator too, and hears that it is done.
    let done = run(&mut rig, nurse, "delete-user", &[("accountjids", &["nurse@d"])]);
    assert!(is_completed(&done), "{done}");
    assert_eq!(rig.told(nurse), Some(ClientTask::Removed));
}

/// XEP-0133 §4.5.
#[test]
fn sessions_are_ended() {
    let mut rig = Rig::new();
    let (nurse, home, work) = (rig.login("nurse@d/n"), rig.login("romeo@d/home"), rig.login("romeo@d/work"));
    assert!(is_completed(&run(&mut rig, nurse, "end-user-session", &[("accountjids", &["romeo@d/home"])])));
    assert_eq!((rig.told(home), rig.told(work)), (Some(ClientTask::Dismissed), None));
    assert!(is_completed(&run(&mut rig, nurse, "end-user-session", &[("accountjids", &["romeo@d"])])));
    assert_eq!(rig.told(work), Some(ClientTask::Dismissed));
    assert!(is_completed(&run(&mut rig, nurse, "end-user-session", &[("accountjids", &["romeo@d"])])));
    assert!(rig.world.shard.find("romeo@d").is_some());
    assert!(is_completed(&run(&mut rig, nurse, "end-user-session", &[("accountjids", &["nurse@d/n"])])));
    assert_eq!(rig.told(nurse), Some(ClientTask::Dismissed));
}

/// XEP-0133 §4.7, §4.8, §4.10.
#[test]
fn what_is_asked_of_one_user() {
    let mut rig = Rig::with_friends();
    let nurse = rig.login("nurse@d/n");
    let (_, _) = (rig.login("romeo@d/home"), rig.login("romeo@d/work"));
    let before = rig.world.login_account("romeo@d");
    let new: Fields<'_> = &[("accountjid", &["romeo@d"]), ("password", &["V3r0n4"])];
    assert!(is_completed(&run(&mut rig, nurse, "change-user-password", new)));
    let (Account::Known(before), Account::Known(after)) = (before, rig.world.login_account("romeo@d")) else {
        panic!("romeo is there");
    };
    assert_ne!(before, after);
    let roster = run(&mut rig, nurse, "get-user-roster", &[("accountjids", &["romeo@d"])]);
    assert!(
        is_completed(&roster)
            && roster.contains(
                "<query xmlns='jabber:iq:roster'><item jid='juliet@d' subscription='both'/></query>"
            ),
        "{roster}"
    );
    let statistics = run(&mut rig, nurse, "user-stats", &[("accountjid", &["romeo@d"])]);
    for part in
        ["var='rostersize'><value>1</value>", "var='onlineresources'><value>home</value><value>work</value>"]
    {
        assert!(statistics.contains(part), "{part}: {statistics}");
    }
}

/// XEP-0133 §4.13, §4.15 to §4.18, §4.20 to §4.22.
#[test]
fn users_are_counted_and_listed() {
    let mut rig = Rig::new();
    let nurse = rig.login("nurse@d/n");
    let (_, _) = (rig.login("romeo@d/a"), rig.login("romeo@d/b"));
    rig.connect("juliet@d/without-presence");
    rig.world.add_temporary(&crate::stanza::Jid::parse("temp@d").unwrap()).unwrap();
    for (name, field, value) in [
        ("get-registered-users-num", "registeredusersnum", "3"),
        ("get-online-users-num", "onlineusersnum", "3"),
        ("get-active-users-num", "activeusersnum", "2"),
        ("get-idle-users-num", "idleusersnum", "1"),
    ] {
        rig.send(nurse, &execute(name));
        let answer = rig.one(nurse);
        assert!(
            is_completed(&answer) && answer.contains(&format!(" var='{field}'><value>{value}</value>")),
            "{answer}"
        );
    }
    let all = run(&mut rig, nurse, "get-registered-users-list", &[("max_items", &["none"])]);
    assert!(
        all.contains(
            " var='registereduserjids'><value>juliet@d</value><value>nurse@d</value><value>romeo@d</value>"
        ),
        "{all}"
    );
    let some = run(&mut rig, nurse, "get-registered-users-list", &[("max_items", &["2"])]);
    assert_eq!(some.matches("@d</value>").count(), 2, "{some}");
    let online = run(&mut rig, nurse, "get-online-users-list", &[]);
    assert!(
        online.contains(
            " var='onlineuserjids'><value>juliet@d</value><value>nurse@d</value><value>romeo@d</value>"
        ),
        "{online}"
    );
    let active = run(&mut rig, nurse, "get-active-users", &[]);
    assert!(
        active.contains("'activeuserjids'><value>nurse@d</value><value>romeo@d</value></field>"),
        "{active}"
    );
    let idle = run(&mut rig, nurse, "get-idle-users", &[]);
    assert!(idle.contains("'activeuserjids'><value>juliet@d</value></field>"), "{idle}");
}

/// XEP-0133 §4.23.
#[test]
fn an_announcement_is_for_who_is_there() {
    let mut rig = Rig::new();
    let (nurse, romeo, juliet) = (rig.login("nurse@d/n"), rig.login("romeo@d/r"), rig.connect("juliet@d/j"));
    let lines: &[&str] = &["Attention!", "We &lt;go&gt; down."];
    assert!(is_completed(&run(&mut rig, nurse, "announce", &[("announcement", lines)])));
    let heard = rig.one(romeo);
    assert!(heard.starts_with("<message to='romeo@d' type='headline' from='d'>"), "{heard}");
    assert!(heard.contains("<body>Attention!\nWe &lt;go&gt; down.</body>"), "{heard}");
    rig.nothing(juliet);
}

/// RFC 6120 §10.3.3: what is for one's own account, the server answers on its behalf.
#[test]
fn administrators_may_give_them_by_way_of_their_own_account() {
    let mut rig = Rig::new();
    let (nurse, romeo) = (rig.login("nurse@d/n"), rig.login("romeo@d/r"));
    let items = |to: &str| {
        format!(
            "<iq type='get' id='1' to='{to}'><query xmlns='http://jabber.org/protocol/disco#items' \
             node='http://jabber.org/protocol/commands'/></iq>"
        )
    };
    rig.send(nurse, &items("nurse@d"));
    assert_eq!(rig.one(nurse).matches("<item jid='d'").count(), 15);
    rig.send(romeo, &items("romeo@d"));
    let none = rig.one(romeo);
    assert!(none.contains(" type='result'") && !none.contains("<item"), "{none}");
    let at = |to: &str| execute("add-user").replace(" to='d'", &format!(" to='{to}'"));
    rig.send(nurse, &at("nurse@d"));
    let form = rig.one(nurse);
    assert_eq!(attr(&form, "from").as_deref(), Some("nurse@d"), "{form}");
    assert!(form.contains("status='executing'") && form.contains("accountjid"), "{form}");
    rig.send(romeo, &at("romeo@d"));
    assert!(is_error(&rig.one(romeo), "forbidden"));
    // Not by way of somebody else's.
    rig.send(nurse, &at("romeo@d"));
    assert!(is_error(&rig.one(nurse), "service-unavailable"));
}
