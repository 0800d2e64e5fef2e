//! What transcripts do not show: sizes, and challenges that nobody would write down.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::BytesMut;
use proptest::prelude::*;
use rand_chacha::ChaCha12Rng;
use rand_core::SeedableRng;

use super::{ClientNegotiation, ClientSettings, ClientStep, LoginError};
use crate::limits::FRAMER_CLIENT;
use crate::stream::{Mechanism, SaltedPasswordCache};
use crate::xml::Framer;

fn settings(mechanism: Mechanism, username: &str, password: &str) -> ClientSettings {
    ClientSettings {
        domain: "x.y".into(),
        mechanism,
        username: username.into(),
        password: password.into(),
        resource: None,
        cache: SaltedPasswordCache::default(),
        management: crate::stream::WantedManagement::None,
    }
}

/// Lets a client hear a header, features with every mechanism, and then challenges, which may repeat its nonce; returns
/// what came of the last one.
fn login(settings: ClientSettings, challenges: &[&dyn Fn(&str) -> String]) -> Result<ClientStep, LoginError> {
    let mut negotiation = ClientNegotiation::new(settings);
    let (mut out, mut rng) = (Vec::new(), ChaCha12Rng::seed_from_u64(1));
    negotiation.handle_connected(&mut out);
    let mechanisms = Mechanism::ALL.map(|name| format!("<mechanism>{}</mechanism>", name.as_str())).concat();
    let mut input = BytesMut::from(&*format!(
        "<stream:stream id='1' from='x.y' version='1.0' xmlns='jabber:client' \
         xmlns:stream='http://etherx.jabber.org/streams'><stream:features>\
         <mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{mechanisms}</mechanisms></stream:features>"
    ));
    let mut framer = Framer::new(FRAMER_CLIENT);
    let mut step = ClientStep::Continue;
    let mut nonce = String::new();
    for challenge in [None].into_iter().chain(challenges.iter().map(Some)) {
        if let Some(challenge) = challenge {
            let data = STANDARD.encode(challenge(&nonce));
            let words = format!("<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{data}</challenge>");
            input.extend_from_slice(words.as_bytes());
        }
        while let Some(frame) = framer.next_frame(&mut input).unwrap() {
            step = negotiation.handle_frame(frame, &mut out, &mut rng)?;
            if let ClientStep::Work(work) = step {
                step = negotiation.handle_worked(work.run(), &mut out)?;
            }
        }
        if nonce.is_empty() {
            nonce = scram_nonce(&String::from_utf8(out.clone()).unwrap()).unwrap_or_default();
        }
    }
    Ok(step)
}

/// Of the initial response, if it is SCRAM's.
fn scram_nonce(said: &str) -> Option<String> {
    let response = said.rsplit_once("</auth>")?.0.rsplit_once('>')?.1;
    let response = String::from_utf8(STANDARD.decode(response).ok()?).ok()?;
    response.split_once(",r=").map(|(_, nonce)| nonce.to_owned())
}

/// There are as many of them as there are synthetic clients.
#[test]
fn size() {
    fn is_send<T: Send>() {}
    is_send::<ClientNegotiation>();
    assert!(size_of::<ClientNegotiation>() <= 16, "{}", size_of::<ClientNegotiation>());
}

#[test]
fn credentials_that_cannot_be_sent() {
    for mechanism in [Mechanism::Plain, Mechanism::ScramSha256] {
        for (username, password) in [("", "pw"), ("juliet", ""), ("ju\0liet", "pw"), ("juliet", "p\u{7}w")] {
            let first = |nonce: &str| format!("r={nonce}x,s=QSXCR+Q6sek8bf92,i=1");
            let step = login(settings(mechanism, username, password), &[&first]);
            assert!(matches!(step, Err(LoginError::Protocol(_))), "{username:?} {password:?}: {step:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// No challenge makes `rsasl`, or us, panic.
    #[test]
    fn hostile_challenges(
        first in "(r=|r=x,s=QSX=,i=)?[nyp,=arsvecm\u{0}\u{e4}1]{0,12}",
        second in "(v=|e=)?[nyp,=arsvecm\u{0}\u{e4}]{0,12}",
    ) {
        let login = |challenges: &[&dyn Fn(&str) -> String]| {
            login(settings(Mechanism::ScramSha1, "juliet", "pw"), challenges)
        };
        prop_assert!(login(&[&|_| first.clone()]).is_err());
        let good_first = |nonce: &str| format!("r={nonce}x,s=QSXCR+Q6sek8bf92,i=1");
        prop_assert!(matches!(login(&[&good_first]), Ok(ClientStep::Continue)));
        prop_assert!(login(&[&good_first, &|_| second.clone()]).is_err());
    }
}
