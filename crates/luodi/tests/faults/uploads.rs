//! Two gigabytes sent to every kind of form, and lengths that are lies: refused, with the memory
//! where it was and nothing left on the disk.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use super::{logged_in, memory_mib, verify};
use crate::support::Ground;
use crate::support::http::{Client, Reply, Server, connect, read_reply};

const TWO_GIB: u64 = 2 << 30;
/// What is read of a request at most, and what may be on the way beside it.
const READ_AT_MOST: u64 = (256 + 16) << 20;
/// What one form may hold, and the program beside it.
const GROWN_AT_MOST: u64 = 150;
const MULTIPART: &str = "multipart/form-data; boundary=cut";
const URLENCODED: &str = "application/x-www-form-urlencoded";
const FILE: &str =
    "--cut\r\ncontent-disposition: form-data; name=\"licence\"; filename=\"a.pdf\"\r\n\r\n";

/// Sends a form of two gigabytes in chunks until the server has had enough; gives what it took and
/// what it said, if that came through.
fn stream_chunks(client: &Client, path: &str, kind: &str) -> (u64, Option<Reply>) {
    let mut stream = connect(client.address).unwrap();
    let head = client.head("POST", path);
    let head = format!(
        "{head}sec-fetch-site: same-origin\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    let begin = if kind == MULTIPART {
        FILE
    } else {
        "statement="
    };
    let first = format!("{head}{:x}\r\n{begin}\r\n", begin.len());
    stream.get_mut().write_all(first.as_bytes()).unwrap();
    let size = 1 << 20;
    let mut chunk = format!("{size:x}\r\n").into_bytes();
    chunk.resize(chunk.len() + size, b'x');
    chunk.extend_from_slice(b"\r\n");
    let mut sent = 0;
    while sent < TWO_GIB && stream.get_mut().write_all(&chunk).is_ok() {
        sent += size as u64;
    }
    (sent, read_reply(&mut stream).ok())
}

#[test]
fn two_gigabytes_are_refused_wherever_they_go() {
    let city = Ground::demo_in_a_file();
    let server = Server::start(&city.environment(), &[]);
    let mut applicant = logged_in(&server, "applicant");
    let mut stranger = Client::new(server.address);
    stranger.get("/").unwrap();
    let items = applicant.get("/items").unwrap();
    let apply = format!("/items/{}/apply", items.between("href=\"/items/", "\""));
    let before = memory_mib(&server);
    for (client, path) in [
        (&applicant, apply.as_str()),
        (&stranger, apply.as_str()),
        (&stranger, "/login"),
    ] {
        for kind in [MULTIPART, URLENCODED] {
            // Who says how much it is is told at once, before anything is sent.
            let mut stream = connect(server.address).unwrap();
            let head = client.head("POST", path);
            let head = format!("{head}content-type: {kind}\r\ncontent-length: {TWO_GIB}\r\n\r\n");
            stream.get_mut().write_all(head.as_bytes()).unwrap();
            let refused = read_reply(&mut stream).unwrap();
            // A stranger without a token of this site is led to the log-in.
            assert!([413, 303].contains(&refused.status), "{}", refused.body);
            if refused.status == 413 {
                assert!(refused.body.contains("256 MB"), "{}", refused.body);
            }
        }
    }
    for (client, path, kind) in [
        (&applicant, apply.as_str(), MULTIPART),
        (&stranger, apply.as_str(), MULTIPART),
        (&stranger, "/login", URLENCODED),
    ] {
        let (sent, said) = stream_chunks(client, path, kind);
        assert!(sent < READ_AT_MOST, "{path} {kind}: {sent}");
        if let Some(said) = said {
            assert!([413, 422].contains(&said.status), "{}", said.body);
        }
    }
    let grown = memory_mib(&server).saturating_sub(before);
    assert!(grown < GROWN_AT_MOST, "{grown} MiB");
    assert!(parts(&city).is_empty(), "{:?}", parts(&city));
    assert_eq!(stranger.get("/readyz").unwrap().status, 200);
    server.kill();
    verify(city.data());
}

/// Files in the data folder that are somebody's unfinished business.
fn parts(city: &Ground) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![city.data().to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path
                .extension()
                .is_some_and(|end| end == "part" || end == "tmp")
            {
                found.push(path.display().to_string());
            }
        }
    }
    found
}

/// What comes until the server closes.
fn rest(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset is an end, too.
    let _ = stream.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn a_length_that_is_a_lie_harms_nobody() {
    let city = Ground::demo_in_a_file();
    let server = Server::start(&city.environment(), &["--no-work"]);
    let mut applicant = logged_in(&server, "applicant");
    let items = applicant.get("/items").unwrap();
    let apply = format!("/items/{}/apply", items.between("href=\"/items/", "\""));
    let body = format!("{FILE}%PDF-1.7\r\n--cut--\r\n");
    let head = |length: &str| {
        let head = applicant.head("POST", &apply);
        format!("{head}content-type: {MULTIPART}\r\n{length}\r\n{body}")
    };
    for (length, expected) in [
        // More than comes: the form is not whole.
        (
            format!("content-length: {}\r\n", body.len() + 1),
            "HTTP/1.1 4",
        ),
        // Less: what is left over is no request.
        (
            format!("content-length: {}\r\n", body.len() - 9),
            "HTTP/1.1 4",
        ),
        ("content-length: -1\r\n".to_owned(), "HTTP/1.1 400"),
        (
            "content-length: 99999999999999999999\r\n".to_owned(),
            "HTTP/1.1 400",
        ),
        (
            "content-length: 5\r\ncontent-length: 6\r\n".to_owned(),
            "HTTP/1.1 400",
        ),
        (
            "content-length: 5\r\ntransfer-encoding: chunked\r\n".to_owned(),
            "HTTP/1.1 4",
        ),
    ] {
        let mut stream = connect(server.address).unwrap().into_inner();
        stream.write_all(head(&length).as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let said = rest(stream);
        assert!(said.starts_with(expected), "{length}: {said}");
    }
    assert_eq!(applicant.get("/my").unwrap().status, 200);
    server.kill();
    verify(city.data());
}
