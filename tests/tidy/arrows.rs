//! Arrows between the layers point down, and never sideways.
//!
//! It reads paths that start at the crate's root, in code and in tests; documentation may link anywhere.

use super::source::{File, assert_clean, below_src, files, module_of, tokens};

/// Layer of each module (DESIGN: arrows point down, and never sideways). [`ANYWHERE`] is not in it.
const LAYERS: [(&str, u8); 13] = [
    ("xml", 0),
    ("stanza", 1),
    ("stream", 2),
    ("router", 2),
    ("engine", 3),
    ("store", 3),
    ("server", 4),
    ("load", 4),
    ("reactor", 5),
    ("sim", 5),
    ("app", 6),
    ("cli", 7),
    ("main", 7),
];

/// Modules that every layer may use, and what they may use themselves.
const ANYWHERE: [(&str, &[&str]); 3] =
    [("limits", &[]), ("time", &["limits"]), ("metrics", &["limits", "time"])];

pub(super) fn layer(module: &str) -> Option<u8> {
    LAYERS.iter().find(|(name, _)| *name == module).map(|(_, layer)| *layer)
}

fn is_anywhere(module: &str) -> bool {
    ANYWHERE.iter().any(|(name, _)| *name == module)
}

#[test]
fn arrows_point_down() {
    assert_clean(&files("src", &["rs"]).iter().flat_map(arrows).collect::<Vec<_>>());
}

fn arrows(file: &File) -> Vec<String> {
    // The library's root names every module and uses none.
    if file.path == "src/lib.rs" {
        return Vec::new();
    }
    let from = module_of(&file.path);
    if layer(from).is_none() && !is_anywhere(from) {
        return vec![format!("{}: `{from}` is in no layer; give it one in tests/tidy.rs", file.path)];
    }
    let mut uses = modules_used(file);
    uses.sort_unstable();
    uses.dedup();
    uses.retain(|to| !may_use(from, to));
    uses.iter().map(|to| format!("{}: `{from}` must not use `{to}`", file.path)).collect()
}

fn may_use(from: &str, to: &str) -> bool {
    if let Some((_, allowed)) = ANYWHERE.iter().find(|(name, _)| *name == from) {
        return from == to || allowed.contains(&to);
    }
    match (layer(from), layer(to)) {
        // Flags become one struct for `app/`: nothing else is the command line's business.
        (Some(7), _) => to == from || to == "app",
        (Some(above), Some(below)) => from == to || below < above,
        _ => is_anywhere(to),
    }
}

/// The first name of each path that starts at the crate's root: `crate::a`, `crate::{a, b::c}`, `super::super::a`.
fn modules_used(file: &File) -> Vec<&str> {
    let tokens = tokens(&file.text);
    // How many `super` lead from this file's module to the root.
    let depth = below_src(&file.path).trim_end_matches("/mod.rs").split('/').count();
    let mut used = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let starts_path = at == 0 || tokens[at - 1] != "::";
        let next = tokens.get(at + 1).copied();
        match tokens[at] {
            "crate" | "xmpp_bench" if starts_path && next == Some("::") => {
                used.extend(heads(&tokens[at + 2..]))
            }
            "super" if starts_path => {
                let supers = tokens[at..].chunks(2).take_while(|pair| pair == &["super", "::"]).count();
                // A test module inside of the file needs one more to get there; then this name is a local one,
                // and a false alarm only if it is called like a layer.
                if supers >= depth {
                    let names = heads(&tokens[at + 2 * supers..]);
                    used.extend(names.into_iter().filter(|name| layer(name).is_some() || is_anywhere(name)));
                }
                at += 2 * supers.max(1) - 1;
            }
            _ => {}
        }
        at += 1;
    }
    used
}

/// The first names of a path's rest: one, or those at the top of `{…}`.
fn heads<'a>(tokens: &[&'a str]) -> Vec<&'a str> {
    if tokens.first() != Some(&"{") {
        return tokens.first().copied().into_iter().collect();
    }
    let mut depth = 0;
    let mut names = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        match *token {
            "{" => depth += 1,
            "}" => depth -= 1,
            name if depth == 1 && matches!(tokens[at - 1], "{" | ",") => names.push(name),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names
}

#[test]
fn arrows_are_seen() {
    let cases: [(&str, &str, &[&str]); 16] = [
        ("src/xml/scan.rs", "use crate::stanza::Jid;", &["stanza"]),
        ("src/xml/scan.rs", "use crate::{limits, engine::{Cx, Hub}};", &["engine"]),
        ("src/stream/sasl.rs", "fn f(x: &crate :: router\n:: Home) {}", &["router"]),
        ("src/router/home.rs", "use super::super::stream::Header;", &["stream"]),
        ("src/server/mod.rs", "use super::load;", &["load"]),
        ("src/sim/mod.rs", "mod a { use crate::reactor::Reactor; }", &["reactor"]),
        ("src/limits.rs", "use super::xml::Framer; use crate::time::Now;", &["time", "xml"]),
        ("src/metrics/slo.rs", "use crate::stanza::Jid;", &["stanza"]),
        ("src/cli.rs", "use xmpp_bench::engine::Hub;", &["engine"]),
        ("src/engine/hub.rs", "use crate::HubConfig;", &["HubConfig"]),
        ("src/engine/hub.rs", "use crate::{self as root};", &["self"]),
        ("src/newcomer/mod.rs", "", &["newcomer"]),
        ("src/engine/hub.rs", "use crate::{stream::Blame, limits::A, engine::Cx}; use super::Cx;", &[]),
        ("src/engine/hub.rs", "// crate::server\n/* crate::app */ const A: &str = \"crate::load\";", &[]),
        ("src/load/scenario/mod.rs", "use super::super::stream::Mechanism; use super::ids;", &[]),
        ("src/main.rs", "mod cli; pub(crate) fn f() -> u8 { cli::main() }", &[]),
    ];
    for (path, text, want) in cases {
        let file = File { path: path.into(), text: text.into() };
        let complaints = arrows(&file);
        assert_eq!(complaints.len(), want.len(), "{path}: {text}: {complaints:?}");
        for (complaint, module) in complaints.iter().zip(want) {
            assert!(complaint.contains(&format!("`{module}`")), "{complaint}");
        }
    }
}
