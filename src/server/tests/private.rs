//! XEP-0049: private XML.

use super::rig::{Rig, Who, attr, is_error};
use crate::limits::{PRIVATE_BYTES_MAX, PRIVATE_ITEMS_MAX};

fn set(rig: &mut Rig, who: Who, to: &str, content: &str) -> String {
    rig.send(
        who,
        &format!("<iq type='set' id='1001'{to}><query xmlns='jabber:iq:private'>{content}</query></iq>"),
    );
    rig.one(who)
}

fn get(rig: &mut Rig, who: Who, content: &str) -> String {
    rig.send(
        who,
        &format!("<iq type='get' id='1002'><query xmlns='jabber:iq:private'>{content}</query></iq>"),
    );
    let answer = rig.one(who);
    let content = answer
        .split_once("<query xmlns='jabber:iq:private'>")
        .and_then(|(_, c)| c.strip_suffix("</query></iq>"));
    content.unwrap_or(&answer).to_owned()
}

const PREFS: &str =
    "<exodus xmlns=\"exodus:prefs\">\n  <defaultnick>Hamlet &amp; <![CDATA[<Co>]]></defaultnick>\n</exodus>";

/// Examples 1 and 2.
#[test]
fn what_is_stored_comes_back_as_it_was() {
    let mut rig = Rig::new();
    let (romeo, other) = (rig.login("romeo@d/denmark"), rig.login("romeo@d/wittenberg"));
    rig.clear();
    assert_eq!(
        get(&mut rig, romeo, "<exodus xmlns='exodus:prefs'/>"),
        "<exodus xmlns='exodus:prefs'/>",
        "empty"
    );
    assert_eq!(
        set(&mut rig, romeo, "", PREFS),
        "<iq from='romeo@d' to='romeo@d/denmark' id='1001' type='result'/>"
    );
    for who in [romeo, other] {
        assert_eq!(get(&mut rig, who, "<exodus xmlns='exodus:prefs'/>"), PREFS, "of the account");
    }
    assert_eq!(get(&mut rig, romeo, "<exodus xmlns='other'/>"), "<exodus xmlns='other'/>");
    assert_eq!(get(&mut rig, romeo, "<Exodus xmlns='exodus:prefs'/>"), "<Exodus xmlns='exodus:prefs'/>");
    rig.close(romeo);
    rig.close(other);
    let again = rig.login("romeo@d/denmark");
    assert_eq!(get(&mut rig, again, "<exodus xmlns='exodus:prefs'/>"), PREFS, "it stays");
    set(&mut rig, again, " to='romeo@d'", "<exodus xmlns='exodus:prefs'><a/></exodus>");
    assert_eq!(
        get(&mut rig, again, "<exodus xmlns='exodus:prefs'/>"),
        "<exodus xmlns='exodus:prefs'><a/></exodus>"
    );
    set(&mut rig, again, "", "<exodus xmlns='exodus:prefs'/>");
    assert_eq!(get(&mut rig, again, "<exodus xmlns='exodus:prefs'/>"), "<exodus xmlns='exodus:prefs'/>");
}

#[test]
fn several_at_once() {
    let mut rig = Rig::new();
    let romeo = rig.login("romeo@d/r");
    set(&mut rig, romeo, "", "<a xmlns='u'>1</a><b xmlns='u'>2</b><a xmlns='u'>3</a><a xmlns='v'>4</a>");
    assert_eq!(
        get(&mut rig, romeo, "<b xmlns='u'/><a xmlns='u'/>"),
        "<b xmlns='u'>2</b><a xmlns='u'>1</a><a xmlns='u'>3</a>"
    );
    assert_eq!(get(&mut rig, romeo, "<a xmlns='v'/>"), "<a xmlns='v'>4</a>");
    let mixed = get(&mut rig, romeo, "<a xmlns='u'/><a xmlns='v'/>");
    assert!(is_error(&mixed, "bad-request"), "one namespace in a get (§2): {mixed}");
}

#[test]
fn elements_take_their_declarations_along() {
    let mut rig = Rig::new();
    let romeo = rig.login("romeo@d/r");
    rig.send(
        romeo,
        "<iq type='set' id='1' xmlns:p='urn:p'><query xmlns='jabber:iq:private' xmlns:r='urn:r'>\
         <p:a r:b='1'>x</p:a></query></iq>",
    );
    rig.one(romeo);
    let stored = get(&mut rig, romeo, "<a xmlns='urn:p'/>");
    assert_eq!(stored, "<p:a xmlns:p='urn:p' xmlns:r='urn:r' r:b='1'>x</p:a>");
    // As many declarations as an element may have, and one more from outside: refused, not stored and never a panic.
    let many: String = (0..32).map(|n| format!(" xmlns:n{n}='{n}'")).collect();
    rig.send(
        romeo,
        &format!("<iq type='set' id='1' xmlns:p='urn:p'><query xmlns='jabber:iq:private'><p:a{many}>y</p:a></query></iq>"),
    );
    assert!(is_error(&rig.one(romeo), "not-acceptable"));
    assert_eq!(get(&mut rig, romeo, "<a xmlns='urn:p'/>"), stored);
}

#[test]
fn wrong_requests() {
    let mut rig = Rig::with_friends();
    let (romeo, juliet) = (rig.login("romeo@d/r"), rig.login("juliet@d/j"));
    rig.clear();
    // Example 3, and RFC 6121 §8.5.1.
    assert!(is_error(&set(&mut rig, romeo, " to='juliet@d'", PREFS), "forbidden"));
    rig.send(
        romeo,
        "<iq type='get' id='1' to='juliet@d'><query xmlns='jabber:iq:private'><a xmlns='u'/></query></iq>",
    );
    assert!(is_error(&rig.one(romeo), "forbidden"));
    for to in [" to='nobody@d'", " to='d'"] {
        assert!(is_error(&set(&mut rig, romeo, to, PREFS), "service-unavailable"), "{to}");
    }
    rig.nothing(juliet);
    // §2.1 and example 4: a get has a child, and a set has one with a namespace.
    assert!(is_error(&get(&mut rig, romeo, ""), "bad-request"));
    for content in ["", "text", "<a/>", "<a xmlns=''/>", "<a xmlns='u'>1</a><b/>"] {
        assert!(is_error(&set(&mut rig, romeo, "", content), "not-acceptable"), "{content}");
    }
    assert_eq!(get(&mut rig, romeo, "<a xmlns='u'/>"), "<a xmlns='u'/>", "all or nothing");
}

#[test]
fn there_is_an_end_to_it() {
    let mut rig = Rig::new();
    let romeo = rig.login("romeo@d/r");
    let large = "x".repeat(PRIVATE_BYTES_MAX - 100);
    let answer = set(&mut rig, romeo, "", &format!("<a xmlns='u'>{large}</a>"));
    assert_eq!(attr(&answer, "type").as_deref(), Some("result"));
    let answer = set(&mut rig, romeo, "", &format!("<b xmlns='u'>{}</b>", "x".repeat(100)));
    assert!(is_error(&answer, "resource-constraint"));
    set(&mut rig, romeo, "", "<a xmlns='u'/>");
    let many: String = (0..PRIVATE_ITEMS_MAX).map(|n| format!("<a{n} xmlns='u'>1</a{n}>")).collect();
    assert_eq!(attr(&set(&mut rig, romeo, "", &many), "type").as_deref(), Some("result"));
    assert!(is_error(&set(&mut rig, romeo, "", "<b xmlns='u'>1</b>"), "resource-constraint"));
}
