//! Each package has one home, and so have `async`, `unsafe`, clocks, threads and sockets.

use super::arrows::layer;
use super::source::{File, assert_clean, below_src, files, module_of, tokens};

/// Where a package may be named. A home is a prefix of a path below `src/`.
const HOMES: [(&str, &[&str]); 30] = [
    ("mio", &["reactor/"]),
    ("socket2", &["reactor/"]),
    ("getrandom", &["reactor/", "app/"]), // app/ salts the accounts that it makes
    ("rustls", &["engine/transport"]),
    ("crossbeam", &["router/mailbox"]),
    ("crossbeam_queue", &["router/mailbox"]),
    ("hdrhistogram", &["metrics/"]),
    ("memchr", &["xml/scan"]),
    ("xmlparser", &["xml/element"]),
    ("jid", &["stanza/jid"]),
    ("precis_profiles", &["stanza/jid"]),
    ("rsasl", &["stream/"]),
    ("hmac", &["stream/"]),
    ("sha1", &["stream/"]),
    ("pbkdf2", &["stream/"]),
    ("sha2", &["stream/", "app/"]), // app/ hashes the scenario
    ("toml", &["load/scenario/", "app/"]),
    ("ratatui", &["app/dashboard/"]),
    ("signal_hook", &["app/"]),
    ("rlimit", &["app/"]),
    ("tokio", &["app/"]),
    ("axum", &["app/prometheus/"]),
    ("sqlx", &["app/"]),
    ("tracing_subscriber", &["app/"]),
    ("clap", &["cli.rs"]),
    ("clap_complete", &["cli.rs"]),
    ("mimalloc", &["main.rs"]),
    ("criterion", &[]), // benches/ only
    ("dashmap", &[]),   // benches/ only
    ("papaya", &[]),    // benches/ only
];

/// Sequences of tokens, and where below `src/` they may stand. `None`: below L5 nowhere.
const WORDS: [(&[&str], Option<&[&str]>); 11] = [
    (&["async"], Some(&["app/"])),
    (&["unsafe"], Some(&["xml/scan"])),
    (&["Instant", "::", "now"], None),
    (&["SystemTime", "::", "now"], None),
    (&["thread", "::", "spawn"], None),
    (&["TcpStream"], None),
    (&["TcpListener"], None),
    (&["UdpSocket"], None),
    (&["std", "::", "fs"], None),
    (&["std", "::", "env"], None),
    (&["thread", "::", "sleep"], Some(&[])),
];

#[test]
fn each_package_has_one_home() {
    assert_clean(&files("src", &["rs"]).iter().flat_map(homes).collect::<Vec<_>>());
}

fn homes(file: &File) -> Vec<String> {
    let tokens = tokens(&file.text);
    let is_named = |package: &str| {
        tokens.iter().enumerate().any(|(at, token)| {
            let before = at.checked_sub(1).map_or("", |i| tokens[i]);
            let after = tokens.get(at + 1).copied().unwrap_or_default();
            let path_start = !matches!(before, "::" | "." | "mod");
            *token == package && path_start && (after == "::" || matches!(before, "use" | "crate"))
        })
    };
    HOMES
        .iter()
        .filter(|(_, homes)| !homes.iter().any(|home| below_src(&file.path).starts_with(home)))
        .filter(|(package, _)| is_named(package))
        // `jid` is also the name of our module around that package.
        .filter(|(package, _)| !(*package == "jid" && file.path == "src/stanza/mod.rs"))
        .map(|(package, homes)| format!("{}: `{package}` lives in {homes:?}", file.path))
        .collect()
}

#[test]
fn words_stay_where_they_may() {
    assert_clean(&files("src", &["rs"]).iter().flat_map(words).collect::<Vec<_>>());
}

fn words(file: &File) -> Vec<String> {
    let tokens = tokens(&file.text);
    let from = module_of(&file.path);
    let is_low = layer(from).is_none_or(|layer| layer < 5);
    WORDS
        .iter()
        .filter(|(_, homes)| match homes {
            Some(homes) => !homes.iter().any(|home| below_src(&file.path).starts_with(home)),
            None => is_low,
        })
        .filter(|(word, _)| tokens.windows(word.len()).any(|window| window == *word))
        .map(|(word, _)| format!("{}: `{}` has no place here", file.path, word.concat()))
        .collect()
}

#[test]
fn strays_are_seen() {
    let cases: [(&str, &str, usize); 14] = [
        ("src/engine/hub.rs", "use mio::Token;", 1),
        ("src/app/run.rs", "fn f(p: mio ::Poll) { rustls::f(); }", 2),
        ("src/server/mod.rs", "use jid;", 1),
        ("src/xml/framer.rs", "#[derive(clap::Parser)] struct A; use {memchr::memchr};", 2),
        ("src/reactor/mod.rs", "use criterion::Criterion;", 1),
        ("src/server/iq.rs", "use crate::stanza::jid::Jid; mod mio; x.toml::<u8>();", 0),
        ("src/reactor/turn.rs", "use mio::Token; // clap::Parser", 0),
        ("src/reactor/turn.rs", "async fn f() { unsafe { g() } }", 2),
        ("src/load/user.rs", "let now = std::time::Instant::now();", 1),
        ("src/time.rs", "SystemTime::now(); std::fs::read(x); std::env::var(x);", 3),
        ("src/engine/a.rs", "use std::net::TcpStream; std::thread::spawn(f);", 2),
        ("src/app/run.rs", "std::thread :: sleep(a);", 1),
        ("src/app/run.rs", "async fn f() { Instant::now(); std::thread::spawn(g); }", 0),
        (
            "src/xml/framer.rs",
            "/// unsafe, async\n#![deny(unsafe_code)] const A: &str = r#\"async \"unsafe\"#;",
            0,
        ),
    ];
    for (path, text, want) in cases {
        let file = File { path: path.into(), text: text.into() };
        let complaints = [homes(&file), words(&file)].concat();
        assert_eq!(complaints.len(), want, "{path}: {text}: {complaints:?}");
    }
}
