//! Several addresses and domains of one router, and what it tells Prometheus.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use rustix::process::Signal;

use super::client::Client;
use super::program::{Folder, PATIENCE};

const CONFIG: &str = r#"
listen        = ["127.0.0.1:0", "[::1]:0"]
metrics       = "127.0.0.1:0"
domain        = "one.example"
virtual_hosts = ["two.example"]
users         = [
  { name = "alice", password = "a" },
  { name = "alice@two.example", password = "b" },
]
"#;

fn page(address: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("the page is there");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("it reads");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("it answers and closes");
    text
}

#[test]
fn every_address_serves_every_domain_and_all_is_counted() {
    if TcpListener::bind("[::1]:0").is_err() {
        assert!(std::env::var_os("XB_REQUIRE_PEERS").is_none(), "a machine without IPv6");
        return;
    }
    let folder = Folder::with("serve.toml", CONFIG);
    let mut program = folder.start("serve serve.toml --store memory");
    let line = program.wait_stdout("listening on ");
    let (addresses, rest) = line["listening on ".len()..].split_once(", ").unwrap();
    assert!(rest.starts_with("domains one.example and two.example, 2 accounts, "), "{line}");
    let addresses: Vec<SocketAddr> = addresses.split(" and ").map(|text| text.parse().unwrap()).collect();
    assert_eq!(addresses.iter().map(SocketAddr::is_ipv6).collect::<Vec<_>>(), [false, true]);
    let line = program.wait_stdout("metrics for Prometheus at http://");
    let at = line["metrics for Prometheus at http://".len()..].trim_end().strip_suffix("/metrics").unwrap();
    let clients: Vec<Client> = addresses
        .iter()
        .flat_map(|address| ["one.example", "two.example"].map(|domain| Client::connect(*address, domain)))
        .collect();
    let page = page(at);
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page}");
    let sum = |name: &str| -> f64 {
        let of_it = |line: &&str| line.starts_with(&format!("xmpp_bench_{name}{{"));
        page.lines().filter(of_it).map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    };
    assert_eq!(sum("connections_accepted_total"), 4.0);
    assert_eq!(sum("connections"), 4.0);
    assert_eq!(sum("accounts"), 2.0);
    assert!(!page.contains("store_up"), "there is no store");
    program.signal(Signal::TERM);
    for client in clients {
        assert!(client.last_words().contains("<system-shutdown"));
    }
    program.finish().exits(0);
}
