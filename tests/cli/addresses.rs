//! `addresses` in a configuration: what names beyond ASCII mean.

#![allow(clippy::unwrap_used, reason = "a test")]

use rustix::process::Signal;

use super::login::Client;
use super::program::Folder;

/// A router's configuration; `rules` is a line of it, or nothing.
fn config(rules: &str) -> String {
    format!(
        "listen = \"127.0.0.1:0\"\ndomain = \"d\"\nmechanisms = [\"PLAIN\"]\nstore = \"sqlite:a.db\"\n{rules}\n\
         users = [{{ name = \"a\", password = \"pa\" }}]\n"
    )
}

/// The resource and the roster item that a router makes of `№1` and `Straße@d`.
fn prepared(folder: &Folder) -> (String, String) {
    let mut program = folder.start("serve serve.toml");
    let line = program.wait_stdout("listening on ");
    let address = line["listening on ".len()..].split(',').next().unwrap().parse().unwrap();
    let mut client = Client::authenticate(address, "a", "pa").unwrap();
    client.send(
        "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
         <resource>\u{2116}1</resource></bind></iq>",
    );
    let bound = client.until("</iq>");
    let resource = bound.split("a@d/").nth(1).unwrap().split('<').next().unwrap().to_owned();
    client.send(
        "<iq type='set' id='r'><query xmlns='jabber:iq:roster'><item jid='Stra\u{df}e@d'/></query></iq>\
         <iq type='get' id='g'><query xmlns='jabber:iq:roster'/></iq>",
    );
    client.until("id='r'");
    let roster = client.until("</iq>");
    let item = roster.split("jid='").nth(1).unwrap().split('\'').next().unwrap().to_owned();
    program.signal(Signal::TERM);
    program.finish().exits(0);
    (resource, item)
}

#[test]
fn addresses_follow_the_chosen_rules() {
    for (rules, resource, item) in [
        ("", "No1", "strasse@d"),
        ("addresses = \"stringprep\"", "No1", "strasse@d"),
        ("addresses = \"precis\"", "\u{2116}1", "stra\u{df}e@d"),
    ] {
        let folder = Folder::with("serve.toml", &config(rules));
        assert_eq!(prepared(&folder), (resource.to_owned(), item.to_owned()), "{rules}");
    }
}

#[test]
fn a_store_of_other_rules_is_refused() {
    let folder = Folder::with("serve.toml", &config("addresses = \"precis\""));
    prepared(&folder);
    folder.write("serve.toml", &config(""));
    let ended = folder.run("serve serve.toml").exits(2);
    let (what, _) = ended.complaint();
    assert!(
        what.contains("stra\u{df}e@d is in it, which is no address by `addresses = \"stringprep\"`"),
        "{what}"
    );
}

/// Whichever rules are set, a new account's name is the same under both (RFC 7622 §3, RFC 6122 §2).
#[test]
fn an_operator_makes_no_account_that_means_two_things() {
    for rules in ["", "addresses = \"precis\""] {
        let folder = Folder::with("serve.toml", &config(rules));
        let ended = folder.run("user add stra\u{df}e --password x --config serve.toml").exits(2);
        assert!(ended.complaint().0.contains("servers take for different ones"), "{rules}");
        folder.run("user add J\u{fc}rgen --password x --config serve.toml").exits(0);
        let listed = folder.run("user list --config serve.toml").exits(0);
        assert_eq!(listed.stdout_line(), "j\u{fc}rgen@d");
    }
}
