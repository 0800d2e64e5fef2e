//! The router by itself: where it listens, what it refuses, how it ends.

use std::net::{SocketAddr, TcpListener};

use rustix::process::Signal;

use super::client::Client;
use super::program::{Folder, Program};

/// `listening on 127.0.0.1:40123, domain …`
fn address(program: &mut Program) -> SocketAddr {
    let line = program.wait_stdout("listening on ");
    let address = line["listening on ".len()..].split(',').next().and_then(|text| text.parse().ok());
    address.unwrap_or_else(|| panic!("no address in {line:?}"))
}

#[test]
fn without_a_configuration_it_can_be_tried() {
    let mut program = Folder::new().start("serve --listen 127.0.0.1:0 --store memory");
    let address = address(&mut program);
    drop(Client::connect(address, "localhost"));
    program.signal(Signal::INT);
    let ended = program.finish().exits(0);
    let want = format!(
        "listening on {address}, domain localhost, 2 accounts, SCRAM-SHA-256 SCRAM-SHA-1 PLAIN\n\
         store memory: nothing outlives this process\n\
         account alice@localhost, password alice\n\
         account bob@localhost, password bob\n\
         connect without TLS, which is not built yet; Ctrl-C ends the router in order\n"
    );
    assert_eq!(ended.stdout, want);
    assert!(!ended.stderr.contains('\x1b'), "{:?}", ended.stderr);
}

#[test]
fn sigterm_says_goodbye_to_every_client() {
    let text = "listen = \"127.0.0.1:0\"\ndomain = \"example.org\"\nmechanisms = [\"PLAIN\"]\n";
    let folder = Folder::with("serve.toml", text);
    let mut program = folder.start("serve serve.toml");
    let address = address(&mut program);
    let clients = [(); 3].map(|()| Client::connect(address, "example.org"));
    program.signal(Signal::TERM);
    for client in clients {
        let last_words = client.last_words();
        assert!(last_words.contains("<system-shutdown"), "{last_words}");
        assert!(last_words.ends_with("</stream:stream>"), "{last_words}");
    }
    let ended = program.finish().exits(0);
    let want = format!(
        "listening on {address}, domain example.org, 0 accounts, PLAIN\n\
         store sqlite:xmpp-bench.db, 0 accounts loaded\n"
    );
    assert_eq!(ended.stdout, want);
}

#[test]
fn it_serves_the_accounts_of_a_scenario() {
    let folder = Folder::small();
    folder.write(
        "serve.toml",
        "listen = \"127.0.0.1:0\"\ndomain = \"bench.local\"\nscenario = \"small.toml\"\n",
    );
    let mut program = folder.start("serve serve.toml");
    let address = address(&mut program);
    let flags = format!("--quiet --out o --set users.create=existing --target xmpp://{address}");
    folder.run(&format!("small.toml {flags}")).exits(0);
    assert_eq!(folder.result("o")["summary"]["login"]["ready"], 10);
    program.signal(Signal::TERM);
    assert!(program.finish().exits(0).stdout.contains(", 10 accounts, "));
}

#[test]
fn a_wrong_configuration_is_2() {
    let cases = [
        ("domian = \"a\"", "serve.toml:1:1: unknown key `domian`", "did you mean `domain`?"),
        ("domain = \"a\"\nusers = 5", "serve.toml:2:9: invalid type: integer `5`", ""),
        (
            "mechanisms = [\"SCRAM-SHA-255\"]",
            "serve.toml:1:15: unknown mechanism",
            "did you mean `SCRAM-SHA-256`?",
        ),
        ("domain = \"a@b\"", "serve.toml:1:10: domain: `a@b` is no domain but an address", ""),
        (
            "users = [{ name = \"a\", password = \"x\" }, { name = \"A\", password = \"x\" }]",
            "serve.toml:1:51: users: `A` is the same account as `a`",
            "",
        ),
        ("scenario = \"none.toml\"", "cannot read scenario none.toml: ", ""),
        (
            "listen = \"0.0.0.0:5222\"",
            "serve.toml:1:10: listen: 0.0.0.0:5222 is not loopback, and there is no TLS yet: \
             passwords would cross the network in the clear",
            "",
        ),
    ];
    for (text, error, help) in cases {
        let folder = Folder::with("serve.toml", text);
        // What can be found without starting anything is found so.
        let checked = folder.run("serve serve.toml --check-config").exits(2);
        let ended = folder.run("serve serve.toml").exits(2);
        assert_eq!(checked.complaint(), ended.complaint());
        assert!(ended.stderr.starts_with(&format!("error: {error}")), "{text}:\n{}", ended.stderr);
        assert!(ended.complaint().1.contains(help), "{text}:\n{}", ended.stderr);
        assert_eq!(ended.stdout, "", "{text}");
    }
    let missing = Folder::new().run("serve none.toml").exits(2);
    let error = "error: cannot read configuration none.toml: No such file or directory (os error 2)";
    assert_eq!(missing.complaint().0, error);
}

#[test]
fn an_address_that_cannot_be_had_is_2() {
    let folder = Folder::new();
    let open = folder.run("serve --listen [::]:5222").exits(2);
    let error = "error: --listen: [::]:5222 is not loopback, and there is no TLS yet: \
                 passwords would cross the network in the clear";
    assert_eq!(open.complaint().0, error);

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let ended = folder.run(&format!("serve --listen {address}")).exits(2);
    let error = format!("error: cannot listen on {address}: Address already in use (os error 98)");
    assert_eq!(ended.complaint(), (error.as_str(), "help: `--listen 127.0.0.1:0` takes any free port"));
}

#[test]
fn a_right_configuration_is_said_to_be_and_nothing_starts() {
    let text = "listen = \"127.0.0.1:0\"\ndomain = \"d\"\nstore = \"sqlite:r.db\"\n";
    let folder = Folder::with("serve.toml", text);
    let ended = folder.run("serve serve.toml --check-config").exits(0);
    assert_eq!(ended.stdout, "serve.toml: ok: d on 127.0.0.1:0, store sqlite:r.db\n");
    assert!(!folder.path("r.db").exists());
}

#[test]
fn a_log_filter_that_is_none_is_said_to_be() {
    let folder = Folder::with("serve.toml", "store = \"memory\"\n");
    let check = |filter| {
        folder.start_args(&["serve", "serve.toml", "--check-config"], &[("XB_LOG", filter)]).finish().exits(0)
    };
    let warning = "warning: XB_LOG=`debgu` is no filter, for instance `debug` or `xmpp_bench::server=trace`; \
                   the log has `info`\n";
    assert_eq!(check("debgu").stderr, warning);
    assert_eq!(check("debug").stderr, "");
}
