//! Three streams of stanzas, the same at every run, made up but shaped like what clients send.
//!
//! No stanza is repeated byte for byte: names, ids, lengths and the order of kinds come from a seeded generator, or
//! branch predictors would learn the corpus by heart.

use std::fmt::Write as _;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// Size of each stream, at least; far beyond L2.
const STREAM_BYTES_MIN: usize = 8 << 20;

/// The header that every stream begins with.
pub(crate) const HEADER: &str = "<?xml version='1.0'?><stream:stream to='capulet.lit' xmlns='jabber:client' \
                          xmlns:stream='http://etherx.jabber.org/streams' version='1.0' xml:lang='en'>";
/// And what it ends with.
pub(crate) const TRAILER: &str = "</stream:stream>";

/// One stream.
#[derive(Debug)]
pub(crate) struct Corpus {
    /// For the report.
    pub name: &'static str,
    /// Header, stanzas, trailer.
    pub text: String,
    /// How many stanzas.
    pub stanzas: usize,
}

/// All three.
#[must_use]
pub(crate) fn all() -> [Corpus; 3] {
    [stream("chat", 1, Words::chat), stream("mixed", 2, Words::mixed), stream("large", 3, Words::large)]
}

fn stream(name: &'static str, seed: u64, stanza: impl Fn(&mut Words, &mut String)) -> Corpus {
    let mut words = Words(ChaCha8Rng::seed_from_u64(seed));
    let mut text = HEADER.to_owned();
    let mut stanzas = 0;
    while text.len() < STREAM_BYTES_MIN {
        stanza(&mut words, &mut text);
        stanzas += 1;
    }
    text.push_str(TRAILER);
    Corpus { name, text, stanzas }
}

const USERS: [&str; 12] = [
    "romeo",
    "juliet",
    "mercutio",
    "benvolio",
    "tybalt",
    "nurse",
    "friar.laurence",
    "paris",
    "escalus",
    "u000417",
    "rosaline",
    "balthasar",
];
const DOMAINS: [&str; 4] = ["capulet.lit", "montague.example", "im.verona.example.org", "shakespeare.lit"];
const RESOURCES: [&str; 6] =
    ["balcony", "orchard", "Conversations.x7Tq", "gajim.9FAB3K2L", "phone", "profanity.1k5h"];
const WORDS: [&str; 24] = [
    "but", "soft", "what", "light", "through", "yonder", "window", "breaks", "it", "is", "the", "east",
    "and", "Juliet", "sun", "arise", "fair", "kill", "envious", "moon", "who", "already", "sick", "grief",
];
const WIDE_WORDS: [&str; 8] = ["Ромео", "Джульетта", "schöne", "Grüße", "夜明け", "なぜ", "🌙", "ça"];

/// The generator.
struct Words(ChaCha8Rng);

impl Words {
    fn below(&mut self, bound: usize) -> usize {
        self.0.next_u32() as usize % bound
    }

    fn one_of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }

    fn id(&mut self) -> String {
        format!("{:08x}-{:04x}", self.0.next_u32(), self.0.next_u32() >> 16)
    }

    fn bare(&mut self) -> String {
        format!("{}@{}", self.one_of(&USERS), self.one_of(&DOMAINS))
    }

    fn full(&mut self) -> String {
        format!("{}/{}", self.bare(), self.one_of(&RESOURCES))
    }

    /// Some words; one text in eight is not English, and one word in forty needs a reference.
    fn text(&mut self, words: usize) -> String {
        let list: &[&str] = if self.below(8) == 0 { &WIDE_WORDS } else { &WORDS };
        let mut text = self.one_of(list).to_owned();
        for _ in 1..words {
            let separator = match self.below(40) {
                0 => " &amp; ",
                1 => " &lt;3 ",
                2 => "\n",
                3 => ", ",
                _ => " ",
            };
            text.push_str(separator);
            text.push_str(self.one_of(list));
        }
        text
    }

    fn base64(&mut self, lines: usize) -> String {
        const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut text = String::new();
        for _ in 0..lines {
            text.extend((0..76).map(|_| char::from(ALPHABET[self.below(64)])));
            text.push('\n');
        }
        text
    }

    /// A short message, some 180 bytes.
    fn chat(&mut self, out: &mut String) {
        let (to, from, id) = (self.full(), self.full(), self.id());
        let words = 3 + self.below(7);
        let text = self.text(words);
        write!(out, "<message to='{to}' from='{from}' type='chat' id='{id}'><body>{text}</body></message>")
            .expect("a string takes all");
    }

    /// What a server sees in a day, some 412 bytes in the mean.
    fn mixed(&mut self, out: &mut String) {
        match self.below(20) {
            0..=6 => self.chat_with_extras(out),
            7..=11 => self.presence(out),
            12 | 13 => self.roster(out),
            14..=16 => self.archived(out),
            17 => self.small_iq(out),
            18 => self.chat(out),
            _ => self.disco(out),
        }
    }

    fn chat_with_extras(&mut self, out: &mut String) {
        let (to, from, id) = (self.full(), self.full(), self.id());
        let words = 3 + self.below(20);
        let text = self.text(words);
        write!(
            out,
            "<message xml:lang='en' to='{to}' from='{from}' type='chat' id='{id}'><body>{text}</body>\
             <active xmlns='http://jabber.org/protocol/chatstates'/><request xmlns='urn:xmpp:receipts'/>\
             <origin-id xmlns='urn:xmpp:sid:0' id='{id}'/></message>"
        )
        .expect("a string takes all");
    }

    fn presence(&mut self, out: &mut String) {
        let from = self.full();
        let show = self.one_of(&["chat", "away", "dnd", "xa"]);
        let (priority, words) = (self.below(20), 1 + self.below(4));
        let (status, hash) = (self.text(words), self.id());
        write!(
            out,
            "<presence from=\"{from}\"><show>{show}</show><status>{status}</status><priority>{priority}</priority>\
             <c xmlns=\"http://jabber.org/protocol/caps\" hash=\"sha-1\" node=\"http://conversations.im\" \
             ver=\"{hash}k3BLdZ5o=\"/><x xmlns=\"vcard-temp:x:update\"><photo>{hash}</photo></x></presence>"
        )
        .expect("a string takes all");
    }

    fn roster(&mut self, out: &mut String) {
        let (to, id) = (self.full(), self.id());
        write!(out, "<iq to='{to}' type='result' id='{id}'><query xmlns='jabber:iq:roster' ver='ver{id}'>")
            .expect("a string takes all");
        for _ in 0..2 + self.below(6) {
            let (jid, name) = (self.bare(), self.text(1));
            let subscription = self.one_of(&["both", "to", "from", "none' ask='subscribe"]);
            write!(
                out,
                "<item jid='{jid}' name='{name}' subscription='{subscription}'><group>Friends</group></item>"
            )
            .expect("a string takes all");
        }
        out.push_str("</query></iq>");
    }

    fn archived(&mut self, out: &mut String) {
        let (to, id, query) = (self.full(), self.id(), self.id());
        write!(
            out,
            "<message id='{id}' to='{to}'><result xmlns='urn:xmpp:mam:2' queryid='{query}' id='{id}'>\
             <forwarded xmlns='urn:xmpp:forward:0'><delay xmlns='urn:xmpp:delay' stamp='2010-07-10T23:08:25Z'/>"
        )
        .expect("a string takes all");
        let start = out.len();
        self.chat(out);
        out.insert_str(start + "<message".len(), " xmlns='jabber:client'");
        out.push_str("</forwarded></result></message>");
    }

    fn small_iq(&mut self, out: &mut String) {
        let (to, from, id) = (self.full(), self.full(), self.id());
        let kind = self.one_of(&["get", "result"]);
        writeln!(
            out,
            "<iq from='{from}' to='{to}' id='{id}' type='{kind}'><ping xmlns='urn:xmpp:ping'/></iq>\n"
        )
        .expect("a string takes all");
    }

    fn disco(&mut self, out: &mut String) {
        let (to, from, id) = (self.full(), self.full(), self.id());
        write!(
            out,
            "<iq from='{from}' to='{to}' id='{id}' type='result'>\
             <query xmlns='http://jabber.org/protocol/disco#info' node='http://gajim.org#{id}'>\
             <identity category='client' type='pc' name='Gajim'/>"
        )
        .expect("a string takes all");
        for _ in 0..4 + self.below(8) {
            let feature = self.one_of(&[
                "http://jabber.org/protocol/disco#info",
                "http://jabber.org/protocol/muc",
                "urn:xmpp:ping",
                "jabber:iq:version",
                "urn:xmpp:mam:2",
                "eu.siacs.conversations.axolotl.devicelist+notify",
            ]);
            write!(out, "<feature var='{feature}'/>").expect("a string takes all");
        }
        out.push_str("</query></iq>");
    }

    /// Long bodies, avatars and vCards: 1 to 12 KiB.
    fn large(&mut self, out: &mut String) {
        let (to, from, id) = (self.full(), self.full(), self.id());
        match self.below(3) {
            0 => {
                let words = 200 + self.below(800);
                let text = self.text(words);
                write!(out, "<message to='{to}' from='{from}' id='{id}'><body>{text}</body></message>")
            }
            1 => {
                let lines = 20 + self.below(130);
                let photo = self.base64(lines);
                write!(
                    out,
                    "<iq to='{to}' from='{from}' id='{id}' type='result'><vCard xmlns='vcard-temp'>\
                     <FN>Peter Saint-Andre</FN><N><FAMILY>Saint-Andre</FAMILY><GIVEN>Peter</GIVEN><MIDDLE/></N>\
                     <URL>http://www.xmpp.org/xsf/people/stpeter.shtml</URL><BDAY>1966-08-06</BDAY>\
                     <PHOTO><TYPE>image/jpeg</TYPE><BINVAL>\n{photo}</BINVAL></PHOTO></vCard></iq>"
                )
            }
            _ => {
                let lines = 10 + self.below(100);
                let data = self.base64(lines).replace('\n', "");
                write!(
                    out,
                    "<message to='{to}' from='{from}'><event xmlns='http://jabber.org/protocol/pubsub#event'>\
                     <items node='urn:xmpp:avatar:data'><item id='{id}'><data xmlns='urn:xmpp:avatar:data'>{data}\
                     </data></item></items></event></message>"
                )
            }
        }
        .expect("a string takes all");
    }
}
