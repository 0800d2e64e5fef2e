use super::*;

#[test]
fn every_key_is_optional() {
    let config = ServeConfig::parse("", "c", None).unwrap();
    assert_eq!(config, ServeConfig { users: Vec::new(), ..ServeConfig::default() });
    let config = ServeConfig::parse(
        r#"
        listen = ["[::1]:0", "127.0.0.1:5222"]
        metrics = "127.0.0.1:9100"
        virtual_hosts = ["Example.net"]
        reactors = 3
        pin = true
        domain = "example.org"
        mechanisms = ["PLAIN"]
        conflict = "refuse"
        anonymous = true
        scenario = "s.toml"
        store = "sqlite:r.db"
        users = [{ name = "a", password = "b" }, { name = "a@example.net", password = "b" }]
        registration = true
        registrations_per_minute = 0
        admins = ["A@example.org", "a@example.net"]
        [contact]
        abuse = ["mailto:a@example.org", "xmpp:a@example.org"]
        "#,
        "c",
        Some(Path::new("/x")),
    )
    .unwrap();
    let anonymous = ServeConfig::parse("mechanisms = []\nanonymous = true", "c", None).unwrap();
    assert_eq!(anonymous.mechanisms, [Mechanism::Anonymous]);
    assert_eq!(
        config.listen.iter().map(SocketAddr::to_string).collect::<Vec<_>>(),
        ["[::1]:0", "127.0.0.1:5222"]
    );
    assert_eq!(config.metrics.map(|address| address.port()), Some(9100));
    assert_eq!(config.domains().collect::<Vec<_>>(), ["example.org", "example.net"]);
    assert_eq!(config.mechanisms, [Mechanism::Plain, Mechanism::Anonymous]);
    assert_eq!((config.reactors, config.pin), (Some(3), true));
    assert_eq!(config.conflict, ConflictPolicy::Refuse);
    assert_eq!((config.registration, config.registrations_per_minute), (true, None));
    assert_eq!(config.admins, ["a@example.org", "a@example.net"]);
    assert_eq!(config.store, Some(StoreUrl::Sqlite("/x/r.db".into())));
    assert_eq!(config.contacts.abuse, ["mailto:a@example.org", "xmpp:a@example.org"]);
    assert!(config.contacts.support.is_empty());
    let addresses: Vec<String> = config.users.iter().map(|user| user.address(&config.domain)).collect();
    assert_eq!(addresses, ["a@example.org", "a@example.net"]);
}

/// A file, the complaint, and the way out.
const MISTAKES: &[(&str, &str, Option<&str>)] = &[
    ("domain = \"a\"\nlisen = \"x\"", "c:2:1: unknown key `lisen`", Some("did you mean `listen`?")),
    (
        "users = [{ nam = \"a\", password = \"b\" }]",
        "c:1:12: unknown key `nam`",
        Some("did you mean `name`?"),
    ),
    ("store = \"mysql:x\"", "c:1:9: store: unknown store `mysql:…`; there is: ", None),
    ("reactors = 0", "c:1:12: reactors: 0 is not between 1 and 128", None),
    ("domain = 5", "c:1:10: invalid type: integer `5`, expected a string", None),
    ("é = 1", "c:1:1: ", None),
    ("users = [{ name = \"a\" }]", "c:1:10: missing field `password`", None),
    ("domain = \"a", "c:1:", None),
    ("listen = \"nowhere\"", "c:1:10: listen: `nowhere` is not ADDRESS:PORT", None),
    ("listen = []", "c:1:10: listen: between 1 and 16 addresses", None),
    ("listen = [5]", "c:1:10: listen: not ADDRESS:PORT in quotes, or a list of these", None),
    ("listen = [\"127.0.0.1:1\", \"127.0.0.1:1\"]", "c:1:10: listen: 127.0.0.1:1 is there twice", None),
    ("metrics = [\"127.0.0.1:1\", \"127.0.0.1:2\"]", "c:1:11: metrics: one address", None),
    ("metrics = \"192.0.2.1:1\"", "c:1:11: metrics: 192.0.2.1:1 is not loopback", None),
    ("virtual_hosts = [\"a\", \"A\"]", "c:1:23: virtual_hosts: `a` is there twice", None),
    ("virtual_hosts = [\"localhost\"]", "c:1:18: virtual_hosts: `localhost` is there twice", None),
    ("virtual_hosts = [\"a/b\"]", "c:1:18: virtual_hosts: `a/b` is no domain but an address", None),
    (
        "users = [{ name = \"a@b\", password = \"x\" }]",
        "c:1:19: users: `a@b` is of a domain that is not served",
        Some("there is: localhost"),
    ),
    (
        "listen = \"0.0.0.0:5222\"",
        "c:1:10: listen: 0.0.0.0:5222 is not loopback, and there is no TLS yet",
        None,
    ),
    (
        "mechanisms = [\"PLAIN\", \"SCRAM-SHA-255\"]",
        "c:1:24: unknown mechanism",
        Some("did you mean `SCRAM-SHA-256`?"),
    ),
    (
        "conflict = \"x\"",
        "c:1:12: unknown conflict policy `x`",
        Some("there is: replace, assign-other, refuse"),
    ),
    ("addresses = \"Precis\"", "c:1:13: addresses: unknown rules `Precis`", Some("did you mean `precis`?")),
    (
        "users = [{ name = \"stra\u{df}e\", password = \"x\" }]",
        "c:1:19: users: `stra\u{df}e` is no name: localpart has characters that servers take for different ones",
        None,
    ),
    (
        "[contact]\nadmin = [\"mailto:a@b\", \"a@b\"]",
        "c:2:24: contact: `a@b` is no URI",
        Some("for instance \"mailto:admin@example.org\" or \"xmpp:admin@example.org\""),
    ),
    (
        "domain = \"d\"\nadmins = [\"a@d\", \"a@e\"]",
        "c:2:18: admins: `a@e` is no account of d",
        Some("for instance \"admin@d\""),
    ),
    ("admins = [\"a\"]", "c:1:11: admins: `a` is no account of localhost", None),
    ("admins = [\"a@localhost/r\"]", "c:1:11: admins: `a@localhost/r` is no account of localhost", None),
    ("domain = \"a b\"", "c:1:10: domain: `a b` is no domain: ", None),
    ("domain = \"a@b\"", "c:1:10: domain: `a@b` is no domain but an address", None),
    ("mechanisms = []", "c:1:14: mechanisms: nobody can log in without one", None),
    ("users = [{ name = \"a b\", password = \"x\" }]", "c:1:19: users: `a b` is no name: ", None),
    (
        "[[users]]\nname = \"a\"\npassword = \"x\"\n[[users]]\nname = \"a\"\npassword = \"y\"",
        "c:5:8: users: `a` is there twice",
        None,
    ),
    (
        "[[users]]\nname = \"Alice\"\npassword = \"x\"\n[[users]]\nname = \"alice\"\npassword = \"y\"",
        "c:5:8: users: `alice` is the same account as `Alice`",
        None,
    ),
    (
        "users = [{ name = \"a\", password = \"\" }]",
        "c:1:35: users: the password is empty or has characters that no client can send (RFC 4013)",
        None,
    ),
    ("users = [{ name = \"a\", password = \"\\u0007\" }]", "c:1:35: users: the password is empty or", None),
    ("[contact]\nadmins = []", "c:2:1: unknown key `admins`", Some("did you mean `admin`?")),
];

#[test]
fn mistakes_have_a_place_and_a_way_out() {
    for (text, what, help) in MISTAKES {
        let failure = ServeConfig::parse(text, "c", None).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        let complaint = &failure.errors[0];
        assert!(complaint.what.starts_with(what), "{text}\n{}", complaint.what);
        assert!(!complaint.what.contains('\n'), "{}", complaint.what);
        if help.is_some() {
            assert_eq!(complaint.help.as_deref(), *help, "{text}");
        }
    }
}

#[test]
fn a_scenario_counts_from_the_configurations_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("serve.toml");
    std::fs::write(&path, "scenario = \"s.toml\"").unwrap();
    assert_eq!(ServeConfig::read(&path).unwrap().scenario, Some(folder.path().join("s.toml")));
    assert_eq!(ServeConfig::read(&folder.path().join("none")).unwrap_err().exit, Exit::Usage);
}

#[test]
fn the_profile_for_test_suites_follows_its_domain() {
    let mut config = ServeConfig::for_test_suites();
    assert_eq!((&*config.domain, &*config.admins[0]), ("localhost", "admin@localhost"));
    config.set_domain("example.org");
    assert_eq!((&*config.domain, &*config.admins[0]), ("example.org", "admin@example.org"));
    assert!(config.registration && config.registrations_per_minute.is_none());
    assert_eq!(config.mechanisms, [Mechanism::ScramSha1, Mechanism::Plain]);
}
