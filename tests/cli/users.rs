//! `xmpp-bench user`, and who can read what it writes.

use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Output, Stdio};

use rustix::process::Signal;

use super::program::Folder;
use crate::support::xmpp_bench;

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

#[test]
fn a_store_is_its_owners() {
    let folder = Folder::with("serve.toml", "listen = \"127.0.0.1:0\"\n");
    folder.run("user add alice --password x").exits(0);
    assert_eq!(mode(&folder.path("xmpp-bench")), 0o700);
    assert_eq!(mode(&folder.path("xmpp-bench/xmpp-bench.db")), 0o600);

    let serve = || {
        let mut program = folder.start("serve serve.toml");
        program.wait_stdout("store sqlite:");
        program
    };
    let program = serve();
    for name in ["xmpp-bench.db", "xmpp-bench.db-wal", "xmpp-bench.db-shm", "xmpp-bench.db-lock"] {
        assert_eq!(mode(&folder.path(name)), 0o600, "{name}");
    }
    program.signal(Signal::TERM);
    let ended = program.finish().exits(0);
    assert!(!ended.stderr.contains("chmod"), "{}", ended.stderr);

    std::fs::set_permissions(folder.path("xmpp-bench.db"), Permissions::from_mode(0o644))
        .expect("it is ours");
    let program = serve();
    program.signal(Signal::TERM);
    let ended = program.finish().exits(0);
    assert!(ended.stderr.contains("others on this machine can read the store"), "{}", ended.stderr);
}

#[test]
fn it_and_the_router_have_the_same_store() {
    let folder = Folder::small();
    folder.write(
        "serve.toml",
        "listen = \"127.0.0.1:0\"\ndomain = \"bench.local\"\nscenario = \"small.toml\"\n",
    );
    let ended = folder.run("user add alice --password x --config serve.toml").exits(2);
    assert_eq!(ended.complaint().0, "error: the store is memory, which nobody else can see");
    assert!(!folder.path("xmpp-bench.db").exists());
    let checked = folder.run("serve serve.toml --check-config").exits(0);
    assert!(checked.stdout.ends_with("store memory\n"), "{}", checked.stdout);
}

#[test]
fn only_add_makes_a_store() {
    let folder = Folder::new();
    for words in ["list", "remove alice", "password alice --password x"] {
        let ended = folder.run(&format!("user {words} --store sqlite:typo.db")).exits(2);
        let error = "error: cannot use the store sqlite:typo.db: there is no typo.db; `serve` and `user add` make one";
        assert_eq!((ended.complaint().0, &*ended.stdout), (error, ""));
        assert!(!folder.path("typo.db").exists(), "{words}");
    }
    folder.write("empty.db", "");
    let ended = folder.run("user list --store sqlite:empty.db").exits(2);
    assert!(ended.complaint().0.contains("it has nothing of a router"), "{}", ended.stderr);
    let added = folder.run("user add alice --password x --store sqlite:new.db").exits(0);
    assert_eq!(added.stdout, "alice@localhost added, which is the first in sqlite:new.db\n");
    let added = folder.run("user add bob --password x --store sqlite:new.db").exits(0);
    assert_eq!(added.stdout, "bob@localhost added\n");
    for words in ["user add alice --password x", "serve"] {
        let ended = folder.run(&format!("{words} --store sqlite:no/where/x.db")).exits(2);
        let error =
            "error: cannot use the store sqlite:no/where/x.db: there is no folder no/where; make it first";
        assert_eq!(ended.complaint().0, error);
    }
}

/// `user add alice` with this on stdin.
fn add_with(folder: &Folder, stdin: &[u8]) -> Output {
    let mut command = xmpp_bench();
    command.args(["user", "add", "alice", "--store", "sqlite:a.db"]).current_dir(folder.path("."));
    let streams = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = streams.spawn().expect("the program starts");
    child.stdin.take().expect("it is a pipe").write_all(stdin).expect("a pipe holds that much");
    child.wait_with_output().expect("it ends")
}

#[test]
fn a_password_is_one_line_and_never_cut() {
    let folder = Folder::new();
    let refused = |stdin: &[u8]| {
        let output = add_with(&folder, stdin);
        assert_eq!((output.status.code(), &*output.stdout), (Some(2), &b""[..]));
        String::from_utf8(output.stderr).expect("it is text")
    };
    let long = "error: the password has more than 1,024 bytes, and servers need not take it\n";
    assert_eq!(refused(&[b'x'; 1_025]), long);
    assert_eq!(refused("ä".repeat(600).as_bytes()), long);
    assert_eq!(refused(b"\xff\n"), "error: the password is no UTF-8\n");
    assert!(refused(b"\n").starts_with("error: the password is empty"));
    let added = add_with(&folder, (("x".repeat(1_024)) + "\r\nmore").as_bytes());
    assert_eq!(added.stdout, b"alice@localhost added, which is the first in sqlite:a.db\n");
}
