//! Tells the program which commit it is built from (`XB_COMMIT`), so that every result can name it.
//!
//! It needs no repository: a packaged crate carries `.cargo_vcs_info.json`, and without both the commit is `unknown`.

use std::fs;
use std::process::Command;

/// What the program is made of. A change elsewhere (documentation, scenarios) does not make it another program.
const SOURCES: [&str; 4] = ["src", "Cargo.toml", "Cargo.lock", "build.rs"];

fn main() {
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
    }
    let commit = from_repository().or_else(from_package).unwrap_or_else(|| "unknown".to_owned());
    println!("cargo::rustc-env=XB_COMMIT={commit}");
}

fn from_repository() -> Option<String> {
    // A copy of this crate inside of another repository is not built from that repository's commit.
    git(&["rev-parse", "--show-prefix"]).filter(String::is_empty)?;
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    // The log of HEAD grows with every commit and checkout; HEAD itself only names a branch.
    println!("cargo::rerun-if-changed={}", git(&["rev-parse", "--git-path", "logs/HEAD"])?);
    let mut status = vec!["status", "--porcelain", "--"];
    status.extend(SOURCES);
    let modified = git(&status).is_some_and(|changes| !changes.is_empty());
    Some(if modified { format!("{commit}-modified") } else { commit })
}

/// What `cargo package` wrote: `{ "git": { "sha1": "…" }, … }`. One field is not worth a build dependency.
fn from_package() -> Option<String> {
    let info = fs::read_to_string(".cargo_vcs_info.json").ok()?;
    let sha1 = info.split_once("\"sha1\"")?.1.split('"').nth(1)?;
    Some(sha1.get(..12)?.to_owned())
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .arg("--no-optional-locks")
        .args(arguments)
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
