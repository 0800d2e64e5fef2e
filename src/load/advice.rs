//! The way out of what people meet first when they point a load at a server.
//!
//! It decides nothing and knows no server but by the names of its settings: it goes by the words of the fault, which are
//! those of the RFCs, of the kernel and of this program.

/// What a fault's text holds, and what helps. The first line that fits counts.
const TABLE: [(&str, &str); 20] = [
    (
        "registration refused: resource-constraint",
        "let it make as many accounts as are asked for (ejabberd: registration_timeout: infinity; Prosody: \
         registration_throttle_max), or make them on the server and set users.create to \"existing\"",
    ),
    (
        "host-unknown",
        "the server does not serve that domain: name one that it does with `--domain` or `target.domain` (Prosody: \
         VirtualHost; ejabberd: hosts)",
    ),
    (
        "not-authorized",
        "the account does not exist there, or has another password: compare `users.account`, or let the run make the \
         accounts with `--set users.create=register`",
    ),
    ("account-disabled", "enable the account on the server, or let `users.account` name others"),
    (
        "demands TLS",
        "let the server take clients without TLS while it is tested (Prosody: c2s_require_encryption = false; \
         ejabberd: starttls_required: false)",
    ),
    (
        "encryption-required",
        "let the server take logins without TLS while it is tested (Prosody: c2s_require_encryption = false and \
         allow_unencrypted_plain_auth = true; ejabberd: starttls_required: false)",
    ),
    (
        "does not offer PLAIN",
        "set `users.auth` to what it offers, or let it offer PLAIN without TLS (Prosody: \
         allow_unencrypted_plain_auth = true; ejabberd: disable_sasl_mechanisms without it)",
    ),
    (
        "does not offer ANONYMOUS",
        "set `users.auth` to what it offers, or let it have guests (Prosody: authentication = \"anonymous\"; ejabberd: \
         auth_method: anonymous)",
    ),
    (
        "it offers nothing",
        "a server that offers no way to log in without TLS has to be told to (Prosody: c2s_require_encryption = false; \
         ejabberd: starttls_required: false)",
    ),
    ("does not offer", "set `users.auth` to what it offers, for instance `--set users.auth=PLAIN`"),
    (
        "could not prove",
        "somebody else answers in the server's place, or it stores other credentials than this password's",
    ),
    (
        "conflict",
        "somebody else uses the same account and resource: end the other run, or set `users.resource` to another \
         pattern",
    ),
    (
        "resource-constraint",
        "the server limits sessions, connections or their rate: lift that for the test (ejabberd: shaper, \
         shaper_rules, max_user_sessions; Prosody: limits, and the modules limits and limit_auth)",
    ),
    (
        "policy-violation",
        "the server limits what a client may do: lift that for the test (ejabberd: shaper, shaper_rules, max_stanza_size; \
         Prosody: limits, c2s_stanza_size_limit, and the modules limits and limit_auth)",
    ),
    (
        "Connection refused",
        "is the server running, and does it listen there? The port is 5222 unless `--target` names another",
    ),
    (
        "Too many open files",
        "raise the limit of open files (`ulimit -n`, limits.conf, LimitNOFILE=), or run with fewer users",
    ),
    (
        "Cannot assign requested address",
        "connect from more addresses (`target.source_ips`), each of them this machine's own, or widen \
         `sysctl net.ipv4.ip_local_port_range`",
    ),
    (
        "without a close tag",
        "the server hangs up: does XMPP for clients listen on that port, without TLS, and does a limit per address \
         apply (ejabberd: the log says; Prosody: c2s_direct_tls_ports is another port)",
    ),
    (
        "connection reset",
        "the server hangs up: does XMPP for clients listen on that port, without TLS, and does a limit per address \
         apply (its log says)?",
    ),
    (
        "timed out",
        "the server is silent: is the port XMPP for clients, without TLS, and does no firewall drop what is sent?",
    ),
];

/// What to do about a fault of this text; `None` when only its reader can know.
#[must_use]
pub fn advice(fault: &str) -> Option<&'static str> {
    TABLE.iter().find(|(words, _)| fault.contains(words)).map(|(_, help)| *help)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::LoginError;

    #[test]
    fn what_people_meet_first_has_a_way_out() {
        let refused = |condition: &str| LoginError::Refused { condition: condition.into(), text: None };
        let stream = |condition: &str| LoginError::Stream { condition: condition.into(), text: None };
        let not_offered =
            |wanted, offered: &str| LoginError::MechanismNotOffered { wanted, offered: offered.into() };
        let cases = [
            (stream("host-unknown"), "--domain"),
            (refused("not-authorized"), "users.create=register"),
            (LoginError::TlsRequired, "c2s_require_encryption = false"),
            (not_offered("PLAIN", "SCRAM-SHA-1"), "allow_unencrypted_plain_auth"),
            (not_offered("SCRAM-SHA-256", "nothing"), "without TLS"),
            (not_offered("SCRAM-SHA-256", "SCRAM-SHA-1"), "users.auth"),
            (LoginError::Bind { condition: "resource-constraint".into() }, "max_user_sessions"),
            (stream("policy-violation"), "shaper"),
            (stream("conflict"), "users.resource"),
            (LoginError::ServerSignature, "credentials"),
        ];
        for (error, want) in cases {
            let help = advice(&format!("user u1: {error}")).unwrap_or_default();
            assert!(help.contains(want), "{error}: {help}");
        }
        assert_eq!(advice("user u1: protocol error: it is odd"), None);
    }
}
