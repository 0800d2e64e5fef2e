//! Other servers than the embedded router: found, not found, not ours, not willing.

use std::net::TcpListener;

use super::program::{Folder, small_elsewhere};
use crate::support::router::Router;

/// A folder with a scenario for a server that has the accounts.
fn elsewhere() -> Folder {
    Folder::with("small.toml", &small_elsewhere())
}

#[test]
fn a_server_that_is_there_is_measured() {
    let router = Router::start(10);
    let folder = elsewhere();
    let target = format!("xmpp+plain://{}", router.address);
    let ended = folder.run(&format!("small.toml --out o --target {target}")).exits(0);
    assert_eq!(ended.stdout_line(), "PASSED  small: 1 of 1 SLOs met");
    let result = folder.result("o");
    assert_eq!(result["target"]["url"], target.as_str());
    assert_eq!(result["target"]["address"], router.address.to_string().as_str());
    assert!(result["target"]["router"].is_null(), "what is not our child is not looked into");
    assert_eq!(result["summary"]["login"]["ready"], 10);
}

#[test]
fn a_port_where_nobody_listens_is_6() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let folder = elsewhere();
    let ended = folder.run(&format!("small.toml --out o --target xmpp://{address}")).exits(6);
    let error = format!(
        "error: target xmpp://{address} is unreachable: {address}: Connection refused (os error 111)"
    );
    let help = "help: is the server running, and does it listen there? The port is 5222 unless `--target` names another";
    assert_eq!(ended.complaint(), (error.as_str(), help));
    assert_eq!(ended.stdout, "");
    assert!(!folder.path("o").exists(), "there is no result");
}

#[test]
fn a_name_without_an_address_is_6() {
    // RFC 6761 §6.4: nothing resolves below `invalid`.
    let ended = elsewhere().run("small.toml --target xmpp://nowhere.invalid").exits(6);
    let error = "error: target xmpp://nowhere.invalid:5222: cannot resolve `nowhere.invalid`: ";
    assert!(ended.stderr.starts_with(error), "{}", ended.stderr);
}

#[test]
fn a_server_that_hangs_up_is_6() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            drop(connection);
        }
    });
    let folder = elsewhere();
    let ended = folder.run(&format!("small.toml --quiet --out o --target xmpp://{address}")).exits(6);
    assert!(ended.stdout.starts_with("TARGET UNREACHABLE  small: "), "{}", ended.stdout);
    assert!(ended.stderr.starts_with(&format!("error: target xmpp://{address}: ")), "{}", ended.stderr);
    assert_eq!(folder.result("o")["verdict"], "target-unreachable");
}

#[test]
fn a_wrong_password_is_6() {
    let router = Router::start(10);
    let folder = Folder::with("small.toml", &small_elsewhere().replace("p{n}", "wrong"));
    let target = format!("xmpp://{}", router.address);
    let ended = folder.run(&format!("small.toml --quiet --out o --target {target}")).exits(6);
    let refused = "login refused: not-authorized";
    assert!(ended.stdout_line().starts_with("LOGIN REFUSED  small: user u"), "{}", ended.stdout);
    assert!(ended.stdout_line().ends_with(refused), "{}", ended.stdout);
    let (error, help) = ended.complaint();
    assert!(
        error.starts_with(&format!("error: target {target}: user u")) && error.ends_with(refused),
        "{error}"
    );
    assert!(help.contains("the account does not exist there, or has another password"), "{help}");
    let result = folder.result("o");
    assert_eq!((&result["verdict"], &result["exit_code"]), (&"login-refused".into(), &6.into()));
}

#[test]
fn another_domain_is_6() {
    let router = Router::start(10);
    let folder = elsewhere();
    let flags = format!("--quiet --domain other.example --target xmpp://{}", router.address);
    let ended = folder.run(&format!("small.toml {flags}")).exits(6);
    assert!(ended.stdout_line().ends_with("stream error: host-unknown"), "{}", ended.stdout);
}

#[test]
fn what_cannot_be_a_target_is_2() {
    let folder = elsewhere();
    let supported = "help: supported: embedded, xmpp://HOST[:PORT], xmpp+plain://HOST[:PORT]";
    let cases = [
        ("xmpps://localhost", "direct TLS is not built yet"),
        ("wss://localhost/ws", "WebSocket over TLS is not built yet"),
        ("https://localhost/http-bind", "BOSH over TLS is not built yet"),
        ("s2s://localhost", "server-to-server load is not built yet"),
        ("gopher://localhost", "unknown scheme `gopher`"),
        ("localhost:5222", "neither `embedded` nor a URL"),
    ];
    for (target, why) in cases {
        let ended = folder.run(&format!("small.toml --target {target}")).exits(2);
        let error = format!("error: target `{target}`: {why}");
        assert_eq!(ended.complaint(), (error.as_str(), supported));
    }
    let provisioned = folder.run("small.toml --target embedded").exits(2);
    let error = "error: the embedded router has the accounts that it is provisioned with, and no others";
    assert_eq!(provisioned.complaint().0, error);
}

#[test]
fn strangers_are_not_attacked() {
    // TEST-NET-1 (RFC 5737): nobody is there, and nobody is asked.
    let ended = elsewhere().run("small.toml --target xmpp://192.0.2.1").exits(2);
    let error = "error: target xmpp://192.0.2.1:5222: 192.0.2.1 is a public address, \
                 and a load test of a server that is not yours is an attack";
    assert_eq!(ended.complaint(), (error, "help: say `--yes-this-is-my-server` if it is yours"));
}
