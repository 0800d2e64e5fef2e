//! `xmpp-bench user`, and who can read what it writes.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rustix::process::Signal;

use super::program::Folder;

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
