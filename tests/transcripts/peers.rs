//! The two sides that are driven, each with a framer and an owner that knows the script's accounts.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::BytesMut;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;
use xmpp_bench::limits::{FRAMER_AFTER_AUTH, FRAMER_BEFORE_AUTH, FRAMER_CLIENT, SCRAM_ITERATIONS};
use xmpp_bench::stanza::Condition;
use xmpp_bench::stream::{
    Account, BindAnswer, ClientNegotiation, ClientSettings, ClientStep, Credentials, ResumeAnswer,
    SALT_BYTES, SaltedPasswordCache, ServerNegotiation, ServerSettings, ServerStep, StreamError,
};
use xmpp_bench::xml::Framer;

use crate::script::Script;

pub(crate) const DOMAIN: &str = "im.example.com";
const SECRET: [u8; 32] = [42; 32];

pub(crate) struct Server {
    negotiation: ServerNegotiation,
    framer: Framer,
    input: BytesMut,
    rng: ChaCha12Rng,
    accounts: HashMap<String, Arc<Credentials>>,
    unavailable: Option<String>,
    refusals: Vec<Condition>,
    closed: bool,
    pub(crate) out: Vec<u8>,
    pub(crate) events: Vec<String>,
}

impl Server {
    pub(crate) fn new(script: &Script) -> Self {
        let settings = ServerSettings {
            domain: DOMAIN.into(),
            mechanisms: script.mechanisms.clone(),
            process_secret: SECRET,
            plain_proofs: true,
            features_before_auth: String::new(),
            features_after_auth: "<ver xmlns='urn:xmpp:features:rosterver'/>".into(),
            registration: false,
        };
        let derive = |password: &str| {
            Credentials::derive(password, &script.mechanisms, &[7; SALT_BYTES], SCRAM_ITERATIONS, &SECRET)
        };
        let accounts = script.accounts.iter();
        Self {
            negotiation: ServerNegotiation::new(Arc::new(settings)),
            framer: Framer::new(FRAMER_BEFORE_AUTH),
            input: BytesMut::new(),
            rng: ChaCha12Rng::seed_from_u64(1),
            accounts: accounts.map(|(name, password)| (name.clone(), Arc::new(derive(password)))).collect(),
            unavailable: script.unavailable.clone(),
            refusals: script.refusals.clone(),
            closed: false,
            out: Vec::new(),
            events: Vec::new(),
        }
    }

    pub(crate) fn hear(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
        while !self.closed {
            match self.framer.next_frame(&mut self.input) {
                Ok(None) => return,
                Ok(Some(frame)) => {
                    let step = self.negotiation.handle_frame(frame, &mut self.out, &mut self.rng);
                    self.follow(step);
                }
                Err(error) => {
                    self.negotiation.ensure_header(&mut self.out, &mut self.rng);
                    self.close(&error.into());
                }
            }
        }
    }

    fn follow(&mut self, step: Result<ServerStep, StreamError>) {
        match step {
            Ok(ServerStep::Continue) => {}
            Ok(ServerStep::NeedAccount { account }) => {
                let username = account.as_ref().local().expect("a login has a name").to_owned();
                let account = match self.accounts.get(&username) {
                    _ if self.unavailable.as_ref() == Some(&username) => Account::Unavailable,
                    Some(credentials) => Account::Known(credentials.clone()),
                    None => Account::Unknown,
                };
                let step = self.negotiation.handle_account(account, &mut self.out, &mut self.rng);
                self.follow(step);
            }
            Ok(ServerStep::Work(work)) => {
                let step = self.negotiation.handle_worked(work.run(), &mut self.out);
                self.follow(step);
            }
            Ok(ServerStep::Authenticated { account, anonymous }) => {
                assert_eq!(self.negotiation.account(), Some(&account));
                self.framer.restart();
                self.framer.set_limits(FRAMER_AFTER_AUTH);
                if anonymous {
                    assert_eq!(account.as_ref().local().map(str::len), Some(32));
                    self.events.push("anonymous".into());
                } else {
                    self.events.push(format!("authenticated {account}"));
                }
            }
            Ok(ServerStep::Bind { resource }) => {
                let account = self.negotiation.account().expect("authenticated");
                let answer = match self.refusals.pop() {
                    Some(condition) => BindAnswer::Refused(condition),
                    None => {
                        match account.with_resource(resource.as_deref().unwrap_or("made-by-the-server")) {
                            Ok(jid) => BindAnswer::Bound(jid),
                            Err(_) => BindAnswer::Refused(Condition::BadRequest),
                        }
                    }
                };
                let step = self.negotiation.handle_bind(answer, &mut self.out);
                if let Some(jid) = self.negotiation.bound() {
                    self.events.push(format!("bound {jid}"));
                }
                self.follow(step);
            }
            Ok(ServerStep::Resume { h, previd }) => {
                self.events.push(format!("resume {previd} {h}"));
                let answer = ResumeAnswer::Failed { condition: Condition::ItemNotFound, h: Some(7) };
                let step = self.negotiation.handle_resume(answer, &mut self.out);
                self.follow(step);
            }
            Ok(ServerStep::Element(element)) => self.events.push(format!("element {}", element.as_str())),
            Ok(ServerStep::Register(element)) => {
                self.events.push(format!("registration {}", element.as_str()));
            }
            Ok(ServerStep::Close) => {
                self.out.extend_from_slice(b"</stream:stream>");
                self.events.push("closed".into());
                self.closed = true;
            }
            Err(error) => self.close(&error),
        }
    }

    fn close(&mut self, error: &StreamError) {
        let mut without_text = error.clone();
        // Words may change; the condition may not.
        without_text.text = None;
        without_text.write(&mut self.out);
        self.closed = true;
    }
}

pub(crate) struct Client {
    negotiation: ClientNegotiation,
    framer: Framer,
    input: BytesMut,
    rng: ChaCha12Rng,
    closed: bool,
    pub(crate) out: Vec<u8>,
    pub(crate) events: Vec<String>,
}

impl Client {
    /// Has said its header.
    pub(crate) fn new(script: &Script) -> Self {
        let client = script.client.clone().expect("@client");
        let mut negotiation = ClientNegotiation::new(ClientSettings {
            domain: DOMAIN.into(),
            mechanism: client.mechanism,
            username: client.username,
            password: client.password.into(),
            resource: client.resource,
            cache: SaltedPasswordCache::default(),
            management: xmpp_bench::stream::WantedManagement::None,
        });
        let mut out = Vec::new();
        negotiation.handle_connected(&mut out);
        Self {
            negotiation,
            framer: Framer::new(FRAMER_CLIENT),
            input: BytesMut::new(),
            rng: ChaCha12Rng::seed_from_u64(2),
            closed: false,
            out,
            events: Vec::new(),
        }
    }

    pub(crate) fn hear(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
        while !self.closed {
            let frame = match self.framer.next_frame(&mut self.input) {
                Ok(None) => return,
                Ok(Some(frame)) => frame,
                Err(error) => panic!("the server's XML: {error}"),
            };
            let mut step = self.negotiation.handle_frame(frame, &mut self.out, &mut self.rng);
            if let Ok(ClientStep::Work(work)) = step {
                step = self.negotiation.handle_worked(work.run(), &mut self.out);
            }
            let event = match step {
                Ok(ClientStep::Continue) => continue,
                Ok(ClientStep::Work(_)) => panic!("work follows a challenge"),
                Ok(ClientStep::Authenticated) => {
                    self.framer.restart();
                    continue;
                }
                Ok(ClientStep::Bound { jid }) => format!("bound {jid}"),
                Ok(ClientStep::Resumed { h }) => format!("resumed {h}"),
                Ok(ClientStep::Element(element)) => format!("element {}", element.as_str()),
                Ok(ClientStep::Close(error)) => {
                    self.closed = true;
                    error.map_or_else(|| "closed".into(), |error| format!("closed: {error}"))
                }
                Err(error) => {
                    self.closed = true;
                    error.to_string()
                }
            };
            self.events.push(event);
        }
    }
}
