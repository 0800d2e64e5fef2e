//! Stream headers and restarts (RFC 6120 §4.2, §4.3.3).
//!
//! Each header is answered before it is judged (§4.9.1.2).

use bytes::Bytes;
use rand_chacha::ChaCha12Rng;

use super::auth::ExpectAuth;
use super::bind::ExpectBind;
use super::{Hosts, ServerSettings, ServerStep, State, Transition};
use crate::stanza::Jid;
use crate::stream::features::{write_features_after_auth, write_features_before_auth};
use crate::stream::header::{ClientHeader, parse_client_header, write_server_header};
use crate::stream::{StreamCondition, StreamError};
use crate::xml::Open;

/// The first header, which says for which host the stream is.
#[derive(Debug)]
pub(super) struct ExpectOpen {
    pub(super) hosts: Hosts,
}

/// The first header, with the settings of the host that it is for.
pub(super) fn handle_open(
    open: &Open,
    settings: &ServerSettings,
    out: &mut Vec<u8>,
    rng: &mut ChaCha12Rng,
) -> Transition {
    let header = parse_client_header(open, &settings.domain);
    write_server_header(&settings.domain, &header, rng, out);
    if let Some(fault) = header.fault {
        return Err(StreamError::peer(fault));
    }
    write_features_before_auth(settings, out);
    Ok((State::ExpectAuth(ExpectAuth::default()), ServerStep::Continue))
}

/// The header behind SASL's success.
#[derive(Debug)]
pub(super) struct ExpectReopen {
    pub(super) account: Jid,
    /// The client cannot know its address, so what it says of it does not count.
    pub(super) anonymous: bool,
}

impl ExpectReopen {
    /// The domain cannot change across the restart: who was authenticated belongs to one, and another is `host-unknown`. A `from` has to be the
    /// address that was authenticated (RFC 6120 §4.9.3.9).
    pub(super) fn handle_open(
        self,
        open: &Open,
        settings: &ServerSettings,
        out: &mut Vec<u8>,
        rng: &mut ChaCha12Rng,
    ) -> Transition {
        let header = parse_client_header(open, &settings.domain);
        write_server_header(&settings.domain, &header, rng, out);
        let is_other =
            header.from_malformed || header.from.as_ref().is_some_and(|from| *from != self.account);
        let fault =
            header.fault.or_else(|| (is_other && !self.anonymous).then_some(StreamCondition::InvalidFrom));
        if let Some(fault) = fault {
            return Err(StreamError::peer(fault));
        }
        write_features_after_auth(settings, out);
        let lang: Option<Bytes> = header.lang;
        Ok((State::ExpectBind(ExpectBind { account: self.account, lang, refused: 0 }), ServerStep::Continue))
    }
}

/// Our header for a client whose own has not come, or could not be read.
pub(super) fn write_header_unasked(settings: &ServerSettings, out: &mut Vec<u8>, rng: &mut ChaCha12Rng) {
    let header = ClientHeader { versioned: true, ..ClientHeader::default() };
    write_server_header(&settings.domain, &header, rng, out);
}
