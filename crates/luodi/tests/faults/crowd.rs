//! A thousand visitors who are slow on purpose, and a server that has no more files to open: the
//! others get their pages, and memory stays where it is.
//!
//! That bodies which do not come and readers who do not read are cut is tested with shorter
//! time-outs beside the accept loop (`web/serve_tests.rs`); here the program's own are waited for
//! where they are short.

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;

use super::{logged_in, may_open, memory_mib, verify};
use crate::support::Ground;
use crate::support::http::{Client, Server};

/// Addresses of the slow.
const ADDRESSES: u8 = 5;
/// Connections each of them opens.
const EACH: usize = 200;
/// What one address may have open.
const PER_ADDRESS: usize = 256;
/// Longer than a header may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// How somebody is slow: half a head, half a body, a page that is never read, nothing at all.
fn begin(number: usize) -> &'static str {
    [
        "GET /items HTTP/1.1\r\nhost: te",
        "POST /login HTTP/1.1\r\nhost: test\r\ncontent-type: application/x-www-form-urlencoded\r\n\
         content-length: 1000\r\n\r\nlogin=",
        "GET /articles HTTP/1.1\r\nhost: test\r\n\r\n",
        "",
    ][number % 4]
}

/// One of the addresses of the slow.
fn of_many(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 1, number)
}

/// Connections from an address of this machine, each begun in its own slow way.
fn slow(server: SocketAddr, from: Ipv4Addr, count: usize) -> Vec<TcpStream> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut open = Vec::new();
        for number in 0..count {
            let socket = TcpSocket::new_v4().unwrap();
            socket.set_recv_buffer_size(4_096).unwrap();
            socket.bind((from, 0).into()).unwrap();
            let mut stream = socket.connect(server).await.unwrap();
            // One that was refused may be closed already.
            let _ = stream.write_all(begin(number).as_bytes()).await;
            open.push(stream.into_std().unwrap());
        }
        open
    })
}

/// Whether the server closed a connection; waits for nothing.
fn is_closed(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    match (&*stream).read(&mut [0; 1]) {
        Ok(count) => count == 0,
        Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
    }
}

/// Somebody who just wants his pages, logs in and leaves a form.
fn visits(server: &Server) {
    let mut client = Client::new(server.address);
    for path in [
        "/",
        "/items",
        "/notices",
        "/articles",
        "/healthz",
        "/readyz",
    ] {
        assert_eq!(client.get(path).unwrap().status, 200, "{path}");
    }
    assert_eq!(
        logged_in(server, "applicant").get("/my").unwrap().status,
        200
    );
}

#[test]
fn a_thousand_slow_visitors_keep_nobody_out() {
    may_open(std::process::id(), 4_096);
    let city = Ground::demo_in_a_file();
    let server = Server::start(&city.environment(), &[]);
    visits(&server);
    let before = memory_mib(&server);
    let many: Vec<TcpStream> = (1..=ADDRESSES)
        .flat_map(|from| slow(server.address, of_many(from), EACH))
        .collect();
    assert_eq!(many.len(), 1_000);
    visits(&server);
    // One address alone has so many seats, and neither its neighbours nor others who come from it
    // lose theirs.
    let one = slow(server.address, Ipv4Addr::LOCALHOST, PER_ADDRESS + 50);
    visits(&server);
    let left = || one.iter().filter(|stream| is_closed(stream)).count();
    while left() < 50 {
        std::thread::yield_now();
    }
    let grown = memory_mib(&server).saturating_sub(before);
    assert!(grown < 150, "{grown} MiB for 1,300 connections");

    // Heads that do not come are waited for no longer than 20 seconds.
    for number in [0, 3] {
        let mut stream = &many[number];
        stream.set_nonblocking(false).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // A reset is an end, too; a time-out is none.
        let ended = stream.read_to_end(&mut Vec::new());
        let ended = ended.map_err(|error| error.kind());
        assert_ne!(ended, Err(std::io::ErrorKind::WouldBlock), "{number}");
    }
    drop((many, one));
    visits(&server);
    server.kill();
    verify(city.data());
}

#[test]
fn a_server_without_files_to_open_goes_on_when_it_has_some() {
    let city = Ground::demo_in_a_file();
    let mut server = Server::start(&city.environment(), &[]);
    visits(&server);
    let open = std::fs::read_dir(format!("/proc/{}/fd", server.pid()))
        .unwrap()
        .count();
    may_open(server.pid(), u32::try_from(open).unwrap() + 8);
    let many = slow(server.address, of_many(1), 64);
    // Some wait in the system's queue, and the loop that takes them up does not end.
    assert!(server.lives());
    drop(many);
    visits(&server);
    server.kill();
    verify(city.data());
}
