//! Runs that end before their time: by a signal, by the router's death, by the parent's death.

use std::net::{Ipv4Addr, SocketAddr};

use rustix::process::Signal;

use super::client::Client;
use super::processes::Process;
use super::program::{Folder, Program};

/// A run in the middle of a phase that lasts longer than any test.
fn under_way(folder: &Folder) -> Program {
    let mut program = folder.start("small.toml --out o --set phase.steady.duration=1h");
    program.wait_stderr("steady ");
    program
}

#[test]
fn ctrl_c_leaves_a_marked_result() {
    assert_interrupted(Signal::INT, 130);
}

#[test]
fn sigterm_leaves_a_marked_result() {
    assert_interrupted(Signal::TERM, 143);
}

fn assert_interrupted(signal: Signal, code: i32) {
    let folder = Folder::small();
    let program = under_way(&folder);
    let router = Process::child_of(program.pid);
    program.signal(signal);
    let ended = program.finish().exits(code);
    assert_eq!(ended.stdout_line(), "INTERRUPTED  small: a partial result, 1 phases complete");
    let result = folder.result("o");
    assert_eq!((&result["verdict"], &result["exit_code"]), (&"interrupted".into(), &code.into()));
    let summary = &result["summary"];
    assert_eq!(summary["interrupted"], true);
    assert_eq!(summary["login"]["ready"], 10, "what was measured is kept");
    assert_eq!(summary["slos"], serde_json::json!([]), "and not judged");
    assert!(result["target"]["router"].is_object(), "the router ended in order: {}", result["target"]);
    router.wait_gone();
    // The result can be printed again, and says the same.
    let report = folder.run("report o").exits(0);
    assert_eq!(report.stdout, ended.stdout);
}

#[test]
fn ctrl_c_before_the_load_leaves_nothing() {
    // Thousands of passwords: the router is busy deriving keys when the signal comes.
    let folder = Folder::small();
    let mut program = folder.start("small.toml --out o --set users.count=8000");
    program.wait_stderr("starting the router with 8,000 accounts");
    program.signal(Signal::INT);
    let ended = program.finish().exits(130);
    let error = "error: interrupted before the load began; there is no result";
    assert_eq!((ended.complaint().0, ended.stdout.as_str()), (error, ""));
    assert!(!folder.path("o").exists());
}

#[test]
fn a_second_signal_ends_at_once() {
    let folder = Folder::small();
    let program = under_way(&folder);
    let router = Process::child_of(program.pid);
    // Nobody answers the users' goodbyes, so an orderly end takes its time.
    router.signal(Signal::STOP);
    // Two signals of one kind could become one on the way.
    program.signal(Signal::INT);
    program.signal(Signal::TERM);
    program.wait_gone();
    // Once awake, the router finds its pipe closed.
    router.wake();
    router.wait_gone();
    let ended = program.finish().exits(143);
    assert_eq!(ended.stdout, "");
    assert!(!folder.path("o").exists(), "the operator did not want to wait for a result");
}

#[test]
fn a_router_that_dies_is_6_and_said() {
    let folder = Folder::small();
    let program = under_way(&folder);
    Process::child_of(program.pid).signal(Signal::KILL);
    let ended = program.finish().exits(6);
    let died = "the embedded router died during the run: it was killed by signal 9";
    assert_eq!(ended.stdout_line(), format!("TARGET UNREACHABLE  small: {died}"));
    let help = "help: a partial result was written; it says how far the run came";
    assert_eq!(ended.complaint(), (format!("error: target embedded: {died}").as_str(), help));
    let result = folder.result("o");
    assert_eq!((&result["verdict"], &result["exit_code"]), (&"target-unreachable".into(), &6.into()));
    assert_eq!(result["summary"]["interrupted"], false, "no operator ended it");
    assert!(result["target"]["router"].is_null(), "it left no last word");
}

/// The users go on meaning to send: what they meant to send meanwhile has waited, whether it was sent or not.
#[test]
fn a_router_that_stands_still_is_measured_and_loses_nothing() {
    let folder = Folder::small();
    let words = "small.toml --out o --set phase.steady.duration=8s --set phase.steady.do.ping.rate=50/s";
    let mut program = folder.start_args(&words.split(' ').collect::<Vec<_>>(), &[]);
    program.wait_stderr("steady ");
    Process::child_of(program.pid).pause(2);
    let ended = program.finish();
    assert!([Some(0), Some(5)].contains(&ended.code), "{ended:?}");
    let result = folder.result("o");
    let ping = &result["summary"]["phases"][1]["actions"][0];
    let counts = &ping["counts"];
    let number = |value: &serde_json::Value| value.as_u64().expect("a count");
    assert_eq!((number(&counts["intended"]), number(&counts["done"])), (400, 400), "nothing is lost");
    assert_eq!((number(&counts["lost"]), number(&counts["duplicated"])), (0, 0));
    let percentiles = ping["latencies"]["response"]["percentiles"].as_array().expect("a list");
    // The slowest tenth are the 40 that were meant to be sent in the first 0.8 s of the pause: 1.2 s were left of it.
    let p90 = percentiles.iter().find(|p| p["name"] == "p90").expect("400 samples are enough");
    assert!(number(&p90["ns"]) >= 1_100_000_000, "{p90}");
}

#[test]
fn the_router_dies_with_its_parent() {
    let folder = Folder::small();
    let program = under_way(&folder);
    let router = Process::child_of(program.pid);
    let address: SocketAddr = (Ipv4Addr::LOCALHOST, router.listening_port()).into();
    let client = Client::connect(address, "bench.local");
    program.signal(Signal::KILL);
    // No parent tells it to stop: the kernel closes the pipe between them.
    let last_words = client.last_words();
    assert!(last_words.contains("<system-shutdown"), "{last_words}");
    router.wait_gone();
    assert_eq!(program.finish().code, None);
}
