//! XEP-0334, XEP-0085 §2 and XEP-0160 §3: which messages are kept.

use bytes::Bytes;

use crate::server::hints::{Hints, has_body, hints_of, is_chat_state_only, wants_storage};
use crate::stanza::Stanza;

fn stanza(text: &str) -> Stanza {
    Stanza::from_own(Bytes::from(text.to_owned()))
}

const COMPOSING: &str = "<composing xmlns='http://jabber.org/protocol/chatstates'/>";

fn hint(name: &str) -> String {
    format!("<{name} xmlns='urn:xmpp:hints'/>")
}

#[test]
fn hints() {
    let of = |content: &str| hints_of(&stanza(&format!("<message to='a@d'>{content}</message>")));
    assert_eq!(of("<body>urn:xmpp:hints</body>"), Hints::default(), "text is no hint");
    assert_eq!(of(&hint("no-store")), Hints { no_store: true, ..Hints::default() });
    assert_eq!(of(&hint("store")), Hints { store: true, ..Hints::default() });
    assert_eq!(of("<no-store xmlns='urn:xmpp:hint'/><no-store/>"), Hints::default());
    assert_eq!(of("<x xmlns='u'><no-store xmlns='urn:xmpp:hints'/></x>"), Hints::default(), "not its own");
    assert_eq!(
        of(&format!("<h:no-copy xmlns:h='urn:xmpp:hints'/><body/>{}", hint("no-permanent-store"))),
        Hints { no_copy: true, no_permanent_store: true, ..Hints::default() }
    );
    let error = format!("<message type='error'>{}</message>", hint("no-store"));
    assert_eq!(hints_of(&stanza(&error)), Hints::default(), "XEP-0334 §5");
}

#[test]
fn chat_states_and_bodies() {
    let message = |content: &str| stanza(&format!("<message type='chat'>{content}</message>"));
    for (content, only, body) in [
        (COMPOSING.to_owned(), true, false),
        (format!("{COMPOSING}<thread>t</thread>"), true, false),
        (format!("{COMPOSING}{}<origin-id xmlns='urn:xmpp:sid:0' id='1'/>", hint("no-store")), true, false),
        (format!("<body/>{COMPOSING}"), false, true),
        (format!("{COMPOSING}<subject>s</subject>"), false, false),
        (format!("{COMPOSING}<received xmlns='urn:xmpp:receipts' id='1'/>"), false, false),
        ("<body>http://jabber.org/protocol/chatstates</body>".to_owned(), false, true),
        ("<x xmlns='u'><body/></x>".to_owned(), false, false),
        ("<thread>t</thread>".to_owned(), false, false),
        (String::new(), false, false),
    ] {
        assert_eq!(is_chat_state_only(&message(&content)), only, "{content}");
        assert_eq!(has_body(&message(&content)), body, "{content}");
    }
}

#[test]
fn what_waits_for_its_recipient() {
    let (body, active) = ("<body>hi</body>", "<active xmlns='http://jabber.org/protocol/chatstates'/>");
    let (store, no_store) = (hint("store"), hint("no-store"));
    let permanent = hint("no-permanent-store");
    for (open, content, wanted) in [
        ("<message", body.to_owned(), true),
        ("<message type='normal'", String::new(), true),
        ("<message type='x'", body.to_owned(), true),
        ("<message type='chat'", body.to_owned(), true),
        ("<message type='chat'", format!("{body}{active}"), true),
        ("<message type='chat'", "<received xmlns='urn:xmpp:receipts' id='1'/>".to_owned(), true),
        ("<message type='chat'", active.to_owned(), false),
        ("<message", active.to_owned(), true),
        ("<message type='chat'", format!("{active}{store}"), true),
        ("<message type='chat'", format!("{body}{no_store}"), false),
        ("<message", format!("{body}{no_store}"), false),
        ("<message", format!("{body}{no_store}{store}"), false),
        ("<message", format!("{body}{permanent}"), true),
        ("<message type='groupchat'", format!("{body}{store}"), false),
        ("<message type='headline'", format!("{body}{store}"), false),
        ("<message type='error'", format!("{body}{store}"), false),
        ("<presence", store.clone(), false),
        ("<iq type='result' id='1'", store, false),
    ] {
        let name = &open[1..].split(' ').next().unwrap();
        let text = format!("{open}>{content}</{name}>");
        assert_eq!(wants_storage(&stanza(&text)), wanted, "{text}");
    }
}
