//! The reactor with real sockets. Threads of the test are its peers; every wait is a blocking read.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use super::*;
use crate::engine::echo::{HEADER, Log};

struct Running {
    addr: SocketAddr,
    stopper: Stopper,
    thread: JoinHandle<(Log, ReactorReport)>,
}

fn start() -> Running {
    let mut reactor = Reactor::<Log>::new(Log::default(), ReactorConfig::default()).unwrap();
    let addr = reactor.listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let stopper = reactor.stopper();
    let thread = std::thread::spawn(move || reactor.run().unwrap());
    Running { addr, stopper, thread }
}

impl Running {
    fn connect(&self) -> TcpStream {
        let mut stream = TcpStream::connect(self.addr).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(HEADER.as_bytes()).unwrap();
        stream
    }

    fn stop(self) -> (Log, ReactorReport) {
        self.stopper.stop();
        self.thread.join().unwrap()
    }
}

fn expect(stream: &mut TcpStream, text: &str) {
    let mut got = vec![0; text.len()];
    stream.read_exact(&mut got).unwrap();
    assert_eq!(std::str::from_utf8(&got).unwrap(), text);
}

#[test]
fn many_connections_echo_and_close_in_order() {
    let running = start();
    let mut streams: Vec<_> = (0..50).map(|_| running.connect()).collect();
    for (n, stream) in streams.iter_mut().enumerate() {
        write!(stream, "<n>{n}</n>").unwrap();
    }
    for (n, stream) in streams.iter_mut().enumerate() {
        expect(stream, &format!("<n>{n}</n>"));
        stream.write_all(b"<bye/></stream:stream>").unwrap();
    }
    for stream in &mut streams {
        let mut rest = String::new();
        stream.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "<bye/>");
    }
    drop(streams);
    let (log, report) = running.stop();
    assert_eq!(report.counters.accepted, 50);
    assert_eq!(report.counters.closed, 50);
    assert_eq!(log.lines.iter().filter(|l| *l == "closed Peer Closed").count(), 50);
}

#[test]
fn a_large_echo_survives_full_socket_buffers() {
    let running = start();
    let mut stream = running.connect();
    let element = format!("<e>{}</e>", "x".repeat(100_000));
    let count = 100;
    let mut writer = stream.try_clone().unwrap();
    let sent = element.clone();
    let writing = std::thread::spawn(move || {
        for _ in 0..count {
            writer.write_all(sent.as_bytes()).unwrap();
        }
        writer.shutdown(Shutdown::Write).unwrap();
    });
    let mut got = vec![0; element.len()];
    for _ in 0..count {
        stream.read_exact(&mut got).unwrap();
        assert!(got == element.as_bytes());
    }
    assert_eq!(stream.read(&mut got).unwrap(), 0);
    writing.join().unwrap();
    let (log, _) = running.stop();
    assert_eq!(log.lines.last().map(String::as_str), Some("closed Peer Eof"));
}

#[test]
fn an_end_of_file_that_came_with_the_data_is_seen() {
    let running = start();
    let mut stream = TcpStream::connect(running.addr).unwrap();
    stream.write_all(format!("{HEADER}<last/>").as_bytes()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "<last/>");
    drop(stream);
    running.stop();
}

/// One of two reactors panics: nobody waits for it, and whoever runs them hears of it.
#[test]
fn a_panic_of_one_reactor_ends_all() {
    let configs = [ReactorConfig::default(), ReactorConfig::default()];
    let mut fleet = Fleet::<Log>::new(vec![Log::default(), Log::default()], &configs).unwrap();
    let addr = fleet.listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let thread = std::thread::spawn(move || fleet.run().map(|_| ()));
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.write_all(format!("{HEADER}<fault/>").as_bytes()).unwrap();
    assert!(thread.join().is_err());
}

#[test]
fn a_reset_ends_only_its_connection() {
    let running = start();
    let victim = running.connect();
    socket2::SockRef::from(&victim).set_linger(Some(Duration::ZERO)).unwrap();
    drop(victim);
    let mut other = running.connect();
    other.write_all(b"<still/>").unwrap();
    expect(&mut other, "<still/>");
    drop(other);
    let (log, _) = running.stop();
    assert!(log.lines.iter().any(|l| l == "closed Network Io(ConnectionReset)"), "{:?}", log.lines);
}

#[test]
fn outgoing_connections_are_made_or_their_failure_told() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let world = Log { connect: vec![listener.local_addr().unwrap()], ..Log::default() };
    let reactor = Reactor::<Log>::new(world, ReactorConfig::default()).unwrap();
    let stopper = reactor.stopper();
    let thread = std::thread::spawn(move || reactor.run().unwrap());
    let (mut peer, _) = listener.accept().unwrap();
    peer.write_all(format!("{HEADER}<hello/>").as_bytes()).unwrap();
    expect(&mut peer, "<hello/>");
    drop(peer);
    stopper.stop();
    let (log, report) = thread.join().unwrap();
    assert_eq!((report.counters.connected, report.counters.closed), (1, 1), "{:?}", log.lines);

    let nobody = listener.local_addr().unwrap();
    drop(listener);
    let world = Log { connect: vec![nobody], ..Log::default() };
    let (log, _) = Reactor::<Log>::new(world, ReactorConfig::default()).unwrap().run().unwrap();
    assert_eq!(log.lines, ["connect failed: connection refused"]);
}

#[test]
fn an_aborted_connection_is_reset() {
    let running = start();
    let mut stream = running.connect();
    stream.write_all(b"<a/>").unwrap();
    expect(&mut stream, "<a/>");
    stream.write_all(b"<cut/>").unwrap();
    let error = stream.read(&mut [0; 64]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    let (log, report) = running.stop();
    assert_eq!(log.lines.last().map(String::as_str), Some("closed Us Closed"));
    assert_eq!(report.counters.closed, 1);
}

#[test]
fn news_wakes_a_reactor_that_waits() {
    let mut reactor = Reactor::<Log>::new(Log::default(), ReactorConfig::default()).unwrap();
    let addr = reactor.listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let (stopper, messenger) = (reactor.stopper(), reactor.messenger());
    let thread = std::thread::spawn(move || reactor.run().unwrap());
    let running = Running { addr, stopper, thread };
    let mut stream = running.connect();
    stream.write_all(b"<store/><iq id='1'/>").unwrap();
    expect(&mut stream, "<iq id='1'/>");
    messenger.send("hello");
    stream.write_all(b"</stream:stream>").unwrap();
    stream.read_to_string(&mut String::new()).unwrap();
    let (log, _) = running.stop();
    assert_eq!(log.lines.iter().filter(|line| *line == "news hello" || *line == "stored").count(), 2);
}
