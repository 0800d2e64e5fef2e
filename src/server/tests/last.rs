//! XEP-0012: how long an account has been away, and the server up.

use super::rig::{Rig, Who, attr, is_error};
use crate::router::Subscription;

const LAST: &str = "<query xmlns='jabber:iq:last'/>";

fn ask(rig: &mut Rig, who: Who, to: &str) -> String {
    rig.send(who, &format!("<iq type='get' id='l' to='{to}'>{LAST}</iq>"));
    rig.one(who)
}

fn answer(seconds: u64, status: &str) -> String {
    format!("type='result'><query xmlns='jabber:iq:last' seconds='{seconds}'>{status}</query></iq>")
}

#[test]
fn a_user_who_has_logged_out() {
    let mut rig = Rig::with_friends();
    let romeo = rig.login("romeo@d/orchard");
    let juliet = rig.login("juliet@d/balcony");
    rig.send(
        juliet,
        "<presence type='unavailable'><status>Heading Home &amp; &lt;out&gt;</status></presence>",
    );
    rig.wait(10);
    rig.clear();
    assert!(ask(&mut rig, romeo, "juliet@d").ends_with(&answer(0, "")), "connected is there (§3)");
    rig.close(juliet);
    rig.wait(903);
    // Examples 1, 2 and 4.
    let last = ask(&mut rig, romeo, "juliet@d");
    assert_eq!(attr(&last, "from").as_deref(), Some("juliet@d"));
    assert!(last.ends_with(&answer(903, "Heading Home &amp; &lt;out&gt;")), "{last}");
    // Her last words were others' last time.
    let juliet = rig.login("juliet@d/balcony");
    rig.clear();
    assert!(ask(&mut rig, romeo, "juliet@d").ends_with(&answer(0, "")));
    rig.close(juliet);
    rig.clear();
    rig.wait(5);
    assert!(ask(&mut rig, romeo, "juliet@d").ends_with(&answer(5, "")));
}

#[test]
fn the_last_resource_counts() {
    let mut rig = Rig::with_friends();
    let romeo = rig.login("romeo@d/orchard");
    let (one, two) = (rig.connect("juliet@d/1"), rig.login("juliet@d/2"));
    rig.close(two);
    rig.wait(60);
    rig.clear();
    assert!(ask(&mut rig, romeo, "juliet@d").ends_with(&answer(0, "")));
    rig.close(one);
    rig.wait(60);
    assert!(ask(&mut rig, romeo, "juliet@d").ends_with(&answer(60, "")));
    assert!(ask(&mut rig, romeo, "romeo@d").ends_with(&answer(0, "")), "one's own");
}

#[test]
fn who_has_never_been_there() {
    let mut rig = Rig::with_friends();
    let romeo = rig.login("romeo@d/orchard");
    assert!(is_error(&ask(&mut rig, romeo, "juliet@d"), "item-not-found"));
}

#[test]
fn only_who_may_know_is_told() {
    let mut rig = Rig::new();
    rig.set_state("nurse@d", "romeo@d", Subscription::From);
    rig.set_state("juliet@d", "romeo@d", Subscription::To);
    let romeo = rig.login("romeo@d/orchard");
    for name in ["juliet", "nurse"] {
        let other = rig.login(&format!("{name}@d/r"));
        rig.close(other);
    }
    rig.clear();
    assert!(ask(&mut rig, romeo, "nurse@d").contains("seconds='0'"), "she logged out just now");
    // Example 3.
    assert!(is_error(&ask(&mut rig, romeo, "juliet@d"), "forbidden"));
    // RFC 6121 §8.5.1.
    assert!(is_error(&ask(&mut rig, romeo, "nobody@d"), "service-unavailable"));
    rig.send(romeo, &format!("<iq type='set' id='l' to='nurse@d'>{LAST}</iq>"));
    assert!(is_error(&rig.one(romeo), "bad-request"));
}

#[test]
fn a_resource_answers_for_itself() {
    let mut rig = Rig::with_friends();
    let (romeo, nurse) = (rig.login("romeo@d/orchard"), rig.login("nurse@d/n"));
    let juliet = rig.login("juliet@d/balcony");
    rig.clear();
    rig.send(romeo, &format!("<iq type='get' id='l' to='juliet@d/balcony'>{LAST}</iq>"));
    assert!(rig.one(juliet).contains(LAST), "§4");
    assert!(is_error(&ask(&mut rig, nurse, "juliet@d/balcony"), "service-unavailable"));
    rig.nothing(juliet);
}

#[test]
fn the_server_is_up() {
    let mut rig = Rig::new();
    let romeo = rig.login("romeo@d/orchard");
    rig.wait(123_456);
    // Examples 10 and 11.
    assert!(ask(&mut rig, romeo, "d").ends_with(&answer(123_456, "")));
    rig.send(romeo, &format!("<iq type='set' id='l' to='d'>{LAST}</iq>"));
    assert!(is_error(&rig.one(romeo), "bad-request"));
}
