use std::borrow::Cow;

use proptest::prelude::*;

use super::{AddressProfile, Jid, JidCow, JidRef, prepare};

fn parse(text: &str) -> Option<Jid> {
    Jid::parse(text).ok()
}

fn parts(text: &str) -> (Option<String>, String, Option<String>) {
    let jid = Jid::parse(text).unwrap();
    let jid = jid.as_ref();
    (jid.local().map(Into::into), jid.domain().into(), jid.resource().map(Into::into))
}

fn owned(local: &str, domain: &str, resource: &str) -> (Option<String>, String, Option<String>) {
    let some = |part: &str| (!part.is_empty()).then(|| part.to_owned());
    (some(local), domain.to_owned(), some(resource))
}

/// RFC 7622 §3.5, table 1. Row 7 and 9 show the mapping of stringprep (`ß` to `ss`, capital sigma to small sigma).
#[test]
fn examples_of_the_rfc_are_addresses() {
    for (text, expected) in [
        ("juliet@example.com", owned("juliet", "example.com", "")),
        ("juliet@example.com/foo", owned("juliet", "example.com", "foo")),
        ("juliet@example.com/foo bar", owned("juliet", "example.com", "foo bar")),
        ("juliet@example.com/foo@bar", owned("juliet", "example.com", "foo@bar")),
        ("foo\\20bar@example.com", owned("foo\\20bar", "example.com", "")),
        ("fussball@example.com", owned("fussball", "example.com", "")),
        ("fu\u{df}ball@example.com", owned("fussball", "example.com", "")),
        ("\u{3c0}@example.com", owned("\u{3c0}", "example.com", "")),
        ("\u{3a3}@example.com/foo", owned("\u{3c3}", "example.com", "foo")),
        ("\u{3c3}@example.com/foo", owned("\u{3c3}", "example.com", "foo")),
        ("king@example.com/\u{265a}", owned("king", "example.com", "\u{265a}")),
        ("example.com", owned("", "example.com", "")),
        ("example.com/foobar", owned("", "example.com", "foobar")),
        ("a.example.com/b@example.net", owned("", "a.example.com", "b@example.net")),
    ] {
        assert_eq!(parts(text), expected, "{text}");
    }
}

/// RFC 7622 §3.5, table 2, without row 18 (a leading space in a resource, which OpaqueString keeps, RFC 8265 §4.2.2)
/// and rows 20 and 21 (characters that only PRECIS forbids); then more of each kind.
#[test]
fn what_is_no_address() {
    for text in [
        "\"juliet\"@example.com",
        "foo bar@example.com",
        "@example.com/",
        "juliet@",
        "/foobar",
        "",
        "@",
        "/",
        "@/",
        "juliet@/foo",
        "juliet@example.com/",
        "a@b@example.com",
        "ju&liet@example.com",
        "ju'liet@example.com",
        "ju:liet@example.com",
        "ju<liet@example.com",
        "ju>liet@example.com",
        "ju\u{7f}liet@example.com",
        "ju\nliet@example.com",
        "ju\u{ff20}liet@example.com",
        "juliet@example.com/a\nb",
        "juliet@example.com/a\u{0}b",
        "juliet@exa mple.com",
        "juliet@exa_mple.com",
        "juliet@exa'mple.com",
        "juliet@exa\"mple.com",
        "juliet@exa&mple.com",
        "juliet@exa\u{ff0f}mple.com",
        "juliet@.example.com",
        "juliet@example..com",
        "juliet@example.com..",
        "juliet@.",
        "juliet@-example.com",
        "juliet@example-.com",
        "juliet@[::1",
        "juliet@[::1]x",
        "juliet@[fe80::1%25eth0]",
        "juliet@[127.0.0.1]",
        "juliet@xn--a-99999999.example",
        "\u{200d}@example.com",
        "juliet@example.com/\u{e000}",
    ] {
        assert_eq!(parse(text), None, "{text:?}");
    }
}

#[test]
fn preparation() {
    for (text, prepared) in [
        ("Juliet@Example.COM/Balcony", "juliet@example.com/Balcony"),
        ("juliet@example.com./balcony", "juliet@example.com/balcony"),
        ("JULIET@B\u{dc}CHER.example", "juliet@b\u{fc}cher.example"),
        ("juliet@xn--bcher-kva.example", "juliet@b\u{fc}cher.example"),
        ("juliet@example.com/e\u{301}", "juliet@example.com/\u{e9}"),
        ("juliet@example.com/a\u{a0}b", "juliet@example.com/a b"),
        ("juliet@192.0.2.1/x", "juliet@192.0.2.1/x"),
        ("juliet@[2001:DB8:0::1]/x", "juliet@[2001:db8::1]/x"),
        ("a!b;c=d?@localhost", "a!b;c=d?@localhost"),
    ] {
        assert_eq!(parse(text).as_ref().map(Jid::as_str), Some(prepared), "{text:?}");
    }
}

/// RFC 7622 §3.5, and where the two sets of rules differ; `None`: it is none.
#[test]
fn profiles() {
    let local =
        |text, profile: AddressProfile| prepare::prepare_local(text, profile).ok().map(Cow::into_owned);
    let resource = |text, profile| prepare::prepare_resource(text, profile).ok().map(Cow::into_owned);
    let both =
        |prepare: &dyn Fn(&'static str, AddressProfile) -> Option<String>, text, stringprep, precis| {
            let expected = [stringprep, precis].map(|text: Option<&str>| text.map(str::to_owned));
            let found =
                [AddressProfile::Stringprep, AddressProfile::Precis].map(|profile| prepare(text, profile));
            assert_eq!(found, expected, "{text:?}");
        };
    for (text, stringprep, precis) in [
        ("Juliet", Some("juliet"), Some("juliet")),
        ("fu\u{df}ball", Some("fussball"), Some("fu\u{df}ball")),
        ("\u{3c0}", Some("\u{3c0}"), Some("\u{3c0}")),
        ("\u{3a3}", Some("\u{3c3}"), Some("\u{3c3}")),
        ("\u{3c2}", Some("\u{3c3}"), Some("\u{3c2}")),
        ("henry\u{2163}", Some("henryiv"), None),
        ("\u{265a}", Some("\u{265a}"), None),
        ("\u{ff2a}uliet", Some("juliet"), Some("juliet")),
        ("juliet\u{ff20}", None, None),
        ("foo bar\u{e9}", None, None),
        ("a\u{e9}'b", None, None),
    ] {
        both(&local, text, stringprep, precis);
    }
    for (text, stringprep, precis) in [
        ("\u{265a}", Some("\u{265a}"), Some("\u{265a}")),
        ("foo\u{3000}bar", Some("foo bar"), Some("foo bar")),
        ("\u{2116}1", Some("No1"), Some("\u{2116}1")),
        ("e\u{301}", Some("\u{e9}"), Some("\u{e9}")),
        ("a\u{9}\u{e9}", None, None),
    ] {
        both(&resource, text, stringprep, precis);
    }
}

#[test]
fn lengths() {
    let (max, over) = ("a".repeat(1023), "a".repeat(1024));
    assert!(parse(&format!("{max}@example.com/{max}")).is_some());
    assert!(parse(&format!("{over}@example.com")).is_none());
    assert!(parse(&format!("a@example.com/{over}")).is_none());
    // 513 characters of two bytes each.
    assert!(parse(&format!("{}@example.com", "\u{3c0}".repeat(512))).is_none());
    assert!(parse(&format!("{}@example.com", "\u{3c0}".repeat(511))).is_some());
    // The limit holds after mapping: 400 sharp s are 800 bytes before and after.
    assert!(parse(&format!("{}@example.com", "\u{df}".repeat(400))).is_some());
    let label = "a".repeat(63);
    assert!(parse(&format!("{label}.com")).is_some());
    assert!(parse(&format!("{label}a.com")).is_none());
    let name = |last: usize| format!("{label}.{label}.{label}.{}", "a".repeat(last));
    assert!(parse(&name(61)).is_some());
    assert!(parse(&name(62)).is_none());
}

#[test]
fn borrowed_when_prepared() {
    for text in ["juliet@example.com/Bal cony", "example.com", "a.b-c.example/x", "o'%-@x"] {
        let cow = JidRef::parse(text);
        let borrowed = matches!(cow, Ok(JidCow::Borrowed(_)));
        assert_eq!(borrowed, !text.contains('\''), "{text}");
    }
    assert!(matches!(JidRef::parse("Juliet@example.com").unwrap(), JidCow::Owned(_)));
    assert!(matches!(JidRef::parse("juliet@example.com./x").unwrap(), JidCow::Owned(_)));
}

#[test]
fn attributes_are_unescaped() {
    let borrowed = JidRef::parse_attr("juliet@example.com/o'connor").unwrap();
    assert!(matches!(borrowed, JidCow::Borrowed(_)));
    let owned = JidRef::parse_attr("juliet@example.com/a&amp;b&#x20;c").unwrap();
    assert_eq!(owned.jid().as_str(), "juliet@example.com/a&b c");
    // A reference must not smuggle a separator's meaning past the parser, or hide one from it.
    assert_eq!(JidRef::parse_attr("juliet&#64;example.com").unwrap().jid().local(), Some("juliet"));
    assert!(JidRef::parse_attr("ju&amp;liet@example.com").is_err());
}

#[test]
fn parts_and_changes() {
    let jid = parse("juliet@example.com/balcony").unwrap();
    assert_eq!(jid.as_ref().bare().as_str(), "juliet@example.com");
    assert_eq!(jid.as_ref().bare().resource(), None);
    assert_eq!(jid.to_bare(), parse("juliet@example.com").unwrap());
    assert_eq!(jid.with_resource("Orchard/2").unwrap().as_str(), "juliet@example.com/Orchard/2");
    assert!(jid.with_resource("").is_err());
    assert_eq!(Jid::from_parts(None, "Example.com", Some("x")).unwrap().as_str(), "example.com/x");
    // A part is one part: separators in it are refused.
    assert!(Jid::from_parts(Some("a/b"), "example.com", None).is_err());
    assert!(Jid::from_parts(Some("a@b"), "example.com", None).is_err());
    assert!(Jid::from_parts(None, "example.com/x", None).is_err());
    assert!(Jid::from_parts(None, "a@example.com", None).is_err());
}

fn anything() -> impl Strategy<Value = String> {
    // Printable text of any script, or text made of what addresses are made of.
    prop_oneof!["\\PC{0,24}", "[a-cA-C.\\-_ @/\u{df}\u{3c2}\u{ff20}\u{2163}&']{0,16}"]
}

proptest! {
    /// What was prepared is an address, is prepared, and has the same parts.
    #[test]
    fn preparing_twice_changes_nothing(text in anything()) {
        if let Ok(jid) = Jid::parse(&text) {
            let again = Jid::parse(jid.as_str()).unwrap();
            prop_assert_eq!(&again, &jid);
            let view = jid.as_ref();
            let joined = Jid::from_parts(view.local(), view.domain(), view.resource()).unwrap();
            prop_assert_eq!(joined, jid);
        }
    }

    /// The fast path says nothing that the library would not say.
    #[test]
    fn fast_path_agrees_with_the_library(text in "[a-zA-Z0-9!-/:-@\\[-`{-~ .]{1,20}") {
        if let Ok(JidCow::Borrowed(fast)) = JidRef::parse(&text) {
            let slow = jid::Jid::new(&text).unwrap();
            prop_assert_eq!(fast.as_str(), slow.as_str());
            prop_assert_eq!(fast.local(), slow.node().map(|part| part.as_str()));
            prop_assert_eq!(fast.domain(), slow.domain().as_str());
            prop_assert_eq!(fast.resource(), slow.resource().map(|part| part.as_str()));
        }
    }
}

/// What two preparations take for different names, or one of them for none, is no name for a new account.
#[test]
fn new_accounts_have_names_that_mean_one_thing() {
    for (name, prepared) in [
        ("juliet", "juliet"),
        ("Juliet", "juliet"),
        ("a+b,c;d", "a+b,c;d"),
        ("J\u{fc}rgen", "j\u{fc}rgen"),
        ("\u{410}\u{43d}\u{43d}\u{430}", "\u{430}\u{43d}\u{43d}\u{430}"),
        ("\u{92e}\u{94d}\u{92f}", "\u{92e}\u{94d}\u{92f}"),
        ("\u{6f22}\u{5b57}7", "\u{6f22}\u{5b57}7"),
    ] {
        assert_eq!(Jid::new_account(name, "d").unwrap().as_ref().local(), Some(prepared));
    }
    for (name, why) in [
        ("", "none at all"),
        ("a@b", "none at all"),
        ("stra\u{df}e", "stringprep has ss, PRECIS keeps it"),
        ("\u{3c2}", "the other sigma"),
        ("\u{fb01}n", "a ligature"),
        ("\u{17f}", "a long s"),
        ("\u{2167}", "a number of one letter"),
        ("a\u{ad}b", "a hyphen that is not seen"),
        ("a\u{200d}b", "a joiner"),
        ("\u{2665}", "a symbol"),
        ("\u{1100}", "an old jamo"),
        ("\u{b7}", "a dot with a rule of its own"),
        ("\u{3021}", "a number that is no digit"),
    ] {
        assert!(Jid::new_account(name, "d").is_err(), "{why}");
    }
}
