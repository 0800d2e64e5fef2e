//! What transcripts do not show: sizes, views of the state, and messages that nobody would write down.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use rand_chacha::ChaCha12Rng;
use rand_core::SeedableRng;

use super::{Account, BindAnswer, Hosts, ServerNegotiation, ServerSettings, ServerStep, unexpected_element};
use crate::limits::FRAMER_BEFORE_AUTH;
use crate::stanza::Jid;
use crate::stream::{Credentials, Mechanism, StreamError};
use crate::xml::{Element, Frame, Framer};

const HEADER: &str = "<stream:stream to='x.y' version='1.0' xml:lang='de' xmlns='jabber:client' \
                      xmlns:stream='http://etherx.jabber.org/streams'>";
const BIND: &str = "<iq id='1' type='set'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>";

struct Rig {
    negotiation: ServerNegotiation,
    framer: Framer,
    rng: ChaCha12Rng,
    out: Vec<u8>,
}

impl Rig {
    fn new(seed: u64) -> Self {
        let settings = ServerSettings {
            domain: String::new(),
            mechanisms: Mechanism::ALL.to_vec(),
            process_secret: [1; 32],
            plain_proofs: true,
            features_before_auth: String::new(),
            features_after_auth: String::new(),
            registration: false,
        };
        Self {
            negotiation: ServerNegotiation::new(Hosts::new(&["x.y".into(), "z.y".into()], &settings)),
            framer: Framer::new(FRAMER_BEFORE_AUTH),
            rng: ChaCha12Rng::seed_from_u64(seed),
            out: Vec::new(),
        }
    }

    fn hear(&mut self, text: &str) -> Result<ServerStep, StreamError> {
        let frame = self.framer.next_frame(&mut BytesMut::from(text)).unwrap().unwrap();
        self.negotiation.handle_frame(frame, &mut self.out, &mut self.rng)
    }

    fn auth(&mut self, mechanism: Mechanism, message: &[u8]) -> Result<ServerStep, StreamError> {
        let (name, message) = (mechanism.as_str(), STANDARD.encode(message));
        self.hear(&format!(
            "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='{name}'>{message}</auth>"
        ))
    }

    fn account(&mut self, account: Account) -> Result<ServerStep, StreamError> {
        let step = self.negotiation.handle_account(account, &mut self.out, &mut self.rng)?;
        let ServerStep::Work(work) = step else { return Ok(step) };
        self.negotiation.handle_worked(work.run(), &mut self.out)
    }

    fn said(&self) -> String {
        String::from_utf8(self.out.clone()).unwrap()
    }

    /// A stream that juliet has bound.
    fn bound() -> Self {
        let mut rig = Self::new(1);
        rig.hear(HEADER).unwrap();
        let step = rig.auth(Mechanism::Plain, b"\0Juliet\0pw");
        assert!(matches!(step, Ok(ServerStep::NeedAccount { account }) if account.as_str() == "juliet@x.y"));
        let credentials = Credentials::derive("pw", &[Mechanism::Plain], b"", 1, &[1; 32]);
        rig.account(Account::Known(Arc::new(credentials))).unwrap();
        rig.framer.restart();
        rig.hear(HEADER).unwrap();
        rig.hear(BIND).unwrap();
        let jid = Jid::parse("juliet@x.y/balcony").unwrap();
        rig.negotiation.handle_bind(BindAnswer::Bound(jid), &mut rig.out).unwrap();
        rig
    }
}

/// The first header says for which host a stream is: the answer, the account and what follows are that one's.
#[test]
fn a_stream_stays_at_its_host() {
    let mut rig = Rig::new(1);
    rig.hear(&HEADER.replace("x.y", "Z.y")).unwrap();
    assert!(rig.said().contains("<stream:stream from='z.y' "), "{}", rig.said());
    let step = rig.auth(Mechanism::Plain, b"\0Juliet\0pw");
    assert!(matches!(step, Ok(ServerStep::NeedAccount { account }) if account.as_str() == "juliet@z.y"));
    let credentials = Credentials::derive("pw", &[Mechanism::Plain], b"", 1, &[1; 32]);
    rig.account(Account::Known(Arc::new(credentials))).unwrap();
    rig.framer.restart();
    let error = rig.hear(HEADER).unwrap_err();
    assert_eq!(error.condition.as_str(), "host-unknown");
}

/// Idle connections are many: nothing of the handshake may stay.
#[test]
fn size() {
    fn is_send<T: Send>() {}
    is_send::<ServerNegotiation>();
    assert!(size_of::<ServerNegotiation>() <= 96, "{}", size_of::<ServerNegotiation>());
}

#[test]
fn views() {
    let mut rig = Rig::new(1);
    assert!(rig.negotiation.account().is_none());
    rig.hear(HEADER).unwrap();
    assert!(rig.negotiation.account().is_none() && rig.negotiation.lang().is_none());
    let rig = Rig::bound();
    assert_eq!(rig.negotiation.account().map(Jid::as_str), Some("juliet@x.y"));
    assert_eq!(rig.negotiation.bound().map(Jid::as_str), Some("juliet@x.y/balcony"));
    assert_eq!(rig.negotiation.lang().map(|lang| &lang[..]), Some(&b"de"[..]));
}

#[test]
fn an_error_from_outside_gets_a_header_once() {
    let mut rig = Rig::new(1);
    rig.negotiation.ensure_header(&mut rig.out, &mut rig.rng);
    rig.negotiation.ensure_header(&mut rig.out, &mut rig.rng);
    assert_eq!(rig.said().matches("<stream:stream ").count(), 1);
    assert!(rig.said().contains(" version='1.0'"));
    let mut rig = Rig::new(1);
    rig.hear(HEADER).unwrap();
    let before = rig.said();
    rig.negotiation.ensure_header(&mut rig.out, &mut rig.rng);
    assert_eq!(rig.said(), before);
}

#[test]
fn ids_are_random() {
    let id = |seed| {
        let mut rig = Rig::new(seed);
        rig.hear(HEADER).unwrap();
        let said = rig.said();
        said.split(" id='").nth(1).unwrap().split('\'').next().unwrap().to_owned()
    };
    assert_eq!(id(1).len(), 32);
    assert_ne!(id(1), id(2));
    let distinct: std::collections::HashSet<_> = id(3).chars().collect();
    assert!(distinct.len() > 4);
}

/// Which accounts exist cannot be told from salts: they stay the same, and differ from name to name.
#[test]
fn salts_of_accounts_that_do_not_exist() {
    let salt = |username: &str| {
        let mut rig = Rig::new(1);
        rig.hear(HEADER).unwrap();
        rig.auth(Mechanism::ScramSha256, format!("n,,n={username},r=abc").as_bytes()).unwrap();
        rig.out.clear();
        rig.account(Account::Unknown).unwrap();
        let said = rig.said();
        let challenge = said.split('>').nth(1).unwrap().split('<').next().unwrap();
        let challenge = String::from_utf8(STANDARD.decode(challenge).unwrap()).unwrap();
        challenge.split(",s=").nth(1).unwrap().to_owned()
    };
    assert_eq!(salt("romeo"), salt("romeo"));
    assert_eq!(salt("romeo"), salt("ROMEO"));
    assert_ne!(salt("romeo"), salt("benvolio"));
    assert!(salt("romeo").ends_with(",i=4096"));
}

#[test]
fn mechanisms_without_keys_fail() {
    let mut rig = Rig::new(1);
    rig.hear(HEADER).unwrap();
    rig.auth(Mechanism::Plain, b"\0juliet\0pw").unwrap();
    rig.account(Account::Known(Arc::default())).unwrap();
    assert!(rig.said().ends_with("<not-authorized/></failure>"));
    rig.auth(Mechanism::ScramSha1, b"n,,n=juliet,r=abc").unwrap();
    rig.account(Account::Known(Arc::default())).unwrap();
    assert!(rig.said().contains("<challenge "), "{}", rig.said());
}

#[test]
fn leaning_too_much() {
    let mut rig = Rig::bound();
    let own: String = (0..32).map(|i| format!(" xmlns:p{i}='u'")).collect();
    let error = rig.hear(&format!("<message{own}><stream:x/></message>")).unwrap_err();
    assert_eq!(error.to_string(), "invalid-namespace");
    assert!(matches!(rig.hear("<message><stream:x/></message>"), Ok(ServerStep::Element(_))));
}

#[test]
fn elements_that_nobody_knows() {
    let error =
        |text: &'static str| unexpected_element(&Element::from_own(Bytes::from_static(text.as_bytes())));
    for (text, expected) in [
        ("<x:presence xmlns:x='jabber:client'/>", "bad-namespace-prefix"),
        ("<x:query xmlns:x='jabber:client'/>", "unsupported-stanza-type"),
        ("<iq xmlns='jabber:server'/>", "invalid-namespace"),
        ("<iq xmlns='urn:foo'/>", "unsupported-stanza-type"),
        ("<foo/>", "unsupported-stanza-type"),
    ] {
        assert_eq!(error(text).to_string(), expected, "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// No message makes `rsasl`, or us, panic.
    #[test]
    fn hostile_messages(
        mechanism in 0..4_usize,
        first in "(n,,n=a,r=b)?[nyp,=arsvecm\u{0}\u{e4}]{0,12}",
        second in "(c=biws,r=|c=|r=)?[nyp,=arsvecm\u{0}\u{e4}]{0,12}",
    ) {
        let mut rig = Rig::new(1);
        rig.hear(HEADER).unwrap();
        if let Ok(ServerStep::NeedAccount { .. }) = rig.auth(Mechanism::ALL[mechanism], first.as_bytes()) {
            rig.account(Account::Unknown).unwrap();
            let response = STANDARD.encode(second);
            let response =
                rig.hear(&format!("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{response}</response>"));
            prop_assert!(matches!(response, Ok(ServerStep::Continue)));
            prop_assert!(rig.said().ends_with("</failure>"));
        }
    }
}

/// The frames that end a stream do not depend on what is awaited.
#[test]
fn close_at_any_time() {
    let mut rig = Rig::bound();
    let step = rig.negotiation.handle_frame(Frame::Close, &mut rig.out, &mut rig.rng);
    assert!(matches!(step, Ok(ServerStep::Close)));
}
