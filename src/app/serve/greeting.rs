//! What `serve` prints when it is ready: how to connect.
//!
//! Scripts read it, the first line above all; the log is on stderr.

use std::fmt::Write as _;
use std::net::SocketAddr;

use crate::app::report::numbers::count;
use crate::app::serve_config::ServeConfig;
use crate::app::store::StoreUrl;

/// Where the configuration comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Configured,
    Trial,
    TestSuite,
}

/// How to connect. Passwords are shown only of accounts that are made up here.
pub(super) fn greeting(
    config: &ServeConfig,
    (addresses, metrics): (&[SocketAddr], Option<SocketAddr>),
    accounts: usize,
    (store, loaded): (&StoreUrl, usize),
    kind: Kind,
) -> String {
    let mechanisms: Vec<&str> = config.mechanisms.iter().map(|mechanism| mechanism.as_str()).collect();
    let domains: Vec<&str> = config.domains().collect();
    let mut text = format!(
        "listening on {}, domain{} {}, {} account{}, {}\n",
        addresses.iter().map(SocketAddr::to_string).collect::<Vec<_>>().join(" and "),
        if domains.len() == 1 { "" } else { "s" },
        domains.join(" and "),
        count(accounts as u64),
        if accounts == 1 { "" } else { "s" },
        mechanisms.join(" ")
    );
    if *store == StoreUrl::Memory {
        text.push_str("store memory: nothing outlives this process\n");
    } else {
        let _ = writeln!(text, "store {store}, {} accounts loaded", count(loaded as u64));
    }
    if let Some(address) = metrics {
        let _ = writeln!(text, "metrics for Prometheus at http://{address}/metrics");
    }
    // One that was there may have another password by now.
    let made = if loaded == 0 { "" } else { ", when it was made" };
    let users = |text: &mut String, word: &str| {
        for user in &config.users {
            let _ =
                writeln!(text, "{word} {}, password {}{made}", user.address(&config.domain), user.password);
        }
    };
    match kind {
        Kind::Configured => {}
        Kind::Trial => {
            users(&mut text, "account");
            text.push_str("connect without TLS, which is not built yet; Ctrl-C ends the router in order\n");
        }
        Kind::TestSuite => {
            for address in addresses {
                let _ = writeln!(
                    text,
                    "host {}, port {}, domain {}",
                    address.ip(),
                    address.port(),
                    config.domain
                );
            }
            users(&mut text, "admin");
            text.push_str(
                "no TLS; accounts by the admin's commands (XEP-0133) or by registration (XEP-0077)\n",
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_trials_passwords_are_shown() {
        let config = ServeConfig::default();
        let address = (&["127.0.0.1:5222".parse().unwrap()][..], None);
        let trial = greeting(&config, address, 2, (&StoreUrl::Memory, 0), Kind::Trial);
        assert!(trial.starts_with("listening on 127.0.0.1:5222, domain localhost, 2 accounts, "));
        assert!(trial.contains("account alice@localhost, password alice"));
        assert!(
            !greeting(&config, address, 2, (&StoreUrl::Memory, 0), Kind::Configured).contains("password")
        );
        let suite =
            greeting(&ServeConfig::for_test_suites(), address, 1, (&StoreUrl::Memory, 0), Kind::TestSuite);
        assert!(suite.contains("\nhost 127.0.0.1, port 5222, domain localhost\n"), "{suite}");
        assert!(suite.contains("\nadmin admin@localhost, password admin\n"), "{suite}");
    }
}
