//! XEP-0157: whom to turn to.

use super::rig::Rig;
use crate::server::{Contacts, ServerConfig};
use crate::stream::Mechanism;

const INFO: &str = "<query xmlns='http://jabber.org/protocol/disco#info'/>";

#[test]
fn the_servers_discovery_has_the_form() {
    let mut config = ServerConfig::new("d", vec![Mechanism::Plain], [0; 32]);
    config.contacts =
        Contacts { admin: vec!["mailto:xmpp@d".into(), "xmpp:admins@d".into()], ..Contacts::default() };
    let mut rig = Rig::with_config(config);
    let romeo = rig.login("romeo@d/r");
    rig.send(romeo, &format!("<iq type='get' id='1' to='d'>{INFO}</iq>"));
    let info = rig.one(romeo);
    let form = "<field var='admin-addresses' type='list-multi'><value>mailto:xmpp@d</value>\
                <value>xmpp:admins@d</value></field></x></query></iq>";
    assert!(info.ends_with(form), "{info}");
    rig.send(romeo, &format!("<iq type='get' id='1'>{INFO}</iq>"));
    assert!(!rig.one(romeo).contains("jabber:x:data"), "accounts have none");
}

#[test]
fn without_addresses_there_is_no_form() {
    let mut rig = Rig::new();
    let romeo = rig.login("romeo@d/r");
    rig.send(romeo, &format!("<iq type='get' id='1' to='d'>{INFO}</iq>"));
    assert!(!rig.one(romeo).contains("jabber:x:data"));
}
