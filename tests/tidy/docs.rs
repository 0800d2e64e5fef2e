//! The documentation is true where a machine can tell: its map of the code, its links, its TOML, its scenarios.
//!
//! README's section "Code map" names every module; a path that README or `docs/` names exists; a fenced `toml` block
//! is a scenario, a `toml serve` block a configuration of `serve`, a `toml cargo` block some of Cargo's TOML.

use std::path::Path;

use xmpp_bench::app::serve_config::ServeConfig;
use xmpp_bench::load::scenario::Scenario;

use super::source::{File, assert_clean, files, root};

fn pages() -> Vec<File> {
    let mut pages = files("README.md", &["md"]);
    if root().join("docs").exists() {
        pages.extend(files("docs", &["md"]));
    }
    pages
}

#[test]
fn the_code_map_names_every_module() {
    let readme = &files("README.md", &["md"])[0];
    let mut modules: Vec<String> = std::fs::read_dir(root().join("src"))
        .expect("src is readable")
        .map(|entry| entry.expect("entry is readable"))
        .map(|entry| format!("src/{}", entry.file_name().to_string_lossy()))
        .collect();
    modules.sort();
    assert_clean(&unmapped(&readme.text, &modules));
}

fn unmapped(readme: &str, modules: &[String]) -> Vec<String> {
    let Some((_, map)) = readme.split_once("\n## Code map\n") else {
        return vec!["README.md has no section `## Code map`".to_owned()];
    };
    let map = map.split("\n## ").next().unwrap_or(map);
    let names = |module: &&String| {
        let ends = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || "_.-".contains(c));
        map.match_indices(module.as_str()).any(|(at, name)| ends(&map[at + name.len()..]))
    };
    let missing = modules.iter().filter(|module| !names(module));
    missing.map(|module| format!("README.md: the code map does not name `{module}`")).collect()
}

#[test]
fn paths_and_links_exist() {
    assert_clean(&pages().iter().flat_map(dead_paths).collect::<Vec<_>>());
}

/// Paths in backquotes that start with one of our folders, and relative links.
fn dead_paths(page: &File) -> Vec<String> {
    let ours = ["src/", "tests/", "benches/", "scenarios/", "scripts/", "results/", "docs/", "fuzz/", ".ci/"];
    let is_path = |text: &&str| {
        ours.iter().any(|folder| text.starts_with(folder)) && !text.contains(['*', '<', ' ', '{', '$', '…'])
    };
    let quoted = page.text.split('`').skip(1).step_by(2).filter(is_path).map(|path| root().join(path));
    let folder = root().join(&page.path).parent().map(Path::to_path_buf).unwrap_or_default();
    let links = page
        .text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', '#']).next())
        .filter(|target| !target.is_empty() && !target.contains("://"))
        .map(|target| folder.join(target));
    quoted
        .chain(links)
        .filter(|path| !path.exists())
        .map(|path| format!("{}: {} does not exist", page.path, path.display()))
        .collect()
}

#[test]
fn every_toml_block_parses() {
    assert_clean(
        &pages().iter().flat_map(|page| toml_complaints(&page.path, &page.text)).collect::<Vec<_>>(),
    );
}

/// Fenced blocks whose language is TOML: line of the fence, its words, its text.
fn toml_blocks(page: &str) -> Vec<(usize, &str, String)> {
    let mut blocks = Vec::new();
    let mut lines = page.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let fence = line.trim_start();
        if !fence.starts_with("```") {
            continue;
        }
        let text: String = lines
            .by_ref()
            .map(|(_, l)| l)
            .take_while(|l| l.trim() != "```")
            .flat_map(|l| [l, "\n"])
            .collect();
        let info = fence.trim_start_matches('`').trim();
        if info.split([' ', ',']).next() == Some("toml") {
            blocks.push((number + 1, info, text));
        }
    }
    blocks
}

fn toml_complaints(path: &str, page: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    for (line, info, text) in toml_blocks(page) {
        let outcome = match info {
            "toml" => scenario_faults(&text),
            "toml serve" => serve_faults(&text),
            "toml cargo" => toml::from_str::<toml::Table>(&text).err().map(|error| error.to_string()),
            other => Some(format!("`{other}`: a block is `toml`, `toml serve` or `toml cargo`")),
        };
        complaints.extend(outcome.map(|fault| format!("{path}:{line}: {fault}")));
    }
    complaints
}

fn scenario_faults(text: &str) -> Option<String> {
    let faults = Scenario::parse(text).err()?;
    Some(faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
}

fn serve_faults(text: &str) -> Option<String> {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = folder.path().join("serve.toml");
    std::fs::write(&file, text).expect("the block can be written");
    let failure = ServeConfig::read(&file).err()?;
    Some(failure.errors.iter().map(|error| error.what.as_str()).collect::<Vec<_>>().join("; "))
}

#[test]
fn every_scenario_parses_and_is_run_by_ci() {
    let mut scenarios = files("scenarios", &["toml"]);
    assert!(!scenarios.is_empty());
    scenarios.extend(files("tests/support", &["toml"]));
    let faults = |file: &File| scenario_faults(&file.text).map(|fault| format!("{}: {fault}", file.path));
    assert_clean(&scenarios.iter().filter_map(faults).collect::<Vec<_>>());
    let ci = std::fs::read_to_string(root().join(".ci/run")).expect(".ci/run is there");
    assert!(
        ci.contains("scenarios/*.toml"),
        "a scenario that nobody runs falls behind: .ci/run takes them all"
    );
}

#[test]
fn untrue_documentation_is_seen() {
    let readme = "# A\n## Code map\n- `src/xml/`: frames\n- `src/main.rs`\n## Next\n`src/sim`\n";
    let modules = ["src/xml", "src/main.rs", "src/sim", "src/x"].map(str::to_owned);
    let complaints = unmapped(readme, &modules);
    assert_eq!(complaints.len(), 2, "{complaints:?}");
    assert!(complaints[0].contains("`src/sim`") && complaints[1].contains("`src/x`"));
    assert_eq!(unmapped("# A\nCode map", &modules).len(), 1);

    let page = |text: &str| File { path: "README.md".into(), text: text.into() };
    let dead =
        "see `src/nowhere.rs`, [a](docs/nowhere.md#part), `src/xml/`, [b](https://example.org/), `src/*.rs`";
    assert_eq!(dead_paths(&page(dead)).len(), 2, "{:?}", dead_paths(&page(dead)));

    let smoke =
        std::fs::read_to_string(root().join("scenarios/smoke.toml")).expect("the smoke scenario is there");
    let bad = [
        ("toml", "name = \"a\"\nsede = 1\n".to_owned()),
        ("toml", smoke.replace("seed = 1", "sede = 1")),
        ("toml serve", "listen = \n".to_owned()),
        ("toml cargo", "[dependencies\n".to_owned()),
        ("toml fragment", "a = 1\n".to_owned()),
    ];
    for (info, text) in bad {
        let page = format!("text\n\n```{info}\n{text}```\nmore\n```sh\nls\n```\n");
        let complaints = toml_complaints("a.md", &page);
        assert_eq!(complaints.len(), 1, "{page}: {complaints:?}");
        assert!(complaints[0].starts_with("a.md:3: "), "{complaints:?}");
    }
    let good =
        format!("```sh\nls\n```\n```toml\n{smoke}```\n```toml cargo\n[dependencies]\na = \"1\"\n```\n");
    assert_eq!(toml_complaints("a.md", &good), [""; 0]);
    assert_eq!(toml_blocks(&good).len(), 2);
}
