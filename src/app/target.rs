//! What is measured: `embedded` or a URL.
//!
//! It parses and resolves; it does not log in. What is not built yet is refused by name, so that nobody takes a
//! missing transport for a broken server.

use std::fmt;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use super::exit::Failure;

/// Port of client connections (RFC 6120 §14.7).
pub const CLIENT_PORT: u16 = 5222;
/// How long the first connection may take before the target counts as unreachable.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// What may be asked for today.
pub const SUPPORTED: &str = "supported: embedded, xmpp://HOST[:PORT], xmpp+plain://HOST[:PORT]";

/// Schemes with their room in the design but without walls yet, and what they mean.
const NOT_BUILT: [(&str, &str); 6] = [
    ("xmpps", "direct TLS"),
    ("ws", "WebSocket"),
    ("wss", "WebSocket over TLS"),
    ("http", "BOSH"),
    ("https", "BOSH over TLS"),
    ("s2s", "server-to-server load"),
];

/// Where the synthetic clients connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The router of this program, as a child process.
    Embedded,
    /// A server elsewhere.
    Server(Server),
}

/// A server that speaks XMPP over TCP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Name or address; an IPv6 address without its brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// `xmpp+plain`: TLS is forbidden, not only absent.
    pub plain: bool,
}

impl Target {
    /// Parses `embedded` or a URL.
    ///
    /// # Errors
    /// Exit code 2: a scheme that is unknown or not built, no host, a bad port.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        if text == "embedded" {
            return Ok(Self::Embedded);
        }
        let wrong = |what: &str| Failure::usage(format!("target `{text}`: {what}")).help(SUPPORTED);
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(wrong("neither `embedded` nor a URL"));
        };
        if let Some((_, what)) = NOT_BUILT.iter().find(|(name, _)| *name == scheme) {
            return Err(wrong(&format!("{what} is not built yet")));
        }
        let plain = match scheme {
            "xmpp" => false,
            "xmpp+plain" => true,
            _ => return Err(wrong(&format!("unknown scheme `{scheme}`"))),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains(['/', '?', '#', '@']) {
            return Err(wrong("only a host and a port may follow the scheme"));
        }
        if authority.is_empty() {
            return Err(wrong("no host; looking one up by SRV record is not built yet"));
        }
        let (host, port) = split_host_port(authority).ok_or_else(|| wrong("not HOST or HOST:PORT"))?;
        Ok(Self::Server(Server { host, port, plain }))
    }
}

/// `host`, `host:port`, `[v6]` or `[v6]:port`.
fn split_host_port(authority: &str) -> Option<(String, u16)> {
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (host, port) = rest.split_once(']')?;
        host.parse::<std::net::Ipv6Addr>().ok()?;
        (host, if port.is_empty() { None } else { Some(port.strip_prefix(':')?) })
    } else {
        match authority.split_once(':') {
            Some((_, port)) if port.contains(':') => return None, // IPv6 without brackets
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        }
    };
    if host.is_empty() || host.contains(char::is_whitespace) {
        return None;
    }
    let port = match port {
        None => CLIENT_PORT,
        Some(digits) => digits.parse().ok().filter(|port| *port != 0)?,
    };
    Some((host.to_owned(), port))
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded => f.write_str("embedded"),
            Self::Server(server) => server.fmt(f),
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.plain { "xmpp+plain" } else { "xmpp" };
        let Self { host, port, .. } = self;
        if host.contains(':') {
            write!(f, "{scheme}://[{host}]:{port}")
        } else {
            write!(f, "{scheme}://{host}:{port}")
        }
    }
}

impl Server {
    /// Its addresses, first choice first.
    ///
    /// # Errors
    /// Exit code 6: the name has none. Exit code 2: one is neither loopback nor private and the operator did not say
    /// that the server is theirs.
    pub fn resolve(&self, mine: bool) -> Result<Vec<SocketAddr>, Failure> {
        let addresses: Vec<SocketAddr> = (self.host.as_str(), self.port)
            .to_socket_addrs()
            .map_err(|error| {
                Failure::unreachable(format!("target {self}: cannot resolve `{}`: {error}", self.host))
            })?
            .collect();
        if let Some(public) = addresses.iter().find(|address| !is_near(address.ip()))
            && !mine
        {
            return Err(Failure::usage(format!(
                "target {self}: {} is a public address, and a load test of a server that is not yours is an attack",
                public.ip()
            ))
            .help("say `--yes-this-is-my-server` if it is yours"));
        }
        Ok(addresses)
    }

    /// Connects once, so that a wrong address is one clear line and not ten thousand.
    ///
    /// # Errors
    /// Exit code 6: no address answers; the message holds the last error.
    pub fn probe(&self, addresses: &[SocketAddr]) -> Result<SocketAddr, Failure> {
        let mut last = "it has no address".to_owned();
        for address in addresses {
            match TcpStream::connect_timeout(address, CONNECT_MAX) {
                Ok(_) => return Ok(*address),
                Err(error) => last = format!("{address}: {error}"),
            }
        }
        Err(Failure::unreachable(format!("target {self} is unreachable: {last}"))
            .help("is the server running, and does it listen there? The port is 5222 unless `--target` names another"))
    }
}

/// Loopback, private (RFC 1918, RFC 4193), link-local or shared (RFC 6598): no stranger's server.
fn is_near(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            v4.is_loopback() || v4.is_private() || v4.is_link_local() || (a == 100 && b & 0xc0 == 64)
        }
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let good = [
            ("embedded", "embedded"),
            ("xmpp://localhost", "xmpp://localhost:5222"),
            ("xmpp://10.0.0.5:15222", "xmpp://10.0.0.5:15222"),
            ("xmpp://example.org/", "xmpp://example.org:5222"),
            ("xmpp+plain://[::1]", "xmpp+plain://[::1]:5222"),
            ("xmpp://[fe80::1]:5223", "xmpp://[fe80::1]:5223"),
        ];
        for (text, want) in good {
            assert_eq!(Target::parse(text).unwrap().to_string(), want);
        }
        let bad = [
            ("localhost:5222", "neither"),
            ("xmpps://a", "direct TLS is not built yet"),
            ("ws://a", "WebSocket is not built yet"),
            ("wss://a/ws", "WebSocket over TLS is not built yet"),
            ("http://a/http-bind", "BOSH is not built yet"),
            ("s2s://a", "server-to-server load is not built yet"),
            ("ftp://a", "unknown scheme `ftp`"),
            ("xmpp://", "no host"),
            ("xmpp://:5222", "not HOST"),
            ("xmpp://a:0", "not HOST"),
            ("xmpp://a:65536", "not HOST"),
            ("xmpp://a:", "not HOST"),
            ("xmpp://::1", "not HOST"),
            ("xmpp://[nonsense]", "not HOST"),
            ("xmpp://[::1]5222", "not HOST"),
            ("xmpp://user@a", "only a host"),
            ("xmpp://a/path", "only a host"),
        ];
        for (text, want) in bad {
            let failure = Target::parse(text).unwrap_err();
            assert_eq!(failure.exit, super::super::exit::Exit::Usage, "{text}");
            assert!(failure.errors[0].what.contains(want), "{text}: {}", failure.errors[0].what);
            assert_eq!(failure.errors[0].help.as_deref(), Some(SUPPORTED), "{text}");
        }
    }

    #[test]
    fn strangers_are_asked_about() {
        for near in
            ["127.0.0.1", "127.9.9.9", "10.1.2.3", "172.31.0.1", "192.168.1.1", "169.254.0.1", "100.64.0.1"]
        {
            assert!(is_near(near.parse().unwrap()), "{near}");
        }
        for near in ["::1", "fd00::1", "fe80::1", "::ffff:127.0.0.1"] {
            assert!(is_near(near.parse().unwrap()), "{near}");
        }
        for far in
            ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2001:4860:4860::8888", "::ffff:8.8.8.8", "0.0.0.0"]
        {
            assert!(!is_near(far.parse().unwrap()), "{far}");
        }
        let stranger = Server { host: "192.0.2.1".into(), port: 5222, plain: false };
        assert_eq!(stranger.resolve(false).unwrap_err().exit, super::super::exit::Exit::Usage);
        assert_eq!(stranger.resolve(true).unwrap().len(), 1);
    }
}
