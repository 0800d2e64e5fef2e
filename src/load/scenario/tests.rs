use std::time::Duration;

use super::*;
use crate::metrics::Bound;

/// DESIGN section 3, word for word.
const DESIGN: &str = r#"name = "10k presence"
seed = 42
[target]
server = "embedded"               # or a URL of section 2
domain = "bench.local"
[users]
count   = 10_000
account = { user = "u{n:06}", password = "p{n}" }    # or csv = "users.csv"
create  = "provision"             # provision (embedded) | register (XEP-0077) | existing
auth    = "SCRAM-SHA-256"         # or PLAIN, SCRAM-SHA-1, ANONYMOUS, …
roster  = { graph = "small-world", contacts = 20 }   # ring | random | small-world | zipf | file
[[phase]]
name   = "login"
arrive = { rate = "500/s", shape = "poisson", until = "all-ready" }
[[phase]]
name     = "warm-up"
duration = "15s"
measure  = false
do       = [{ action = "presence", rate = "300/s" }]
[[phase]]
name     = "steady"
duration = "60s"
do       = [{ action = "presence", rate = "500/s", show = ["chat", "away", "dnd"] }]
[[slo]]
phase  = "steady"
metric = "presence.fanout_complete.p99"
max    = "50ms"
[[slo]]
metric = "presence.missing"
max    = 0
"#;

const SMALL: &str = r#"name = "small"
target = { server = "embedded", domain = "bench.local" }
users = { count = 10 }
phase = [
  { name = "login", arrive = { rate = "10/s" } },
  { name = "steady", duration = "5s", do = [{ action = "chat", rate = "5/s" }] },
]
slo = [{ metric = "chat.lost", max = 0 }]
"#;

fn errors(text: &str) -> Vec<String> {
    Scenario::parse(text).unwrap_err().iter().map(ToString::to_string).collect()
}

fn set_errors(sets: &[(&str, &str)]) -> Vec<String> {
    let sets: Vec<_> = sets.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Scenario::parse_with(SMALL, &sets).unwrap_err().iter().map(ToString::to_string).collect()
}

fn with_sets(text: &str, sets: &[(&str, &str)]) -> Scenario {
    let sets: Vec<_> = sets.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Scenario::parse_with(text, &sets).unwrap()
}

#[test]
fn the_design_block_is_the_grammar() {
    let scenario = Scenario::parse(DESIGN).unwrap();
    assert_eq!((scenario.name.as_str(), scenario.seed), ("10k presence", 42));
    assert_eq!(scenario.users.count, 10_000);
    assert_eq!(scenario.users.username(7), "u000007");
    assert_eq!(scenario.users.password(7), "p7");
    assert_eq!(scenario.users.auth, Mechanism::ScramSha256);
    assert_eq!(scenario.users.roster, Some(RosterSpec { graph: Graph::SmallWorld, contacts: 20 }));
    assert_eq!(scenario.target.server_place, (4, 10));
    let PhaseKind::Login(arrival) = scenario.phases[0].kind else { panic!("login first") };
    assert_eq!(arrival.rate, Some(Pace::Steady(Rate(500.0))));
    assert_eq!((arrival.shape, arrival.timeout), (Shape::Poisson, Duration::from_secs(120)));
    let PhaseKind::Load { duration, actions } = &scenario.phases[2].kind else { panic!("load") };
    assert_eq!(*duration, Duration::from_secs(60));
    assert_eq!(actions[0].show, [Show::Chat, Show::Away, Show::Dnd]);
    assert!(scenario.phases[2].measure && !scenario.phases[1].measure);
    assert_eq!(scenario.slos[0].bound, Bound::MaxNs(50_000_000));
    assert_eq!(scenario.slos[1].phase, None);
    assert_eq!(scenario.text, DESIGN);
}

#[test]
fn the_shipped_scenarios_parse() {
    for text in [
        include_str!("../../../scenarios/smoke.toml"),
        include_str!("../../../scenarios/10k_presence.toml"),
        include_str!("../../../scenarios/1k_chat.toml"),
        include_str!("../../../scenarios/10k_login.toml"),
        include_str!("../../../scenarios/reconnect_storm.toml"),
    ] {
        Scenario::parse(text).unwrap();
        // As in CI.
        with_sets(text, &[("users.count", "50")]);
    }
}

/// DESIGN's words, and nothing but comments and SLOs beside them.
#[test]
fn the_main_job_is_the_designs() {
    let shipped = Scenario::parse(include_str!("../../../scenarios/10k_presence.toml")).unwrap();
    let design = Scenario::parse(DESIGN).unwrap();
    assert_eq!((&shipped.name, shipped.seed, &shipped.users), (&design.name, design.seed, &design.users));
    assert_eq!(shipped.phases, design.phases);
    assert!(design.slos.iter().all(|slo| shipped.slos.contains(slo)));
}

#[test]
fn a_break_says_who_how_when_and_how_back() {
    let with = |phase: &str| SMALL.replace("duration = \"5s\",", &format!("duration = \"5s\", {phase},"));
    let full = "break = { share = 0.8, how = \"tcp-reset\", at = \"2s\", reconnect = { backoff = \"1s..30s\", \
                jitter = \"none\", at_once = true } }";
    let breaks = Scenario::parse(&with(full)).unwrap().phases[1].breaks.unwrap();
    assert_eq!((breaks.share, breaks.how, breaks.at), (0.8, How::TcpReset, Duration::from_secs(2)));
    let (first, longest) = (Duration::from_secs(1), Duration::from_secs(30));
    assert_eq!(breaks.reconnect, Reconnect { first, longest, jitter: false, at_once: true });
    let short = Scenario::parse(&with("break = { share = 1e-1, how = \"stream-close\" }")).unwrap();
    let breaks = short.phases[1].breaks.unwrap();
    assert_eq!(breaks.at, Duration::ZERO);
    assert_eq!(breaks.reconnect, Reconnect { first, longest, jitter: true, at_once: false });
    for (wrong, expected) in [
        ("break = { share = 1.5, how = \"tcp-reset\" }", "`share` is above 0 and at most 1"),
        ("break = { share = 1, how = \"tcp-reset\" }", "nobody would be left to carry out `do`"),
        ("break = { share = 0.5 }", "`break` lacks `how`"),
        ("break = { share = 0.5, how = \"tcp-rest\" }", "did you mean `tcp-reset`?"),
        ("break = { share = 0.5, how = \"tcp-close\", at = \"5s\" }", "the phase is over by then"),
        (
            "break = { share = 0.5, how = \"tcp-close\", reconnect = { backoff = \"0s..1s\" } }",
            "the first wait is above 0",
        ),
        (
            "break = { share = 0.5, how = \"tcp-close\", reconnect = { backoff = \"9s\" } }",
            "write such as \"1s..30s\"",
        ),
    ] {
        let found = errors(&with(wrong));
        assert!(found.iter().any(|e| e.contains(expected)), "{wrong}: {found:#?}");
    }
    let slo = SMALL.replace("chat.lost", "reconnect.missing");
    assert!(errors(&slo)[0].contains("no measured phase here has a `break`"), "{:?}", errors(&slo));
    Scenario::parse(&slo.replace("duration = \"5s\",", &format!("duration = \"5s\", {full},"))).unwrap();
}

#[test]
fn rates_may_rise_and_fall() {
    let ramp = "rate = { from = \"1/s\", to = \"600/m\" }";
    let text = SMALL
        .replace("rate = \"5/s\"", ramp)
        .replace("rate = \"10/s\"", "rate = { from = \"9/s\", to = \"3/s\", over = \"4s\" }");
    let scenario = Scenario::parse(&text).unwrap();
    let PhaseKind::Login(arrival) = scenario.phases[0].kind else { panic!("login first") };
    let over = Some(Duration::from_secs(4));
    assert_eq!(arrival.rate, Some(Pace::Ramp { from: Rate(9.0), to: Rate(3.0), over }));
    let PhaseKind::Load { actions, .. } = &scenario.phases[1].kind else { panic!("load") };
    assert_eq!(actions[0].rate, Some(Pace::Ramp { from: Rate(1.0), to: Rate(10.0), over: None }));
    for (wrong, expected) in [
        ("rate = { from = \"1/s\" }", "`rate` lacks `to`"),
        ("rate = { from = \"1/s\", to = \"0/s\" }", "a rate is above 0"),
        ("rate = { from = \"1/s\", to = \"2/s\", over = \"0s\" }", "a ramp lasts longer than nothing"),
    ] {
        let found = errors(&SMALL.replace("rate = \"5/s\"", wrong));
        assert!(found.iter().any(|e| e.contains(expected)), "{wrong}: {found:#?}");
    }
}

/// A line of `DESIGN`, what replaces it, and the one error expected.
const FAULTS: &[(&str, &str, &str)] = &[
    ("server = \"emb", "sever = \"emb", "line 4, column 1: unknown key `sever`; did you mean `server`?"),
    ("seed = 42", "seed = -1", "line 2, column 8: `seed` must be a number from 0 to 9223372036854775807"),
    ("seed = 42", "seed = \"42\"", "line 2, column 8: `seed` must be a whole number, not text"),
    ("name = \"10k", "nmae = \"10k", "line 1, column 1: unknown key `nmae`; did you mean `name`?"),
    ("name = \"10k presence\"", "name = 10", "line 1, column 8: `name` must be text in quotes, not a number"),
    (
        "\"500/s\", shape",
        "500, shape",
        "line 14, column 19: `rate`: `500` is no rate; write a number per s, m or h, such as \"500/s\"",
    ),
    (
        "\"15s\"",
        "\"15 sec\"",
        "line 17, column 12: `duration`: `15 sec` is no duration; write a number with ns, us, ms, s, m or h, such as \
         \"30s\"",
    ),
    (
        "\"SCRAM-SHA-256\"",
        "\"SCRAM-SHA-265\"",
        "line 10, column 11: unknown auth value `SCRAM-SHA-265`; did you mean `SCRAM-SHA-256`?",
    ),
    (
        "\"SCRAM-SHA-256\"",
        "\"EXTERNAL\"",
        "line 10, column 11: auth value `EXTERNAL` is not built yet; supported: SCRAM-SHA-256, SCRAM-SHA-1, PLAIN, \
         ANONYMOUS",
    ),
    ("\"small-world\"", "\"ziff\"", "line 11, column 21: unknown graph value `ziff`; did you mean `zipf`?"),
    (
        "contacts = 20",
        "contacts = 21",
        "line 11, column 47: `contacts` must be even: half of them stand on each side in the ring",
    ),
    (
        "count   = 10_000",
        "count   = 12",
        "line 11, column 47: 20 contacts each need at least 21 users, not 12",
    ),
    (
        "contacts = 20",
        "contacts = 20, file = \"a\"",
        "line 11, column 51: `file` belongs to `graph = \"file\"`",
    ),
    (
        "\"small-world\", contacts = 20",
        "\"file\", contacts = 20",
        "line 11, column 11: `roster` lacks `file`; such as `file = \"edges.csv\"`",
    ),
    ("u{n:06}", "u{m}", "line 8, column 20: `user`: `{m}` is unknown; a pattern knows `{n}` and `{n:06}`"),
    (
        "\"u{n:06}\"",
        "\"user\"",
        "line 8, column 20: every user needs a name of its own; write such as `user = \"u{n:06}\"`",
    ),
    (
        "\"u{n:06}\"",
        "\"U{n:06}\"",
        "line 8, column 11: user names hold lower-case letters, digits and none of \"&'/:<>@ or spaces; servers map or \
         refuse the rest (RFC 7622 §3.3)",
    ),
    (
        "\"SCRAM-SHA-256\"",
        "\"ANONYMOUS\"",
        "line 11, column 1: users without accounts (ANONYMOUS) have no rosters",
    ),
    (
        "server = \"embedded\"",
        "server = \"xmpp://127.0.0.1\"",
        "line 9, column 11: only the embedded server can be provisioned; use `existing`, or `register` to have them \
         registered",
    ),
    (
        "action = \"presence\", rate = \"300/s\"",
        "action = \"muc_join\", rate = \"300/s\"",
        "line 19, column 24: action value `muc_join` is not built yet; supported: chat, presence, ping, idle, roster_get",
    ),
    (
        "rate = \"300/s\"",
        "rate = { from = \"1/s\", too = \"9/s\" }",
        "line 19, column 59: unknown key `too`; did you mean `to`?",
    ),
    (
        "rate = \"300/s\"",
        "rate = \"300/s\", size = \"1KB\"",
        "line 19, column 52: `size` means nothing to `presence`; known there: action, rate, shape, show",
    ),
    (
        "\"chat\", \"away\"",
        "\"chat\", \"afk\"",
        "line 23, column 68: unknown show value `afk`; known here: available, away, chat, dnd, xa",
    ),
    (
        "phase  = \"steady\"",
        "phase  = \"stedy\"",
        "line 25, column 10: no phase is named `stedy`; did you mean `steady`?",
    ),
    (
        "phase  = \"steady\"",
        "phase  = \"warm-up\"",
        "line 25, column 10: this phase is not measured; leave `measure = false` away there",
    ),
    (
        "fanout_complete.p99",
        "fanout_compelte.p99",
        "line 26, column 10: unknown metric `presence.fanout_compelte.p99`; did you mean \
         `presence.fanout_complete.p99`?",
    ),
    (
        "\"presence.missing\"",
        "\"chat.lost\"",
        "line 29, column 10: `chat.lost`: no measured phase here does `chat`",
    ),
    (
        "max    = 0",
        "max    = \"0\"",
        "line 30, column 10: `max` of this metric must be a number such as 0 or 0.99",
    ),
    ("max    = 0", "", "line 28, column 1: an SLO has either `max` or `min`"),
    (
        "until = \"all-ready\"",
        "timeuot = \"3s\"",
        "line 14, column 47: unknown key `timeuot`; did you mean `timeout`?",
    ),
    (
        "measure  = false",
        "mix = \"office\"",
        "line 18, column 1: key `mix` is not built yet; supported: name, arrive, duration, measure, do, drain, break",
    ),
    ("name     = \"warm-up\"", "name = \"steady\"", "line 20, column 1: a second phase is named `steady`"),
    ("arrive = {", "arrive = {{", "line 14, column 11: missing key for inline table element, expected key"),
];

#[test]
fn faults_have_a_place_and_a_way_out() {
    let mut wrong = String::new();
    for (old, new, expected) in FAULTS {
        assert!(DESIGN.contains(old), "{old}");
        let found = errors(&DESIGN.replacen(old, new, 1));
        if !found.iter().any(|e| e == expected) {
            wrong += &format!("{new}\nexpected {expected}\nfound    {found:#?}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn all_faults_are_reported_at_once_in_order() {
    let text = DESIGN.replace("seed = 42", "sede = 42").replace("create  =", "creat  =").replace("60s", "60");
    let found = errors(&text);
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(
        found[0].starts_with("line 2,")
            && found[1].starts_with("line 9,")
            && found[2].starts_with("line 22,")
    );
}

#[test]
fn what_is_missing_is_named() {
    let found = errors("seed = 1\n[target]\nserver = \"embedded\"\n");
    for key in ["`name`", "`users`", "`phase`", "`target` lacks `domain`"] {
        assert!(found.iter().any(|e| e.contains(key)), "{key} in {found:#?}");
    }
}

#[test]
fn the_first_phase_logs_in() {
    let found = errors(&SMALL.replace("arrive = { rate = \"10/s\" }", "duration = \"1s\""));
    assert!(found[0].contains("the first phase must log the users in"), "{found:#?}");
}

#[test]
fn set_replaces_inserts_and_stays_readable() {
    let scenario = with_sets(
        SMALL,
        &[
            ("users.count", "20"),
            ("seed", "9"),
            ("users.auth", "PLAIN"),
            ("phase.steady.duration", "7s"),
            ("phase.1.do.chat.rate", "50/s"),
            ("phase.steady.do.0.size", "1KB"),
            ("target.server", "xmpp://[::1]:5222"),
            ("users.account.user", "x{n}"),
            ("name", "12"),
        ],
    );
    assert_eq!((scenario.users.count, scenario.seed, scenario.name.as_str()), (20, 9, "12"));
    assert_eq!((scenario.users.auth, scenario.users.create), (Mechanism::Plain, Create::Existing));
    assert_eq!(scenario.users.username(3), "x3");
    let PhaseKind::Load { duration, actions } = &scenario.phases[1].kind else { panic!("load") };
    assert_eq!((*duration, actions[0].rate), (Duration::from_secs(7), Some(Pace::Steady(Rate(50.0)))));
    assert_eq!(actions[0].size_bytes, 1000);
    assert_eq!(scenario.target.server, "xmpp://[::1]:5222");
    // What was run can be run again.
    assert_eq!(Scenario::parse(&scenario.text).unwrap(), scenario);
}

#[test]
fn set_inserts_below_headers_too() {
    let scenario = with_sets(
        DESIGN,
        &[("users.resource", "r{n}"), ("phase.login.arrive.timeout", "5s"), ("phase.steady.drain", "1s")],
    );
    assert_eq!(scenario.users.resource(3).as_deref(), Some("r3"));
    assert_eq!(scenario.phases[2].drain, Duration::from_secs(1));
    assert_eq!(Scenario::parse(&scenario.text).unwrap(), scenario);
}

#[test]
fn set_faults_name_the_path() {
    for (path, value, expected) in [
        ("users.cuont", "5", "--set users.cuont: unknown key `cuont`; did you mean `count`?"),
        ("user.count", "5", "--set user.count: unknown key `user`; did you mean `users`?"),
        ("users.count", "many", "--set users.count: `count` must be a whole number, not text"),
        (
            "phase.stedy.duration",
            "1s",
            "--set phase.stedy.duration: `phase` has no `stedy`; did you mean `steady`?",
        ),
        ("users.count.x", "1", "--set users.count.x: `users.count` holds no other keys"),
        ("users..x", "1", "--set users..x: `users..x` is no path; write it like `users.count`"),
        (
            "phase.steady.do.chat.rate",
            "fast",
            "--set phase.steady.do.chat.rate: `rate`: `fast` is no rate; write a number per s, m or h, such as \
             \"500/s\"",
        ),
    ] {
        assert_eq!(set_errors(&[(path, value)]), [expected], "{path}");
    }
}

#[test]
fn patterns() {
    let pattern = Pattern::parse("u{n:03}x").unwrap();
    for (n, text) in [(0, "u000x"), (42, "u042x"), (1234, "u1234x")] {
        assert_eq!(pattern.expand(n), text);
        assert_eq!(pattern.number(text), Some(n));
    }
    for other in ["u42x", "u0042x", "u04 x", "u042", "042x", "ux", "u+42x"] {
        assert_eq!(pattern.number(other), None, "{other}");
    }
    for wrong in ["{", "}", "{n}{n}", "{n:6}", "{n:0x}", "{x}"] {
        assert!(Pattern::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn notations() {
    for (text, nanos) in [
        ("1.1s", 1_100_000_000),
        ("250ms", 250_000_000),
        ("5us", 5_000),
        ("5 µs", 5_000),
        ("2m", 120_000_000_000),
    ] {
        assert_eq!(units::duration(text).unwrap().as_nanos(), nanos, "{text}");
    }
    for (text, per_second) in [("500/s", 500.0), ("30/m", 0.5), ("1_000/s", 1000.0), ("0.5/s", 0.5)] {
        assert_eq!(units::rate(text).unwrap(), Rate(per_second), "{text}");
    }
    for wrong in ["", "s", "5", "-5/s", "0/s", "5/d", "1e9/s", "99999999/s"] {
        assert!(units::rate(wrong).is_err(), "{wrong}");
    }
    assert_eq!(units::size("2KiB", 4096).unwrap(), 2048);
    assert!(units::size("5KB", 4096).is_err());
    assert_eq!(units::addresses("127.0.0.2-127.0.0.5").unwrap().len(), 4);
    assert_eq!(units::addresses("::1").unwrap().len(), 1);
    assert!(units::addresses("127.0.0.5-127.0.0.2").is_err());
}
