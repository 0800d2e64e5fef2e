//! Several domains on one server: `d` and `e`, each with a romeo of its own, who are two.

use super::rig::{Rig, attr, is_error};
use crate::router::Subscription;
use crate::server::{AccountSpec, ServerConfig, ServerWorld};
use crate::stanza::Jid;
use crate::stream::{Account, Credentials, Mechanism};

fn rig() -> Rig {
    let mut config = ServerConfig::new("d", vec![Mechanism::Plain], [0; 32]);
    config.domains.push("e".to_owned());
    config.admins = vec![Jid::parse("nurse@d").unwrap()];
    let mut rig = Rig::with_config(config);
    let spec =
        AccountSpec { localpart: "romeo".into(), credentials: Credentials::default(), roster: Vec::new() };
    ServerWorld::provision_domain(std::slice::from_mut(&mut rig.world), "e", [spec]).unwrap();
    rig
}

fn info(to: &str) -> String {
    format!("<iq type='get' id='i' to='{to}'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>")
}

#[test]
fn an_account_is_of_one_domain() {
    let rig = rig();
    assert!(matches!(rig.world.login_account("romeo@e"), Account::Known(_)));
    assert!(matches!(rig.world.login_account("juliet@d"), Account::Known(_)));
    assert!(matches!(rig.world.login_account("juliet@e"), Account::Unknown));
}

#[test]
fn stanzas_go_from_host_to_host() {
    let mut rig = rig();
    let (here, there) = (rig.login("romeo@d/x"), rig.login("romeo@e/x"));
    rig.send(here, "<message type='chat' to='romeo@e'><body>b</body></message>");
    assert_eq!(rig.one(there), "<message from='romeo@d/x' type='chat' to='romeo@e'><body>b</body></message>");
    rig.nothing(here);
    rig.send(there, "<presence type='subscribe' to='romeo@d'/>");
    rig.received(there);
    assert_eq!(attr(&rig.one(here), "from").as_deref(), Some("romeo@e"));
    rig.send(here, "<presence type='subscribed' to='romeo@e'/>");
    assert_eq!(rig.state("romeo@e", "romeo@d"), Subscription::To);
    rig.send(here, "<message to='romeo@f'><body>b</body></message>");
    assert!(is_error(&rig.received(here).pop().unwrap(), "remote-server-not-found"));
}

#[test]
fn each_host_answers_for_itself() {
    let mut rig = rig();
    let there = rig.login("romeo@e/x");
    for host in ["d", "e"] {
        rig.send(there, &info(host));
        assert_eq!(attr(&rig.one(there), "from").as_deref(), Some(host));
    }
    // Kept and delivered later, it says whose delay it was (XEP-0203 §2).
    rig.close(there);
    let here = rig.login("romeo@d/x");
    rig.send(here, "<message type='chat' to='romeo@e'><body>b</body></message>");
    let there = rig.connect("romeo@e/x");
    rig.send(there, "<presence/>");
    let late = rig.received(there).pop().unwrap();
    assert!(late.contains("<delay xmlns='urn:xmpp:delay' from='e'"), "{late}");
}

#[test]
fn an_administrator_has_one_host() {
    let mut rig = rig();
    let nurse = rig.login("nurse@d/n");
    let command = |to: &str, name: &str| {
        format!(
            "<iq type='set' id='1' to='{to}'><command xmlns='http://jabber.org/protocol/commands' \
             node='http://jabber.org/protocol/admin#{name}'/></iq>"
        )
    };
    rig.send(nurse, &command("e", "get-registered-users-num"));
    assert!(is_error(&rig.one(nurse), "forbidden"));
    // Romeo of the other one is not among these.
    rig.send(nurse, &command("d", "get-registered-users-num"));
    assert!(rig.one(nurse).contains("<value>3</value>"));
    rig.send(nurse, &command("d", "get-registered-users-list"));
    let form = rig.one(nurse);
    let session = form.split(" sessionid='").nth(1).unwrap().split('\'').next().unwrap();
    rig.send(
        nurse,
        &format!(
            "<iq type='set' id='2' to='d'><command xmlns='http://jabber.org/protocol/commands' sessionid='{session}' \
             node='http://jabber.org/protocol/admin#get-registered-users-list'><x xmlns='jabber:x:data' type='submit'>\
             <field var='FORM_TYPE'><value>http://jabber.org/protocol/admin</value></field>\
             <field var='max_items'><value>none</value></field></x></command></iq>"
        ),
    );
    let listed = rig.one(nurse);
    assert!(listed.contains("<value>romeo@d</value>") && !listed.contains("romeo@e"), "{listed}");
}
