//! Homes end together, when each has read what the others sent it.

use crate::engine::{Effect, Effects, World};
use crate::router::{Audience, Parcel};
use crate::server::{ClientLink, Mail, ServerConfig, ServerWorld};
use crate::stanza::Stanza;
use crate::stream::Mechanism;
use crate::time::Nanos;

/// Mail of one home by its recipient.
fn mail(effects: &mut Effects<ClientLink>) -> Vec<(usize, Mail)> {
    let mail = effects.drain().filter_map(|effect| {
        if let Effect::Mail(home, mail) = effect { Some((home.index(), mail)) } else { None }
    });
    mail.collect()
}

#[test]
fn nobody_ends_before_it_has_read_what_the_others_sent_first() {
    let config = ServerConfig::new("d", vec![Mechanism::Plain], [0; 32]);
    let mut homes = ServerWorld::homes(config, 3);
    let mut effects = Effects::default();
    let mut under_way: Vec<(usize, Mail)> = Vec::new();
    for home in &mut homes {
        home.on_empty(Nanos(1), &mut effects);
        assert!(mail(&mut effects).is_empty(), "nobody wants the end yet");
        home.on_stop(Nanos(1), &mut effects);
        home.on_empty(Nanos(1), &mut effects);
        home.on_empty(Nanos(1), &mut effects);
        under_way.extend(mail(&mut effects));
        assert!(!home.is_done());
    }
    assert_eq!(under_way.len(), 6, "each says so to each other, once");
    // Something else is on its way to the first home, behind what it has heard so far.
    let stanza = Stanza::from_own("<message from='a@d' to='b@d' type='error'/>".into());
    under_way.push((0, Mail::Parcel(Parcel { stanza, audience: Audience::To })));
    let mut read = 0;
    while !under_way.is_empty() {
        let (to, letter) = under_way.remove(0);
        homes[to].on_mail(letter, Nanos(2), &mut effects);
        read += 1;
        under_way.extend(mail(&mut effects));
        if homes.iter().any(World::is_done) {
            assert!(read > 7, "three rounds");
        }
    }
    assert!(homes.iter().all(World::is_done));
}

#[test]
fn a_home_that_is_alone_ends_at_once() {
    let mut home = ServerWorld::new(ServerConfig::new("d", vec![Mechanism::Plain], [0; 32]));
    let mut effects = Effects::default();
    home.on_stop(Nanos(1), &mut effects);
    assert!(!home.is_done());
    home.on_empty(Nanos(1), &mut effects);
    assert!(home.is_done() && mail(&mut effects).is_empty());
}
