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

/// Its name may be another's soon, or nobody's.
#[test]
fn one_that_was_removed_is_not_named() {
    let mut rig = Rig::with_friends();
    let romeo = rig.login("romeo@d/r");
    rig.login("juliet@d/b");
    let flood = |rig: &mut Rig| {
        for _ in 0..20_000 {
            rig.send(romeo, "<message to='juliet@d/b' type='headline'/>");
            rig.clear();
        }
    };
    flood(&mut rig);
    assert_eq!(rig.world.busiest()[0].jid, "juliet@d");
    rig.call(|world, out| {
        let juliet = world.shard.find("juliet@d").unwrap();
        world.remove_account(juliet, None, out);
    });
    assert!(rig.world.busiest().iter().all(|busy| busy.jid != "juliet@d"));
    rig.add_account("paris", &[]);
    assert!(rig.world.busiest().iter().all(|busy| busy.jid != "paris@d"));
}
