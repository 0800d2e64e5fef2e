//! XEP-0202, and the wall time that everything else is stamped with.

use super::rig::{Rig, is_error};

const TIME: &str = "<time xmlns='urn:xmpp:time'/>";

#[test]
fn the_servers_time_passes() {
    let mut rig = Rig::new();
    let romeo = rig.login("romeo@d/r");
    rig.send(romeo, &format!("<iq type='get' id='t' to='d'>{TIME}</iq>"));
    assert_eq!(
        rig.one(romeo),
        "<iq from='d' to='romeo@d/r' id='t' type='result'><time xmlns='urn:xmpp:time'>\
         <tzo>+00:00</tzo><utc>2026-11-21T18:20:00Z</utc></time></iq>"
    );
    rig.wait(24 * 3_600 + 61);
    rig.send(romeo, &format!("<iq type='get' id='t' to='d'>{TIME}</iq>"));
    assert!(rig.one(romeo).contains("<utc>2026-11-22T18:21:01Z</utc>"));
}

#[test]
fn it_is_only_told_and_only_of_the_server() {
    let mut rig = Rig::with_friends();
    let romeo = rig.login("romeo@d/r");
    rig.send(romeo, &format!("<iq type='set' id='t' to='d'>{TIME}</iq>"));
    assert!(is_error(&rig.one(romeo), "bad-request"));
    for to in ["romeo@d", "juliet@d", "nobody@d"] {
        rig.send(romeo, &format!("<iq type='get' id='t' to='{to}'>{TIME}</iq>"));
        assert!(is_error(&rig.one(romeo), "service-unavailable"), "{to}");
    }
}
