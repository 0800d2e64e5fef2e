//! Users and roster graphs from files, and the flags that prepare a server.

use super::program::{Folder, SMALL};

/// [`super::program::SMALL`] with users and edges from files in a folder beside the scenario.
fn listed() -> Folder {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("lists")).expect("the folder can be made");
    let text = SMALL
        .replace(
            "count   = 10\naccount = { user = \"u{n:06}\", password = \"p{n}\" }",
            "csv = \"lists/users.csv\"",
        )
        .replace("graph = \"ring\", contacts = 2", "graph = \"file\", file = \"lists/edges.csv\"");
    folder.write("small.toml", &text);
    folder.write("lists/users.csv", "user,password\nann,\"a,1\"\nbob,b2\ncleo,c 3\n");
    folder.write("lists/edges.csv", "ann,bob\nbob,cleo\n");
    folder
}

#[test]
fn users_and_edges_from_files() {
    let folder = listed();
    let ended = folder.run("small.toml --out o --quiet").exits(0);
    let (hash, path) = ("sha256 ", "needs     lists/users.csv, 40 B, ");
    let line = ended.stdout.lines().find(|line| line.starts_with(path)).unwrap_or_default();
    assert!(line.contains(hash) && line.ends_with(", unchanged"), "{}", ended.stdout);
    let result = folder.result("o");
    assert_eq!(result["summary"]["login"]["ready"], 3);
    let files = result["scenario"]["files"].as_array().expect("the files are named");
    assert_eq!(
        files.iter().map(|file| &file["path"]).collect::<Vec<_>>(),
        ["lists/users.csv", "lists/edges.csv"]
    );
    assert_eq!(files[0]["sha256"].as_str().map(str::len), Some(64));
    assert!(!result.to_string().contains("c 3"), "passwords of a file do not go into a result");

    folder.write("lists/edges.csv", "ann,bob\n");
    std::fs::remove_file(folder.path("lists/users.csv")).expect("it was there");
    let told = folder.run("report o").exits(0).stdout;
    let state =
        |name: &str| told.lines().find(|line| line.contains(name)).and_then(|line| line.rsplit(", ").next());
    assert_eq!(state("users.csv, "), Some("not there any more"), "{told}");
    assert_eq!(state("edges.csv, "), Some("changed since"), "{told}");
}

#[test]
fn fewer_users_than_the_file_has() {
    let folder = listed();
    folder.run("small.toml --out o --quiet --set users.count=2").exits(0);
    assert_eq!(folder.result("o")["summary"]["login"]["ready"], 2);
}

#[test]
fn mistakes_in_files_have_a_line() {
    let folder = listed();
    let complaint = || folder.run("check small.toml").exits(2).complaint().0.to_owned();
    folder.write("lists/edges.csv", "ann,bob\n\nbob,dave\n");
    assert_eq!(
        complaint(),
        "error: small.toml:10:36: `file`: lists/edges.csv, line 3: no user is named or numbered `dave`"
    );
    folder.write("lists/users.csv", "ann,1\nann,2\n");
    assert_eq!(
        complaint(),
        "error: small.toml:9:7: `csv`: lists/users.csv, line 2: user `ann` stands in line 1 already"
    );
    std::fs::remove_file(folder.path("lists/users.csv")).expect("it was there");
    assert!(
        complaint().starts_with("error: small.toml:9:7: `csv`: lists/users.csv cannot be read: No such file")
    );
    let folder = listed();
    let ended = folder.run("check small.toml --set users.count=4").exits(2);
    assert_eq!(ended.complaint().0, "error: --set users.count: `count` is 4, and the file has 3 users");
}

#[test]
fn the_embedded_router_needs_no_set_up() {
    let folder = Folder::small();
    for flag in ["--setup-only", "--teardown"] {
        let ended = folder.run(&format!("small.toml {flag}")).exits(2);
        let what = "the embedded router keeps nothing, its accounts and rosters end with it";
        assert_eq!(
            ended.complaint(),
            (&*format!("error: {flag}: {what}"), "help: name a server with --target")
        );
        assert!(!folder.path("out").exists());
    }
    folder.run("small.toml --teardown --setup-only").exits(2);
}
