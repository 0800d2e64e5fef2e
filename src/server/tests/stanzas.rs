//! The sender's side: RFC 6120 §8.1, §4.8.5, §4.9.3.24, §7.1.

use bytes::Bytes;

use super::rig::{Rig, attr, is_error};
use crate::engine::{ConnId, Effects};
use crate::stanza::Jid;
use crate::stream::StreamCondition;
use crate::xml::Element;

#[test]
fn from_is_stamped_whatever_it_was() {
    let mut rig = Rig::new();
    let romeo = rig.login("romeo@d/r");
    let juliet = rig.login("juliet@d/b");
    for from in ["", " from='romeo@d/r'", " from='romeo@d'", " from='ROMEO@d'"] {
        rig.send(romeo, &format!("<message to='juliet@d/b'{from} id='1'/>"));
        assert_eq!(rig.one(juliet), "<message from='romeo@d/r' to='juliet@d/b' id='1'/>");
    }
}

#[test]
fn a_foreign_from_ends_the_stream() {
    let mut rig = Rig::new();
    let romeo = rig.login("romeo@d/r");
    for from in ["juliet@d", "romeo@d/other", "d", "", "@@"] {
        let error = rig.try_send(romeo, &format!("<message from='{from}'/>")).unwrap_err();
        assert_eq!(error.condition, StreamCondition::InvalidFrom, "{from}");
    }
}

#[test]
fn what_is_no_stanza_ends_the_stream() {
    let mut rig = Rig::new();
    let romeo = rig.login("romeo@d/r");
    for (text, condition) in [
        ("<foo xmlns='bar'/>", StreamCondition::UnsupportedStanzaType),
        ("<c:message xmlns:c='jabber:client'/>", StreamCondition::BadNamespacePrefix),
        ("<message xmlns='jabber:server'/>", StreamCondition::InvalidNamespace),
    ] {
        assert_eq!(rig.try_send(romeo, text).unwrap_err().condition, condition, "{text}");
    }
}

/// RFC 6120 §10.3: without `to`, a stanza is for the sender's own account, and an error comes from there too.
#[test]
fn what_has_no_to_is_answered_by_the_account() {
    let mut rig = Rig::new();
    let romeo = rig.login("romeo@d/r");
    for text in [
        "<iq id='1' type='get'><x xmlns='unknown'/></iq>",
        "<iq id='1' type='get'/>",
        "<message id='1' type='groupchat'/>",
    ] {
        rig.send(romeo, text);
        let answer = rig.one(romeo);
        assert_eq!(attr(&answer, "from").as_deref(), Some("romeo@d"), "{text}: {answer}");
        assert_eq!(attr(&answer, "type").as_deref(), Some("error"), "{text}: {answer}");
    }
    rig.send(romeo, "<iq id='1' type='get' to='@'><x xmlns='unknown'/></iq>");
    assert_eq!(
        attr(&rig.one(romeo), "from").as_deref(),
        Some("d"),
        "an address that is none answers nothing"
    );
}

#[test]
fn unsound_stanzas_are_bad_requests() {
    let mut rig = Rig::new();
    let romeo = rig.login("romeo@d/r");
    for text in [
        "<iq type='get'><ping xmlns='urn:xmpp:ping'/></iq>",
        "<iq id='1'><ping xmlns='urn:xmpp:ping'/></iq>",
        "<iq id='1' type='get'/>",
        "<iq id='1' type='set'><a xmlns='u'/><b xmlns='u'/></iq>",
        "<presence type='available'/>",
        "<presence type='subscribe'/>",
    ] {
        rig.send(romeo, text);
        assert!(is_error(&rig.one(romeo), "bad-request"), "{text}");
    }
    rig.send(romeo, "<iq type='result'/>");
    rig.nothing(romeo);
}

#[test]
fn content_is_forwarded_byte_for_byte() {
    let mut rig = Rig::new();
    let romeo = rig.login("romeo@d/r");
    let juliet = rig.login("juliet@d/b");
    let rest = " xml:lang='de' x:y='&quot;' xmlns:x='u'><body >a&lt;<![CDATA[<b>]]>\u{e9}</body ><x:z/>";
    rig.send(romeo, &format!("<message to='juliet@d/b'{rest}</message>"));
    assert_eq!(rig.one(juliet), format!("<message from='romeo@d/r' to='juliet@d/b'{rest}</message>"));
}

#[test]
fn before_binding_only_requests_to_the_server_are_answered() {
    let mut rig = Rig::new();
    let account = Jid::parse("romeo@d").unwrap();
    let conn = ConnId { slot: 0, generation: 0 };
    let mut send = |text: &str| {
        let element = Element::from_own(Bytes::from(text.to_owned()));
        let mut out = Effects::default();
        rig.world.on_early_element(element, &account, conn, &mut out)?;
        Ok::<_, crate::stream::StreamError>(out.drain().count())
    };
    for to in ["", " to='d'", " to='romeo@d'"] {
        let ping = format!("<iq id='1' type='get'{to}><ping xmlns='urn:xmpp:ping'/></iq>");
        assert_eq!(send(&ping).unwrap(), 1, "{to}");
    }
    for text in [
        "<message to='juliet@d'/>",
        "<presence/>",
        "<iq id='1' type='get' to='juliet@d'><ping xmlns='urn:xmpp:ping'/></iq>",
        "<iq id='1' type='result'/>",
        "<iq id='1' type='get' from='juliet@d'><ping xmlns='urn:xmpp:ping'/></iq>",
    ] {
        assert_eq!(send(text).unwrap_err().condition, StreamCondition::NotAuthorized, "{text}");
    }
}

#[test]
fn stanzas_are_counted() {
    let mut rig = Rig::new();
    let romeo = rig.login("romeo@d/r");
    rig.send(romeo, "<message to='romeo@d/r'/>");
    rig.send(romeo, "<message to='nobody@d'/>");
    rig.send(romeo, "<iq type='result' id='1'/>");
    let counters = rig.world.counters();
    assert_eq!((counters.messages_in, counters.presences_in, counters.iqs_in), (2, 1, 1));
    assert_eq!((counters.bounced, counters.drops().map(|(_, n)| n).sum::<u64>()), (1, 1));
    assert!(attr(&rig.received(romeo)[0], "from").is_some());
}
