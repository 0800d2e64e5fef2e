//! Reading transcripts, and comparing what was said with them.

use std::collections::HashMap;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use xmpp_bench::stanza::Condition;
use xmpp_bench::stream::Mechanism;

use crate::scram::{Scram, ScramMessage};

pub(crate) struct Script {
    /// File and line where the script begins; or the name of a fragment.
    pub(crate) name: String,
    pub(crate) mechanisms: Vec<Mechanism>,
    pub(crate) accounts: HashMap<String, String>,
    pub(crate) unavailable: Option<String>,
    /// What the first binds are refused with.
    pub(crate) refusals: Vec<Condition>,
    pub(crate) scram: Option<(Mechanism, String, String)>,
    pub(crate) client: Option<Client>,
    /// The server that is scripted is another one than ours: nothing but the client can be driven.
    pub(crate) server_is_foreign: bool,
    pub(crate) entries: Vec<Entry>,
}

#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) mechanism: Mechanism,
    pub(crate) username: String,
    pub(crate) password: String,
    pub(crate) resource: Option<String>,
}

#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) line: usize,
    pub(crate) speaker: Speaker,
    pub(crate) text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaker {
    Client,
    Server,
    ClientEvent,
    ServerEvent,
}

impl Script {
    /// Scripts of a file; `fragments` are what `@play` inserts.
    pub(crate) fn parse_file(path: &Path, fragments: &HashMap<String, Vec<Entry>>) -> Vec<Self> {
        let text = std::fs::read_to_string(path).unwrap();
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        let mut scripts = vec![Self::new(format!("{file}:1"))];
        for (line, content) in text.lines().enumerate().map(|(i, content)| (i + 1, content)) {
            let script = scripts.last_mut().unwrap();
            if content.starts_with("----") {
                scripts.push(Self::new(format!("{file}:{line}")));
            } else if let Some(fragment) = content.strip_prefix("@play ") {
                let entries = fragments.get(fragment).cloned();
                // A fragment may begin with one that stands above it.
                let above = || Some(scripts.iter().find(|script| script.name == fragment)?.entries.clone());
                let entries = entries.or_else(above).unwrap_or_else(|| panic!("{file}:{line}: {fragment}"));
                scripts.last_mut().unwrap().entries.extend(entries);
            } else if let Some(directive) = content.strip_prefix('@') {
                script.directive(directive);
            } else if content.starts_with([' ', '\t']) {
                let entry = script.entries.last_mut().expect("a line that goes on follows an entry");
                entry.text.push('\n');
                entry.text.push_str(content);
            } else if let Some((speaker, text)) = speaker(content) {
                script.entries.push(Entry { line, speaker, text: text.to_owned() });
            } else {
                assert!(content.is_empty() || content.starts_with('#'), "{file}:{line}: {content}");
            }
        }
        for entry in scripts.iter_mut().flat_map(|script| &mut script.entries) {
            entry.text = encode(&flatten(&entry.text));
        }
        scripts
    }

    fn new(name: String) -> Self {
        Self {
            name,
            mechanisms: vec![Mechanism::ScramSha1, Mechanism::Plain],
            accounts: HashMap::new(),
            unavailable: None,
            refusals: Vec::new(),
            scram: None,
            client: None,
            server_is_foreign: false,
            entries: Vec::new(),
        }
    }

    fn directive(&mut self, directive: &str) {
        let mut words = directive.split_whitespace();
        let mechanism = |word: &str| Mechanism::parse(word).expect(word);
        let name = words.next().unwrap();
        let words: Vec<_> = words.collect();
        match (name, &words[..]) {
            ("mechanisms", names) => self.mechanisms = names.iter().map(|name| mechanism(name)).collect(),
            ("account", [username, password]) => {
                self.accounts.insert((*username).into(), (*password).into());
            }
            ("unavailable", [username]) => self.unavailable = Some((*username).into()),
            ("refuse-bind", [condition, count]) => {
                self.refusals = vec![Condition::parse(condition).unwrap(); count.parse().unwrap()];
            }
            ("scram", [name, username, password]) => {
                self.scram = Some((mechanism(name), (*username).into(), (*password).into()));
            }
            ("client", [name, username, password, resource @ ..]) => {
                self.client = Some(Client {
                    mechanism: mechanism(name),
                    username: (*username).into(),
                    password: (*password).into(),
                    resource: resource.first().map(|resource| (*resource).into()),
                });
            }
            ("fragment", [name]) => self.name = (*name).into(),
            ("foreign-server", []) => self.server_is_foreign = true,
            _ => panic!("no directive: {directive}"),
        }
    }
}

fn speaker(line: &str) -> Option<(Speaker, &str)> {
    let (head, text) = line.split_at_checked(2)?;
    let speaker = match head {
        "C:" => Speaker::Client,
        "S:" => Speaker::Server,
        "C!" => Speaker::ClientEvent,
        "S!" => Speaker::ServerEvent,
        _ => return None,
    };
    Some((speaker, text))
}

/// Joins lines: a break is a blank inside of a tag and nothing elsewhere.
fn flatten(text: &str) -> String {
    let mut flat = String::new();
    for line in text.lines() {
        let in_tag = flat.rfind('<') > flat.rfind('>');
        if in_tag {
            flat.push(' ');
        }
        flat.push_str(line.trim());
    }
    flat
}

/// Replaces `{base64 …}`.
fn encode(text: &str) -> String {
    let mut parts = text.split("{base64 ");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (plain, rest) = part.split_once('}').expect("{base64 …} ends");
        out.push_str(&STANDARD.encode(plain.replace("\\0", "\0")));
        out.push_str(rest);
    }
    out
}

/// What the placeholders of a run stand for.
pub(crate) struct Wildcards {
    values: HashMap<String, String>,
    scram: Option<Scram>,
}

impl Wildcards {
    pub(crate) fn new(script: &Script) -> Self {
        let scram = script
            .scram
            .as_ref()
            .map(|(mechanism, username, password)| Scram::new(*mechanism, username, password));
        Self { values: HashMap::new(), scram }
    }

    /// `text` as the scripted side says it.
    pub(crate) fn fill(&mut self, text: &str) -> String {
        let mut parts = text.split('{');
        let mut out = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (name, rest) = part.split_once('}').expect("a placeholder ends");
            match ScramMessage::parse(name) {
                Some(message) => {
                    let scram = self.scram.as_mut().expect("@scram says who computes it");
                    out.push_str(&STANDARD.encode(scram.say(message)));
                }
                None => out.push_str(self.values.get(name).map_or("any@value/of-the-script", |value| value)),
            }
            out.push_str(rest);
        }
        out
    }

    /// Takes `pattern` off the front of `said`.
    pub(crate) fn take<'a>(&mut self, pattern: &str, said: &'a str) -> Result<&'a str, String> {
        let mut rest = said;
        let mut parts = pattern.split('{');
        let mut literal = parts.next().unwrap_or_default();
        loop {
            rest = rest.strip_prefix(literal).ok_or_else(|| format!("expected {literal:?}, got {rest:?}"))?;
            let Some(part) = parts.next() else { return Ok(rest) };
            let (name, after) = part.split_once('}').expect("a placeholder ends");
            let end = rest.find(['\'', '"', '<', '>']).unwrap_or(rest.len());
            self.meet(name, &rest[..end])?;
            (literal, rest) = (after, &rest[end..]);
        }
    }

    fn meet(&mut self, name: &str, value: &str) -> Result<(), String> {
        if let Some(message) = ScramMessage::parse(name) {
            let scram = self.scram.as_mut().expect("@scram says who checks it");
            return scram.hear(message, &STANDARD.decode(value).map_err(|error| error.to_string())?);
        }
        match self.values.get(name) {
            Some(known) if known == value => Ok(()),
            Some(known) => Err(format!("{{{name}}} was {known:?} and is {value:?}")),
            None if value.is_empty() => Err(format!("{{{name}}} is empty")),
            None if self.values.values().any(|other| other == value) => {
                Err(format!("{{{name}}} is {value:?}, which another one was"))
            }
            None => {
                self.values.insert(name.into(), value.into());
                Ok(())
            }
        }
    }
}
