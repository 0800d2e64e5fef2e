//! Transcripts of stream negotiation in the RFC's notation, played against each side alone and both joined.
//!
//! This program opens no socket and knows nothing of stanzas behind bind. A file of this folder holds one or more
//! scripts, separated by lines of `----`:
//!
//! ```text
//! # comment
//! @mechanisms SCRAM-SHA-1 PLAIN        offered by the server; the domain is always im.example.com
//! @account juliet r0m30                has keys for every mechanism offered
//! @unavailable juliet                  the account cannot be read
//! @refuse-bind conflict 2              the owner refuses the first two binds
//! @scram SCRAM-SHA-1 juliet r0m30      who computes {scram-…} where that side is scripted
//! @client PLAIN juliet r0m30 balcony   plays the client's side too; without, only the server's
//! @fragment opened                     a script of `fragments.txt` that others begin with
//! @foreign-server                      plays the client's side only: our server says other things
//! @play opened                         what `fragments.txt` has under that name
//! C: <a>                               the client says; a line that begins with white space goes on. Line breaks are
//!      text                            white space inside of tags and nothing elsewhere
//! S: <b id='{id}'>                     the server says; {id} stands for anything, the same for the same name, another
//!                                      for another one
//! S! bound juliet@im.example.com/x     what the server's owner learns
//! C! bound juliet@im.example.com/x     what the client's owner learns
//! ```
//!
//! `{base64 TEXT}` stands for its encoding, with `\0` for NUL.

#![expect(clippy::unwrap_used, reason = "what surprises a test is its failure")]

mod drive;
mod peers;
mod scram;
mod script;

use std::collections::HashMap;
use std::path::Path;

use drive::{drive_client, drive_joined, drive_server};
use script::Script;

fn scripts() -> Vec<Script> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "txt"));
    files.sort();
    assert!(files.len() >= 6, "the transcripts are found");
    let (fragments, files): (Vec<_>, Vec<_>) =
        files.iter().partition(|file| file.file_name().is_some_and(|name| name == "fragments.txt"));
    let fragments = fragments.into_iter().flat_map(|file| Script::parse_file(file, &HashMap::new()));
    let fragments = fragments.map(|fragment| (fragment.name, fragment.entries)).collect();
    files.into_iter().flat_map(|file| Script::parse_file(file, &fragments)).collect()
}

#[test]
fn server_side() {
    for script in scripts() {
        // However the client's bytes are cut, the server says the same.
        for cut in [usize::MAX, 1, 7] {
            drive_server(&script, cut);
        }
    }
}

#[test]
fn client_side() {
    let mut count = 0;
    for script in scripts().iter().filter(|script| script.client.is_some()) {
        for cut in [usize::MAX, 1, 7] {
            drive_client(script, cut);
        }
        count += 1;
    }
    assert!(count >= 10, "{count}");
}

#[test]
fn joined() {
    for script in scripts().iter().filter(|script| script.client.is_some() && !script.server_is_foreign) {
        drive_joined(script);
    }
}
