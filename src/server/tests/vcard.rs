//! XEP-0054: vCards.

use super::rig::{Rig, Who, is_error, summary};
use crate::limits::VCARD_BYTES_MAX;

const CARD: &str = "<vCard xmlns=\"vcard-temp\">\n <FN>Peter Saint-Andre</FN><N><MIDDLE/></N>\n</vCard>";

fn iq(rig: &mut Rig, who: Who, open: &str, payload: &str) -> String {
    rig.send(who, &format!("<iq id='v' {open}>{payload}</iq>"));
    rig.one(who)
}

fn get(rig: &mut Rig, who: Who, to: &str) -> String {
    iq(rig, who, &format!("type='get'{to}"), "<vCard xmlns='vcard-temp'/>")
}

#[test]
fn ones_own() {
    let mut rig = Rig::new();
    let romeo = rig.login("romeo@d/r");
    for to in ["", " to='romeo@d'"] {
        assert!(is_error(&get(&mut rig, romeo, to), "item-not-found"), "example 3");
    }
    for (to, card) in [("", CARD), (" to='romeo@d'", "<vCard xmlns='vcard-temp'><FN>R</FN></vCard>")] {
        assert_eq!(
            iq(&mut rig, romeo, &format!("type='set'{to}"), card),
            "<iq from='romeo@d' to='romeo@d/r' id='v' type='result'/>"
        );
        for to in ["", " to='romeo@d'"] {
            assert_eq!(
                get(&mut rig, romeo, to),
                format!("<iq from='romeo@d' to='romeo@d/r' id='v' type='result'>{card}</iq>")
            );
        }
    }
    iq(&mut rig, romeo, "type='set'", "<vCard xmlns='vcard-temp'/>");
    assert!(is_error(&get(&mut rig, romeo, ""), "item-not-found"), "an empty one is none");
}

/// §3.3: the server answers, for everybody and whether or not its owner is there.
#[test]
fn anothers() {
    let mut rig = Rig::new();
    let (romeo, juliet) = (rig.login("romeo@d/r"), rig.login("juliet@d/j"));
    let (none, unknown) = (get(&mut rig, romeo, " to='juliet@d'"), get(&mut rig, romeo, " to='nobody@d'"));
    assert!(is_error(&none, "service-unavailable"));
    assert_eq!(none.replace("juliet", "nobody"), unknown, "who has none looks as if there were no account");
    iq(&mut rig, juliet, "type='set'", CARD);
    let card = get(&mut rig, romeo, " to='juliet@d'");
    assert_eq!(card, format!("<iq from='juliet@d' to='romeo@d/r' id='v' type='result'>{CARD}</iq>"));
    rig.close(juliet);
    assert_eq!(get(&mut rig, romeo, " to='juliet@d'"), card);
    // §3.2 and example 6.
    assert!(is_error(&iq(&mut rig, romeo, "type='set' to='juliet@d'", CARD), "forbidden"));
    assert!(is_error(&iq(&mut rig, romeo, "type='set' to='nobody@d'", CARD), "service-unavailable"));
    assert!(is_error(&iq(&mut rig, romeo, "type='set' to='d'", CARD), "service-unavailable"));
}

#[test]
fn prefixes_and_sizes() {
    let mut rig = Rig::new();
    let romeo = rig.login("romeo@d/r");
    let answer = iq(&mut rig, romeo, "type='set' xmlns:v='vcard-temp'", "<v:vCard><v:FN>R</v:FN></v:vCard>");
    assert_eq!(summary(&answer), "romeo@d romeo@d/r result");
    assert!(get(&mut rig, romeo, "").contains("<v:vCard xmlns:v='vcard-temp'><v:FN>R</v:FN></v:vCard>"));
    let large = format!("<vCard xmlns='vcard-temp'><FN>{}</FN></vCard>", "x".repeat(VCARD_BYTES_MAX));
    assert!(is_error(&iq(&mut rig, romeo, "type='set'", &large), "not-acceptable"));
    let many: String = (0..32).map(|n| format!(" xmlns:n{n}='{n}'")).collect();
    let answer =
        iq(&mut rig, romeo, "type='set' xmlns:v='vcard-temp'", &format!("<v:vCard{many}><a/></v:vCard>"));
    assert!(is_error(&answer, "not-acceptable"), "too many declarations together");
    assert!(get(&mut rig, romeo, "").contains("<v:FN>R</v:FN>"), "the old one stays");
}

/// §4: the server's discovery names it.
#[test]
fn it_is_discovered() {
    let mut rig = Rig::new();
    let romeo = rig.login("romeo@d/r");
    for to in [" to='d'", ""] {
        let info = iq(
            &mut rig,
            romeo,
            &format!("type='get'{to}"),
            "<query xmlns='http://jabber.org/protocol/disco#info'/>",
        );
        assert!(info.contains("<feature var='vcard-temp'/><"), "{info}");
    }
}
