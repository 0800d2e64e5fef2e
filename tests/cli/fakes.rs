//! Servers that are not: one that says the same words to everybody, one that stands between and changes ids.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;

/// Listens on a free port, and answers each thing that a client says with the next of `words`; then it hangs up.
pub(super) fn says(words: &'static [&'static str]) -> SocketAddr {
    serve(move |mut client| {
        for answer in words {
            let mut heard = [0; 4096];
            if !client.read(&mut heard).is_ok_and(|count| count > 0) {
                return;
            }
            if client.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
        // What is closed with something unread is reset, and the last words may go with it.
        let _ = client.shutdown(Shutdown::Write);
        let mut rest = [0; 4096];
        while client.read(&mut rest).is_ok_and(|count| count > 0) {}
    })
}

/// Listens on a free port, passes everything on to `server`, and gives messages and presence of clients ids of its own.
pub(super) fn rewrites_ids(server: SocketAddr) -> SocketAddr {
    serve(move |client| {
        let server = TcpStream::connect(server).expect("the server listens");
        let (to_client, from_server) =
            (client.try_clone().expect("a handle"), server.try_clone().expect("a handle"));
        thread::spawn(move || pass(from_server, to_client, |tag| tag.to_vec()));
        pass(client, server, |tag| {
            let text = String::from_utf8_lossy(tag);
            match text.starts_with("<message") || text.starts_with("<presence") {
                true => text.replacen(" id='", " id='its-own-", 1).into_bytes(),
                false => tag.to_vec(),
            }
        });
    })
}

fn serve(answer: impl Fn(TcpStream) + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let answer = answer.clone();
            thread::spawn(move || answer(client));
        }
    });
    address
}

/// Passes bytes on, each tag through `change`. Text between tags goes with the tag behind it.
fn pass(mut from: TcpStream, mut to: TcpStream, change: impl Fn(&[u8]) -> Vec<u8>) {
    let (mut held, mut bytes) = (Vec::new(), [0; 4096]);
    while let Ok(count) = from.read(&mut bytes)
        && count > 0
    {
        held.extend_from_slice(&bytes[..count]);
        let mut out = Vec::new();
        while let Some(end) = held.iter().position(|byte| *byte == b'>') {
            let rest = held.split_off(end + 1);
            out.extend(change(&held));
            held = rest;
        }
        if to.write_all(&out).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
