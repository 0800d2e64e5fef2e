//! Playing a script against one side, or comparing it with what both say to each other.

use crate::peers::{Client, Server};
use crate::script::{Entry, Script, Speaker, Wildcards};

/// What one side has said and not been compared yet.
struct Heard {
    text: String,
    events: std::collections::VecDeque<String>,
}

impl Heard {
    fn new() -> Self {
        Self { text: String::new(), events: std::collections::VecDeque::new() }
    }

    fn collect(&mut self, out: &mut Vec<u8>, events: &mut Vec<String>) {
        self.text.push_str(&String::from_utf8(std::mem::take(out)).unwrap());
        self.events.extend(events.drain(..));
    }

    fn compare_words(&mut self, script: &Script, entry: &Entry, wildcards: &mut Wildcards) {
        match wildcards.take(&entry.text, &self.text) {
            Ok(rest) => self.text = rest.to_owned(),
            Err(what) => panic!("{} line {}: {what}\nsaid: {}", script.name, entry.line, self.text),
        }
    }

    fn compare_event(&mut self, script: &Script, entry: &Entry, wildcards: &mut Wildcards) {
        let event = self.events.pop_front().unwrap_or_else(|| "nothing".into());
        let met = wildcards.take(&entry.text, &event);
        assert_eq!(met, Ok(""), "{} line {}: {event}", script.name, entry.line);
    }

    fn end(&self, script: &Script) {
        assert_eq!(self.text, "", "{}: said more", script.name);
        assert!(self.events.is_empty(), "{}: told more: {:?}", script.name, self.events);
    }
}

/// Plays the client's words against the server, `cut` bytes at a time.
pub(crate) fn drive_server(script: &Script, cut: usize) {
    if script.server_is_foreign {
        return;
    }
    let (mut server, mut heard, mut wildcards) = (Server::new(script), Heard::new(), Wildcards::new(script));
    for entry in &script.entries {
        match entry.speaker {
            Speaker::Client => {
                let words = wildcards.fill(&entry.text);
                for piece in words.as_bytes().chunks(cut) {
                    server.hear(piece);
                }
                heard.collect(&mut server.out, &mut server.events);
            }
            Speaker::Server => heard.compare_words(script, entry, &mut wildcards),
            Speaker::ServerEvent => heard.compare_event(script, entry, &mut wildcards),
            Speaker::ClientEvent => {}
        }
    }
    heard.end(script);
}

/// Plays the server's words against the client, `cut` bytes at a time.
pub(crate) fn drive_client(script: &Script, cut: usize) {
    let (mut client, mut heard, mut wildcards) = (Client::new(script), Heard::new(), Wildcards::new(script));
    heard.collect(&mut client.out, &mut client.events);
    for entry in &script.entries {
        match entry.speaker {
            Speaker::Server => {
                let words = wildcards.fill(&entry.text);
                for piece in words.as_bytes().chunks(cut) {
                    client.hear(piece);
                }
                heard.collect(&mut client.out, &mut client.events);
            }
            Speaker::Client => heard.compare_words(script, entry, &mut wildcards),
            Speaker::ClientEvent => heard.compare_event(script, entry, &mut wildcards),
            Speaker::ServerEvent => {}
        }
    }
    heard.end(script);
}

/// Lets client and server talk until both are silent; then what was said must be the script.
pub(crate) fn drive_joined(script: &Script) {
    let (mut client, mut server) = (Client::new(script), Server::new(script));
    let (mut client_heard, mut server_heard) = (Heard::new(), Heard::new());
    while !client.out.is_empty() || !server.out.is_empty() {
        let (to_server, to_client) = (client.out.clone(), server.out.clone());
        client_heard.collect(&mut client.out, &mut client.events);
        server_heard.collect(&mut server.out, &mut server.events);
        server.hear(&to_server);
        client.hear(&to_client);
    }
    client_heard.collect(&mut client.out, &mut client.events);
    server_heard.collect(&mut server.out, &mut server.events);
    let mut wildcards = Wildcards::new(script);
    for entry in &script.entries {
        match entry.speaker {
            Speaker::Client => client_heard.compare_words(script, entry, &mut wildcards),
            Speaker::Server => server_heard.compare_words(script, entry, &mut wildcards),
            Speaker::ClientEvent => client_heard.compare_event(script, entry, &mut wildcards),
            Speaker::ServerEvent => server_heard.compare_event(script, entry, &mut wildcards),
        }
    }
    client_heard.end(script);
    server_heard.end(script);
}
