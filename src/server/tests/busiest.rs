//! Whose stanzas are most of a home's work.

use super::rig::Rig;

#[test]
fn one_that_gets_most_is_named() {
    let mut rig = Rig::with_friends();
    let (romeo, juliet) = (rig.login("romeo@d/r"), rig.login("juliet@d/b"));
    assert_eq!(rig.world.busiest(), []);
    for n in 0..20_000 {
        let (who, to) = if n % 5 == 0 { (juliet, "romeo@d/r") } else { (romeo, "juliet@d/b") };
        rig.send(who, &format!("<message to='{to}' type='chat'/>"));
        rig.clear();
    }
    let busiest = rig.world.busiest();
    let jids: Vec<_> = busiest.iter().map(|busy| busy.jid.as_str()).collect();
    assert_eq!(jids, ["juliet@d", "romeo@d"]);
    assert!((0.7..0.9).contains(&busiest[0].share_ratio), "{busiest:?}");
}
