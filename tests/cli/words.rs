//! The command line itself: help, wrong words, words for later.

use super::program::Folder;

#[test]
fn help_teaches_the_exit_codes() {
    let help = Folder::new().run("--help").exits(0);
    assert_eq!(
        help.stdout_line(),
        "Measures XMPP servers with thousands of synthetic clients; brings its own router to compare with."
    );
    let (_, codes) = help.stdout.split_once("\nExit codes:\n").unwrap();
    let first_words: Vec<&str> = codes.lines().take_while(|line| !line.is_empty()).map(first_word).collect();
    assert_eq!(first_words, ["0", "1", "2", "3", "5", "6", "130"]);
    assert!(codes.contains("143 terminated (SIGTERM)"), "{codes}");
    assert_eq!(help.stderr, "");
}

fn first_word(line: &str) -> &str {
    line.split_whitespace().next().unwrap_or_default()
}

#[test]
fn nothing_asked_for_is_answered_with_help() {
    let nothing = Folder::new().run("").exits(2);
    assert_eq!(nothing.stdout, "");
    assert!(nothing.stderr.starts_with("Measures XMPP servers with thousands"), "{}", nothing.stderr);
}

#[test]
fn what_is_not_built_is_absent_and_says_so() {
    let folder = Folder::new();
    let help = folder.run("--help").stdout;
    for word in ["capacity", "compare", "agent"] {
        let ended = folder.run(word).exits(2);
        let want = format!("error: `{word}` is not built yet");
        let help_line = "help: there is: run, check, serve, user, report, completions";
        assert_eq!(ended.complaint(), (want.as_str(), help_line));
        assert!(!help.lines().any(|line| first_word(line) == word), "{word} is in --help");
    }
}

#[test]
fn wrong_words_are_answered_with_the_right_ones() {
    let folder = Folder::small();
    let cases = [
        ("chekc", "error: unrecognized subcommand 'chekc'", "similar subcommand exists: 'check'"),
        ("run small.toml --sedd 5", "error: unexpected argument '--sedd' found", "'--seed'"),
        ("run", "error: the following required arguments were not provided:", "<SCENARIO.toml>"),
        ("small.toml --seed x", "error: invalid value 'x' for '--seed <N>'", "invalid digit"),
        ("small.toml --set users", "error: invalid value 'users' for '--set <KEY=VALUE>'", "users.count=50"),
        ("report o --format pdf", "error: invalid value 'pdf' for '--format <FORMAT>'", "text, json"),
        ("embedded-router", "error: this subcommand is started by `xmpp-bench run`", ""),
    ];
    for (words, first_line, help) in cases {
        let ended = folder.run(words).exits(2);
        assert!(ended.stderr.starts_with(first_line), "{words}:\n{}", ended.stderr);
        assert!(ended.stderr.contains(help), "{words}:\n{}", ended.stderr);
        assert_eq!(ended.stdout, "", "{words}");
    }
    assert!(!folder.path("out").exists(), "nothing was run");
}

#[test]
fn a_shell_understands_the_completions() {
    let folder = Folder::new();
    let script = folder.run("completions bash").exits(0);
    for word in ["completions", "--yes-this-is-my-server", "bashdefault -o default xmpp-bench"] {
        assert!(script.stdout.contains(word), "{word}");
    }
    assert!(!script.stdout.contains("embedded-router"), "what is not for people is not offered");
    folder.write("completions", &script.stdout);
    let checked =
        std::process::Command::new("bash").arg("-n").arg(folder.path("completions")).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    folder.run("completions basic").exits(2);
}
